"""The web server, inside our event loop: uvicorn without its own signals, sockets or logs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from router.app.guarded_http import GuardedHttp
from router.core.errors import AddressTaken

BACKLOG = 1024
STOP_SECONDS_MAX = 3
FRAME_BYTES_MAX = 256 << 10  # of a WebSocket; what pages send is far shorter


class _Quiet(uvicorn.Server):
    """The daemon handles signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class WebServer:
    """Serves one app on one socket."""

    def __init__(self, app: FastAPI, host: str, port: int, *, protocol: type[GuardedHttp] = GuardedHttp) -> None:
        self._app = app
        self._protocol = protocol
        self._where = (host, port)
        self._server: _Quiet | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> tuple[str, int]:
        """Listen; gives the address that was bound. Raises AddressTaken."""
        host, port = self._where
        try:
            listener = socket.create_server((host, port), backlog=BACKLOG, family=_family(host))
        except OSError as error:
            raise AddressTaken(
                f"cannot listen for the web on {host}:{port}: {os.strerror(error.errno) if error.errno else error}",
                hint="choose another address or port under web.listen, or stop what uses it",
            ) from error
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=self._protocol,
            ws="websockets-sansio",
            ws_max_size=FRAME_BYTES_MAX,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS_MAX,
        )
        self._server = _Quiet(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
        bound: tuple[str, int] = listener.getsockname()[:2]
        return bound

    async def stop(self) -> None:
        """Close what is open, politely at first."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await asyncio.wait([self._task], timeout=STOP_SECONDS_MAX + 1)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
