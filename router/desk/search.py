"""Search over contacts and customers, by what was written and by whom.

The words stand in memory only, folded, and only while somebody searches: the first search reads them in, newest
contacts first and bounded; half an hour after the last one they are dropped. So what customers wrote is never on disk
unencrypted, and a desk that nobody searches costs nothing. Which hits an agent sees is decided at each search.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

import structlog

from router.core.errors import RouterError
from router.core.message import Message
from router.core.state import Contact
from router.desk import rights, texts
from router.desk.model import NotOnRoster
from router.desk.ports import Changed, Source, Texts
from router.desk.summaries import customer_of, heads, row
from router.desk.views import Found, FoundCustomer

QUERY_CHARACTERS_MAX = 200
WORDS_MAX = 8
ROWS_MAX = 50
CUSTOMERS_MAX = 8
CONTACTS_MAX = 50_000
CHARACTERS_MAX = 64_000_000  # of all contacts; four bytes each at worst
CONTACT_CHARACTERS_MAX = 40_000  # the newest of a contact's words
MESSAGES_PER_READ = 300
IDLE_MS_MAX = 1_800_000
SLICE_CHARACTERS = 4_000_000  # looked through before others get a turn: about a millisecond
BREAK = "\n"  # between the parts of a contact, so that no word is found across two

_log = structlog.get_logger()


def fold(text: str) -> str:
    """Small letters without accents, as people type into a search box: `Gómez` and `gomez` are one."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


class Search:
    """All words of all contacts of one process. `clock` gives ms since 1970 UTC."""

    def __init__(self, source: Source, read: Texts, clock: Callable[[], int]) -> None:
        self._source = source
        self._read = read
        self._clock = clock
        self._words: dict[str, str] = {}  # contact → folded words, oldest contacts first
        self._size = 0
        self._floor = 0  # contacts opened before are not kept: there was no room
        self._stale: dict[str, None] = {}  # contacts to be read in, first come first read
        self._used = 0
        self._end: Callable[[], None] | None = None
        self._reading: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Forget everything and stop following the source."""
        if self._end is not None:
            self._end()
            self._end = None
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self._words.clear()
        self._stale.clear()
        self._size = self._floor = 0

    async def find(self, agent: str, query: str) -> Found:
        """Contacts that hold all words of `query` and that the agent may see, and the customers it names.

        The newest contacts first. `complete` False: words are still being read in, so more may be found in a moment.
        Raises NotOnRoster.
        """
        await self._source.settled()
        if rights.on_roster(self._source.state, agent) is None:
            raise NotOnRoster
        self._begin()
        words = tuple(dict.fromkeys(fold(query[:QUERY_CHARACTERS_MAX]).split()))[:WORDS_MAX]
        hits = await self._hits(agent, words) if words else []
        shown = hits[:ROWS_MAX]
        messages = await heads(self._read, shown)
        state, names = self._source.state, self._source.names
        return Found(
            n=state.n,
            now=self._clock(),
            rows=tuple(row(one, messages, names) for one in shown),
            customers=tuple(_customers(shown, messages, words)),
            more=len(hits) - len(shown),
            complete=not self._stale and (self._reading is None or self._reading.done()),
        )

    async def _hits(self, agent: str, words: tuple[str, ...]) -> list[Contact]:
        found: list[Contact] = []
        looked = 0
        for contact in sorted(self._words, key=self._age):
            text = self._words.get(contact)
            one = self._source.state.contacts.get(contact)
            if text is None or one is None:
                continue
            if all(word in text for word in words) and rights.may_see(self._source.state, agent, one):
                found.append(one)
            looked += len(text)
            if looked > SLICE_CHARACTERS:
                looked = 0
                await asyncio.sleep(0)
        return found

    def _age(self, contact: str) -> tuple[int, str]:
        one = self._source.state.contacts.get(contact)
        return (-(one.messages[-1].at if one.messages else one.opened_at) if one is not None else 0, contact)

    # -- reading in ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._used = self._clock()
        if self._end is None:
            self._end = self._source.subscribe(self._changed)
            self._want(self._source.state.contacts.values())

    def _want(self, contacts: Iterable[Contact]) -> None:
        newest = sorted(contacts, key=lambda one: (-one.opened_at, one.id))[:CONTACTS_MAX]
        self._stale.update(dict.fromkeys(one.id for one in newest))
        self._go_on()

    def _changed(self, changed: Changed) -> None:
        if self._clock() - self._used > IDLE_MS_MAX:
            self.close()
        elif changed.everything:
            self._want(self._source.state.contacts.values())
        elif changed.contacts:
            self._stale.update(dict.fromkeys(changed.contacts))
            self._go_on()

    def _go_on(self) -> None:
        if self._stale and (self._reading is None or self._reading.done()):
            self._reading = asyncio.ensure_future(self._read_in())

    async def _read_in(self) -> None:
        try:
            while self._stale:
                for batch in self._batch():
                    await self._take(batch)
                    await asyncio.sleep(0)
        except RouterError as error:  # the store is away: the next change or search goes on
            _log.warning("search_behind", error=type(error).__name__, contacts=len(self._stale))

    def _batch(self) -> Iterator[list[Contact]]:
        """The stale contacts of this moment, in lots of a bounded number of messages."""
        lot: list[Contact] = []
        number = 0
        for contact in list(self._stale):
            one = self._source.state.contacts.get(contact)
            if one is None:
                self._drop(contact)
                self._stale.pop(contact, None)
                continue
            lot.append(one)
            number += len(one.messages) + 1
            if number >= MESSAGES_PER_READ:
                yield lot
                lot, number = [], 0
        if lot:
            yield lot

    async def _take(self, lot: list[Contact]) -> None:
        names = [one.id for one in lot]
        for name in names:
            self._stale.pop(name, None)  # before it is read: what changes meanwhile is read once more
        ids = [ref.id for one in lot for ref in one.messages]
        try:
            messages = await self._read.messages(ids) if ids else {}
        except BaseException:
            self._stale.update(dict.fromkeys(names))
            raise
        for one in lot:
            self._put(one, messages)

    def _put(self, contact: Contact, messages: Mapping[str, Message]) -> None:
        self._drop(contact.id)
        if contact.opened_at < self._floor:
            return
        text = fold(BREAK.join(_said(contact, messages)))
        self._words[contact.id] = text
        self._size += len(text)
        if self._size > CHARACTERS_MAX or len(self._words) > CONTACTS_MAX:
            self._make_room()

    def _make_room(self) -> None:
        """Drop the oldest tenth, and let nothing older in."""
        contacts = self._source.state.contacts
        ages = sorted((contacts[one].opened_at if one in contacts else 0, one) for one in self._words)
        gone = ages[: max(1, len(ages) // 10)]
        self._floor = gone[-1][0] + 1
        for _, contact in gone:
            self._drop(contact)

    def _drop(self, contact: str) -> None:
        with suppress(KeyError):
            self._size -= len(self._words.pop(contact))


def _said(contact: Contact, messages: Mapping[str, Message]) -> Iterator[str]:
    """The id, who took part, subjects, and the newest words of a contact."""
    yield contact.id
    named: dict[str, None] = {}
    bodies: list[str] = []
    room = CONTACT_CHARACTERS_MAX
    for ref in reversed(contact.messages):
        message = messages.get(ref.id)
        if message is None:
            continue
        people = [message.from_, *message.cc] if ref.direction == "in" else list(message.to)
        for one in people:
            named |= {one.address: None, one.name: None}
        named[message.subject] = None
        if room > 0:
            body = (message.text or message.full_text)[:room]
            room -= len(body)
            bodies.append(body)
            bodies += [one.filename for one in message.attachments]
    yield from (one for one in named if one)
    yield from bodies


def _customers(hits: list[Contact], messages: Mapping[str, Message], words: tuple[str, ...]) -> Iterator[FoundCustomer]:
    """Those of the hits' customers whose name or address is what was searched for."""
    numbers: dict[str, int] = {}
    people: dict[str, tuple[str, str]] = {}
    for contact in hits:
        opening = customer_of(contact, messages)
        if opening is None or not contact.customer:
            continue
        if any(word in fold(f"{opening.name} {opening.address}") for word in words):
            numbers[contact.customer] = numbers.get(contact.customer, 0) + 1
            people.setdefault(contact.customer, (opening.name.strip() or texts.UNKNOWN_CUSTOMER, opening.address))
    best = sorted(numbers, key=lambda customer: (-numbers[customer], customer))[:CUSTOMERS_MAX]
    for customer in best:
        name, address = people[customer]
        yield FoundCustomer(customer=customer, name=name, address=address, contacts=numbers[customer])
