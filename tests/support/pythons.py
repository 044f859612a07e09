"""Other Pythons that have to agree with this one on what the engine decides."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).resolve().parents[2] / ".venv" / "other"  # made by .ci/other-pythons


def others() -> list[str]:
    """The interpreters that `USHERD_PYTHONS` names, with msgspec and numpy, and those made by `make test-deps`."""
    made = sorted(str(done.parent / "bin" / "python") for done in ENVIRONMENTS.glob("*/.installed"))
    return [*os.environ.get("USHERD_PYTHONS", "").split(), *made]


def runs() -> list[tuple[str, str]]:
    """Interpreter and hash seed of each process that has to agree: this Python with two seeds, and each other one."""
    return [(sys.executable, "0"), (sys.executable, "4242"), *((other, "7") for other in others())]
