"""The people of the demo: customers who send the sample's mails and answer, agents who accept, reply and resolve.

Simulated agents act through the same commands as the desks. They never answer mail or chats from outside the sample:
that is for whoever tries the demo out.
"""

from __future__ import annotations

import asyncio
import email.policy
import random
import re
from contextlib import suppress
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import make_msgid
from pathlib import Path

import aiosmtplib
import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from router.app.daemon import Daemon
from router.app.demo_chats import Answer, Visitors
from router.core.errors import RouterError
from router.core.message import Message
from router.core.state import Contact
from router.core.transitions import ContactState
from router.desk.ports import Changed

log = structlog.get_logger()

STORED = re.compile(r"(\d+-\d+)")
LEFT_TO_PEOPLE_SECONDS = 45.0  # an offer from outside; then the agent accepts, and leaves the answer to you
CHAT_PACE_SHARE = 0.4  # of what an action takes otherwise: somebody is looking at the screen
ANSWERS = {
    "es": "Gracias por escribirnos. Ya lo estoy revisando y le confirmo en seguida.\n\nUn saludo,\n{agent}",
    "pt": "Obrigado pela sua mensagem. Já estou a tratar disso e confirmo em breve.\n\nCumprimentos,\n{agent}",
    "en": "Thank you for writing. I am looking into it now and will confirm shortly.\n\nKind regards,\n{agent}",
}
THANKS = {
    "es": "Muchas gracias, eso lo aclara todo.",
    "pt": "Muito obrigado, ficou tudo claro.",
    "en": "Thank you, that settles it.",
}


class Sink:
    """Where all of the demo's outbound mail ends. Nothing leaves this machine."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen on a free port; gives it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="sink.invalid"), "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close the door."""
        if self._server is not None:
            self._server.close()

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        """Keep a mail."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else (content or "").encode()
        self.received.append(raw)
        self.arrived.put_nowait(raw)
        return "250 2.0.0 kept"


class Customers:
    """Send the sample, round after round, and sometimes thank for an answer."""

    def __init__(self, daemon: Daemon, sink: Sink, mails: list[Path], chance: random.Random) -> None:
        self.sent: dict[str, str] = {}  # inbox id as acknowledged -> file
        self.refused = 0
        self._daemon = daemon
        self._sink = sink
        self._mails = mails
        self._chance = chance
        self._round = 0
        self.addresses = {address for path in mails for address in _senders(path.read_bytes())}

    async def send_round(self, pause: float) -> None:
        """Every mail of the sample once; later rounds under new Message-IDs, or they would be known already."""
        for path in self._mails:
            raw = path.read_bytes()
            await self.send(raw if self._round == 0 else renewed(raw), path.name)
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.5))
        self._round += 1

    async def send(self, raw: bytes, name: str, recipient: str = "") -> None:
        """One mail, by SMTP like anybody's; what was acknowledged is remembered."""
        host, port = self._daemon.smtp or ("", 0)
        headers = BytesHeaderParser().parsebytes(raw)
        to = recipient or _recipient(str(headers.get("To", "")), self._daemon.config.accounts)
        sender = "" if headers.get_content_type() == "multipart/report" else "sample@sample.example"
        try:
            async with aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False, timeout=30) as client:
                await client.mail(sender)
                await client.rcpt(to)
                answer = await client.data(raw)
        except aiosmtplib.SMTPException as error:
            self.refused += 1
            log.warning("demo_mail_refused", file=name, error=type(error).__name__)
            return
        found = STORED.search(answer.message)
        if found is not None:
            self.sent[found.group(1)] = name

    async def answer(self, share: float) -> None:
        """Some customers write back, in the same thread."""
        while True:
            raw = await self._sink.arrived.get()
            if self._chance.random() < share:
                await asyncio.sleep(self._chance.uniform(0.5, 1.5))
                await self._thank(raw)

    async def _thank(self, raw: bytes) -> None:
        answered = BytesHeaderParser(policy=email.policy.default).parsebytes(raw)
        back = str(answered["Reply-To"] or answered["From"]).strip()
        words = str(answered["Subject"] or "")
        reply = EmailMessage()
        reply["From"] = str(answered["To"])
        reply["To"] = back
        reply["Subject"] = words
        reply["Message-ID"] = make_msgid(domain="sample.example")
        reply["In-Reply-To"] = str(answered["Message-ID"])
        language = str(answered["Content-Language"] or "en")
        reply.set_content(THANKS.get(language, THANKS["en"]))
        await self.send(reply.as_bytes(), "thanks", recipient=back.strip("<>"))


class Agents:
    """The simulated team: each with one hand for mail and one for chats, woken by what changes on their desk."""

    def __init__(
        self, daemon: Daemon, sample: Customers, visitors: Visitors, chance: random.Random, *, pace: float
    ) -> None:
        self.outside: dict[str, str] = {}  # contact from outside the sample -> the agent it was offered to last
        self._daemon = daemon
        self._sample = sample
        self._visitors = visitors
        self._chance = chance
        self._pace = pace  # seconds that one action takes, about
        self._news: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}
        self._seen_at: dict[str, float] = {}
        self._keys = 0

    async def run(self) -> None:
        """Work until cancelled."""
        agents = list(self._daemon.config.agents)
        self._news = {agent: (asyncio.Event(), asyncio.Event()) for agent in agents}
        stop = self._daemon.live.subscribe(self._changed)
        try:
            async with asyncio.TaskGroup() as group:
                for agent in agents:
                    mails, chats = self._news[agent]
                    group.create_task(self._work(agent, mails, chats=False))
                    group.create_task(self._work(agent, chats, chats=True))
        finally:
            stop()

    def _changed(self, changed: Changed) -> None:
        for agent in changed.agents:
            for hand in self._news.get(agent, ()):
                hand.set()

    async def _act(self, agent: str, action: str, **fields: object) -> bool:
        self._keys += 1
        try:
            outcome = await self._daemon.commands.act(agent, action, fields, f"demo-{self._keys}")
        except RouterError:
            return False
        return outcome.ok

    async def _work(self, agent: str, news: asyncio.Event, *, chats: bool) -> None:
        await self._act(agent, "status", status="available")
        while True:
            news.clear()
            state = self._daemon.live.state
            held = state.agents.get(agent)
            if held is not None and held.status in {"away", "offline"}:
                await self._act(agent, "status", status="available")
            for name in tuple(held.held) if held is not None else ():
                contact = self._daemon.live.state.contacts.get(name)
                if contact is not None and (contact.kind == "chat") is chats:
                    await self._attend(agent, contact)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await news.wait()

    async def _attend(self, agent: str, contact: Contact) -> None:
        last = await self._last(contact)
        if last is None:
            return
        if contact.kind == "chat":
            await self._chat(agent, contact, last)
            return
        if last.from_.address not in self._sample.addresses and not self._is_of_sample(contact):
            await self._leave_to_people(agent, contact)
            return
        await asyncio.sleep(self._pace * self._chance.uniform(0.3, 1.0))
        if contact.offer is not None and contact.offer.agent == agent:
            decline = self._chance.random() < 0.08  # noqa: PLR2004  # now and then somebody cannot
            if decline:
                await self._act(agent, "decline", contact=contact.id, offer=contact.offer.id, reason="not-my-field")
            else:
                await self._act(agent, "accept", contact=contact.id, offer=contact.offer.id)
        elif contact.state is ContactState.ASSIGNED and contact.agent == agent:
            await self._settle(agent, contact)

    async def _chat(self, agent: str, contact: Contact, last: Message) -> None:
        known = last.from_.address in self._visitors.addresses
        answer = self._visitors.answer_to(last.message_id or "") if known else None
        if not known:
            await self._leave_to_people(agent, contact)
            return
        await asyncio.sleep(self._pace * CHAT_PACE_SHARE * self._chance.uniform(0.5, 1.0))
        if contact.offer is not None and contact.offer.agent == agent:
            await self._act(agent, "accept", contact=contact.id, offer=contact.offer.id)
        elif contact.state is ContactState.ASSIGNED and contact.agent == agent:
            await self._say(agent, contact, answer)

    async def _say(self, agent: str, contact: Contact, answer: Answer | None) -> None:
        if answer is None:  # the visitor has gone
            await self._act(agent, "resolve", contact=contact.id)
            return
        person = self._daemon.names.person(agent)
        text = answer.text.format(agent=(person.name if person else agent).partition(" ")[0])
        await self._act(agent, "reply", contact=contact.id, text=text, resolve=answer.last)

    def _is_of_sample(self, contact: Contact) -> bool:
        """Whether it opened with a mail that the sample's customers sent: some of those name no sender."""
        return any(ref.id in self._sample.sent for ref in contact.messages)

    async def _leave_to_people(self, agent: str, contact: Contact) -> None:
        now = asyncio.get_running_loop().time()
        since = self._seen_at.setdefault(contact.id, now)
        self.outside[contact.id] = agent
        if contact.offer is not None and contact.offer.agent == agent and now - since > LEFT_TO_PEOPLE_SECONDS:
            await self._act(agent, "accept", contact=contact.id, offer=contact.offer.id)

    async def _settle(self, agent: str, contact: Contact) -> None:
        wrote = any(ref.direction == "out" for ref in contact.messages)
        if wrote:  # the customer thanked
            await self._act(agent, "resolve", contact=contact.id)
            return
        person = self._daemon.names.person(agent)
        text = ANSWERS.get(contact.language or "en", ANSWERS["en"]).format(agent=person.name if person else agent)
        resolve = self._chance.random() < 0.6  # noqa: PLR2004  # the others wait for the customer
        await self._act(agent, "reply", contact=contact.id, text=text, resolve=resolve)

    async def _last(self, contact: Contact) -> Message | None:
        inbound = [ref.id for ref in contact.messages if ref.direction == "in"]
        if not inbound:
            return None
        return (await self._daemon.vault.messages(inbound[-1:])).get(inbound[-1])


def renewed(raw: bytes) -> bytes:
    """The same mail under a new Message-ID, and no Date: to the sample's readers, another mail."""
    head, separator, body = raw.partition(b"\r\n\r\n") if b"\r\n\r\n" in raw else raw.partition(b"\n\n")
    kept = re.sub(rb"(?im)^(message-id|date):[^\n]*\n([ \t][^\n]*\n)*", b"", head + b"\n")
    return (
        b"Message-ID: " + make_msgid(domain="sample.example").encode() + b"\n" + kept.rstrip(b"\n") + separator + body
    )


def _senders(raw: bytes) -> set[str]:
    found = str(BytesHeaderParser().parsebytes(raw).get("From", ""))
    return {address.lower() for address in re.findall(r"[^\s<>\"(),;:]+@[^\s<>\"(),;:]+", found)}


def _recipient(to: str, accounts: tuple[str, ...]) -> str:
    lowered = to.lower()
    return next((account for account in accounts if account in lowered), accounts[0])
