"""Catching up with a mailbox over IMAP: 10,000 mails onto disk, beside aioimaplib fetching them and doing nothing.

The server is a real Dovecot on this machine, whose processes share its cores. The store is the embedded one, with
`appendfsync always`; nothing is parsed or routed, for that is measured elsewhere.
"""

from __future__ import annotations

import asyncio
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from aioimaplib import IMAP4

from benchmarks.figures import Figure
from channels.email.imap import MailboxReader
from channels.email.imap_settings import ImapSettings
from router.app.mailboxes import PACE, Password
from router.shell.disk import DiskGuard
from router.shell.intake import Intake
from router.shell.lease import Lease
from router.shell.store.embedded import EmbeddedStore
from tests.support.mailboxes import HELP, mail
from tests.support.mailservers import PASSWORD, Dovecot, dovecot

MAILS = 10_000
MAIL_BYTES = 5_000
BATCH = 100
SHARE_MIN = 0.25  # of what the library does that keeps nothing
MEGABYTE = 1 << 20
MEMORY_MAX = 100 * MEGABYTE


def run(*, full: bool) -> list[Figure]:
    """Each once; `full` three times, of which the middle one counts."""
    times = 3 if full else 1
    with dovecot() as server, TemporaryDirectory(prefix="usherd-bench-") as folder:
        server.put(HELP, (mail(f"bench-{number}", MAIL_BYTES) for number in range(MAILS)))
        asyncio.run(_bare(server))  # Dovecot makes its index the first time
        bare = sorted(asyncio.run(_bare(server)) for _ in range(times))[times // 2]
        before = _memory()
        spans = []
        for number in range(times):
            (Path(folder) / str(number)).mkdir()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                spans.append(runner.run(_reader(server, Path(folder) / str(number))))
        span = sorted(spans)[times // 2]
        grown = _memory() - before
    share = bare / span
    return [
        Figure(f"aioimaplib alone, {MAILS:,} mails of {MAIL_BYTES // 1_000} kB, kept nowhere", _rate(bare)),
        Figure(
            f"usherd: {MAILS:,} mails of a mailbox onto disk, cursor noted",
            f"{_rate(span)}, {share:.0%} of that",
            f"> {SHARE_MIN:.0%}",
            share > SHARE_MIN,
        ),
        Figure(
            "memory beyond what the library alone takes",
            f"{grown / MEGABYTE:.0f} MB",
            f"< {MEMORY_MAX // MEGABYTE} MB",
            grown < MEMORY_MAX,
        ),
    ]


def _rate(seconds: float) -> str:
    return f"{seconds:.1f} s, {MAILS / seconds:,.0f} mails/s"


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


async def _bare(server: Dovecot) -> float:
    """Seconds that the library takes for the same FETCHes."""
    client = IMAP4("127.0.0.1", server.imap)
    await client.wait_hello_from_server()
    await client.login(HELP, PASSWORD)
    await client.select()
    begun = time.perf_counter()
    for first in range(1, MAILS + 1, BATCH):
        answer = await client.uid("FETCH", f"{first}:{first + BATCH - 1}", "(UID BODY.PEEK[])")
        if sum(isinstance(line, bytearray) for line in answer.lines) != BATCH:
            message = "the library did not fetch a whole batch"
            raise RuntimeError(message)
    span = time.perf_counter() - begun
    await client.logout()
    return span


async def _reader(server: Dovecot, folder: Path) -> float:
    """Seconds from the start of the reader until all is on disk."""
    guard = DiskGuard(folder)
    embedded = EmbeddedStore(folder, guard=guard)
    await embedded.start()
    store = await embedded.open("bench")
    intake = Intake(store, guard)
    settings = ImapSettings(host="127.0.0.1", port=server.imap, tls="none", user=HELP, account=HELP)
    lease = Lease(store, f"imap:{settings.key}", "bench", pace=PACE)
    reader = MailboxReader(settings, intake, store, lease, Password(PASSWORD))
    begun = time.perf_counter()
    task = asyncio.create_task(reader.run())
    while reader.state != "listening":  # noqa: ASYNC110 (a state of another task, looked at rarely)
        await asyncio.sleep(0.005)
    span = time.perf_counter() - begun
    stored = await store.inbox_length()
    task.cancel()
    await asyncio.wait({task})
    await intake.drain()
    await store.close()
    await embedded.stop()
    if stored != MAILS:
        message = f"{stored} of {MAILS} mails are on disk"
        raise RuntimeError(message)
    return span
