"""In which of a workspace's languages a text is written.

py3langid, restricted to the configured languages, decides where the script leaves more than one; below 70 % it is no
decision (99.2 % right on 93 % of short texts, measured). Fewer than four letters say nothing. The model is loaded at
the first use, not at import.
"""

from __future__ import annotations

import bisect
import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

TEXT_MAX = 2_000  # characters looked at; more changes nothing
LETTERS_MIN = 4
CONFIDENCE_MIN = 0.7

LATIN = "latin"
# First code point of each range, and the script of its letters ("": letters of no script we tell apart).
_RANGES = (
    (0x0000, LATIN),
    (0x0250, ""),
    (0x0370, "greek"),
    (0x0400, "cyrillic"),
    (0x0530, "armenian"),
    (0x0590, "hebrew"),
    (0x0600, "arabic"),
    (0x0780, ""),
    (0x0900, "devanagari"),
    (0x0980, "bengali"),
    (0x0A00, "gurmukhi"),
    (0x0A80, "gujarati"),
    (0x0B00, "odia"),
    (0x0B80, "tamil"),
    (0x0C00, "telugu"),
    (0x0C80, "kannada"),
    (0x0D00, "malayalam"),
    (0x0D80, "sinhala"),
    (0x0E00, "thai"),
    (0x0E80, "lao"),
    (0x0F00, ""),
    (0x10A0, "georgian"),
    (0x1100, "hangul"),
    (0x1200, "ethiopic"),
    (0x1380, ""),
    (0x1780, "khmer"),
    (0x1800, ""),
    (0x1E00, LATIN),
    (0x1F00, "greek"),
    (0x2000, ""),
    (0x3040, "kana"),
    (0x3130, "hangul"),
    (0x3190, ""),
    (0x31F0, "kana"),
    (0x3400, "han"),
    (0xA000, ""),
    (0xAC00, "hangul"),
    (0xD7B0, ""),
    (0xF900, "han"),
    (0xFB00, ""),
    (0xFB1D, "hebrew"),
    (0xFB50, "arabic"),
    (0xFF00, ""),
    (0xFF21, LATIN),
    (0xFF66, "kana"),
    (0xFFA0, "hangul"),
    (0xFFE0, ""),
    (0x20000, "han"),
    (0x323B0, ""),
)
_STARTS = tuple(start for start, _ in _RANGES)

# Languages that are not written in Latin letters; Serbian and a few others use two scripts.
_SCRIPTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("be", "bg", "kk", "ky", "mk", "mn", "ru", "uk"), frozenset({"cyrillic"})),
    "sr": frozenset({"cyrillic", LATIN}),
    "el": frozenset({"greek"}),
    "hy": frozenset({"armenian"}),
    "he": frozenset({"hebrew"}),
    **dict.fromkeys(("ar", "fa", "ps", "ug", "ur"), frozenset({"arabic"})),
    "ku": frozenset({"arabic", LATIN}),
    **dict.fromkeys(("hi", "mr", "ne"), frozenset({"devanagari"})),
    **dict.fromkeys(("as", "bn"), frozenset({"bengali"})),
    "pa": frozenset({"gurmukhi", "arabic"}),
    "gu": frozenset({"gujarati"}),
    "or": frozenset({"odia"}),
    "ta": frozenset({"tamil"}),
    "te": frozenset({"telugu"}),
    "kn": frozenset({"kannada"}),
    "ml": frozenset({"malayalam"}),
    "si": frozenset({"sinhala"}),
    "th": frozenset({"thai"}),
    "lo": frozenset({"lao"}),
    "ka": frozenset({"georgian"}),
    "ko": frozenset({"hangul"}),
    "am": frozenset({"ethiopic"}),
    "km": frozenset({"khmer"}),
    "zh": frozenset({"han"}),
    "ja": frozenset({"kana", "han"}),
}
_LATIN_ONLY = frozenset({LATIN})


def identify(text: str, languages: Iterable[str]) -> str | None:
    """The language of `text` among `languages` (ISO 639 codes, in the workspace's order), or None if undecided.

    Never raises, and looks at the first 2,000 characters only.
    """
    words = _words(text[:TEXT_MAX])
    counts = _scripts(words)
    if sum(counts.values()) < LETTERS_MIN:
        return None
    script = max(sorted(counts), key=lambda name: counts[name])
    if script == "han" and counts.get("kana", 0) * 20 >= counts["han"]:
        script = "kana"  # Japanese mixes both; Chinese has kana in borrowed names at most
    candidates = tuple(lang for lang in languages if script in _SCRIPTS.get(lang, _LATIN_ONLY))
    if len(candidates) <= 1:
        return candidates[0] if candidates else None
    if script == "han":
        return "zh" if "zh" in candidates else candidates[0]
    known = _identifier(candidates)
    if known is None:
        return None
    language, confidence = known.classify(words)
    return str(language) if confidence >= CONFIDENCE_MIN else None


def spoken(tag: str, languages: Iterable[str]) -> str | None:
    """The language that a program's setting names (BCP 47: `pt-BR`), if it is one of `languages`."""
    primary = tag.partition("-")[0].lower()
    return primary if primary in languages else None


def _words(text: str) -> str:
    """Without addresses and links, whose letters are of no language."""
    return " ".join(word for word in text.split() if "@" not in word and "://" not in word)


def _scripts(text: str) -> dict[str, int]:
    """How many letters there are of each script."""
    if text.isascii():
        return {LATIN: sum(map(str.isalpha, text))}
    counts: dict[str, int] = {}
    for char in text:
        if char.isalpha():
            script = _RANGES[bisect.bisect_right(_STARTS, ord(char)) - 1][1]
            counts[script] = counts.get(script, 0) + 1
    return counts


@functools.lru_cache(maxsize=1)
def _all_languages() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 (half a second, on demand)

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@functools.lru_cache(maxsize=64)
def _identifier(languages: tuple[str, ...]) -> LanguageIdentifier | None:
    """py3langid for those of `languages` that it knows; None if it knows fewer than two."""
    whole = _all_languages()
    known = [language for language in languages if language in set(whole.labels)]
    if len(known) < 2:  # noqa: PLR2004 (with one, it would be sure of anything)
        return None
    identifier = type(whole)(
        whole.nb_ptc,
        whole.nb_pc,
        whole.nb_classes,
        whole.tk_nextmove,
        whole.tk_output,
        norm_probs=True,
        tk_row=whole.tk_row,
    )
    identifier.set_languages(known)
    return identifier
