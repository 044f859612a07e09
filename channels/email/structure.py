"""Where the parts of a mail begin and end: a boundary walker of our own.

The standard library's parser needs quadratic time or unbounded recursion on crafted mail, so the structure is read
here: one pass over the lines that begin with two dashes, each compared with the open boundaries by one look-up.
Parts are offsets into the raw mail; nothing is copied or decoded. The content model is that of RFC 2046.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from channels.email import fields, headers
from channels.email.fields import Fields
from channels.email.limits import Limits

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+*-]{1,100}")
_FIRST_DASHES = re.compile(rb"(?:\A|\n)--([^\s][^\r\n]{0,199}?)[ \t]*\r?\n")
_BOUNDARY_MAX = 256  # RFC 2046 says 70


@dataclass(slots=True)
class Part:
    """One node: `start` to `end` is its content as received (a multipart's: with its parts and boundary lines)."""

    index: int  # in a depth-first walk of the whole mail, the mail itself being 0
    fields: Fields
    start: int
    end: int = 0
    content_type: str = "text/plain"
    params: dict[str, str] = field(default_factory=dict)
    disposition: str = ""
    filename: str = ""
    encoding: str = ""
    parent: Part | None = None
    depth: int = 0
    position: int = 0  # among its siblings
    children: list[Part] = field(default_factory=list)
    boundary: bytes = b""
    preamble_end: int = 0
    truncated: bool = False

    @property
    def is_multipart(self) -> bool:
        """Whether it was read as a container; a multipart in which no boundary was found is not."""
        return bool(self.children)

    @property
    def main_type(self) -> str:
        """`text` of `text/plain`."""
        return self.content_type.partition("/")[0]


@dataclass(slots=True)
class Structure:
    """A mail's parts in depth-first order, the mail itself first."""

    raw: bytes
    parts: list[Part]
    warnings: list[str]

    @property
    def root(self) -> Part:
        """The mail itself."""
        return self.parts[0]


def content_type_of(block: Fields, default: str) -> tuple[str, dict[str, str]]:
    """Type and parameters of a part; what is no type at all is taken for the default."""
    raw = block.get("content-type")
    if not raw:
        return default, {}
    name, params = headers.params(raw)
    name = "".join(name.split())
    if name in {"text", "plain", "html"}:
        return ("text/html" if name == "html" else "text/plain"), params
    if name == "multipart" and "boundary" in params:
        return "multipart/mixed", params
    return (name if _TYPE.fullmatch(name) else default), params


class _Walker:
    """Walks one mail. `open_parts` are the containers from the mail down to the innermost one being read."""

    def __init__(self, raw: bytes, limits: Limits) -> None:
        self.raw = raw
        self.limits = limits
        self.parts: list[Part] = []
        self.warnings: list[str] = []
        self.open_parts: list[Part] = []
        self.levels: dict[bytes, list[int]] = {}  # boundary → levels at which it is open, the innermost last
        self.cut_short: set[bytes] = set()  # boundaries of containers that ended before their first part
        self.leaf: Part | None = None
        self.headers_left = limits.headers_bytes_max

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def begin(self, position: int) -> int:
        """Read the header of a new part and open it; give the offset from which boundaries are looked for."""
        parent = self.open_parts[-1] if self.open_parts else None
        if self.headers_left > 0:
            block, body = fields.read(self.raw, position, self.limits)
        else:
            self.warn("the headers of all parts together are too long; some were not read")
            block, body = Fields(), fields.skip_to_body(self.raw, position)
        self.headers_left -= body - position
        for note in block.notes:
            self.warn(note)
        default = "message/rfc822" if parent and parent.content_type == "multipart/digest" else "text/plain"
        name, params = content_type_of(block, default)
        part = Part(
            index=len(self.parts), fields=block, start=body, end=len(self.raw), content_type=name, params=params,
            encoding=_encoding(block), parent=parent, depth=parent.depth + 1 if parent else 0,
            position=len(parent.children) if parent else 0,
        )  # fmt: skip
        disposition, more = (
            headers.params(block.get("content-disposition")) if "content-disposition" in block.first else ("", {})
        )
        part.disposition = disposition
        part.filename = more.get("filename") or params.get("name") or more.get("name") or params.get("filename") or ""
        if parent:
            parent.children.append(part)
        self.parts.append(part)
        if not (name.startswith("multipart/") and self.open(part)):
            self.leaf = part
        return body

    def open(self, part: Part) -> bool:
        """Make a multipart the innermost container, if it has a boundary and is not too deep."""
        if part.depth >= self.limits.depth_max:
            self.warn("parts are nested too deep; the innermost are kept as an attachment")
            return False
        boundary = part.params.get("boundary", "").rstrip().encode("utf-8", "surrogateescape")[:_BOUNDARY_MAX]
        if not boundary:
            found = _FIRST_DASHES.search(self.raw, max(part.start - 1, 0), part.start + 4096)
            if found is None:
                return False
            boundary = found.group(1)
            self.warn("a multipart names no boundary; it was guessed")
        part.boundary = boundary
        part.preamble_end = len(self.raw)
        self.levels.setdefault(boundary, []).append(len(self.open_parts))
        self.open_parts.append(part)
        self.leaf = None
        return True

    def close_down_to(self, level: int, end: int) -> None:
        """End the part being read and every container deeper than `level`."""
        if self.leaf is not None:
            self.leaf.end = max(end, self.leaf.start)
            self.leaf = None
        while len(self.open_parts) > level:
            part = self.open_parts.pop()
            part.end = max(end, part.start)
            part.preamble_end = min(part.preamble_end, part.end)
            if not part.children:
                self.cut_short.add(part.boundary)
            self.levels[part.boundary].pop()
            if not self.levels[part.boundary]:
                del self.levels[part.boundary]

    def level_of(self, line: bytes) -> tuple[int, bool]:
        """The level whose boundary this line is, or -1, and whether it is the closing one.

        A boundary that comes after its container was ended by another one still parts what it stands between.
        """
        known = self.levels.get(line)
        if known:
            return known[-1], False
        if line.endswith(b"--"):
            known = self.levels.get(line[:-2])
            if known:
                return known[-1], True
        return (len(self.open_parts) - 1 if line in self.cut_short else -1), False

    def end_of_last(self) -> int:
        """Where the last part ends: some programs put no line end before the closing boundary."""
        tail = self.raw[-2 * _BOUNDARY_MAX :].rstrip(b" \t\r\n")
        for part in reversed(self.open_parts):
            closing = b"--" + part.boundary + b"--"
            if part.boundary and tail.endswith(closing):
                return len(self.raw.rstrip(b" \t\r\n")) - len(closing)
        return len(self.raw)

    def run(self) -> Structure:
        """Walk the mail from its first byte to its last."""
        raw, limits = self.raw, self.limits
        size = len(raw)
        position = max(self.begin(0) - 1, 0)
        looks = 0
        while self.open_parts:
            mark = raw.find(b"\n--", position)
            if mark < 0:
                break
            looks += 1
            if looks > limits.delimiter_lines_max:
                self.warn("too many lines look like boundaries; the rest is kept in one piece")
                break
            newline = raw.find(b"\n", mark + 3)
            stop = size if newline < 0 else newline
            position = stop
            if stop - mark > _BOUNDARY_MAX + 64:
                continue
            level, closing = self.level_of(raw[mark + 3 : stop].rstrip(b" \t\r"))
            if level < 0:
                continue
            end = mark - 1 if raw[mark - 1 : mark] == b"\r" else mark
            container = self.open_parts[level]
            if not container.children:
                container.preamble_end = min(container.preamble_end, max(end, container.start))
            self.close_down_to(level if closing else level + 1, end)
            if closing:
                continue
            following = min(stop + 1, size)
            if len(self.parts) >= limits.parts_max:
                self.warn("the mail has too many parts; the last one holds the rest")
                self.begin(following)
                break
            position = max(self.begin(following) - 1, stop)
        self.close_down_to(0, self.end_of_last())
        return Structure(raw, self.parts, self.warnings)


def _encoding(block: Fields) -> str:
    """Content-Transfer-Encoding, as one of base64, quoted-printable, uuencode or nothing."""
    raw = block.get("content-transfer-encoding")
    if not raw:
        return ""
    name = raw[:100].decode("latin-1").strip().strip("\"';").lower().replace("_", "-")
    if name.startswith(("base64", "base-64", "b64")):
        return "base64"
    if name.startswith(("quoted", "qp")):
        return "quoted-printable"
    if "uue" in name:
        return "uuencode"
    return ""


def walk(raw: bytes, limits: Limits) -> Structure:
    """Read a mail's structure. Linear in its size; bounded in parts and depth; never raises.

    A mail whose lines end in CR alone is read as if they ended in LF.
    """
    if b"\n" not in raw[:65536] and b"\r" in raw[:65536] and b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    return _Walker(raw, limits).run()
