"""Draws what a change would have done: waits, and work by agent. Needs matplotlib, which is an extra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from router.sim.difference import waits
from router.sim.plots import AGENTS_MAX, drawn, survival

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from router.sim.rehearsal import Outcome


def draw(before: Outcome, after: Outcome, folder: Path) -> list[Path]:
    """Draw both into `folder` as SVG; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    both = {"now": before, "then": after}
    return [
        drawn(folder / "whatif-waits.svg", "Waits until somebody had it", both, _waits),
        drawn(folder / "whatif-load.svg", "Work by agent", both, _load),
    ]


def _waits(axes: Axes, both: Mapping[str, Outcome]) -> None:
    for name, outcome in both.items():
        survival(axes, name, np.sort(np.array(waits(outcome))))


def _load(axes: Axes, both: Mapping[str, Outcome]) -> None:
    agents = sorted({agent for outcome in both.values() for agent in outcome.load})
    width = 0.8 / len(both)
    for place, (name, outcome) in enumerate(both.items()):
        minutes = [outcome.load.get(agent, 0.0) / 60_000 for agent in agents]
        axes.bar(np.arange(len(agents)) + place * width, minutes, width, label=name)
    axes.set_ylabel("minutes of work")
    if len(agents) <= AGENTS_MAX:
        axes.set_xticks(np.arange(len(agents)) + 0.4 - width / 2, agents, rotation=90, fontsize=7)
