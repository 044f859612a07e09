"""A linear classifier over words and characters, as it predicts: with numpy alone.

A text's features are rows of one float32 matrix (features x topics, C-ordered); their weighted sum is the raw logit
of each topic (the same numbers as scikit-learn's, in a tenth of its time).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from router.core.errors import PermanentError
from skills.topics.features import characters_of, pieces_of, prepared, words_and_pairs

WORDS_WEIGHT = 0.7  # words beside characters
PIECES_MAX = 20_000  # pieces of text whose rows are kept

Floats = npt.NDArray[np.float32]


class ModelBroken(PermanentError):
    """A stored topic model cannot be used: train it again. Routing goes on by keywords and rules meanwhile."""

    code = "model_broken"


@dataclass(frozen=True)
class Linear:
    """The classifier proper. `words` and `characters`: feature → row; rows: features, columns: topics.

    `idf` [features]; `weights` [features, topics]; `bias` [topics]; `confidence`, `right` [examples held out]: how
    sure of its best topic the model was, and whether that was it. `several`: each topic is decided by itself. `other`:
    one more column, the last, for what is none of the topics. `encoder`: the name of one whose vectors are features
    too, "" for none; `encoded` [numbers of a vector, topics]: their weights.
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

    _pieces: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)

    def logits(self, folded: str, text: str) -> Floats:
        """The raw logit of each topic, in their order, and of `other`; `text`: as it was before it was folded."""
        found = self._of_words(folded)
        if self.encoder:
            found += _encoder(self.encoder).encode([text])[0] @ self.encoded
        return found

    def _of_words(self, folded: str) -> Floats:
        text = prepared(folded)
        words = [self.words[name] for name in words_and_pairs(text) if name in self.words]
        characters: list[int] = []
        for piece in pieces_of(text):
            characters += self._pieces.get(piece) or self._learn(piece)
        rows_w, values_w = self._block(words, WORDS_WEIGHT)
        rows_c, values_c = self._block(characters, 1.0)
        if not rows_w and not rows_c:
            return self.bias.copy()
        result: Floats = np.concatenate((values_w, values_c)) @ self.weights[rows_w + rows_c] + self.bias
        return result

    def _learn(self, piece: str) -> list[int]:
        """Rows of a piece's characters, kept because people use the same words again and again."""
        if len(self._pieces) >= PIECES_MAX:
            self._pieces.clear()
        index = self.characters
        rows = self._pieces[piece] = [index[name] for name in characters_of(piece) if name in index]
        return rows

    def _block(self, found: list[int], weight: float) -> tuple[list[int], Floats]:
        """The distinct rows found, and their tf-idf values normed to the length `weight`."""
        counts = Counter(found)
        rows = list(counts)
        values = np.fromiter(counts.values(), np.float32, len(rows))
        np.log(values, out=values)
        values += 1.0
        values *= self.idf[rows]
        length = math.sqrt(float(values @ values))
        return rows, values * np.float32(weight / length) if length else values


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
    powers: npt.NDArray[Any] = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


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
    )
    if linear.encoder:
        _encoder(linear.encoder)  # where it is missing the model cannot be used
    if linear.weights.shape != (len(names), columns + linear.other) or len(linear.idf) != len(names):
        raise ModelBroken("the model's parts do not fit together")
    return linear
