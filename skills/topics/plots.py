"""Draws how a model did: what it takes for what, calibration, coverage. Needs matplotlib, which is an extra."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skills.topics.judging import Judged, calibration, coverage

TOPICS_DRAWN = 30  # those most often mistaken
SIZES = {"confusion": (9.0, 8.0), "calibration": (5.0, 5.0), "coverage": (6.0, 4.5)}  # inches


def draw(judged: Sequence[Judged], folder: Path) -> list[Path]:
    """Draw three figures of the texts that bear a topic into `folder` as SVG; returns the files."""
    inside = [one for one in judged if one.true]
    folder.mkdir(parents=True, exist_ok=True)
    painters = {"confusion": _confusion, "calibration": _calibration, "coverage": _coverage}
    return [_drawn(folder / f"topics-{name}.svg", name, inside, paint) for name, paint in painters.items()]


def _drawn(path: Path, name: str, judged: Sequence[Judged], paint: Any) -> Path:  # noqa: ANN401 (a painter)
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 (an extra, and slow to import)
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=SIZES[name], layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    paint(axes, judged)
    figure.savefig(path, metadata={"Date": None})
    return path


def _confusion(axes: Any, judged: Sequence[Judged]) -> None:  # noqa: ANN401 (matplotlib is an extra)
    pairs = Counter((one.true[0] if not one.right else one.said[0][0], one.said[0][0]) for one in judged if one.said)
    wrong = Counter(name for pair, often in pairs.items() if pair[0] != pair[1] for name in pair for _ in range(often))
    names = sorted(name for name, _ in (wrong or Counter(true for true, _ in pairs)).most_common(TOPICS_DRAWN))
    table = np.array([[pairs[true, said] for said in names] for true in names], dtype=np.float64).reshape(
        -1, len(names)
    )
    axes.imshow(table / np.maximum(1, table.sum(axis=1, keepdims=True)), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel("said")
    axes.set_ylabel("is")
    axes.set_title(f"The {len(names)} topics most often mistaken for one another")


def _calibration(axes: Any, judged: Sequence[Judged]) -> None:  # noqa: ANN401
    rows = calibration(judged)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot([sure for sure, _, _ in rows], [right for _, right, _ in rows], marker="o")
    axes.set_xlabel("how sure of the best topic")
    axes.set_ylabel("share that was right")
    axes.set_title("Calibration: right as often as it says")


def _coverage(axes: Any, judged: Sequence[Judged]) -> None:  # noqa: ANN401
    curve = coverage(judged)
    axes.plot([share for share, _ in curve], [right for _, right in curve])
    axes.set_xlabel("share of texts taken, the surest first")
    axes.set_ylabel("share of those right")
    axes.set_title("Coverage: how many at which precision")
