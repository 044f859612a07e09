"""Evenness: effort taken on, over the time in which an agent could be given work, in a rolling window.

The window is kept in slots, so that an agent's utilisation is a sum of at most `SLOTS` + 1 numbers. It is a pure
function of the agent's state and the current *tick* (five minutes): between two ticks only what happens to the agent
changes it, so that a rank computed once holds until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.values import WHOLE

if TYPE_CHECKING:
    from router.core.state import AgentState
    from router.core.values import Agent, Workspace

SLOTS = 16
TICK = 300_000
BAND = WHOLE // 100  # utilisation is compared in bands of 1 %


def slot_length(workspace: Workspace) -> int:
    """Milliseconds of one slot of the rolling window."""
    return max(1, workspace.utilisation_window // SLOTS)


def credit(state: AgentState, workspace: Workspace, at: int, effort: int) -> int:
    """Add `effort` ms to what the agent has taken on; returns the slot, so that it can be taken back."""
    slot = at // slot_length(workspace)
    state.credited[slot] = state.credited.get(slot, 0) + effort
    drop_old(state.credited, slot)
    return slot


def take_back(state: AgentState, slot: int, effort: int) -> int:
    """Undo a credit that was given in `slot`: the offer came to nothing. Returns what there was to take."""
    credited = state.credited.get(slot, 0)
    if credited > effort:
        state.credited[slot] = credited - effort
        return effort
    state.credited.pop(slot, None)
    return credited


def open_presence(state: AgentState, at: int) -> None:
    """From now on the agent can be given work."""
    if state.available_since is None:
        state.available_since = at


def close_presence(state: AgentState, workspace: Workspace, at: int) -> None:
    """The agent can be given no work any more: write the span down, slot by slot."""
    if state.available_since is None:
        return
    length = slot_length(workspace)
    start = max(state.available_since, at - workspace.utilisation_window)
    while start < at:
        slot = start // length
        end = min(at, (slot + 1) * length)
        state.presence[slot] = state.presence.get(slot, 0) + end - start
        start = end
    state.available_since = None
    drop_old(state.presence, at // length)


def slot_at(workspace: Workspace, tick: int) -> int:
    """The slot that a tick lies in."""
    return tick * TICK // slot_length(workspace)


def totals(state: AgentState, workspace: Workspace, tick: int) -> tuple[int, int]:
    """Effort credited, and presence but for the open span, in the window: ms. They hold until the slot ends."""
    oldest = slot_at(workspace, tick) - SLOTS + 1
    effort = sum(ms for slot, ms in state.credited.items() if slot >= oldest)
    return effort, sum(ms for slot, ms in state.presence.items() if slot >= oldest)


def present_in(state: AgentState, workspace: Workspace, slot: int, at: int) -> int:
    """Milliseconds of a slot, until `at`, in which the agent could be given work."""
    found, length = state.presence.get(slot, 0), slot_length(workspace)
    if state.available_since is None:
        return found
    return found + max(0, min(at, (slot + 1) * length) - max(state.available_since, slot * length))


def ratio(
    agent: Agent,
    state: AgentState,
    workspace: Workspace,
    tick: int,
    effort: int,
    available: int,
    ahead: tuple[int, int] = (0, 0),
) -> int:
    """Effort over time available, of 10,000, given the `totals` and the open span of presence.

    The time available has a floor, so that a newcomer is neither flooded nor starved, and is scaled by `share`.
    `ahead`: what is still to come of the shift, time and usual effort, counts as if it had been.
    """
    since = state.available_since
    if since is not None:
        open_span = tick * TICK - since
        if open_span > 0:
            window = workspace.utilisation_window
            available += min(window, open_span)
    span, usual = ahead
    available = max(available + span, workspace.utilisation_floor)
    return (effort + usual * agent.share // WHOLE) * WHOLE // (available * agent.share // WHOLE or 1)


def utilisation(agent: Agent, state: AgentState, workspace: Workspace, tick: int) -> int:
    """Effort credited over time available in the window, of 10,000; more than that when overloaded."""
    return ratio(agent, state, workspace, tick, *totals(state, workspace, tick))


def drop_old(slots: dict[int, int], newest: int) -> None:
    """Drop slots that have left the window for good; the oldest come first."""
    while slots:
        oldest = next(iter(slots))
        if oldest > newest - SLOTS - 1:
            return
        del slots[oldest]
