"""`python -m router` is the command `usherd`."""

from __future__ import annotations

from router.cli import main

main()
