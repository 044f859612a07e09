"""Errors say who must act: retry, tell a person, quarantine, or the admin.

Library errors are mapped to these at the edge, by concrete class.
"""

from __future__ import annotations


class RouterError(Exception):
    """Anything usherd raises on purpose. `code` is stable; scripts and logs rely on it."""

    code = "error"


class TransientError(RouterError):
    """It may work later: retry. Nothing was accepted."""

    code = "transient"


class StoreUnavailable(TransientError):
    """The store did not answer, or refused for lack of memory or disk. The outcome of an append is unknown."""

    code = "store_unavailable"


class BacklogFull(TransientError):
    """More is stored than the limits allow, or the disk is nearly full. Nothing was stored."""

    code = "backlog_full"


class Draining(TransientError):
    """This node is stopping and takes nothing new. Nothing was stored."""

    code = "draining"


class PermanentError(RouterError):
    """It will never work as asked: tell a person."""

    code = "permanent"


class Fenced(PermanentError):
    """Another leader has begun a newer epoch: whoever sees this must stop emitting and rebuild its engine."""

    code = "fenced"


class JournalBroken(PermanentError):
    """The journal's chain does not verify; `first_bad` names the record."""

    code = "journal_broken"

    def __init__(self, message: str, first_bad: int | None = None) -> None:
        super().__init__(message)
        self.first_bad = first_bad


class PoisonError(RouterError):
    """This input can never be understood: quarantine it and show it to a person."""

    code = "poison"


class ConfigError(RouterError):
    """The admin must act. Names file, line (1-based) and remedy where they are known."""

    code = "config"

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        hint: str | None = None,
        code: str = "config",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{where}{self.message}" + (f" ({self.hint})" if self.hint else "")


class AddressTaken(ConfigError):
    """Something else listens at an address that usherd was told to listen at, or nothing may."""
