"""A node that cannot use the workspace in force lets another one lead that can.

Which one leads is not a matter of safety, so it is not hurried: what is wrong may be over in a moment, and whether
another node lives is known only after a while. Should none take the lead after all, this one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from router.core.errors import RouterError

LOOK_SECONDS = 1.0
LOOKS = 9  # in a row; a node that is gone is known to be so by then
PATIENCE_SECONDS = 10.0  # for so long a lease that nobody holds is left to the others


class Yielded(RouterError):
    """Another node is better placed to lead."""

    code = "yielded"


async def until_yielding(yields: Callable[[], bool]) -> None:
    """Raise Yielded once another node should lead, for certain."""
    looks = 0
    while looks < LOOKS:
        await asyncio.sleep(LOOK_SECONDS)
        looks = looks + 1 if yields() else 0
    raise Yielded("another node can use the workspace in force, and this one cannot")
