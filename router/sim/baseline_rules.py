"""The rules of the baselines: who gets a contact, under each product's name for it; and what triggers a look.

Each rule is a key, smaller first, over the seats that are free and able; ties end in the order of the scenario.
Sources: the products' documentation and, where it is open, their code (ROUTING.md, section 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.sim.baseline_seats import Book, Seat

Key = Callable[["Seat", "Book"], tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Trigger:
    """When waiting contacts are looked at. Neither: at every event that could help one of them.

    `on_arrival`: a contact is looked at when it comes, and never again. `every`: only each so many ms, the `batch`
    oldest of them, whoever is able to serve those.
    """

    on_arrival: bool = False
    every: int = 0
    batch: int = 0


IMMEDIATE = Trigger()


@dataclass(frozen=True, slots=True)
class Rule:
    """One baseline: `why` says whose rule it is; `native` how the original is triggered."""

    name: str
    why: str
    key: Key
    native: Trigger = IMMEDIATE


def _served(seat: Seat, _: Book) -> tuple[float, ...]:
    return (seat.served_turn,)


def _open(seat: Seat, _: Book) -> tuple[float, ...]:
    return seat.number_held, seat.served_turn


def _spare(seat: Seat, _: Book) -> tuple[float, ...]:
    return -seat.spare, seat.served_turn


def _idle(seat: Seat, _: Book) -> tuple[float, ...]:
    return seat.idle_since, seat.idle_turn


def _lifetime(seat: Seat, _: Book) -> tuple[float, ...]:
    return (seat.taken,)


def _routed(seat: Seat, _: Book) -> tuple[float, ...]:
    return (seat.routed_turn,)


def _blocks(seat: Seat, book: Book) -> tuple[float, ...]:
    """Whose block it is comes first, then the others in their order round the table."""
    return ((seat.number - book.block_at) % len(book.seats),)


def _effort(seat: Seat, _: Book) -> tuple[float, ...]:
    return seat.effort_left, seat.idle_since, seat.idle_turn


def _skills(seat: Seat, _: Book) -> tuple[float, ...]:
    return seat.skills_held, seat.idle_since, seat.idle_turn


def _pools(seat: Seat, book: Book) -> tuple[float, ...]:
    """The pool with most free seats beyond its share of all that are free; in it, longest idle."""
    pool = book.pools[seat.pool]
    surplus = pool.free - book.free * len(pool.seats) / len(book.seats)
    return -surplus, seat.idle_since, seat.idle_turn


def _random(_: Seat, book: Book) -> tuple[float, ...]:
    return (book.lots.random(),)


def _listed(_: Seat, __: Book) -> tuple[float, ...]:
    return ()


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("round_robin", "Chatwoot v1: least recently served", _served, Trigger(on_arrival=True)),
        Rule(
            "least_open",
            "Chatwoot balanced, Salesforce, Intercom: fewest held",
            _open,
            Trigger(every=900_000, batch=100),
        ),
        Rule("spare_capacity", "Zendesk: most room", _spare),
        Rule("longest_idle", "Twilio, Amazon Connect, Genesys: longest idle", _idle),
        Rule("lifetime_count", "Rocket.Chat auto selection: fewest ever", _lifetime, Trigger(every=5_000, batch=1)),
        Rule("last_routed", "Rocket.Chat load rotation: routed longest ago", _routed, Trigger(every=5_000, batch=1)),
        Rule("weighted_blocks", "Frappe: so many each in turn, by weight", _blocks, Trigger(on_arrival=True)),
        Rule("effort_left", "RT TimeLeft: least work in hand", _effort, Trigger(on_arrival=True)),
        Rule("fewest_skills", "specialists first, then longest idle", _skills),
        Rule("fqr", "queue ratio (Gurvich and Whitt 2009)", _pools),
        Rule("random", "anybody", _random),
        Rule("listed", "in the order of the scenario, for exact models", _listed),
    )
}

NATIVE = "@native"
ENGINE = "usherd"


def lots(seed: int) -> Random:
    """The stream of the baseline `random`."""
    return Random(f"{seed}/baseline lots")
