"""Why this agent, at this moment; or why nobody yet: in numbers, and in words that a supervisor reads."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from router.core.board import HELPS
from router.core.decisions import Candidate, Explanation
from router.core.ledger import BAND
from router.core.levelling import LEFT
from router.core.matching import key_of
from router.core.ramp import SPARED
from router.core.values import WHOLE

if TYPE_CHECKING:
    from router.core.board import Profile
    from router.core.matching import Choice
    from router.core.state import Contact

MINUTE = 60_000
HOURS_FROM = 120  # minutes: above that a span is told in hours
BY_HAND = "assigned by hand"
ACCEPTED = "accepted the offer"
LEFT_TO = (SPARED, LEFT)  # reasons that are no skill
KEYS = ("who served this customer", "preferred skills", "utilisation", "scarcity of other skills", "longest idle")


def explain(
    profile: Profile, contact: Contact | None, choice: Choice, now: int, *, sticky: str | None = None
) -> Explanation:
    """The record of one look for an agent, and what it chose from."""
    keys = [key_of(profile, contact, seat, now) for seat in choice.best]
    return Explanation(
        requirement=profile.requirement,
        kind=profile.kind,
        able=len(profile.able),
        ruled_out=ruled_out(profile, contact, choice),
        candidates=tuple(
            [
                Candidate(agent=seat.agent.id, rank=number, key=key, why=words(key, contact, now, planned=seat.planned))
                for number, (seat, key) in enumerate(zip(choice.best, keys, strict=True), 1)
            ]
        ),
        deciding=deciding(keys),
        relaxation=contact.relaxed if contact is not None else 0,
        sticky=sticky,
        reserve=tuple(sorted({skill for skill in choice.kept.values() if skill not in LEFT_TO})) if choice.kept else (),
    )


def ruled_out(profile: Profile, contact: Contact | None, choice: Choice) -> tuple[tuple[str, int], ...]:
    """How many agents each reason rules out, most first, ties by reason. Nobody is looked at but who declined."""
    if choice.kept or (contact is not None and contact.declined):
        return _counted(profile, contact, choice)
    told = profile.group.told  # in most records it is only the number of the free that differs
    found = told.get(choice.free)
    if found is None:
        found = told[choice.free] = _counted(profile, contact, choice)
    return found


def _counted(profile: Profile, contact: Contact | None, choice: Choice) -> tuple[tuple[str, int], ...]:
    counts = dict(profile.group.ruled_out)
    full = len(profile.able) - choice.free - len(choice.kept)
    for skill in choice.kept.values():
        reason = skill if skill in LEFT_TO else f"kept for {skill}"
        counts[reason] = counts.get(reason, 0) + 1
    for reason, number in profile.group.absent.items():
        if number:
            counts[reason] = number
            full -= number
    if contact is not None and contact.declined:
        for name in contact.declined:
            seat = profile.able_ids.get(name)
            if seat is None:
                continue
            counts["declined"] = counts.get("declined", 0) + 1
            if seat.absence:
                counts[seat.absence] -= 1
            else:
                full -= 1
    counts["at capacity"] = full
    return tuple(sorted([item for item in counts.items() if item[1]], key=_most_first))


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def words(key: tuple[int, ...], contact: Contact | None, now: int, *, planned: bool = False) -> str:
    """A candidate's key in words. `planned`: their utilisation is what it will likely be when their shift ends."""
    person, missing, band, _, idle = key
    lapsed = person > 1 and contact is not None
    return _words(person == 0, lapsed, missing, band, max(0, min(-idle, now)) // MINUTE, planned)


@lru_cache(maxsize=4096)  # the same few words again and again
def _words(served: bool, lapsed: bool, missing: int, band: int, minutes: int, planned: bool) -> str:  # noqa: FBT001 parts of a key
    low = band * BAND * 100 // WHOLE
    by = " by the end of their shift" if planned else ""
    said = [f"{low}-{low + BAND * 100 // WHOLE} % utilised{by}", f"idle {_span(minutes)}"]
    if missing % HELPS:
        said.insert(0, f"lacks {missing % HELPS} preferred skill" + ("s" if missing % HELPS > 1 else ""))
    if missing >= HELPS:
        said.insert(0, "of a team that helps out")
    if served:
        said.insert(0, "served this customer last")
    elif lapsed:
        said.insert(0, "let an offer of it lapse")
    return ", ".join(said)


def deciding(keys: list[tuple[int, ...]]) -> str:
    """What told the first candidate from the second, in words; "" without a candidate."""
    if not keys:
        return ""
    if len(keys) == 1:
        return "the only one"
    for name, one, other in zip(KEYS, keys[0], keys[1], strict=True):
        if one != other:
            return "own team before one that helps out" if other >= HELPS > one and name == KEYS[1] else name
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


def _span(minutes: int) -> str:
    """A duration in words."""
    if minutes < 1:
        return "less than a minute"
    if minutes < HOURS_FROM:
        return f"{minutes} min"
    return f"{minutes // 60} h"
