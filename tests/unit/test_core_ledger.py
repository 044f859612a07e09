"""The ledger: effort over available time in a rolling window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.core import ledger
from router.core.state import AgentState
from router.core.values import Agent, Workspace

HOUR = 3_600_000
MINUTE = 60_000
WORKSPACE = Workspace(name="w")
ANA = Agent(id="ana", team="t")


def used(state: AgentState, at: int, agent: Agent = ANA) -> int:
    """Utilisation at an instant."""
    return ledger.utilisation(agent, state, WORKSPACE, at // ledger.TICK)


def test_utilisation_is_effort_over_available_time() -> None:
    """Half an hour of effort in two hours is a quarter."""
    state = AgentState(id="ana")
    ledger.open_presence(state, 100 * HOUR)
    ledger.open_presence(state, 101 * HOUR)  # told twice, it began once
    ledger.credit(state, WORKSPACE, 101 * HOUR, 30 * MINUTE)
    assert used(state, 102 * HOUR) == 2_500


def test_a_newcomer_is_measured_against_the_floor() -> None:
    """Eight minutes of effort in the first minute is 8 of 30, not 8 of 1."""
    state = AgentState(id="ana")
    ledger.open_presence(state, 100 * HOUR)
    ledger.credit(state, WORKSPACE, 100 * HOUR, 8 * MINUTE)
    assert used(state, 100 * HOUR + MINUTE) == 8 * 10_000 // 30


def test_share_scales_the_time_available() -> None:
    """An agent with half a share is as full with half the effort; no share at all divides by nothing."""
    state = AgentState(id="ana")
    ledger.open_presence(state, 100 * HOUR)
    ledger.credit(state, WORKSPACE, 100 * HOUR, 30 * MINUTE)
    assert used(state, 102 * HOUR, Agent(id="ana", team="t", share=5_000)) == 5_000
    assert used(state, 102 * HOUR, Agent(id="ana", team="t", share=0)) > 10_000


def test_what_was_taken_back_no_longer_counts() -> None:
    """An offer that came to nothing leaves the ledger as it was."""
    state = AgentState(id="ana")
    slot = ledger.credit(state, WORKSPACE, 100 * HOUR, 5)
    ledger.credit(state, WORKSPACE, 100 * HOUR, 7)
    ledger.take_back(state, slot, 5)
    assert state.credited == {slot: 7}
    ledger.take_back(state, slot, 7)
    assert state.credited == {}


def test_nothing_to_close_changes_nothing() -> None:
    """Closing a presence that is not open writes nothing down."""
    state = AgentState(id="ana")
    ledger.close_presence(state, WORKSPACE, 100 * HOUR)
    assert state.presence == {}


@given(st.lists(st.tuples(st.integers(1, 200), st.booleans(), st.integers(0, 20)), max_size=40))
def test_the_window_forgets_and_never_grows(steps: list[tuple[int, bool, int]]) -> None:
    """Presence and effort in the window match a plain list of spans; slots stay few."""
    state = AgentState(id="ana")
    at = 1_000 * HOUR
    spans: list[tuple[int, int]] = []
    efforts: list[tuple[int, int]] = []
    since: int | None = None
    for minutes, present, effort in steps:
        at += minutes * MINUTE
        if present and since is None:
            ledger.open_presence(state, at)
            since = at
        elif not present and since is not None:
            ledger.close_presence(state, WORKSPACE, at)
            spans.append((since, at))
            since = None
        ledger.credit(state, WORKSPACE, at, effort * MINUTE)
        efforts.append((at, effort * MINUTE))
        assert len(state.presence) <= ledger.SLOTS + 2
        assert len(state.credited) <= ledger.SLOTS + 2
    at = (at // ledger.TICK + 1) * ledger.TICK
    oldest = (at // ledger.slot_length(WORKSPACE) - ledger.SLOTS + 1) * ledger.slot_length(WORKSPACE)
    effort_in = sum(effort for when, effort in efforts if when >= oldest)
    closed = sum(max(0, end - max(start, oldest)) for start, end in spans)
    running = 0 if since is None else at - max(since, at - WORKSPACE.utilisation_window)
    available = max(closed + running, WORKSPACE.utilisation_floor)
    assert used(state, at) == effort_in * 10_000 // available
