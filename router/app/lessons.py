"""What a model is trained from: the workspace's examples, and what people said of messages that still are there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from router.app import trainer
from router.core.errors import PermanentError
from router.core.message import Message
from router.shell.labels import Label, Took
from router.shell.workers import words_of
from skills.model import WorkspaceConfig
from skills.topics.features import TEXT_MAX
from skills.topics.sounding import TEXTS_MAX, Handled
from skills.topics.training import Labelled

log = structlog.get_logger()

READ_TOGETHER = 64  # messages


class Bodies(Protocol):
    """Where texts are."""

    async def messages(self, ids: list[str]) -> dict[str, Message]:
        """Messages by id; erased ones are left out."""
        ...


async def texts_of(
    bodies: Bodies, ids: Iterable[str], progress: Callable[[int], None] = lambda _number: None
) -> dict[str, str]:
    """As much of these messages as a model looks at; of those that are erased, nothing. Raises StoreUnavailable."""
    listed, texts = list(dict.fromkeys(ids)), dict[str, str]()
    for start in range(0, len(listed), READ_TOGETHER):
        progress(start)
        try:
            found = await bodies.messages(listed[start : start + READ_TOGETHER])
        except PermanentError:
            log.warning("labelled_texts_not_readable", number=READ_TOGETHER)
            continue
        texts.update((name, words_of(message)[:TEXT_MAX]) for name, message in found.items())
        await asyncio.sleep(0)
    return texts


def labelled(labels: Iterable[Label], texts: dict[str, str]) -> list[Labelled]:
    """Labels with their texts, as far as these are there."""
    return [Labelled(texts[label.message], label.topics, label.outright) for label in labels if label.message in texts]


async def job(
    config: WorkspaceConfig,
    bodies: Bodies,
    *,
    known: Sequence[Label] | None,
    said: Sequence[Label],
    took: Sequence[Took],
    nice: int,
    forget: bool = False,
) -> trainer.Job:
    """What the trainer is asked; `known`: labels of the model in force, None: nothing is to be compared with it.

    Its path is not known yet. Raises StoreUnavailable.
    """
    took = took[-TEXTS_MAX:]
    texts = await texts_of(bodies, [*(label.message for label in said), *(one.message for one in took)])
    return trainer.Job(
        topics={name: trainer.Words(tuple(one.examples), tuple(one.keywords)) for name, one in config.topics.items()},
        moods={name: trainer.Words(tuple(one.examples), tuple(one.keywords)) for name, one in config.moods.items()},
        known=None if known is None else labelled(known, texts),
        labelled=labelled(said, texts),
        handled=[Handled(texts[one.message], one.usual, one.ms, one.raised) for one in took if one.message in texts],
        encoder=config.topic_model.encoder,
        nice=nice,
        forget=forget,
        path="",
    )
