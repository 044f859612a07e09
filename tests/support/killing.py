"""Ending one process at once, and never more than one."""

from __future__ import annotations

import os
import signal


def kill(pid: int) -> None:
    """SIGKILL to one process. Raises ProcessLookupError if there is none: pid 0 would be the tests' own group."""
    if pid <= 0:
        raise ProcessLookupError(f"{pid} is not a process")
    os.kill(pid, signal.SIGKILL)
