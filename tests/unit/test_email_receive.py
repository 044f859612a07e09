"""What the SMTP server takes, from whom and for whom, and what it stores of it."""

from __future__ import annotations

import base64
import socket
import ssl
from pathlib import Path

import msgspec
import pytest

from channels.email.identity import identity
from channels.email.receive import SmtpReceiver, network_of
from channels.email.smtp_settings import Accounts, SmtpSettings
from router.core.errors import ConfigError
from tests.support.certificates import write_certificate
from tests.support.smtp_peer import MAIL, MemoryInbox, connected, on_both_loops, receiving


@on_both_loops
async def test_a_mail_becomes_one_entry_per_account_in_one_append() -> None:
    """All accounts of one transaction go into one append; each entry names its own recipients."""
    inbox = MemoryInbox()
    async with receiving(inbox) as (receiver, address), connected(address) as peer:
        reply = await peer.mail(MAIL, "help@acme.example", "Help+t_1_ab@ACME.example", "orders@acme.example")
        assert reply == "250 2.0.0 OK 1-0"
        assert (receiver.mails, receiver.bytes, receiver.connections) == (1, len(MAIL), 1)
    assert len(inbox.calls) == 1
    first, second = inbox.entries
    assert first.source == second.source == "email"
    assert first.raw == second.raw == MAIL
    assert msgspec.json.decode(first.meta) == {
        "account": "help@acme.example",
        "envelope_from": "ada@customer.example",
        "recipients": ["help@acme.example", "Help+t_1_ab@ACME.example"],
        "peer": "127.0.0.1",
        "received_at": 1_700_000_000_000,
    }
    assert msgspec.json.decode(second.meta)["account"] == "orders@acme.example"
    assert (first.key, first.body) == identity("help@acme.example", MAIL)
    assert (second.key, second.body) == identity("orders@acme.example", MAIL)


@on_both_loops
async def test_only_our_own_recipients_are_taken() -> None:
    """Other users, other domains and routed addresses hear 550 or 553: this is no relay."""
    others = [
        "someone@acme.example",
        "help@other.example",
        "help@acme.example@other.example",
        "help%other.example@acme.example",
        "other.example!help@acme.example",
        "+help@acme.example",
        "",
    ]
    inbox = MemoryInbox()
    async with receiving(inbox) as (_, address), connected(address) as peer:
        await peer.ask("MAIL FROM:<a@b.example>")
        for other in others:
            assert (await peer.ask(f"RCPT TO:<{other}>"))[:3] in {"550", "553"}
        assert (await peer.ask("DATA")).startswith("503")
        assert (await peer.ask("RCPT TO:<help@acme.example>")).startswith("250")
    assert inbox.calls == []


@on_both_loops
async def test_an_authenticated_sender_still_cannot_relay(tmp_path: Path) -> None:
    """AUTH lets nobody send elsewhere."""
    certificate = write_certificate(tmp_path)
    settings = {"certificate": certificate, "users": {"mx": "s3cret"}}
    async with receiving(MemoryInbox(), **settings) as (_, address), connected(address) as peer:
        await peer.begin_tls(ssl.create_default_context(cafile=str(certificate)))
        login = base64.b64encode(b"\0mx\0s3cret").decode()
        assert (await peer.ask(f"AUTH PLAIN {login}")).startswith("235")
        await peer.ask("MAIL FROM:<a@b.example>")
        assert (await peer.ask("RCPT TO:<a@other.example>")).startswith("550")


@on_both_loops
async def test_starttls_carries_mail_and_drops_what_was_sent_before_it(tmp_path: Path) -> None:
    """Mail arrives over TLS; a command injected in the clear behind STARTTLS is not obeyed."""
    certificate = write_certificate(tmp_path)
    inbox = MemoryInbox()
    async with receiving(inbox, certificate=certificate, tls_required=True) as (_, address):
        async with connected(address) as peer:
            assert "STARTTLS" in await peer.ask("EHLO customer.example")
            assert (await peer.ask("MAIL FROM:<a@b.example>")).startswith("530")
            await peer.begin_tls(ssl.create_default_context(cafile=str(certificate)))
            assert (await peer.mail()).startswith("250 ")
            assert "STARTTLS" not in await peer.ask("EHLO customer.example")
        async with connected(address) as peer:
            context = ssl.create_default_context(cafile=str(certificate))
            await peer.begin_tls(context, injected=b"MAIL FROM:<injected@b.example>\r\n")
            assert (await peer.mail()).startswith("250 ")
    assert [entry.raw for entry in inbox.entries] == [MAIL]
    assert all(b"injected" not in entry.meta for call in inbox.calls for entry in call)


@on_both_loops
async def test_large_mail_arrives_over_tls(tmp_path: Path) -> None:
    """Three megabytes over TLS arrive unchanged."""
    certificate = write_certificate(tmp_path)
    raw = b"Subject: x\r\n\r\n" + b"line of a large mail\r\n" * 150_000
    inbox = MemoryInbox()
    async with receiving(inbox, certificate=certificate) as (_, address), connected(address) as peer:
        await peer.begin_tls(ssl.create_default_context(cafile=str(certificate)))
        assert (await peer.mail(raw)).startswith("250 ")
    assert inbox.entries[0].raw == raw


@on_both_loops
async def test_auth_is_offered_over_tls_only_and_wrong_logins_are_counted(tmp_path: Path) -> None:
    """AUTH is hidden in the clear; an unknown login, a wrong secret and an empty one fail; the third ends it."""
    certificate = write_certificate(tmp_path)
    settings = {"certificate": certificate, "users": {"mx": "s3cret"}, "auth_required": True}
    async with receiving(MemoryInbox(), **settings) as (receiver, address), connected(address) as peer:
        assert "AUTH" not in await peer.ask("EHLO customer.example")
        assert (await peer.ask("AUTH PLAIN AG14AHMzY3JldA==")).startswith("538")
        await peer.begin_tls(ssl.create_default_context(cafile=str(certificate)))
        assert "250-AUTH LOGIN PLAIN" in await peer.ask("EHLO customer.example")
        assert (await peer.ask("MAIL FROM:<a@b.example>")).startswith("530")
        for number, login in enumerate([b"\0mx\0wrong", b"\0nobody\0", b"\0mx\0"]):
            reply = await peer.ask(f"AUTH PLAIN {base64.b64encode(login).decode()}")
            assert reply[:3] == ("535" if number < 2 else "421")
        assert await peer.closed()
        assert receiver.logins_refused == 3


@on_both_loops
async def test_auth_login_and_plain_let_a_user_in(tmp_path: Path) -> None:
    """Both mechanisms accept the right secret, and mail is then taken."""
    certificate = write_certificate(tmp_path)
    settings = {"certificate": certificate, "users": {"mx": "s3cret"}, "auth_required": True}
    inbox = MemoryInbox()
    async with receiving(inbox, **settings) as (_, address):
        for commands in (["AUTH PLAIN AG14AHMzY3JldA=="], ["AUTH LOGIN", "bXg=", "czNjcmV0"]):
            async with connected(address) as peer:
                await peer.begin_tls(ssl.create_default_context(cafile=str(certificate)))
                replies = [await peer.ask(command) for command in commands]
                assert replies[-1].startswith("235")
                assert (await peer.mail()).startswith("250 ")
    assert len(inbox.calls) == 2


@on_both_loops
async def test_the_null_sender_is_taken() -> None:
    """A bounce, whose sender is empty, is stored with an empty sender."""
    inbox = MemoryInbox()
    async with receiving(inbox) as (_, address), connected(address) as peer:
        assert (await peer.ask("MAIL FROM:<> SIZE=100 BODY=8BITMIME")).startswith("250")
        await peer.ask("RCPT TO:<help@acme.example>")
        await peer.ask("DATA")
        peer.send(MAIL + b".\r\n")
        assert (await peer.reply()).startswith("250 ")
    assert msgspec.json.decode(inbox.entries[0].meta)["envelope_from"] == ""


@on_both_loops
async def test_bytes_of_every_value_arrive_as_sent() -> None:
    """NUL bytes, eight-bit text and bare line ends are kept as received."""
    raw = b"Subject: \xfc\xf6 \x00\r\n\r\n" + bytes(range(256)) + b"\nbare\rends\r\n"
    inbox = MemoryInbox()
    async with receiving(inbox) as (_, address), connected(address) as peer:
        assert "250-8BITMIME" in await peer.ask("EHLO customer.example")
        assert (await peer.mail(raw)).startswith("250 ")
    assert inbox.entries[0].raw == raw


@on_both_loops
@pytest.mark.parametrize("raw", [b"", b".\r\n", b"..\r\n.x\r\n", b".\r\n.\r\n", b"\r\n\r\n", b"a\r\n.\r\nb\r\n"])
async def test_dots_are_unstuffed_and_nothing_else_changes(raw: bytes) -> None:
    """Empty mails and mails of dots arrive as they were before dot-stuffing."""
    inbox = MemoryInbox()
    async with receiving(inbox) as (_, address), connected(address) as peer:
        assert (await peer.mail(raw)).startswith("250 ")
    assert inbox.entries[0].raw == raw


@on_both_loops
async def test_international_addresses_are_taken() -> None:
    """SMTPUTF8 senders and recipients work, whichever way the domain is spelt; broken UTF-8 is replaced."""
    inbox = MemoryInbox()
    settings = {"recipients": ("hilfe@müller.example",)}
    async with receiving(inbox, **settings) as (_, address), connected(address) as peer:
        assert "250-SMTPUTF8" in await peer.ask("EHLO customer.example")
        for sender, recipient in (
            ("josé@customer.example".encode(), "hilfe+t_1@müller.example".encode()),
            (b"jos\xe9@customer.example", b"HILFE@xn--mller-kva.example"),
        ):
            peer.send(b"MAIL FROM:<" + sender + b"> SMTPUTF8 SIZE=20\r\nRCPT TO:<" + recipient + b">\r\nDATA\r\n")
            assert [(await peer.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
            peer.send(b"Subject: " + sender + b"\r\n\r\nx\r\n.\r\n")
            assert (await peer.reply()).startswith("250 ")
    senders = [msgspec.json.decode(entry.meta)["envelope_from"] for entry in inbox.entries]
    assert senders == ["josé@customer.example", "jos�@customer.example"]
    assert {msgspec.json.decode(entry.meta)["account"] for entry in inbox.entries} == {"hilfe@müller.example"}


@on_both_loops
async def test_commands_out_of_order_are_answered_and_harmless() -> None:
    """DATA without recipients, RCPT without sender, unknown and empty commands leave the session usable."""
    inbox = MemoryInbox()
    async with receiving(inbox) as (_, address), connected(address) as peer:
        assert (await peer.ask("DATA")).startswith("503")
        assert (await peer.ask("RCPT TO:<help@acme.example>")).startswith("503")
        assert (await peer.ask("MAIL FROM:<a@b.example> WHAT=1")).startswith("555")
        assert (await peer.ask("")).startswith("500")
        assert (await peer.ask("XYZZY")).startswith("500")
        assert (await peer.ask("VRFY help@acme.example")) == "252 2.1.5 Cannot verify, send some mail"
        assert (await peer.ask("EXPN help")).startswith("502")
        assert (await peer.ask("DATA now")).startswith("503")
        await peer.ask("MAIL FROM:<a@b.example>")
        await peer.ask("RSET")
        assert (await peer.ask("RCPT TO:<help@acme.example>")).startswith("503")
        assert (await peer.mail()).startswith("250 ")
    assert len(inbox.entries) == 1


@on_both_loops
async def test_recipients_of_one_mail_are_limited() -> None:
    """Over the limit a recipient hears 452, so that its sender makes a second mail of the rest."""
    async with receiving(MemoryInbox(), recipients_max=2) as (_, address), connected(address) as peer:
        await peer.ask("MAIL FROM:<a@b.example>")
        replies = [await peer.ask(f"RCPT TO:<help+{number}@acme.example>") for number in range(3)]
        assert [reply[:9] for reply in replies] == ["250 2.1.5", "250 2.1.5", "452 4.5.3"]


async def test_a_taken_port_is_told_with_a_remedy() -> None:
    """A port somebody else listens on raises ConfigError that names it and says what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        receiver = SmtpReceiver(SmtpSettings(recipients=("help@acme.example",), port=port), MemoryInbox())
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}.*in use.*listen"):
            await receiver.start()
        await receiver.stop()


async def test_tls_settings_that_cannot_work_are_told(tmp_path: Path) -> None:
    """Users without a certificate, and a certificate that is none, raise ConfigError."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for settings in (
        SmtpSettings(recipients=(), port=0, users={"a": "b"}),
        SmtpSettings(recipients=(), port=0, certificate=broken),
        SmtpSettings(recipients=(), port=0, certificate=tmp_path / "absent.pem"),
    ):
        with pytest.raises(ConfigError, match="certificate"):
            await SmtpReceiver(settings, MemoryInbox()).start()


@pytest.mark.parametrize(
    ("recipient", "account"),
    [
        ("HELP@acme.EXAMPLE", "Help@acme.example"),
        ("help+a+b@acme.example", "Help@acme.example"),
        ("sales+eu@acme.example", "sales+eu@acme.example"),
        ("sales@acme.example", None),
        ("help", None),
        ("", None),
        ("help+x@", None),
        ("jöe@\udcff", None),
    ],
)
def test_accounts_are_found_by_any_spelling(recipient: str, account: str | None) -> None:
    """Case and plus parts make no difference, unless the account itself has a plus part."""
    assert Accounts(("Help@acme.example", "sales+eu@acme.example")).find(recipient) == account


@on_both_loops
async def test_accounts_can_be_changed_while_running() -> None:
    """After a change new recipients are judged by the new list, and a mail to an account that is gone is deferred."""
    inbox = MemoryInbox()
    async with receiving(inbox) as (receiver, address), connected(address) as peer:
        await peer.begin("orders@acme.example")
        receiver.take_mail_for(("help@acme.example", "new@acme.example"))
        peer.send(MAIL + b".\r\n")
        assert (await peer.reply()).startswith("451 ")
        assert (await peer.mail(MAIL, "new@acme.example")).startswith("250 ")
        await peer.ask("MAIL FROM:<a@b.example>")
        assert (await peer.ask("RCPT TO:<orders@acme.example>")).startswith("550 ")
    assert [msgspec.json.decode(entry.meta)["account"] for entry in inbox.entries] == ["new@acme.example"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
        ("::not::", "::not::"),
    ],
)
def test_one_party_is_an_ipv4_address_or_an_ipv6_network(address: str, network: str) -> None:
    """Connection caps count by what one party holds."""
    assert network_of(address) == network
