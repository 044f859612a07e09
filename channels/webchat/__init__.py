"""Acknowledged after: the entry is on disk; only then the widget is told `stored` and shows a message as sent.

Visitors of web pages write here without an account. `entries` makes inbox entries of what they say, send and leave;
`normalise` reads an entry back as a `Message`; `extract` gives a file that a visitor sent. The same client id of the
same visitor with the same words is the same entry, so that a widget may send again whatever it is unsure about.

A visitor is `visitor:<id>`, an id nobody can guess. An e-mail address that a visitor types is only where the answer
goes: it proves nothing, and says so in the message's `warnings`.
"""

from __future__ import annotations

from channels.webchat.entries import Entries, address_of
from channels.webchat.files import safe_name
from channels.webchat.normal import extract, normalise

__all__ = ["Entries", "address_of", "extract", "normalise", "safe_name"]
