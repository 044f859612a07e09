"""Text to features, and keywords in any script."""

from __future__ import annotations

import pytest

from skills.topics.features import (
    TEXT_MAX,
    TOKEN_MAX,
    characters_of,
    fold,
    pieces_of,
    prepared,
    words_and_pairs,
    words_of,
)
from skills.topics.keywords import Keywords


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ÀÉîõÜ ñ", "aeiou n"),
        ("ΆΡΗΣ", "αρησ"),
        ("STRASSE Straße", "strasse strasse"),
        ("ＦＵＬＬ", "full"),
        ("が", "が"),
        ("हिन्दी", "हिन्दी"),
        ("한국어", "한국어"),
        ("\ud800", "\ud800"),
    ],
)
def test_fold_removes_case_and_accents_but_not_letters(text: str, folded: str) -> None:
    """Latin and Greek accents go; signs that are part of a letter elsewhere stay."""
    assert fold(text) == folded


@pytest.mark.parametrize("text", ["a" * 10_000, "\ufdfa" * 10_000, "ﬃ" * 10_000])
def test_fold_caps_what_grows(text: str) -> None:
    """Characters that unfold into many do not get past the cap."""
    assert len(fold(text)) <= TEXT_MAX


def test_words_of_indic_scripts_stay_whole() -> None:
    """Vowel signs are part of a word, though Python does not count them as letters."""
    assert words_of("हिन्दी में लिखा") == ["हिन्दी", "में", "लिखा"]


def test_words_and_pairs() -> None:
    """Words come first, then neighbours; numbers are one class."""
    assert words_and_pairs(prepared("order 1182, please!")) == ["order", "0", "please", "order 0", "0 please"]


def test_characters_stay_within_a_piece() -> None:
    """Runs of 2 to 5 characters, with the edges marked; a short word counts once at its length."""
    assert characters_of("ab") == [" a", "ab", "b ", " ab", "ab ", " ab "]
    assert characters_of("a") == [" a", "a ", " a "]


def test_long_runs_are_cut() -> None:
    """A run without spaces becomes pieces of bounded length that hold all of it."""
    pieces = pieces_of("x" * 100 + " y")
    assert max(map(len, pieces)) == TOKEN_MAX
    assert "".join(pieces) == "x" * 100 + "y"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a refund, please", {"refund"}),
        ("refunds", set()),
        ("my lost pet", {"pet"}),
        ("lost my pet", set()),
        ("¡Reembolso!", {"refund"}),
        ("возврат денег", {"refund"}),
        ("ฉันต้องการคืนเงินค่ะ", {"refund"}),
        ("返金してください", {"refund"}),
        ("मेरा पालतू खो गया", {"pet"}),
        ("e-mail me", {"mail"}),
        ("", set()),
    ],
)
def test_keywords_in_many_scripts(text: str, found: set[str]) -> None:
    """Whole words where words are spaced, characters where they are not."""
    keywords = Keywords(
        {
            "refund": ["refund", "reembolso", "Возврат", "คืนเงิน", "返金"],
            "pet": ["lost pet", "पालतू"],
            "mail": ["e-mail"],
            "none": ["!!", " "],
        }
    )
    assert keywords.hits(fold(text)) == found


def test_no_keywords_is_falsy() -> None:
    """Without keywords there is nothing to look for."""
    assert not Keywords({"a": ["?!"]})
    assert Keywords({"a": ["b"]})
