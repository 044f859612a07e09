"""The outbox: replies on their way to customers. At least once, and never resent blindly.

The journal says what is to be sent; the store's outbox says how far each try got. *Sending* is stored before the
send. A message found in *sending* after a crash, or whose final answer was lost, is *unknown*: the same Message-ID is
sent at most once more, and marked so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import msgspec
import structlog

from router.core.decisions import SendReply
from router.core.errors import Fenced, PermanentError, StoreUnavailable
from router.core.message import Message
from router.core.ports import InboxEntry
from router.core.transitions import DeliveryState
from router.shell.leader import Applied, Leader
from router.shell.reader import Internal, internal_entry
from router.shell.vault import Vault

log = structlog.get_logger()

SENDERS_MAX = 4
RETRY_SECONDS = 0.5
UNKNOWN_RETRY_MS = 60_000


class Delivery(msgspec.Struct, kw_only=True):
    """How far one outbound message got. `doubts`: how often its outcome was unknown. `next_at`: ms, for another try."""

    message: str
    contact: str
    channel: str
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    doubts: int = 0
    first_at: int = 0
    next_at: int = 0
    code: int = 0


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel says of one try. `state`: sent | deferred | failed | unknown. `detail` holds no address."""

    state: DeliveryState
    code: int = 0
    detail: str = ""


class Sender(Protocol):
    """A channel's way out."""

    async def send(self, message: Message) -> Sent:
        """Try once."""
        ...

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:
        """Milliseconds until the next try, or None to give up."""
        ...


class OutboxStore(Protocol):
    """What the outbox asks of the store."""

    async def outbox_put(self, epoch: int, identifier: str, value: bytes) -> None:
        """Store one delivery. Raises Fenced when `epoch` is over."""
        ...

    async def outbox_all(self) -> dict[str, bytes]:
        """Every delivery under way."""
        ...

    async def outbox_delete(self, epoch: int, identifiers: list[str]) -> None:
        """Forget finished ones."""
        ...


_DELIVERY = msgspec.json.Decoder(Delivery)
_FINAL = (DeliveryState.SENT, DeliveryState.FAILED)


class Outbox:
    """Sends what the journal says is to be sent, a few at a time, each contact's in order."""

    def __init__(
        self,
        *,
        store: OutboxStore,
        vault: Vault,
        leader: Leader,
        senders: dict[str, Sender],
        tell: Callable[[InboxEntry], Awaitable[None]],
        now: Callable[[], int],
    ) -> None:
        self._store = store
        self._vault = vault
        self._leader = leader
        self._senders = senders
        self._tell = tell
        self._now = now
        self._pending: dict[str, Delivery] = {}
        self._contacts: dict[str, None] = {}  # at which a sender is at work
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def lag(self) -> int:
        """Messages not yet sent for good."""
        return len(self._pending)

    async def run(self) -> None:
        """Send until cancelled, whenever this node leads."""
        while True:
            await self._leader.ready()
            epoch = self._leader.engine.state.epoch
            try:
                await self._recover(epoch)
                while self._leader.leading and self._leader.engine.state.epoch == epoch:
                    self._start(epoch)
                    await self._wait()
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                await self._stop_sending()

    async def _stop_sending(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        for task in tuple(self._tasks):
            with suppress(asyncio.CancelledError):
                await task
        self._pending.clear()
        self._contacts.clear()

    def committed(self, applied: list[Applied]) -> None:
        """A listener of the leader: new replies to send."""
        for one in applied:
            for decision in one.draft.decisions:
                if isinstance(decision, SendReply) and decision.message not in self._pending:
                    self._pending[decision.message] = Delivery(
                        message=decision.message,
                        contact=decision.contact,
                        channel=decision.channel,
                        first_at=one.draft.event.at,
                    )
                    self._news.set()

    async def _recover(self, epoch: int) -> None:
        """What an earlier leader left: the engine knows what is not final, the store how far each got."""
        known = {name: _DELIVERY.decode(raw) for name, raw in (await self._store.outbox_all()).items()}
        for contact in self._leader.engine.state.contacts.values():
            for ref in contact.messages:
                if ref.delivery is None or ref.delivery in _FINAL:
                    continue
                delivery = known.get(ref.id) or Delivery(
                    message=ref.id, contact=contact.id, channel=contact.channel, first_at=ref.at
                )
                if delivery.state is DeliveryState.SENDING:
                    await self._in_doubt(epoch, delivery)
                elif delivery.state in _FINAL:
                    await self._finish(epoch, delivery)
                self._keep(delivery)
        stale = [name for name in known if name not in self._pending]
        if stale:
            await self._store.outbox_delete(epoch, stale)

    def _keep(self, delivery: Delivery) -> None:
        if delivery.state not in _FINAL:
            self._pending[delivery.message] = delivery

    def _start(self, epoch: int) -> None:
        """Begin what is due, oldest first, never two at once in one contact."""
        self._news.clear()
        now = self._now()
        for delivery in tuple(self._pending.values()):
            if len(self._tasks) >= SENDERS_MAX:
                return
            if delivery.next_at > now or delivery.contact in self._contacts:
                continue
            self._contacts[delivery.contact] = None
            task = asyncio.create_task(self._try(epoch, delivery))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._news.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("outbox_try_failed", error=repr(task.exception()))

    async def _wait(self) -> None:
        now = self._now()
        idle = [one.next_at - now for one in self._pending.values() if one.contact not in self._contacts]
        seconds = min(max(0.01, min(idle, default=1_000) / 1_000), 1.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _try(self, epoch: int, delivery: Delivery) -> None:
        try:
            message = (await self._vault.messages([delivery.message])).get(delivery.message)
            sender = self._senders.get(delivery.channel)
            if message is None or sender is None:
                why = "the reply was erased" if message is None else f"no way out by {delivery.channel}"
                await self._settle(epoch, delivery, Sent(state=DeliveryState.FAILED, detail=why), None)
                return
            delivery.state = DeliveryState.SENDING
            delivery.attempts += 1
            await self._put(epoch, delivery)
            await self._settle(epoch, delivery, await _attempt(sender, message), sender)
        except StoreUnavailable as error:
            log.warning("outbox_waits_for_store", message=delivery.message, error=str(error))
            delivery.next_at = self._now() + 1_000
        except Fenced:
            log.warning("outbox_fenced", message=delivery.message)
        finally:
            self._contacts.pop(delivery.contact, None)

    async def _settle(self, epoch: int, delivery: Delivery, sent: Sent, sender: Sender | None) -> None:
        log.info("delivery", message=delivery.message, state=sent.state, code=sent.code, attempt=delivery.attempts)
        delivery.code = sent.code
        if sent.state is DeliveryState.UNKNOWN:
            await self._in_doubt(epoch, delivery)
            return
        delivery.state = sent.state
        if sent.state is DeliveryState.DEFERRED:
            waited = self._now() - delivery.first_at
            wait = sender.retry_after(delivery.attempts, waited) if sender is not None else None
            if wait is None:
                delivery.state = DeliveryState.FAILED
            else:
                delivery.next_at = self._now() + wait
                await self._put(epoch, delivery)
                await self._report(delivery)
                return
        await self._put(epoch, delivery)
        await self._finish(epoch, delivery)

    async def _in_doubt(self, epoch: int, delivery: Delivery) -> None:
        """Perhaps it arrived: once more at most, and then a person decides."""
        delivery.doubts += 1
        delivery.state = DeliveryState.UNKNOWN
        delivery.next_at = self._now() + (UNKNOWN_RETRY_MS if delivery.doubts == 1 else 1 << 53)
        await self._put(epoch, delivery)
        await self._report(delivery)

    async def _finish(self, epoch: int, delivery: Delivery) -> None:
        self._pending.pop(delivery.message, None)
        await self._report(delivery)
        await self._store.outbox_delete(epoch, [delivery.message])

    async def _put(self, epoch: int, delivery: Delivery) -> None:
        await self._store.outbox_put(epoch, delivery.message, msgspec.json.encode(delivery))

    async def _report(self, delivery: Delivery) -> None:
        note = Internal(what="delivery", message=delivery.message, contact=delivery.contact, state=delivery.state.value)
        entry = internal_entry(note, distinct=f"{delivery.attempts}.{delivery.doubts}")
        await self._tell(entry)


async def _attempt(sender: Sender, message: Message) -> Sent:
    try:
        return await sender.send(message)
    except PermanentError as error:
        return Sent(state=DeliveryState.FAILED, detail=error.code)
