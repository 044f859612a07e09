"""Is this a store that keeps what it acknowledged? Asked once, before anything is accepted.

`appendfsync everysec` with a full disk loses an acknowledged record; `allkeys-lru` silently deleted 9,300 of 12,000
entries (both measured). So usherd refuses such a store unless the admin says `durability: relaxed`.
"""

from __future__ import annotations

from redis.exceptions import ResponseError

from router.core.errors import ConfigError

VERSION_MIN = 7  # scripts that are refused before they run when memory is short; access rules by selector


def parse_info(reply: bytes) -> dict[str, str]:
    """Return the facts of an INFO reply by name."""
    lines = (line.partition(":") for line in reply.decode("utf-8", "replace").splitlines())
    return {name: value for name, colon, value in lines if colon and not name.startswith("#")}


def memory_share(facts: dict[str, str]) -> float:
    """Return the share (0-1) of its memory the store uses: of `maxmemory`, else of the machine's."""
    limit = int(facts.get("maxmemory", 0)) or int(facts.get("total_system_memory", 0))
    return int(facts.get("used_memory", 0)) / limit if limit else 0.0


def require_durable(facts: dict[str, str], settings: list[bytes] | ResponseError) -> None:
    """Raise ConfigError, with the remedy, if the store may lose what it acknowledged.

    `facts` from INFO, `settings` the reply to CONFIG GET: a flat list, or the error of a store that does not tell.
    """
    version = facts.get("valkey_version") or facts.get("redis_version", "0")
    if int(version.split(".")[0]) < VERSION_MIN:
        raise _refusal(f"the store is version {version}, too old", f"use Valkey, or Redis {VERSION_MIN} or newer")
    if facts.get("maxmemory_policy") != "noeviction":
        raise _refusal(
            f"the store deletes entries when memory is short (maxmemory-policy {facts.get('maxmemory_policy')})",
            "set `maxmemory-policy noeviction`",
        )
    if facts.get("aof_enabled") != "1":
        raise _refusal(
            "the store keeps no append-only file: a crash loses what was acknowledged",
            "set `appendonly yes` and `appendfsync always`",
        )
    if isinstance(settings, ResponseError):
        raise _refusal(
            "the store does not tell whether it syncs every write (CONFIG GET is refused)",
            "allow `+config|get` and set `appendfsync always`",
        )
    told = {settings[i].decode(): settings[i + 1].decode() for i in range(0, len(settings), 2)}
    if told.get("appendfsync") != "always":
        raise _refusal(
            f"the store syncs its file only now and then (appendfsync {told.get('appendfsync')})",
            "set `appendfsync always`",
        )
    if told.get("no-appendfsync-on-rewrite") != "no":
        raise _refusal("the store does not sync while it rewrites its file", "set `no-appendfsync-on-rewrite no`")


def _refusal(message: str, remedy: str) -> ConfigError:
    return ConfigError(message, hint=f"{remedy}; or `durability: relaxed` if losing messages is acceptable")
