"""Logs are events with stable names and fields. JSON lines unless a terminal reads them; redaction is the last step."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

SECRET_FIELDS: Final = frozenset(
    {"password", "token", "secret", "authorization", "cookie", "key", "text", "body", "subject", "raw", "html"}
)
_ADDRESS = re.compile(r"[^\s<>@\"']{1,64}@([A-Za-z0-9.-]{1,253})")
_BEARER = re.compile(r"(?i)\b(bearer|bot|basic|xox[a-z]|xapp)[ /:-]?[A-Za-z0-9._:-]{16,}")
_BOT_TOKEN = re.compile(r"\b[0-9]{5,20}:[A-Za-z0-9_-]{20,}")  # Telegram's: a part of each address
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # a line stays one line, and obeys nobody
_CONTROLS_IN_TRACES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_TRACES = frozenset({"exception", "stack"})
_VALUE_CHARACTERS_MAX = 2_000
_TRACE_CHARACTERS_MAX = 8_000  # the end of it: there stands what failed
_DEPTH_MAX = 4  # of lists in lists
QUIET: Final = (
    "httpx",
    "httpcore",
    "telegram",
    "aiosmtpd",
    "aioimaplib",
    "mail.log",
    "mail.debug",
    "uvicorn.access",
    "uvicorn.error",
    "asyncio",
    "aiohttp",
    "slack_bolt",
    "slack_sdk",
)


def redact(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    """Blank out secrets, and the local part of every address, wherever they stand."""
    for name, value in fields.items():
        if name in _TRACES and isinstance(value, str):
            fields[name] = _scrubbed(_CONTROLS_IN_TRACES.sub(" ", value[-_TRACE_CHARACTERS_MAX:]))
        elif not name.startswith("_"):  # structlog's own
            fields[name] = _redacted(name, value, _DEPTH_MAX)
    return fields


def _redacted(name: str, value: object, depth: int) -> object:
    if name in SECRET_FIELDS:
        return "***"
    if isinstance(value, str):
        return scrub(value)
    if depth and isinstance(value, dict):
        return {key: _redacted(str(key), one, depth - 1) for key, one in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", one, depth - 1) for one in value]
    return value if value is None or isinstance(value, bool | int | float) else scrub(str(value))


def scrub(value: str) -> str:
    """`value` on one line without addresses and bearer tokens, and not longer than a line should be."""
    return _scrubbed(_CONTROLS.sub(" ", value[:_VALUE_CHARACTERS_MAX]))


def _scrubbed(value: str) -> str:
    return _BEARER.sub(r"\1 ***", _BOT_TOKEN.sub("***", _ADDRESS.sub(r"***@\1", value)))


def configure(*, json: bool | None = None, level: str = "info") -> None:
    """Send every log of this process to stderr. `json` None: a terminal gets colours, anything else JSON lines."""
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # to text, so that it is redacted; never with the values of its frames
    ]
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    ending: list[Processor] = [redact, structlog.processors.JSONRenderer() if as_json else console]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
