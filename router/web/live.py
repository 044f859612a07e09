"""News for open desks over a WebSocket.

Each frame is a whole view, so a desk that lost its connection has missed nothing once it is back. A change marks the
desks it concerns; each is then sent at most one frame of a kind in `push_seconds`, and only if it differs.

To the page: `{"type": "desk", "desk": …}`, `{"type": "contact", "id", "contact": … | null}`,
`{"type": "waiting", "waiting": …}`, `{"type": "queue", "queue": n}`, `{"type": "tick", "now"}`,
`{"type": "overview", "overview": …}`, `{"type": "others", "id", "typing": [name], "here": [name]}`.
From the page, what it has open: `{"contact": ID | null, "waiting": bool, "overview": bool, "typing": bool,
"reply": bool}`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from router.core.errors import TransientError
from router.desk.model import Desk, NotOnRoster, NotVisible
from router.desk.ports import Changed
from router.web.access import parts_of, same_origin, session_known, session_ticket
from router.web.parts import WebParts
from router.web.together import Together
from router.web.wall import problems_of

UNSUPPORTED = 1003  # "unsupported data"
SIGNED_OUT = 4401
OTHER_SITE = 4403
STOPPING = 1012  # "service restart": the page comes back by itself
FRAME_CHARACTERS_MAX = 1000
READ_AGAIN_SECONDS = 1.0
TOGETHER_LINES = 16  # desks that hear of the queue's length in one go …
TOGETHER_SECONDS = 0.01  # … and so long before the next ones
TOGETHER_SLICES_MAX = 50

routes = APIRouter()


class Open(msgspec.Struct, frozen=True):
    """What a page has open beside its lists."""

    contact: str | None = None
    waiting: bool = False
    overview: bool = False
    typing: bool = False  # its agent writes in the contact at this moment
    reply: bool = False  # and it is for the customer


class Line:
    """One open desk: what it shows, and what was sent last."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.open = Open()
        self.wake = asyncio.Event()
        self.shown: frozenset[str] = frozenset()
        self.dirty = {"desk", "contact", "waiting", "queue"}
        self.typing_until = 0.0  # of the loop's clock
        self.look_at = 0.0  # when to see next whether the session was ended
        self._sent: dict[str, bytes] = {}

    @property
    def place(self) -> str | None:
        """The contact that it has open."""
        return self.open.contact

    def mark(self, *kinds: str) -> None:
        """Have these kinds of frames looked at again."""
        self.dirty.update(kinds)
        self.wake.set()

    def is_light(self) -> bool:
        """Whether there is nothing to look at but the queue's length: after that a desk's next offer need not wait."""
        has = self.open.contact is not None
        shown = {"desk": True, "contact": has, "others": has}
        shown |= {"waiting": self.open.waiting, "overview": self.open.overview}
        return not any(shown.get(kind) for kind in self.dirty)

    def forget(self) -> None:
        """Send contact and queue list again even if they are as before: the page has opened something else."""
        self._sent.pop("contact", None)
        self._sent.pop("waiting", None)
        self._sent.pop("others", None)
        self._sent.pop("overview", None)

    def fresh(self, kind: str, frame: bytes, compare: bytes) -> bytes | None:
        """The frame, unless the same was sent last."""
        if self._sent.get(kind) == compare:
            return None
        self._sent[kind] = compare
        return frame


class Feed:
    """Knows all open desks of this process and whom a change concerns."""

    def __init__(self, parts: WebParts, desk: Desk, changes: Callable[[], bool]) -> None:
        """`changes`: whether a changed workspace waits."""
        self._parts = parts
        self._desk = desk
        self._changes = changes
        self._lines: set[Line] = set()
        self.together = Together(desk, self._lines)
        self._queue_timer: asyncio.TimerHandle | None = None
        self._end = parts.source.subscribe(self._changed)

    def close(self) -> None:
        """Stop following; end all lines."""
        self._end()
        self.together.close()
        if self._queue_timer is not None:
            self._queue_timer.cancel()
        for line in self._lines:
            line.wake.set()

    def __len__(self) -> int:
        return len(self._lines)

    def _changed(self, changed: Changed) -> None:
        if not self._lines:
            return
        if changed.everything:
            for line in self._lines:
                line.mark("desk", "contact", "waiting", "queue", "overview")
            return
        contacts = self._parts.source.state.contacts
        touched = frozenset(changed.contacts)
        concerned = set(changed.agents)
        for contact in touched:
            one = contacts.get(contact)
            if one is not None:
                concerned.update(agent for agent in (one.agent, one.offer.agent if one.offer else None) if agent)
        for line in self._lines:
            if line.agent in concerned or not line.shown.isdisjoint(touched):
                line.mark("desk")
            if line.open.contact in touched:
                line.mark("contact")
        watched = touched or any(line.open.overview for line in self._lines)
        if watched and self._queue_timer is None:
            # Every message changes the queue's length: told to all desks each time it would drown them.
            loop = asyncio.get_running_loop()
            self._queue_timer = loop.call_later(self._parts.settings.queue_seconds, self._tell_queue)

    def _tell_queue(self) -> None:
        """Some desks now, the others a little later: all at once they would hold up for 40 ms what is urgent."""
        lines = list(self._lines)
        size = max(TOGETHER_LINES, len(lines) // TOGETHER_SLICES_MAX)
        self._tell_some([lines[start : start + size] for start in range(0, len(lines), size)])

    def _tell_some(self, slices: list[list[Line]]) -> None:
        for line in slices[0] if slices else ():
            line.mark("queue", "waiting", "overview")
        loop = asyncio.get_running_loop()
        more = slices[1:]
        self._queue_timer = loop.call_later(TOGETHER_SECONDS, self._tell_some, more) if more else None

    async def serve(self, socket: WebSocket, line: Line) -> None:
        """Send what `line` should show, until the page goes, the session ends or the node stops."""
        settings = self._parts.settings
        self._lines.add(line)
        try:
            while not self._parts.stopping():
                if await self._is_over(socket, line):
                    await socket.close(SIGNED_OUT)
                    return
                line.wake.clear()
                pause = not line.is_light()
                for frame in await self._frames(line):
                    await socket.send_bytes(frame)
                if pause:
                    await asyncio.sleep(settings.push_seconds)
                try:
                    await asyncio.wait_for(line.wake.wait(), settings.tick_seconds)
                except TimeoutError:
                    await socket.send_bytes(_frame("tick", now=self._parts.clock()))
                    line.dirty.add("overview")  # time alone puts promises at risk
            await socket.close(STOPPING)
        finally:
            self._lines.discard(line)
            self.together.moved(line, line.place)

    async def _is_over(self, socket: WebSocket, line: Line) -> bool:
        """Whether the session has ended. While the store does not answer, a line that was open stays open."""
        now = asyncio.get_running_loop().time()
        if now < line.look_at:
            return session_known(self._parts, socket) is None
        line.look_at = now + self._parts.settings.session_look_seconds
        with suppress(TransientError):
            return await session_ticket(self._parts, socket) is None
        return session_known(self._parts, socket) is None

    async def _frames(self, line: Line) -> list[bytes]:
        dirty, line.dirty = line.dirty, set()
        frames: list[bytes | None] = []
        try:
            if "desk" in dirty:
                frames.append(await self._mine(line))
            if "contact" in dirty and line.open.contact:
                frames.append(await self._contact(line, line.open.contact))
            if "waiting" in dirty and line.open.waiting:
                view = await self._desk.waiting(line.agent)
                compare = msgspec.json.encode(view.rows)
                frames.append(line.fresh("waiting", _frame("waiting", waiting=view), compare))
            if "overview" in dirty and line.open.overview:
                frames.append(await self._overview(line))
            if "queue" in dirty:
                frame = _frame("queue", queue=self._desk.index.waiting_number)
                frames.append(line.fresh("queue", frame, frame))
            if "others" in dirty and line.open.contact:
                frames.append(self._others(line, line.open.contact))
        except NotOnRoster:
            line.mark()  # the next turn finds the session over
        except TransientError:  # the store does not answer: soon again, and all of it
            asyncio.get_running_loop().call_later(READ_AGAIN_SECONDS, line.mark, *dirty)
        return [frame for frame in frames if frame is not None]

    async def _mine(self, line: Line) -> bytes | None:
        view = await self._desk.mine(line.agent)
        rows = (*view.open, *view.waiting_customer, *view.snoozed, *view.done, *(one.contact for one in view.offers))
        line.shown = frozenset(row.id for row in rows)
        listed = (view.offers, view.open, view.waiting_customer, view.snoozed, view.done)
        compare = msgspec.json.encode((view.me, view.notice, *listed))
        return line.fresh("desk", _frame("desk", desk=view), compare)

    async def _contact(self, line: Line, contact: str) -> bytes | None:
        try:
            view = await self._desk.contact(line.agent, contact)
        except NotVisible:
            frame = _frame("contact", id=contact, contact=None)
            return line.fresh("contact", frame, frame)
        compare = msgspec.json.encode(msgspec.structs.replace(view, n=0, now=0))
        return line.fresh("contact", _frame("contact", id=contact, contact=view), compare)

    async def _overview(self, line: Line) -> bytes | None:
        try:
            view = await self._desk.overview(line.agent, problems_of(self._parts), changes=self._changes())
        except NotVisible:  # no supervisor, or no longer
            return None
        board = msgspec.structs.replace(view.board, now=0)
        compare = msgspec.json.encode((board, view.agents, view.risky, view.changes))
        return line.fresh("overview", _frame("overview", overview=view), compare)

    def _others(self, line: Line, contact: str) -> bytes | None:
        try:
            self._desk.visible(line.agent, contact)
        except NotVisible:
            return None
        typing, here = self.together.others(line)
        frame = _frame("others", id=contact, typing=typing, here=here)
        return line.fresh("others", frame, frame)


def _frame(kind: str, **content: object) -> bytes:
    return msgspec.json.encode({"type": kind, **content})


@routes.websocket("/desk/live")
async def live(socket: WebSocket) -> None:
    """The line of one open desk. Refused without a session, and to pages of other origins."""
    parts = parts_of(socket)
    feed: Feed = socket.app.state.feed
    if not same_origin(socket, parts.settings.public_url):
        await socket.close(OTHER_SITE)
        return
    await socket.accept()  # accepted first: a browser is told a close code only on an open socket
    try:
        ticket = await session_ticket(parts, socket)
    except TransientError:
        await socket.close(STOPPING)  # the page comes back by itself
        return
    if ticket is None:
        await socket.close(SIGNED_OUT)
        return
    line = Line(ticket.agent)
    sending = asyncio.ensure_future(feed.serve(socket, line))
    hearing = asyncio.ensure_future(_hear(socket, line, feed.together))
    try:
        await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, hearing):
            task.cancel()
        for task in (sending, hearing):
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError, OSError):
                await task


def _tell_customer(socket: WebSocket, contact: str, agent: str) -> None:
    """Whoever the agent is answering is shown that."""
    feed: Feed = socket.app.state.feed
    feed.together.agent_answers(contact, agent)
    parts = parts_of(socket)
    if parts.types is not None:
        parts.types(contact, agent, parts.source.state)


async def _hear(socket: WebSocket, line: Line, together: Together) -> None:
    """Follow what the page has open; end when it goes or talks nonsense."""
    while True:
        try:
            text = await socket.receive_text()
        except KeyError:  # a binary frame
            await socket.close(UNSUPPORTED)
            return
        if len(text) > FRAME_CHARACTERS_MAX:
            return
        try:
            said = msgspec.json.decode(text, type=Open)
        except msgspec.DecodeError:
            return
        before, line.open = line.open, said
        together.moved(line, before.contact, typing=said.typing)
        if said.typing and said.reply and said.contact is not None:
            _tell_customer(socket, said.contact, line.agent)
        opened = (said.contact, said.waiting, said.overview)
        if opened != (before.contact, before.waiting, before.overview) or not said.typing:
            line.forget()
            line.mark("contact", "waiting", "overview", "others")
