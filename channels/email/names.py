"""Names of attachments, made safe: a name is text from a stranger that ends in a file system, a page and a header."""

from __future__ import annotations

import mimetypes
import re
import unicodedata

NAME_CHARS_MAX = 120  # with the extension; file systems allow 255 bytes, and four bytes a character are possible
_EXTENSION_CHARS_MAX = 12
_TYPES = mimetypes.MimeTypes()  # its own table, not the machine's: the same name everywhere
_NOT_SAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?:\.|$)", re.IGNORECASE)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_EXTENSIONS = {  # where the system's table has an odd one, or none
    "image/jpeg": ".jpg",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "message/rfc822": ".eml",
    "message/global": ".eml",
    "message/delivery-status": ".txt",
    "message/feedback-report": ".txt",
    "message/disposition-notification": ".txt",
    "text/rfc822-headers": ".txt",
    "application/ms-tnef": ".dat",
    "application/vnd.ms-tnef": ".dat",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
}


def extension_of(content_type: str) -> str:
    """The usual extension of a content type, with its dot, or `.bin`."""
    return _EXTENSIONS.get(content_type) or _TYPES.guess_extension(content_type, strict=False) or ".bin"


def safe_filename(name: str, content_type: str = "application/octet-stream", number: int = 0) -> str:
    """A name of at most `NAME_CHARS_MAX` characters that is a file name and nothing else, on any system.

    No folders, control or direction characters, no leading dot or dash, no device name. Where nothing is left it is
    `part-<number>` with the extension of the content type.
    """
    text = unicodedata.normalize("NFC", _SURROGATE.sub("", name[:2000]))
    text = text.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    text = _NOT_SAFE.sub("", text)
    text = " ".join(text.split()).strip(" .").lstrip("-~")
    if _RESERVED.match(text):
        text = "_" + text
    if not text:
        return f"part-{number}{extension_of(content_type)}"
    if len(text) > NAME_CHARS_MAX:
        stem, dot, extension = text.rpartition(".")
        if not dot or len(extension) > _EXTENSION_CHARS_MAX:
            stem, extension = text, ""
        ending = dot + extension if extension else ""
        text = stem[: NAME_CHARS_MAX - len(ending)].rstrip(" .") + ending
    return text
