"""Figures: what is open, what waits under which topic, which promises are at risk, what was done today."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from router.core import events
from router.desk.figures import day_of
from router.desk.model import Desk, NotOnRoster, NotVisible
from router.desk.overview import RISK_MS
from tests.fakes.desk_parts import House, workspace

HOUR = 3_600_000


@pytest.fixture
def house() -> House:
    """Ana is available."""
    made = House()
    made.available("ana")
    return made


@pytest.fixture
def desk(house: House) -> Desk:
    """All desks of it."""
    return Desk(house, house, house.clock)


async def test_the_queue_stands_by_topic(house: House, desk: Desk) -> None:
    """Each topic shows how many wait, since when the longest, and how many could take one."""
    house.mail("My cat", topic="lost-pet", sender="P <p@example.org>")
    house.now += 60_000
    house.mail("My dog", topic="lost-pet", sender="Q <q@example.org>")
    board = desk.board([])
    [pets] = board.topics
    assert (pets.label, pets.waiting, pets.oldest, pets.able, pets.free) == ("Lost pet", 2, house.now - 60_000, 1, 0)
    assert (board.waiting, board.oldest, board.open) == (2, house.now - 60_000, 2)
    assert board.statuses == {"available": 1, "offline": 2}


async def test_promises_at_risk_come_before_they_break(house: House, desk: Desk) -> None:
    """A contact counts as at risk a quarter of an hour before it is due, as late after; not while others have it."""
    contact = house.mail("My cat", topic="lost-pet", sender="P <p@example.org>")
    assert contact.due is not None
    house.now = contact.due - RISK_MS
    assert (desk.board([]).at_risk, desk.board([]).topics[0].at_risk) == (0, 0)
    house.now += 1
    assert (desk.board([]).at_risk, desk.board([]).late, desk.board([]).topics[0].at_risk) == (1, 0, 1)
    assert [row.id for row in (await desk.overview("eva", [])).risky] == [contact.id]
    house.now = contact.due + 1
    assert desk.board([]).late == 1
    await house.act("eva", "take", {"contact": contact.id}, "1")
    await house.act("eva", "reply", {"contact": contact.id, "text": "Found."}, "2")
    assert desk.board([]).at_risk == 0


async def test_todays_counts_end_at_midnight(house: House, desk: Desk) -> None:
    """Opened, answered and resolved are counted once each, taken back when undone, and begin anew the next day."""
    contact = house.mail("I want my money back.")
    assert contact.offer is not None
    await house.act("ana", "accept", {"contact": contact.id, "offer": contact.offer.id}, "1")
    await house.act("ana", "reply", {"contact": contact.id, "text": "Yes."}, "2")
    await house.act("ana", "reply", {"contact": contact.id, "text": "And more."}, "3")
    await house.act("ana", "note", {"contact": contact.id, "text": "Hm."}, "4")
    await house.act("ana", "resolve", {"contact": contact.id}, "5")
    today = desk.board([]).today
    assert (today.opened, today.answers, today.resolved, desk.board([]).open) == (1, 2, 1, 0)
    await house.act("ana", "reopen", {"contact": contact.id}, "6")
    assert (desk.board([]).today.resolved, desk.board([]).open) == (0, 1)
    house.now = day_of(house.now, "Europe/Madrid")[1]
    today = desk.board([]).today
    assert (today.opened, today.answers, today.resolved, desk.board([]).open) == (0, 0, 0, 1)


async def test_counts_are_right_from_the_start(house: House) -> None:
    """A desk that is opened later counts what was there before."""
    house.mail("I want my money back.")
    late = Desk(house, house, house.clock)
    assert (late.board([]).today.opened, late.board([]).open) == (1, 1)
    house.apply(events.WorkspaceChanged(at=house.now, version="2", workspace=workspace()))
    assert (late.board([]).today.opened, late.board([]).open) == (1, 1)
    late.close()


@pytest.mark.parametrize(
    ("moment", "zone", "hours"),
    [
        ("2026-03-29T10:00:00+00:00", "Europe/Madrid", 23),
        ("2026-10-25T10:00:00+00:00", "Europe/Madrid", 25),
        ("2026-06-01T23:30:00+00:00", "Asia/Kolkata", 24),
        ("2026-06-01T00:00:00+00:00", "UTC", 24),
    ],
)
def test_a_day_is_one_of_the_wall(moment: str, zone: str, hours: int) -> None:
    """The day of an instant begins and ends at midnight in the zone, be it 23 hours long or 25."""
    now = round(datetime.fromisoformat(moment).timestamp() * 1000)
    start, end = day_of(now, zone)
    assert start <= now < end
    assert end - start == hours * HOUR
    assert day_of(end, zone)[0] == end
    assert day_of(start, zone)[0] == start
    assert datetime.fromtimestamp(start / 1000, UTC).second == 0


async def test_agents_stand_with_their_load(house: House, desk: Desk) -> None:
    """The available come first, each with what is offered, open and parked."""
    contact = house.mail("I want my money back.")
    overview = await desk.overview("eva", ["the disk is full"])
    assert [one.id for one in overview.agents] == ["ana", "ben", "eva"]
    ana = overview.agents[0]
    assert (ana.offered, ana.open, ana.parked, ana.utilisation) == (1, 0, 0, 33)
    assert overview.board.problems == ("the disk is full",)
    assert contact.offer is not None
    await house.act("ana", "accept", {"contact": contact.id, "offer": contact.offer.id}, "1")
    await house.act("ana", "reply", {"contact": contact.id, "text": "Yes."}, "2")
    ana = (await desk.overview("eva", [])).agents[0]
    assert (ana.offered, ana.open, ana.parked) == (0, 0, 1)


async def test_the_overview_is_for_supervisors(desk: Desk) -> None:
    """An agent does not see it, and nobody outside the roster."""
    with pytest.raises(NotVisible):
        await desk.overview("ana", [])
    with pytest.raises(NotOnRoster):
        await desk.overview("mallory", [])


async def test_a_contact_without_a_topic_stands_under_its_own_head(house: House, desk: Desk) -> None:
    """What nobody could tell the topic of is counted apart."""
    contact = house.mail("??", sender="P <p@example.org>", topic="lost-pet")
    await house.act("eva", "retag", {"contact": contact.id, "topics": []}, "1")
    assert [one.label for one in desk.board([]).topics] == ["No topic"]
