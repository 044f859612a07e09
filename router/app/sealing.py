"""The keys that sign mail, as the workspace in force names them; a file that was exchanged is read anew by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from channels.email.signing import SigningKey
from skills.dkim_model import Dkim, private, usable
from skills.model import WorkspaceConfig

log = structlog.get_logger()
_Look = tuple[int, int, int]


class Seals:
    """Which key signs mail from an address. A file that became unusable leaves the last good key in force."""

    def __init__(self, config: Callable[[], WorkspaceConfig]) -> None:
        self._config = config
        self._known: dict[Path, tuple[_Look, str]] = {}  # by file: how it looked, and the key
        self._broken: dict[Path, str] = {}

    def key(self, address: str) -> SigningKey | None:
        """The first of the workspace's that is for mail from this address."""
        found = next((one for one in self._keys() if one.signs(address)), None)
        if found is None:
            return None
        return SigningKey(domain=found.domain, selector=found.selector, pem=self._pem(found).encode())

    def problems(self) -> list[str]:
        """What an admin should know."""
        named = {one.key.path for one in self._keys()}
        broken = {path: why for path, why in self._broken.items() if path in named}
        return [f"the DKIM key {path} is not usable, the one before signs: it {why}" for path, why in broken.items()]

    def _keys(self) -> tuple[Dkim, ...]:
        email = self._config().channels.email
        return email.send.dkim if email is not None and email.send is not None else ()

    def _pem(self, one: Dkim) -> str:
        path = one.key.path
        if path is None:
            return one.key.reveal()
        before = self._known.get(path, ((0, 0, 0), one.key.reveal()))
        try:
            about = path.stat()
            look = (about.st_mtime_ns, about.st_size, about.st_ino)
            if look != before[0]:
                before = self._known[path] = (look, usable(private(path, path.read_text("utf-8").strip())))
            self._broken.pop(path, None)
        except (OSError, ValueError) as error:
            why = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
            if self._broken.get(path) != why:
                log.error("dkim_key_not_usable", file=str(path), why=why)  # noqa: TRY400 (no traceback)
            self._broken[path] = why
        return before[1]
