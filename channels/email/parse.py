"""Raw mail to `Message`: pure, picklable at both ends, and in need of nothing but the bytes.

For any bytes the answer is a `Message` or `PoisonError`. Whatever could not be made out is said in `warnings`, in
plain words; the raw mail is kept elsewhere, so nothing is lost by reading too little of it. Time is linear in the size
of the mail, and `limits` bounds what it may cost.
"""

from __future__ import annotations

import msgspec

from channels.email import body, headers, kinds, writer
from channels.email.body import Content
from channels.email.fields import Fields
from channels.email.limits import DEFAULT, Limits
from channels.email.settings import MailSettings
from channels.email.split import Split, forwarded, split
from channels.email.split_html import split_html
from channels.email.structure import walk
from router.core.errors import PoisonError
from router.core.message import Address, Message

__all__ = ["MailSettings", "extract", "parse"]

_DELIVERED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to")
_FORWARD_CHARS_MAX = 100_000
_DEFAULT_SETTINGS = MailSettings()


def parse(
    raw: bytes,
    settings: MailSettings = _DEFAULT_SETTINGS,
    *,
    envelope_from: str | None = None,
    envelope_to: tuple[str, ...] = (),
) -> Message:
    """Read one mail.

    `envelope_from` is the SMTP sender ("" the null sender, None unknown), `envelope_to` the recipients it was accepted
    for. Raises PoisonError if there is nothing to read, or if reading fails in a way nobody foresaw; nothing else.
    """
    if not raw.strip():
        raise PoisonError("the mail is empty")
    try:
        return _read(raw, settings, envelope_from, envelope_to)
    except (MemoryError, PoisonError):
        raise
    except Exception as error:
        raise PoisonError(f"the mail cannot be read: {type(error).__name__}") from error


def _read(raw: bytes, settings: MailSettings, envelope_from: str | None, envelope_to: tuple[str, ...]) -> Message:
    limits = settings.limits
    content = body.read(walk(raw, limits), limits)
    fields = content.structure.root.fields
    hint = _charset_hint(content)
    sender, notes = writer.sender_of(fields, hint)
    for note in notes:
        content.warn(f"the mail {note}")
    forwarder = writer.is_forwarder(sender.address, settings)
    kind = kinds.kind_of(content, settings, envelope_from=envelope_from, forwarder=forwarder)
    customer, handed_on_by = writer.customer_of(content, sender, settings, hint)
    parts = _split(content, settings)
    new = parts.new
    if handed_on_by is None and (forwarder or writer.is_colleague(sender.address, settings)) and not kind.auto:
        original = _original_writer(content, parts, settings)
        if original is not None:
            (customer, new), handed_on_by = original, sender
    sent_at = headers.date(fields.get("date"))
    if sent_at is None and fields.get("date").strip():
        content.warn("the date cannot be read")
    ids = headers.ids(fields.get("message-id"), 1)
    in_reply_to = headers.ids(fields.get("in-reply-to"), 10)
    attachments = tuple(body.attachment(content.structure, part) for part in content.attached)
    return Message(
        channel="email", from_=customer, sent_at=sent_at, auto=kind.auto,
        to=_addresses(fields, "to", limits, hint, content), cc=_addresses(fields, "cc", limits, hint, content),
        reply_to=_reply_to(fields, settings, hint, content),
        subject=headers.text(fields.get("subject"), hint)[:2000],
        text=new or content.words,
        quoted=parts.quoted if new else "",
        full_text=content.full_text, html=content.html, attachments=attachments,
        message_id=ids[0] if ids else None, in_reply_to=in_reply_to[0] if in_reply_to else None,
        references=headers.ids(fields.get("references"), limits.references_max),
        delivered_to=envelope_to or _delivered_to(fields),
        bounce=kind.bounce, forwarded_by=handed_on_by, authentication=writer.authentication(fields, settings),
        spam=kind.spam, loop=kind.loop, warnings=tuple(content.warnings),
    )  # fmt: skip


def _charset_hint(content: Content) -> str:
    """The charset of the first text part: raw 8-bit header fields tend to be in it."""
    for part in content.text_parts or content.html_parts:
        if part.params.get("charset"):
            return part.params["charset"]
    return ""


def _delivered_to(fields: Fields) -> tuple[str, ...]:
    """Recipients as servers on the way noted them, for mail that comes without its envelope (IMAP)."""
    found = (
        one.address for name in _DELIVERED for value in fields.all(name)[:5] for one in headers.addresses(value, 5)
    )
    return tuple(dict.fromkeys(address for address in found if "@" in address))


def _addresses(fields: Fields, name: str, limits: Limits, hint: str, content: Content) -> tuple[Address, ...]:
    values = fields.all(name)
    if not values:
        return ()
    found = headers.addresses(b",".join(values)[: limits.field_bytes_max], limits.addresses_max, hint)
    if len(found) >= limits.addresses_max:
        content.warn(f"too many addresses in {name.title()}; only {limits.addresses_max} were read")
    return found


def _reply_to(fields: Fields, settings: MailSettings, hint: str, content: Content) -> tuple[Address, ...]:
    """Where its writer wants answers. Our own mailboxes are left out: an answer there would come back to us."""
    found = _addresses(fields, "reply-to", settings.limits, hint, content)
    return tuple(one for one in found if "@" in one.address and not _is_ours(one.address, settings))


def _is_ours(address: str, settings: MailSettings) -> bool:
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" in settings.own_addresses


def _split(content: Content, settings: MailSettings) -> Split:
    """The text in parts: by the HTML's own marks where the text was read from it, else by its lines."""
    if content.html_source:
        parts = split_html(content.html_source, *settings.markers)
        if parts.new:
            return parts
    return _split_text(content.full_text, settings)


def _split_text(text: str, settings: MailSettings) -> Split:
    """The parts of a text; of a very long one the end is not judged, and goes where the last line judged went."""
    limit = settings.limits.split_chars_max
    if len(text) <= limit:
        return split(text, *settings.markers)
    limit = text.rfind("\n", 0, limit) + 1 or limit
    parts = split(text[:limit], *settings.markers)
    last = text[:limit].rstrip().rpartition("\n")[2].strip()
    if parts.quoted.rstrip().endswith(last):
        return msgspec.structs.replace(parts, quoted=parts.quoted + "\n" + text[limit:])
    return msgspec.structs.replace(parts, new=parts.new + "\n" + text[limit:])


def _original_writer(content: Content, parts: Split, settings: MailSettings) -> tuple[Address, str] | None:
    """The writer of the mail that a colleague forwards, in the text or as an attachment, and the words."""
    inner = parts.forwarded or forwarded(content.words[:_FORWARD_CHARS_MAX])
    if inner is not None and inner.from_address:
        address = Address(address=inner.from_address.lower(), name=inner.from_name)
        return address, _split_text(inner.text, settings).new or inner.text
    return writer.attached_original(content)


def extract(raw: bytes, part: int, limits: Limits = DEFAULT) -> tuple[str, str, bytes]:
    """The attachment at `part`, an `Attachment.part`: its safe name, content type and bytes.

    Raises PoisonError if the mail has no such leaf.
    """
    structure = walk(raw, limits)
    if not 0 <= part < len(structure.parts) or structure.parts[part].is_multipart:
        raise PoisonError(f"the mail has no part {part} that could be saved")
    leaf = structure.parts[part]
    return body.filename_of(structure, leaf), leaf.content_type, body.payload(structure, leaf)
