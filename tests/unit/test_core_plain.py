"""Words of strangers without what hides, reorders or breaks what people read."""

from __future__ import annotations

import pytest

from router.core.plain import SUBJECT_CHARACTERS_MAX, clean, first_words, one_line


def test_a_text_keeps_its_lines_and_loses_what_no_screen_shows() -> None:
    """Line ends become one kind; control characters and halves of characters are marked."""
    assert clean("  one\r\ntwo\rthree\x00\ud800 ") == "one\ntwo\nthree\ufffd\ufffd"
    assert clean("\ttabs stay\n") == "tabs stay"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Ada\nLovelace", "Ada Lovelace"), ("\u202eadA", "adA"), ("  A  B ", "A B"), ("x" * 9, "xxxxx"), ("", "")],
)
def test_a_name_is_one_line_in_its_own_direction(name: str, shown: str) -> None:
    """However it was typed, and no longer than it may be."""
    assert one_line(name, 5 if name.startswith("x") else 80) == shown


def test_a_subject_ends_with_a_whole_word() -> None:
    """A short text is its own; of a long one the first words stand, and that there is more."""
    assert first_words("Where is\nmy bag?") == "Where is my bag?"
    long = first_words("suitcase " * 20)
    assert long == "suitcase " * 6 + "suitcase…"
    assert len(long) <= SUBJECT_CHARACTERS_MAX + 1
