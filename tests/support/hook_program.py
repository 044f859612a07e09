"""A program that is told what happens, listening on this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec


class Program:
    """`requests`: (headers, body), as they came. `answer`: what it says to each; b"": nothing."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answer = b""
        self.url = ""

    def told(self, contact: str) -> list[dict[str, Any]]:
        """The events of a contact."""
        events = [msgspec.json.decode(body) for _, body in self.requests]
        return [one for one in events if one.get("contact") == contact]

    @contextmanager
    def running(self) -> Iterator[Program]:
        """Listen while the block lasts."""
        program = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                program.requests.append((dict(self.headers), body))
                self.send_response(200 if program.answer else 204)
                self.send_header("Content-Length", str(len(program.answer)))
                self.end_headers()
                self.wfile.write(program.answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}"
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join(60)
