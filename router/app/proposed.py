"""For who leads: what other nodes propose is compiled and journaled, or refused, one after the other; all are answered.

Nodes may have proposed while nobody led, and all of it is read at once then: what does not take the place of the
workspace in force is refused without a look at it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from router.core.errors import RouterError, TransientError
from router.core.events import CommandRefused
from router.shell.asked import NotLeading
from router.shell.leader import Leader
from router.shell.notes import Internal

log = structlog.get_logger()

RETRY_SECONDS = 0.5
STALE, UNREHEARSED, UNUSABLE = "stale-base", "unrehearsed", "bad-workspace"
REFUSALS = {
    STALE: "another node has changed the workspace at the same time: look at what is in force, and edit it anew",
    UNREHEARSED: "it was not rehearsed: run `usherd whatif --config … --new …` first, on the folder as it is now",
}
OURS = "usherd failed on it; this was logged"
UNFIT = "the node that leads could not use it; see its log and its environment"


class Forced(Protocol):
    """What is in force on this node, as taking proposals needs it."""

    async def needs_rehearsal(self, version: str) -> bool:
        """Whether the workspace in force demands a rehearsal that this version has not had."""
        ...

    async def put_forward(self, version: str, base: str, entry: str) -> None:
        """Journal the workspace of a version whose content is in the store. Raises RouterError."""
        ...


class Proposed:
    """What other nodes propose to this one."""

    def __init__(self, forced: Forced, leader: Leader) -> None:
        self._forced = forced
        self._leader = leader
        self._turn = asyncio.Lock()
        self._waiting: dict[tuple[str, str], list[str]] = {}  # (version, base) -> entries that say so
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, entry: str, note: Internal) -> None:
        """Another node proposes: it is answered as soon as it is compiled, which nobody waits for."""
        entries = self._waiting.setdefault((note.version, note.base), [])
        entries.append(entry)
        if len(entries) == 1:
            task = asyncio.create_task(self._take(note, entries))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop what is under way."""
        for task in self._tasks:
            task.cancel()

    async def _take(self, note: Internal, entries: list[str]) -> None:
        try:
            async with self._turn:
                verdict = await self._verdict(entries[0], note)
        finally:
            del self._waiting[note.version, note.base]
        if verdict is None:
            return
        code, detail = verdict
        for entry in entries if code else entries[1:]:
            await self._refuse(entry, code or STALE, detail)

    async def _verdict(self, entry: str, note: Internal) -> tuple[str, str] | None:
        """Why it is refused, and more of it; ("", "") once it is journaled; None if another node is to be asked."""
        while self._leader.leading:
            try:
                if note.base != (await self._leader.settled()).version:
                    return STALE, ""
                if await self._forced.needs_rehearsal(note.version):
                    return UNREHEARSED, ""
                await self._forced.put_forward(note.version, note.base, entry)
            except TransientError as error:
                log.warning("proposed_workspace_waits", version=note.version[:12], error=type(error).__name__)
                if entry in self._leader.poisoned:  # whoever proposes it would ask again, for ever
                    return UNUSABLE, OURS
            except RouterError as error:
                log.warning("proposed_workspace_refused", version=note.version[:12], error=type(error).__name__)
                return UNUSABLE, UNFIT
            else:
                return "", ""
            await asyncio.sleep(RETRY_SECONDS)
        return None

    async def _refuse(self, entry: str, code: str, detail: str) -> None:
        """Journal that a proposal is refused; if this node leads no more, whoever made it asks the next leader."""
        await self._leader.ready()
        with suppress(NotLeading):
            await self._leader.record(lambda at: CommandRefused(at=at, inbox=entry, code=code, detail=detail))
