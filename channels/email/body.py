"""Which parts are the text, and what they say: RFC 8621 §4.1.4 as a person would have it.

The algorithm of JMAP sorts the leaves into text, HTML and attachments. `full_text` is what the bodies say, the HTML's
words where the plain text is empty. A mail whose bodies say nothing may still hold words: text of an odd type, a mail
in the mail, text before the first boundary. These are `rescued`, so that nobody is shown an empty page.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from html import escape

from channels.email import charset, fields, headers, html, names
from channels.email.limits import Limits
from channels.email.structure import Part, Structure, walk
from router.core.message import Attachment

_INLINE_MEDIA = ("image/", "audio/", "video/")
_READABLE = frozenset({"text/enriched", "text/richtext", "text/markdown", "text/x-markdown", "text/x-amp-html"})
_NOT_WORDS = frozenset(
    {"text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/css", "text/csv", "text/rtf"}
)
_NESTED = frozenset({"message/rfc822", "message/global"})
# What cannot be read here is named as what it is.
_UNREADABLE = {
    "application/ms-tnef": "a part is in a format of Outlook's own (TNEF), which may hold further files",
    "application/vnd.ms-tnef": "a part is in a format of Outlook's own (TNEF), which may hold further files",
    "application/pgp-encrypted": "the mail is encrypted and cannot be read here",
    "application/pkcs7-mime": "a part is encrypted or signed (S/MIME) and cannot be read here",
    "application/x-pkcs7-mime": "a part is encrypted or signed (S/MIME) and cannot be read here",
    "message/partial": "the mail is one piece of a longer one",
    "message/external-body": "a part only says where its content is; nothing was fetched",
    "application/mac-binhex40": "a part is in an old Macintosh format (BinHex)",
    "text/calendar": "an invitation or another calendar entry is attached",
}
# Plain text that only says that there is HTML, beside HTML that says more.
_STUB = re.compile(r"html|web ?browser|im browser", re.IGNORECASE)
_STUB_CHARS_MAX = 300
_STUB_TIMES_SHORTER = 3
_BYTES_PER_CHAR = 4
_FLOWED_QUOTE = re.compile(r">*")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\r\n]{1,200}\r?\n", re.MULTILINE)
_NAME_BYTES_MAX = 65_536  # of an attached mail, in which its subject is looked for
_NAME_LIMITS = Limits(headers_max=100)
_NESTED_MAILS_MAX = 10  # that are opened in search of words
_UU_LINES_MAX = 600_000  # of 45 bytes each: 25 MB
_FLOWED_LINES_MAX = 50_000
_MIME_NOTICE = re.compile(r"multi-?part|MIME", re.IGNORECASE)
_ENRICHED_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]{0,60})>")


class Budget:
    """What may still be read of one mail, the mails inside it included."""

    __slots__ = ("html", "tags", "text")

    def __init__(self, limits: Limits) -> None:
        self.html = limits.html_chars_max
        self.tags = limits.html_tags_max
        self.text = limits.text_chars_max


class Content:
    """The leaves of a mail, sorted, and what was said about them on the way."""

    def __init__(self, structure: Structure, limits: Limits, budget: Budget) -> None:
        self.structure = structure
        self.limits = limits
        self.text_parts: list[Part] = []
        self.html_parts: list[Part] = []
        self.attached: list[Part] = []
        self.warnings: list[str] = list(structure.warnings)
        self.full_text = ""
        self.rescued = ""
        self.html_source = ""  # where `full_text` was read from one HTML body: that body as received
        self.html = ""  # all bodies, cleaned, if one of them is HTML
        self.budget = budget

    @property
    def words(self) -> str:
        """The text to be read: `full_text`, or what was rescued."""
        return self.full_text if self.full_text.strip() else self.rescued

    def warn(self, text: str) -> None:
        """Note something in plain words, once."""
        if text not in self.warnings:
            self.warnings.append(text)


def payload(structure: Structure, part: Part) -> bytes:
    """The decoded bytes of a leaf. What cannot be decoded is given as received."""
    data = structure.raw[part.start : part.end]
    if part.encoding == "base64":
        return headers.base64_bytes(data)
    if part.encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    if part.encoding == "uuencode":
        return _uudecode(data)
    return data


def _uudecode(data: bytes) -> bytes:
    begin = _UU_BEGIN.search(data)
    if not begin:
        return data
    if data.count(b"\n") > _UU_LINES_MAX:
        return data
    out: list[bytes] = []
    for line in data[begin.end() :].split(b"\n"):
        stripped = line.rstrip(b"\r")
        if stripped == b"end":
            break
        try:
            out.append(binascii.a2b_uu(stripped))
        except binascii.Error:
            length = (((stripped[0] - 32) & 63) * 4 + 5) // 3 if stripped else 0
            try:
                out.append(binascii.a2b_uu(stripped[:length]))
            except binascii.Error:
                return data
    return b"".join(out)


def text_of(content: Content, part: Part) -> str:
    """The text of a leaf, line ends levelled to LF, format=flowed undone; cut at what is left of the mail's limit."""
    is_html = part.content_type == "text/html"
    left = content.budget.html if is_html else content.budget.text
    if left <= 0:
        content.warn("the text is too long; the last parts were not read")
        return ""
    data = payload(content.structure, part)
    if len(data) > _BYTES_PER_CHAR * left:
        content.warn("the text is too long and was cut")
        data = data[: _BYTES_PER_CHAR * left]
    label = part.params.get("charset", "")
    text, warning = charset.decode(data, _charset_of_html(data) if is_html and not label else label)
    if warning:
        content.warn(f"a text part {warning}")
    if "\r" in text:
        text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    if is_html:
        content.budget.html -= len(text)
        return text
    content.budget.text -= len(text)
    flowed = part.params.get("format", "").lower() == "flowed" and part.content_type == "text/plain"
    if flowed and text.count("\n") <= _FLOWED_LINES_MAX:
        text = unflow(text, delsp=part.params.get("delsp", "").lower() == "yes")
    return text


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s{0,4}=\s{0,4}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def _charset_of_html(data: bytes) -> str:
    found = _META_CHARSET.search(data[:4096])
    return found.group(1).decode("ascii") if found else ""


def unflow(text: str, *, delsp: bool = False) -> str:
    """Undo format=flowed (RFC 3676): join soft lines of one quote depth; the signature mark stays."""
    out: list[str] = []
    open_depth = -1  # of the paragraph being joined, else -1
    pieces: list[str] = []
    for line in text.split("\n"):
        depth = _FLOWED_QUOTE.match(line).end()  # type: ignore[union-attr]  # matches always
        rest = line[depth:]
        rest = rest.removeprefix(" ")
        signature = rest == "-- "
        if pieces and (depth != open_depth or signature):
            out.append("".join(pieces))
            pieces = []
        soft = rest.endswith(" ") and not signature
        if not pieces and depth:
            pieces.append(">" * depth + " ")
        pieces.append(rest[:-1] if soft and delsp else rest)
        if soft:
            open_depth = depth
        else:
            out.append("".join(pieces))
            pieces = []
    if pieces:
        out.append("".join(pieces))
    return "\n".join(out)


# ---- sorting the leaves ------------------------------------------------------------------------------------------


def _is_inline(part: Part, siblings: str) -> bool:
    """Whether a leaf is part of the body rather than an attachment (RFC 8621, `isInline`)."""
    if part.disposition == "attachment":
        return False
    media = part.content_type.startswith(_INLINE_MEDIA)
    if part.content_type not in {"text/plain", "text/html"} and not media:
        return False
    return part.position == 0 or (siblings != "multipart/related" and (media or not part.filename))


class _Sorter:
    """RFC 8621's `parseStructure`, level by level; it recurses as deep as the walker went."""

    def __init__(self, content: Content) -> None:
        self.content = content

    def level(self, parts: list[Part], siblings: str, texts: list[Part] | None, htmls: list[Part] | None) -> None:
        """Sort the parts of one multipart, whose type is `siblings`. None: nobody looks for that form here."""
        text_before = len(texts or ())
        html_before = len(htmls or ())
        alternative = siblings == "multipart/alternative"
        for part in parts:
            if part.is_multipart:
                self.level(part.children, part.content_type, texts, htmls)
            elif not _is_inline(part, siblings) or part.content_type.startswith(_INLINE_MEDIA):
                self.content.attached.append(part)
            elif alternative:
                self.choose(part, texts, htmls)
            else:
                if _within_alternative(part):
                    texts, htmls = (texts, None) if part.content_type == "text/plain" else (None, htmls)
                for wanted in (texts, htmls):
                    if wanted is not None:
                        wanted.append(part)
        if alternative and texts is not None and htmls is not None:
            if len(texts) == text_before:
                texts.extend(htmls[html_before:])
            elif len(htmls) == html_before:
                htmls.extend(texts[text_before:])

    def choose(self, part: Part, texts: list[Part] | None, htmls: list[Part] | None) -> None:
        """Put one form of an alternative where it is looked for."""
        wanted = texts if part.content_type == "text/plain" else htmls
        (self.content.attached if wanted is None else wanted).append(part)


def _within_alternative(part: Part) -> bool:
    above = part.parent
    while above is not None:
        if above.content_type == "multipart/alternative":
            return True
        above = above.parent
    return False


def read(structure: Structure, limits: Limits, nested: int = 0, budget: Budget | None = None) -> Content:
    """Sort a mail's leaves and read its text. `nested`: how many mails this one lies within."""
    content = Content(structure, limits, budget or Budget(limits))
    root = structure.root
    sorter = _Sorter(content)
    if root.is_multipart:
        sorter.level(root.children, root.content_type, content.text_parts, content.html_parts)
    else:
        sorter.level([root], "multipart/mixed", content.text_parts, content.html_parts)
    _read_text(content, nested)
    for part in content.attached:
        if part.content_type in _UNREADABLE:
            content.warn(_UNREADABLE[part.content_type])
    return content


def _read_html(content: Content, part: Part) -> html.Cleaned:
    """Clean an HTML leaf, within what is left of the mail's limits."""
    cleaned = html.read(text_of(content, part), content.limits, tags_max=content.budget.tags)
    content.budget.tags = max(0, content.budget.tags - cleaned.tags)
    for warning in cleaned.warnings:
        content.warn(warning)
    return cleaned


def _read_text(content: Content, nested: int) -> None:
    """Fill `full_text` and `html`, and `rescued` where they say nothing."""
    bodies = {part.index: part for part in (*content.text_parts, *content.html_parts)}
    plain = {key: text_of(content, part) for key, part in bodies.items() if part.content_type != "text/html"}
    rich = {key: _read_html(content, part) for key, part in bodies.items() if part.content_type == "text/html"}
    texts = [plain[part.index] if part.index in plain else rich[part.index].text for part in content.text_parts]
    full = texts[0] if len(texts) == 1 else "\n".join(text.strip("\n") for text in texts)
    source = content.text_parts[0].index if len(content.text_parts) == 1 else -1
    if rich:
        content.html = _join_html([(plain.get(part.index), rich.get(part.index)) for part in content.html_parts])
        only = [part.index for part in content.html_parts if part.index in rich]
        if len(full) <= _STUB_CHARS_MAX and (not full.strip() or _STUB.search(full)):
            words = "\n".join(rich[key].text for key in only)
            if len(words) > _STUB_TIMES_SHORTER * len(full.strip()):
                full, source = words, only[0] if len(only) == 1 else -1
    content.html_source = rich[source].source if source in rich else ""
    if len(full) > content.limits.text_chars_max:
        content.warn("the text is too long and was cut")
        full = full[: content.limits.text_chars_max]
    content.full_text = full
    if not full.strip():
        content.rescued = _other_words(content, nested)[: content.limits.text_chars_max]


def _join_html(parts: list[tuple[str | None, html.Cleaned | None]]) -> str:
    """All bodies as one piece of HTML: plain ones between them keep their lines."""
    return "\n".join(f"<pre>{escape(plain)}</pre>" if plain else rich.html if rich else "" for plain, rich in parts)


def _other_words(content: Content, nested: int) -> str:
    """Words for a mail whose bodies are empty, from wherever there are some."""
    for part in content.attached:
        if part.main_type == "multipart" and part.index == 0:
            content.warn("a multipart has no parts; it was read as text")
            return text_of(content, part)
        if part.main_type == "text" and part.disposition != "attachment" and part.content_type not in _NOT_WORDS:
            text = text_of(content, part)
            if part.content_type in {"text/enriched", "text/richtext"}:
                text = _ENRICHED_TAG.sub("", text)
            if text.strip():
                return text
    preamble = _preamble(content)
    if preamble:
        content.warn("the text stood before the first part")
        return preamble
    if nested < content.limits.nested_max:
        for part in [part for part in content.attached if part.content_type in _NESTED][:_NESTED_MAILS_MAX]:
            limits = content.limits
            inner = read(nested_structure(content.structure, part, limits), limits, nested + 1, content.budget)
            if inner.words.strip():
                content.warn("the mail itself has no text; this is the text of the mail attached to it")
                return inner.words
    return ""


def nested_structure(structure: Structure, part: Part, limits: Limits) -> Structure:
    """The structure of a mail that is a part of this one."""
    return walk(payload(structure, part), limits)


def _preamble(content: Content) -> str:
    root = content.structure.root
    if not root.is_multipart:
        return ""
    data = content.structure.raw[root.start : root.preamble_end][: content.limits.text_chars_max]
    text = charset.decode(data)[0].replace("\r\n", "\n").strip()
    return "" if len(text) < 400 and _MIME_NOTICE.search(text) else text  # noqa: PLR2004 - a notice is a sentence or two


# ---- attachments -------------------------------------------------------------------------------------------------


def filename_of(structure: Structure, part: Part) -> str:
    """A safe name; a mail without one is named after its subject."""
    name = part.filename
    if not name and part.content_type in _NESTED:
        block, _ = fields.read(payload(structure, part)[:_NAME_BYTES_MAX], 0, _NAME_LIMITS)
        subject = headers.text(block.get("subject"))
        name = f"{subject[:80]}.eml".replace("/", "-").replace("\\", "-") if subject else ""
    return names.safe_filename(name, part.content_type, part.index)


def attachment(structure: Structure, part: Part) -> Attachment:
    """Describe a leaf that is kept by reference."""
    data = payload(structure, part)
    inline = part.disposition == "inline" or bool(part.fields.get("content-id") and part.disposition != "attachment")
    return Attachment(
        filename=filename_of(structure, part),
        content_type=part.content_type,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        inline=inline,
        part=part.index,
        content_id=(headers.ids(part.fields.get("content-id"), 1) or ("",))[0],
    )
