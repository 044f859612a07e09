"""The reader of a mailbox against a server that hangs, lies, floods or breaks; and what servers say, as values."""

from __future__ import annotations

import base64
import logging
import ssl
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from channels.email import imap_answers as answers
from channels.email.imap_connection import Connection
from channels.email.imap_wire import MailboxRefused
from channels.email.settings import MailSettings
from router.app.mail import normalise
from router.app.mailbox import try_mailbox
from skills.email_model import Imap
from skills.secret import Secret
from tests.fakes.scripted_imap import DROP, SILENCE, ScriptedImap, listening
from tests.support.certificates import write_certificate
from tests.support.mailboxes import Ours, mail, reading, settings, subjects, until
from tests.support.mailboxes import listening as has_read
from tests.support.mailservers import PASSWORD
from tests.support.smtp_peer import MemoryInbox

IMPATIENT: dict[str, Any] = {
    "answer_seconds_max": 0.25,
    "connect_seconds_max": 0.25,
    "goodbye_seconds_max": 0.05,
    "poll_seconds": 0.02,
}


class Once:
    """An odd answer for the first time only, or the first few."""

    def __init__(self, answer: bytes, times: int = 1) -> None:
        self.left = times
        self._answer = answer

    def __call__(self, tag: str) -> bytes | None:
        """What is said in place of the usual; None: the usual."""
        self.left -= 1
        return self._answer.replace(b"<tag>", tag.encode()) if self.left >= 0 else None


@pytest.mark.parametrize("answer", [SILENCE, DROP, b"<tag> NO not now\r\n", b"<tag> BAD what\r\n", b"* BYE\r\n" + DROP])
@pytest.mark.parametrize(
    "command", ["greeting", "CAPABILITY", "LOGIN", "SELECT", "SEARCH", "FETCH about", "FETCH body", "STORE", "IDLE"]
)
async def test_wherever_a_server_fails_the_mail_comes_in(command: str, answer: bytes) -> None:
    """Silent, gone or unwilling at any command, once: it is tried anew, and every mail comes in once."""
    server = ScriptedImap(mail("one"), mail("two"))
    server.odd[command] = Once(answer)
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port, after="flag", **IMPATIENT), inbox) as reader:
        await until(lambda: len(inbox.entries) == 2 and reader.state == "listening", reader)
        server.deliver(mail("three"))
        await until(lambda: len(inbox.entries) == 3, reader)
    assert subjects(inbox) == ["one", "two", "three"]


async def test_a_mailbox_that_is_made_anew_while_we_listen_is_looked_at_again() -> None:
    """The connection goes, UIDVALIDITY is another: what is known stays known, what carries our flag is passed over."""
    server = ScriptedImap(mail("one"), mail("two"))
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port), inbox) as reader:
        await has_read(reader)
        server.validity += 1
        server.mails = dict(enumerate([mail("three"), mail("two"), mail("flagged"), mail("one")], 1))
        server.flags[3] = "$usherd"
        server.pushes.put_nowait(DROP)
        await until(lambda: len(inbox.entries) == 3, reader)
        await has_read(reader)
        assert (reader.duplicates, reader.passed_over) == (2, 1)
    assert subjects(inbox) == ["one", "two", "three"]


async def test_a_literal_that_ends_half_way_is_not_waited_for() -> None:
    """A mail of which half comes and then nothing: the connection is replaced after the time without a word."""
    server = ScriptedImap(mail("whole"))
    server.odd["FETCH body"] = Once(b"* 1 FETCH (UID 1 BODY[] {500}\r\nFrom: half of it" + SILENCE)
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port, **IMPATIENT), inbox) as reader:
        await until(lambda: subjects(inbox) == ["whole"], reader)
        assert server.connections == 2


async def test_a_mail_that_always_breaks_the_connection_becomes_a_contact_of_its_own() -> None:
    """After some attempts its header comes in with a note, it stays where it is, and those behind it come too."""
    server = ScriptedImap(mail("before"), mail("bad"), mail("after"))

    def breaks(_: str) -> bytes | None:
        command = server.commands[-1]
        named = server.named(command)
        return DROP if 2 in named and "[]" in command else None

    server.odd["FETCH body"] = breaks
    inbox = MemoryInbox()
    given = settings(0, after="move", move_to="Done", attempts_max=3)
    async with listening(server) as port, reading(msgspec.structs.replace(given, port=port), inbox) as reader:
        await until(lambda: len(inbox.entries) == 3, reader)
        await has_read(reader)
        assert (reader.set_aside, list(server.mails)) == (1, [2])
    assert subjects(inbox) == ["before", "bad", "after"]
    set_aside = inbox.entries[1]
    assert b"could not be fetched; it lies in INBOX" in set_aside.raw
    message = normalise(MailSettings(), set_aside.raw, set_aside.meta)
    assert message.from_.address == "ada@customer.example"
    assert message.warnings[-1].endswith("(UID 2)")


async def test_2000_lines_in_one_chunk_are_read() -> None:
    """While idle and while a FETCH is answered, a flood of lines comes in one piece; the connection lives on."""
    server = ScriptedImap()
    flood = b"".join(b"* %d EXPUNGE\r\n" % number for number in range(2_000, 0, -1))
    noise = b"".join(b"* %d FETCH (FLAGS (\\Seen))\r\n" % number for number in range(1, 2_001))
    server.odd["FETCH about"] = Once(noise + b"* 1 FETCH (UID 1 RFC822.SIZE 9 FLAGS ())\r\n<tag> OK done\r\n")
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port), inbox) as reader:
        await has_read(reader)
        server.pushes.put_nowait(flood)
        server.deliver(mail("after the flood"))
        await until(lambda: subjects(inbox) == ["after the flood"], reader)
        await has_read(reader)
        assert (server.connections, reader.failures) == (1, 0)


async def test_a_server_that_sends_more_than_it_said_is_cut_off() -> None:
    """A mail announced as 100 bytes that comes as 10 MB is not kept in memory: it is set aside like any that fails."""
    server = ScriptedImap(mail("liar"), mail("good"))
    server.mails[1] = mail("liar", 10_000_000)
    server.sizes[1] = 100
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port, attempts_max=2), inbox) as reader:
        await until(lambda: subjects(inbox) == ["liar", "good"], reader)
        assert max(len(entry.raw) for entry in inbox.entries) < 100_000
        assert reader.set_aside == 1


async def test_bodies_are_found_however_they_are_written() -> None:
    """Quoted instead of literal, the UID behind the body, NIL for a mail that has just gone."""
    server = ScriptedImap(b"one", b"two", b"three")
    said = (
        b'* 1 FETCH (UID 1 BODY[] "Subject: a\\\\b ( \\"c\\"")\r\n* 9 FETCH (FLAGS (\\Seen))\r\n'
        b"* 2 FETCH (BODY[] {13}\r\nSubject: two\n UID 2)\r\n* 3 FETCH (UID 3 BODY[] NIL)\r\n<tag> OK done\r\n"
    )

    def answer(tag: str) -> bytes:
        server.mails.pop(3, None)
        return said.replace(b"<tag>", tag.encode())

    server.odd["FETCH body"] = answer
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port), inbox) as reader:
        await has_read(reader)
    assert [entry.raw for entry in inbox.entries] == [b'Subject: a\\b ( "c"', b"Subject: two\n"]


async def test_a_server_without_idle_is_asked_again_and_again() -> None:
    """New mail is found by NOOP and SEARCH."""
    server = ScriptedImap()
    server.capabilities = "IMAP4rev1"
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port, poll_seconds=0.02), inbox) as reader:
        await has_read(reader)
        server.deliver(mail("polled"))
        await until(lambda: subjects(inbox) == ["polled"], reader)
    assert "IDLE" not in server.commands


async def test_a_server_that_refuses_idle_is_asked_instead() -> None:
    """It says that it can, and never does: it is not given up, new mail is found by asking."""
    server = ScriptedImap()
    server.odd["IDLE"] = Once(b"<tag> NO not for you\r\n", times=1_000)
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port, poll_seconds=0.02), inbox) as reader:
        await has_read(reader)
        server.deliver(mail("asked for"))
        await until(lambda: subjects(inbox) == ["asked for"], reader)
        assert (reader.failures, server.connections) == (0, 1)
        await until(lambda: server.commands.count("IDLE") >= 2, reader)


async def test_idle_is_renewed_and_each_time_new_mail_is_looked_for() -> None:
    """A push that got lost is made good by the next renewal."""
    server = ScriptedImap()
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port, idle_seconds=(0.05, 0.1)), inbox) as reader:
        await has_read(reader)
        server.mails[1] = mail("nobody told")
        await until(lambda: subjects(inbox) == ["nobody told"], reader)
    assert server.commands.count("DONE") >= 1


async def test_without_move_mails_are_copied_and_only_they_expunged() -> None:
    r"""COPY, \Deleted, UID EXPUNGE; a folder that is missing is made first."""
    server = ScriptedImap(mail("one"))
    server.capabilities = "IMAP4rev1 IDLE UIDPLUS"
    server.odd["COPY"] = Once(b"<tag> NO [TRYCREATE] no such mailbox\r\n")
    async with listening(server) as port, reading(settings(port, after="move", move_to="Done")) as reader:
        await has_read(reader)
    assert [command for command in server.commands if command.split()[0] in {"UID", "CREATE"}][-5:] == [
        'UID COPY 1 "Done"',
        'CREATE "Done"',
        'UID COPY 1 "Done"',
        r"UID STORE 1 +FLAGS.SILENT (\Deleted)",
        "UID EXPUNGE 1",
    ]


async def test_a_refused_move_keeps_no_mail_back() -> None:
    """Over quota: mails come in all the same, stay where they are, and a problem says so."""
    server = ScriptedImap(mail("one"), mail("two"))
    server.odd["MOVE"] = lambda tag: f"{tag} NO [OVERQUOTA] full\r\n".encode()
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port, after="move", move_to="Done"), inbox) as reader:
        await has_read(reader)
        assert reader.notice == "mails that were taken in stay as they are: MOVE: [OVERQUOTA] full"
    assert len(inbox.entries) == 2


async def test_a_server_that_keeps_no_keywords_is_said_to() -> None:
    """`after: flag` where no keyword can be kept: nothing is stored, and a notice says why."""
    server = ScriptedImap(mail("one"))
    server.odd["SELECT"] = lambda tag: (
        b"* OK [UIDVALIDITY 3] ok\r\n* OK [PERMANENTFLAGS (\\Seen)] ok\r\n" + f"{tag} OK\r\n".encode()
    )
    async with listening(server) as port, reading(settings(port, after="flag")) as reader:
        await has_read(reader)
        assert "cannot be flagged" in reader.notice
    assert not any("STORE" in command for command in server.commands)


@pytest.mark.parametrize(
    ("capabilities", "tls", "says"),
    [
        ("IMAP4rev1 LOGINDISABLED", "none", "it takes no password unencrypted"),
        ("IMAP4rev1", "starttls", "it offers no encryption (STARTTLS)"),
    ],
)
async def test_a_password_is_not_sent_in_the_clear_by_mistake(capabilities: str, tls: str, says: str) -> None:
    """Where the server or the workspace wants encryption, and there is none, the password stays here."""
    server = ScriptedImap()
    server.capabilities = capabilities
    async with listening(server) as port:
        connecting = Connection.signed_in(settings(port, tls=tls), PASSWORD, token=False)
        with pytest.raises(MailboxRefused, match=says[:20]):
            await connecting
    assert not any(PASSWORD in command for command in server.commands)


@pytest.mark.parametrize("tls", ["always", "starttls"])
async def test_certificates_are_checked(tls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate nobody vouches for is refused with a remedy; one that is trusted is not."""
    path = write_certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = ScriptedImap()
    server.capabilities = "IMAP4rev1 STARTTLS"
    server.certificate = context
    given = settings(0, tls=tls, host="localhost")
    async with listening(server, context if tls == "always" else None) as port:
        given = msgspec.structs.replace(given, port=port)
        with pytest.raises(MailboxRefused, match="certificate that cannot be trusted"):
            await Connection.signed_in(given, PASSWORD, token=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        connection = await Connection.signed_in(given, PASSWORD, token=False)
        assert (await connection.open()).validity == 7
        await connection.close()
    assert server.commands[-1] == "LOGOUT"


async def test_a_mail_too_large_is_never_fetched_whole() -> None:
    """Should a server have nothing to give of the beginning of a mail too large, the mail is not fetched instead."""
    server = ScriptedImap(mail("large", size=400_000), mail("after"))
    server.odd["FETCH body"] = Once(b'* 1 FETCH (UID 1 BODY[]<0> "")\r\n<tag> OK done\r\n')
    inbox = MemoryInbox()
    small = settings(0, size_max=100_000, cut_bytes=10_000, **IMPATIENT)
    async with listening(server) as port, reading(msgspec.structs.replace(small, port=port), inbox) as reader:
        await until(lambda: len(inbox.entries) == 2, reader)
    assert max(len(entry.raw) for entry in inbox.entries) < 20_000
    assert not [said for said in server.commands if "BODY.PEEK[])" in said and said.startswith("UID FETCH 1 ")]


@pytest.mark.parametrize("broken", ["look", "keep"])
async def test_a_mistake_about_the_lease_ends_no_mailbox(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a lease fail in a way nobody thought of, that is logged, and the mailbox is claimed and read again."""
    server = ScriptedImap(mail("one"))
    inbox = MemoryInbox()
    usual, failures = getattr(Ours, broken), [RuntimeError("a mistake")]

    async def mistaken(claim: Ours) -> object:
        if failures:
            raise failures.pop()
        return await usual(claim)

    monkeypatch.setattr(Ours, broken, mistaken)
    async with listening(server) as port, reading(settings(port), inbox) as reader:
        await until(lambda: len(inbox.entries) == 1 and reader.state == "listening", reader)
    assert failures == []


async def test_certificates_are_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection reads every root certificate anew, which takes 50 ms: a hundred mailboxes never stop the loop."""
    threads = []
    make = ssl.create_default_context

    def made() -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return make()

    monkeypatch.setattr(ssl, "create_default_context", made)
    async with listening(ScriptedImap()) as port:
        with pytest.raises(MailboxRefused, match="speaks no TLS"):
            await Connection.signed_in(settings(port, tls="always"), PASSWORD, token=False)
    assert threads
    assert threading.main_thread() not in threads


async def test_xoauth2_works_without_an_initial_response() -> None:
    """A server without SASL-IR asks first, and is answered then; what is sent is as RFC and providers have it."""
    server = ScriptedImap()
    server.capabilities = "IMAP4rev1 AUTH=XOAUTH2"
    async with listening(server) as port:
        connection = await Connection.signed_in(settings(port), "t0ken", token=True)
        await connection.close()
    said = base64.b64encode(b"user=help@acme.example\1auth=Bearer t0ken\1\1").decode()
    place = server.commands.index("AUTHENTICATE XOAUTH2")
    assert server.commands[place + 1] == said


async def test_a_mailbox_is_tried_step_by_step() -> None:
    """`usherd init` says how far it came: all three steps, a password that is wrong, a folder or a server not there."""
    server = ScriptedImap()
    secret = Secret("${P}", PASSWORD)

    async def tried(port: int) -> list[tuple[str, bool]]:
        one = Imap(host="127.0.0.1", port=port, tls="none", user="help@acme.example", password=secret, mailbox="Box")
        steps = await try_mailbox(one)
        assert all(step.hint for step in steps if not step.ok)
        return [(step.step, step.ok) for step in steps]

    async with listening(server) as port:
        assert await tried(port) == [("connect", True), ("sign-in", True), ("open", True)]
        assert 'EXAMINE "Box"' in server.commands
        server.odd["EXAMINE"] = Once(b"<tag> NO no such mailbox\r\n")
        assert await tried(port) == [("connect", True), ("sign-in", True), ("open", False)]
        server.odd["LOGIN"] = Once(b"<tag> NO\r\n")
        assert await tried(port) == [("connect", True), ("sign-in", False)]
    assert await tried(port) == [("connect", False)]


async def test_nothing_secret_and_no_mail_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Even at DEBUG neither password nor words of a customer stand in a log."""
    caplog.set_level(logging.DEBUG)
    server = ScriptedImap(mail("secret words"))
    inbox = MemoryInbox()
    async with listening(server) as port, reading(settings(port), inbox) as reader:
        await has_read(reader)
    assert len(inbox.entries) == 1
    assert PASSWORD not in caplog.text
    assert "secret words" not in caplog.text


# -- what servers say ------------------------------------------------------------------------------------------------


@examples(st.sets(st.integers(1, 2**32 - 1), max_size=200))
def test_a_set_of_uids_says_what_it_was_made_of(numbers: set[int]) -> None:
    """Ranges and single UIDs together name exactly the numbers given."""
    small = sorted({number % 500 + 1 for number in numbers})
    named: list[int] = []
    for part in filter(None, answers.uid_set(small).split(",")):
        first, _, last = part.partition(":")
        named += range(int(first), int(last or first) + 1)
    assert named == small


@examples(st.lists(st.binary(max_size=60) | st.binary(max_size=60).map(bytearray)))
def test_no_answer_makes_the_reading_of_it_fail(lines: list[bytes | bytearray]) -> None:
    """Whatever a server says is read as something, or as nothing."""
    answers.opened(lines)
    answers.uids(lines)
    answers.abouts(lines)
    answers.bodies(lines)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("INBOX", '"INBOX"'),
        ("Entwürfe", '"Entw&APw-rfe"'),
        ("a & b", '"a &- b"'),
        ("台北", '"&U,BTFw-"'),
        ('"', '"\\""'),
    ],
)
def test_names_of_mailboxes_are_written_as_rfc_3501_has_it(name: str, written: str) -> None:
    """Modified UTF-7, quoted."""
    assert answers.mailbox_name(name) == written


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("17-Jul-1996 02:44:25 -0700", 837_596_665_000),
        (" 1-Jan-1970 01:00:00 +0100", 0),
        ("31-Feb-2026 00:00:00 +0000", 0),
        ("yesterday", 0),
    ],
)
def test_internal_dates_are_moments(written: str, milliseconds: int) -> None:
    """With their offset; what is none is 0."""
    assert answers.milliseconds(written) == milliseconds
