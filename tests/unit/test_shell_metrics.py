"""Figures for whoever watches: counted once a commit, and none of them names a person."""

from __future__ import annotations

from prometheus_client import generate_latest

from router.shell.metrics import Metrics
from router.shell.notes import Internal, internal_entry
from tests.support.shell_scene import Stage, until, written


async def test_what_happens_is_counted() -> None:
    """Messages, deferrals, quarantines, decisions, refusals and records are counted by kind."""
    stage, metrics = Stage(), Metrics()
    stage.leader.listeners.append(metrics.committed)

    def value(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(name, labels) or 0.0

    async with stage.leading():
        contact = await stage.holding()
        slow = written("slow")
        stage.workers.held.add(slow)
        await stage.receive(slow)
        await stage.receive(b"no json")
        await stage.receive(written("news", sender="n@x.example", auto="list"))
        await until(lambda: value("usherd_deferred_total") == 1)
        stage.workers.release()
        await stage.act("ben", "resolve", contact=contact)
        assert (await stage.act("ana", "reply", contact=contact, text="Hi")).ok
        reply = stage.contacts[0].messages[-1].id
        note = Internal(what="delivery", message=reply, contact=contact, state="sent")
        await stage.reader.tell(internal_entry(note))
        await until(lambda: not stage.store.inbox)
        assert value("usherd_messages_total", channel="email", auto="none") == 2
        assert value("usherd_messages_total", channel="email", auto="list") == 1
        assert value("usherd_quarantined_total") == 1
        assert value("usherd_deliveries_total", state="sent") == 1
        assert value("usherd_decisions_total", decision="Refuse:not-yours") == 1
        assert value("usherd_decisions_total", decision="SendReply") == 1
        assert value("usherd_offer_seconds_count") == 2
        counted = sum(
            sample.value
            for family in metrics.registry.collect()
            for sample in family.samples
            if sample.name == "usherd_records_total"
        )
        assert counted == len(stage.store.rows)
    page = generate_latest(metrics.registry).decode()
    assert "customer.example" not in page
    assert "hello" not in page
