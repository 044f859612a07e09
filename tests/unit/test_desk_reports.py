"""The JSON of `usherd queue`, `agents` and `contacts`: keys and meanings."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.core import events
from router.core.transitions import ContactState
from router.core.values import Status
from router.desk import reports
from router.desk.index import DeskIndex
from tests.fakes.desk_parts import MINUTE, House


def plain(told: reports.Json) -> Any:  # noqa: ANN401 - JSON
    """As a client reads it."""
    return msgspec.json.decode(msgspec.json.encode(told))


@pytest.fixture
def house() -> House:
    """Ana holds one, three wait in two profiles."""
    made = House()
    made.available("ana", "ben")
    made.mail("I want my money back.", subject="Refund")
    made.mail("My cat", topic="lost-pet", sender="a@example.org")
    made.now += MINUTE
    made.mail("My dog", topic="lost-pet", sender="b@example.org")
    return made


def test_the_queue_is_told_by_profile(house: House) -> None:
    """Contacts alike in requirement and kind are one profile, with its oldest, who is able and who is free."""
    house.now += MINUTE
    told = reports.queue(house.state, DeskIndex(house).waiting(), house.now)
    assert told == {
        "waiting": 2,
        "profiles": [
            {
                "requirement": {"must": {"lang:en": 1, "pets": 2}, "prefer": {}},
                "kind": "email",
                "waiting": 2,
                "oldest_seconds": 120,
                "able": 1,
                "free": 0,
            }
        ],
    }


def test_an_available_agent_below_capacity_is_free(house: House) -> None:
    """Free counts those who could be given one more contact of the profile now."""
    waiting = DeskIndex(house).waiting()
    house.state.agents["eva"].status = Status.AVAILABLE
    (profile,) = plain(reports.queue(house.state, waiting, house.now))["profiles"]
    assert profile["free"] == 1
    house.state.agents["eva"].held.update({one.id: 1 for one in waiting})
    (profile,) = plain(reports.queue(house.state, waiting, house.now))["profiles"]
    assert profile["free"] == 0


def test_agents_are_told_with_what_they_hold(house: House) -> None:
    """Each agent has id, status, number held, units, capacity, utilisation as a share, and skills."""
    told = {one["id"]: one for one in plain(reports.agents(house))["agents"]}
    assert list(told) == ["ana", "ben", "eva"]
    assert told["ana"] == {
        "id": "ana",
        "status": "available",
        "held": 1,
        "units": 1,
        "capacity": {"email": 6, "chat": 3, "units": 8},
        "utilisation": 0.33,
        "skills": {"baggage": 3, "lang:en": 4, "lang:es": 5, "refunds": 4},
    }
    assert told["eva"]["status"] == "offline"


async def test_contacts_are_told_with_their_messages(house: House) -> None:
    """Each contact has its subject, requirement, instants in RFC 3339 and its messages with their outer ids."""
    told = await reports.contacts(house, house, reports.wanted(resolved=False, agent="ana"))
    (contact,) = plain(told)["contacts"]
    message = next(iter(house.state.contacts[contact["id"]].messages))
    assert contact["subject"] == "Refund"
    assert contact["state"] == "offered"
    assert contact["requirement"] == {"must": {"lang:en": 1, "refunds": 2}, "prefer": {}}
    assert contact["topics"] == [{"topic": "refund", "p": 0.92}]
    assert contact["opened_at"] == "2026-09-21T14:13:20.000Z"
    assert contact["messages"] == [
        {
            "id": message.id,
            "direction": "in",
            "external_id": f"{message.id}@example.org",
            "at": "2026-09-21T14:13:20.000Z",
            "delivery": None,
        }
    ]


async def test_resolved_contacts_are_told_on_demand(house: House) -> None:
    """Without `all` what is resolved is left out; of one agent only what they hold or are offered."""
    pet = next(one for one in house.state.contacts.values() if one.state is ContactState.WAITING)
    await house.act("eva", "resolve", {"contact": pet.id}, "1")

    async def ids(*, resolved: bool, agent: str | None = None) -> set[str]:
        told = await reports.contacts(house, house, reports.wanted(resolved=resolved, agent=agent))
        return {one["id"] for one in plain(told)["contacts"]}

    everything = set(house.state.contacts)
    assert await ids(resolved=True) == everything
    assert await ids(resolved=False) == everything - {pet.id}
    assert await ids(resolved=True, agent="ben") == set()


async def test_auto_mail_is_a_list_of_its_own(house: House) -> None:
    """Stored messages that opened no contact are told with their kind, and nothing is told twice."""
    house.apply(
        events.MessageReceived(
            at=house.now,
            inbox="99-0",
            message="99-0",
            channel="email",
            kind="email",
            account="help@acme.example",
            sender="x",
            auto="bulk",
        )
    )
    told = await reports.autos(house, house)
    (auto,) = plain(told)["auto"]
    assert (auto["id"], auto["auto"], auto["subject"]) == ("99-0", "bulk", None)


async def test_many_messages_are_read_in_bounded_portions(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many contacts are told, no single read asks for more than the limit."""
    monkeypatch.setattr(reports, "MESSAGES_PER_READ", 2)
    sizes = []
    read = house.messages

    async def counted(ids: list[str]) -> object:
        sizes.append(len(ids))
        return await read(ids)

    monkeypatch.setattr(house, "messages", counted)
    told = await reports.contacts(house, house, lambda _: True)
    assert sizes == [2, 1]
    assert all(one["subject"] for one in plain(told)["contacts"])
