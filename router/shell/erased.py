"""The list of what was erased, beside the store: a store that is restored from a backup does not know of it.

One file in the data directory, names of keys only (hashes, no address). It must not be put back with a backup of the
rest: kept as it is, it has what reappears deleted again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from router.core.errors import ConfigError
from router.shell.store.server import write_private

NAME = "erased.json"

_NAMES = msgspec.json.Decoder(list[str])


class ErasedList:
    """Names of deleted keys, oldest first. All methods block for as long as a small file takes."""

    def __init__(self, data: Path) -> None:
        """In this data directory. Raises ConfigError if the file is there and cannot be read."""
        self._path = data / NAME
        try:
            self._names = dict.fromkeys(_NAMES.decode(self._path.read_bytes()))
        except FileNotFoundError:
            self._names = {}
        except (OSError, msgspec.DecodeError) as error:
            hint = "put a copy back: it says what may not come back from a backup; delete it if nobody was ever erased"
            raise ConfigError(f"{self._path} cannot be read ({type(error).__name__})", hint=hint) from None

    @property
    def names(self) -> list[str]:
        """All of them."""
        return list(self._names)

    def add(self, names: Iterable[str]) -> None:
        """Remember more, durably. Raises OSError."""
        new = [name for name in names if name not in self._names]
        if new:
            write_private(self._path, msgspec.json.encode([*self._names, *new]))
            self._names |= dict.fromkeys(new)
