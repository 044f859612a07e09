"""How Telegram counts, and where long texts are parted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.telegram.units import TEXT_UNITS_MAX, pieces, units

ANY = st.text(alphabet=st.sampled_from("aé.\n 🙏👩‍👩‍👧"), max_size=300)


@pytest.mark.parametrize(("text", "length"), [("", 0), ("abc", 3), ("é", 1), ("🙏", 2), ("a🙏b", 4)])
def test_units_are_those_of_utf16(text: str, length: int) -> None:
    """A letter counts one and what lies beyond the first plane two, as in UTF-16."""
    assert units(text) == length == len(text.encode("utf-16-le")) // 2


@given(text=ANY, limit=st.integers(min_value=2, max_value=40))
def test_nothing_is_lost_and_nothing_too_long(text: str, limit: int) -> None:
    """Whatever the text, each piece fits and says something, and but for blanks the pieces together are the text."""
    found = pieces(text, limit)
    assert all(0 < units(piece) <= limit and piece.strip() == piece for piece in found)
    assert "".join("".join(piece.split()) for piece in found) == "".join(text.split())


def test_a_short_text_stays_as_it_is() -> None:
    """What fits is one piece, its inner blanks and lines kept."""
    assert pieces("Dear Ada,\n\n  it is   done.\n") == ["Dear Ada,\n\n  it is   done."]
    assert pieces(" \n ") == []


def test_a_long_text_is_parted_where_a_reader_would() -> None:
    """A paragraph's end goes before a line's, that before a sentence's, and that before a blank."""
    first, second = "a" * 30 + ". " + "b" * 20, "c" * 40
    assert pieces(f"{first}\n\n{second}", 60) == [first, second]
    assert pieces(f"{first}\n{second}", 60) == [first, second]
    assert pieces(f"{'a' * 40}. {'b' * 40}", 60) == ["a" * 40 + ".", "b" * 40]
    assert pieces(f"{'a' * 40} {'b' * 40}", 60) == ["a" * 40, "b" * 40]
    assert pieces("🙏" * 3_000) == ["🙏" * (TEXT_UNITS_MAX // 2), "🙏" * (3_000 - TEXT_UNITS_MAX // 2)]
