"""Worker processes for input that cannot be trusted: limits on time and memory, and a worker kept for small mail.

A task is a handful of small inputs or one large one. A task of small ones that fails is taken apart and each input
tried alone among the large, so that a poison mail harms nobody else. A pool as a whole may break as well: pebble gives
one up if a worker dies while none is known to be at a task, being idle or not yet heard to begin. It is replaced, and
what it held is tried again; what breaks the next one too is read in a pool of its own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as TaskTimeout
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias

import msgspec
import structlog
from pebble import CONSTS, ProcessExpired, ProcessPool
from pebble.pool import process as pebble_process

from router.core.errors import ConfigError, PoisonError
from router.core.message import Address, Message
from router.shell.channel import Normalise
from skills import language as language_model
from skills import topics as topic_model

log = structlog.get_logger()

SMALL_TASK_SECONDS_MAX = 1.0  # what takes longer is tried again, alone, among the large
TASK_SECONDS_MAX = 10.0
TERM_SECONDS_MAX = 0.2  # pebble's own 3 s would be three seconds of everybody's waiting
WORKER_BYTES_MAX = 2 << 30
SMALL_BYTES_MAX = 64 << 10
TASK_MESSAGES_MAX = 8
GIVEN_AHEAD = 2  # jobs that a pool is given for each of its workers
TEMPORARY_BYTES_MAX = 107 - len("/pymp-12345678/listener-12345678")  # of a socket's address, less what Python adds
TEXT_CHARACTERS_MAX = 20_000  # of a message, for its topics


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """A normalised and classified message, or why that failed."""

    message: Message | None = None
    language: str | None = None
    topics: tuple[tuple[str, int], ...] = ()
    effort: tuple[int, ...] = ()
    moods: tuple[str, ...] = ()
    model: str = ""
    problem: str = ""


class Raw(msgspec.Struct, frozen=True):
    """One input for a worker: bytes as received, the entry's JSON, and the channel's function.

    `path`: a file to read the bytes from instead, `size` of them: 25 MB are not pickled and piped to a worker.
    """

    raw: bytes
    meta: bytes
    normalise: Normalise
    path: str = ""
    size: int = 0


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """What classification needs: a model's file ("" for none) and the workspace's languages."""

    path: str = ""
    languages: tuple[str, ...] = ("en",)


# What workers are timed by: pebble takes the wall clock, and one that is set back never ends a worker that hangs.
_STEADY = SimpleNamespace(time=time.monotonic, sleep=time.sleep)

_models = Models()
_topics: topic_model.TopicModel | None = None


def use_models(models: Models) -> None:
    """Load the model that this process classifies with."""
    global _models, _topics  # noqa: PLW0603  # one model a process, loaded once: it is megabytes
    _models = models
    _topics = topic_model.TopicModel.load(Path(models.path)) if models.path else None


def _begin(models: Models) -> None:
    """A worker starts: no more memory than its share, no part in the terminal's Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (WORKER_BYTES_MAX, WORKER_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    try:
        use_models(models)
    except Exception as error:  # noqa: BLE001  # whatever became of the file: mail is read, and rules route it
        log.warning("worker_without_model", error=type(error).__name__)
        use_models(msgspec.structs.replace(models, path=""))
    _load_late()


def _load_late() -> None:
    """Load now what is loaded at the first use; that takes a second."""
    if _topics is not None:
        _topics.warm()
    classify(Message(channel="", from_=Address(address=""), text="to have loaded what is loaded late"))


def words_of(message: Message) -> str:
    """What a classifier sees of a message; the subject counts as its first line."""
    return f"{message.subject}\n{message.text}"[:TEXT_CHARACTERS_MAX]


def classify(message: Message) -> Understood:
    """Language and topics of a message."""
    text = words_of(message)
    return Understood(
        message=message,
        language=language_model.identify(text, _models.languages)
        or language_model.spoken(message.language, _models.languages),
        topics=_topics.predict(text) if _topics is not None else (),
        effort=_topics.beside.effort_of(text) if _topics is not None else (),
        moods=_topics.beside.moods_of(text) if _topics is not None else (),
        model=_topics.version if _topics is not None else "",
    )


def understand(item: Raw) -> Understood:
    """Normalise and classify one input. Whatever goes wrong inside is the input's fault and said in `problem`."""
    try:
        raw = Path(item.path).read_bytes() if item.path else item.raw
        return classify(item.normalise(raw, item.meta))
    except PoisonError as error:
        return Understood(problem=str(error) or error.code)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # the edge: hostile input may raise anything
        return Understood(problem=f"{type(error).__name__} while reading the message")


def _understand_all(items: list[Raw]) -> list[Understood]:
    return [understand(item) for item in items]


Job: TypeAlias = tuple[list[Raw], list[asyncio.Future[Understood]], bool]  # True: it broke a pool, or was in one


class Workers:
    """Two pools, one of them kept for small input. `understand` gives one future per input."""

    def __init__(self, models: Models, *, large: int = 1, small: int = 2, preload: tuple[str, ...] = ()) -> None:
        self._models = models
        self._context = multiprocessing.get_context("forkserver")  # a fork of a process with threads may hang
        self._context.set_forkserver_preload([__name__, *preload])
        self._sizes = {"small": small, "large": large}
        # Jobs wait here: what was given to a pool can be taken back only by ending the worker that comes upon it.
        self._waiting: dict[str, deque[Job]] = {name: deque() for name in self._sizes}
        self._given = dict.fromkeys(self._sizes, 0)
        self._pools: dict[str, ProcessPool] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()  # pools that broke; not cancelled, or their processes would stay
        self._one_alone = asyncio.Lock()
        self._stopping = False

    def start(self) -> None:
        """Start the processes, ahead of the first message. Raises ConfigError where they cannot be talked to."""
        temporary = tempfile.gettempdir()
        if len(os.fsencode(temporary)) > TEMPORARY_BYTES_MAX:
            raise ConfigError(
                f"the name of the folder for temporary files is too long for a socket in it: {temporary}",
                hint="set TMPDIR to a shorter one, such as /tmp",
            )
        for name, size in self._sizes.items():
            self._pools[name] = self._new_pool(size)

    def _new_pool(self, size: int) -> ProcessPool:
        CONSTS.term_timeout = TERM_SECONDS_MAX
        pebble_process.time = _STEADY  # type: ignore[attr-defined,assignment]
        return ProcessPool(max_workers=size, initializer=_begin, initargs=(self._models,), context=self._context)

    async def change_models(self, models: Models) -> None:
        """Classify with other models from the next input on; what is under way is finished with the old ones."""
        self._models = models
        new = {name: self._new_pool(size) for name, size in self._sizes.items()}
        old = self._pools
        await self._warm(new)
        self._pools = new
        use_models(models)
        for pool in old.values():
            pool.close()  # type: ignore[no-untyped-call]  # pebble leaves this one untyped
        await asyncio.gather(*(asyncio.to_thread(pool.join) for pool in old.values()))

    async def warm(self) -> None:
        """Wait until the workers have started, so that the first message does not wait for that."""
        await self._warm(self._pools)

    async def _warm(self, pools: dict[str, ProcessPool]) -> None:
        probes = [
            pool.schedule(time.sleep, args=(0.05,)) for name, pool in pools.items() for _ in range(self._sizes[name])
        ]
        await asyncio.to_thread(_load_late)  # this process as well: chats are understood here
        await asyncio.gather(*(asyncio.wrap_future(probe) for probe in probes))

    async def stop(self) -> None:
        """End the processes; what they were at is tried again at the next start."""
        self._stopping = True
        for waiting in self._waiting.values():
            waiting.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # one that reads alone ends its pool as it goes
        await asyncio.gather(*map(_end, self._pools.values()), *self._ending)
        self._pools.clear()

    def here(self, item: Raw) -> Understood:
        """Understand one small trusted-format input in this process."""
        return understand(item)

    def understand(self, items: list[Raw]) -> list[asyncio.Future[Understood]]:
        """Start on `items`; the futures never raise, they hold a problem instead.

        Cancel those that nobody waits for any more: what no worker has begun is not read then.
        """
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Understood]] = [loop.create_future() for _ in items]
        group: list[int] = []
        held = 0
        for index, item in enumerate(items):
            size = item.size or len(item.raw)
            if size > SMALL_BYTES_MAX:
                self._run("large", [item], [futures[index]])
                continue
            if group and (len(group) == TASK_MESSAGES_MAX or held + size > SMALL_BYTES_MAX):
                self._run("small", [items[i] for i in group], [futures[i] for i in group])
                group, held = [], 0
            group.append(index)
            held += size
        if group:
            self._run("small", [items[i] for i in group], [futures[i] for i in group])
        return futures

    def _run(
        self, pool: str, items: list[Raw], futures: list[asyncio.Future[Understood]], *, again: bool = False
    ) -> None:
        self._waiting[pool].append((items, futures, again))
        self._give(pool)

    def _give(self, pool: str) -> None:
        """Give a pool what it can begin soon, but for what nobody waits for any more."""
        waiting = self._waiting[pool]
        while waiting and self._given[pool] < GIVEN_AHEAD * self._sizes[pool]:
            items, futures, again = waiting.popleft()
            if all(future.cancelled() for future in futures):
                continue
            self._given[pool] += 1
            task = _keep(self._tasks, self._answer(pool, items, futures, again=again))
            task.add_done_callback(partial(self._answered, pool))

    def _answered(self, pool: str, _: asyncio.Task[None]) -> None:
        self._given[pool] -= 1
        self._give(pool)

    async def _answer(
        self, pool: str, items: list[Raw], futures: list[asyncio.Future[Understood]], *, again: bool
    ) -> None:
        try:
            results = await self._schedule(pool, _understand_all, items)
        except BrokenProcessPool:  # whoever broke it, all that it held is back
            log.warning("worker_pool_broke", messages=len(items), pool=pool)
            if not again:
                self._run(pool, items, futures, again=True)
                return
            results = [await self._alone(item) for item in items]
        except (TaskTimeout, ProcessExpired, MemoryError, OSError) as error:
            if pool == "large":
                results = [Understood(problem=_why(error))]
            else:
                log.warning("worker_task_failed", messages=len(items), error=type(error).__name__)
                for item, future in zip(items, futures, strict=True):
                    self._run("large", [item], [future])
                return
        except Exception as error:  # a mistake of ours; a future that is never set would hold its message for ever
            log.exception("worker_task_impossible", messages=len(items), error=type(error).__name__)
            results = [Understood(problem=f"{type(error).__name__} before reading the message")] * len(items)
        for future, result in zip(futures, results, strict=True):
            if not future.done():
                future.set_result(result)

    async def _schedule(
        self, pool: str, function: Callable[[list[Raw]], list[Understood]], items: list[Raw]
    ) -> list[Understood]:
        limit = SMALL_TASK_SECONDS_MAX if pool == "small" else TASK_SECONDS_MAX
        try:
            future = self._pools[pool].schedule(function, args=(items,), timeout=limit)
        except RuntimeError:  # what pebble says of a pool that broke
            if self._stopping:
                raise
            log.warning("worker_pool_replaced", pool=pool)
            _keep(self._ending, _end(self._pools[pool]))
            self._pools[pool] = self._new_pool(self._sizes[pool])
            future = self._pools[pool].schedule(function, args=(items,), timeout=limit)
        return await asyncio.wrap_future(future)

    async def _alone(self, item: Raw) -> Understood:
        """Read one input in a pool of its own: what breaks it is this input's fault and nobody else's."""
        async with self._one_alone:
            pool = self._new_pool(1)
            try:
                future = pool.schedule(_understand_all, args=([item],), timeout=TASK_SECONDS_MAX)
                [result] = await asyncio.wrap_future(future)
            except (TaskTimeout, ProcessExpired, MemoryError, OSError, BrokenProcessPool) as error:
                return Understood(problem=_why(error))
            finally:
                await _end(pool)
            return result


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Begin this, and hold it among `tasks` until it is done: the loop holds a task by a weak reference only."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


async def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]  # as above
    await asyncio.to_thread(pool.join, 5)


def _why(error: BaseException) -> str:
    if isinstance(error, TaskTimeout):
        return f"reading it took more than {TASK_SECONDS_MAX:.0f} seconds"
    if isinstance(error, MemoryError):
        return "reading it took more memory than a worker may use"
    return "the worker that was reading it died"
