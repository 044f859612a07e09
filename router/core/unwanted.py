"""People whose messages nobody wants: what they write is kept and listed, and opens no contact.

Who was blocked may be let in again from a contact of theirs or, once none is in the state any more, by their address; a
block ends by itself after a year.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.core.state import Contact, State

BLOCKED = "blocked"  # what kind of mail it is, where it is listed
BLOCKED_MAX = 100_000
BLOCKED_MS = 365 * 86_400_000


def blocked(state: State, identity: str) -> bool:
    """Whether somebody may open nothing."""
    since = state.blocked.get(identity)
    return since is not None and state.at < since + BLOCKED_MS


def writers(state: State, contact: Contact) -> list[str]:
    """By which identities its customer wrote in it; whoever else did is not meant."""
    found = dict.fromkeys(ref.sender for ref in contact.messages if ref.direction == "in" and ref.sender)
    return [one for one in found if state.identities.get(one) == contact.customer]


def block(state: State, contact: Contact) -> None:
    """Its customer opens nothing from now on; the oldest blocks go first."""
    for identity in writers(state, contact):
        state.blocked.pop(identity, None)
        state.blocked[identity] = state.at
        if len(state.blocked) > BLOCKED_MAX:
            del state.blocked[next(iter(state.blocked))]


def unblock(state: State, contact: Contact) -> bool:
    """Its customer may write to us again. Returns whether they were blocked."""
    return lift(state, writers(state, contact))


def lift(state: State, identities: Iterable[str]) -> bool:
    """Whoever these are may write to us again. Returns whether any of them was blocked."""
    before = len(state.blocked)
    for identity in identities:
        state.blocked.pop(identity, None)
    return len(state.blocked) < before
