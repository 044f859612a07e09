"""Erasing, carried out: what is deleted, again after a crash, again after a restore, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.core.erasing import key_name
from router.core.errors import ConfigError, StoreUnavailable
from router.core.events import CustomerErased, ErasureDone
from router.core.message import Message
from router.shell import erasure as erasure_module
from router.shell.enclosures import Enclosures, card_blob, file_blob
from router.shell.erased import ErasedList
from router.shell.erasure import Eraser
from router.shell.identities import identity_of
from router.shell.reader import LARGE_BYTES_MIN, Begun
from router.shell.vault import message_blob, raw_blob
from router.shell.workers import Raw, understand
from tests.support.shell_scene import SECRET, ShellStore, Stage, read_json, until, written

ADA, BOB = "ada@customer.example", "bob@customer.example"
ADA_KEYS = {key_name(identity_of(SECRET, "email", ADA), times) for times in range(3)}


def identities(address: str) -> list[str]:
    """The hashes of an address."""
    return [identity_of(SECRET, "email", address)]


class Erasing:
    """A node that erases. `said`: why its store's file cannot be written anew; `rewritten`: how often it was."""

    def __init__(self, folder: Path, store: ShellStore | None = None, said: str = "") -> None:
        self.stage = Stage(store)
        self.rewritten = 0
        self.told: list[Message] = []
        self.listed = ErasedList(folder)

        async def rewrite() -> str:
            self.rewritten += 1
            return said

        self.eraser = Eraser(
            store=self.stage.store,
            inbox=self.stage.store,
            vault=self.stage.vault,
            leader=self.stage.leader,
            rewrite=rewrite,
            listed=self.listed,
            identify=identities,
            leaving=self._leaving,
        )
        self.stage.leader.listeners.append(self.eraser.committed)
        self.stage.vault.key_of = self._key_of

    async def _leaving(self, messages: list[Message]) -> None:
        """Keep what is leaving."""
        self.told += messages

    def _key_of(self, identity: str) -> str:
        return key_name(identity, self.stage.leader.engine.state.erased.get(identity, 0))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Stage]:
        """Lead, and erase what is to be erased."""
        async with self.stage.leading():
            task = asyncio.create_task(self.eraser.run())
            try:
                yield self.stage
            finally:
                task.cancel()
                await asyncio.wait([task])

    async def contact(self, raw: bytes) -> Any:  # noqa: ANN401  # the contact
        """A message, and the contact it opened."""
        message = await self.stage.receive(raw)
        return await until(lambda: self.stage.contact_of(message))


@pytest.mark.parametrize("meant", [lambda _: ADA, lambda one: one.id, lambda one: one.customer])
async def test_keys_blobs_and_entries_go(meant: Callable[[Any], str], tmp_path: Path) -> None:
    """Whichever way the customer is named; another's stay; the names of the keys are listed; the file is rewritten."""
    node = Erasing(tmp_path)
    async with node.running() as stage:
        contact = await node.contact(written("secret", ADA))
        other = await node.contact(written("hello", BOB))
        message, theirs = contact.messages[0].id, other.messages[0].id
        report = await node.eraser.erase(meant(contact))
        assert (report["done"], report["problem"], report["messages"], report["keys"]) == (True, "", 1, 1)
        assert report["contacts"] == (contact.id,)
        assert identities(ADA)[0] not in stage.store.keys
        assert not {message_blob(message), raw_blob(message)} & stage.store.blobs.keys()
        assert set(await stage.vault.messages([message, theirs])) == {theirs}
        assert (node.listed.names, node.rewritten) == (identities(ADA), 1)
        assert (tmp_path / "erased.json").stat().st_mode & 0o077 == 0
        await until(lambda: not stage.leader.engine.state.erasing)
        assert node.eraser.problems() == []


async def test_who_comes_back_is_read_under_another_key(tmp_path: Path) -> None:
    """So that the first key, should it come back with a backup, opens nothing new."""
    node = Erasing(tmp_path)
    async with node.running() as stage:
        await node.contact(written("one", ADA))
        await node.eraser.erase(ADA)
        again = await node.contact(written("two", ADA))
        assert list(stage.store.keys) == [f"{identities(ADA)[0]}.1"]
        assert (await stage.vault.messages([again.messages[0].id])).keys() == {again.messages[0].id}
        report = await node.eraser.erase(again.id)
        assert report["keys"] == 1
        assert stage.store.keys == {}
        assert node.listed.names == [identities(ADA)[0], f"{identities(ADA)[0]}.1"]


async def test_nobody_is_erased_whom_nobody_knows(tmp_path: Path) -> None:
    """A name without a contact, a customer or a key is refused, and so is one erased already."""
    node = Erasing(tmp_path)
    async with node.running() as stage:
        contact = await node.contact(written("one", ADA))
        for name in (BOB, "c99", ""):
            with pytest.raises(KeyError):
                await node.eraser.erase(name)
        await node.eraser.erase(ADA)
        for name in (ADA, contact.id):
            with pytest.raises(KeyError):
                await node.eraser.erase(name)
        assert len(stage.store.events(ErasureDone)) == 1


async def test_a_store_that_will_not_rewrite_its_file_is_told_of(tmp_path: Path) -> None:
    """In the answer, and among the problems."""
    node = Erasing(tmp_path, said="NOPERM")
    async with node.running():
        await node.contact(written("one", ADA))
        report = await node.eraser.erase(ADA)
        assert (report["done"], report["problem"]) == (True, "NOPERM")
        assert any("NOPERM" in problem for problem in node.eraser.problems())


async def test_what_a_crash_left_is_done_by_the_next_leader(tmp_path: Path) -> None:
    """The journal says what is to go; it does not matter how far the last one came."""
    first = Erasing(tmp_path)
    store = first.stage.store
    async with first.stage.leading():  # its eraser never runs
        contact = await first.contact(written("one", ADA))
        asked = asyncio.create_task(first.eraser.erase(ADA))
        await until(lambda: store.events(CustomerErased))
        asked.cancel()
    assert identities(ADA)[0] in store.keys
    assert first.eraser.problems() == ["1 erased customers are still being deleted"]
    second = Erasing(tmp_path, store)
    async with second.running() as stage:
        await until(lambda: store.events(ErasureDone))
        assert store.keys == {}
        assert await stage.vault.messages([contact.messages[0].id]) == {}


async def test_what_reappears_is_erased_again(tmp_path: Path) -> None:
    """A key under its old name goes; a store from before the erasure, journal and all, is erased once more."""
    node = Erasing(tmp_path)
    async with node.running():
        await node.contact(written("one", ADA))
        await node.eraser.erase(ADA)
        await node.contact(written("two", ADA))
        await node.eraser.erase(ADA)
    store = node.stage.store
    store.keys[identities(ADA)[0]] = b"k" * 32
    async with Erasing(tmp_path, store).running():
        await until(lambda: identities(ADA)[0] not in store.keys)
    (tmp_path / "elsewhere").mkdir()
    backup = Erasing(tmp_path / "elsewhere")
    async with backup.stage.leading():
        await backup.contact(written("one", ADA))
    restored = Erasing(tmp_path, backup.stage.store)
    async with restored.running() as stage:
        await until(lambda: stage.store.events(ErasureDone))
        assert stage.store.keys == {}
        assert stage.leader.engine.state.erased == {identities(ADA)[0]: 2}
        again = await restored.contact(written("three", ADA))
        assert list(stage.store.keys) == [f"{identities(ADA)[0]}.2"]
        assert again.flag == ""


async def test_older_entries_that_still_stand_are_waited_for(tmp_path: Path) -> None:
    """They share memory with what was deleted; only when they are gone the file is written anew."""
    node = Erasing(tmp_path)
    async with node.running() as stage:
        slow = written("slow", BOB)
        stage.workers.held.add(slow)
        await node.contact(written("one", ADA))
        await stage.receive(slow)
        await until(lambda: stage.leader.engine.state.deferred)
        state = stage.leader.engine.state
        inbox = dict(stage.store.inbox)
        asked = asyncio.create_task(node.eraser.erase(ADA))
        await asyncio.sleep(0.05)
        assert not asked.done()
        assert (node.rewritten, dict(stage.store.inbox), dict(state.erased)) == (0, inbox, {})
        stage.workers.release()
        assert (await asked)["done"]
        assert node.rewritten == 1


def test_a_list_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """Without it a backup would bring back whom it names."""
    (tmp_path / "erased.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        ErasedList(tmp_path)


async def test_the_store_may_be_away_for_a_while(tmp_path: Path) -> None:
    """It is tried again; nothing is said to be done before it is."""
    node = Erasing(tmp_path)
    async with node.running() as stage:
        await node.contact(written("one", ADA))
        deletes = stage.store.keys_delete
        tries = 0

        async def delete(names: list[str]) -> None:
            nonlocal tries
            tries += bool(names)
            if tries == 1:
                raise StoreUnavailable("away")
            await deletes(names)

        stage.store.keys_delete = delete  # type: ignore[method-assign]
        assert (await node.eraser.erase(ADA))["done"]
        assert tries >= 2
        assert stage.store.keys == {}


async def placed(node: Erasing, stage: Stage, raw: bytes) -> Begun:
    """A message that came back, and was journaled, while a second worker still reads it."""
    stage.workers.held.add(raw)
    message = await stage.receive(raw)
    await until(lambda: message in stage.leader.engine.state.deferred)
    begun = Begun(entry=stage.store.inbox[message], future=asyncio.get_running_loop().create_future())
    await stage.tell("understood", message, msgspec.json.encode(understand(Raw(raw, b"", read_json))))
    await until(lambda: stage.contact_of(message))
    return begun


@pytest.mark.parametrize("size", [1, LARGE_BYTES_MIN])
async def test_a_worker_that_answers_after_an_erasure_brings_nothing_back(size: int, tmp_path: Path) -> None:
    """A message that was read twice, the second time until after its writer was erased, is written nowhere again."""
    node = Erasing(tmp_path)
    raw = written("x" * size, ADA)
    async with node.running() as stage:
        begun = await placed(node, stage, raw)
        reading = asyncio.create_task(stage.reader.resume_when(begun))
        await node.eraser.erase(ADA)
        before = set(stage.store.known)
        assert begun.future is not None
        begun.future.set_result(understand(Raw(raw, b"", read_json)))
        await reading
        assert set(stage.store.known) == before  # no note with its words
        assert raw_blob(begun.entry.id) not in stage.store.blobs
        assert ADA_KEYS.isdisjoint(stage.store.keys)


async def test_what_was_written_while_its_writer_was_erased_goes_as_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The bytes of a large message that reach the store just after their erasure are deleted by who wrote them."""
    node = Erasing(tmp_path)
    raw = written("x" * LARGE_BYTES_MIN, ADA)
    async with node.running() as stage:
        begun = await placed(node, stage, raw)
        put = stage.store.blobs_put_leading

        async def late(epoch: int, blobs: dict[str, bytes]) -> None:
            await node.eraser.erase(ADA)
            await put(epoch, blobs)

        monkeypatch.setattr(stage.store, "blobs_put_leading", late)
        assert begun.future is not None
        begun.future.set_result(understand(Raw(raw, b"", read_json)))
        await stage.reader.resume_when(begun)
        assert raw_blob(begun.entry.id) not in stage.store.blobs


async def test_a_quarantined_message_that_is_erased_while_it_is_read_again_stays_gone(tmp_path: Path) -> None:
    """Its bytes are not written under the key of whoever turns out to have written it."""
    node = Erasing(tmp_path)
    async with node.running() as stage:
        contact = await node.contact(b"no json")
        message = contact.messages[0].id
        stage.workers.held.add(b"no json")
        stage.channels["email"] = msgspec.structs.replace(
            stage.channels["email"], normalise=lambda raw, meta: read_json(written("at last", ADA), meta)
        )
        await stage.tell("retry", message)
        await until(lambda: len(stage.workers.asked) == 2 and not stage.store.inbox)
        await node.eraser.erase(contact.id)
        stage.workers.release()
        await until(lambda: not stage.reader.rereading)
        assert not {message_blob(message), raw_blob(message)} & stage.store.blobs.keys()
        assert ADA_KEYS.isdisjoint(stage.store.keys)


async def test_a_key_that_comes_back_is_deleted_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What another node writes again to a promoted replica, an erased key among it, is gone once more before long."""
    monkeypatch.setattr(erasure_module, "AGAIN_SECONDS", 0.01)
    node = Erasing(tmp_path)
    async with node.running() as stage:
        await node.contact(written("secret", ADA))
        key = dict(stage.store.keys)
        await node.eraser.erase(ADA)
        stage.store.keys |= key
        await until(lambda: not stage.store.keys)


@pytest.mark.parametrize("size", [1, LARGE_BYTES_MIN])
async def test_what_is_read_long_after_its_writer_was_erased_goes_as_they_did(
    size: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No contact, no words, no entry; it is listed, and the store's file is written anew once more."""
    monkeypatch.setattr(erasure_module, "PENDING_SECONDS_MAX", 0.0)
    monkeypatch.setattr(erasure_module, "STANDING_SECONDS_MAX", 0.0)
    node = Erasing(tmp_path)
    slow = written("x" * size, ADA)
    async with node.running() as stage:
        await node.contact(written("one", ADA))
        stage.workers.held.add(slow)
        late = await stage.receive(slow)
        await until(lambda: late in stage.leader.engine.state.deferred)
        assert (await node.eraser.erase(ADA))["problem"] == "older messages are still being read"
        monkeypatch.undo()
        anew = await node.contact(written("two", ADA))
        stage.workers.release()
        await until(lambda: len(stage.store.events(ErasureDone)) == 2)
        await until(lambda: not stage.store.inbox)
        state = stage.leader.engine.state
        assert (state.autos[late].auto, stage.contact_of(late), state.erasing) == ("erased", None, {})
        assert not {message_blob(late), raw_blob(late)} & stage.store.blobs.keys()
        assert (await stage.vault.messages([late, anew.messages[0].id])).keys() == {anew.messages[0].id}
        assert node.rewritten == 2
        assert node.eraser.problems() == []


async def test_who_is_known_by_a_mail_that_is_being_read_can_be_erased(tmp_path: Path) -> None:
    """It is waited for, and is theirs."""
    node = Erasing(tmp_path)
    slow = written("slow", ADA)
    async with node.running() as stage:
        stage.workers.held.add(slow)
        late = await stage.receive(slow)
        await until(lambda: late in stage.leader.engine.state.deferred)
        asked = asyncio.create_task(node.eraser.erase(ADA))
        await asyncio.sleep(0)
        stage.workers.release()
        report = await asked
        assert (report["done"], report["messages"], report["keys"]) == (True, 1, 1)


async def test_what_agents_sent_goes_and_where_it_stands_is_told(tmp_path: Path) -> None:
    """Files of an answer are deleted with it; who sends answers hears of them before nobody can read them any more."""
    node = Erasing(tmp_path)
    async with node.running() as stage:
        contact = await stage.holding()
        keeper = Enclosures(
            stage.store, stage.vault, state=lambda: stage.leader.engine.state, tidy=lambda *one: one, identify=str.upper
        )
        file = await keeper.keep(contact, "a.pdf", "application/pdf", b"%PDF")
        assert (await stage.act("ana", "reply", contact=contact, text="Here it is.", files=(file,))).ok
        assert {file_blob(file), card_blob(file)} <= stage.store.blobs.keys()
        await node.eraser.erase(contact)
        assert not {file_blob(file), card_blob(file)} & stage.store.blobs.keys()
        assert [one.text for one in node.told] == ["hello", "Here it is."]
