"""What a node acknowledged last is noted outside the store, and missed at the next start if the store lacks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.shell.acknowledged import NAME, Acknowledged
from tests.support.stores import entry, opened


class Told:
    """A store that says so much of its inbox."""

    def __init__(self, acknowledged: str = "", last: str | None = "0-0") -> None:
        self.acknowledged = acknowledged
        self._last = last

    async def inbox_last(self) -> str | None:
        """The newest entry."""
        return self._last


@pytest.mark.parametrize(("last", "lost"), [("1000-2", False), ("1000-3", False), ("999-9", True), (None, False)])
async def test_a_store_that_ends_before_what_was_acknowledged_is_told_of(
    tmp_path: Path, last: str | None, *, lost: bool
) -> None:
    """An older inbox is a problem that names both ends; the same, a newer, or one that is not told of is none."""
    before = Acknowledged(tmp_path, Told("1000-2"))
    await before.note()
    assert (tmp_path / NAME).read_text() == "1000-2\n"
    found = Acknowledged(tmp_path, Told(last=last))
    await found.check()
    assert [problem[:26] for problem in found.problems()] == ["messages up to 1000-2 were"] * lost


@pytest.mark.parametrize("text", [None, "", "nonsense\n"])
async def test_a_note_that_is_not_there_says_nothing(tmp_path: Path, text: str | None) -> None:
    """A first start and a broken note are no loss."""
    if text is not None:
        (tmp_path / NAME).write_text(text)
    found = Acknowledged(tmp_path, Told())
    await found.check()
    assert found.problems() == []


async def test_the_store_tells_what_it_acknowledged_and_where_its_inbox_ends(tmp_path: Path) -> None:
    """New entries count, duplicates do not; the end stays when entries are deleted."""
    async with opened(tmp_path) as store:
        assert (store.acknowledged, await store.inbox_last()) == ("", "0-0")
        (first,) = await store.inbox_append([entry("a")])
        (second,) = await store.inbox_append([entry("b")])
        await store.inbox_append([entry("a")])
        await store.inbox_delete([first.id, second.id])
        assert store.acknowledged == second.id == await store.inbox_last()
        found = Acknowledged(tmp_path, store)
        await found.note()
        await found.check()
        assert found.problems() == []
