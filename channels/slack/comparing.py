"""What customers wrote in a channel and may have deleted while nobody listened: Slack's history has no word of that."""

from __future__ import annotations

import msgspec

from channels.slack.normal import external, place_of
from channels.slack.packing import SLACK
from router.core.message import Message
from router.core.state import Contact
from router.core.transitions import ContactState
from router.desk.model import Desk
from router.desk.ports import Texts

DELETED = "deleted"


class Had(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's message that stood in Slack when it came in."""

    ts: str
    user: str


async def had(desk: Desk, read: Texts, channel: str) -> dict[str, list[Had]]:
    """By thread, what customers wrote in a channel's open contacts, but for what is known to be gone."""
    state = await desk.source.settled()
    account = f"{SLACK}/{channel}"
    contacts = [
        one for one in state.contacts.values() if one.account == account and one.state is not ContactState.RESOLVED
    ]
    found: dict[str, list[Had]] = {}
    for contact in contacts:
        for thread, listed in (await _of(contact, read, channel)).items():
            found.setdefault(thread, []).extend(listed)
    return found


async def _of(contact: Contact, read: Texts, channel: str) -> dict[str, list[Had]]:
    refs = [ref.id for ref in contact.messages if ref.direction == "in"]
    messages = await read.messages(refs)
    written = [messages[one] for one in refs if one in messages]
    gone = {one.revises for one in written if one.auto == DELETED}
    found: dict[str, list[Had]] = {}
    for one in written:
        place = _place(one, channel)
        if place is not None and one.revises is None and one.message_id not in gone:
            thread, ts = place
            found.setdefault(thread, []).append(Had(ts=ts, user=one.from_.address.removeprefix(f"{SLACK}:")))
    return found


def _place(message: Message, channel: str) -> tuple[str, str] | None:
    """The (thread, timestamp) of a message of this channel; None for what came another way."""
    begin = external(channel, "")
    place = place_of(message.reply_to[0].address) if message.reply_to else None
    own = message.message_id or ""
    if place is None or place[0] != channel or not own.startswith(begin):
        return None
    return place[1], own.removeprefix(begin)
