"""Differences between two workspaces in plain words, one sentence each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from router.app.compare import Change, DeadEnd, walk

SPANS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))
# Keys whose values are milliseconds, wherever they stand.
TIMED = frozenset(
    {"first_response", "next_response", "resolution", "effort", "after", "wait_at_most", "grace", "accept_within"}
    | {"hand_back", "priorities", "accept_within_default", "default_effort", "reopen_within", "utilisation_window"}
)
SHARES = frozenset({"share", "at"})


def sentence(change: Change) -> str:
    """One difference as a person would say it."""
    head, *rest = change.path.split(".")
    say = _BY_SECTION.get(head)
    return (say(change, rest) if say is not None else None) or _plainly(change)


def dead_end(one: DeadEnd) -> str:
    """What nobody could take, as a person would say it."""
    skills = " ".join(f"{skill}≥{level}" for skill, level in one.requirement.must) or "no skill"
    language = f" in {one.language}" if one.language else ""
    if one.what == "topic":
        return f"nobody could take `{one.topic}`{language}: it requires {skills}"
    about = f" about `{one.topic}`" if one.topic else ""
    contacts = "1 contact that waits" if one.waiting == 1 else f"{one.waiting} contacts that wait"
    return f"nobody could take {contacts}{about}{language}: {one.kind}, {skills}"


def _plainly(change: Change) -> str:
    before, after = (shown(change.path, value) for value in (change.before, change.after))
    if change.before is None:
        return f"{change.path}: {after}, new"
    if change.after is None:
        return f"{change.path}: no longer {before}"
    return f"{change.path}: {before} → {after}"


def shown(path: str, value: Any) -> str:  # noqa: ANN401 (JSON)
    """A value as a person would write it; `path` says what it counts."""
    if isinstance(value, dict):
        parts = (
            f"{key} {shown(f'{path}.{key}', item)}" for key, item in value.items() if item not in (None, "", False)
        )
        return ", ".join(parts) or "nothing"
    if isinstance(value, list | tuple):
        between = ", " if all(isinstance(item, str) for item in value) else "; "
        return between.join(shown(path, item) for item in value) or "none"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "yes", False: "no"}[value]
    steps = path.split(".")
    if isinstance(value, int) and TIMED & set(steps):
        return span(value)
    if isinstance(value, int) and steps[-1] in SHARES:
        return f"{value / 100:g} %"
    return str(value)


def span(ms: int) -> str:
    """Milliseconds as `2 h 30 min`."""
    if ms == 0:
        return "0 s"
    left, parts = abs(ms), []
    for size, unit in SPANS:
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    if left:
        parts.append(f"{left} ms")
    return ("-" if ms < 0 else "") + " ".join(parts)


def _agent(change: Change, rest: list[str]) -> str | None:
    name, *inner = rest
    if not inner:
        if change.after is None:
            return f"{name} goes: what {name} holds returns to the queue"
        if change.before is None:
            skills = shown("skills", change.after["skills"])
            return f"{name} is new: {skills}; capacity {shown('capacity', change.after['capacity'])}"
        return None
    if len(inner) == 2 and inner[0] == "skills":  # noqa: PLR2004 (skills and which)
        if change.before is None:
            return f"{name} gets the skill {inner[1]} at {change.after}"
        if change.after is None:
            return f"{name} loses the skill {inner[1]} (was {change.before})"
        return f"{name}'s {inner[1]}: {change.before} → {change.after}"
    if len(inner) == 2 and inner[0] == "capacity":  # noqa: PLR2004 (capacity and of what)
        return f"{name} holds {change.after or 0} of {inner[1]} at once (was {change.before or 0})"
    return f"{name}'s {_change(change, inner)}"


def _named(what: str) -> Callable[[Change, list[str]], str | None]:
    def say(change: Change, rest: list[str]) -> str | None:
        name, *inner = rest
        if not inner:
            if change.after is None:
                return f"the {what} `{name}` goes"
            return f"the {what} `{name}` is new" if change.before is None else None
        return f"the {what} `{name}`: {_change(change, inner)}"

    return say


def _change(change: Change, inner: list[str]) -> str:
    before, after = (shown(".".join(inner), value) for value in (change.before, change.after))
    name = " ".join(inner)
    if change.before is None:
        return f"{name} {after}, new"
    return f"no longer {name} {before}" if change.after is None else f"{name} {before} → {after}"


def _rule(change: Change, rest: list[str]) -> str:
    number = int(rest[0]) + 1
    if change.before is None:
        return f"rule {number} is new: {shown('rules', change.after)}"
    if change.after is None:
        return f"rule {number} goes: {shown('rules', change.before)}"
    when = shown("when", change.after["when"])
    if change.before["when"] != change.after["when"]:
        return f"rule {number}: {shown('rules', change.before)} → {shown('rules', change.after)}"
    inner = [one for one in walk(change.before, change.after, "") if one.path]
    return f"rule {number} ({when}): {', '.join(_change(one, one.path.split('.')) for one in inner)}"


def _calendar(change: Change, rest: list[str]) -> str:
    name = rest[0]
    if change.before is None:
        return f"the calendar `{name}` is new"
    if change.after is None:
        return f"the calendar `{name}` goes"
    first = min(range_[0] for range_ in (*change.before, *change.after))
    parts = [
        f"{word} {_range(ranges[0])}"
        for word, ranges in (("no longer", change.before), ("now", change.after))
        if ranges
    ]
    day = datetime.fromtimestamp(first / 1000, UTC)
    return f"the calendar `{name}` has other hours, first on {day:%Y-%m-%d}: {', '.join(parts)} (UTC)"


def _range(range_: tuple[int, int]) -> str:
    begin, end = (datetime.fromtimestamp(at / 1000, UTC) for at in range_)
    return f"{begin:%a %H:%M} to {end:%H:%M}"


_BY_SECTION: dict[str, Callable[[Change, list[str]], str | None]] = {
    "agents": _agent,
    "teams": _named("team"),
    "topics": _named("topic"),
    "rules": _rule,
    "calendars": _calendar,
}
