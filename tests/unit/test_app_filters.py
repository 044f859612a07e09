"""Filters that look at mails: what they find is listed, what they do not say keeps nothing back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import httpx
import msgspec
import pytest

from router.app import filters
from router.app.filters import Filters
from router.core.message import Address, Attachment, Message
from router.shell.store.entries import InboxItem
from router.shell.workers import Understood
from skills.email_model import EmailChannel, FiltersConfig
from skills.findings import ConfigErrors
from skills.model import WorkspaceConfig
from skills.workspace import load

MAIL = b"From: ada@customer.example\r\n\r\n" + b"Where is my bag? " * 9_000
LEFT_OUT = "its files and its HTML are left out here"


class Clamd:
    """One that answers `said`; `took`: what it was sent. `patience`: bytes after which it hangs up, as the real one."""

    def __init__(self) -> None:
        self.said = b"stream: OK\0"
        self.took: list[bytes] = []
        self.patience = 1 << 30
        self.held = asyncio.Event()
        self.held.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One mail."""
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        took = b""
        while (size := int.from_bytes(await reader.readexactly(4), "big")) and len(took) < self.patience:
            took += await reader.readexactly(size)
        self.took.append(took)
        await self.held.wait()
        writer.write(self.said)
        await writer.drain()
        writer.close()


class Rspamd:
    """One that answers `said`; `requests` as they came."""

    def __init__(self) -> None:
        self.said = (
            b'{"is_skipped": false, "score": 1.25, "required_score": 15.0, "action": "no action", "symbols": {}}'
        )
        self.status = 200
        self.error: Exception | None = None
        self.requests: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return httpx.Response(self.status, stream=httpx.ByteStream(self.said))

    def takes_for(self, action: str) -> None:
        """What it says from now on."""
        self.said = msgspec.json.encode({"score": 16.5, "required_score": 15.0, "action": action})


class Place:
    """Both, and what asks them."""

    def __init__(self, clamd: Clamd, address: str) -> None:
        self.clamd, self.rspamd = clamd, Rspamd()
        self.settings: FiltersConfig | None = FiltersConfig(rspamd="http://127.0.0.1:11333", clamd=address, wait=60_000)
        unasked = Mock(side_effect=AssertionError("nobody's signature is to be checked"))
        self.filters = Filters(cast("Any", lambda: self.config), unasked, httpx.MockTransport(self.rspamd))

    @property
    def config(self) -> WorkspaceConfig:
        """The configuration in force."""
        channels = SimpleNamespace(email=EmailChannel(filters=self.settings))
        return cast("WorkspaceConfig", SimpleNamespace(channels=channels))

    async def sifted(self, source: str = "email", *, problem: str = "", meta: bytes = b"{}") -> Understood:
        """What becomes of a mail that was read."""
        reading: asyncio.Future[Understood] = asyncio.get_running_loop().create_future()
        item = InboxItem(id="1-0", source=source, meta=meta, raw=MAIL, key=b"")
        found = self.filters.sift(item, reading)
        files = (Attachment(filename="a.exe", content_type="application/x", size=1, sha256="0", part=0),)
        message = Message(
            channel="email", from_=Address(address="ada@customer.example"), text="Hi", html="<p>", attachments=files
        )
        reading.set_result(Understood(problem=problem) if problem else Understood(message=message, language="en"))
        return await found

    async def message(self, **more: Any) -> Message:
        """The same, where it could be read."""
        understood = await self.sifted(**more)
        assert understood.message is not None
        assert understood.language == "en"
        return understood.message


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    """Clamd on a socket of its own."""
    clamd = Clamd()
    server = await asyncio.start_unix_server(clamd.serve, str(folder / "c"))
    async with server:
        here = Place(clamd, str(folder / "c"))
        try:
            yield here
        finally:
            clamd.held.set()
            await here.filters.close()


async def test_both_get_the_mail_as_it_came_and_change_nothing_of_a_good_one(tmp_path: Path) -> None:
    """Rspamd hears who brought it as well, where that can stand in a header."""
    async with place(tmp_path) as here:
        good = await here.message(meta=b'{"envelope_from": "ada@customer.example"}')
        assert (good.spam, good.warnings, len(good.attachments)) == (False, (), 1)
        assert here.clamd.took == [MAIL]
        [request] = here.rspamd.requests
        assert (str(request.url), request.content) == ("http://127.0.0.1:11333/checkv2", MAIL)
        assert request.headers["From"] == "ada@customer.example"
        await here.message(meta=b'{"envelope_from": "ada\\r\\nIp: 127.0.0.1"}')
        await here.message(meta=b"no JSON")
        assert not any(one.headers.get("From") or "Ip" in one.headers for one in here.rspamd.requests[1:])
        assert here.filters.problems() == []


@pytest.mark.parametrize(
    ("action", "spam"),
    [
        ("no action", False), ("greylist", False), ("soft reject", False),
        ("add header", True), ("rewrite subject", True), ("reject", True),
    ],
)  # fmt: skip
async def test_what_rspamd_would_mark_or_reject_is_spam(tmp_path: Path, action: str, spam: bool) -> None:
    """What it would only have tried again is not: it was acknowledged."""
    async with place(tmp_path) as here:
        here.rspamd.takes_for(action)
        found = await here.message()
        assert found.spam is spam
        assert found.warnings == (("rspamd takes it for spam: 16.5 of 15.0.",) if spam else ())


async def test_what_clamd_finds_is_listed_without_its_files(tmp_path: Path) -> None:
    """Nobody opens them by mistake; what it says of itself cannot break a line."""
    async with place(tmp_path) as here:
        here.clamd.said = b"stream: Win.Test.EICAR\n_HDB-1 FOUND\0"
        found = await here.message()
        assert (found.spam, found.attachments, found.html, found.text) == (True, (), "", "Hi")
        assert found.warnings == (f"clamd found Win.Test.EICAR_HDB-1 in it: {LEFT_OUT}.",)


@pytest.mark.parametrize(
    ("said", "patience", "why"),
    [
        (b"INSTREAM size limit exceeded. ERROR\0", 70_000, "it is over its StreamMaxLength"),
        (b"", 1 << 30, "its answer is not that of clamd"),
        (b"stream: lstat() failed ERROR\0", 1 << 30, "its answer is not that of clamd"),
    ],
)
async def test_what_clamd_does_not_look_at_comes_in_and_says_so(
    tmp_path: Path, said: bytes, patience: int, why: str
) -> None:
    """A mail that is too large for it is no trouble of its own."""
    async with place(tmp_path) as here:
        here.clamd.said, here.clamd.patience = said, patience
        found = await here.message()
        assert (found.spam, len(found.attachments)) == (False, 1)
        assert found.warnings == (f"clamd has not looked at it: {why}.",)
        assert len(here.filters.problems()) == (0 if "Max" in why else 1)


@pytest.mark.parametrize(
    ("status", "said", "why"),
    [
        (500, b"", "it answers 500"),
        (200, b"no", "its answer is not that of rspamd"),
        (200, b" " * (2 << 20), "it answers too much"),
        (0, b"", "ConnectError"),
        (1, b"", "usherd failed on it; this was logged"),
    ],
)
async def test_a_filter_that_does_not_answer_keeps_nothing_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: bytes, why: str
) -> None:
    """The mail says so, and the status does until it answers again, or is asked no more."""
    monkeypatch.setattr(filters, "log", Mock())  # a test's log shows all values of a traceback: ten seconds
    async with place(tmp_path) as here:
        usual = here.rspamd.said
        here.rspamd.said, here.rspamd.status = said, status
        here.rspamd.error = {0: httpx.ConnectError("no"), 1: KeyError("a mistake")}.get(status)
        for _ in range(2):
            found = await here.message()
            assert found.warnings == (f"rspamd has not looked at it: {why}.",)
        [problem] = here.filters.problems()
        assert problem.startswith("channels.email.filters.rspamd has not looked at a mail")
        here.rspamd.said, here.rspamd.status, here.rspamd.error = usual, 200, None
        assert (await here.message()).warnings == ()
        assert here.filters.problems() == []


async def test_a_filter_that_hangs_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    """Nor one that is not there."""
    async with place(tmp_path) as here:
        here.clamd.held.clear()
        here.settings = FiltersConfig(clamd=str(tmp_path / "c"), wait=100)
        assert (await here.message()).warnings == ("clamd has not looked at it: it does not answer in time.",)
        here.settings = FiltersConfig(clamd=str(tmp_path / "gone"))
        assert (await here.message()).warnings == ("clamd has not looked at it: FileNotFoundError.",)


async def test_only_mails_are_looked_at_and_only_where_the_workspace_says_so(tmp_path: Path) -> None:
    """What could not be read stays what it is."""
    async with place(tmp_path) as here:
        assert (await here.message(source="telegram")).warnings == ()
        assert (await here.sifted(problem="broken")).problem == "broken"
        assert len(here.clamd.took) == 1
        here.settings = FiltersConfig()
        await here.message()
        here.settings = None
        await here.message()
        assert (len(here.clamd.took), len(here.rspamd.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('rspamd: "http://filter.example:11333"', "must be an https:// address"),
        ('clamd: "10.0.0.7:3310"', "is the path of its socket"),
        ("clamd: clamd.ctl", "is the path of its socket"),
        ("wait: 5m", "60000"),
    ],
)
def test_mails_are_sent_nowhere_in_the_clear(tmp_path: Path, written: str, says: str) -> None:
    """Each mistake has its line."""
    (tmp_path / "workspace.yaml").write_text(
        "workspace: acme\nlanguages: [en]\nagents: {ana: {name: Ana, skills: {lang:en: 5}, capacity: {email: 2}}}\n"
        f"channels:\n  email:\n    smtp: {{recipients: [help@acme.example]}}\n    filters:\n      {written}\n"
    )
    with pytest.raises(ConfigErrors) as raised:
        load(tmp_path)
    assert [(one.line, says in str(one)) for one in raised.value.errors] == [(8, True)]
