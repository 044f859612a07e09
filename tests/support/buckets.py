"""A server that speaks S3, in this process: for blobs, snapshots and the archive."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from moto.server import ThreadedMotoServer

from router.shell.shelf import Place


class Bucket:
    """A running server with one bucket. `place`: how usherd is told of it."""

    def __init__(self, prefix: str) -> None:
        self._port = 0
        self.start()
        name = f"usherd-{secrets.token_hex(4)}"  # all servers of one process hold the same buckets
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self.place = Place(url=f"s3://{name}/{prefix}", endpoint=self.endpoint, access_key="a", secret_key="b")
        httpx.put(f"{self.endpoint}/{name}", timeout=30).raise_for_status()

    def start(self) -> None:
        """Answer again, on the same port, with the same objects."""
        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()
        self._port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        """Answer no more."""
        self._server.stop()


@contextmanager
def bucket(prefix: str = "blobs") -> Iterator[Bucket]:
    """Run a server on a free port with a bucket of its own."""
    found = Bucket(prefix)
    try:
        yield found
    finally:
        found.stop()
