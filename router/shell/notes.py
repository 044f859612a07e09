"""Notes: what usherd tells itself through the inbox, in order with everything else and on disk like it."""

from __future__ import annotations

import hashlib

import msgspec

from router.core.events import (
    BlockLifted,
    CustomerErased,
    DeliveryReported,
    ErasureDone,
    Event,
    SatisfactionGiven,
    TierSet,
)
from router.core.ports import InboxEntry
from router.shell.workers import Understood


class Internal(msgspec.Struct, kw_only=True):
    """What usherd tells itself through the inbox.

    `what`: understood | delivery | retry | reread | erase | mark | erased | workspace | rating | tier | unblock |
    claim. `kept`: the message's bytes are in their blob already. A mark says nothing but where it stands; so does a
    claim, but for its key: what it is of is stored beside it. To erase: `customer`, `contact` or `identities` say
    whom, `times` as in CustomerErased. `version`, `base`: of a workspace that a node proposes. `state`: of a rating
    `c12:5`, of a tier its name; whose they are say `identities`.
    """

    what: str
    message: str
    contact: str = ""
    state: str = ""
    kept: bool = False
    customer: str = ""
    identities: tuple[str, ...] = ()
    times: int = 0
    version: str = ""
    base: str = ""
    lost: tuple[int, ...] = ()  # of a delivery: recipients in copy whom it never reached


_INTERNAL = msgspec.json.Decoder(Internal)
CLAIM = msgspec.json.encode(Internal(what="claim", message=""))
UNDERSTOOD = msgspec.json.Decoder(Understood)


def internal_entry(note: Internal, raw: bytes = b"", *, distinct: str = "") -> InboxEntry:
    """The inbox entry of an internal note; `distinct` tells repeated ones apart."""
    meta = msgspec.json.encode(note)
    key = hashlib.sha256(b"internal\0" + meta + b"\0" + distinct.encode()).digest()[:16]
    return InboxEntry(source="internal", key=key, body=key, meta=meta, raw=raw)


def read_note(meta: bytes) -> Internal:
    """What an internal entry says. Raises MsgspecError, UnicodeDecodeError."""
    return _INTERNAL.decode(meta)


def note_of(meta: bytes) -> Internal | None:
    """The same; None where it cannot be read."""
    try:
        return read_note(meta)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def told(entry: str, note: Internal, at: int) -> Event | None:
    """The event of a note that says all there is to say; None where more has to be looked at."""
    match note.what:
        case "delivery":
            return DeliveryReported(
                at=at, inbox=entry, message=note.message, contact=note.contact, state=note.state, lost=note.lost
            )
        case "erase":
            return CustomerErased(
                at=at,
                inbox=entry,
                erasure=entry,
                customer=note.customer,
                contact=note.contact,
                identities=note.identities,
                times=note.times,
            )
        case "erased":
            return ErasureDone(at=at, inbox=entry, erasure=note.message, problem=note.state)
        case "rating":
            return rated(entry, note.state, note.identities[0] if note.identities else "", at)
        case "tier":
            return TierSet(at=at, inbox=entry, identities=note.identities, tier=note.state)
        case "unblock":
            return BlockLifted(at=at, inbox=entry, identities=note.identities)
        case _:
            return None


def rated(inbox: str, rates: str, sender: str, at: int) -> SatisfactionGiven:
    """The event of an answer to the question after a contact, `c12:5`."""
    contact, _, score = rates.rpartition(":")
    return SatisfactionGiven(
        at=at, inbox=inbox, contact=contact, score=int(score) if score.isdecimal() else 0, sender=sender
    )
