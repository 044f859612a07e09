"""Everything usherd says to the store: all keys, commands, Lua and access rules, on one screen each.

Rules:
- All keys of a workspace carry one hash tag, so that a script may touch several of them in a cluster.
- A script begins with `#!lua` and no `allow-oom`: out of memory it is refused *before* it runs, so it does all or
  nothing (pipelined XADDs with one out-of-memory reply left a hole `1-5, 1-7`, measured). What frees memory, or keeps
  a lease alive, says `allow-oom`.
- What is sent twice after a lost reply must not be stored twice: a script looks before it writes.
- Nothing here talks to a socket; `Store` (client.py) sends these tuples and reads the answers.
"""

from __future__ import annotations

import hashlib
import re
from typing import TypeAlias

from router.core.errors import ConfigError

Argument: TypeAlias = bytes | str | int
Command: TypeAlias = tuple[Argument, ...]

FIRST_ID = "0-0"
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
        self.keys = f"{tag}keys"
        self.secret = f"{tag}secret"
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


# --- scripts -----------------------------------------------------------------------------------------------------

# The id of the newest record ever added, also if it was trimmed away since; 0-0 for a journal that never was.
_LAST_ID = """
local function last_id(stream)
  local info = redis.pcall('XINFO', 'STREAM', stream)
  if info.err then
    if string.find(info.err, 'no such key', 1, true) then return '0-0' end
    error(info.err)
  end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end
"""

# KEYS: inbox, then the day hashes (the first is today's). ARGV: '1' to refuse conflicts, seconds a day hash lives,
# then per entry: source, key (16 bytes), body digest (16 bytes), meta, raw, file name ('' when raw is inline).
# A day hash maps key -> body digest + inbox id, so that a duplicate is answered with its first id.
# Answer: entries now in the inbox, then per entry one of
#   n<id> new   d<id> duplicate   c<id> new and flagged   D<id> duplicate of a flagged one   r<id> refused   - not tried
INBOX_APPEND = """#!lua
local function seen(key)
  for i = 2, #KEYS do
    local known = redis.call('HGET', KEYS[i], key)
    if known then return known end
  end
end
local out = {}
if ARGV[1] == '1' then
  local clash = false
  for i = 3, #ARGV, 6 do
    local known = seen(ARGV[i + 1])
    if known and string.sub(known, 1, 16) ~= ARGV[i + 2] then
      clash = true
      out[#out + 1] = 'r' .. string.sub(known, 17)
    elseif known then
      out[#out + 1] = 'd' .. string.sub(known, 17)
    else
      out[#out + 1] = '-'
    end
  end
  if clash then
    table.insert(out, 1, redis.call('XLEN', KEYS[1]))
    return out
  end
  out = {}
end
local added = false
for i = 3, #ARGV, 6 do
  local key, body, mark = ARGV[i + 1], ARGV[i + 2], 'n'
  local known = seen(key)
  if known and string.sub(known, 1, 16) == body then
    out[#out + 1] = 'd' .. string.sub(known, 17)
  else
    local again = nil
    if known then
      mark = 'c'
      key = redis.sha1hex(key .. body)
      again = seen(key)
    end
    if again then
      out[#out + 1] = 'D' .. string.sub(again, 17)
    else
      local fields = {'source', ARGV[i], 'key', ARGV[i + 1], 'meta', ARGV[i + 3]}
      if ARGV[i + 5] == '' then
        fields[7], fields[8] = 'raw', ARGV[i + 4]
      else
        fields[7], fields[8] = 'file', ARGV[i + 5]
      end
      if mark == 'c' then fields[9], fields[10] = 'conflict', '1' end
      local id = redis.call('XADD', KEYS[1], '*', unpack(fields))
      redis.call('HSET', KEYS[2], key, body .. id)
      out[#out + 1] = mark .. id
      added = true
    end
  end
end
if added and redis.call('TTL', KEYS[2]) < 0 then redis.call('EXPIRE', KEYS[2], ARGV[2]) end
table.insert(out, 1, redis.call('XLEN', KEYS[1]))
return out
"""

# KEYS: inbox. ARGV: a position. The file names mentioned by up to 100 entries after it, without moving their raw
# bytes over the socket. Answer: the last id looked at ('' at the end), then the names.
INBOX_FILES = """#!lua flags=no-writes
local out = {''}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', 100)) do
  out[1] = entry[1]
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'file' then out[#out + 1] = entry[2][i + 1] end
  end
end
return out
"""

# KEYS: journal, then one key per blob. ARGV: expected last id, number of records, per record id and bytes, then the
# blobs. The one commit: records and the blobs they mention, only if nobody else wrote since. A batch that is already
# there, byte for byte, is the retry of an append whose reply was lost.
# Answer: '+' appended, '=' was there already, or '!' and the journal's last id: fenced.
JOURNAL_APPEND = (
    "#!lua"
    + _LAST_ID
    + """
local journal, n = KEYS[1], tonumber(ARGV[2])
local last = last_id(journal)
if last ~= ARGV[1] then
  if last ~= ARGV[1 + 2 * n] then return '!' .. last end
  for i = 3, 1 + 2 * n, 2 do
    local entry = redis.call('XRANGE', journal, ARGV[i], ARGV[i])[1]
    if not entry or entry[2][2] ~= ARGV[i + 1] then return '!' .. last end
  end
  return '='
end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[1 + 2 * n + i]) end
for i = 3, 1 + 2 * n, 2 do redis.call('XADD', journal, ARGV[i], 'r', ARGV[i + 1]) end
return '+'
"""
)

# KEYS: journal, outbox. ARGV: epoch of the caller, id, bytes. Answer: '+', or '!' and the journal's last id: fenced.
_EPOCH = """
local last = last_id(KEYS[1])
if tonumber(string.match(last, '^%d+')) > tonumber(ARGV[1]) then return '!' .. last end
"""
OUTBOX_PUT = "#!lua" + _LAST_ID + _EPOCH + "redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])\nreturn '+'\n"
# The same with ids to forget: it frees memory, so it runs without.
OUTBOX_DELETE = (
    "#!lua flags=allow-oom"
    + _LAST_ID
    + _EPOCH
    + "for i = 2, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end\nreturn '+'\n"
)

# A lease is for liveness only (the store's clock may jump); safety is the fence. KEYS: lease. ARGV: owner, ms.
LEASE_ACQUIRE = """#!lua flags=allow-oom
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
LEASE_RENEW = """#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
LEASE_RELEASE = """#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

SCRIPTS = (
    INBOX_APPEND,
    INBOX_FILES,
    JOURNAL_APPEND,
    OUTBOX_PUT,
    OUTBOX_DELETE,
    LEASE_ACQUIRE,
    LEASE_RENEW,
    LEASE_RELEASE,
)
# SHA-1 is how the protocol names scripts; nothing secret hangs on it.
SHA = {script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest() for script in SCRIPTS}


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


def lease_owner(keys: Keys, name: str) -> Command:
    """Read who holds a lease."""
    return ("GET", keys.lease(name))


def doc_get(keys: Keys, name: str) -> Command:
    """Read a small document."""
    return ("GET", keys.doc(name))


def doc_put(keys: Keys, name: str, value: bytes) -> Command:
    """Store a small document."""
    return ("SET", keys.doc(name), value)


def doc_put_new(keys: Keys, name: str, value: bytes, ttl_ms: int) -> Command:
    """Store a small document for a time, unless there is one."""
    return ("SET", keys.doc(name), value, "NX", "PX", ttl_ms)


def doc_delete(keys: Keys, name: str) -> Command:
    """Delete a small document."""
    return ("DEL", keys.doc(name))
