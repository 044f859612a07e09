"""Who comes first in the morning gets a share of the night's mail; the rest is left to those about to start."""

from __future__ import annotations

from router.core import decisions as d
from router.core.invariants import check_idle
from router.core.values import Status, Workspace
from tests.support.engine_scene import HOUR, MINUTE, T0, Scene, agent, pushing

DAY = ((T0 + HOUR, T0 + 9 * HOUR),)
NAMES = ("ana", "ben", "caz")


def night(**more: object) -> Scene:
    """Eighteen mails came in the night, for three who can take ten each and whose shift begins in an hour."""
    roster = [agent(name, skills={"refunds": 2}, calendar="day", capacity={"email": 10, "chat": 3}) for name in NAMES]
    workspace: Workspace = pushing(*roster, calendars={"day": DAY}, ramp=15 * MINUTE, **more)
    scene = Scene(workspace, away=NAMES)
    for number in range(18):
        scene.mail(f"p{number}")
    scene.wait(HOUR + MINUTE)
    return scene


def held(scene: Scene) -> list[int]:
    """How many each holds."""
    return [len(scene.engine.state.agents[name].held) for name in NAMES]


def test_the_first_gets_a_share_and_so_do_the_others() -> None:
    """Eighteen for three who come one after the other: six each, not ten, eight and none."""
    scene = night()
    scene.status("ana", Status.AVAILABLE)
    assert held(scene) == [6, 0, 0]
    scene.wait(2 * MINUTE)
    scene.status("ben", Status.AVAILABLE)
    assert held(scene) == [6, 6, 0]
    scene.wait(2 * MINUTE)
    scene.status("caz", Status.AVAILABLE)
    assert held(scene) == [6, 6, 6]


def test_what_comes_in_meanwhile_is_shared_too_and_the_record_says_why_it_waits() -> None:
    """A nineteenth raises the share to seven, and Ana takes it; the next two wait beside her free places."""
    scene = night()
    scene.status("ana", Status.AVAILABLE)
    scene.mail("p18")
    assert held(scene) == [7, 0, 0]
    scene.mail("p19")
    explanation = scene.one(d.QueueContact).explanation
    assert explanation is not None
    assert set(explanation.ruled_out) == {("offline", 2), ("leaves some to those about to start", 1)}
    assert explanation.reserve == ()
    assert scene.engine.state.contacts[scene.chat("p20")].agent == "ana"  # a chat waits for nobody's shift


def test_the_auditor_excuses_what_is_left_to_those_about_to_start_and_nothing_else() -> None:
    """Mails beside Ana's free places are in order while Ben and Caz are awaited, a chat there would not be."""
    scene = night()
    scene.status("ana", Status.AVAILABLE)
    assert held(scene) == [6, 0, 0]
    assert check_idle(scene.engine.state) == []
    waiting = next(one for one in scene.engine.state.contacts.values() if one.agent is None)
    waiting.kind = "chat"
    assert [one.oracle for one in check_idle(scene.engine.state)] == ["I5"]
    waiting.kind = "email"
    scene.engine.state.agents["ben"].shift_began = scene.engine.state.agents["caz"].shift_began = None
    assert len(check_idle(scene.engine.state)) == 12


def test_mails_wait_for_nobody_who_could_not_serve_them() -> None:
    """Of those about to start none has the skill: Ana, who does, takes all that fits."""
    ana = agent("ana", skills={"refunds": 2}, capacity={"email": 10})
    ben = agent("ben", skills={}, capacity={"email": 10}, calendar="day")
    scene = Scene(pushing(ana, ben, calendars={"day": DAY}, ramp=15 * MINUTE), away=("ana", "ben"))
    for number in range(4):
        scene.mail(f"p{number}")
    scene.wait(50 * MINUTE)
    scene.status("ana", Status.AVAILABLE)
    assert len(scene.engine.state.agents["ana"].held) == 4


def test_whoever_does_not_come_is_waited_for_no_longer_than_the_ramp() -> None:
    """After a quarter of an hour Ana gets all that fits; who says that they are away is not waited for at all."""
    scene = night()
    scene.status("ana", Status.AVAILABLE)
    scene.wait(13 * MINUTE)
    assert held(scene) == [6, 0, 0]
    scene.wait(2 * MINUTE)
    assert held(scene) == [10, 0, 0]
    scene = night()
    scene.status("ana", Status.AVAILABLE)
    scene.status("ben", Status.AWAY)
    assert held(scene) == [9, 0, 0]
    scene.status("caz", Status.BUSY)
    assert held(scene) == [10, 0, 0]


def test_shifts_that_are_about_to_begin_count() -> None:
    """Who is there ten minutes early leaves the others theirs; an hour early, nobody else is near."""
    early = agent("eve", skills={"refunds": 2}, capacity={"email": 10})
    late = agent("ana", skills={"refunds": 2}, capacity={"email": 10}, calendar="day")
    scene = Scene(pushing(early, late, calendars={"day": DAY}, ramp=15 * MINUTE), away=("eve", "ana"))
    for number in range(4):
        scene.mail(f"p{number}")
    scene.wait(50 * MINUTE)
    scene.status("eve", Status.AVAILABLE)
    assert len(scene.engine.state.agents["eve"].held) == 2
    assert check_idle(scene.engine.state) == []
    scene = Scene(pushing(early, late, calendars={"day": DAY}, ramp=15 * MINUTE), away=("eve", "ana"))
    for number in range(4):
        scene.mail(f"p{number}")
    scene.status("eve", Status.AVAILABLE)
    assert len(scene.engine.state.agents["eve"].held) == 4


def test_without_a_ramp_the_first_takes_all_that_fits() -> None:
    """Nought switches it off."""
    roster = [agent(name, skills={"refunds": 2}, calendar="day", capacity={"email": 10}) for name in NAMES]
    scene = Scene(pushing(*roster, calendars={"day": DAY}), away=NAMES)
    for number in range(18):
        scene.mail(f"p{number}")
    scene.wait(HOUR)
    for name in NAMES:
        scene.status(name, Status.AVAILABLE)
    assert held(scene) == [10, 8, 0]


def test_when_all_start_at_once_one_joint_pass_spreads_it() -> None:
    """All three had said that they are available before: the shift's begin gives six to each."""
    roster = [agent(name, skills={"refunds": 2}, calendar="day", capacity={"email": 10}) for name in NAMES]
    scene = Scene(pushing(*roster, calendars={"day": DAY}, ramp=15 * MINUTE))
    for number in range(18):
        scene.mail(f"p{number}")
    scene.wait(HOUR)
    assert held(scene) == [6, 6, 6]
