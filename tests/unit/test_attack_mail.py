"""Senders who would have our answers go where they should not: back to us, or out under somebody else's name."""

from __future__ import annotations

import pydantic
import pytest

from channels.email.parse import parse
from channels.email.settings import MailSettings
from channels.http import HttpMessage
from router.app.mail import MailStationery
from router.core.message import Address
from skills.model import WorkspaceConfig

OURS = MailSettings(own_addresses=("help@acme.example", "claims@acme.example"))
TOKEN = "help+t_c1_aaaaaaaaaaaaaaaaaaaaa@acme.example"


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        ("help@acme.example", ()),
        (TOKEN, ()),
        ("HELP+x@Acme.Example, eve@evil.example", ("eve@evil.example",)),
        ("claims@acme.example, Help <help@acme.example>", ()),
        ("help@acme.example.evil.example", ("help@acme.example.evil.example",)),
        ("nobody here", ()),
    ],
)
def test_an_answer_never_goes_back_to_us(field: str, kept: tuple[str, ...]) -> None:
    """A Reply-To of our own mailboxes, tagged or not, or with no address in it, counts as none: From gets it."""
    raw = f"From: eve@evil.example\nReply-To: {field}\nSubject: hi\n\nhello".encode()
    assert tuple(entry.address for entry in parse(raw, OURS).reply_to) == kept


def test_replies_leave_from_our_addresses_only() -> None:
    """A program that names somebody else's address as the account does not make us write in their name."""
    channels = {"email": {"smtp": {"recipients": ["help@acme.example", "claims@acme.example"]}}}
    config = WorkspaceConfig.model_validate({"workspace": "acme", "channels": channels})
    stationery = MailStationery(lambda: config, b"s" * 32)
    assert stationery.sender("ceo@bank.example", "ana") == Address(address="help@acme.example", name="ana")
    assert stationery.reply_to("ceo@bank.example", "c1").address.endswith("@acme.example")
    assert stationery.message_id("ceo@bank.example", "c1", "1-0").endswith("@acme.example")
    assert stationery.account("Claims@Acme.Example") == "claims@acme.example"


@pytest.mark.parametrize(
    "when",
    ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1969-12-31T00:00:00Z", "2300-01-01T00:00:00Z"],
)
def test_an_instant_that_no_clock_shows_is_refused_at_the_door(when: str) -> None:
    """A sending time that cannot be told in UTC, or is none of our century's, is the sender's mistake: 422."""
    with pytest.raises(pydantic.ValidationError):
        HttpMessage.model_validate({"from": {"address": "e@e.example"}, "text": "x", "sent_at": when})
