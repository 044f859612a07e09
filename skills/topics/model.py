"""A trained topic model: predicts with numpy alone, and is stored in a form that cannot run code.

One temperature, found on examples held out, makes calibrated probabilities of a linear classifier's logits: shares of
one whole where an example has one topic, each by itself where examples have several. A score of the raw logits below
the gate says: none of ours.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from router.core.values import WHOLE
from skills.topics.beside import Beside
from skills.topics.features import fold
from skills.topics.keywords import Keywords
from skills.topics.linear import Floats, Linear, ModelBroken, arrays_of, manifest_of, rebuilt, scores_of, shares_of

FORMAT = 5  # of the files, and of the features: raise it when either changes
KEYWORD_P = 0.9  # a keyword alone makes a topic this probable
TOPICS_MAX = 5  # in one prediction
P_MIN = 100  # of 10,000; less is not worth recording
THRESHOLD_DEFAULT = 5_000
ALSO_DEFAULT = 5_000  # more than half: of topics that share one whole only the best can have that
OTHER = "~other"  # what people said is none of the topics; learned like a topic, never predicted
OUTCOMES_MIN = 50  # held-out examples; with fewer no threshold can be told from them
FILE_BYTES_MAX = 256 * 1024 * 1024


@dataclass(frozen=True)
class TopicModel:
    """What a workspace's topics look like. `linear` None: there are no examples, keywords alone decide.

    `warnings`: what the admin should know of the training, in words. `also`: the probability (of 10,000) from which a
    topic counts beside the best one; `least`: from which the best one does. `beside`: what else it says of a text.
    """

    topics: tuple[str, ...]
    keywords: dict[str, tuple[str, ...]]
    linear: Linear | None
    warnings: tuple[str, ...] = ()
    also: int = ALSO_DEFAULT
    least: int = 0
    beside: Beside = field(default_factory=Beside)
    _finder: Keywords = field(init=False, repr=False, compare=False)
    version: str = field(init=False)  # the first half of `digest`: it stands in the record of each message
    digest: str = field(init=False)  # SHA-256 of all that it holds, hex

    def __post_init__(self) -> None:
        object.__setattr__(self, "_finder", Keywords(self.keywords))
        object.__setattr__(self, "digest", self._hash())
        object.__setattr__(self, "version", self.digest[:32])

    def predict(self, text: str) -> tuple[tuple[str, int], ...]:
        """(topic, probability of 10,000), best first, at most five; () if nothing speaks for any.

        Takes any text, of any length; never raises. Keywords are merged in: each makes its topic at least 90 %
        probable. A message that looks like no example has its probabilities scaled down, to a third
        at most or to how often such ones were right, but below one half, keywords apart.
        """
        folded = fold(text)
        shares = self._shares(folded, text)
        places = (shares >= P_MIN / WHOLE).nonzero()[0]
        p = {self.topics[at]: share for at, share in zip(places.tolist(), shares[places].tolist(), strict=True)}
        if self._finder:
            for topic in self._finder.hits(folded):
                p[topic] = 1.0 - (1.0 - p.get(topic, 0.0)) * (1.0 - KEYWORD_P)
        ranked = sorted([(-round(value * WHOLE), topic) for topic, value in p.items()])
        return tuple([(topic, -less) for less, topic in ranked[:TOPICS_MAX]])

    def warm(self) -> None:
        """Be as quick with the first texts as with later ones. Takes up to a tenth of a second."""
        if self.linear is not None:
            self.linear.warm()

    def chosen(self, found: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
        """Of what `predict` gave, the best topic and those probable enough beside it; () if none is."""
        return tuple(topic for place, (topic, p) in enumerate(found) if p >= (self.also if place else self.least))

    def _shares(self, folded: str, text: str) -> Floats:
        """Probability of each topic by the classifier; all 0 without one, or for a text without words."""
        if self.linear is None or not folded.strip():
            return np.zeros(len(self.topics), np.float32)
        linear, logits = self.linear, self.linear.logits(folded, text)
        shares = shares_of(logits, linear.temperature, several=linear.several)[: len(self.topics)]
        # A score is never less than the largest logit; most texts need no other.
        if np.maximum.reduce(logits[: len(self.topics)]) > linear.gate or self._score(linear, logits) > linear.gate:
            return shares
        most, cap = float(shares.max()), linear.gated
        return shares * np.float32(cap / most) if most > cap else shares

    def raw_score(self, text: str) -> float:
        """How like an example the text is, in the units of raw logits; minus infinity without examples."""
        return -math.inf if self.linear is None else self._score(self.linear, self.linear.logits(fold(text), text))

    def _score(self, linear: Linear, logits: Floats) -> float:
        return float(scores_of(logits[: len(self.topics)], linear.temperature, together=linear.together))

    def threshold(self, precision: int) -> int:
        """The least probability (of 10,000) at which the best topic was right as often as `precision` (of 10,000).

        Found on the examples held out in training; one half if they are fewer than 50. Not above `precision` (a
        calibrated probability of 95 % is right as often), but always above what is gated.
        """
        if self.linear is None or len(self.linear.right) < OUTCOMES_MIN:
            return THRESHOLD_DEFAULT
        order = np.argsort(-self.linear.confidence, kind="stable")
        right = np.cumsum(self.linear.right[order]) / np.arange(
            2, len(order) + 2
        )  # one wrong is added: a lucky few prove nothing
        kept = np.flatnonzero(right >= precision / WHOLE)
        found = int(float(self.linear.confidence[order[kept[-1]]]) * WHOLE) if len(kept) else precision
        return max(min(precision, found), round(self.linear.gated * WHOLE) + 1)

    # -- files -------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write `path`.npz and `path`.json (which names the SHA-256 of the former), each whole or not at all."""
        data = io.BytesIO()
        np.savez_compressed(data, allow_pickle=False, **self._arrays())
        manifest = self._manifest() | {"version": self.version, "sha256": hashlib.sha256(data.getvalue()).hexdigest()}
        _replace(_file(path, "npz"), data.getvalue())
        _replace(_file(path, "json"), json.dumps(manifest, indent=1, ensure_ascii=True).encode())

    def stored_bytes(self) -> int:
        """How large `save` makes its two files, near enough: without the version and the sum."""
        data = io.BytesIO()
        np.savez_compressed(data, allow_pickle=False, **self._arrays())
        return len(data.getvalue()) + len(json.dumps(self._manifest(), indent=1))

    @classmethod
    def load(cls, path: Path) -> TopicModel:
        """Read what `save` wrote. Raises ModelBroken if it is missing, altered, or of another version of usherd."""
        try:
            manifest = json.loads(_file(path, "json").read_bytes())
            with np.load(io.BytesIO(_checked(path, manifest)), allow_pickle=False) as arrays:
                model = cls._rebuilt(manifest, arrays)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise ModelBroken(f"no topic model can be read from {path}: {type(error).__name__}") from error
        if model.version != manifest["version"]:
            raise ModelBroken(f"{path}.json does not belong to its model: altered")
        return model

    @classmethod
    def _rebuilt(cls, manifest: dict[str, Any], arrays: Mapping[str, Any]) -> TopicModel:
        keywords = {str(topic): tuple(map(str, words)) for topic, words in manifest["keywords"].items()}
        found = rebuilt(manifest, arrays, len(manifest["topics"]))
        warnings = tuple(map(str, manifest["warnings"]))
        thresholds = int(manifest["also"]), int(manifest["least"])
        beside = Beside.rebuilt(manifest["beside"], arrays)
        return cls(tuple(map(str, manifest["topics"])), keywords, found, warnings, *thresholds, beside)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return ({} if self.linear is None else arrays_of(self.linear)) | self.beside.arrays()

    def _manifest(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "topics": list(self.topics),
            "keywords": {topic: list(words) for topic, words in sorted(self.keywords.items())},
            "warnings": list(self.warnings),
            **manifest_of(self.linear),
            "also": self.also,
            "least": self.least,
            "beside": self.beside.manifest(),
        }

    def _hash(self) -> str:
        digest = hashlib.sha256(json.dumps(self._manifest(), sort_keys=True).encode())
        for name, array in sorted(self._arrays().items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _file(path: Path, kind: str) -> Path:
    return path.with_name(f"{path.name}.{kind}")  # not with_suffix: a name may hold a dot


def _checked(path: Path, manifest: Mapping[str, Any]) -> bytes:
    """The model's file, if it is the one that the manifest names. Raises ModelBroken."""
    if manifest["format"] != FORMAT:
        raise ModelBroken(f"{path}.json was written by another version of usherd: train the model again")
    file = _file(path, "npz")
    if file.stat().st_size > FILE_BYTES_MAX:
        raise ModelBroken(f"{file} is larger than any model")
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
        raise ModelBroken(f"{file} is not the file that {path}.json names: altered, or half written")
    return data


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
