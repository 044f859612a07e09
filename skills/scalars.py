"""How single values are written in a workspace: durations, shares, hours of the day, names, secrets.

Every scalar comes in as a string. Durations become integer milliseconds and shares integers of 10,000, because the
engine compares integers only. Each type says for itself what an editor should accept (its JSON Schema).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

WHOLE = 10_000
MINUTES_OF_DAY = 24 * 60
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_DURATION = re.compile(r"-?(?:\d{1,9}(?:\.\d{1,3})?(?:ms|[smhdw]))+", re.ASCII)
_PIECE = re.compile(r"([0-9.]+)(ms|[smhdw])")
_PERCENT = re.compile(r"(\d{1,4}(?:\.\d{1,2})?) ?%", re.ASCII)
_SIZE = re.compile(r"(\d{1,6})(kB|MB|GB)", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})", re.ASCII)  # noqa: RUF001, RUF003 (people type –)
_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", re.ASCII)
_DURATION_SCHEMA = {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$|^0$", "examples": ["30s", "1.5h"]}
_SIGNED_SCHEMA = {"type": "string", "pattern": r"^-?(\d+(\.\d+)?(ms|s|m|h|d|w))+$|^0$", "examples": ["-2m", "10m"]}
_PERCENT_SCHEMA = {"type": "string", "pattern": r"^\d+(\.\d+)? ?%$", "examples": ["50%"]}


def parse_duration(text: object) -> int:
    """`30s`, `2m`, `1.5h`, `1h30m`, `2d`, `-2m` or `0` as milliseconds. Raises ValueError with the remedy."""
    if isinstance(text, int):  # typed already: a default, or code that builds a model
        return text
    if not isinstance(text, str):
        raise ValueError("must be a duration such as 30s, 2m, 1.5h or 2d")  # noqa: TRY004 (pydantic wants ValueError)
    word = text.strip()
    if word in {"0", "-0"}:
        return 0
    if word.isdecimal():
        raise ValueError(f"is a duration without a unit: write {word}s, {word}m or {word}h")
    if not _DURATION.fullmatch(word):
        raise ValueError(f"must be a duration such as 30s, 2m, 1.5h or 2d, not `{text[:40]}`")
    total = sum((Decimal(number) * _UNITS_MS[unit] for number, unit in _PIECE.findall(word)), Decimal(0))
    return -int(total) if word.startswith("-") else int(total)


def _parse_positive_duration(text: object) -> int:
    value = parse_duration(text)
    if value < 0:
        raise ValueError("cannot be negative")
    return value


def parse_percent(text: object) -> int:
    """`50%` as an integer of 10,000. Raises ValueError."""
    if isinstance(text, int):
        return text
    found = _PERCENT.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"must be a percentage such as 50%, not `{str(text)[:40]}`")
    return int(Decimal(found[1]) * 100)


def _parse_share(text: object) -> int:
    if isinstance(text, int):
        return text
    try:
        value = parse_percent(text) if str(text).strip().endswith("%") else int(Decimal(str(text).strip()) * WHOLE)
    except (ArithmeticError, ValueError):
        raise ValueError(f"must be a share such as 1.0, 0.5 or 50%, not `{str(text)[:40]}`") from None
    if not 0 < value <= 10 * WHOLE:
        raise ValueError("must be more than 0 and at most 10")
    return value


def _parse_flag(text: object) -> bool:
    if isinstance(text, bool):
        return text
    if text not in ("true", "false"):
        raise ValueError(f"must be true or false, not `{str(text)[:40]}`")
    return text == "true"


def _parse_size(text: object) -> int:
    if isinstance(text, int):
        return text
    found = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"must be a size such as 500kB or 25MB, not `{str(text)[:40]}`")
    return int(found[1]) * {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}[found[2]]


def parse_days(text: object) -> tuple[int, ...]:
    """`mon-fri`, `sat`, `mon,wed`, `daily` as days of the week, Monday = 0. Raises ValueError."""
    if isinstance(text, tuple):
        return text
    days: set[int] = set()
    for piece in str(text).casefold().replace(" ", "").split(","):
        first, dash, last = piece.partition("-")
        if piece == "daily":
            days.update(range(7))
        elif first[:3] in DAYS and (not dash or last[:3] in DAYS):
            begin = DAYS.index(first[:3])
            length = (DAYS.index(last[:3]) - begin) % 7 if dash else 0
            days.update((begin + step) % 7 for step in range(length + 1))
        else:
            raise ValueError(f"must be days such as mon-fri, sat or daily, not `{str(text)[:40]}`")
    return tuple(sorted(days))


def parse_range(text: object) -> tuple[int, int]:
    """`09:00-18:00` as minutes from midnight; `22:00-06:00` ends the next day: (1320, 1800). Raises ValueError."""
    if isinstance(text, tuple):
        return text
    found = _CLOCK.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"must be hours such as 09:00-18:00, not `{str(text)[:40]}`")
    begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
    begin, end = begin_hour * 60 + begin_minute, end_hour * 60 + end_minute
    if max(begin_minute, end_minute) > 59 or begin >= MINUTES_OF_DAY or end > MINUTES_OF_DAY:  # noqa: PLR2004
        raise ValueError(f"has an hour that no clock shows: `{text}`")
    if begin == end:
        raise ValueError(f"begins when it ends: `{text}`; all day is 00:00-24:00")
    return (begin, end) if end > begin else (begin, end + MINUTES_OF_DAY)


def _listed(value: object) -> object:
    """A single value where a list may stand."""
    return [value] if isinstance(value, str) else value


class Also:
    """An annotation: what else may be written for a value, how it becomes one, and what an editor should accept.

    `schema` None: one of the value's own items, where the value is a list.
    """

    def __init__(self, turn: Callable[[object], object], schema: dict[str, Any] | None) -> None:
        self._turn = turn
        self._schema = schema

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        return core_schema.no_info_before_validator_function(self._turn, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        usual = handler(core)
        other = usual.get("items", {}) if self._schema is None else self._schema
        return {"anyOf": [usual, other]}


def _parse_listen(text: object) -> tuple[str, int]:
    if isinstance(text, tuple):
        return text
    found = _LISTEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found or int(found[3]) > 65_535:  # noqa: PLR2004
        raise ValueError(f'must be an address and a port such as "127.0.0.1:2525", not `{str(text)[:60]}`')
    return found[1] or found[2], int(found[3])


def _parse_slack(text: str) -> str:
    if not re.fullmatch(r"[UW][A-Z0-9]{6,30}|[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise ValueError("must be an e-mail address, or a member id such as U012AB3CD")
    return text


def _parse_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"must be a time zone such as Europe/Madrid, not `{name[:60]}`") from None
    return name


def _parse_email(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain or any(c.isspace() or c in "<>,;" for c in text):
        raise ValueError(f"must be an e-mail address, not `{text[:60]}`")
    return f"{local}@{domain.lower()}"


def _any_of(*schemas: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": list(schemas)})


Duration = Annotated[int, BeforeValidator(_parse_positive_duration), WithJsonSchema(_DURATION_SCHEMA)]
SignedDuration = Annotated[int, BeforeValidator(parse_duration), WithJsonSchema(_SIGNED_SCHEMA)]
Percent = Annotated[int, BeforeValidator(parse_percent), WithJsonSchema(_PERCENT_SCHEMA)]
Share = Annotated[
    int,
    BeforeValidator(_parse_share),
    _any_of({"type": "number", "exclusiveMinimum": 0, "maximum": 10}, _PERCENT_SCHEMA),
]
Flag = Annotated[bool, BeforeValidator(_parse_flag), WithJsonSchema({"type": "boolean"})]
Size = Annotated[int, BeforeValidator(_parse_size), WithJsonSchema({"type": "string", "pattern": r"^\d+(kB|MB|GB)$"})]
Level = Annotated[int, Field(ge=1, le=5)]
Count = Annotated[int, Field(ge=0, le=100_000)]
Name = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*$", max_length=64)]  # of agents, teams, topics, kinds
Skill = Annotated[str, StringConstraints(pattern=r"^\w[\w.:-]*$", max_length=64)]
Zone = Annotated[str, AfterValidator(_parse_zone)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]  # ISO 639
Words = Annotated[str, StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True)]
Email = Annotated[str, AfterValidator(_parse_email)]
SlackAddress = Annotated[str, AfterValidator(_parse_slack)]
Listen = Annotated[
    tuple[str, int], BeforeValidator(_parse_listen), WithJsonSchema({"type": "string", "examples": ["127.0.0.1:2525"]})
]
Days = Annotated[tuple[int, ...], BeforeValidator(parse_days)]
Range = Annotated[tuple[int, int], BeforeValidator(parse_range)]
Ranges = Annotated[tuple[Range, ...], BeforeValidator(_listed)]
Week = Annotated[
    dict[Days, Ranges],
    WithJsonSchema(
        {
            "type": "object",
            "examples": [{"mon-fri": ["09:00-14:00", "15:00-18:00"], "sat": "10:00-14:00"}],
            "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        }
    ),
]
Listed = Also(_listed, None)
