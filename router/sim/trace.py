"""Recorded contacts as JSON Lines: what a trace may hold, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from router.core.errors import ConfigError
from router.core.values import Priority
from router.sim.distributions import Constant, Timing, seconds_or_duration
from router.sim.scenario import Arrivals
from skills.findings import ConfigErrors

ERRORS_MAX = 20
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Line(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One contact, as a line of the file. `at`, `effort`, `patience`: seconds; `channel`: its kind."""

    at: Seconds
    effort: Seconds
    id: str | int | None = None
    channel: str = "chat"
    topic: str = "any"
    require: dict[str, Annotated[int, msgspec.Meta(ge=1, le=5)]] = {}
    language: str | None = None
    priority: Priority | None = None
    patience: Seconds | None = None
    customer: str | None = None


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One contact of a trace, times in milliseconds from the beginning."""

    at: int
    effort: int
    patience: int | None
    customer: str | None
    traits: tuple[str, str, tuple[tuple[str, int], ...], str | None, Priority | None]

    def stream(self) -> Arrivals:
        """The stream of all contacts with these traits."""
        topic, kind, require, language, priority = self.traits
        effort = Timing(constant=Constant(value=self.effort))
        return Arrivals(
            topic=topic, channel=kind, require=dict(require), language=language, priority=priority, effort=effort
        )


def read_trace(path: Path) -> tuple[Recorded, ...]:
    """Read a trace, in order of time. Raises ConfigErrors, with file and line of the first few errors."""
    decoder = msgspec.json.Decoder(Line)
    found: list[Recorded] = []
    errors: list[ConfigError] = []
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                if not text.strip():
                    continue
                try:
                    found.append(_recorded(decoder.decode(text)))
                except (msgspec.DecodeError, ValueError) as error:
                    errors.append(_fault(str(error), path, number))
                    if len(errors) >= ERRORS_MAX:
                        break
    except OSError as error:
        raise ConfigErrors([_fault(f"cannot be read: {error.strerror}", path, None)]) from None
    if not found and not errors:
        errors.append(_fault("holds no contacts", path, None))
    if errors:
        raise ConfigErrors(errors)
    return tuple(sorted(found, key=lambda one: one.at))


def _recorded(line: Line) -> Recorded:
    return Recorded(
        at=seconds_or_duration(line.at),
        effort=seconds_or_duration(line.effort),
        patience=None if line.patience is None else seconds_or_duration(line.patience),
        customer=line.customer,
        traits=(line.topic, line.channel, tuple(sorted(line.require.items())), line.language, line.priority),
    )


def _fault(message: str, path: Path, line: int | None) -> ConfigError:
    hint = 'a line is {"at": seconds, "effort": seconds, "topic", "channel", "require", …}'
    return ConfigError(message, file=path.name, line=line, hint=hint, code="trace")
