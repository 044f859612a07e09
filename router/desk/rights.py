"""Who may see and try what. The engine has the last word on every action; this keeps pages honest and quiet."""

from __future__ import annotations

from router.core.intake import ERASED
from router.core.state import Contact, State
from router.core.transitions import ContactState
from router.core.unwanted import blocked, writers
from router.core.values import Agent, Role


def on_roster(state: State, agent: str) -> Agent | None:
    """The agent as the workspace in force knows them, or None: then they may do nothing."""
    return state.workspace.agents.get(agent)


def leads(state: State, agent: str) -> bool:
    """Whether the agent is a supervisor or admin, who see everything."""
    known = on_roster(state, agent)
    return known is not None and known.role is not Role.AGENT


def holds(contact: Contact, agent: str) -> bool:
    """Whether the contact is the agent's, or offered to them."""
    return contact.agent == agent or (contact.offer is not None and contact.offer.agent == agent)


def may_see(state: State, agent: str, contact: Contact) -> bool:
    """Own and offered contacts, those they were called into or that wait, and earlier ones of a customer they serve.

    Supervisors and admins see all. Nobody outside the roster sees any.
    """
    if on_roster(state, agent) is None:
        return False
    if leads(state, agent) or holds(contact, agent) or agent in contact.called:
        return True
    if contact.state is ContactState.WAITING:
        return True
    desk = state.agents.get(agent)
    if desk is None:
        return False
    served = (state.contacts.get(held) for held in (*desk.held, *desk.parked))
    customer = contact.customer  # of an erased contact there is none
    return any(other is not None and customer and other.customer == customer for other in served)


_MORE = ("call", "merge", "spam")
_WHO = ("link", "unlink", "customer")  # of whoever the customer is
_OWN = {
    ContactState.ASSIGNED: ("reply", "note", "transfer", "snooze", "resolve", "retag", "priority", *_MORE, *_WHO),
    ContactState.WAITING_CUSTOMER: (
        "reply",
        "note",
        "transfer",
        "snooze",
        "resolve",
        "retag",
        "priority",
        *_MORE,
        *_WHO,
    ),
    ContactState.SNOOZED: ("reply", "note", "wake", "transfer", "resolve", "retag", "priority", *_MORE, *_WHO),
    ContactState.RESOLVED: ("note", "reopen", *_WHO),
}
_LEADS = {
    ContactState.WAITING: ("transfer", "resolve"),
    ContactState.OFFERED: ("take", "transfer", "resolve"),
    ContactState.ASSIGNED: ("take", "transfer", "resolve"),
    ContactState.WAITING_CUSTOMER: ("take", "transfer", "resolve"),
    ContactState.SNOOZED: ("take", "transfer", "wake", "resolve"),
    ContactState.RESOLVED: ("reopen",),
}


def actions(state: State, agent: str, contact: Contact) -> tuple[str, ...]:
    """What the agent may try on the contact as it stands, in the order of the buttons."""
    if on_roster(state, agent) is None or contact.joined is not None or contact.flag == ERASED:
        return ()
    found: dict[str, None] = {}
    if contact.offer is not None and contact.offer.agent == agent:
        found |= dict.fromkeys(("accept", "decline", "note"))
    elif contact.state is ContactState.WAITING:
        found |= dict.fromkeys(("take", "note", "retag", "priority"))
    if contact.agent == agent:
        found |= dict.fromkeys(_OWN.get(contact.state, ()))
    elif leads(state, agent):
        found |= dict.fromkeys((*_LEADS.get(contact.state, ()), "note", "retag", "priority", *_WHO))
        found |= dict.fromkeys(_MORE if contact.state is not ContactState.RESOLVED else ())
    elif agent in contact.called:
        found |= dict.fromkeys(("note", "call"))
    if agent in contact.called:
        found["leave"] = None
    if (contact.agent == agent or leads(state, agent)) and is_blocked(state, contact):
        found["unblock"] = None
    if contact.flag == "unknown-sender" and contact.claims and (contact.agent == agent or leads(state, agent)):
        found["let_in"] = None
    return tuple(found)


def is_blocked(state: State, contact: Contact) -> bool:
    """Whether its customer may open no contact any more."""
    return bool(state.blocked) and any(blocked(state, identity) for identity in writers(state, contact))
