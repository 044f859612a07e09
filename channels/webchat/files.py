"""Names of files that visitors send: text from a stranger that ends in a file system, a page and a header."""

from __future__ import annotations

import re
import unicodedata

NAME_CHARACTERS_MAX = 120
_EXTENSION_CHARACTERS_MAX = 12
_NOT_SAFE = re.compile(
    r'[\x00-\x1f\x7f-\x9f<>:"|?*\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]'
)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?:\.|$)", re.IGNORECASE)
_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,80}")
UNKNOWN_TYPE = "application/octet-stream"


def safe_name(name: str) -> str:
    """A file name and nothing else, on any system, of at most NAME_CHARACTERS_MAX characters; `file` if none is left.

    No folders, control or direction characters, no leading dot or dash, no device name.
    """
    text = unicodedata.normalize("NFC", _NOT_SAFE.sub("", name[:2_000]))
    text = text.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    text = " ".join(text.split()).strip(" .").lstrip("-~")
    if _RESERVED.match(text):
        text = "_" + text
    if len(text) > NAME_CHARACTERS_MAX:
        stem, dot, extension = text.rpartition(".")
        if not dot or len(extension) > _EXTENSION_CHARACTERS_MAX:
            stem, extension = text, ""
        ending = dot + extension if extension else ""
        text = stem[: NAME_CHARACTERS_MAX - len(ending)].rstrip(" .") + ending
    return text or "file"


def safe_type(content_type: str) -> str:
    """The content type that the browser named, without parameters, or `application/octet-stream`."""
    plain = content_type.partition(";")[0].strip().lower()
    return plain if _TYPE.fullmatch(plain) else UNKNOWN_TYPE
