"""What to label next: texts the model is torn about, and groups of unsure texts that look like a topic of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster import hierarchy

from router.core.values import WHOLE
from skills.topics import counting
from skills.topics.features import fold, prepared, words_of
from skills.topics.model import TopicModel

TEXTS_MAX = 2_000  # looked at: those the model is least sure of; grouping takes the square of it
TOO_ALIKE = 0.6  # cosine: who labels one text need not label the other
APART = 0.85  # mean cosine distance at which two groups are two
GROUP_MIN = 3
WORDS_SHOWN = 5


@dataclass(frozen=True)
class Unsure:
    """A text and what the model says of it."""

    text: str
    said: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Group:
    """Unsure texts that are alike, and the words that make them so."""

    words: tuple[str, ...]
    texts: tuple[str, ...]


def _doubt(said: tuple[tuple[str, int], ...]) -> int:
    """0 where two topics are as probable, or nothing is; 10,000 where one is certain."""
    ps = [p for _, p in said[:2]] + [0, 0]
    return ps[0] - ps[1]


def _alike(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Cosines of texts to one another: [n, n]."""
    folded = [fold(text) for text in texts]
    words, characters = counting.vocabulary(folded, 1)
    counted = counting.count(folded, words, characters)
    rows = counting.weighed(counted, counting.rarity(counted), len(words))
    kernel: npt.NDArray[np.float64] = (rows @ rows.T).toarray()
    length = np.sqrt(np.maximum(kernel.diagonal(), 1e-12))
    return kernel / length / length[:, None]


def suggest(model: TopicModel, texts: Sequence[str], number: int, precision: int) -> tuple[list[Unsure], list[Group]]:
    """`number` texts worth labelling, the most first, and groups of unsure ones, the largest first.

    A text is unsure whose best topic is less probable than `precision` (of 10,000). Equal texts count once.
    """
    read = [Unsure(text, model.predict(text)) for text in dict.fromkeys(texts) if words_of(fold(text))]
    unsure = [one for one in read if not one.said or one.said[0][1] < precision]
    unsure = sorted(unsure, key=lambda one: (_doubt(one.said), one.text))[:TEXTS_MAX]
    if not unsure:
        return [], []
    alike = _alike([one.text for one in unsure])
    return _different(unsure, alike, number), _groups([one.text for one in unsure], alike)


def _different(unsure: Sequence[Unsure], alike: npt.NDArray[np.float64], number: int) -> list[Unsure]:
    chosen: list[int] = []
    for place in range(len(unsure)):
        if len(chosen) == number:
            break
        if all(alike[place, other] < TOO_ALIKE for other in chosen):
            chosen.append(place)
    return [unsure[place] for place in chosen]


def _groups(texts: Sequence[str], alike: npt.NDArray[np.float64]) -> list[Group]:
    if len(texts) < GROUP_MIN:
        return []
    upper = np.triu_indices(len(texts), 1)
    tree = hierarchy.linkage(np.maximum(0.0, 1 - alike[upper]), "average")
    member = hierarchy.fcluster(tree, APART, "distance")
    sizes = Counter(member.tolist())
    groups = []
    for group, size in sizes.items():
        if size >= GROUP_MIN:
            inside = [text for text, of in zip(texts, member, strict=True) if of == group]
            outside = [text for text, of in zip(texts, member, strict=True) if of != group]
            groups.append(Group(_telling(inside, outside), tuple(inside)))
    return sorted(groups, key=lambda group: (-len(group.texts), group.words))


def _telling(inside: Sequence[str], outside: Sequence[str]) -> tuple[str, ...]:
    """Words that most of `inside` and few of `outside` have."""
    here, there = (Counter(word for text in texts for word in _words(text)) for texts in (inside, outside))

    def telling(word: str) -> tuple[float, int, str]:
        return (there[word] + 1) / (len(outside) + 2) - (here[word] + 1) / (len(inside) + 2), -len(word), word

    return tuple(sorted((word for word in here if here[word] > 1), key=telling)[:WORDS_SHOWN])


def _words(text: str) -> set[str]:
    return set(words_of(prepared(fold(text))))


def per_cent(p: int) -> str:
    """A probability of 10,000 as people read it."""
    return f"{p / WHOLE:.0%}"
