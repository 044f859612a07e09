"""Another user of this machine, who looks into the data directory."""

from __future__ import annotations

import stat
from pathlib import Path

from router.shell.store.embedded import EmbeddedStore


async def test_what_the_store_writes_is_for_its_user_alone(tmp_path: Path) -> None:
    """Even in a directory that everybody may enter, nobody else can read the log of writes, which has the keys."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    embedded = EmbeddedStore(data)
    await embedded.start()
    try:
        store = await embedded.open("acme", blobs=data / "blobs")
        await store.secret()
        await store.close()
        written = [path for path in data.rglob("*") if "appendonlydir" in path.parts and path.is_file()]
        open_to_others = [path.name for path in written if stat.S_IMODE(path.stat().st_mode) & 0o077]
        assert written
        assert not open_to_others
    finally:
        await embedded.stop()
