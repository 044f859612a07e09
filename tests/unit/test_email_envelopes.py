"""Envelopes of their own (VERP): each recipient's mail fares for itself, and a bounce is told by its address alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import thread
from channels.email.send import SendResult, SmtpSender
from channels.email.smtp_settings import Accounts
from channels.email.thread import ThreadMatch, contact_of
from router.app.mail import MailSender, MailStationery, email_channel, envelopes, mail_settings, normalise
from router.core import decisions as d
from router.core import events as e
from router.core.events import MessageReceived
from router.core.message import Address, Bounce, Message
from router.core.transitions import ContactState, DeliveryState
from router.desk.model import Desk
from router.shell.outbox import NEVER, Delivery, Sent, _after
from router.shell.understanding import Facts, Source, received
from router.shell.vault import Vault
from router.shell.workers import Understood
from skills.model import WorkspaceConfig
from tests.fakes.desk_parts import House
from tests.support.engine_scene import ANA, Scene, pushing
from tests.support.shell_scene import ShellStore, until, written
from tests.unit.test_shell_outbox import Office

D = DeliveryState
SECRET = b"s" * 32
HELP = "help@acme.example"
ADA, BOB = Address(address="ada@customer.example"), Address(address="bob@customer.example")
MINUTE, DAY = 60_000, 86_400_000


def config(**email: Any) -> WorkspaceConfig:
    """A workspace with mail."""
    channels = {"email": {"smtp": {"recipients": [HELP]}, **email}}
    return WorkspaceConfig.model_validate({"workspace": "acme", "channels": channels})


def message_id(contact: str = "c12", message: str = "1795420800000-3") -> str:
    """A Message-ID of ours."""
    return thread.new_message_id(SECRET, contact, message, "acme.example")


def letter(**more: Any) -> Message:
    """An answer to ada, with bob in copy."""
    fields: dict[str, Any] = {
        "channel": "email",
        "from_": Address(address=HELP),
        "to": (ADA,),
        "cc": (BOB,),
        "text": "Yes.",
    }
    return Message(**{**fields, "sent_at": "2026-11-20T10:00:00.000Z", "message_id": message_id(), **more})


class TestAddress:
    """What stands in the envelope."""

    @given(
        contact=st.from_regex(r"c[1-9][0-9]{0,6}|a[1-9][0-9]{12}-[0-9]|[a-z0-9][a-z0-9-]{0,8}", fullmatch=True),
        message=st.from_regex(r"[1-9][0-9]{12}-(0|[1-9][0-9]{0,3})|[a-z0-9][a-z0-9-]{0,8}", fullmatch=True),
        recipient=st.integers(0, 49),
    )
    def test_it_says_contact_message_and_recipient(self, contact: str, message: str, recipient: int) -> None:
        """Whatever the ids, what was put in comes out again, in upper case as well, and fits into an address."""
        address = thread.envelope_sender(HELP, SECRET, message_id(contact, message), recipient)
        assert len(address.partition("@")[0]) <= 64
        assert Accounts((HELP,)).find(address) == HELP
        for spelled in (address, address.upper()):
            bounce = Message(channel="email", from_=Address(address=""), delivered_to=(spelled,))
            assert contact_of(SECRET, bounce, [HELP]) == ThreadMatch(
                contact=contact, message=message, how="envelope", recipient=recipient
            )

    def test_nobody_can_make_one_up(self) -> None:
        """Another contact, message, recipient or account, and another secret, match nothing."""
        address = thread.envelope_sender(HELP, SECRET, message_id(), 1)
        local, _, domain = address.partition("@")
        head, contact, sent, _, mac = local.split("_")
        forged = [
            f"{head}_c13_{sent}_1_{mac}@{domain}", f"{head}_{contact}_{sent[:-1]}4_1_{mac}@{domain}",
            f"{head}_{contact}_{sent}_0_{mac}@{domain}", f"{head}_{contact}_{sent}_01_{mac}@{domain}",
            f"{head}_{contact}_{sent}_1_{'a' * 21}@{domain}", f"{local}@evil.example",
            f"{head}_{contact}_{mac}@{domain}",
        ]  # fmt: skip
        for one in forged:
            found = Message(channel="email", from_=Address(address=""), delivered_to=(one,))
            assert contact_of(SECRET, found, [HELP]) is None, one
        genuine = Message(channel="email", from_=Address(address=""), delivered_to=(address,))
        assert contact_of(b"t" * 32, genuine, [HELP]) is None

    def test_only_our_own_mail_gets_one(self) -> None:
        """An id we did not sign, and an account that leaves no room, have none."""
        with pytest.raises(ValueError, match="not a Message-ID of ours"):
            thread.envelope_sender(HELP, SECRET, "x@customer.example", 0)
        with pytest.raises(ValueError, match="no envelope can be made"):
            thread.envelope_sender("a-very-long-name-for-customers@acme.example", SECRET, message_id(), 0)


class Wire(SmtpSender):
    """Answers for each recipient as told, and notes envelopes."""

    def __init__(self, **states: str) -> None:
        self.states = states
        self.sent: list[tuple[str, Sequence[str]]] = []

    async def send(self, envelope_from: str, recipients: Sequence[str], raw: bytes) -> SendResult:
        """As told; sent, else."""
        self.sent.append((envelope_from, recipients))
        state: Any = self.states.get(recipients[0].partition("@")[0], "sent")
        return SendResult(state=state, code={"sent": 250, "failed": 550}.get(state, 450))


def sender(wire: Wire, setup: WorkspaceConfig) -> MailSender:
    """A sender with envelopes."""
    return MailSender(wire, "acme", Vault(ShellStore()), envelope=envelopes(lambda: setup, SECRET))


class TestSent:
    """Each recipient by itself."""

    async def test_each_recipient_has_an_envelope_of_their_own(self) -> None:
        """Two transactions with two senders; each names its recipient."""
        wire = Wire()
        sent = await sender(wire, config()).send(letter())
        assert [recipients for _, recipients in wire.sent] == [[ADA.address], [BOB.address]]
        assert [one for one, _ in wire.sent] == [thread.envelope_sender(HELP, SECRET, message_id(), n) for n in (0, 1)]
        assert sent.each == ((0, D.SENT), (1, D.SENT))

    @pytest.mark.parametrize(
        ("setup", "changes", "back"),
        [
            (config(plus_addresses="false"), {}, HELP),
            (config(), {"message_id": "x@customer.example"}, HELP),
            (config(), {"auto": "auto-reply"}, ""),
        ],
    )
    async def test_where_there_can_be_none_bounces_go_where_answers_do(
        self, setup: WorkspaceConfig, changes: dict[str, Any], back: str
    ) -> None:
        """A server without plus-addressing, an id of nobody's, and what a machine wrote, whose bounce goes nowhere."""
        wire = Wire()
        await sender(wire, setup).send(letter(cc=(), **changes))
        assert wire.sent == [(back, [ADA.address])]

    async def test_without_plus_addressing_answers_go_to_the_account_itself(self) -> None:
        """They find their contact by the Message-ID."""
        for setup, address in (
            (config(plus_addresses="false"), HELP),
            (config(), thread.reply_address(HELP, SECRET, "c1")),
        ):
            stationery = MailStationery(lambda setup=setup: setup, SECRET)  # type: ignore[misc]
            assert stationery.reply_to(HELP, "c1").address == address

    async def test_only_those_who_are_left_are_written_to(self) -> None:
        """A second try goes to whom the first did not reach; the header names all the same."""
        wire = Wire(bob="deferred")
        one = letter(delivered_to=(BOB.address,))
        assert (await sender(wire, config()).send(one)).each == ((1, D.DEFERRED),)
        assert [recipients for _, recipients in wire.sent] == [[BOB.address]]

    async def test_who_is_named_twice_gets_one(self) -> None:
        """A customer who stands in the copy line too is written to once."""
        wire = Wire()
        sent = await sender(wire, config()).send(letter(cc=(ADA, BOB)))
        assert [recipients for _, recipients in wire.sent] == [[ADA.address], [BOB.address]]
        assert sent.each == ((0, D.SENT), (2, D.SENT))


class Slow(MailSender):
    """Never more than a minute between tries."""

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:
        """Ten tries."""
        return None if attempts >= 10 else MINUTE


def after(delivery: Delivery, *each: DeliveryState, now: int = 0, places: tuple[int, ...] | None = None) -> Delivery:
    """Where a delivery stands once its recipients fared so."""
    told = tuple(zip(places or range(len(each)), each, strict=True))
    return _after(delivery, Sent(state=D.SENT, each=told), Slow(Wire(), "", Vault(ShellStore())), now)


FRESH = Delivery(message="5-0", contact="c1", channel="email", state=D.SENDING, attempts=1)


class TestOutbox:
    """Several recipients of one message, and what becomes of the whole."""

    @pytest.mark.parametrize(
        ("each", "state", "left", "lost"),
        [
            ((D.SENT, D.SENT), D.SENT, (), ()),
            ((D.SENT, D.FAILED), D.SENT, (), (1,)),
            ((D.FAILED, D.SENT), D.FAILED, (), (0,)),
            ((D.SENT, D.DEFERRED), D.DEFERRED, (1,), ()),
            ((D.FAILED, D.DEFERRED), D.DEFERRED, (1,), (0,)),
            ((D.UNKNOWN, D.SENT, D.DEFERRED), D.UNKNOWN, (2, 0), ()),
        ],
    )
    def test_the_first_recipient_decides_once_all_have_come_to_an_end(
        self, each: tuple[DeliveryState, ...], state: DeliveryState, left: tuple[int, ...], lost: tuple[int, ...]
    ) -> None:
        """Who is deferred or in doubt is tried again, and nobody else; who is refused is lost."""
        found = after(FRESH, *each)
        assert (found.state, found.left, found.lost) == (state, left, lost)

    def test_what_is_in_doubt_twice_holds_up_nobody_else(self) -> None:
        """The doubtful one is left to a person, the deferred one is tried on; then nobody knows of the first."""
        once = after(FRESH, D.UNKNOWN, D.DEFERRED)
        twice = after(once, D.DEFERRED, D.UNKNOWN, places=(1, 0))
        assert (twice.state, twice.left, twice.open) == (D.DEFERRED, (1,), (0,))
        done = after(twice, D.SENT, places=(1,))
        assert (done.state, done.next_at) == (D.UNKNOWN, NEVER)

    @pytest.mark.parametrize(
        ("state", "whole", "lost"), [(D.FAILED, D.SENT, (1,)), (D.UNKNOWN, D.UNKNOWN, ()), (D.DEFERRED, D.DEFERRED, ())]
    )
    def test_what_becomes_of_a_later_try_as_a_whole_is_of_those_who_are_left(
        self, state: DeliveryState, whole: DeliveryState, lost: tuple[int, ...]
    ) -> None:
        """A file erased between two tries loses the copy, and does not say that the customer has no answer."""
        left = after(FRESH, D.SENT, D.DEFERRED)
        found = _after(left, Sent(state=state), Slow(Wire(), "", Vault(ShellStore())), 0)
        assert (found.state, found.lost) == (whole, lost)
        assert found.left == (1,) or whole is D.SENT

    def test_who_is_deferred_for_too_long_is_lost(self) -> None:
        """After the last try a copy is lost and the answer has arrived all the same."""
        found = after(msgspec.structs.replace(FRESH, attempts=10, left=(1,)), D.DEFERRED, places=(1,))
        assert (found.state, found.lost) == (D.SENT, (1,))

    async def test_a_copy_that_is_refused_later_is_told_to_the_desk(self) -> None:
        """The customer gets it once; bob is deferred, then refused; the contact waits for the customer all the same."""
        wire = Wire(bob="deferred")
        office = Office()
        office.senders["email"] = sender(wire, config())
        async with office.open():
            contact = await office.stage.holding(written(cc=(BOB,)))
            reply = await office.stage.act("ana", "reply", contact=contact, text="Yes.", cc=[BOB.address])
            assert reply.ok, reply
            message = office.stage.leader.engine.state.contacts[contact].messages[-1].id
            await until(office.known(message, D.DEFERRED))
            assert office.stored(message).left == (1,)
            wire.states["bob"] = "failed"
            office.now += MINUTE
            await until(office.known(message, D.SENT))
            found = office.stage.leader.engine.state.contacts[contact]
            assert found.messages[-1].lost == (1,)
            assert found.state is ContactState.WAITING_CUSTOMER
        assert [recipients[0] for _, recipients in wire.sent] == [ADA.address, BOB.address, BOB.address]

    @pytest.mark.parametrize("each", [False, True])
    def test_a_server_that_defers_for_two_days_makes_it_fail(self, each: bool) -> None:
        """Tries come a minute apart, then ever more slowly up to four hours; within two days the agent has it back."""
        mail, now, waits = MailSender(Wire(), "", Vault(ShellStore())), 0, []
        delivery = msgspec.structs.replace(FRESH, attempts=0)
        while delivery.state is not D.FAILED:
            now = delivery.next_at
            delivery.attempts += 1
            told = ((0, D.DEFERRED),) if each else ()
            delivery = _after(delivery, Sent(state=D.DEFERRED, each=told), mail, now)
            waits.append(delivery.next_at - now)
        assert [wait // MINUTE for wait in waits[:10]] == [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]
        assert set(waits[8:-1]) == {240 * MINUTE}
        assert DAY < now <= 2 * DAY < now + 240 * MINUTE


DSN = """From: MAILER-DAEMON@mx.customer.example
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.customer.example

Action: {action}
Status: 5.1.1

--b--
"""


class TestBounce:
    """What comes back."""

    @pytest.mark.parametrize(("recipient", "action"), [(0, "failed"), (1, "failed"), (1, "delayed")])
    def test_a_report_that_names_nobody_is_told_by_its_address(self, recipient: int, action: str) -> None:
        """Neither recipient nor mail are named in it, and yet both are known; a notice of delay fails nothing."""
        setup = config()
        to = thread.envelope_sender(HELP, SECRET, message_id(), recipient)
        raw = DSN.format(to=to, action=action).replace("\n", "\r\n").encode()
        meta = msgspec.json.encode({"account": HELP, "envelope_from": "", "recipients": [to]})
        understood = Understood(message=normalise(mail_settings(setup), raw, meta))
        assert understood.message is not None
        assert isinstance(understood.message.bounce, Bounce)
        source = Source(inbox="9-0", message="9-0", channel="email", kind="email", account=HELP)
        facts = Facts(secret=SECRET, own=frozenset({HELP}), tier_of=lambda _: None)
        event = received(source, understood, raw, email_channel(setup, SECRET), facts, 1).event
        assert isinstance(event, MessageReceived)
        assert (event.thread, event.about, event.recipient) == ("c12", "1795420800000-3", recipient)
        assert event.undelivered is (action == "failed")

    def test_a_copy_that_bounces_fails_no_answer(self) -> None:
        """The answer stays delivered, the contact waits for the customer, and the copy is noted as lost."""
        scene = Scene(pushing(ANA))
        scene.mail("p1")
        sent = scene.reply("c1")
        scene.apply(e.DeliveryReported(at=scene.at, message=sent, contact="c1", state="sent", lost=(2,)))
        scene.mail("daemon", auto="bounce", about=sent, undelivered=True, recipient=1, thread="c1")
        contact = scene.contact("c1")
        assert (contact.messages[1].delivery, contact.messages[1].lost) == (D.SENT, (1, 2))
        assert contact.state is ContactState.WAITING_CUSTOMER
        assert not [one for one in scene.last if isinstance(one, d.NotifySupervisors)]

    def test_a_report_about_nothing_known_changes_nothing(self) -> None:
        """A message the state no longer has, and one that a customer wrote."""
        scene = Scene(pushing(ANA))
        scene.mail("p1", message="3-3")
        for message in ("77-0", "3-3"):
            scene.apply(e.DeliveryReported(at=scene.at, message=message, contact="c1", state="failed", lost=(1,)))
            assert scene.last == ()
        assert scene.contact("c1").messages[0].lost == ()

    async def test_the_desk_names_who_was_not_reached(self) -> None:
        """By the address, beside the answer."""
        house = House()
        house.available("ana")
        contact = house.mail("I want my money back.", subject="Refund")
        assert contact.offer is not None
        await house.act("ana", "accept", {"contact": contact.id, "offer": contact.offer.id}, contact.id)
        await house.act("ana", "reply", {"contact": contact.id, "text": "Yes."}, "1")
        answer = contact.messages[-1]
        house.written[answer.id].to, house.written[answer.id].cc = (ADA,), (BOB,)
        answer.lost = (1, 7)
        card = await Desk(house, house, house.clock).contact("ana", contact.id)
        assert card.items[-1].warnings == ("It did not reach bob@customer.example, who was to have a copy.",)
