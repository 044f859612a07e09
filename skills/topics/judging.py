"""How well a model does on texts that it has not seen: shares right, calibration, what is out of scope, time."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from router.core.values import WHOLE
from skills.topics.model import TopicModel
from skills.topics.training import Labelled

BINS = 15  # of confidence, for the calibration error


@dataclass(frozen=True)
class Judged:
    """One text: what it is about (none: out of scope), what was said, the topics chosen, how like an example it is."""

    text: str
    true: tuple[str, ...]
    said: tuple[tuple[str, int], ...]
    chosen: tuple[str, ...]
    score: float
    ms: float

    @property
    def p(self) -> float:
        """How sure of its best topic the model was, 0 to 1."""
        return self.said[0][1] / WHOLE if self.said else 0.0

    @property
    def right(self) -> bool:
        """Whether the best topic is one of the true ones."""
        return bool(self.said) and self.said[0][0] in self.true


def judge(model: TopicModel, texts: Sequence[Labelled]) -> list[Judged]:
    """Have the model read `texts`, as a worker does."""
    model.warm()
    found = []
    for text, true, _ in texts:
        begin = time.perf_counter()
        said = model.predict(text)
        took = (time.perf_counter() - begin) * 1e3
        found.append(Judged(text, true, said, model.chosen(said), model.raw_score(text), took))
    return found


def accuracy(judged: Sequence[Judged]) -> float:
    """The share of texts whose best topic is one of theirs."""
    return sum(one.right for one in judged) / len(judged) if judged else 0.0


def f1(judged: Sequence[Judged]) -> tuple[float, dict[str, float]]:
    """Micro-F1 over all topics chosen, and the F1 of each topic that is true or chosen somewhere."""
    both, said, true = Counter[str](), Counter[str](), Counter[str]()
    for one in judged:
        both.update(set(one.chosen) & set(one.true))
        said.update(one.chosen)
        true.update(one.true)
    micro = 2 * both.total() / max(1, said.total() + true.total())
    return micro, {topic: 2 * both[topic] / (said[topic] + true[topic]) for topic in sorted(said | true)}


def calibration(judged: Sequence[Judged]) -> list[tuple[float, float, int]]:
    """For each bin of confidence that has texts: mean confidence, share right, how many."""
    bins: dict[int, list[Judged]] = defaultdict(list)
    for one in judged:
        bins[min(BINS - 1, int(one.p * BINS))].append(one)
    return [(sum(one.p for one in rows) / len(rows), accuracy(rows), len(rows)) for _, rows in sorted(bins.items())]


def calibration_error(judged: Sequence[Judged]) -> float:
    """Expected calibration error of the best topic: how far confidence and truth lie apart on average."""
    return sum(abs(sure - right) * number for sure, right, number in calibration(judged)) / max(1, len(judged))


def coverage(judged: Sequence[Judged]) -> list[tuple[float, float]]:
    """(share of texts taken, share of those right), the surest first."""
    right, curve = 0, []
    for number, one in enumerate(sorted(judged, key=lambda one: -one.p), 1):
        right += one.right
        curve.append((number / len(judged), right / number))
    return curve


def coverage_at(judged: Sequence[Judged], precision: float) -> float:
    """The largest share of texts that can be taken, surest first, with `precision` of them right."""
    return max((share for share, right in coverage(judged) if right >= precision), default=0.0)


def ranking(inside: Sequence[float], outside: Sequence[float]) -> float | None:
    """The share of pairs in which the text of a topic scores above the one out of scope (AUROC); ties count half."""
    if not inside or not outside:
        return None
    below, ties = 0, 0
    counted = Counter(outside)
    done, last = 0, None
    ordered = sorted(counted)
    at = 0
    for score in sorted(inside):
        while at < len(ordered) and ordered[at] < score:
            done += counted[ordered[at]]
            at += 1
        last = ordered[at] if at < len(ordered) else None
        below += done
        ties += counted[score] if last == score else 0
    return (below + ties / 2) / (len(inside) * len(outside))


def figures(judged: Sequence[Judged]) -> dict[str, object]:
    """The keys of `usherd topics evaluate` that follow from the texts; shares are 0 to 1."""
    inside = [one for one in judged if one.true]
    micro, by_topic = f1(inside)
    took = sorted(one.ms for one in judged)
    own = {topic for one in inside for topic in one.true}
    return {
        "accuracy": accuracy(inside),
        "macro_f1": sum(by_topic[topic] for topic in own) / max(1, len(own)),
        "micro_f1": micro,
        "ece": calibration_error(inside),
        "coverage_at_precision": {f"{share:.2f}": coverage_at(inside, share) for share in (0.9, 0.95)},
        "out_of_scope_auroc": ranking([one.score for one in inside], [one.score for one in judged if not one.true]),
        "latency_ms_p50": took[len(took) // 2] if took else 0.0,
        "latency_ms_p99": took[min(len(took) - 1, int(0.99 * len(took)))] if took else 0.0,
    }
