"""What the mails we write look like to a reader that is not ours: the standard library's parser."""

from __future__ import annotations

import email
import email.policy
import re
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from channels.email.compose import Outgoing, OutgoingAttachment, compose
from router.core.errors import PermanentError
from router.core.message import Address

BASE = Outgoing(
    workspace="acme",
    message_id="u.c1.m1.abc@acme.example",
    date=1_763_632_800_000,
    from_=Address(address="help@acme.example", name="Grace at Acme"),
    to=(Address(address="ada@customer.example", name="Ada"),),
    subject="Re: My bag",
    text="It is on its way.\n",
)


def changed(**changes: object) -> Outgoing:
    """Give the usual answer with some fields changed."""
    return msgspec.structs.replace(BASE, **changes)


def read(raw: bytes) -> EmailMessage:
    """Parse with the standard library, which must find nothing wrong."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def test_a_plain_answer_is_exactly_this() -> None:
    """The smallest mail has the headers of an answer, in seven bits, and nothing besides."""
    assert compose(changed(in_reply_to="q1@customer.example", references=("q1@customer.example",))) == (
        b"Date: Thu, 20 Nov 2025 10:00:00 +0000\r\n"
        b"From: Grace at Acme <help@acme.example>\r\n"
        b"To: Ada <ada@customer.example>\r\n"
        b"Subject: Re: My bag\r\n"
        b"Message-ID: <u.c1.m1.abc@acme.example>\r\n"
        b"In-Reply-To: <q1@customer.example>\r\n"
        b"References: <q1@customer.example>\r\n"
        b"X-Usherd-Loop: acme\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"It is on its way.\r\n"
    )


def test_references_keep_the_first_and_the_last_ten() -> None:
    """Of a long thread the first and the last ten references stay, the answered mail last and once."""
    chain = tuple(f"{number}@customer.example" for number in range(30))
    message = read(compose(changed(references=chain, in_reply_to="5@customer.example")))
    kept = message["References"].split()
    assert kept[0] == "<0@customer.example>"
    assert kept[1:] == [f"<{number}@customer.example>" for number in [*range(21, 30), 5]]


def test_identifiers_are_never_cut_or_encoded() -> None:
    """A Message-ID of 400 characters stands in one piece, and broken ones are left out."""
    long = "x" * 400 + "@customer.example"
    raw = compose(changed(in_reply_to=long, references=("with blank@x", "<x@y>", "\xfc@x", "", "y" * 901, "ok@x")))
    assert f"<{long}>".encode() in raw
    assert read(raw)["References"].split() == ["<ok@x>", f"<{long}>"]


@pytest.mark.parametrize("auto", ["auto-replied", "auto-generated"])
def test_only_machine_mail_says_that_it_is(auto: str) -> None:
    """Auto-Submitted stands on machine mail, and on an agent's answer it does not."""
    assert read(compose(changed(auto=auto)))["Auto-Submitted"] == auto
    assert "Auto-Submitted" not in read(compose(BASE))


def test_html_is_an_alternative_and_files_are_attached() -> None:
    """Text comes first, HTML after it, files behind both, with their names and bytes."""
    files = (
        OutgoingAttachment(filename="Überweisung – März.pdf", content_type="application/pdf", content=b"%PDF\x00\xff"),
        OutgoingAttachment(filename="a" * 200 + "é.txt", content_type="text/plain; x=y", content=b""),
        OutgoingAttachment(filename="mail.eml", content_type="message/rfc822", content=b"Subject: x\r\n\r\nx"),
        OutgoingAttachment(filename="", content_type="nonsense\r\nX: y", content=b"z"),
    )
    message = read(compose(changed(text="Grüße", html="<p>Grüße</p>", attachments=files)))
    assert message.get_content_type() == "multipart/mixed"
    body = message.get_body()
    assert body is not None
    assert body.get_content_type() == "text/html"
    assert body.get_content() == "<p>Grüße</p>\n"
    plain = message.get_body(("plain",))
    assert plain is not None
    assert plain.get_content() == "Grüße\n"
    found = [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        for part in message.iter_attachments()
    ]
    assert found == [
        ("Überweisung – März.pdf", "application/pdf", b"%PDF\x00\xff"),
        ("a" * 200 + "é.txt", "text/plain", b""),
        ("mail.eml", "application/octet-stream", b"Subject: x\r\n\r\nx"),
        ("attachment", "application/octet-stream", b"z"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "x\r\nBcc: all@acme.example"},
        {"subject": "x\ny"},
        {"subject": "x\ry"},
        {"subject": "x\u2028y"},
        {"from_": Address(address="help@acme.example", name="x\r\nBcc: a@b")},
        {"from_": Address(address="help@acme.example\r\nBcc: a@b")},
        {"to": (Address(address='"x\r\nBcc: y"@acme.example'),)},
        {"cc": (Address(address="a@b\n.example"),)},
        {"reply_to": Address(address="a@b.example", name="\n")},
        {"message_id": "a@b\r\nBcc: a@b"},
        {"in_reply_to": "a@b\r\nBcc: a@b"},
        {"references": ("a@b\r\n",)},
        {"workspace": "a\r\nb"},
        {"attachments": (OutgoingAttachment(filename="a\r\nb", content_type="a/b", content=b""),)},
    ],
)
def test_line_breaks_in_headers_are_refused(changes: dict[str, object]) -> None:
    """No value can add a header of its own."""
    with pytest.raises(PermanentError):
        compose(changed(**changes))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@customer.example",
        "ada@",
        "ada@b c",
        "ada@b>,eve@c",
        "a@-b",
        "a\ud800@b.example",
        "a@" + "x" * 70 + ".example",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """An address that no server could take raises instead of being sent."""
    with pytest.raises(PermanentError):
        compose(changed(to=(Address(address=address),)))


def test_a_mail_to_nobody_is_refused() -> None:
    """No recipient and no usable Message-ID are errors."""
    with pytest.raises(PermanentError, match="recipient"):
        compose(changed(to=()))
    with pytest.raises(PermanentError, match="Message-ID"):
        compose(changed(message_id="two words"))


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("o'neil+x@customer.example", "o'neil+x@customer.example"),
        ("two words@customer.example", '"two words"@customer.example'),
        ('"two words"@customer.example', '"two words"@customer.example'),
        ('"a"b"@customer.example', '"\\"a\\"b\\""@customer.example'),
        (".dots..@customer.example", '".dots.."@customer.example'),
        ("ada@müller.example", "ada@xn--mller-kva.example"),
        ("josé@customer.example", "josé@customer.example"),
        ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
    ],
)
def test_odd_addresses_are_written_right(address: str, written: str) -> None:
    """Local parts are quoted where they must be, domains are ASCII, nothing else is changed."""
    raw = compose(changed(to=(Address(address=address, name="Ada, Dr."),)))
    assert f'To: "Ada, Dr." <{written}>\r\n'.encode() in raw


@pytest.mark.parametrize(
    "text",
    ["From here\nFrom there", ".", "a =_ b", "x" * 2000, "tail \n", "\t", "\x00", "\r\r\n\n", "Ünï", "日本語" * 300],
)
def test_text_survives_any_server(text: str) -> None:
    """What a server might touch is encoded: the text comes back, and the bytes are seven-bit lines of at most 78."""
    raw = compose(changed(text=text))
    expected = re.sub(r"\r\n|\r", "\n", text).rstrip("\n") + "\n"
    assert read(raw).get_content().replace("\r\n", "\n") == expected
    assert raw.isascii()
    for line in raw.split(b"\r\n"):
        assert len(line) <= 78
        assert b"\n" not in line
        assert b"\r" not in line
        assert not line.startswith(b"From ")
        assert line != b"."


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=90)


@hypothesis.given(subject=NAME, name=NAME, other=NAME, text=TEXT, html=TEXT)
def test_every_text_comes_back(subject: str, name: str, other: str, text: str, html: str) -> None:
    """Any subject, name and text is read back as it was by another parser, from lines any server takes."""
    to = (Address(address="ada@customer.example", name=name), Address(address="eve@customer.example", name=other))
    raw = compose(changed(subject=subject, to=to, text=text, html=html))
    message = read(raw)
    assert message["Subject"] == subject.strip()
    assert shown_names(raw) == [name.strip(), other.strip()]
    assert [address.addr_spec for address in message["To"].addresses] == [
        "ada@customer.example",
        "eve@customer.example",
    ]
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))
    assert raw.isascii()
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n") == re.sub(r"\r\n|\r", "\n", text).rstrip("\n") + "\n"


def shown_names(raw: bytes) -> list[str]:
    """The recipients' names as the standard library's older parser reads them; the newer one changes white space."""
    header = email.message_from_bytes(raw, policy=email.policy.compat32)["To"].replace("\r\n", "")
    return [str(make_header(decode_header(name))) for name, _ in getaddresses([header])]


def test_composing_is_pure() -> None:
    """The same answer gives the same bytes on every try."""
    mail = changed(html="<p>x</p>", attachments=(OutgoingAttachment(filename="a", content_type="a/b", content=b"c"),))
    assert compose(mail) == compose(mail)
