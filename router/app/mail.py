"""E-mail tied to the shell: how its entries are read, threaded and answered."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from channels.email import thread
from channels.email.compose import Outgoing, OutgoingAttachment, compose
from channels.email.letter import Filling, render
from channels.email.parse import MailSettings, parse
from channels.email.send import SendResult, SendSettings, SmtpSender, retry_after
from channels.email.signing import SigningKey, signed
from channels.email.smtp_settings import SmtpSettings
from router.app.letters import look_of, markers
from router.core.errors import PermanentError
from router.core.message import Address, Message
from router.core.transitions import DeliveryState
from router.shell.channel import Channel, Normalise, ThreadMatch
from router.shell.clock import milliseconds
from router.shell.enclosures import content_of
from router.shell.outbox import Sent
from router.shell.replies import Written, closed, signed_by
from router.shell.understanding import BY_MAIL
from router.shell.vault import Vault
from skills.email_model import EmailChannel, Send, Smtp
from skills.model import WorkspaceConfig

log = structlog.get_logger()

GIVE_UP_MS = 2 * 86_400_000


class MailMeta(msgspec.Struct, kw_only=True):
    """What the receivers note beside a mail."""

    account: str = ""
    envelope_from: str | None = None
    recipients: tuple[str, ...] = ()
    note: str = ""  # what its reader should know of how it came


_META = msgspec.json.Decoder(MailMeta)


def normalise(settings: MailSettings, raw: bytes, meta: bytes) -> Message:
    """A mail in normal form. Called in worker processes. Raises PoisonError."""
    noted = _META.decode(meta)
    message = parse(raw, settings, envelope_from=noted.envelope_from, envelope_to=noted.recipients)
    if not noted.note:
        return message
    return msgspec.structs.replace(message, warnings=(*message.warnings, noted.note))


def loop_mark(secret: bytes, workspace: str) -> str:
    """What our own mail carries to be known again: two workspaces of one name do not take each other's for theirs."""
    return f"{workspace} {hmac.digest(secret, b'usherd loop' + workspace.encode(), hashlib.sha256)[:12].hex()}"


def mail_settings(config: WorkspaceConfig, mark: str = "") -> MailSettings:
    """What the parser must know of the workspace. `mark`: of our own mail; "" where no secret is at hand."""
    email = config.channels.email or EmailChannel()
    return MailSettings(
        workspace=mark or config.workspace,
        customer_from=email.customer_from,
        trusted_forwarders=email.trusted_forwarders,
        trusted_authserv=email.trusted_authserv,
        spam_headers=email.spam_headers,
        own_addresses=config.accounts,
        own_domains=email.own_domains,
        markers=markers(config),
    )


def handed_to(config: WorkspaceConfig) -> tuple[str, ...]:
    """The addresses that other servers may hand mail in for."""
    smtp = config.channels.email.smtp if config.channels.email else None
    return smtp.recipients if smtp is not None else ()


def smtp_settings(smtp: Smtp) -> SmtpSettings:
    """The receiver's settings."""
    host, port = smtp.listen
    settings = SmtpSettings(recipients=smtp.recipients, host=host, port=port, size_max=smtp.size_max)
    if smtp.tls is None:
        return settings
    return msgspec.structs.replace(
        settings,
        certificate=Path(smtp.tls.certificate),
        private_key=Path(smtp.tls.key),
        tls_required=smtp.tls.required,
        users={login: secret.reveal() for login, secret in smtp.users.items()},
        auth_required=bool(smtp.users) and smtp.auth == "required",
    )


ENCRYPTION: dict[str, Literal["none", "offered", "starttls", "tls"]] = {
    "auto": "offered",
    "none": "none",
    "starttls": "starttls",
    "always": "tls",
}


def send_settings(send: Send) -> SendSettings:
    """The sender's settings."""
    return SendSettings(
        host=send.host,
        port=send.port,
        hostname=socket.getfqdn(),
        encryption=ENCRYPTION[send.tls],
        username=send.user,
        password=send.password.reveal() if send.password else "",
    )


def normaliser(config: WorkspaceConfig, mark: str = "") -> Normalise:
    """The worker's function for this workspace."""
    return functools.partial(normalise, mail_settings(config, mark))


def email_channel(config: WorkspaceConfig, secret: bytes) -> Channel:
    """E-mail as the shell knows it."""
    accounts = config.accounts

    def match(message: Message) -> ThreadMatch | None:
        found = thread.contact_of(secret, message, accounts)
        return None if found is None else ThreadMatch(found.contact, found.message, found.recipient)

    return Channel(
        name="email",
        normalise=normaliser(config, loop_mark(secret, config.workspace)),
        hostile=True,
        kind=lambda _: "email",
        thread=match,
    )


def plus_addresses(config: WorkspaceConfig) -> bool:
    """Whether the mail server brings what comes to help+anything@ to help@."""
    email = config.channels.email
    return email is None or email.plus_addresses


def envelopes(config: Callable[[], WorkspaceConfig], secret: bytes) -> Callable[[Message, int], str]:
    """Who brings a mail to each of its recipients (VERP): an address that its bounce is told by, where there can be."""

    def envelope(message: Message, recipient: int) -> str:
        back = _returned(message, recipient)
        if not plus_addresses(config()) or message.message_id is None:
            return back
        local, _, domain = back.rpartition("@")
        with suppress(ValueError):
            return thread.envelope_sender(f"{local.partition('+')[0]}@{domain}", secret, message.message_id, recipient)
        return back

    return envelope


class MailStationery:
    """Implements `Stationery` for mail: addresses and Message-IDs that only this contact has."""

    def __init__(self, config: Callable[[], WorkspaceConfig], secret: bytes) -> None:
        self._config = config
        self._secret = secret

    def account(self, account: str) -> str:
        """The address replies leave from: the one the customer wrote to, or the first of ours."""
        accounts = self._config().accounts
        if account.lower() in accounts:  # a program may name any account: we write in nobody else's name
            return account.lower()
        return accounts[0] if accounts else ""

    def sender(self, account: str, agent: str) -> Address:
        """The agent's name, at the address that the customer wrote to; the desk's alone for nobody ("")."""
        config = self._config()
        send = config.channels.email.send if config.channels.email else None
        address = send.address if send is not None and send.address else self.account(account)
        if not agent:
            return Address(address=address, name=send.name if send is not None else "")
        person = config.agents.get(agent)
        name = person.name if person is not None and person.name else agent
        return Address(address=address, name=f"{name}, {send.name}" if send is not None and send.name else name)

    def reply_to(self, account: str, contact: str) -> Address:
        """The signed address of this contact, or the account's own where that would be too long for an address."""
        address = self.account(account)
        if not plus_addresses(self._config()):
            return Address(address=address)
        with suppress(ValueError):  # then the answer finds its contact by the Message-ID alone
            return Address(address=thread.reply_address(address, self._secret, contact))
        return Address(address=address)

    def message_id(self, account: str, contact: str, message: str) -> str:
        """The signed Message-ID of this message."""
        domain = self.account(account).rpartition("@")[2] or "usherd.invalid"
        return thread.new_message_id(self._secret, contact, message, domain)

    def letter(self, written: Written, channel: str, to: Address, subject: str) -> tuple[str, str]:
        """The words in the look of the workspace, with the agent's signature; a mail's only, and as HTML too."""
        config = self._config()
        person = config.agents.get(written.agent)
        signature = person.signature if person is not None else ""
        text = closed(written.text, written.closing)
        look = look_of(config, written.language) if channel in BY_MAIL else None
        if look is None:
            return signed_by(text, signature), ""
        filling = Filling(
            message=text,
            agent=(person.name if person is not None and person.name else written.agent),
            customer=to.name,
            reference=written.contact,
            subject=subject,
            signature=signature,
        )
        rendered = render(look, filling)
        return rendered.text, rendered.html


def _unsigned(_address: str) -> None:
    """No key is given."""


def _returned(message: Message, _recipient: int) -> str:
    """Where answers go, bounces go."""
    return (message.reply_to[0] if message.reply_to else message.from_).address


class MailSender:
    """Implements the outbox's `Sender` by SMTP."""

    def __init__(
        self,
        sender: SmtpSender,
        mark: str,
        vault: Vault,
        seal: Callable[[str], SigningKey | None] = _unsigned,
        envelope: Callable[[Message, int], str] = _returned,
    ) -> None:
        """`mark`: see `loop_mark`. `seal`: what signs mail from an address. `envelope`: who brings it to whom."""
        self._sender = sender
        self._mark = mark
        self._vault = vault
        self._seal = seal
        self._envelope = envelope

    async def send(self, message: Message) -> Sent:
        """Try once. The recipients are those of the message, frozen when it was written; each gets it by itself.

        What a machine wrote leaves with the null sender: nothing can answer it, and its bounce goes nowhere.
        """
        raw = await self._letter(message)
        key = self._seal(message.from_.address)
        if key is not None:
            raw = await asyncio.to_thread(signed, raw, key)
        recipients = [entry.address for entry in (*message.to, *message.cc)]
        each: list[tuple[int, DeliveryState]] = []
        result = SendResult(state="failed", text="no recipients")
        for place, address in enumerate(recipients):
            if (message.delivered_to and address not in message.delivered_to) or address in recipients[:place]:
                continue  # it is not to go there any more, or has gone there: somebody is named twice
            back = "" if message.auto else self._envelope(message, place)
            result = await self._sender.send(back, [address], raw)
            each.append((place, DeliveryState(result.state)))
        sent = Sent(state=DeliveryState(result.state), code=result.code, detail=result.text)
        if len(recipients) == 1:
            return sent
        refused = sum(state is DeliveryState.FAILED for _, state in each)
        if refused:
            log.warning("delivery_partly_refused", recipients=len(each), refused=refused)
        return msgspec.structs.replace(sent, each=tuple(each))

    async def _letter(self, message: Message) -> bytes:
        """The mail. Raises PermanentError if a file of it was erased."""
        mail = outgoing(message, self._mark)
        if not message.attachments:
            return compose(mail)
        contents = [await content_of(self._vault, one) for one in message.attachments]
        files = tuple(
            OutgoingAttachment(filename=one.filename, content_type=one.content_type, content=content)
            for one, content in zip(message.attachments, contents, strict=True)
        )
        return await asyncio.to_thread(compose, msgspec.structs.replace(mail, attachments=files))

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:
        """One minute to four hours, for two days."""
        return None if waited_ms >= GIVE_UP_MS else retry_after(attempts)


def outgoing(message: Message, mark: str) -> Outgoing:
    """What `compose` needs, from a reply in normal form. Raises PermanentError if it is none."""
    if message.message_id is None or message.sent_at is None:
        raise PermanentError("a message without an id and a date is no reply")
    return Outgoing(
        workspace=mark,
        message_id=message.message_id,
        date=milliseconds(message.sent_at),
        from_=message.from_,
        to=message.to,
        cc=message.cc,
        reply_to=message.reply_to[0] if message.reply_to else None,
        subject=message.subject,
        text=message.full_text or message.text,  # with the signature; whoever reads the thread is spared it
        html=message.html,
        in_reply_to=message.in_reply_to,
        references=message.references,
        auto="auto-replied" if message.auto else "",
    )
