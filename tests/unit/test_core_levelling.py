"""Where the workspace says so, a mail is left for a while to whoever did least, and the others stay free."""

from __future__ import annotations

import msgspec

from router.core import decisions as d
from router.core.invariants import check_idle
from router.core.values import Rule, Status, Team, When, Workspace
from tests.support.engine_scene import HOUR, MINUTE, Scene, agent, desk, pushing

EVEN = {"email": 30 * MINUTE}
BOTH = {"refunds": 2, "bags": 1}


def two(**more: object) -> Workspace:
    """Ana and Ben can do the same, one mail or chat at a time."""
    more.setdefault("even_out", EVEN)
    more.setdefault("sticky_wait", 0)
    roster = [agent(name, skills=BOTH, capacity={"email": 1, "chat": 1}, units=1) for name in ("ana", "ben")]
    return pushing(*roster, **more)


def ahead(workspace: Workspace) -> Scene:
    """Ana did a mail that took half an hour; Ben has just been given one."""
    scene = Scene(workspace)
    first = scene.mail("p1")
    assert scene.contact(first).agent == "ana"
    scene.wait(30 * MINUTE)
    scene.resolve(first)
    second = scene.mail("p2")
    assert scene.contact(second).agent == "ben"
    return scene


def test_a_mail_waits_for_the_one_who_did_least_and_the_record_says_so() -> None:
    """Ana is free and leaves it to Ben, who is busy; a chat she gets at once; the auditor finds that in order."""
    scene = ahead(two())
    name = scene.mail("p3")
    assert scene.contact(name).agent is None
    explanation = scene.one(d.QueueContact).explanation
    assert explanation is not None
    assert dict(explanation.ruled_out) == {"at capacity": 1, "leaves it to who did less": 1}
    assert explanation.reserve == ()
    assert check_idle(scene.engine.state) == []
    told = [(one.agent, one.change) for one in scene.engine.would_have(name)]
    assert told == [("ben", "room"), ("ana", "utilisation")]
    assert scene.contact(scene.chat("p4")).agent == "ana"
    scene.resolve("c2", "ben")
    assert scene.contact(name).agent == "ben"


def test_it_waits_no_longer_than_the_workspace_says() -> None:
    """After half an hour whoever is free gets it, and what came after it still waits."""
    scene = ahead(two(even_out={"email": 3 * MINUTE}))
    name = scene.mail("p3")
    scene.wait(MINUTE)
    later = scene.mail("p4")
    assert scene.contact(name).agent is None
    scene.wait(2 * MINUTE)
    assert scene.contact(name).agent == "ana"
    assert not scene.contact(name).evened
    assert scene.contact(later).agent is None


def test_nothing_that_missed_its_promise_waits_for_that() -> None:
    """The promise is shorter than the wait: when it is broken anybody gets it."""
    rule = Rule(when=When(topic="refund"), require=(("refunds", 2),))
    workspace = two(rules=(rule,))
    scene = ahead(msgspec.structs.replace(workspace, sla=msgspec.structs.replace(workspace.sla, first_response=MINUTE)))
    name = scene.mail("p3")
    scene.wait(MINUTE - 1)
    assert scene.contact(name).agent is None
    scene.wait(1)
    assert scene.contact(name).agent == "ana"


def test_nobody_waits_for_somebody_who_is_gone_and_all_look_again_when_one_goes() -> None:
    """Ben goes: Ana is the one who did least of those who are here."""
    scene = ahead(two())
    name = scene.mail("p3")
    scene.status("ben", Status.AWAY)
    assert scene.contact(name).agent == "ana"


def test_whoever_served_the_customer_last_takes_it_at_once() -> None:
    """Stickiness comes first: on arrival, and when they become free."""
    scene = ahead(two())
    assert scene.contact(scene.mail("p1")).agent == "ana"
    again = scene.mail("p1")
    assert scene.contact(again).agent is None
    scene.resolve("c3")
    assert scene.contact(again).agent == "ana"


def test_what_somebody_declined_waits_for_nobody() -> None:
    """Ben declines it: Ana is asked, although she did more."""
    workspace = msgspec.structs.replace(two(), teams={"front": Team(id="front")})
    scene = Scene(workspace)
    scene.mail("p1")
    scene.accept("c1")
    scene.wait(30 * MINUTE)
    scene.resolve("c1")
    name = scene.mail("p2")
    assert scene.contact(name).offer.agent == "ben"  # type: ignore[union-attr]
    scene.decline(name)
    assert scene.contact(name).offer.agent == "ana"  # type: ignore[union-attr]


def test_who_becomes_free_takes_what_others_declined_and_leaves_the_rest() -> None:
    """Of two mails in the line Ana gets the one that Ben declined while she was busy."""
    teams = {"front": Team(id="front")}
    scene = Scene(msgspec.structs.replace(two(), teams=teams), away=("ben",))
    scene.mail("p1")
    scene.accept("c1")
    scene.wait(31 * MINUTE)
    scene.status("ben", Status.AVAILABLE)
    first = scene.mail("p2")
    scene.accept(first, "ben")
    other, third = scene.mail("p3"), scene.mail("p4")
    scene.resolve(first, "ben")
    assert scene.contact(other).offer.agent == "ben"  # type: ignore[union-attr]
    scene.decline(other)
    assert scene.contact(third).offer.agent == "ben"  # type: ignore[union-attr]
    fourth = scene.mail("p5")
    scene.resolve("c1")
    assert scene.contact(other).offer.agent == "ana"  # type: ignore[union-attr]
    assert scene.contact(fourth).offer is None


def test_a_preferred_skill_comes_before_evenness() -> None:
    """Ana alone has what is preferred: she gets it, however little Ben did; of a team by longest idle all get it."""
    rule = Rule(when=When(topic="refund"), require=(("refunds", 2),), prefer=(("nice", 1),))
    ana = agent("ana", skills={**BOTH, "nice": 1}, capacity={"email": 2})
    ben = agent("ben", skills=BOTH, capacity={"email": 2})
    scene = Scene(pushing(ana, ben, rules=(rule,), even_out=EVEN))
    assert [scene.contact(scene.mail(f"p{number}")).agent for number in range(3)] == ["ana", "ana", None]
    by_idle = msgspec.structs.replace(rule, prefer=(), team="front")
    teams = {"front": Team(id="front", strategy="longest-idle")}
    scene = Scene(desk(ana, ben, rules=(by_idle,), even_out=EVEN, teams=teams))
    names = [scene.mail(f"p{number}") for number in range(4)]
    assert None not in [scene.contact(name).offer for name in names]
    scene.mail("p9")
    scene.decline(names[0])
    assert scene.contact("c5").offer is not None


def test_nobody_is_here() -> None:
    """A mail that comes at night waits as any other, and goes to the first who comes."""
    scene = Scene(two(), away=("ana", "ben"))
    name = scene.mail("p1")
    scene.wait(HOUR)
    assert scene.contact(name).evened
    scene.status("ben", Status.AVAILABLE)
    assert scene.contact(name).agent == "ben"
    assert not scene.contact(name).evened
