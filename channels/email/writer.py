"""Who wrote: the customer, whoever it was that sent the mail on.

Much support mail does not come from the customer's own mailbox: a web form sends it, a group rewrites From, a
colleague forwards it. What a mail says of its writer is believed only as far as its sender is trusted.
"""

from __future__ import annotations

import re

from channels.email import body, headers
from channels.email.body import Content
from channels.email.fields import Fields
from channels.email.settings import MailSettings
from router.core.message import Address

_LINE_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"']{1,64}@[a-zA-Z0-9.-]{1,253}\.[a-zA-Z]{2,63}")
_LABEL = re.compile(r"[\s>*]{0,20}[\w -]{0,30}[:\uff1a]\s{0,10}")
_LINES_MAX = 10  # of the text in which the first line with an address is looked for
_ORIGINAL_FIELDS = ("x-original-from", "x-original-sender", "x-forwarded-from", "original-from")
_METHOD = re.compile(r"(?:^|[;\s])(spf|dkim|dmarc|arc|auth|iprev)\s{0,4}=\s{0,4}([a-z]{1,20})", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]{0,1000}\)")


def sender_of(fields: Fields, hint: str = "") -> tuple[Address, list[str]]:
    """The From of a mail, or the next best field with an address, and what was wrong, in plain words."""
    notes: list[str] = []
    every = [address for value in fields.all("from")[:5] for address in headers.addresses(value, 10, hint)]
    for address in every:
        if "@" in address.address:
            if len(every) > 1:
                notes.append("names several senders; the first was taken")
            return address, notes
    notes.append("has no address in From" if "from" in fields.first else "has no From")
    for name in ("sender", "reply-to", "x-sender", "return-path"):
        for address in headers.addresses(fields.get(name), 10, hint):
            if "@" in address.address:
                name_of = every[0].name or every[0].address if every else ""
                return Address(address=address.address, name=address.name or name_of), notes
    return (every[0] if every else Address(address="")), notes


def is_forwarder(address: str, settings: MailSettings) -> bool:
    """Whether this sender is listed as one who hands on other people's mail."""
    domain = "@" + address.rpartition("@")[2]
    return bool(address) and (address in settings.trusted_forwarders or domain in settings.trusted_forwarders)


def is_colleague(address: str, settings: MailSettings) -> bool:
    """Whether this address is of one of our own domains."""
    return "@" in address and address.rpartition("@")[2] in settings.own_domains


def customer_of(
    content: Content, sender: Address, settings: MailSettings, hint: str = ""
) -> tuple[Address, Address | None]:
    """The customer by the mailbox's `customer_from`, and who handed the mail on, or None if nobody did."""
    mode = settings.customer_from
    if mode == "from" or (settings.trusted_forwarders and not is_forwarder(sender.address, settings)):
        return sender, None
    fields = content.structure.root.fields
    found: Address | None = None
    if mode == "reply-to":
        found = _first(fields, ("reply-to",), settings, hint)
    elif mode == "x-original-from":
        found = _first(fields, (*_ORIGINAL_FIELDS, "reply-to"), settings, hint)
    elif mode == "first-body-line":
        found = _from_text(content.words)
    if found is None or found.address == sender.address:
        return sender, None
    return found, sender


def _first(fields: Fields, names: tuple[str, ...], settings: MailSettings, hint: str) -> Address | None:
    for name in names:
        for address in headers.addresses(fields.get(name), 10, hint):
            if "@" in address.address and address.address not in settings.own_addresses:
                return address
    return None


def _from_text(text: str) -> Address | None:
    """The address in the first lines of a text, with the name beside it."""
    for line in [line for line in text[:10_000].split("\n") if line.strip()][:_LINES_MAX]:
        found = _LINE_ADDRESS.search(line[:500])
        if found:
            name = _LABEL.sub("", line[: found.start()], count=1).strip(" <(\"'[")
            return Address(address=found.group().lower().strip("."), name=name[:200])
    return None


def attached_original(content: Content) -> tuple[Address, str] | None:
    """Writer and text of the one mail attached to this one, where a colleague forwards as an attachment."""
    mails = [part for part in content.attached if part.content_type in {"message/rfc822", "message/global"}]
    if len(mails) != 1:
        return None
    inner = body.read(body.nested_structure(content.structure, mails[0], content.limits), content.limits, 1)
    address, _ = sender_of(inner.structure.root.fields)
    return (address, inner.words) if "@" in address.address else None


def authentication(fields: Fields, settings: MailSettings) -> dict[str, str]:
    """Results our own mail server wrote down: method → result. What others claim is not read (RFC 8601 §5)."""
    out: dict[str, str] = {}
    if not settings.trusted_authserv:
        return out
    for value in fields.all("authentication-results"):
        plain = headers.text(value[:8192])
        server, _, results = plain.partition(";")
        words = server.split()
        if not words or words[0].lower() not in settings.trusted_authserv:
            continue
        for method, result in _METHOD.findall(_COMMENT.sub(" ", results)):
            name, found = method.lower(), result.lower()
            if name not in out or (name == "dkim" and found == "pass"):  # one good signature of several is enough
                out[name] = found
        return out  # the topmost: those below may have come with the mail
    return out
