"""The chat of visitors: the page to try it, the widget's script, and the line it talks on; for files see `chat_files`.

A widget may stand on another site: whoever asks must come from this server's own pages or from one of the origins that
the workspace lists, and nothing here goes by cookies. Every line begins with `hello` and the visitor's pass. From the
widget: `hello`, `say`, `leave`, `typing`, `earlier`, `pong`; what it gets back is described in `chat_feed`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, Response
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from router.core.errors import Draining, TransientError
from router.core.ports import InboxEntry
from router.desk.index import DeskIndex
from router.web.access import same_origin
from router.web.chat_feed import ChatFeed, Line
from router.web.chat_limits import Gate
from router.web.chat_parts import Chat
from router.web.chat_pass import Pass, Passes
from router.web.chat_view import VisitorView
from router.web.chat_widget import STATIC, Widget, assemble
from router.web.parts import WebParts
from router.web.problems import Problem

NONSENSE = 4400
BAD_PASS = 4401
OTHER_SITE = 4403
TOO_MANY = 4429
FRAME_OVERHEAD_CHARACTERS = 2_000
NAME_CHARACTERS_MAX = 400
WIDGET_SECONDS = 300  # browsers ask again after that whether it is still the same

_numbers = itertools.count()

routes = APIRouter(prefix="/chat", include_in_schema=False)


class Hello(msgspec.Struct, tag="hello"):
    """The first frame. `pass_`: "" for a new visitor; `after`: the cursor up to which the widget knows everything."""

    pass_: str = msgspec.field(name="pass", default="")
    after: str = ""


class Say(msgspec.Struct, tag="say"):
    """Words for the chat. `proof`: a signed link by which the visitor came, until something of theirs is stored."""

    client: str
    text: str
    name: str = ""
    proof: str = ""


class Leave(msgspec.Struct, tag="leave"):
    """A message to be answered by mail."""

    client: str
    email: str
    text: str
    name: str = ""


class Typing(msgspec.Struct, tag="typing"):
    """The visitor is writing."""


class Earlier(msgspec.Struct, tag="earlier"):
    """What stands before an item is wanted."""

    before: str


class Rate(msgspec.Struct, tag="rate"):
    """The visitor answers the question that stands under this item."""

    item: str
    score: Annotated[int, msgspec.Meta(ge=1, le=5)]


class Pong(msgspec.Struct, tag="pong"):
    """The widget is there."""


_HELLO = msgspec.json.Decoder(Hello)
_FRAME = msgspec.json.Decoder(Say | Leave | Typing | Earlier | Rate | Pong)


@dataclass(frozen=True)
class Room:
    """The chat of one app: what was handed in, and what grew out of it."""

    parts: WebParts
    chat: Chat
    feed: ChatFeed
    gate: Gate
    passes: Passes
    widget: Widget

    def welcomes(self, connection: HTTPConnection) -> bool:
        """Whether a browser's request comes from a page that may show the chat."""
        origin = connection.headers.get("origin", "").lower()
        return origin in self.chat.settings.origins or same_origin(connection, self.parts.settings.public_url)

    def holder(self, connection: HTTPConnection) -> Pass:
        """Whose pass a request carries. Raises Problem 401."""
        kind, _, text = connection.headers.get("authorization", "").partition(" ")
        held = self.passes.check(text, self.parts.clock()) if kind.lower() == "bearer" else None
        if held is None:
            raise Problem(401, "chat_pass")
        return held


def room_of(connection: HTTPConnection) -> Room:
    """The chat. Raises Problem 404 where the workspace has none."""
    room: Room | None = connection.app.state.chat
    if room is None:
        raise Problem(404, "not_found")
    return room


RoomHere = Annotated[Room, Depends(room_of)]


def open_room(parts: WebParts, index: DeskIndex) -> Room | None:
    """The chat over `parts`, following the source from now on; None where there is none. `index`: the desk's own."""
    chat = parts.chat
    if chat is None:
        return None
    feed = ChatFeed(parts, chat, VisitorView(parts.source, parts.texts, index, chat))
    return Room(parts, chat, feed, Gate(lambda: chat.limits, time.monotonic), Passes(parts.secret), assemble())


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from, for limits. Behind a proxy on this host it is what the proxy says."""
    return connection.client.host if connection.client is not None else ""


# -- pages and script ----------------------------------------------------------------------------------------------


@routes.get("", dependencies=[Depends(room_of)])
async def page() -> Response:
    """A page to try the chat."""
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


@routes.get("/widget.js")
async def widget(request: Request, room: RoomHere) -> Response:
    """The whole widget, one script for any site."""
    script = room.widget
    headers = {
        "ETag": script.etag,
        "Cache-Control": f"public, max-age={WIDGET_SECONDS}",
        "Vary": "Accept-Encoding",
        "Cross-Origin-Resource-Policy": "cross-origin",  # it is made to be loaded by other sites
    }
    if request.headers.get("if-none-match") == script.etag:
        return Response(status_code=304, headers=headers)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(script.zipped if zipped else script.plain, media_type="text/javascript", headers=headers)


# -- the line ------------------------------------------------------------------------------------------------------


@routes.websocket("/live")
async def live(socket: WebSocket) -> None:
    """The line of one widget."""
    room: Room | None = socket.app.state.chat
    if room is None or not room.welcomes(socket):
        await socket.close(OTHER_SITE)
        return
    address = address_of(socket)
    if not room.gate.connections.enter(address):
        await socket.accept()  # accepted first: a browser is told a close code only on an open socket
        await socket.close(TOO_MANY)
        return
    try:
        await socket.accept()
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            line = await _greeted(room, socket, address)
            if line is not None:
                await _talk(room, socket, line)
    finally:
        room.gate.connections.leave(address)


async def _greeted(room: Room, socket: WebSocket, address: str) -> Line | None:
    """The line of whoever says hello; None when it was closed."""
    try:
        async with asyncio.timeout(room.chat.settings.hello_seconds):
            text = await socket.receive_text()
        hello = _HELLO.decode(text) if len(text) <= FRAME_OVERHEAD_CHARACTERS else None
    except (TimeoutError, msgspec.MsgspecError, KeyError):  # KeyError: a binary frame
        hello = None
    if hello is None:
        await socket.close(NONSENSE)
        return None
    now = room.parts.clock()
    held = room.passes.check(hello.pass_, now) if hello.pass_ else None
    if hello.pass_ and held is None:
        await socket.close(BAD_PASS)
        return None
    if held is None and room.gate.wait_visitor(address):
        await socket.close(TOO_MANY)
        return None
    visitor = held.visitor if held is not None else room.passes.new_visitor()
    line = Line(visitor, room.chat.identity(visitor), address)
    resumed = bool(hello.after) and room.feed.resume(line, hello.after)
    limits, settings = room.chat.limits, room.chat.settings
    line.say(
        "welcome",
        **{"pass": room.passes.issue(visitor, now) if held is None or held.stale else ""},
        title=settings.title,
        languages=settings.languages,
        form=settings.form,
        text_characters=limits.text_characters,
        file_bytes=limits.file_bytes,
        resumed=resumed,
    )
    return line


async def _talk(room: Room, socket: WebSocket, line: Line) -> None:
    sending = asyncio.ensure_future(room.feed.serve(socket, line))
    hearing = asyncio.ensure_future(_hear(room, socket, line))
    try:
        await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            await socket.close(hearing.result())
    finally:
        for task in (sending, hearing):
            task.cancel()
        for task in (sending, hearing):
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError, OSError):
                await task


async def _hear(room: Room, socket: WebSocket, line: Line) -> int:
    """Take what the widget says until it goes; the code to close with when it talks nonsense."""
    name = f"line-{next(_numbers)}"
    longest = room.chat.limits.text_characters * 6 + FRAME_OVERHEAD_CHARACTERS  # JSON writes a character as \uxxxx
    while True:
        try:
            text = await socket.receive_text()
        except KeyError:  # a binary frame
            return NONSENSE
        if len(text) > longest:
            return NONSENSE
        if not room.gate.frame(name):
            return TOO_MANY
        try:
            said = _FRAME.decode(text)
        except msgspec.MsgspecError:
            return NONSENSE
        await _take(room, line, said)


async def _take(room: Room, line: Line, said: Say | Leave | Typing | Earlier | Rate | Pong) -> None:
    line.heard_at = time.monotonic()
    match said:
        case Say():
            wait = room.gate.wait_message(line.visitor, line.address)
            await _store(room, line, said, wait)
        case Leave():
            wait = room.gate.wait_form(line.visitor, line.address)
            await _store(room, line, said, wait)
        case Earlier():
            with suppress(TransientError):  # the widget asks again
                await room.feed.earlier(line, said.before)
        case Rate():
            await _rate(room, line, said)
        case Typing():
            room.feed.visitor_types(line)
        case Pong():
            pass


async def _store(room: Room, line: Line, said: Say | Leave, wait: int) -> None:
    """Store, and only then say so. `retry`: seconds after which the widget tries again; None: it is of no use."""
    if wait:
        line.say("refused", client=said.client, code="slow", retry=wait)
        return
    try:
        identifier = await append(room, _entry(room, line, said))
    except ValueError as error:
        line.say("refused", client=said.client, code=str(error), retry=None)
    except TransientError as error:
        line.say("refused", client=said.client, code=error.code, retry=room.parts.settings.retry_after_seconds)
    else:
        line.say("stored", client=said.client, id=identifier)


async def _rate(room: Room, line: Line, said: Rate) -> None:
    """Store what a visitor says of a contact of theirs; the widget asks again where nothing comes back."""
    contact = room.feed.view.asked(line.identity, said.item)
    if contact is None or room.parts.customers is None or room.gate.wait_message(line.visitor, line.address):
        return
    with suppress(TransientError):
        await room.parts.customers.rate(contact, said.score, line.identity)
        line.say("rated", item=said.item, score=said.score)


def _entry(room: Room, line: Line, said: Say | Leave) -> InboxEntry:
    entries, name = room.chat.entries, said.name[:NAME_CHARACTERS_MAX]
    if isinstance(said, Say):
        return entries.said(line.visitor, said.client, said.text, name, said.proof)
    if not room.chat.settings.form:
        raise ValueError("no_form")
    return entries.left(line.visitor, said.client, said.email, said.text, name)


async def append(room: Room, entry: InboxEntry) -> str:
    """The id under which it is on disk. Raises TransientError, ValueError for an id used for something else."""
    if room.parts.stopping():
        raise Draining
    (appended,) = await room.parts.inbox.append([entry], conflict="refuse")
    if appended.conflict:
        raise ValueError("conflict")
    return appended.id
