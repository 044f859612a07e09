"""Trains the topic model: tf-idf of words and characters, and logistic regression of all topics at once.

Each topic's name is one more example of it. Examples held out in turn give the temperature that calibrates the
probabilities, the gate below which a message is none of ours, and the threshold for a wished precision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from skills.topics import counting, solving
from skills.topics.calibrating import (
    CAUTION_ENCODED,
    CAUTION_FEW,
    CAUTION_MANY,
    CAUTION_SEVERAL,
    Calibrated,
    calibrate,
    surprise,
)
from skills.topics.encoders import Encoder
from skills.topics.features import fold
from skills.topics.linear import Floats, Linear, scores_of
from skills.topics.model import OTHER, TopicModel

TOPICS_MIN = 2  # one topic has nothing to be told apart from
FOLDS = 4
CALIBRATE_MIN = 12  # examples; with fewer the temperature is a guess, and the gate is what an unknown word scores
FEW_MAX = 4_000  # examples; up to so many the fit is made in their space, beyond it in the features'
HELD_OUT = 5  # of many examples every fifth is held out once, instead of all in turn
FEATURE_TEXTS_MIN = 2  # of many examples: what one text alone has is half of all features, and tells nothing
SEVERAL_SHARE = 0.05  # of the examples bear several topics: then each topic is decided by itself
ENCODER_MIN = 50  # examples; with fewer nothing tells whether an encoder helps, and it costs 117 MB
ENCODED_WEIGHT = 3.0  # what an encoder says beside characters
ENCODED_WEIGHT_FEW = 2.5  # with few examples of one topic each
WORDS_TOO = (0.0, 0.25)  # how much of what words alone say is added to what they and an encoder do
LEARNED_MIN = 0.01  # the largest weight of a model that has learned anything
FIT = 100  # steps of progress that one fit counts

Progress = Callable[[int, int], None]
Mask = npt.NDArray[np.bool_]


class TopicWords(Protocol):
    """What an admin says of a topic."""

    @property
    def examples(self) -> Sequence[str]:
        """What customers write."""

    @property
    def keywords(self) -> Sequence[str]:
        """Words that make a contact of this topic."""


class Labelled(NamedTuple):
    """A text of which a person said what it is about; no topics: none of ours.

    `outright` False: nobody said so, but nobody objected either. It is learned from, and no model is judged by it.
    """

    text: str
    topics: tuple[str, ...]
    outright: bool = True


@dataclass(frozen=True)
class Examples:
    """`wanted` [texts, topics]: the share of each topic, 1 in all unless `several`; the last for none, if `other`.

    `named`: whether a text is only a topic's name. `texts`: as they were written.
    """

    folded: list[str]
    texts: list[str]
    wanted: Floats
    named: Mask
    topics: tuple[str, ...]
    other: bool
    several: bool


def fit(
    topics: Mapping[str, TopicWords],
    labelled: Iterable[Labelled],
    seed: int,
    progress: Progress,
    encoder: Encoder | None = None,
) -> TopicModel:
    """What `skills.topics.train` says."""
    labelled = list(labelled)
    keywords = {name: tuple(topic.keywords) for name, topic in sorted(topics.items()) if topic.keywords}
    sayings = _sayings(topics, labelled)
    often = Counter(name for said in sayings.values() for name in {name for one in said for name in one})
    if sum(1 for name in topics if often[name]) < TOPICS_MIN:
        said = "fewer than two topics have examples: topics are told by keywords alone" if topics else ""
        return TopicModel((), keywords, None, (said,) if said else ())
    examples = _gather(sorted(topics), sayings, _written(topics, labelled))
    warnings = [f"topic `{name}` has one example only" for name in examples.topics if often[name] == 1]
    warnings += [f"topic `{name}` has no example, only its name" for name in examples.topics if not often[name]]
    linear, found = _linear(examples, seed, progress, encoder)
    if float(np.abs(linear.weights).max()) < LEARNED_MIN:  # L-BFGS may stop before its first step
        warnings.append("nothing in the examples tells the topics apart: training has learned nothing")
    return TopicModel(examples.topics, keywords, linear, tuple(warnings), found.also, found.least)


def examples_of(topics: Mapping[str, TopicWords], labelled: Iterable[Labelled]) -> Examples | None:
    """What a model of these would be fitted on; None if fewer than two topics have examples."""
    labelled = list(labelled)
    sayings = _sayings(topics, labelled)
    shown = {name for said in sayings.values() for one in said for name in one} - {OTHER}
    return _gather(sorted(topics), sayings, _written(topics, labelled)) if len(shown) >= TOPICS_MIN else None


def _sayings(topics: Mapping[str, TopicWords], labelled: Iterable[Labelled]) -> dict[str, list[tuple[str, ...]]]:
    """Folded text → what was said of it, once for each who said it; texts without a word are left out.

    An example that stands under several topics bears them all. Topics that are no more are not counted; a text that
    bore only such ones says nothing.
    """
    bears: dict[str, dict[str, None]] = {}
    for name in sorted(topics):
        for text in topics[name].examples:
            bears.setdefault(fold(text), {})[name] = None
    sayings = {text: [tuple(names)] for text, names in bears.items()}
    for one in labelled:
        known = tuple(sorted({name for name in one.topics if name in topics}))
        if known or not one.topics:
            sayings.setdefault(fold(one.text), []).append(known or (OTHER,))
    return {text: said for text, said in sorted(sayings.items()) if text.strip()}


def _written(topics: Mapping[str, TopicWords], labelled: Iterable[Labelled]) -> dict[str, str]:
    """Folded text → text as it was written: an encoder reads that."""
    own = (text for topic in topics.values() for text in topic.examples)
    return {fold(text): text for text in (*own, *(one.text for one in labelled))}


def _gather(
    topics: Sequence[str], sayings: Mapping[str, list[tuple[str, ...]]], written: Mapping[str, str]
) -> Examples:
    other = any(OTHER in one for said in sayings.values() for one in said)
    place = {name: at for at, name in enumerate([*topics, OTHER])}
    many = sum(1 for said in sayings.values() if any(len(one) > 1 for one in said))
    several = many >= SEVERAL_SHARE * len(sayings)
    wanted = np.zeros((len(sayings) + len(topics), len(topics) + other), np.float32)
    for row, said in enumerate(sayings.values()):
        for one in said:
            wanted[row, [place[name] for name in one]] += 1 / (len(said) if several else len(said) * len(one))
    if several:
        wanted = (wanted >= 0.5).astype(np.float32)  # noqa: PLR2004 (half of those who said anything)
    wanted[np.arange(len(sayings), len(wanted)), np.arange(len(topics))] = 1
    named = np.arange(len(wanted)) >= len(sayings)
    names = list(map(spoken, topics))
    texts = [*(written[text] for text in sayings), *names]
    return Examples([*sayings, *names], texts, wanted, named, tuple(topics), other, several)


def spoken(topic: str) -> str:
    """A topic's name as one would write it."""
    return fold(topic.replace("-", " ").replace("_", " ").replace(".", " "))


class _Steps:
    """Progress over `fits`: each round of a solver is a step, and a fit that has ended counts whole."""

    def __init__(self, progress: Progress, fits: int) -> None:
        self._progress, self._all, self._ended, self._round = progress, fits * FIT, 0, 0

    def round(self) -> None:
        self._round = min(self._round + 1, FIT - 1)
        self._progress(self._ended + self._round, self._all)

    def ended(self) -> None:
        self._ended, self._round = self._ended + FIT, 0
        self._progress(self._ended, self._all)


def _linear(examples: Examples, seed: int, progress: Progress, encoder: Encoder | None) -> tuple[Linear, Calibrated]:
    """The classifier, and what was found out on examples held out."""
    few = len(examples.folded) <= FEW_MAX
    words, characters = counting.vocabulary(examples.folded, 1 if few else FEATURE_TEXTS_MIN)
    counted = counting.count(examples.folded, words, characters)
    idf = counting.rarity(counted)
    rows = counting.weighed(counted, idf, len(words))
    held = held_out(examples, seed)
    if int((~examples.named).sum()) < ENCODER_MIN:
        encoder = None
    encoded = encoded_by(encoder, examples.texts, weight := encoded_weight(examples, len(examples.folded)))
    steps = _Steps(progress, len(held) + 1 if encoder is None else 2 * len(held) + (2 if few else 1))
    fitter = _few if few else _many
    solved = fitter(examples, rows, encoded, held, steps)
    weights, bias, found = solved.weights, solved.bias, solved.found
    rounded, bias = weights.astype(np.float16).astype(np.float32), bias.astype(np.float32)  # what the file will hold
    together = _together(examples)
    nothing = scores_of(bias[: len(examples.topics)], found.temperature, together=together)
    gate = max(found.gate, float(nothing))  # what a text without a known feature scores
    split = len(words) + len(characters)
    linear = Linear(
        words=words,
        characters=characters,
        idf=idf,
        weights=np.ascontiguousarray(rounded[:split]),
        bias=bias,
        temperature=found.temperature,
        gate=gate,
        confidence=found.confidence,
        right=found.right,
        several=examples.several,
        other=examples.other,
        encoder=encoder.name if encoder is not None and len(rounded) > split else "",
        encoded=np.ascontiguousarray(rounded[split:] * np.float32(weight)),
        gated=found.gated,
        together=together,
        unknown=strange(examples, len(examples.folded)) ** 2,
    )
    return linear, found


def strange(examples: Examples, texts: int) -> float:
    """How much a word weighs that no example has: what an example held out has alone did, too, when it was judged.

    Of many examples what one has alone is no feature to begin with. Where topics are decided each by itself, it is none
    of a text's topics that a strange word speaks against (NLU++ banking, 104 examples: .6 points are lost by it).
    """
    return counting.rarest(texts) if texts <= FEW_MAX and not examples.several else 0.0


def encoded_by(encoder: Encoder | None, texts: Sequence[str], weight: float) -> Floats | None:
    """[texts, numbers], weighed beside the text features; None without an encoder."""
    return None if encoder is None else encoder.encode(texts) * np.float32(weight)


def encoded_weight(examples: Examples, texts: int) -> float:
    """How much an encoder's vectors weigh in a fit on so many texts."""
    return ENCODED_WEIGHT_FEW if texts <= FEW_MAX and not examples.several else ENCODED_WEIGHT


@dataclass(frozen=True)
class Solved:
    """`weights` [features and, where they help, an encoder's numbers; topics]; `bias` [topics]."""

    weights: npt.NDArray[Any]
    bias: npt.NDArray[Any]
    found: Calibrated


def _few(
    examples: Examples,
    rows: Any,  # noqa: ANN401 (sparse)
    encoded: Floats | None,
    held: Sequence[Mask],
    steps: _Steps,
) -> Solved:
    """Fit in the space of the examples; each of them is held out once."""
    plain: npt.NDArray[np.float64] = (rows @ rows.T).toarray()
    several, best = examples.several, _held_out_by(examples, plain, held, steps)
    if encoded is not None:
        joined = plain + encoded.astype(np.float64) @ encoded.T.astype(np.float64)
        other = _held_out_by(examples, joined, held, steps, encoded=True)
        if _rights(examples, other, held) >= _rights(examples, best, held):
            return _few_encoded(examples, (rows, encoded), (plain, joined), (best, other), held, steps)
        steps.ended()
    found = _calibrated(examples, best, held, CAUTION_SEVERAL if several else CAUTION_FEW)
    last = solving.by_examples(plain, examples.wanted, several=several, round_=steps.round)
    steps.ended()
    return Solved(rows.T @ last.of, last.bias, found)


def _few_encoded(
    examples: Examples,
    features: tuple[Any, Floats],
    kernels: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    logits: tuple[Floats, Floats],
    held: Sequence[Mask],
    steps: _Steps,
) -> Solved:
    """Fit by words and an encoder; some of what words alone say is added where that foretells those held out better.

    Pairs: of words, and of both. Where topics differ by words (BANKING77), a fit on both leaves too much to the
    encoder; where they differ by meaning (CLINC150), words add nothing.
    """
    (rows, encoded), (plain, joined), several = features, kernels, examples.several
    judged = np.logical_or.reduce(held)

    def mixed(share: float) -> Floats:
        return logits[1] + np.float32(share) * logits[0]

    share = min(WORDS_TOO, key=lambda one: surprise(mixed(one)[judged], examples.wanted[judged], several=several))
    found = _calibrated(examples, mixed(share), held, CAUTION_ENCODED)
    last = solving.by_examples(joined, examples.wanted, several=several, round_=steps.round, encoded=True)
    steps.ended()
    of_words, bias = last.of, last.bias
    if share:
        alone = solving.by_examples(plain, examples.wanted, several=several, round_=steps.round)
        of_words, bias = of_words + share * alone.of, bias + share * alone.bias
    steps.ended()
    return Solved(np.concatenate((rows.T @ of_words, encoded.T @ last.of)), bias, found)


def _held_out_by(
    examples: Examples,
    kernel: npt.NDArray[np.float64],
    held: Sequence[Mask],
    steps: _Steps,
    *,
    encoded: bool = False,
) -> Floats:
    """Logits of the examples held out, by likenesses."""
    logits = np.zeros(examples.wanted.shape, np.float32)
    for out in held:
        shown = kernel[np.ix_(~out, ~out)]
        wanted, several = examples.wanted[~out], examples.several
        fitted = solving.by_examples(shown, wanted, several=several, round_=steps.round, encoded=encoded)
        logits[out] = kernel[np.ix_(out, ~out)] @ fitted.of + fitted.bias
        steps.ended()
    return logits


def _many(
    examples: Examples,
    rows: Any,  # noqa: ANN401 (sparse)
    encoded: Floats | None,
    held: Sequence[Mask],
    steps: _Steps,
) -> Solved:
    """Fit in the space of the features; a fifth is held out once. The fit on all takes as many rounds."""
    features = rows.astype(np.float32)
    logits = _fifth(examples, features, held[0], steps)
    if encoded is not None:
        joined = solving.Joined(features, encoded)
        other = _fifth(examples, joined, held[0], steps)
        if _rights(examples, other, held) >= _rights(examples, logits, held):
            logits, features = other, joined
    found = _calibrated(examples, logits, held, CAUTION_MANY)
    last = solving.by_features(features, examples.wanted, several=examples.several, round_=steps.round)
    steps.ended()
    return Solved(last.of, last.bias, found)


def _fifth(examples: Examples, rows: Any, out: Mask, steps: _Steps) -> Floats:  # noqa: ANN401
    """Logits of those held out, by a fit on the others."""
    fitted = solving.by_features(rows[~out], examples.wanted[~out], several=examples.several, round_=steps.round)
    logits = np.zeros(examples.wanted.shape, np.float32)
    logits[out] = rows[out] @ fitted.of + fitted.bias
    steps.ended()
    return logits


def _rights(examples: Examples, logits: Floats, held: Sequence[Mask]) -> int:
    """How many of the examples held out have a best column that is one of theirs."""
    judged = np.logical_or.reduce(held) if held else np.zeros(len(logits), bool)
    best, wanted = logits[judged].argmax(axis=1), examples.wanted[judged]
    return int((wanted[np.arange(len(best)), best] > 0).sum())


def _calibrated(examples: Examples, logits: Floats, held: Sequence[Mask], caution: float) -> Calibrated:
    judged = np.logical_or.reduce(held) if held else np.zeros(len(logits), bool)
    topics = len(examples.topics)
    ways = {"several": examples.several, "together": _together(examples)}
    return calibrate(logits[judged], examples.wanted[judged], topics, caution=caution, **ways)


def _together(examples: Examples) -> bool:
    """Whether all topics say together how like an example a text is.

    With many examples the largest logit tells as well what is out of scope, and gates fewer texts that are told right.
    """
    return len(examples.folded) <= FEW_MAX and not examples.several


def held_out(examples: Examples, seed: int) -> list[Mask]:
    """Masks of examples held out in turn; every topic's are spread evenly, names are never held out."""
    few = len(examples.folded) <= FEW_MAX
    real = np.flatnonzero(~examples.named)
    if len(real) < CALIBRATE_MIN:
        return []
    chance = np.random.default_rng(seed)
    topic_of = examples.wanted.argmax(axis=1)
    turns = FOLDS if few else HELD_OUT
    turn_of = np.full(len(examples.folded), -1)
    start = 0
    for topic in range(examples.wanted.shape[1]):
        own = chance.permutation(real[topic_of[real] == topic])
        turn_of[own] = (start + np.arange(len(own))) % turns
        start += len(own)
    return [turn_of == number for number in range(turns if few else 1)]
