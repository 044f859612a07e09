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
_BEARER = re.compile(r"(?i)\b(bearer|bot|basic)[ /:]?[A-Za-z0-9._:-]{16,}")
_VALUE_CHARACTERS_MAX = 2_000
QUIET: Final = (
    "httpx",
    "httpcore",
    "aiosmtpd",
    "mail.log",
    "mail.debug",
    "uvicorn.access",
    "uvicorn.error",
    "asyncio",
)


def redact(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    """Blank out secrets, and the local part of every address, wherever they stand."""
    for name, value in fields.items():
        if name in SECRET_FIELDS:
            fields[name] = "***"
        elif isinstance(value, str):
            fields[name] = scrub(value)
    return fields


def scrub(value: str) -> str:
    """`value` without addresses and bearer tokens, and not longer than a line should be."""
    short = value[:_VALUE_CHARACTERS_MAX]
    return _BEARER.sub(r"\1 ***", _ADDRESS.sub(r"***@\1", short))


def configure(*, json: bool | None = None, level: str = "info") -> None:
    """Send every log of this process to stderr. `json` None: a terminal gets colours, anything else JSON lines."""
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if as_json:
        shared.append(structlog.processors.format_exc_info)
    ending: list[Processor] = [redact]
    ending.append(structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer())
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
