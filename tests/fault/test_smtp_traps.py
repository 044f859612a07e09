"""What aiosmtpd leaves open, each as a test (RELIABILITY.md, section 2), on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc

import pytest
from aiosmtpd.smtp import Envelope

from channels.email.receive import SmtpReceiver
from router.core.errors import BacklogFull, Draining, StoreUnavailable
from tests.support.smtp_peer import MAIL, MemoryInbox, connected, on_both_loops, receiving

MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreUnavailable("secret words"), "451 4.3.0"),
        (BacklogFull("secret words"), "452 4.3.1"),
        (Draining("secret words"), "421 4.3.2"),
        (RuntimeError("secret words"), "451 4.3.0"),
    ],
)
@on_both_loops
async def test_a_failing_store_defers_the_mail_and_says_nothing_of_why(error: Exception, code: str) -> None:
    """An append that raises becomes a temporary reply without the exception's text, and the retry is accepted."""
    inbox = MemoryInbox()

    async def fail() -> None:
        raise error

    inbox.before = fail
    async with receiving(inbox) as (receiver, address):
        async with connected(address) as peer:
            reply = await peer.mail()
            assert reply.startswith(code)
            assert "secret" not in reply
        inbox.before = None
        async with connected(address) as peer:
            assert (await peer.mail()).startswith("250 ")
        assert receiver.deferred == 1
    assert [entry.raw for entry in inbox.entries] == [MAIL]


@on_both_loops
async def test_an_exception_in_a_command_is_temporary_and_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a handler raises, the peer hears 451 4.3.0 and no text of the exception, and may go on."""

    async def broken(receiver: SmtpReceiver, envelope: Envelope, peer: str, raw: bytes) -> str:
        raise ValueError("secret words")

    inbox = MemoryInbox()
    async with receiving(inbox) as (receiver, address), connected(address) as peer:
        monkeypatch.setattr(SmtpReceiver, "accept", broken)
        assert await peer.mail() == "451 4.3.0 Local error, try again later"
        monkeypatch.undo()
        assert (await peer.mail()).startswith("250 ")
        assert receiver.errors == 1


@on_both_loops
async def test_data_without_line_ends_is_bounded() -> None:
    """Forty times the size limit in one line is cut off, and at no time is more than the limit held."""
    inbox = MemoryInbox()
    async with receiving(inbox, size_max=MEGABYTE) as (receiver, address), connected(address) as peer:
        await peer.begin()
        highest = 0
        with contextlib.suppress(ConnectionError):
            for _ in range(640):
                peer.send(b"x" * 65_536)
                await peer.writer.drain()
                highest = max(highest, receiver.held)
        assert await peer.closed()
        assert highest <= 2 * MEGABYTE
        assert receiver.aborted == 1
        assert receiver.held == 0
    assert inbox.calls == []


@on_both_loops
async def test_a_command_without_end_is_cut_off() -> None:
    """A command line that never ends costs its sender the connection once it passes the limit."""
    inbox = MemoryInbox()
    async with receiving(inbox, command_bytes_max=100_000) as (receiver, address), connected(address) as peer:
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                peer.send(b"x" * 65_536)
                await peer.writer.drain()
        assert await peer.closed()
        assert receiver.aborted == 1


@on_both_loops
async def test_a_mail_over_the_limit_hears_552_and_the_session_goes_on() -> None:
    """A mail a little over the limit is read to its end, refused for its size, and the next one is taken."""
    inbox = MemoryInbox()
    async with receiving(inbox, size_max=100_000) as (receiver, address), connected(address) as peer:
        assert (await peer.mail(b"Subject: x\r\n\r\n" + b"y" * 120_000 + b"\r\n")).startswith("552 5.3.4")
        assert receiver.held == 0
        assert (await peer.ask("MAIL FROM:<a@b.example> SIZE=100001")).startswith("552")
        assert (await peer.mail()).startswith("250 ")
        assert receiver.oversized == 1
    assert [entry.raw for entry in inbox.entries] == [MAIL]


@on_both_loops
async def test_mails_over_the_memory_limit_are_deferred_and_those_below_taken() -> None:
    """When all mails being received pass the common limit, the one that does so hears 452 and gives its memory back."""
    inbox = MemoryInbox()
    async with (
        receiving(inbox, size_max=MEGABYTE, held_max=100_000) as (receiver, address),
        connected(address) as peer,
        connected(address) as other,
    ):
        await peer.begin()
        await other.begin()
        peer.send(b"Subject: x\r\n\r\n" + b"y" * 200_000 + b"\r\n.\r\n")
        assert (await peer.reply()).startswith("452 4.3.1")
        other.send(MAIL + b".\r\n")
        assert (await other.reply()).startswith("250 ")
        assert receiver.busy == 1
        assert receiver.held == 0


@on_both_loops
async def test_a_client_that_hangs_up_before_250_has_its_mail_stored_once() -> None:
    """The append outlives the connection, and the second attempt is known as a duplicate."""
    inbox = MemoryInbox()
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go.wait()

    inbox.before = wait
    async with receiving(inbox) as (receiver, address):
        async with connected(address) as peer:
            await peer.begin()
            peer.send(MAIL + b".\r\n")
            await begun.wait()
        while receiver.held:
            await asyncio.sleep(0.01)  # until the server has seen the loss
        go.set()
        async with connected(address) as peer:
            assert (await peer.mail()).startswith("250 ")
        assert receiver.duplicates == 1
    assert len(inbox.calls) == 2
    assert [entry.raw for entry in inbox.entries] == [MAIL]


@on_both_loops
async def test_a_mail_cut_off_in_the_middle_is_not_stored() -> None:
    """A client that hangs up before the end mark leaves neither an entry nor held memory."""
    inbox = MemoryInbox()
    async with receiving(inbox) as (receiver, address):
        for part in (MAIL, MAIL + b".", MAIL + b".\r", MAIL[:10]):
            async with connected(address) as peer:
                await peer.begin()
                peer.send(part)
        while receiver.held:
            await asyncio.sleep(0.01)
    assert inbox.calls == []


@on_both_loops
async def test_a_store_that_does_not_answer_is_waited_for_only_so_long() -> None:
    """After the limit the peer hears 451, while the append goes on and is not repeated by the retry."""
    inbox = MemoryInbox()
    go = asyncio.Event()

    async def wait() -> None:
        await go.wait()

    inbox.before = wait
    async with receiving(inbox, append_seconds_max=0.5) as (receiver, address), connected(address) as peer:
        assert (await peer.mail()).startswith("451 4.3.0")
        go.set()
        assert (await peer.mail()).startswith("250 ")
        assert receiver.duplicates == 1
    assert len(inbox.entries) == 1


@pytest.mark.parametrize("cap", ["connections_per_address_max", "connections_max"])
@on_both_loops
async def test_connections_are_capped_per_address_and_in_all(cap: str) -> None:
    """One connection too many hears 421 and no greeting; once another has ended there is room again."""
    async with (
        receiving(MemoryInbox(), **{cap: 2}) as (receiver, address),
        connected(address),
        connected(address) as second,
    ):
        async with connected(address, greet=False) as third:
            assert (await third.reply()).startswith("421 4.7.0")
            assert await third.closed()
        assert receiver.connections_refused == 1
        await second.ask("QUIT")
        assert await second.closed()
        async with connected(address) as fourth:
            assert (await fourth.mail()).startswith("250 ")


@on_both_loops
async def test_noop_does_not_keep_a_session_alive() -> None:
    """A session that only ever sends NOOP ends at its deadline."""
    async with receiving(MemoryInbox(), session_seconds_max=1.0) as (receiver, address), connected(address) as peer:
        replies = {"250 OK"}
        while replies == {"250 OK"}:
            replies.add(await peer.ask("NOOP"))
            await asyncio.sleep(0.02)
        assert replies - {"250 OK"} == {"421 4.4.2 Timeout"}
        assert receiver.timeouts == 1


@on_both_loops
async def test_a_command_can_be_sent_only_so_often() -> None:
    """The hundred and first NOOP is answered with 421, while mails have a far higher limit."""
    async with receiving(MemoryInbox()) as (_, address), connected(address) as peer:
        for _ in range(150):
            assert (await peer.mail()).startswith("250 ")
        peer.send(b"NOOP\r\n" * 101)
        replies = [await peer.reply() for _ in range(101)]
        assert set(replies[:100]) == {"250 OK"}
        assert replies[100].startswith("421 4.7.0")
        assert await peer.closed()


@on_both_loops
async def test_a_session_over_its_time_finishes_its_mail_first() -> None:
    """The deadline does not cut a mail short: it is answered for, and then the session ends."""
    async with receiving(MemoryInbox(), session_seconds_max=1.0) as (_, address), connected(address) as peer:
        await peer.begin()
        await asyncio.sleep(1.1)  # its time is over then: it began before
        peer.send(MAIL + b".\r\n")
        assert (await peer.reply()).startswith("250 ")
        assert await peer.reply() == "421 4.4.2 Timeout"
        assert await peer.closed()


@on_both_loops
async def test_a_slow_mail_ends_at_its_own_deadline() -> None:
    """Somebody who sends a mail byte by byte is cut off and nothing is stored."""
    inbox = MemoryInbox()
    async with receiving(inbox, data_seconds_max=0.2) as (receiver, address), connected(address) as peer:
        await peer.begin()
        while not peer.reader.at_eof() and not receiver.timeouts:
            peer.send(b"x")
            await asyncio.sleep(0.02)
        assert await peer.reply() == "421 4.4.2 Timeout"
        assert await peer.closed()
    assert inbox.calls == []


@on_both_loops
async def test_an_idle_session_ends() -> None:
    """Somebody who connects and says nothing is cut off."""
    async with (
        receiving(MemoryInbox(), command_seconds_max=0.1) as (_, address),
        connected(address, greet=False) as peer,
    ):
        assert (await peer.reply()).startswith("220 ")
        assert await peer.reply() == "421 4.4.2 Timeout"


@pytest.mark.parametrize("length", [1_002, 100_000, 2_000_000])
@on_both_loops
async def test_long_lines_are_taken_as_they_are(length: int) -> None:
    """A line of any length within the size limit arrives unchanged."""
    inbox = MemoryInbox()
    raw = b"Subject: x\r\n\r\n" + b"y" * length + b"\r\nend\r\n"
    async with receiving(inbox) as (_, address), connected(address) as peer:
        assert (await peer.mail(raw)).startswith("250 ")
    assert inbox.entries[0].raw == raw


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n\x00.\r\n"])
@on_both_loops
async def test_no_mail_can_be_smuggled_inside_another(end: bytes) -> None:
    """Only CR LF dot CR LF ends a mail: all look-alikes are text of the one mail."""
    inbox = MemoryInbox()
    forged = b"MAIL FROM:<boss@acme.example>\r\nRCPT TO:<help@acme.example>\r\nDATA\r\nSubject: forged\r\n\r\nPay.\r\n"
    raw = MAIL.removesuffix(b"\r\n") + end + forged
    async with receiving(inbox) as (_, address), connected(address) as peer:
        await peer.begin()
        peer.send(raw + b".\r\n")
        assert (await peer.reply()).startswith("250 ")
        assert (await peer.ask("NOOP")) == "250 OK"
    assert len(inbox.entries) == 1
    assert b"Subject: forged" in inbox.entries[0].raw


@on_both_loops
async def test_pipelined_mails_are_all_taken_in_order() -> None:
    """Three transactions sent in one write, the mails' texts included, become three mails."""
    inbox = MemoryInbox()
    one = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<help@acme.example>\r\nDATA\r\nSubject: %d\r\n\r\n..dot\r\n.\r\n"
    async with receiving(inbox) as (_, address), connected(address) as peer:
        peer.send(b"".join(one % number for number in range(3)) + b"QUIT\r\n")
        replies = [await peer.reply() for _ in range(13)]
    assert [reply[:3] for reply in replies] == ["250", "250", "354", "250"] * 3 + ["221"]
    assert [entry.raw for entry in inbox.entries] == [b"Subject: %d\r\n\r\n.dot\r\n" % number for number in range(3)]


@on_both_loops
async def test_a_large_mail_costs_a_bounded_multiple_of_its_size() -> None:
    """Receiving 25 MB takes at most four times that in memory at the highest point."""
    inbox = MemoryInbox()
    raw = b"Subject: x\r\n\r\n" + (b"y" * 76 + b"\r\n") * (25 * MEGABYTE // 78 - 100)
    async with receiving(inbox) as (_, address), connected(address) as peer:
        await peer.begin()
        tracemalloc.start()
        try:
            for start in range(0, len(raw), 65_536):
                peer.send(raw[start : start + 65_536])
                await peer.writer.drain()
            peer.send(b".\r\n")
            assert (await peer.reply()).startswith("250 ")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert inbox.entries[0].raw == raw
    assert peak < 4 * 25 * MEGABYTE


@on_both_loops
async def test_one_byte_at_a_time_costs_no_more_than_its_bytes() -> None:
    """A mail in one-byte pieces arrives whole."""
    inbox = MemoryInbox()
    async with receiving(inbox) as (_, address), connected(address) as peer:
        await peer.begin()
        for byte in MAIL + b".\r\n":
            peer.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await peer.reply()).startswith("250 ")
    assert inbox.entries[0].raw == MAIL


@on_both_loops
async def test_stopping_lets_a_mail_finish_and_refuses_new_ones() -> None:
    """While a mail is under way new connections hear 421; the mail is stored and answered; then nobody listens."""
    inbox = MemoryInbox()
    async with receiving(inbox) as (receiver, address):
        async with connected(address) as busy, connected(address) as idle:
            await busy.begin()
            busy.send(MAIL)
            stopping = asyncio.create_task(receiver.stop())
            assert (await idle.reply()).startswith("421 4.3.2")
            async with connected(address, greet=False) as late:
                assert (await late.reply()).startswith("421 4.3.2")
            assert not stopping.done()
            busy.send(b".\r\n")
            assert (await busy.reply()).startswith("250 ")
            assert (await busy.reply()).startswith("421 4.3.2")
            await stopping
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection(*address)
    assert [entry.raw for entry in inbox.entries] == [MAIL]


@on_both_loops
async def test_stopping_ends_even_when_a_mail_does_not() -> None:
    """A mail that never ends holds a stop up only so long."""
    inbox = MemoryInbox()
    async with receiving(inbox, drain_seconds_max=0.1) as (receiver, address), connected(address) as peer:
        await peer.begin()
        await receiver.stop()
        assert (await peer.reply()).startswith("421 4.3.2")
    assert inbox.calls == []
