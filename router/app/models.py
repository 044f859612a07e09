"""The topic model of a workspace: trained from its examples and from what people said, kept in the data directory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from router.core.errors import RouterError
from router.shell.workers import Models
from skills import topics
from skills.compile import Classifier
from skills.model import TopicConfig, WorkspaceConfig

log = structlog.get_logger()

FILES_MAX = 8  # models in the data directory; older ones go


def prepare(config: WorkspaceConfig, data: Path) -> tuple[Models, Classifier]:
    """Train, or load what was trained from the same examples; gives the model's place and what the engine must know.

    Takes seconds for hundreds of examples: call it off the loop.
    """
    path = place(config.topics, data)
    try:
        return load(config, path)
    except (OSError, RouterError) as error:
        reason = type(error).__name__ if _manifest(path).exists() else "not trained yet"
        log.info("training_topics", topics=len(config.topics), reason=reason)
        train(config.topics, data)
        return load(config, path)


def load(config: WorkspaceConfig, path: Path) -> tuple[Models, Classifier]:
    """The model at `path`, as workers and the engine must know it. Raises ModelBroken."""
    model = topics.TopicModel.load(path)
    known = Classifier(model.threshold(config.topic_model.precision), model.also, model.digest)
    return Models(path=str(path), languages=config.languages), known


def train(wanted: Mapping[str, TopicConfig], data: Path) -> None:
    """Train a model of the workspace's examples and keep it where `prepare` finds it."""
    topics.train(wanted).save(place(wanted, data))


def with_keywords(config: WorkspaceConfig, data: Path, latest: Path) -> tuple[Models, Classifier]:
    """The model at `latest` with the keywords of `config`: in force at once, while a new one is trained."""
    model = topics.TopicModel.load(latest)
    keywords = {name: tuple(topic.keywords) for name, topic in sorted(config.topics.items()) if topic.keywords}
    path = data / "models" / f"quick-{examples_of(config.topics)}"
    topics.TopicModel(model.topics, keywords, model.linear, model.warnings, model.also).save(path)
    return load(config, path)


def place(wanted: Mapping[str, TopicConfig], data: Path) -> Path:
    """Where the model of these very examples and keywords lies, as long as nothing else was learned."""
    folder = data / "models"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"topics-{examples_of(wanted)}"


def is_sound(path: Path) -> bool:
    """Whether a model can be used that lies there."""
    try:
        topics.TopicModel.load(path)
    except RouterError:
        return False
    return True


def examples_of(wanted: Mapping[str, TopicConfig]) -> str:
    """A name for these very examples and keywords."""
    content = [(name, topic.examples, topic.keywords) for name, topic in sorted(wanted.items())]
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]


def tidy(data: Path, used: Path) -> None:
    """Delete the oldest models of the data directory, never the one in use."""
    manifests = sorted((data / "models").glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in manifests[FILES_MAX:]:
        if file != _manifest(used):
            file.unlink(missing_ok=True)
            file.with_suffix(".npz").unlink(missing_ok=True)


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
