"""The topic model of a workspace: trained at the start from its examples, kept in the data directory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from router.core.errors import RouterError
from router.shell.workers import Models
from skills import topics
from skills.model import TopicConfig, WorkspaceConfig

log = structlog.get_logger()


def prepare(config: WorkspaceConfig, data: Path) -> tuple[Models, int]:
    """Train, or load what was trained from the same examples; gives the model's place and its threshold.

    Takes seconds for hundreds of examples: call it off the loop.
    """
    path = place(config.topics, data)
    try:
        model = topics.TopicModel.load(path)
    except (OSError, RouterError) as error:
        reason = type(error).__name__ if path.exists() else "not trained yet"
        log.info("training_topics", topics=len(config.topics), reason=reason)
        train(config.topics, data)
        model = topics.TopicModel.load(path)
    return Models(path=str(path), languages=config.languages), model.threshold(config.topic_model.precision)


def train(wanted: Mapping[str, TopicConfig], data: Path) -> None:
    """Train a model and keep it where `prepare` finds it."""
    topics.train(wanted).save(place(wanted, data))


def with_keywords(config: WorkspaceConfig, data: Path, latest: Path) -> tuple[Models, int]:
    """The model at `latest` with the keywords of `config`: in force at once, while a new one is trained."""
    model = topics.TopicModel.load(latest)
    keywords = {name: tuple(topic.keywords) for name, topic in sorted(config.topics.items()) if topic.keywords}
    path = data / "models" / f"quick-{place(config.topics, data).name}"
    quick = topics.TopicModel(model.topics, keywords, model.linear)
    quick.save(path)
    return Models(path=str(path), languages=config.languages), quick.threshold(config.topic_model.precision)


def place(wanted: Mapping[str, TopicConfig], data: Path) -> Path:
    """Where the model of these very examples and keywords lies."""
    folder = data / "models"
    folder.mkdir(parents=True, exist_ok=True)
    content = [(name, topic.examples, topic.keywords) for name, topic in sorted(wanted.items())]
    return folder / f"topics-{hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]}"
