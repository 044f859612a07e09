"""From updates to inbox entries: which are for us, what makes two the same, what lies beside the message."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence

import msgspec

from channels.telegram.files import files_of
from channels.telegram.model import Posted, Pressed, Update, cut, read
from channels.telegram.packing import TELEGRAM, Fetched, Packed, pack
from router.core.ports import InboxEntry

_DIGEST_BYTES = 16
_START = re.compile(r"/start(?:@\w{1,64})?(?:\s+([A-Za-z0-9_-]{1,64}))?")
_STOP = re.compile(r"/stop(?:@\w{1,64})?")
_RATING = re.compile(r"rate:([A-Za-z0-9-]{1,40}:[1-5])")
_HALVES = re.compile("[\ud800-\udfff]")
GROUPS = ("group", "supergroup")


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The bot. `username`: in small letters, without the @."""

    id: int
    username: str


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An update as it came. `raw`: compact JSON. `update` None: it is not as Telegram documents it."""

    number: int
    raw: bytes
    update: Update | None

    @property
    def posted(self) -> Posted | None:
        """Its message, if it has one."""
        return self.update.posted if self.update is not None else None

    @property
    def album(self) -> tuple[int, str] | None:
        """The album it belongs to. An edited item is an edit and nothing else."""
        message = self.update.message if self.update is not None else None
        return (message.chat.id, message.media_group_id) if message is not None and message.media_group_id else None


Unit = tuple[Item, ...]  # one message: an update, or those of an album in order


def item(raw: bytes) -> Item | None:
    """An update as it came; None for JSON that does not even have a number, or is no JSON.

    Half of a surrogate pair, which JSON can spell and no text can hold, becomes a replacement character.
    """
    try:
        plain = json.loads(raw)
        compact = _HALVES.sub("\ufffd", json.dumps(plain, ensure_ascii=False, separators=(",", ":"))).encode()
        found = int(plain["update_id"])
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    try:
        return Item(number=found, raw=compact, update=read(compact))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Item(number=found, raw=compact, update=None)


def is_for_us(unit: Unit, me: Me) -> bool:
    """Whether somebody writes to us. In a group that takes our name, or an answer to us; channels are no customers.

    What cannot be read is for us: a person looks at it.
    """
    return any(one.update is None or _is_meant(one.update, me) for one in unit)


def _is_meant(update: Update, me: Me) -> bool:
    if update.callback_query is not None:
        return rating(update.callback_query) is not None
    return update.posted is not None and _is_addressed(update.posted, me)


def _is_addressed(posted: Posted, me: Me) -> bool:
    if not says_something(posted) or (posted.from_ is not None and posted.from_.id == me.id):
        return False
    if posted.chat.type == "private":
        return True
    return posted.chat.type in GROUPS and (_answers(posted, me) or _names(posted, me))


def _answers(posted: Posted, me: Me) -> bool:
    answered = posted.reply_to_message
    return answered is not None and answered.from_ is not None and answered.from_.id == me.id


def _names(posted: Posted, me: Me) -> bool:
    for mark in posted.marks:
        if mark.type == "text_mention" and mark.user is not None and mark.user.id == me.id:
            return True
        if mark.type in {"mention", "bot_command"}:
            word = cut(posted.words, mark.offset, mark.length).lower()
            if word.endswith(f"@{me.username}"):
                return True
    return False


def rating(pressed: Pressed) -> str | None:
    """Which contact somebody rates by a button, and how: `c12:5`."""
    found = _RATING.fullmatch(pressed.data)
    return found[1] if found is not None else None


UNSHOWN = ("poll", "dice", "story", "game", "paid_media", "checklist", "invoice")


def says_something(posted: Posted) -> bool:
    """Whether it is more than a note of Telegram's own, such as that somebody joined."""
    plain = posted.words or posted.location or posted.venue or posted.contact or files_of(posted, 0)
    return bool(plain) or any(getattr(posted, kind) is not None for kind in UNSHOWN)


def started(unit: Unit) -> tuple[bool, str]:
    """Whether somebody pressed *Start*, in private, and the word that the link to the bot carried."""
    posted = unit[0].posted
    found = _START.fullmatch(posted.text.strip()) if posted is not None and posted.chat.type == "private" else None
    return found is not None, (found[1] or "") if found is not None else ""


def stopped(unit: Unit) -> bool:
    """Whether somebody wants no more messages from a machine."""
    posted = unit[0].posted
    return posted is not None and posted.chat.type == "private" and _STOP.fullmatch(posted.text.strip()) is not None


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the entries of one bot. `tidy` makes a file's name and type safe; `claim`: see `claims`."""

    bot: int
    tidy: Callable[[str, str], tuple[str, str]]
    claim: bytes

    def entry(self, unit: Unit, files: Sequence[tuple[Fetched, bytes]] = ()) -> InboxEntry:
        """The entry of one message. Files make no difference to which message it is. Reads them: call it in a thread.

        The key is that of the first update. The body is made of what Telegram never changes about a message, so that
        what is fetched twice is the same, and a number that is given out anew after a long silence is not.
        """
        posted = unit[0].posted
        meta: dict[str, object] = {"account": TELEGRAM}
        if posted is not None and posted.chat.type in GROUPS:
            meta = {"account": f"{TELEGRAM}/{posted.chat.id}", "quiet": True}  # everybody there would read it
        packed = Packed(
            bot=self.bot,
            updates=tuple(msgspec.Raw(one.raw) for one in unit),
            files=tuple(self._checked(file, content) for file, content in files),
        )
        return InboxEntry(
            source=TELEGRAM,
            key=_digest(f"{TELEGRAM}\0{self.bot}\0{unit[0].number}"),
            body=_body(unit),
            meta=msgspec.json.encode(meta),
            raw=pack(packed, tuple(content for _, content in files)),
        )

    def claims(self, unit: Unit) -> list[InboxEntry]:
        """Entries of usherd's own that say nothing: one for each item of an album, to be stored with it in one go.

        The album's own key is that of its first item alone. Whoever is brought some of its items again, others or
        fewer of them together than before, sees by these which were stored: the key is known, in another message.
        """
        body = _body(unit)
        keys = [_digest(f"{TELEGRAM}\0{self.bot}\0item\0{_stamp(one)}") for one in unit]
        return [InboxEntry(source="internal", key=key, body=body, meta=self.claim) for key in keys]

    def _checked(self, file: Fetched, content: bytes) -> Fetched:
        name, content_type = self.tidy(file.name, file.type)
        digest = hashlib.sha256(content).hexdigest() if content else ""
        return Fetched(name=name, type=content_type, size=len(content), sha256=digest, problem=file.problem)


def _body(unit: Unit) -> bytes:
    return _digest("\0".join(_stamp(one) for one in unit))


def _stamp(one: Item) -> str:
    posted = one.posted
    if posted is None:
        return f"{one.number} {hashlib.sha256(one.raw).hexdigest()}"
    return f"{one.number} {posted.chat.id} {posted.message_id} {posted.date} {posted.edit_date}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES]
