"""A linear classifier over words and characters, as it predicts: with numpy alone.

A text's features are rows of one float32 matrix (features x topics, C-ordered); their weighted sum is the raw logit
of each topic (the same numbers as scikit-learn's, in a tenth of its time). A text has a hundred runs of characters and
ten pieces between spaces: what the runs of a piece add up to is kept, so that ten rows are fetched and not a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from router.core.errors import PermanentError
from skills.topics.features import TEXT_MAX, characters_of, pieces_of, prepared, words_and_pairs

WORDS_WEIGHT = 0.7  # words beside characters
# Of a message that looks like none of ours no topic is more probable; less than half, so that none is sure.
GATED = (0.33, 0.49)
PIECES_MAX = 20_000  # pieces of text of which it is kept what they say
SUMS_MAX = 2_000_000  # numbers kept for them, 16 MB
# What occurs n times weighs 1 + ln n, not n: by how much less that is, and by how much its square is more than n.
LESS = np.array([1.0 + math.log(often or 1) - often for often in range(2 * TEXT_MAX)])
MORE = np.array([(1.0 + math.log(often or 1)) ** 2 - often for often in range(2 * TEXT_MAX)])

Floats = npt.NDArray[np.float32]
# The rows of a piece's characters, as often as they occur; the sum over them of weights times rarity, by topic (exact,
# since much is taken off again where a row repeats); and of their rarities' squares, `unknown` ones among them.
Piece = tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], float]


class ModelBroken(PermanentError):
    """A stored topic model cannot be used: train it again. Routing goes on by keywords and rules meanwhile."""

    code = "model_broken"


@dataclass(frozen=True)
class Linear:
    """The classifier proper. `words` and `characters`: feature → row; rows: features, columns: topics.

    `idf` [features]; `weights` [features, topics]; `bias` [topics]; `confidence`, `right` [examples held out]: how
    sure of its best topic the model was, and whether that was it. `gated`: how probable the best topic of a text may be
    whose score, by all topics `together` or the best, is at or below `gate`. `unknown`: the square of what a word or
    run of characters weighs that is no feature, so that a text of which little is known is like no example; 0 where
    training left such ones out too. `several`: each topic is decided by itself. `other`: one more column, the last, for
    what is none of the topics. `encoder`: the name of one whose vectors are features too, "" for none; `encoded`
    [numbers of a vector, topics]: their weights.
    """

    words: dict[str, int]
    characters: dict[str, int]
    idf: Floats
    weights: Floats
    bias: Floats
    temperature: float
    gate: float
    confidence: Floats
    right: npt.NDArray[np.bool_]
    several: bool = False
    other: bool = False
    encoder: str = ""
    encoded: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    gated: float = GATED[0]
    unknown: float = 0.0
    together: bool = False

    _pieces: dict[str, Piece] = field(default_factory=dict, repr=False, compare=False)

    def logits(self, folded: str, text: str) -> Floats:
        """The raw logit of each topic, in their order, and of `other`; `text`: as it was before it was folded."""
        found = self._of_text(prepared(folded))
        if self.encoder:
            found += _encoder(self.encoder).encode([text])[0] @ self.encoded
        return found

    def _of_text(self, text: str) -> Floats:
        """Words are added row by row, characters piece by piece: as often as they occur, less what is too much."""
        known, pieces = self.words, [self._pieces.get(piece) or self._learn(piece) for piece in pieces_of(text)]
        names = words_and_pairs(text)
        words = np.array([known[name] for name in names if name in known], np.int32)
        repeated, often = _repeated([words, *[piece[0] for piece in pieces]])
        values, rarity = self.idf.take(words), self.idf.take(repeated)
        less, more = rarity * LESS.take(often), (rarity * rarity * MORE.take(often)).tolist()
        split = int(repeated.searchsorted(len(known)))  # rows of words come first
        found = self.bias.copy()
        if square := float(values @ values) + sum(more[:split]) + self.unknown * (len(names) - len(words)):
            scale = WORDS_WEIGHT / math.sqrt(square)
            values *= scale
            less[:split] *= scale
        if square := sum([piece[2] for piece in pieces]) + sum(more[split:]):
            scale = 1.0 / math.sqrt(square)
            less[split:] *= scale
            total = pieces[0][1].copy()
            for piece in pieces[1:]:
                total += piece[1]
            total *= scale
            found += total
        rows = np.concatenate((words, repeated))
        found += np.concatenate((values, less)).astype(np.float32) @ self.weights.take(rows, axis=0)
        return found

    def warm(self) -> None:
        """Keep what the words of the examples say, as far as half the room for it goes, before texts come."""
        room = self._pieces_max() // 2
        for word in self.words:
            if len(self._pieces) >= room:
                return
            if " " not in word:
                self._learn(word)

    def _pieces_max(self) -> int:
        return min(PIECES_MAX, SUMS_MAX // max(1, len(self.bias)))

    def _learn(self, piece: str) -> Piece:
        """What a piece's characters say, kept because people use the same words again and again."""
        if len(self._pieces) >= self._pieces_max():
            self._pieces.clear()
        names = characters_of(piece)
        rows = np.array([row for row in map(self.characters.get, names) if row is not None], np.int32)
        values = self.idf.take(rows)
        total = (values @ self.weights.take(rows, axis=0)).astype(np.float64)
        square = float(values @ values) + self.unknown * (len(names) - len(rows))
        found = self._pieces[piece] = rows, total, square
        return found


def _repeated(rows: list[npt.NDArray[np.int32]]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Rows that occur more than once, in order, and how often."""
    ordered = np.concatenate(rows)
    ordered.sort()
    later = ordered[1:]
    again = later[later == ordered[:-1]]
    if not len(again):
        return again, again
    last = np.concatenate(((again[1:] != again[:-1]).nonzero()[0], (len(again) - 1,)))
    often = last + 2
    often[1:] -= last[:-1] + 1
    return again.take(last), often


def _encoder(name: str) -> Any:  # noqa: ANN401 (encoders.Encoder, which needs this module)
    from skills.topics import encoders  # noqa: PLC0415 (an extra, and as large as all of usherd)

    return encoders.named(name)


def shares_of(logits: npt.NDArray[Any], temperature: float, *, several: bool) -> npt.NDArray[Any]:
    """Probabilities of raw logits, [topics] or [texts, topics], in their precision."""
    scaled = logits / logits.dtype.type(temperature)
    if several:
        one = logits.dtype.type(1.0)
        each: npt.NDArray[Any] = (np.tanh(scaled / (one + one)) + one) / (one + one)  # the sigmoid; never overflows
        return each
    powers: npt.NDArray[Any] = np.exp(scaled - np.maximum.reduce(scaled, axis=-1, keepdims=True))
    powers /= np.add.reduce(powers, axis=-1, keepdims=True)
    return powers


def scores_of(logits: npt.NDArray[Any], temperature: float, *, together: bool) -> npt.NDArray[Any]:
    """How like an example a text is, of its topics' raw logits, [topics] or [texts, topics].

    As much as all of them say `together` (the free energy of Liu et al., 2020), for a text between two topics is no
    less ours than one that is about one; or the largest.
    """
    most: npt.NDArray[Any] = np.maximum.reduce(logits, axis=-1)
    if not together:
        return most
    powers = np.exp((logits - most[..., None]) / logits.dtype.type(temperature))
    found: npt.NDArray[Any] = most + logits.dtype.type(temperature) * np.log(np.add.reduce(powers, axis=-1))
    return found


def arrays_of(linear: Linear, prefix: str = "") -> dict[str, npt.NDArray[Any]]:
    """What of it is arrays, each under its name after `prefix`."""
    names = "\n".join([*linear.words, *linear.characters]).encode("utf-8", "surrogatepass")
    found: dict[str, npt.NDArray[Any]] = {
        "names": np.frombuffer(names, np.uint8),
        "idf": linear.idf,
        "encoded": linear.encoded.astype(np.float16),
        "weights": linear.weights.astype(np.float16),  # training rounds to it, so nothing is lost
        "bias": linear.bias,
        "confidence": linear.confidence,
        "right": linear.right,
    }
    return {f"{prefix}{name}": array for name, array in found.items()}


def manifest_of(linear: Linear | None) -> dict[str, Any]:
    """What of it is not; of none the same keys."""
    return {
        "linear": linear is not None,
        "words": len(linear.words) if linear else 0,
        "temperature": linear.temperature if linear else 1.0,
        "gate": linear.gate if linear else 0.0,
        "gated": linear.gated if linear else GATED[0],
        "together": linear.together if linear else False,
        "unknown": linear.unknown if linear else 0.0,
        "several": linear.several if linear else False,
        "other": linear.other if linear else False,
        "encoder": linear.encoder if linear else "",
    }


def rebuilt(manifest: Mapping[str, Any], arrays: Mapping[str, Any], columns: int, prefix: str = "") -> Linear | None:
    """What `manifest_of` and `arrays_of` say, of so many topics. Raises ModelBroken, and what odd files raise."""
    if not manifest["linear"]:
        return None
    names = bytes(arrays[f"{prefix}names"]).decode("utf-8", "surrogatepass").split("\n")
    split = int(manifest["words"])
    linear = Linear(
        words={name: row for row, name in enumerate(names[:split])},
        characters={name: row for row, name in enumerate(names[split:], split)},
        idf=arrays[f"{prefix}idf"],
        weights=np.ascontiguousarray(arrays[f"{prefix}weights"], dtype=np.float32),
        bias=arrays[f"{prefix}bias"],
        temperature=float(manifest["temperature"]),
        gate=float(manifest["gate"]),
        confidence=arrays[f"{prefix}confidence"],
        right=arrays[f"{prefix}right"],
        several=bool(manifest["several"]),
        other=bool(manifest["other"]),
        encoder=str(manifest["encoder"]),
        encoded=np.ascontiguousarray(arrays[f"{prefix}encoded"], dtype=np.float32),
        gated=float(manifest["gated"]),
        unknown=float(manifest["unknown"]),
        together=bool(manifest["together"]),
    )
    if linear.encoder:
        _encoder(linear.encoder)  # where it is missing the model cannot be used
    if linear.weights.shape != (len(names), columns + linear.other) or len(linear.idf) != len(names):
        raise ModelBroken("the model's parts do not fit together")
    return linear
