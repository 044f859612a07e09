"""When two mails count as one."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from channels.email import identity as identity_module
from channels.email.identity import identity
from channels.email.smtp_data import DataCollector
from tests.support.smtp_peer import MAIL

ACCOUNT = "help@acme.example"


@pytest.mark.parametrize(
    "other",
    [
        b"Return-Path: <x@y>\r\nReceived: from a\r\n\tby b; now\r\n" + MAIL,
        MAIL.replace(b"\r\n", b"\n"),
        MAIL + b"\r\n",
        MAIL.removesuffix(b"\r\n"),
        MAIL.replace(b"Subject: My bag", b"SUBJECT:   My\r\n bag "),
        MAIL.replace(b"To: help@acme.example\r\n", b"To: other@acme.example\r\nX-Spam: no\r\n"),
    ],
)
def test_the_path_a_mail_took_makes_no_difference(other: bytes) -> None:
    """Trace fields, line ends, folding and empty lines at the end leave the key as it is."""
    assert identity(ACCOUNT, other) == identity(ACCOUNT, MAIL)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<1@customer.example>", b"<2@customer.example>"),
        (b"It is gone", b"It is back"),
        (b"My bag", b"My dog"),
        (b"Ada <", b"Eve <"),
        (b"10:00", b"10:01"),
        (b"Subject: My bag", b"Subject: My\r\nSubject: bag"),
    ],
)
def test_what_a_reader_sees_makes_the_difference(old: bytes, new: bytes) -> None:
    """Another Message-ID, body, subject, writer or date gives another key: a copied Message-ID swallows nothing."""
    assert old in MAIL
    assert identity(ACCOUNT, MAIL.replace(old, new))[0] != identity(ACCOUNT, MAIL)[0]


def test_the_same_mail_in_two_accounts_is_two() -> None:
    """The account is part of the key, and not of the digest of what is said."""
    ours, theirs = identity(ACCOUNT, MAIL), identity("orders@acme.example", MAIL)
    assert ours[0] != theirs[0]
    assert ours[1] == theirs[1]


@pytest.mark.parametrize("blank", [b"\r\n\r\n", b"\r\n"])
def test_mails_without_id_and_date_are_told_apart_by_all_their_bytes(blank: bytes) -> None:
    """Machine mail that repeats its words is not taken for a copy when its trace differs."""
    raw = b"Subject: disk full" + blank + b"on host a\r\n"
    assert identity(ACCOUNT, b"Received: 1\r\n" + raw) != identity(ACCOUNT, b"Received: 2\r\n" + raw)


@hypothesis.given(st.binary(max_size=400), st.text(max_size=20))
def test_any_bytes_have_an_identity(raw: bytes, account: str) -> None:
    """No input raises, and both digests have 16 bytes."""
    key, body = identity(account, raw)
    assert len(key) == len(body) == 16


@pytest.mark.parametrize(
    "raw",
    [b"From:" * 2_000_000, b"From" + b" " * 5_000_000, b"\r\n " * 3_000_000, b"From: x\r\n" * 1_000_000 + b"\r\n\r\n"],
)
def test_hostile_headers_take_linear_time(raw: bytes) -> None:
    """Megabytes of field names, blanks, folds or repeated fields end; the test's guard is the limit."""
    assert identity(ACCOUNT, raw) == identity(ACCOUNT, raw)


LINES = st.lists(st.sampled_from([b"", b".", b"..", b"a", b".a", b"\n.\n", b"\r.\r", b"x" * 50]), max_size=8)


@hypothesis.given(LINES, st.data())
def test_a_mail_in_any_pieces_is_collected_whole(lines: list[bytes], data: st.DataObject) -> None:
    """However the stream is cut, the mail and the bytes behind it come out the same."""
    mail = b"".join(line + b"\r\n" for line in lines)
    stream = (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\nNEXT"
    collector = DataCollector(limit=10_000)
    rest = None
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        piece, stream = stream[:size], stream[size:]
        rest = collector.feed(piece)
        if rest is not None:
            break
    assert rest is not None
    assert rest + stream == b"NEXT"
    assert collector.seen + len(rest) + len(stream) == len((b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")) - 2 + 3 + 4
    assert not collector.overflowed
    assert collector.take() == mail


@hypothesis.given(st.integers(0, 40), st.integers(1, 45))
def test_the_limit_counts_to_the_byte(limit: int, step: int) -> None:
    """A mail of exactly the limit is kept, and one byte more is not, in pieces of any size."""
    for size in (limit, limit + 1):
        collector = DataCollector(limit)
        stream = b"x" * max(0, size - 2) + b"\r\n" if size >= 2 else b"x" * size
        stream += b".\r\n" if stream.endswith(b"\r\n") or not stream else b"\r\n.\r\n"
        expected = len(stream) - 3
        ended = None
        for start in range(0, len(stream), step):
            ended = collector.feed(stream[start : start + step])
        assert ended is not None
        assert collector.overflowed == (expected > limit)


@hypothesis.given(st.lists(st.sampled_from((b"\r", b"\n", b"\r\n", b"a", b"word ")), max_size=60), st.integers(1, 7))
def test_a_text_is_levelled_the_same_in_pieces(pieces: list[bytes], size: int) -> None:
    """However a text is cut into pieces while it is hashed, no line end is torn: the identity is the whole's."""
    mail = b"Message-ID: <x@y>\r\n\r\nwords " + b"".join(pieces)
    whole = identity(ACCOUNT, mail)
    before, identity_module.PIECE_SIZE = identity_module.PIECE_SIZE, size
    try:
        in_pieces = identity(ACCOUNT, mail)
    finally:
        identity_module.PIECE_SIZE = before
    assert in_pieces == whole
