"""The demo's auditor: what it counts as wrong or lost, and what is only under way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from router.app.daemon import Daemon
from router.app.demo_audit import Audit
from router.core import events as e
from router.shell.follower import Applied
from router.shell.journal import Drafted
from router.shell.understanding import Prepared
from tests.support.engine_scene import ANA, Scene, agent, desk, pushing


class Sent:
    """A sender of messages that were acknowledged."""

    def __init__(self, *messages: str) -> None:
        self.sent = dict.fromkeys(messages, "somebody")


class Watched:
    """A scene and its auditor. What is told by `commit` were one batch: the auditor sees the state after all of it."""

    def __init__(self, scene: Scene, kinds: int = 1) -> None:
        self.scene = scene
        self.batch: list[Applied] = []
        apply = scene.apply

        def noted(event: e.Event) -> Any:  # noqa: ANN401  # what the scene gives
            given = apply(event)
            draft = Drafted(scene.engine.state.n, event, scene.last, "v1", "0-0")
            self.batch.append(Applied(Prepared(event=event), draft))
            return given

        scene.apply = noted  # type: ignore[method-assign]
        members = {
            name: SimpleNamespace(skills=one.skills, kinds={"email": kinds}, units=None)
            for name, one in scene.engine.state.workspace.agents.items()
        }
        leader = SimpleNamespace(engine=scene.engine, listeners=[])
        parts = SimpleNamespace(
            leader=leader, config=SimpleNamespace(agents=members), live=SimpleNamespace(utilisation=lambda _: 0)
        )
        self.audit = Audit(cast("Daemon", parts))

    def commit(self) -> None:
        """Tell the auditor what has happened since."""
        batch, self.batch = self.batch, []
        self.audit.committed(batch)


def test_what_wakes_up_in_the_same_batch_is_no_contact_too_many() -> None:
    """Given within the limit, and over it only by a customer who wrote again after that, in one batch or two."""
    scene = Scene(pushing(agent("ana", skills={"refunds": 4}, capacity={"email": 1})))
    watched = Watched(scene)
    first = scene.mail("p1")
    scene.reply(first)
    watched.commit()
    second = scene.mail("p2")
    scene.mail("p1", thread=first)
    assert {scene.contact(name).agent for name in (first, second)} == {"ana"}
    watched.commit()
    figures, ok = watched.audit.verdict(over=True)
    assert (figures.capacity_violations, figures.contacts, figures.assigned, ok) == (0, 2, 2, True)


def test_an_offer_is_accepted_within_the_limit_that_it_was_made_in() -> None:
    """Though by then another contact of the agent's has woken up."""
    scene = Scene(desk(agent("ana", skills={"refunds": 4}, capacity={"email": 1})))
    watched = Watched(scene)
    first = scene.mail("p1")
    scene.accept(first)
    scene.reply(first)
    second = scene.mail("p2")
    watched.commit()
    scene.mail("p1", thread=first)
    watched.commit()
    scene.accept(second)
    watched.commit()
    assert watched.audit.verdict(over=True)[0].capacity_violations == 0


@pytest.mark.parametrize("mails", [1, 2])
def test_more_than_somebody_may_hold_is_counted(mails: int) -> None:
    """By what the workspace says, whatever the engine thinks."""
    watched = Watched(Scene(pushing(ANA)), kinds=1)
    for number in range(mails):
        watched.scene.mail(f"p{number}")
    watched.commit()
    figures, ok = watched.audit.verdict(over=True)
    assert (figures.capacity_violations > 0, ok) == (mails > 1, mails == 1)


def test_who_ends_it_in_the_middle_loses_nothing() -> None:
    """Mail that is not read yet and contacts that wait are missing only where it was to be over."""
    scene = Scene(desk(ANA), away=("ana",))
    watched = Watched(scene)
    scene.mail("p1")
    watched.commit()
    scene.seq += 1
    read = scene.engine.state.inbox
    watched.audit.watch(Sent(read, f"{scene.at}-{scene.seq}"))
    figures, ok = watched.audit.verdict(over=False)
    assert (figures.lost, figures.assigned, figures.contacts, ok) == (0, 0, 1, True)
    figures, ok = watched.audit.verdict(over=True)
    assert (figures.lost, ok) == (1, False)
    watched.audit.watch(Sent(f"{scene.at}-0"))  # it was read, and is nowhere
    assert watched.audit.verdict(over=False)[1] is False
