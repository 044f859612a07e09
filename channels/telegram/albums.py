"""Albums: what was sent as one comes as several updates, one for each file, and is one message again here."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from channels.telegram.entries import Item, Unit

ITEMS_MAX = 10  # Telegram's own limit


class Sorted(msgspec.Struct, frozen=True, kw_only=True):
    """A batch in messages. `waiting`: albums at the end of what is known of their chat: another item may follow."""

    whole: list[Unit]
    waiting: list[Unit]


def sort(items: Sequence[Item]) -> Sorted:
    """Put a batch, in the order of its numbers, into messages in the order of their first update."""
    groups: list[list[Item]] = []
    running: dict[tuple[int, str], list[Item]] = {}
    last: dict[int, list[Item]] = {}  # of each chat
    for one in items:
        group = running.get(one.album) if one.album is not None else None
        if group is None or len(group) == ITEMS_MAX:
            group = []
            groups.append(group)
            if one.album is not None:
                running[one.album] = group
        group.append(one)
        if one.posted is not None:
            last[one.posted.chat.id] = group
    waiting = [group for group in groups if group[0].album is not None and _may_grow(group, last)]
    return Sorted(
        whole=[tuple(group) for group in groups if not any(group is one for one in waiting)],
        waiting=[tuple(group) for group in waiting],
    )


def _may_grow(group: list[Item], last: dict[int, list[Item]]) -> bool:
    """Items of an album come in a row: what came after it in its chat shows that it is whole."""
    posted = group[0].posted
    return posted is not None and last[posted.chat.id] is group and len(group) < ITEMS_MAX
