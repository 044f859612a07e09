"""The widget as one script: its sources joined, wrapped so that the page sees nothing of it, and zipped once.

Comments and indentation are left out; a source therefore has no text over several lines to which either would matter.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import msgspec

STATIC = Path(__file__).parent / "static" / "chat"
SOURCES = ("texts.js", "style.js", "keep.js", "line.js", "thread.js", "widget.js")


class Widget(msgspec.Struct, frozen=True, kw_only=True):
    """The script: as it is, zipped, and the tag that tells its versions apart."""

    plain: bytes
    zipped: bytes
    etag: str


def assemble() -> Widget:
    """Join the sources, in order: each sees what those before it define."""
    sources = ((STATIC / "widget" / name).read_text("utf-8") for name in SOURCES)
    lines = (line.strip() for source in sources for line in source.splitlines())
    kept = [line for line in lines if line and not line.startswith("//")]
    plain = "\n".join(['(() => {\n"use strict";', *kept, "})();\n"]).encode()
    digest = hashlib.sha256(plain).hexdigest()[:20]
    return Widget(plain=plain, zipped=gzip.compress(plain, 9, mtime=0), etag=f'"{digest}"')
