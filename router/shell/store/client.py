"""The store as the rest of usherd sees it: inbox, journal, blobs, keys, leases, outbox, documents.

Rules:
- Methods raise RouterErrors only: StoreUnavailable (no answer, or out of memory; the outcome of a write is unknown),
  Fenced (a newer leader wrote), ConfigError (at the start).
- Nothing is sent twice, except a script the store says it does not know: that one did nothing.
- What each call says to the store stands in commands.py.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import msgspec
from redis.exceptions import ResponseError

from router.core.errors import ConfigError, Fenced, StoreUnavailable
from router.core.ports import Appended, InboxEntry
from router.shell.buggify import point
from router.shell.clock import wall_ms
from router.shell.store import commands, durability, entries, passing, scripts
from router.shell.store.asking import Asking, unavailable
from router.shell.store.blobs import Blobs
from router.shell.store.commands import FIRST_ID, Keys
from router.shell.store.entries import Group, InboxItem, Outcome
from router.shell.store.files import BlobFolder, BlobPlace
from router.shell.store.orphans import Orphans
from router.shell.store.record_ids import require_ascending
from router.shell.store.shared import Shared
from router.shell.store.wire import SignInRefused, Wire, code_of

SECONDS_MAX = 10.0
ORPHAN_SECONDS = 3600.0
SPARE_BYTES_MAX = 1 << 20  # of a journaled blob: a place for large values that is down stops nobody else
READ_BYTES_MAX = 32 << 20  # of entries read at once; a single one may be larger


class Store(Asking, Shared):
    """One workspace in one store. Make it with `Store.open`; safe to share between tasks of one loop."""

    def __init__(self, wire: Wire, keys: Keys, files: BlobPlace, *, replicas: int = 0, remember: bool = False) -> None:
        """See `open`."""
        super().__init__(wire, keys, replicas=replicas, remember=remember)
        self._files = files
        self._orphans = Orphans()
        self._blobs = Blobs(self._ask, keys, files)
        self._inbox_files: dict[str, str] = {}  # entry id -> file, of entries read here and not deleted yet
        self.now: Callable[[], int] = wall_ms  # ms; which day hashes know a duplicate hangs on it
        self.acknowledged = ""  # the newest entry that was stored for a caller of this process
        self.inbox_count = 0  # entries in the inbox, as of the last append or count

    @classmethod
    async def open(
        cls,
        url_or_socket: str,
        workspace: str,
        *,
        blobs: Path | BlobPlace,
        user: str | None = None,
        password: str | None = None,
        seconds_max: float = SECONDS_MAX,
        replicas: int = 0,
    ) -> Self:
        """Connect; `blobs`: where values over 256 kB lie, shared by all nodes; `seconds_max`: a call's deadline.

        `replicas`: so many must confirm what is acknowledged. A URL may come to lead to another server: what that one
        lacks of the last seconds is written again.
        Raises ConfigError (URL, workspace name, or the store refuses the sign-in) or StoreUnavailable.
        """
        keys = Keys(workspace)
        wire = Wire(url_or_socket, user, password, seconds_max, key=keys.secret)
        files = BlobFolder(blobs) if isinstance(blobs, Path) else blobs
        store = cls(wire, keys, files, replicas=replicas, remember="://" in url_or_socket)
        try:
            await store._load_scripts()
        except SignInRefused as error:
            await store.close()
            raise ConfigError(str(error), hint="check the user and password of the store") from None
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

    # --- the store itself ---

    async def ping(self) -> None:
        """Return if the store answers; raises StoreUnavailable."""
        await self._ask(commands.ping())

    async def facts(self, *sections: str) -> dict[str, str]:
        """Return what the server says of itself (INFO), by name."""
        (reply,) = await self._ask(commands.info(*sections))
        return durability.parse_info(reply)

    async def check_durability(self, *, relaxed: bool = False) -> None:
        """Raise ConfigError with a remedy if the store evicts, has no AOF or does not sync each write."""
        asked = commands.config_get("appendfsync", "no-appendfsync-on-rewrite")
        reply, settings = await self._wire.round_trip([commands.info(), asked])
        if isinstance(reply, ResponseError):
            raise unavailable(reply)
        if not relaxed:
            durability.require_durable(durability.parse_info(reply), settings)

    async def time(self) -> int:
        """Return what the store's clock says, ms."""
        (now,) = await self._ask(commands.store_time())
        return int(now[0]) * 1000 + int(now[1]) // 1000

    async def memory_share(self) -> float:
        """Return the share (0-1) of its memory the store uses."""
        return durability.memory_share(await self.facts("memory"))

    # --- inbox ---

    async def inbox_append(self, batch: list[InboxEntry], conflict: str = "keep") -> list[Appended]:
        """Store all entries or none, durably; one answer each, in order. Safe to repeat: nothing is stored twice.

        `conflict`: what to do with a known key and another body, `keep` it as a flagged entry or `refuse` all.
        Raises StoreUnavailable: the outcome is unknown, ask again.
        """
        (outcome,) = await self.inbox_append_many([(batch, conflict)])
        if isinstance(outcome, StoreUnavailable):
            raise outcome
        return outcome

    async def inbox_append_many(self, groups: list[Group]) -> list[Outcome]:
        """Store several callers' groups in one round trip and one fsync; each group gets its own answer."""
        files = await asyncio.gather(*(entries.write_large(batch, self._files) for batch, _ in groups))
        if any(isinstance(names, list) and any(names) for names in files):
            await point("intake.file_written")
        calls = entries.merge(groups, files)
        keys = [self.keys.inbox, *self.keys.seen(self.now())]
        sent = [
            commands.evalsha(scripts.INBOX_APPEND, keys, call.refuse, commands.SEEN_SECONDS, *call.arguments)
            for call in calls
        ]
        # A failure here leaves the outcome unknown: files stay, and are swept up if no entry names them.
        replies = await self._exchange(sent, confirm=True) if sent else []
        outcomes, useless = entries.split(groups, files, calls, [_answer(reply) for reply in replies])
        for reply in replies:
            if not isinstance(reply, ResponseError):
                self.inbox_count = reply[0]
        for answer in itertools.chain.from_iterable(one for one in outcomes if isinstance(one, list)):
            if not answer.duplicate and answer.id:
                self.acknowledged = answer.id
        await self._forget_files(useless)
        return outcomes

    async def inbox_last(self) -> str | None:
        """Return the id of the newest entry there ever was, '0-0' for none; None if the store does not tell."""
        (reply,) = await self._exchange([commands.inbox_info(self.keys)])
        if isinstance(reply, ResponseError):
            return FIRST_ID if "no such key" in str(reply) else None
        return str(reply[reply.index(b"last-generated-id") + 1].decode())

    async def inbox_read(self, after: str, count: int, block_ms: int = 0) -> list[InboxItem]:
        """Return entries after an id ('0-0': from the start), waiting up to `block_ms` for the first.

        At most `count`, and fewer once they come to READ_BYTES_MAX: read on from the last one. One whose large value
        cannot be had now is `absent`: it holds up nobody behind it.
        """
        asked = commands.inbox_read(self.keys, after, count, block_ms)
        (reply,) = await self._ask(asked, wait_seconds=block_ms / 1000)
        return await self._items(reply[0][1] if reply else [], absent=True)

    async def inbox_get(self, ids: list[str]) -> list[InboxItem]:
        """Return those of the entries that still stand, in the order asked for."""
        return await self._items(await self._stand(ids))

    async def inbox_heads(self, ids: list[str]) -> list[InboxItem]:
        """Return the same without the bytes of those that lie in files."""
        return [entries.decode(raw)[0] for raw in await self._stand(ids)]

    async def _stand(self, ids: list[str]) -> list[Any]:
        replies = await self._ask(*(commands.inbox_get(self.keys, entry_id) for entry_id in ids)) if ids else []
        return [raw for reply in replies for raw in reply]

    async def _items(self, raws: list[Any], *, absent: bool = False) -> list[InboxItem]:
        items: list[InboxItem] = []
        size = 0
        for raw in raws:
            if size > READ_BYTES_MAX:
                break
            item, file = entries.decode(raw)
            if file:
                self._inbox_files[item.id] = file
                try:
                    item = await entries.with_file(item, self._files, file)
                except StoreUnavailable:
                    if not absent:
                        raise
                    item = msgspec.structs.replace(item, absent=True)
            size += len(item.raw)
            items.append(item)
        return items

    async def inbox_delete(self, ids: list[str]) -> None:
        """Delete entries that have reached their final place, and their files. Repeating it is fine."""
        if not ids:
            return
        await self._ask(commands.inbox_delete(self.keys, ids))
        files = [file for entry_id in ids if (file := self._inbox_files.pop(entry_id, None))]
        await self._forget_files(files)

    async def inbox_length(self) -> int:
        """Return how many entries the inbox holds."""
        (count,) = await self._ask(commands.inbox_length(self.keys))
        self.inbox_count = int(count)
        return self.inbox_count

    async def inbox_bytes(self) -> int:
        """Return roughly how much of the store's memory the inbox takes."""
        (size,) = await self._ask(commands.inbox_bytes(self.keys))
        return int(size or 0)

    async def inbox_lag(self) -> int:
        """Return the age of the oldest entry in ms by the store's clock; 0 when the inbox is empty."""
        first, now = await self._ask(commands.inbox_first(self.keys), commands.store_time())
        if not first:
            return 0
        return max(0, int(now[0]) * 1000 + int(now[1]) // 1000 - int(first[0][0].split(b"-")[0]))

    # --- notes that are kept nowhere ---

    async def pass_on(self, note: bytes) -> None:
        """Pass a note to whoever listens now, at any node. Raises StoreUnavailable, NotPassed."""
        (reply,) = await self._exchange([commands.passing_tell(self.keys, note)])
        if isinstance(reply, ResponseError):
            raise passing.NotPassed(f"the store refused ({code_of(reply)})")

    async def hear(self, heard: passing.Heard, begun: Callable[[], None]) -> None:
        """Call `begun` once it listens, and `heard` with what any node passes on, this one too.

        Until cancelled, or another server answers. Raises StoreUnavailable, NotPassed.
        """
        await passing.listen(self._wire, self.keys, heard, begun)

    # --- journal ---

    async def journal_append(
        self, expected_last: str, records: list[tuple[str, bytes]], blobs: dict[str, bytes] | None = None
    ) -> None:
        """Append records, and the blobs they mention, in one step, if `expected_last` still is the last id.

        An empty journal's last id is '0-0'; record ids ascend. Repeating a batch that is already there is fine.
        Raises Fenced if somebody else wrote, and StoreUnavailable if the outcome is unknown: ask again with the same
        batch. Keep a batch under 8 MB, it is one command.
        """
        require_ascending(expected_last, records)
        stored = await self._blobs.prepare(blobs or {}, SPARE_BYTES_MAX)
        keys = [self.keys.journal, *map(self.keys.blob, stored)]
        flat = [part for record in records for part in record]
        asked = commands.evalsha(scripts.JOURNAL_APPEND, keys, expected_last, len(records), *flat, *stored.values())
        (reply,) = await self._ask(asked, confirm=True)
        if reply.startswith(b"!"):
            raise Fenced(f"the journal is at {reply[1:].decode()}, not at {expected_last}")

    async def journal_read(self, after: str, count: int, block_ms: int = 0) -> list[tuple[str, bytes]]:
        """Return up to `count` records (id, bytes) after an id, waiting up to `block_ms` for the first."""
        asked = commands.journal_read(self.keys, after, count, block_ms)
        (reply,) = await self._ask(asked, wait_seconds=block_ms / 1000)
        return [(record_id.decode(), fields[1]) for record_id, fields in reply[0][1]] if reply else []

    async def journal_get(self, record_id: str) -> bytes | None:
        """Return one record, or None."""
        (reply,) = await self._ask(commands.journal_get(self.keys, record_id))
        return bytes(reply[0][1][1]) if reply else None

    async def journal_last(self) -> str:
        """Return the id of the newest record, also if it was trimmed since; '0-0' for an empty journal."""
        (reply,) = await self._exchange([commands.journal_info(self.keys)])
        if isinstance(reply, ResponseError):
            if "no such key" in str(reply):
                return FIRST_ID
            raise unavailable(reply)
        return str(reply[reply.index(b"last-generated-id") + 1].decode())

    async def journal_vanished(self) -> bool:
        """Return whether there is no journal, though what is stored beside it says that there was one."""
        begun = bool(await self.blobs_get([commands.BEGUN])) or await self.inbox_last() not in {None, FIRST_ID}
        return begun and await self.journal_last() == FIRST_ID  # asked last: somebody may begin it this moment

    async def journal_length(self) -> int:
        """Return how many records the journal holds."""
        (count,) = await self._ask(commands.journal_length(self.keys))
        return int(count)

    # --- blobs ---

    async def blobs_put(self, blobs: dict[str, bytes]) -> None:
        """Store blobs durably, replacing those of the same name."""
        await self._blobs.put(blobs)

    async def blobs_put_leading(self, epoch: int, blobs: dict[str, bytes]) -> None:
        """The same. Raises Fenced if the journal has a newer epoch than the caller's."""
        stored = await self._blobs.prepare(blobs)
        await self._fenced(scripts.SET_ALL, list(map(self.keys.blob, stored)), epoch, *stored.values())

    async def blobs_get(self, names: list[str]) -> dict[str, bytes]:
        """Return those of the blobs that exist."""
        return await self._blobs.get(names)

    async def blobs_delete(self, names: list[str]) -> None:
        """Delete blobs and their files."""
        await self._blobs.delete(names)

    async def sweep_files(self, seconds: float = ORPHAN_SECONDS) -> int:
        """Delete large values that nothing has referred to for `seconds`; return how many. Run it now and then."""
        found = await self._files.names(f"{entries.FILE_PREFIX}-")
        if found:
            found = self._orphans.ripe(sorted(set(found) - await self._inbox_file_names()), seconds)
            await self._files.delete(found)
        return len(found) + await self._blobs.sweep(seconds)

    async def _forget_files(self, names: list[str]) -> None:
        """Delete values that nothing refers to any more. What stays for want of an answer is swept up."""
        if names:
            with suppress(StoreUnavailable):
                await self._files.delete(names)

    async def _inbox_file_names(self) -> set[str]:
        names: set[str] = set()
        after = FIRST_ID
        while after:
            (reply,) = await self._ask(commands.evalsha(scripts.INBOX_FILES, [self.keys.inbox], after))
            after = reply[0].decode()
            names.update(name.decode() for name in reply[1:])
        return names


def _answer(reply: list[bytes] | ResponseError) -> list[bytes] | StoreUnavailable:
    return unavailable(reply) if isinstance(reply, ResponseError) else reply[1:]
