"""Step 4 of the journey: an inbox entry becomes an event, with the blobs that the event refers to.

Nothing is decided here: who wrote, what it is about and where it says it belongs are found out and recorded in the
event; the engine makes of that what it will.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from router.core.errors import RouterError
from router.core.events import (
    AnswerSeen,
    Event,
    MessageQuarantined,
    MessageReceived,
    MessageReleased,
)
from router.core.message import Address, Message
from router.core.values import WHOLE
from router.shell import proofs
from router.shell.channel import Channel, ThreadMatch
from router.shell.identities import external_of, identity_of
from router.shell.notes import rated
from router.shell.vault import Plain, message_blob, raw_blob
from router.shell.workers import Understood
from skills.thanks import only_thanks

PARTICIPANTS_MAX = 50
ANSWERS_MAX = 20
BY_MAIL = ("email", "http")  # channels that are answered by mail
# Local parts behind which nobody reads: RFC 3834 asks for this, and so do the mailing lists of the world.
_NO_REPLY = re.compile(
    r"(?:^|[._+-])(?:no|do[._-]?not|don'?t|never|n[aã]o|no[._-]?se)[._-]?(?:reply|respond|respon\w{0,6}|antwort\w{0,4})"
    r"|^(?:ne[._-]?pas[._-]?repondre|nicht[._-]?antworten|mailer-daemon|postmaster|daemon|root|abuse|listserv|majordomo)$"
    r"|^(?:bounces?|owner)(?:$|[+._-])|-(?:request|owner|bounces?)$"
)
UNREADABLE = "A message that could not be read"


class Refused(RouterError):
    """A command was understood and cannot be done. `code` and `detail` are journaled: nothing personal in them."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail


class Prepared(msgspec.Struct, kw_only=True):
    """An entry's outcome on its way to the journal.

    `event`: None if there is nothing to record. `finished`: inbox entries that are in their place once it is journaled.
    """

    event: Event | None
    blobs: list[Plain] = []
    finished: list[str] = []


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message came from. `inbox`: the entry that is being dealt with; `message`: the first id it had."""

    inbox: str
    message: str
    channel: str
    kind: str
    account: str
    conflict: bool = False
    quiet: bool = False  # nobody is to be told of a receipt: it has been waiting elsewhere
    topics: tuple[str, ...] = ()  # that whoever handed it in is certain of


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What understanding needs to know of the workspace.

    `own`: our addresses, lower-case. `tier_of`: of an address. `shadow`: nothing is sent, and what people answer is
    looked for; `staff`: their addresses, lower-case, and who they are. `names`: of agents, whom customers thank.
    """

    secret: bytes
    own: frozenset[str]
    tier_of: Callable[[str], str | None]
    shadow: bool = False
    staff: dict[str, str] = {}
    names: tuple[str, ...] = ()


def source_of(channel: Channel, *, inbox: str, message: str, meta: bytes, conflict: bool) -> Source:
    """Where an entry of `channel` came from, by its meta; one that cannot be read says nothing."""
    try:
        fields = msgspec.json.decode(meta, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        fields = {}
    return Source(
        inbox=inbox,
        message=message,
        channel=channel.name,
        kind=channel.kind(fields),
        account=str(fields.get("account", "")),
        conflict=conflict,
        quiet=fields.get("quiet") is True,
        topics=tuple(map(str, topics)) if isinstance(topics := fields.get("topics"), list) else (),
    )


def received(source: Source, understood: Understood, raw: bytes, channel: Channel, facts: Facts, at: int) -> Prepared:
    """The event of a message that was understood, or of one that could not be."""
    message = understood.message
    if message is None:
        return _quarantined(source, understood.problem, raw, at)
    sender = sender_of(message, source, facts.secret)
    if message.rates:
        return Prepared(event=rated(source.inbox, message.rates, sender, at), finished=_entries(source))
    colleague = staff_of(message, facts)
    if colleague is not None:
        return _answer_seen(source, message, raw, facts, colleague, at)
    match = channel.thread(message)
    proof = proofs.check(facts.secret, message.proof, at) if message.proof else None
    place = external_of(facts.secret, channel.place(message)) if channel.place is not None else ""
    event = MessageReceived(
        at=at,
        inbox=source.inbox,
        message=source.message,
        channel=source.channel,
        kind=source.kind,
        account=source.account,
        sender=sender,
        cc=_others(message, source, facts),
        thread=match.contact if match else None,
        language=understood.language,
        topics=_topics(source, understood),
        effort=understood.effort,
        moods=understood.moods,
        tier=facts.tier_of(message.from_.address),
        auto=auto_of(message),
        about=_about(message, match),
        undelivered=message.bounce is not None and message.bounce.kind == "failure",
        recipient=match.recipient if match is not None and message.bounce is not None else 0,
        model=understood.model,
        conflict=source.conflict,
        thanks=_says_thanks(message, facts),
        quiet=source.quiet or wants_no_answer(message, source, facts.own),
        external=place or (_external(message, facts) if facts.shadow or channel.editable else ""),
        answers=(place,) if place else (*_revised(message, facts), *(_answers(message, facts) if facts.shadow else ())),
        proves=proof.identity if proof is not None else "",
        proof=proof.digest if proof is not None else "",
        prefers=message.prefers,
        consent=message.consent,
        shared=bool(place),
    )
    return Prepared(event=event, blobs=_blobs(source.message, sender, message, raw), finished=_entries(source))


def _says_thanks(message: Message, facts: Facts) -> bool:
    if any(not one.inline for one in message.attachments):
        return False
    return only_thanks(message.text, (message.from_.name, *facts.names))


def _answer_seen(source: Source, message: Message, raw: bytes, facts: Facts, colleague: str, at: int) -> Prepared:
    """The event of a mail that one of us sent by other means, while usherd only looks on."""
    event = AnswerSeen(
        at=at,
        inbox=source.inbox,
        message=source.message,
        channel=source.channel,
        agent=colleague,
        external=_external(message, facts),
        answers=_answers(message, facts),
    )
    sender = sender_of(message, source, facts.secret)
    return Prepared(event=event, blobs=_blobs(source.message, sender, message, raw), finished=_entries(source))


def staff_of(message: Message, facts: Facts) -> str | None:
    """In shadow mode: the agent who wrote it, "" for one of our own addresses, None for a customer or a machine."""
    if not facts.shadow or auto_of(message) is not None:
        return None
    address = message.from_.address.lower()
    return facts.staff.get(address, "" if _ours(address, facts.own) else None)


def _external(message: Message, facts: Facts) -> str:
    return external_of(facts.secret, message.message_id) if message.message_id else ""


def _revised(message: Message, facts: Facts) -> tuple[str, ...]:
    """What it words anew: it belongs where that is."""
    return (external_of(facts.secret, message.revises),) if message.revises else ()


def _answers(message: Message, facts: Facts) -> tuple[str, ...]:
    """What it refers to, the nearest first."""
    named = [*([message.in_reply_to] if message.in_reply_to else []), *reversed(message.references)]
    return tuple(external_of(facts.secret, one) for one in list(dict.fromkeys(named))[:ANSWERS_MAX])


def _topics(source: Source, understood: Understood) -> tuple[tuple[str, int], ...]:
    """What is known for certain first, then what was found."""
    known = dict.fromkeys(source.topics, WHOLE)
    return (*known.items(), *((topic, p) for topic, p in understood.topics if topic not in known))


def released(source: Source, understood: Understood, facts: Facts, at: int) -> Prepared:
    """The event of a quarantined message that is understood at last, or none if it still is not."""
    message = understood.message
    if message is None:
        return Prepared(event=None, finished=[source.inbox])
    sender = sender_of(message, source, facts.secret)
    event = MessageReleased(
        at=at,
        inbox=source.inbox,
        message=source.message,
        sender=sender,
        language=understood.language,
        topics=understood.topics,
        effort=understood.effort,
        moods=understood.moods,
        model=understood.model,
    )
    blob = Plain(message_blob(source.message), sender, msgspec.json.encode(message))
    return Prepared(event=event, blobs=[blob], finished=[source.inbox])


def sender_of(message: Message, source: Source, secret: bytes) -> str:
    """The keyed hash of the writer; a message that names nobody is its own, so that strangers do not meet in it."""
    return identity_of(secret, source.channel, message.from_.address or f"nobody:{source.message}")


def _quarantined(source: Source, problem: str, raw: bytes, at: int) -> Prepared:
    key = f"quarantine-{source.message}"
    shown = Message(
        channel=source.channel,
        from_=Address(address=""),
        subject=UNREADABLE,
        text=f"It is kept whole. Why it could not be read: {problem}",
        warnings=(problem,),
    )
    event = MessageQuarantined(
        at=at,
        inbox=source.inbox,
        message=source.message,
        channel=source.channel,
        kind=source.kind,
        account=source.account,
        reason=problem,
        sender=key,
    )
    return Prepared(event=event, blobs=_blobs(source.message, key, shown, raw), finished=_entries(source))


def _blobs(message_id: str, identity: str, message: Message, raw: bytes) -> list[Plain]:
    return [
        Plain(message_blob(message_id), identity, msgspec.json.encode(message)),
        Plain(raw_blob(message_id), identity, raw),
    ]


def _entries(source: Source) -> list[str]:
    return sorted({source.inbox, source.message})


def _others(message: Message, source: Source, facts: Facts) -> tuple[str, ...]:
    addresses = {entry.address for entry in (*message.cc, *message.to)} - {message.from_.address, ""}
    others = sorted(address for address in addresses if not _ours(address, facts.own))[:PARTICIPANTS_MAX]
    return tuple(sorted(identity_of(facts.secret, source.channel, address) for address in others))


def _ours(address: str, own: frozenset[str]) -> bool:
    local, _, domain = address.partition("@")
    return f"{local.partition('+')[0]}@{domain}" in own


def wants_no_answer(message: Message, source: Source, own: frozenset[str]) -> bool:
    """Whether an automatic answer to a message would reach nobody, or somebody who did not write it."""
    address = message.from_.address.lower()
    local, at, _ = address.rpartition("@")
    if not address or (not at and source.channel in BY_MAIL):
        return True
    forged = any(message.authentication.get(method) == "fail" for method in ("spf", "dmarc"))
    return forged or _ours(address, own) or _NO_REPLY.search(local) is not None


def auto_of(message: Message) -> str | None:
    """Why nobody should be asked to answer it: a trusted filter's verdict and our own loop header come first."""
    return "spam" if message.spam else "loop" if message.loop else message.auto


def _about(message: Message, match: ThreadMatch | None) -> str | None:
    return match.message if match is not None and message.auto == "bounce" else None
