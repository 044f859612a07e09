"""Header values: encoded words, addresses, identifiers and parameters, folded at 78 characters.

Written here because the standard library folds long identifiers into encoded words, which breaks threads, and encodes
addresses it cannot parse.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote

from router.core.errors import PermanentError
from router.core.message import Address

FOLD_AT = 76  # characters of a line, a blank at its start included
WORD_MAX = 66  # characters of one word in a name, which cannot be folded: with the longest field name it fits a line
ENCODED_BYTES = 36  # of UTF-8 in one encoded word: with the longest field name the line has 75 characters
IDENTIFIER_MAX = 900  # characters; a line may not pass 998, and identifiers cannot be folded

_BREAKS = re.compile("[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and halves of characters
_ATOM_TEXT = "A-Za-z0-9!#$%&'*+/=?^_`{|}~\\-\x80-\ud7ff\ue000-\U0010ffff"
_DOT_ATOM = re.compile(f"[{_ATOM_TEXT}]+(?:\\.[{_ATOM_TEXT}]+)*\\Z")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)+"\Z')
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*\Z")
_LABEL = "[A-Za-z0-9][A-Za-z0-9_-]{0,62}"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Za-z.:]+\])\Z")
_IDENTIFIER = re.compile(r"[!-;=?-~]+\Z")  # visible ASCII but for the angle brackets
_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,60}\Z")


def plain(name: str, value: str) -> str:
    """Give a value for the header `name` without control characters. Raises PermanentError if it has a line break."""
    if _BREAKS.search(value):
        raise PermanentError(f"{name} may not contain a line break")
    return _CONTROLS.sub(" ", value).strip()


def unstructured(name: str, value: str) -> str:
    """Give free text as a header's value, encoded where it must be, folded."""
    value = plain(name, value)
    words = value.split(" ")
    longest = max(map(len, words))
    fits = len(name) + 2 + len(value) <= FOLD_AT
    if value.isascii() and "=?" not in value and (fits or ("" not in words and longest <= FOLD_AT - len(name) - 3)):
        return _folded(name, words)
    return _folded(name, _encoded_words(value))


def address_list(name: str, addresses: Iterable[Address]) -> str:
    """Give addresses as a header's value: names quoted or encoded, domains in ASCII. Empty for none."""
    return _folded(name, [*_with_commas(_mailbox(name, address) for address in addresses)])


def identifiers(name: str, values: Iterable[str]) -> str:
    """Give Message-IDs in angle brackets.

    One that no mail could carry (blanks, brackets, other than ASCII, over 900 characters) came from a broken mail and
    is left out; one with a line break is refused.
    """
    usable = []
    for value in values:
        if _BREAKS.search(value):
            raise PermanentError(f"{name} may not contain a line break")
        if _IDENTIFIER.match(value) and len(value) <= IDENTIFIER_MAX:
            usable.append(f"<{value}>")
    return _folded(name, usable)


def parameter(name: str, value: str) -> str:
    """Give ` name=value` for a MIME header on a folded line, with RFC 2231 pieces for all but plain names."""
    if _TOKEN.match(value):
        return f'\r\n {name}="{value}"'
    encoded = quote(value, safe="", errors="replace")
    pieces = []
    while encoded:
        size = 54
        # A piece may not end within a `%XX`.
        while encoded[size - 1 : size] == "%" or encoded[size - 2 : size - 1] == "%":
            size -= 1
        pieces.append(encoded[:size])
        encoded = encoded[size:]
    pieces[0] = f"utf-8''{pieces[0]}"
    if len(pieces) == 1:
        return f"\r\n {name}*={pieces[0]}"
    return ";".join(f"\r\n {name}*{number}*={piece}" for number, piece in enumerate(pieces))


def _mailbox(name: str, address: Address) -> list[str]:
    """The words of one address; a fold may stand between two of them."""
    spec = _spec(name, address.address)
    shown = plain(name, address.name)
    if not shown:
        return [spec]
    if shown.isascii() and "=?" not in shown:
        words = shown.split(" ")
        if _PHRASE.match(shown) and "" not in words and max(map(len, words)) <= WORD_MAX:
            return [*words, f"<{spec}>"]
        quoted = '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if len(quoted) <= WORD_MAX:
            return [quoted, f"<{spec}>"]
    return [*_encoded_words(shown), f"<{spec}>"]


def _spec(name: str, address: str) -> str:
    """An address as a header writes it. Raises PermanentError if it is none."""
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = unicodedata.normalize("NFC", domain).encode("idna").decode("ascii")
        except UnicodeError:
            domain = ""
    if not local or _CONTROLS.search(local) or _BREAKS.search(local) or not _DOMAIN.match(domain):
        raise PermanentError(f"{name} has an address that is none")
    if not _DOT_ATOM.match(local) and not _QUOTED.match(local):
        if any(mark in local for mark in "@<>"):  # several addresses, or the remains of a broken one
            raise PermanentError(f"{name} has an address that is none")
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{local}@{domain}"


def _with_commas(mailboxes: Iterable[list[str]]) -> Iterable[str]:
    words: list[str] = []
    for mailbox in mailboxes:
        if words:
            words[-1] += ","
        words.extend(mailbox)
    return words


def _encoded_words(value: str) -> list[str]:
    """Encoded words of whole characters, base64: any reader decodes them to exactly this text."""
    words = []
    piece = b""
    for character in value:
        encoded = character.encode("utf-8", "replace")
        if len(piece) + len(encoded) > ENCODED_BYTES:
            words.append(piece)
            piece = b""
        piece += encoded
    if piece:
        words.append(piece)
    return [f"=?utf-8?b?{b64encode(word).decode()}?=" for word in words]


def _folded(name: str, words: list[str]) -> str:
    """Join words by blanks, on new lines where a line would be too long."""
    lines = [""]
    room = FOLD_AT - len(name) - 2
    for number, word in enumerate(words):
        line = f"{lines[-1]} {word}" if number else word
        if number and len(line) > room and lines[-1].strip():
            lines.append(word)
            room = FOLD_AT - 1
        else:
            lines[-1] = line
    return "\r\n ".join(lines)
