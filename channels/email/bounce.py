"""Reports of mail systems: what failed, for whom, and which of our mails it was.

Delivery reports (RFC 3464), complaints (RFC 5965) and receipts (RFC 8098) are read as what they are. Older servers
send plain text in a hundred forms: flufl.bounce knows them, and is asked only about mail that a machine sent.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import logging
import re
from itertools import islice

import flufl.bounce

from channels.email import body, fields, headers
from channels.email.body import Content
from channels.email.structure import Part
from router.core.message import Bounce

# It logs what it trips over with a traceback, line by line of a stranger's mail.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)

_RECIPIENTS_MAX = 50
_BLOCKS_MAX = 200  # recipients' blocks of one report
_REPORT_BYTES_MAX = 262_144
_REPORT_PARTS_MAX = 5
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_ADDRESS = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9.-]{1,255}", re.IGNORECASE)
_ORIGINAL_ID = re.compile(r"^[> \t]{0,8}Message-ID:\s{0,4}<([^<>\s]{1,998})>", re.IGNORECASE | re.MULTILINE)
_TEXT_MAX = 65_536
_TEXT_LINES_MAX = 400
_COPY = re.compile(
    r"^.{0,40}(?:original message\b(?! was| has)|copy of (?:the|your)|returned message"
    r"|below this line|forwarded message|message headers|(?:received|return-path|dkim-signature):\s).{0,200}$",
    re.IGNORECASE | re.MULTILINE,
)
_OFFICE = re.compile(r"(?:postmaster|mailer-daemon|abuse|support|help|helpdesk|admin|webmaster|noc)@")
_BESIDE = re.compile(
    r"recipient|deliver|address|(?:\b|^)to:|rcpt|user|mailbox|unknown|(?<!\d)[45]\d\d[ -]", re.IGNORECASE
)
_PARTS_FOR_DETECTORS_MAX = 60
_DETECTOR_LINE_MAX = 300  # bytes; some patterns of flufl.bounce take time by the cube of a line
_ORIGINAL_TYPES = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers"})
_REPORTS = {
    "message/delivery-status": "delivery-status",
    "message/global-delivery-status": "delivery-status",
    "message/feedback-report": "feedback-report",
    "message/disposition-notification": "disposition-notification",
    "message/global-disposition-notification": "disposition-notification",
}


def report_type(content: Content) -> str:
    """`delivery-status`, `feedback-report`, `disposition-notification` or nothing, by the parts that are there."""
    root = content.structure.root
    found = {_REPORTS[part.content_type] for part in content.structure.parts if part.content_type in _REPORTS}
    if root.content_type == "multipart/report":
        found.add(root.params.get("report-type", "").lower())
    for name in ("feedback-report", "delivery-status", "disposition-notification"):
        if name in found:
            return name
    return ""


def has_original(content: Content) -> bool:
    """Whether a mail, or its header, is a part of this one."""
    return any(part.content_type in _ORIGINAL_TYPES for part in content.structure.parts[1:])


def _blocks(content: Content, part: Part) -> list[fields.Fields]:
    """The header blocks of a report part, bounded in number and bytes."""
    data = body.payload(content.structure, part)[:_REPORT_BYTES_MAX]
    out: list[fields.Fields] = []
    position = 0
    while position < len(data) and len(out) < _BLOCKS_MAX:
        block, following = fields.read(data, position, content.limits)
        if block.items:
            out.append(block)
        if following <= position:
            newline = data.find(b"\n", position)
            following = len(data) if newline < 0 else newline + 1
        position = following
    return out


def _recipient(value: bytes) -> str:
    text = headers.text(value).partition(";")
    found = _ADDRESS.search(text[2][:1000] or text[0][:1000])
    return found.group().lower().strip(".") if found else ""


class _Gathered:
    """What the parts of one report say together."""

    def __init__(self) -> None:
        self.recipients: dict[str, None] = {}
        self.statuses: dict[str, None] = {}
        self.actions: set[str] = set()
        self.message_id: str | None = None

    def add_recipient(self, address: str) -> None:
        if address and len(self.recipients) < _RECIPIENTS_MAX:
            self.recipients.setdefault(address)

    def read_delivery(self, block: fields.Fields) -> None:
        """One recipient's block of a delivery report."""
        action = headers.text(block.get("action")).lower().partition(" ")[0].strip(";,")
        if action:
            self.actions.add(action)
        address = _recipient(block.get("original-recipient")) or _recipient(block.get("final-recipient"))
        if action not in {"delivered", "relayed", "expanded"}:
            self.add_recipient(address or _recipient(block.get("x-actual-recipient")))
        for name in ("status", "diagnostic-code"):
            code = _STATUS.search(headers.text(block.get(name))[:2000])
            if code:
                self.statuses.setdefault(code.group(1))
                if not code.group(1).endswith(".0.0"):  # else the server's own words may say more
                    break
        for name in ("x-original-message-id", "original-message-id"):
            self.read_id(block.get(name))

    def read_feedback(self, block: fields.Fields) -> None:
        """The block of a complaint."""
        for name in ("original-rcpt-to", "removal-recipient"):
            for value in block.all(name)[:_RECIPIENTS_MAX]:
                self.add_recipient(_recipient(b"rfc822;" + value))

    def read_id(self, value: bytes) -> None:
        if value and not self.message_id:
            found = headers.ids(value, 1)
            self.message_id = found[0] if found else None


def _original(content: Content, gathered: _Gathered) -> None:
    """The Message-ID of the mail that came back: from the part that holds it, else from the text."""
    originals = (part for part in content.structure.parts[1:] if part.content_type in _ORIGINAL_TYPES)
    for part in islice(originals, _REPORT_PARTS_MAX):
        if not gathered.message_id:
            data = body.payload(content.structure, part)[: content.limits.header_bytes_max]
            gathered.read_id(fields.read(data, 0, content.limits)[0].get("message-id"))
    if not gathered.message_id:
        found = _ORIGINAL_ID.search(content.words[:_TEXT_MAX])
        gathered.message_id = found.group(1) if found else None


def detect(content: Content) -> tuple[frozenset[str], frozenset[str]]:
    """Recipients that flufl.bounce finds: (delayed, failed). Reads a bounded part of the mail; never raises."""
    structure = content.structure
    if len(structure.parts) > _PARTS_FOR_DETECTORS_MAX:
        return frozenset(), frozenset()
    lines = structure.raw[: content.limits.bounce_bytes_max].splitlines(keepends=True)
    cut = (line if len(line) <= _DETECTOR_LINE_MAX else line[:_DETECTOR_LINE_MAX] + b"\n" for line in lines)
    raw = b"".join(islice(cut, content.limits.bounce_lines_max))
    # Its detectors, and the standard library's parser, were written for mail that means well.
    with contextlib.suppress(Exception):
        mail = email.message_from_bytes(raw, policy=email.policy.compat32)
        if "@" not in str(mail.get("from", "")):  # one detector needs an address there
            del mail["from"]
            mail["From"] = "nobody@invalid"
        delayed, failed = flufl.bounce.all_failures(mail)
        return _plain(delayed), _plain(failed)
    return frozenset(), frozenset()


def _plain(found: frozenset[bytes]) -> frozenset[str]:
    return frozenset(one.decode("ascii", "replace").lower() for one in found if b"@" in one)


def read(content: Content, report: str, delayed: frozenset[str], failed: frozenset[str]) -> Bounce:
    """Everything a report says. `report` is what `report_type` gave, the sets what `detect` gave."""
    gathered = _Gathered()
    reports = (part for part in content.structure.parts if part.content_type in _REPORTS)
    for part in islice(reports, _REPORT_PARTS_MAX):
        for block in _blocks(content, part):
            if part.content_type == "message/feedback-report":
                gathered.read_feedback(block)
            else:
                gathered.read_delivery(block)
    _fill(content, gathered, delayed, failed)
    _original(content, gathered)
    return Bounce(
        kind=_kind(report, gathered.actions, only_delayed=bool(delayed) and not failed),
        recipients=tuple(gathered.recipients),
        statuses=tuple(gathered.statuses),
        message_id=gathered.message_id,
    )


def _fill(content: Content, gathered: _Gathered, delayed: frozenset[str], failed: frozenset[str]) -> None:
    """Recipients and codes from elsewhere in the mail, where its report parts have none."""
    for value in content.structure.root.fields.all("x-failed-recipients")[:_RECIPIENTS_MAX]:
        for address in headers.addresses(value, _RECIPIENTS_MAX):
            gathered.add_recipient(address.address)
    for one in sorted(failed) + sorted(delayed - failed) if not gathered.recipients else ():
        gathered.add_recipient(one)
    for one in _named_in_text(content) if not gathered.recipients else ():
        gathered.add_recipient(one)
    if not gathered.statuses:
        for code in _STATUS.findall(content.words[:_TEXT_MAX])[:_RECIPIENTS_MAX]:
            gathered.statuses.setdefault(code)


def _named_in_text(content: Content) -> list[str]:
    """Addresses that the text of a report speaks of, above the copy of the mail that came back.

    Those that begin a line come first in every form known to us; otherwise those beside an error code or the word
    recipient. The addresses of this mail itself are never meant.
    """
    text = content.words[:_TEXT_MAX]
    copy = _COPY.search(text)
    text = text[: copy.start()] if copy else text
    root = content.structure.root.fields
    own = {one.address for name in ("from", "to", "return-path") for one in headers.addresses(root.get(name), 10)}
    leading: dict[str, None] = {}
    beside: dict[str, None] = {}
    for line in text.split("\n")[:_TEXT_LINES_MAX]:
        found = _ADDRESS.search(line[:500]) if "@" in line else None
        if found is None:
            continue
        address = found.group().lower().strip(".")
        if address in own or _OFFICE.match(address):
            continue
        if not line[: found.start()].strip(" \t<*>-\u2022\"'([{"):
            leading.setdefault(address)
        elif _BESIDE.search(line[:500]):
            beside.setdefault(address)
    return list(leading or beside)


def _kind(report: str, actions: set[str], *, only_delayed: bool) -> str:
    if report == "feedback-report":
        return "feedback"
    if actions:
        if actions <= {"delayed"}:
            return "delay"
        return "delivered" if actions <= {"delivered", "relayed", "expanded"} else "failure"
    return "delay" if only_delayed else "failure"
