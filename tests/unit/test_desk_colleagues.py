"""The desk for colleagues who were called in, for a customer's other contacts, and for one's own figures."""

from __future__ import annotations

import pytest

from router.core.state import Contact
from router.desk.figures import middle
from router.desk.model import Desk, NotVisible
from router.desk.views import Done
from tests.fakes.desk_parts import MINUTE, House


@pytest.fixture
def house() -> House:
    """Ana and Ben are at work."""
    made = House()
    made.available("ana", "ben")
    return made


async def owned(house: House, agent: str = "ana", **mail: str) -> Contact:
    """A contact that its agent has accepted."""
    contact = house.mail("I want my money back.", **mail)  # type: ignore[arg-type]
    await house.act(agent, "take", {"contact": contact.id}, f"take {contact.id}")
    return contact


async def test_whoever_is_called_in_sees_it_and_writes_notes_alone(house: House) -> None:
    """A colleague sees the contact once called, on their desk too, may note and leave; then it is hidden again."""
    desk = Desk(house, house, house.clock)
    contact = await owned(house)
    with pytest.raises(NotVisible):
        await desk.contact("ben", contact.id)
    await house.act("ana", "call", {"contact": contact.id, "target": "ben", "text": "Is it refundable?"}, "k1")
    card = await desk.contact("ben", contact.id)
    assert (card.guest, card.actions) == (True, ("note", "call", "leave"))
    assert [(one.code, one.action) for one in card.banners] == [("guest", "leave")]
    assert [row.id for row in (await desk.mine("ben")).called] == [contact.id]
    assert [one.text for one in (await desk.contact("ana", contact.id)).banners] == [
        "Called in: Ben Okafor. They see this contact and write notes."
    ]
    await house.act("ben", "leave", {"contact": contact.id}, "k2")
    assert (await desk.mine("ben")).called == ()
    with pytest.raises(NotVisible):
        await desk.contact("ben", contact.id)


async def test_what_can_be_merged_is_the_customers_own_and_open(house: House) -> None:
    """Of one customer's contacts on one channel those are named that are open and nobody else's."""
    desk = Desk(house, house, house.clock)
    one, two = await owned(house), await owned(house, subject="Again")
    await owned(house, sender="Max <max@example.org>")
    await owned(house, "eva")
    done = await owned(house)
    await house.act("ana", "resolve", {"contact": done.id}, "k1")
    assert [row.id for row in await desk.twins("ana", one.id)] == [two.id]
    await house.act("ana", "merge", {"contact": two.id, "into": one.id}, "k2")
    assert await desk.twins("ana", one.id) == ()
    assert desk.visible("ana", two.id) is one


async def test_spam_says_so_until_the_sender_is_let_back_in(house: House) -> None:
    """The card says that it was spam and whether its sender is blocked, and offers to unblock them."""
    desk = Desk(house, house, house.clock)
    contact = await owned(house)
    await house.act("ana", "spam", {"contact": contact.id, "block": True}, "k1")
    card = await desk.contact("ana", contact.id)
    assert "unblock" in card.actions
    assert [(one.code, one.action) for one in card.banners] == [("spam", "unblock")]
    await house.act("ana", "unblock", {"contact": contact.id}, "k2")
    assert [(one.code, one.action) for one in (await desk.contact("ana", contact.id)).banners] == [("spam", "")]


async def test_pages_that_may_answer_it_are_suggested(house: House) -> None:
    """Those about the contact's topics, in its language or in any."""
    desk = Desk(house, house, house.clock)
    contact = await owned(house)
    assert [one.title for one in (await desk.contact("ana", contact.id)).articles] == ["Refunds, and when they come"]
    await house.act("ana", "retag", {"contact": contact.id, "topics": ("lost-baggage",)}, "k1")
    assert [one.url for one in (await desk.contact("ana", contact.id)).articles] == ["https://ours.example/bags"]


async def test_ones_own_day_beside_the_teams_median(house: House) -> None:
    """Answers, resolved contacts and the time to a first answer; nothing to compare with while nobody else did any."""
    desk = Desk(house, house, house.clock)
    one = await owned(house)
    house.now += 5 * MINUTE
    await house.act("ana", "reply", {"contact": one.id, "text": "Underway."}, "k1")
    mine = await desk.mine("ana")
    assert (mine.today, mine.team) == (Done(answers=1, resolved=0, first_seconds=300), None)
    two = await owned(house, "ben", sender="Max <max@example.org>")
    house.now += MINUTE
    for key in ("k2", "k3"):
        await house.act("ben", "reply", {"contact": two.id, "text": "Soon."}, key)
    await house.act("ben", "resolve", {"contact": two.id}, "k4")
    assert (await desk.mine("ana")).team == Done(answers=1, resolved=0, first_seconds=60)
    assert (await desk.mine("ben")).today == Done(answers=2, resolved=1, first_seconds=60)
    assert middle([]) is None
    house.now += 24 * 60 * MINUTE
    assert (await desk.mine("ana")).today == Done(answers=0, resolved=0, first_seconds=None)
