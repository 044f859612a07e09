"""A normaliser that does as its input says. Importable, since worker processes call it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from router.core.errors import PoisonError
from router.core.message import Address, Message

KEPT: list[bytes] = []


def obey(raw: bytes, meta: bytes) -> Message:  # noqa: C901, PLR0912  # a line for each way to misbehave
    """Hang, eat memory, die, raise; anything else is the text of a message."""
    match raw.partition(b"\n")[0]:
        case b"hang":
            time.sleep(3_600)
        case b"hang and ignore":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(3_600)
        case b"spin":
            while True:
                pass
        case b"eat":
            while True:
                KEPT.append(bytes(64 << 20))
        case b"die":
            os._exit(3)
        case b"kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"raise":
            raise RuntimeError("the secret words of a customer")
        case b"recurse":
            return obey(raw, meta)
        case b"poison":
            raise PoisonError("it is too deep")
        case b"exit":
            raise SystemExit(1)
        case b"nap":
            time.sleep(0.2)
        case b"touch":
            Path(meta.decode()).touch()
        case b"unpicklable":
            return Message(channel="email", from_=Address(address=""), subject=lambda: None)  # type: ignore[arg-type]
        case _:
            pass
    return Message(
        channel="email", from_=Address(address="ada@x.example"), text=raw[:200].decode(), message_id=str(os.getpid())
    )
