"""HTTP connections with the limits that uvicorn lacks: on their number, and on the time a request takes to arrive.

Without them a thousand strangers who connect and say nothing use up this process's files, and mail is refused too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

_log = structlog.get_logger()

_SECONDS_BETWEEN_WARNINGS = 60.0


class GuardedHttp(H11Protocol):
    """One connection. WebSockets count as connections; once one is open it has no time limit here."""

    connections_max = 4_000
    head_seconds_max = 15.0  # from the connection, or the last answer, to the end of a request's header
    body_seconds_max = 180.0  # 25 MB over a slow line
    _warned_at = float("-inf")  # loop time, of all connections together

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn makes it."""
        super().__init__(config, server_state, app_state, _loop)
        self._phase = ""
        self._upgraded = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take it, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            self._warn()
            transport.close()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._enter("")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and see how far the request has come."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """The next request may come."""
        super().on_response_complete()
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """From here on the connection is another protocol's."""
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def _watch(self) -> None:
        if self._upgraded:
            self._enter("")
            return
        theirs = self.conn.their_state
        self._enter("head" if theirs is h11.IDLE else "body" if theirs is h11.SEND_BODY else "")

    def _enter(self, phase: str) -> None:
        """Start the clock of a phase; what arrives bit by bit does not set it back."""
        if phase == self._phase:
            return
        self._phase = phase
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if phase:
            seconds = self.head_seconds_max if phase == "head" else self.body_seconds_max
            self._deadline = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        """Whoever is asked for a body hears it as a connection that was lost."""
        self._deadline = None
        self.transport.close()

    def _warn(self) -> None:
        now = self.loop.time()
        if now - GuardedHttp._warned_at >= _SECONDS_BETWEEN_WARNINGS:
            GuardedHttp._warned_at = now
            _log.warning("http_connections_refused", connections=len(self.connections) - 1)
