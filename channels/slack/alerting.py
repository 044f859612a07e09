"""What alerts, reminders and digests say in Slack."""

from __future__ import annotations

from collections.abc import Sequence

from channels.slack import blocks, texts
from channels.slack.blocks import Json
from channels.slack.card import Post
from channels.slack.mrkdwn import cut, date, inline
from router.desk.digests import Day, Shift, Tally
from router.desk.lead_views import Matter
from router.desk.matters import NOW
from router.desk.views import Done

DETAIL_MAX = 300
WORKERS_MAX = 15
TOPICS_MAX = 8
PROBLEMS_MAX = 4
MINUTE_S = 60


def alert(matter: Matter) -> Post:
    """One matter as it stands."""
    icon = texts.ALERT_NOW if matter.level >= NOW else texts.ALERT_SOON
    line = texts.ALERT.format(icon=icon, text=cut(matter.text, DETAIL_MAX))
    found = [blocks.section(line)]
    small = [cut(one, DETAIL_MAX) for one in matter.details if one]
    if matter.contacts:
        named = ", ".join(f"`{inline(one, 60)}`" for one in matter.contacts)
        first = date(matter.due, texts.DUE_FORM, "soon") if matter.due is not None else ""
        small.append(texts.ALERT_CONTACTS.format(contacts=named))
        small += [texts.ALERT_FIRST.format(when=first)] if first else []
    found += [blocks.context(*small)] if small else []
    return Post(text=line, blocks=tuple(found))


def over(code: str, now: int) -> Post:
    """A matter that is no more."""
    line = texts.ALERT_OVER.format(what=texts.MATTERS[code], when=date(now, texts.UNTIL_FORM, "now"))
    return Post(text=line, blocks=(blocks.section(line),))


def superseded(code: str) -> Post:
    """What was told anew further down, because it got worse."""
    line = texts.ALERT_SUPERSEDED.format(what=texts.MATTERS[code])
    return Post(text=line, blocks=(blocks.section(line),))


def elsewhere(code: str) -> Post:
    """What is told in another channel from now on."""
    line = texts.ALERT_ELSEWHERE.format(what=texts.MATTERS[code])
    return Post(text=line, blocks=(blocks.section(line),))


def reminder(lines: Sequence[str]) -> Post:
    """An agent's own that are due soon; `lines` are ready, and say nothing of any customer."""
    head = texts.NUDGE_ONE if len(lines) == 1 else texts.NUDGE.format(n=len(lines))
    listed = "\n".join(lines)
    return Post(text=head, blocks=(blocks.section(f"{head}\n{listed}"),))


def done(one: Done) -> str:
    """What somebody did, in a few words."""
    found = [texts.DONE_ANSWERS.format(n=one.answers), texts.DONE_RESOLVED.format(n=one.resolved)]
    if one.first_seconds is not None:
        found.append(texts.DONE_FIRST.format(span=span(one.first_seconds)))
    return ", ".join(found)


def span(seconds: int) -> str:
    """`40 s`, `12 min`."""
    return f"{seconds} s" if seconds < MINUTE_S else f"{round(seconds / MINUTE_S)} min"


def shift(view: Shift, now: int) -> Post:
    """The end of an agent's shift, `now`."""
    lines = [texts.DIGEST_SHIFT, texts.DIGEST_YOU.format(day=_day(now), done=done(view.today))]
    if view.team is not None:
        lines.append(texts.DIGEST_TEAM.format(done=done(view.team)))
    left = texts.DIGEST_LEFT.format(open=view.unanswered, waiting=view.waiting_customer, snoozed=view.snoozed)
    lines.append(left)
    if view.next_due is not None:
        lines.append(texts.DIGEST_DUE.format(when=date(view.next_due, texts.DUE_FORM, "soon")))
    return Post(text=texts.DIGEST_SHIFT, blocks=(blocks.section("\n".join(lines)),))


def day(view: Day, week: Tally | None) -> Post:
    """A workspace's day and, once a week, the week."""
    board = view.board
    head = texts.DIGEST_DAY.format(day=_day(board.now))
    found: list[Json] = [blocks.section("\n".join([head, tally(view.tally)]))]
    left = texts.DIGEST_BOARD.format(open=board.open, waiting=board.waiting, risk=board.at_risk, late=board.late)
    topics = [
        texts.DIGEST_TOPIC.format(label=inline(one.label, 60), n=one.waiting) for one in board.topics[:TOPICS_MAX]
    ]
    found.append(blocks.section("\n".join([left, ", ".join(topics)] if topics else [left])))
    people = [
        texts.DIGEST_WORKER.format(name=inline(one.name, 60), done=done(one.done)) for one in view.workers[:WORKERS_MAX]
    ]
    found += [blocks.section("\n".join(people))] if people else []
    problems = [texts.HOME_PROBLEMS.format(text=cut(one, 200)) for one in board.problems[:PROBLEMS_MAX]]
    found += [blocks.context(*problems)] if problems else []
    if week is not None:
        found.append(blocks.section("\n".join([texts.DIGEST_WEEK, tally(week)])))
    return Post(text=head, blocks=tuple(found))


def _day(now: int) -> str:
    """The day of an instant, as whoever reads it would call it."""
    return date(now, texts.DIGEST_DAY_FORM, texts.DIGEST_TODAY)


def tally(one: Tally) -> str:
    """Figures of a day or a week in one line."""
    kept = texts.DIGEST_PROMISE.format(n=one.in_time, of=one.promised) if one.promised else texts.DIGEST_NO_PROMISE
    return texts.DIGEST_TALLY.format(opened=one.opened, answers=one.answers, resolved=one.resolved, kept=kept)
