"""Open chats: who is connected, what each was sent, and what a commit means for them.

What a visitor sees is read from the state and the blobs each time, so that a widget that lost its connection has missed
nothing: it says up to where it knows the conversation for sure (`after`), and gets what is later, in order. `cursor` is
that point: before it nothing can appear any more, since every answer there has been sent.

To the widget: `{"type": "welcome", …}` first; then `items`, `earlier`, `standing`, `stored`, `refused`,
`typing`, `tick`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec
from starlette.websockets import WebSocket

from router.core.errors import TransientError
from router.core.state import MessageRef
from router.desk.ports import Changed
from router.web.chat_parts import Chat
from router.web.chat_view import SETTLED, Order, Standing, VisitorView, first_name, is_available, order
from router.web.parts import WebParts

STOPPING = 1012  # "service restart": the widget comes back by itself
SILENT = 4408
READ_AGAIN_SECONDS = 1.0
WAITING_FRAMES_MAX = 500  # a widget that does not read loses its line


class Line:
    """One open widget of a visitor."""

    def __init__(self, visitor: str, identity: str, address: str) -> None:
        self.visitor = visitor
        self.identity = identity
        self.address = address  # of the network, for limits
        self.wake = asyncio.Event()
        self.said: list[bytes] = []  # frames that wait to be sent
        self.dirty = True
        self.heard_at = time.monotonic()
        self.floor: Order | None = None  # known to the widget up to here; None: nothing was sent yet
        self.sent: set[str] = set()  # after the floor
        self.standing: Standing | None = None

    def say(self, kind: str, **content: object) -> None:
        """Send a frame after those that wait already; one too many is left out, and ends the line."""
        if len(self.said) <= WAITING_FRAMES_MAX:
            self.said.append(frame(kind, **content))
        self.wake.set()

    def mark(self) -> None:
        """Have the conversation looked at again."""
        self.dirty = True
        self.wake.set()


class ChatFeed:
    """Knows all open chats of this process and whom a change concerns."""

    def __init__(self, parts: WebParts, chat: Chat, view: VisitorView) -> None:
        self._parts = parts
        self._chat = chat
        self.view = view
        self._lines: dict[str, set[Line]] = {}  # by identity
        self._online = view.online()
        self._end = parts.source.subscribe(self._changed)
        self.on_typing: Callable[[str], None] = lambda _: None  # a visitor types in this contact
        self.on_moved: Callable[[str], None] = lambda _: None  # its visitor has opened the chat, or closed it

    def close(self) -> None:
        """Stop following; end all lines."""
        self._end()
        for line in self._all():
            line.wake.set()

    def __len__(self) -> int:
        return sum(len(lines) for lines in self._lines.values())

    def _all(self) -> list[Line]:
        return [line for lines in self._lines.values() for line in lines]

    def _changed(self, changed: Changed) -> None:
        if not self._lines:
            return
        online = self.view.online() if changed.agents or changed.everything else self._online
        if changed.everything or online != self._online:
            self._online = online
            for line in self._all():
                line.mark()
            return
        contacts = self._parts.source.state.contacts
        for name in changed.contacts:
            contact = contacts.get(name)
            for identity in contact.participants if contact is not None else ():
                lines = self._lines.get(identity, ())
                for line in lines:
                    line.mark()
                if lines and contact is not None and len(contact.messages) == 1:  # they were there before it was
                    self.on_moved(name)

    # -- typing: said now or never ---------------------------------------------------------------------------------

    def visitor_types(self, line: Line) -> None:
        """Tell whoever follows the visitor's open chat."""
        for contact in self.view.contacts(line.identity)[-1:]:
            self.on_typing(contact.id)

    def agent_types(self, contact: str, agent: str) -> None:
        """Tell the visitor of a chat that its agent writes; anybody else's typing is nobody's business."""
        one = self._parts.source.state.contacts.get(contact)
        if one is None or one.agent != agent:
            return
        for identity in one.participants:
            for line in self._lines.get(identity, ()):
                line.say("typing", who=first_name(self._parts.source.names, agent))

    # -- who is there ----------------------------------------------------------------------------------------------

    def is_there(self, contact: str) -> bool:
        """Whether somebody who takes part in the contact has the chat open."""
        one = self._parts.source.state.contacts.get(contact)
        return one is not None and any(identity in self._lines for identity in one.participants)

    def open_contacts(self) -> list[str]:
        """The latest contact of each visitor who has the chat open."""
        return [contact.id for identity in self._lines for contact in self.view.contacts(identity)[-1:]]

    def _moved(self, identity: str) -> None:
        for contact in self.view.contacts(identity)[-1:]:
            self.on_moved(contact.id)

    # -- lines -----------------------------------------------------------------------------------------------------

    async def serve(self, socket: WebSocket, line: Line) -> None:
        """Send what `line` should show, until the widget goes, falls silent, or the node stops."""
        settings = self._chat.settings
        lines = self._lines.setdefault(line.identity, set())
        lines.add(line)
        if len(lines) == 1:
            self._moved(line.identity)
        try:
            while not self._parts.stopping():
                line.wake.clear()
                if len(line.said) > WAITING_FRAMES_MAX:
                    break
                for one in await self._frames(line):
                    await socket.send_text(one.decode())
                try:
                    await asyncio.wait_for(line.wake.wait(), settings.tick_seconds)
                except TimeoutError:
                    line.say("tick")
                if time.monotonic() - line.heard_at > settings.silence_seconds:
                    await socket.close(SILENT)
                    return
            await socket.close(STOPPING)
        finally:
            lines.discard(line)
            if not lines and self._lines.get(line.identity) is lines:
                del self._lines[line.identity]
                self._moved(line.identity)

    async def _frames(self, line: Line) -> list[bytes]:
        frames, line.said = line.said, []
        if not line.dirty:
            return frames
        line.dirty = False
        try:
            await self._parts.source.settled()
            news = await self._news(line)
        except TransientError:  # the store does not answer: soon again
            asyncio.get_running_loop().call_later(READ_AGAIN_SECONDS, line.mark)
            return frames
        if news is not None:
            frames.append(news)
        standing = self.view.standing(line.identity)
        if standing != line.standing:
            line.standing = standing
            frames.append(frame("standing", standing=standing))
        return frames

    async def _news(self, line: Line) -> bytes | None:
        """What the widget has not been sent yet, and up to where it now knows everything."""
        refs = self.view.refs(line.identity)
        first = line.floor is None
        kept = self._chat.settings.history_items
        if line.floor is None:
            line.floor = order(refs[-kept - 1].id) if len(refs) > kept else (0, 0)
        later = _after(refs, line.floor)
        fresh = [ref for ref in later if ref.id not in line.sent]
        items = await self.view.items(line.visitor, fresh)
        line.sent.update(ref.id for ref in fresh if is_available(ref))  # of those erased there is nothing to send
        if not items and not first:
            return None
        cursor = _settled(later)
        return frame("items", items=items, cursor=cursor, more=first and len(later) < len(refs))

    def resume(self, line: Line, after: str) -> bool:
        """Go on after what the widget knows; False when that is too far back, and it starts afresh."""
        floor = order(after)
        if floor == (0, 0):
            return False
        missed = _after(self.view.refs(line.identity), floor)
        if len(missed) > self._chat.settings.history_items:
            return False
        line.floor = floor
        return True

    async def earlier(self, line: Line, before: str) -> None:
        """Send what stands before an item. Raises TransientError."""
        kept = self._chat.settings.history_items
        refs = [ref for ref in self.view.refs(line.identity) if order(ref.id) < order(before)]
        items = await self.view.items(line.visitor, refs[-kept:])
        line.say("earlier", items=items, more=len(refs) > kept)


def frame(kind: str, **content: object) -> bytes:
    """A frame as it is sent."""
    return msgspec.json.encode({"type": kind, **content})


def _after(refs: list[MessageRef], floor: Order) -> list[MessageRef]:
    return [ref for ref in refs if order(ref.id) > floor]


def _settled(refs: list[MessageRef]) -> str:
    """The last id before which no answer is still on its way; "" if already the first is."""
    cursor = ""
    for ref in refs:
        if ref.direction == "out" and ref.delivery not in SETTLED:
            break
        cursor = ref.id
    return cursor
