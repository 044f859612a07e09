"""Where the workspace says so, agents are compared by what they will likely have done when their shift ends."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core import decisions as d
from router.core import foresight, ledger
from router.core.engine import Engine
from router.core.events import TimePassed
from router.core.state import AgentState, Rhythm, State
from router.core.values import WHOLE, Requirement, Status, Workspace
from tests.support.engine_scene import HOUR, MINUTE, T0, Scene, agent, pushing

DAY = 24 * HOUR
EARLY = tuple((T0 + day * DAY, T0 + day * DAY + 8 * HOUR) for day in range(4))  # 08:00 to 16:00
LATE = tuple((opens + 4 * HOUR, closes + 4 * HOUR) for opens, closes in EARLY)  # 12:00 to 20:00
SLOT = 90 * MINUTE
EVENING = 12  # the slot that begins at 18:00
REFUND = Requirement(must=(("refunds", 2),))


def roster(*, look_ahead: bool = True, **more: object) -> Workspace:
    """Ana works early and Ben late; Eve, who has no hours, cannot do refunds."""
    can: dict[str, Any] = {"skills": {"refunds": 2}, "capacity": {"email": 50}}
    return pushing(
        agent("ana", calendar="early", **can), agent("ben", calendar="late", **can), agent("eve"),
        calendars={"early": EARLY, "late": LATE}, look_ahead=look_ahead, **more,
    )  # fmt: skip


def rhythm(usual: int, evening: int, level: int = WHOLE) -> Rhythm:
    """So many minutes of effort in an hour of the day, and of the evening."""
    efforts = [(evening if slot >= EVENING else usual) * MINUTE for slot in range(ledger.SLOTS)]
    return Rhythm(effort=efforts, presence=[HOUR] * ledger.SLOTS, level=level)


def afternoon(workspace: Workspace, known: Rhythm | None) -> Engine:
    """13:00. Ana was at work for half of five hours, Ben for 33 minutes of one."""
    at = T0 + 5 * HOUR
    slot = at // SLOT
    agents = {
        "ana": AgentState(id="ana", available_since=T0, shift_edge=EARLY[0][1], credited={slot: 150 * MINUTE}),
        "ben": AgentState(id="ben", available_since=T0 + 4 * HOUR, shift_edge=LATE[0][1], credited={slot: 33 * MINUTE}),
        "eve": AgentState(id="eve"),
    }
    for one in agents.values():
        one.status = Status.AVAILABLE
    rhythms = {} if known is None else {"front": known}
    return Engine(State(at=at, workspace=workspace, agents=agents, rhythms=rhythms))


def ranked(engine: Engine) -> list[tuple[str, str]]:
    """Who would get a refund, best first, and how much they are said to have done."""
    return [(one.agent, one.why.split(",")[0]) for one in engine.candidates(REFUND, "email")]


def test_whoever_works_into_quiet_hours_gets_more_before_them() -> None:
    """Ben did more so far, and will have done less by the end: he is first, and the record says by what."""
    engine = afternoon(roster(), rhythm(30, evening=6))
    # (150 + 3 × 30) of 480 minutes, and (33 + 5 × 30 + 2 × 6) of 480
    assert ranked(engine) == [
        ("ben", "40-41 % utilised by the end of their shift"), ("ana", "50-51 % utilised by the end of their shift"),
    ]  # fmt: skip
    assert ranked(afternoon(roster(look_ahead=False), rhythm(30, evening=6))) == [
        ("ana", "50-51 % utilised"), ("ben", "55-56 % utilised"),
    ]  # fmt: skip


def test_a_busier_day_is_expected_to_stay_so() -> None:
    """Twice as busy as usual in the last hours: twice as much is expected of the rest."""
    engine = afternoon(roster(), rhythm(15, evening=3, level=2 * WHOLE))
    assert [name for name, _ in ranked(engine)] == ["ben", "ana"]
    assert ranked(engine) == ranked(afternoon(roster(), rhythm(30, evening=6)))


def test_half_a_share_is_expected_to_do_half() -> None:
    """What is usual is of a whole share, so that shares do not change who is ahead of their own."""
    workspace = roster()
    half = msgspec.structs.replace(workspace.agents["ben"], share=WHOLE // 2)
    halved = msgspec.structs.replace(workspace, agents={**workspace.agents, "ben": half})
    engine = afternoon(halved, rhythm(30, evening=6))
    # (33 + 81) of 240
    assert ("ben", "47-48 % utilised by the end of their shift") in ranked(engine)


@pytest.mark.parametrize("unknown", [None, Rhythm()])
def test_what_nobody_can_tell_is_not_guessed(unknown: Rhythm | None) -> None:
    """On the first day, and where an hour ahead was never worked, what was done so far counts, and is called that."""
    assert ranked(afternoon(roster(), unknown)) == ranked(afternoon(roster(look_ahead=False), None))
    late = Rhythm(effort=[MINUTE] * 16, presence=[HOUR] * EVENING + [0] * 4)
    assert dict(ranked(afternoon(roster(), late)))["ben"] == "55-56 % utilised"
    assert "end of their shift" in dict(ranked(afternoon(roster(), late)))["ana"]


def test_without_hours_there_is_nothing_to_look_ahead_to() -> None:
    """Who has no calendar, is off shift or is not there has no end of a shift."""
    engine = afternoon(roster(), rhythm(30, evening=6))
    seats = engine.index.seats
    assert foresight.ahead(engine.index, seats["eve"]) is None
    assert foresight.ahead(engine.index, seats["ana"]) == (3 * HOUR, 90 * MINUTE)
    seats["ana"].state.on_shift = False
    assert foresight.ahead(engine.index, seats["ana"]) is None
    seats["ana"].state.on_shift, seats["ana"].state.available_since = True, None
    assert foresight.ahead(engine.index, seats["ana"]) is None


def test_a_shift_without_end_is_looked_ahead_half_a_day() -> None:
    """Somebody whose hours go on for weeks is compared by the next half day."""
    engine = afternoon(roster(), rhythm(30, evening=30))
    engine.index.seats["ana"].state.shift_edge = T0 + 30 * DAY
    assert foresight.ahead(engine.index, engine.index.seats["ana"]) == (12 * HOUR, 6 * HOUR)


def worked(scene: Scene, hours: int) -> None:
    """One refund every half hour, which takes eight minutes."""
    for _ in range(2 * hours):
        name = scene.mail(f"p{scene.seq}")
        owner = scene.contact(name).agent
        scene.wait(8 * MINUTE)
        scene.resolve(name, owner or "ana")
        scene.wait(22 * MINUTE)


def test_a_day_is_learned_half_a_day_later() -> None:
    """Effort and presence of each time of day are those of the ledger; what is younger is no part of them yet."""
    scene = Scene(roster())
    worked(scene, 8)
    scene.wait(5 * HOUR)  # 21:00
    scene.apply(TimePassed(at=scene.at))
    known = scene.engine.state.rhythms["front"]
    assert [bool(one) for one in known.presence] == [5 <= slot <= 6 for slot in range(16)]
    scene.wait(DAY - 13 * HOUR)  # 08:00, a day after it began
    scene.apply(TimePassed(at=scene.at))
    assert known is scene.engine.state.rhythms["front"]
    assert [bool(one) for one in known.effort] == [5 <= slot <= 10 for slot in range(16)]
    assert sum(known.effort) == 16 * 8 * MINUTE
    # Ana and Ben for eight hours each, and Eve from 08:00 to 21:00, the end of the last slot learned
    assert sum(known.presence) == (8 + 8 + 13) * HOUR


def test_days_fade() -> None:
    """The same slot of a day, learned again, counts three quarters of what is learned now."""
    engine = afternoon(roster(), rhythm(40, evening=40))
    state = engine.state
    slot = state.at // SLOT - foresight.LATER + 1
    phase = slot % 16
    state.agents["ana"].credited[slot], state.agents["ana"].presence[slot] = 10 * MINUTE, 20 * MINUTE
    engine.apply(TimePassed(at=state.at + SLOT))
    known = state.rhythms["front"]
    assert (known.effort[phase], known.presence[phase]) == (40 * MINUTE, 65 * MINUTE)
    others = [place for place in range(16) if place != phase]
    assert {known.effort[place] for place in others} == {40 * MINUTE}


@pytest.mark.parametrize(
    ("usual", "level"),
    [(30, 9_891), (20, 14_837), (10, 2 * WHOLE), (60, WHOLE // 2), (4, WHOLE), (0, WHOLE)],
)
def test_the_level_is_what_was_done_over_what_is_usual(usual: int, level: int) -> None:
    """Bounded by a half and twice; and 1 while less than half an hour was to be expected."""
    engine = afternoon(roster(), rhythm(usual, evening=usual))
    engine.apply(TimePassed(at=engine.state.at + 1))
    assert engine.state.rhythms["front"].level == WHOLE  # it is looked at once a tick
    engine.apply(TimePassed(at=engine.state.at // ledger.TICK * ledger.TICK + ledger.TICK))
    # Ana has been there for 305 minutes and Ben for 65; they did 183
    assert engine.state.rhythms["front"].level == level


def test_teams_that_are_no_more_are_forgotten() -> None:
    """A rhythm stays as long as an agent of the team does."""
    engine = afternoon(roster(), rhythm(30, evening=6))
    engine.state.rhythms["gone"] = Rhythm()
    engine.apply(TimePassed(at=engine.state.at + ledger.TICK))
    assert list(engine.state.rhythms) == ["front"]


def test_nothing_is_learned_where_nobody_asks_for_it() -> None:
    """Without `look_ahead` the state holds no rhythm."""
    scene = Scene(roster(look_ahead=False))
    worked(scene, 1)
    scene.wait(2 * DAY)
    assert scene.engine.state.rhythms == {}


def test_an_index_built_anew_ranks_alike() -> None:
    """In the middle of a tick, from a copied state, everybody has the same rank; and the next tick brings the same."""
    scene = Scene(roster())
    worked(scene, 12)
    scene.wait(DAY - 7 * HOUR)  # 13:00 of the next day
    name = scene.mail("p99")
    (explanation,) = [one.explanation for one in scene.last if isinstance(one, d.AssignTo)]
    assert all("by the end of their shift" in one.why for one in explanation.candidates)
    scene.wait(3 * MINUTE)
    again = Engine(copy.deepcopy(scene.engine.state))
    assert [seat.rank for seat in again.index.seats.values()] == [
        seat.rank for seat in scene.engine.index.seats.values()
    ]
    event = TimePassed(at=scene.at + 2 * HOUR)
    assert scene.engine.apply(event) == again.apply(event)
    assert again.state_hash() == scene.engine.state_hash()
    assert scene.contact(name).agent


@given(
    since=st.integers(0, 5 * SLOT),
    span=st.integers(0, 5 * SLOT),
    again=st.none() | st.integers(0, 3 * SLOT),
    at=st.integers(0, 3 * SLOT),
)
def test_slots_of_presence_add_up(since: int, span: int, again: int | None, at: int) -> None:
    """Over all slots it is the time from coming to going, and from coming again until now."""
    workspace, state = Workspace(name="w"), AgentState(id="ana")
    ledger.open_presence(state, since)
    ledger.close_presence(state, workspace, since + span)
    now = since + span
    if again is not None:
        ledger.open_presence(state, now + again)
        now += again + at
    found = sum(ledger.present_in(state, workspace, slot, now) for slot in range(20))
    assert found == span + (at if again is not None else 0)
