"""From an inbox entry to a `Message`, and from the entry's bytes to a file in it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from channels.telegram import texts
from channels.telegram.entries import GROUPS, UNSHOWN, rating, started, stopped
from channels.telegram.entries import Item as Entry
from channels.telegram.model import Posted, Pressed, Update, User, read
from channels.telegram.packing import TELEGRAM, Packed, unpack
from router.core.errors import PoisonError
from router.core.message import Address, Attachment, Message
from router.core.plain import clean, first_words, one_line

NAME_CHARACTERS_MAX = 120
QUOTED_CHARACTERS_MAX = 2_000


def normalise(raw: bytes, meta: bytes) -> Message:  # noqa: ARG001 - the shape of every channel's `normalise`
    """Read an entry as a message. Raises PoisonError if it is none, or not as Telegram documents it."""
    packed, _ = unpack(raw)
    updates = _updates(packed)
    if updates and updates[0].callback_query is not None:
        return _rating(updates[0].callback_query)
    posts = [update.posted for update in updates if update.posted is not None]
    if not posts:
        raise PoisonError("an update of Telegram's without a message")
    first = posts[0]
    text = "\n\n".join(filter(None, (_text(post) for post in posts)))
    unit = tuple(Entry(number=one.update_id, raw=b"", update=one) for one in updates)
    from_, place = _writer(first), _place(first)
    pressed, word = started(unit)
    stops = stopped(unit)
    return Message(
        channel=TELEGRAM,
        from_=from_,
        reply_to=() if place.address == from_.address else (place,),
        subject=first_words(text or ", ".join(file.name for file in packed.files)),
        sent_at=_instant(first.edit_date or first.date),
        text=text,
        quoted=_quoted(first),
        full_text=text,
        attachments=_attachments(packed),
        message_id=external(packed.bot, first),
        in_reply_to=external(packed.bot, first.reply_to_message) if first.reply_to_message is not None else None,
        auto="command" if pressed or stops else None,
        proof=word,
        consent=False if stops else None,
        warnings=tuple(_warnings(packed, posts)),
        revises=external(packed.bot, first) if updates[0].edited_message is not None else None,
        language=first.from_.language_code if first.from_ is not None else "",
    )


def _rating(pressed: Pressed) -> Message:
    """A button under the question after a contact."""
    rates = rating(pressed)
    if rates is None:
        raise PoisonError("a button of Telegram's that is none of ours")
    writer = Address(address=f"{TELEGRAM}:{pressed.from_.id}", name=_name(pressed.from_))
    return Message(channel=TELEGRAM, from_=writer, auto="command", rates=rates)


def extract(raw: bytes, part: int) -> tuple[str, str, bytes]:
    """A file that a customer sent: its safe name, content type and bytes. Raises PoisonError if there is none."""
    packed, contents = unpack(raw)
    if not 0 <= part < len(packed.files) or not packed.files[part].size:
        raise PoisonError(f"the message has no file {part}")
    begin = sum(file.size for file in packed.files[:part])
    file = packed.files[part]
    return file.name, file.type, bytes(contents[begin : begin + file.size])


def external(bot: int, posted: Posted) -> str:
    """What a message is called outside Telegram: in a private chat its number alone is known to be of one bot."""
    return f"{TELEGRAM}:{bot}:{posted.chat.id}:{posted.message_id}"


def _updates(packed: Packed) -> list[Update]:
    try:
        return [read(bytes(raw)) for raw in packed.updates]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise PoisonError("an update that is not as Telegram documents it") from error


def _writer(posted: Posted) -> Address:
    """A person; or a group or channel in whose name somebody writes."""
    if posted.from_ is not None and posted.sender_chat is None:
        return Address(address=f"{TELEGRAM}:{posted.from_.id}", name=_name(posted.from_))
    chat = posted.sender_chat or posted.chat
    return Address(address=f"{TELEGRAM}:{chat.id}", name=one_line(chat.title, NAME_CHARACTERS_MAX) or texts.NO_NAME)


def _name(user: User) -> str:
    name = one_line(f"{user.first_name} {user.last_name}", NAME_CHARACTERS_MAX) or texts.NO_NAME
    return f"{name} (@{one_line(user.username, NAME_CHARACTERS_MAX)})" if user.username else name


def _place(posted: Posted) -> Address:
    """Where the answer goes."""
    thread = posted.message_thread_id if posted.is_topic_message else None
    address = f"{TELEGRAM}:{posted.chat.id}" + (f"/{thread}" if thread is not None else "")
    return Address(
        address=address,
        name=one_line(posted.chat.title, NAME_CHARACTERS_MAX) or (_name(posted.from_) if posted.from_ else ""),
    )


def _text(posted: Posted) -> str:
    lines = [clean(posted.words)]
    if posted.venue is not None:
        lines.append(texts.VENUE.format(title=posted.venue.get("title"), address=posted.venue.get("address")))
    elif posted.location is not None:
        place = {name: posted.location.get(name) for name in ("latitude", "longitude")}
        lines.append(texts.LOCATION.format(**place))
    if posted.contact is not None:
        who = " ".join(str(posted.contact.get(name) or "") for name in ("first_name", "last_name")).strip()
        lines.append(texts.CONTACT.format(name=who, phone=posted.contact.get("phone_number")))
    return "\n".join(clean(line) for line in lines if line)


def _quoted(posted: Posted) -> str:
    """What it answers, as far as Telegram tells: the stretch that the writer chose, or all of it."""
    answered = posted.reply_to_message
    chosen = str((posted.quote or {}).get("text") or "") or (answered.words if answered is not None else "")
    return clean(chosen)[:QUOTED_CHARACTERS_MAX]


def _attachments(packed: Packed) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(filename=file.name, content_type=file.type, size=file.size, sha256=file.sha256, part=part)
        for part, file in enumerate(packed.files)
        if file.size
    )


def _warnings(packed: Packed, posts: list[Posted]) -> list[str]:
    found = [file.problem for file in packed.files if file.problem]
    kinds = sorted({kind for post in posts for kind in UNSHOWN if getattr(post, kind) is not None})
    if kinds:
        found.append(texts.NOT_SHOWN.format(kinds=", ".join(kind.replace("_", " ") for kind in kinds)))
    if posts[0].forward_origin is not None:
        found.append(_forwarded(posts[0].forward_origin))
    if posts[0].chat.type in GROUPS:
        found.append(texts.IN_GROUP)
    return found


def _forwarded(origin: dict[str, object]) -> str:
    user, chat = origin.get("sender_user"), origin.get("chat") or origin.get("sender_chat")
    who = str(origin.get("sender_user_name") or "")
    if isinstance(user, dict):
        who = f"{user.get('first_name') or ''} {user.get('last_name') or ''}"
    elif isinstance(chat, dict):
        who = str(chat.get("title") or "")
    who = one_line(who, NAME_CHARACTERS_MAX)
    return texts.FORWARDED.format(who=who) if who else texts.FORWARDED_HIDDEN


def _instant(seconds: int) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None
