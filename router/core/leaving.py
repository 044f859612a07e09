"""What leaves the state, so that it does not grow for ever: closed contacts, and customers whom nothing refers to.

A closed contact stays as long as it may be reopened. A customer is known while one of their contacts is in the state,
or while it is remembered who served them last; of these memories the oldest go first. So they do of what was said of
an address: its language, its tier, and whether a machine may write there; these outlive the customer, since a program
says them of who never wrote, and a refusal holds for who comes back. Refusals go last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from router.core.decisions import ForgetContact

if TYPE_CHECKING:
    from router.core.state import Consent, Contact, State
    from router.core.work import Work

Said = TypeVar("Said")

ERASED = "erased"  # a flag: nothing joins such a contact
LAST_AGENTS_MAX = 200_000
SAID_MAX = 200_000  # addresses of which a language is known; a tier; a consent
AUTOS_MAX = 100_000
MESSAGES_MAX = 2_000  # of one contact; the next opens another
PARTICIPANTS_MAX = 200  # of one contact; who is named beyond that may not write in it


class Customers:
    """Derived from a state: how many contacts each customer has in it, and by which identities they are known."""

    def __init__(self, state: State) -> None:
        self.contacts: dict[str, int] = {}
        self.identities: dict[str, list[str]] = {}
        for contact in state.contacts.values():
            self.count(contact.customer, 1)
        for identity, customer in state.identities.items():
            self.identities.setdefault(customer, []).append(identity)

    def count(self, customer: str, change: int) -> None:
        """One contact more, or one less; nobody is known by no name."""
        if customer:
            number = self.contacts.get(customer, 0) + change
            if number:
                self.contacts[customer] = number
            else:
                del self.contacts[customer]


def leave(work: Work, contact: Contact) -> None:
    """A closed contact can no longer be reopened: its messages' ids go with it."""
    state = work.state
    for ref in contact.messages:
        work.index.place.pop(ref.id, None)
        state.quarantined.pop(ref.id, None)
        if state.externals.get(ref.external) == ref.id:
            del state.externals[ref.external]
    del state.contacts[contact.id]
    work.index.chats.forget(contact)
    work.emit(ForgetContact(contact=contact.id))
    give_up(work, contact)


def give_up(work: Work, contact: Contact) -> None:
    """The contact is its customer's no more: it left, or turned out to be somebody else's."""
    work.index.customers.count(contact.customer, -1)
    forget_customer(work, contact.customer)


def forget_customer(work: Work, customer: str) -> None:
    """Forget by which identities somebody is known, unless something still refers to them."""
    customers = work.index.customers
    if customer in customers.contacts or customer in work.state.last_agent:
        return
    work.state.links.pop(customer, None)
    for identity in customers.identities.pop(customer, ()):
        del work.state.identities[identity]
        work.state.going_on.pop(identity, None)
        work.state.tiers_seen.pop(identity, None)


def remember_agent(work: Work, customer: str, agent: str) -> None:
    """Who served this customer last; the oldest memories go first."""
    last = work.state.last_agent
    last.pop(customer, None)
    last[customer] = agent
    if len(last) > LAST_AGENTS_MAX:
        oldest = next(iter(last))
        del last[oldest]
        forget_customer(work, oldest)


def remember_said(known: dict[str, Said], identity: str, value: Said) -> None:
    """What was said of an address; what was said longest ago goes first."""
    known.pop(identity, None)
    known[identity] = value
    if len(known) > SAID_MAX:
        del known[next(iter(known))]


def remember_consent(known: dict[str, Consent], identity: str, value: Consent) -> None:
    """The same of a consent. Who agreed and is forgotten is only asked anew; who refused must not be written to.

    A hundredth goes at once, so that looking through all of them is rare.
    """
    known.pop(identity, None)
    known[identity] = value
    if len(known) > SAID_MAX:
        oldest = sorted(known, key=lambda one: not known[one].given)
        for one in oldest[: len(known) - SAID_MAX + SAID_MAX // 100]:
            del known[one]
