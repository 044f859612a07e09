"""What a mailbox's owner decides about how its mail is read."""

from __future__ import annotations

import msgspec

from channels.email.limits import DEFAULT, Limits

CUSTOMER_FROM = ("from", "reply-to", "x-original-from", "first-body-line")


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one mailbox. Addresses and domains are lower-case."""

    workspace: str = ""  # as our own mail names it in its loop header; empty: any workspace's mail is our own
    customer_from: str = "from"  # one of CUSTOMER_FROM: where the customer's address stands
    # Senders (addresses, or domains written "@acme.example") whose mails carry other people's words: web forms,
    # groups, colleagues. With any listed, `customer_from` holds for their mail alone.
    trusted_forwarders: tuple[str, ...] = ()
    trusted_authserv: tuple[str, ...] = ()  # authserv-ids of our own mail servers (RFC 8601)
    spam_headers: tuple[str, ...] = ()  # "X-Spam-Flag: yes": a field of a trusted filter and how its value begins
    own_addresses: tuple[str, ...] = ()  # mailboxes this workspace reads
    own_domains: tuple[str, ...] = ()  # where colleagues write from
    markers: tuple[str, ...] = ()  # our "reply above this line", in all its languages; everything after one is quoted
    limits: Limits = DEFAULT
