"""What the store must not let anybody do, and which stores usherd refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from router.core.errors import ConfigError, StoreUnavailable
from router.shell.store import Store
from router.shell.store.commands import Command
from router.shell.store.embedded import EmbeddedStore
from router.shell.store.passing import NotPassed
from router.shell.store.wire import Wire
from tests.support.stores import at_url, bare_server, entry, opened, running, when_up

JOURNAL = "usherd:{acme}:journal"
OTHER = "usherd:{acme}:doc:x"
# Each of these could destroy, replace, hide or cut the journal, or take the rules away.
ATTACKS: list[Command] = [
    ("DEL", JOURNAL),
    ("UNLINK", JOURNAL),
    ("SET", JOURNAL, "x"),
    ("GETSET", JOURNAL, "x"),
    ("RESTORE", JOURNAL, 0, b"", "REPLACE"),
    ("PEXPIRE", JOURNAL, 1),
    ("EXPIRE", JOURNAL, 1),
    ("EXPIREAT", JOURNAL, 1),
    ("RENAME", JOURNAL, OTHER),
    ("RENAME", OTHER, JOURNAL),
    ("COPY", OTHER, JOURNAL, "REPLACE"),
    ("MOVE", JOURNAL, 1),
    ("MIGRATE", "127.0.0.1", 1, JOURNAL, 0, 1),
    ("XTRIM", JOURNAL, "MAXLEN", 0),
    ("XDEL", JOURNAL, "1-0"),
    ("XSETID", JOURNAL, "9-0"),
    ("XGROUP", "CREATE", JOURNAL, "g", "$"),
    ("SORT", OTHER, "STORE", JOURNAL),
    ("BITOP", "NOT", JOURNAL, OTHER),
    ("LPUSH", JOURNAL, "x"),
    ("EVAL", "return redis.call('DEL', KEYS[1])", 1, JOURNAL),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("SWAPDB", 0, 0),
    ("CONFIG", "SET", "appendonly", "no"),
    ("CONFIG", "REWRITE"),
    ("ACL", "SETUSER", "usherd", "+@all"),
    ("ACL", "LIST"),
    ("KEYS", "*"),
    ("SCAN", 0),
    ("SHUTDOWN", "NOSAVE"),
    ("REPLICAOF", "127.0.0.1", 1),
    ("SLAVEOF", "127.0.0.1", 1),
    ("DEBUG", "RELOAD"),
    ("MODULE", "LOAD", "/x"),
    ("FUNCTION", "FLUSH"),
    ("SCRIPT", "FLUSH"),
    ("CLIENT", "KILL", "ID", 1),
    ("CLIENT", "PAUSE", 1000),
    ("MONITOR",),
    ("SAVE",),
    ("SET", "usherd:{acme}:secret", "x"),
    ("DEL", "usherd:{acme}:secret"),
    ("DEL", "usherd:{acme}:inbox"),
    ("XTRIM", "usherd:{acme}:inbox", "MAXLEN", 0),
    ("EXPIRE", "usherd:{acme}:inbox", 1),
    ("DEL", "usherd:{acme}:keys"),
    ("DEL", "usherd:{acme}:outbox"),
    ("SET", "somebody-elses", "x"),
]


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    """A running embedded store with one journal record and one document."""
    async with running(tmp_path) as running_store:
        store = await running_store.open("acme")
        await store.journal_append("0-0", [("1-0", b"record")])
        await store.doc_put("x", b"x")
        await store.close()
        yield running_store


async def ask(embedded: EmbeddedStore, user: str, password: str, command: Command) -> object:
    """Return the reply to one command, sent by `user`."""
    wire = Wire(embedded.socket, user, password, seconds_max=10)
    try:
        (reply,) = await wire.round_trip([command])
    finally:
        await wire.close()
    return reply


class TestAccess:
    """The allow-list."""

    @pytest.mark.parametrize("command", ATTACKS, ids=lambda command: " ".join(map(str, command[:2])))
    async def test_the_daemons_own_user_cannot_destroy_what_it_wrote(
        self, embedded: EmbeddedStore, command: Command
    ) -> None:
        """Every way to delete, replace, cut or hide the journal is refused by the store itself."""
        reply = await ask(embedded, "usherd", embedded.password, command)
        # Two are switched off in the server before the rules are asked.
        assert isinstance(reply, ResponseError if command[0] in {"DEBUG", "MODULE"} else NoPermissionError), reply
        store = await embedded.open("acme")
        assert await store.journal_read("0-0", 10) == [("1-0", b"record")]
        await store.close()

    async def test_a_script_can_do_no_more_than_its_user(self, embedded: EmbeddedStore) -> None:
        """A script that was let in is stopped at the first command its user may not send."""
        wire = Wire(embedded.socket, "usherd", embedded.password, seconds_max=10)
        (sha,) = await wire.round_trip([("SCRIPT", "LOAD", "return redis.call('DEL', KEYS[1])")])
        (reply,) = await wire.round_trip([("EVALSHA", sha, 1, JOURNAL)])
        await wire.close()
        assert isinstance(reply, ResponseError)
        assert (await ask(embedded, "usherd", embedded.password, ("XLEN", JOURNAL))) == 1

    async def test_only_the_archiver_trims(self, embedded: EmbeddedStore) -> None:
        """The second user may cut the journal and nothing else; what was cut leaves the last id as it was."""
        password = embedded.archiver_password
        for command in (("DEL", JOURNAL), ("XADD", JOURNAL, "*", "r", "x"), ("GET", OTHER)):
            assert isinstance(await ask(embedded, "archiver", password, command), NoPermissionError)
        assert await ask(embedded, "archiver", password, ("XTRIM", JOURNAL, "MAXLEN", 0)) == 1
        store = await embedded.open("acme")
        assert await store.journal_last() == "1-0"
        await store.journal_append("1-0", [("1-1", b"next")])
        await store.close()

    async def test_nobody_enters_without_the_password(self, embedded: EmbeddedStore, tmp_path: Path) -> None:
        """A wrong password is the admin's to mend; without one there is no way in; secrets are for us alone to read."""
        with pytest.raises(ConfigError, match="let us in"):
            await Store.open(embedded.socket, "acme", blobs=tmp_path, user="usherd", password="wrong")
        with pytest.raises(ConfigError, match="let us in"):
            await Store.open(embedded.socket, "acme", blobs=tmp_path)
        for name in ("store.json", "store.conf", "store.log", "store.sock"):
            assert (tmp_path / name).stat().st_mode & 0o077 == 0, name
        assert embedded.password not in (tmp_path / "store.conf").read_text()

    async def test_no_port_is_open(self, embedded: EmbeddedStore) -> None:
        """The embedded store listens on its unix socket only."""
        assert await ask(embedded, "usherd", embedded.password, ("CONFIG", "GET", "port")) == [b"port", b"0"]


class TestDurability:
    """Stores that lose what they acknowledged are refused at the start."""

    async def test_ours_is_durable(self, tmp_path: Path) -> None:
        """The embedded store, and one at a URL that syncs every write, are taken."""
        async with opened(tmp_path / "a") as store:
            await store.check_durability()
        async with at_url(tmp_path / "b") as store:
            await store.check_durability()

    @pytest.mark.parametrize(
        ("config", "says", "remedy"),
        [
            ("maxmemory-policy allkeys-lru", "deletes entries", "noeviction"),
            ("maxmemory-policy volatile-ttl", "deletes entries", "noeviction"),
            ("appendonly no", "no append-only file", "appendonly yes"),
            ("appendfsync everysec", "only now and then", "appendfsync always"),
            ("no-appendfsync-on-rewrite yes", "while it rewrites", "no-appendfsync-on-rewrite no"),
            ("rename-command CONFIG ''", "does not tell", "config|get"),
        ],
    )
    async def test_others_are_refused_with_the_remedy(
        self, tmp_path: Path, config: str, says: str, remedy: str
    ) -> None:
        """Eviction, no AOF, or syncing now and then: refused in plain words, unless losing is said to be acceptable."""
        async with at_url(tmp_path, config) as store:
            with pytest.raises(ConfigError, match=says) as refusal:
                await store.check_durability()
            assert remedy in str(refusal.value.hint)
            assert "durability: relaxed" in str(refusal.value.hint)
            await store.check_durability(relaxed=True)

    async def test_a_store_that_is_not_there_is_unavailable(self, tmp_path: Path) -> None:
        """Nobody listening is StoreUnavailable, for a socket and for a URL."""
        for address in (str(tmp_path / "none.sock"), "redis://127.0.0.1:1/0"):
            with pytest.raises(StoreUnavailable):
                await Store.open(address, "acme", blobs=tmp_path)

    async def test_a_url_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        """An address that is not Redis protocol names the kinds that are."""
        with pytest.raises(ConfigError, match="not one usherd understands"):
            await Store.open("http://127.0.0.1/", "acme", blobs=tmp_path)

    async def test_errors_never_quote_what_was_sent(self, tmp_path: Path) -> None:
        """A store's refusal is passed on by its code only: its text may hold a customer's words."""
        with bare_server(tmp_path, "rename-command XADD ''") as url:
            store = await when_up(url, tmp_path / "blobs")
            with pytest.raises(StoreUnavailable) as refusal:
                await store.inbox_append([entry("a", raw=b"private words")])
            assert "private" not in str(refusal.value)
            await store.close()


async def test_a_user_without_the_channel_is_refused_notes_and_nothing_else(tmp_path: Path) -> None:
    """A store whose user may not publish and subscribe says so, so that an admin can be told; all else goes on."""
    with bare_server(tmp_path, "user usherd on >secret ~* +@all resetchannels") as url:
        store = await when_up(url.replace("redis://", "redis://usherd:secret@"), tmp_path / "blobs")
        with pytest.raises(NotPassed):
            await store.pass_on(b"note")
        with pytest.raises(NotPassed):
            await store.hear(lambda _: None, lambda: None)
        await store.ping()
        await store.close()
