"""Counts broken rules: work given to somebody who lacks a skill, or beyond what they can hold.

It reads the workspace as the admin wrote it and keeps its own books; it shares no code with the engine or a baseline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skills.model import LANGUAGE_PREFIX
from skills.requirements import able

if TYPE_CHECKING:
    from router.sim.reading import Scenario
    from router.sim.work import Job, Person


class Auditor:
    """Watches every hand-over of one run. `skills` and `capacity` count violations, `first` tells of the first."""

    def __init__(self, scenario: Scenario) -> None:
        self.skills = 0
        self.capacity = 0
        self.first = ""
        self._config = scenario.workspace_config
        self._steps = [(step.after, step.lower) for step in self._config.relax if step.lower]
        self._held: dict[str, dict[int, str]] = {plan.id: {} for plan in scenario.plans}
        self._holder: dict[int, str] = {}
        self._hopeless = {
            stream.number
            for stream in scenario.streams
            if not able(self._config, stream.demand.must, kind=stream.arrivals.channel)
        }  # nobody has what the rules ask: somebody is to look at it all the same

    def given(self, job: Job, person: Person, now: int) -> None:
        """A job was offered or assigned."""
        self.dropped(job)
        agent = person.plan.agent
        if job.stream.number not in self._hopeless:
            lower = sum(by for after, by in self._steps if now - job.at >= after)
            for skill, level in job.stream.demand.must.items():
                least = level if skill.startswith(LANGUAGE_PREFIX) else max(1, level - lower)
                if agent.skills.get(skill, 0) < least:
                    self.skills += 1
                    self._note(f"{person.id} lacks {skill} {least} for a contact of stream {job.stream.number}")
                    break
        held = self._held[person.id]
        kind = job.stream.arrivals.channel
        held[job.number] = kind
        self._holder[job.number] = person.id
        kinds = list(held.values())
        units = sum(self._config.unit_costs.get(one, 1) for one in kinds)
        if kinds.count(kind) > agent.kinds.get(kind, 0) or (agent.units is not None and units > agent.units):
            self.capacity += 1
            self._note(f"{person.id} holds {len(kinds)} contacts, {kinds.count(kind)} of them {kind}")

    def dropped(self, job: Job) -> None:
        """Nobody holds a job any more."""
        holder = self._holder.pop(job.number, None)
        if holder is not None:
            del self._held[holder][job.number]

    def _note(self, what: str) -> None:
        self.first = self.first or what
