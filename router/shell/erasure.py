"""Erasing a customer, carried out: the engine said what is to go; here it goes, and again if a crash came between.

In this order: the names of the keys are listed beside the store; whoever sent something of it elsewhere is told; then
the keys, what they locked, and inbox entries that still stand are deleted; then the store's file is written anew. Each
step may be repeated, and all are until the journal says that it is done. After a restore from a backup what reappears
is deleted again. What was received before and is read only afterwards is an erasure of its own, of that message.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog

from router.core.decisions import EraseCustomer, Refuse
from router.core.erasing import key_name, pending
from router.core.errors import PermanentError, TransientError
from router.core.events import CustomerErased, ErasureDone
from router.core.intake import stream_order
from router.core.message import Message
from router.core.ports import Appended, InboxEntry
from router.core.state import Erasure, State
from router.shell.buggify import point
from router.shell.erased import ErasedList
from router.shell.follower import Applied
from router.shell.leader import Leader
from router.shell.notes import Internal, internal_entry
from router.shell.store.entries import InboxItem
from router.shell.vault import Vault, message_blob, raw_blob

log = structlog.get_logger()

RETRY_SECONDS = 0.5
AGAIN_SECONDS = 30.0  # a replica that is promoted is made whole by each node: an erased key may come back with that
LOT = 500  # messages whose blobs are deleted in one call
ANSWER_SECONDS_MAX = 45.0  # a caller waits so long; it goes on without them
PENDING_SECONDS_MAX = 20.0  # mail that is being read when somebody asks is waited for
STANDING_SECONDS_MAX = 600.0
ANSWERS_KEPT_MAX = 100
# A mark stands behind all that has words of who is erased. An entry of its size begins a node of the stream of its own
# (`stream-node-max-bytes`, 4096), and deleted entries stay in memory and in the file until their node is empty: so none
# that came before shares one with any that comes later.
PADDING = b"\0" * 4_096


class EraserStore(Protocol):
    """What erasing asks of the store."""

    async def keys_get(self, names: list[str]) -> dict[str, bytes]:
        """Keys by name; missing ones are left out."""
        ...

    async def keys_delete(self, names: list[str]) -> None:
        """Forget keys."""
        ...

    async def blobs_delete(self, names: list[str]) -> None:
        """Delete blobs and their files."""
        ...

    async def inbox_delete(self, ids: list[str]) -> None:
        """Delete entries; those that are gone are fine."""
        ...

    async def inbox_read(self, after: str, count: int, block_ms: int) -> list[InboxItem]:
        """Entries after an id, in order."""
        ...


class Inbox(Protocol):
    """Where what is asked for is stored."""

    async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        """Store them durably."""
        ...


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it so far. `problem`: why the store's file was not written anew, or ""."""

    erasure: str
    contacts: tuple[str, ...] = ()
    messages: int = 0
    keys: int = 0
    done: bool = False
    problem: str = ""


Rewrite = Callable[[], Awaitable[str]]
Leaving = Callable[[list[Message]], Awaitable[None]]  # durable when it returns. Raises TransientError: then once more


async def _nobody(_: list[Message]) -> None:
    """Nothing stands elsewhere."""


class Eraser:
    """Every node's: whoever leads carries out, all forget keys, and any may be asked."""

    def __init__(
        self,
        *,
        store: EraserStore,
        inbox: Inbox,
        vault: Vault,
        leader: Leader,
        rewrite: Rewrite,
        listed: ErasedList,
        identify: Callable[[str], list[str]],
        leaving: Leaving = _nobody,
    ) -> None:
        """`rewrite`: see Rewriter. `identify`: the keyed hashes that an address may have, on all channels.

        `leaving` is told of messages before nobody can read them any more, to delete what stands of them elsewhere.
        """
        self._leaving = leaving
        self._store = store
        self._inbox = inbox
        self._vault = vault
        self._leader = leader
        self._rewrite = rewrite
        self._listed = listed
        self._identify = identify
        self._left = ""  # why the last one's words still stand in the store's file
        self._news = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[Report]] = {}
        self._begun: dict[str, Report] = {}
        self._answers: OrderedDict[str, Report] = OrderedDict()  # the last ones: whoever asked may not wait yet

    # -- carrying out ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry out what is to be erased, whenever this node leads, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._leader.ready()
            carried: dict[str, int] = {}  # in this epoch
            with suppress(TransientError):
                await self._again()
                again_at = loop.time() + AGAIN_SECONDS
                while self._leader.leading:
                    if loop.time() >= again_at:
                        await self._store.keys_delete(list(told_of(await self._leader.settled())))
                        again_at = loop.time() + AGAIN_SECONDS
                    self._news.clear()
                    state = await self._leader.settled()
                    for name, erasure in [(name, state.erasing[name]) for name in pending(state)]:
                        if name not in carried:
                            await self._carry_out(name, erasure)
                            carried[name] = 1
                    with suppress(TimeoutError):
                        async with asyncio.timeout(min(1.0, AGAIN_SECONDS)):
                            await self._news.wait()
            await asyncio.sleep(RETRY_SECONDS)

    async def _carry_out(self, name: str, erasure: Erasure) -> None:
        await point("erase.begun")
        await asyncio.to_thread(self._listed.add, erasure.keys)
        await point("erase.listed")
        messages = list(erasure.messages)
        for lot in (messages[start : start + LOT] for start in range(0, len(messages), LOT)):
            words = await last_words(self._vault, lot)
            await self._leaving(words)
            await self._store.blobs_delete(files_of(words))
        await self._store.keys_delete(list(erasure.keys))
        self._vault.erase(erasure.keys, messages)
        await point("erase.keys_deleted")
        for lot in (messages[start : start + LOT] for start in range(0, len(messages), LOT)):
            await self._store.blobs_delete([blob(one) for one in lot for blob in (message_blob, raw_blob)])
            await self._store.inbox_delete([one for one in lot if stream_order(one) is not None])
        await point("erase.blobs_deleted")
        mark = await self._tell(Internal(what="mark", message=name), PADDING, distinct=name)
        older = "" if await self._nothing_older_stands(mark) else "older messages are still being read"
        rewritten = await self._rewrite()
        problem = self._left = older or rewritten
        await point("erase.rewritten")
        log.info("customer_erased", erasure=name, keys=len(erasure.keys), messages=len(messages), problem=problem)
        await self._tell(Internal(what="erased", message=name, state=problem), distinct=name)
        await point("erase.told")

    async def _nothing_older_stands(self, mark: str) -> bool:
        """Wait until all entries up to the mark are gone, and so the stream's nodes that held them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STANDING_SECONDS_MAX):
                while True:
                    items = await self._store.inbox_read("0-0", 1, 0)
                    if not items or (stream_order(items[0].id) or (0, 0)) > (stream_order(mark) or (0, 0)):
                        return True
                    await asyncio.sleep(RETRY_SECONDS / 5)
        return False

    async def _again(self) -> None:
        """After a restart: list what the journal says was erased; what came back with a backup goes once more."""
        state = await self._leader.settled()
        told = told_of(state)
        await asyncio.to_thread(self._listed.add, told)
        await self._store.keys_delete(list(told))
        unknown: dict[str, int] = {}
        for name in self._listed.names:
            if name not in told:
                identity, _, number = name.partition(".")
                unknown[identity] = max(unknown.get(identity, 0), int(number or 0) + 1)
        for identity, times in unknown.items():
            log.warning("erased_customer_reappeared", identity=identity)
            note = Internal(what="erase", message="", identities=(identity,), times=times)
            await self._tell(note, distinct=str(state.epoch))

    async def _tell(self, note: Internal, raw: bytes = b"", *, distinct: str) -> str:
        [appended] = await self._inbox.append([internal_entry(note, raw, distinct=distinct)])
        return appended.id

    def problems(self) -> list[str]:
        """What an admin should know: it is not done yet, or the store's file was not written anew."""
        left = len(pending(self._leader.engine.state))
        found = [f"{left} erased customers are still being deleted"] if left else []
        return found + ([f"the store's file still holds what was erased: {self._left}"] if self._left else [])

    # -- asking ------------------------------------------------------------------------------------------------------

    def committed(self, applied: list[Applied]) -> None:
        """A listener of each commit, on every node: keys are forgotten at once, and whoever asked is told."""
        for one in applied:
            event = one.draft.event
            if isinstance(event, CustomerErased):
                self._decided(event.erasure, one.draft.decisions)
            elif isinstance(event, ErasureDone):
                report = self._begun.pop(event.erasure, None)
                if report is not None:
                    self._answer(msgspec.structs.replace(report, done=True, problem=event.problem))

    def _decided(self, erasure: str, decisions: tuple[object, ...]) -> None:
        for made in decisions:
            if isinstance(made, EraseCustomer):
                self._vault.erase(made.keys, made.messages)
                self._begun[erasure] = Report(
                    erasure=erasure, contacts=made.contacts, messages=len(made.messages), keys=len(made.keys)
                )
                self._news.set()
            elif isinstance(made, Refuse):
                self._answer(Report(erasure=erasure, done=True, problem=made.code))

    def _answer(self, report: Report) -> None:
        self._answers[report.erasure] = report
        if len(self._answers) > ANSWERS_KEPT_MAX:
            self._answers.popitem(last=False)
        future = self._waiting.get(report.erasure)
        if future is not None and not future.done():
            future.set_result(report)

    async def erase(self, named: str) -> dict[str, object]:
        """Erase whoever is meant: a contact's id, a customer's id or an address; gives what was erased.

        Raises KeyError if nobody is; StoreUnavailable if it could not be stored.
        """
        await self._read_first(set((await self._leader.settled()).deferred))
        state = await self._leader.settled()
        note = await self._meant(state, named)
        erasure = await self._tell(note, distinct=f"{state.n}")
        report = self._answers.get(erasure) or await self._answered(erasure)
        if report.problem.startswith("no-such-"):
            raise KeyError(named)
        return msgspec.to_builtins(report)  # type: ignore[no-any-return]

    async def _answered(self, erasure: str) -> Report:
        future = self._waiting.setdefault(erasure, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await asyncio.shield(future)
        except TimeoutError:
            return self._begun.get(erasure) or Report(erasure=erasure)
        finally:
            self._waiting.pop(erasure, None)

    async def _meant(self, state: State, named: str) -> Internal:
        """What to ask the engine; an address becomes hashes before anything is stored."""
        if named in state.contacts:
            return Internal(what="erase", message="", contact=named)
        if named in state.identities.values() or any(one.customer == named for one in state.contacts.values()):
            return Internal(what="erase", message="", customer=named)
        hashes = self._identify(named)
        locks = {key_name(one, state.erased.get(one, 0)): one for one in hashes}
        known = await self._store.keys_get(list(locks))
        found = tuple(one for lock, one in locks.items() if one in state.identities or lock in known)
        if not found:
            raise KeyError(named)
        return Internal(what="erase", message="", identities=found)

    async def _read_first(self, deferred: set[str]) -> None:
        """What is still being read may be all that there is of somebody; for others the erasure covers it anyway."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PENDING_SECONDS_MAX):
                while True:
                    if not deferred & (await self._leader.settled()).deferred.keys():
                        return
                    await asyncio.sleep(RETRY_SECONDS / 5)


def told_of(state: State) -> dict[str, str]:
    """Names of the keys that the journal says were erased, and whose they were."""
    return {key_name(one, number): one for one, times in state.erased.items() for number in range(times)}


async def last_words(vault: Vault, messages: list[str]) -> list[Message]:
    """What can still be read: after keys or messages are gone nobody can say what they named."""
    with suppress(PermanentError, msgspec.MsgspecError):
        return list((await vault.last_words(messages)).values())
    return []


def files_of(words: list[Message]) -> list[str]:
    """Blobs of files that agents sent along."""
    files = [file.blob for one in words for file in one.attachments if file.blob]
    return [*files, *(f"card:{file.partition(':')[2]}" for file in files)]
