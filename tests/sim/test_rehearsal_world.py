"""Whatever happened, and whatever workspace it is lived through again under: it ends, and the engine's oracles hold."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core import events as e
from router.core.engine import Engine
from router.core.invariants import Auditor, check_state
from router.core.state import State
from router.core.transitions import ContactState
from router.core.values import Agent, Status, Workspace
from router.sim.recorded import Recorded, Recorder
from router.sim.rehearsal import Rehearsal
from tests.sim import engine_world as world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.core.decisions import Decision

SENDERS = ("p1", "p2", "p3")
SKILLS = ("refunds", "bags", "pets", "lang:en", "lang:es")
TEAMS = ("emea", "amer", "push")

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["write", "write", "answer", "accept", "accept", "decline", "reply", "resolve", "status", "take", "time"]
        ),
        st.sampled_from([0, 1_000, 30_000, 300_000, 3_600_000]),
        st.integers(0, 30),
    ),
    min_size=5,
    max_size=50,
)
newcomers = st.builds(
    Agent,
    id=st.sampled_from([*world.AGENTS, "eva", "fin"]),
    team=st.sampled_from(TEAMS),
    skills=st.dictionaries(st.sampled_from(SKILLS), st.integers(1, 5)),
    capacity=st.dictionaries(st.sampled_from(["email", "chat", "messaging"]), st.integers(0, 3)),
    units=st.none() | st.integers(0, 4),
    share=st.sampled_from([1_000, 10_000]),
    calendar=st.none() | st.just("day"),
)


@st.composite
def workspaces(draw: st.DrawFn) -> Workspace:
    """One of the world's, with agents who left, came, learned, forgot, moved or have other room."""
    found = world.workspace(draw(st.integers(0, 4)))
    agents = {name: one for name, one in found.agents.items() if draw(st.integers(0, 3))}
    agents |= {one.id: one for one in draw(st.lists(newcomers, max_size=3))}
    return msgspec.structs.replace(found, agents=agents)


class Life:
    """Events of a stretch, heard by a recorder as they happen."""

    def __init__(self, workspace: Workspace) -> None:
        engine = Engine()
        self.at = world.START
        engine.apply(e.WorkspaceChanged(at=self.at, version="v0", workspace=workspace))
        for agent in workspace.agents:
            engine.apply(e.StatusSet(at=self.at, agent=agent, status=Status.AVAILABLE))
        self.recorder = Recorder(engine)
        self.written = 0

    def step(self, what: str, delay: int, number: int) -> None:
        """Something happens, if it can."""
        self.at += delay
        event = self._event(what, number)
        if event is not None:
            self.recorder.hear(event)

    def close(self) -> Recorded:
        """An hour later."""
        self.recorder.hear(e.TimePassed(at=self.at + world.HOUR))
        return self.recorder.close()

    def _event(self, what: str, number: int) -> e.Event | None:
        state = self.recorder.engine.state
        contacts = list(state.contacts.values())
        contact = contacts[number % len(contacts)] if contacts else None
        agents = sorted(state.agents)
        agent = agents[number % len(agents)]
        if what == "time":
            return e.TimePassed(at=self.at)
        if what == "status":
            status = list(Status)[number % len(Status)]
            return e.StatusSet(at=self.at, agent=agent, status=status)
        if what == "write" or contact is None:
            return self._message(number, None)
        if what == "answer":
            return self._message(number, contact.id)
        if what in {"accept", "decline"}:
            offered = next((one for one in contacts if one.offer is not None), None)
            if offered is None or offered.offer is None:
                return None
            who, offer = offered.offer.agent, offered.offer.id
            if what == "accept":
                return e.OfferAccepted(at=self.at, agent=who, contact=offered.id, offer=offer)
            return e.OfferDeclined(at=self.at, agent=who, contact=offered.id, offer=offer, reason="no")
        if what == "take":
            return e.ContactTaken(at=self.at, agent=agent, contact=contact.id)
        owned = next((one for one in contacts if one.state is ContactState.ASSIGNED), None)
        if owned is None or owned.agent is None:
            return None
        if what == "resolve":
            return e.ContactResolved(at=self.at, agent=owned.agent, contact=owned.id)
        self.written += 1
        return e.ReplyWritten(
            at=self.at, agent=owned.agent, contact=owned.id, message=f"r{self.written}", resolve=number % 2 == 0
        )

    def _message(self, number: int, thread: str | None) -> e.MessageReceived:
        self.written += 1
        channel = sorted(world.KINDS)[number % len(world.KINDS)]
        return e.MessageReceived(
            at=self.at,
            message=f"m{self.written}",
            channel=channel,
            kind=world.KINDS[channel],
            account="help",
            sender=SENDERS[number % len(SENDERS)] if thread is not None else f"s{self.written}",
            thread=thread,
            language=("en", "es", None)[number % 3],
            topics=((world.TOPICS[number % len(world.TOPICS)], 9_000),),
        )


class Audited(Engine):
    """An engine of which every event is audited."""

    def __init__(self, state: State | None = None) -> None:
        super().__init__(state)
        self.auditor = Auditor()
        self.auditor.begin(self.state)

    def apply(self, event: e.Event) -> tuple[Decision, ...]:
        """Apply; what comes out must be what the oracles allow."""
        made = super().apply(event)
        assert self.auditor.observe(event, made, self.state) == []
        return made


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), steps, workspaces())
def test_any_stretch_is_lived_through_under_any_workspace(
    variant: int, happened: Sequence[tuple[str, int, int]], changed: Workspace
) -> None:
    """It ends, twice alike, with each contact's fate told, and the state is sound after it."""
    life = Life(world.workspace(variant))
    for what, delay, number in happened:
        life.step(what, delay, number)
    recorded = life.close()
    with patch("router.sim.rehearsal.Engine", Audited):
        runs = [Rehearsal(recorded, changed) for _ in range(2)]
        outcomes = [run.run() for run in runs]
    assert isinstance(runs[0].engine, Audited)
    assert outcomes[0] == outcomes[1]
    state = runs[0].engine.state
    assert check_state(state) == []
    assert {fate.agent for fate in outcomes[0].fates.values()} <= {None, *world.AGENTS, "eva", "fin"}
    assert set(outcomes[0].load) == set(changed.agents)
    assert all(load >= 0 for load in outcomes[0].load.values())
