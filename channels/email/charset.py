"""Charsets: bytes to text, whatever the label says.

A label is a claim. UTF-8 that decodes strictly is believed over any single-byte label, since other text hardly ever
does; an unknown or wrong label falls back to UTF-8 and then to Windows-1252, as browsers do (WHATWG Encoding).
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

# Names seen in mail that Python does not know, or knows too strictly. GB 18030 and cp949 are supersets.
_ALIASES = {
    "unicode-1-1-utf-7": "utf-7",
    "unicode": "utf-16",
    "utf-8-mac": "utf-8",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb-2312": "gb18030",
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "euc-kr": "cp949",
    "ks-c5601-1987": "cp949",
    "big5": "big5hkscs",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "windows-31j": "cp932",
    "x-euc-jp": "euc_jp",
    "iso-2022-jp": "iso2022_jp_ext",
    "cp-850": "cp850",
    "x-cp1252": "cp1252",
    "x-mac-roman": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "visual": "iso-8859-8",
    "logical": "iso-8859-8",
    "x-windows-949": "cp949",
    "windows-874": "cp874",
    "x-windows-874": "cp874",
    "tis-620": "cp874",
    "iso-8859-11": "cp874",
    "iso-8859-9": "cp1254",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso8859-1": "cp1252",
}
_UTF8_FIRST = frozenset({"", "us-ascii", "ascii", "utf-8", "utf8", "utf_8", "7bit", "8bit", "default", "unknown-8bit"})
# Codecs that are no charsets, or that cost more than linear time.
_REFUSED = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SINGLE_BYTE = re.compile(r"cp125\d|iso8859|koi8|mac|cp8\d\d|cp437")


@lru_cache(maxsize=512)
def codec_of(label: str) -> str | None:
    """The name of Python's codec for a charset label, or None if it names no charset we decode."""
    name = label.strip().strip("\"'").lower()
    name = _ALIASES.get(name, name)
    if not name or len(name) > 40 or not name.isascii() or "\0" in name:  # noqa: PLR2004 - no label is longer
        return None
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    if not getattr(found, "_is_text_encoding", True) or found.name.replace("-", "_") in _REFUSED:
        return None
    return found.name


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError):
        return None


def _windows(data: bytes) -> str:
    """Windows-1252, with Latin-1 for the five bytes it leaves open: never fails, never loses a byte."""
    text = _strict(data, "cp1252")
    return data.decode("latin-1") if text is None else text


def _labelled(data: bytes, label: str) -> tuple[str, str | None]:
    codec = codec_of(label)
    if codec is None:
        text = _strict(data, "utf-8")
        return (_windows(data) if text is None else text), f"unknown charset {label[:40]!r}"
    if _SINGLE_BYTE.search(codec) and not data.isascii():
        text = _strict(data, "utf-8")
        if text is not None:
            return text, f"says charset {label[:40]!r} but is UTF-8"
    text = _strict(data, codec)
    if text is not None:
        return text, None
    if codec == "cp1252":
        return _windows(data), None
    text = _strict(data, "utf-8")
    if text is not None:
        return text, f"says charset {label[:40]!r} but is UTF-8"
    return data.decode(codec, "replace"), f"some characters are not {label[:40]!r}"


def decode(data: bytes, label: str = "") -> tuple[str, str | None]:
    """Text of `data`, whose charset is said to be `label`, and a warning in plain words, or None. Never raises."""
    if data.isascii() and b"\x1b$" not in data and b"\0" not in data:
        codec = codec_of(label) if label else None
        if codec in {None, "utf-8", "ascii"} or (codec and _SINGLE_BYTE.search(codec)):
            warning = (
                f"unknown charset {label[:40]!r}" if label.strip().lower() not in _UTF8_FIRST and not codec else None
            )
            return data.decode("ascii"), warning
    warning = None
    for bom, codec in _BOMS:
        if data.startswith(bom):
            text = data.decode(codec, "replace")
            break
    else:
        if label.strip().lower() in _UTF8_FIRST:
            text, warning = _unlabelled(data)
        else:
            text, warning = _labelled(data, label)
    if not text.isascii() and _SURROGATE.search(text):  # UTF-7 can say halves of a character; nobody can store them
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "").replace("\ufeff", ""), warning


def _unlabelled(data: bytes) -> tuple[str, str | None]:
    if b"\x1b$" in data:
        text = _strict(data, "iso2022_jp_ext")
        if text is not None:
            return text, None
    text = _strict(data, "utf-8")
    if text is not None:
        return text, None
    return _windows(data), "has bytes of no stated charset, read as Windows-1252"
