"""Windows over the page: why not, to whom, until when, what about; the whole contact; and why."""

from __future__ import annotations

from collections.abc import Sequence

from channels.slack import blocks, texts
from channels.slack.blocks import Json
from channels.slack.card import files
from channels.slack.mrkdwn import cut, date, inline, pieces, plain
from router.desk import texts as desk_texts
from router.desk.views import Card, Colleague, People, Why

HOUR_MS = 3_600_000
READ_MAX = 36_000  # characters of one view: it may take 250 kB, and a character up to six bytes of it
READ_BLOCKS_MAX = 95
WHY_NAMED_MAX = 20


def decline(contact: str, offer: str) -> Json:
    """Why not, from the desk's list: it is journaled, and the journal holds no free text."""
    options = [blocks.option(label, code) for code, label in desk_texts.DECLINE_REASONS.items()]
    chosen = blocks.select("value", texts.DECLINE_REASON, options, options[0])
    return blocks.modal(
        "usherd.decline",
        texts.DECLINE_TITLE,
        [blocks.input_block("reason", texts.DECLINE_REASON, chosen)],
        submit=texts.DECLINE_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": contact, "offer": offer},
    )


def transfer(contact: str, people: People) -> Json:
    """To an agent, a team, or whoever is best, with a note."""
    groups = [(texts.TRANSFER_ANYBODY, [blocks.option(texts.TRANSFER_BEST, "best")])]
    teams = [
        blocks.option(
            plain(one.name, 70),
            f"team {one.id}",
            texts.TEAM_MEMBERS.format(available=one.available, members=one.members),
        )
        for one in people.teams
    ]
    ready = [one for one in people.agents if one.able and one.room]
    able = [one for one in people.agents if one.able and not one.room]
    others = [one for one in people.agents if not one.able]
    listed = (
        (texts.TRANSFER_TEAMS, teams),
        (texts.TRANSFER_READY, _agents(ready)),
        (texts.TRANSFER_ABLE, _agents(able)),
        (texts.TRANSFER_OTHERS, _agents(others)),
    )
    groups += [(label, options) for label, options in listed if options]
    menu = blocks.grouped_select("value", texts.TRANSFER_PICK, groups)
    return blocks.modal(
        "usherd.transfer",
        texts.TRANSFER_TITLE,
        [
            blocks.input_block("to", texts.TRANSFER_TO, menu),
            blocks.input_block("text", texts.TRANSFER_NOTE, blocks.writing("value"), optional=True),
        ],
        submit=texts.TRANSFER_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": contact},
    )


def _agents(listed: Sequence[Colleague]) -> list[Json]:
    return [
        blocks.option(plain(one.name, 70), f"agent {one.id}", plain(f"{one.status}, {one.team}", 70)) for one in listed
    ]


def snooze(contact: str, now: int) -> Json:
    """Until when; proposed is the next full hour but one."""
    proposed = (now // HOUR_MS + 2) * HOUR_MS
    return blocks.modal(
        "usherd.snooze",
        texts.SNOOZE_TITLE,
        [blocks.input_block("until", texts.SNOOZE_UNTIL, blocks.moment("value", proposed), hint=texts.SNOOZE_HINT)],
        submit=texts.SNOOZE_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": contact},
    )


def note(contact: str) -> Json:
    """Something for colleagues."""
    return blocks.modal(
        "usherd.note",
        texts.NOTE_TITLE,
        [blocks.input_block("text", texts.NOTE_LABEL, blocks.writing("value"))],
        submit=texts.NOTE_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": contact},
    )


def retag(view: Card, people: People) -> Json:
    """What it is about, with what is thought so far filled in."""
    chosen = {topic.id for topic in view.topics if topic.chosen}
    options = [blocks.option(plain(one.label, 70), one.id) for one in people.topics]
    if not options:
        return _shown(texts.RETAG_TITLE, [blocks.context(texts.RETAG_NONE)])
    before = [one for one in options if one["value"] in chosen]
    menu = blocks.multi_select("value", texts.RETAG_PICK, options, before)
    return blocks.modal(
        "usherd.retag",
        texts.RETAG_TITLE,
        [blocks.input_block("topics", texts.RETAG_LABEL, menu, optional=True)],
        submit=texts.RETAG_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": view.contact.id},
    )


def priority(contact: str, now: str) -> Json:
    """How urgent it is."""
    options = [blocks.option(label, code) for code, label in texts.PRIORITIES.items()]
    chosen = next((one for one in options if one["value"] == now), None)
    menu = blocks.select("value", texts.PRIORITY_LABEL, options, chosen)
    return blocks.modal(
        "usherd.priority",
        texts.PRIORITY_TITLE,
        [blocks.input_block("priority", texts.PRIORITY_LABEL, menu)],
        submit=texts.PRIORITY_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": contact},
    )


def why(said: Why) -> Json:
    """Who was considered, who was ruled out and by what, what decided."""
    return _shown(texts.WHY_TITLE, [blocks.section(text) for text in why_texts(said)])


def why_texts(said: Why) -> list[str]:
    """An explanation in paragraphs, also for the answer to a command."""
    found = [cut(said.headline, 1_000), *(cut(one, 600) for one in said.sentences[:WHY_NAMED_MAX])]
    named = [
        texts.WHY_CANDIDATE.format(n=one.rank, name=inline(one.name, 60), why=inline(one.why, 120))
        for one in said.candidates[:WHY_NAMED_MAX]
    ]
    if named:
        found.append("\n".join([texts.WHY_CONSIDERED, *named]))
    ruled = [inline(one, 120) for one in said.ruled_out[:WHY_NAMED_MAX]]
    if ruled:
        found.append("\n".join([texts.WHY_RULED_OUT, *ruled]))
    return found


def read(view: Card) -> Json:
    """The whole contact, as far as a view can hold it: newest last, and cut at the front if at all."""
    found: list[Json] = []
    left = READ_MAX
    for item in reversed(view.items):
        who = f"*{inline(item.who, 80)}* {date(item.at, texts.WROTE_FORM, 'earlier')}"
        said = [blocks.section(piece) for piece in pieces(item.text, 2_900)]
        quoted = [blocks.context(piece) for piece in pieces(item.quoted, 1_900)]
        names = files(item.files)
        one = [
            blocks.context(who),
            *said,
            *([blocks.context(texts.READ_QUOTED), *quoted] if quoted else []),
            *([blocks.context(names)] if names else []),
        ]
        room = READ_BLOCKS_MAX - len(found)
        taken = _within(one, room, left)
        found = [*taken, *found]
        left -= blocks.size(taken)
        if len(taken) < len(one):
            found.insert(0, blocks.context(texts.READ_CUT))
            break
    row = view.contact
    title = blocks.section(texts.HEAD.format(who=inline(row.who, 80), subject=inline(row.subject, 300)))
    return _shown(texts.READ_TITLE, [title, *(found or [blocks.context(texts.READ_NOTHING)])])


def _within(listed: list[Json], room: int, left: int) -> list[Json]:
    """As many of these blocks as there is room for."""
    taken: list[Json] = []
    for block in listed:
        left -= blocks.size([block])
        if len(taken) >= room or left < 0:
            break
        taken.append(block)
    return taken


def _shown(title: str, listed: Sequence[Json]) -> Json:
    return blocks.modal("usherd.shown", title, listed, close=texts.CLOSE, kept={})
