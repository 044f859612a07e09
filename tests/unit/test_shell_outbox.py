"""The outbox: noted before it is sent, sent at most once more when in doubt, told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest

from router.core.errors import Fenced, PermanentError, StoreUnavailable
from router.core.events import DeliveryReported
from router.core.message import Message
from router.core.state import State
from router.core.transitions import DeliveryState
from router.shell import leader as leader_module
from router.shell import lease as lease_module
from router.shell import outbox as outbox_module
from router.shell.clock import Clock
from router.shell.outbox import Delivery, Outbox, Sender, Sent
from router.shell.reader import Begun
from router.shell.understanding import Prepared
from tests.support.shell_scene import WORKSPACE, ShellStore, Stage, until, written

D = DeliveryState


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries are short."""
    monkeypatch.setattr(leader_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(outbox_module, "RETRY_SECONDS", 0.01)


class Postman:
    """A way out that answers as told, `sent` by default, and can be stopped in the middle of a try."""

    def __init__(self, store: ShellStore) -> None:
        self.store = store
        self.taken: list[Message] = []
        self.answers: list[DeliveryState | Exception] = []
        self.open = asyncio.Event()
        self.open.set()
        self.waits: list[int | None] = []
        self.asked_to_wait = 0  # ms, by the other side

    async def send(self, message: Message) -> Sent:
        """Take it, and answer."""
        self.store.trace.append("send")
        self.taken.append(message)
        await self.open.wait()
        answer = self.answers.pop(0) if self.answers else D.SENT
        if isinstance(answer, Exception):
            raise answer
        return Sent(state=answer, code=250 if answer is D.SENT else 451, wait_ms=self.asked_to_wait)

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:
        """As told, else a minute."""
        return self.waits.pop(0) if self.waits else 60_000


class Office:
    """A stage with an outbox. `now` moves only when told."""

    def __init__(
        self, store: ShellStore | None = None, postman: Postman | None = None, node: str = "n1", **stage: Any
    ) -> None:
        self.stage = Stage(store, node=node, **stage)
        self.store = self.stage.store
        self.postman = postman or Postman(self.store)
        self.senders: dict[str, Sender] = {"email": self.postman}
        self.now = 1_000_000
        self.outbox = Outbox(
            store=self.store,
            vault=self.stage.vault,
            leader=self.stage.leader,
            senders=self.senders,
            tell=self.stage.reader.tell,
            now=lambda: self.now,
        )
        self.stage.leader.listeners.append(self.outbox.committed)
        self.task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Lead and send until left."""
        async with self.stage.leading():
            self.task = asyncio.create_task(self.outbox.run())
            try:
                yield
            finally:
                await self.close()

    async def close(self) -> None:
        """End the outbox as a killed process would: in the middle of whatever it does."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait([self.task])
        assert self.task.cancelled()

    async def answer(self, contact: str, text: str = "On its way.") -> str:
        """Reply as ana; gives the message's id."""
        outcome = await self.stage.act("ana", "reply", contact=contact, text=text)
        assert outcome.ok, outcome
        return self.stage.leader.engine.state.contacts[contact].messages[-1].id

    def state(self, message: str) -> DeliveryState | None:
        """What the engine knows of a delivery."""
        contact = self.stage.contact_of(message)
        assert contact is not None
        return next(ref.delivery for ref in contact.messages if ref.id == message)

    def stored(self, message: str) -> Delivery:
        """What the store knows of it."""
        return msgspec.json.decode(self.store.outbox[message], type=Delivery)

    def known(self, message: str, state: DeliveryState) -> Callable[[], bool]:
        """Whether the engine knows that a delivery is in that state."""
        return lambda: self.state(message) is state

    def reports(self) -> list[str]:
        """The states that were journaled."""
        return [event.state for event in self.store.events(DeliveryReported)]  # type: ignore[union-attr]


async def test_sending_is_stored_before_the_reply_is_sent() -> None:
    """A reply is noted as *sending* before it leaves, then as *sent*, reported once and forgotten."""
    office = Office()
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.SENT))
        await until(lambda: not office.store.outbox)
    steps = [step for step in office.store.trace if step.startswith(("put", "send"))]
    assert steps == ["put sending", "send", "put sent"]
    assert office.reports() == ["sent"]
    assert office.outbox.lag == 0


async def test_a_crash_while_sending_sends_once_more_under_the_same_id() -> None:
    """What was being sent when the process died is in doubt: a minute later it goes out once again, unchanged."""
    first = Office()
    first.postman.open.clear()
    async with first.open():
        message = await first.answer(await first.stage.holding())
        await until(lambda: first.postman.taken)
    assert first.stored(message).state is D.SENDING
    first.postman.open.set()
    second = Office(first.store, first.postman)
    async with second.open():
        await until(second.known(message, D.UNKNOWN))
        assert len(first.postman.taken) == 1
        second.now += outbox_module.UNKNOWN_RETRY_MS
        await until(second.known(message, D.SENT))
    assert len(first.postman.taken) == 2
    assert first.postman.taken[0] == first.postman.taken[1]
    assert first.postman.taken[0].message_id == f"u.c1.{message}@acme.example"
    assert second.reports() == ["unknown", "sent"]


class Searcher(Postman):
    """A way out on which it can be seen what an earlier try has done."""

    async def resume(self, message: Message) -> Sent:
        """Look, and find it there."""
        self.store.trace.append("resume")
        return Sent(state=D.SENT)


async def test_what_was_tried_before_is_looked_for_where_that_can_be_seen() -> None:
    """The first try sends; one after a wait, or after a doubt, goes on from what stands on the other side."""
    store = ShellStore()
    office = Office(store, Searcher(store))
    office.postman.answers = [D.DEFERRED]
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.DEFERRED))
        office.now += 60_000
        await until(office.known(message, D.SENT))
    assert [step for step in store.trace if step in {"send", "resume"}] == ["send", "resume"]
    assert len(office.postman.taken) == 1


async def test_what_is_in_doubt_twice_is_left_to_a_person() -> None:
    """After a second unknown outcome nothing more is sent, not even after a restart."""
    office = Office()
    office.postman.answers = [D.UNKNOWN, D.UNKNOWN]
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.UNKNOWN))
        office.now += outbox_module.UNKNOWN_RETRY_MS
        await until(lambda: office.stored(message).doubts == 2)
    again = Office(office.store, office.postman)
    again.now = office.now + 10 * 86_400_000
    async with again.open():
        later = await again.answer(await again.stage.holding(written("another")))
        await until(again.known(later, D.SENT))
        assert again.state(message) is D.UNKNOWN
    assert [taken.message_id for taken in office.postman.taken].count(f"u.c1.{message}@acme.example") == 2


async def test_a_mistake_in_the_sender_counts_as_unknown() -> None:
    """An exception nobody foresaw is no reason to send blindly again: what the other side saw is not known."""
    office = Office()
    office.postman.answers = [RuntimeError("a mistake")]
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.UNKNOWN))
        assert len(office.postman.taken) == 1


def failures_left(store: ShellStore, left: int) -> bool:
    """Whether the store will fail so many times more."""
    return store.fail_outbox == left


async def test_a_store_that_fails_after_sending_sends_nothing_twice() -> None:
    """While the outcome of a try cannot be stored no other try is made; once it can, the reply counts as sent."""
    office = Office()
    office.postman.open.clear()
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(lambda: office.postman.taken)
        office.store.fail_outbox = 3
        office.postman.open.set()
        for left in (2, 1, 0):
            await until(partial(failures_left, office.store, left))
            office.now += 1_000
        await until(office.known(message, D.SENT))
    assert len(office.postman.taken) == 1
    assert office.reports() == ["sent"]


async def test_a_store_that_fails_before_sending_delays_it() -> None:
    """Without *sending* on disk nothing leaves; the reply leaves once that could be stored."""
    office = Office()
    async with office.open():
        contact = await office.stage.holding()
        office.store.fail_outbox = 1
        message = await office.answer(contact)
        await until(lambda: office.store.fail_outbox == 0)
        assert office.postman.taken == []
        office.now += 1_000
        await until(office.known(message, D.SENT))


async def test_a_deferred_reply_is_tried_again_when_its_time_has_come() -> None:
    """After a temporary refusal the next try waits as long as the channel says, and the report says deferred."""
    office = Office()
    office.postman.answers = [D.DEFERRED]
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.DEFERRED))
        assert office.stored(message).next_at == office.now + 60_000
        office.now += 59_999
        await asyncio.sleep(0.05)
        assert len(office.postman.taken) == 1
        office.now += 1
        await until(office.known(message, D.SENT))
    assert office.reports() == ["deferred", "sent"]


@pytest.mark.parametrize(("asked", "waited"), [(90_000, 90_000), (30_000, 60_000)])
async def test_the_other_side_may_want_a_longer_wait(asked: int, waited: int) -> None:
    """Where the other side says how long to wait that counts if it is longer than the channel's own wait."""
    office = Office()
    office.postman.answers, office.postman.asked_to_wait = [D.DEFERRED], asked
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.DEFERRED))
        assert office.stored(message).next_at == office.now + waited


async def test_a_deferred_reply_keeps_its_time_over_a_restart() -> None:
    """The next leader tries a deferred reply neither sooner nor with a fresh count."""
    office = Office()
    office.postman.answers = [D.DEFERRED]
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.DEFERRED))
    again = Office(office.store, office.postman)
    async with again.open():
        await until(lambda: again.outbox.lag == 1)
        await asyncio.sleep(0.05)
        assert len(office.postman.taken) == 1
        again.now += 60_000
        await until(again.known(message, D.SENT))
    assert again.reports() == ["deferred", "sent"]


async def test_a_channel_that_gives_up_makes_the_reply_fail() -> None:
    """When the channel names no further try the delivery has failed, and the agent has the contact back."""
    office = Office()
    office.postman.answers = [D.DEFERRED]
    office.postman.waits = [None]
    async with office.open():
        contact = await office.stage.holding()
        message = await office.answer(contact)
        await until(office.known(message, D.FAILED))
        await until(lambda: not office.store.outbox)
        assert office.stage.leader.engine.state.contacts[contact].state == "assigned"


async def test_a_refused_reply_has_failed() -> None:
    """A permanent error is final: one try, one report, nothing left in the outbox."""
    office = Office()
    office.postman.answers = [PermanentError("no")]
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.FAILED))
        await until(lambda: not office.store.outbox)
    assert office.reports() == ["failed"]


async def test_a_reply_that_was_erased_is_not_sent() -> None:
    """A reply whose text is gone or was tampered with fails, and the others are sent."""
    office = Office()
    async with office.stage.leading():
        contact = await office.stage.holding()
        erased = await office.answer(contact, "erased")
        forged = await office.answer(await office.stage.holding(written("two")), "forged")
        plain = await office.answer(await office.stage.holding(written("three")), "plain")
        del office.store.blobs[f"message:{erased}"]
        sealed = office.store.blobs[f"message:{forged}"]
        office.store.blobs[f"message:{forged}"] = sealed[:-1] + bytes([sealed[-1] ^ 1])
        office.stage.vault.forget()  # as after the journal's news of an erasure
        office.task = asyncio.create_task(office.outbox.run())
        await until(office.known(plain, D.SENT))
        await until(office.known(erased, D.FAILED))
        await until(office.known(forged, D.FAILED))
        await office.close()
    assert [taken.text for taken in office.postman.taken] == ["plain"]


async def test_replies_of_one_contact_go_out_in_order() -> None:
    """A later reply does not overtake an earlier one of its contact, even one that must wait; others go ahead."""
    office = Office()
    office.postman.answers = [D.DEFERRED]
    async with office.open():
        contact, other = await office.stage.holding(), await office.stage.holding(written("other"))
        first = await office.answer(contact, "first")
        await until(office.known(first, D.DEFERRED))
        second = await office.answer(contact, "second")
        third = await office.answer(other, "third")
        await until(office.known(third, D.SENT))
        assert office.state(second) is D.PENDING
        office.now += 60_000
        await until(office.known(second, D.SENT))
    assert [taken.text for taken in office.postman.taken] == ["first", "third", "first", "second"]


async def test_what_is_in_doubt_holds_up_no_later_reply() -> None:
    """A contact with a reply of unknown outcome can still be answered."""
    office = Office()
    office.postman.answers = [D.UNKNOWN]
    async with office.open():
        contact = await office.stage.holding()
        first = await office.answer(contact, "first")
        await until(office.known(first, D.UNKNOWN))
        second = await office.answer(contact, "second")
        await until(office.known(second, D.SENT))


async def test_no_more_than_a_few_are_sent_at_once() -> None:
    """However many replies wait, the channel has at most a few at a time, and all are sent in the end."""
    office = Office()
    office.postman.open.clear()
    async with office.open():
        replies = [await office.answer(await office.stage.holding(written(f"m{n}"))) for n in range(7)]
        await until(lambda: len(office.postman.taken) == outbox_module.SENDERS_MAX)
        await asyncio.sleep(0.05)
        assert len(office.postman.taken) == outbox_module.SENDERS_MAX
        office.postman.open.set()
        for reply in replies:
            await until(office.known(reply, D.SENT))
    assert len(office.postman.taken) == 7


async def test_a_fenced_leader_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another leader has begun an epoch the old one's *sending* is refused, and so nothing leaves by it."""
    monkeypatch.setattr(lease_module, "KEEP_SECONDS", 3_600)  # the old one has not noticed yet
    office = Office()
    office.postman.answers = [D.DEFERRED]
    refused = asyncio.Event()
    put = office.store.outbox_put

    async def watched(epoch: int, identifier: str, value: bytes) -> None:
        try:
            await put(epoch, identifier, value)
        except Fenced:
            refused.set()
            raise

    monkeypatch.setattr(office.store, "outbox_put", watched)
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.DEFERRED))
        office.store.leases["leader"] = "n2"
        other = Stage(office.store, node="n2")
        async with other.leading():
            office.now += 60_000
            await refused.wait()
            assert len(office.postman.taken) == 1
            assert office.stored(message).state is D.DEFERRED


async def test_a_reply_of_an_earlier_leader_is_sent_by_the_next() -> None:
    """What was journaled and never begun is sent after a restart, and no other contact's news disturbs that."""
    first = Office()
    async with first.stage.leading():
        contact = await first.stage.holding()
        message = await first.answer(contact)
    second = Office(first.store)
    async with second.open():
        await until(second.known(message, D.SENT))
    assert [taken.text for taken in second.postman.taken] == ["On its way."]


async def test_recovery_goes_on_while_new_contacts_come_in() -> None:
    """Many deliveries in doubt are taken up after a restart although the leader opens contacts all the while."""
    first = Office()
    async with first.stage.leading():
        replies = [await first.answer(await first.stage.holding(written(f"m{n}"))) for n in range(10)]
    for reply in replies:
        contact = first.stage.contact_of(reply)
        assert contact is not None
        sending = Delivery(message=reply, contact=contact.id, channel="email", state=D.SENDING, attempts=1)
        first.store.outbox[reply] = msgspec.json.encode(sending)
    second = Office(first.store)
    put = second.store.outbox_put

    async def slow_put(epoch: int, identifier: str, value: bytes) -> None:
        message = await second.stage.receive(written(f"during {identifier}", f"{identifier}@x.example"))
        await until(lambda: second.stage.contact_of(message))
        await put(epoch, identifier, value)

    second.store.outbox_put = slow_put  # type: ignore[method-assign]
    async with second.open():
        for reply in replies:
            await until(second.known(reply, D.UNKNOWN))
    assert second.postman.taken == []


@pytest.mark.parametrize("state", [D.SENT, D.FAILED, D.DEFERRED, D.UNKNOWN])
async def test_an_outcome_that_was_stored_and_not_told_is_told_after_a_restart(state: DeliveryState) -> None:
    """A crash between storing an outcome and journaling it costs nothing: the next leader tells it, once."""
    first = Office()
    async with first.stage.leading():
        message = await first.answer(await first.stage.holding())
    contact = first.stage.contact_of(message)
    assert contact is not None
    noted = Delivery(message=message, contact=contact.id, channel="email", state=state, attempts=1, next_at=1 << 53)
    first.store.outbox[message] = msgspec.json.encode(noted)
    second = Office(first.store)
    async with second.open():
        await until(second.known(message, state))
    third = Office(first.store)
    async with third.open():
        await until(lambda: third.outbox.lag == (0 if state in {D.SENT, D.FAILED} else 1))
        await until(lambda: not third.store.inbox)
    assert third.reports() == [state.value]
    assert second.postman.taken == third.postman.taken == []


async def test_deliveries_of_nobody_are_forgotten() -> None:
    """What the store holds and the journal knows nothing of, or knows as final, is deleted at the start."""
    office = Office()
    office.store.outbox["gone"] = msgspec.json.encode(Delivery(message="gone", contact="c9", channel="email"))
    async with office.open():
        await until(lambda: not office.store.outbox)
    assert office.postman.taken == []


async def test_a_channel_without_a_way_out_fails_plainly() -> None:
    """A reply on a channel that has no sender is reported as failed."""
    office = Office()
    office.senders.clear()
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(office.known(message, D.FAILED))


async def test_nothing_leaves_in_shadow_mode() -> None:
    """What was written before waits, however often the daemon starts, and leaves when usherd is live again."""
    first = Office()
    first.postman.answers = [D.DEFERRED]
    async with first.open():
        contact = await first.stage.holding()
        message = await first.answer(contact)
        await until(lambda: first.state(message) is D.DEFERRED)
    looking_on = msgspec.structs.replace(WORKSPACE, shadow=True)
    second = Office(first.store, workspace=looking_on, version="v2")
    async with second.open():
        second.now += 10 * 60_000
        refused = await second.stage.act("ana", "reply", contact=contact, text="Again.")
        assert (refused.ok, refused.code) == (False, "shadow")
        await until(lambda: second.outbox.lag)
        await asyncio.sleep(0.05)
        assert second.postman.taken == []
        await second.stage.leader.propose("v3", WORKSPACE)
        await until(lambda: second.state(message) is D.SENT)
    assert [one.text for one in second.postman.taken] == ["On its way."]


async def test_a_reply_whose_report_is_not_journaled_yet_is_not_sent_again() -> None:
    """A leader that ends between the report of a sent reply and its record leaves word: the next one sends nothing."""
    first = Office()
    async with first.stage.leading() as leading:
        first.task = asyncio.create_task(first.outbox.run())
        contact = await first.stage.holding()
        finish = first.stage.reader.finish

        async def never(begun: Begun, state: State, clock: Clock) -> Prepared:
            if begun.entry.source == "internal":
                await asyncio.Event().wait()
            return await finish(begun, state, clock)

        first.stage.reader.finish = never  # type: ignore[method-assign]
        message = await first.answer(contact)
        await until(lambda: any(one.source == "internal" for one in first.store.inbox.values()))
        await first.close()
        await first.stage.crash(leading)
    second = Office(first.store)
    async with second.open():
        await until(second.known(message, D.SENT))
    assert len(first.postman.taken) == 1
    assert second.postman.taken == []


async def test_an_outcome_that_cannot_be_told_at_once_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is told the reply counts as under way, and nothing is sent again."""
    office = Office()
    struck: list[str] = []

    async def point(name: str) -> None:
        if name == "outbox.before_report" and not struck:
            struck.append(name)
            raise StoreUnavailable("no answer")

    monkeypatch.setattr(outbox_module, "point", point)
    async with office.open():
        message = await office.answer(await office.stage.holding())
        await until(lambda: struck)
        assert office.outbox.lag == 1
        office.now += 1_000
        await until(office.known(message, D.SENT))
        await until(lambda: not office.outbox.lag)
    assert len(office.postman.taken) == 1
    assert office.reports() == ["sent"]
