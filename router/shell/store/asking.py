"""Asking the store: scripts it has forgotten, replicas that must confirm, another server that takes its place."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog
from redis.exceptions import AuthenticationError, NoPermissionError, NoScriptError, ResponseError

from router.core.errors import StoreUnavailable
from router.shell.store import commands, scripts
from router.shell.store.commands import Command, Keys
from router.shell.store.recent import Change, Recent
from router.shell.store.wire import Exchange, SignInRefused, Wire, code_of

log = structlog.get_logger()

CONFIRM_MS = 2_000  # so long replicas have to confirm a write
LOOK_SECONDS = 1.0
SHOWN_SECONDS = 900.0  # a change of servers without loss stays in `usherd status` for so long
IDS_SHOWN = 5


class Asking:
    """The part of `Store` that sends."""

    def __init__(self, wire: Wire, keys: Keys, *, replicas: int = 0, remember: bool = False) -> None:
        """`replicas`: how many must confirm what is acknowledged; `remember`: another server may take its place."""
        self.keys = keys
        self.changes: list[Change] = []  # of servers, since the start
        self._wire = wire
        self._replicas = replicas
        self._unconfirmed = ""
        self._recent = Recent(keys) if remember else None
        if remember:
            wire.met = self._restore

    async def watch(self) -> None:
        """Follow the way to the primary until cancelled: one that was cut off would not say that it is none now."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._recent is not None:
                with suppress(StoreUnavailable):
                    await self._wire.look()

    def problems(self) -> list[str]:
        """What an admin should know: too few replicas, another server, what it lacks."""
        found = [self._unconfirmed] if self._unconfirmed else []
        since = monotonic() - SHOWN_SECONDS
        return found + [said(change) for change in self.changes if change.lost or change.more or change.at > since]

    async def _ask(self, *asked: Command, wait_seconds: float = 0.0, confirm: bool = False) -> list[Any]:
        """Send commands in one round trip; the first one refused raises StoreUnavailable."""
        replies = await self._exchange(list(asked), wait_seconds, confirm=confirm)
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise unavailable(reply)
        return replies

    async def _exchange(self, asked: list[Command], wait_seconds: float = 0.0, *, confirm: bool = False) -> list[Any]:
        """Send commands in one round trip; scripts a restarted store has forgotten are taught and sent again.

        `confirm`: replicas, where some must, confirm all that was written up to here; else StoreUnavailable.
        """
        replies = await self._send(asked, wait_seconds, confirm=confirm)
        unknown = [place for place, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            await self._load_scripts()
            again = await self._send([asked[place] for place in unknown], wait_seconds, confirm=confirm)
            for place, reply in zip(unknown, again, strict=True):
                replies[place] = reply
        return replies

    async def _send(self, asked: list[Command], wait_seconds: float, *, confirm: bool) -> list[Any]:
        extra: list[Command] = []
        if confirm and self._replicas:
            # WAIT is about what its own connection wrote: a repeated script wrote nothing, so something is written.
            extra = [commands.doc_put(self.keys, "confirmed", b"1"), commands.wait(self._replicas, CONFIRM_MS)]
            wait_seconds += CONFIRM_MS / 1000
        replies = await self._wire.round_trip(asked + extra, wait_seconds)
        if self._recent is not None:
            self._recent.note(asked, replies[: len(asked)])
        if extra:
            self._require(replies[-1])
        return replies[: len(asked)]

    def _require(self, confirmed: object) -> None:
        """Raise StoreUnavailable unless enough replicas have it."""
        if isinstance(confirmed, int) and confirmed >= self._replicas:
            self._unconfirmed = ""
            return
        number = confirmed if isinstance(confirmed, int) else 0
        self._unconfirmed = f"{number} of {self._replicas} replicas confirm what is stored: nothing is acknowledged"
        raise StoreUnavailable(f"{number} of {self._replicas} replicas confirmed it")

    async def _restore(self, exchange: Exchange) -> None:
        """Another server answers: write again what it lacks, and say what that was."""
        assert self._recent is not None
        change = await self._recent.restore(exchange)
        self.changes.append(change)
        facts = {"entries": change.entries, "records": change.records, "others": change.others}
        if change.lost or change.more:
            log.error("store_changed_with_loss", **facts, lost=change.lost[:IDS_SHOWN], number=len(change.lost))
        else:
            log.warning("store_changed", **facts)

    async def _load_scripts(self) -> None:
        for reply in await self._wire.round_trip([commands.script_load(script) for script in scripts.SCRIPTS]):
            if isinstance(reply, (AuthenticationError, NoPermissionError)):
                raise SignInRefused(f"the store refused to let us in ({code_of(reply)})")
            if isinstance(reply, ResponseError):
                raise unavailable(reply)


def unavailable(error: ResponseError) -> StoreUnavailable:
    """What a refusal means to the caller."""
    return StoreUnavailable(f"the store refused ({code_of(error)})")


def said(change: Change) -> str:
    """A change of servers, as people are told."""
    told = "the store is another server than before, or was restarted"
    if change.entries or change.records:
        told += f"; it lacked {change.entries} messages and {change.records} journal records: they were written again"
    if change.lost:
        names = ", ".join(change.lost[:IDS_SHOWN]) + (", …" if len(change.lost) > IDS_SHOWN else "")
        told += f"; {len(change.lost)} acknowledged journal records are lost ({names}): another leader went on"
    if change.more:
        told += "; it lacked all that this node remembers, perhaps also older messages: compare with your backups"
    return told
