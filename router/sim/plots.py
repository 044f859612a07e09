"""Draws a simulation: waits, utilisation per agent, the queue over time. Needs matplotlib, which is an extra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from router.core.errors import ConfigError
from router.sim.running import run
from router.sim.scenario import MINUTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from router.sim.measuring import Measured
    from router.sim.reading import Scenario

SIZE = (9.0, 5.0)  # inches
AGENTS_MAX = 80  # that many are named under the bars


def needs_matplotlib() -> None:
    """Say so before a long run, rather than after. Raises ConfigError."""
    if find_spec("matplotlib") is None:
        raise ConfigError(
            "plots need matplotlib, which is not installed", hint="pip install 'usherd[plot]'", code="no_matplotlib"
        )


def draw(scenario: Scenario, names: Sequence[str], seed: int, found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what happened under one seed into `folder` as SVG; returns the files."""
    needs_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    measured = {name: run(scenario, name, seed)[0] for name in names}
    title = f"{found['scenario']}, seed {seed}"
    return [
        drawn(folder / f"{scenario.name}-waits.svg", title, measured, _waits),
        drawn(folder / f"{scenario.name}-utilisation.svg", title, measured, _utilisation),
        drawn(folder / f"{scenario.name}-queue.svg", title, measured, _queue),
    ]


def drawn(path: Path, title: str, measured: Mapping[str, Any], paint: Any) -> Path:  # noqa: ANN401  a painter
    """Have `paint(axes, measured)` draw one figure, with a legend where several are compared."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415  an extra, and slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    paint(axes, measured)
    axes.grid(visible=True, alpha=0.3)
    if len(measured) > 1:
        axes.legend()
    figure.savefig(path, metadata={"Date": None})
    return path


def _waits(axes: Axes, measured: Mapping[str, Measured]) -> None:
    """The share of contacts that waited longer than so long."""
    for name, one in measured.items():
        waits = np.sort(np.array(one.wait, dtype=np.float64)) / 1_000
        survival(axes, name, waits)


def survival(axes: Axes, name: str, waits: NDArray[np.float64]) -> None:
    """The share of `waits` (seconds, sorted) that are longer than so long."""
    if len(waits):
        beyond = 1 - np.arange(len(waits)) / len(waits)
        axes.step(np.maximum(waits, 1.0), beyond, label=name, where="post")
    axes.set_xscale("log")
    axes.set_xlabel("seconds in queue")
    axes.set_ylabel("share that waited longer")
    axes.set_ylim(0, 1)


def _utilisation(axes: Axes, measured: Mapping[str, Measured]) -> None:
    width = 0.8 / max(1, len(measured))
    names: list[str] = []
    for place, (name, one) in enumerate(measured.items()):
        here = [person for person in one.people if one.available[person.number] > 0]
        names = [person.id for person in here]
        values = [person.done / one.available[person.number] for person in here]
        axes.bar(np.arange(len(values)) + place * width, values, width, label=name)
    axes.set_ylabel("minutes of work ÷ minutes available")
    if len(names) <= AGENTS_MAX:
        axes.set_xticks(np.arange(len(names)) + 0.4 - width / 2, names, rotation=90, fontsize=7)


def _queue(axes: Axes, measured: Mapping[str, Measured]) -> None:
    for name, one in measured.items():
        minutes = np.arange(len(one.queued)) * one.step / MINUTE
        axes.step(minutes, list(one.queued), label=name, where="post")
    axes.set_xlabel("minutes")
    axes.set_ylabel("longest queue")
    axes.set_ylim(bottom=0)
