"""Strangers who guess, who send what breaks parsers, and readers of our logs."""

from __future__ import annotations

import logging

import pytest

from tests.support.smtp_peer import MAIL, MemoryInbox, connected, on_both_loops, receiving


@on_both_loops
async def test_guessing_recipients_ends_the_session() -> None:
    """After the limit of unknown recipients the session is closed."""
    async with receiving(MemoryInbox(), refused_recipients_max=3) as (receiver, address), connected(address) as peer:
        await peer.ask("MAIL FROM:<a@b.example>")
        for number in range(4):
            assert (await peer.ask(f"RCPT TO:<{number}@acme.example>")).startswith("550 5.1.1")
        assert (await peer.reply()).startswith("421 4.7.0")
        assert await peer.closed()
        assert receiver.recipients_refused == 4


@pytest.mark.parametrize(
    "argument",
    [b"<" + b"(" * 1900, b"(" * 1900, b'<"' + b"\\" * 1001 + b">", b"<\xff\xfe@b.example>", b"<a@[", b"<@a,@b:", b'"'],
)
@on_both_loops
async def test_hostile_addresses_get_a_plain_answer(argument: bytes) -> None:
    """Addresses that break the standard library's grammar are answered, and the session goes on."""
    async with receiving(MemoryInbox()) as (receiver, address), connected(address) as peer:
        peer.send(b"MAIL FROM:" + argument + b"\r\n")
        assert (await peer.reply())[:3] in {"250", "501", "553"}
        await peer.ask("RSET")
        assert (await peer.mail()).startswith("250 ")
        assert receiver.errors == 0


@on_both_loops
async def test_nothing_of_a_mail_or_its_addresses_is_logged(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """With every logger wide open, neither words nor addresses of a mail appear."""
    inbox = MemoryInbox()

    async def fail() -> None:
        raise RuntimeError("It is gone. ada@customer.example")

    with caplog.at_level(logging.DEBUG):
        async with receiving(inbox) as (_, address), connected(address) as peer:
            assert (await peer.mail()).startswith("250 ")
            inbox.before = fail
            assert (await peer.mail(MAIL.replace(b"<1@", b"<2@"))).startswith("451 ")
    captured = capsys.readouterr()
    written = caplog.text + captured.out + captured.err
    assert "smtp_accept_failed" in written
    assert "ada@" not in written
    assert "It is gone" not in written
