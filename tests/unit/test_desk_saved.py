"""Saved replies: filled in for one contact, the fitting ones first; and what stands under a reply."""

from __future__ import annotations

import pytest

from router.desk.model import Desk, NotVisible
from router.desk.ports import Saved
from tests.fakes import desk_parts
from tests.fakes.desk_parts import House


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


async def test_they_are_filled_in_and_the_fitting_come_first(house: House, desk: Desk) -> None:
    """A reply for the contact's topic and language stands first, one for another language last."""
    contact = house.mail("I want my money back.")
    saved = await desk.saved("ana", contact.id)
    assert [(one.label, one.fits) for one in saved] == [("Underway", True), ("Booking code", False), ("Hallo", False)]
    assert saved[0].text == f"It is on its way: {contact.id}.\n\nAna Souza"
    assert saved[1].text == "Hello Carla Gómez, which booking code?"


async def test_what_cannot_be_filled_in_is_said(house: House, desk: Desk) -> None:
    """For a customer whose name nobody knows the placeholder stays, and is listed."""
    contact = house.mail("I want my money back.", sender=" <nobody@example.org>")
    saved = {one.name: one for one in await desk.saved("ana", contact.id)}
    assert saved["booking-code"].text == "Hello {customer}, which booking code?"
    assert saved["booking-code"].open == ("customer",)
    assert saved["underway"].open == ()


async def test_a_customers_name_fills_nothing_in(house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in braces is a name: what a customer calls themselves is not taken for a placeholder."""
    monkeypatch.setattr(desk_parts, "SAVED", (Saved(name="hi", text="Hi {customer}, {agent}. {other}"),))
    contact = house.mail("Hello", sender="{agent} {reference} <x@example.org>")
    [one] = await desk.saved("ana", contact.id)
    assert one.text == "Hi {agent} {reference}, Ana Souza. {other}"


async def test_they_are_for_contacts_that_may_be_seen(house: House, desk: Desk) -> None:
    """A contact of somebody else tells nothing, not even its customer's name."""
    contact = house.mail("I want my money back.")
    with pytest.raises(NotVisible):
        await desk.saved("ben", contact.id)


async def test_a_signature_stands_under_letters_only(house: House, desk: Desk) -> None:
    """A mail is signed with the agent's own signature, a chat is not, and who has none signs nothing."""
    mail = house.mail("Hello")
    chat = house.mail("Hello", channel="webchat")
    assert (await desk.contact("ana", mail.id)).signature == "Ana Souza\nAcme Air"
    assert (await desk.contact("ana", chat.id)).signature == ""
    assert (await desk.contact("eva", mail.id)).signature == ""


async def test_who_else_was_written_to_may_be_kept(house: House, desk: Desk) -> None:
    """People in copy are listed, but neither the writer nor we ourselves."""
    contact = house.mail("Hello", cc=("bob@example.org", "carla@example.org", "help@acme.example"))
    card = await desk.contact("ana", contact.id)
    assert [one.address for one in card.cc] == ["bob@example.org"]
    assert [one.address for one in card.replies_to] == ["carla@example.org"]
