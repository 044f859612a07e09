"""The topic model of a workspace: trained at the start from its examples, kept in the data directory."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import structlog

from router.core.errors import RouterError
from router.shell.workers import Models
from skills import topics
from skills.model import WorkspaceConfig

log = structlog.get_logger()


def prepare(config: WorkspaceConfig, data: Path) -> tuple[Models, int]:
    """Train, or load what was trained from the same examples; gives the model's place and its threshold.

    Takes seconds for hundreds of examples: call it off the loop.
    """
    folder = data / "models"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"topics-{_version(config)}"
    try:
        model = topics.TopicModel.load(path)
    except (OSError, RouterError) as error:
        log.info("training_topics", topics=len(config.topics), reason=type(error).__name__)
        model = topics.train(config.topics)
        model.save(path)
    return Models(path=str(path), languages=config.languages), model.threshold(config.topic_model.precision)


def _version(config: WorkspaceConfig) -> str:
    """Names the examples that a model was trained from."""
    content = [(name, topic.examples, topic.keywords) for name, topic in sorted(config.topics.items())]
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]
