"""Whoever is blocked is found by what somebody has of them: an address, a contact, or what is on the list."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from router.app.customers import Customers
from router.core.message import Address, Message
from router.core.ports import InboxEntry
from router.core.state import Auto, Contact, State
from router.core.transitions import ContactState
from router.core.values import Requirement
from router.shell.identities import identity_of

SECRET = b"s" * 32
ADA = identity_of(SECRET, "email", "ada@customer.example")
BOT = identity_of(SECRET, "slack", "slack:U0123")
PHONE = identity_of(SECRET, "sms", "+4930123456")


class House:
    """A daemon with a state, a list of messages, and an inbox that keeps what it is told."""

    def __init__(self) -> None:
        self.state = State(blocked={ADA: 1, BOT: 1, PHONE: 1}, identities={ADA: "k1", "other": "k2", BOT: ""})
        self.told: list[dict[str, Any]] = []
        self.written = {"5-0": Message(channel="sms", from_=Address(address="+4930123456"))}
        self.secret = SECRET
        self.leader = self.intake = self
        self.parts = SimpleNamespace(texts=self)

    async def settled(self) -> State:
        """What stands."""
        return self.state

    async def messages(self, ids: list[str]) -> dict[str, Message]:
        """Those that can be read."""
        return {one: self.written[one] for one in ids if one in self.written}

    async def append(self, entries: list[InboxEntry]) -> None:
        """Keep what they say."""
        self.told += [json.loads(one.meta) for one in entries]


@pytest.fixture
def house() -> House:
    """Three are blocked; one message of somebody's, and one that was erased, are on the list."""
    made = House()
    for name in ("5-0", "6-0"):
        made.state.autos[name] = Auto(message=name, channel="sms", auto="blocked", at=1)
    return made


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("Ada@Customer.example ", ADA),
        ("k1", ADA),
        ("slack:U0123", BOT),
        ("5-0", PHONE),
    ],
)
async def test_a_block_is_lifted_by_name(house: House, named: str, meant: str) -> None:
    """The note that goes into the inbox names the identity that is blocked, and no other."""
    await Customers(house).unblock(named)  # type: ignore[arg-type]
    assert [(one["what"], one["identities"]) for one in house.told] == [("unblock", [meant])]


@pytest.mark.parametrize("named", ["k2", "ben@customer.example", "6-0", "7-0", "", "c9"])
async def test_who_is_not_blocked_is_not_found(house: House, named: str) -> None:
    """Somebody else, a message that was erased, and nothing at all mean nobody; nobody is let in."""
    with pytest.raises(KeyError):
        await Customers(house).unblock(named)  # type: ignore[arg-type]
    assert house.told == []


async def test_a_contact_means_its_customer(house: House) -> None:
    """The id of a contact that is kept does as well."""
    house.state.contacts["c1"] = Contact(
        id="c1",
        customer="k1",
        participants=[],
        channel="email",
        kind="email",
        account="",
        state=ContactState.RESOLVED,
        opened_at=1,
        waiting_since=None,
        requirement=Requirement(),
    )
    await Customers(house).unblock("c1")  # type: ignore[arg-type]
    assert house.told[0]["identities"] == [ADA]
