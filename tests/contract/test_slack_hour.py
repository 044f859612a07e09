"""Slack is away for an hour while work goes on at the web desk: routing keeps its promises, then Slack catches up.

All of Slack's times and ours are a twentieth, so that a minute's limits are met in three seconds; the clock of the
house is moved by hand.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from unittest.mock import patch

import msgspec
import pytest_asyncio

from channels.slack import api, desk, limits, listening
from channels.slack.manifest import manifest
from router.core import events
from router.core.engine import Engine
from router.core.invariants import Auditor, check_idle, check_state
from router.core.state import Contact
from router.core.transitions import ContactState
from router.core.values import Status
from router.sim.slack import FakeSlack, Rules
from tests.fakes.desk_parts import START, workspace
from tests.support import slack_house
from tests.support.slack_house import SlackHouse

SCALE = 20
RULES = Rules(minute=60 / SCALE, message_pace=1 / SCALE, ack=1.0, retries=(0.0, 0.3, 1.0, 2.0))
QUICK = (
    (limits, "WINDOW_SECONDS", limits.WINDOW_SECONDS / SCALE),
    (limits, "MESSAGE_SECONDS", limits.MESSAGE_SECONDS / SCALE),
    (listening, "WATCH_SECONDS", 0.05),
    (api, "AGAIN_SECONDS", 0.1),
    (desk, "TICK_SECONDS", 0.1),
    (slack_house, "PATIENCE", 120.0),
)
MINUTE = 60_000
TOPICS = (("refund", "Refund"), ("lost-baggage", "Bag"), ("lost-pet", "Dog"))
AGENTS = ("ana", "ben", "eva")
SHOWN = {
    ContactState.OFFERED: "Offered to you",
    ContactState.ASSIGNED: "*Yours*",
    ContactState.WAITING_CUSTOMER: "Waiting on the customer",
    ContactState.SNOOZED: "*Snoozed*",
}


class Hour:
    """A house whose every event is watched, and kept to be replayed."""

    def __init__(self, desk: SlackHouse) -> None:
        self.desk, self.house = desk, desk.house
        self.events: list[events.Event] = [events.WorkspaceChanged(at=START, version="1", workspace=workspace())]
        self.wrong: list[str] = []
        self.number = 0
        self._auditor = Auditor()
        self._auditor.begin(self.house.state)
        self._chance = random.Random(1)
        self._apply = desk.house.apply
        desk.house.apply = self.apply  # type: ignore[method-assign]

    def apply(self, event: events.Event) -> tuple[msgspec.Struct, ...]:
        """Apply one event, and see that nothing is wrong with what follows."""
        made = self._apply(event)
        self.events.append(event)
        found = [*self._auditor.observe(event, made, self.house.state), *check_state(self.house.state)]  # type: ignore[arg-type]
        self.wrong += [f"{one.oracle} {one.detail}" for one in found]
        return made

    async def passes(self, minutes: int) -> None:
        """Let time pass: two mails a minute, and agents who do at the web desk what they would do in Slack."""
        for _ in range(minutes):
            self.house.now += MINUTE
            self.house.tick()
            for _ in range(2):
                self._writes()
            for name in AGENTS:
                await self._works(name)
            self.wrong += [f"{one.oracle} {one.detail}" for one in check_idle(self.house.state)]

    def _writes(self) -> None:
        self.number += 1
        topic, subject = TOPICS[self.number % len(TOPICS)]
        sender = f"Customer {self.number} <c{self.number}@example.org>"
        self.house.mail(f"Message {self.number}.", subject=f"{subject} #{self.number}#", topic=topic, sender=sender)

    async def _works(self, name: str) -> None:
        for contact in list(self.house.state.contacts.values()):
            if contact.offer is not None and contact.offer.agent == name:
                await self._does(name, "accept", contact, offer=contact.offer.id)
            elif contact.agent == name and contact.state is ContactState.ASSIGNED and self._chance.random() < 0.5:
                await self._does(name, "reply", contact, text=f"Answer to {contact.id}.")
            elif contact.agent == name and contact.state is ContactState.WAITING_CUSTOMER:
                if self._chance.random() < 0.3:
                    await self._does(name, "resolve", contact)
                elif self._chance.random() < 0.2:
                    self.house.mail(f"More of {contact.id}.", thread=contact.id, sender=_writer(self.house, contact))

    async def _does(self, name: str, action: str, contact: Contact, **fields: object) -> None:
        self.number += 1
        await self.house.act(name, action, {"contact": contact.id, **fields}, f"{action} {self.number}")


def _writer(house: object, contact: Contact) -> str:
    written = house.written[contact.messages[0].id]  # type: ignore[attr-defined]
    return f"{written.from_.name} <{written.from_.address}>"


@pytest_asyncio.fixture
async def hour() -> AsyncIterator[Hour]:
    """All three are available."""
    with ExitStack() as quick:
        for module, name, value in QUICK:
            quick.enter_context(patch.object(module, name, value))
        async with FakeSlack(manifest(), rules=RULES) as slack:
            house = SlackHouse(slack)
            made = Hour(house)
            await house.start()
            try:
                for name in AGENTS:
                    made.apply(events.StatusSet(at=START, agent=name, target=name, status=Status.AVAILABLE))
                yield made
            finally:
                await house.stop()


def missing(hour: Hour) -> list[str]:
    """What does not stand in Slack as it is: a card too few or too many, or one that says something else."""
    found: list[str] = []
    house = hour.house
    for contact in house.state.contacts.values():
        subject = house.written[contact.messages[0].id].subject
        holder = contact.offer.agent if contact.offer is not None else contact.agent
        for name in AGENTS:
            cards = [one.said for one in hour.desk.cards(name) if subject in one.said]
            word = SHOWN.get(contact.state, "*Resolved*") if name == holder else "No longer yours"
            needed = name == holder and contact.state in SHOWN
            if len(cards) > 1 or (needed and not cards) or any(word not in one for one in cards):
                found.append(f"{name} {contact.id} {contact.state}: {cards}")
    return found


async def test_slack_is_away_for_an_hour_under_load(hour: Hour) -> None:
    """I1 to I7 hold at each event, replay gives the same state, and afterwards all that is open stands in Slack, once.

    What began and ended meanwhile is not made up for; Slack's limits are kept while the rest is.
    """
    slack = hour.desk.slack
    await hour.passes(3)
    await hour.desk.until(lambda: not missing(hour), "the first cards")
    await slack.goes_down()
    await hour.passes(60)
    assert hour.number > 120
    calls = len(slack.calls)
    await slack.comes_up()
    await hour.desk.until(lambda: not missing(hour), f"what stands in Slack: {missing(hour)}")
    await hour.passes(2)
    await hour.desk.until(lambda: not missing(hour), f"what stands in Slack: {missing(hour)}")
    assert hour.wrong == []
    again = Engine()
    for event in hour.events:
        again.apply(event)
    assert again.state_hash() == hour.house.engine.state_hash()
    for name in AGENTS:
        said = Counter((one.thread_ts, one.said) for one in hour.desk[name].sees() if one.user == slack.bot)
        assert not [what for what, number in said.items() if number > 1]
    limited = [method for method, error in slack.refusals if error == "ratelimited"]
    assert len(limited) * 20 <= len(slack.calls) - calls, limited  # a machine under load may shift a call
    assert len([one for name in AGENTS for one in hour.desk.cards(name)]) * 4 < len(hour.house.state.contacts)
