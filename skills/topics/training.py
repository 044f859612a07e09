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
from skills.topics.calibrating import CAUTION_FEW, Calibrated, calibrate
from skills.topics.features import fold
from skills.topics.model import OTHER, Floats, Linear, TopicModel

TOPICS_MIN = 2  # one topic has nothing to be told apart from
FOLDS = 4
CALIBRATE_MIN = 12  # examples; with fewer the temperature is a guess, and the gate is what an unknown word scores
FEW_MAX = 4_000  # examples; up to so many the fit is made in their space, beyond it in the features'
HELD_OUT = 5  # of many examples every fifth is held out once, instead of all in turn
FEATURE_TEXTS_MIN = 2  # of many examples: what one text alone has is half of all features, and tells nothing
SEVERAL_SHARE = 0.05  # of the examples bear several topics: then each topic is decided by itself
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

    `named`: whether a text is only a topic's name.
    """

    folded: list[str]
    wanted: Floats
    named: Mask
    topics: tuple[str, ...]
    other: bool
    several: bool


def fit(topics: Mapping[str, TopicWords], labelled: Iterable[Labelled], seed: int, progress: Progress) -> TopicModel:
    """What `skills.topics.train` says."""
    keywords = {name: tuple(topic.keywords) for name, topic in sorted(topics.items()) if topic.keywords}
    sayings = _sayings(topics, labelled)
    often = Counter(name for said in sayings.values() for name in {name for one in said for name in one})
    if sum(1 for name in topics if often[name]) < TOPICS_MIN:
        said = "fewer than two topics have examples: topics are told by keywords alone" if topics else ""
        return TopicModel((), keywords, None, (said,) if said else ())
    examples = _gather(sorted(topics), sayings)
    warnings = [f"topic `{name}` has one example only" for name in examples.topics if often[name] == 1]
    warnings += [f"topic `{name}` has no example, only its name" for name in examples.topics if not often[name]]
    linear, also = _linear(examples, seed, progress)
    if float(np.abs(linear.weights).max()) < LEARNED_MIN:  # L-BFGS may stop before its first step
        warnings.append("nothing in the examples tells the topics apart: training has learned nothing")
    return TopicModel(examples.topics, keywords, linear, tuple(warnings), also)


def examples_of(topics: Mapping[str, TopicWords], labelled: Iterable[Labelled]) -> Examples | None:
    """What a model of these would be fitted on; None if fewer than two topics have examples."""
    sayings = _sayings(topics, labelled)
    shown = {name for said in sayings.values() for one in said for name in one} - {OTHER}
    return _gather(sorted(topics), sayings) if len(shown) >= TOPICS_MIN else None


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


def _gather(topics: Sequence[str], sayings: Mapping[str, list[tuple[str, ...]]]) -> Examples:
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
    return Examples([*sayings, *map(spoken, topics)], wanted, named, tuple(topics), other, several)


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


def _linear(examples: Examples, seed: int, progress: Progress) -> tuple[Linear, int]:
    """The classifier, and the probability (of 10,000) from which a topic counts beside the best."""
    few = len(examples.folded) <= FEW_MAX
    words, characters = counting.vocabulary(examples.folded, 1 if few else FEATURE_TEXTS_MIN)
    counted = counting.count(examples.folded, words, characters)
    idf = counting.rarity(counted)
    rows = counting.weighed(counted, idf, len(words))
    held = held_out(examples, seed)
    steps = _Steps(progress, len(held) + 1)
    weights, bias, found = (_few if few else _many)(examples, rows, held, steps)
    rounded, bias = weights.astype(np.float16).astype(np.float32), bias.astype(np.float32)  # what the file will hold
    gate = max(found.gate, float(bias[: len(examples.topics)].max()))  # what a text without a known feature scores
    linear = Linear(
        words=words,
        characters=characters,
        idf=idf,
        weights=np.ascontiguousarray(rounded),
        bias=bias,
        temperature=found.temperature,
        gate=gate,
        confidence=found.confidence,
        right=found.right,
        several=examples.several,
        other=examples.other,
    )
    return linear, found.also


Solved = tuple[npt.NDArray[Any], npt.NDArray[Any], Calibrated]


def _few(examples: Examples, rows: Any, held: Sequence[Mask], steps: _Steps) -> Solved:  # noqa: ANN401 (sparse)
    """Fit in the space of the examples; each of them is held out once."""
    kernel: npt.NDArray[np.float64] = (rows @ rows.T).toarray()
    logits = np.zeros(examples.wanted.shape, np.float32)
    several = examples.several
    for out in held:
        shown = kernel[np.ix_(~out, ~out)]
        fitted = solving.by_examples(shown, examples.wanted[~out], several=several, round_=steps.round)
        logits[out] = kernel[np.ix_(out, ~out)] @ fitted.of + fitted.bias
        steps.ended()
    found = _calibrated(examples, logits, held, CAUTION_FEW)
    last = solving.by_examples(kernel, examples.wanted, several=several, round_=steps.round)
    steps.ended()
    return rows.T @ last.of, last.bias, found


def _many(examples: Examples, rows: Any, held: Sequence[Mask], steps: _Steps) -> Solved:  # noqa: ANN401 (sparse)
    """Fit in the space of the features; a fifth is held out once, and the fit on all goes on from there."""
    rows, several = rows.astype(np.float32), examples.several
    (out,) = held
    fitted = solving.by_features(rows[~out], examples.wanted[~out], None, several=several, round_=steps.round)
    logits = np.zeros(examples.wanted.shape, np.float32)
    logits[out] = rows[out] @ fitted.of + fitted.bias
    steps.ended()
    found = _calibrated(examples, logits, held, 1.0)
    last = solving.by_features(rows, examples.wanted, fitted, several=several, round_=steps.round)
    steps.ended()
    return last.of, last.bias, found


def _calibrated(examples: Examples, logits: Floats, held: Sequence[Mask], caution: float) -> Calibrated:
    judged = np.logical_or.reduce(held) if held else np.zeros(len(logits), bool)
    topics = len(examples.topics)
    return calibrate(logits[judged], examples.wanted[judged], topics, several=examples.several, caution=caution)


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


def without(examples: Examples, texts: Sequence[str], round_: Callable[[], None]) -> Floats:
    """Logits of folded `texts`, [texts, topics and perhaps one for none], by a fit on all examples but these."""
    unseen = set(texts)
    shown = np.array([text not in unseen for text in examples.folded])
    folded = [text for text, kept in zip(examples.folded, shown, strict=True) if kept]
    few = len(folded) <= FEW_MAX
    words, characters = counting.vocabulary(folded, 1 if few else FEATURE_TEXTS_MIN)
    counted = counting.count(folded, words, characters)
    idf = counting.rarity(counted)
    rows = counting.weighed(counted, idf, len(words))
    new = counting.weighed(counting.count(texts, words, characters), idf, len(words))
    wanted, several = examples.wanted[shown], examples.several
    if few:
        kernel: npt.NDArray[np.float64] = (rows @ rows.T).toarray()
        fitted = solving.by_examples(kernel, wanted, several=several, round_=round_)
        likenesses: npt.NDArray[np.float64] = (new @ rows.T).toarray()
        return (likenesses @ fitted.of + fitted.bias).astype(np.float32)
    fitted = solving.by_features(rows.astype(np.float32), wanted, None, several=several, round_=round_)
    return np.asarray(new @ fitted.of + fitted.bias, np.float32)
