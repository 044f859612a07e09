"""The files of a message: which there are, what they are called, and which are too large for a bot to be given."""

from __future__ import annotations

import msgspec

from channels.telegram.model import File, Posted

BOT_BYTES_MAX = 20_000_000  # Telegram gives a bot no larger file
_NAMES = {  # what stands for a name where the writer's app gave none, and its type
    "document": ("file", "application/octet-stream"),
    "voice": ("voice.ogg", "audio/ogg"),
    "audio": ("audio.mp3", "audio/mpeg"),
    "video": ("video.mp4", "video/mp4"),
    "video_note": ("video.mp4", "video/mp4"),
    "sticker": ("sticker.webp", "image/webp"),
}


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be fetched."""

    id: str
    name: str
    type: str
    size: int  # bytes; 0 where Telegram does not say


def files_of(posted: Posted, limit: int) -> list[Sent]:
    """The files of a message. Of a photo that comes in several sizes: the largest of at most `limit` bytes."""
    found: list[Sent] = []
    if posted.photo:
        fitting = [one for one in posted.photo if one.file_size <= limit] or posted.photo[:1]
        found.append(_sent(max(fitting, key=lambda one: one.file_size), "photo.jpg", "image/jpeg"))
    if posted.animation is not None:  # it stands in `document` as well
        found.append(_sent(posted.animation, "animation.mp4", "video/mp4"))
    for kind, (name, content_type) in _NAMES.items():
        file: File | None = getattr(posted, kind)
        if file is not None and not (kind == "document" and posted.animation is not None):
            found.append(_sent(file, name, content_type))
    return found


def _sent(file: File, name: str, content_type: str) -> Sent:
    return Sent(id=file.file_id, name=file.file_name or name, type=file.mime_type or content_type, size=file.file_size)
