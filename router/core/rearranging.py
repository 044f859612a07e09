"""The last places of a joint pass: a contact that nobody is free for gets the place of one that somebody else can take.

Most urgent contact to its best agent, again and again, leaves some places empty although contacts wait: those who
could take them have just been given what others, who are free, could take as well. So for each contact left over a
chain is looked for, breadth first: an agent able to serve it, one of the contacts that this very pass gave them, an
agent able to serve that, and so on to one who has room; then each contact of the chain moves on by one. It is an
augmenting path of a bipartite matching; what a search in vain has seen is not looked at again, so that all searches
together look at each agent once. Nothing that was placed loses its place, and nothing has left the engine yet: the
record tells the outcome only.

Left alone are contacts that somebody declined or let lapse, and those with who served their customer last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from router.core import explain, matching, placing
from router.core.decisions import AssignTo, OfferTo
from router.core.transitions import ContactState

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.core.board import Line, Profile, Seat
    from router.core.state import Contact
    from router.core.work import Work


class Step(NamedTuple):
    """One agent of a chain, the contact they would pass on, and the step that leads to them; None: the first."""

    seat: Seat
    contact: Contact
    before: Step | None


class Given:
    """What a joint pass has given to whom so far."""

    def __init__(self) -> None:
        self.by_agent: dict[str, dict[str, Contact]] = {}
        self.blocked: dict[str, int] = {}  # agents whom no chain leads on from

    def plain(self, contact: Contact) -> bool:
        """Whether a contact that is about to be given could go to another as well."""
        return not (contact.declined or contact.lapsed or contact.sticky_until is not None)

    def note(self, contact: Contact) -> None:
        """It was given."""
        agent = contact.agent if contact.offer is None else contact.offer.agent
        if agent is not None and agent != contact.prefer_agent:
            self.by_agent.setdefault(agent, {})[contact.id] = contact


def rearrange(work: Work, lines: dict[Line, None], given: Given, head_of: Callable[[Line], Contact | None]) -> None:
    """Give what is left in some lines to whom the contacts just given can make room for."""
    if not given.by_agent:
        return
    left = [(matching.urgency(head, work.now), line) for line in lines if (head := head_of(line)) is not None]
    for _, line in sorted(left, key=lambda one: one[0]):
        while (contact := head_of(line)) is not None and _has_place(work, line):
            chain = _chain(work, contact, given)
            if chain is None or not _move(work, chain, given):
                break
            plain = given.plain(contact)
            if not placing.try_place(work, contact):
                break
            if plain:
                given.note(contact)


def _has_place(work: Work, line: Line) -> bool:
    return any(seat.room & line.bit for seat in work.index.seats.values())


def _chain(work: Work, contact: Contact, given: Given) -> Step | None:
    """The last step of the shortest chain that ends with somebody who has room; None: there is none."""
    seen: dict[str, int] = {}
    front = _onwards(work, contact, None, given, seen)
    while front:
        following: list[Step] = []
        for step in front:
            profile = work.index.profile_of(step.contact)
            if any(seat.room & profile.line.bit for seat in profile.able):
                return step
            following += _onwards(work, step.contact, step, given, seen)
        front = following
    given.blocked.update(seen)
    return None


def _onwards(work: Work, contact: Contact, before: Step | None, given: Given, seen: dict[str, int]) -> list[Step]:
    """The agents able to serve a contact who could pass on one of the same kind."""
    found: list[Step] = []
    for seat in work.index.profile_of(contact).able:
        name = seat.agent.id
        if name in seen or name in given.blocked or name not in given.by_agent or name in contact.declined:
            continue
        seen[name] = 1
        found += [Step(seat, one, before) for one in given.by_agent[name].values() if one.kind == contact.kind]
    return found


def _move(work: Work, last: Step, given: Given) -> bool:
    """Move each contact of a chain on by one, from its end; gives whether the first agent has room now."""
    step: Step | None = last
    while step is not None:
        seat, contact = step.seat, step.contact
        profile: Profile = work.index.profile_of(contact)
        choice = matching.choose(work.index, profile, contact)
        if not choice.best:
            return False  # those with room are kept free for something else
        why = explain.explain(profile, contact, choice, work.now)
        _take_back(work, contact, seat)
        del given.by_agent[seat.agent.id][contact.id]
        placing.give(work, contact, choice.best[0], why)
        given.note(contact)
        step = step.before
    return True


def _take_back(work: Work, contact: Contact, seat: Seat) -> None:
    """As if it had not been given: the decision is taken off the record, which nobody has seen."""
    name = seat.agent.id
    place = next(
        number
        for number in range(len(work.out) - 1, -1, -1)
        if isinstance(one := work.out[number], OfferTo | AssignTo) and one.contact == contact.id
    )
    del work.out[place]
    if contact.offer is not None:
        work.take_back(contact, name)
    work.let_go(contact, name, done=contact.offer is None)
    contact.offer = contact.agent = None
    assert contact.state in {ContactState.OFFERED, ContactState.ASSIGNED}
    work.step(contact, "requeue")
