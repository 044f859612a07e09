"""From what a visitor does to an inbox entry. Limits on size are kept here, limits on rate at the door."""

from __future__ import annotations

import hashlib
import re

import msgspec

from channels.webchat.files import safe_name, safe_type
from channels.webchat.packing import Said, SentFile, pack
from router.core.plain import clean, one_line
from router.core.ports import InboxEntry

CHAT = "webchat"  # source of what is answered in the chat
FORM = "webform"  # source of what is answered by mail
NAME_CHARACTERS_MAX = 80
EMAIL_CHARACTERS_MAX = 254

_DIGEST_BYTES = 16
_CLIENT = re.compile(r"[A-Za-z0-9_-]{8,64}")
_PROOF = re.compile(r"[A-Za-z0-9_-]{1,100}")
_EMAIL = re.compile(r"[^\s@<>(),;:\"\[\]\\\x00-\x1f\x7f]{1,64}@[^\s@<>(),;:\"\[\]\\_\x00-\x1f\x7f]{1,190}")


def address_of(visitor: str) -> str:
    """The visitor's address on this channel."""
    return f"visitor:{visitor}"


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the entries of one workspace's chat.

    `account` is where chats come in, `form_account` the mail account that answers forms; `own`: our mail addresses,
    lower-case, which nobody may leave as theirs. What is refused raises ValueError with one of the codes `empty`,
    `too_long`, `bad_id`, `bad_email`, `too_large`.
    """

    text_characters_max: int
    file_bytes_max: int
    account: str = CHAT
    form_account: str = CHAT
    own: frozenset[str] = frozenset()

    def address(self, visitor: str) -> str:
        """The visitor's address on this channel."""
        return address_of(visitor)

    def said(self, visitor: str, client: str, text: str, name: str, proof: str = "") -> InboxEntry:
        """Words for the chat. `proof`: a signed link by which the visitor came; what is none is left out."""
        shown = proof if _PROOF.fullmatch(proof) else ""
        said = Said(
            visitor=visitor,
            client=_client(client),
            text=self._text(text),
            name=one_line(name, NAME_CHARACTERS_MAX),
            proof=shown,
        )
        return self._entry(CHAT, said, said.text.encode(), kind="chat")

    def sent(self, visitor: str, client: str, filename: str, content_type: str, content: bytes) -> InboxEntry:
        """A file for the chat. Reads all of it: call it in a thread."""
        if not content:
            raise ValueError("empty")
        if len(content) > self.file_bytes_max:
            raise ValueError("too_large")
        digest = hashlib.sha256(content).hexdigest()
        file = SentFile(name=safe_name(filename), type=safe_type(content_type), size=len(content), sha256=digest)
        said = Said(visitor=visitor, client=_client(client), file=file)
        return self._entry(CHAT, said, f"{file.name}\0{digest}".encode(), kind="chat", content=content)

    def left(self, visitor: str, client: str, email: str, text: str, name: str) -> InboxEntry:
        """A message that is answered by mail."""
        said = Said(
            visitor=visitor,
            client=_client(client),
            text=self._text(text),
            name=one_line(name, NAME_CHARACTERS_MAX),
            email=self._email(email),
        )
        return self._entry(FORM, said, f"{said.email}\0{said.text}".encode(), kind="email")

    def _entry(self, source: str, said: Said, says: bytes, *, kind: str, content: bytes = b"") -> InboxEntry:
        """`says` is what makes two entries different under the same client id; a name may change meanwhile."""
        key = hashlib.sha256(f"{CHAT}\0{said.visitor}\0{said.client}".encode()).digest()
        body = hashlib.sha256(f"{source}\0".encode() + says).digest()
        account = self.form_account if source == FORM else self.account
        return InboxEntry(
            source=source,
            key=key[:_DIGEST_BYTES],
            body=body[:_DIGEST_BYTES],
            meta=msgspec.json.encode({"account": account, "kind": kind}),
            raw=pack(said, content),
        )

    def _text(self, text: str) -> str:
        if len(text) > self.text_characters_max:
            raise ValueError("too_long")
        cleaned = clean(text)
        if not cleaned:
            raise ValueError("empty")
        return cleaned

    def _email(self, email: str) -> str:
        address = email.strip().lower()
        host = address.rpartition("@")[2]
        named = _EMAIL.fullmatch(address) and "." in host and not host.startswith(".") and ".." not in host
        local, _, domain = address.partition("@")
        if not named or len(address) > EMAIL_CHARACTERS_MAX or f"{local.partition('+')[0]}@{domain}" in self.own:
            raise ValueError("bad_email")
        return address


def _client(client: str) -> str:
    if not _CLIENT.fullmatch(client):
        raise ValueError("bad_id")
    return client
