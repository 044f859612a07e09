"""The topic model of a workspace: trained from its examples and from what people said, kept in the data directory."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import structlog

from router.core.errors import RouterError
from router.shell.workers import Models
from skills import topics
from skills.compile import Classifier
from skills.model import WorkspaceConfig
from skills.topics import encoders

log = structlog.get_logger()

FILES_MAX = 8  # models in the data directory; older ones go


def prepare(config: WorkspaceConfig, data: Path) -> tuple[Models, Classifier]:
    """Train, or load what was trained from the same examples; gives the model's place and what the engine must know.

    Takes seconds for hundreds of examples: call it off the loop.
    """
    path = place(config, data)
    try:
        return load(config, path)
    except (OSError, RouterError) as error:
        reason = type(error).__name__ if _manifest(path).exists() else "not trained yet"
        log.info("training_topics", topics=len(config.topics), reason=reason)
        train(config, data)
        return load(config, path)


def load(config: WorkspaceConfig, path: Path) -> tuple[Models, Classifier]:
    """The model at `path`, as workers and the engine must know it. Raises ModelBroken."""
    model = topics.TopicModel.load(path)
    known = Classifier(model.threshold(config.topic_model.precision), model.also, model.digest)
    return Models(path=str(path), languages=config.languages), known


def train(config: WorkspaceConfig, data: Path) -> None:
    """Train a model of the workspace's examples and keep it where `prepare` finds it.

    An encoder that cannot be had is done without, and said so.
    """
    encoder, problem = encoders.find(config.topic_model.encoder)
    if problem:
        log.warning("encoder_missing", reason=problem)
    topics.train(config.topics, encoder=encoder).save(place(config, data))


def with_keywords(config: WorkspaceConfig, data: Path, latest: Path) -> tuple[Models, Classifier]:
    """The model at `latest` with the keywords of `config`: in force at once, while a new one is trained."""
    model = topics.TopicModel.load(latest)
    keywords = {name: tuple(topic.keywords) for name, topic in sorted(config.topics.items()) if topic.keywords}
    path = data / "models" / f"quick-{examples_of(config)}"
    topics.TopicModel(model.topics, keywords, model.linear, model.warnings, model.also, model.least).save(path)
    return load(config, path)


def place(config: WorkspaceConfig, data: Path) -> Path:
    """Where the model of these very examples and keywords lies, as long as nothing else was learned."""
    folder = data / "models"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"topics-{examples_of(config)}"


def is_sound(path: Path) -> bool:
    """Whether a model can be used that lies there."""
    try:
        topics.TopicModel.load(path)
    except RouterError:
        return False
    return True


def examples_of(config: WorkspaceConfig) -> str:
    """A name for these very examples and keywords, and for the encoder that is to be tried with them."""
    said = [(name, topic.examples, topic.keywords) for name, topic in sorted(config.topics.items())]
    content = (said, encoders.wished(config.topic_model.encoder))
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
