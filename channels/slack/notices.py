"""What stands in a contact's thread under its card: the customer's messages, answers and notes of colleagues."""

from __future__ import annotations

from collections.abc import Sequence

from channels.slack import blocks, texts
from channels.slack.blocks import Json
from channels.slack.card import Post, fitting, press, said
from channels.slack.mrkdwn import cut, date, inline, plain
from router.desk.views import Card, Item

TOGETHER_MS = 120_000  # a customer's messages within so long are one notice
TOGETHER_MAX = 4


def groups(items: Sequence[Item]) -> list[tuple[Item, ...]]:
    """Items as they are told: a customer's messages that follow one another within two minutes at once."""
    found: list[list[Item]] = []
    for item in items:
        last = found[-1] if found else None
        if last is not None and _joins(last, item):
            last.append(item)
        else:
            found.append([item])
    return [tuple(one) for one in found]


def _joins(told: list[Item], item: Item) -> bool:
    first = told[0]
    alike = first.direction == "in" == item.direction and first.who == item.who and first.auto == item.auto
    return alike and item.at - first.at <= TOGETHER_MS and len(told) < TOGETHER_MAX


def notice(items: Sequence[Item], contact: str) -> Post:
    """One post for items of one group."""
    first = items[0]
    text = texts.FALLBACK_IN.format(who=plain(first.who, 60), snippet=plain(first.text, 200))
    return fitting(text, lambda room: _notice(items, contact, room // len(items)))


def _notice(items: Sequence[Item], contact: str, room: int) -> list[Json]:
    found: list[Json] = [blocks.section(_headline(items[0]))]
    for item in items:
        found += said(item, room, contact)
    return [*found, *delivery(items[-1], contact)]


def _headline(item: Item) -> str:
    when = date(item.at, texts.WROTE_FORM, "just now")
    who = inline(item.who, 80)
    if item.auto:
        return texts.MACHINE.format(kind=inline(item.auto, 80), when=when)
    form = {"in": texts.WROTE, "out": texts.ANSWERED}.get(item.direction, texts.NOTED)
    return form.format(who=who, when=when)


def delivery(item: Item, contact: str) -> list[Json]:
    """How an answer fares, with a button where it failed."""
    if item.direction != "out" or not item.delivery:
        return []
    if item.delivery == "sent":
        return [blocks.context(texts.DELIVERED)]
    if item.delivery == "failed":
        return [*failure(item, contact).blocks]
    return [blocks.context(texts.UNDER_WAY.format(how=cut(item.delivery_text, 200)))]


def failure(item: Item, contact: str) -> Post:
    """Said under an answer that was not delivered; sending it once more is a button, unless it had files."""
    text = texts.FAILED.format(why=cut(item.delivery_text or texts.FAILED_WHY, 300))
    found = [blocks.section(text)]
    if item.mine and not item.files:
        value = {"contact": contact, "message": item.id}
        found.append(blocks.actions(blocks.button(texts.BUTTONS["retry"], "usherd.retry", value)))
    return Post(text=text, blocks=tuple(found))


def news(text: str) -> Post:
    """One sentence of ours."""
    return Post(text=text, blocks=(blocks.section(text),))


def offered_again(view: Card) -> Post:
    """Said in the thread when a contact comes back: a changed card alone notifies nobody."""
    given = texts.CALLED_IN if view.guest else texts.GIVEN
    text = texts.AGAIN.format(until=date(view.offer_until, texts.UNTIL_FORM, "soon")) if view.offer else given
    offer = [blocks.actions(press("accept", view.contact.id, view.offer, style="primary"))] if view.offer else []
    return Post(text=text, blocks=(blocks.section(text), *offer))
