"""Blobs: everything personal, encrypted under a key per identity. Delete the key, and what it locked is gone.

A blob is `version (1) · length of the identity (1) · identity · nonce (12) · AES-256-GCM`; the blob's id is
authenticated with it, so that a blob cannot be passed off under another id.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from router.core.errors import PermanentError
from router.core.message import Message

VERSION = 1
NONCE_BYTES = 12
KEYS_CACHED_MAX = 50_000
COMPRESS_BYTES_MIN = 1_024
COMPRESS_BYTES_MAX = 1 << 20  # what is larger holds the journal up for longer than the space is worth
THREAD_BYTES_MIN = 128 << 10
PIECE_BYTES = 256 << 10
MESSAGE = "message:"
FRESH_MESSAGE_BYTES_MAX = 64 << 10
FRESH_BYTES_MAX = 16 << 20
GONE_MAX = 100_000  # names remembered as erased: longer than anything can be under way

_MESSAGE = msgspec.json.Decoder(Message)


class Plain(msgspec.Struct, frozen=True):
    """A blob not yet encrypted: its id, the identity whose key locks it, and what it says."""

    blob: str
    identity: str
    plain: bytes


class KeyStore(Protocol):
    """What the vault asks of the store."""

    async def keys_get_or_create(self, names: list[str]) -> dict[str, bytes]:
        """Keys by name; missing ones are made."""
        ...

    async def keys_get(self, names: list[str]) -> dict[str, bytes]:
        """Keys by name; missing ones are left out."""
        ...

    async def blobs_get(self, ids: list[str]) -> dict[str, bytes]:
        """Blobs by id; missing ones are left out."""
        ...


class Erased(PermanentError):
    """The key was deleted: what the blob said is gone for good."""

    code = "erased"


def message_blob(message_id: str) -> str:
    """The blob id of a message in normal form."""
    return f"{MESSAGE}{message_id}"


def raw_blob(message_id: str) -> str:
    """The blob id of a message as it was received."""
    return f"raw:{message_id}"


class Vault:
    """Locks and opens blobs. Keys are kept in memory, at most KEYS_CACHED_MAX of them.

    So are messages that were journaled last: desks ask for them at once, and would each wait for the store. Nothing is
    kept that was read, so that what a read under way brings back after an erasure is not kept either; nor is a key that
    was asked for before its erasure and came after it.
    """

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._keys: dict[str, bytes] = {}
        self._fresh: OrderedDict[str, bytes] = OrderedDict()  # messages just journaled here, by blob, oldest first
        self._fresh_bytes = 0
        self._gone: OrderedDict[str, None] = OrderedDict()  # erased: names of keys and of blobs, the latest last
        self.key_of: Callable[[str], str] = str  # the name of an identity's key: another after each erasure

    async def prepare(self, identities: set[str]) -> None:
        """Fetch or make the keys of `identities`, so that `lock` can do without waiting."""
        names = {self.key_of(identity) for identity in identities}
        missing = sorted(names - self._keys.keys())
        if not missing:
            return
        if len(self._keys) + len(missing) > KEYS_CACHED_MAX:
            self._keys.clear()
            missing = sorted(names)
        self._keep(await self._store.keys_get_or_create(missing))

    def _keep(self, found: dict[str, bytes]) -> None:
        """Keys just read, but for those that were erased while they were on their way."""
        self._keys.update((name, key) for name, key in found.items() if name not in self._gone)

    def lock(self, blob: str, identity: str, plain: bytes) -> bytes:
        """`plain` encrypted for `identity`, whose key must have been prepared."""
        key = self.key_of(identity)
        return _locked(blob, key, self._keys[key], plain)

    async def lock_blob(self, blob: str, identity: str, plain: bytes) -> tuple[str, bytes]:
        """(id, blob); large ones are locked in a thread, since compressing them would hold everybody up."""
        while self.key_of(identity) not in self._keys:  # erased since it was prepared, or too many keys came in
            await self.prepare({identity})
        key = self.key_of(identity)
        if len(plain) < THREAD_BYTES_MIN:
            return blob, _locked(blob, key, self._keys[key], plain)
        return blob, await asyncio.to_thread(_locked, blob, key, self._keys[key], plain)

    async def open(self, blobs: list[str]) -> dict[str, bytes]:
        """What the blobs say, by id; those that are missing or erased are left out.

        Raises PermanentError if a blob was tampered with.
        """
        sealed = await self._store.blobs_get(blobs)
        owners = {blob: raw[2 : 2 + raw[1]].decode("ascii") for blob, raw in sealed.items()}
        unknown = sorted(set(owners.values()) - self._keys.keys())
        if unknown:
            self._keep(await self._store.keys_get(unknown))
        keys = {blob: self._keys[owner] for blob, owner in owners.items() if owner in self._keys}
        return {blob: await self._opened(blob, sealed[blob], key) for blob, key in keys.items()}

    async def last_words(self, ids: list[str]) -> dict[str, Message]:
        """Messages that are being erased, for as long as the store has their keys. Nothing of them is kept here.

        For whoever deletes what they name; to all others they are gone. Raises PermanentError as `open` does.
        """
        sealed = await self._store.blobs_get([message_blob(one) for one in ids])
        owners = {blob: raw[2 : 2 + raw[1]].decode("ascii") for blob, raw in sealed.items()}
        keys = await self._store.keys_get(sorted(set(owners.values())))
        opened = {
            blob: await self._opened(blob, sealed[blob], keys[one]) for blob, one in owners.items() if one in keys
        }
        return {blob.partition(":")[2]: _MESSAGE.decode(raw) for blob, raw in opened.items()}

    async def _opened(self, blob: str, sealed: bytes, key: bytes) -> bytes:
        if len(sealed) < THREAD_BYTES_MIN:
            return _open(blob, sealed, key)
        return await asyncio.to_thread(_open, blob, sealed, key)

    async def messages(self, ids: list[str]) -> dict[str, Message]:
        """Messages in normal form by message id; erased ones are left out."""
        asked = [message_blob(identifier) for identifier in ids]
        opened = {blob: self._fresh[blob] for blob in asked if blob in self._fresh}
        if rest := [blob for blob in asked if blob not in opened]:
            opened |= await self.open(rest)
        return {blob.partition(":")[2]: _MESSAGE.decode(raw) for blob, raw in opened.items()}

    def journaled(self, blobs: list[Plain]) -> None:
        """These have just been stored; the messages among them will soon be asked for."""
        for one in blobs:
            self._fresh_bytes -= len(self._fresh.pop(one.blob, b""))  # in any case: it says something else now
            if one.blob.startswith(MESSAGE) and len(one.plain) <= FRESH_MESSAGE_BYTES_MAX:
                self._fresh_bytes += len(one.plain)
                self._fresh[one.blob] = one.plain
        while self._fresh_bytes > FRESH_BYTES_MAX:
            self._fresh_bytes -= len(self._fresh.popitem(last=False)[1])

    def forget(self) -> None:
        """Drop all words from memory: others may take their place."""
        self._fresh.clear()
        self._fresh_bytes = 0

    def erase(self, keys: Iterable[str], messages: Iterable[str] = ()) -> None:
        """Drop keys, by name, for good, and all words. What the store has of them is the caller's to delete.

        `messages`: whose blobs nobody may write again, whatever is under way; see `is_gone`.
        """
        self.forget()
        for name in keys:
            self._keys.pop(name, None)
            self._gone[name] = None
        self._gone |= dict.fromkeys(map(raw_blob, messages))
        while len(self._gone) > GONE_MAX:
            self._gone.popitem(last=False)

    def is_gone(self, message: str) -> bool:
        """Whether a message was erased, as far as this node has heard."""
        return raw_blob(message) in self._gone


def _locked(blob: str, name: str, key: bytes, plain: bytes) -> bytes:
    """`key` is passed along: in a thread nobody knows what stands in memory by the time that it is needed."""
    nonce = os.urandom(NONCE_BYTES)
    flag = b"\0"
    if COMPRESS_BYTES_MIN <= len(plain) <= COMPRESS_BYTES_MAX:
        flag, plain = b"\1", zlib.compress(plain, 1)
    head = bytes((VERSION, len(name))) + name.encode("ascii") + nonce
    if len(plain) > COMPRESS_BYTES_MAX:
        return _sealed_in_pieces(key, head, nonce, plain, blob.encode())
    return head + AESGCM(key).encrypt(nonce, flag + plain, blob.encode())


def _sealed_in_pieces(key: bytes, head: bytes, nonce: bytes, plain: bytes, blob: bytes) -> bytes:
    """As `AESGCM.encrypt`, uncompressed, after `head`; at no time is every other thread held up for the whole of it."""
    encryptor = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(blob)
    view = memoryview(plain)
    sealed = [head, encryptor.update(b"\0")]
    sealed += [encryptor.update(view[at : at + PIECE_BYTES]) for at in range(0, len(plain), PIECE_BYTES)]
    sealed += [encryptor.finalize(), encryptor.tag]
    return b"".join(sealed)


def _open(blob: str, sealed: bytes, key: bytes) -> bytes:
    start = 2 + sealed[1]
    nonce, body = sealed[start : start + NONCE_BYTES], memoryview(sealed)[start + NONCE_BYTES :]
    try:
        plain = AESGCM(key).decrypt(nonce, body, blob.encode())
    except InvalidTag as error:
        msg = f"blob {blob} was tampered with or belongs to another key"
        raise PermanentError(msg) from error
    return zlib.decompress(plain[1:]) if plain[:1] == b"\1" else plain[1:]
