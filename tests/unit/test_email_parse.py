"""From raw mail to a message: what a person would make of it, for any bytes."""

from __future__ import annotations

import base64
import hashlib
import pickle
import sys
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.mail_corpora import hostile
from channels.email.limits import Limits
from channels.email.parse import extract, parse
from channels.email.settings import MailSettings
from router.core.errors import PoisonError
from router.core.message import Address, Message

HEADER = "From: Jane Doe <Jane@Example.com>\r\nTo: help@acme.example\r\nSubject: Lost bag\r\n"
WITH_FILE = (
    HEADER + "Date: Sat, 21 Nov 2026 23:36:42 +0100\r\nMessage-ID: <1@example.com>\r\n"
    "In-Reply-To: <0@acme.example>\r\n"
    "References: <a@acme.example>\r\n <0@acme.example>\r\nCc: Bob <bob@example.org>\r\n"
    "Reply-To: jane@home.example\r\n"
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
    "Where is my bag?\r\n\r\nOn Fri, 20 Nov 2026 at 10:00, Help <help@acme.example> wrote:\r\n> We look for it."
    "\r\n--b\r\n"
    "Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=../ticket.pdf\r\n"
    f"Content-Transfer-Encoding: base64\r\n\r\n{base64.b64encode(b'%PDF').decode()}\r\n--b--\r\n"
).encode()


def read(body: str = "hello", settings: MailSettings | None = None, **fields: str) -> Message:
    """A mail with these fields; `_` in a name stands for `-`."""
    header = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return parse(f"{header}\r\n{body}".encode(), settings or MailSettings())


def test_every_field_of_a_message_is_filled() -> None:
    """An ordinary answer with a file comes out in normal form."""
    found = parse(WITH_FILE, envelope_from="jane@example.com", envelope_to=("help+t_x@acme.example",))
    file = found.attachments[0]
    quote = "On Fri, 20 Nov 2026 at 10:00, Help <help@acme.example> wrote:\n> We look for it."
    assert found == Message(
        channel="email",
        from_=Address(address="jane@example.com", name="Jane Doe"),
        to=(Address(address="help@acme.example"),),
        cc=(Address(address="bob@example.org", name="Bob"),),
        reply_to=(Address(address="jane@home.example"),),
        subject="Lost bag",
        sent_at="2026-11-21T22:36:42Z",
        text="Where is my bag?",
        quoted=quote,
        full_text=f"Where is my bag?\n\n{quote}",
        attachments=(file,),
        message_id="1@example.com",
        in_reply_to="0@acme.example",
        references=("a@acme.example", "0@acme.example"),
        delivered_to=("help+t_x@acme.example",),
    )
    assert (file.filename, file.content_type, file.size, file.inline) == ("ticket.pdf", "application/pdf", 4, False)
    assert file.sha256 == hashlib.sha256(b"%PDF").hexdigest()


def test_an_attachment_is_fetched_by_its_reference() -> None:
    """The part an attachment names gives its bytes under its safe name."""
    part = parse(WITH_FILE).attachments[0].part
    assert extract(WITH_FILE, part) == ("ticket.pdf", "application/pdf", b"%PDF")


def test_a_picture_in_the_html_is_found_by_its_id() -> None:
    """The id that the HTML refers to stands with the attachment."""
    picture = "Content-Type: image/png\r\nContent-ID: <logo@x>\r\n\r\nPNG"
    body = f"--b\r\nContent-Type: text/html\r\n\r\n<img src='cid:logo@x'>\r\n--b\r\n{picture}\r\n--b--"
    found = read(body, From="jane@example.com", Content_Type="multipart/related; boundary=b")
    assert 'src="cid:logo@x"' in found.html
    assert [(one.content_id, one.inline) for one in found.attachments] == [("logo@x", True)]


@pytest.mark.parametrize("part", [-1, 0, 99])
def test_what_is_no_leaf_cannot_be_fetched(part: int) -> None:
    """A reference that names no attachment is refused."""
    with pytest.raises(PoisonError):
        extract(WITH_FILE, part)


def test_a_message_travels_between_processes() -> None:
    """Settings and messages survive pickling and JSON as they are."""
    settings = MailSettings(limits=Limits(parts_max=7), own_addresses=("help@acme.example",))
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own bytes
    found = parse(WITH_FILE, settings)
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own bytes
    assert msgspec.json.decode(msgspec.json.encode(found), type=Message) == found


def test_html_alone_is_read_by_its_own_quotes() -> None:
    """Of an HTML reply the new words are told from the quote that the mail program marked."""
    body = "<div>My bag is red.</div><blockquote type=cite><div>What colour?</div></blockquote>"
    found = read(body, From="jane@example.com", Content_Type="text/html; charset=utf-8")
    assert found.text == "My bag is red."
    assert "What colour?" in found.quoted
    assert "What colour?" in found.full_text


def test_our_marker_ends_the_new_words() -> None:
    """Everything below our own line is quoted."""
    settings = MailSettings(markers=("-- Hier antworten --", "-- write above this line --"))
    found = read("New\n\n-- write above this line --\n\nOld", settings, From="jane@example.com")
    assert found.text == "New"
    assert "Old" in found.quoted


def test_a_mail_of_nothing_but_a_quote_shows_everything() -> None:
    """Where no new words are left the full text is shown."""
    found = read("> only\n> quoted", From="jane@example.com")
    assert "only" in found.text
    assert found.text.strip() == found.full_text.strip()
    assert found.quoted == ""


def test_the_end_of_an_endless_text_goes_with_what_was_before_it() -> None:
    """Beyond the splitter's limit the text is kept, as new or quoted as its last judged line."""
    settings = MailSettings(limits=Limits(split_chars_max=200))
    quoted = read(
        "New words\n\nOn Fri, Bob <b@example.org> wrote:\n" + "> old\n" * 100, settings, From="jane@example.com"
    )
    assert quoted.text == "New words"
    assert quoted.quoted.count("> old") == 100
    written = read("new line\n" * 100, settings, From="jane@example.com")
    assert written.text.count("new line") == 100


# ---- who wrote ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "fields", "customer"),
    [
        ("from", {}, "list@acme.example"),
        ("reply-to", {"Reply_To": "Jane <jane@example.com>"}, "jane@example.com"),
        ("reply-to", {"Reply_To": "help@acme.example, jane@example.com"}, "jane@example.com"),
        ("reply-to", {}, "list@acme.example"),
        ("x-original-from", {"X_Original_From": "Jane <jane@example.com>"}, "jane@example.com"),
        ("x-original-from", {"X_Original_Sender": "jane@example.com"}, "jane@example.com"),
        ("first-body-line", {}, "form@example.com"),
    ],
)
def test_the_customer_is_where_the_mailbox_says(mode: str, fields: dict[str, str], customer: str) -> None:
    """`customer_from` decides whose mail it is; who handed it on is kept."""
    settings = MailSettings(customer_from=mode, own_addresses=("help@acme.example",))
    found = parse(
        b"From: Jane via Help <list@acme.example>\r\n"
        + "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()).encode()
        + b"\r\nE-mail: form@example.com\r\nMy bag is lost",
        settings,
    )
    assert found.from_.address == customer
    assert found.forwarded_by == (
        None if customer == "list@acme.example" else Address(address="list@acme.example", name="Jane via Help")
    )


def test_only_trusted_forwarders_may_name_the_customer() -> None:
    """With forwarders listed, a stranger's Reply-To does not make them somebody else."""
    settings = MailSettings(customer_from="reply-to", trusted_forwarders=("forms@acme.example", "@groups.example"))
    mail = {"Reply_To": "victim@example.com"}
    assert read("x", settings, From="eve@example.org", **mail).from_.address == "eve@example.org"
    assert read("x", settings, From="forms@acme.example", **mail).from_.address == "victim@example.com"
    assert read("x", settings, From="any@groups.example", **mail).from_.address == "victim@example.com"


FORWARD = (
    "Can you help?\n\n---------- Forwarded message ---------\nFrom: Jane Doe <jane@example.com>\n"
    "Date: Fri, 20 Nov 2026\nSubject: Lost bag\nTo: Bob <bob@acme.example>\n\nMy bag is lost.\n"
)


def test_a_colleagues_forward_is_the_customers_mail() -> None:
    """A forward by one of our own yields the original writer and their words; from a stranger it does not."""
    ours = MailSettings(own_domains=("acme.example",))
    found = read(FORWARD, ours, From="Bob <bob@acme.example>", Subject="Fwd: Lost bag")
    assert found.from_ == Address(address="jane@example.com", name="Jane Doe")
    assert found.forwarded_by == Address(address="bob@acme.example", name="Bob")
    assert found.text == "My bag is lost."
    assert "Can you help?" in found.full_text
    stranger = read(FORWARD, ours, From="eve@example.org", Subject="Fwd: Lost bag")
    assert stranger.from_.address == "eve@example.org"
    assert stranger.forwarded_by is None


def test_a_colleagues_forward_as_attachment_is_the_customers_mail() -> None:
    """The one mail that a colleague attaches yields its writer and text."""
    inner = "Content-Type: message/rfc822\r\n\r\nFrom: jane@example.com\r\n\r\nMy bag."
    body = f"--b\r\n\r\nSee attached.\r\n--b\r\n{inner}\r\n--b--"
    settings = MailSettings(own_domains=("acme.example",))
    found = read(body, settings, From="bob@acme.example", Content_Type="multipart/mixed; boundary=b")
    assert found.from_.address == "jane@example.com"
    assert found.text.strip() == "My bag."


def test_authentication_is_read_from_our_own_server_only() -> None:
    """Results count if our own server wrote them, and then the topmost ones."""
    settings = MailSettings(trusted_authserv=("mx.acme.example",))
    raw = (
        b"Authentication-Results: evil.example; dmarc=pass\r\n"
        b"Authentication-Results: mx.acme.example 1; spf=fail (no; dkim=pass) smtp.mailfrom=x;\r\n"
        b" dkim=fail header.d=a; dkim=pass header.d=b; dmarc=none\r\n"
        b"Authentication-Results: mx.acme.example; dmarc=pass\r\nFrom: jane@example.com\r\n\r\nx"
    )
    assert parse(raw, settings).authentication == {"spf": "fail", "dkim": "pass", "dmarc": "none"}
    assert parse(raw).authentication == {}


@pytest.mark.parametrize(
    ("raw", "address", "warning"),
    [
        (b"Subject: x\r\n\r\nhi", "", "the mail has no From"),
        (b"From:\r\n\r\nhi", "", "the mail has no address in From"),
        (b"From: <>\r\nReply-To: jane@example.com\r\n\r\nhi", "jane@example.com", "the mail has no address in From"),
        (b"From: J\xfcrgen\r\nSender: j@example.com\r\n\r\nhi", "j@example.com", "the mail has no address in From"),
        (
            b"From: a@example.com, b@example.com\r\n\r\nhi",
            "a@example.com",
            "the mail names several senders; the first was taken",
        ),
        (b"From: a@example.com\r\nDate: soon\r\n\r\nhi", "a@example.com", "the date cannot be read"),
    ],
)
def test_doubts_about_a_mail_are_said_in_plain_words(raw: bytes, address: str, warning: str) -> None:
    """A mail without a proper sender or date is still read, and what is odd about it is said."""
    found = parse(raw)
    assert found.from_.address == address
    assert any(said.startswith(warning) for said in found.warnings)
    assert found.text == "hi"


def test_servers_notes_stand_in_for_the_envelope() -> None:
    """Mail fetched from a mailbox is delivered to whom the servers on the way say."""
    raw = (
        b"Delivered-To: help+t_x@acme.example\r\nX-Original-To: <help@acme.example>\r\nFrom: jane@example.com\r\n\r\nhi"
    )
    assert parse(raw).delivered_to == ("help+t_x@acme.example", "help@acme.example")
    assert parse(raw, envelope_to=("a@acme.example",)).delivered_to == ("a@acme.example",)


@pytest.mark.parametrize(
    ("content_type", "filename", "warning"),
    [
        ("application/ms-tnef; name=winmail.dat", "winmail.dat", "Outlook's own (TNEF)"),
        ("text/calendar; method=REQUEST", "part-2.ics", "calendar entry"),
        ("application/pkcs7-mime; smime-type=enveloped-data", "part-2.p7m", "encrypted"),
    ],
)
def test_what_cannot_be_read_is_named_as_what_it_is(content_type: str, filename: str, warning: str) -> None:
    """Outlook's containers, calendar entries and encrypted parts are attachments, and that is said."""
    body = f"--b\r\n\r\nhello\r\n--b\r\nContent-Type: {content_type}\r\n\r\nX\r\n--b--"
    found = read(body, From="jane@example.com", Content_Type="multipart/mixed; boundary=b")
    assert found.text == "hello"
    assert [one.filename for one in found.attachments] == [filename]
    assert any(warning in said for said in found.warnings)


def test_too_many_addresses_are_cut_with_a_warning() -> None:
    """A list of a thousand people is read to its limit."""
    found = read("x", From="jane@example.com", To=", ".join(f"p{number}@example.com" for number in range(1000)))
    assert len(found.to) == 500
    assert found.warnings == ("too many addresses in To; only 500 were read",)


@pytest.mark.parametrize("raw", [b"", b" \r\n\t", b"\n"])
def test_an_empty_mail_is_poison(raw: bytes) -> None:
    """Where there is nothing to read that is said, so that a person looks at it."""
    with pytest.raises(PoisonError, match="empty"):
        parse(raw)


def test_an_unforeseen_failure_is_poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong inside comes out as PoisonError, without the mail's words."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret words of the customer")

    monkeypatch.setattr("channels.email.parse.walk", fail)
    with pytest.raises(PoisonError) as caught:
        parse(b"From: a@example.com\r\n\r\nsecret")
    assert "secret" not in str(caught.value)


# ---- any bytes ----------------------------------------------------------------------------------------------------

TOKENS = st.sampled_from(
    [
        b"From: a@b.c\r\n",
        b"To: ",
        b"Subject: =?utf-8?q?",
        b"?=",
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"--b",
        b"--b--",
        b"--",
        b"\x00",
        b'Content-Type: multipart/mixed; boundary="b"\r\n',
        b"Content-Type: multipart/alternative; boundary=b\r\n",
        b"\xff\xfe",
        b"Content-Type: text/html\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: message/delivery-status\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"=C3",
        b"AAAA",
        b"<p>",
        b"Content-Type: text/plain; charset=utf-16; format=flowed\r\n",
        b"Return-Path: <>\r\n",
        b"Content-Type: text/plain; charset=utf-7\r\n",
        b"+2AA-",
        b"> ",
        b"-- \r\n",
        b"<a@b>",
        b"((",
        b"Content-Disposition: attachment; filename*0*=utf-8''%00\r\n",
        b"Date: Sat, 21 Nov 2026 23:36:42 +0100\r\n",
        b'"',
        b"=?",
        b"References: <a@b>\r\n",
        b"begin 644 x\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n",
        b"From: mailer-daemon\r\n",
        b"On Fri, Bob wrote:\r\n",
        b"-----Original Message-----\r\n",
        b"550 5.1.1 ",
        b"\x1b$B",
        b"\xe9",
    ]
)


def check(raw: bytes) -> None:
    """The promise of `parse` for one input."""
    try:
        found = parse(raw, MailSettings(own_domains=("b.c",), customer_from="first-body-line"))
    except PoisonError:
        return
    assert msgspec.json.decode(msgspec.json.encode(found), type=Message) == found
    assert found.text.strip() or not found.full_text.strip()
    for one in found.attachments:
        name, content_type, data = extract(raw, one.part)
        assert (name, content_type, len(data)) == (one.filename, one.content_type, one.size)


@given(st.binary(max_size=500))
@example(b"\r\n\r\n")
@example(b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n")
def test_any_bytes_give_a_message_or_poison(raw: bytes) -> None:
    """Nothing but PoisonError is raised, whatever comes in."""
    check(raw)


@given(st.lists(TOKENS, max_size=40))
def test_any_soup_of_mail_gives_a_message_or_poison(tokens: list[bytes]) -> None:
    """Pieces of mails in any order are read, and every attachment can be fetched as it was described."""
    check(b"".join(tokens))


def calls(work: Callable[[], object]) -> int:
    """The number of calls, Python's and C's, that a piece of work makes."""
    count = 0

    def counted(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("name", sorted(hostile()))
def test_work_doubles_with_the_mail_at_most(name: str) -> None:
    """Twice the mail costs at most about twice the calls, for every mail made to hurt."""
    small, large = hostile()[name](20_000), hostile()[name](40_000)
    parse(small)  # whatever is made once is made now
    assert calls(lambda: parse(large)) <= 2.6 * calls(lambda: parse(small)) + 500


@pytest.mark.parametrize("name", sorted(hostile()))
def test_large_mail_made_to_hurt_is_read(name: str) -> None:
    """Large hostile mail is read or refused; the suite's time limit is the guard against hanging."""
    found = parse(hostile()[name](400_000))
    assert len(found.full_text) <= MailSettings().limits.text_chars_max
