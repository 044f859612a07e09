"""The HTTP channel tied to the shell, and what is known of customers by their address."""

from __future__ import annotations

from collections.abc import Callable

from channels.http import HttpMessage, entry, normalise
from router.shell.channel import Channel
from skills.model import WorkspaceConfig

__all__ = ["HttpMessage", "entry", "http_channel", "normalise", "tier_of"]


def http_channel() -> Channel:
    """Messages of `POST /v1/messages`: small JSON, checked at the door."""
    return Channel(
        name="http",
        normalise=normalise,
        hostile=False,
        kind=lambda meta: str(meta.get("kind", "email")),
        thread=lambda _: None,
    )


def tier_of(config: WorkspaceConfig) -> Callable[[str], str | None]:
    """The tier of an address: by the address itself before its domain, by a rule before the list."""
    domains: dict[str, str] = {}
    addresses: dict[str, str] = {}
    for name, tier in config.customers.tiers.items():
        for domain in tier.match.domain:
            domains.setdefault(domain.lower(), name)
        for address in tier.match.address:
            addresses.setdefault(address.lower(), name)

    listed = config.customers.listed

    def find(address: str) -> str | None:
        lowered = address.lower()
        own = addresses.get(lowered) or listed.get(lowered)
        if own is not None or "@" not in lowered:
            return own
        domain = lowered.rpartition("@")[2]
        return domains.get(domain) or listed.get(domain)

    return find
