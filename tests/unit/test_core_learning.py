"""Effort: what a contact can be expected to take is learned, and agents are credited with what they really spent."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.core import events as e
from router.core import learning
from router.core.state import Learned
from router.core.values import Status, Topic
from tests.support.engine_scene import HOUR, MINUTE, T0, Scene, agent, pushing

ANA = agent("ana", skills={"refunds": 2}, capacity={"email": 9, "chat": 1})
BEN = agent("ben", skills={"refunds": 2}, capacity={"email": 9})
DAY = ((T0, T0 + 8 * HOUR), (T0 + 24 * HOUR, T0 + 32 * HOUR))


def credited(scene: Scene, name: str = "ana") -> int:
    """Minutes credited to an agent."""
    return sum(scene.engine.state.agents[name].credited.values()) // MINUTE


def test_credit_is_trued_up_to_what_it_took() -> None:
    """Eight minutes are expected; one that took twenty counts twenty, one that took three counts three."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    assert credited(scene) == 8
    scene.wait(20 * MINUTE)
    scene.resolve("c1")
    assert credited(scene) == 20
    scene.mail("p2")
    scene.wait(3 * MINUTE)
    scene.reply("c2", resolve=True)
    assert credited(scene) == 23


def test_time_is_split_over_what_is_held_at_once() -> None:
    """Ten minutes alone, ten beside another: 15 for the first, 5 for the second, 20 in all."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.wait(10 * MINUTE)
    scene.mail("p2")
    scene.wait(10 * MINUTE)
    scene.resolve("c2")
    scene.resolve("c1")
    assert [scene.engine.state.efforts["refund email"].count, credited(scene)] == [2, 20]


def test_the_customers_time_and_nights_do_not_count() -> None:
    """While it waits on the customer, while the agent is off shift or away, nobody handles it."""
    scene = Scene(pushing(agent("ana", skills={"refunds": 2}, calendar="day"), calendars={"day": DAY}, hand_back={}))
    scene.mail("p1")
    scene.wait(5 * MINUTE)
    scene.reply("c1")
    scene.wait(7 * HOUR)
    scene.mail("p1", thread="c1")
    scene.wait(20 * HOUR)
    scene.status("ana", Status.AWAY)
    scene.wait(HOUR)
    scene.status("ana", Status.BUSY)
    scene.wait(MINUTE)
    scene.resolve("c1")
    first, evening, morning = 5, 8 * 60 - (5 + 7 * 60), 5 + 7 * 60 + 20 * 60 - 24 * 60
    assert scene.engine.state.agents["ana"].shared == (first + evening + morning + 1) * MINUTE
    assert scene.engine.state.efforts["refund email"].mean == 4 * 8 * MINUTE  # it counts for no more than that


def test_a_jump_of_the_clock_is_nobodys_work() -> None:
    """The hours in which the machine slept are on nobody's account."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.at += 6 * HOUR
    scene.apply(e.ClockJumped(at=scene.at, by_ms=6 * HOUR, taken=True))
    scene.wait(9 * MINUTE)
    scene.resolve("c1")
    assert credited(scene) == 9


def test_whoever_hands_over_is_credited_with_what_they_did() -> None:
    """Ana spent two minutes before it went to Ben; both figures stand, and what is learned is the sum."""
    scene = Scene(pushing(ANA, BEN), away=("ben",))
    scene.mail("p1")
    scene.wait(2 * MINUTE)
    scene.transfer("c1", to_agent="ben")
    scene.status("ben", Status.AVAILABLE)
    scene.wait(10 * MINUTE)
    scene.resolve("c1", "ben")
    assert (credited(scene), credited(scene, "ben")) == (2, 10)
    assert scene.engine.state.efforts["refund email"].mean == 12 * MINUTE


def test_what_is_expected_is_learned_by_topic_and_kind() -> None:
    """After twenty that took 24 minutes, more than two thirds of the way is gone; chats are a matter of their own."""
    scene = Scene(pushing(ANA))
    for number in range(20):
        name = scene.mail(f"p{number}")
        scene.wait(24 * MINUTE)
        scene.resolve(name)
    mail, chat = scene.contact(scene.mail("px")), scene.contact(scene.chat("py"))
    assert 19 * MINUTE < mail.effort < 20 * MINUTE
    assert chat.effort == 8 * MINUTE


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=30))
def test_one_observation_moves_it_little(minutes: list[int]) -> None:
    """Whatever contacts take, what is expected next is at most four times, at least a quarter, of what was before."""
    scene = Scene(pushing(ANA, hand_back={}))
    for number, took in enumerate(minutes):
        name = scene.mail(f"p{number}")
        before = scene.contact(name).effort
        scene.wait(took * MINUTE)
        scene.resolve(name)
        after = learning.expected(scene.engine.state, scene.contact(name))
        assert before // 4 <= after <= before * 4


def test_a_new_figure_in_the_workspace_counts_beside_what_was_learned() -> None:
    """The prior weighs as eight observations; topics that are gone are forgotten."""
    assert learning.blended(60, Learned(mean=20, count=8)) == 40
    assert learning.blended(60, Learned(mean=20, count=100_000)) == (8 * 60 + 64 * 20) // 72
    scene = Scene(pushing(ANA))
    name = scene.mail("p1")
    scene.wait(MINUTE * 10)
    scene.resolve(name)
    other = scene.mail("p2", None)
    scene.wait(MINUTE)
    scene.resolve(other)
    assert list(scene.engine.state.efforts) == ["refund email", " email"]
    scene.reload(pushing(ANA, topics={"bags": Topic(id="bags", effort=MINUTE)}, rules=()))
    assert list(scene.engine.state.efforts) == [" email"]


def test_in_shadow_mode_nothing_is_learned() -> None:
    """Nobody tells usherd what a contact took that was answered by other means."""
    scene = Scene(msgspec.structs.replace(pushing(ANA), shadow=True))
    name = scene.mail("p1", external="x1")
    scene.wait(10 * MINUTE)
    scene.apply(e.AnswerSeen(at=scene.at, message="9-9", channel="email", agent="ana", answers=("x1",)))
    assert scene.contact(name).resolved_at is not None
    assert scene.engine.state.efforts == {}


def test_what_words_say_of_effort_refines_what_is_usual() -> None:
    """A contact whose words say half as long again counts twelve minutes instead of eight; another one counts eight."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("p1", effort=(15_000, 5_000, 40_000))
    scene.mail("p2")
    assert sorted((credited(scene), credited(scene, "ben"))) == [8, 12]
    found = scene.contact("c1")
    assert learning.spread(scene.engine.state, found) == (4 * MINUTE, 32 * MINUTE)
    assert learning.spread(scene.engine.state, scene.contact("c2")) is None


def test_the_share_follows_a_contact_to_another_topic() -> None:
    """Found to be about bags, which take a minute, it is expected to take half as long again as those."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("p1", effort=(15_000, 5_000, 40_000))
    scene.contact("c1").topics = (("bags", 10_000),)
    assert learning.expected(scene.engine.state, scene.contact("c1")) == 3 * MINUTE // 2


def test_what_it_took_the_first_time_is_remembered() -> None:
    """Twenty minutes until it was resolved; reopened and resolved again it still says twenty."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    scene.wait(20 * MINUTE)
    scene.resolve("c1")
    assert scene.contact("c1").took == 20 * MINUTE
    scene.mail("p1", thread="c1")
    scene.wait(3 * MINUTE)
    scene.resolve("c1")
    assert scene.contact("c1").took == 20 * MINUTE
