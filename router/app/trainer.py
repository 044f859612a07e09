"""A process of its own that trains the topic model, whoever else wants the processor first.

A job comes as JSON on stdin, its texts on lines after it, a few hundred on each: fifty thousand at once would hold up
whoever writes them. What became of it goes as JSON to stdout. The model's files are written whole or not at all; a
model that is worse than the one in force is not written.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from router.core.errors import TransientError
from skills import topics
from skills.topics import encoders
from skills.topics.contest import Contest, contest
from skills.topics.sounding import Handled, Material
from skills.topics.training import Labelled

LOT = 256  # texts on a line
FORGOTTEN = "so nothing new was learned, and who is erased was forgotten"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of two cores one stays free for the daemon


class Words(msgspec.Struct, frozen=True):
    """What an admin says of a topic."""

    examples: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`known`: labels that the model in force has learned; None: there is none to compare with.

    `path`: where to put the model's files; `nice`: how much the process gives way, 0 to 19. `forget`: the model in
    force knows what it must not: where what was learned since would make it worse, one of the rest is trained.
    """

    topics: dict[str, Words]
    known: list[Labelled] | None
    labelled: list[Labelled]
    handled: list[Handled] = []
    moods: dict[str, Words] = {}
    forget: bool = False
    path: str
    nice: int
    encoder: str = encoders.NONE


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """`said`: how it compares, in words; "": with nothing. Not `trained`, or not `learned`: it would be worse."""

    trained: bool
    learned: bool = True
    said: str = ""


class _Lot(msgspec.Struct, frozen=True):
    known: list[Labelled] = []
    labelled: list[Labelled] = []
    handled: list[Handled] = []


class TrainerFailed(TransientError):
    """The trainer ended without an answer; it is tried again later, and the model in force stays."""

    code = "trainer_failed"


def carry_out(job: Job) -> Done:
    """Train, unless what was learned would make it worse."""
    encoder, problem = encoders.find(job.encoder)
    found = None if job.known is None else contest(job.topics, job.known, job.labelled, encoder=encoder)
    worse = found is not None and found.worse
    if not worse or job.forget:
        calm = [text for topic in job.topics.values() for text in topic.examples]
        topics.train(
            job.topics,
            labelled=(job.known or []) if worse else job.labelled,
            encoder=encoder,
            material=Material(job.moods, calm, job.handled),
        ).save(Path(job.path))
    said = "; ".join(filter(None, (_said(found), FORGOTTEN if worse and job.forget else "", problem)))
    return Done(trained=not worse or job.forget, learned=not worse, said=said)


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
        for line in lines_of(job):
            child.stdin.write(line)
            await child.stdin.drain()
            await asyncio.sleep(0)
        return msgspec.json.decode(await child.stdout.readline(), type=Done)
    except (msgspec.MsgspecError, OSError) as error:
        raise TrainerFailed("training the topics ended without an answer") from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def lines_of(job: Job) -> Iterator[bytes]:
    """A job as it is written: without its texts, these in lots, and an empty line."""
    lots = {"known": job.known, "labelled": job.labelled, "handled": job.handled}
    known: list[Labelled] | None = None if job.known is None else []
    yield _line(msgspec.structs.replace(job, known=known, labelled=[], handled=[]))
    for name, texts in lots.items():
        for start in range(0, len(texts or ()), LOT):
            yield _line({name: (texts or [])[start : start + LOT]})
    yield b"\n"


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def read_job(lines: IO[bytes]) -> Job:
    """What `lines_of` gave."""
    job = msgspec.json.decode(lines.readline(), type=Job)
    while (line := lines.readline()).strip():
        lot = msgspec.json.decode(line, type=_Lot)
        job.labelled.extend(lot.labelled)
        job.handled.extend(lot.handled)
        if job.known is not None:
            job.known.extend(lot.known)
    return job


def main() -> None:
    """Carry out the job on stdin; end with whoever asked."""
    job = read_job(sys.stdin.buffer)
    threading.Thread(target=_end_with_input, daemon=True).start()
    os.nice(job.nice)
    sys.stdout.buffer.write(_line(carry_out(job)))
    sys.stdout.buffer.flush()


def _end_with_input() -> None:
    """Whoever asked is gone, or no longer wants it."""
    sys.stdin.buffer.read()
    os._exit(3)


if __name__ == "__main__":
    main()
