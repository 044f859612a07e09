"""How long messages are kept: their texts, raw mails and files go, once old enough and in no contact that is known.

The journal says what came and when; it is walked once, record by record, as records grow old enough, and the place is
noted in the store. What then still belongs to an open or reopenable contact is looked at again each time. Only blobs
go: the journal has no words in it, and who wrote may write again, so their key stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec
import structlog

from router.core.errors import RouterError
from router.core.state import State
from router.shell.erasure import files_of, last_words
from router.shell.leader import Leader
from router.shell.records import EMPTY, Record, decode
from router.shell.vault import Vault, message_blob, raw_blob

log = structlog.get_logger()

LOOK_SECONDS = 3_600.0
LOT = 500  # records read, and messages deleted, in one go
DOC = "messages-kept"


class Mark(msgspec.Struct, frozen=True):
    """How far the journal was walked. `after`: the last record's id; `still`: older messages that are in use."""

    after: str = EMPTY
    still: tuple[str, ...] = ()


class KeeperStore(Protocol):
    """What is asked of the store."""

    async def blobs_delete(self, names: list[str]) -> None:
        """Delete blobs and their files."""
        ...

    async def doc_get(self, name: str) -> bytes | None:
        """A small document, or None."""
        ...

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep a small document."""
        ...


class Past(Protocol):
    """The journal, archive included."""

    async def journal_read(self, after: str, count: int) -> list[tuple[str, bytes]]:
        """(id, record) after an id, in order."""
        ...


class Keeper:
    """The part of the node that leads. `keep`: milliseconds, None for ever. `past`: the journal as it is now.

    `now`: engine time, which no clock that is wrong by itself can lead astray.
    """

    def __init__(
        self,
        store: KeeperStore,
        vault: Vault,
        leader: Leader,
        *,
        past: Callable[[], Past],
        keep: Callable[[], int | None],
        now: Callable[[], int],
    ) -> None:
        self._store = store
        self._vault = vault
        self._leader = leader
        self._past = past
        self._keep = keep
        self._now = now

    async def run(self) -> None:
        """Look every hour while this node leads, until cancelled."""
        while True:
            await self._leader.ready()
            try:
                await self.look()
            except RouterError as error:  # no store, no archive: it is done the next time
                log.warning("old_messages_stay", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> int:
        """Delete what is old enough and in no use; how many messages that may be. Raises RouterError."""
        keep = self._keep()
        if keep is None:
            return 0
        raw, past, before = await self._store.doc_get(DOC), self._past(), self._now() - keep
        mark = Mark() if raw is None else msgspec.json.decode(raw, type=Mark)
        used = await _used(await self._leader.settled())
        looked, gone = mark.still, 0
        while True:
            rows = await past.journal_read(mark.after, LOT)
            records = [(identifier, decode(raw)) for identifier, raw in rows]
            old = [(identifier, record) for identifier, record in records if record.event.at < before]
            looked += tuple(message for _, record in old for message in _messages(record))
            useless = [message for message in dict.fromkeys(looked) if message not in used]
            await self._delete(useless)
            gone += len(useless)
            mark = Mark(old[-1][0] if old else mark.after, tuple(one for one in dict.fromkeys(looked) if one in used))
            await self._store.doc_put(DOC, msgspec.json.encode(mark))
            if len(old) < LOT:
                return gone
            looked = mark.still

    async def _delete(self, messages: list[str]) -> None:
        for lot in (messages[start : start + LOT] for start in range(0, len(messages), LOT)):
            files = files_of(await last_words(self._vault, lot))
            await self._store.blobs_delete([*files, *(name(one) for one in lot for name in (message_blob, raw_blob))])


def _messages(record: Record) -> Iterator[str]:
    """Ids under which a record may have stored something: what came, what an agent wrote, what answered by itself."""
    event = record.event
    yield from filter(None, (event.inbox, getattr(event, "message", "")))
    for decision in record.decisions:
        yield from filter(None, (getattr(decision, "message", ""),))


async def _used(state: State) -> set[str]:
    """Messages that somebody may look at, or that are still to be read."""
    used = {*state.autos, *state.quarantined, *state.deferred}
    for place, contact in enumerate(list(state.contacts.values())):
        used.update(ref.id for ref in contact.messages)
        if place % 1_000 == 0:
            await asyncio.sleep(0)
    return used
