"""Words that make a contact of a topic wherever they stand: whole words, in any script, case and accents aside.

One pass over the words of a text, whatever the number of keywords. In scripts that put no spaces between words
(Chinese, Japanese, Thai, …) a keyword counts wherever its characters stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from skills.topics.features import fold, words_of

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class Keywords:
    """The keywords of all topics, ready to be looked for."""

    def __init__(self, by_topic: Mapping[str, Sequence[str]]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._unspaced: list[tuple[str, str]] = []
        for topic, keywords in by_topic.items():
            for keyword in keywords:
                folded = fold(keyword)
                words = tuple(words_of(folded))
                if _UNSPACED.search(folded):
                    self._unspaced.append((folded.strip(), topic))
                elif words:
                    self._by_first.setdefault(words[0], []).append((words[1:], topic))

    def __bool__(self) -> bool:
        return bool(self._by_first or self._unspaced)

    def hits(self, folded: str) -> frozenset[str]:
        """Topics of which a keyword stands in a folded text."""
        found = {topic for keyword, topic in self._unspaced if keyword in folded}
        if self._by_first:
            words = words_of(folded)
            for at, word in enumerate(words):
                for rest, topic in self._by_first.get(word, ()):
                    if not rest or tuple(words[at + 1 : at + 1 + len(rest)]) == rest:
                        found.add(topic)
        return frozenset(found)
