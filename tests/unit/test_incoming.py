"""Exports of other systems become contacts to hand in: each line or mail is one, or is named with what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from channels.email.identity import identity
from channels.email.smtp_settings import Accounts
from channels.http import HttpMessage
from router.app.incoming import TEXT_CHARACTERS_MAX, Item, Known, Odd, how_many, read
from router.core.errors import ConfigError

ACCOUNTS = ("help@acme.example", "sales@acme.example")
KNOWN = Known(topics=frozenset({"refund", "lost-pet"}), agents=frozenset({"ana"}), account=Accounts(ACCOUNTS).find)
ADA = {"from": "Ada <ada@example.org>", "text": "My bag is gone."}


def lines(folder: Path, *exports: object) -> list[Item | Odd]:
    """What is read of these objects or lines, one a line."""
    path = folder / "open.jsonl"
    path.write_bytes(b"\n".join(
        one if isinstance(one, bytes) else json.dumps(one, ensure_ascii=False).encode() for one in exports
    ))  # fmt: skip
    return list(read(path, KNOWN))


def only(folder: Path, export: dict[str, Any]) -> Item:
    """The one item of an object, whose message the daemon takes."""
    [found] = lines(folder, export)
    assert isinstance(found, Item), found
    HttpMessage.model_validate(found.message)
    return found


def test_a_message_is_a_contact(tmp_path: Path) -> None:
    """The usual keys go where they belong, and nobody gets a receipt for it."""
    found = only(tmp_path, {
        "id": 4711, "channel": "sms", "kind": "messaging", "from": "+4930123", "subject": "Bag\nlost", "text": "Gone.",
        "at": "2026-11-20T10:00:00+01:00", "tags": ["Refund", "lost pet", "vip"], "assignee": "ana",
        "account": "sales@acme.example", "language": "de",
    })  # fmt: skip
    assert found.message == {
        "channel": "sms", "kind": "messaging", "from": {"address": "+4930123", "name": ""}, "subject": "Bag lost",
        "text": "Gone.", "quiet": True, "account": "sales@acme.example", "language": "de",
        "topics": ["refund", "lost-pet"], "message_id": "4711", "thread": "4711",
        "sent_at": "2026-11-20T10:00:00+01:00",
    }  # fmt: skip
    assert (found.id, found.assignee, found.notes) == ("4711", "ana", ("no topic is called `vip` here",))


def test_the_same_export_has_the_same_keys(tmp_path: Path) -> None:
    """A contact's key follows from its id, or from its whole line where it has none."""
    first = lines(tmp_path, {**ADA, "id": "1"}, ADA, {**ADA, "text": "Another."})
    second = lines(tmp_path, {**ADA, "id": "1", "subject": "edited"}, ADA, {**ADA, "text": "Another."})
    keys = [[one.key for one in found if isinstance(one, Item)] for found in (first, second)]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 3


def test_a_conversation_begins_with_the_customers_last_words(tmp_path: Path) -> None:
    """What the customer said last comes first, then all that was said before, newest first, with who and when."""
    found = only(tmp_path, {"from": {"address": "ada@example.org", "name": "Ada"}, "messages": [
        {"text": "And?", "at": "2026-11-20T12:00:00Z"},
        {"text": "My bag is gone.", "at": "2026-11-20T10:00:00Z"},
        {"text": "We look for it.", "at": "2026-11-20T13:00:00+02:00", "direction": "out", "from": "Ben"},
        {"text": "One moment.", "direction": "out"},
    ]})  # fmt: skip
    assert found.message is not None
    assert found.message["text"].split("\n\n") == [
        "And?", "[Ben, 2026-11-20 13:00 UTC+02:00]\nWe look for it.", "[Ada, 2026-11-20 10:00 UTC]\nMy bag is gone.",
        "[we]\nOne moment.",
    ]  # fmt: skip
    assert found.message["sent_at"] == "2026-11-20T12:00:00+00:00"


def test_the_writer_of_a_conversation_may_stand_in_its_messages(tmp_path: Path) -> None:
    """Without a `from` of its own, the first message that came in says who the customer is."""
    messages = [
        {"text": "Hi", "from": "us@acme.example", "direction": "out"},
        {"text": "Ho", "from": "ada@example.org"},
    ]
    found = only(tmp_path, {"messages": messages})
    assert found.message is not None
    assert found.message["from"]["address"] == "ada@example.org"


def test_a_history_without_end_is_cut(tmp_path: Path) -> None:
    """A conversation longer than the daemon takes is cut at its oldest words, and says so."""
    old = {"text": "x" * TEXT_CHARACTERS_MAX, "at": "2020-01-01T00:00:00Z"}
    found = only(tmp_path, {**ADA, "messages": [old], "at": "2026-11-20T10:00:00"})
    assert found.message is not None
    assert found.message["text"].startswith("My bag is gone.")
    assert found.message["text"].endswith("too long to import]")
    assert found.message["sent_at"] == "2026-11-20T10:00:00+00:00"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not as it should be"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 5_000, "not "),
        ({"text": "Hello"}, "no `from`"),
        ({"from": "", "text": "Hello"}, "no `from`"),
        ({"from": ["ada"], "text": "Hello"}, "no `from`"),
        ({"from": "ada@example.org"}, "says nothing"),
        ({"from": "ada@example.org", "messages": [{"text": "We wrote.", "direction": "out"}]}, "says nothing"),
        ({**ADA, "at": "yesterday"}, "not as it should be"),
        ({**ADA, "tags": "refund"}, "not as it should be"),
        ({**ADA, "messages": [{"text": "."}] * 1_001}, "more than 1,000 messages"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_the_rest_goes_on(tmp_path: Path, line: object, reason: str) -> None:
    """What cannot be taken has its line and a reason in plain words; the lines around it come in."""
    first, odd, last = lines(tmp_path, ADA, b"", line, ADA)
    assert isinstance(first, Item)
    assert isinstance(last, Item)
    assert isinstance(odd, Odd)
    assert odd.place == 3
    assert reason in odd.reason


def test_what_has_no_place_here_is_noted(tmp_path: Path) -> None:
    """Keys nobody reads and agents nobody knows are told, and the contact comes in without them."""
    found = only(tmp_path, {**ADA, "prio": 1, "assignee": "zoe"})
    assert found.assignee is None
    assert found.notes == ("unknown key `prio`", "nobody is called `zoe` here")


MBOX = (
    b"From ada@example.org Fri Nov 20 10:00:00 2026\n"
    b"From: Ada <ada@example.org>\nTo: Sales+old@Acme.example\nMessage-ID: <1@example.org>\nDate: Fri, 20 Nov 2026\n"
    b"\n>From now on I write twice.\n>>From here too.\n\n"
    b"From us Fri Nov 20 11:00:00 2026\nFrom: help@acme.example\nTo: ada@example.org\nMessage-ID: <2@x>\n\nWe look.\n\n"
    b"From nobody Fri Nov 20 12:00:00 2026\n\xff\xfe: broken\nFrom: =?x?q?=?=\n\nHm.\n"
)


def test_mails_are_as_they_were_received(tmp_path: Path) -> None:
    """The quoting of mbox is undone and line ends are SMTP's, so that a mail has the identity it has on delivery."""
    (tmp_path / "open.mbox").write_bytes(MBOX)
    first, own, last = read(tmp_path / "open.mbox", KNOWN)
    assert isinstance(first, Item)
    assert (first.id, first.account) == ("<1@example.org>", "sales@acme.example")
    assert first.mail.endswith(b"\r\n\r\nFrom now on I write twice.\r\n>From here too.\r\n")
    delivered = (
        b"Received: from mx\r\nFrom: Ada <ada@example.org>\r\nTo: Sales+old@Acme.example\r\n"
        b"Message-ID: <1@example.org>\r\nDate: Fri, 20 Nov 2026\r\n"
        b"\r\nFrom now on I write twice.\r\n>From here too.\r\n"
    )
    assert identity(first.account, first.mail) == identity(first.account, delivered)
    assert own == Odd(file=str(tmp_path / "open.mbox"), place=2, id="<2@x>", reason="we wrote it ourselves")
    assert isinstance(last, Item)  # whatever it is: the daemon keeps it, and shows it to triage
    assert how_many(tmp_path / "open.mbox") == 3


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is an error with its name."""
    with pytest.raises(ConfigError) as caught:
        list(read(tmp_path / "nothing.jsonl", KNOWN))
    assert "nothing.jsonl" in caught.value.message


def test_an_mbox_is_known_by_its_first_line(tmp_path: Path) -> None:
    """Whatever a file is called, `From ` at its beginning makes it an mbox."""
    (tmp_path / "INBOX").write_bytes(MBOX)
    assert len(list(read(tmp_path / "INBOX", KNOWN))) == 3
    (tmp_path / "x.mbox").write_bytes(b"")
    assert list(read(tmp_path / "x.mbox", KNOWN)) == []
