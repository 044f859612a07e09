"""Mailboxes on a real Dovecot: what is delivered comes in once, whatever the server, the line or we do meanwhile."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from channels.email.imap import MailboxReader
from channels.email.oauth import OAuthSettings, Tokens
from tests.support.mailboxes import (
    HELP,
    Documents,
    Ours,
    listening,
    mail,
    reading,
    settings,
    subjects,
    until,
)
from tests.support.mailservers import NEEDS_DOVECOT, Dovecot, dovecot, free_port
from tests.support.smtp_peer import MemoryInbox, connected, receiving

pytestmark = pytest.mark.needs(*NEEDS_DOVECOT)

NUMBERS = count(1)
DAY_MS = 86_400_000


class Provider(http.server.BaseHTTPRequestHandler):
    """An OAuth2 provider: `/token` gives tokens for a refresh token, `/whose/TOKEN` says whose they are."""

    asked: list[dict[str, list[str]]]
    given: dict[str, str]

    def do_POST(self) -> None:
        """Give a token for the right refresh token."""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.asked.append(form)
        if form.get("refresh_token") != ["the-refresh-token"]:
            return self._answer(400, {"error": "invalid_grant"})
        token = f"access-{len(self.asked)}"
        self.given[token] = "oauth@acme.example"
        return self._answer(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    def do_GET(self) -> None:
        """Say whose a token is."""
        user = self.given.get(urlsplit(self.path).path.rpartition("/")[2])
        self._answer(200 if user else 401, {"username": user} if user else {})

    def _answer(self, code: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Site(NamedTuple):
    """A Dovecot, and the provider whose tokens it takes."""

    store: Dovecot
    tokens: str
    asked: list[dict[str, list[str]]]


@contextmanager
def provider() -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """Run the provider; gives its address and what it was asked."""
    handler = type("Handler", (Provider,), {"asked": [], "given": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", handler.asked  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Run one Dovecot for all tests of this module; each has users of its own."""
    with provider() as (url, asked), dovecot(f"{url}/whose/") as store:
        yield Site(store, f"{url}/token", asked)


@pytest.fixture
def user() -> str:
    """Somebody without a mailbox yet."""
    return f"user{next(NUMBERS)}@acme.example"


async def flags(site: Site, user: str, mailbox: str = "INBOX") -> list[str]:
    """The flags of a mailbox's mails, first to last."""
    command = ("fetch", "-u", user, "flags", "mailbox", mailbox)
    said = await asyncio.to_thread(site.store.doveadm, *command)
    return [
        line.partition(":")[2].replace(r"\Recent", "").strip()
        for line in said.splitlines()
        if line.startswith("flags:")
    ]


def inbox_counts(reader: MailboxReader) -> tuple[int, int]:
    """Mails stored, and how many of them were known."""
    return reader.mails, reader.duplicates


async def test_a_delivered_mail_comes_in_by_idle_and_stays_unread(site: Site, user: str) -> None:
    """While it listens, a new mail comes in over the same connection, and nobody sees that it was read."""
    inbox = MemoryInbox()
    async with reading(settings(site.store.imap, user), inbox) as reader:
        await listening(reader)
        await asyncio.to_thread(site.store.deliver, user, mail("first"))
        await until(lambda: subjects(inbox) == ["first"], reader)
        await listening(reader)
        await asyncio.to_thread(site.store.deliver, user, mail("second"), mail("third"))
        await until(lambda: subjects(inbox) == ["first", "second", "third"], reader)
        assert reader.connections == 1
    assert await flags(site, user) == ["", "", ""]
    meta = msgspec.json.decode(inbox.entries[0].meta)
    assert (meta["account"], meta.get("quiet")) == (HELP, None)
    assert reader.state == "stopped"


@pytest.mark.parametrize("polite", [True, False])
async def test_a_lost_connection_is_replaced_and_nothing_is_missed(site: Site, user: str, *, polite: bool) -> None:
    """After `doveadm kick`, and after `kill -9` of the server's process, mails of the gap come in, each once."""
    inbox = MemoryInbox()
    async with reading(settings(site.store.imap, user), inbox) as reader:
        await listening(reader)
        for number in range(3):
            if polite:
                await asyncio.to_thread(site.store.doveadm, "kick", user)
            else:
                for pid in await asyncio.to_thread(site.store.pids, user):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.to_thread(site.store.deliver, user, mail(f"gap {number}"))
            await until(lambda number=number: len(inbox.entries) == number + 1, reader)  # type: ignore[misc]
            await listening(reader)
        assert reader.connections > 1
    assert subjects(inbox) == ["gap 0", "gap 1", "gap 2"]
    assert reader.duplicates == 0


async def test_a_mass_expunge_does_not_end_the_connection(site: Site, user: str) -> None:
    """Somebody deletes 2,500 mails while we listen: the flood of lines harms nothing, and the next mail comes in."""
    site.store.put(user, (mail(f"old {number}") for number in range(2_500)))
    inbox = MemoryInbox()
    async with reading(settings(site.store.imap, user, begin="new"), inbox) as reader:
        await listening(reader)
        await asyncio.to_thread(site.store.doveadm, "expunge", "-u", user, "mailbox", "INBOX", "all")
        await asyncio.to_thread(site.store.deliver, user, mail("after"))
        await until(lambda: subjects(inbox) == ["after"], reader)
        assert (reader.connections, reader.failures) == (1, 0)


async def test_a_mailbox_made_anew_is_looked_at_again(site: Site, user: str) -> None:
    """After delete and create UIDVALIDITY is another: all is read again, and only what is new comes in."""
    inbox, documents = MemoryInbox(), Documents()
    given = settings(site.store.imap, user, mailbox="Anfragen für uns")
    say = site.store.doveadm

    def fill(*names: str) -> None:
        say("mailbox", "create", "-u", user, given.mailbox)
        for name in names:
            path = site.store.base / "one.eml"
            path.write_bytes(mail(name))
            say("save", "-u", user, "-m", given.mailbox, str(path))

    await asyncio.to_thread(fill, "one", "two", "three")
    async with reading(given, inbox, documents) as reader:
        await listening(reader)
    before = documents.cursor(given)
    await asyncio.to_thread(say, "mailbox", "delete", "-u", user, given.mailbox)
    await asyncio.to_thread(fill, "two", "four", "three", "one")
    async with reading(given, inbox, documents) as reader:
        await until(lambda: len(inbox.entries) == 4 and reader.duplicates == 3, reader)
        await listening(reader)
    after = documents.cursor(given)
    assert (before.validity != after.validity, after.again, after.uid) == (True, True, 4)
    assert subjects(inbox) == ["one", "two", "three", "four"]
    assert msgspec.json.decode(inbox.entries[-1].meta)["quiet"]


async def test_what_the_inbox_has_forgotten_is_told_by_its_date(site: Site, user: str) -> None:
    """A month on no key is remembered: a mailbox made anew brings in what is newer than what we had, no more."""
    given, documents, inbox = settings(site.store.imap, user), Documents(), MemoryInbox()
    await asyncio.to_thread(site.store.deliver, user, mail("known"))
    async with reading(given, MemoryInbox(), documents) as reader:
        await listening(reader)
    cursor = documents.cursor(given)

    async def again(newest: int) -> MailboxReader:
        anew = msgspec.structs.replace(cursor, validity=1, newest=newest)
        documents[f"imap:{given.key}"] = msgspec.json.encode(anew)
        async with reading(given, inbox, documents, clock=lambda: cursor.newest + 30 * DAY_MS) as reader:
            await listening(reader)
        return reader

    assert (await again(cursor.newest + 60_000)).passed_over == 1
    assert subjects(inbox) == []
    assert (await again(cursor.newest - 60_000)).passed_over == 0
    assert subjects(inbox) == ["known"]


class Line:
    """A line to a server that can be cut: then nobody answers at its port, or nothing comes through it any more."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.still = False
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def up(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def down(self) -> None:
        """Cut all, and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._target)
        self._open |= {writer, forth}
        for pair in ((reader, forth), (back, writer)):
            task = asyncio.create_task(self._copy(*pair))
            self._tasks.add(task)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while chunk := await source.read(65_536):
                if not self.still:
                    sink.write(chunk)
            sink.close()
        except OSError:
            sink.transport.abort()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    """A line that is up."""
    line = Line(port)
    await line.up()
    try:
        yield line
    finally:
        await line.down()


async def test_an_outage_is_sat_out(site: Site, user: str) -> None:
    """While the server is gone it is tried again and again, a problem says so, and then all of the time comes in."""
    inbox = MemoryInbox()
    async with line_to(site.store.imap) as line, reading(settings(line.port, user), inbox) as reader:
        await listening(reader)
        await line.down()
        await asyncio.to_thread(site.store.deliver, user, *(mail(f"out {number}") for number in range(3)))
        await until(lambda: reader.failures >= 10, reader)
        assert (reader.state, reader.trouble) == ("down", "it refuses connections: nothing listens there")
        await line.up()
        await until(lambda: len(inbox.entries) == 3, reader)
        await listening(reader)
        assert reader.trouble == ""


async def test_a_line_that_went_silent_is_noticed_when_idle_is_renewed(site: Site, user: str) -> None:
    """Nothing comes through and nobody hangs up: the next renewal of IDLE finds out, and the mail comes in."""
    inbox = MemoryInbox()
    given = {"idle_seconds": (0.1, 0.2), "answer_seconds_max": 0.5, "connect_seconds_max": 0.5}
    async with line_to(site.store.imap) as line, reading(settings(line.port, user, **given), inbox) as reader:
        await listening(reader)
        line.still = True
        await asyncio.to_thread(site.store.deliver, user, mail("unheard"))
        await until(lambda: reader.failures >= 2, reader)
        line.still = False
        await until(lambda: subjects(inbox) == ["unheard"], reader)


async def test_after_three_days_500_mails_come_in_once_and_in_order(site: Site, user: str) -> None:
    """Where we were is kept: what came while nobody read comes in, in batches of 100 at most, and nobody is spared."""
    inbox, documents = MemoryInbox(), Documents()
    given = settings(site.store.imap, user)
    site.store.put(user, [mail("before")])
    async with reading(given, inbox, documents) as reader:
        await listening(reader)
    names = [f"gap {number:03}" for number in range(500)]
    site.store.put(user, map(mail, names))
    async with reading(given, inbox, documents) as reader:
        await until(lambda: len(inbox.entries) == 501, reader)
        await listening(reader)
    assert subjects(inbox) == ["before", *names]
    assert max(map(len, inbox.calls)) == 100
    assert reader.duplicates == 0
    assert [msgspec.json.decode(entry.meta).get("quiet") for entry in inbox.entries[:2]] == [True, None]


async def test_what_people_had_read_before_we_came_is_theirs(site: Site, user: str) -> None:
    """At first only unread mail is taken; from then on all of it, read or not; `all` takes the others as well."""
    site.store.put(user, map(mail, ("old", "unread")))
    await asyncio.to_thread(
        site.store.doveadm, "flags", "add", "-u", user, r"\Seen", "mailbox", "INBOX", "subject", "old"
    )
    inbox, everything = MemoryInbox(), MemoryInbox()
    async with reading(settings(site.store.imap, user), inbox) as reader:
        await listening(reader)
    async with reading(settings(site.store.imap, user, begin="all"), everything) as reader:
        await listening(reader)
    assert (subjects(inbox), subjects(everything)) == (["unread"], ["old", "unread"])


async def test_taken_mails_are_moved_unread_to_a_folder_that_is_made(site: Site, user: str) -> None:
    """`after: move` leaves INBOX empty; the folder's name may be in any script."""
    inbox = MemoryInbox()
    given = settings(site.store.imap, user, after="move", move_to="Übernommen & fertig")
    site.store.put(user, map(mail, ("one", "two")))
    async with reading(given, inbox) as reader:
        await listening(reader)
        await asyncio.to_thread(site.store.deliver, user, mail("three"))
        await until(lambda: len(inbox.entries) == 3, reader)
        await listening(reader)
        assert reader.notice == ""
    assert await flags(site, user) == []
    assert await flags(site, user, given.move_to) == ["", "", ""]


async def test_taken_mails_are_flagged_and_then_never_taken_again(site: Site, user: str) -> None:
    """`after: flag` sets a keyword and nothing else; a mail that has it is known when all else is forgotten."""
    given = settings(site.store.imap, user, after="flag")
    site.store.put(user, map(mail, ("one", "two")))
    async with reading(given, MemoryInbox()) as reader:
        await listening(reader)
        await asyncio.to_thread(site.store.deliver, user, mail("three"))
        await until(lambda: reader.mails == 3, reader)
        await listening(reader)
    assert await flags(site, user) == ["$usherd"] * 3
    inbox = MemoryInbox()
    async with reading(given, inbox) as reader:
        await listening(reader)
    assert (inbox.entries, reader.passed_over) == ([], 3)


async def test_in_shadow_mode_a_mailbox_is_only_looked_at(site: Site, user: str) -> None:
    """Read-only, whatever `after` says: mails come in, and nothing in the mailbox is changed."""
    inbox = MemoryInbox()
    site.store.put(user, [mail("seen by people")])
    async with reading(settings(site.store.imap, user, after="flag", read_only=True), inbox) as reader:
        await listening(reader)
    assert subjects(inbox) == ["seen by people"]
    assert await flags(site, user) == [""]


async def test_hostile_mails_do_not_hold_up_the_good_ones(site: Site, user: str) -> None:
    """NULs, an empty mail, no header, a line of a megabyte, 5,000 parts: each comes in between good ones."""
    hostile = [
        b"From: a\0b\r\n\0\0\0\r\n",
        b"\r\n",
        b'no header at all ) {12} " ( \r\n',
        b"Subject: " + b"(" * 1_000_000 + b"\r\n\r\nx\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 5_000,
        b"A001 OK done\r\n* BYE\r\n+ go on\r\n",
    ]
    inbox = MemoryInbox()
    mails = [mail("good 0")]
    for number, one in enumerate(hostile, 1):
        mails += [one, mail(f"good {number}")]
    site.store.put(user, mails)
    async with reading(settings(site.store.imap, user), inbox) as reader:
        await listening(reader)
        assert reader.failures == 0
    assert [name for name in subjects(inbox) if name.startswith("good")] == [f"good {number}" for number in range(7)]
    assert len(inbox.entries) == len(mails)
    assert any(entry.raw == hostile[3] for entry in inbox.entries)


async def test_a_mail_of_30_megabytes_is_taken_whole_or_by_its_beginning(site: Site, user: str) -> None:
    """Beyond `size_max` its beginning comes in with a note, and it stays; below, all of it; others come too."""
    site.store.put(user, [mail("before"), mail("large", 30_000_000), mail("after")])
    cut, whole = MemoryInbox(), MemoryInbox()
    given = settings(site.store.imap, user, after="move", move_to="Done")
    async with reading(settings(site.store.imap, user, size_max=40_000_000), whole) as reader:
        await listening(reader)
    async with reading(given, cut) as reader:
        await listening(reader)
        assert reader.cut == 1
    assert subjects(whole) == subjects(cut) == ["before", "large", "after"]
    assert (len(whole.entries[1].raw) > 30_000_000, len(cut.entries[1].raw)) == (True, given.cut_bytes)
    note = msgspec.json.decode(cut.entries[1].meta)["note"]
    assert note.startswith("the mail has 30,")
    assert await flags(site, user) == [""]  # it alone is still there
    assert await flags(site, user, "Done") == ["", ""]


async def test_the_same_mail_by_smtp_and_imap_is_one(site: Site, user: str) -> None:
    """One copy comes by SMTP, one lies in the mailbox with other trace headers: one of the two is known."""
    inbox = MemoryInbox()
    await asyncio.to_thread(site.store.deliver, user, mail("twice"))
    async with receiving(inbox) as (_, address), connected(address) as peer:
        assert (await peer.mail(mail("twice"), HELP)).startswith("250")
    async with reading(settings(site.store.imap, user), inbox) as reader:
        await listening(reader)
        assert inbox_counts(reader) == (1, 1)
    assert len(inbox.entries) == 1


async def test_a_token_is_asked_for_and_taken(site: Site) -> None:
    """XOAUTH2: the refresh token gives an access token, the server takes that; a refusal is a plain problem."""
    user = "oauth@acme.example"
    await asyncio.to_thread(site.store.deliver, user, mail("by token"))
    inbox = MemoryInbox()
    right = OAuthSettings(token_url=site.tokens, client_id="usherd", refresh_token="the-refresh-token")
    reader = MailboxReader(settings(site.store.imap, user), inbox, Documents(), Ours(), Tokens(right))
    task = asyncio.create_task(reader.run())
    await until(lambda: subjects(inbox) == ["by token"], reader)
    task.cancel()
    await asyncio.wait({task})
    assert site.asked[-1]["grant_type"] == ["refresh_token"]
    wrong = msgspec.structs.replace(right, refresh_token="gone")
    reader = MailboxReader(settings(site.store.imap, user), inbox, Documents(), Ours(), Tokens(wrong))
    task = asyncio.create_task(reader.run())
    await until(lambda: reader.failures, reader)
    task.cancel()
    await asyncio.wait({task})
    assert reader.trouble.startswith("no OAuth2 token: 400 invalid_grant")
    assert "gone" not in reader.trouble


async def test_a_foreign_token_is_refused_at_once(site: Site, user: str) -> None:
    """A token of somebody else's: the server asks once more, as XOAUTH2 has it, and we are not left hanging."""
    right = OAuthSettings(token_url=site.tokens, client_id="usherd", refresh_token="the-refresh-token")
    reader = MailboxReader(settings(site.store.imap, user), MemoryInbox(), Documents(), Ours(), Tokens(right))
    task = asyncio.create_task(reader.run())
    await until(lambda: reader.failures, reader)
    task.cancel()
    await asyncio.wait({task})
    assert reader.trouble.startswith(f"it does not let `{user}` in")
