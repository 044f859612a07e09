"""A stretch of a journal lived through again: the same under the same workspace, explainably other under another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core import events as e
from router.core.engine import Engine
from router.core.values import Status, Workspace
from router.sim.difference import difference
from router.sim.hands import Hands
from router.sim.recorded import Recorded, Recorder
from router.sim.rehearsal import Outcome, Rehearsal
from tests.support.engine_scene import HOUR, MINUTE, SECOND, Scene, agent, desk

if TYPE_CHECKING:
    from collections.abc import Sequence

ANA = agent("ana", skills={"refunds": 4})
BEN = agent("ben", skills={"refunds": 3})
CAI = agent("cai", skills={})


class Taped(Scene):
    """A scene of which every event is kept."""

    def __init__(self, workspace: Workspace, *, away: tuple[str, ...] = ()) -> None:
        self.tape: list[e.Event] = []
        super().__init__(workspace, away=away)
        self.begin = len(self.tape)

    def apply(self, event: e.Event) -> tuple[object, ...]:  # type: ignore[override]
        """Apply and keep."""
        self.tape.append(event)
        return super().apply(event)

    def later(self, span: int) -> None:
        """Time passes, and the world tells the engine."""
        self.wait(span)
        self.apply(e.TimePassed(at=self.at))

    def recorded(self) -> Recorded:
        """What the tape says since everybody was there."""
        replayed = Engine()
        for event in self.tape[: self.begin]:
            replayed.apply(event)
        recorder = Recorder(replayed)
        for event in self.tape[self.begin :]:
            recorder.hear(event)
        return recorder.close()


def lived(recorded: Recorded, workspace: Workspace) -> Outcome:
    """The stretch under a workspace."""
    return Rehearsal(recorded, workspace).run()


def day(scene: Taped, senders: Sequence[tuple[int, int, bool]]) -> None:
    """Customers write; each offer is taken after a minute and answered after so many more."""
    for number, (pause, work, closes) in enumerate(senders):
        scene.later(pause * SECOND)
        contact = scene.mail(f"p{number}")
        if scene.contact(contact).offer is None:
            continue
        scene.later(20 * SECOND)
        if scene.contact(contact).offer is None:
            continue
        scene.accept(contact)
        scene.later(work * SECOND)
        owner = scene.contact(contact).agent
        if owner is not None:
            scene.apply(e.ReplyWritten(at=scene.at, agent=owner, contact=contact, message=f"r{number}", resolve=closes))


class TestSame:
    """The same workspace."""

    def test_gives_the_recorded_story_again(self) -> None:
        """Who got each contact, and when, is what the record says, and nothing is different between two lives."""
        workspace = desk(ANA, BEN)
        scene = Taped(workspace)
        contact = scene.mail("p1")
        scene.later(30 * SECOND)
        scene.accept(contact)
        taken = scene.at
        scene.later(5 * MINUTE)
        owner = scene.contact(contact).agent or ""
        scene.apply(e.ReplyWritten(at=scene.at, agent=owner, contact=contact, message="r1", resolve=True))
        scene.later(HOUR)
        recorded = scene.recorded()
        once, twice = lived(recorded, workspace), lived(recorded, workspace)
        assert once == twice
        (fate,) = once.fates.values()
        assert (fate.agent, fate.started_at) == (owner, taken)
        assert once.load[owner] == pytest.approx(5 * MINUTE, abs=2)
        assert not once.assumed
        assert not once.refused
        found = difference(once, twice, {})
        assert found["same"]
        assert found["moved"] == 0

    @given(st.lists(st.tuples(st.integers(1, 900), st.integers(1, 2_000), st.booleans()), min_size=1, max_size=12))
    @settings(max_examples=60, deadline=None)
    def test_is_never_different(self, senders: list[tuple[int, int, bool]]) -> None:
        """Whatever was recorded, two lives under one workspace agree, and every contact has a fate."""
        workspace = desk(ANA, BEN, CAI)
        scene = Taped(workspace)
        day(scene, senders)
        recorded = scene.recorded()
        once, twice = lived(recorded, workspace), lived(recorded, workspace)
        assert difference(once, twice, {})["same"]
        assert len(once.fates) == len(scene.engine.state.contacts)

    def test_leaves_what_it_was_given_as_it_was(self) -> None:
        """Living through a record does not change it."""
        workspace = desk(ANA, BEN)
        scene = Taped(workspace)
        day(scene, [(10, 60, True), (20, 60, False)])
        recorded = scene.recorded()
        before = msgspec.json.encode(recorded.state), len(recorded.outside)
        lived(recorded, workspace)
        assert (msgspec.json.encode(recorded.state), len(recorded.outside)) == before


class TestOther:
    """Another workspace."""

    def test_who_loses_a_skill_gets_none_of_it(self) -> None:
        """Contacts of the skill that ana no longer has go to ben, and the difference names them."""
        scene = Taped(desk(ANA, BEN))
        day(scene, [(10, 60, True)] * 6)
        recorded = scene.recorded()
        before = lived(recorded, desk(ANA, BEN))
        after = lived(recorded, desk(agent("ana", skills={}), BEN))
        assert {fate.agent for fate in before.fates.values()} == {"ana", "ben"}
        assert {fate.agent for fate in after.fates.values()} == {"ben"}
        found = difference(before, after, {})
        assert found["moved"] == sum(fate.agent == "ana" for fate in before.fates.values())
        assert {move["after"] for move in found["moves"]} == {"ben"}
        assert found["load"]["ana"]["after"] == 0
        assert not found["same"]

    def test_what_nobody_can_take_is_a_new_dead_end(self) -> None:
        """When nobody has the skill any more the contacts wait, and their topic is named."""
        scene = Taped(desk(ANA))
        day(scene, [(10, 60, True)])
        recorded = scene.recorded()
        found = difference(lived(recorded, desk(ANA)), lived(recorded, desk(CAI)), {})
        assert found["dead_ends"] == {"refund": 1}
        assert found["waits"]["refund"]["after"]["nobody"] == 1

    def test_somebody_new_is_taken_to_be_there(self) -> None:
        """An agent whom the record does not know is available, which is said."""
        scene = Taped(desk(CAI))
        scene.mail("p1")
        scene.later(HOUR)
        after = lived(scene.recorded(), desk(CAI, ANA))
        assert [fate.agent for fate in after.fates.values()] == ["ana"]
        assert after.assumed["agents who were not there: available"] == 1


class TestPeople:
    """Customers and agents behave as they did."""

    def test_a_customer_answers_as_long_after_the_answer(self) -> None:
        """The customer's second message comes two minutes after our reply, wherever that is by then."""
        workspace = desk(ANA)
        scene = Taped(workspace)
        contact = scene.mail("p1")
        scene.later(30 * SECOND)
        scene.accept(contact)
        scene.later(MINUTE)
        scene.apply(e.ReplyWritten(at=scene.at, agent="ana", contact=contact, message="r1"))
        scene.later(2 * MINUTE)
        assert scene.mail("p1", thread=contact) == contact
        scene.later(MINUTE)
        scene.apply(e.ContactResolved(at=scene.at, agent="ana", contact=contact))
        recorded = scene.recorded()
        (script,) = recorded.scripts.values()
        assert [after for turn in script.turns for after, _ in turn.then] == [2 * MINUTE]
        run = Rehearsal(recorded, workspace)
        run.run()
        (replayed,) = run.engine.state.contacts.values()
        assert [ref.direction for ref in replayed.messages] == ["in", "out", "in"]
        assert replayed.resolved_at is not None

    def test_offers_lapse_and_are_declined_as_they_were(self) -> None:
        """Whom the record shows declining declines again; whoever let an offer lapse lets it lapse."""
        workspace = desk(ANA, BEN)
        scene = Taped(workspace)
        contact = scene.mail("p1")
        first = scene.contact(contact).offer
        assert first is not None
        scene.later(10 * SECOND)
        scene.apply(e.OfferDeclined(at=scene.at, agent=first.agent, contact=contact, offer=first.id, reason="not mine"))
        scene.later(HOUR)
        recorded = scene.recorded()
        run = Rehearsal(recorded, workspace)
        run.run()
        (replayed,) = run.engine.state.contacts.values()
        assert replayed.declined == [first.agent]
        assert replayed.lapsed == scene.contact(contact).lapsed

    def test_what_people_decided_by_hand_is_left_out_and_counted(self) -> None:
        """A contact that was taken from the queue is routed in the rehearsal, and the report says so."""
        scene = Taped(desk(CAI))
        contact = scene.mail("p1")
        scene.apply(e.ContactTaken(at=scene.at, agent="cai", contact=contact))
        scene.later(MINUTE)
        recorded = scene.recorded()
        assert recorded.left_out == {"ContactTaken": 1}
        assert [fate.agent for fate in lived(recorded, desk(CAI)).fates.values()] == [None]

    def test_who_is_away_gets_nothing_done(self) -> None:
        """Work stands still while the agent is away, and goes on after."""
        workspace = desk(ANA)
        scene = Taped(workspace)
        contact = scene.mail("p1")
        scene.accept(contact)
        scene.later(MINUTE)
        scene.status("ana", Status.AWAY)
        scene.later(MINUTE)
        scene.status("ana", Status.AVAILABLE)
        scene.later(MINUTE)
        scene.apply(e.ContactResolved(at=scene.at, agent="ana", contact=contact))
        recorded = scene.recorded()
        (script,) = recorded.scripts.values()
        assert script.turns[0].effort == pytest.approx(2 * MINUTE, abs=2)
        assert lived(recorded, workspace).load["ana"] == pytest.approx(2 * MINUTE, abs=5)


class TestHands:
    """Minutes over what a person holds."""

    def test_minutes_are_split_evenly(self) -> None:
        """Two contacts held for ten minutes have had five each; the load is ten."""
        hands = Hands()
        hands.work("ana", 0, here=True)
        hands.take("ana", "c1", 0)
        hands.take("ana", "c2", 0)
        assert hands.done_at("ana", {"c1": 6_000.0, "c2": 9_000.0}, 10_000) == (12_000, "c1")
        assert hands.drop("c1", 10_000) == 5_000
        assert hands.drop("c2", 12_000) == 7_000
        assert hands.load["ana"] == 12_000
        assert hands.drop("c2", 13_000) == 0
