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
        self._parked: dict[str, dict[int, str]] = {plan.id: {} for plan in scenario.plans}
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
        asleep = list(self._parked[person.id].values())
        if self._over(kinds.count(kind), asleep.count(kind), agent.kinds.get(kind, 0)) or (
            agent.units is not None and self._over(self._units(kinds), self._units(asleep), agent.units)
        ):
            self.capacity += 1
            self._note(
                f"{person.id} holds {len(kinds)} contacts, {kinds.count(kind)} of them {kind}, and {len(asleep)} wait"
            )

    def _units(self, kinds: list[str]) -> int:
        return sum(self._config.unit_costs.get(one, 1) for one in kinds)

    def _over(self, held: int, asleep: int, limit: int) -> bool:
        """Whether somebody was given too much, what may come back from customers counted as the workspace says."""
        wakes = self._config.wake_ups
        if asleep and wakes.margin is not None and held + asleep > limit + wakes.margin:
            return True
        return held * 10_000 > limit * 10_000 - asleep * wakes.cost

    def parked(self, job: Job, person: Person) -> None:
        """A job waits on its customer; the person keeps it."""
        self._parked[person.id][job.number] = job.stream.arrivals.channel

    def woken(self, job: Job, person: Person) -> None:
        """It came back to the person who kept it, whose limit does not matter now: it is not given."""
        kind = self._parked[person.id].pop(job.number, None)
        if kind is None:
            self.capacity += 1
            self._note(f"a contact that waited on its customer came to {person.id}, who had not kept it")
        self._held[person.id][job.number] = job.stream.arrivals.channel
        self._holder[job.number] = person.id

    def dropped(self, job: Job) -> None:
        """Nobody holds a job any more."""
        holder = self._holder.pop(job.number, None)
        if holder is not None:
            del self._held[holder][job.number]

    def _note(self, what: str) -> None:
        self.first = self.first or what
