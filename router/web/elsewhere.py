"""Who types, and who has what open, at the other nodes: told between nodes as it happens, kept nowhere.

Rules:
- A note holds ids of contacts and agents and never a word; a lost one does no harm: whoever types says so again within
  seconds, what is open is told anew every AGAIN_SECONDS, and what is not told any more is forgotten.
- A node says at most one thing in PASS_SECONDS, of at most NOTE_CONTACTS_MAX contacts, and nothing while it is alone.
- What comes in is believed as far as this node's own state allows: an agent who may not see a contact is not shown in
  it, and only its owner is shown to the customer as writing.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Protocol

import msgspec

TYPING_SECONDS = 6.0  # after the last sign of it; pages give one about every three seconds
PASS_SECONDS = 0.2
AGAIN_SECONDS = 20.0
HELD_SECONDS = 50.0  # two lost notes later somebody is taken to be gone
LOOK_SECONDS = 5.0  # how often it is seen who is gone
NOTE_CONTACTS_MAX = 200
HELD_MAX = 10_000  # contacts at other nodes


class Passing(Protocol):
    """How notes reach the other nodes."""

    @property
    def nodes(self) -> Callable[[], Collection[str]]:
        """The other nodes that live."""
        ...

    def pass_on(self, note: bytes) -> None:
        """Tell all of them; soon, or never."""
        ...

    def listen(self, heard: Callable[[str, bytes], None]) -> Callable[[], None]:
        """Have `heard` called with a node and its note; call the result to end that."""
        ...


class Spot(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is seen of one contact at one node.

    `agents`: who has it open, and whether they type; `visitor`: so has its customer, in the chat. At this moment the
    customer `writes`, and `answers` is the agent who writes to the customer.
    """

    contact: str
    agents: dict[str, bool] = {}
    visitor: bool = False
    writes: bool = False
    answers: str = ""


class Here(Protocol):
    """This node's own sockets."""

    def spot(self, contact: str) -> Spot:
        """What is seen of a contact here."""
        ...

    def open_contacts(self) -> Iterable[str]:
        """All that anybody has open here."""
        ...

    def noticed(self, contact: str, spot: Spot) -> None:
        """Something is another way at another node: whoever has the contact open here looks again."""
        ...


class Said(msgspec.Struct):
    """What is to be said of a contact beside how it stands."""

    writes: bool = False
    answers: str = ""


_NOTE = msgspec.msgpack.Decoder(tuple[Spot, ...])


class Elsewhere:
    """Tells the other nodes what is so here, and knows what is so there."""

    def __init__(self, passing: Passing, here: Here) -> None:
        """`here` is looked at when a note leaves, not before."""
        self._passing = passing
        self._here = here
        self._waiting: dict[str, Said] = {}
        # of (contact, node), and when it came
        self._held: OrderedDict[tuple[str, str], tuple[Spot, float]] = OrderedDict()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._closed = False
        self._end = passing.listen(self._heard)

    def close(self) -> None:
        """Say and hear nothing more."""
        self._closed = True
        self._end()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def tell(self, contact: str, *, writes: bool = False, answers: str = "") -> None:
        """Something is another way with this contact here."""
        self._at("again", AGAIN_SECONDS, self._again)
        if not self._passing.nodes():
            return
        said = self._waiting.setdefault(contact, Said())
        said.writes, said.answers = said.writes or writes, answers or said.answers
        self._at("pass", PASS_SECONDS, self._pass)

    def at(self, contact: str) -> Iterator[Spot]:
        """What is seen of a contact at each other node that lives."""
        now = asyncio.get_running_loop().time()
        for node in self._passing.nodes():
            spot, since = self._held.get((contact, node), (None, 0.0))
            if spot is not None and now < since + HELD_SECONDS:
                old = now >= since + TYPING_SECONDS
                yield msgspec.structs.replace(spot, agents=dict.fromkeys(spot.agents, False)) if old else spot

    def _at(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        """Have it done once, so much later."""

        def due() -> None:
            del self._timers[name]
            work()

        if name not in self._timers and not self._closed:
            self._timers[name] = asyncio.get_running_loop().call_later(seconds, due)

    def _again(self) -> None:
        for contact in self._here.open_contacts():
            self.tell(contact)

    def _pass(self) -> None:
        contacts = list(itertools.islice(self._waiting, NOTE_CONTACTS_MAX))
        spots = []
        for contact in contacts:
            said = self._waiting.pop(contact)
            spots.append(msgspec.structs.replace(self._here.spot(contact), writes=said.writes, answers=said.answers))
        self._passing.pass_on(msgspec.msgpack.encode(spots))
        if self._waiting:
            self._at("pass", PASS_SECONDS, self._pass)

    def _heard(self, node: str, note: bytes) -> None:
        try:
            spots = _NOTE.decode(note)[:NOTE_CONTACTS_MAX]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return  # of another version, perhaps
        now = asyncio.get_running_loop().time()
        for spot in spots:
            self._held.pop((spot.contact, node), None)
            if spot.agents or spot.visitor:
                self._held[spot.contact, node] = (spot, now)
            self._here.noticed(spot.contact, spot)
        while len(self._held) > HELD_MAX:
            self._held.popitem(last=False)
        self._at("look", LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """See who is gone without a word, and whose node is."""
        now, living = asyncio.get_running_loop().time(), self._passing.nodes()
        late = now - HELD_SECONDS
        gone = [(key, since <= late) for key, (_, since) in self._held.items() if since <= late or key[1] not in living]
        for (contact, node), forgotten in gone:
            if forgotten:
                del self._held[contact, node]
            self._here.noticed(contact, Spot(contact))
        if self._held:
            self._at("look", LOOK_SECONDS, self._look)
