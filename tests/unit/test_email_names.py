"""Names of attachments are file names and nothing else."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.names import NAME_CHARS_MAX, safe_filename


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.jpg", "photo.jpg"),
        ("Größe der Tasche.PDF", "Größe der Tasche.PDF"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\jane\\bag.png", "bag.png"),
        ("..", "part-3.bin"),
        ("", "part-3.bin"),
        ("a/b/", "b"),
        ("\x00evil\x1b[2J.txt", "evil[2J.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("con.txt", "_con.txt"),
        ("LPT1", "_LPT1"),
        (".htaccess", "htaccess"),
        ("-rf", "rf"),
        ('a<b>:"|?*.txt', "ab.txt"),
        ("trailing. . ", "trailing"),
        ("a" * 300 + ".jpeg", "a" * 115 + ".jpeg"),
        ("x." + "y" * 300, ("x." + "y" * 300)[:NAME_CHARS_MAX]),
        ("two\r\nlines.txt", "twolines.txt"),
        ("e\u0301.txt", "é.txt"),
        ("\ud800.txt", "txt"),
    ],
)
def test_names_keep_what_is_safe_of_them(name: str, expected: str) -> None:
    """Folders, control and direction signs and device names go; the rest of the name stays."""
    assert safe_filename(name, number=3) == expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("image/jpeg", "part-1.jpg"),
        ("message/rfc822", "part-1.eml"),
        ("text/calendar", "part-1.ics"),
        ("application/ms-tnef", "part-1.dat"),
        ("application/x-nobody-knows", "part-1.bin"),
    ],
)
def test_a_part_without_a_name_is_called_by_its_type(content_type: str, expected: str) -> None:
    """Where there is no name the content type gives the extension."""
    assert safe_filename("", content_type, 1) == expected


@given(st.text(max_size=400))
def test_any_name_becomes_a_safe_one(name: str) -> None:
    """No input gives a path, a control sign, an empty or an overlong name, and the result is stable."""
    safe = safe_filename(name)
    assert 0 < len(safe) <= NAME_CHARS_MAX
    assert not set(safe) & set('/\\<>:"|?*')
    assert all(unicodedata.category(sign) not in {"Cc", "Cs"} for sign in safe)
    assert safe not in {".", ".."}
    assert safe[0] not in ".-"
    safe.encode()
