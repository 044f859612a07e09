"""E-mail addresses as agents type them."""

from __future__ import annotations

import re

ADDRESS_CHARACTERS_MAX = 254  # RFC 5321
_ADDRESS = re.compile(r"[^\s@<>,;:()\"\\\[\]]{1,64}@[^\s@<>,;:()\"\\\[\]]+\.[^\s@<>,;:()\"\\\[\].]{2,63}")


def address_of(text: str) -> str | None:
    """The one plain address in `text`, in small letters, or None when it is none that a mail could go to."""
    found = text.strip()
    if len(found) > ADDRESS_CHARACTERS_MAX or not found.isprintable() or not _ADDRESS.fullmatch(found):
        return None
    return found.lower()
