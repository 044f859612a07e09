"""What signs the mail that leaves (DKIM): a private key, and under which name its public half stands in DNS."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import AfterValidator, GetJsonSchemaHandler, StringConstraints, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from skills.part import ChannelPart
from skills.secret import Secret

BITS_MIN = 1_024  # receivers take no shorter key (RFC 8301)
BITS_MAX = 4_096  # a longer public key fits into no TXT record that all receivers read
MAKE_ONE = "openssl genrsa -out dkim.pem 2048 makes one"
_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


class SigningKey(Secret):
    """A private key. `path`: the file it was read from, None where it came from the environment."""

    __slots__ = ("path",)

    def __init__(self, reference: str, value: str, path: Path | None = None) -> None:
        super().__init__(reference, value)
        self.path = path

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": r"^\$\{\w+\}$|^file:.+", "examples": ["file:dkim.pem"]}

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> SigningKey:
        if isinstance(value, SigningKey):
            return value
        found = super()._validate(value, info)
        context: Mapping[str, Any] = info.context or {}
        if not found.reference.startswith("file:"):
            return cls(found.reference, usable(found.reveal()))
        path = (context.get("folder") or Path()) / found.reference.removeprefix("file:").strip()
        return cls(found.reference, usable(private(path, found.reveal())), path)


def private(path: Path, text: str) -> str:
    """The text of a file that only its owner and their group may read. Raises ValueError."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ValueError(f"is a private key that others on this machine can read or change: chmod 600 {path}")
    return text


def usable(text: str) -> str:
    """A private key in PEM as PKCS #1, which is what signs. Raises ValueError with the remedy, never with the key."""
    if "PRIVATE KEY-----" not in text:
        other = "the public key" if "PUBLIC KEY-----" in text else "no private key"
        raise ValueError(f"holds {other}: what signs is a private RSA key in PEM; {MAKE_ONE}")
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise ValueError("holds a key with a password: openssl rsa -in KEY -out dkim.pem takes it off") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"holds a private key that cannot be read: is it whole? {MAKE_ONE}") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(f"holds a key that is not RSA, which not all receivers know: {MAKE_ONE}")  # noqa: TRY004
    if not BITS_MIN <= key.key_size <= BITS_MAX:
        raise ValueError(f"holds a key of {key.key_size} bits; receivers take {BITS_MIN} to {BITS_MAX}: {MAKE_ONE}")
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def public_half(key: str) -> bytes:
    """The public half of a `usable` key as DER: what stands in DNS, in base64."""
    private_key = load_pem_private_key(key.encode(), password=None)
    return private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _domain(text: str) -> str:
    try:
        plain = text.strip().rstrip(".").lower().encode("idna").decode("ascii")
    except UnicodeError:
        plain = ""
    if not _DOMAIN.fullmatch(plain):
        raise ValueError(f"is no domain such as acme.example: `{text[:60]}`")
    return plain


class Dkim(ChannelPart):
    """What signs mail from one domain."""

    domain: Annotated[str, AfterValidator(_domain)]
    """Mail from addresses of this domain, or of one below it, is signed with the key."""
    selector: Annotated[str, StringConstraints(pattern=rf"^{_LABEL}(?:\.{_LABEL})*$", to_lower=True)]
    """The name under which the public half stands in DNS: SELECTOR._domainkey.DOMAIN."""
    key: SigningKey
    """The private RSA key in PEM: file:PATH, which others may not read, or ${NAME}."""

    def signs(self, address: str) -> bool:
        """Whether mail from this address is signed with the key."""
        domain = address.rpartition("@")[2].lower()
        return domain == self.domain or domain.endswith(f".{self.domain}")
