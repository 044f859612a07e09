"""Erasing a customer: their contacts close and say no more whose they were; what was written goes with its keys.

The engine holds no word of anybody, so it says what is to be deleted, and remembers that until it was. Whoever is
erased and writes again is a new customer under a new key: one that comes back from a backup opens nothing new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import commands
from router.core.decisions import EraseCustomer
from router.core.events import CustomerErased, ErasureDone
from router.core.intake import ERASED
from router.core.state import Erasure
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from router.core.state import Contact
    from router.core.work import Work


def key_name(identity: str, times: int) -> str:
    """The name of the key that locks what an identity writes after it was erased so many times."""
    return f"{identity}.{times}" if times else identity


def follow(work: Work, event: CustomerErased | ErasureDone) -> None:
    """Somebody is to be erased, or what belonged to somebody is gone; told twice, that counts once."""
    if isinstance(event, CustomerErased):
        erase(work, event)
    else:
        work.state.erasing.pop(event.erasure, None)


def erase(work: Work, event: CustomerErased) -> None:
    """Close and empty the customer's contacts, forget who they are, and say what is to be deleted."""
    state = work.state
    contact = state.contacts.get(event.contact)
    if event.contact and contact is None:
        work.refuse("no-such-contact", event.contact)
        return
    named = [event.customer, contact.customer if contact is not None else ""]
    named += [state.identities.get(identity, "") for identity in event.identities]
    customers = dict.fromkeys(customer for customer in named if _known(work, customer))
    identities = dict.fromkeys(event.identities)
    for customer in customers:
        identities |= dict.fromkeys(work.index.customers.identities.get(customer, ()))
    if not customers and not identities:
        work.refuse("no-such-customer", event.customer)
        return
    contacts: list[str] = []
    messages: dict[str, int] = {}
    for one in state.contacts.values():
        if one.customer in customers:
            messages |= _empty(work, one)
            contacts.append(one.id)
        else:
            messages |= _leave_thread(one, identities)
    _forget(work, customers, identities)
    keys = tuple(key for identity in identities for key in _new_key(work, identity, event.times))
    state.erasing[event.erasure] = Erasure(at=work.now, keys=keys, messages=tuple(messages))
    work.emit(EraseCustomer(erasure=event.erasure, contacts=tuple(contacts), keys=keys, messages=tuple(messages)))


def _known(work: Work, customer: str) -> bool:
    customers = work.index.customers
    return bool(customer) and (customer in customers.contacts or customer in customers.identities)


def _empty(work: Work, contact: Contact) -> dict[str, int]:
    """Close a contact of the customer's; gives its messages."""
    if contact.state is not ContactState.RESOLVED:
        commands.close(work, contact)
    for ref in contact.messages:
        ref.sender = None
        work.state.quarantined.pop(ref.id, None)
        if work.state.externals.get(ref.external) == ref.id:
            del work.state.externals[ref.external]
        ref.external = ""
    work.index.customers.count(contact.customer, -1)
    work.index.chats.forget(contact)
    contact.flag, contact.customer, contact.participants, contact.parted = ERASED, "", [], []
    contact.claims = contact.follows = contact.language = contact.tier = None
    contact.moods = ()
    return {ref.id: 1 for ref in contact.messages}


def _leave_thread(contact: Contact, identities: dict[str, None]) -> dict[str, int]:
    """Somebody else's contact: it stays without them; gives what they wrote there, be it only a bounce."""
    contact.participants = [one for one in contact.participants if one not in identities]
    contact.parted = [one for one in contact.parted if one not in identities]
    written = [ref for ref in contact.messages if ref.sender in identities]
    for ref in written:
        ref.sender = None
    return {ref.id: 1 for ref in written}


def _forget(work: Work, customers: dict[str, None], identities: dict[str, None]) -> None:
    state = work.state
    for customer in customers:
        work.index.customers.identities.pop(customer, None)
        state.last_agent.pop(customer, None)
        state.links.pop(customer, None)
    for identity in identities:
        state.identities.pop(identity, None)
        for known in (state.going_on, state.languages, state.consents, state.tiers, state.tiers_seen, state.blocked):
            known.pop(identity, None)
    for budget in [one for one in state.auto_answered if one.partition(" ")[2] in customers]:
        del state.auto_answered[budget]


def _new_key(work: Work, identity: str, times_min: int) -> list[str]:
    """The name of the key in use until now, and of those that may have been; from now on there is another."""
    before = work.state.erased.get(identity, 0)
    after = work.state.erased[identity] = max(before + 1, times_min)
    return [key_name(identity, number) for number in range(before, after)]
