"""Logistic regression for all topics at once, by L-BFGS.

Two ways to the same optimum. Few examples: in the space of the examples (n numbers a topic instead of one for each of
the many features; the best weights are a mixture of the examples, so nothing is lost). Many: in the space of features.

Where examples have one topic each, the topics compete (softmax); where they have several, each topic is decided by
itself (one against the rest).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg
from scipy.optimize import minimize

from skills.topics.linear import Floats

Exact = npt.NDArray[np.float64]

COST = 30.0  # of a wrong example against the size of the weights (scikit-learn's C)
COST_ENCODED = 10.0  # few examples, an encoder's vectors beside words: its likenesses are smoother than theirs
COST_SEVERAL = 80.0  # where each topic is decided by itself (NLU++ banking, folds held out)
ROUNDS_MAX = 200
ROUNDS_MAX_LARGE = 60  # many examples: accuracy moves no more after that
TOLERANCE = 1e-5  # of the cost, from one round to the next
JITTER = 1e-6  # on the diagonal: equal examples are told apart by nothing
MEMORY = 6  # rounds that L-BFGS remembers


class Joined:
    """Sparse features and dense ones beside them, [n, sparse + dense], as far as the solver needs a matrix."""

    def __init__(self, sparse: Any, dense: Floats) -> None:  # noqa: ANN401 (a scipy.sparse.csr_array)
        self.sparse, self.dense = sparse, dense
        self.shape = (sparse.shape[0], sparse.shape[1] + dense.shape[1])

    def __matmul__(self, weights: Any) -> Any:  # noqa: ANN401 (dense, of any precision)
        """The product with [sparse + dense, topics]."""
        split = self.sparse.shape[1]
        return self.sparse @ weights[:split] + self.dense @ weights[split:]

    def __getitem__(self, rows: npt.NDArray[np.bool_]) -> Joined:
        """Some of the rows."""
        return Joined(self.sparse[rows], self.dense[rows])

    def back(self) -> Callable[[Floats], Floats]:
        """Multiplies the transposed."""
        sparse, dense = self.sparse.T.tocsr(), np.ascontiguousarray(self.dense.T)
        return lambda off: np.concatenate((sparse @ off, dense @ off))


@dataclass(frozen=True)
class Fitted:
    """`of`: [examples or features, topics]; `bias` [topics]; `rounds` that it took."""

    of: Exact
    bias: Exact
    rounds: int


def by_examples(
    kernel: Exact, wanted: Floats, *, several: bool, round_: Callable[[], None], encoded: bool = False
) -> Fitted:
    """Fit on likenesses of examples to one another: [n, n]; `wanted` [n, topics], the share of each topic.

    The likenesses are exact: rounded to 32 bits, those of examples that are alike have no root. `encoded`: whether they
    are of an encoder's vectors too. Gives mixtures: the logits of a text are its likenesses to the n examples times
    `of`, and the bias.
    """
    n = len(kernel)
    root = linalg.cholesky(kernel + JITTER * np.eye(n), lower=True)
    price = COST_ENCODED if encoded and not several else None
    found = _minimised(root.astype(np.float32), wanted, ROUNDS_MAX, several=several, round_=round_, price=price)
    mixture = linalg.solve_triangular(root, found.of, trans="T", lower=True)
    return Fitted(mixture, found.bias, found.rounds)


def by_features(
    rows: Any,  # noqa: ANN401 (a scipy.sparse.csr_array of float32, which has no types)
    wanted: Floats,
    *,
    several: bool,
    round_: Callable[[], None],
) -> Fitted:
    """Fit on features of examples, [n, features]."""
    return _minimised(rows, wanted, ROUNDS_MAX_LARGE, several=several, round_=round_)


def _minimised(
    rows: Any,  # noqa: ANN401 (dense or sparse)
    wanted: Floats,
    rounds: int,
    *,
    several: bool,
    round_: Callable[[], None],
    price: float | None = None,
) -> Fitted:
    (width, topics), back = (rows.shape[1], wanted.shape[1]), _back(rows)
    surprise, usual = (_each, COST_SEVERAL) if several else (_competing, COST)
    price = price or usual

    def cost(flat: Exact) -> tuple[float, Exact]:
        both = flat.astype(np.float32).reshape(width + 1, topics)
        logits = rows @ both[:-1] + both[-1]
        loss, off = surprise(logits, wanted)
        slope = np.empty((width + 1, topics), np.float32)
        slope[:-1] = back(off)
        slope[-1] = off.sum(axis=0)
        slope *= price
        slope += both
        return price * loss + 0.5 * float(flat @ flat), slope.ravel().astype(np.float64)

    begin = np.zeros((width + 1) * topics)
    limits = {"maxiter": rounds, "maxfun": 2 * rounds, "ftol": TOLERANCE, "gtol": 1e-3, "maxcor": MEMORY}
    done = minimize(cost, begin, jac=True, method="L-BFGS-B", options=limits, callback=lambda _: round_())
    both = done.x.reshape(width + 1, topics)
    return Fitted(both[:-1], both[-1], int(done.nit))


def _back(rows: Any) -> Callable[[Floats], Floats]:  # noqa: ANN401 (dense, sparse, joined)
    """Multiplies the transposed."""
    if isinstance(rows, Joined):
        return rows.back()
    turned = rows.T if isinstance(rows, np.ndarray) else rows.T.tocsr()
    return lambda off: turned @ off


def _competing(logits: Floats, wanted: Floats) -> tuple[float, Floats]:
    """Softmax: the negative log-likelihood of what was wanted, and its slope in the logits."""
    logits = logits - logits.max(axis=1, keepdims=True)
    powers = np.exp(logits)
    total = powers.sum(axis=1, keepdims=True)
    loss = float(np.log(total).sum(dtype=np.float64)) - float((logits * wanted).sum(dtype=np.float64))
    powers /= total
    powers -= wanted
    return loss, powers


def _each(logits: Floats, wanted: Floats) -> tuple[float, Floats]:
    """Each topic against the rest, likewise."""
    loss = float(np.logaddexp(0.0, logits).sum(dtype=np.float64)) - float((logits * wanted).sum(dtype=np.float64))
    return loss, np.float32(0.5) * (np.tanh(np.float32(0.5) * logits) + np.float32(1.0)) - wanted
