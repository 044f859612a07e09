"""Customers' channels in Slack as the shell knows them. It loads nothing of Slack's: every daemon has it."""

from __future__ import annotations

from channels.slack.normal import normalise, thread_of
from channels.slack.packing import SLACK
from router.shell.channel import Channel


def slack_channel() -> Channel:
    """Small JSON of our own, whose files were made safe at the door; all who are in a thread share its contact."""
    return Channel(
        name=SLACK,
        normalise=normalise,
        hostile=False,
        kind=lambda _: "messaging",
        thread=lambda _: None,
        editable=True,
        place=thread_of,
    )
