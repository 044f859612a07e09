"""A small company: usherd, a Postfix that carries its mail, a Dovecot with its customers' mailboxes."""

from __future__ import annotations

import asyncio
import email.policy
import itertools
import smtplib
import subprocess
from collections.abc import Mapping
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import formatdate, make_msgid

import httpx

from tests.support.daemons import RunningDaemon
from tests.support.mailservers import Dovecot, Postfix

HELP = "help@acme.example"
WORKSPACE = """
workspace: acme
languages: [en]
agents:
  ana: {{name: Ana Souza, skills: {{billing: 4, lang:en: 5}}, capacity: {{email: 200, chat: 200}}}}
  cleo: {{name: Cleo Maris, skills: {{billing: 4, lang:en: 5}}, capacity: {{email: 200, chat: 200}}}}
  ben: {{name: Ben Okoye, skills: {{baggage: 4, lang:en: 5}}, capacity: {{email: 200, chat: 200}}}}
  dora: {{name: Dora Lind, role: supervisor, skills: {{lang:en: 5}}, capacity: {{email: 200}}}}
teams: {{triage: {{members: [dora]}}}}
topics:
  refund: {{examples: [I want my money back, please refund my order], keywords: [refund]}}
  bags: {{examples: [my suitcase did not arrive, lost luggage], keywords: [suitcase]}}
rules:
  - {{when: {{topic: refund}}, require: {{billing: 2}}, sla: {{first_response: 1h}}}}
  - {{when: {{topic: bags}}, require: {{baggage: 2}}}}
offers: {{accept_within: {{email: 1h, chat: 2s}}, away_after_lapses: 100}}
channels:
  email:
    smtp: {{listen: "127.0.0.1:{smtp}", recipients: [help@acme.example]}}
    send: {{host: 127.0.0.1, port: {send}, tls: none, name: Acme}}
  http: {{}}
web: {{listen: "127.0.0.1:0"}}
"""


class Mail:
    """A mail as its reader's program shows it."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.headers = BytesParser(policy=email.policy.default).parsebytes(raw)

    def __getitem__(self, name: str) -> str:
        return str(self.headers[name] or "")

    @property
    def text(self) -> str:
        """The plain text."""
        body = self.headers.get_body(("plain",))
        return "" if body is None else str(body.get_content())


class Customer:
    """Somebody with a mailbox and a mail program."""

    def __init__(self, address: str, daemon: RunningDaemon, mta: Postfix, mailboxes: Dovecot) -> None:
        self.address = address
        self._daemon = daemon
        self._mta = mta
        self._mailboxes = mailboxes

    async def swaks(self, subject: str, body: str, message_id: str) -> str:
        """Write to the support address with `swaks`, straight to usherd; gives what it printed."""
        host, port = self._daemon.smtp
        command = ["swaks", "--server", host, "--port", str(port), "--from", self.address, "--to", HELP]
        command += ["--header", f"Subject: {subject}", "--header", f"Message-Id: <{message_id}>"]
        command += ["--header", f"From: Ada Byron <{self.address}>", "--body", body]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def write(self, subject: str, body: str, to: str = HELP, **headers: str) -> str:
        """Write through Postfix, as with any mail program; gives the Message-ID, without angle brackets."""
        mail = EmailMessage()
        mail["From"] = f"Ada Byron <{self.address}>"
        mail["To"] = to
        mail["Subject"] = subject
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(domain="customers.example")
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(body)
        await asyncio.to_thread(self._hand_over, mail)
        return str(mail["Message-ID"]).strip("<>")

    def _hand_over(self, mail: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", self._mta.port, timeout=60) as client:
            client.send_message(mail, from_addr=self.address)

    async def answer(self, mail: Mail, body: str) -> str:
        """Press reply in the mail program; gives the Message-ID."""
        quoted = "\n".join(f"> {line}" for line in mail.text.splitlines())
        return await self.write(
            mail["Subject"],
            f"{body}\n\nOn Sat, 21 Nov 2026 at 10:00, {mail['From']} wrote:\n{quoted}\n",
            to=mail["Reply-To"],
            In_Reply_To=mail["Message-ID"],
            References=f"{mail['References']} {mail['Message-ID']}".strip(),
        )

    async def mails(self, count: int) -> list[Mail]:
        """Wait until so many mails lie in the mailbox, and read them by IMAP."""
        raws = await asyncio.to_thread(self._mailboxes.wait_for_mails, self.address, count)
        return [Mail(raw) for raw in raws]

    def mails_now(self) -> int:
        """How many mails lie in the mailbox."""
        return len(self._mailboxes.mails(self.address))


class Company:
    """All of it."""

    def __init__(self, daemon: RunningDaemon, mta: Postfix, mailboxes: Dovecot) -> None:
        self.daemon = daemon
        self.mta = mta
        self._mailboxes = mailboxes
        self._numbers = itertools.count(1)

    def customer(self, domain: str = "customers.example") -> Customer:
        """Somebody who never wrote before."""
        return Customer(f"ada{next(self._numbers)}@{domain}", self.daemon, self.mta, self._mailboxes)

    def subject(self, words: str) -> str:
        """A subject unlike all others."""
        return f"{words} #{next(self._numbers)}"

    def message_ids(self, contact: str) -> list[str]:
        """The Message-IDs of a contact's mails, first to last."""
        found = next(one for one in self.daemon.contacts() if one["id"] == contact)
        return [message["external_id"] for message in found["messages"]]

    def token(self) -> str:
        """A new token of a program that sends messages, by `usherd token create`."""
        made = self.daemon.usherd("token", "create", "--scope", "messages", "--data", str(self.daemon.data))
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def post(self, message: Mapping[str, object], key: str, token: str = "") -> httpx.Response:
        """Hand a message in by `POST /v1/messages`, as a program would."""
        host, port = self.daemon.http
        headers = {"Authorization": f"Bearer {token or self.token()}", "Idempotency-Key": key}
        return httpx.post(f"http://{host}:{port}/v1/messages", json=message, headers=headers, timeout=60)

    async def quiet(self) -> None:
        """Wait until nothing is under way: no mail in Postfix, nothing in inbox and outbox."""
        async with asyncio.timeout(120):
            while await asyncio.to_thread(self._busy):
                await asyncio.sleep(0.1)

    def _busy(self) -> bool:
        """A look at each in turn, twice: what goes over to where we have looked already is seen the second time."""
        return any(self.mta.queue() or self._lags() for _ in range(2))

    def _lags(self) -> bool:
        status = self.daemon.ask("/v1/status")
        return bool(status["inbox_lag"] or status["outbox_lag"])
