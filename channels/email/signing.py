"""Signs a composed mail (DKIM, RFC 6376), so that whoever gets it can tell that it is ours and was not changed.

The body is signed as it is (`simple`), because `compose` writes nothing that a server on the way has a reason to
change; the header `relaxed`, because servers fold it anew. Each try of a mail is signed anew, with the key of that
moment: a key that was exchanged meanwhile may stand in DNS no more. The rest of a mail is the same on every try.
"""

from __future__ import annotations

import msgspec

from router.core.errors import PermanentError

SIGNED = (
    "from", "to", "cc", "reply-to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted",
    "mime-version", "content-type", "content-transfer-encoding",
)  # fmt: skip
# Named once more than they occur: one that is added on the way, and might be shown instead, breaks the seal.
SEALED = ("from", "to", "cc", "reply-to", "subject", "date", "message-id", "content-type")
_END = b"\r\n\r\n"


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """A private RSA key as PKCS #1 in PEM; `repr` does not show it."""

    domain: str
    selector: str
    pem: bytes

    def __repr__(self) -> str:
        return f"SigningKey({self.selector}._domainkey.{self.domain})"


def signed(raw: bytes, key: SigningKey) -> bytes:
    """The mail with its signature on top. Raises PermanentError, which says nothing of the key."""
    import dkim  # noqa: PLC0415 (a quarter of a second, with its resolver, for those who sign)

    end = raw.find(_END)
    try:
        # Given the header only: the body would be taken apart into lines and put together again.
        sealer = dkim.DKIM(raw[: end + len(_END)])
        sealer.body = raw[end + len(_END) :]
        there = [name.lower().decode() for name, _ in sealer.headers]
        names = [name for name in SIGNED for _ in range(there.count(name))] + list(SEALED)
        line: bytes = sealer.sign(
            key.selector.encode(),
            key.domain.encode(),
            key.pem,
            canonicalize=(b"relaxed", b"simple"),
            include_headers=[name.encode() for name in names],
        )
    except (dkim.DKIMException, ValueError) as error:
        raise PermanentError(f"the mail cannot be signed: {type(error).__name__}") from None
    return line + raw
