"""A contact's card at the head of its thread: what it is, to whom a reply goes, and what can be done now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from channels.slack import blocks, texts
from channels.slack.blocks import Json
from channels.slack.mrkdwn import cut, date, escape, inline, pieces, plain, units
from router.desk.views import Card, File, Item, Row

BODIES = (4_800, 2_400, 1_200, 300, 0)  # characters of the message on the card: the most that there is room for
PIECE_UNITS_MAX = 2_400
FILES_NAMED_MAX = 10
WARNINGS_MAX = 2  # of one message
BANNERS_MAX = 6
OWN_BUTTONS = ("reply", "resolve", "transfer", "snooze", "wake", "note", "let_in", "leave", "unblock", "customer")
MORE = ("retag", "priority", "call", "merge", "spam")  # Slack's menu takes five
COPIES_NAMED_MAX = 8


class Post(msgspec.Struct, frozen=True):
    """What a message in Slack says: `text` is for notifications and screen readers."""

    text: str
    blocks: tuple[Json, ...]

    @property
    def digest(self) -> bytes:
        """The same for the same content."""
        return msgspec.json.encode((self.text, self.blocks))


def card(view: Card, head: str, why: str = "", hint: str = "") -> Post:
    """The card of a contact that the agent holds, or is offered, or has resolved.

    `head`: the message it shows; `hint`: what else to know before answering.
    """
    form = texts.FALLBACK_OFFER if view.offer else texts.FALLBACK
    return fitting(_fallback(form, view.contact), lambda room: _card(view, head, why, hint, room))


def fitting(text: str, made: Callable[[int], list[Json]]) -> Post:
    """A post with as much of the customer's words as one message has room for; `made` gets the characters for them."""
    found = made(BODIES[0])
    for room in BODIES[1:]:
        if blocks.size(found) <= blocks.MESSAGE_MAX:
            break
        found = made(room)
    return Post(text=text, blocks=tuple(found))


def _card(view: Card, head: str, why: str, hint: str, room: int) -> list[Json]:
    row = view.contact
    found = [blocks.header(heading(row)), blocks.context(stage(view), *facts(row, view.now))]
    found.append(blocks.context(*_about(view)))
    banners = [one for one in view.banners if not (view.offer and one.code == "offered")]
    found += [blocks.section(texts.NOTICE.format(text=cut(one.text, 400))) for one in banners[:BANNERS_MAX]]
    place = next((place for place, item in enumerate(view.items) if item.id == head), None)
    if place is not None:
        found += _before(sum(item.direction in {"in", "out"} for item in view.items[:place]))
        found += said(view.items[place], room, row.id)
    if view.articles:
        listed = [f"<{escape(one.url)}|{inline(one.title, 80).replace('|', '¦')}>" for one in view.articles]
        found.append(blocks.context(texts.ARTICLES.format(links=", ".join(listed))))
    if why:
        found.append(blocks.context(texts.WHY.format(why=cut(why, 600))))
    if view.offer:
        until = date(view.offer_until, texts.UNTIL_FORM, "soon")
        found.append(blocks.section(texts.UNTIL.format(until=until)))
    elif "reply" in view.actions:
        line = texts.ANSWER.format(line=cut(view.replies_line, 1_000))
        found.append(blocks.context(*(one for one in (line, hint) if one), *_copies(view)))
    elif view.guest:
        found.append(blocks.context(texts.GUEST_THREAD))
    return [*found, blocks.actions(*buttons(view))]


def _copies(view: Card) -> list[str]:
    """Who else was on the customer's message."""
    names = ", ".join(inline(one.name or one.address, 60) for one in view.cc[:COPIES_NAMED_MAX])
    more = ", …" if len(view.cc) > COPIES_NAMED_MAX else ""
    return [texts.COPIES.format(names=names + more)] if names else []


def gone(row: Row) -> Post:
    """What stays of a card whose contact went to somebody else: no button, and nothing that was written."""
    line = blocks.context(texts.GONE, texts.GONE_LINE)
    return Post(text=_fallback(texts.FALLBACK_GONE, row), blocks=(blocks.header(heading(row)), line))


def merged() -> Post:
    """What stays of the card of a contact that was merged into another: there is nothing in it any more."""
    return Post(text=texts.MERGED, blocks=(blocks.header(texts.MERGED_HEAD), blocks.context(texts.MERGED)))


def erased() -> Post:
    """What stays of the card of an erased customer."""
    return Post(text=texts.ERASED, blocks=(blocks.header(texts.ERASED_HEAD), blocks.context(texts.ERASED)))


def heading(row: Row) -> str:
    """Who and about what, in plain text."""
    return texts.HEAD.format(who=plain(row.who, 60), subject=plain(row.subject, 84))


def _fallback(form: str, row: Row) -> str:
    return form.format(who=plain(row.who, 60), subject=plain(row.subject, 120))


def stage(view: Card) -> str:
    """Where it stands, for the agent who looks."""
    if view.offer:
        return texts.OFFERED
    if view.guest:
        return texts.GUEST
    row = view.contact
    if row.state == "snoozed" and row.snoozed_until is not None:
        return texts.SNOOZED.format(when=date(row.snoozed_until, texts.DUE_FORM, "later"))
    return {"waiting_customer": texts.ON_CUSTOMER, "resolved": texts.RESOLVED}.get(row.state, texts.OPEN)


def facts(row: Row, now: int) -> list[str]:
    """Channel, language, priority, mood, topics and what is promised, each a few words."""
    found = [texts.CHANNELS.get(row.channel, inline(row.channel, 40)), inline(row.language, 40, empty="")]
    found += [texts.PRIORITY.get(row.priority, ""), inline(", ".join(row.moods), 40, empty="")]
    found += [inline(", ".join(row.topics), 300, empty=""), due(row, now)]
    return [one for one in found if one]


def due(row: Row, now: int) -> str:
    """What was promised next; nothing for what is resolved."""
    if row.due is None or row.state == "resolved":
        return ""
    when = date(row.due, texts.DUE_FORM, "a set time")
    return (texts.LATE if row.due < now else texts.DUE).format(when=when)


def _about(view: Card) -> list[str]:
    needs = ", ".join(view.requirement)
    return [cut(view.history, 400), *([texts.NEEDS.format(needs=inline(needs, 400))] if needs else [])]


def _before(number: int) -> list[Json]:
    if not number:
        return []
    return [blocks.context(texts.EARLIER_ONE if number == 1 else texts.EARLIER.format(n=number))]


def said(item: Item, room: int, contact: str) -> list[Json]:
    """The words of one message, in `room` characters, what to know of it, its files; the rest is behind the button."""
    found: list[Json] = []
    for part in pieces(item.text, PIECE_UNITS_MAX):
        room -= units(part)
        if room < 0:
            found.append(blocks.context(texts.MORE_BELOW))
            break
        found.append(blocks.section(part))
    found += [blocks.context(cut(warning, 300)) for warning in item.warnings[:WARNINGS_MAX]]
    listed = files(item.files)
    if not listed:
        return found
    found.append(blocks.context(listed))
    if item.direction == "in":
        value = {"contact": contact, "message": item.id}
        found.append(blocks.actions(blocks.button(texts.BUTTONS["files"], action_id("files"), value)))
    return found


def files(listed: Sequence[File]) -> str:
    """The names of files, or nothing."""
    named = [texts.FILE.format(name=inline(one.name, 80), size=texts.size(one.size)) for one in listed]
    shown = ", ".join(named[:FILES_NAMED_MAX])
    return texts.FILES.format(names=shown + (", …" if len(named) > FILES_NAMED_MAX else "")) if named else ""


def action_id(action: str) -> str:
    """How a button names its action."""
    return f"usherd.{action}"


def press(action: str, contact: str, offer: str = "", *, style: str = "") -> Json:
    """A button that acts on a contact."""
    value = {"contact": contact, "offer": offer} if offer else {"contact": contact}
    return blocks.button(texts.BUTTONS[action], action_id(action), value, style=style)


def buttons(view: Card) -> list[Json]:
    """What can be pressed now, most wanted first."""
    contact, actions = view.contact.id, view.actions
    if view.offer:
        return [
            press("accept", contact, view.offer, style="primary"),
            press("decline", contact, view.offer),
            press("read", contact),
            press("why", contact),
        ]
    found = [press(one, contact, style="primary" if one == "resolve" else "") for one in OWN_BUTTONS if one in actions]
    if "reopen" in actions:
        found.append(press("reopen", contact, style="primary"))
    found += [press("read", contact), press("why", contact)]
    more = [blocks.option(texts.BUTTONS[one], f"{one} {contact}") for one in MORE if one in actions]
    return [*found, blocks.overflow(action_id("more"), more)] if more else found
