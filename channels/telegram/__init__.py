"""Acknowledged after: the update and the files in it are on disk.

With long polling that is the offset, which moves only over updates whose `append` has returned; with a webhook it is
the `200`. The same update of the same bot is the same entry, whichever way it came: known by its number, never by a
high-water mark.

Customers write to a bot: in private, or in a group if they name it or answer it. `model` is what of the Bot API is
read, `albums` puts the items of an album together, `entries` makes inbox entries, `normal` reads them back, `files`
fetches what was sent, `receive` polls or is called, `send` answers; `api` is the only module that knows the library.

A writer is `telegram:<user id>`, a place to answer to `telegram:<chat id>` or `telegram:<chat id>/<thread id>`.
"""

from __future__ import annotations

from channels.telegram.normal import extract, normalise
from channels.telegram.packing import TELEGRAM

__all__ = ["TELEGRAM", "extract", "normalise"]
