"""A what-if in sentences, and matters that supervisors hear of: what is told, and when it is told again."""

from __future__ import annotations

from typing import Any

import pytest

from router.desk import matters, rehearsals
from router.desk.lead_views import Matter
from router.desk.matters import NOW, SOON, Told, next_step

T0 = 1_790_000_000_000


def found(**changes: Any) -> dict[str, Any]:
    """Nine contacts, of which nothing is different but what `changes` says."""
    figures = {"contacts": 9, "nobody": 0, "wait_mean": 40.0, "wait_p95": 300.0, "sla_attainment": 0.9}
    after = {**figures, **changes.pop("after", {})}
    both = {"before": figures, "after": after}
    return {
        "contacts": 9,
        "moved": 2,
        "same": False,
        "dead_ends": {},
        "wait": both,
        "waits": {"refund": both},
        **changes,
    }


def test_what_is_different_is_said() -> None:
    """Who goes elsewhere, how waits and promises change, by topic, and who would wait for nobody."""
    after = {"wait_mean": 130.0, "wait_p95": None, "sla_attainment": 0.5}
    said = rehearsals.said(found(after=after, dead_ends={"lost-pet": 3, "": 1}))
    assert said[1:] == (
        "2 of them go to somebody else.",
        "Waits: 40 s in the mean, then 2 min. The slowest twentieth: 5 min, then unknown.",
        "Promises kept: 90.0%, then 50.0%.",
        "Refund: 40 s, then 2 min.",
        "4 more wait for nobody: Lost pet, No topic.",
    )


def test_little_is_said_of_little() -> None:
    """Nothing came in, nothing is different, or no promise was given and no topic waits otherwise."""
    assert rehearsals.said(found(contacts=0)) == ("Nobody wrote in that time: look further back.",)
    assert rehearsals.said(found(same=True))[1:] == ("Nothing would have been different.",)
    assert len(rehearsals.said(found(after={"sla_attainment": None}))) == 3


def matter(level: int = SOON, size: int = 4) -> Matter:
    """One."""
    return Matter(code="promises", level=level, size=size, text="…")


@pytest.mark.parametrize(
    ("now", "was", "after", "step"),
    [
        (matter(), None, 0, "tell"),
        (matter(), Told(level=SOON, size=4, at=T0), 0, "show"),
        (matter(NOW), Told(level=SOON, size=4, at=T0), 0, "tell"),
        (matter(SOON), Told(level=NOW, size=4, at=T0), 0, "show"),
        (matter(size=9), Told(level=SOON, size=4, at=T0), matters.AGAIN_MS - 1, "show"),
        (matter(size=9), Told(level=SOON, size=4, at=T0), matters.AGAIN_MS, "tell"),
        (matter(size=8), Told(level=SOON, size=4, at=T0), matters.AGAIN_MS, "show"),
        (matter(), Told(level=SOON, size=4, at=T0, over=T0), matters.CALM_MS, "show"),
        (None, Told(level=SOON, size=4, at=T0), 0, "end"),
        (None, Told(level=SOON, size=4, at=T0, over=T0), matters.CALM_MS - 1, ""),
        (None, Told(level=SOON, size=4, at=T0, over=T0), matters.CALM_MS, "forget"),
        (None, None, 0, ""),
    ],
)
def test_a_matter_is_told_again_only_if_it_is_worse(
    now: Matter | None, was: Told | None, after: int, step: str
) -> None:
    """Worse, or doubled after a while: told; else what stands is changed. One that comes back soon is the same."""
    assert next_step(now, was, T0 + after) == step
