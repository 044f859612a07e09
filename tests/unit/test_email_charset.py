"""Bytes to text, whatever the label says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.charset import codec_of, decode


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        (b"plain", "", "plain"),
        ("Größe".encode(), "utf-8", "Größe"),
        ("Größe".encode(), "", "Größe"),
        ("Größe".encode(), "us-ascii", "Größe"),
        ("Größe".encode(), "iso-8859-1", "Größe"),  # mislabelled: what decodes as UTF-8 is UTF-8
        ("Größe".encode(), "no-such-thing", "Größe"),
        ("Größe".encode("latin-1"), "utf-8", "Größe"),
        ("Größe".encode("latin-1"), "", "Größe"),
        ("“quoted” €".encode("cp1252"), "iso-8859-1", "“quoted” €"),
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет"),
        ("日本語".encode("shift_jis"), "x-sjis", "日本語"),
        ("日本語".encode("iso2022_jp"), "", "日本語"),
        ("日本語".encode("iso2022_jp"), "iso-2022-jp", "日本語"),
        ("中文".encode("gb18030"), "gb2312", "中文"),
        ("한국어".encode("cp949"), "ks_c_5601-1987", "한국어"),
        ("\ufeffwith a mark".encode("utf-16"), "utf-8", "with a mark"),
        (b"+AOk-", "unicode-1-1-utf-7", "é"),
        (b"a\x00b", "", "ab"),
        (b"a\x00b\x00", "utf-16le", "ab"),
        (b"\x81\x8d", "windows-1252", "\x81\x8d"),  # bytes that Windows-1252 leaves open are kept
        (b"+2D3eAA-", "utf-7", "\U0001f600"),
        (b"a+2AA-b", "utf-7", "a\ufffdb"),  # half a character
        (b"abc", '"utf-8"', "abc"),
    ],
)
def test_text_is_found_in_spite_of_the_label(data: bytes, label: str, text: str) -> None:
    """Labelled, mislabelled and unlabelled bytes come out as what was written."""
    assert decode(data, label)[0] == text


@pytest.mark.parametrize(
    "label",
    ["base64", "rot13", "zlib", "idna", "punycode", "unicode_escape", "undefined", "../x", "a\0b", "é", "x" * 99],
)
def test_what_is_no_charset_is_refused(label: str) -> None:
    """Codecs that are no charsets, or that cost more than linear time, are never used."""
    assert codec_of(label) is None
    assert decode("é".encode(), label)[0] == "é"


def test_doubts_are_put_into_words() -> None:
    """An unknown or wrong label gives a warning, a right one does not."""
    assert decode(b"\xe9", "no-such-thing")[1] == "unknown charset 'no-such-thing'"
    assert decode("é".encode(), "latin1")[1] == "says charset 'latin1' but is UTF-8"
    assert decode(b"abc\xff", "euc-jp")[1] == "some characters are not 'euc-jp'"
    assert decode("é".encode(), "utf-8")[1] is None
    assert decode("é".encode("latin-1"), "iso-8859-1")[1] is None


@given(
    st.binary(max_size=200), st.one_of(st.text(max_size=20), st.sampled_from(["utf-7", "hz", "utf-16", "iso2022_kr"]))
)
def test_no_bytes_and_no_label_raise(data: bytes, label: str) -> None:
    """Any bytes under any label are text without NULs."""
    text, warning = decode(data, label)
    assert "\0" not in text
    text.encode()
    assert warning is None or warning


@given(st.text(alphabet=st.characters(exclude_characters="\0\ufeff", exclude_categories=["Cs"])))
def test_utf8_is_never_changed(text: str) -> None:
    """What was written in UTF-8 is read as it was written, apart from escapes of old Japanese mail."""
    if "\x1b$" not in text:
        assert decode(text.encode(), "utf-8")[0] == text
