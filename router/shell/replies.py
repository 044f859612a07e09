"""What an agent writes becomes a message: recipients, subject, threading and ids are frozen here, once.

Whatever happens to the contact afterwards, the reply goes where the agent was shown that it would go.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from router.core.errors import PermanentError
from router.core.message import Address, Message
from router.shell.clock import rfc3339

REFERENCES_LAST = 10
SUBJECT_PREFIXES = ("re:", "aw:", "sv:", "antw:", "rv:", "res:")


class Stationery(Protocol):
    """What a channel puts on our letters so that the answers find their way back."""

    def sender(self, account: str, agent: str) -> Address:
        """Who the customer sees as the writer; `agent` "": nobody, it is an automatic answer."""
        ...

    def reply_to(self, account: str, contact: str) -> Address:
        """Where the customer's answer goes: an address that only this contact has."""
        ...

    def message_id(self, account: str, contact: str, message: str) -> str:
        """The signed Message-ID, made before sending and the same on every try."""
        ...

    def letter(self, written: Written, channel: str, to: Address, subject: str) -> tuple[str, str]:
        """The words as they leave, with signature and all, as text and as HTML; "" where there is none."""
        ...


class NoWayBack(PermanentError):
    """The customer left no address that this contact can be answered at."""

    code = "no-way-back"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent wrote. `message`: its id. `cc`: addresses of the customer's copy line that the agent kept."""

    contact: str
    account: str
    message: str
    agent: str
    at: int  # ms of UTC
    text: str
    cc: tuple[str, ...] = ()
    closing: str = ""  # stands below the words and above the signature
    language: str = ""  # the customer's, as far as it is known


def reply(written: Written, *, last: Message, earlier: tuple[str, ...], stationery: Stationery) -> Message:
    """The message that answers `last`, the customer's latest.

    `earlier`: Message-IDs of the conversation so far, oldest first. Raises NoWayBack, or PermanentError for an address
    in copy that was not on the customer's message.
    """
    to = next((entry for entry in (*last.reply_to, last.from_) if entry.address), None)
    if to is None:
        msg = "the customer left no address to answer to"
        raise NoWayBack(msg)
    copied = {entry.address: entry for entry in (*last.cc, *last.to)}
    strangers = sorted(set(written.cc) - copied.keys())
    if strangers:
        msg = f"{len(strangers)} of the addresses in copy were not on the customer's message"
        raise PermanentError(msg)
    subject = _subject(last.subject)
    text, html = stationery.letter(written, last.channel, to, subject)
    return Message(
        channel=last.channel,
        from_=stationery.sender(written.account, written.agent),
        to=(to,),
        cc=tuple(copied[address] for address in written.cc),
        reply_to=(stationery.reply_to(written.account, written.contact),),
        subject=subject,
        sent_at=rfc3339(written.at),
        text=written.text,
        full_text=text,
        html=html,
        message_id=stationery.message_id(written.account, written.contact, written.message),
        in_reply_to=last.message_id,
        references=_references(last, earlier),
    )


def opening(written: Written, *, to: str, subject: str, stationery: Stationery) -> Message:
    """The message by which an agent writes to a customer first."""
    recipient, subject = Address(address=to), " ".join(subject.split())
    text, html = stationery.letter(written, "email", recipient, subject)
    return Message(
        channel="email",
        from_=stationery.sender(written.account, written.agent),
        to=(recipient,),
        reply_to=(stationery.reply_to(written.account, written.contact),),
        subject=subject,
        sent_at=rfc3339(written.at),
        text=written.text,
        full_text=text,
        html=html,
        message_id=stationery.message_id(written.account, written.contact, written.message),
    )


def of_writer(last: Message) -> Message:
    """A message as a machine answers it: who is named in a mail's Reply-To or copy line did not ask for anything.

    On other channels Reply-To is the place where it was written, and the only one that an answer can go to.
    """
    return msgspec.structs.replace(last, reply_to=()) if "@" in last.from_.address else last


def as_answered(ours: Message) -> Message:
    """Our own last message as if the customer had written it: what is added before they answer goes to the same."""
    return Message(
        channel=ours.channel,
        from_=ours.to[0] if ours.to else Address(address=""),
        to=ours.to[1:],
        cc=ours.cc,
        subject=ours.subject,
        message_id=ours.message_id,
        references=ours.references,
    )


def closed(text: str, closing: str) -> str:
    """The words, and a paragraph below them."""
    return f"{text.rstrip()}\n\n{closing}" if closing else text


def signed_by(text: str, signature: str) -> str:
    """The words with the agent's signature, set off as mail programs know it (RFC 3676, 4.3)."""
    return f"{text.rstrip()}\n\n-- \n{signature}" if signature else text


def internal(*, agent: str, text: str) -> Message:
    """A note: said among colleagues, never sent."""
    return Message(channel="note", from_=Address(address="", name=agent), text=text, full_text=text)


def _subject(subject: str) -> str:
    plain = " ".join(subject.split())
    return plain if plain.lower().startswith(SUBJECT_PREFIXES) else f"Re: {plain}".strip()


def _references(last: Message, earlier: tuple[str, ...]) -> tuple[str, ...]:
    """First and last ten, as RFC 5322 and long threads want it."""
    chain: dict[str, None] = {}
    for identifier in (*last.references, *earlier, *((last.message_id,) if last.message_id else ())):
        chain.pop(identifier, None)
        chain[identifier] = None
    ids = tuple(chain)
    return ids if len(ids) <= REFERENCES_LAST + 1 else (ids[0], *ids[-REFERENCES_LAST:])
