"""Workers: whatever an input does to the process that reads it, the others are read, in order, and it is told why."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import msgspec
import pytest

from router.core.errors import ConfigError
from router.core.message import Address, Message
from router.shell import workers as workers_module
from router.shell.workers import (
    SMALL_BYTES_MAX,
    TASK_MESSAGES_MAX,
    Models,
    Raw,
    Understood,
    Workers,
    classify,
    understand,
    use_models,
)
from skills import topics
from tests.support.hostile_inputs import obey


class Words(msgspec.Struct, frozen=True):
    """What an admin says of a topic."""

    examples: tuple[str, ...]
    keywords: tuple[str, ...]


BAD = ["hang", "hang and ignore", "spin", "eat", "die", "kill", "raise", "recurse", "poison", "exit", "unpicklable"]
GUARD_SECONDS = 60.0


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One small and one large worker for all tests here: one that was harmed must not show in the next test."""
    pools = Workers(Models(), large=1, small=1, preload=("tests.support.hostile_inputs",))
    pools.start()
    yield pools
    asyncio.run(pools.stop())


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks are given up early, so that the tests are quick."""
    monkeypatch.setattr(workers_module, "SMALL_TASK_SECONDS_MAX", 0.5)
    monkeypatch.setattr(workers_module, "TASK_SECONDS_MAX", 1.0)


async def read(workers: Workers, *raws: str | bytes) -> list[Understood]:
    """What the workers make of inputs."""
    items = [Raw(raw if isinstance(raw, bytes) else raw.encode(), b"{}", obey) for raw in raws]
    async with asyncio.timeout(GUARD_SECONDS):
        return list(await asyncio.gather(*workers.understand(items)))


def texts(results: list[Understood]) -> list[str | None]:
    """The texts, None for what could not be read."""
    return [one.message.text if one.message is not None else None for one in results]


async def test_results_come_in_the_order_of_the_inputs(workers: Workers) -> None:
    """Many inputs, in several tasks, are answered each in its place."""
    names = [f"m{number}" for number in range(3 * TASK_MESSAGES_MAX + 1)]
    assert texts(await read(workers, *names)) == names


@pytest.mark.parametrize("jump", [-3_600.0, 3_600.0])
async def test_a_clock_that_jumps_ends_no_worker_and_keeps_none(
    workers: Workers, jump: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the node's clock is set an hour back or ahead, what hangs is ended in its time and what is read is read."""
    wall = time.time
    ahead = iter(itertools.chain([0.0, 0.0], itertools.repeat(jump)))
    monkeypatch.setattr(time, "time", lambda: wall() + next(ahead))
    results = await read(workers, "before", "hang", "after")
    assert texts(results) == ["before", None, "after"]


@pytest.mark.parametrize("bad", BAD)
async def test_a_bad_input_harms_none_of_those_read_with_it(workers: Workers, bad: str) -> None:
    """An input that hangs, eats memory, kills its process or raises is told as a problem; its neighbours are read."""
    results = await read(workers, "before", bad, "after")
    assert texts(results) == ["before", None, "after"]
    assert results[1].problem
    assert "secret" not in results[1].problem
    assert texts(await read(workers, "next")) == ["next"]


async def test_the_small_pool_serves_while_the_large_one_hangs(workers: Workers) -> None:
    """While a large input hangs in its worker small ones are read."""
    hanging = asyncio.create_task(read(workers, b"hang\n" + b"x" * SMALL_BYTES_MAX))
    await asyncio.sleep(0)
    assert texts(await read(workers, "small")) == ["small"]
    assert not hanging.done()
    [gone] = await hanging
    assert "seconds" in gone.problem


async def test_large_inputs_go_to_the_large_pool(workers: Workers) -> None:
    """An input over the limit is read by another process than a small one, and by itself."""
    small, large, exact = await read(workers, "small", b"large\n" + b"x" * SMALL_BYTES_MAX, b"x" * SMALL_BYTES_MAX)
    assert small.message is not None
    assert large.message is not None
    assert exact.message is not None
    assert large.message.message_id != small.message.message_id == exact.message.message_id


async def test_a_worker_reads_a_large_input_from_its_file(workers: Workers, tmp_path: Path) -> None:
    """What lies in a file is read there, in the large pool; one whose file is gone is a problem."""
    file = tmp_path / "large"
    file.write_bytes(b"fine " * SMALL_BYTES_MAX)
    there = Raw(b"", b"{}", obey, path=str(file), size=file.stat().st_size)
    gone = Raw(b"", b"{}", obey, path=str(tmp_path / "gone"), size=1)
    async with asyncio.timeout(GUARD_SECONDS):
        found, missing = await asyncio.gather(*workers.understand([there, gone]))
    assert found.message is not None
    assert found.message.text.startswith("fine fine")
    assert missing.problem == "FileNotFoundError while reading the message"


async def test_all_of_them_bad_at_once(workers: Workers) -> None:
    """A task of nothing but bad inputs is told for each, and the pools go on."""
    results = await read(workers, "die", "raise", "poison", "kill")
    assert all(one.problem for one in results)
    assert [one.problem for one in results][2] == "it is too deep"
    assert texts(await read(workers, "next")) == ["next"]


async def test_a_function_that_cannot_reach_a_worker_is_a_problem_not_a_wait(workers: Workers) -> None:
    """An input whose normaliser cannot be sent to a process is told as a problem, at once."""
    item = Raw(b"x", b"{}", lambda raw, _: obey(raw, b""))
    async with asyncio.timeout(GUARD_SECONDS):
        [result] = await asyncio.gather(*workers.understand([item]))
    assert result.problem
    assert texts(await read(workers, "next")) == ["next"]


async def test_workers_killed_while_idle_are_replaced(workers: Workers) -> None:
    """After the system has killed workers that had nothing to do, for want of memory, mail is read as before."""
    results = await read(workers, "small", b"large\n" + b"x" * SMALL_BYTES_MAX)
    for one in results:
        assert one.message is not None
        os.kill(int(one.message.message_id or 0), signal.SIGKILL)
    async with asyncio.timeout(GUARD_SECONDS):
        while any(pool.active for pool in workers._pools.values()):  # noqa: SLF001  # until pebble has given them up
            await asyncio.sleep(0.01)
    assert texts(await read(workers, "before", "die", "after")) == ["before", None, "after"]
    assert texts(await read(workers, b"large\n" + b"x" * SMALL_BYTES_MAX))[0] is not None


async def test_what_was_held_by_a_pool_that_breaks_is_read_again(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever broke it, the others are read; where the next pool breaks as well, each is read alone and one is bad."""
    schedule = workers._schedule  # noqa: SLF001  # a pool breaks in a moment that no test can hit
    broken: list[str] = []

    async def breaking(
        pool: str, function: Callable[[list[Raw]], list[Understood]], items: list[Raw]
    ) -> list[Understood]:
        if len(broken) < times:
            broken.append(pool)
            raise BrokenProcessPool
        return await schedule(pool, function, items)

    monkeypatch.setattr(workers, "_schedule", breaking)
    for times in (1, 2):
        broken.clear()
        results = await read(workers, "before", "kill", "after")
        assert texts(results) == ["before", None, "after"]
        assert results[1].problem == "the worker that was reading it died"
        assert broken == ["small"] * times


async def test_a_model_that_is_gone_leaves_mail_readable(tmp_path: Path) -> None:
    """A worker that cannot load its model reads all the same, without topics."""
    pools = Workers(Models(path=str(tmp_path / "gone")), large=1, small=1, preload=("tests.support.hostile_inputs",))
    pools.start()
    try:
        [result] = await read(pools, "hello")
        assert texts([result]) == ["hello"]
        assert (result.topics, result.model) == ((), "")
    finally:
        await pools.stop()


def test_here_it_never_raises() -> None:
    """Reading in this process turns what is raised into a problem, without the words of the exception."""
    pools = Workers(Models())
    assert pools.here(Raw(b"fine", b"{}", obey)).message is not None
    assert pools.here(Raw(b"poison", b"{}", obey)).problem == "it is too deep"
    assert pools.here(Raw(b"raise", b"{}", obey)).problem == "RuntimeError while reading the message"


def test_the_subject_counts_for_topics(tmp_path: Path) -> None:
    """A message is classified by subject and text with the model that the process was given, and names its version."""
    model = topics.train(
        {
            "refund": Words(examples=("I want my money back", "please refund me"), keywords=("refund",)),
            "bags": Words(examples=("my suitcase is lost", "where is my bag"), keywords=("suitcase",)),
        }
    )
    model.save(tmp_path / "model")
    try:
        use_models(Models(path=str(tmp_path / "model"), languages=("en", "es")))
        found = classify(Message(channel="email", from_=Address(address=""), subject="refund", text="please"))
        assert found.topics[0][0] == "refund"
        assert found.model == model.version
    finally:
        use_models(Models())
    plain = understand(Raw(b"hello", b"{}", obey))
    assert (plain.topics, plain.model) == ((), "")


async def test_stopping_ends_the_processes_whatever_they_do() -> None:
    """Workers in the middle of an input that never ends are ended all the same."""
    pools = Workers(Models(), large=1, small=1, preload=("tests.support.hostile_inputs",))
    pools.start()
    await pools.warm()
    futures = pools.understand([Raw(b"hang and ignore", b"{}", obey)])
    await asyncio.sleep(0.1)
    async with asyncio.timeout(GUARD_SECONDS):
        await pools.stop()
    assert not futures[0].done()


def test_a_folder_whose_name_no_socket_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are talked to by a socket among the temporary files: where its name would be too long, that is said."""
    monkeypatch.setattr(tempfile, "tempdir", "/" + "x" * 75)
    with pytest.raises(ConfigError, match="too long for a socket") as raised:
        Workers(Models()).start()
    assert "TMPDIR" in (raised.value.hint or "")


async def test_what_nobody_waits_for_any_more_is_not_read(workers: Workers, tmp_path: Path) -> None:
    """Inputs that were given up before a worker was given them cost those behind them no time."""
    large = b"\n" + b"x" * SMALL_BYTES_MAX
    marks = [tmp_path / str(number) for number in range(4)]
    naps = [Raw(b"nap" + large, b"", obey)] * workers_module.GIVEN_AHEAD
    futures = workers.understand([*naps, *(Raw(b"touch" + large, str(mark).encode(), obey) for mark in marks)])
    for future in futures[-4:-1]:
        future.cancel()
    async with asyncio.timeout(GUARD_SECONDS):
        await asyncio.gather(*futures[: len(naps)], futures[-1])
    assert [mark.exists() for mark in marks] == [False, False, False, True]
