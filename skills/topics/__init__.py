"""What a message is about: a classifier trained from an admin's examples, and keywords.

`train` makes a `TopicModel`; `TopicModel.predict` gives topics with calibrated probabilities. Training needs
scipy, prediction only numpy: importing this package does not import scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from skills.topics.linear import ModelBroken
from skills.topics.model import TopicModel

if TYPE_CHECKING:
    from skills.topics.encoders import Encoder
    from skills.topics.sounding import Material
    from skills.topics.training import Labelled, TopicWords

__all__ = ["ModelBroken", "TopicModel", "train"]


def train(
    topics: Mapping[str, TopicWords],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    labelled: Iterable[Labelled] = (),
    encoder: Encoder | None = None,
    material: Material | None = None,
) -> TopicModel:
    """A model of `topics` (id → examples and keywords); the same topics and seed give the same model.

    `labelled`: what people said of texts; of topics that `topics` does not name nothing is learned. A text that bears
    several topics is an example of each: where they are more than a few, topics are decided each by itself.
    `encoder`: its vectors are features too, if topics held out are told better with them.
    `material`: what it learns beside topics, effort and moods, from.
    `progress` is called with (steps done, steps in all). With fewer than two topics that have examples there is
    nothing to tell apart: keywords alone decide, and the model's `warnings` say so.
    """
    from skills.topics import sounding, training  # noqa: PLC0415 (scipy, for those who train)

    found = training.fit(topics, labelled, seed, progress or (lambda _done, _steps: None), encoder)
    return replace(found, beside=sounding.learn(material or sounding.Material(), seed))
