"""What Slack's desk asks of the process around it; `router.app` fills it in."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Memory(Protocol):
    """What must outlive the process: what was posted where, and what came in and is not carried out yet."""

    async def add(self, name: str, value: bytes) -> bool:
        """Keep what came in, durably; False if it was there. Raises Fenced, StoreUnavailable."""
        ...

    async def put(self, name: str, value: bytes) -> None:
        """Store a value. Raises Fenced when another node leads, StoreUnavailable."""
        ...

    async def all(self) -> dict[str, bytes]:
        """All of it. Raises StoreUnavailable."""
        ...

    async def delete(self, names: list[str]) -> None:
        """Forget values. Raises Fenced, StoreUnavailable."""
        ...


class Roster(Protocol):
    """The agents of the workspace in force, as Slack may know them."""

    def addresses(self) -> dict[str, str]:
        """By agent: their address or member id in Slack."""
        ...


class Files(Protocol):
    """Where files lie that agents send with a reply."""

    async def keep(self, contact: str, name: str, content_type: str, content: bytes) -> str:
        """Store a file; its id. Raises KeyError, ValueError, TransientError."""
        ...


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the workspace in force says of the desk in Slack; it may change at any time.

    `supervisors_channel`: where alerts and digests go; "": to each supervisor. `digest_at`: local time of the daily
    one; `digest_week`: the day on which it tells of the week too, or never.
    `undo_ms`: how long an answer can be taken back. `emoji`: by what they do.
    """

    supervisors_channel: str = ""
    digest_at: str = "18:00"
    digest_week: str = "fri"
    undo_ms: int = 0
    emoji: tuple[tuple[str, str], ...] = (("take", "eyes"), ("resolve", "white_check_mark"))


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Of the app, as the workspace names it. `api`: where the Web API is."""

    api: str
    team_channel: str = ""
    files_bytes_max: int = 18_000_000
