"""Acknowledged after: the entry is on disk; the web server then answers `202`.

Any source may feed messages in as JSON, `POST /v1/messages`: gateways for SMS, forms, scripts. `HttpMessage` is the
model with its limits, `entry` makes an inbox entry of one, `normalise` reads it back as a `Message`. The same
`Idempotency-Key` of the same account with the same message is the same entry; with another message it is a conflict.
"""

from __future__ import annotations

from channels.http.model import HttpAddress, HttpMessage
from channels.http.normal import entry, normalise

__all__ = ["HttpAddress", "HttpMessage", "entry", "normalise"]
