"""The ways in and out, as a configuration names them: channels, what reading needs to know, senders."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from channels.email.send import SmtpSender
from router.app import chat, http, mail, telegram
from router.app.erase import identities
from router.app.filters import Filters
from router.app.names import staff_of
from router.app.slack_channel import slack_channel
from router.app.telegram import telegram_channel
from router.app.tiers import TierLookup
from router.shell.channel import Channel
from router.shell.outbox import Sender
from router.shell.reader import Reader
from router.shell.understanding import Facts
from skills.model import WorkspaceConfig

if TYPE_CHECKING:
    from router.app.daemon import Daemon
    from router.app.slack import SlackPart
    from router.app.telegram import Bot


def channels_of(config: WorkspaceConfig, secret: bytes) -> dict[str, Channel]:
    """Every channel by its name, which is the source of its inbox entries."""
    return {
        "email": mail.email_channel(config, secret),
        "http": http.http_channel(),
        "telegram": telegram_channel(),
        "slack": slack_channel(),
        **chat.chat_channels(),
    }


def slack_of(daemon: Daemon) -> SlackPart | None:
    """What there is of Slack, if the workspace has it: the desk there, and customers' channels."""
    settings = daemon.config.channels.slack
    if settings is None:
        return None
    from router.app.slack import SlackPart  # noqa: PLC0415 (half a second: slack-bolt and aiohttp)

    return SlackPart(daemon, settings)


def more_senders(bot: Bot | None, slack: SlackPart | None) -> dict[str, Sender]:
    """Ways out by channel of what is more than a way out."""
    return telegram.sender_of(bot) | ({"slack": slack.sender} if slack is not None else {})


class Asked:
    """Programs of the admin's that are asked about what comes in: who is of which tier, whether a mail is spam."""

    def __init__(self, daemon: Daemon) -> None:
        def seen(address: str) -> str:
            known = daemon.leader.engine.state.tiers_seen
            return next((known[one] for one in identities(daemon.secret, address) if one in known), "")

        self.tiers = TierLookup(lambda: daemon.config, seen, daemon.clock.now)
        self.filters = Filters(lambda: daemon.config, daemon.workers.understand)

    def attach(self, reader: Reader) -> None:
        """Have it ask them."""
        reader.ask, reader.sift = self.tiers.ask, self.filters.sift

    def problems(self) -> list[str]:
        """Which of them do not answer, in plain words."""
        return [*self.tiers.problems(), *self.filters.problems()]

    async def close(self) -> None:
        """Ask them no more."""
        await self.tiers.close()
        await self.filters.close()


def facts_of(daemon: Daemon) -> Facts:
    """What understanding a message needs to know of the workspace."""
    config = daemon.config
    return Facts(
        secret=daemon.secret,
        own=frozenset(config.accounts),
        tier_of=daemon.asked.tiers.of(http.tier_of(config)),
        shadow=config.mode == "shadow",
        staff=staff_of(config),
        names=tuple(agent.name for agent in config.agents.values()),
    )


def senders_of(daemon: Daemon, leave: AsyncExitStack) -> dict[str, Sender]:
    """Ways out by channel; they are closed when `leave` is."""
    config, secret = daemon.config, daemon.secret
    send = config.channels.email.send if config.channels.email else None
    senders: dict[str, Sender] = {"webchat": chat.ChatSender()}
    if send is not None:
        sender = SmtpSender(mail.send_settings(send))
        leave.push_async_callback(sender.close)
        mark = mail.loop_mark(secret, config.workspace)
        envelope = mail.envelopes(lambda: daemon.config, secret)
        senders["email"] = senders["http"] = mail.MailSender(sender, mark, daemon.vault, daemon.seals.key, envelope)
    return senders
