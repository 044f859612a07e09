"""What of the Bot API's objects is read; names, types and which are optional as Telegram documents them.

What Telegram adds later is passed over, so that a new kind of message never stops the old ones.
"""

from __future__ import annotations

from typing import Any

import msgspec


class User(msgspec.Struct, kw_only=True):
    """Who wrote. `language_code`: what their app is set to (BCP 47)."""

    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = ""


class Chat(msgspec.Struct, kw_only=True):
    """Where. `type`: private | group | supergroup | channel."""

    id: int
    type: str
    title: str = ""


class Entity(msgspec.Struct, kw_only=True):
    """A stretch of a text that means something; offset and length in UTF-16 units. `user`: of a `text_mention`."""

    type: str
    offset: int
    length: int
    user: User | None = None


class File(msgspec.Struct, kw_only=True):
    """Any of the Bot API's files: photo size, document, voice, audio, video, sticker."""

    file_id: str
    file_unique_id: str
    file_size: int = 0
    file_name: str = ""
    mime_type: str = ""


class Posted(msgspec.Struct, kw_only=True):
    """A message, as far as it is read. What else it may hold (`poll`, `venue`, …) is only known to be there."""

    message_id: int
    date: int
    chat: Chat
    from_: User | None = msgspec.field(name="from", default=None)
    sender_chat: Chat | None = None
    message_thread_id: int | None = None
    is_topic_message: bool = False
    edit_date: int = 0
    media_group_id: str = ""
    reply_to_message: Posted | None = None
    quote: dict[str, Any] | None = None
    forward_origin: dict[str, Any] | None = None
    text: str = ""
    caption: str = ""
    entities: list[Entity] = []
    caption_entities: list[Entity] = []
    photo: list[File] = []
    document: File | None = None
    voice: File | None = None
    audio: File | None = None
    video: File | None = None
    video_note: File | None = None
    animation: File | None = None
    sticker: File | None = None
    location: dict[str, Any] | None = None
    venue: dict[str, Any] | None = None
    contact: dict[str, Any] | None = None
    poll: Any = None
    dice: Any = None
    story: Any = None
    game: Any = None
    paid_media: Any = None
    checklist: Any = None
    invoice: Any = None

    @property
    def words(self) -> str:
        """What was written, be it under a file."""
        return self.text or self.caption

    @property
    def marks(self) -> list[Entity]:
        """What in the words means something."""
        return self.entities or self.caption_entities


class Pressed(msgspec.Struct, kw_only=True):
    """A button under one of our messages was pressed. `data`: what we put into it."""

    id: str
    from_: User = msgspec.field(name="from")
    message: Posted | None = None
    data: str = ""


class Update(msgspec.Struct, kw_only=True):
    """One thing that happened. Of all kinds only messages, their edits, and pressed buttons are asked for."""

    update_id: int
    message: Posted | None = None
    edited_message: Posted | None = None
    callback_query: Pressed | None = None

    @property
    def posted(self) -> Posted | None:
        """The message, new or edited."""
        return self.message or self.edited_message


KINDS = ["message", "edited_message", "callback_query"]
_UPDATE = msgspec.json.Decoder(Update)


def read(raw: bytes) -> Update:
    """An update. Raises msgspec.MsgspecError, or UnicodeDecodeError, for what is none."""
    return _UPDATE.decode(raw)


def cut(text: str, offset: int, length: int) -> str:
    """The stretch of a text that an entity names, in UTF-16 units."""
    units = text.encode("utf-16-le", "surrogatepass")
    return units[offset * 2 : (offset + length) * 2].decode("utf-16-le", "replace")
