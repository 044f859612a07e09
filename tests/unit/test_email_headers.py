"""What header fields say, in all the ways they are broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import fields, headers
from channels.email.limits import DEFAULT, Limits
from router.core.message import Address


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Hello", "Hello"),
        (b"=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        (b"=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?iso-8859-1?q?Gr=FC=DFe?= and more", "Grüße and more"),
        (b"=?utf-8?B?R3LDvMOf?=\r\n =?utf-8?B?ZQ==?=", "Grüße"),  # white space between two words is no space
        (b"=?utf-8?Q?Gr=C3?= =?utf-8?Q?=BC=C3=9Fe?=", "Grüße"),  # a character cut in two
        (b"=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),  # no padding
        (b"=?utf-8?Q?a b c?=", "a b c"),  # spaces inside
        (b"=?utf-8?Q?never closed", "never closed"),
        (b"=?utf-8?Q?one =?utf-8?Q?two?=", "onetwo"),
        (b"=?utf-8*en?Q?language?=", "language"),
        (b"=?no-such-charset?Q?plain?=", "plain"),
        (b"Re:=?utf-8?Q?_glued?=on", "Re: gluedon"),
        ("Grüße".encode(), "Grüße"),  # raw UTF-8
        ("Grüße".encode("latin-1"), "Grüße"),
        ("日本".encode("iso2022_jp"), "日本"),
        (b"two\r\n\tlines", "two lines"),
        (b"=?utf-8?Q?inject=0D=0ABcc:_x?=", "inject Bcc: x"),
        (b"nul\x00byte", "nul byte"),
        (b"=?utf-16be?B?AGEAYg==?=", "ab"),
        (b"a =?b", "a =?b"),
    ],
)
def test_subject_is_read_as_a_person_would(raw: bytes, expected: str) -> None:
    """A subject comes out as readable text on one line, however it was encoded."""
    assert headers.text(raw) == expected


def test_raw_bytes_in_a_header_use_the_hint_before_a_guess() -> None:
    """Raw 8-bit text that is no UTF-8 is read in the charset of the body."""
    assert headers.text("Привет".encode("koi8-r"), "koi8-r") == "Привет"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"jane@example.com", [("jane@example.com", "")]),
        (b"Jane Doe <Jane@Example.COM>", [("jane@example.com", "Jane Doe")]),
        (
            b'"Doe, Jane" <jane@example.com>, bob@example.com',
            [("jane@example.com", "Doe, Jane"), ("bob@example.com", "")],
        ),
        (b"jane@example.com (Jane Doe)", [("jane@example.com", "Jane Doe")]),
        (b"=?utf-8?B?SsO8cmdlbg==?= <j@example.com>", [("j@example.com", "Jürgen")]),
        (b'"=?utf-8?Q?J=C3=BCrgen=2C_X?=" <j@example.com>', [("j@example.com", "Jürgen, X")]),
        (b"=?utf-8?Q?Jane_Doe_<jane@example.com>?=", [("jane@example.com", "Jane Doe")]),
        (b"friends: a@example.com, B <b@example.com>;", [("a@example.com", ""), ("b@example.com", "B")]),
        (b"undisclosed-recipients:;", []),
        (b"a@example.com; b@example.com", [("a@example.com", ""), ("b@example.com", "")]),
        (b"<@relay.example:jane@example.com>", [("jane@example.com", "")]),
        (b"Jane <jane @ example.com>", [("jane@example.com", "Jane")]),
        (b'"Jane <jane@example.com>', [("jane@example.com", "Jane")]),  # the quote is never closed
        (b"Jane <>", [("", "Jane")]),
        (b"'jane@example.com' <jane@example.com>", [("jane@example.com", "jane@example.com")]),
        (b"jane", [("", "jane")]),
        (b"\xc3\xbcser@b\xc3\xbccher.example", [("üser@bücher.example", "")]),
        (b"", []),
        (b"<mailto:jane@example.com>", [("jane@example.com", "")]),
    ],
)
def test_addresses_are_found_in_any_spelling(raw: bytes, expected: list[tuple[str, str]]) -> None:
    """Addresses are lower-cased and names decoded, for good and for bad lists."""
    assert [(one.address, one.name) for one in headers.addresses(raw)] == expected


def test_addresses_stop_at_the_limit() -> None:
    """No more addresses are read than the limit says."""
    assert len(headers.addresses(b"a@example.com," * 1000, 7)) == 7


@pytest.mark.parametrize("piece", [b"(", b'"', b"<", b'"\\', b"\\", b",", b":", b";", b"=?", b"=?a?q?", b"a@", b"(\\"])
def test_address_lists_made_to_hurt_are_read_in_one_pass(piece: bytes) -> None:
    """Sixty kilobytes of any one sign give an answer, without recursion or a square."""
    assert len(headers.addresses(piece * (60_000 // len(piece)))) <= 500


@pytest.mark.parametrize(
    ("raw", "main", "params"),
    [
        (b'text/plain; charset="utf-8"', "text/plain", {"charset": "utf-8"}),
        (b"TEXT/HTML; Charset=ISO-8859-1", "text/html", {"charset": "ISO-8859-1"}),
        (b'multipart/mixed\r\n\tboundary="x y"', "multipart/mixed", {"boundary": "x y"}),
        (b"multipart/mixed; boundary=a;b=c", "multipart/mixed", {"boundary": "a", "b": "c"}),
        (b'multipart/mixed; boundary="a;b"', "multipart/mixed", {"boundary": "a;b"}),
        (b"attachment; filename*=utf-8''%e2%82%ac%20rates.txt", "attachment", {"filename": "€ rates.txt"}),
        (b'attachment; filename*0="one "; filename*1=two.txt', "attachment", {"filename": "one two.txt"}),
        (b"attachment; filename*0*=utf-8''%c3; filename*1*=%bc.txt", "attachment", {"filename": "ü.txt"}),
        (b"attachment; filename=two words.pdf", "attachment", {"filename": "two words.pdf"}),
        (b'attachment; filename="=?utf-8?B?w7wudHh0?="', "attachment", {"filename": "ü.txt"}),
        (b'attachment; filename="a\\"b.txt"', "attachment", {"filename": 'a"b.txt'}),
        (b"text/plain; charset=utf-8 format=flowed", "text/plain", {"charset": "utf-8", "format": "flowed"}),
        (b'text/plain; charset="utf-8" format=flowed', "text/plain", {"charset": "utf-8", "format": "flowed"}),
        (b"; filename=x.png", "", {"filename": "x.png"}),
        (b"", "", {}),
    ],
)
def test_parameters_are_read_with_and_without_their_semicolons(raw: bytes, main: str, params: dict[str, str]) -> None:
    """The main value and the parameters come out of good and bad fields alike."""
    assert headers.params(raw) == (main, params)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Sat, 21 Nov 2026 23:36:42 +0100", "2026-11-21T22:36:42Z"),
        (b"21 Nov 2026 23:36 EST", "2026-11-22T04:36:00Z"),
        (b"Sat, 21 Nov 26 23:36:42 GMT (comment)", "2026-11-21T23:36:42Z"),
        (b"2026-11-21 23:36:42+02:00", "2026-11-21T21:36:42Z"),
        (b"yesterday", None),
        (b"", None),
        (b"Sat, 21 Nov 99999 23:36:42 +0100", None),
        (b"Sat, 41 Nov 2026 73:36:42 +0100", None),
        (b"Sat, 21 Nov 2026 23:36:42 +9999999999999", None),
        (b"0000000000000000000000000000000000", None),
    ],
)
def test_dates_are_utc_or_nothing(raw: bytes, expected: str | None) -> None:
    """A date is given in UTC by RFC 3339; one that cannot be is None."""
    assert headers.date(raw) == expected


def test_ids_lose_their_brackets_and_empty_ones_are_none() -> None:
    """Message-IDs come without brackets or blanks; an empty one is no id."""
    assert headers.ids(b"<a@b>\r\n <c @d> <>") == ("a@b", "c@d")
    assert headers.ids(b"a@b") == ("a@b",)
    assert headers.ids(b"<>") == ()
    assert headers.ids(b" ") == ()


def test_of_too_many_ids_the_first_and_the_last_stay() -> None:
    """References are capped so that the thread's first mail and the latest ones are kept."""
    found = headers.ids(b" ".join(b"<%d@x>" % number for number in range(500)), 10)
    assert found == ("0@x", *(f"{number}@x" for number in range(491, 500)))


@given(st.binary(max_size=300))
def test_no_field_makes_a_reader_raise(raw: bytes) -> None:
    """Any bytes are read by every reader, and what is text stays on one line."""
    assert "\n" not in headers.text(raw)
    for address in headers.addresses(raw):
        assert isinstance(address, Address)
        assert not any(sign in address.address + address.name for sign in "\r\n\0")
    headers.params(raw)
    headers.date(raw)
    assert all(headers.ids(raw))
    block, body = fields.read(raw, 0, DEFAULT)
    assert 0 <= body <= len(raw)
    assert all(name == name.lower() for name, _ in block.items)


def test_a_header_goes_on_after_a_line_that_is_no_field() -> None:
    """A wrapped address list without indentation is put together, and what follows is still the header."""
    block, body = fields.read(b"To: a@example.com,\nb@example.com\nSubject: x\n\nbody", 0, DEFAULT)
    assert [one.address for one in headers.addresses(block.get("to"))] == ["a@example.com", "b@example.com"]
    assert block.get("subject") == b"x"
    assert body == 45
    assert block.notes == ["the header has a line that is no field"]


def test_a_body_without_a_blank_line_before_it_is_found() -> None:
    """Text right below the header is the body."""
    raw = b"Subject: x\nDear team, hello\nmore"
    block, body = fields.read(raw, 0, DEFAULT)
    assert raw[body:] == b"Dear team, hello\nmore"
    assert block.notes


def test_an_mbox_separator_is_no_field() -> None:
    """The From line of a mailbox file is passed over."""
    block, _ = fields.read(b"From a@b Sat Nov 21\nSubject: x\n\n", 0, DEFAULT)
    assert block.items == [("subject", b"x")]


@pytest.mark.parametrize(
    ("raw", "limits"),
    [
        (b"A: b\n" * 100 + b"\nbody", Limits(headers_max=10)),
        (b"A: b\n" * 100 + b"\nbody", Limits(header_bytes_max=50)),
        (b"A: " + b"b" * 500 + b"\n\nbody", Limits(field_bytes_max=100)),
    ],
)
def test_long_headers_are_cut_and_the_body_is_still_found(raw: bytes, limits: Limits) -> None:
    """Beyond a limit the rest of the header is passed over, with a note."""
    block, body = fields.read(raw, 0, limits)
    assert raw[body:] == b"body"
    assert block.notes
    assert len(block.items) <= 11


def test_fields_are_found_by_name_whatever_their_case() -> None:
    """The first field of a name and all of them can be had, with folds kept."""
    block, _ = fields.read(b"RECEIVED: a\r\n b\r\nReceived : c\r\nX:\r\n\r\n", 0, DEFAULT)
    assert block.get("received") == b"a\n b"
    assert block.all("received") == [b"a\n b", b"c"]
    assert block.get("x") == b""
    assert block.all("none") == []
