"""Another server takes the primary's place: usherd follows in seconds, saves what it can, and names the rest."""

from __future__ import annotations

import asyncio
import smtplib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from router.core.errors import ConfigError, Fenced, StoreUnavailable
from router.shell.store import Store
from router.shell.store import recent as recent_module
from tests.support.daemons import RunningDaemon, until, write_workspace
from tests.support.failover import Slots, Watched, patiently, slots, wait_for, watched
from tests.support.stores import entry, passed_on

pytestmark = pytest.mark.timeout(180)

FOLLOW_SECONDS_MAX = 60.0  # a guard: Sentinel takes about 3 s, and usherd looks every second


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Watched]:
    """A primary and a replica with one Sentinel."""
    with watched(tmp_path / "servers", sentinels=1) as found:
        yield found


@asynccontextmanager
async def opened(url: str, tmp_path: Path, replicas: int = 0, *, looks: bool = True) -> AsyncIterator[Store]:
    """A node's store; as the daemon does, it `looks` every second whether another server is to be used by now."""
    store = await Store.open(url, "acme", blobs=tmp_path / "blobs", seconds_max=3.0, replicas=replicas)
    watch = asyncio.create_task(store.watch() if looks else asyncio.sleep(0))
    try:
        yield store
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await store.close()


async def lagging(pair: Watched) -> None:
    """From here on the replica gets nothing."""
    pair.replicas[0].freeze()
    pair.primary.drop_replicas()


async def fail_over(pair: Watched) -> None:
    """The primary is gone; the replica goes on, as soon as the Sentinels say so."""
    pair.primary.kill()
    pair.replicas[0].thaw()
    await asyncio.to_thread(pair.promoted)


class Senders:
    """They send until each entry is acknowledged."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.acknowledged: list[str] = []
        self.stopping = False

    async def run(self) -> None:
        """Send one after the other."""
        number = 0
        while not self.stopping:
            number += 1
            await patiently(lambda number=number: self.store.inbox_append([entry(f"t{number}")]))  # type: ignore[misc]
            self.acknowledged.append(f"t{number}")


async def test_under_traffic_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """The primary is killed under traffic, three Sentinels promote the replica: all is there once, within seconds."""
    with watched(tmp_path / "servers", sentinels=3) as servers:
        async with opened(servers.url, tmp_path) as store:
            senders = Senders(store)
            sending = asyncio.create_task(senders.run())
            await asyncio.sleep(1.0)
            began = time.monotonic()
            servers.primary.kill()
            before = len(senders.acknowledged)
            while len(senders.acknowledged) < before + 100:
                assert time.monotonic() - began < FOLLOW_SECONDS_MAX
                await asyncio.sleep(0.05)
            senders.stopping = True
            await sending
            items = await store.inbox_read("0-0", 100_000)
            found = [item.key for item in items]
            assert sorted(found) == sorted({entry(name).key for name in senders.acknowledged})
            (problem,) = store.problems()
            assert problem.startswith("the store is another server than before")
            assert "lost" not in problem


async def test_what_the_replica_lacked_is_written_again(pair: Watched, tmp_path: Path) -> None:
    """Messages, records with their blobs, keys and deletions of the last seconds are made good before anything else."""
    async with opened(pair.url, tmp_path) as store:
        first = (await store.inbox_append([entry("a")]))[0].id
        await store.journal_append("0-0", [("1-0", b"fence")])
        await store.keys_get_or_create(["gone"])
        await wait_for_replica(pair)
        await lagging(pair)
        await store.inbox_append([entry(f"m{number}") for number in range(10)])
        await store.journal_append("1-0", [("1-1", b"x"), ("1-2", b"y")], {"b1": b"text"})
        keys = await store.keys_get_or_create(["new"])
        await store.keys_delete(["gone"])
        await store.inbox_delete([first])
        await store.blobs_put_leading(1, {"b2": b"raw"})
        assert await store.doc_swap("list", None, b"changed")
        await fail_over(pair)
        await patiently(store.ping)
        assert await store.inbox_length() == 10
        assert (await store.inbox_append([entry("m3")]))[0].duplicate
        assert await store.journal_read("0-0", 10) == [("1-0", b"fence"), ("1-1", b"x"), ("1-2", b"y")]
        assert await store.blobs_get(["b1", "b2"]) == {"b1": b"text", "b2": b"raw"}
        assert await store.doc_get("list") == b"changed"
        assert await store.keys_get(["new", "gone"]) == keys
        await store.journal_append("1-2", [("1-3", b"z")])
        (change,) = store.changes
        assert (change.entries, change.records, change.lost, change.more) == (10, 2, [], False)
        (problem,) = store.problems()
        assert problem.endswith("; it lacked 10 messages and 2 journal records: they were written again")


async def wait_for_replica(pair: Watched) -> None:
    """The replica has all that was written."""
    pair.primary.asking.execute_command("SET", "mark", "1")
    await asyncio.to_thread(wait_for, lambda: pair.replicas[0].asking.get("mark"))


async def test_records_another_leader_went_on_without_are_named(pair: Watched, tmp_path: Path) -> None:
    """Where the journal was continued by somebody else, the lost ids stand in status, and the old leader is fenced."""
    async with opened(pair.url, tmp_path, looks=False) as store:  # so the other leader is there first
        await store.journal_append("0-0", [("1-0", b"fence")])
        await wait_for_replica(pair)
        await lagging(pair)
        await store.inbox_append([entry("a")])
        await store.journal_append("1-0", [("1-1", b"x"), ("1-2", b"y")])
        pair.primary.kill()
        pair.replicas[0].thaw()
        new = await asyncio.to_thread(pair.promoted)
        new.asking.execute_command("XADD", store.keys.journal, "2-0", "r", b"another leader")
        await patiently(store.ping)
        (change,) = store.changes
        assert (change.entries, change.lost) == (1, ["1-1", "1-2"])
        (problem,) = store.problems()
        assert "2 acknowledged journal records are lost (1-1, 1-2)" in problem
        with pytest.raises(Fenced):
            await store.journal_append("1-2", [("1-3", b"z")])
        assert [name for name, _ in await store.journal_read("0-0", 10)] == ["1-0", "2-0"]


async def test_what_lies_further_back_than_memory_is_said_to_be_in_doubt(
    pair: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that lacks all that is remembered may lack more: that stays in status."""
    monkeypatch.setattr(recent_module, "KEPT_BYTES_MAX", 5_000)
    async with opened(pair.url, tmp_path) as store:
        await wait_for_replica(pair)
        await lagging(pair)
        for number in range(20):
            await store.inbox_append([entry(f"m{number}", raw=b"x" * 1_000)])
        await fail_over(pair)
        await patiently(store.ping)
        (change,) = store.changes
        assert change.more
        assert 0 < change.entries < 20
        assert "perhaps also older messages" in store.problems()[0]


async def test_a_primary_that_was_cut_off_gets_no_more_writes(pair: Watched, tmp_path: Path) -> None:
    """One that hangs is replaced; when it comes back, nothing is said to it although its connections still stand."""
    async with opened(pair.url, tmp_path) as store:
        await store.inbox_append([entry("a")])
        await wait_for_replica(pair)
        pair.primary.freeze()
        await asyncio.to_thread(pair.promoted)
        await patiently(lambda: store.inbox_append([entry("b")]))
        pair.primary.thaw()
        for number in range(50):
            await patiently(lambda number=number: store.inbox_append([entry(f"m{number}")]))  # type: ignore[misc]
        await asyncio.to_thread(wait_for, lambda: pair.primary.role == "slave")
        assert await store.inbox_length() == 52
        assert pair.replicas[0].asking.xlen(store.keys.inbox) == 52


async def test_a_restart_of_the_same_server_is_no_loss(pair: Watched, tmp_path: Path) -> None:
    """A server that comes back with all it acknowledged gets nothing twice."""
    url = f"redis://127.0.0.1:{pair.primary.port}"
    pair.sentinels[0].kill()
    async with opened(url, tmp_path) as store:
        await store.inbox_append([entry("a")])
        await store.journal_append("0-0", [("1-0", b"fence")])
        hearing = asyncio.create_task(store.hear(lambda _: None, lambda: None))
        await passed_on(store)  # others listen by then
        pair.primary.kill()
        pair.primary.start()
        await patiently(store.ping)
        with suppress(StoreUnavailable):
            await hearing  # it ends, so that whoever listens begins again at the server that answers now
        await passed_on(store)
        (change,) = store.changes
        assert (change.entries, change.records, change.lost, change.more) == (0, 0, [], False)
        assert await store.inbox_length() == 1


async def test_replicas_must_confirm_what_is_acknowledged(pair: Watched, tmp_path: Path) -> None:
    """While the replica is gone nothing is acknowledged, not even a duplicate; once it is back, all is."""
    async with opened(pair.url, tmp_path, replicas=1) as store:
        await store.inbox_append([entry("a")])
        assert pair.replicas[0].asking.xlen(store.keys.inbox) == 1
        pair.replicas[0].freeze()
        for _ in range(2):  # the second time it is stored already, and still not confirmed
            with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
                await store.inbox_append([entry("b")])
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await store.journal_append("0-0", [("1-0", b"fence")])
        assert store.problems() == ["0 of 1 replicas confirm what is stored: nothing is acknowledged"]
        pair.replicas[0].thaw()
        (answer,) = await patiently(lambda: store.inbox_append([entry("b")]))
        assert answer.duplicate
        assert pair.replicas[0].asking.xlen(store.keys.inbox) == 2
        await patiently(lambda: store.journal_append("0-0", [("1-0", b"fence")]))
        assert store.problems() == []


async def test_no_primary_is_said_at_the_start(pair: Watched, tmp_path: Path) -> None:
    """Sentinels that know no such primary, and hosts that are none, are refused as a store that does not answer."""
    with pytest.raises(StoreUnavailable):
        await Store.open(pair.url.replace("mymaster", "other"), "acme", blobs=tmp_path)
    with pytest.raises((StoreUnavailable, ConfigError)):
        await Store.open(f"redis+sentinel://127.0.0.1:{pair.primary.port}/mymaster", "acme", blobs=tmp_path)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Slots]:
    """Two nodes with half of the slots each."""
    with slots(tmp_path / "nodes") as found:
        yield found


async def test_in_a_cluster_the_owner_of_our_slot_is_found(cluster: Slots, tmp_path: Path) -> None:
    """Whichever node is named, a workspace lies on one of them, whole; several workspaces lie on both."""
    for nodes in (cluster.nodes, cluster.nodes[::-1]):
        url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        for workspace in ("acme", "b", "c"):
            store = await Store.open(url, workspace, blobs=tmp_path)
            await store.inbox_append([entry("a")])
            await store.keys_get_or_create(["x"])
            assert await store.inbox_length() == 1
            assert await store.lease_acquire("leader", "n1", 1_000)
            await passed_on(store)
            await store.close()
    assert all(node.asking.dbsize() for node in cluster.nodes)


async def test_the_daemon_goes_on_with_the_promoted_replica(tmp_path: Path) -> None:
    """Mails are taken again within seconds, all acknowledged ones are in one contact each, and status tells of it."""
    with watched(tmp_path / "servers", sentinels=3) as servers:
        daemon = RunningDaemon(
            write_workspace(tmp_path / "config", extra=f"store: {{url: '{servers.url}', replicas: 0}}\n"),
            tmp_path / "data",
        )
        daemon.start()
        try:
            for number in range(5):
                await until(lambda number=number: taken(daemon, number))  # type: ignore[misc]
            servers.primary.kill()
            began = time.monotonic()
            await until(lambda: taken(daemon, 5), seconds=FOLLOW_SECONDS_MAX)
            assert time.monotonic() - began < FOLLOW_SECONDS_MAX
            await until(lambda: len(daemon.contacts()) == 6)
            told = daemon.ask("/v1/status")["problems"]
            assert any(problem.startswith("the store is another server than before") for problem in told)
            assert not any("lost" in problem for problem in told)
            names = sorted(one["messages"][0]["external_id"] for one in daemon.contacts())
            assert names == [f"m{number}@example.org" for number in range(6)]
        finally:
            daemon.stop()


def taken(daemon: RunningDaemon, number: int) -> bool:
    """Hand in a mail, once; whether it was acknowledged."""
    text = (
        f"From: c{number}@example.org\r\nTo: help@acme.example\r\nSubject: please refund my order\r\n"
        f"Message-ID: <m{number}@example.org>\r\n\r\nNumber {number}.\r\n"
    )
    try:
        with smtplib.SMTP(*daemon.smtp, timeout=15) as client:
            client.sendmail(f"c{number}@example.org", ["help@acme.example"], text)
    except (OSError, smtplib.SMTPException):
        return False
    return True
