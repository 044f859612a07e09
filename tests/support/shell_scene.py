"""The shell on a small stage: a store in memory, workers that answer when told, a leader that can be replaced.

Messages are JSON of a `Message`; what is no JSON is poison. Two agents take `email`, the first is available.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from router.core.errors import PoisonError, StoreUnavailable
from router.core.events import Event
from router.core.message import Address, Message
from router.core.ports import Appended, InboxEntry
from router.core.state import Contact
from router.core.values import Agent, Role, Team, Workspace
from router.desk.ports import Outcome
from router.shell.actions import Actions
from router.shell.channel import Channel, ThreadMatch
from router.shell.dispatch import Dispatcher, Past
from router.shell.follower import Applied
from router.shell.leader import Compile, Leader
from router.shell.notes import Internal, internal_entry
from router.shell.reader import Reader
from router.shell.records import Record, decode
from router.shell.replies import Written, closed, signed_by
from router.shell.store.entries import InboxItem
from router.shell.understanding import Facts
from router.shell.vault import Vault
from router.shell.workers import Raw, Understood, Workers, understand
from tests.support.memory_store import MemoryStore

SECRET = b"s" * 32
HELP = "help@acme.example"
PATIENCE_SECONDS = 20.0  # a guard against hanging
WORKSPACE = Workspace(
    name="acme",
    agents={
        "ana": Agent(id="ana", team="front", skills={"lang:en": 5}, capacity={"email": 50}),
        "ben": Agent(id="ben", team="front", skills={"lang:en": 5}, capacity={"email": 50}),
        "sue": Agent(id="sue", team="front", role=Role.SUPERVISOR, capacity={}),
    },
    teams={"front": Team(id="front")},
    unsure="nobody",
)


def read_json(raw: bytes, meta: bytes) -> Message:
    """The normaliser of this stage. Raises PoisonError."""
    try:
        return msgspec.json.decode(raw, type=Message)
    except msgspec.MsgspecError as error:
        raise PoisonError("it is no JSON message") from error


def written(text: str = "hello", sender: str = "ada@customer.example", **more: Any) -> bytes:
    """A customer's message as bytes."""
    more.setdefault("to", (Address(address=HELP),))
    more.setdefault("message_id", f"{text}@customer.example")
    return msgspec.json.encode(Message(channel="email", from_=Address(address=sender), text=text, **more))


def item(raw: bytes, name: str | None = None, *, source: str = "email", meta: bytes | None = None) -> InboxEntry:
    """An inbox entry; `name` decides when two are the same."""
    key = hashlib.sha256(raw if name is None else name.encode()).digest()[:16]
    known = b'{"account":"help@acme.example"}' if meta is None else meta
    return InboxEntry(source=source, key=key, body=hashlib.sha256(raw).digest()[:16], meta=known, raw=raw)


class ShellStore(MemoryStore):
    """Adds an inbox, leases, documents and a trace of what was asked in which order. `down`: nothing is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox: dict[str, InboxItem] = {}
        self.known: dict[bytes, tuple[str, bytes]] = {}
        self.leases: dict[str, str] = {}
        self.documents: dict[str, bytes] = {}
        self.trace: list[str] = []
        self.down = False
        self.fail_deletes = 0
        self.fail_outbox = 0
        self.looked_up = 0
        self._last = 0
        self._kept = 0

    def _answer(self) -> None:
        if self.down:
            raise StoreUnavailable("down")

    async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        """The port `Inbox`, as the store's script does it."""
        self._answer()
        answers = []
        for one in entries:
            known = self.known.get(one.key)
            if known is not None and (known[1] == one.body or conflict == "refuse"):
                same = known[1] == one.body
                answers.append(Appended(known[0], duplicate=same, conflict=not same))
                continue
            self._last += 1
            identifier = f"{1_000 + self._last}-0"
            self.known.setdefault(one.key, (identifier, one.body))
            self.inbox[identifier] = InboxItem(
                id=identifier, source=one.source, meta=one.meta, raw=one.raw, key=one.key, conflict=known is not None
            )
            answers.append(Appended(identifier, conflict=known is not None))
        return answers

    async def inbox_read(self, after: str, count: int, block_ms: int) -> list[InboxItem]:
        """Entries after an id; blocks shortly."""
        self._answer()
        found = [one for one in self.inbox.values() if int(one.id[:-2]) > int(after.partition("-")[0])][:count]
        if not found and block_ms:
            await asyncio.sleep(0.002)
        return found

    async def inbox_get(self, ids: list[str]) -> list[InboxItem]:
        """Entries by id."""
        self._answer()
        return [self.inbox[one] for one in ids if one in self.inbox]

    async def inbox_heads(self, ids: list[str]) -> list[InboxItem]:
        """The same without large values; there are none here."""
        return await self.inbox_get(ids)

    async def inbox_delete(self, ids: list[str]) -> None:
        """Forget entries."""
        self._answer()
        if self.fail_deletes:
            self.fail_deletes -= 1
            raise StoreUnavailable("no answer")
        for one in ids:
            self.inbox.pop(one, None)

    async def journal_append(
        self, expected_last: str, records: list[tuple[str, bytes]], blobs: dict[str, bytes]
    ) -> None:
        """As above, noted in the trace."""
        self._answer()
        self.trace.append("append")
        await super().journal_append(expected_last, records, blobs)
        self.trace.append("appended")

    async def journal_get(self, identifier: str) -> bytes | None:
        """One record, counted."""
        self.looked_up += 1
        return await super().journal_get(identifier)

    async def lease_acquire(self, name: str, owner: str, ttl_ms: int, stale: str = "") -> bool:
        """Whoever is first."""
        self._answer()
        if stale and self.leases.get(name) == stale:
            del self.leases[name]
        return self.leases.setdefault(name, owner) == owner

    async def lease_value(self, name: str) -> str | None:
        """Who holds it; a count for each time somebody asks, as if it were being kept."""
        self._answer()
        self._kept += 1
        owner = self.leases.get(name)
        return None if owner is None else f"{owner} {self._kept}"

    async def lease_release(self, name: str, owner: str) -> bool:
        """Give it back."""
        self._answer()
        return self.leases.get(name) == owner and self.leases.pop(name) == owner

    async def lease_renew(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Whether it is still held."""
        self._answer()
        return self.leases.get(name) == owner

    async def outbox_put(self, epoch: int, identifier: str, value: bytes) -> None:
        """As above, noted in the trace."""
        self._answer()
        if self.fail_outbox:
            self.fail_outbox -= 1
            raise StoreUnavailable("no answer")
        await super().outbox_put(epoch, identifier, value)
        self.trace.append(f"put {msgspec.json.decode(value)['state']}")

    async def doc_get(self, name: str) -> bytes | None:
        """A document."""
        return self.documents.get(name)

    async def doc_put(self, name: str, value: bytes) -> None:
        """Keep one."""
        self._answer()
        self.documents[name] = value

    async def doc_put_leading(self, epoch: int, name: str, value: bytes) -> None:
        """Keep one, unless the epoch is over."""
        self._require(epoch)
        await self.doc_put(name, value)

    async def doc_swap(self, name: str, before: bytes | None, after: bytes) -> bool:
        """Put one in another's place."""
        self._answer()
        if self.documents.get(name) not in (before, after):
            return False
        self.documents[name] = after
        return True

    async def doc_delete(self, name: str) -> bool:
        """Forget one."""
        return self.documents.pop(name, None) is not None

    async def doc_put_new(self, name: str, value: bytes, ttl_ms: int) -> bool:
        """Keep one if it is the first."""
        return self.documents.setdefault(name, value) is value

    def records(self) -> list[Record]:
        """The journal, read."""
        return [decode(raw) for _, raw in self.rows]

    def events(self, *kinds: type) -> list[Event]:
        """The journaled events of these kinds, in order."""
        return [record.event for record in self.records() if isinstance(record.event, kinds)]


class HeldWorkers(Workers):
    """Reads in this process; inputs in `held` are answered by `release` only."""

    def __init__(self) -> None:
        self.held: set[bytes] = set()
        self.asked: list[bytes] = []
        self._open: list[tuple[Raw, asyncio.Future[Understood]]] = []

    def understand(self, items: list[Raw]) -> list[asyncio.Future[Understood]]:
        """One future per input."""
        futures = []
        for one in items:
            self.asked.append(one.raw)
            future: asyncio.Future[Understood] = asyncio.get_running_loop().create_future()
            futures.append(future)
            if one.raw in self.held:
                self._open.append((one, future))
            else:
                future.set_result(understand(one))
        return futures

    def futures(self) -> list[asyncio.Future[Understood]]:
        """Of what is held."""
        return [future for _, future in self._open]

    def release(self) -> None:
        """Answer what is held."""
        for one, future in self._open:
            if not future.done():
                future.set_result(understand(one))
        self._open.clear()
        self.held.clear()


class PlainStationery:
    """Letters with tokens that are easy to read."""

    def sender(self, account: str, agent: str) -> Address:
        """Ours."""
        return Address(address=account, name=agent)

    def reply_to(self, account: str, contact: str) -> Address:
        """Signed by nobody."""
        return Address(address=f"help+{contact}@acme.example")

    def message_id(self, account: str, contact: str, message: str) -> str:
        """Made of its parts."""
        return f"u.{contact}.{message}@acme.example"

    def letter(self, written: Written, channel: str, to: Address, subject: str) -> tuple[str, str]:
        """With a signature for those whose name begins with s, and no HTML."""
        text = closed(written.text, written.closing)
        return signed_by(text, f"{written.agent}\nAcme" if written.agent.startswith("s") else ""), ""


def match_thread(message: Message) -> ThreadMatch | None:
    """`in_reply_to` of the form contact/message is believed."""
    if not message.in_reply_to:
        return None
    contact, _, about = message.in_reply_to.partition("/")
    return ThreadMatch(contact, about or None)


class Stage:
    """One node over a store that may outlive it."""

    def __init__(
        self,
        store: ShellStore | None = None,
        node: str = "n1",
        workspace: Workspace = WORKSPACE,
        version: str = "v1",
        compile_workspace: Compile | None = None,
    ) -> None:
        self.store = store or ShellStore()
        self.workers = HeldWorkers()
        self.vault = Vault(self.store)
        self.channels = {
            name: Channel(name=name, normalise=read_json, hostile=hostile, kind=lambda _: "email", thread=match_thread)
            for name, hostile in (("email", True), ("http", False))
        }
        self.reader = Reader(
            store=self.store,
            inbox=self.store,
            vault=self.vault,
            workers=self.workers,
            actions=Actions(self.vault, PlainStationery(), str.upper),
            channels=self.channels,
            facts=Facts(secret=SECRET, own=frozenset({HELP}), tier_of=lambda _: None),
        )

        async def compiled(now: int, in_force: str) -> tuple[str, Workspace]:
            return version, workspace

        self.leader = Leader(
            store=self.store,
            vault=self.vault,
            reader=self.reader,
            compile_workspace=compile_workspace or compiled,
            node=node,
        )
        self.commands = Dispatcher(self.store, Past(self.store, self.leader))
        self.heard: list[Applied] = []
        self.leader.listeners += [self.commands.committed, self._hear]
        self._keys = 0

    def _hear(self, applied: list[Applied]) -> None:
        self.store.trace.append("heard")
        self.heard += applied

    @property
    def contacts(self) -> list[Contact]:
        """All contacts of the engine."""
        return list(self.leader.engine.state.contacts.values())

    async def receive(self, raw: bytes, **more: Any) -> str:
        """Put a message in; gives its id."""
        [appended] = await self.store.append([item(raw, **more)])
        return appended.id

    async def tell(self, what: str, message: str, raw: bytes = b"", **more: Any) -> None:
        """Put an internal entry in."""
        await self.reader.tell(internal_entry(Internal(what=what, message=message, **more), raw))

    async def act(self, agent: str, action: str, **fields: object) -> Outcome:
        """Do something as an agent, under a key of its own."""
        self._keys += 1
        return await self.commands.act(agent, action, fields, f"{id(self)}-{self._keys}")

    async def holding(self, raw: bytes | None = None, agent: str = "ana") -> str:
        """A contact that `agent` has accepted."""
        await self.act(agent, "status", status="available")
        message = await self.receive(written() if raw is None else raw)
        contact: Contact = await until(lambda: self.contact_of(message))
        offer = contact.offer
        assert offer is not None
        assert (await self.act(agent, "accept", contact=contact.id, offer=offer.id)).ok
        return contact.id

    def contact_of(self, message: str) -> Contact | None:
        """The contact that has a message."""
        return next((one for one in self.contacts if any(ref.id == message for ref in one.messages)), None)

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[asyncio.Task[None]]:
        """Lead until left, then stop in good order; what ended the leader before that is raised."""
        task = asyncio.create_task(self.leader.run())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.leader.ready()
            yield task
        finally:
            self.leader.stop()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def crash(self, task: asyncio.Task[None]) -> None:
        """End like a process that is killed: nothing is finished."""
        task.cancel()
        await asyncio.wait([task])


async def until(true: Callable[[], Any]) -> Any:  # noqa: ANN401  # gives whatever it waited for
    """Wait until `true()` gives something true, and give that."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := true()):
            await asyncio.sleep(0.002)
        return found
