"""Messages are kept for as long as the workspace says, and as long as somebody may still look at them."""

from __future__ import annotations

from router.shell.keeping import Keeper
from router.shell.vault import message_blob, raw_blob
from tests.support.shell_scene import Stage, until, written

DAY = 86_400_000


def keeper(stage: Stage, *, days: int | None = 30, later: int = 0) -> Keeper:
    """The rule on a stage, so many ms after the last record."""
    return Keeper(
        stage.store,
        stage.vault,
        stage.leader,
        past=lambda: stage.store,
        keep=lambda: None if days is None else days * DAY,
        now=lambda: stage.leader.engine.state.at + later,
    )


def kept(stage: Stage, message: str) -> bool:
    """Whether anything of a message is there."""
    return any(name(message) in stage.store.blobs for name in (message_blob, raw_blob))


async def test_what_is_old_and_in_no_contact_goes_and_the_rest_stays() -> None:
    """A message goes when its contact has left and its time is over, also when it was walked by before that."""
    stage = Stage()
    async with stage.leading():
        ids = [await stage.receive(written(f"m{number}", f"c{number}@x.example")) for number in range(4)]
        await until(lambda: len(stage.contacts) == 4)
        contacts = stage.leader.engine.state.contacts
        place = {ref.id: contact.id for contact in contacts.values() for ref in contact.messages}
        left = contacts.pop(place[ids[0]])
        assert await keeper(stage, days=None, later=99 * DAY).look() == 0
        await keeper(stage, later=DAY).look()
        assert all(kept(stage, one) for one in ids)
        await keeper(stage, later=31 * DAY).look()
        assert [kept(stage, one) for one in ids] == [False, True, True, True]
        also = contacts.pop(place[ids[2]])
        await keeper(stage, later=31 * DAY).look()
        assert [kept(stage, one) for one in ids] == [False, True, False, True]
        later = await stage.receive(written("m9", "c9@x.example"))
        await until(lambda: len(stage.contacts) == 3)
        await keeper(stage, later=29 * DAY).look()
        assert kept(stage, later)
        contacts |= {left.id: left, also.id: also}
