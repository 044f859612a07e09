"""Why this agent, at this moment; or why nobody yet: in numbers, and in words that a supervisor reads."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from router.core.decisions import Candidate, Explanation
from router.core.ledger import BAND
from router.core.matching import key_of
from router.core.values import WHOLE

if TYPE_CHECKING:
    from router.core.index import Profile, Seat
    from router.core.state import Contact

MINUTE = 60_000
HOURS_FROM = 120  # minutes: above that a span is told in hours
BY_HAND = "assigned by hand"
ACCEPTED = "accepted the offer"


def explain(
    profile: Profile,
    contact: Contact | None,
    free: list[Seat],
    best: list[Seat],
    now: int,
    *,
    sticky: str | None = None,
) -> Explanation:
    """The record of one look for an agent. `free`: the eligible, and `best` the first few of them in order."""
    keys = [key_of(profile, contact, seat, now) for seat in best]
    return Explanation(
        requirement=profile.requirement,
        kind=profile.kind,
        able=len(profile.able),
        ruled_out=ruled_out(profile, contact, len(free)),
        candidates=tuple(
            Candidate(agent=seat.agent.id, rank=number, key=key, why=words(key, contact, now))
            for number, (seat, key) in enumerate(zip(best, keys, strict=True), 1)
        ),
        deciding=deciding(keys),
        relaxation=contact.relaxed if contact is not None else 0,
        sticky=sticky,
    )


def ruled_out(profile: Profile, contact: Contact | None, free: int) -> tuple[tuple[str, int], ...]:
    """How many agents each reason rules out, most first, ties by reason. O(able), and less if all able are free."""
    counts = profile.ruled_out
    if free < len(profile.able):
        bit = profile.line.bit
        declined = contact.declined if contact is not None else ()
        if declined:
            able = [seat for seat in profile.able if seat.agent.id not in declined]
            reasons = ["declined"] * (len(profile.able) - len(able))
        else:
            able, reasons = profile.able, []
        reasons += [seat.absence or "at capacity" for seat in able if not seat.room & bit]
        counts = Counter(counts)
        counts.update(reasons)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def words(key: tuple[int, ...], contact: Contact | None, now: int) -> str:
    """A candidate's key in words."""
    person, missing, band, _, idle = key
    low = band * BAND * 100 // WHOLE
    said = [f"{low}-{low + BAND * 100 // WHOLE} % utilised", f"idle {_span(min(-idle, now))}"]
    if missing:
        said.insert(0, f"lacks {missing} preferred skill" + ("s" if missing > 1 else ""))
    if person == 0:
        said.insert(0, "served this customer last")
    elif person > 1 and contact is not None:
        said.insert(0, "let an offer of it lapse")
    return ", ".join(said)


def deciding(keys: list[tuple[int, ...]]) -> str:
    """What told the first candidate from the second, in words; "" without a candidate."""
    if not keys:
        return ""
    if len(keys) == 1:
        return "the only one"
    names = ("who served this customer", "preferred skills", "utilisation", "scarcity of other skills", "longest idle")
    for name, one, other in zip(names, keys[0], keys[1], strict=True):
        if one != other:
            return name
    return "id"


def by_hand(profile: Profile) -> Explanation:
    """The record of a person's assignment, which stands whatever the engine would have chosen."""
    return Explanation(
        requirement=profile.requirement,
        kind=profile.kind,
        able=len(profile.able),
        deciding=BY_HAND,
        manual=True,
    )


def accepted(profile: Profile) -> Explanation:
    """The record of an accepted offer; why it was made stands in the record of the offer."""
    return Explanation(requirement=profile.requirement, kind=profile.kind, able=len(profile.able), deciding=ACCEPTED)


def _span(duration: int) -> str:
    """A duration in words, rounded down."""
    minutes = max(0, duration) // MINUTE
    if minutes < 1:
        return "less than a minute"
    if minutes < HOURS_FROM:
        return f"{minutes} min"
    return f"{minutes // 60} h"
