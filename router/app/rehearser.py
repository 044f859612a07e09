"""A what-if for desks: `usherd whatif` for the change that waits, in a process of its own that gives way to all others.

What it found goes as JSON to stdout. As on the command line, a version that was looked at counts as rehearsed.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from router.core.errors import RouterError, TransientError

if TYPE_CHECKING:
    from router.app.daemon import Daemon

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of two cores one stays free for the daemon
NICE = 10
ANSWER_BYTES_MAX = 8_000_000


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`config`: the folder in use; `new`: what it is to become."""

    config: str
    new: str
    data: str
    since_ms: int


class NotRehearsed(TransientError):
    """It came to nothing; why is in its words."""

    code = "not_rehearsed"


class Rehearsals:
    """Implements the desk's `Rehearsing` for one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._busy = asyncio.Lock()

    def waiting(self) -> bool:
        """Whether the folder holds a change that waits for its rehearsal."""
        return self._daemon.reloader.unrehearsed is not None

    async def rehearse(self, since_ms: int) -> dict[str, Any]:
        """What the waiting change would have done. Raises NotRehearsed."""
        folder = str(self._daemon.folder)
        async with self._busy:  # one at a time: each takes a processor
            return await ask(Job(config=folder, new=folder, data=str(self._daemon.data), since_ms=since_ms))


async def ask(job: Job) -> dict[str, Any]:
    """Have a process carry it out; it is killed if we are cancelled. Raises NotRehearsed."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "router.app.rehearser"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback may hold what customers wrote
        env={**os.environ, **ONE_THREAD},
        limit=ANSWER_BYTES_MAX,
    )
    try:
        if child.stdin is None or child.stdout is None:
            raise NotRehearsed("no pipes")
        child.stdin.write(msgspec.json.encode(job) + b"\n")
        await child.stdin.drain()
        found: dict[str, Any] = msgspec.json.decode(await child.stdout.readline())
    except (msgspec.MsgspecError, OSError, ValueError) as error:
        raise NotRehearsed("the rehearsal ended without an answer") from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if "error" in found:
        raise NotRehearsed(str(found["error"]))
    return found


def carry_out(job: Job) -> dict[str, Any]:
    """The JSON of `usherd whatif`, or why there is none."""
    from router.app.whatif import rehearse  # noqa: PLC0415  # half a second, in this process alone

    try:
        done = asyncio.run(
            rehearse(Path(job.config), Path(job.new), Path(job.data), since_ms=job.since_ms, progress=_quiet)
        )
    except RouterError as error:
        return {"error": str(error)}
    return done.found


def _quiet(_: str, __: int) -> None:
    """Nobody watches."""


def main() -> None:
    """Carry out the job on the first line of stdin; end with whoever asked."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    threading.Thread(target=_end_with_input, daemon=True).start()
    os.nice(NICE)
    sys.stdout.buffer.write(msgspec.json.encode(carry_out(job)) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_input() -> None:
    """Whoever asked is gone, or no longer wants it."""
    sys.stdin.buffer.read()
    os._exit(3)


if __name__ == "__main__":
    main()
