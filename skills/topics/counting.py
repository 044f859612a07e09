"""Examples as numbers: which features there are, how often each text has them, and their tf-idf values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skills.topics.features import characters_of, pieces_of, prepared, words_and_pairs
from skills.topics.linear import WORDS_WEIGHT, Floats

Rows = dict[str, int]


def features_of(folded: str) -> tuple[list[str], list[str]]:
    """The words with their pairs, and the characters, of a folded text, as often as they occur."""
    text = prepared(folded)
    return words_and_pairs(text), [name for piece in pieces_of(text) for name in characters_of(piece)]


def vocabulary(folded: Sequence[str], least: int) -> tuple[Rows, Rows]:
    """Feature → row, of those that at least `least` texts have; words first, each sorted.

    Sorted so that the same examples give the same model.
    """
    words: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for text in folded:
        of_words, of_characters = features_of(text)
        words.update(set(of_words))
        characters.update(set(of_characters))
    kept = [sorted(name for name, texts in counts.items() if texts >= least) for counts in (words, characters)]
    return (
        {name: row for row, name in enumerate(kept[0])},
        {name: row for row, name in enumerate(kept[1], len(kept[0]))},
    )


def count(folded: Sequence[str], words: Mapping[str, int], characters: Mapping[str, int]) -> sparse.csr_array:
    """How often each feature occurs in each text: [texts, features], as 1 + ln(count)."""
    indptr, indices, values = [0], list[int](), list[float]()
    for text in folded:
        of_words, of_characters = features_of(text)
        counts = Counter(words[name] for name in of_words if name in words)
        counts.update(characters[name] for name in of_characters if name in characters)
        indices += counts
        values += [1.0 + math.log(often) for often in counts.values()]
        indptr.append(len(indices))
    shape = (len(folded), len(words) + len(characters))
    parts = np.array(values), np.array(indices, np.int32), np.array(indptr, np.int32)
    return sparse.csr_array(parts, shape=shape)


def rarity(counted: sparse.csr_array) -> Floats:
    """Inverse document frequency of each feature, smoothed: [features]."""
    texts = counted.shape[0]
    held_by = np.bincount(counted.indices, minlength=counted.shape[1])
    rare: Floats = (np.log((1.0 + texts) / (1.0 + held_by)) + 1.0).astype(np.float32)
    return rare


def rarest(texts: int) -> float:
    """The rarity of a feature that none of so many texts has."""
    return math.log(1.0 + texts) + 1.0


def unknown(folded: Sequence[str], words: Mapping[str, int], characters: Mapping[str, int], rarity: float) -> Floats:
    """The squares of what each text has in words, and in characters, that are no features: [texts, 2]."""
    found = np.zeros((len(folded), 2), np.float32)
    for row, text in enumerate(folded):
        for column, (names, known) in enumerate(zip(features_of(text), (words, characters), strict=True)):
            found[row, column] = sum(name not in known for name in names) * rarity**2
    return found


def weighed(
    counted: sparse.csr_array, idf: Floats, words: int, unknown: npt.NDArray[Any] | None = None
) -> sparse.csr_array:
    """Each text's words (the first `words` columns) normed to .7 and its characters to 1, `unknown` ones among them."""
    found = counted.copy()
    found.data = found.data * idf[found.indices]
    is_word = found.indices < words
    text = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
    for column, (mask, weight) in enumerate(((is_word, WORDS_WEIGHT), (~is_word, 1.0))):
        squares = np.bincount(text[mask], found.data[mask] ** 2, minlength=found.shape[0])
        if unknown is not None:
            squares = squares + unknown[:, column]
        length = np.sqrt(np.where(squares > 0, squares, 1.0))
        found.data[mask] *= weight / length[text[mask]]
    return found
