"""Rules: first to last, later ones refine."""

from __future__ import annotations

from router.core.rules import Facts, apply_rules, effort_of, relaxed, sort_topics, waived
from router.core.values import (
    Escalation,
    Priority,
    Relax,
    Requirement,
    Rule,
    Sla,
    Team,
    Topic,
    When,
    Workspace,
)

TOPICS = {name: Topic(id=name, effort=number) for number, name in enumerate(("refund", "bags", "pets"), 1)}


def facts(best: str | None = None, others: tuple[str, ...] = (), language: str | None = None) -> Facts:
    """Facts of a mail."""
    return Facts(channel="email", kind="email", account="help", best=best, others=others, language=language)


def test_skills_are_merged_and_the_rest_is_replaced() -> None:
    """A later rule adds skills, overrides a level, and replaces priority, promises, team and escalation."""
    workspace = Workspace(
        name="w",
        topics=TOPICS,
        rules=(
            Rule(
                when=When(topic="refund"), require=(("refunds", 2),), prefer=(("billing", 4),), priority=Priority.HIGH,
                sla=Sla(first_response=1), team="one", escalate=(Escalation(share=1),),
            ),
            Rule(
                when=When(channel="email"), require=(("refunds", 3), ("mail", 1)), priority=Priority.LOW,
                sla=Sla(resolution=2), team="two", escalate=(Escalation(share=9), Escalation(share=5)),
            ),
            Rule(when=When(kind="chat"), require=(("chat", 1),), team="three"),
        ),
    )  # fmt: skip
    outcome = apply_rules(workspace, facts("refund"))
    assert outcome.requirement == Requirement(must=(("mail", 1), ("refunds", 3)), prefer=(("billing", 4),))
    assert (outcome.priority, outcome.sla, outcome.team) == (Priority.LOW, Sla(resolution=2), "two")
    assert [step.share for step in outcome.escalate] == [5, 9]


def test_only_the_best_topic_is_a_must() -> None:
    """The skills of other topics become preferences, and their rules decide nothing else."""
    workspace = Workspace(
        name="w",
        topics=TOPICS,
        rules=(
            Rule(when=When(topic="refund"), require=(("refunds", 2), ("mail", 1))),
            Rule(when=When(topic="bags"), require=(("bags", 3), ("mail", 1)), team="bags", priority=Priority.URGENT),
            Rule(when=When(topic="pets"), require=(("pets", 3),)),
        ),
    )
    outcome = apply_rules(workspace, facts("refund", ("bags",)))
    assert outcome.requirement == Requirement(must=(("mail", 1), ("refunds", 2)), prefer=(("bags", 3),))
    assert (outcome.team, outcome.priority) == (None, Priority.NORMAL)


def test_an_unsure_topic_goes_where_unsure_says() -> None:
    """Nothing is a must; a rule may still name a team."""
    rules = (Rule(when=When(topic="refund"), require=(("refunds", 2),)),)
    teams = {"triage": Team(id="triage")}
    workspace = Workspace(name="w", topics=TOPICS, rules=rules, teams=teams)
    outcome = apply_rules(workspace, facts(None, ("refund",)))
    assert outcome.requirement == Requirement(prefer=(("refunds", 2),))
    assert outcome.team == "triage"
    named = Workspace(name="w", topics=TOPICS, rules=(Rule(when=When(account="help"), team="front"),), teams=teams)
    assert apply_rules(named, facts()).team == "front"
    assert apply_rules(Workspace(name="w", teams=teams), facts()).team is None


def test_a_language_of_the_workspace_is_a_must() -> None:
    """Spanish needs lang:es at the workspace's level, or more if a rule says so; an unknown language needs nothing."""
    workspace = Workspace(name="w", languages=("en", "es"), language_level=3)
    assert apply_rules(workspace, facts(language="es")).requirement.must == (("lang:es", 3),)
    assert apply_rules(workspace, facts(language="fr")).requirement.must == ()
    stricter = Workspace(
        name="w", languages=("es",), rules=(Rule(when=When(language="es"), require=(("lang:es", 5),)),)
    )
    assert apply_rules(stricter, facts(language="es")).requirement.must == (("lang:es", 5),)


def test_a_tier_sets_the_priority_until_a_rule_does() -> None:
    """Gold customers come first unless a rule knows better."""
    gold = Facts(channel="email", kind="email", account="help", tier="gold")
    workspace = Workspace(name="w", tiers={"gold": Priority.HIGH})
    assert apply_rules(workspace, gold).priority is Priority.HIGH
    ruled = Workspace(
        name="w", tiers={"gold": Priority.HIGH}, rules=(Rule(when=When(tier="gold"), priority=Priority.LOW),)
    )
    assert apply_rules(ruled, gold).priority is Priority.LOW


def test_topics_are_sorted_into_best_and_others() -> None:
    """Unknown topics drop out; below the threshold the best is only a guess; a person's word holds."""
    workspace = Workspace(name="w", topics=TOPICS, topic_threshold=5_000)
    assert sort_topics(workspace, ()) == (None, ())
    assert sort_topics(workspace, (("gone", 9_000),)) == (None, ())
    assert sort_topics(workspace, (("refund", 9_000), ("bags", 6_000), ("pets", 100))) == ("refund", ("bags",))
    assert sort_topics(workspace, (("refund", 4_999), ("bags", 1_000))) == (None, ("refund",))
    assert sort_topics(workspace, (("refund", 1), ("bags", 1)), certain=True) == ("refund", ("bags",))
    several = Workspace(name="w", topics=TOPICS, topic_threshold=9_000, topic_also=2_000)
    assert sort_topics(several, (("refund", 9_000), ("bags", 2_000), ("pets", 1_999))) == ("refund", ("bags",))
    assert sort_topics(several, (("refund", 8_999), ("bags", 8_000))) == (None, ("refund",))


def test_relaxation_drops_preferences_and_lowers_levels_but_languages() -> None:
    """Steps add up; nobody is asked for less than level 1; a language stays what it is."""
    workspace = Workspace(
        name="w", relax=(Relax(after=1, drop="prefer"), Relax(after=2, lower=2), Relax(after=3, widen="team"))
    )
    full = Requirement(must=(("a", 2), ("b", 5), ("lang:en", 3)), prefer=(("c", 1),))
    assert relaxed(workspace, full, 0) == full
    assert relaxed(workspace, full, 1) == Requirement(must=full.must)
    assert relaxed(workspace, full, 3) == Requirement(must=(("a", 1), ("b", 3), ("lang:en", 3)))


def test_what_nobody_can_do_becomes_a_wish() -> None:
    """Triage gets every must as a preference."""
    assert waived(Requirement(must=(("b", 2),), prefer=(("a", 1),))) == Requirement(prefer=(("a", 1), ("b", 2)))


def test_effort_is_that_of_the_first_known_topic() -> None:
    """Without a known topic it is the workspace's default."""
    workspace = Workspace(name="w", topics=TOPICS, default_effort=77)
    assert effort_of(workspace, (("gone", 1), ("bags", 1))) == ("bags", 2)
    assert effort_of(workspace, ()) == ("", 77)


def test_a_mood_is_asked_for_by_name() -> None:
    """A rule for angry customers counts for those who sound angry, whatever else they sound; others it leaves alone."""
    workspace = Workspace(
        name="w", topics=TOPICS, rules=(Rule(when=When(mood="angry"), priority=Priority.URGENT, team="calmers"),)
    )
    calm = facts("refund")
    both = Facts(channel="email", kind="email", account="help", best="refund", moods=("angry", "urgent"))
    urgent = Facts(channel="email", kind="email", account="help", best="refund", moods=("urgent",))
    outcomes = [apply_rules(workspace, found) for found in (calm, both, urgent)]
    assert [one.priority for one in outcomes] == [Priority.NORMAL, Priority.URGENT, Priority.NORMAL]
    assert [one.team for one in outcomes] == [None, "calmers", None]
