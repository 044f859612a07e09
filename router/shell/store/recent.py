"""What the store acknowledged lately, to be written again to a server that lacks it.

A replica that is promoted lacks the end of what the primary had acknowledged: replication is a stream, so it has a
first part of it and nothing behind. This node still has the last seconds in memory, and every write of ours may be
repeated, so that it can be made whole before anything else is written. What cannot be, is named.

Rules:
- Kept are acknowledged writes, in order, for KEPT_SECONDS of writing and at most KEPT_BYTES_MAX.
- Of inbox and journal it can be told whether the server has them; from the last that it has on, all is written again.
- Journal records are written again only where they follow on what the server has: if another leader went on without
  them they are lost, and named.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import msgspec
from redis.exceptions import ResponseError

from router.shell.store import commands, scripts
from router.shell.store.commands import Command, Keys
from router.shell.store.wire import Exchange

KEPT_SECONDS = 20.0
KEPT_BYTES_MAX = 32 << 20
BATCH_COMMANDS_MAX = 200
BATCH_BYTES_MAX = 4 << 20
DIGEST_BYTES = 16
ENTRY_ARGUMENTS = 6

_INBOX = scripts.SHA[scripts.INBOX_APPEND]
_JOURNAL = scripts.SHA[scripts.JOURNAL_APPEND]
_REPEATABLE = {  # each does nothing where it was done, or where more has come since
    scripts.SHA[script]
    for script in (
        scripts.OUTBOX_PUT,
        scripts.OUTBOX_DELETE,
        scripts.SET_ALL,
        scripts.DESK_ADD,
        scripts.DOC_SWAP,
    )
}
_PLAIN = {"SET", "SETNX", "HSETNX", "HDEL", "UNLINK", "DEL", "XDEL"}


class Change(msgspec.Struct, kw_only=True):
    """Another server answers. Counts of what it lacked and got again; `lost`: ids of journal records it cannot get.

    `more`: it lacks all that is remembered here, so perhaps more. `at`: monotonic seconds.
    """

    at: float
    entries: int = 0
    records: int = 0
    others: int = 0
    lost: list[str] = []
    more: bool = False


class _Write(msgspec.Struct):
    command: Command
    at: float
    size: int
    proof: Command | None = None  # asks the server whether it has it …
    expected: bytes = b""  # … and this stands in the answer then
    follows: str = ""  # of journal records: the id before them
    ids: list[str] = []  # of journal records


class Recent:
    """The last writes of one node."""

    def __init__(self, keys: Keys, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`keys`: of the workspace."""
        self._keys = keys
        self._monotonic = monotonic
        self._writes: deque[_Write] = deque()
        self._size = 0
        self._dropped = False

    def note(self, asked: list[Command], replies: list[object]) -> None:
        """Remember what was acknowledged of a round trip."""
        now = self._monotonic()
        for command, reply in zip(asked, replies, strict=True):
            if not isinstance(reply, ResponseError) and (write := _write(self._keys, command, reply, now)) is not None:
                self._writes.append(write)
                self._size += write.size
        # Compared with the newest, not with the time: while the store is gone nothing is forgotten.
        while self._writes and (self._writes[0].at < now - KEPT_SECONDS or self._size > KEPT_BYTES_MAX):
            self._size -= self._writes.popleft().size
            self._dropped = True

    async def restore(self, exchange: Exchange) -> Change:
        """Write again what a server lacks; what that was. Raises ResponseError where it refuses."""
        change = Change(at=self._monotonic())
        await exchange([commands.script_load(script) for script in scripts.SCRIPTS])
        writes = list(self._writes)
        known = await _known(exchange, writes)
        change.more = known < 0 and self._dropped and any(write.proof for write in writes)
        missing = writes[known + 1 :]
        missing, change.lost = await self._without_lost(exchange, missing)
        for batch in _batches(missing):
            replies = await exchange([write.command for write in batch])
            for write, reply in zip(batch, replies, strict=True):
                if isinstance(reply, ResponseError):
                    raise reply
                _count(change, write, reply)
        return change

    async def _without_lost(self, exchange: Exchange, missing: list[_Write]) -> tuple[list[_Write], list[str]]:
        """Leave out journal records that do not follow on what the server has; their ids."""
        records = [write for write in missing if write.ids]
        if not records:
            return missing, []
        (reply,) = await exchange([commands.journal_info(self._keys)])
        last = b"0-0" if isinstance(reply, ResponseError) else reply[reply.index(b"last-generated-id") + 1]
        if last.decode() == records[0].follows:
            return missing, []
        return [write for write in missing if not write.ids], [name for write in records for name in write.ids]


async def _known(exchange: Exchange, writes: list[_Write]) -> int:
    """The place of the last write that the server has; -1 for none. All before it, it has as well."""
    asked = [(place, write) for place, write in enumerate(writes) if write.proof is not None]
    found = -1
    for start in range(0, len(asked), BATCH_COMMANDS_MAX):
        lot = asked[start : start + BATCH_COMMANDS_MAX]
        replies = await exchange([write.proof for _, write in lot if write.proof is not None])
        for (place, write), reply in zip(lot, replies, strict=True):
            if isinstance(reply, ResponseError):
                raise reply
            if reply == write.expected or (write.ids and reply):
                found = place
    return found


def _batches(writes: list[_Write]) -> list[list[_Write]]:
    batches: list[list[_Write]] = []
    size = 0
    for write in writes:
        if not batches or len(batches[-1]) >= BATCH_COMMANDS_MAX or size + write.size > BATCH_BYTES_MAX:
            batches.append([])
            size = 0
        batches[-1].append(write)
        size += write.size
    return batches


def _count(change: Change, write: _Write, reply: object) -> None:
    if write.ids:
        change.records += len(write.ids)
    elif isinstance(reply, list):
        change.entries += sum(mark[:1] in {b"n", b"c"} for mark in reply[1:])
    else:
        change.others += 1


def _write(keys: Keys, command: Command, reply: object, now: float) -> _Write | None:
    """What is remembered of a command; None where it wrote nothing, or nothing that is worth it."""
    size = sum(len(part) for part in command if isinstance(part, bytes | str))
    write = _Write(command, now, size)
    name = str(command[0])
    if name != "EVALSHA":
        # what was there already is somebody else's
        return write if name in _PLAIN and reply not in (None, 0) else None
    script = command[1]
    if script == _INBOX and isinstance(reply, list):
        return _inbox(write, reply)
    if script == _JOURNAL and reply in (b"+", b"="):
        return _journal(keys, write)
    return write if script in _REPEATABLE and reply == b"+" else None


def _inbox(write: _Write, reply: list[bytes]) -> _Write | None:
    """An entry of it that is new proves that the server has them all: its key in the day hash, with its id."""
    number = int(write.command[2])
    arguments = write.command[3 + number + 2 :]
    for place, mark in enumerate(reply[1:]):
        if mark[:1] == b"r":
            return None
        if mark[:1] == b"n":
            key, body = arguments[place * ENTRY_ARGUMENTS + 1 : place * ENTRY_ARGUMENTS + 3]
            if isinstance(key, bytes) and isinstance(body, bytes):
                write.proof = ("HGET", write.command[4], key)
                write.expected = body + mark[1:]
    return write


def _journal(keys: Keys, write: _Write) -> _Write:
    number = int(write.command[2])
    expected, count, *flat = write.command[3 + number :]
    write.follows = str(expected)
    write.ids = [str(name) for name in flat[: 2 * int(count) : 2]]
    write.proof = commands.journal_get(keys, write.ids[-1])
    return write
