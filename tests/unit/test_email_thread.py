"""Signed tokens: what we gave out is recognised, whatever else is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import thread
from channels.email.thread import ThreadMatch, contact_of
from router.core.message import Address, Bounce, Message

SECRET = b"s" * 32
ACCOUNT = "help@acme.example"
CONTACT, ANSWER = "1763768202123-0", "1763768299000-4"
IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)


def mail(
    *,
    to: str = "",
    cc: str = "",
    delivered: tuple[str, ...] = (),
    reply: str | None = None,
    refs: tuple[str, ...] = (),
    bounced: str | None = None,
) -> Message:
    """A mail with these traces of a thread."""
    return Message(
        channel="email",
        from_=Address(address="jane@example.com"),
        to=(Address(address=to),) if to else (),
        cc=(Address(address=cc),) if cc else (),
        delivered_to=delivered,
        in_reply_to=reply,
        references=refs,
        bounce=Bounce(message_id=bounced) if bounced else None,
    )


REPLY = thread.reply_address(ACCOUNT, SECRET, CONTACT)
OUR_ID = thread.new_message_id(SECRET, CONTACT, ANSWER, "acme.example")


def test_the_formats_are_those_that_were_promised() -> None:
    """Addresses and ids keep to their documented form, and an address fits its limit."""
    assert REPLY.startswith(f"help+t_{CONTACT}_")
    assert REPLY.endswith("@acme.example")
    assert len(REPLY.partition("@")[0]) <= 64
    assert OUR_ID.startswith(f"u.{CONTACT}.{ANSWER}.")
    assert OUR_ID.endswith("@acme.example")
    assert not any(letter.isupper() for letter in REPLY + OUR_ID)


@pytest.mark.parametrize(
    "found",
    [
        mail(to=REPLY),
        mail(to="bob@example.org", cc=REPLY),
        mail(delivered=("other@acme.example", REPLY)),
        mail(to=REPLY.upper()),
    ],
)
def test_a_token_in_any_address_is_found(found: Message) -> None:
    """To, Cc and the envelope are looked at, in whatever case a mail program left the address."""
    assert contact_of(SECRET, found, [ACCOUNT]) == ThreadMatch(contact=CONTACT, how="token")


@pytest.mark.parametrize(
    "found",
    [
        mail(reply=OUR_ID),
        mail(reply="x@y", refs=("a@b", OUR_ID, "c@d")),
        mail(refs=(OUR_ID.upper(),)),
        mail(bounced=OUR_ID),
    ],
)
def test_ids_we_issued_are_recognised(found: Message) -> None:
    """In-Reply-To, References and the id of a bounced mail name the contact and our message."""
    assert contact_of(SECRET, found, [ACCOUNT]) == ThreadMatch(contact=CONTACT, message=ANSWER, how="message-id")


def test_the_latest_reference_wins() -> None:
    """References are read from last to first."""
    newer = thread.new_message_id(SECRET, "9-9", "8-8", "acme.example")
    match = contact_of(SECRET, mail(refs=(OUR_ID, newer)))
    assert match == ThreadMatch(contact="9-9", message="8-8", how="message-id")


def test_a_token_wins_over_an_id_of_another_contact() -> None:
    """The address the customer wrote to decides; an id adds the message only within the same contact."""
    other = thread.new_message_id(SECRET, "9-9", "8-8", "acme.example")
    assert contact_of(SECRET, mail(to=REPLY, reply=other)) == ThreadMatch(contact=CONTACT, how="token")
    assert contact_of(SECRET, mail(to=REPLY, reply=OUR_ID)) == ThreadMatch(contact=CONTACT, message=ANSWER, how="token")


@pytest.mark.parametrize(
    "found",
    [
        mail(),
        mail(reply=""),
        mail(refs=("", " ", "<>")),
        mail(to=ACCOUNT),
        mail(to="help+t_@acme.example"),
        mail(to=REPLY.replace("help+", "help-")),
        mail(to=REPLY.replace("acme", "evil")),
        mail(to=REPLY.replace(CONTACT, "1763768202123-1")),
        mail(to=REPLY[:-15] + ("a" if REPLY[-15] != "a" else "b") + REPLY[-14:]),
        mail(reply=OUR_ID.replace(ANSWER, "1763768299000-5")),
        mail(reply=OUR_ID.replace(CONTACT, "1-1")),
        mail(reply="Ticket#1234"),
    ],
)
def test_what_is_forged_or_empty_matches_nothing(found: Message) -> None:
    """No match without a genuine signature for exactly that contact and message, at one of our mailboxes."""
    assert contact_of(SECRET, found, [ACCOUNT]) is None


def test_another_secret_signs_for_nobody_here() -> None:
    """Tokens of another installation are strangers."""
    assert contact_of(b"other", mail(to=REPLY, reply=OUR_ID), [ACCOUNT]) is None


def test_a_token_is_no_id_and_an_id_no_token() -> None:
    """The two signatures cannot stand for one another."""
    mac = REPLY.partition("@")[0].rpartition("_")[2]
    assert contact_of(SECRET, mail(reply=f"u.{CONTACT}.{CONTACT}.{mac}@acme.example")) is None


@pytest.mark.parametrize("odd", ["", "A", "a.b", "a_b", "a b", "-a", "é", "a" * 70])
def test_odd_ids_are_refused_when_signing(odd: str) -> None:
    """An id that would not survive a mail program is refused."""
    with pytest.raises(ValueError, match="id of lower-case"):
        thread.token(SECRET, odd)


def test_an_empty_secret_signs_nothing() -> None:
    """Without a secret there are no tokens."""
    with pytest.raises(ValueError, match="empty secret"):
        thread.token(b"", CONTACT)


@pytest.mark.parametrize("account", ["help", "@acme.example", "a-very-long-mailbox-name-of-support@acme.example"])
def test_an_account_that_cannot_carry_a_token_is_refused(account: str) -> None:
    """An address without room for the token is refused rather than cut."""
    with pytest.raises(ValueError, match="no reply address"):
        thread.reply_address(account, SECRET, CONTACT)


@given(contact=IDS, message=IDS)
def test_every_id_comes_back(contact: str, message: str) -> None:
    """What is signed is read again, for all ids."""
    issued = thread.new_message_id(SECRET, contact, message, "acme.example")
    assert contact_of(SECRET, mail(reply=issued)) == ThreadMatch(contact=contact, message=message, how="message-id")
    address = thread.reply_address("h@a.example", SECRET, contact)
    assert contact_of(SECRET, mail(to=address)) == ThreadMatch(contact=contact, how="token")


@given(st.text(max_size=80))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    """Arbitrary text never matches and never raises."""
    assert contact_of(SECRET, mail(to=text, reply=text, refs=(text,)), [ACCOUNT]) is None


def test_a_flood_of_references_costs_a_bounded_look() -> None:
    """Only so many ids are looked at: the genuine one far down the list is not reached."""
    assert contact_of(SECRET, mail(refs=(OUR_ID, *("x@y" for _ in range(10_000))))) is None
