"""What the desk must find without walking all contacts: who waits, a customer's contacts, what an agent resolved.

Derived from the state and kept up by the source's news; a whole rebuild when a new state or workspace comes in.
"""

from __future__ import annotations

from router.core.state import Contact
from router.core.transitions import ContactState
from router.desk.ports import Changed, Source

RESOLVED_PER_AGENT_MAX = 30


class DeskIndex:
    """Ids only; each look-up reads the live state, so that a stale id can never show a stale contact."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._waiting: dict[str, None] = {}
        self._customers: dict[str, dict[str, None]] = {}
        self._customer_of: dict[str, str] = {}
        self._resolved: dict[str, dict[str, None]] = {}
        self._called: dict[str, dict[str, None]] = {}
        self._called_of: dict[str, list[str]] = {}
        self._rebuild()
        self._end = source.subscribe(self._changed)

    def close(self) -> None:
        """Stop following the source."""
        self._end()

    @property
    def waiting_number(self) -> int:
        """How many wait for anybody, without walking them."""
        return len(self._waiting)

    def waiting(self) -> list[Contact]:
        """Contacts that wait for anybody, in no order."""
        contacts = self._source.state.contacts
        found = (contacts.get(contact) for contact in self._waiting)
        return [one for one in found if one is not None and one.state is ContactState.WAITING]

    def of_customer(self, customer: str) -> list[Contact]:
        """The customer's contacts that the state still holds, newest first."""
        contacts = self._source.state.contacts
        found = (contacts.get(contact) for contact in self._customers.get(customer, ()))
        return sorted((one for one in found if one is not None), key=lambda one: (-one.opened_at, one.id))

    def resolved_by(self, agent: str) -> list[Contact]:
        """The contacts the agent resolved last, newest first, at most `RESOLVED_PER_AGENT_MAX`."""
        contacts = self._source.state.contacts
        found = (contacts.get(contact) for contact in self._resolved.get(agent, ()))
        kept = [one for one in found if one is not None and _resolved_by(one) == agent]
        return sorted(kept, key=lambda one: (-(one.resolved_at or 0), one.id))

    def called(self, agent: str) -> list[Contact]:
        """Contacts that the agent was called into, oldest first."""
        contacts = self._source.state.contacts
        found = (contacts.get(contact) for contact in self._called.get(agent, ()))
        kept = [one for one in found if one is not None and agent in one.called]
        return sorted(kept, key=lambda one: (one.opened_at, one.id))

    def _changed(self, changed: Changed) -> None:
        if changed.everything:
            self._rebuild()
        else:
            for contact in changed.contacts:
                self._follow(contact)

    def _rebuild(self) -> None:
        for held in (self._waiting, self._customers, self._customer_of, self._resolved, self._called):
            held.clear()
        self._called_of.clear()
        contacts = self._source.state.contacts
        for contact in sorted(contacts, key=lambda one: (contacts[one].resolved_at or 0, one)):
            self._follow(contact)

    def _follow(self, contact: str) -> None:
        one = self._source.state.contacts.get(contact)
        self._follow_customer(contact, one.customer if one is not None else None)
        self._follow_called(contact, one.called if one is not None else [])
        if one is not None and one.state is ContactState.WAITING:
            self._waiting[contact] = None
        else:
            self._waiting.pop(contact, None)
        agent = _resolved_by(one) if one is not None else None
        if agent is not None:
            theirs = self._resolved.setdefault(agent, {})
            theirs.pop(contact, None)
            theirs[contact] = None
            while len(theirs) > RESOLVED_PER_AGENT_MAX:
                del theirs[next(iter(theirs))]

    def _follow_called(self, contact: str, called: list[str]) -> None:
        for agent in self._called_of.pop(contact, ()):
            self._called[agent].pop(contact, None)
        if called:
            self._called_of[contact] = list(called)
            for agent in called:
                self._called.setdefault(agent, {})[contact] = None

    def _follow_customer(self, contact: str, customer: str | None) -> None:
        before = self._customer_of.get(contact)
        if before is not None and before != customer:
            rest = self._customers[before]
            del rest[contact]
            if not rest:
                del self._customers[before]
            del self._customer_of[contact]
        if customer is not None:
            self._customers.setdefault(customer, {})[contact] = None
            self._customer_of[contact] = customer


def _resolved_by(contact: Contact) -> str | None:
    if contact.state is not ContactState.RESOLVED or contact.joined is not None:
        return None
    return contact.agent
