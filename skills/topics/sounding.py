"""Trains what a model says beside topics: what handling a contact takes, and how its writer sounds.

Effort is learned from what contacts took, as a share of what is usual for their topic and kind: what the engine has
learned of those stays its own to know. Moods are learned from the admin's examples, and urgency also from contacts
whose priority somebody raised. Each is judged on contacts held out in turn, and is off unless it helps there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg

from skills.topic_model_config import MOOD_MIN
from skills.topics import counting, solving
from skills.topics.beside import EFFORT, MOODS, Beside, Effort, Mood, Told
from skills.topics.features import fold
from skills.topics.linear import Floats, Linear
from skills.topics.training import TopicWords

Exact = npt.NDArray[np.float64]

TEXTS_MAX = 2_000  # the newest: likenesses of texts to one another take the square of it
FOLDS = 5
HANDLED_MIN = 200
PRIOR = 8  # contacts: what is usual for a topic and kind is drawn towards what is usual for all by so many
OUTLIER = 8.0  # times what is usual: no contact teaches more
NOISES = (3.0, 10.0, 30.0)  # how much of what contacts took is chance, beside what words tell
SPREAD = 0.8  # of contacts lie in the spread
ERRORS = 2.0  # standard errors by which words must help
OTHERS_MIN = 50  # texts that do not sound so
FALSE_MAX = 0.02  # of the others may be taken for it
FOUND_MIN = 0.4  # of those that sound so must be found
URGENT = "urgent"


class Handled(NamedTuple):
    """A contact that was resolved: its first message, what it is about and its kind, and how long handling it took.

    `raised`: whether somebody had to raise its priority; None: it was high without them.
    """

    text: str
    usual: str
    ms: int
    raised: bool | None = None


@dataclass(frozen=True)
class Material:
    """`moods`: what the admin says of them. `calm`: texts that do not sound so, the topics' examples."""

    moods: Mapping[str, TopicWords] = field(default_factory=dict)
    calm: Sequence[str] = ()
    handled: Sequence[Handled] = ()


def learn(material: Material, seed: int = 0) -> Beside:
    """Train effort and moods as far as there is data for them."""
    effort, told = _effort(material.handled, seed)
    found, moods = {EFFORT: told}, {}
    for name in MOODS:
        mood, found[name] = _mood(name, material, seed)
        if mood is not None:
            moods[name] = mood
    keywords = {name: tuple(one.keywords) for name, one in sorted(material.moods.items()) if one.keywords}
    return Beside(effort, moods, keywords, found)


def _off(said: str, **figures: object) -> Told:
    return {"on": False, "said": said, **figures}


def _turns(number: int, seed: int) -> npt.NDArray[np.int64]:
    """Which fold each of so many is held out in."""
    return np.random.default_rng(seed).permutation(number) % FOLDS


class _Features:
    """Texts as features, and how alike they are."""

    def __init__(self, texts: Sequence[str]) -> None:
        folded = [fold(text) for text in texts]
        self.words, self.characters = counting.vocabulary(folded, 2)
        counted = counting.count(folded, self.words, self.characters)
        self.idf = counting.rarity(counted)
        self.rows: Any = counting.weighed(counted, self.idf, len(self.words))
        self.kernel: Exact = (self.rows @ self.rows.T).toarray()

    def linear(self, mixture: Exact, bias: float) -> Linear:
        """A classifier of one column: a mixture of the texts."""
        weights = np.asarray(self.rows.T @ mixture, np.float32).reshape(-1, 1)
        nothing = np.zeros(0, np.float32)
        return Linear(
            words=self.words,
            characters=self.characters,
            idf=self.idf,
            weights=np.ascontiguousarray(weights.astype(np.float16).astype(np.float32)),
            bias=np.array([bias], np.float32),
            temperature=1.0,
            gate=0.0,
            confidence=nothing,
            right=nothing.astype(bool),
            several=True,
        )


# -- effort ------------------------------------------------------------------------------------------------------------


def _effort(handled: Sequence[Handled], seed: int) -> tuple[Effort | None, Told]:
    known = [one for one in handled if one.ms > 0 and one.text.strip()][-TEXTS_MAX:]
    if len(known) < HANDLED_MIN:
        return None, _off(f"{len(known)} contacts were handled, {HANDLED_MIN} are needed", contacts=len(known))
    features, turns = _Features([one.text for one in known]), _turns(len(known), seed)
    if not features.idf.size:
        return None, _off("no two contacts have a word in common", contacts=len(known))
    shares = np.zeros(len(known))
    for turn in range(FOLDS):  # what is usual is found without those that it is compared with
        shares[turns == turn] = _shares(known, turns != turn)[turns == turn]
    noise, guessed = min(
        ((noise, _held_out(features.kernel, shares, turns, noise)) for noise in NOISES),
        key=lambda tried: float(np.abs(shares - tried[1]).mean()),
    )
    off, usual_off = np.abs(shares - guessed), np.abs(shares - np.median(shares))
    gain, errors = float((usual_off - off).mean()), ERRORS * float((usual_off - off).std()) / math.sqrt(len(known))
    low, high, covered = _spread(shares - guessed, turns)
    figures = {
        "contacts": len(known),
        "factor": round(math.exp(float(off.mean())), 4),
        "factor_by_topic": round(math.exp(float(usual_off.mean())), 4),
        "covered": round(covered, 4),
    }
    said = (
        f"what {len(known)} contacts took is told, held out, to a factor of {figures['factor']:.2f} by their words, "
        f"of {figures['factor_by_topic']:.2f} by topic and kind alone"
    )
    if gain <= errors:
        return None, _off(f"{said}: that is no help", **figures)
    mixture, bias = _ridge(features.kernel, shares, noise)
    scale = float(np.exp(shares).sum() / np.exp(guessed).sum())
    spread = f"{said}; {covered:.0%} lay in the spread that is said of {SPREAD:.0%}"
    return Effort(features.linear(mixture, bias), scale, low, high), {"on": True, "said": spread, **figures}


def _shares(known: Sequence[Handled], shown: npt.NDArray[np.bool_]) -> Exact:
    """The logarithm of what each took, over what those `shown` of its topic and kind took at the mean."""
    took = np.array([float(one.ms) for one in known])
    of_all = float(np.mean(np.minimum(took[shown], OUTLIER * np.median(took[shown]))))
    total, number = Counter[str](), Counter[str]()
    for one, is_shown in zip(known, shown, strict=True):
        if is_shown:
            total[one.usual] += min(one.ms, round(OUTLIER * of_all))
            number[one.usual] += 1
    usual = np.array([(total[one.usual] + PRIOR * of_all) / (number[one.usual] + PRIOR) for one in known])
    shares: Exact = np.log(np.clip(took / usual, 1 / OUTLIER, OUTLIER))
    return shares


def _ridge(kernel: Exact, wanted: Exact, noise: float) -> tuple[Exact, float]:
    """The mixture of texts, and what is added to it, that give `wanted` back as far as it is no chance."""
    bias = float(wanted.mean())
    factor = linalg.cho_factor(kernel + noise * np.eye(len(kernel)), lower=True)
    mixture: Exact = linalg.cho_solve(factor, wanted - bias)
    return mixture, bias


def _held_out(kernel: Exact, wanted: Exact, turns: npt.NDArray[np.int64], noise: float) -> Exact:
    found = np.zeros(len(wanted))
    for turn in range(FOLDS):
        out = turns == turn
        mixture, bias = _ridge(kernel[np.ix_(~out, ~out)], wanted[~out], noise)
        found[out] = kernel[np.ix_(out, ~out)] @ mixture + bias
    return found


def _spread(errors: Exact, turns: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Between which errors eight of ten lie; and how many do between those that the other folds would have said."""
    ends = [(1 - SPREAD) / 2, (1 + SPREAD) / 2]
    inside = 0
    for turn in range(FOLDS):
        low, high = np.quantile(errors[turns != turn], ends)
        out = errors[turns == turn]
        inside += int(((out >= low) & (out <= high)).sum())
    low, high = np.quantile(errors, ends)
    return float(low), float(high), inside / len(errors)


# -- moods -------------------------------------------------------------------------------------------------------------


def _mood(name: str, material: Material, seed: int) -> tuple[Mood | None, Told]:
    texts, sounds = _texts(name, material)
    so, others = int(sounds.sum()), int((~sounds).sum())
    figures: Told = {"examples": so, "others": others}
    if so < MOOD_MIN or others < OTHERS_MIN:
        few = f"{so} texts sound {name} and {others} do not; {MOOD_MIN} and {OTHERS_MIN} are needed"
        return None, _off(few, **figures)
    features, turns = _Features(texts), _spread_evenly(sounds, seed)
    wanted = sounds.astype(np.float32).reshape(-1, 1)
    scores = np.zeros(len(texts))
    for turn in range(FOLDS):
        out = turns == turn
        mixture, bias = _apart(features.kernel[np.ix_(~out, ~out)], wanted[~out])
        scores[out] = features.kernel[np.ix_(out, ~out)] @ mixture + bias
    threshold = float(np.nextafter(np.quantile(scores[~sounds], 1 - FALSE_MAX, method="higher"), math.inf))
    found, wrong = float((scores[sounds] >= threshold).mean()), float((scores[~sounds] >= threshold).mean())
    figures |= {"found": round(found, 4), "wrong": round(wrong, 4)}
    said = f"held out, {found:.0%} of {so} texts that sound {name} are found, and {wrong:.1%} of {others} others"
    if found < FOUND_MIN:
        return None, _off(f"{said}; {FOUND_MIN:.0%} are needed", **figures)
    mixture, bias = _apart(features.kernel, wanted)
    return Mood(features.linear(mixture, bias), threshold), {"on": True, "said": said, **figures}


def _apart(kernel: Exact, wanted: Floats) -> tuple[Exact, float]:
    found = solving.by_examples(kernel, wanted, several=True, round_=lambda: None)
    return found.of[:, 0], float(found.bias[0])


def _texts(name: str, material: Material) -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Texts that sound so and that do not, each once; the admin's word counts before what agents did."""
    said: dict[str, bool] = {}
    handled = [one for one in material.handled if one.raised is not None] if name == URGENT else []
    for one in reversed(handled[-TEXTS_MAX:]):
        said.setdefault(fold(one.text), bool(one.raised))
    said |= {fold(text): False for text in material.calm}
    for other in material.moods.values():
        said |= {fold(text): False for text in other.examples}
    own = material.moods.get(name)
    said |= {fold(text): True for text in (own.examples if own is not None else ())}
    said = {text: sounds for text, sounds in said.items() if text.strip()}
    return list(said), np.array(list(said.values()), bool)


def _spread_evenly(sounds: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[np.int64]:
    """Folds with as many that sound so in each."""
    turns = np.zeros(len(sounds), np.int64)
    for kind in (True, False):
        places = np.flatnonzero(sounds == kind)
        turns[places] = _turns(len(places), seed)
    return turns
