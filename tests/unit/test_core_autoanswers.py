"""Auto-answers: who gets one and which, that they never answer each other, and that they change nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.autoanswers import answer_id
from router.core.transitions import ContactState, DeliveryState
from router.core.values import AutoAnswers, Status, Workspace
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, T0, Scene, agent, desk

ALL = AutoAnswers(kinds=("receipt", "out_of_hours", "queue"))
DAY = 24 * HOUR
NIGHT = ((T0 + 8 * HOUR, T0 + 16 * HOUR), (T0 + 32 * HOUR, T0 + 40 * HOUR))


def answering(*agents: Any, **more: Any) -> Workspace:
    """A desk that answers by itself."""
    return desk(*(agents or (ANA,)), **{"auto_answers": ALL, **more})


def test_a_mail_that_opens_a_contact_gets_a_receipt_and_a_response_is_still_owed() -> None:
    """The receipt is an outbound message of nobody's; state, owner and clocks are those of a contact without one."""
    plain, scene = Scene(desk(ANA)), Scene(answering())
    without, contact = plain.contact(plain.mail()), scene.contact(scene.mail(message="1000-3"))
    sent = scene.one(d.SendAutoAnswer)
    assert (sent.answer, sent.contact, sent.channel) == ("receipt", "c1", "email")
    assert sent.message == "1000-1000000000003" == answer_id("1000-3")
    [_, ref] = contact.messages
    assert (ref.direction, ref.agent, ref.auto, ref.delivery) == ("out", None, "receipt", DeliveryState.PENDING)
    assert (contact.state, contact.due, contact.response_due, contact.responded) == (
        ContactState.OFFERED,
        without.due,
        without.response_due,
        False,
    )
    scene.accept("c1")
    scene.wait(9 * HOUR)
    assert contact.response_due == without.response_due
    assert not contact.responded


def test_an_odd_message_id_has_an_answers_id_too() -> None:
    """Ids that are none of the inbox's get a suffix."""
    assert answer_id("m1") == "m1-auto"


@pytest.mark.parametrize("auto", ["auto-reply", "bounce", "list", "bulk", "loop", "spam"])
def test_auto_mail_is_never_answered(auto: str) -> None:
    """Whatever a machine wrote gets none."""
    scene = Scene(answering())
    scene.mail(auto=auto)
    assert scene.none(d.SendAutoAnswer)


def test_nobody_to_answer_means_no_answer() -> None:
    """No-reply senders, nameless ones, and contacts that are flagged get none."""
    scene = Scene(answering())
    scene.mail("noreply", quiet=True)
    assert scene.none(d.SendAutoAnswer)
    scene.mail("")
    assert scene.none(d.SendAutoAnswer)
    scene.mail("p1", conflict=True)
    assert scene.none(d.SendAutoAnswer)
    scene.mail("stranger", thread="c1")
    assert scene.none(d.SendAutoAnswer)


def test_only_what_opens_a_contact_is_answered() -> None:
    """Neither an answer in a contact nor one that reopens it gets a receipt."""
    scene = Scene(answering())
    contact = scene.mail("p1")
    scene.wait(2 * DAY)
    scene.mail("p1", thread=contact)
    assert scene.none(d.SendAutoAnswer)
    scene.take(contact)
    scene.resolve(contact)
    scene.mail("p1", thread=contact)
    assert not scene.none(d.ReopenContact)
    assert scene.none(d.SendAutoAnswer)


def test_a_customer_gets_each_kind_once_in_24_hours() -> None:
    """Another contact within a day is opened in silence; after a day there is a receipt again."""
    scene = Scene(answering())
    scene.mail("p1")
    scene.wait(DAY - 1)
    scene.mail("p1")
    assert scene.none(d.SendAutoAnswer)
    scene.mail("p2")
    assert scene.one(d.SendAutoAnswer).answer == "receipt"
    scene.wait(1)
    scene.mail("p1")
    assert scene.one(d.SendAutoAnswer).answer == "receipt"
    assert len(scene.engine.state.auto_answered) == 2


def test_too_many_in_an_hour_turn_all_off_and_a_supervisor_hears_of_it_once() -> None:
    """The one over the limit is not sent; for a day none is; then they are on again."""
    scene = Scene(answering(auto_answers=AutoAnswers(kinds=("receipt",), per_hour=2)))
    for sender in ("p1", "p2"):
        scene.mail(sender)
        assert scene.one(d.SendAutoAnswer).answer == "receipt"
    scene.mail("p3")
    assert scene.none(d.SendAutoAnswer)
    assert scene.one(d.NotifySupervisors).reason == "auto-answers-off"
    scene.wait(2 * HOUR)
    scene.mail("p4")
    assert scene.none(d.SendAutoAnswer)
    assert scene.none(d.NotifySupervisors)
    scene.wait(DAY - 2 * HOUR)
    scene.mail("p5")
    assert scene.one(d.SendAutoAnswer).answer == "receipt"


def test_the_limit_is_of_any_hour() -> None:
    """What was sent an hour ago no longer counts."""
    scene = Scene(answering(auto_answers=AutoAnswers(kinds=("receipt",), per_hour=1)))
    scene.mail("p1")
    scene.wait(HOUR)
    scene.mail("p2")
    assert scene.one(d.SendAutoAnswer).answer == "receipt"


def test_other_settings_turn_them_on_again_and_other_changes_do_not() -> None:
    """Whoever changes the limit has looked at what happened."""
    settings = AutoAnswers(kinds=("receipt",), per_hour=0)
    scene = Scene(answering(auto_answers=settings))
    scene.mail("p1")
    scene.reload(answering(ANA, BEN, auto_answers=settings))
    assert scene.engine.state.auto_answers_off_until == T0 + DAY
    scene.reload(answering(ANA, BEN, auto_answers=AutoAnswers(kinds=("receipt",), per_hour=1)))
    scene.mail("p2")
    assert scene.one(d.SendAutoAnswer).answer == "receipt"


def test_out_of_hours_says_when_the_next_one_comes() -> None:
    """Of two calendars the one that opens first counts; in a chat too."""
    late = ((T0 + 9 * HOUR, T0 + 10 * HOUR),)
    one = agent("ana", skills={"refunds": 4}, calendar="day")
    two = agent("ben", skills={"refunds": 4}, calendar="late")
    scene = Scene(answering(one, two, calendars={"day": NIGHT, "late": late}))
    scene.mail("p1")
    assert scene.one(d.SendAutoAnswer).opens_at == T0 + 8 * HOUR
    scene.chat("p2")
    sent = scene.one(d.SendAutoAnswer)
    assert (sent.answer, sent.opens_at, sent.channel) == ("out_of_hours", T0 + 8 * HOUR, "webchat")


def test_on_shift_is_asked_of_those_who_could_serve_it() -> None:
    """Somebody without calendar, or in their hours, is there; a calendar that never opens again promises nothing."""
    shut = agent("ana", skills={"refunds": 4}, calendar="day")
    scene = Scene(answering(shut, agent("ben"), calendars={"day": NIGHT}))
    scene.mail("p1")
    assert scene.one(d.SendAutoAnswer).answer == "out_of_hours"
    scene.mail("p2", topic="bags")
    assert scene.one(d.SendAutoAnswer).answer == "receipt"
    scene.wait(8 * HOUR)
    scene.mail("p3")
    assert scene.one(d.SendAutoAnswer).answer == "receipt"
    scene.wait(40 * HOUR)
    scene.mail("p4")
    assert scene.one(d.SendAutoAnswer).answer == "receipt"


def test_a_chat_that_waits_is_told_its_place() -> None:
    """Who gets an agent at once is told nothing; the others how many wait, themselves included."""
    scene = Scene(answering(agent("ana", skills={"refunds": 4}, capacity={"chat": 1})))
    scene.chat("p1")
    assert scene.none(d.SendAutoAnswer)
    for place, sender in ((1, "p2"), (2, "p3")):
        scene.chat(sender)
        sent = scene.one(d.SendAutoAnswer)
        assert (sent.answer, sent.place) == ("queue", place)


def test_only_what_is_configured_is_said() -> None:
    """Without a receipt mails are met with silence, without the queue chats."""
    scene = Scene(answering(auto_answers=AutoAnswers(kinds=("queue",))))
    scene.mail("p1")
    assert scene.none(d.SendAutoAnswer)
    scene.reload(answering(auto_answers=AutoAnswers(kinds=("receipt",))))
    scene.status("ana", Status.AWAY)
    scene.chat("p2")
    assert scene.none(d.SendAutoAnswer)


def test_an_answer_that_fails_troubles_nobody() -> None:
    """It is marked as failed; the contact stays where it is, and no supervisor hears of it."""
    scene = Scene(answering())
    contact = scene.mail("p1")
    answer = scene.one(d.SendAutoAnswer).message
    scene.accept(contact)
    scene.reply(contact)
    scene.apply(e.DeliveryReported(at=scene.at, message=answer, contact=contact, state="failed"))
    assert scene.last == ()
    assert scene.contact(contact).state is ContactState.WAITING_CUSTOMER
    assert scene.contact(contact).messages[1].delivery is DeliveryState.FAILED


def test_two_engines_that_write_to_each_other_fall_silent() -> None:
    """Even where every mark of a machine is lost on the way, each answers the other once."""
    ours, theirs = Scene(answering()), Scene(answering())
    ours.mail("theirs")
    answers = 1
    here, there = ours, theirs
    for _ in range(50):
        there.wait(MINUTE)
        there.mail("ours" if there is theirs else "theirs")
        if there.none(d.SendAutoAnswer):
            break
        answers += 1
        here, there = there, here
    assert answers == 2


def test_the_auditor_notices_what_should_not_have_been_answered() -> None:
    """An answer to nothing, and one too many, are violations."""
    scene = Scene(answering())
    contact = scene.mail("p1")

    def forged(message: str) -> list[str]:
        decision = d.SendAutoAnswer(contact=contact, message=message, channel="email", answer="receipt")
        found = scene.auditor.observe(e.TimePassed(at=scene.at), (decision,), scene.engine.state)
        return [one.detail for one in found]

    assert forged("x1") == [
        "c1 gets receipt without a reason",
        "k1 gets the auto-answer receipt twice in a day",
    ]


class TestStorm:
    """A thousand mails that come back."""

    @staticmethod
    def bounced(scene: Scene, count: int, **more: Any) -> list[str]:
        """So many reports, a second apart; gives what supervisors are told."""
        told = []
        for _ in range(count):
            scene.wait(1_000)
            scene.mail("daemon", auto="bounce", **more)
            told += [one.reason for one in scene.last if isinstance(one, d.NotifySupervisors)]
        return told

    def test_a_thousand_bounces_open_the_breaker_and_alert_once(self) -> None:
        """No answer is given for a day, one alarm is raised, every report is filed, and little is remembered."""
        scene = Scene(answering())
        told = [name for number in range(1_000) for name in self.bounced(scene, 1, about=f"r{number}")]
        assert told == ["bounce-storm"]
        state = scene.engine.state
        assert len(state.autos) == 1_000
        assert len(state.bounced) <= 101
        scene.mail("p1")
        assert scene.none(d.SendAutoAnswer)
        scene.wait(DAY - 2 * HOUR)
        scene.mail("p3")
        assert scene.none(d.SendAutoAnswer)
        scene.wait(2 * HOUR)
        scene.mail("p2")
        assert scene.one(d.SendAutoAnswer).answer == "receipt"

    def test_a_thousand_that_show_nothing_of_ours_do_so_for_an_hour_a_day(self) -> None:
        """Whoever makes them up alarms us, and has no more than that hour of silence, however many follow."""
        scene = Scene(answering())
        assert self.bounced(scene, 1_000) == ["bounce-storm"]
        state = scene.engine.state
        assert len(state.autos) == 1_000
        assert len(state.bounces) <= 101
        scene.mail("p1")
        assert scene.none(d.SendAutoAnswer)
        scene.wait(HOUR)
        assert self.bounced(scene, 1_000) == []
        scene.mail("p2")
        assert scene.one(d.SendAutoAnswer).answer == "receipt"
        scene.wait(DAY)
        scene.mail("p2")
        assert scene.one(d.SendAutoAnswer).answer == "receipt"
        assert self.bounced(scene, 101) == ["bounce-storm"]

    def test_one_message_of_ours_that_is_reported_again_and_again_counts_once(self) -> None:
        """Whoever has one mail of ours can forge as many reports of it as they like; each recipient is another."""
        scene = Scene(answering(auto_answers=AutoAnswers(kinds=("receipt",), bounces_per_hour=2)))
        assert self.bounced(scene, 50, about="r1") == []
        assert self.bounced(scene, 50, thread="c9") == []
        assert self.bounced(scene, 1, about="r1", recipient=1) == ["bounce-storm"]

    def test_a_few_bounces_an_hour_are_no_storm(self) -> None:
        """As many as are allowed, hour by hour; auto-replies and a report that is told twice count for nothing."""
        scene = Scene(answering(auto_answers=AutoAnswers(kinds=("receipt",), bounces_per_hour=5)))
        for hour in range(3):
            assert self.bounced(scene, 5) == []
            for number in range(5):
                assert self.bounced(scene, 1, about=f"r{hour}-{number}") == []
            scene.wait(HOUR)
        for _ in range(20):
            scene.mail("daemon", auto="auto-reply")
            scene.mail("daemon", auto="bounce", message="7-7", inbox="")
        scene.mail("p1")
        assert scene.one(d.SendAutoAnswer).answer == "receipt"

    def test_what_came_back_is_its_agents_again_without_an_alarm_each(self) -> None:
        """In the storm supervisors hear of no single answer, and its contact is open again all the same."""
        scene = Scene(answering(auto_answers=AutoAnswers(kinds=("receipt",), bounces_per_hour=2)))
        contact = scene.mail("p1")
        scene.accept(contact)
        sent = scene.reply(contact)
        assert self.bounced(scene, 3) == ["bounce-storm"]
        assert self.bounced(scene, 1, about=sent, undelivered=True, thread=contact) == []
        assert scene.contact(contact).state is ContactState.ASSIGNED

    def test_changed_settings_close_the_breaker(self) -> None:
        """Somebody has looked, and hears of the next storm whatever it is made of."""
        scene = Scene(answering())
        self.bounced(scene, 101)
        scene.reload(answering(auto_answers=AutoAnswers(kinds=("receipt",), bounces_per_hour=150)))
        scene.mail("p1")
        assert scene.one(d.SendAutoAnswer).answer == "receipt"
        assert self.bounced(scene, 151) == ["bounce-storm"]
