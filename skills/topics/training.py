"""Trains the topic model: tf-idf of words and characters, one logistic regression for each topic against the rest.

Each topic's name is one more example of it. Examples held out in turn give the temperature that calibrates the
probabilities, the gate below which a message is none of ours, and the threshold for a wished precision.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skills.topics.features import characters_of, fold, pieces_of, prepared, words_and_pairs
from skills.topics.model import WORDS_WEIGHT, Floats, Linear, TopicModel

COST = 10.0  # of a wrong example against the size of the weights (scikit-learn's C)
FOLDS = 4
GATE_SHARE = 0.05  # of the examples held out would be taken for none of ours
CALIBRATE_MIN = 12  # examples; with fewer the temperature is a guess, and the gate is what an unknown word scores
TEMPERATURE_GUESS = 0.6
NEVER_GATED = -1e9
SCALES = (math.log(0.02), math.log(20.0))


class TopicWords(Protocol):
    """What an admin says of a topic."""

    @property
    def examples(self) -> Sequence[str]:
        """What customers write."""

    @property
    def keywords(self) -> Sequence[str]:
        """Words that make a contact of this topic."""


@dataclass(frozen=True)
class _Examples:
    """`labels`: index of the topic; `named`: whether the example is only the topic's name."""

    folded: list[str]
    labels: npt.NDArray[np.intp]
    named: npt.NDArray[np.bool_]


def fit(topics: Mapping[str, TopicWords], seed: int, progress: Callable[[int, int], None] | None) -> TopicModel:
    """What `skills.topics.train` says."""
    keywords = {name: tuple(topic.keywords) for name, topic in sorted(topics.items()) if topic.keywords}
    shown = sorted(name for name, topic in topics.items() if any(fold(text).strip() for text in topic.examples))
    if len(shown) < 2:  # noqa: PLR2004 (one topic has nothing to be told apart from)
        said = "fewer than two topics have examples: topics are told by keywords alone" if topics else ""
        return TopicModel((), keywords, None, (said,) if said else ())
    examples = _gather(shown, topics)
    warnings = [f"topic `{name}` has one example only" for name in shown if len(topics[name].examples) == 1]
    return TopicModel(tuple(shown), keywords, _linear(examples, len(shown), seed, progress), tuple(warnings))


def _gather(shown: Sequence[str], topics: Mapping[str, TopicWords]) -> _Examples:
    folded: list[str] = []
    labels: list[int] = []
    named: list[bool] = []
    for label, name in enumerate(shown):
        texts = dict.fromkeys(fold(text) for text in topics[name].examples)
        for text in (*filter(str.strip, texts), fold(name.replace("-", " ").replace("_", " ").replace(".", " "))):
            folded.append(text)
            labels.append(label)
            named.append(False)
        named[-1] = True
    return _Examples(folded, np.array(labels, np.intp), np.array(named))


def _linear(examples: _Examples, topics: int, seed: int, progress: Callable[[int, int], None] | None) -> Linear:
    words, characters = _vocabulary(examples.folded)
    counted = _count(examples.folded, words, characters)
    folds = _folds(examples, seed)
    steps = topics * (len(folds) + 1)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, steps)

    logits = np.zeros((len(examples.folded), topics), np.float32)
    for held in folds:
        idf = _idf(counted[~held])
        weights, bias = _regress(_tfidf(counted[~held], idf, len(words)), examples.labels[~held], topics, seed, step)
        logits[held] = _tfidf(counted[held], idf, len(words)) @ weights + bias
    judged = np.logical_or.reduce(folds) if folds else np.zeros(len(examples.folded), bool)
    temperature, gate, confidence, right = _calibrate(logits[judged], examples.labels[judged])
    idf = _idf(counted)
    weights, bias = _regress(_tfidf(counted, idf, len(words)), examples.labels, topics, seed, step)
    gate = max(gate, float(bias.max()))  # what a text without a single known feature scores
    return Linear(words, characters, idf, weights, bias, temperature, gate, confidence, right)


def _features(folded: str) -> tuple[list[str], list[str]]:
    text = prepared(folded)
    return words_and_pairs(text), [name for piece in pieces_of(text) for name in characters_of(piece)]


def _vocabulary(folded: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Feature → row, words first, each sorted, so that the same examples give the same model."""
    words: set[str] = set()
    characters: set[str] = set()
    for text in folded:
        of_words, of_characters = _features(text)
        words.update(of_words)
        characters.update(of_characters)
    return (
        {name: row for row, name in enumerate(sorted(words))},
        {name: row for row, name in enumerate(sorted(characters), len(words))},
    )


def _count(folded: Sequence[str], words: Mapping[str, int], characters: Mapping[str, int]) -> sparse.csr_array:
    """How often each feature occurs in each text: [texts, features], as 1 + ln(count)."""
    indptr, indices, values = [0], list[int](), list[float]()
    for text in folded:
        of_words, of_characters = _features(text)
        counts = Counter(words[name] for name in of_words)
        counts.update(characters[name] for name in of_characters)
        indices += counts
        values += [1.0 + math.log(count) for count in counts.values()]
        indptr.append(len(indices))
    shape = (len(folded), len(words) + len(characters))
    return sparse.csr_array((np.array(values), np.array(indices, np.int32), np.array(indptr, np.int32)), shape=shape)


def _idf(counted: sparse.csr_array) -> Floats:
    texts = counted.shape[0]
    held_by = np.bincount(counted.indices, minlength=counted.shape[1])
    rare: Floats = (np.log((1.0 + texts) / (1.0 + held_by)) + 1.0).astype(np.float32)
    return rare


def _tfidf(counted: sparse.csr_array, idf: Floats, words: int) -> sparse.csr_array:
    """Each text's words normed to .7 and its characters to 1."""
    found = counted.copy()
    found.data = found.data * idf[found.indices]
    is_word = found.indices < words
    text = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    for mask, weight in ((is_word, WORDS_WEIGHT), (~is_word, 1.0)):
        squares = np.bincount(text[mask], found.data[mask] ** 2, minlength=found.shape[0])
        length = np.sqrt(np.where(squares > 0, squares, 1.0))
        found.data[mask] *= weight / length[text[mask]]
    return found


def _folds(examples: _Examples, seed: int) -> list[npt.NDArray[np.bool_]]:
    """Masks of examples held out in turn; every topic's are spread evenly, names are never held out."""
    real = np.flatnonzero(~examples.named)
    if len(real) < CALIBRATE_MIN:
        return []
    chance = np.random.default_rng(seed)
    fold_of = np.full(len(examples.folded), -1)
    start = 0
    for label in range(int(examples.labels.max()) + 1):
        own = chance.permutation(real[examples.labels[real] == label])
        fold_of[own] = (start + np.arange(len(own))) % FOLDS
        start += len(own)
    return [fold_of == number for number in range(FOLDS)]


def _regress(
    rows: sparse.csr_array, labels: npt.NDArray[np.intp], topics: int, seed: int, step: Callable[[], None]
) -> tuple[Floats, Floats]:
    """Weights [features, topics] and bias [topics] of one logistic regression for each topic against the rest."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (a second; prediction never pays it)

    matrix = sparse.csr_matrix(rows)  # liblinear takes 32-bit indices
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    weights = np.zeros((rows.shape[1], topics), np.float32)
    bias = np.zeros(topics, np.float32)
    for topic in range(topics):
        fitted = LogisticRegression(C=COST, solver="liblinear", random_state=seed, max_iter=1_000)
        fitted.fit(matrix, labels == topic)
        weights[:, topic] = fitted.coef_[0].astype(np.float16)  # what the file will hold
        bias[topic] = fitted.intercept_[0]
        step()
    return weights, bias


def _calibrate(logits: Floats, labels: npt.NDArray[np.intp]) -> tuple[float, float, Floats, npt.NDArray[np.bool_]]:
    """Temperature, gate, and for each example held out: how sure, and whether right."""
    if not len(labels):
        return TEMPERATURE_GUESS, NEVER_GATED, np.zeros(0, np.float32), np.zeros(0, np.bool_)
    temperature = math.exp(_least(lambda scale: _surprise(logits, labels, math.exp(scale)), *SCALES))
    shares = _softmax(logits, temperature)
    gate = float(np.quantile(logits.max(axis=1), GATE_SHARE))
    return temperature, gate, shares.max(axis=1).astype(np.float32), shares.argmax(axis=1) == labels


def _softmax(logits: Floats, temperature: float) -> npt.NDArray[np.float64]:
    scaled = (logits.astype(np.float64) - logits.max(axis=1, keepdims=True)) / temperature
    powers = np.exp(scaled)
    shares: npt.NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _surprise(logits: Floats, labels: npt.NDArray[np.intp], temperature: float) -> float:
    """Mean negative log-likelihood of what was true."""
    true = _softmax(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(true, 1e-12)).mean())


def _least(cost: Callable[[float], float], low: float, high: float) -> float:
    """Where `cost`, which has one valley, is least between low and high (golden section)."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    cost_left, cost_right = cost(left), cost(right)
    for _ in range(40):
        if cost_left < cost_right:
            high, right, cost_right = right, left, cost_left
            left = high - ratio * (high - low)
            cost_left = cost(left)
        else:
            low, left, cost_left = left, right, cost_right
            right = low + ratio * (high - low)
            cost_right = cost(right)
    return (low + high) / 2
