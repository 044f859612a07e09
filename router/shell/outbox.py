"""The outbox: replies on their way to customers. At least once, and never resent blindly.

The journal says what is to be sent; the store's outbox says how far each try got. *Sending* is stored before the
send. A message found in *sending* after a crash, or whose final answer was lost, is *unknown*: the same Message-ID is
sent at most once more, and marked so.
"""

from __future__ import annotations

import asyncio
import functools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Protocol, runtime_checkable

import msgspec
import structlog

from router.core.decisions import SendAutoAnswer, SendReply
from router.core.errors import Fenced, PermanentError, StoreUnavailable, TransientError
from router.core.events import ClockJumped, DeliveryReported
from router.core.message import Message
from router.core.ports import InboxEntry
from router.core.transitions import DeliveryState
from router.shell.buggify import point
from router.shell.follower import Applied
from router.shell.leader import Leader
from router.shell.notes import Internal, internal_entry
from router.shell.vault import Vault

log = structlog.get_logger()

SENDERS_MAX = 4  # of each channel: a mail server that hangs holds up no chat
RETRY_SECONDS = 0.5
UNKNOWN_RETRY_MS = 60_000
NEVER = 1 << 53


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
    left: tuple[int, ...] = ()  # of several recipients, by their place: those it is still to go to; (): to all
    lost: tuple[int, ...] = ()  # those it will never reach
    open: tuple[int, ...] = ()  # those of whom nobody will ever know


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel says of one try. `state`: sent | deferred | failed | unknown. `detail` holds no address.

    `wait_ms`: at least so long the other side wants us to wait before the next. `each`: of a message to several
    recipients, the state of each that was tried, by their place among `to` and `cc`; `state` is then not looked at.
    """

    state: DeliveryState
    code: int = 0
    detail: str = ""
    wait_ms: int = 0
    each: tuple[tuple[int, DeliveryState], ...] = ()


class Sender(Protocol):
    """A channel's way out."""

    async def send(self, message: Message) -> Sent | None:
        """Try once; only to those of its recipients whom `delivered_to` names, if it names any. None: it was sent.

        May raise TransientError to be asked again, PermanentError to give up.
        """
        ...

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:
        """Milliseconds until the next try, or None to give up."""
        ...


@runtime_checkable
class Resuming(Protocol):
    """A way out on which it can be seen what an earlier try has done."""

    async def resume(self, message: Message) -> Sent:
        """Try again: send what is missing on the other side."""
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
        compose: Callable[[str, str], Awaitable[Message | None]] | None = None,
    ) -> None:
        """`compose`: a message (contact's id, message's id) that was decided on and is composed when it is sent."""
        self._store = store
        self._vault = vault
        self._compose = compose
        self._leader = leader
        self._senders = senders
        self._tell = tell
        self._now = now
        self._pending: dict[str, Delivery] = {}
        self._contacts: dict[str, None] = {}  # at which a sender is at work
        self._busy: Counter[str] = Counter()  # senders at work, by channel
        self._outcomes: dict[str, Sent] = {}  # of tries that were made and could not be stored yet
        self._over: list[str] = []  # whose last report is journaled
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def lag(self) -> int:
        """Messages not yet sent for good."""
        return len(self._pending)

    @property
    def _held(self) -> bool:
        """In shadow mode nothing leaves, not even what was written before."""
        return self._leader.engine.state.workspace.shadow

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
                    await self._forget(epoch)
            except (StoreUnavailable, Fenced):
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                await self._stop_sending()

    async def _forget(self, epoch: int) -> None:
        """Drop what stands in the journal as sent or failed for good.

        Not sooner: a leader that found neither the report in the journal nor how far the try got would send it again.
        """
        over = self._over[:]
        if over:
            with suppress(StoreUnavailable):
                await self._store.outbox_delete(epoch, over)
                del self._over[: len(over)]

    async def _stop_sending(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._pending.clear()
        self._contacts.clear()
        self._outcomes.clear()
        self._over.clear()

    def committed(self, applied: list[Applied]) -> None:
        """A listener: new replies to send, if this node leads. The next leader finds them in the engine."""
        for one in applied if self._leader.leading else ():
            if isinstance(one.draft.event, ClockJumped) and one.draft.event.taken:
                for delivery in self._pending.values():  # nobody tried in the time that was jumped over
                    delivery.first_at += max(0, one.draft.event.by_ms)
            if isinstance(one.draft.event, DeliveryReported) and one.draft.event.state in _FINAL:
                self._over.append(one.draft.event.message)
                self._news.set()
            for decision in one.draft.decisions:
                if isinstance(decision, SendReply | SendAutoAnswer) and decision.message not in self._pending:
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
        # A list: the leader goes on meanwhile, and a dictionary may not grow while it is walked.
        unsettled = [
            (contact, ref)
            for contact in self._leader.engine.state.contacts.values()
            for ref in contact.messages
            if ref.delivery is not None and ref.delivery not in _FINAL
        ]
        for contact, ref in unsettled:
            delivery = known.pop(ref.id, None) or Delivery(
                message=ref.id, contact=contact.id, channel=ref.channel or contact.channel, first_at=ref.at
            )
            self._pending[ref.id] = delivery
            if delivery.state is DeliveryState.SENDING:
                log.warning("delivery_in_doubt", message=delivery.message)
                await self._note(epoch, _after(delivery, Sent(state=DeliveryState.UNKNOWN), None, self._now()))
            elif delivery.state is not DeliveryState.PENDING:
                await self._announce(delivery)  # the report may not have been told; told twice it counts once
        if known:
            await self._store.outbox_delete(epoch, list(known))

    def _candidates(self) -> Iterator[Delivery]:
        """What may be tried once it is due: the oldest of each contact. What is in doubt holds nothing up."""
        taken = set(self._contacts)
        for delivery in tuple(self._pending.values()):
            if delivery.contact not in taken:
                if delivery.state is not DeliveryState.UNKNOWN:
                    taken.add(delivery.contact)
                yield delivery

    def _start(self, epoch: int) -> None:
        """Begin what is due, oldest first, never two at once in one contact."""
        self._news.clear()
        now = self._now()
        if self._held:
            return
        for delivery in self._candidates():
            full = self._busy[delivery.channel] >= SENDERS_MAX
            if full or delivery.next_at > now or delivery.contact in self._contacts:
                continue
            self._contacts[delivery.contact] = None
            self._busy[delivery.channel] += 1
            task = asyncio.create_task(self._try(epoch, delivery))
            self._tasks.add(task)
            task.add_done_callback(functools.partial(self._done, delivery.channel))

    def _done(self, channel: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._busy[channel] -= 1
        self._news.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("outbox_try_failed", error=repr(task.exception()))

    async def _wait(self) -> None:
        now = self._now()
        free = (one for one in self._candidates() if self._busy[one.channel] < SENDERS_MAX and not self._held)
        idle = [one.next_at - now for one in free]
        seconds = min(max(0.01, min(idle, default=1_000) / 1_000), 1.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _try(self, epoch: int, delivery: Delivery) -> None:
        try:
            sender = self._senders.get(delivery.channel)
            sent = self._outcomes.get(delivery.message)
            if sent is None:
                sent = self._outcomes[delivery.message] = await self._send(epoch, delivery, sender)
                await point("outbox.after_send")
            # Until the outcome is stored and told it is kept: a store that fails just then sends nothing twice.
            log.info("delivery", message=delivery.message, state=sent.state, code=sent.code, attempt=delivery.attempts)
            await self._note(epoch, _after(delivery, sent, sender, self._now()))
        except StoreUnavailable as error:
            log.warning("outbox_waits_for_store", message=delivery.message, error=str(error))
            delivery.next_at = self._now() + 1_000
        except Fenced:
            log.warning("outbox_fenced", message=delivery.message)
        finally:
            self._contacts.pop(delivery.contact, None)

    async def _send(self, epoch: int, delivery: Delivery, sender: Sender | None) -> Sent:
        """One try, noted as *sending* before it begins."""
        message = await self._read(delivery.message)
        if message is None and self._compose is not None:
            message = await self._compose(delivery.contact, delivery.message)
        if message is None or sender is None:
            why = "the reply was erased" if message is None else f"no way out by {delivery.channel}"
            return Sent(state=DeliveryState.FAILED, detail=why)
        await point("outbox.before_sending")
        delivery.state = DeliveryState.SENDING
        delivery.attempts += 1
        await self._put(epoch, delivery)
        await point("outbox.before_send")
        if delivery.left:
            left = [(*message.to, *message.cc)[place].address for place in delivery.left]
            message = msgspec.structs.replace(message, delivered_to=tuple(left))
        if delivery.attempts > 1 and isinstance(sender, Resuming):
            return await attempt(sender.resume, message)
        return await attempt(sender.send, message)

    async def _read(self, identifier: str) -> Message | None:
        try:
            return (await self._vault.messages([identifier])).get(identifier)
        except (PermanentError, msgspec.MsgspecError) as error:
            log.error("reply_cannot_be_opened", message=identifier, error=str(error))  # noqa: TRY400  # no traceback
            return None

    async def _note(self, epoch: int, delivery: Delivery) -> None:
        """Store where a delivery stands, then tell; if either fails, the same outcome is stored and told again."""
        await self._put(epoch, delivery)
        await self._announce(delivery)

    async def _announce(self, delivery: Delivery) -> None:
        await point("outbox.before_report")
        await self._report(delivery)
        self._outcomes.pop(delivery.message, None)
        self._pending[delivery.message] = delivery
        if delivery.state in _FINAL:  # not sooner: until it is told it is under way
            del self._pending[delivery.message]
        await point("outbox.after_report")

    async def _put(self, epoch: int, delivery: Delivery) -> None:
        await self._store.outbox_put(epoch, delivery.message, msgspec.json.encode(delivery))

    async def _report(self, delivery: Delivery) -> None:
        note = Internal(
            what="delivery",
            message=delivery.message,
            contact=delivery.contact,
            state=delivery.state.value,
            lost=tuple(place for place in delivery.lost if place),
        )
        await self._tell(internal_entry(note, distinct=f"{delivery.attempts}.{delivery.doubts}"))


def _after(delivery: Delivery, sent: Sent, sender: Sender | None, now: int) -> Delivery:
    """Where a delivery stands after a try that came to `sent`."""
    after = msgspec.structs.replace(delivery, state=sent.state, code=sent.code)
    each = sent.each or tuple((place, sent.state) for place in delivery.left)  # a later try is of those who are left
    if each:
        return _after_each(after, msgspec.structs.replace(sent, each=each), sender, now)
    if sent.state is DeliveryState.UNKNOWN:  # perhaps it arrived: once more at most, and then a person decides
        after.doubts += 1
        after.next_at = now + UNKNOWN_RETRY_MS if after.doubts == 1 else NEVER
    elif sent.state is DeliveryState.DEFERRED:
        wait = sender.retry_after(delivery.attempts, now - delivery.first_at) if sender is not None else None
        if wait is None:
            after.state = DeliveryState.FAILED
        else:
            after.next_at = now + max(wait, sent.wait_ms)
    return after


def _after_each(after: Delivery, sent: Sent, sender: Sender | None, now: int) -> Delivery:
    """The same where each of several recipients fared for itself. The state is that of the first, whom it is for."""
    by = {state: tuple(place for place, one in sent.each if one is state) for state in DeliveryState}
    doubtful, later = by[DeliveryState.UNKNOWN], by[DeliveryState.DEFERRED]
    after.lost += by[DeliveryState.FAILED]
    after.doubts += bool(doubtful)
    if doubtful and after.doubts == 1:
        after.state, after.left, after.next_at = DeliveryState.UNKNOWN, (*later, *doubtful), now + UNKNOWN_RETRY_MS
        return after
    after.open += doubtful
    wait = sender.retry_after(after.attempts, now - after.first_at) if later and sender is not None else None
    if wait is not None:
        after.state, after.left, after.next_at = DeliveryState.DEFERRED, later, now + max(wait, sent.wait_ms)
        return after
    after.lost += later
    if 0 in after.lost:
        after.state = DeliveryState.FAILED
    elif after.open:
        after.state, after.left, after.next_at = DeliveryState.UNKNOWN, after.open, NEVER
    else:
        after.state = DeliveryState.SENT
    return after


async def attempt(send: Callable[[Message], Awaitable[Sent | None]], message: Message) -> Sent:
    """One try, and what came of it, whatever the channel raises."""
    try:
        return await send(message) or Sent(state=DeliveryState.SENT)
    except PermanentError as error:
        return Sent(state=DeliveryState.FAILED, detail=error.code)
    except TransientError as error:
        return Sent(state=DeliveryState.DEFERRED, detail=error.code)
    except Exception as error:  # a mistake of ours; what the other side has seen of the message, nobody knows
        log.exception("sender_failed", error=type(error).__name__)
        return Sent(state=DeliveryState.UNKNOWN)
