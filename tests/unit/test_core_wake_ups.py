"""Room for contacts that wait on their customer, or sleep, and may come back all at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.core.state import Contact
from tests.support.engine_scene import Scene, agent, pushing


def parked(scene: Scene, number: int, **more: object) -> None:
    """So many contacts that the agent answered, and that wait on their customers."""
    for _ in range(number):
        scene.reply(scene.mail(f"p{scene.seq}", **more))  # type: ignore[arg-type]


def owned(scene: Scene) -> list[Contact]:
    """Contacts with an owner."""
    return [contact for contact in scene.engine.state.contacts.values() if contact.agent is not None]


def test_what_waits_on_its_customer_costs_a_part_of_its_place() -> None:
    """At half the cost, two that are parked take the place of one of three."""
    scene = Scene(pushing(agent("ana", skills={"refunds": 2}, capacity={"email": 3}), parked_cost=5_000))
    parked(scene, 2)
    for number in range(3):
        scene.mail(f"q{number}")
    assert len(owned(scene)) == 4
    scene.resolve("c1")
    assert len(owned(scene)) == 4  # one half parked is still one place less
    scene.resolve("c2")
    assert len(scene.engine.state.agents["ana"].held) == 3


def test_units_count_for_wake_ups_too() -> None:
    """Two messages of two units, parked at full cost, leave one of five units: a mail's."""
    workspace = pushing(
        agent("ana", skills={"refunds": 2}, capacity={"email": 9, "messaging": 9}, units=5),
        unit_costs={"messaging": 2}, parked_cost=10_000,
    )  # fmt: skip
    scene = Scene(workspace)
    parked(scene, 1, channel="telegram", kind="messaging")
    scene.reply(scene.mail("x", channel="telegram", kind="messaging"))
    scene.mail("q1")
    scene.mail("q2")
    assert [contact.agent for contact in scene.engine.state.contacts.values()] == ["ana", "ana", "ana", None]


@given(st.lists(st.sampled_from(["mail", "reply", "wake"]), max_size=40), st.integers(0, 3))
def test_wake_ups_never_go_over_the_limit_by_more_than_the_margin(steps: list[str], margin: int) -> None:
    """Whatever comes back, all at once if need be, stays with its owner, over the limit by the margin at most."""
    scene = Scene(pushing(agent("ana", skills={"refunds": 2}, capacity={"email": 2}), wake_margin=margin))
    state = scene.engine.state
    for step in [*steps, *["wake"] * 40]:
        mine = state.agents["ana"]
        if step == "mail":
            scene.mail(f"p{scene.seq}")
        elif step == "reply" and mine.held:
            scene.reply(next(iter(mine.held)))
        elif step == "wake" and mine.parked:
            contact = state.contacts[next(iter(mine.parked))]
            scene.mail(contact.participants[0], thread=contact.id)
            assert contact.agent == "ana"
        assert len(mine.held) <= 2 + margin
        assert len(mine.held) + len(mine.parked) <= 2 + margin
