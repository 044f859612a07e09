"""The vault: what is personal is encrypted under its writer's key, and gone with that key."""

from __future__ import annotations

import asyncio
import threading
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.errors import PermanentError
from router.core.message import Address, Message
from router.shell import vault as vault_module
from router.shell.vault import Plain, Vault, message_blob, raw_blob
from tests.support.memory_store import MemoryStore


async def sealed(store: MemoryStore, plain: bytes, *, identity: str = "a" * 32, blob: str = "raw:1-0") -> Vault:
    """A vault that has locked `plain` into the store."""
    vault = Vault(store)
    await vault.prepare({identity})
    store.blobs.update([await vault.lock_blob(blob, identity, plain)])
    return vault


@given(st.binary(max_size=5_000))
async def test_what_is_locked_is_opened(plain: bytes) -> None:
    """Any bytes come back as they were, also in another process."""
    store = MemoryStore()
    await sealed(store, plain)
    assert await Vault(store).open(["raw:1-0"]) == {"raw:1-0": plain}


@pytest.mark.parametrize("size", [500_000, (1 << 20) + 1, 3_000_001])
async def test_a_large_blob_comes_back(size: int) -> None:
    """A blob that is locked in a thread, or in pieces, is the same as a small one."""
    store = MemoryStore()
    plain = (bytes(range(256)) * 12_000)[:size]
    vault = await sealed(store, plain)
    assert await vault.open(["raw:1-0"]) == {"raw:1-0": plain}


async def test_without_its_key_it_is_gone() -> None:
    """A blob whose key was deleted is left out, and its words stand nowhere in the store."""
    store = MemoryStore()
    vault = await sealed(store, b"a very secret marker")
    assert b"secret" not in store.blobs["raw:1-0"]
    store.keys.clear()
    vault.erase({"a" * 32})
    assert await vault.open(["raw:1-0"]) == {}


async def test_a_blob_cannot_pass_for_another() -> None:
    """A blob copied under another id does not open."""
    store = MemoryStore()
    vault = await sealed(store, b"mine")
    store.blobs["raw:2-0"] = store.blobs["raw:1-0"]
    with pytest.raises(PermanentError, match="tampered"):
        await vault.open(["raw:2-0"])


async def test_messages_come_back_whole() -> None:
    """A message in normal form is the same after the store."""
    store = MemoryStore()
    vault = Vault(store)
    await vault.prepare({"b" * 32})
    message = Message(channel="email", from_=Address(address="x@example.org", name="X"), text="Hallo ✓", subject="S")
    blob = message_blob("7-0")
    store.blobs[blob] = vault.lock(blob, "b" * 32, msgspec.json.encode(message))
    assert await vault.messages(["7-0", "8-0"]) == {"7-0": message}


async def test_a_message_just_journaled_is_read_without_the_store() -> None:
    """Desks that ask at once need no store; large and older ones are read there, and nothing outlives an erasure."""
    store = MemoryStore()
    vault = Vault(store)
    words = msgspec.json.encode(Message(channel="email", from_=Address(address="c@x.example"), text="Hello"))
    large = msgspec.json.encode(Message(channel="email", from_=Address(address="c@x.example"), text="x" * 70_000))
    blobs = [Plain(message_blob("1"), "c", words), Plain(message_blob("2"), "c", large), Plain(raw_blob("1"), "c", b"")]
    await vault.prepare({"c"})
    sealed = dict([await vault.lock_blob(one.blob, one.identity, one.plain) for one in blobs])
    vault.journaled(blobs)
    assert [one.text for one in (await vault.messages(["1", "2"])).values()] == ["Hello"]
    store.blobs.update(sealed)
    assert len(await vault.messages(["1", "2"])) == 2
    await store.keys_delete(["c"])
    vault.erase({"c"})
    assert await vault.messages(["1", "2"]) == {}


async def test_messages_just_journaled_take_a_bounded_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are read from the store again."""
    vault = Vault(MemoryStore())
    words = msgspec.json.encode(Message(channel="email", from_=Address(address="c@x.example"), text="x" * 300))
    monkeypatch.setattr(vault_module, "FRESH_BYTES_MAX", 2 * len(words))
    for number in "1123":
        vault.journaled([Plain(message_blob(number), "c", words)])
    assert set(await vault.messages(["1", "2", "3"])) == {"2", "3"}


async def test_what_takes_the_place_of_a_message_just_journaled_is_shown() -> None:
    """A message that is journaled anew, and is too large to be kept in memory, is read from the store."""
    vault = Vault(store := MemoryStore())
    await vault.prepare({"c"})
    for text in ("unreadable", "x" * 70_000):
        words = msgspec.json.encode(Message(channel="email", from_=Address(address="c@x.example"), text=text))
        store.blobs.update([await vault.lock_blob(message_blob("1"), "c", words)])
        vault.journaled([Plain(message_blob("1"), "c", words)])
        assert (await vault.messages(["1"]))["1"].text == text


async def test_a_blob_is_locked_though_its_key_is_forgotten_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A large blob that a thread is locking comes out whole when its key leaves memory in that moment."""
    vault = Vault(store := MemoryStore())
    forgotten, compress = threading.Event(), zlib.compress

    def slow(plain: bytes, level: int) -> bytes:
        assert forgotten.wait(20)
        return compress(plain, level)

    monkeypatch.setattr(zlib, "compress", slow)
    await vault.prepare({"c"})
    plain = bytes(range(256)) * 1_000
    locking = asyncio.create_task(vault.lock_blob("raw:1", "c", plain))
    await asyncio.sleep(0)  # it is with the thread
    vault.erase({"c"})
    forgotten.set()
    store.blobs.update([await locking])
    assert await Vault(store).open(["raw:1"]) == {"raw:1": plain}


class Slow(MemoryStore):
    """Keys are read at once, and answered when `answers` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.answers = asyncio.Event(), asyncio.Event()

    async def _late(self, found: dict[str, bytes]) -> dict[str, bytes]:
        self.read.set()
        await self.answers.wait()
        return found

    async def keys_get_or_create(self, names: list[str]) -> dict[str, bytes]:
        """Keys, made where missing."""
        return await self._late(await super().keys_get_or_create(names))

    async def keys_get(self, names: list[str]) -> dict[str, bytes]:
        """Keys that there are."""
        return await self._late(await super().keys_get(names))


@pytest.mark.parametrize("asks", ["prepare", "open"])
async def test_a_key_that_comes_after_its_erasure_is_not_kept(asks: str) -> None:
    """Whoever asked for a key before it was erased, and is answered after that, opens nothing with it later."""
    store = Slow()
    store.answers.set()
    await sealed(store, b"secret", identity="c")
    vault = Vault(store)
    store.read.clear()
    store.answers.clear()
    asking = asyncio.create_task(vault.prepare({"c"}) if asks == "prepare" else vault.open(["raw:1-0"]))
    await store.read.wait()
    await store.keys_delete(["c"])
    vault.erase({"c"})
    store.answers.set()
    await asking
    assert await vault.open(["raw:1-0"]) == {}


async def test_what_waited_for_an_erased_key_is_locked_with_the_next() -> None:
    """A blob whose key was erased while it was asked for is written under the name that came after it."""
    store = Slow()
    vault, number = Vault(store), 0
    vault.key_of = lambda identity: f"{identity}.{number}"
    locking = asyncio.create_task(vault.lock_blob("raw:1", "c", b"later"))
    await store.read.wait()
    await store.keys_delete(["c.0"])
    number = 1
    vault.erase({"c.0"})
    store.answers.set()
    store.blobs.update([await locking])
    assert list(store.keys) == ["c.1"]
    assert await Vault(store).open(["raw:1"]) == {"raw:1": b"later"}
