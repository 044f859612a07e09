"""Windows in which something is written or chosen: an answer with copies and saved replies, a letter, a colleague."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from channels.slack import blocks, texts
from channels.slack.blocks import Json
from channels.slack.card import action_id
from channels.slack.mrkdwn import cut, inline, plain
from channels.slack.reading import Deed
from router.desk.views import Card, Colleague, People, Row, SavedReply, Topic

COPIES_MAX = 2_000  # characters of addresses that a window keeps
SUBJECT_MAX = 300
RESOLVE = "resolve"
BLOCK = "block"
TELL = "tell"


def reply(view: Card, saved: Sequence[SavedReply], entered: Mapping[str, Any] | None = None, chosen: int = -1) -> Json:
    """An answer: to whom, who gets a copy, saved replies, and the words.

    `entered`: what stands in it already; `chosen`: the saved reply whose words are put in. A field that is to show
    other words gets another name: Slack leaves what stands in one that it knows.
    """
    kept = entered or {}
    found: list[Json] = [blocks.context(cut(view.replies_line, 1_000))]
    if saved:
        groups = [
            (label, [_saved(place, one) for place, one in enumerate(saved) if one.fits is fits])
            for label, fits in ((texts.REPLY_FITTING, True), (texts.REPLY_OTHERS, False))
        ]
        menu = blocks.grouped_select(action_id("saved"), texts.REPLY_SAVED_PICK, [one for one in groups if one[1]])
        found.append(blocks.section(texts.REPLY_SAVED, menu))
    words = saved[chosen].text if 0 <= chosen < len(saved) else ""
    field = blocks.writing("value", first=words)
    found.append(blocks.input_block(f"text.{chosen + 1}", texts.REPLY_TEXT, field, optional=False))
    copies = _copies(view)
    if copies:
        options = [blocks.option(plain(name, 70), str(place)) for place, (_, name) in enumerate(copies)]
        ticked = [one for one in options if one["value"] in (kept.get("cc") or ())]
        menu = blocks.multi_select("value", texts.REPLY_COPIES_PICK, options, ticked)
        found.append(blocks.input_block("cc", texts.REPLY_COPIES, menu, optional=True))
    if "resolve" in view.actions:
        box = blocks.boxes("value", [blocks.option(texts.REPLY_RESOLVE, RESOLVE)], ticked=bool(kept.get("then")))
        found.append(blocks.input_block("then", texts.REPLY_THEN, box, optional=True))
    if view.signature:
        found.append(blocks.context(texts.REPLY_SIGNED.format(signature=cut(view.signature, 500))))
    return blocks.modal(
        "usherd.reply",
        texts.REPLY_TITLE,
        found,
        submit=texts.REPLY_SUBMIT,
        close=texts.CANCEL,
        kept={
            "contact": view.contact.id,
            "answers": view.answers,
            "copies": "\n".join(address for address, _ in copies),
        },
    )


def _saved(place: int, one: SavedReply) -> Json:
    return blocks.option(plain(one.label, 70), str(place), plain(one.text, 70))


def _copies(view: Card) -> list[tuple[str, str]]:
    """Who may get a copy: addresses with names, as many as a window can keep."""
    found: list[tuple[str, str]] = []
    left = COPIES_MAX
    for one in view.cc:
        if not one.address.isprintable():  # none that mail could go to
            continue
        left -= len(msgspec.json.encode(one.address).decode())
        if left < 0:
            break
        found.append((one.address, f"{one.name} <{one.address}>" if one.name else one.address))
    return found


def copied(kept: Mapping[str, str], ticked: Iterable[object]) -> tuple[str, ...]:
    """The addresses of those that were ticked."""
    listed = kept.get("copies", "").split("\n")
    places = [int(one) for one in ticked if isinstance(one, str) and one.isdecimal()]
    return tuple(listed[place] for place in places if place < len(listed) and listed[place])


def call(contact: str, people: People) -> Json:
    """A colleague who is to look on and write notes."""
    able = [one for one in people.agents if one.able]
    others = [one for one in people.agents if not one.able]
    groups = [(texts.CALL_ABLE, _agents(able)), (texts.TRANSFER_OTHERS, _agents(others))]
    if not people.agents:
        return blocks.modal(
            "usherd.shown", texts.CALL_TITLE, [blocks.context(texts.CALL_NOBODY)], close=texts.CLOSE, kept={}
        )
    menu = blocks.grouped_select("value", texts.TRANSFER_PICK, [one for one in groups if one[1]])
    return blocks.modal(
        "usherd.call",
        texts.CALL_TITLE,
        [
            blocks.context(texts.CALL_TEXT),
            blocks.input_block("target", texts.CALL_WHOM, menu),
            blocks.input_block("text", texts.CALL_NOTE, blocks.writing("value"), optional=True),
        ],
        submit=texts.CALL_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": contact},
    )


def _agents(listed: Sequence[Colleague]) -> list[Json]:
    return [blocks.option(plain(one.name, 70), one.id, plain(f"{one.status}, {one.team}", 70)) for one in listed]


def merge(contact: str, twins: Sequence[Row]) -> Json:
    """Another open contact of the same customer, whose messages come here."""
    if not twins:
        return blocks.modal(
            "usherd.shown", texts.MERGE_TITLE, [blocks.context(texts.MERGE_NONE)], close=texts.CLOSE, kept={}
        )
    options = [blocks.option(plain(one.subject, 70), one.id, plain(one.by or one.id, 70)) for one in twins]
    menu = blocks.select("value", texts.MERGE_PICK, options, options[0])
    return blocks.modal(
        "usherd.merge",
        texts.MERGE_TITLE,
        [blocks.context(texts.MERGE_TEXT), blocks.input_block("from", texts.MERGE_WHICH, menu)],
        submit=texts.MERGE_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": contact},
    )


def spam(contact: str) -> Json:
    """Whether its sender is blocked as well."""
    box = blocks.boxes("value", [blocks.option(texts.SPAM_BLOCK, BLOCK)], ticked=False)
    return blocks.modal(
        "usherd.spam",
        texts.SPAM_TITLE,
        [
            blocks.section(texts.SPAM_TEXT),
            blocks.input_block("then", texts.SPAM_SENDER, box, optional=True, hint=texts.SPAM_HINT),
        ],
        submit=texts.SPAM_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": contact},
    )


def letter(topics: Sequence[Topic], signature: str) -> Json:
    """A contact that the agent opens by mail."""
    found = [
        blocks.context(texts.LETTER_TEXT),
        blocks.input_block("to", texts.LETTER_TO, blocks.address("value")),
        blocks.input_block("subject", texts.LETTER_SUBJECT, blocks.writing("value", lines=False, most=SUBJECT_MAX)),
    ]
    options = [blocks.option(plain(one.label, 70), one.id) for one in topics]
    if options:
        menu = blocks.grouped_select("value", texts.LETTER_TOPIC_PICK, [(texts.RETAG_TITLE, options)])
        found.append(blocks.input_block("topic", texts.LETTER_TOPIC, menu, optional=True))
    found.append(blocks.input_block("text", texts.LETTER_WORDS, blocks.writing("value")))
    if signature:
        found.append(blocks.context(texts.REPLY_SIGNED.format(signature=inline(signature, 500))))
    return blocks.modal(
        "usherd.start", texts.LETTER_TITLE, found, submit=texts.REPLY_SUBMIT, close=texts.CANCEL, kept={}
    )


def incident(name: str, said: str) -> Json:
    """What is told to whoever asks of it; `said`: what is told so far."""
    box = blocks.boxes("value", [blocks.option(texts.INCIDENT_TELL, TELL)], ticked=False)
    return blocks.modal(
        "usherd.incident",
        texts.INCIDENT_TITLE,
        [
            blocks.context(texts.INCIDENT_TEXT),
            blocks.input_block("text", texts.INCIDENT_WORDS, blocks.writing("value", first=said)),
            blocks.input_block("then", texts.INCIDENT_ALSO, box, optional=True),
        ],
        submit=texts.INCIDENT_SUBMIT,
        close=texts.CANCEL,
        kept={"incident": name},
    )


def told(deed: Deed) -> dict[str, object] | None:
    """The fields of the command that this window stands for; None for any other."""
    if deed.action != "incident":
        return None
    values = deed.values
    return {
        "incident": deed.value.get("incident", ""),
        "text": str(values.get("text") or ""),
        "tell": TELL in (values.get("then") or ()),
    }
