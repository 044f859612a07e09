"""What `usherd check` and `usherd message` find out, without a daemon and without touching anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import msgspec
import structlog

from router.app import http, mail, models
from router.app.letters import preview
from router.core.decisions import AssignTo, Explanation, OfferTo, OpenContact
from router.core.engine import Engine
from router.core.errors import ConfigError, PoisonError
from router.core.events import MessageReceived
from router.core.message import Address, Message
from router.core.values import WHOLE, Priority, Requirement
from router.shell.channel import Normalise
from router.shell.clock import wall_ms
from router.shell.understanding import auto_of
from router.shell.workers import Raw, Understood, Workers, use_models
from skills import coverage
from skills.compile import UNTRAINED, compile_workspace
from skills.findings import ConfigErrors
from skills.model import WorkspaceConfig
from skills.workspace import load

log = structlog.get_logger()

IN_FLIGHT_MAX = 32
PAGE = '<!doctype html>\n<meta charset="utf-8">\n<title>A mail</title>\n{}'
Progress = Callable[[str, int], None]


def _nobody_looks(_step: str, _number: int) -> None:
    """Nobody is told how far it is."""


def check_workspace(folder: Path, data: Path | None = None, progress: Progress = _nobody_looks) -> dict[str, Any]:
    """The JSON of `usherd check`: errors, warnings, coverage, with what the journal in `data` says of demand."""
    try:
        loaded = load(folder)
    except ConfigErrors as error:
        return {"errors": [described(one) for one in error.errors], "warnings": [], "coverage": {}}
    workspace = compile_workspace(loaded.config, wall_ms())
    found = coverage.check(loaded.config, workspace, loaded.marks)
    warnings = [one.as_dict() for one in (*loaded.warnings, *found)]
    summary = coverage.summary(loaded.config, workspace) | _ahead(loaded.config, data, progress)
    return {"errors": [], "warnings": warnings, "coverage": summary}


def _ahead(config: WorkspaceConfig, data: Path | None, progress: Progress) -> dict[str, Any]:
    from router.app.outlook import expected, look_back  # noqa: PLC0415 (half a second: numpy and scipy)

    if data is None:
        return expected(config, None, "no data directory was named")
    if not data.is_dir():
        return expected(config, None, f"there is no data directory {data}: name the daemon's with --data")
    return expected(config, *asyncio.run(look_back(config, data, progress)))


def previews(folder: Path, place: Path) -> list[str]:
    """Write what mails would look like, `LANGUAGE.txt` and `.html`, into a folder; the names. Raises ConfigErrors."""
    place.mkdir(parents=True, exist_ok=True)
    written = []
    for language, letter in preview(load(folder).config).items():
        for suffix, content in (("txt", letter.text), ("html", PAGE.format(letter.html))):
            path = place / f"{language}.{suffix}"
            path.write_text(content, "utf-8")
            written.append(str(path))
    return written


def described(error: ConfigError) -> dict[str, Any]:
    """`{code, message, file, line, hint}`."""
    return {
        "code": error.code,
        "message": error.message,
        "file": error.file,
        "line": error.line,
        "hint": error.hint,
    }


class Trial:
    """Messages tried on a workspace in which every agent is available and on shift."""

    def __init__(self, config: WorkspaceConfig) -> None:
        self._config = config
        self._folder = TemporaryDirectory(prefix="usherd-")
        self._classifier = UNTRAINED
        self._workers: Workers | None = None

    async def __aenter__(self) -> Self:
        found, self._classifier = await asyncio.to_thread(models.prepare, self._config, Path(self._folder.name))
        use_models(found)
        self._workers = Workers(found)
        self._workers.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._workers is not None:
            await self._workers.stop()
        self._folder.cleanup()

    async def examine(self, paths: list[Path]) -> AsyncIterator[dict[str, Any]]:
        """What usherd makes of each file, in the order given."""
        workers = self._workers
        if workers is None:
            msg = "use it as a context"
            raise RuntimeError(msg)
        for start in range(0, len(paths), IN_FLIGHT_MAX):
            some = paths[start : start + IN_FLIGHT_MAX]
            futures = workers.understand([self._raw(path) for path in some])
            for path, future in zip(some, futures, strict=True):
                yield self.shown(path, await future)

    def _came_in(self, path: Path) -> tuple[str, str, str]:
        """Channel, kind and account that the message would have come in by."""
        if path.suffix != ".json":
            return "email", "email", self._config.accounts[0] if self._config.accounts else ""
        given = http.HttpMessage.model_validate_json(path.read_bytes())
        return "http", given.kind, given.account or "http"

    def _raw(self, path: Path) -> Raw:
        reader: Normalise = normalise_json if path.suffix == ".json" else mail.normaliser(self._config)
        return Raw(path.read_bytes(), b"{}", reader)

    def shown(self, path: Path, understood: Understood) -> dict[str, Any]:
        """The keys of `usherd message`."""
        message = understood.message or Message(channel="email", from_=Address(address=""))
        opened, explanation = self._decide(path, understood)
        requirement = opened.requirement if opened else Requirement()
        fields: dict[str, Any] = msgspec.to_builtins(message)
        return {
            "file": str(path),
            **fields,
            "language": understood.language,
            "topics": [{"topic": topic, "p": p / WHOLE} for topic, p in understood.topics],
            "moods": list(understood.moods),
            "requirement": {"must": dict(requirement.must), "prefer": dict(requirement.prefer)},
            "priority": opened.priority if opened else Priority.NORMAL,
            "candidates": [
                {"agent": one.agent, "rank": one.rank, "why": one.why}
                for one in (explanation.candidates if explanation else ())
            ],
            "quarantined": bool(understood.problem),
            "reason": understood.problem,
        }

    def _decide(self, path: Path, understood: Understood) -> tuple[OpenContact | None, Explanation | None]:
        message = understood.message
        if message is None or auto_of(message) is not None:
            return None, None
        now = wall_ms()
        channel, kind, account = self._came_in(path)
        compiled = compile_workspace(self._config, now, classifier=self._classifier)
        engine = Engine.rehearsal(compiled, now)
        event = MessageReceived(
            at=now,
            message="1-0",
            channel=channel,
            kind=kind,
            account=account,
            sender="0" * 32,
            language=understood.language,
            topics=understood.topics,
            effort=understood.effort,
            moods=understood.moods,
            tier=http.tier_of(self._config)(message.from_.address),
        )
        decisions = engine.apply(event)
        opened = next((one for one in decisions if isinstance(one, OpenContact)), None)
        return opened, next((one.explanation for one in decisions if isinstance(one, OfferTo | AssignTo)), None)


def normalise_json(raw: bytes, meta: bytes) -> Message:  # noqa: ARG001  # the shape of every Normalise
    """A JSON message as `POST /v1/messages` takes it. Raises PoisonError. Called in worker processes."""
    try:
        checked = http.HttpMessage.model_validate_json(raw)
    except ValueError as error:
        msg = "it is not a message in the form of POST /v1/messages"
        raise PoisonError(msg) from error
    entry = http.entry("http", checked, "trial")
    return http.normalise(entry.raw, entry.meta)
