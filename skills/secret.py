"""Secrets of a workspace: never written in it, only referred to, as `${NAME}` or `file:PATH`.

A secret's value is looked up when the workspace is loaded, so that a missing one is an error with its line. It is no
part of the workspace's version, is not journaled, and does not show when printed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

FILE_BYTES_MAX = 65_536
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_URL_PASSWORD = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s]*:([^/@\s]+)@", re.IGNORECASE)


class Secret:
    """A reference and what it stands for; `str` and `repr` show the reference only."""

    __slots__ = ("_value", "reference")

    def __init__(self, reference: str, value: str) -> None:
        self.reference = reference
        self._value = value

    def reveal(self) -> str:
        """The secret itself. Hand it to whoever needs it; never log or store it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (other.reference, other._value) == (self.reference, self._value)

    def __hash__(self) -> int:
        return hash((self.reference, self._value))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(lambda s: s.reference)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": r"^\$\{\w+\}$|^file:.+", "examples": ["${SMTP_PASSWORD}", "file:smtp.key"]}

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> Secret:
        if isinstance(value, Secret):
            return value
        text = value if isinstance(value, str) else ""
        context = info.context or {}
        if found := _VARIABLE.fullmatch(text):
            return cls(text, _variable(found[1], context.get("env", {})))
        if text.startswith("file:"):
            return cls(text, _file(text.removeprefix("file:"), context.get("folder")))
        raise ValueError("is a secret: write it as ${NAME} (from the environment) or file:PATH, never itself")


class SecretUrl(Secret):
    """A URL in which passwords stand as `${NAME}`: `rediss://usherd:${STORE_PASSWORD}@store:6379`."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "examples": ["redis://:${STORE_PASSWORD}@127.0.0.1:6379"]}

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> SecretUrl:
        if isinstance(value, SecretUrl):
            return value
        text = value.strip() if isinstance(value, str) else ""
        context = info.context or {}
        if text.startswith("file:"):
            return cls(text, _file(text.removeprefix("file:"), context.get("folder")))
        password = _URL_PASSWORD.match(text)
        if password and not _VARIABLE.fullmatch(password[1]):
            raise ValueError("has a password in it: write that as ${NAME}, from the environment")
        url = _VARIABLE.sub(lambda found: _variable(found[1], context.get("env", {})), text)
        if "://" not in url:
            raise ValueError(f"must be a URL such as redis://127.0.0.1:6379, not `{text[:60]}`")
        return cls(text, url)


def _variable(name: str, env: Mapping[str, str]) -> str:
    value = env.get(name)
    if not value:
        raise ValueError(f"needs the environment variable {name}, which is not set")
    return value


def _file(path: str, folder: Path | None) -> str:
    file = (folder or Path()) / path.strip()
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise ValueError(f"names a file of more than {FILE_BYTES_MAX:,} bytes: {file}")
        text = file.read_text("utf-8").strip()
    except OSError as error:
        raise ValueError(f"names a file that cannot be read: {file} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"names a file that is not text: {file}") from None
    if not text:
        raise ValueError(f"names an empty file: {file}")
    return text
