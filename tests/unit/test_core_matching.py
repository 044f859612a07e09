"""Who gets a contact, and which contact an agent gets next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.core import decisions as d
from router.core import matching
from router.core.transitions import ContactState
from router.core.values import Assign, Priority, Rule, Sla, Status, Team, Topic, When
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, SECOND, T0, Scene, agent, desk, pushing

SKILLED = {"refunds": 3}


def chosen(scene: Scene) -> d.AssignTo | d.OfferTo:
    """The one assignment or offer of the last record."""
    (found,) = [one for one in scene.last if isinstance(one, d.AssignTo | d.OfferTo)]
    return found


def test_only_the_able_are_considered() -> None:
    """Skill, level, language, kind, presence, and each reason is counted in words."""
    scene = Scene(
        desk(
            agent("able", skills={"refunds": 2, "lang:en": 1}),
            agent("low", skills={"refunds": 1, "lang:en": 1}),
            agent("mute", skills={"refunds": 2}),
            agent("chatty", skills={"refunds": 2, "lang:en": 1}, capacity={"chat": 1}),
            agent("small", skills={"refunds": 2, "lang:en": 1}, units=1),
            agent("gone", skills={"refunds": 2, "lang:en": 1}),
            agent("late", skills={"refunds": 2, "lang:en": 1}, calendar="night"),
            unit_costs={"email": 2},
            calendars={"night": ((T0 + HOUR, T0 + 2 * HOUR),)},
        ),
        away=("gone",),
    )
    scene.mail(language="en")
    explanation = scene.one(d.OfferTo).explanation
    assert (scene.one(d.OfferTo).agent, explanation.able) == ("able", 3)
    assert explanation.ruled_out == (
        ("no capacity for email", 2),
        ("off shift", 1),
        ("offline", 1),
        ("skill lang:en below 1", 1),
        ("skill refunds below 2", 1),
    )


def test_where_nobody_is_said_to_speak_a_language_everybody_may_be_written_in_it() -> None:
    """A language at level 0 rules nobody out, whatever else is asked for."""
    scene = Scene(desk(agent("able", skills={"refunds": 2}), agent("low"), language_level=0))
    scene.mail(language="en")
    explanation = scene.one(d.OfferTo).explanation
    assert (scene.one(d.OfferTo).agent, explanation.able) == ("able", 1)
    assert explanation.ruled_out == (("skill refunds below 2", 1),)


def test_capacity_counts_by_kind_and_in_units() -> None:
    """Two mails fill the kind; a message that costs two units does not fit beside one mail of three."""
    scene = Scene(pushing(agent("ana", skills=SKILLED, capacity={"email": 2, "messaging": 2}, units=3), unit_costs={
        "messaging": 2}))  # fmt: skip
    scene.mail("p1")
    scene.mail("p2")
    scene.mail("p3")
    assert scene.one(d.QueueContact).explanation.ruled_out == (("at capacity", 1),)  # type: ignore[union-attr]
    scene.mail("p4", channel="telegram", kind="messaging")
    assert scene.one(d.QueueContact).contact == "c4"
    scene.resolve("c1")
    assert chosen(scene).contact == "c3"


def test_the_least_utilised_gets_it() -> None:
    """Effort over available time decides, not the number of contacts."""
    topics = {"refund": Topic(id="refund", effort=20 * MINUTE), "bags": Topic(id="bags", effort=2 * MINUTE)}
    scene = Scene(pushing(*(agent(name, capacity={"email": 9}) for name in ("ana", "ben")), topics=topics, rules=()))
    got = []
    for number, topic in enumerate(("refund", "bags", "bags", "bags")):
        scene.mail(f"p{number}", topic)
        got.append(chosen(scene).agent)
    assert got == ["ana", "ben", "ben", "ben"]
    assert chosen(scene).explanation.deciding == "utilisation"


def test_within_a_band_the_one_with_the_least_scarce_other_skills_gets_it() -> None:
    """Whoever alone can do something else is kept free for that."""
    scene = Scene(pushing(agent("ana", skills={"refunds": 2, "rare": 1}), agent("ben", skills={"refunds": 2})))
    scene.mail()
    assert chosen(scene).agent == "ben"
    assert chosen(scene).explanation.deciding == "scarcity of other skills"
    assert [one.key[3] for one in chosen(scene).explanation.candidates] == [0, 200]


def test_then_the_longest_idle_then_the_id() -> None:
    """Equal in all else, who was given nothing for longest; equal in that too, the id decides."""
    scene = Scene(pushing(agent("ana", skills=SKILLED), agent("ben", skills=SKILLED)), away=("ana",))
    scene.at += SECOND
    scene.status("ana", Status.AVAILABLE)
    scene.mail("p1")
    assert (chosen(scene).agent, chosen(scene).explanation.deciding) == ("ben", "longest idle")
    level = Scene(pushing(agent("ben", skills=SKILLED), agent("ana", skills=SKILLED)))
    level.mail("p1")
    assert (chosen(level).agent, chosen(level).explanation.deciding) == ("ana", "id")


def test_preferred_skills_come_before_evenness() -> None:
    """Who has what is preferred gets it, though others did less."""
    rules = (Rule(when=When(topic="refund"), prefer=(("billing", 3), ("refunds", 4))),)
    scene = Scene(
        pushing(agent("ana", capacity={"email": 9}, skills={"billing": 3, "refunds": 4}), agent("ben"), rules=rules)
    )
    scene.mail("p1")
    scene.mail("p2")
    assert chosen(scene).agent == "ana"
    assert chosen(scene).explanation.deciding == "preferred skills"
    assert chosen(scene).explanation.candidates[1].why.startswith("lacks 2 preferred skills")


def test_who_served_the_customer_last_gets_the_next_contact() -> None:
    """On any channel, though others did less."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("p1")
    first = chosen(scene).agent
    scene.resolve("c1", first)
    scene.chat("p1")
    assert chosen(scene).agent == first
    assert chosen(scene).explanation.sticky == first
    assert chosen(scene).explanation.deciding == "who served this customer"
    assert chosen(scene).explanation.candidates[0].why.startswith("served this customer last")


def one_mail_each() -> Scene:
    """Ana served p1 last and is full; Ben is free."""
    scene = Scene(
        pushing(
            agent("ana", skills=SKILLED, capacity={"email": 1}), agent("ben", skills=SKILLED, capacity={"email": 1})
        )
    )
    scene.mail("p1")
    assert chosen(scene).agent == "ana"
    return scene


def test_a_contact_waits_for_its_agent_and_no_longer_than_the_clock_says() -> None:
    """A full agent is waited for for a minute, then anybody gets it."""
    scene = one_mail_each()
    scene.mail("p1")
    explanation = scene.one(d.QueueContact).explanation
    assert explanation is not None
    assert (explanation.sticky, explanation.candidates[0].agent) == ("ana", "ben")
    assert scene.engine.explain("c2").sticky == "ana"
    scene.wait(MINUTE - 1)
    assert scene.contact("c2").state is ContactState.WAITING
    scene.wait(1)
    assert scene.contact("c2").agent == "ben"


def test_its_agent_who_becomes_free_in_time_gets_it() -> None:
    """The preference is kept when it can be."""
    scene = one_mail_each()
    scene.mail("p1")
    scene.wait(30 * SECOND)
    scene.resolve("c1")
    assert chosen(scene).agent == "ana"
    assert chosen(scene).explanation.sticky == "ana"


def test_its_agent_who_leaves_is_not_waited_for() -> None:
    """What waits for somebody goes to others the moment they leave, and nobody waits for them from then on."""
    scene = one_mail_each()
    scene.mail("p1")
    scene.status("ana", Status.AWAY)
    assert (chosen(scene).contact, chosen(scene).agent) == ("c2", "ben")


def test_stickiness_is_never_over_skills() -> None:
    """The last agent cannot do this: another gets it at once."""
    scene = Scene(pushing(agent("ana"), agent("ben", skills=SKILLED)))
    scene.mail("p1", topic=None)
    assert chosen(scene).agent == "ana"
    scene.mail("p1", "refund")
    assert chosen(scene).agent == "ben"


# -- which contact -----------------------------------------------------------------------------------------------------

QUICK = Sla(first_response=10 * MINUTE)
SLOW = Sla(first_response=40 * MINUTE)
CLASSES = (Rule(when=When(topic="refund"), sla=QUICK), Rule(when=When(topic="bags"), sla=SLOW))


def single(**more: object) -> Scene:
    """One agent who does one mail at a time, and has one."""
    scene = Scene(pushing(agent("ana", capacity={"email": 1}), rules=CLASSES, sticky_wait=0, **more))
    scene.mail("p0")
    return scene


def served(scene: Scene, count: int) -> list[str]:
    """What the agent gets next, one after the other."""
    order = []
    for _ in range(count):
        (held,) = scene.engine.state.agents["ana"].held
        scene.resolve(held)
        order.append(chosen(scene).contact)
    return order


def test_due_time_decides_who_is_served_next() -> None:
    """Sooner promised goes first, whatever came first."""
    scene = single()
    scene.mail("p1", "bags")
    scene.mail("p2", "refund")
    assert served(scene, 2) == ["c3", "c2"]


def test_first_come_is_first_served_among_equals() -> None:
    """Same promise, same priority: the order of arrival, ties by number."""
    scene = single()
    for number in range(1, 4):
        scene.mail(f"p{number}", "refund")
        scene.at += number == 2
    assert served(scene, 3) == ["c2", "c3", "c4"]


def test_priority_is_a_credit_of_waiting_time_and_starves_nobody() -> None:
    """Urgent is worth ten minutes: less than an hour's earlier arrival."""
    rules = (Rule(when=When(topic="bags"), priority=Priority.URGENT),)
    scene = Scene(pushing(agent("ana", capacity={"email": 1}), rules=rules, sticky_wait=0))
    scene.mail("p0")
    scene.mail("p1")
    scene.at += HOUR
    scene.mail("p2")
    scene.mail("p3", "bags")
    assert served(scene, 3) == ["c2", "c4", "c3"]


def test_one_due_within_a_minute_goes_before_one_that_has_missed_but_not_for_ever() -> None:
    """The missed one is passed over three times, then its turn has come."""
    scene = single()
    scene.mail("p1", "refund")  # missed after 10 minutes
    scene.wait(10 * MINUTE)
    for number in range(5):
        scene.mail(f"q{number}", "refund")
    scene.wait(9 * MINUTE + 30 * SECOND)  # all five are due within a minute
    assert served(scene, 4) == ["c3", "c4", "c5", "c2"]
    assert scene.contact("c2").passed == 0


def test_a_missed_one_goes_before_one_with_time_left() -> None:
    """Nothing is due soon: the oldest broken promise is next."""
    scene = single()
    scene.mail("p1", "refund")
    scene.mail("p2", "bags")
    scene.wait(11 * MINUTE)
    assert scene.contact("c2").missed
    assert served(scene, 2) == ["c2", "c3"]


def test_without_a_promise_eight_hours_are_supposed() -> None:
    """A contact without targets is in line all the same, and never missed."""
    scene = Scene(pushing(agent("ana", capacity={"email": 1}), rules=(), sla=Sla(), sticky_wait=0))
    scene.mail("p0")
    scene.mail("p1")
    assert scene.one(d.QueueContact).due == T0 + 8 * HOUR
    scene.wait(9 * HOUR)
    assert not scene.contact("c2").missed
    assert served(scene, 1) == ["c2"]


def test_several_who_come_free_at_once_get_the_most_urgent_first_evenly() -> None:
    """Three agents start their shift before 18 mails: six each, the most urgent first."""
    names = ("ana", "ben", "caz")
    shift = ((T0 + HOUR, T0 + 9 * HOUR),)
    scene = Scene(
        pushing(*(agent(name, capacity={"email": 10}, calendar="day") for name in names), calendars={"day": shift})
    )
    for number in range(18):
        scene.mail(f"p{number}", "bags")
    scene.wait(HOUR)
    assert [len(scene.engine.state.agents[name].held) for name in names] == [6, 6, 6]


def test_nobody_is_given_work_after_hours_though_the_timer_is_late() -> None:
    """The shift is over and its timer has not fired: the contact waits, or goes to somebody at work."""
    shift = ((T0, T0 + HOUR),)
    scene = Scene(pushing(agent("ana", calendar="day"), agent("ben"), calendars={"day": shift}))
    scene.at = T0 + HOUR
    scene.mail("p1", topic=None)
    assert chosen(scene).agent == "ben"
    alone = Scene(pushing(agent("ana", calendar="day", capacity={"email": 1}), calendars={"day": shift}))
    alone.mail("p1", topic=None)
    alone.mail("p2", topic=None)
    alone.at = T0 + HOUR
    alone.resolve("c1")
    assert alone.contact("c2").state is ContactState.WAITING
    assert alone.engine.explain("c2").ruled_out == (("off shift", 1),)


def test_teams_may_be_pushed_or_asked() -> None:
    """An agent whose team is not known is asked."""
    teams = {"front": Team(id="front", assign=Assign.PUSH)}
    scene = Scene(desk(agent("ana", team="unknown"), teams=teams, rules=()))
    scene.mail()
    assert isinstance(chosen(scene), d.OfferTo)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=30))
def test_an_agent_is_never_over_capacity_and_nothing_waits_beside_a_free_one(steps: list[tuple[bool, int]]) -> None:
    """However arrivals and answers mix, one agent of two holds two at most, and the queue is empty otherwise."""
    scene = Scene(pushing(agent("ana", capacity={"email": 2})))
    for number, (arrives, pick) in enumerate(steps):
        held = list(scene.engine.state.agents["ana"].held)
        if arrives or not held:
            scene.mail(f"p{number}", topic=None)
        else:
            scene.resolve(held[pick % len(held)])
        waiting = len(scene.engine.index.entries)
        assert len(scene.engine.state.agents["ana"].held) == min(
            2, waiting + len(scene.engine.state.agents["ana"].held)
        )


def test_classes_of_urgency() -> None:
    """A missed one passed over often enough, then due soon, then missed, then the rest."""
    scene = single()
    scene.mail("p1", "refund")
    contact = scene.contact("c2")
    now = scene.at
    assert matching.urgency(contact, now)[0] == 3
    assert matching.urgency(contact, now + 9 * MINUTE)[0] == 1
    contact.missed = True
    assert matching.urgency(contact, now)[0] == 2
    contact.passed = matching.PASSES_MAX
    assert matching.urgency(contact, now)[0] == 0


def test_a_team_may_rank_by_longest_idle_alone() -> None:
    """Who did most gets it if idle longest; elsewhere effort decides, and contacts of no team are spread evenly."""
    teams = {"front": Team(id="front", assign=Assign.PUSH, strategy="longest-idle")}
    rules = (Rule(when=When(topic="refund"), team="front"),)
    topics = {"refund": Topic(id="refund", effort=60 * MINUTE), "bags": Topic(id="bags", effort=MINUTE)}
    roster = (agent(name, capacity={"email": 9}) for name in ("ana", "ben"))
    scene = Scene(desk(*roster, teams=teams, rules=rules, topics=topics))
    got = []
    for number, topic in enumerate(("refund", "bags", "refund", "bags")):
        scene.at += SECOND
        scene.mail(f"p{number}", topic)
        got.append((chosen(scene).agent, chosen(scene).explanation.deciding))
    assert got == [("ana", "id"), ("ben", "utilisation"), ("ana", "longest idle"), ("ben", "utilisation")]
