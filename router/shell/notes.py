"""Notes: what usherd tells itself through the inbox, in order with everything else and on disk like it."""

from __future__ import annotations

import hashlib

import msgspec

from router.core.events import CustomerErased, DeliveryReported
from router.core.ports import InboxEntry
from router.shell.workers import Understood


class Internal(msgspec.Struct, kw_only=True):
    """What usherd tells itself through the inbox.

    `what`: understood | delivery | retry | reread | erase | erased | workspace. `kept`: the message's bytes are in
    their blob already. To erase: `customer`, `contact` or `identities` say whom, `times` as in CustomerErased.
    `version`, `base`: of a workspace that a node proposes.
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


def reported(entry: str, note: Internal, at: int) -> DeliveryReported:
    """The event of a note that says how a delivery fares."""
    return DeliveryReported(
        at=at, inbox=entry, message=note.message, contact=note.contact, state=note.state, lost=note.lost
    )


def erased(entry: str, note: Internal, at: int) -> CustomerErased:
    """The event of a note that says whom to erase."""
    return CustomerErased(
        at=at,
        inbox=entry,
        erasure=entry,
        customer=note.customer,
        contact=note.contact,
        identities=note.identities,
        times=note.times,
    )
