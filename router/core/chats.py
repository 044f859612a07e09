"""Conversations of a customer on a channel and account, derived from a state: the open ones, and those that ended.

A second message joins the newest that is open; thanks may be said in the one that ended last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from router.core.transitions import ContactState

if TYPE_CHECKING:
    from router.core.state import Contact, State

CONVERSATIONS = ("chat", "messaging")  # kinds in which a customer has one open contact a channel and account
Key: TypeAlias = tuple[str, str, str, str]  # customer, channel, account, kind


class Chats:
    """Ids of contacts, in the order in which they were opened."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.open: dict[Key, list[str]] = {}
        self.ended: dict[Key, list[str]] = {}

    def note(self, contact: Contact) -> None:
        """A contact came, ended or was reopened."""
        if contact.kind not in CONVERSATIONS or contact.flag or not contact.customer:
            return
        over = contact.state is ContactState.RESOLVED
        _keep(self.open, contact, self._state, belongs=not over)
        _keep(self.ended, contact, self._state, belongs=over)

    def forget(self, contact: Contact) -> None:
        """It leaves the state, or is about to be another customer's or another channel's."""
        _keep(self.open, contact, self._state, belongs=False)
        _keep(self.ended, contact, self._state, belongs=False)


def _keep(chats: dict[Key, list[str]], contact: Contact, state: State, *, belongs: bool) -> None:
    key = (contact.customer, contact.channel, contact.account, contact.kind)
    known = chats.get(key, [])
    if belongs and contact.id not in known:
        chats[key] = sorted([*known, contact.id], key=lambda name: state.contacts[name].seq)
    elif not belongs and contact.id in known:
        known.remove(contact.id)
        if not known:
            del chats[key]
