"""Files that agents enclose: stored under the customer's key, for one contact, within limits, and not for ever."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy

import pytest

from channels.email.send import SendResult
from router.app.mail import MailSender
from router.core.errors import PermanentError, PoisonError
from router.core.message import Attachment
from router.desk.actions import FILES_BYTES_MAX, FILES_MAX
from router.shell import enclosures as enclosures_module
from router.shell.enclosures import Enclosures, card_blob, content_of, enclosed, file_blob, owner_of
from router.shell.live import Library
from router.shell.understanding import Refused
from tests.support.shell_scene import Stage, until, written

FILE = b"%PDF \x00 as it is"


def tidy(name: str, content_type: str) -> tuple[str, str]:
    """A rule that shows."""
    return f"safe {name}", content_type.lower()


def kept_in(stage: Stage) -> Enclosures:
    """The files of a stage."""
    return Enclosures(stage.store, stage.vault, state=lambda: stage.leader.engine.state, tidy=tidy, identify=str.upper)


def no_part(raw: bytes, part: int) -> tuple[str, str, bytes]:
    """No part of a mail is a file."""
    raise PoisonError(f"{len(raw)} bytes hold no file {part}")


class Wire:
    """An SMTP sender that keeps what it sends."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send(self, _: str, __: object, raw: bytes) -> SendResult:
        """Sent."""
        self.sent.append(raw)
        return SendResult(state="sent", code=250)


async def test_a_file_goes_with_its_reply() -> None:
    """The reply names the file, the desk and the mail have its bytes; in the store they cannot be read."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        identifier = await kept_in(stage).keep(contact, "a.pdf", "Application/PDF", FILE)
        assert all(FILE not in blob for blob in stage.store.blobs.values())
        outcome = await stage.act("ana", "reply", contact=contact, text="", files=[identifier])
        assert outcome.ok
        message = stage.leader.engine.state.contacts[contact].messages[-1].id
        letter = (await stage.vault.messages([message]))[message]
        [file] = letter.attachments
        assert (file.filename, file.content_type, file.size) == ("safe a.pdf", "application/pdf", len(FILE))
        library = Library(stage.vault, stage.leader, no_part)
        assert await library.attachment(message, 0) == ("safe a.pdf", "application/pdf", FILE)
        with pytest.raises(KeyError):
            await library.attachment(message, 1)
        wire = Wire()
        await MailSender(wire, "acme", stage.vault).send(letter)  # type: ignore[arg-type]  # all of it that is used
    [part] = message_from_bytes(wire.sent[0], policy=policy.default).iter_attachments()
    assert (part.get_filename(), part.get_content_type()) == ("safe a.pdf", "application/pdf")
    assert part.get_content() == FILE


async def test_a_file_is_gone_with_its_customers_key() -> None:
    """Once the key is deleted the file can neither be fetched nor sent, nor named by a reply."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        identifier = await kept_in(stage).keep(contact, "a.pdf", "application/pdf", FILE)
        [file] = await enclosed(stage.vault, contact, (identifier,))
        owner = owner_of(stage.leader.engine.state.contacts[contact])
        del stage.store.keys[owner]
        stage.vault.erase({owner})
        with pytest.raises(PermanentError):
            await content_of(stage.vault, file)
        with pytest.raises(Refused, match="files-gone"):
            await enclosed(stage.vault, contact, (identifier,))


async def test_a_file_for_who_is_erased_meanwhile_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in while its customer is erased is deleted again, and whoever sent it is told of no such contact."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        put = stage.store.blobs_put
        number = 0
        stage.vault.key_of = lambda identity: f"{identity}.{number}"

        async def late(blobs: dict[str, bytes]) -> None:
            nonlocal number
            number = 1
            await put(blobs)

        monkeypatch.setattr(stage.store, "blobs_put", late)
        with pytest.raises(KeyError):
            await kept_in(stage).keep(contact, "a.pdf", "application/pdf", FILE)
        assert not [name for name in stage.store.blobs if name.startswith(("file:", "card:"))]


async def test_a_reply_names_only_files_of_its_contact_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another contact's file, an unknown one, one twice, too many and too large together are refused."""
    stage = Stage()
    async with stage.leading():
        first = await stage.holding()
        await stage.receive(written(sender="bob@customer.example"))
        second = await until(lambda: next((one.id for one in stage.contacts if one.id != first), ""))
        files = kept_in(stage)
        own, foreign = await files.keep(first, "a", "a/b", b"x" * 60), await files.keep(second, "b", "a/b", b"y")
        large = await files.keep(first, "c", "a/b", b"x" * 60)
        monkeypatch.setattr(enclosures_module, "FILES_BYTES_MAX", 100)
        for named, code in (
            ([foreign], "files-gone"),
            (["unknown"], "files-gone"),
            ([own, own], "files-over"),
            ([own, large], "files-over"),
            ([str(number) for number in range(FILES_MAX + 1)], "files-over"),
        ):
            outcome = await stage.act("ana", "reply", contact=first, text="Here.", files=named)
            assert (outcome.ok, outcome.code) == (False, code)
        with pytest.raises(ValueError, match="limit"):
            await files.keep(first, "d", "a/b", b"x" * 101)
        with pytest.raises(ValueError, match="empty"):
            await files.keep(first, "d", "a/b", b"")
        with pytest.raises(KeyError):
            await files.keep("nobody", "d", "a/b", b"x")
    assert FILES_BYTES_MAX * 4 / 3 < 25_000_000


async def test_a_file_goes_with_the_letter_that_opens_a_contact() -> None:
    """It is stored for whom the letter goes to, under their key, and goes with a letter to nobody else."""
    stage = Stage()
    async with stage.leading():
        files = kept_in(stage)
        identifier = await files.keep_for("carla@example.org", "a.pdf", "application/pdf", FILE)
        letter = {"subject": "Your bag", "text": "The form.", "files": [identifier]}
        other = await stage.act("ana", "start", to="dora@example.org", **letter)
        assert (other.ok, other.code) == (False, "files-gone")
        opened = await stage.act("ana", "start", to="Carla@example.org", **letter)
        assert opened.ok
        message = stage.leader.engine.state.contacts[opened.contact].messages[-1].id
        [file] = (await stage.vault.messages([message]))[message].attachments
        assert (file.filename, await content_of(stage.vault, file)) == ("safe a.pdf", FILE)
        stage.vault.erase({"CARLA@EXAMPLE.ORG"})
        await stage.store.keys_delete(["CARLA@EXAMPLE.ORG"])
        with pytest.raises(PermanentError):
            await content_of(stage.vault, file)


async def test_files_that_come_in_at_two_nodes_at_once_are_both_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither node writes the list without what the other has put there: each file is swept in its time."""
    stage = Stage()
    reading = stage.store.doc_get

    async def slow(name: str) -> bytes | None:
        found = await reading(name)
        await asyncio.sleep(0)
        return found

    monkeypatch.setattr(stage.store, "doc_get", slow)
    async with stage.leading():
        contact = await stage.holding()
        nodes = [kept_in(stage) for _ in range(4)]
        found = await asyncio.gather(*(node.keep(contact, "a", "a/b", b"unsent") for node in nodes))
        monkeypatch.setattr(enclosures_module, "UNUSED_MS", 0)
        assert await nodes[0].sweep() == len(set(found)) == 4


async def test_what_no_letter_has_named_is_swept_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sent letter names stays, other files go; they stay when it is too late to tell."""
    stage = Stage()
    async with stage.leading():
        files = kept_in(stage)
        sent, unsent = [await files.keep_for("carla@example.org", name, "a/b", b"x") for name in "ab"]
        letter = {"to": "carla@example.org", "subject": "Your bag", "text": "Here.", "files": [sent]}
        assert (await stage.act("ana", "start", **letter)).ok
        monkeypatch.setattr(enclosures_module, "UNUSED_MS", 0)
        assert await files.sweep() == 1
        assert file_blob(sent) in stage.store.blobs
        assert file_blob(unsent) not in stage.store.blobs
        late = await files.keep_for("dora@example.org", "c", "a/b", b"x")
        monkeypatch.setattr(enclosures_module, "LATE_MS", -1_000)
        assert await files.sweep() == 0
        assert file_blob(late) in stage.store.blobs


async def test_what_no_reply_has_named_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time a file that was never sent is deleted; one that was sent stays, and so does a fresh one."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding()
        files = kept_in(stage)
        sent, unsent = await files.keep(contact, "a", "a/b", b"sent"), await files.keep(contact, "b", "a/b", b"unsent")
        assert (await stage.act("ana", "reply", contact=contact, text="Here.", files=[sent])).ok
        assert await files.sweep() == 0
        monkeypatch.setattr(enclosures_module, "UNUSED_MS", 0)
        assert await files.sweep() == 1
        assert file_blob(sent) in stage.store.blobs
        assert not {file_blob(unsent), card_blob(unsent)} & stage.store.blobs.keys()
        assert await files.sweep() == 0
        assert (await content_of(stage.vault, _at(sent))) == b"sent"


def _at(identifier: str) -> Attachment:
    return Attachment(filename="", content_type="", size=0, sha256="", blob=file_blob(identifier))
