"""The Lua that runs inside the store: what must look and write in one step.

A script begins with `#!lua` and no `allow-oom`: out of memory it is refused *before* it runs, so it does all or
nothing (pipelined XADDs with one out-of-memory reply left a hole `1-5, 1-7`, measured). What frees memory, or keeps a
lease alive, says `allow-oom`. What is sent twice after a lost reply must not be stored twice: a script looks before it
writes.
"""

from __future__ import annotations

import hashlib

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
# KEYS: journal, blobs or documents. ARGV: epoch of the caller, their values. Answer as above.
SET_ALL = "#!lua" + _LAST_ID + _EPOCH + "for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[i]) end\nreturn '+'\n"
# As OUTBOX_PUT for what came in, unless it is there: a newer leader has read the desk already and would not see it.
# Answer: '+', '=' was there already, or fenced as above.
DESK_ADD = (
    "#!lua"
    + _LAST_ID
    + _EPOCH
    + "if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3]) == 0 then return '=' end\nreturn '+'\n"
)
# The same with ids to forget: it frees memory, so it runs without.
OUTBOX_DELETE = (
    "#!lua flags=allow-oom"
    + _LAST_ID
    + _EPOCH
    + "for i = 2, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end\nreturn '+'\n"
)

# KEYS: a document. ARGV: what it is taken to be ('': there is none), what it is to be. What several nodes change each
# reads and puts back in its place only, so that none undoes another's change. Answer: '+', or '!' where it is another.
DOC_SWAP = """#!lua
local held = redis.call('GET', KEYS[1]) or ''
if held == ARGV[2] then return '+' end
if held ~= ARGV[1] then return '!' end
redis.call('SET', KEYS[1], ARGV[2])
return '+'
"""

# A lease is for liveness only (the store's clock may jump); safety is the fence. Its value is `owner count`, and each
# keeping counts one up: whoever waits for it sees by a clock of its own whether the owner lives, should the store's be
# set back and the lease last for ever. KEYS: lease. ARGV: owner, ms, a value seen too long unchanged ('': none).
_HOLDER = """
local held = redis.call('GET', KEYS[1])
local owner, count = string.match(held or '', '^(.*) (%d+)$')
"""
_KEEP = "redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. string.format('%d', (count or 0) + 1), 'PX', ARGV[2])\nreturn 1\n"
LEASE_ACQUIRE = (
    "#!lua flags=allow-oom"
    + _HOLDER
    + "if held and owner ~= ARGV[1] and held ~= ARGV[3] then return 0 end\nif owner ~= ARGV[1] then count = 0 end\n"
    + _KEEP
)
LEASE_RENEW = "#!lua flags=allow-oom" + _HOLDER + "if owner ~= ARGV[1] then return 0 end\n" + _KEEP
LEASE_RELEASE = (
    "#!lua flags=allow-oom" + _HOLDER + "if owner ~= ARGV[1] then return 0 end\nreturn redis.call('DEL', KEYS[1])\n"
)

SCRIPTS = (
    INBOX_APPEND,
    INBOX_FILES,
    JOURNAL_APPEND,
    OUTBOX_PUT,
    OUTBOX_DELETE,
    SET_ALL,
    DESK_ADD,
    DOC_SWAP,
    LEASE_ACQUIRE,
    LEASE_RENEW,
    LEASE_RELEASE,
)
# SHA-1 is how the protocol names scripts; nothing secret hangs on it.
SHA = {script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest() for script in SCRIPTS}
