"""What supervisors ask of the running daemon: status, explanations, the quarantine."""

from __future__ import annotations

from typing import Any

import pytest

from router.shell.ops import RAW_CHARACTERS_SHOWN_MAX, Ops
from tests.support.shell_scene import Stage, until, written


@pytest.fixture
def stage() -> Stage:
    """One node."""
    return Stage()


class Numbers:
    """Gauges that count how often something was measured."""

    def __init__(self) -> None:
        self.measured = 0

    async def measure(self) -> None:
        """Once more."""
        self.measured += 1

    def __call__(self) -> dict[str, object]:
        """What is shown."""
        return {"inbox_lag": self.measured, "problems": ["the disk is nearly full"]}


@pytest.fixture
def ops(stage: Stage) -> Ops:
    """Its operations."""
    return Ops(
        store=stage.store,
        leader=stage.leader,
        vault=stage.vault,
        tell=stage.reader.tell,
        gauges=Numbers(),
        node="n1",
    )


async def test_status_says_who_leads_and_what_is_wrong(stage: Stage, ops: Ops) -> None:
    """Status names node, leader, epoch and the end of the journal, and measures as often as somebody asks."""
    assert (await ops.measured())["leader"] is None
    async with stage.leading():
        found = await ops.measured()
        assert (found["node"], found["leader"], found["epoch"], found["config"]) == ("n1", "n1", 1, "v1")
        assert found["journal"] == {"records": len(stage.store.rows), "last": stage.store.rows[-1][0], "losses": []}
        assert (found["inbox_lag"], found["problems"]) == (2, ["the disk is nearly full"])
    assert ops.status()["leader"] is None
    assert ops.status()["inbox_lag"] == 2


async def test_explain_names_the_record_that_decided(stage: Stage, ops: Ops) -> None:
    """An offered contact is explained by the record of its offer: to whom, among whom, when."""
    async with stage.leading():
        await stage.act("ana", "status", status="available")
        await stage.act("ben", "status", status="available")
        message = await stage.receive(written())
        contact = await until(lambda: stage.contact_of(message))
        await until(lambda: stage.leader.journal.n >= contact.decided_at)
        found: dict[str, Any] = await ops.explain(contact.id, full=False)
        assert (found["decision"], found["record"]) == ("offer", contact.decided_at)
        assert found["agent"] == contact.offer.agent
        assert found["candidates"][0]["agent"] == contact.offer.agent
        full: dict[str, Any] = await ops.explain(contact.id, full=True)
        assert {one["agent"] for one in full["candidates"]} == {"ana", "ben"}


async def test_explain_says_what_is_expected_and_how_the_customer_sounds(stage: Stage, ops: Ops) -> None:
    """What the model says of its words stands in its explanation, in seconds; without that, only what is usual."""
    async with stage.leading():
        message = await stage.receive(written())
        contact = await until(lambda: stage.contact_of(message))
        usual: dict[str, Any] = await ops.explain(contact.id, full=False)
        assert (usual["moods"], usual["effort_seconds"]["spread"]) == ([], None)
        contact.likely, contact.moods = (20_000, 5_000, 30_000), ("angry",)
        found: dict[str, Any] = await ops.explain(contact.id, full=False)
        expected = usual["effort_seconds"]["expected"]
        assert found["moods"] == ["angry"]
        assert found["effort_seconds"] == {"expected": 2 * expected, "spread": [expected // 2, 3 * expected]}


async def test_explain_says_why_a_contact_waits(stage: Stage, ops: Ops) -> None:
    """A contact that nobody can take is explained by what rules the agents out."""
    async with stage.leading():
        message = await stage.receive(written())
        contact = await until(lambda: stage.contact_of(message))
        await until(lambda: stage.leader.journal.n >= contact.decided_at)
        found = await ops.explain(contact.id, full=True)
        assert (found["decision"], found["agent"]) == ("wait", None)
        assert found["ruled_out"]
        assert found["ahead"] == 0
        assert {one["change"] for one in found["would_have"]} == {"presence"}  # type: ignore[attr-defined]
        assert next(one["why"] for one in found["could"]) == "is offline"  # type: ignore[attr-defined]
        with pytest.raises(KeyError):
            await ops.explain("c99", full=False)


async def test_a_decision_not_yet_journaled_is_explained_from_the_engine(stage: Stage, ops: Ops) -> None:
    """While the append that decided is still on its way a contact is explained as things stand, not unknown."""
    async with stage.leading():
        message = await stage.receive(written())
        contact = await until(lambda: stage.contact_of(message))
        await until(lambda: not stage.store.inbox)
        contact.decided_at = stage.leader.journal.n + 1
        found = await ops.explain(contact.id, full=False)
        assert (found["contact"], found["record"]) == (contact.id, None)


async def test_the_quarantine_lists_shows_and_queues(stage: Stage, ops: Ops) -> None:
    """What could not be read is listed with reason and contact, shown as received, and queued to be read again."""
    async with stage.leading():
        raw = b"\xff\x00 no json " + b"x" * RAW_CHARACTERS_SHOWN_MAX
        message = await stage.receive(raw)
        await until(lambda: message in stage.leader.engine.state.quarantined and not stage.store.inbox)
        listed: dict[str, Any] = await ops.quarantine()
        [item] = listed["quarantine"]
        contact = stage.contacts[0].id
        assert (item["id"], item["contact"], item["reason"]) == (message, contact, "it is no JSON message")
        shown = await ops.quarantine(message)
        assert (shown["contact"], shown["size"]) == (contact, len(raw))
        assert str(shown["raw"]).startswith("\\xff\x00 no json")
        assert len(str(shown["raw"])) <= RAW_CHARACTERS_SHOWN_MAX + 3
        for _ in range(2):  # asked for twice it is read twice
            stage.workers.asked.clear()
            assert await ops.retry(message) == {"id": message, "contact": contact, "queued": True}
            await until(lambda: len(stage.workers.asked) == 1)


@pytest.mark.parametrize("what", ["quarantine", "retry"])
async def test_what_is_not_in_quarantine_is_unknown(stage: Stage, ops: Ops, what: str) -> None:
    """An ordinary message, or none at all, cannot be shown or retried."""
    async with stage.leading():
        message = await stage.receive(written())
        await until(lambda: stage.contact_of(message))
        for name in (message, "9-9"):
            with pytest.raises(KeyError):
                await getattr(ops, what)(name)
