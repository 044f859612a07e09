"""One line in the team's channel for a contact that waits too long: who is first takes it."""

from __future__ import annotations

from channels.slack import blocks, texts
from channels.slack.card import Post, due, press
from channels.slack.mrkdwn import date, inline, plain
from router.desk.views import Row


def waits(row: Row, since: int, now: int) -> Post:
    """It waits, with the button to claim it. Subject and name only: colleagues see the words once it is theirs."""
    line = texts.TEAM_WAITS.format(
        who=inline(row.who, 60),
        subject=inline(row.subject, 120),
        channel=texts.CHANNELS.get(row.channel, inline(row.channel, 40)),
        since=date(since, texts.TEAM_SINCE_FORM, "a while ago"),
        due=due(row, now) or texts.NO_PROMISE,
    )
    text = texts.TEAM_FALLBACK.format(who=plain(row.who, 60), subject=plain(row.subject, 120))
    button = blocks.actions(press("take", row.id, style="primary"))
    return Post(text=text, blocks=(blocks.section(line), button))


def taken(row: Row, agent: str) -> Post:
    """Somebody has it; or, with no name, it no longer waits.

    Neither who waited nor about what: this stands in the channel for good, also after the customer was erased.
    """
    form = texts.TEAM_TAKEN if agent else texts.TEAM_OVER
    line = form.format(id=row.id, agent=inline(agent, 60))
    return Post(text=line, blocks=(blocks.section(line),))
