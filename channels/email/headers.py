"""What header fields say: text, addresses, parameters, ids, dates. Forgiving, linear, and never raising.

RFC 2047 words are read in all the ways they are broken: unterminated, spaces inside, no padding, characters split
over two words, unknown charsets. Raw 8-bit text is UTF-8 if it can be, else in the charset hinted at.
"""

from __future__ import annotations

import binascii
import contextlib
import email.utils
import re
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from channels.email import charset
from router.core.message import Address

_FOLD = re.compile(r"[\r\n]+[ \t]*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u2028\u2029]")
_WORD_START = re.compile(r"=\?([^?\s=]{1,60})\?([bBqQ])\?")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_YEAR_MIN, _YEAR_MAX = 1971, 2200
_BASE64_BLOCKS_MAX = 1_000
_DATE_CHARS_MAX = 200
_DAYS_MAX, _HOURS_MAX = 31, 24
_ISO_DATE = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d{1,9})?\s?(Z|[+-]\d\d:?\d\d)?")


def _plain(value: bytes, hint: str) -> str:
    """Bytes of a field as text, unfolded."""
    if value.isascii() and b"\x1b$" not in value:
        text = value.decode("ascii")
    else:
        text, warning = charset.decode(value)
        if warning and hint:
            text = charset.decode(value, hint)[0]
    if "\n" in text or "\r" in text:
        text = _FOLD.sub(" ", text)
    return text


def base64_bytes(data: bytes) -> bytes:
    """Base64 with whatever was put in between, padded anew; what follows a padding is read as a further block."""
    blocks = [data]
    if 0 < data.rstrip(b"=\r\n \t").count(b"=") <= _BASE64_BLOCKS_MAX:
        blocks = data.split(b"=")
    out = []
    for block in blocks:
        clean = block.translate(None, _NOT_BASE64)
        if len(clean) % 4 == 1:
            clean = clean[:-1]
        out.append(binascii.a2b_base64(clean + b"=" * (-len(clean) % 4)))
    return b"".join(out)


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if encoding in "bB":
        return base64_bytes(data)
    return _HEX.sub(lambda found: bytes((int(found.group(1), 16),)), data.replace(b"_", b" "))


class _Run:
    """A stretch of a field: plain text, or the bytes of encoded words of one charset that stand side by side."""

    __slots__ = ("label", "pieces", "plain")

    def __init__(self, label: str = "", plain: str = "") -> None:
        self.label = label
        self.plain = plain
        self.pieces: list[bytes] = []

    def text(self) -> str:
        return charset.decode(b"".join(self.pieces), self.label)[0] if self.label else self.plain


def _runs(text: str) -> list[_Run]:
    """Cut a field into plain text and encoded words; a character split over two words comes together again."""
    runs: list[_Run] = []
    position = closing = 0
    for start in _WORD_START.finditer(text):
        if start.start() < position:
            continue
        between = text[position : start.start()]
        if between and not (runs and runs[-1].label and between.isspace()):
            runs.append(_Run(plain=between))
        if 0 <= closing < start.end():  # looked for once: no closing sign after here means none later
            closing = text.find("?=", start.end())
        stop = closing if closing >= 0 else len(text)
        following = text.find("=?", start.end(), min(stop, start.end() + 4096))
        if following >= 0 and _WORD_START.match(text, following):
            stop = position = following  # this word was never closed
        else:
            position = min(stop + 2, len(text))
        label = start.group(1).partition("*")[0].lower()
        if not (runs and runs[-1].label == label):
            runs.append(_Run(label=label))
        runs[-1].pieces.append(_word_bytes(start.group(2), text[start.end() : stop].rstrip(" ")))
    runs.append(_Run(plain=text[position:]))
    return runs


def words(text: str) -> str:
    """Decode the RFC 2047 words in a text."""
    if "=?" not in text:
        return text
    return "".join(run.text() for run in _runs(text))


def text(value: bytes, hint: str = "") -> str:
    """A field such as Subject as readable text on one line. `hint`: the charset that raw 8-bit text may be in."""
    plain = words(_plain(value, hint))
    if "\n" in plain or "\r" in plain:
        plain = _FOLD.sub(" ", plain)
    return _CONTROL.sub(" ", plain).replace("\t", " ").strip()


# ---- addresses ---------------------------------------------------------------------------------------------------

_ENCODED = r"=\?[^?\s=]{1,60}\?[bBqQ]\?[^?]{0,1000}\?="
_TOKEN = re.compile(_ENCODED + r'|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[()<>,;:"\\]|[^()<>,;:"\\=]+|=', re.DOTALL)
_TOKEN_NO_QUOTES = re.compile(_ENCODED + r"|[()<>,;:]|[^()<>,;:=]+|=")
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"]{1,200}@[^\s@<>(),;:\"]{1,255}")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class _Reader:
    """Reads one address list, token by token: constant work for each, no recursion."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.found: list[Address] = []
        self.words: list[str] = []
        self.comments: list[str] = []
        self.angle: list[str] | None = None
        self.depth = 0

    def take(self, piece: str) -> None:
        if self.depth:
            self.depth += (piece == "(") - (piece == ")")
            if self.depth:
                self.comments.append(piece)
        elif piece == "(":
            self.depth = 1
        elif piece == "<":
            self.angle = []
        elif piece == ">":
            self.close_angle()
        elif piece in {",", ";"}:
            self.close()
        elif piece == ":" and self.angle is None:
            self.words.clear()  # the name of a group
        elif self.angle is not None:
            self.angle.append(piece)
        else:
            self.words.append(piece)

    def close_angle(self) -> None:
        if self.angle is not None:
            self.close()

    def close(self) -> None:
        """End one address and note it, if it is one."""
        address = "".join(self.angle or ())
        name = "".join(self.words)
        if self.angle is None:
            bare = _ADDRESS.search(name[:2000])
            address = bare.group() if bare else ""
            name = name[: bare.start()] + name[bare.end() :] if bare else name
            if not address and '"' in name and name.count("@") == 1:
                address, name = name.strip(), ""  # "a b"@example.com
            name = name.strip() or "".join(self.comments)
        elif not name.strip():
            name = "".join(self.comments)
        if (address or name.strip()) and len(self.found) < self.limit:
            self.found.append(Address(address=clean_address(address), name=_name(name)))
        self.words.clear()
        self.comments.clear()
        self.angle = None


def clean_address(address: str) -> str:
    """An address as it is compared and stored: no blanks, brackets, route or control characters, lower case."""
    address = _CONTROL.sub("", words(address)).strip().strip("<>").removeprefix("mailto:")
    if address.startswith("@") and ":" in address:
        address = address.rpartition(":")[2]  # a source route
    if '"' not in address:
        address = "".join(address.split())
    return address.strip("'.,").lower()[:512]


def _name(name: str) -> str:
    name = name.strip()
    if len(name) > 1 and name[0] == '"' == name[-1]:
        name = _ESCAPED.sub(r"\1", name[1:-1])
    name = _CONTROL.sub(" ", words(name)).replace("\t", " ").replace('"', "")
    return " ".join(name.split()).strip("'<> ")[:500]


def addresses(value: bytes, limit: int = 500, hint: str = "") -> tuple[Address, ...]:
    """The addresses of a field such as To: at most `limit`, in order; those without an @ keep what was written.

    Groups are flattened; comments become names where there is no other. Linear in the length of the field.
    """
    plain = _plain(value, hint)
    if not plain.strip():
        return ()
    found = _read_addresses(plain, _TOKEN, limit)
    if plain.count('"') % 2:  # one is never closed, and may have swallowed the rest
        bare = _read_addresses(plain, _TOKEN_NO_QUOTES, limit)
        found = bare if sum("@" in one.address for one in bare) >= sum("@" in one.address for one in found) else found
    if "=?" in plain and not any("@" in one.address for one in found):
        decoded = _read_addresses(_CONTROL.sub(" ", words(plain)), _TOKEN, limit)
        found = decoded if any("@" in one.address for one in decoded) else found
    return tuple(found)


def _read_addresses(plain: str, pattern: re.Pattern[str], limit: int) -> list[Address]:
    reader = _Reader(limit)
    for token in pattern.finditer(plain):
        if len(reader.found) >= limit:
            break
        reader.take(token.group())
    reader.close()
    return reader.found


# ---- parameters --------------------------------------------------------------------------------------------------

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|;|[^";]+', re.DOTALL)
_LOST_SEMICOLON = re.compile(r"\s(boundary|charset|name|filename|format|delsp)\s{0,4}=\s{0,4}", re.IGNORECASE)
_SECTION = re.compile(r"([^*]{1,60})(?:\*(\d{1,3}))?(\*)?")
_PARAMS_MAX = 100


def _segments(plain: str) -> list[str]:
    """Cut at semicolons outside quotes."""
    out: list[str] = []
    piece: list[str] = []
    for token in _PIECE.finditer(plain):
        if token.group() == ";":
            out.append("".join(piece))
            piece.clear()
            if len(out) >= _PARAMS_MAX:
                break
        else:
            piece.append(token.group())
    out.append("".join(piece))
    return out


def _unquote(value: str) -> str:
    value = value.strip()
    if value.startswith('"'):
        end = value.find('"', 1) if "\\" not in value else len(value) - 1
        inner = value[1:end] if end > 0 and value[end : end + 1] == '"' else value[1:]
        return _ESCAPED.sub(r"\1", inner) if "\\" in inner and ":\\" not in inner else inner
    return value


def params(value: bytes, hint: str = "") -> tuple[str, dict[str, str]]:
    """The main value, lower-cased, and the parameters of a field such as Content-Type (RFC 2231 joined and decoded)."""
    plain = _plain(value, hint)
    segments = _segments(plain)
    main = segments[0]
    lost = _LOST_SEMICOLON.search(main[:2000])
    if lost:
        segments[:1] = [main[: lost.start()], main[lost.start() :]]
        main = segments[0]
    elif "=" in main and "/" not in main.partition("=")[0]:
        segments.insert(1, main)  # parameters without a main value
        main = ""
    simple: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    queue = segments[1:][::-1]
    while queue:
        name, equals, content = queue.pop().partition("=")
        name = name.strip().lower()
        if not equals or not name or len(simple) > _PARAMS_MAX:
            continue
        if '"' not in content:
            lost = _LOST_SEMICOLON.search(content[:2000])
            if lost:
                queue.append(content[lost.start() :])
                content = content[: lost.start()]
        elif content.lstrip().startswith('"') and (
            rest := content.rstrip()[content.find('"', content.find('"') + 1) + 1 :]
        ):
            lost = _LOST_SEMICOLON.match(" " + rest.lstrip())
            if lost:
                queue.append(rest)
        found = _SECTION.fullmatch(name)
        if "*" in name and found:
            number = int(found.group(2) or 0)
            sections.setdefault(found.group(1), {}).setdefault(number, (_unquote(content), bool(found.group(3))))
        else:
            simple.setdefault(name, words(_unquote(content)))
    for name, parts in sections.items():
        simple[name] = _joined(parts)
    return main.strip().strip('"').lower(), simple


def _joined(parts: dict[int, tuple[str, bool]]) -> str:
    """Join the sections of an RFC 2231 parameter; the charset stands in the first."""
    label = ""
    out: list[bytes] = []
    for position, number in enumerate(sorted(parts)):
        piece, encoded = parts[number]
        if encoded and position == 0 and piece.count("'") >= 2:  # noqa: PLR2004 - charset'language'text
            label, _, piece = piece.split("'", 2)
        out.append(unquote_to_bytes(piece) if encoded else piece.encode("utf-8", "surrogateescape"))
    joined = charset.decode(b"".join(out), label)[0]
    return words(joined)


# ---- ids and dates -----------------------------------------------------------------------------------------------

_BRACKETED = re.compile(r"<([^<>]{1,998})>")


def ids(value: bytes, limit: int = 100) -> tuple[str, ...]:
    """Message-IDs of a field, without brackets; an empty one is none. Of too many the first and the last ones stay."""
    plain = _plain(value, "")
    found = ["".join(one.split()) for one in _BRACKETED.findall(plain)]
    if not found:
        found = [word.strip("<>,;\"'") for word in plain.split()[: 10 * limit] if "@" in word]
    found = [_CONTROL.sub("", one) for one in found if one]
    if len(found) > limit:
        found = [found[0], *found[1 - limit :]]
    return tuple(found)


def date(value: bytes) -> str | None:
    """A Date field as RFC 3339 in UTC with seconds, or None if it cannot be one."""
    plain = " ".join(_plain(value, "").split())[:_DATE_CHARS_MAX]
    found = _parse_date(plain)
    if found is None or not _YEAR_MIN <= found.year <= _YEAR_MAX:
        return None
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_date(plain: str) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError, IndexError, OverflowError, AttributeError):
        iso = _ISO_DATE.match(plain)
        if iso:
            zone = (iso.group(3) or "Z").replace("Z", "+00:00")
            return datetime.fromisoformat(f"{iso.group(1)}T{iso.group(2)}{zone}").astimezone(UTC)
        parsed = email.utils.parsedate_tz(plain)
        if parsed and parsed[2] <= _DAYS_MAX and parsed[3] <= _HOURS_MAX:  # else it would be counted on
            return datetime.fromtimestamp(email.utils.mktime_tz(parsed), UTC)
    return None
