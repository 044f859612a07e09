"""Named places at which tests break the process: killed, refused by the store, or slow; exactly there, again and again.

Off unless the environment says otherwise, and then a point costs an empty call. A place is switched on by

    USHERD_BUGGIFY="point:action[:when],…[;seed]"

`action`: `kill` (SIGKILL to this process), `raise` (StoreUnavailable, as if the store had not answered), `delay` or
`delay=SECONDS`. `when`: a whole number n, only the n-th time this process comes by (1 unless given), or a share such as
`0.05` of all times, by `seed`. What strikes is logged first as `buggify`, so that a test sees that it was reached.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal

import msgspec
import structlog

from router.core.errors import ConfigError, StoreUnavailable

log = structlog.get_logger()

VARIABLE = "USHERD_BUGGIFY"
DELAY_SECONDS = 0.3

# Every point there is, in the order of a message's journey; a test holds this list against the code.
POINTS = (
    "intake.received",  # an adapter has bytes; nothing is stored
    "intake.before_append",
    "intake.file_written",  # of a large one; the inbox knows nothing of it
    "intake.after_append",  # stored, not yet acknowledged
    "leader.before_fence",
    "leader.after_fence",
    "leader.read",  # entries are read, nothing is made of them yet
    "leader.before_understanding",
    "leader.before_apply",
    "leader.before_append",  # the engine has decided, the journal knows nothing
    "journal.before_append",
    "journal.after_append",  # committed; nobody has heard of it
    "leader.after_append",
    "leader.before_sweep",  # the entry is in its place and still stands in the inbox
    "leader.after_sweep",
    "leader.lease_renew",
    "reader.before_return",  # a deferred message was understood and is to come back
    "reader.after_return",
    "outbox.before_sending",
    "outbox.before_send",  # *sending* is stored, nothing has left
    "outbox.after_send",  # the other side has it; we have not stored that
    "outbox.before_report",  # the outcome is stored, the inbox not told
    "outbox.after_report",
    "snapshot.before_put",  # in the archivist, a process of its own
    "snapshot.after_put",
    "archive.before_put",
    "archive.after_put",
    "archive.before_trim",  # records are archived and read back
    "archive.after_trim",
    "erase.begun",  # journaled, and nothing done yet
    "erase.listed",
    "erase.keys_deleted",
    "erase.blobs_deleted",  # what was in the inbox too; the store's file still has it
    "erase.rewritten",
    "erase.told",
)


class Trigger(msgspec.Struct):
    """What happens at a point. `nth`: only that time, else a `share` of all times. `passed`: how often so far."""

    action: str
    nth: int = 1
    share: float = 0.0
    seconds: float = DELAY_SECONDS
    passed: int = 0


def parse(text: str) -> tuple[dict[str, Trigger], random.Random]:
    """What `USHERD_BUGGIFY` says. Raises ConfigError for a point or action that there is not."""
    listed, _, seed = text.partition(";")
    found: dict[str, Trigger] = {}
    for one in filter(None, (part.strip() for part in listed.split(","))):
        name, _, rest = one.partition(":")
        action, _, when = rest.partition(":")
        action, _, seconds = action.partition("=")
        if name not in POINTS or action not in {"kill", "raise", "delay"}:
            raise ConfigError(f"{VARIABLE}: {one!r} names no point or no action", hint="see router/shell/buggify.py")
        try:
            trigger = Trigger(action=action, seconds=float(seconds or DELAY_SECONDS))
            if "." in when:
                trigger.nth, trigger.share = 0, float(when)
            elif when:
                trigger.nth = int(when)
        except ValueError:
            raise ConfigError(f"{VARIABLE}: {one!r} holds something that is no number") from None
        found[name] = trigger
    return found, random.Random(seed.strip())  # noqa: S311  # to be repeated, not to be secret


class Mischief:
    """The points that are switched on in this process."""

    def __init__(self, text: str) -> None:
        """`text` as in the environment. Raises ConfigError."""
        self._triggers, self._chance = parse(text)

    def strike(self, name: str) -> float:
        """Kill or raise if it is time; gives the seconds to be slow for."""
        trigger = self._triggers.get(name)
        if trigger is None:
            return 0.0
        trigger.passed += 1
        if trigger.passed != trigger.nth and not (trigger.share and self._chance.random() < trigger.share):
            return 0.0
        log.warning("buggify", point=name, action=trigger.action, passed=trigger.passed, pid=os.getpid())
        if trigger.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if trigger.action == "raise":
            raise StoreUnavailable("buggify")
        return trigger.seconds


_mischief = Mischief(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


async def point(name: str) -> None:
    """A place at which a test may break the process. Raises StoreUnavailable if it was told to."""
    if _mischief is not None and (seconds := _mischief.strike(name)):
        await asyncio.sleep(seconds)
