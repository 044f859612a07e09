"""Those who look by themselves, now and then, whether somebody is to be told something: alerts, reminders, digests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from channels.slack.alerts import Alerts
from channels.slack.api import Api
from channels.slack.digests import Digests
from channels.slack.nudges import Nudges
from channels.slack.people import People
from channels.slack.ports import Memory, Wishes
from channels.slack.posting import Postings
from router.desk.model import Desk


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What they need. `link`: a contact's thread as an address; `clock` gives ms."""

    api: Api
    desk: Desk
    people: People
    postings: Postings
    memory: Memory
    problems: Callable[[], list[str]]
    wishes: Callable[[], Wishes]
    link: Callable[[str, str], str | None]
    clock: Callable[[], int]


def rounds_of(asked: Asked) -> tuple[Alerts | Nudges | Digests, ...]:
    """One of each."""
    alerts = Alerts(
        desk=asked.desk,
        people=asked.people,
        postings=asked.postings,
        forget=asked.memory.delete,
        problems=asked.problems,
        wishes=asked.wishes,
        clock=asked.clock,
    )
    nudges = Nudges(
        api=asked.api,
        desk=asked.desk,
        people=asked.people,
        memory=asked.memory,
        link=asked.link,
        clock=asked.clock,
    )
    digests = Digests(
        api=asked.api,
        desk=asked.desk,
        people=asked.people,
        memory=asked.memory,
        problems=asked.problems,
        wishes=asked.wishes,
        clock=asked.clock,
    )
    return alerts, nudges, digests
