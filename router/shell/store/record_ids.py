"""Ids of journal records: `epoch-number`, as the store's streams order them."""

from __future__ import annotations

import itertools


def require_ascending(expected_last: str, records: list[tuple[str, bytes]]) -> None:
    """A batch the store would refuse half-way must not be sent. Raises ValueError: a mistake of the caller."""
    ids = [tuple(map(int, record_id.split("-"))) for record_id in (expected_last, *(r[0] for r in records))]
    if not records or any(later <= earlier for earlier, later in itertools.pairwise(ids)):
        raise ValueError("journal ids must ascend from the expected last one")
