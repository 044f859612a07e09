"""Erasing a customer: their contacts close and say no more whose they were; what was written goes with its keys.

The engine holds no word of anybody, so it says what is to be deleted, and remembers that until it was. Whoever is
erased and writes again is a new customer under a new key: one that comes back from a backup opens nothing new.

It covers what was received before somebody asked. So it is remembered until all of that is read: what turns out to be
theirs only then, since it took long to read or could not be read at first, is erased as it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from router.core import commands, leaving
from router.core.decisions import EraseCustomer, FileAuto
from router.core.events import CustomerErased, ErasureDone
from router.core.intake import ERASED, QUARANTINED, list_auto, stream_order
from router.core.state import Auto, Erasure
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from router.core.events import MessageReceived, MessageReleased
    from router.core.state import Contact, State
    from router.core.work import Work


def key_name(identity: str, times: int) -> str:
    """The name of the key that locks what an identity writes after it was erased so many times."""
    return f"{identity}.{times}" if times else identity


def follow(work: Work, event: CustomerErased | ErasureDone) -> None:
    """Somebody is to be erased, or what belonged to somebody is gone; told twice, that counts once."""
    if isinstance(event, CustomerErased):
        erase(work, event)
    elif (erasure := work.state.erasing.get(event.erasure)) is not None:
        work.state.erasing[event.erasure] = msgspec.structs.replace(erasure, messages=(), done=True)
        settle(work)


def settle(work: Work) -> None:
    """Forget erasures that were carried out and before which nothing was received that is unread; the oldest first."""
    erasing = work.state.erasing
    while erasing:
        oldest = next(iter(erasing))
        if not erasing[oldest].done or _unread_before(work.state, oldest):
            return
        del erasing[oldest]


def pending(state: State) -> list[str]:
    """Erasures that are not carried out yet."""
    return [name for name, erasure in state.erasing.items() if not erasure.done]


def receive(work: Work, event: MessageReceived) -> MessageReceived | None:
    """A message as it is to be received. None: its writer was erased since it came, and it goes as they did."""
    message = event.message
    if message not in work.state.deferred or not work.state.erasing:
        return event
    if not _covered(work.state, message, event.sender):
        return msgspec.structs.replace(
            event, cc=tuple(one for one in event.cc if not _covered(work.state, message, one))
        )
    del work.state.deferred[message]
    list_auto(work, Auto(message=message, channel=event.channel, auto=ERASED, at=work.now))
    work.emit(FileAuto(message=message, auto=ERASED))
    _is_to_go(work, event.inbox, (), (), (message,))
    return None


def release(work: Work, event: MessageReleased) -> bool:
    """Whether a message that could not be read is of somebody who was erased since it came: its contact goes too."""
    contact = work.state.contacts.get(work.state.quarantined.get(event.message, ""))
    if contact is None or contact.flag != QUARANTINED or not _covered(work.state, event.message, event.sender):
        return False
    customer = contact.customer  # of nobody but this message, unless somebody said that it is another's
    messages = tuple(_empty(work, contact))
    leaving.forget_customer(work, customer)
    _is_to_go(work, event.inbox, (contact.id,), (), messages)
    return True


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
    _is_to_go(work, event.erasure, tuple(contacts), keys, tuple(messages))


def _is_to_go(
    work: Work, erasure: str, contacts: tuple[str, ...], keys: tuple[str, ...], messages: tuple[str, ...]
) -> None:
    work.state.erasing[erasure] = Erasure(at=work.now, keys=keys, messages=messages)
    work.emit(EraseCustomer(erasure=erasure, contacts=contacts, keys=keys, messages=messages))


def _unread_before(state: State, erasure: str) -> bool:
    """Whether anything received before somebody asked for an erasure is unread; the oldest stand first, mostly."""
    asked = stream_order(erasure) or (0, 0)
    return any((stream_order(one) or asked) < asked for unread in (state.deferred, state.quarantined) for one in unread)


def _covered(state: State, message: str, identity: str) -> bool:
    """Whether an identity was erased after a message was received."""
    came = stream_order(message) or (0, 0)
    return any(
        came < (stream_order(name) or (0, 0)) and any(key.partition(".")[0] == identity for key in erasure.keys)
        for name, erasure in state.erasing.items()
    )


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
