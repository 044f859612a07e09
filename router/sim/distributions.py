"""How durations are drawn: constant, exponential or lognormal; and chance that depends on nothing but its name.

Arrivals, efforts and patience come from one stream each per line of a scenario, seeded by the seed and the stream's
name, so that all policies meet the very same customers. What depends on a contact *and* on what a policy did with it
(an agent's delay, a decline) is drawn by `chance`, a hash of seed, purpose and contact, so that no policy shifts the
draws of another contact.
"""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist
from typing import Annotated

from pydantic import BeforeValidator, model_validator

from skills.model import Part
from skills.scalars import parse_duration

_MASK = (1 << 64) - 1
_NORMAL = NormalDist()


def seconds_or_duration(value: object) -> int:
    """`30s`, `2m`, `1.5h`, or seconds as a number, in milliseconds. Raises ValueError with the remedy."""
    try:
        number = float(str(value))
    except ValueError:
        milliseconds = parse_duration(value)
    else:
        if not math.isfinite(number):
            raise ValueError(f"must be a duration such as 30s or 2m, not `{value}`")
        milliseconds = round(number * 1_000)
    if milliseconds < 0:
        raise ValueError("cannot be negative")
    return milliseconds


Span = Annotated[int, BeforeValidator(seconds_or_duration)]


class Constant(Part):
    """Always the same."""

    value: Span


class Exponential(Part):
    """Without memory."""

    mean: Span


class Lognormal(Part):
    """Skewed to the right, as handling times and patience are: by mean and cv, or by median and sigma."""

    mean: Span | None = None
    cv: float | None = None
    median: Span | None = None
    sigma: float | None = None

    @model_validator(mode="after")
    def _one_pair(self) -> Lognormal:
        by_mean = (self.mean is not None, self.cv is not None)
        by_median = (self.median is not None, self.sigma is not None)
        if {by_mean, by_median} != {(True, True), (False, False)}:
            raise ValueError("needs `mean` and `cv`, or `median` and `sigma`")
        if (self.cv or 0) < 0 or (self.sigma or 0) < 0:
            raise ValueError("`cv` and `sigma` cannot be negative")
        if 0 in (self.mean, self.median):
            raise ValueError("cannot be about 0")
        return self

    @property
    def logs(self) -> tuple[float, float]:
        """Mean and deviation of the logarithm (of milliseconds)."""
        if self.mean is not None:
            variance = math.log1p((self.cv or 0.0) ** 2)
            return math.log(self.mean) - variance / 2, math.sqrt(variance)
        return math.log(self.median or 1), self.sigma or 0.0


def _constant(value: object) -> object:
    """`2m` and `{constant: 2m}` say the same as `{constant: {value: 2m}}`."""
    if isinstance(value, str | int | float):
        return {"constant": {"value": value}}
    if isinstance(value, dict) and isinstance(value.get("constant"), str | int | float):
        return {**value, "constant": {"value": value["constant"]}}
    return value


class Timing(Part):
    """A duration that varies: exactly one of the kinds."""

    constant: Constant | None = None
    """Always the same."""
    exponential: Exponential | None = None
    """By its mean."""
    lognormal: Lognormal | None = None
    """By mean and cv, or median and sigma."""

    @model_validator(mode="after")
    def _one_kind(self) -> Timing:
        if sum(kind is not None for kind in (self.constant, self.exponential, self.lognormal)) != 1:
            raise ValueError("needs one of `constant`, `exponential` and `lognormal`")
        return self

    @property
    def mean(self) -> float:
        """Expected milliseconds."""
        if self.constant is not None:
            return float(self.constant.value)
        if self.exponential is not None:
            return float(self.exponential.mean)
        assert self.lognormal is not None
        mu, sigma = self.lognormal.logs
        return math.exp(mu + sigma * sigma / 2)

    def at(self, share: float) -> int:
        """The quantile of `share` (0 to 1, both excluded), in milliseconds."""
        if self.constant is not None:
            return self.constant.value
        if self.exponential is not None:
            return round(-self.exponential.mean * math.log1p(-share))
        assert self.lognormal is not None
        mu, sigma = self.lognormal.logs
        return round(math.exp(mu + sigma * _NORMAL.inv_cdf(share)))


Distribution = Annotated[Timing, BeforeValidator(_constant)]


class Draws:
    """A stream of durations of one distribution."""

    def __init__(self, distribution: Timing, seed: int, name: str) -> None:
        self._random = stream(seed, name)
        self._constant = distribution.constant.value if distribution.constant else 0
        self._mean = distribution.exponential.mean if distribution.exponential else 0
        self._logs = distribution.lognormal.logs if distribution.lognormal else None

    def next(self) -> int:
        """The next duration in milliseconds."""
        if self._mean:
            return round(self._random.expovariate(1.0) * self._mean)
        if self._logs is not None:
            return round(self._random.lognormvariate(*self._logs))
        return self._constant


def stream(seed: int, name: str) -> Random:
    """A generator of its own for each purpose; the same in every process."""
    return Random(f"{seed}/{name}")


def chance(seed: int, purpose: int, *parts: int) -> float:
    """A number in (0, 1) that depends on the arguments only: splitmix64 over them."""
    state = (seed * 0x9E3779B97F4A7C15 + purpose) & _MASK
    for part in (*parts, 0):
        state = (state + part * 0xBF58476D1CE4E5B9 + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return ((state >> 11) + 0.5) / (1 << 53)
