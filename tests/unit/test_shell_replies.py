"""Replies: where they go, how they thread and what they are called is settled once, when they are written."""

from __future__ import annotations

import msgspec
import pytest

from channels.email.compose import compose
from router.app.mail import outgoing
from router.core.errors import PermanentError
from router.core.message import Address, Message
from router.shell.replies import REFERENCES_LAST, NoWayBack, Written, internal, reply
from tests.support.shell_scene import PlainStationery

ADA, BOB, HELP = (Address(address=f"{name}.example") for name in ("ada@customer", "bob@customer", "help@acme"))
LAST = Message(
    channel="email", from_=ADA, to=(HELP, BOB), subject="My bag", message_id="m1@customer.example", text="It is gone."
)


def answered(last: Message = LAST, earlier: tuple[str, ...] = (), **more: object) -> Message:
    """What ana writes in answer to `last`."""
    fields = {"contact": "c1", "account": HELP.address, "message": "9-0", "agent": "ana", "at": 0, "text": "Found it."}
    written = msgspec.convert({**fields, **more}, Written)
    return reply(written, last=last, earlier=earlier, stationery=PlainStationery())


def test_it_goes_to_the_customer_under_our_signed_names() -> None:
    """A reply goes to the writer alone, from the account written to, with the contact's own Reply-To and Message-ID."""
    message = answered()
    assert (message.to, message.cc) == ((ADA,), ())
    assert message.from_ == Address(address=HELP.address, name="ana")
    assert message.reply_to == (Address(address="help+c1@acme.example"),)
    assert message.message_id == "u.c1.9-0@acme.example"
    assert message.sent_at == "1970-01-01T00:00:00.000Z"


def test_reply_to_comes_before_from() -> None:
    """Where the customer names another address for answers the reply goes there, and an empty one does not count."""
    assert answered(msgspec.structs.replace(LAST, reply_to=(BOB,))).to == (BOB,)
    assert answered(msgspec.structs.replace(LAST, reply_to=(Address(address=""), BOB))).to == (BOB,)
    assert answered(msgspec.structs.replace(LAST, reply_to=(Address(address=""),))).to == (ADA,)


def test_nobody_to_answer_is_said() -> None:
    """A message that names no writer cannot be answered."""
    with pytest.raises(NoWayBack):
        answered(msgspec.structs.replace(LAST, from_=Address(address="", name="Nobody")))


def test_copies_go_only_to_those_of_the_customers_message() -> None:
    """Addresses in copy must stand on the customer's message; one that does not refuses the whole reply."""
    copied = msgspec.structs.replace(LAST, cc=(Address(address="cy@customer.example", name="Cy"),))
    message = answered(copied, cc=("cy@customer.example", BOB.address))
    assert message.cc == (Address(address="cy@customer.example", name="Cy"), BOB)
    with pytest.raises(PermanentError, match="1 of the addresses") as caught:
        answered(copied, cc=(BOB.address, "eve@evil.example"))
    assert "evil" not in str(caught.value)  # no address in what may be logged


def test_a_signature_stands_under_the_words_and_not_among_them() -> None:
    """The mail ends in the agent's signature, set off as mail programs know it; the thread shows the words alone."""
    message = answered(agent="sue", text="Found it.\n")
    assert (message.text, message.full_text) == ("Found it.\n", "Found it.\n\n-- \nsue\nAcme")
    assert "\r\n--=20\r\nsue\r\nAcme" in compose(outgoing(message, "acme")).decode()
    assert answered().full_text == "Found it."


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("My bag", "Re: My bag"),
        ("Re: My bag", "Re: My bag"),
        ("RE: My bag", "RE: My bag"),
        ("AW: Mein Koffer", "AW: Mein Koffer"),
        ("RV: Mi maleta", "RV: Mi maleta"),
        ("Request", "Re: Request"),
        ("", "Re:"),
        ("  many \t blanks ", "Re: many blanks"),
    ],
)
def test_the_subject_says_once_that_it_is_a_reply(subject: str, expected: str) -> None:
    """The prefix of a reply, in the languages of common mailers, is put on once."""
    assert answered(msgspec.structs.replace(LAST, subject=subject)).subject == expected


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_a_line_end_in_the_subject_makes_no_header(end: str) -> None:
    """However a line ends in the customer's subject, the reply has that on one line and no header of its making."""
    message = answered(msgspec.structs.replace(LAST, subject=f"bag{end}Bcc: eve@evil.example"))
    assert message.subject == "Re: bag Bcc: eve@evil.example"
    raw = compose(outgoing(message, "acme"))
    headers = raw.partition(b"\r\n\r\n")[0].lower()
    assert b"\r\nbcc:" not in headers
    assert headers.count(b"subject:") == 1


def test_references_follow_the_conversation() -> None:
    """A reply names the message it answers last, after what that named and what went before in the contact."""
    last = msgspec.structs.replace(LAST, references=("a@x", "b@x"))
    message = answered(last, earlier=("b@x", "c@x", "m1@customer.example"))
    assert message.references == ("a@x", "b@x", "c@x", "m1@customer.example")
    assert message.in_reply_to == "m1@customer.example"


def test_long_references_keep_the_first_and_the_last_ten() -> None:
    """Of a long thread the first id and the last ten stay, none twice."""
    last = msgspec.structs.replace(LAST, references=tuple(f"r{number}@x" for number in range(40)))
    references = answered(last, earlier=("r3@x", "r39@x")).references
    assert len(references) == 1 + REFERENCES_LAST
    assert references[0] == "r0@x"
    assert references[-4:] == ("r38@x", "r3@x", "r39@x", "m1@customer.example")
    assert len(set(references)) == len(references)


def test_a_mail_without_an_id_is_answered_all_the_same() -> None:
    """Where the customer's mail had no Message-ID the reply refers to what is known of the conversation."""
    message = answered(msgspec.structs.replace(LAST, message_id=None), earlier=("a@x",))
    assert message.in_reply_to is None
    assert message.references == ("a@x",)


def test_a_note_has_no_recipient() -> None:
    """What is said among colleagues has nobody it could be sent to, and no id to be threaded by."""
    note = internal(agent="ana", text="He called.")
    assert (note.channel, note.to, note.cc, note.message_id) == ("note", (), (), None)
    assert note.from_ == Address(address="", name="ana")
