"""Who may say what to the embedded store: allow-lists, one per kind of key.

An ACL without DEL and FLUSH still let RESTORE, PEXPIRE and SET destroy the journal; so everything is forbidden but what
commands.py says. A script is allowed by its keys as a whole, and each command inside it once more by itself.
"""

from __future__ import annotations

import hashlib

_K = "~usherd:{*}:"
DAEMON_RULES = (
    "+ping +info +time +select +config|get +script|load +client|setinfo +client|setname",
    f"({_K}inbox +xadd +xread +xrange +xlen +xdel +xinfo +memory|usage)",
    f"({_K}inbox {_K}seen:* +evalsha)",
    f"({_K}seen:* +hget +hset +ttl +expire)",
    f"({_K}journal +xadd +xread +xrange +xrevrange +xinfo +xlen +evalsha)",
    f"({_K}journal {_K}blob:* {_K}doc:* {_K}outbox {_K}desk +evalsha)",
    f"({_K}blob:* +set +mget +getrange +unlink)",
    f"({_K}keys +hmget +hsetnx +hdel)",
    f"({_K}secret +get +setnx)",
    f"({_K}outbox +hset +hdel +hgetall)",
    f"({_K}desk +hset +hsetnx +hdel +hgetall)",
    f"({_K}nodes +hset +hdel +hgetall)",
    f"({_K}lease:* +get +set +pexpire +del +evalsha)",
    f"({_K}doc:* +get +set +del +evalsha)",
    "(&usherd:{*}:passing +spublish +ssubscribe)",  # a channel, no key
)
# Only the archiver trims, and only what it has put elsewhere; it also has the file written anew after an erasure.
ARCHIVER_RULES = ("+ping +info +select +bgrewriteaof", f"({_K}journal +xread +xrange +xrevrange +xinfo +xlen +xtrim)")


RULES = hashlib.sha256(repr((DAEMON_RULES, ARCHIVER_RULES)).encode()).hexdigest()[:16]  # names this version of them


def acl_lines(daemon_password: str, archiver_password: str) -> list[str]:
    """Return the `user` lines of a server configuration; passwords appear as SHA-256 only."""
    users = (("usherd", daemon_password, DAEMON_RULES), ("archiver", archiver_password, ARCHIVER_RULES))
    lines = ["user default reset off"]
    for name, password, rules in users:
        digest = hashlib.sha256(password.encode()).hexdigest()
        lines.append(f"user {name} reset on #{digest} {' '.join(rules)}")
    return lines
