"""From logits of examples held out to probabilities, the gate, and which topics count beside the best."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from router.core.values import WHOLE
from skills.topics.linear import GATED, Floats, scores_of, shares_of
from skills.topics.model import ALSO_DEFAULT

GATE_SHARE = 0.05  # of the examples held out would be taken for none of ours
TEMPERATURE_GUESS = 0.6  # where nothing could be held out
NEVER_GATED = -1e9
SCALES = (math.log(0.02), math.log(20.0))
# Examples written by one hand resemble one another more than what customers write later will resemble them, the more
# so the fewer they are: examples held out make the model seem surer than it may be.
CAUTION_FEW = 1.03
CAUTION_ENCODED = 1.0  # an encoder knows more hands than those (BANKING77 and CLINC150, texts not trained on)
CAUTION_SEVERAL = 1.08  # where topics are decided each by itself, of words alone
CAUTION_MANY = 1.1
ALSO_TRIED = range(500, 9_600, 100)  # of 10,000
LEAST_TRIED = range(0, 4_100, 100)


@dataclass(frozen=True)
class Calibrated:
    """What `model.Linear` and `TopicModel` say; `confidence` and `right` of each example held out."""

    temperature: float
    gate: float
    also: int
    least: int
    gated: float
    confidence: Floats
    right: npt.NDArray[np.bool_]


def calibrate(
    logits: Floats, wanted: Floats, topics: int, *, several: bool, caution: float, together: bool = False
) -> Calibrated:
    """Calibrate on examples held out: `logits` and `wanted` are [examples, topics, and perhaps one for none of them].

    `topics`: how many columns are topics; `caution` multiplies the temperature found; `together`: how texts are scored
    (`scores_of`).
    """
    ours = wanted[:, :topics].any(axis=1)
    if not ours.any():
        nothing = np.zeros(0, np.float32)
        return Calibrated(TEMPERATURE_GUESS, NEVER_GATED, ALSO_DEFAULT, 0, GATED[0], nothing, nothing.astype(bool))
    temperature = caution * _fitting(logits, wanted, several=several)
    shares = shares_of(logits, temperature, several=several)[:, :topics]
    best = shares.argmax(axis=1)
    right = wanted[np.arange(len(best)), best] >= np.maximum(wanted.max(axis=1), 0.5 if several else 0.0)
    scores = scores_of(logits[:, :topics], temperature, together=together)
    gate = float(np.quantile(scores[ours], GATE_SHARE))
    below = ours & (scores <= gate)
    # One wrong is added: a lucky few prove nothing.
    gated = min(max(float(right[below].sum()) / (float(below.sum()) + 1), GATED[0]), GATED[1])
    also, least = _chosen(shares, wanted[:, :topics] > 0) if several else (ALSO_DEFAULT, 0)
    confidence = shares.max(axis=1).astype(np.float32)
    return Calibrated(temperature, gate, also, least, gated, confidence, right & ours)


def surprise(logits: Floats, wanted: Floats, *, several: bool) -> float:
    """How little what was true was foreseen, on average, at the temperature at which it is foreseen best."""
    cost = _surprise_each if several else _surprise_competing
    return cost(logits, wanted, _fitting(logits, wanted, several=several))


def _fitting(logits: Floats, wanted: Floats, *, several: bool) -> float:
    cost = _surprise_each if several else _surprise_competing
    return math.exp(_least(lambda scale: cost(logits, wanted, math.exp(scale)), *SCALES))


def _chosen(shares: Floats, true: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """From which probability (of 10,000) on a topic counts beside the best one, and the best one itself.

    Both where micro-F1 is highest; texts that are about none of the topics count too.
    """
    best = shares == shares.max(axis=1, keepdims=True)

    def micro_f1(also: int, least: int) -> float:
        said = (best & (shares >= least / WHOLE)) | (shares >= also / WHOLE)
        return 2 * float((said & true).sum()) / float(max(1, said.sum() + true.sum()))

    also = max(ALSO_TRIED, key=lambda tried: micro_f1(tried, 0))
    return also, max((tried for tried in LEAST_TRIED if tried <= also), key=lambda tried: micro_f1(also, tried))


def _surprise_competing(logits: Floats, wanted: Floats, temperature: float) -> float:
    """Mean negative log-likelihood of what was true, where the topics share one whole."""
    shares = shares_of(logits.astype(np.float64), temperature, several=False)
    return -float((wanted * np.log(np.maximum(shares, 1e-12))).sum()) / len(logits)


def _surprise_each(logits: Floats, wanted: Floats, temperature: float) -> float:
    """The same, where each topic is true or not by itself."""
    scaled = logits.astype(np.float64) / temperature
    return float((np.logaddexp(0.0, scaled) - wanted * scaled).sum()) / len(logits)


def _least(cost: Callable[[float], float], low: float, high: float) -> float:
    """Where `cost`, which has one valley, is least between low and high (golden section)."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    cost_left, cost_right = cost(left), cost(right)
    for _ in range(30):
        if cost_left < cost_right:
            high, right, cost_right = right, left, cost_left
            left = high - ratio * (high - low)
            cost_left = cost(left)
        else:
            low, left, cost_left = left, right, cost_right
            right = low + ratio * (high - low)
            cost_right = cost(right)
    return (low + high) / 2
