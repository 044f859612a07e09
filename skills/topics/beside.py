"""What a model says of a text beside its topics: what handling it likely takes, and how its writer sounds.

Both are off until examples held out in training say that they help: `told` says how well they do, or why they are off.
Words that the admin names for a mood count at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from router.core.values import WHOLE
from skills.topics.features import fold
from skills.topics.keywords import Keywords
from skills.topics.linear import Linear, arrays_of, manifest_of, rebuilt

EFFORT = "effort"
MOODS = ("angry", "urgent")
SHARE_MAX = 4.0  # of what is usual, and a quarter of it at least: words alone prove no more
SPREAD_MAX = 100.0
LOG_MAX = 5.0  # of a share: a text unlike all others must not overflow

Told = dict[str, Any]


@dataclass(frozen=True)
class Effort:
    """`linear`: the logarithm of a contact's share of what its topic and kind usually take, at the median.

    `scale`: from the median's share to the mean's; `low`, `high`: from the median to where eight of ten lie between.
    """

    linear: Linear
    scale: float
    low: float
    high: float


@dataclass(frozen=True)
class Mood:
    """`linear`: how much a text sounds so; `threshold`: from there on it does."""

    linear: Linear
    threshold: float


@dataclass(frozen=True)
class Beside:
    """`told`: of effort and of each mood, `on` or not, `said` why in words, and the figures behind that."""

    effort: Effort | None = None
    moods: dict[str, Mood] = field(default_factory=dict)
    keywords: dict[str, tuple[str, ...]] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    _finder: Keywords = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_finder", Keywords(self.keywords))

    def said(self) -> dict[str, Told]:
        """`told`, also of a model that was trained without anything to learn them from."""
        nothing: Told = {"on": False, "said": "it was trained of labelled texts alone"}
        return {name: self.told.get(name, nothing) for name in (EFFORT, *MOODS)}

    def effort_of(self, text: str) -> tuple[int, ...]:
        """What handling it takes, of 10,000 of what is usual: at the mean, and what eight of ten lie between; or ()."""
        folded = fold(text)
        if self.effort is None or not folded.strip():
            return ()
        median = min(max(float(self.effort.linear.logits(folded, text)[0]), -LOG_MAX), LOG_MAX)
        mean = min(max(self.effort.scale * math.exp(median), 1 / SHARE_MAX), SHARE_MAX)
        ends = (math.exp(median + self.effort.low), math.exp(median + self.effort.high))
        return tuple(round(min(share, SPREAD_MAX) * WHOLE) for share in (mean, *ends))

    def moods_of(self, text: str) -> tuple[str, ...]:
        """How its writer sounds, in alphabetical order."""
        folded = fold(text)
        found = set(self._finder.hits(folded)) if self._finder else set[str]()
        if folded.strip():
            found |= {
                name for name, mood in self.moods.items() if mood.linear.logits(folded, text)[0] >= mood.threshold
            }
        return tuple(sorted(found))

    # -- files -------------------------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What of it is arrays."""
        found = {} if self.effort is None else arrays_of(self.effort.linear, f"{EFFORT}.")
        for name, mood in self.moods.items():
            found |= arrays_of(mood.linear, f"{name}.")
        return found

    def manifest(self) -> dict[str, Any]:
        """What is not."""
        effort = self.effort
        of_effort = None
        if effort is not None:
            numbers = {"scale": effort.scale, "low": effort.low, "high": effort.high}
            of_effort = {**manifest_of(effort.linear), **numbers}
        return {
            "effort": of_effort,
            "moods": {
                name: {**manifest_of(mood.linear), "threshold": mood.threshold}
                for name, mood in sorted(self.moods.items())
            },
            "keywords": {name: list(words) for name, words in sorted(self.keywords.items())},
            "told": self.told,
        }

    @classmethod
    def rebuilt(cls, manifest: Mapping[str, Any], arrays: Mapping[str, Any]) -> Beside:
        """What `manifest` and `arrays` gave. Raises ModelBroken, and what odd files raise."""
        of_effort, effort = manifest["effort"], None
        if of_effort is not None and (linear := rebuilt(of_effort, arrays, 1, f"{EFFORT}.")) is not None:
            effort = Effort(linear, *(float(of_effort[key]) for key in ("scale", "low", "high")))
        moods = {}
        for name, about in manifest["moods"].items():
            linear = rebuilt(about, arrays, 1, f"{name}.")
            if linear is not None:
                moods[str(name)] = Mood(linear, float(about["threshold"]))
        keywords = {str(name): tuple(map(str, words)) for name, words in manifest["keywords"].items()}
        return cls(effort, moods, keywords, dict(manifest["told"]))
