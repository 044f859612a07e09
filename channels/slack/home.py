"""The app's Home: an agent's own desk at a glance and, for supervisors, the team's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from channels.slack import blocks, texts
from channels.slack.alerting import alert, done
from channels.slack.blocks import Json
from channels.slack.card import action_id, due
from channels.slack.mrkdwn import cut, date, inline
from router.desk import texts as desk_texts
from router.desk.lead_views import IncidentRow, Overview
from router.desk.views import Bar, DeskView, Me, Row

ROWS_MAX = 8  # of one list
TOPICS_MAX = 8
AGENTS_MAX = 10
RISKY_MAX = 6
INCIDENTS_MAX = 3
PROBLEMS_MAX = 4
BARS_MAX = 8
SKILLS_MAX = 30
BAR_CELLS = 10

Link = Callable[[str], str | None]  # a contact's thread in Slack as an address, if it has one


def home(desk: DeskView, overview: Overview | None, link: Link, until: int | None = None) -> Json:
    """The view of one agent; `overview` for those who lead; `until`: when they are back by themselves (ms)."""
    found: list[Json] = []
    if desk.notice:
        found.append(blocks.section(texts.NOTICE.format(text=cut(desk.notice, 400))))
    found += [*_status(desk, until), *_room(desk.me), blocks.divider()]
    offers = [one.contact for one in desk.offers]
    for title, rows, more in (
        (texts.HOME_OFFERS, offers, 0),
        (texts.HOME_OPEN, desk.open, desk.more.get("open", 0)),
        (texts.HOME_WAITING, desk.waiting_customer, desk.more.get("waiting_customer", 0)),
        (texts.HOME_SNOOZED, desk.snoozed, desk.more.get("snoozed", 0)),
        (texts.HOME_CALLED, desk.called, 0),
    ):
        if rows or title == texts.HOME_OPEN:
            found += _rows(title, rows, more, desk.now, link)
    if overview is not None:
        found += [blocks.divider(), *_team(overview, link)]
    return {"type": "home", "blocks": found[: blocks.VIEW_BLOCKS_MAX]}


def stranger() -> Json:
    """The view of somebody who is no agent: nothing of anybody."""
    return {"type": "home", "blocks": [blocks.section(texts.HOME_STRANGER)]}


def _status(desk: DeskView, until: int | None) -> list[Json]:
    me = desk.me
    status = texts.STATUSES.get(me.status, inline(me.status))
    line = texts.HOME_STATUS.format(status=status, since=date(me.status_since, texts.HOME_SINCE_FORM, "a while"))
    if until is not None and me.status == "away":
        line = texts.HOME_UNTIL.format(status=status, until=date(until, texts.HOME_SINCE_FORM, "later"))
    set_to = {"available": texts.HOME_AVAILABLE, "busy": texts.HOME_BUSY, "away": texts.HOME_AWAY}
    row = [
        blocks.button(
            label, action_id(f"status.{code}"), {"status": code}, style="primary" if code == me.status else ""
        )
        for code, label in set_to.items()
    ]
    row.append(blocks.button(texts.HOME_NEW, action_id("new"), {}))
    return [
        blocks.section(line),
        blocks.actions(*row),
        blocks.context(texts.HOME_QUEUE.format(n=desk.queue), *_today(desk)),
    ]


def _today(desk: DeskView) -> list[str]:
    """What was done today, beside the team's median."""
    team = [texts.HOME_TODAY_TEAM.format(done=done(desk.team))] if desk.team is not None else []
    return [texts.HOME_TODAY.format(done=done(desk.today)), *team]


def _room(me: Me) -> list[Json]:
    found = [blocks.section("\n".join(bar(one) for one in me.capacity[:BARS_MAX]))] if me.capacity else []
    skills = ", ".join(f"{inline(name, 40)} {level}" for name, level in list(me.skills.items())[:SKILLS_MAX])
    return [*found, blocks.context(texts.HOME_SKILLS.format(skills=skills))] if skills else found


def bar(one: Bar) -> str:
    """How full it is, as `E-mail: ▰▰▱▱ 2 of 4`."""
    full = min(BAR_CELLS, one.held * BAR_CELLS // one.limit) if one.limit else BAR_CELLS * (one.held > 0)
    drawn = "▰" * full + "▱" * (BAR_CELLS - full)
    return texts.HOME_BAR.format(label=inline(one.label, 40), bar=drawn, held=one.held, limit=one.limit)


def _rows(title: str, rows: Sequence[Row], more: int, now: int, link: Link) -> list[Json]:
    found = [blocks.header(title)]
    if not rows:
        return [*found, blocks.context(texts.HOME_NOTHING)]
    found += [blocks.section(line(row, now, link)) for row in rows[:ROWS_MAX]]
    left = len(rows) - ROWS_MAX + more
    return [*found, blocks.context(texts.HOME_MORE.format(n=left))] if left > 0 else found


def line(row: Row, now: int, link: Link) -> str:
    """A contact in one line, with the way to its thread."""
    name = texts.HEAD.format(who=inline(row.who, 60), subject=inline(row.subject, 90))
    address = link(row.id)
    head = f"<{address}|{name.replace('|', '¦')}>" if address else name
    about = [texts.CHANNELS.get(row.channel, inline(row.channel, 40)), inline(", ".join(row.topics), 120, empty="")]
    return "  ·  ".join(one for one in (head, *about, due(row, now)) if one)


def _incident(one: IncidentRow, told: str) -> list[Json]:
    """A topic that far more is written of than usual, and the one answer for all who ask."""
    text = texts.HOME_INCIDENT.format(
        label=inline(one.label, 60), n=one.contacts, usual=f"{one.usual:g}", open=one.affected
    )
    text += texts.HOME_INCIDENT_TOLD.format(text=inline(told, 300)) if told else ""
    value = {"incident": one.id}
    tell = blocks.button(texts.HOME_INCIDENT_TELL, action_id("incident"), value)
    return [
        blocks.section(text),
        blocks.actions(tell, blocks.button(texts.HOME_INCIDENT_END, action_id("incident_end"), value)),
    ]


def _team(view: Overview, link: Link) -> list[Json]:
    board = view.board
    found = [
        blocks.header(texts.HOME_TEAM),
        blocks.section(
            texts.HOME_BOARD.format(
                waiting=board.waiting,
                at_risk=board.at_risk,
                late=board.late,
                open=board.open,
                opened=board.today.opened,
                resolved=board.today.resolved,
            )
        ),
    ]
    if view.changes:
        sure = blocks.confirm(texts.HOME_WHATIF, texts.WHATIF_CONFIRM, texts.HOME_WHATIF, texts.CANCEL)
        button = blocks.button(texts.HOME_WHATIF, action_id("whatif"), {}, confirm=sure)
        found.append(blocks.section(desk_texts.WHATIF_WAITS, button))
    found += [blocks.section(alert(one).text) for one in view.matters if one.code != "incidents"]
    for one in board.incidents[:INCIDENTS_MAX]:
        found += _incident(one, view.answers.get(one.id, ""))
    found += [blocks.section(texts.HOME_PROBLEMS.format(text=cut(one, 300))) for one in board.problems[:PROBLEMS_MAX]]
    topics = [
        texts.HOME_TOPIC.format(
            label=inline(one.label, 60), waiting=one.waiting, at_risk=one.at_risk, free=one.free, able=one.able
        )
        for one in board.topics[:TOPICS_MAX]
    ]
    found += [blocks.section("\n".join(topics))] if topics else []
    agents = [
        texts.HOME_AGENT.format(
            name=inline(one.name, 60),
            status=texts.STATUSES.get(one.status, inline(one.status)),
            open=one.open,
            offered=one.offered,
            utilisation=one.utilisation,
        )
        for one in view.agents[:AGENTS_MAX]
    ]
    left = len(view.agents) - AGENTS_MAX
    found += [blocks.section("\n".join(agents))] if agents else []
    found += [blocks.context(texts.HOME_MORE.format(n=left))] if left > 0 else []
    if view.risky:
        found.append(blocks.header(texts.HOME_RISKY))
        found += [blocks.section(line(row, board.now, link)) for row in view.risky[:RISKY_MAX]]
    return found
