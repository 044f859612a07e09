"""Notes between nodes: the others' only, none while alone, and a store that passes none costs nothing but them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from router.core.errors import StoreUnavailable
from router.shell import passing as passing_module
from router.shell.passing import LINE_MAX, NOTE_BYTES_MAX, REFUSED, Passing
from router.shell.store.passing import NotPassed
from tests.support.shell_scene import until


class Channel:
    """A store that passes notes. `error`: what it answers instead."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.listeners: list[Callable[[bytes], None]] = []
        self.asked = 0

    async def pass_on(self, note: bytes) -> None:
        """To all who listen."""
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        for listener in self.listeners:
            listener(note)

    async def hear(self, heard: Callable[[bytes], None], begun: Callable[[], None]) -> None:
        """Until there is an error."""
        self.asked += 1
        if self.error is None:
            begun()
        self.listeners.append(heard)
        try:
            while self.error is None:
                await asyncio.sleep(0.001)
            raise self.error
        finally:
            self.listeners.remove(heard)


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short."""
    monkeypatch.setattr(passing_module, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(passing_module, "RETRY_SECONDS", 0.001)


@asynccontextmanager
async def running(*nodes: Passing) -> AsyncIterator[None]:
    """Both directions of all of them."""
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    yield
    assert not [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_note_reaches_the_others_and_not_who_wrote_it() -> None:
    """Each is heard with the name of its node; what is no note, or too large, is not."""
    channel = Channel()
    first, second = Passing(channel, "a", lambda: ["b"]), Passing(channel, "b", lambda: ["a"])
    heard: list[tuple[str, str, bytes]] = []
    first.listen(lambda node, note: heard.append(("a", node, note)))
    end = second.listen(lambda node, note: heard.append(("b", node, note)))
    async with running(first, second):
        await until(lambda: len(channel.listeners) == 2)
        for junk in (
            b"",
            b"\xc1",
            msgspec.msgpack.encode(("x", b"0" * NOTE_BYTES_MAX)),
            msgspec.msgpack.encode([1, 2]),
        ):
            await channel.pass_on(junk)
        first.pass_on(b"one")
        await until(lambda: heard)
        assert heard == [("b", "a", b"one")]
        end()
        second.pass_on(b"two")
        await until(lambda: len(heard) == 2)
    assert heard[1] == ("a", "b", b"two")


async def test_alone_nothing_is_said_nor_listened_for() -> None:
    """A node that knows of no other asks the store for nothing."""
    channel, others = Channel(), list[str]()
    node = Passing(channel, "a", lambda: others)
    async with running(node):
        node.pass_on(b"to nobody")
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert channel.asked == 0
        others.append("b")
        await until(lambda: channel.listeners)
    assert channel.asked == 1


@pytest.mark.parametrize(("error", "told"), [(StoreUnavailable("down"), []), (NotPassed("NOPERM"), [REFUSED])])
async def test_a_store_that_passes_no_notes_is_tried_again(error: Exception, told: list[str]) -> None:
    """While it is away notes are lost, the oldest first, and nothing waits; one that refuses them is a problem."""
    channel = Channel()
    node = Passing(channel, "a", lambda: ["b"])
    channel.error = error
    for number in range(LINE_MAX + 5):
        node.pass_on(str(number).encode())
    heard: list[bytes] = []
    async with running(node):
        await until(lambda: channel.asked > 2)
        assert node.problems() == told
        channel.error = None
        await until(lambda: not node.problems())
        node.listen(lambda _, note: heard.append(note))
        await until(lambda: channel.listeners)
        await channel.pass_on(msgspec.msgpack.encode(("b", b"later")))
        assert heard == [b"later"]
