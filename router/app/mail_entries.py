"""Mails that are handed in over HTTP: the same entries as SMTP makes, so that the same mail is stored once."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from channels.email.identity import identity
from channels.email.smtp_settings import Accounts
from router.core.ports import InboxEntry


class MailEntries:
    """Implements the web's `Mails`."""

    def __init__(self, accounts: Callable[[], tuple[str, ...]]) -> None:
        self._accounts = accounts

    def accounts(self) -> tuple[str, ...]:
        """Addresses that mail may come to."""
        return self._accounts()

    def find(self, address: str) -> str | None:
        """The account that an address is, or is a plus address of."""
        return Accounts(self._accounts()).find(address)

    def entry(self, account: str, raw: bytes, received_at: int) -> InboxEntry:
        """The entry of a mail that came to an account some time ago: nobody is sent a receipt for it."""
        key, body = identity(account, raw)
        meta = {"account": account, "recipients": [account], "received_at": received_at, "quiet": True}
        return InboxEntry(source="email", key=key, body=body, meta=msgspec.json.encode(meta), raw=raw)
