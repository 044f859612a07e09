"""Whether a model that learned more would be worse than the one in force: a champion, a challenger, the same folds.

Both are fitted anew without the texts that they are then judged by, in turn: a model that has seen the answers cannot
be compared with one that has not. Only texts of which somebody said outright what they are about are judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skills.topics import counting, solving, training
from skills.topics.encoders import Encoder
from skills.topics.features import fold
from skills.topics.linear import Floats
from skills.topics.training import Examples, Labelled, Mask, TopicWords

HALF = 0.5
ENOUGH = 1_000  # examples; half of more than that are judged: two fits each, and not four, before anybody knows


@dataclass(frozen=True)
class Tally:
    """Of `judged` texts so many were right by the `champion` and by the `challenger`; `won`, `lost`: by one alone."""

    judged: int = 0
    champion: int = 0
    challenger: int = 0
    won: int = 0
    lost: int = 0

    @property
    def worse(self) -> bool:
        """Whether the challenger lost more than chance would have it lose: by more than one standard error."""
        return self.lost - self.won > math.sqrt(self.won + self.lost)

    def said(self) -> str:
        """In words, for logs and lists."""
        return f"{self.challenger} of {self.judged} right, {self.champion} before"


@dataclass(frozen=True)
class Contest:
    """`every`: all texts judged; `own`: the admin's examples, which many wrong labels must not drown out."""

    every: Tally
    own: Tally

    @property
    def worse(self) -> bool:
        """Whether the challenger must not be put in force."""
        return self.every.worse or self.own.worse


def contest(
    topics: Mapping[str, TopicWords],
    known: Sequence[Labelled],
    labelled: Sequence[Labelled],
    seed: int = 0,
    round_: Callable[[], None] = lambda: None,
    encoder: Encoder | None = None,
) -> Contest | None:
    """Compare what `known` labels teach with what all `labelled` do; None if there is nothing to judge by."""
    champion, challenger = training.examples_of(topics, known), training.examples_of(topics, labelled)
    if champion is None or challenger is None:
        return None
    folds = training.held_out(challenger, seed)
    if not folds:
        return None
    if len(challenger.folded) > ENOUGH:
        folds = folds[: len(folds) // 2 or 1]
    outright = {fold(one.text) for one in labelled if one.outright}
    own = {fold(text) for topic in topics.values() for text in topic.examples}
    judged = np.array([text in own or text in outright for text in challenger.folded])
    is_own = np.array([text in own for text in challenger.folded])
    before, after = (_right(examples, challenger, folds, round_, encoder) for examples in (champion, challenger))
    held: Mask = np.logical_or.reduce(folds)
    return Contest(_tally(before, after, held & judged), _tally(before, after, held & is_own))


def _right(
    examples: Examples,
    truth: Examples,
    folds: Sequence[Mask],
    round_: Callable[[], None],
    encoder: Encoder | None,
) -> Mask:
    """Which of the texts held out a fit on the rest of `examples` gets right, by what `truth` says of them."""
    right = np.zeros(len(truth.folded), bool)
    for out in folds:
        places = np.flatnonzero(out)
        logits = _without(examples, truth, places, round_, encoder)
        right[places] = _wanted(truth.wanted[places], logits.argmax(axis=1))
    return right


def _without(
    examples: Examples,
    out: Examples,
    places: npt.NDArray[np.int64],
    round_: Callable[[], None],
    encoder: Encoder | None,
) -> Floats:
    """Logits of `out`'s texts at `places`, [places, topics and perhaps one for none], by a fit on all others."""
    folded, texts = [out.folded[at] for at in places], [out.texts[at] for at in places]
    unseen = set(folded)
    shown = np.array([text not in unseen for text in examples.folded])
    known = [text for text, kept in zip(examples.folded, shown, strict=True) if kept]
    few = len(known) <= training.FEW_MAX
    words, characters = counting.vocabulary(known, 1 if few else training.FEATURE_TEXTS_MIN)
    counted = counting.count(known, words, characters)
    idf = counting.rarity(counted)
    rows: Any = counting.weighed(counted, idf, len(words)).astype(np.float32)
    strange = counting.unknown(folded, words, characters, training.strange(examples, len(known)))
    new: Any = counting.weighed(counting.count(folded, words, characters), idf, len(words), strange).astype(np.float32)
    wanted, several = examples.wanted[shown], examples.several
    weight = training.encoded_weight(examples, len(known))
    here = training.encoded_by(
        encoder, [text for text, kept in zip(examples.texts, shown, strict=True) if kept], weight
    )
    there = training.encoded_by(encoder, texts, weight)
    if few:
        kernel = (rows @ rows.T).toarray().astype(np.float64)
        likenesses = (new @ rows.T).toarray()
        if here is not None and there is not None:
            kernel += here.astype(np.float64) @ here.T.astype(np.float64)
            likenesses = likenesses + there @ here.T
        fitted = solving.by_examples(kernel, wanted, several=several, round_=round_, encoded=here is not None)
        return np.asarray(likenesses @ fitted.of + fitted.bias, np.float32)
    if here is not None and there is not None:
        rows, new = solving.Joined(rows, here), solving.Joined(new, there)
    fitted = solving.by_features(rows, wanted, several=several, round_=round_)
    return np.asarray(new @ fitted.of + fitted.bias, np.float32)


def _wanted(wanted: Floats, best: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Mask:
    """Whether the best column is one that is wanted as much as any; a column that `wanted` lacks never is."""
    padded = np.hstack((wanted, np.zeros((len(wanted), 1), np.float32)))
    share = padded[np.arange(len(best)), np.minimum(best, wanted.shape[1])]
    found: Mask = share >= np.minimum(wanted.max(axis=1), HALF) if len(wanted) else np.zeros(0, bool)
    return found & (share > 0)


def _tally(before: Mask, after: Mask, judged: Mask) -> Tally:
    before, after = before[judged], after[judged]
    return Tally(
        judged=len(before),
        champion=int(before.sum()),
        challenger=int(after.sum()),
        won=int((after & ~before).sum()),
        lost=int((before & ~after).sum()),
    )
