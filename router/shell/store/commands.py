"""Everything usherd says to the store: all keys and commands, on one screen each.

Rules:
- All keys of a workspace carry one hash tag, so that a script may touch several of them in a cluster.
- The scripts stand in scripts.py.
- Nothing here talks to a socket; `Store` (client.py) sends these tuples and reads the answers.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from router.core.errors import ConfigError
from router.shell.store.scripts import SHA

Argument: TypeAlias = bytes | str | int
Command: TypeAlias = tuple[Argument, ...]

FIRST_ID = "0-0"
BEGUN = "journal-begun"  # a blob, stored in one step with an epoch's first record: the journal is no empty one
SEEN_DAYS = 8  # day hashes asked for a known key: tomorrow (a clock that was ahead), today, six days back
SEEN_SECONDS = 8 * 86_400  # a day hash is dropped whole, that long after its first entry
DAY_MS = 86_400_000
INLINE_BYTES_MAX = 256 * 1024  # anything larger is a file: a 25 MB value blocks everybody for 0.13 s

_WORKSPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Keys:
    """The store keys of one workspace."""

    def __init__(self, workspace: str) -> None:
        """`workspace`: letters, digits, `.`, `_`, `-`. Raises ConfigError for any other name."""
        if not _WORKSPACE.fullmatch(workspace):
            raise ConfigError(
                f"the workspace name {workspace!r} cannot be used in store keys",
                hint="use letters, digits, '.', '_' and '-', at most 63",
            )
        tag = f"usherd:{{{workspace}}}:"
        self.inbox = f"{tag}inbox"
        self.journal = f"{tag}journal"
        self.outbox = f"{tag}outbox"
        self.desk = f"{tag}desk"
        self.keys = f"{tag}keys"
        self.secret = f"{tag}secret"
        self.nodes = f"{tag}nodes"
        self.passing = f"{tag}passing"  # a channel
        self._tag = tag

    def seen(self, now_ms: int) -> list[str]:
        """Return the day hashes to look in; the first is the one to write to (UTC days of `now_ms`)."""
        today = now_ms // DAY_MS
        days = [today, today + 1, *range(today - 1, today - SEEN_DAYS + 1, -1)]
        return [f"{self._tag}seen:{day}" for day in days]

    def blob(self, name: str) -> str:
        """Return the key of one blob."""
        return f"{self._tag}blob:{name}"

    def lease(self, name: str) -> str:
        """Return the key of one lease."""
        return f"{self._tag}lease:{name}"

    def doc(self, name: str) -> str:
        """Return the key of one small document."""
        return f"{self._tag}doc:{name}"


def script_load(script: str) -> Command:
    """Make a script known to the store; it forgets them all when it restarts."""
    return ("SCRIPT", "LOAD", script)


def evalsha(script: str, keys: list[str], *args: Argument) -> Command:
    """Run a known script. A store that does not know it answers NOSCRIPT and has done nothing."""
    return ("EVALSHA", SHA[script], len(keys), *keys, *args)


# --- the store itself --------------------------------------------------------------------------------------------


def ping() -> Command:
    """Ask for a sign of life."""
    return ("PING",)


def info(*sections: str) -> Command:
    """Ask for facts about the server, as text lines `name:value`."""
    return ("INFO", *sections)


def aof_rewrite() -> Command:
    """Have the append-only file written anew, in the background."""
    return ("BGREWRITEAOF",)


def wait(replicas: int, milliseconds: int) -> Command:
    """Wait until so many replicas have what this connection wrote, or time is up; answers how many have."""
    return ("WAIT", replicas, milliseconds)


def config_get(*names: str) -> Command:
    """Ask for settings; refused by some hosted stores."""
    return ("CONFIG", "GET", *names)


# --- inbox -------------------------------------------------------------------------------------------------------


def inbox_read(keys: Keys, after: str, count: int, block_ms: int) -> Command:
    """Read entries after an id; wait up to `block_ms` for the first (0: do not wait)."""
    wait: Command = ("BLOCK", block_ms) if block_ms > 0 else ()
    return ("XREAD", "COUNT", count, *wait, "STREAMS", keys.inbox, after)


def inbox_get(keys: Keys, entry_id: str) -> Command:
    """Read one entry."""
    return ("XRANGE", keys.inbox, entry_id, entry_id)


def inbox_first(keys: Keys) -> Command:
    """Read the oldest entry that still stands."""
    return ("XRANGE", keys.inbox, "-", "+", "COUNT", 1)


def inbox_delete(keys: Keys, ids: list[str]) -> Command:
    """Delete entries whose messages have reached their final place."""
    return ("XDEL", keys.inbox, *ids)


def inbox_length(keys: Keys) -> Command:
    """Count the entries."""
    return ("XLEN", keys.inbox)


def inbox_info(keys: Keys) -> Command:
    """Ask for the last id ever generated, among others."""
    return ("XINFO", "STREAM", keys.inbox)


def inbox_bytes(keys: Keys) -> Command:
    """Estimate the memory the inbox takes; nothing when there is none."""
    return ("MEMORY", "USAGE", keys.inbox)


def store_time() -> Command:
    """Ask for the store's clock: seconds and microseconds."""
    return ("TIME",)


# --- journal -----------------------------------------------------------------------------------------------------


def journal_read(keys: Keys, after: str, count: int, block_ms: int) -> Command:
    """Read records after an id; wait up to `block_ms` for the first (0: do not wait)."""
    wait: Command = ("BLOCK", block_ms) if block_ms > 0 else ()
    return ("XREAD", "COUNT", count, *wait, "STREAMS", keys.journal, after)


def journal_get(keys: Keys, record_id: str) -> Command:
    """Read one record."""
    return ("XRANGE", keys.journal, record_id, record_id)


def journal_info(keys: Keys) -> Command:
    """Ask for the last id ever generated, among others."""
    return ("XINFO", "STREAM", keys.journal)


def journal_trim(keys: Keys, first: str) -> Command:
    """Take out the records before an id. Only the archiver may."""
    return ("XTRIM", keys.journal, "MINID", "=", first)


def journal_length(keys: Keys) -> Command:
    """Count the records."""
    return ("XLEN", keys.journal)


# --- blobs, keys, secret, outbox, leases, documents --------------------------------------------------------------


def blob_put(keys: Keys, name: str, value: bytes) -> Command:
    """Store one blob."""
    return ("SET", keys.blob(name), value)


def blobs_get(keys: Keys, names: list[str]) -> Command:
    """Read blobs; nothing for those that do not exist."""
    return ("MGET", *map(keys.blob, names))


def blob_head(keys: Keys, name: str) -> Command:
    """Read the beginning of a blob: enough to see the name of its file if it is one."""
    return ("GETRANGE", keys.blob(name), 0, 255)


def blobs_delete(keys: Keys, names: list[str]) -> Command:
    """Delete blobs, their memory freed in the background."""
    return ("UNLINK", *map(keys.blob, names))


def customer_keys_get(keys: Keys, names: list[str]) -> Command:
    """Read encryption keys; nothing for those that do not exist."""
    return ("HMGET", keys.keys, *names)


def customer_key_new(keys: Keys, name: str, value: bytes) -> Command:
    """Store an encryption key unless there is one: whoever was first wins."""
    return ("HSETNX", keys.keys, name, value)


def customer_keys_delete(keys: Keys, names: list[str]) -> Command:
    """Forget encryption keys: what was written under them can never be read again."""
    return ("HDEL", keys.keys, *names)


def secret_new(keys: Keys, value: bytes) -> Command:
    """Store the workspace's secret unless there is one. SETNX, because the access rules let nobody overwrite it."""
    return ("SETNX", keys.secret, value)


def secret_get(keys: Keys) -> Command:
    """Read the workspace's secret."""
    return ("GET", keys.secret)


def outbox_all(keys: Keys) -> Command:
    """Read the whole outbox."""
    return ("HGETALL", keys.outbox)


def desk_all(keys: Keys) -> Command:
    """Read all that a desk outside remembers."""
    return ("HGETALL", keys.desk)


def lease_value(keys: Keys, name: str) -> Command:
    """Read who holds a lease, and how often it was kept."""
    return ("GET", keys.lease(name))


def doc_get(keys: Keys, name: str) -> Command:
    """Read a small document."""
    return ("GET", keys.doc(name))


def doc_put(keys: Keys, name: str, value: bytes) -> Command:
    """Store a small document."""
    return ("SET", keys.doc(name), value)


def doc_put_new(keys: Keys, name: str, value: bytes, ttl_ms: int | None) -> Command:
    """Store a small document unless there is one, for a time or (None) for good."""
    life: Command = () if ttl_ms is None else ("PX", ttl_ms)
    return ("SET", keys.doc(name), value, "NX", *life)


def doc_delete(keys: Keys, name: str) -> Command:
    """Delete a small document."""
    return ("DEL", keys.doc(name))


def node_put(keys: Keys, name: str, value: bytes) -> Command:
    """Store what a node says of itself."""
    return ("HSET", keys.nodes, name, value)


def node_delete(keys: Keys, names: list[str]) -> Command:
    """Forget nodes."""
    return ("HDEL", keys.nodes, *names)


def nodes_all(keys: Keys) -> Command:
    """Read what all nodes say of themselves."""
    return ("HGETALL", keys.nodes)


# --- notes that are kept nowhere -----------------------------------------------------------------------------------


def passing_tell(keys: Keys, note: bytes) -> Command:
    """Pass a note to whoever listens."""
    return ("SPUBLISH", keys.passing, note)


def passing_hear(keys: Keys) -> Command:
    """Have what is passed sent to this connection."""
    return ("SSUBSCRIBE", keys.passing)
