"""Strangers who connect to the web server and say nothing, or say it for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest_asyncio
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect

from router.app.guarded_http import GuardedHttp
from router.app.server import WebServer

WAIT_SECONDS_MAX = 20  # a guard against hanging


class Patient(GuardedHttp):
    """Has few seats, and waits for whoever has one."""

    connections_max = 5


class Hasty(Patient):
    """Waits for nobody."""

    head_seconds_max = 0.3
    body_seconds_max = 0.3


def app() -> FastAPI:
    """Reads a body, echoes on a line, answers late."""
    made = FastAPI()

    @made.post("/read")
    async def read(request: Request) -> int:
        return len(await request.body())

    @made.get("/late")
    async def late() -> str:
        await asyncio.sleep(0.8)
        return "at last"

    @made.websocket("/line")
    async def line(socket: WebSocket) -> None:
        await socket.accept()
        with suppress(WebSocketDisconnect):
            while True:
                await socket.send_text(await socket.receive_text())

    return made


@asynccontextmanager
async def served(protocol: type[GuardedHttp]) -> AsyncIterator[int]:
    """Where it listens."""
    server = WebServer(app(), "127.0.0.1", 0, protocol=protocol)
    _, bound = await server.start()
    try:
        yield bound
    finally:
        await server.stop()


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """Where one listens that waits for nobody."""
    async with served(Hasty) as bound:
        yield bound


async def ended(port: int, said: bytes) -> bytes:
    """What a stranger who says this, and then no more, hears until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    try:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            return await reader.read()
    finally:
        writer.close()


async def test_who_says_nothing_is_sent_away(port: int) -> None:
    """A connection without a request, or with half a header, ends by itself."""
    assert await ended(port, b"") == b""
    assert await ended(port, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Half") == b""


async def test_a_second_request_has_the_same_clock(port: int) -> None:
    """One good request buys no time for the next."""
    good = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
    heard = await ended(port, good + b"P")
    assert heard.startswith(b"HTTP/1.1 200 OK")
    assert heard.count(b"HTTP/1.1") == 1


async def test_a_body_that_does_not_come_ends_the_request(port: int) -> None:
    """Thirty megabytes announced and three bytes sent hold nothing for long."""
    assert b"200 OK" not in await ended(port, b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\nabc")


async def test_our_own_slowness_ends_nothing(port: int) -> None:
    """While we work on an answer the clock stands still."""
    async with httpx.AsyncClient(timeout=WAIT_SECONDS_MAX) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/late")).text == '"at last"'


async def test_an_open_line_has_no_clock(port: int) -> None:
    """A WebSocket that is quiet for long stays open."""
    async with connect(f"ws://127.0.0.1:{port}/line") as line:
        await asyncio.sleep(0.8)
        await line.send("still there")
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            assert await line.recv() == "still there"


async def test_there_is_a_last_seat() -> None:
    """Over the limit a connection is closed at once, and when others leave there is room again."""
    async with served(Patient) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(Patient.connections_max)]
        for _, writer in held:  # in the middle of a body: they hold their seats a while
            writer.write(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        await asyncio.sleep(0.05)
        good = b"POST /read HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        with suppress(ConnectionResetError):  # closed with our bytes unread
            assert await ended(port, good) == b""
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while True:
                try:
                    if b"200 OK" in await ended(port, good):
                        break
                except ConnectionResetError:
                    await asyncio.sleep(0.05)
