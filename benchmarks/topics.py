"""How well the topic classifier does on published sets, beside the figures of the reference's README.

Run from the project's root: `python -m benchmarks.topics [--sets banking77] [--splits train_10]`. The sets lie at
../shared/reference/topics or $USHERD_REFERENCE/topics.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skills.topics import TopicModel, train

# accuracy in %: TF-IDF, one-vs-rest logistic (the reference's README), then what `make bench` must reach
BESIDE = {
    ("banking77", "train_5"): (69.4, 69.0),
    ("banking77", "train_10"): (77.4, 76.5),
    ("banking77", "train"): (91.5, 91.0),
    ("clinc150", "train_5"): (75.6, 75.5),
    ("clinc150", "train_10"): (82.4, 82.5),
    ("clinc150", "train"): (92.4, 92.3),
}


@dataclass
class Topic:
    """A topic as the classifier wants it."""

    examples: list[str] = field(default_factory=list)
    keywords: tuple[str, ...] = ()


def read(name: str) -> dict[str, list[tuple[str, str]]]:
    """Split → (text, label) of one published set."""
    folder = Path(os.environ.get("USHERD_REFERENCE", "../shared/reference")) / "topics"
    splits: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with (folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            splits[row["split"]].append((row["text"], row["label"]))
    return splits


def fit(examples: Sequence[tuple[str, str]]) -> TopicModel:
    """A model of labelled texts."""
    topics: dict[str, Topic] = defaultdict(Topic)
    for text, label in examples:
        topics[label].examples.append(text)
    return train(topics)


def judge(model: TopicModel, test: Sequence[tuple[str, str]]) -> tuple[float, float, list[float]]:
    """(accuracy, expected calibration error in 15 bins, milliseconds of each prediction)."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    took: list[float] = []
    right = 0
    for text, label in test:
        begin = time.perf_counter()
        found = model.predict(text)
        took.append((time.perf_counter() - begin) * 1e3)
        topic, p = found[0] if found else ("", 0)
        right += topic == label
        bins[min(14, p * 15 // 10_000)].append((p / 10_000, topic == label))
    gaps = (abs(sum(p for p, _ in rows) - sum(ok for _, ok in rows)) for rows in bins.values())
    return right / len(test), sum(gaps) / len(test), took


def ranking(inside: Sequence[float], outside: Sequence[float]) -> float:
    """The share of pairs in which the text of a topic scores above the one out of scope (AUROC)."""
    order = sorted([(score, 1) for score in inside] + [(score, 0) for score in outside])
    ranks = sum(rank for rank, (_, is_inside) in enumerate(order, 1) if is_inside)
    return (ranks - len(inside) * (len(inside) + 1) / 2) / (len(inside) * len(outside))


def report(name: str, split: str, splits: dict[str, list[tuple[str, str]]]) -> None:
    """Train on one split, test, print a line."""
    begin = time.perf_counter()
    model = fit(splits[split])
    seconds = time.perf_counter() - begin
    accuracy, ece, took = judge(model, splits["test"])
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "topics")
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
    cuts = statistics.quantiles(took, n=100)
    outside = splits.get("oos_test")
    scores = [[model.raw_score(text) for text, _ in rows] for rows in (splits["test"], outside or [])]
    scope = f"  out of scope {ranking(*scores):.3f}" if outside else ""
    reference, must = BESIDE[name, split]
    print(
        f"{name:10} {split:8}  accuracy {accuracy:6.1%} (reference {reference}, must {must})  ece {ece:5.1%}"
        f"  p50 {cuts[49]:.3f} p99 {cuts[98]:.3f} ms  trained in {seconds:.1f} s  {size:.1f} MB{scope}"
    )


def main() -> None:
    """Print one line a set and split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=["banking77", "clinc150"])
    parser.add_argument("--splits", nargs="+", default=["train_5", "train_10", "train"])
    chosen = parser.parse_args()
    for name in chosen.sets:
        splits = read(name)
        for split in chosen.splits:
            report(name, split, splits)


if __name__ == "__main__":
    main()
