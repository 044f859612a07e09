"""What became of a mail, for each way a server can answer or fail to."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from channels.email.send import SendResult, SendSettings, SmtpSender, retry_after
from router.core.errors import ConfigError
from tests.fakes.scripted_smtp import Answer, ScriptedSmtp, listening
from tests.support.certificates import write_certificate
from tests.support.smtp_peer import MAIL, MemoryInbox, receiving

SENDER = "help@acme.example"
ADA = "ada@customer.example"
EVE = "eve@customer.example"


async def sent(server: ScriptedSmtp, *recipients: str, raw: bytes = MAIL, **settings: object) -> SendResult:
    """Send one mail through a scripted server."""
    async with listening(server) as port:
        sender = SmtpSender(SendSettings(port=port, **settings))  # type: ignore[arg-type]
        try:
            return await sender.send(SENDER, recipients or (ADA,), raw)
        finally:
            await sender.close()


async def test_a_mail_is_sent_as_it_is() -> None:
    """The server gets envelope, size and bytes, dots doubled, and its reply is handed on."""
    server = ScriptedSmtp()
    raw = MAIL + b".\r\n..x\nbare\rends"
    result = await sent(server, ADA, EVE, raw=raw)
    assert result == SendResult(state="sent", code=250, text="2.0.0 taken")
    assert server.commands == [
        "EHLO localhost",
        f"MAIL FROM:<{SENDER}> SIZE={len(raw)}",
        f"RCPT TO:<{ADA}>",
        f"RCPT TO:<{EVE}>",
        "DATA",
        "QUIT",
    ]
    assert server.bodies == [MAIL + b"..\r\n...x\r\nbare\r\nends\r\n.\r\n"]


@pytest.mark.parametrize(
    ("where", "answer", "expected"),
    [
        ("greeting", "421 busy", ("deferred", 421)),
        ("greeting", "554 go away", ("deferred", 554)),
        ("greeting", "drop", ("deferred", 0)),
        ("greeting", "nonsense", ("deferred", -1)),
        ("EHLO", "drop", ("deferred", 0)),
        ("MAIL", "451 later", ("deferred", 451)),
        ("MAIL", "550 never", ("failed", 550)),
        ("MAIL", "421 closing", ("deferred", 421)),
        ("MAIL", "drop", ("deferred", 0)),
        ("RCPT", "450 greylisted", ("deferred", 450)),
        ("RCPT", "550 nobody", ("failed", 550)),
        ("RCPT", "421 closing", ("deferred", 421)),
        ("RCPT", "drop", ("deferred", 0)),
        ("DATA", "451 later", ("deferred", 451)),
        ("DATA", "554 never", ("failed", 554)),
        ("DATA", "drop", ("deferred", 0)),
        ("DATA", "nonsense", ("deferred", 0)),
        ("body", "452 full", ("deferred", 452)),
        ("body", "550 spam", ("failed", 550)),
        ("body", "421 closing", ("deferred", 421)),
        ("body", "drop", ("unknown", 0)),
        ("body", "nonsense", ("unknown", 0)),
    ],
)
async def test_each_answer_has_its_meaning(where: str, answer: Answer, expected: tuple[str, int]) -> None:
    """4xx and lost connections defer, 5xx fails, and a final reply that never comes leaves the outcome unknown."""
    result = await sent(ScriptedSmtp(**{where: answer}))
    assert (result.state, result.code) == expected


async def test_silence_is_waited_for_only_so_long() -> None:
    """No reply to a command defers; no reply to the mail leaves its outcome unknown."""
    early = await sent(ScriptedSmtp(MAIL="silence"), reply_seconds_max=0.1)
    late = await sent(ScriptedSmtp(body="silence"), data_seconds_max=0.1)
    nobody = await sent(ScriptedSmtp(greeting="silence"), connect_seconds_max=0.1)
    assert [early.state, late.state, nobody.state] == ["deferred", "unknown", "deferred"]


async def test_no_server_defers() -> None:
    """A port nobody listens on defers the mail."""
    async with listening(ScriptedSmtp()) as port:
        pass
    result = await SmtpSender(SendSettings(port=port)).send(SENDER, [ADA], MAIL)
    assert (result.state, result.code) == ("deferred", 0)


async def test_refused_recipients_are_named_and_the_others_get_the_mail() -> None:
    """One refused recipient does not hold up the other, and its reply is reported."""
    server = ScriptedSmtp(**{f"RCPT TO:<{EVE}>": "550 5.1.1 nobody"})
    result = await sent(server, ADA, EVE)
    assert result == SendResult(state="sent", code=250, text="2.0.0 taken", refused={EVE: "550 5.1.1 nobody"})
    assert len(server.bodies) == 1


async def test_all_refused_with_one_for_now_defers() -> None:
    """When one recipient is refused for good and the other for now, the mail is tried again."""
    server = ScriptedSmtp(**{f"RCPT TO:<{EVE}>": "550 5.1.1 nobody", f"RCPT TO:<{ADA}>": "451 4.7.1 greylisted"})
    result = await sent(server, EVE, ADA)
    assert (result.state, result.code, result.text) == ("deferred", 451, "4.7.1 greylisted")
    assert result.refused == {EVE: "550 5.1.1 nobody", ADA: "451 4.7.1 greylisted"}
    assert server.bodies == []


async def test_a_connection_is_used_again_up_to_its_limit() -> None:
    """Five mails over connections of two mails each take three connections, a refused mail counted in."""
    server = ScriptedSmtp(MAIL=["250 OK", "550 never", "250 OK"])
    async with listening(server) as port:
        sender = SmtpSender(SendSettings(port=port, mails_per_connection_max=2))
        states = [(await sender.send(SENDER, [ADA], MAIL)).state for _ in range(5)]
        await sender.close()
    assert states == ["sent", "failed", "sent", "sent", "sent"]
    assert server.connections == 3


async def test_a_refused_mail_leaves_nothing_behind_on_the_connection() -> None:
    """After a refusal the transaction is reset before the next mail goes over the same connection."""
    server = ScriptedSmtp(RCPT=["550 nobody", "250 OK"])
    async with listening(server) as port:
        sender = SmtpSender(SendSettings(port=port))
        assert (await sender.send(SENDER, [ADA], MAIL)).state == "failed"
        assert (await sender.send(SENDER, [EVE], MAIL)).state == "sent"
        await sender.close()
    assert server.connections == 1
    assert server.commands[3] == "RSET"


@pytest.mark.parametrize("end", ["drop", "421 idle too long"])
async def test_a_kept_connection_the_server_ended_costs_no_retry(end: str) -> None:
    """When a kept connection turns out closed, the mail goes over a new one at once."""
    server = ScriptedSmtp(MAIL=["250 OK", end, "250 OK"])
    async with listening(server) as port:
        sender = SmtpSender(SendSettings(port=port))
        assert (await sender.send(SENDER, [ADA], MAIL)).state == "sent"
        assert (await sender.send(SENDER, [ADA], MAIL)).state == "sent"
        await sender.close()
    assert server.connections == 2
    assert len(server.bodies) == 2


async def test_an_unknown_outcome_is_never_resent_by_itself() -> None:
    """On a kept connection too, a mail whose final reply was lost is given to the server once."""
    server = ScriptedSmtp(body=["250 OK", "drop", "250 OK"])
    async with listening(server) as port:
        sender = SmtpSender(SendSettings(port=port))
        assert (await sender.send(SENDER, [ADA], MAIL)).state == "sent"
        assert (await sender.send(SENDER, [ADA], MAIL)).state == "unknown"
        await sender.close()
    assert len(server.bodies) == 2


async def test_idle_connections_are_given_up() -> None:
    """A connection idle for too long is not used again."""
    server = ScriptedSmtp()
    async with listening(server) as port:
        sender = SmtpSender(SendSettings(port=port, idle_seconds_max=0.0))
        await sender.send(SENDER, [ADA], MAIL)
        await sender.send(SENDER, [ADA], MAIL)
        await sender.close()
    assert server.connections == 2


async def test_connections_are_capped() -> None:
    """Ten mails at one time use two connections."""
    server = ScriptedSmtp()
    server.hold.clear()
    async with listening(server) as port:
        sender = SmtpSender(SendSettings(port=port, connections_max=2))
        tasks = [asyncio.create_task(sender.send(SENDER, [ADA], MAIL)) for _ in range(10)]
        while len(server.bodies) < 2:
            await asyncio.sleep(0.01)
        server.hold.set()
        results = await asyncio.gather(*tasks)
        await sender.close()
    assert {result.state for result in results} == {"sent"}
    assert server.open_most == 2


async def test_a_cancelled_send_leaves_no_connection_behind() -> None:
    """Cancelling in the middle of a mail closes its connection and frees its place."""
    server = ScriptedSmtp()
    server.hold.clear()
    async with listening(server) as port:
        sender = SmtpSender(SendSettings(port=port, connections_max=1))
        task = asyncio.create_task(sender.send(SENDER, [ADA], MAIL))
        while not server.bodies:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.hold.set()
        assert (await sender.send(SENDER, [ADA], MAIL)).state == "sent"
        await sender.close()
    assert server.connections == 2


@pytest.mark.parametrize(
    "address", ["", "ada", "a@b\r\nRCPT TO:<eve@x>", "a b@c.example", "a@b>", "<a@b", "a@\ud800.x"]
)
async def test_malformed_recipients_fail_without_a_connection(address: str) -> None:
    """What is no address is never written to the server."""
    server = ScriptedSmtp()
    result = await sent(server, ADA, address)
    assert result.state == "failed"
    assert address in result.refused
    assert server.connections == 0


async def test_nobody_to_send_to_fails() -> None:
    """A mail without recipients fails."""
    assert (await SmtpSender(SendSettings()).send(SENDER, [], MAIL)).state == "failed"


async def test_international_addresses_need_a_server_that_takes_them() -> None:
    """A local part beyond ASCII fails where the server lacks SMTPUTF8; a domain alone is written in ASCII."""
    server = ScriptedSmtp()
    assert (await sent(server, "josé@customer.example")).state == "failed"
    assert (await sent(server, "jose@müller.example")).state == "sent"
    assert "RCPT TO:<jose@xn--mller-kva.example>" in server.commands
    inbox = MemoryInbox()
    async with receiving(inbox, recipients=("hilfe@müller.example", "josé@acme.example")) as (_, (_, port)):
        sender = SmtpSender(SendSettings(port=port))
        for recipient in ("hilfe@müller.example", "josé@acme.example"):
            assert (await sender.send("", [recipient], MAIL)).state == "sent"
        await sender.close()
    assert len(inbox.entries) == 2


async def test_large_mails_arrive_unchanged() -> None:
    """Two megabytes reach a real server as they were."""
    raw = b"Subject: x\r\n\r\n" + b".line\r\n" * 300_000
    inbox = MemoryInbox()
    async with receiving(inbox) as (_, (_, port)):
        sender = SmtpSender(SendSettings(port=port))
        assert (await sender.send(SENDER, ["help@acme.example"], raw)).state == "sent"
        await sender.close()
    assert inbox.entries[0].raw == raw


@pytest.mark.parametrize("encryption", ["offered", "starttls"])
async def test_mail_goes_over_tls_with_a_login(tmp_path: Path, encryption: str) -> None:
    """STARTTLS and AUTH work with a server that requires both; a wrong password or an unknown certificate defer."""
    certificate = write_certificate(tmp_path, "localhost")
    inbox = MemoryInbox()
    server = {"certificate": certificate, "users": {"usherd": "s3cret"}, "auth_required": True, "tls_required": True}
    async with receiving(inbox, **server) as (_, (_, port)):
        right = {"host": "localhost", "port": port, "encryption": encryption, "username": "usherd"}
        states = []
        for settings in (
            {**right, "authorities": certificate, "password": "s3cret"},
            {**right, "authorities": certificate, "password": "wrong"},
            {**right, "password": "s3cret"},
        ):
            sender = SmtpSender(SendSettings(**settings))  # type: ignore[arg-type]
            result = await sender.send(SENDER, ["help@acme.example"], MAIL)
            assert "s3cret" not in result.text
            states.append((result.state, result.code))
            await sender.close()
    assert states[0] == ("sent", 250)
    assert states[1] == ("deferred", 535)
    assert states[2][0] == "deferred"
    assert len(inbox.entries) == 1


async def test_encryption_that_is_only_offered_asks_for_no_certificate(tmp_path: Path) -> None:
    """Without a password, STARTTLS is used where it is offered, whoever signed the certificate."""
    inbox = MemoryInbox()
    async with receiving(inbox, certificate=write_certificate(tmp_path), tls_required=True) as (_, (_, port)):
        sender = SmtpSender(SendSettings(port=port))
        assert (await sender.send(SENDER, ["help@acme.example"], MAIL)).state == "sent"
        await sender.close()
    assert len(inbox.entries) == 1


def test_a_password_in_the_clear_is_refused() -> None:
    """A password without encryption is a configuration error, but for a server on this machine."""
    with pytest.raises(ConfigError, match="in the clear"):
        SmtpSender(SendSettings(host="mail.acme.example", encryption="none", username="a", password="b"))
    SmtpSender(SendSettings(host="127.0.0.1", encryption="none", username="a", password="b"))


async def test_nothing_of_a_mail_is_logged(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """States and sizes are logged; words and addresses are not, even when the server repeats them."""
    with caplog.at_level(logging.DEBUG):
        await sent(ScriptedSmtp(RCPT=f"550 no <{ADA}> here"))
        await sent(ScriptedSmtp(body="drop"))
    captured = capsys.readouterr()
    written = caplog.text + captured.out + captured.err
    assert "mail_not_sent" in written
    assert "ada@" not in written
    assert "It is gone" not in written


def test_waiting_doubles_up_to_four_hours_and_ends_after_two_days() -> None:
    """The first wait is a minute, the longest four hours, and their sum stays within two days."""
    minutes: list[int] = []
    while (delay := retry_after(len(minutes) + 1)) is not None:
        minutes.append(delay // 60_000)
    assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, *[240] * 10]
    assert sum(minutes) <= 2 * 24 * 60 < sum(minutes) + 240
    assert retry_after(10**6) is None
