"""Incidents, and the question after a contact: when they come, when they do not, and that each counts once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.engine import Engine
from router.core.state import State
from router.core.values import AutoAnswers, Incidents, Priority
from tests.support.engine_scene import ANA, BEN, HOUR, SUE, Scene, agent, pushing

DAY = 24 * HOUR
CEM = agent("cem", capacity={"email": 900, "chat": 900}, skills={"refunds": 5})


def asked(scene: Scene) -> list[str]:
    """Whom the last record asks, by contact."""
    return [one.contact for one in scene.last if isinstance(one, d.SendAutoAnswer) and one.answer == "csat"]


def rate(scene: Scene, contact: str, score: int, sender: str = "") -> None:
    """Somebody answers the question."""
    scene.apply(e.SatisfactionGiven(at=scene.at, contact=contact, score=score, sender=sender))


# -- the question ------------------------------------------------------------------------------------------------------


def test_whoever_was_answered_is_asked_once() -> None:
    """When it is resolved; not again after it was reopened; not twice in a day."""
    scene = Scene(pushing(ANA, csat="unless-refused"))
    name = scene.mail("p1", language="es")
    scene.reply(name, resolve=True)
    assert asked(scene) == [name]
    assert scene.one(d.SendAutoAnswer).channel == "email"
    other = scene.mail("p1")
    scene.reply(other)
    scene.resolve(other)
    assert asked(scene) == []
    scene.wait(25 * HOUR)
    scene.mail("p1", thread=name)
    scene.reply(name, resolve=True)
    assert asked(scene) == []
    third = scene.mail("p1")
    scene.reply(third)
    scene.resolve(third)
    assert asked(scene) == [third]


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ("", {}),
        ("unless-refused", {"quiet": True}),
        ("unless-refused", {"consent": False}),
        ("if-agreed", {}),
        ("unless-refused", {"conflict": True}),
    ],
)
def test_who_is_not_asked(settings: str, more: dict[str, Any]) -> None:
    """Where it is off; who cannot read it, refused it, or did not agree; where it is in doubt who wrote."""
    scene = Scene(pushing(ANA, csat=settings))
    scene.reply(scene.mail("p1", **more), resolve=True)
    assert asked(scene) == []
    assert not scene.none(d.ResolveContact)


def test_only_after_an_answer_of_a_person() -> None:
    """Not what was closed unanswered, nor what an agent began and nobody answered."""
    scene = Scene(pushing(ANA, csat="unless-refused"))
    scene.resolve(scene.mail("p1"))
    assert asked(scene) == []
    scene.start("a1", to="p2")
    scene.resolve("a1")
    assert asked(scene) == []


def test_who_agreed_is_asked() -> None:
    """Where only those are."""
    scene = Scene(pushing(ANA, csat="if-agreed"))
    name = scene.mail("p1", consent=True)
    scene.reply(name, resolve=True)
    assert asked(scene) == [name]


def test_an_answer_counts_once_and_by_who_takes_part() -> None:
    """A number from 1 to 5, of a contact that was asked about, by somebody who takes part in it."""
    scene = Scene(pushing(ANA, csat="unless-refused"))
    name = scene.mail("p1")
    rate(scene, name, 4)
    assert scene.refused() == "no-such-contact"
    scene.reply(name, resolve=True)
    for score, sender, code in ((4, "p9", "not-yours"), (6, "p1", "bad-state"), (0, "", "bad-state")):
        rate(scene, name, score, sender)
        assert scene.refused() == code
    rate(scene, name, 4, "p1")
    assert scene.one(d.RecordSatisfaction) == d.RecordSatisfaction(contact=name, score=4, agent="ana")
    rate(scene, name, 1)
    assert scene.refused() == "rated"
    assert scene.contact(name).score == 4
    scene.apply(e.CustomerErased(at=scene.at, erasure="e1", contact=name))
    rate(scene, name, 5)
    assert scene.refused() == "no-such-contact"


# -- incidents ---------------------------------------------------------------------------------------------------------


def flood(scene: Scene, number: int, topic: str = "refund", prefix: str = "f") -> list[str]:
    """So many customers write of a topic, each for the first time."""
    return [scene.mail(f"{prefix}{scene.seq}-{count}", topic) for count in range(number)]


def with_history(days: int = 2, usual: int = 2, **more: object) -> Scene:
    """A workspace in which at this hour so many wrote on each of some days."""
    scene = Scene(pushing(CEM, SUE, incidents=Incidents(contacts=10, times=3), **more))
    flood(scene, 1)
    for _ in range(days):
        scene.wait(DAY)
        flood(scene, usual)
    scene.wait(DAY)
    return scene


def test_far_more_than_usual_raises_an_incident_once() -> None:
    """At least ten in the hour, and more than three times the usual; supervisors hear of it; others count to it."""
    scene = with_history(usual=4)
    flood(scene, 12)
    assert scene.engine.state.incidents == {}
    flood(scene, 1)
    assert scene.one(d.RaiseIncident) == d.RaiseIncident(incident="i1", topic="refund", count=13, usual=400)
    assert [one.detail for one in scene.last if isinstance(one, d.NotifySupervisors)] == ["refund"]
    flood(scene, 3)
    assert scene.none(d.RaiseIncident)
    assert scene.engine.state.incidents["i1"].contacts == 16
    flood(scene, 20, "bags")
    assert [one.topic for one in scene.engine.state.incidents.values()] == ["refund", "bags"]


def test_on_the_first_day_nothing_is_usual() -> None:
    """Nor is it where fewer than ten wrote, or where incidents are off."""
    scene = Scene(pushing(CEM, incidents=Incidents(contacts=10, times=3)))
    flood(scene, 40)
    assert scene.engine.state.incidents == {}
    scene = with_history(usual=0)
    flood(scene, 9)
    assert scene.engine.state.incidents == {}
    off = Scene(pushing(CEM))
    flood(off, 3)
    assert off.engine.state.rates == {}


def test_what_nobody_knows_the_topic_of_is_no_incident() -> None:
    """However many write: an incident is of a topic."""
    scene = with_history()
    for number in range(40):
        scene.mail(f"u{number}", None)
    assert scene.engine.state.incidents == {}
    assert list(scene.engine.state.rates) == ["refund"]


def test_it_ends_by_itself_after_a_calm_hour() -> None:
    """While the hour that ended was as bad it goes on; counts of eight days are kept, and no more."""
    scene = with_history()
    flood(scene, 12)
    scene.wait(HOUR)
    flood(scene, 12)
    scene.wait(HOUR)
    assert list(scene.engine.state.incidents) == ["i1"]
    flood(scene, 2)
    scene.wait(2 * HOUR)
    assert scene.engine.state.incidents == {}
    scene.wait(9 * DAY)
    flood(scene, 1)
    assert len(scene.engine.state.rates["refund"]) == 1


def test_hours_that_nobody_counted_are_not_taken_for_calm_ones() -> None:
    """Turned off and on again, it begins anew: on its first day nothing is usual."""
    scene = with_history()
    scene.reload(pushing(CEM, SUE))
    flood(scene, 1)
    assert (scene.engine.state.rates, scene.engine.state.rates_since) == ({}, None)
    scene.wait(DAY)
    scene.reload(pushing(CEM, SUE, incidents=Incidents(contacts=10, times=3)))
    flood(scene, 40)
    assert scene.engine.state.incidents == {}


def nobody_leads(scene: Scene, span: int) -> None:
    """The node is down for so long; whoever leads next says so."""
    scene.at += span
    scene.apply(e.LeaderElected(at=scene.at - span, epoch=scene.engine.state.epoch + 1, node="n1"))
    scene.apply(e.ClockJumped(at=scene.at, by_ms=span))
    scene.wait(0)


def test_hours_in_which_nobody_led_are_not_taken_for_calm_ones() -> None:
    """What is usual is the mean of the other days; hours before and after count, and so does a short stop."""
    scene = with_history(days=1, usual=6)
    scene.wait(-HOUR // 4)
    nobody_leads(scene, 2 * DAY)
    assert len(scene.engine.state.unattended) == 48
    scene.wait(HOUR // 4)
    nobody_leads(scene, HOUR // 4)
    flood(scene, 18)
    assert scene.engine.state.incidents == {}
    flood(scene, 1)
    assert scene.one(d.RaiseIncident).usual == 600
    assert len(scene.engine.state.unattended) == 48


def test_hours_in_which_nobody_led_are_remembered_as_long_as_others() -> None:
    """However long it was: eight days, and no more."""
    scene = with_history()
    nobody_leads(scene, 30 * DAY)
    assert len(scene.engine.state.unattended) == 8 * 24
    scene.wait(9 * DAY)
    nobody_leads(scene, HOUR)
    assert len(scene.engine.state.unattended) == 1


def test_an_incident_is_not_over_since_nobody_led() -> None:
    """Nobody can tell of such an hour that it was calm."""
    scene = with_history()
    flood(scene, 12)
    nobody_leads(scene, 5 * HOUR)
    assert list(scene.engine.state.incidents) == ["i1"]
    scene.wait(2 * HOUR)
    assert scene.engine.state.incidents == {}


def test_turned_off_it_is_over() -> None:
    """At its next look."""
    scene = with_history()
    flood(scene, 12)
    scene.reload(pushing(CEM, SUE))
    scene.wait(2 * HOUR)
    assert scene.engine.state.incidents == {}


def test_one_answer_is_told_to_all_who_asked_and_to_whoever_asks_next() -> None:
    """To each once, in place of a receipt; not to who refused, nor to a machine, nor to who wrote of something else."""
    scene = with_history(auto_answers=AutoAnswers(kinds=("receipt",)))
    names = flood(scene, 12)
    resolved, refusing = names[0], names[1]
    scene.resolve(resolved, "cem")
    scene.apply(e.CustomerDescribed(at=scene.at, agent="sue", contact=refusing, consent=False))
    other = scene.mail("x", "bags")
    scene.apply(e.IncidentAnswered(at=scene.at, inbox="5-7", agent="sue", incident="i1", message="5-7", tell=True))
    told = [one.contact for one in scene.last if isinstance(one, d.SendAutoAnswer)]
    assert told == names[2:]
    assert other not in told
    name = scene.mail("n")
    assert scene.one(d.SendAutoAnswer).answer == "incident"
    scene.mail("q", quiet=True)
    assert scene.none(d.SendAutoAnswer)
    assert scene.contact(name).messages[-1].auto == "incident"


def test_only_supervisors_answer_and_end_incidents_that_there_are() -> None:
    """What nobody is told of stays untold."""
    scene = with_history()
    flood(scene, 12)
    for event, code in (
        (e.IncidentAnswered(at=scene.at, agent="cem", incident="i1", message="5-7"), "not-allowed"),
        (e.IncidentAnswered(at=scene.at, agent="sue", incident="i9", message="5-7"), "no-such-incident"),
        (e.IncidentEnded(at=scene.at, agent="cem", incident="i1"), "not-allowed"),
        (e.IncidentEnded(at=scene.at, agent="sue", incident="i9"), "no-such-incident"),
    ):
        scene.apply(event)
        assert scene.refused() == code
    scene.apply(e.IncidentAnswered(at=scene.at, agent="sue", incident="i1", message="5-7"))
    assert scene.last == ()
    scene.apply(e.IncidentEnded(at=scene.at, agent="sue", incident="i1"))
    assert scene.one(d.EndIncident).reason == "agent"
    assert scene.engine.next_timer() != 0


def test_an_engine_from_a_copy_looks_at_the_same_instant() -> None:
    """The timer of an incident is derived from the state."""
    scene = with_history()
    flood(scene, 12)
    other = Engine(msgspec.json.decode(msgspec.json.encode(scene.engine.state), type=State))
    assert other.next_timer() == scene.engine.next_timer()
    assert other.state_hash() == scene.engine.state_hash()


# -- tiers -------------------------------------------------------------------------------------------------------------


def test_a_tier_is_by_who_says_it_best() -> None:
    """A program's word before the workspace's, their own address before another of theirs, and only of known tiers."""
    scene = Scene(pushing(ANA, BEN, tiers={"gold": Priority.HIGH, "silver": Priority.NORMAL}))
    assert scene.contact(scene.mail("m", tier="silver")).tier == "silver"
    scene.chat("v", proves="m", proof="x1")
    scene.resolve("c1", scene.contact("c1").agent or "")
    assert scene.contact(scene.chat("v")).tier == "silver"
    scene.apply(e.TierSet(at=scene.at, identities=("m",), tier="gold"))
    assert scene.contact(scene.mail("m", tier="silver")).tier == "gold"
    scene.apply(e.TierSet(at=scene.at, identities=("m",), tier=""))
    assert scene.contact(scene.mail("m")).tier is None
    assert scene.engine.state.tiers_seen == {}
    scene.apply(e.TierSet(at=scene.at, identities=("m",), tier="platinum"))
    assert scene.refused() == "bad-tier"
