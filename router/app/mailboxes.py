"""Mailboxes read by IMAP, tied to the shell: each with its lease, followed as the workspace changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from channels.email.imap import MailboxReader
from channels.email.imap_cursor import Cursors, Secret
from channels.email.imap_room import Room
from channels.email.imap_settings import ImapSettings
from channels.email.oauth import Kept, OAuthSettings, Tokens
from router.core.ports import Inbox
from router.shell.lease import Lease, LeaseStore
from router.shell.sealed import SealedSecret
from skills.email_model import Imap, OAuth2
from skills.model import WorkspaceConfig

log = structlog.get_logger()

PACE = 4  # a mailbox goes over to another node within some ten seconds; a hundred of them cost the store little
COUNTERS = {
    "mails": "Mails stored from a mailbox, duplicates included",
    "bytes": "Their bytes",
    "duplicates": "Mails that were known already",
    "cut": "Mails too large, of which the beginning was taken in",
    "set_aside": "Mails that could not be fetched",
    "failures": "Times a mailbox could not be read",
}
READ = frozenset({"reading", "listening"})


class Password:
    """Implements `Secret`."""

    token = False

    def __init__(self, word: str) -> None:
        self._word = word

    async def reveal(self) -> str:
        """The password."""
        return self._word

    def forget(self) -> None:
        """There is no other."""


def imap_settings(one: Imap, *, shadow: bool = False) -> ImapSettings:
    """The reader's settings. In shadow mode nothing in the mailbox is changed: people work in it."""
    return ImapSettings(
        host=one.host,
        port=one.port,
        tls=one.tls,
        user=one.user,
        mailbox=one.mailbox,
        account=one.address,
        after=one.after,
        move_to=one.move_to or "",
        begin=one.begin,
        read_only=shadow,
        size_max=one.size_max,
    )


def secret_of(one: Imap, keep: Callable[[str], Kept] | None = None) -> Secret:
    """What it signs in with. `keep`: where something is kept, by what it is for."""
    if one.oauth2 is not None:
        settings = _oauth(one.oauth2)
        # Of this very right: another refresh token, or client, that an admin puts in has nothing to do with the last.
        right = (settings.token_url, settings.client_id, one.user, settings.refresh_token)
        return Tokens(settings, keep("\0".join(right)) if keep is not None and settings.refresh_token else None)
    return Password(one.password.reveal() if one.password is not None else "")


def _oauth(one: OAuth2) -> OAuthSettings:
    return OAuthSettings(
        token_url=one.token_url,
        client_id=one.client_id,
        client_secret=one.client_secret.reveal() if one.client_secret is not None else "",
        refresh_token=one.refresh_token.reveal() if one.refresh_token is not None else "",
        scope=one.scope,
    )


class MailboxStore(Cursors, LeaseStore, Protocol):
    """What mailboxes ask of the store."""


class _Reading:
    """One mailbox, as it was written in the workspace, and the task that reads it."""

    def __init__(self, written: tuple[Imap, bool], reader: MailboxReader, after: asyncio.Task[None] | None) -> None:
        self.written = written
        self.reader = reader
        self.task = asyncio.create_task(self._run(after), name=f"mailbox {reader.settings.key}")

    async def _run(self, after: asyncio.Task[None] | None) -> None:
        if after is not None:  # the same mailbox as it was written before: it lets go of the lease first
            await asyncio.wait({after})
        await self.reader.run()


class Mailboxes(Collector):
    """All mailboxes of a workspace; also a collector of their metrics."""

    def __init__(
        self,
        store: MailboxStore,
        inbox: Inbox,
        node: str,
        clock: Callable[[], int],
        registry: CollectorRegistry,
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._node = node
        self._clock = clock
        self._reading: dict[str, _Reading] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._open = False
        self._room = Room()
        self._keep: Callable[[str], Kept] | None = None
        registry.register(self)

    def start(self, config: WorkspaceConfig, secret: bytes = b"") -> None:
        """Begin to read. `secret`: the workspace's own; with it, what providers exchange by themselves is kept."""
        self._open = True
        self._keep = partial(SealedSecret, self._store, secret) if secret else None
        self.follow(config)

    def follow(self, config: WorkspaceConfig) -> None:
        """Read the mailboxes of this configuration from now on, and no other; does nothing before the start."""
        if not self._open:
            return
        email = config.channels.email
        shadow = config.mode == "shadow"
        wanted = {imap_settings(one).key: one for one in email.imap} if email is not None else {}
        gone = {
            key for key, known in self._reading.items() if key not in wanted or known.written != (wanted[key], shadow)
        }
        before = {key: self._leave(key) for key in gone}
        for key, one in wanted.items():
            if key not in self._reading:
                reader = self._reader(one, shadow=shadow)
                self._reading[key] = _Reading((one, shadow), reader, before.get(key))

    def _reader(self, one: Imap, *, shadow: bool) -> MailboxReader:
        settings = imap_settings(one, shadow=shadow)
        lease = Lease(self._store, f"imap:{settings.key}", self._node, pace=PACE)
        signs_in = secret_of(one, self._keep)
        return MailboxReader(settings, self._inbox, self._store, lease, signs_in, clock=self._clock, room=self._room)

    def _leave(self, key: str) -> asyncio.Task[None]:
        task = self._reading.pop(key).task
        task.cancel()
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def stop(self) -> None:
        """Stop reading: what is being stored is finished by the inbox, connections are closed, leases given back."""
        self._open = False
        for key in list(self._reading):
            self._leave(key)
        if self._leaving:
            await asyncio.wait(set(self._leaving))

    # -- what is known of them ----------------------------------------------------------------------------------------

    def readers(self) -> list[MailboxReader]:
        """Those of the workspace in force."""
        return [one.reader for one in self._reading.values()]

    def status(self) -> dict[str, object]:
        """A row each for `usherd status`."""
        return {
            f"imap {one.settings.label}": {"state": one.state, "received": one.mails, "account": one.settings.account}
            for one in self.readers()
        }

    def problems(self) -> list[str]:
        """What an admin should know."""
        found = []
        for one in self.readers():
            found += [f"{one.settings.label}: {words}" for words in (one.trouble, one.notice) if words]
        return found

    def collect(self) -> Iterator[Metric]:
        """The figures of all mailboxes."""
        up = GaugeMetricFamily("usherd_mailbox_up", "1 while this node reads a mailbox", labels=["mailbox"])
        families = {
            name: CounterMetricFamily(f"usherd_mailbox_{name}", words, labels=["mailbox"])
            for name, words in COUNTERS.items()
        }
        for one in self.readers():
            up.add_metric([one.settings.label], float(one.state in READ))
            for name, family in families.items():
                family.add_metric([one.settings.label], float(getattr(one, name)))
        yield up
        yield from families.values()
