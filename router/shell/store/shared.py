"""What all nodes of a workspace share beside the streams: keys, leases, nodes, the outbox, small documents."""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from router.core.errors import Fenced
from router.shell.store import commands, scripts
from router.shell.store.commands import Command, Keys

SECRET_BYTES = 32


class Shared(Protocol):
    """The part of `Store` that this module holds; `Store` itself knows how to ask."""

    keys: Keys

    async def _ask(self, *asked: Command, wait_seconds: float = 0.0, confirm: bool = False) -> list[Any]:
        """Send commands in one round trip; the first one refused raises StoreUnavailable."""
        ...

    # --- customer keys, secret ---

    async def keys_get_or_create(self, names: list[str]) -> dict[str, bytes]:
        """Return a 32-byte encryption key for each name, made now where there was none; all nodes get the same."""
        if not names:
            return {}
        made = [commands.customer_key_new(self.keys, name, secrets.token_bytes(SECRET_BYTES)) for name in names]
        *_, found = await self._ask(*made, commands.customer_keys_get(self.keys, names))
        return dict(zip(names, found, strict=True))

    async def keys_get(self, names: list[str]) -> dict[str, bytes]:
        """Return those of the encryption keys that exist: an erased customer's does not."""
        if not names:
            return {}
        (found,) = await self._ask(commands.customer_keys_get(self.keys, names))
        return {name: value for name, value in zip(names, found, strict=True) if value is not None}

    async def keys_delete(self, names: list[str]) -> None:
        """Forget encryption keys: what was written under them is unreadable for good."""
        if names:
            await self._ask(commands.customer_keys_delete(self.keys, names))

    async def secret(self) -> bytes:
        """Return the workspace's secret (32 bytes), made on first use."""
        made = commands.secret_new(self.keys, secrets.token_bytes(SECRET_BYTES))
        *_, value = await self._ask(made, commands.secret_get(self.keys))
        return bytes(value)

    # --- leases ---

    async def lease_acquire(self, name: str, owner: str, ttl_ms: int, stale: str = "") -> bool:
        """Take a lease that nobody else holds (or one's own once more) for `ttl_ms`; False if somebody has it.

        `stale`: take it even so if its value still is this one, of which the caller knows that nobody keeps it.
        """
        return await self._lease(scripts.LEASE_ACQUIRE, name, owner, ttl_ms, stale)

    async def lease_renew(self, name: str, owner: str, ttl_ms: int) -> bool:
        """Keep one's lease for another `ttl_ms`; False if it was lost."""
        return await self._lease(scripts.LEASE_RENEW, name, owner, ttl_ms)

    async def lease_release(self, name: str, owner: str) -> bool:
        """Give one's lease back; False if it was lost before."""
        return await self._lease(scripts.LEASE_RELEASE, name, owner)

    async def lease_value(self, name: str) -> str | None:
        """Return a lease's value, `owner count`: it changes each time the lease is kept. None if nobody holds it."""
        (value,) = await self._ask(commands.lease_value(self.keys, name))
        return value.decode() if value is not None else None

    async def lease_owner(self, name: str) -> str | None:
        """Return who holds a lease."""
        value = await self.lease_value(name)
        return None if value is None else value.rpartition(" ")[0]

    async def _lease(self, script: str, name: str, owner: str, *more: int | str) -> bool:
        (done,) = await self._ask(commands.evalsha(script, [self.keys.lease(name)], owner, *more))
        return bool(done)

    # --- nodes ---

    async def node_put(self, name: str, value: bytes) -> None:
        """Keep what a node says of itself."""
        await self._ask(commands.node_put(self.keys, name, value))

    async def node_delete(self, names: list[str]) -> None:
        """Forget nodes that are gone."""
        if names:
            await self._ask(commands.node_delete(self.keys, names))

    async def nodes_all(self) -> dict[str, bytes]:
        """Return what each node says of itself, by name."""
        (reply,) = await self._ask(commands.nodes_all(self.keys))
        return {reply[i].decode(): reply[i + 1] for i in range(0, len(reply), 2)}

    # --- outbox ---

    async def outbox_put(self, epoch: int, item_id: str, value: bytes) -> None:
        """Store the state of one outgoing item. Raises Fenced if the journal has a newer epoch than the caller's."""
        await self._fenced(scripts.OUTBOX_PUT, [self.keys.outbox], epoch, item_id, value)

    async def outbox_all(self) -> dict[str, bytes]:
        """Return the whole outbox."""
        (reply,) = await self._ask(commands.outbox_all(self.keys))
        return {reply[i].decode(): reply[i + 1] for i in range(0, len(reply), 2)}

    async def outbox_delete(self, epoch: int, ids: list[str]) -> None:
        """Forget outgoing items that are done. Raises Fenced like `outbox_put`."""
        if ids:
            await self._fenced(scripts.OUTBOX_DELETE, [self.keys.outbox], epoch, *ids)

    async def _fenced(
        self, script: str, keys: list[str], epoch: int, *args: str | bytes, confirm: bool = False
    ) -> bytes:
        asked = commands.evalsha(script, [self.keys.journal, *keys], epoch, *args)
        reply: bytes
        (reply,) = await self._ask(asked, confirm=confirm)
        if reply.startswith(b"!"):
            raise Fenced(f"the journal is at {reply[1:].decode()}, newer than epoch {epoch}")
        return reply

    # --- desks outside: what was posted where, and what came in and is not carried out ---

    async def desk_add(self, epoch: int, name: str, value: bytes) -> bool:
        """Keep what came in, durably; False if it was there. Raises Fenced like `desk_put`.

        Whoever leads next carries it out, and has read all of it by the time that this one is fenced.
        """
        return await self._fenced(scripts.DESK_ADD, [self.keys.desk], epoch, name, value, confirm=True) == b"+"

    async def desk_put(self, epoch: int, name: str, value: bytes) -> None:
        """Store one value. Raises Fenced if the journal has a newer epoch than the caller's."""
        await self._fenced(scripts.OUTBOX_PUT, [self.keys.desk], epoch, name, value)

    async def desk_all(self) -> dict[str, bytes]:
        """Return all of it."""
        (reply,) = await self._ask(commands.desk_all(self.keys))
        return {reply[i].decode(): reply[i + 1] for i in range(0, len(reply), 2)}

    async def desk_delete(self, epoch: int, names: list[str]) -> None:
        """Forget values. Raises Fenced like `desk_put`."""
        if names:
            await self._fenced(scripts.OUTBOX_DELETE, [self.keys.desk], epoch, *names)

    # --- documents ---

    async def doc_get(self, name: str) -> bytes | None:
        """Return a small document, or None."""
        (value,) = await self._ask(commands.doc_get(self.keys, name))
        return bytes(value) if value is not None else None

    async def doc_put(self, name: str, value: bytes) -> None:
        """Store a small document, replacing the one of that name."""
        await self._ask(commands.doc_put(self.keys, name, value))

    async def doc_put_leading(self, epoch: int, name: str, value: bytes) -> None:
        """The same. Raises Fenced if the journal has a newer epoch than the caller's."""
        await self._fenced(scripts.SET_ALL, [self.keys.doc(name)], epoch, value)

    async def doc_swap(self, name: str, before: bytes | None, after: bytes) -> bool:
        """Put `after` in the place of `before`, None for no document; False if there is another by now."""
        (done,) = await self._ask(
            commands.evalsha(scripts.DOC_SWAP, [self.keys.doc(name)], before or b"", after), confirm=True
        )
        return bool(done == b"+")

    async def doc_put_new(self, name: str, value: bytes, ttl_ms: int | None = None) -> bool:
        """Store a small document, for `ttl_ms` or for good, if there is none of that name; False if there is."""
        (done,) = await self._ask(commands.doc_put_new(self.keys, name, value, ttl_ms))
        return done is not None

    async def doc_delete(self, name: str) -> bool:
        """Delete a small document; True for exactly one of several callers: what is single-use is used up by it."""
        (done,) = await self._ask(commands.doc_delete(self.keys, name))
        return bool(done)
