"""Text to features: words and pairs of words, and the characters 2 to 5 long inside each word.

One way for training and prediction, so that both see the same. Text is folded (case, accents, widths), numbers become
one class, and what is looked at is capped: a megabyte of one letter costs what a long mail costs. Characters are kept
beside words because customers make typing errors (5 % of them cost 12 points with words alone, 4 with both).
"""

from __future__ import annotations

import functools
import operator
import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise

TEXT_MAX = 2_000  # characters looked at; what a mail is about stands at its beginning
TOKEN_MAX = 24  # characters; a longer run is cut into pieces (scripts without spaces, base64)
SIZES = range(2, 6)

_ACCENTS = re.compile("[\u0300-\u036f]+")
_DIGITS = re.compile(r"\d+")
# Letters, and the signs that Python does not count among them though words of Indic and Thai scripts hold them.
_WORD = re.compile(
    "[\\w\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0966-\u0dff\u0e00-\u0eff\u0f00-\u0fbc\u1000-\u109f\u1780-\u17d3\u200c\u200d]+"
)


def fold(text: str) -> str:
    """Lower case without Latin, Greek and Cyrillic accents, widths made one. At most 2,000 characters are kept."""
    text = text[:TEXT_MAX]
    if text.isascii():
        return text.lower()
    split = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", split))[:TEXT_MAX]


def words_of(folded: str) -> list[str]:
    """The words of a folded text, in order, in any script."""
    return _WORD.findall(folded)


def words_and_pairs(text: str) -> list[str]:
    """The words of a text from `prepared`, and the pairs of neighbours, as often as they occur."""
    words = [word[:TOKEN_MAX] for word in words_of(text)]
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def pieces_of(text: str) -> list[str]:
    """What stands between spaces in a text from `prepared`, punctuation included; long runs cut into pieces."""
    pieces: list[str] = []
    for token in text.split():
        if len(token) <= TOKEN_MAX:
            pieces.append(token)
        else:
            pieces += [token[start : start + TOKEN_MAX] for start in range(0, len(token), TOKEN_MAX)]
    return pieces


def characters_of(piece: str) -> list[str]:
    """All runs of 2 to 5 characters in one piece, its edges marked by spaces, as often as they occur."""
    padded = f" {piece} "
    return list(_runs(len(padded))(padded)) if piece else [padded]


@functools.cache
def _runs(length: int) -> Callable[[str], tuple[str, ...]]:
    """Takes the runs out of a padded piece so long, all at once: a third of the time that one by one takes."""
    found: list[slice] = []
    for size in SIZES:
        if length <= size:
            found.append(slice(length))  # a short word counts once
            break
        found += [slice(at, at + size) for at in range(length - size + 1)]
    return operator.itemgetter(*found)


def prepared(folded: str) -> str:
    """A folded text with every number made the same one: order ids differ, what is asked about them does not."""
    return _DIGITS.sub("0", folded)
