"""Reading ahead: what is slow or large steps aside and comes back under its first id; nothing malformed stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
import pytest

from router.core.errors import StoreUnavailable
from router.core.events import MessageDeferred, MessageQuarantined, MessageReceived, MessageReleased
from router.core.message import Message
from router.core.ports import InboxEntry
from router.shell import insistent as insistent_module
from router.shell import leader as leader_module
from router.shell import reader as reader_module
from router.shell.channel import ThreadMatch
from router.shell.clock import Clock
from router.shell.notes import Internal, internal_entry
from router.shell.store.entries import InboxItem
from router.shell.vault import Vault, raw_blob
from router.shell.workers import Understood
from tests.support.shell_scene import ShellStore, Stage, item, read_json, until, written


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries are short."""
    monkeypatch.setattr(leader_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(reader_module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(insistent_module, "RETRY_SECONDS", 0.01)


def messages(store: ShellStore, kind: type) -> list[str]:
    """The message ids of the journaled events of a kind, in order."""
    return [event.message for event in store.events(kind)]  # type: ignore[union-attr]


class TestDeferral:
    """What is not understood in time."""

    async def test_a_slow_message_steps_aside_and_comes_back_under_its_first_id(self) -> None:
        """Those behind a slow message are routed before it; it becomes a contact under the id it was first given."""
        stage = Stage()
        slow = written("slow")
        stage.workers.held.add(slow)
        async with stage.leading():
            first = await stage.receive(slow)
            second = await stage.receive(written("quick"))
            await until(lambda: len(stage.contacts) == 1)
            assert stage.contacts[0].messages[0].id == second
            assert list(stage.leader.engine.state.deferred) == [first]
            await until(lambda: list(stage.store.inbox) == [first])  # not lost while it waits
            stage.workers.release()
            await until(lambda: stage.contact_of(first) and not stage.store.inbox)
            assert not stage.leader.engine.state.deferred
        assert messages(stage.store, MessageReceived) == [second, first]

    async def test_a_message_comes_back_though_the_store_fails_just_then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody else would bring it back before another leads."""
        stage = Stage()
        slow = written("slow")
        stage.workers.held.add(slow)
        struck: list[str] = []

        async def point(name: str) -> None:
            if name.startswith("reader.") and name not in struck:
                struck.append(name)
                raise StoreUnavailable("no answer")

        monkeypatch.setattr(reader_module, "point", point)
        async with stage.leading():
            first = await stage.receive(slow)
            await until(lambda: stage.leader.engine.state.deferred)
            stage.workers.release()
            await until(lambda: stage.contact_of(first) and not stage.store.inbox)
        assert struck == ["reader.before_return", "reader.after_return"]

    async def test_a_message_within_the_time_is_not_deferred(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A message that is understood before its time is over is journaled in its turn, after waiting for it."""
        monkeypatch.setattr(reader_module, "DEFER_SECONDS", 30.0)
        stage = Stage()
        slow = written("slow")
        stage.workers.held.add(slow)
        async with stage.leading():
            first = await stage.receive(slow)
            second = await stage.receive(written("quick"))
            await until(lambda: len(stage.workers.asked) == 2)
            stage.workers.release()
            await until(lambda: len(stage.contacts) == 2)
        assert messages(stage.store, MessageReceived) == [first, second]
        assert messages(stage.store, MessageDeferred) == []

    async def test_a_large_message_is_deferred_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody waits for a message from 256 kB on, however long the time for the others is."""
        monkeypatch.setattr(reader_module, "DEFER_SECONDS", 3_600.0)
        stage = Stage()
        large = written("x" * reader_module.LARGE_BYTES_MIN)
        stage.workers.held.add(large)
        async with stage.leading():
            first = await stage.receive(large)
            second = await stage.receive(written("small"))
            await until(lambda: stage.contact_of(second))
            assert list(stage.leader.engine.state.deferred) == [first]
            stage.workers.release()
            await until(lambda: stage.contact_of(first))
        kept = raw_blob(first)
        assert await Vault(stage.store).open([kept]) == {kept: large}

    async def test_a_large_message_on_which_usherd_fails_is_kept_and_shown(self) -> None:
        """A mistake of ours on a message that comes back quarantines it; it does not stay deferred for ever."""
        stage = Stage()

        def mistaken(_: Message) -> ThreadMatch | None:
            raise RuntimeError("a mistake")

        stage.channels["email"] = msgspec.structs.replace(stage.channels["email"], thread=mistaken)
        large = written("x" * reader_module.LARGE_BYTES_MIN)
        stage.workers.held.add(large)
        async with stage.leading():
            message = await stage.receive(large)
            await until(lambda: stage.leader.engine.state.deferred)
            stage.workers.release()
            await until(lambda: stage.contact_of(message))
        assert messages(stage.store, MessageQuarantined) == [message]
        assert stage.leader.engine.state.deferred == {}

    async def test_a_deferred_message_outlives_a_crash(self) -> None:
        """A leader that dies while a message is deferred leaves it to the next, who reads it anew, once."""
        first = Stage()
        slow = written("slow")
        first.workers.held.add(slow)
        async with first.leading() as task:
            message = await first.receive(slow)
            await until(lambda: message in first.leader.engine.state.deferred)
            await first.crash(task)
        second = Stage(first.store)
        async with second.leading():
            await until(lambda: second.contact_of(message) and not second.store.inbox)
        assert messages(first.store, MessageReceived) == [message]

    async def test_a_crash_between_coming_back_and_the_journal_loses_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A message that had come back when the leader died is taken once: its note is known under the same key."""
        first = Stage()
        slow = written("slow")
        first.workers.held.add(slow)

        async def never(*_: object, **__: object) -> None:
            await asyncio.Event().wait()

        async with first.leading() as task:
            message = await first.receive(slow)
            await until(lambda: message in first.leader.engine.state.deferred)
            monkeypatch.setattr(first.store, "journal_append", never)
            first.workers.release()
            await until(lambda: len(first.store.inbox) == 2)  # its own entry, and the note with what it says
            await first.crash(task)
        monkeypatch.undo()
        second = Stage(first.store)
        async with second.leading():
            await until(lambda: second.contact_of(message) and not second.store.inbox)
            assert len(second.contacts) == 1
        assert messages(first.store, MessageReceived) == [message]

    async def test_a_deferred_message_that_is_poison_is_quarantined(self) -> None:
        """A slow message that turns out to be unreadable is quarantined under its first id."""
        stage = Stage()
        stage.workers.held.add(b"no json")
        async with stage.leading():
            message = await stage.receive(b"no json")
            await until(lambda: message in stage.leader.engine.state.deferred)
            stage.workers.release()
            await until(lambda: message in stage.leader.engine.state.quarantined and not stage.store.inbox)
            assert (await stage.vault.open([raw_blob(message)]))[raw_blob(message)] == b"no json"

    async def test_coming_back_waits_for_a_store_that_is_away(self) -> None:
        """What a worker found out is told again until the store has it."""
        stage = Stage()
        slow = written("slow")
        stage.workers.held.add(slow)
        async with stage.leading():
            message = await stage.receive(slow)
            await until(lambda: message in stage.leader.engine.state.deferred)
            stage.store.down = True
            stage.workers.release()
            await asyncio.sleep(0.05)
            stage.store.down = False
            await until(lambda: stage.contact_of(message))


class TestMalformed:
    """Entries that nobody should have written."""

    @pytest.mark.parametrize(
        "bad",
        [
            item(b"", "1", source="internal", meta=b""),
            item(b"", "2", source="internal", meta=b"\xff"),
            item(b"", "3", source="internal", meta=b'{"what":"understood"}'),
            item(b"", "4", source="internal", meta=b'{"what":"no such thing","message":"1-0"}'),
            item(b"junk", "5", source="internal", meta=b'{"what":"reread","message":"1-0"}'),
            item(b"", "6", source="internal", meta=b'{"what":"delivery","message":"","contact":"","state":"odd"}'),
            item(b"", "7", source="internal", meta=b'{"what":"retry","message":"nobody"}'),
            item(b"", "8", source="command", meta=b""),
            item(b"", "9", source="command", meta=b'{"agent":5}'),
            item(b"\xff", "10", source="command", meta=b'{"agent":"ana","action":"note"}'),
            item(b"", "11", source="command", meta=b'{"agent":"ana","action":"dance"}'),
            item(b"", "12", source="command", meta=b'{"agent":"ana","action":"snooze","until":1e999}'),
        ],
    )
    async def test_a_malformed_entry_of_our_own_stops_nothing(self, bad: InboxEntry) -> None:
        """An internal note or a command that makes no sense is forgotten, and the message after it is routed."""
        stage = Stage()
        await stage.store.append([bad])
        message = await stage.receive(written())
        async with stage.leading():
            await until(lambda: stage.contact_of(message) and not stage.store.inbox)

    async def test_a_message_of_an_unknown_source_is_kept_and_shown(self) -> None:
        """An entry of a channel that this node does not know is quarantined whole."""
        stage = Stage()
        await stage.store.append([item(b"ring ring", source="telephone")])
        async with stage.leading():
            await until(lambda: len(stage.leader.engine.state.quarantined) == 1 and not stage.store.inbox)
        assert "telephone" in stage.store.events(MessageQuarantined)[0].reason  # type: ignore[union-attr]

    @pytest.mark.parametrize("source", ["email", "http"])
    async def test_a_message_with_unreadable_meta_is_routed_all_the_same(self, source: str) -> None:
        """Meta that is no JSON says nothing of where a message came in, and costs it nothing else."""
        stage = Stage()
        await stage.store.append([item(written(), source=source, meta=b"\xff{")])
        async with stage.leading():
            await until(lambda: len(stage.contacts) == 1 and not stage.store.inbox)

    async def test_a_message_whose_file_is_gone_is_shown_as_such(self) -> None:
        """An entry whose raw bytes were lost from the blob folder opens a contact that says so."""
        stage = Stage()
        [appended] = await stage.store.append([item(b"")])
        stage.store.inbox[appended.id] = msgspec.structs.replace(stage.store.inbox[appended.id], lost=True)
        async with stage.leading():
            await until(lambda: appended.id in stage.leader.engine.state.quarantined)
        assert "file is gone" in stage.store.events(MessageQuarantined)[0].reason  # type: ignore[union-attr]

    async def test_what_a_worker_said_and_nobody_can_read_quarantines_the_message(self) -> None:
        """A note with an answer that does not decode leaves the deferred message in quarantine, not in limbo."""
        stage = Stage()
        slow = written("slow")
        stage.workers.held.add(slow)
        async with stage.leading():
            message = await stage.receive(slow)
            await until(lambda: message in stage.leader.engine.state.deferred)
            await stage.tell("understood", message, b"{broken")
            await until(lambda: message in stage.leader.engine.state.quarantined and not stage.store.inbox)

    async def test_a_message_that_comes_back_twice_counts_once(self) -> None:
        """A second note about a message that is in its place already changes nothing."""
        stage = Stage()
        async with stage.leading():
            message = await stage.receive(written())
            await until(lambda: stage.contact_of(message) and not stage.store.inbox)
            records = len(stage.store.rows)
            await stage.tell("understood", message, msgspec.json.encode(Understood(problem="late")))
            await until(lambda: not stage.store.inbox)
            assert len(stage.store.rows) == records

    async def test_a_second_note_writes_no_word_again(self) -> None:
        """Also not where the message's first entry still stood when the note was read ahead of its turn."""
        stage = Stage()
        async with stage.leading():
            message = await stage.receive(written())
            original = stage.store.inbox[message]
            await until(lambda: stage.contact_of(message) and not stage.store.inbox)
            note = internal_entry(Internal(what="understood", message=message, kept=True), b'{"problem": "late"}')
            [begun] = stage.reader.begin(
                [InboxItem(id="9999-0", source="internal", meta=note.meta, raw=note.raw, key=note.key)], set()
            )
            begun.originals = [original]
            prepared = await stage.reader.finish(begun, stage.leader.engine.state, Clock())
            begun.poisoned = True
            given_up = await stage.reader.finish(begun, stage.leader.engine.state, Clock())
        for one in (prepared, given_up):
            assert (one.event, one.blobs, one.finished) == (None, [], ["9999-0"])

    async def test_bytes_are_kept_by_who_leads_only(self) -> None:
        """A node that was stopped while it read a large message, and goes on when another leads, writes none of it."""
        stage = Stage()
        large = written("x" * reader_module.LARGE_BYTES_MIN)
        stage.workers.held.add(large)
        async with stage.leading() as task:
            message = await stage.receive(large)
            await until(lambda: message in stage.leader.engine.state.deferred)
            await stage.crash(task)
            reading = asyncio.create_task(stage.reader.resume(message))
            await until(lambda: len(stage.workers.asked) == 2)
            async with Stage(stage.store).leading():
                await until(lambda: not stage.store.inbox)
                del stage.store.blobs[raw_blob(message)]
                stage.workers.release()
                await reading
                assert raw_blob(message) not in stage.store.blobs
                assert not stage.store.inbox


class TestQuarantine:
    """Reading a quarantined message once more."""

    async def quarantined(self, stage: Stage, raw: bytes = b"no json", source: str = "email") -> str:
        """The id of a message that is in quarantine."""
        [appended] = await stage.store.append([item(raw, "poison", source=source)])
        await until(lambda: appended.id in stage.leader.engine.state.quarantined and not stage.store.inbox)
        return appended.id

    @pytest.mark.parametrize("source", ["email", "http"])
    async def test_what_is_understood_at_last_goes_on_as_an_ordinary_contact(self, source: str) -> None:
        """After the fault is mended a retry releases the message: same contact, its real sender, its real words."""
        stage = Stage()
        async with stage.leading():
            message = await self.quarantined(stage, source=source)
            [contact] = stage.contacts
            stage.channels[source] = msgspec.structs.replace(
                stage.channels[source], normalise=lambda raw, meta: read_json(written("at last"), meta)
            )
            await stage.tell("retry", message)
            await until(lambda: not stage.leader.engine.state.quarantined and not stage.store.inbox)
            assert (contact.id, contact.flag) == (stage.contacts[0].id, "")
            assert (await stage.vault.messages([message]))[message].text == "at last"
        assert messages(stage.store, MessageReleased) == [message]

    async def test_what_still_is_not_understood_stays(self) -> None:
        """A retry that fails again leaves the message in quarantine and journals nothing."""
        stage = Stage()
        async with stage.leading():
            message = await self.quarantined(stage)
            records = len(stage.store.rows)
            await stage.tell("retry", message)
            await until(lambda: len(stage.workers.asked) == 2 and not stage.store.inbox)
            assert message in stage.leader.engine.state.quarantined
            assert len(stage.store.rows) == records

    async def test_nobody_waits_while_it_is_read_again(self) -> None:
        """A retry that hangs in its worker keeps no message behind it from being routed."""
        stage = Stage()
        async with stage.leading():
            message = await self.quarantined(stage)
            stage.workers.held.add(b"no json")
            await stage.tell("retry", message)
            await until(lambda: len(stage.workers.asked) == 2)
            later = await stage.receive(written("later"))
            await until(lambda: stage.contact_of(later))
            stage.workers.release()


async def test_a_mail_is_sifted_while_others_go_on() -> None:
    """A filter that takes its time defers the mail; what it finds counts when it comes back, also after a restart."""
    stage = Stage()
    held = asyncio.Event()
    sifted: list[str] = []

    def sift(entry: InboxItem, reading: asyncio.Future[Understood]) -> asyncio.Future[Understood]:
        async def marked() -> Understood:
            understood = await reading
            if b"cheap pills" in entry.raw:
                await held.wait()
                sifted.append(entry.id)
                assert understood.message is not None
                spam = msgspec.structs.replace(understood.message, spam=True)
                return msgspec.structs.replace(understood, message=spam)
            return understood

        return asyncio.ensure_future(marked())

    stage.reader.sift = sift
    async with stage.leading():
        spam = await stage.receive(written("cheap pills"))
        message = await stage.receive(written("y"))
        await until(lambda: stage.contact_of(message))
        assert list(stage.leader.engine.state.deferred) == [spam]
        held.set()
        await until(lambda: spam in stage.leader.engine.state.autos)
        await stage.reader.resume(spam)
    assert stage.leader.engine.state.autos[spam].auto == "spam"
    assert sifted[0] == spam
    assert len(stage.leader.engine.state.contacts) == 1


async def test_it_is_asked_of_which_tier_a_writer_is_before_their_turn() -> None:
    """Also where a mail comes back from being deferred; nobody is asked about what a machine wrote."""
    stage = Stage()
    asked: list[str] = []

    async def ask(addresses: Iterable[str]) -> None:
        asked.extend(addresses)
        stage.reader.facts = msgspec.structs.replace(stage.reader.facts, tier_of=lambda address: f"of {address}")

    stage.reader.ask = ask
    slow = written("slow", sender="bob@customer.example")
    stage.workers.held.add(slow)
    async with stage.leading():
        await stage.receive(written("x", auto="bounce"))
        message = await stage.receive(written("y", sender="ada@customer.example"))
        await until(lambda: stage.contact_of(message))
        deferred = await stage.receive(slow)
        await until(lambda: deferred in stage.leader.engine.state.deferred)
        assert asked == ["ada@customer.example"]
        stage.workers.release()
        await until(lambda: stage.contact_of(deferred))
    assert asked == ["ada@customer.example", "bob@customer.example"]
    tiers = [event.tier for event in stage.store.events(MessageReceived)]  # type: ignore[union-attr]
    assert tiers[-2:] == ["of ada@customer.example", "of bob@customer.example"]


async def test_a_claim_is_done_with_as_soon_as_it_is_read() -> None:
    """It stood in the inbox so that its key is known; nothing is journaled of it."""
    stage = Stage()
    async with stage.leading():
        records = len(stage.store.rows)
        await stage.tell("claim", "")
        await until(lambda: not stage.store.inbox)
        assert len(stage.store.rows) == records


async def test_a_commands_reading_waits_for_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer whose conversation cannot be opened for a moment is written once the store is back."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        opened = stage.vault.messages
        away = [1, 1]

        async def messages_of(ids: list[str]) -> object:
            if away:
                away.pop()
                raise StoreUnavailable("away")
            return await opened(ids)

        monkeypatch.setattr(stage.vault, "messages", messages_of)
        assert (await stage.act("ana", "reply", contact=contact, text="On its way.")).ok


async def test_a_command_on_a_conversation_that_was_tampered_with_is_refused() -> None:
    """A blob that does not verify costs the agent that one action, and the leader nothing."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        for name, sealed in stage.store.blobs.items():
            if sealed:  # a mark of the journal's is empty
                stage.store.blobs[name] = sealed[:-1] + bytes([sealed[-1] ^ 1])
        stage.vault.forget()  # read anew
        outcome = await stage.act("ana", "reply", contact=contact, text="On its way.")
        assert (outcome.ok, outcome.code) == (False, "internal")
        assert (await stage.act("ana", "status", status="busy")).ok


class TestAbsent:
    """Large values that cannot be had for a while."""

    async def test_a_message_without_its_bytes_holds_up_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is deferred at once, those behind it go on, and it comes back whole once its bytes can be had."""
        stage = Stage()
        reading, having, down = stage.store.inbox_read, stage.store.inbox_get, True

        async def read(after: str, count: int, block_ms: int) -> list[InboxItem]:
            found = await reading(after, count, block_ms)
            return [msgspec.structs.replace(one, raw=b"", absent=True) if one.id == first else one for one in found]

        async def have(ids: list[str]) -> list[InboxItem]:
            if down and first in ids:
                raise StoreUnavailable("S3 does not answer")
            return await having(ids)

        first = await stage.receive(written("the large one"))
        monkeypatch.setattr(stage.store, "inbox_read", read)
        monkeypatch.setattr(stage.store, "inbox_get", have)
        second = await stage.receive(written("a small one", "bob@x.example"))
        async with stage.leading():
            await until(lambda: stage.contact_of(second))
            assert list(stage.leader.engine.state.deferred) == [first]
            down = False
            await until(lambda: stage.contact_of(first))
            assert not stage.leader.engine.state.deferred
        shown = await stage.vault.messages([first])
        assert "the large one" in shown[first].text

    async def test_an_action_waits_for_its_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What an agent wrote is carried out once it can be read, as it was written."""
        stage = Stage()
        async with stage.leading():
            await stage.act("ana", "status", status="available")
            contact = await stage.holding()
            reading = stage.store.inbox_read

            async def read(after: str, count: int, block_ms: int) -> list[InboxItem]:
                found = await reading(after, count, block_ms)
                return [msgspec.structs.replace(one, raw=b"", absent=one.source == "command") for one in found]

            monkeypatch.setattr(stage.store, "inbox_read", read)
            await stage.act("ana", "note", contact=contact, text="a note, however long")
            note = stage.leader.engine.state.contacts[contact].messages[-1].id
        shown = await stage.vault.messages([note])
        assert "a note, however long" in shown[note].text
