"""Mailboxes in the shell, on a real Dovecot and a real store: leases, failures beside each other, crashes, a daemon."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from router.app.mailboxes import Mailboxes
from router.core.errors import StoreUnavailable
from router.shell.disk import DiskGuard
from router.shell.intake import Intake
from router.shell.store import Store
from skills.model import WorkspaceConfig
from tests.support.daemons import RunningDaemon, write_workspace
from tests.support.daemons import until as until_true
from tests.support.mailboxes import HELP, Documents, listening, mail, reading, settings, subject_of, subjects, until
from tests.support.mailservers import NEEDS_DOVECOT, PASSWORD, Dovecot, dovecot
from tests.support.smtp_peer import MemoryInbox
from tests.support.stores import ROOMY, opened

pytestmark = [pytest.mark.needs(*NEEDS_DOVECOT), pytest.mark.timeout(600)]

NUMBERS = count(1)


@pytest.fixture(scope="module")
def site() -> Iterator[Dovecot]:
    """Run one Dovecot for all tests of this module; each has users of its own."""
    with dovecot() as store:
        yield store


@pytest.fixture
def user() -> str:
    """Somebody without a mailbox yet."""
    return f"shell{next(NUMBERS)}@acme.example"


def workspace(port: int, *users: str, password: str = PASSWORD) -> WorkspaceConfig:
    """A workspace that reads these users' INBOX."""
    context = {"env": {"P": password, "WRONG": "a-wrong-password"}, "folder": Path()}
    listed = [
        {"host": "127.0.0.1", "port": port, "tls": "none", "user": one.removeprefix("!"), "account": HELP}
        | {"password": "${WRONG}" if one.startswith("!") else "${P}"}
        for one in users
    ]
    return WorkspaceConfig.model_validate(
        {"workspace": "acme", "channels": {"email": {"imap": listed}}}, context=context
    )


class Node:
    """What one node has of mailboxes."""

    def __init__(self, store: Store, name: str, folder: Path) -> None:
        self.intake = Intake(store, DiskGuard(folder, ROOMY))
        self.registry = CollectorRegistry()
        self.mailboxes = Mailboxes(store, self.intake, name, lambda: 1_700_000_000_000, self.registry)

    @property
    def states(self) -> list[str]:
        """How each mailbox is."""
        return [one.state for one in self.mailboxes.readers()]


@asynccontextmanager
async def nodes(folder: Path, *names: str) -> AsyncIterator[tuple[Store, list[Node]]]:
    """Nodes on one store."""
    async with opened(folder) as store:
        made = [Node(store, name, folder) for name in names]
        try:
            yield store, made
        finally:
            for one in made:
                await one.mailboxes.stop()
                await one.intake.drain()


async def stored(store: Store) -> list[str]:
    """The subjects of all in the inbox, in order."""
    return [subject_of(item.raw) for item in await store.inbox_read("0-0", 10_000)]


async def test_of_two_nodes_one_reads_a_mailbox_and_the_other_takes_over(
    site: Dovecot, user: str, tmp_path: Path
) -> None:
    """The lease holder alone signs in; when it stops, the other goes on where it was, and no mail is stored twice."""
    config = workspace(site.imap, user)
    async with nodes(tmp_path, "one", "two") as (store, (one, two)):
        one.mailboxes.start(config)
        await until(lambda: one.states == ["listening"])
        two.mailboxes.start(config)
        site.put(user, map(mail, ("a", "b")))
        await until(lambda: one.mailboxes.readers()[0].mails == 2)
        assert (two.states, two.mailboxes.readers()[0].connections) == (["elsewhere"], 0)
        await one.mailboxes.stop()
        site.put(user, [mail("c")])
        await until(lambda: two.mailboxes.readers()[0].mails == 1)
        assert await stored(store) == ["a", "b", "c"]
        assert one.intake.duplicates + two.intake.duplicates == 0


async def test_a_mailbox_that_fails_harms_no_other(site: Dovecot, user: str, tmp_path: Path) -> None:
    """A wrong password and a server that is not there are problems with a remedy; the third mailbox is read on."""
    config = workspace(site.imap, f"!wrong-{user}", user)
    absent = config.channels.email.imap[1].model_copy(update={"host": "no-such-host.invalid"})  # type: ignore[union-attr]
    email = config.channels.email.model_copy(update={"imap": (*config.channels.email.imap, absent)})  # type: ignore[union-attr]
    channels = config.channels.model_copy(update={"email": email})
    async with nodes(tmp_path, "one") as (store, (node,)):
        node.mailboxes.start(config.model_copy(update={"channels": channels}))
        await asyncio.to_thread(site.deliver, user, mail("good"))
        await until(lambda: node.mailboxes.readers()[1].mails == 1)
        await until(lambda: len(node.mailboxes.problems()) == 2)
        refused, lost = node.mailboxes.problems()
        assert refused == (
            f"INBOX of wrong-{user} at 127.0.0.1: it does not let `wrong-{user}` in "
            "(check `user` and `password`; some want one made for programs)"
        )
        assert lost.endswith("at no-such-host.invalid: its name is not known")
        assert await stored(store) == ["good"]
        figures = generate_latest(node.registry).decode()
        assert f'usherd_mailbox_mails_total{{mailbox="INBOX of {user} at 127.0.0.1"}} 1.0' in figures
        assert node.mailboxes.status()[f"imap INBOX of {user} at 127.0.0.1"] == {
            "state": "listening",
            "received": 1,
            "account": HELP,
        }


async def test_an_edited_workspace_is_followed(site: Dovecot, user: str, tmp_path: Path) -> None:
    """A mailbox that is added is read, one that is changed is signed in to anew, one that is gone is let go."""
    async with nodes(tmp_path, "one") as (store, (node,)):
        node.mailboxes.start(workspace(site.imap, f"!{user}"))
        await until(lambda: node.states == ["down"])
        node.mailboxes.follow(workspace(site.imap, user, f"other-{user}"))
        await until(lambda: node.states == ["listening", "listening"])
        kept = node.mailboxes.readers()[0]
        node.mailboxes.follow(workspace(site.imap, user))
        await until(lambda: not node.mailboxes._leaving)  # noqa: SLF001 (nothing else tells that they are gone)
        assert node.mailboxes.readers() == [kept]
        await asyncio.to_thread(site.deliver, user, mail("after"))
        await until(lambda: kept.mails == 1)
        assert await stored(store) == ["after"]


async def test_while_the_store_is_down_mails_wait_in_the_mailbox(site: Dovecot, user: str) -> None:
    """A refused append is tried again and again; nothing is moved and no cursor noted before it is on disk."""
    inbox, documents = MemoryInbox(), Documents()
    down = asyncio.Event()

    async def refuse() -> None:
        if down.is_set():
            raise StoreUnavailable("down")

    inbox.before = refuse
    down.set()
    given = settings(site.imap, user, after="move", move_to="Done")
    site.put(user, map(mail, ("one", "two")))
    async with reading(given, inbox, documents) as reader:
        await until(lambda: reader.trouble == "the store cannot take mails", reader)
        assert documents.cursor(given).uid == 0
        assert len(await asyncio.to_thread(site.mails, user)) == 2
        down.clear()
        await listening(reader)
        assert reader.trouble == ""
    assert subjects(inbox) == ["one", "two"]
    assert await asyncio.to_thread(site.mails, user) == []


async def test_a_crash_between_append_and_cursor_doubles_nothing(site: Dovecot, user: str) -> None:
    """The cursor of a batch is lost: its mails are fetched again, and known."""
    inbox, documents = MemoryInbox(), Documents()
    given = settings(site.imap, user, batch_max=10)
    async with reading(given, inbox, documents) as reader:
        await listening(reader)
        documents.failures = 2
        site.put(user, [mail(f"mail {number:02}") for number in range(25)])
        await until(lambda: len(inbox.entries) == 25, reader)
        await listening(reader)
        assert reader.duplicates == 20
    assert subjects(inbox) == [f"mail {number:02}" for number in range(25)]


MAILBOX = """
    imap:
      - {{host: 127.0.0.1, port: {port}, tls: none, user: {user}, password: "${{IMAP_PASSWORD}}",
         account: help@acme.example, after: flag, size_max: 1MB}}
"""


async def test_a_daemon_killed_in_the_middle_of_a_batch_has_every_mail_once(
    site: Dovecot, user: str, tmp_path: Path
) -> None:
    """Killed right after an append, and its store killed later: each mail, by SMTP too, is in exactly one contact."""
    config = write_workspace(tmp_path / "config")
    page = config / "workspace.yaml"
    said = page.read_text().replace(
        "  http: {}", MAILBOX.format(port=site.imap, user=user).strip("\n") + "\n  http: {}"
    )
    page.write_text(said)
    names = [f"refund {number:03}" for number in range(150)]
    large = mail("refund large", 1_200_000)
    hostile = b"From: eve@customer.example\r\nSubject: refund\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    site.put(user, [*map(mail, names[:100]), hostile + b"--b\r\n\r\n" * 5_000, large, *map(mail, names[100:])])
    doomed = RunningDaemon(
        config, tmp_path / "data", IMAP_PASSWORD=PASSWORD, USHERD_BUGGIFY="intake.after_append:kill:2"
    )
    await asyncio.to_thread(_start_and_die, doomed)
    daemon = RunningDaemon(config, tmp_path / "data", IMAP_PASSWORD=PASSWORD)
    await asyncio.to_thread(daemon.start)
    try:
        await asyncio.to_thread(_hand_in, daemon.smtp, mail(names[7]))
        await until_true(lambda: len(daemon.contacts()) == 152)
        await asyncio.to_thread(daemon.kill_store)
        await asyncio.to_thread(site.deliver, user, mail("refund last"))
        await until_true(lambda: _has(daemon, 153))
        await until_true(lambda: "listening" in str(daemon.ask("/v1/status")["channels"]))
        found = [contact["subject"] for contact in daemon.contacts()]
        assert sorted(found) == sorted([*names, "refund", "refund large", "refund last"])
        said = (await asyncio.to_thread(daemon.usherd, "status", "--data", str(daemon.data))).stdout
        assert f"imap INBOX of {user}" in said.replace("\n", " ")
        assert daemon.stop() == 0
        assert PASSWORD not in daemon.log.read_text()
    finally:
        daemon.stop()


def _has(daemon: RunningDaemon, contacts: int) -> bool:
    """Whether there are so many; nobody can say while the store is away."""
    try:
        return len(daemon.contacts()) == contacts
    except httpx.HTTPStatusError:
        return False


def _start_and_die(daemon: RunningDaemon) -> None:
    try:
        daemon.start()
    except AssertionError:  # killed before it could say that it is ready
        return
    daemon.wait()


def _hand_in(address: tuple[str, int], raw: bytes) -> None:
    with smtplib.SMTP(*address) as client:
        client.sendmail("ada@customer.example", [HELP], raw)
