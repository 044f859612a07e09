"""Erasing customers, put together: who is asked to write the store's file anew, and whose address is whose."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from router.core.erasing import key_name
from router.core.errors import ConfigError
from router.core.message import Message
from router.shell.erased import ErasedList
from router.shell.erasure import Eraser
from router.shell.identities import identity_of
from router.shell.store import server
from router.shell.store.rewriting import Rewriter

if TYPE_CHECKING:
    from router.app.daemon import Daemon

CHANNELS = ("email", "http", "webchat", "telegram", "slack")


def begin(daemon: Daemon) -> Eraser:
    """The node's eraser; it hears of commits, and the vault takes new keys for who was erased. Raises ConfigError."""
    leader = daemon.leader
    daemon.vault.key_of = lambda identity: key_name(identity, leader.engine.state.erased.get(identity, 0))
    eraser = Eraser(
        store=daemon.store,
        inbox=daemon.intake,
        vault=daemon.vault,
        leader=leader,
        rewrite=_rewriter(daemon).rewrite,
        listed=ErasedList(daemon.data),
        identify=partial(identities, daemon.secret),
        leaving=partial(_leaving, daemon),
    )
    leader.listeners.append(eraser.committed)
    return eraser


async def _leaving(daemon: Daemon, messages: list[Message]) -> None:
    """Answers in customers' threads in Slack are ours to delete; what went out by other channels is nobody's here."""
    if daemon.slack is not None:
        await daemon.slack.take_back(messages)


def _rewriter(daemon: Daemon) -> Rewriter:
    """The user who may trim the embedded store's journal may rewrite its file; elsewhere it is who the URL names."""
    url = daemon.config.store.url
    if url is not None:
        return Rewriter(url.reveal())
    state = server.read_state(daemon.data)
    if state is None:
        raise ConfigError(f"there is no store in {daemon.data}")
    return Rewriter(server.SocketAddress(daemon.data).path, server.ARCHIVER_USER, state.archiver_password)


def identities(secret: bytes, address: str) -> list[str]:
    """The keyed hashes that an address may have: a mail address has one, a name of a channel's one on each."""
    return list(dict.fromkeys(identity_of(secret, channel, address) for channel in CHANNELS))
