"""The clock jumps: what is counted in people's attention moves along, what is promised in wall time stands."""

from __future__ import annotations

from router.core import decisions as d
from router.core import events as e
from router.core.transitions import ContactState
from router.core.values import Relax, Status
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, T0, Scene, desk, pushing

DAY = 24 * HOUR


def jump(scene: Scene, by: int, *, taken: bool = True) -> None:
    """The clock is set; what is due then fires."""
    scene.at += max(0, by) if taken else 0
    scene.apply(e.ClockJumped(at=scene.at, by_ms=by, taken=taken))
    scene.wait(0)


def test_offers_keep_the_time_that_was_left() -> None:
    """After a day's jump offers stand, and lapse when their agents have had the time that was promised."""
    scene = Scene(desk(ANA, BEN, accept_within={"email": 2 * MINUTE}))
    scene.mail("p1")
    scene.mail("p2")
    scene.wait(MINUTE)
    jump(scene, DAY)
    for name in ("c1", "c2"):
        offer = scene.contact(name).offer
        assert scene.contact(name).state is ContactState.OFFERED
        assert offer is not None
        assert (offer.at, offer.until) == (T0 + DAY, T0 + DAY + 2 * MINUTE)
    scene.wait(MINUTE)
    assert [one.reason for one in scene.last if isinstance(one, d.RescindOffer)]


def test_promises_in_wall_time_stand() -> None:
    """Targets, snoozes and the reopen window are where they were, and fire if the jump leapt over them."""
    scene = Scene(pushing(ANA, reopen_window=2 * DAY))
    for sender in ("p1", "p2"):
        scene.mail(sender)
    scene.snooze("c1", 3 * HOUR)
    scene.resolve("c2")
    scene.mail("p3", topic="bags")
    due = scene.contact("c3").due
    jump(scene, HOUR)
    assert scene.contact("c3").due == due
    assert scene.contact("c1").snoozed_until == T0 + 3 * HOUR
    jump(scene, 2 * HOUR)
    assert scene.contact("c1").state is ContactState.ASSIGNED
    jump(scene, 2 * DAY)
    assert "c2" not in scene.engine.state.contacts


def test_waiting_for_the_own_agent_goes_on() -> None:
    """A customer whose agent is full waits for them as long as without the jump, and not a moment longer."""
    scene = Scene(pushing(ANA, BEN, sticky_wait=MINUTE, rules=()))
    scene.mail("p1")
    mine = scene.contact("c1").agent
    assert mine is not None
    scene.wait(MINUTE)
    scene.mail("p8")
    scene.mail("p9")
    scene.mail("p7")
    scene.mail("p1", topic="bags")
    waiting = scene.contact("c5")
    other = next(name for name in ("ana", "ben") if name != mine)
    assert waiting.sticky_until == T0 + 2 * MINUTE
    scene.wait(MINUTE // 2)
    scene.resolve(next(c.id for c in scene.engine.state.contacts.values() if c.agent == other), other)
    assert waiting.state is ContactState.WAITING
    jump(scene, HOUR)
    assert waiting.sticky_until == scene.at + MINUTE // 2
    scene.wait(MINUTE // 2)
    assert waiting.agent == other


def test_relaxation_counts_the_time_that_was_waited() -> None:
    """An hour's jump relaxes nothing; the step comes when the contact has truly waited for it."""
    scene = Scene(desk(ANA, relax=(Relax(after=10 * MINUTE, drop="prefer"),)), away=("ana",))
    scene.mail("p1")
    scene.wait(4 * MINUTE)
    jump(scene, HOUR)
    assert scene.contact("c1").relaxed == 0
    scene.wait(6 * MINUTE)
    assert scene.contact("c1").relaxed == 1


def test_a_new_turn_counts_from_its_own_beginning() -> None:
    """What was jumped over before a customer wrote again does not lengthen what follows."""
    scene = Scene(pushing(ANA))
    scene.mail("p1")
    jump(scene, HOUR)
    assert scene.contact("c1").paused == HOUR
    scene.reply("c1")
    scene.mail("p1", thread="c1")
    assert scene.contact("c1").paused == 0
    scene.resolve("c1")
    jump(scene, HOUR)
    assert scene.contact("c1").paused == 0
    scene.mail("p1", thread="c1")
    assert scene.contact("c1").state is ContactState.ASSIGNED


def test_an_absent_owner_has_the_time_that_was_left() -> None:
    """Handing back waits for its own span of attended time, not for the jump."""
    scene = Scene(pushing(ANA, hand_back={"email": 10 * MINUTE}))
    scene.mail("p1")
    scene.status("ana", Status.OFFLINE)
    scene.wait(4 * MINUTE)
    jump(scene, HOUR)
    assert scene.contact("c1").agent == "ana"
    scene.wait(6 * MINUTE)
    assert scene.contact("c1").state is ContactState.WAITING


def test_all_declined_are_asked_again_after_attended_time() -> None:
    """The pause before those who declined are asked again is not jumped over."""
    scene = Scene(desk(ANA))
    scene.mail("p1")
    scene.decline("c1")
    scene.wait(MINUTE)
    again = scene.contact("c1").ask_again_at
    assert again is not None
    jump(scene, HOUR)
    assert scene.contact("c1").ask_again_at == again + HOUR
    assert scene.contact("c1").state is ContactState.WAITING


def test_the_time_jumped_over_is_nobodys_presence() -> None:
    """Available time does not grow by a jump, so that evenness stays as it was."""
    scene = Scene(desk(ANA, BEN), away=("ben",))
    scene.wait(10 * MINUTE)
    jump(scene, HOUR)
    ana, ben = (scene.engine.state.agents[name] for name in ("ana", "ben"))
    assert ana.available_since == T0 + HOUR
    assert ben.available_since is None
    assert ana.idle_since == T0 + HOUR


def test_a_jump_to_the_back_or_one_not_taken_changes_nothing() -> None:
    """Both are notes in the journal: engine time goes on without a step."""
    scene = Scene(desk(ANA))
    scene.mail("p1")
    offer = scene.contact("c1").offer
    assert offer is not None
    until = offer.until
    jump(scene, -HOUR)
    jump(scene, HOUR, taken=False)
    assert (offer.until, scene.contact("c1").paused, scene.engine.state.at) == (until, 0, T0)


def test_nothing_moves_into_the_future() -> None:
    """A jump that claims more than went by leaves no instant of the past behind engine time."""
    scene = Scene(desk(ANA))
    scene.mail("p1")
    scene.apply(e.ClockJumped(at=T0 + MINUTE, by_ms=HOUR))
    ana, offer = scene.engine.state.agents["ana"], scene.contact("c1").offer
    assert offer is not None
    assert max(ana.idle_since, ana.status_since, ana.available_since or 0, offer.at) <= T0 + MINUTE
