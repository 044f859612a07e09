"""Small secrets that come in while usherd runs, kept in the store: encrypted under a key made of the workspace's own.

They are for what a provider exchanges by itself, such as OAuth2 refresh tokens; what an admin gives stays where it is.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Protocol

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

log = structlog.get_logger()

NONCE_BYTES = 12


class Documents(Protocol):
    """What is asked of the store. Both raise StoreUnavailable."""

    async def doc_get(self, name: str) -> bytes | None:
        """A small document."""
        ...

    async def doc_put(self, name: str, value: bytes) -> None:
        """Replace a small document."""
        ...


class SealedSecret:
    """One secret, under the name of what it is for; `purpose` may itself be secret and shows nowhere."""

    def __init__(self, store: Documents, secret: bytes, purpose: str) -> None:
        self._store = store
        self._key = hmac.digest(secret, b"usherd sealed secrets", hashlib.sha256)
        self._name = f"sealed-{hmac.digest(secret, purpose.encode(), hashlib.sha256)[:16].hex()}"

    async def load(self) -> str:
        """The secret, or "" if none was kept, or it cannot be opened. Raises StoreUnavailable."""
        kept = await self._store.doc_get(self._name)
        if kept is None:
            return ""
        try:
            nonce, sealed = kept[:NONCE_BYTES], kept[NONCE_BYTES:]
            return AESGCM(self._key).decrypt(nonce, sealed, self._name.encode()).decode()
        except (InvalidTag, ValueError):
            log.warning("sealed_secret_unreadable", name=self._name)
            return ""

    async def save(self, value: str) -> None:
        """Keep it in place of what was kept. Raises StoreUnavailable."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._key).encrypt(nonce, value.encode(), self._name.encode())
        await self._store.doc_put(self._name, nonce + sealed)
