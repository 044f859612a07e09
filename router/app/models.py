"""The topic model of a workspace: trained from its examples and from what people said, kept in the data directory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from router.core.errors import RouterError
from router.shell.workers import Models
from skills import topics
from skills.compile import Classifier
from skills.model import WorkspaceConfig
from skills.topics import encoders
from skills.topics.beside import Told

if TYPE_CHECKING:
    from skills.topics.sounding import Handled, Material

log = structlog.get_logger()

FILES_MAX = 8  # models in the data directory; older ones go
LEARNED = ("learned-", "kept-", "quick-")  # from more than the workspace's examples
VERSION = 32  # digits of a SHA-256 that are a model's version


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


def load_told(config: WorkspaceConfig, path: Path) -> tuple[tuple[Models, Classifier], dict[str, Told]]:
    """The same, and what it says of effort and moods. Raises ModelBroken."""
    return load(config, path), topics.TopicModel.load(path).beside.told


def train(config: WorkspaceConfig, data: Path) -> None:
    """Train a model of the workspace's examples and keep it where `prepare` finds it.

    An encoder that cannot be had is done without, and said so.
    """
    encoder, problem = encoders.find(config.topic_model.encoder)
    if problem:
        log.warning("encoder_missing", reason=problem)
    topics.train(config.topics, encoder=encoder, material=material(config)).save(place(config, data))


def material(config: WorkspaceConfig, handled: Sequence[Handled] = ()) -> Material:
    """What effort and moods are learned from: what the workspace says, and contacts that were handled."""
    from skills.topics.sounding import Material  # noqa: PLC0415 (scipy, for those who train)

    calm = [text for topic in config.topics.values() for text in topic.examples]
    return Material({str(name): mood for name, mood in config.moods.items()}, calm, handled)


def with_keywords(config: WorkspaceConfig, data: Path, latest: Path) -> tuple[Models, Classifier]:
    """The model at `latest` with the keywords of `config`: in force at once, while a new one is trained."""
    model = topics.TopicModel.load(latest)
    keywords = {name: tuple(topic.keywords) for name, topic in sorted(config.topics.items()) if topic.keywords}
    path = data / "models" / f"quick-{examples_of(config)}"
    sounding = {str(name): tuple(mood.keywords) for name, mood in sorted(config.moods.items()) if mood.keywords}
    replace(model, keywords=keywords, beside=replace(model.beside, keywords=sounding)).save(path)
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
    moods = [(name, mood.examples, mood.keywords) for name, mood in sorted(config.moods.items())]
    content = (said, encoders.wished(config.topic_model.encoder), moods)
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:16]


def tidy(data: Path, used: Path, known: Collection[str] = ()) -> None:
    """Delete the oldest models of the data directory, and those that were learned and are not `known`; never the used.

    `known`: SHA-256 of the kept ones. What was learned from somebody who was erased since is not among them.
    """
    manifests = sorted((data / "models").glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    versions = {digest[:VERSION] for digest in known}
    for place, file in enumerate(manifests):
        learned = known and file.name.startswith(LEARNED) and _version(file) not in versions
        if file != _manifest(used) and (place >= FILES_MAX or learned):
            file.unlink(missing_ok=True)
            file.with_suffix(".npz").unlink(missing_ok=True)


def find(data: Path, digest: str) -> Path | None:
    """Where the model of this SHA-256 lies in the data directory, if it does."""
    found = (file for file in (data / "models").glob("*.json") if digest and _version(file) == digest[:VERSION])
    return next((file.with_suffix("") for file in found), None)


def _version(manifest: Path) -> str:
    try:
        return str(json.loads(manifest.read_bytes())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
