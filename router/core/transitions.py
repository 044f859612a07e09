"""The lifecycles: everything that affects the state machines of contact, offer, agent and delivery lives here.

Each table maps a state to {what happens: next state}. What is not in a table is not allowed. The diagrams of
ARCHITECTURE.md are generated from these tables.
"""

from __future__ import annotations

import enum

from router.core.errors import RouterError


class ContactState(enum.StrEnum):
    """Where a contact stands."""

    WAITING = "waiting"
    OFFERED = "offered"
    ASSIGNED = "assigned"
    WAITING_CUSTOMER = "waiting_customer"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"


class OfferState(enum.StrEnum):
    """What became of an offer."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    LAPSED = "lapsed"
    RESCINDED = "rescinded"


class DeliveryState(enum.StrEnum):
    """What became of an outbound message. `unknown`: the final answer was lost; resent at most once more."""

    PENDING = "pending"
    SENDING = "sending"
    DEFERRED = "deferred"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


_C = ContactState

CONTACT: dict[ContactState, dict[str, ContactState]] = {
    _C.WAITING: {
        "offer": _C.OFFERED,
        "assign": _C.ASSIGNED,
        "requeue": _C.WAITING,
        "resolve": _C.RESOLVED,
        "snooze": _C.SNOOZED,
    },
    _C.OFFERED: {
        "accept": _C.ASSIGNED,
        "assign": _C.ASSIGNED,
        "requeue": _C.WAITING,
        "resolve": _C.RESOLVED,
    },
    _C.ASSIGNED: {
        "reply": _C.WAITING_CUSTOMER,
        "assign": _C.ASSIGNED,
        "requeue": _C.WAITING,
        "snooze": _C.SNOOZED,
        "resolve": _C.RESOLVED,
    },
    _C.WAITING_CUSTOMER: {
        "customer_wrote": _C.ASSIGNED,
        "undelivered": _C.ASSIGNED,  # our answer did not arrive: the ball is back with the agent
        "reply": _C.WAITING_CUSTOMER,
        "assign": _C.ASSIGNED,
        "requeue": _C.WAITING,
        "snooze": _C.SNOOZED,
        "resolve": _C.RESOLVED,
    },
    _C.SNOOZED: {
        "assign": _C.ASSIGNED,
        "requeue": _C.WAITING,
        "resolve": _C.RESOLVED,
        "snooze": _C.SNOOZED,
    },
    _C.RESOLVED: {
        "requeue": _C.WAITING,
        "assign": _C.ASSIGNED,
    },
}

_O = OfferState

OFFER: dict[OfferState, dict[str, OfferState]] = {
    _O.PENDING: {
        "accept": _O.ACCEPTED,
        "decline": _O.DECLINED,
        "lapse": _O.LAPSED,
        "rescind": _O.RESCINDED,
    },
    _O.ACCEPTED: {},
    _O.DECLINED: {},
    _O.LAPSED: {},
    _O.RESCINDED: {},
}

_D = DeliveryState

DELIVERY: dict[DeliveryState, dict[str, DeliveryState]] = {
    _D.PENDING: {"send": _D.SENDING},
    _D.SENDING: {"sent": _D.SENT, "deferred": _D.DEFERRED, "failed": _D.FAILED, "unknown": _D.UNKNOWN},
    _D.DEFERRED: {"send": _D.SENDING, "failed": _D.FAILED},
    _D.UNKNOWN: {"send": _D.SENDING, "sent": _D.SENT, "failed": _D.FAILED},
    _D.SENT: {"failed": _D.FAILED},  # a bounce came back
    _D.FAILED: {"send": _D.SENDING},  # an agent asked for another try
}


class NotAllowed(RouterError):
    """A table has no such step."""

    code = "bad-state"


def next_contact_state(state: ContactState, step: str) -> ContactState:
    """The state that `step` leads to. Raises NotAllowed."""
    following = CONTACT[state].get(step)
    if following is None:
        raise NotAllowed(f"a contact that is {state} cannot {step}")
    return following


def next_offer_state(state: OfferState, step: str) -> OfferState:
    """The state that `step` leads to. Raises NotAllowed."""
    following = OFFER[state].get(step)
    if following is None:
        raise NotAllowed(f"an offer that is {state} cannot {step}")
    return following


def next_delivery_state(state: DeliveryState, step: str) -> DeliveryState | None:
    """The state that `step` leads to, or None where the table has no such step (a report that came late)."""
    return DELIVERY[state].get(step)
