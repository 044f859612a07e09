"""When two mails are the same mail, however they came: account, Message-ID and what a reader would see.

The key is taken from the body and from the fields From, Date and Subject as received, because trace fields differ by
path and a Message-ID alone is chosen by its sender and could swallow somebody else's mail. Line ends and folding are
levelled, since servers between us and the sender rewrite both; nothing else is interpreted. The work is linear in the
size of the mail, and no input makes it raise.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

PIECE_SIZE = 1 << 18  # bytes levelled and hashed at one time
_RETURN = 13
DIGEST_SIZE = 16  # bytes, as InboxEntry.key and InboxEntry.body ask for
HEADER_SCAN_MAX = 1 << 20  # bytes of header searched for the fields: twice what any mail server lets through

_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(
    rb"^(message-id|from|date|subject)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_BLANKS = re.compile(rb"[ \t\r\n]+")


class Fingerprint(msgspec.Struct, frozen=True):
    """What identifies a mail apart from the account it came to: the Message-ID as written and a digest of the rest."""

    message_id: bytes
    content: bytes  # 32 bytes


def fingerprint(raw: bytes) -> Fingerprint:
    """Digest the content of a mail as received.

    A mail that has neither Message-ID nor Date, or no blank line after its header (or only beyond HEADER_SCAN_MAX), is
    digested whole: machines send the same few words again and again, and taking two for one would lose the second.
    """
    end = _END_OF_HEADER.search(raw, 0, HEADER_SCAN_MAX)
    fields: dict[bytes, list[bytes]] = {}
    if end is not None:
        for found in _FIELD.finditer(raw, 0, end.start()):
            value = _BLANKS.sub(b" ", found.group(2)).strip()
            fields.setdefault(found.group(1).lower(), []).append(value)
    digest = hashlib.sha256()
    if end is None or (not any(fields.get(b"message-id", ())) and not any(fields.get(b"date", ()))):
        _update_with_text(digest, raw, 0)
        return Fingerprint(b"", digest.digest())
    for name in (b"from", b"date", b"subject"):
        values = fields.get(name, ())
        digest.update(b"%s:%d\n" % (name, len(values)))
        for value in values:
            digest.update(b"%d:%s\n" % (len(value), value))
    _update_with_text(digest, raw, end.end())
    return Fingerprint(b" ".join(fields.get(b"message-id", ())), digest.digest())


def identity_of(account: str, mail: Fingerprint) -> tuple[bytes, bytes]:
    """Give `(key, body)` of a mail that came to an account, 16 bytes each, as `InboxEntry` wants them."""
    name = account.encode("utf-8", "surrogatepass")
    key = hashlib.sha256(b"mail:%d:%s:%d:%s:" % (len(name), name, len(mail.message_id), mail.message_id))
    key.update(mail.content)
    return key.digest()[:DIGEST_SIZE], mail.content[:DIGEST_SIZE]


def identity(account: str, raw: bytes) -> tuple[bytes, bytes]:
    """Give `(key, body)` of one mail, the same whether it came by SMTP or was fetched by IMAP.

    `account` is the workspace's name for the mailbox; `raw` the bytes as received. Takes 2 ms a megabyte.
    """
    return identity_of(account, fingerprint(raw))


def _update_with_text(digest: hashlib._Hash, text: bytes, start: int) -> None:
    """Add text from `start` on, with its line ends levelled and without the empty lines at its end.

    Servers add and take those. In pieces: 25 MB at once would keep every other thread from running for a tenth of a
    second.
    """
    end = _last_word(text, start)
    while start < end:
        stop = min(start + PIECE_SIZE, end)
        while stop < end and text[stop - 1] == _RETURN:
            stop += 1  # a line end is not torn
        digest.update(text[start:stop].replace(b"\r\n", b"\n"))
        start = stop


def _last_word(text: bytes, start: int) -> int:
    """Where the line ends at the end of a text begin."""
    end = len(text)
    while end > start:
        piece = text[max(start, end - PIECE_SIZE) : end]
        kept = len(piece.rstrip(b"\r\n"))
        end -= len(piece) - kept
        if kept:
            break
    return end
