"""A process of its own that trains the topic model, whoever else wants the processor first.

A job comes as JSON on stdin, what became of it goes as JSON to stdout. The model's files are written whole or not at
all; a model that is worse than the one in force is not written.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import msgspec

from router.core.errors import TransientError
from skills import topics
from skills.topics import encoders
from skills.topics.contest import Contest, contest
from skills.topics.training import Labelled

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of two cores one stays free for the daemon


class Words(msgspec.Struct, frozen=True):
    """What an admin says of a topic."""

    examples: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`known`: labels that the model in force has learned; None: there is none to compare with.

    `path`: where to put the model's files; `nice`: how much the process gives way, 0 to 19.
    """

    topics: dict[str, Words]
    known: list[Labelled] | None
    labelled: list[Labelled]
    path: str
    nice: int
    encoder: str = encoders.NONE


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """`said`: how it compares, in words; "": with nothing. Not `trained`: it would be worse."""

    trained: bool
    said: str = ""


class TrainerFailed(TransientError):
    """The trainer ended without an answer; it is tried again later, and the model in force stays."""

    code = "trainer_failed"


def carry_out(job: Job) -> Done:
    """Train, unless what was learned would make it worse."""
    encoder, problem = encoders.find(job.encoder)
    found = None if job.known is None else contest(job.topics, job.known, job.labelled, encoder=encoder)
    if found is None or not found.worse:
        topics.train(job.topics, labelled=job.labelled, encoder=encoder).save(Path(job.path))
    return Done(trained=found is None or not found.worse, said="; ".join(filter(None, (_said(found), problem))))


def _said(found: Contest | None) -> str:
    if found is None:
        return ""
    return f"of texts held out {found.every.said()}; of the admin's own examples {found.own.said()}"


async def ask(job: Job) -> Done:
    """Have a process carry it out; it is killed if we are cancelled. Raises TrainerFailed."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "router.app.trainer"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback may hold what customers wrote
        env={**os.environ, **ONE_THREAD},
    )
    try:
        if child.stdin is None or child.stdout is None:
            raise TrainerFailed("no pipes")
        child.stdin.write(msgspec.json.encode(job) + b"\n")
        await child.stdin.drain()
        return msgspec.json.decode(await child.stdout.readline(), type=Done)
    except (msgspec.MsgspecError, OSError) as error:
        raise TrainerFailed("training the topics ended without an answer") from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def main() -> None:
    """Carry out the job on the first line of stdin; end with whoever asked."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    threading.Thread(target=_end_with_input, daemon=True).start()
    os.nice(job.nice)
    sys.stdout.buffer.write(msgspec.json.encode(carry_out(job)) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_input() -> None:
    """Whoever asked is gone, or no longer wants it."""
    sys.stdin.buffer.read()
    os._exit(3)


if __name__ == "__main__":
    main()
