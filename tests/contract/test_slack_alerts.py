"""Alerts, reminders and digests in Slack: one message a matter, in time, to those whom it concerns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
import pytest_asyncio

from channels.slack import alerts, digests, nudges, work
from channels.slack.api import Api, Refusal
from channels.slack.ports import Wishes
from router.core import events
from router.core.state import Contact, Incident
from router.core.values import Role, Sla
from router.sim.slack import Message
from tests.fakes.desk_parts import MINUTE
from tests.support.slack_house import SlackHouse, slack_house

HOUR = 60 * MINUTE
DAY = 24 * HOUR
NEVER = "24:00"  # a digest among the alerts would be counted with them


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[SlackHouse]:
    """Promised are eight hours; who looks now and then looks all the time; Eva supervises, with a channel."""
    with (
        patch.object(alerts, "LOOK_MS", 0),
        patch.object(alerts, "SHOW_MS", 0),
        patch.object(nudges, "LOOK_MS", 0),
        patch.object(digests, "LOOK_MS", 0),
        patch.object(digests, "KEEP_MS", 0),
    ):
        async with slack_house() as made:
            promised(made, 8 * HOUR)
            made.wishes = Wishes(supervisors_channel=made.lead.id, digest_at=NEVER)
            yield made


def promised(desk: SlackHouse, first: int) -> None:
    """Another promise from now on."""
    house = desk.house
    changed = msgspec.structs.replace(house.state.workspace, sla=Sla(first_response=first))
    house.apply(events.WorkspaceChanged(at=house.now, version=f"v{first}", workspace=changed))


def lead(desk: SlackHouse) -> list[Message]:
    """What stands in the supervisors' channel."""
    return [one for one in desk["eva"].sees(desk.lead) if one.user == desk.slack.bot]


async def told(desk: SlackHouse, *words: str) -> Message:
    """The newest alert that says all of this."""

    def found() -> list[Message]:
        return [one for one in lead(desk) if all(word in one.said for word in words)]

    await desk.until(found, f"an alert with {words}")
    return found()[-1]


def waiting(desk: SlackHouse, number: int) -> list[Contact]:
    """So many wait for anybody: nobody is there."""
    return [desk.house.mail("Hello", sender=f"P <p{one}@example.org>", subject=f"Case {one}") for one in range(number)]


async def test_promises_at_risk_are_one_message_before_they_break(desk: SlackHouse) -> None:
    """A quarter of an hour before, all of them in one alert with no customer's word; told anew once they are broken."""
    waiting(desk, 30)
    desk.house.now += 8 * HOUR - 14 * MINUTE
    soon = await told(desk, ":warning:", "30 promises are due soon", "Refund 30")
    assert "Case" not in soon.said
    desk.house.now += 15 * MINUTE
    await told(desk, ":rotating_light:", "30 promises are broken")
    await told(desk, "Promises at risk: it got worse, see below")
    assert len(lead(desk)) == 2
    for contact in tuple(desk.house.state.contacts):
        await desk.house.act("eva", "resolve", {"contact": contact}, f"done {contact}")
    await told(desk, ":white_check_mark:", "Promises at risk: over since")
    assert len(lead(desk)) == 2
    assert desk.slack.refusals == []


async def test_what_is_told_stays_told_over_a_restart(desk: SlackHouse) -> None:
    """Another process goes on with the message that stands there, and with no second one."""
    waiting(desk, 3)
    desk.house.now += 8 * HOUR - 14 * MINUTE
    await told(desk, "3 promises are due soon")
    await desk.stop()
    waiting(desk, 1)
    await desk.start()
    contact = next(iter(desk.house.state.contacts))
    await desk.house.act("eva", "resolve", {"contact": contact}, "k1")
    await told(desk, "2 promises are due soon")
    assert len(lead(desk)) == 1


async def test_what_is_bad_is_told_in_the_channel_that_is_named_now(desk: SlackHouse) -> None:
    """Another channel takes over at once, though nothing can be changed any more in the one before."""
    desk.problems = ["the disk is nearly full"]
    await told(desk, "usherd has a problem")
    desk.slack.faults.refuse("chat.update", "is_archived", times=100)
    other = desk.slack.add_channel("leads", members=("eva", desk.slack.bot))
    desk.wishes = Wishes(supervisors_channel=other.id, digest_at=NEVER)
    await desk.until(lambda: [one for one in desk["eva"].sees(other) if "nearly full" in one.said], "told there")
    desk.slack.faults.clear()
    desk.problems = []
    await desk.until(lambda: [one for one in desk["eva"].sees(other) if "over since" in one.said], "over there")
    assert len([one for one in desk["eva"].sees(other) if one.user == desk.slack.bot]) == 1


async def test_what_stays_bad_is_told_in_person(desk: SlackHouse) -> None:
    """Half an hour later each supervisor reads it in their own conversation, and nobody else."""
    contact = desk.house.mail("My cat", topic="lost-pet")
    desk.problems = ["the disk is nearly full"]
    await told(desk, "usherd has a problem", "the disk is nearly full")
    assert contact.due is not None
    desk.house.now += 31 * MINUTE
    await desk.card("eva", "usherd has a problem")
    assert desk.cards("ana") == []
    desk.problems = []
    await desk.card("eva", "Problems of usherd: over since")


async def test_without_a_channel_each_supervisor_is_told_at_once(desk: SlackHouse) -> None:
    """An answer that did not arrive, and a message that nobody could read, are told in person."""
    desk.wishes = Wishes(digest_at=NEVER)
    desk.house.available("ana")
    contact = desk.house.mail("Hello")
    await desk.house.act("ana", "take", {"contact": contact.id}, "k1")
    await desk.house.act("ana", "reply", {"contact": contact.id, "text": "Underway"}, "k2")
    desk.house.report(contact.id, contact.messages[-1].id, "failed")
    await desk.card("eva", "An answer was not delivered")
    desk.house.apply(
        events.MessageQuarantined(
            at=desk.house.now, message="9-9", channel="email", kind="email", account="help", reason="too deep"
        )
    )
    await desk.card("eva", "A message could not be read safely")


async def test_an_agent_is_reminded_of_their_own_together(desk: SlackHouse) -> None:
    """All that is due soon stands in one message, by topic and id; what is due later comes in another, once."""
    desk.house.available("ana")
    first, second = waiting(desk, 2)
    desk.house.now += 5 * MINUTE
    (third,) = waiting(desk, 1)
    for one in (first, second, third):
        await desk.house.act("ana", "take", {"contact": one.id}, one.id)
    desk.house.now += 8 * HOUR - 19 * MINUTE
    shown = await desk.card("ana", "2 of your contacts are due soon", first.id, second.id)
    assert "Case" not in shown.said
    desk.house.now += 11 * MINUTE
    await desk.card("ana", "One of your contacts is due soon", third.id)
    assert sum("due soon" in one.said for one in desk.cards("ana")) == 2


async def test_the_day_and_the_week_are_told_to_supervisors(desk: SlackHouse) -> None:
    """At the hour that the workspace names, with the team's figures, and on its day those of seven days."""
    house = desk.house
    desk.wishes = Wishes(supervisors_channel=desk.lead.id, digest_at="18:00", digest_week="tue")
    await desk.until(lambda: desk.memory.left("day:"), "the desk has begun before the hour")
    house.available("ana")
    contact = house.mail("Hello")
    await house.act("ana", "take", {"contact": contact.id}, "k1")
    house.now += 10 * MINUTE
    await house.act("ana", "reply", {"contact": contact.id, "text": "Underway", "resolve": True}, "k2")
    house.now += 2 * HOUR  # a Monday in Madrid, past six
    await told(desk, "Today", "1 opened, 1 answered, 1 resolved", "1 of 1 first answers", "Ana Souza: 1 answered")
    house.now += DAY
    await told(desk, "0 opened", "The last seven days", "1 opened, 1 answered, 1 resolved")
    assert sum("Today" in one.said for one in lead(desk)) == 2
    assert desk.slack.refusals == []


async def test_one_whom_slack_cannot_reach_costs_nobody_a_second_digest(desk: SlackHouse) -> None:
    """Each supervisor is told once, whatever becomes of another: who was told before is not told over and over."""
    house, workspace = desk.house, desk.house.state.workspace
    desk.wishes = Wishes(digest_at="18:00")
    await desk.until(lambda: desk.memory.left("day:"), "the desk has begun before the hour")
    ben = msgspec.structs.replace(workspace.agents["ben"], role=Role.SUPERVISOR)
    changed = msgspec.structs.replace(workspace, agents={**workspace.agents, "ben": ben})
    house.apply(events.WorkspaceChanged(at=house.now, version="more", workspace=changed))
    call, tried = Api.call, list[str]()

    async def refusing(self: Api, method: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
        if method == "chat.postMessage" and "Today" in str(arguments["text"]):
            tried.append(arguments["channel"])
            if arguments["channel"] != tried[0] and len(tried) <= 3:
                raise Refusal("user_disabled")
        return await call(self, method, arguments, **more)

    with patch.object(work, "FAILED_SECONDS", 0.01), patch.object(Api, "call", refusing):
        house.now += 3 * HOUR
        await desk.until(lambda: desk.memory.kept.get("digest:#", b'""') != b'""', "all are told")
    assert [sum("Today" in one.said for one in desk.cards(name)) for name in ("eva", "ben")] == [1, 1]


async def test_digests_come_late_when_slack_was_away_past_midnight(desk: SlackHouse) -> None:
    """As things stood when they fell due, to the agent and to supervisors, once; the next day's are told as ever."""
    house = desk.house
    desk.wishes = Wishes(supervisors_channel=desk.lead.id, digest_at="18:00", digest_week="never")
    await desk.until(lambda: desk.memory.left("day:"), "the desk has begun before the hour")
    house.available("ana")
    contact = house.mail("Hello")
    await desk.card("ana", "Offered to you")
    await house.act("ana", "take", {"contact": contact.id}, "k1")
    await house.act("ana", "resolve", {"contact": contact.id}, "k2")
    await desk.card("ana", "Resolved")
    await desk.slack.goes_down()
    await house.act("ana", "status", {"status": "offline"}, "off")
    house.now += 3 * HOUR  # past six
    await desk.until(lambda: len(desk.memory.left("due:")) == 2, "both are put down")
    house.now += 8 * HOUR  # past midnight
    house.mail("It is tomorrow by now.")
    await desk.slack.comes_up()
    await told(desk, "1 opened, 0 answered, 1 resolved", "Ana Souza: 0 answered, 1 resolved")
    await desk.card("ana", "Your shift is over", "0 answered, 1 resolved")
    await desk.until(lambda: not desk.memory.left("due:"), "both are told")
    house.now += 16 * HOUR  # past six of the next day
    await told(desk, "1 opened, 0 answered, 0 resolved")
    assert sum("Today" in one.said for one in lead(desk)) == 2
    assert sum("Your shift is over" in one.said for one in desk.cards("ana")) == 1


@pytest.mark.parametrize("done", [True, False])
async def test_a_digest_whose_outcome_is_in_doubt_is_told_once(desk: SlackHouse, *, done: bool) -> None:
    """Slack answers with an error: it is looked for before it is posted again, whether it stands there or not."""
    house = desk.house
    desk.wishes = Wishes(supervisors_channel=desk.lead.id, digest_at="18:00")
    await desk.until(lambda: desk.memory.left("day:"), "the desk has begun before the hour")
    desk.slack.faults.fail("chat.postMessage", status=502, after=done)
    house.now += 3 * HOUR
    await desk.until(lambda: desk.memory.kept.get("digest:#", b'""') != b'""', "told")
    assert sum("Today" in one.said for one in lead(desk)) == 1


async def test_a_refusal_that_lasts_holds_up_no_other_day(desk: SlackHouse) -> None:
    """What a process leaves undone the next one tells; what Slack refuses all day long is given up the day after."""
    house, call, refused = desk.house, Api.call, {"2026-09-21", "2026-09-22"}
    desk.wishes = Wishes(supervisors_channel=desk.lead.id, digest_at="18:00", digest_week="never")
    await desk.until(lambda: desk.memory.left("day:"), "the desk has begun before the hour")

    async def refusing(self: Api, method: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
        told = (arguments.get("metadata") or {}).get("event_payload", {}).get("digest", "")
        if method == "chat.postMessage" and told.partition(" ")[0] in refused:
            raise Refusal("is_archived")
        return await call(self, method, arguments, **more)

    with patch.object(Api, "call", refusing):
        house.now += 3 * HOUR
        await desk.until(lambda: desk.memory.left("due:2026-09-21"), "put down")
        await desk.stop()
        refused.remove("2026-09-21")
        await desk.start()
        await desk.until(lambda: len(lead(desk)) == 1, "the first day")
        house.now += DAY
        await desk.until(lambda: desk.memory.left("due:2026-09-22"), "put down")
        house.now += DAY
        await desk.until(lambda: len(lead(desk)) == 2, "the third day")
        await desk.until(lambda: not desk.memory.left("due:"), "the second is given up")


async def test_who_goes_home_reads_what_they_did_and_what_is_left(desk: SlackHouse) -> None:
    """Once at the end of their day, with what stays with them."""
    house = desk.house
    house.available("ana")
    for number, action in enumerate(("resolve", "snooze")):
        contact = house.mail("Hello", subject=f"Case {number}")
        await house.act("ana", "take", {"contact": contact.id}, f"t{number}")
        fields = {"until": house.now + DAY} if action == "snooze" else {}
        await house.act("ana", action, {"contact": contact.id, **fields}, f"a{number}")
    await house.act("ana", "status", {"status": "offline"}, "off")
    shown = await desk.card("ana", "Your shift is over")
    assert "0 answered, 1 resolved" in shown.said
    assert "1 snoozed" in shown.said


async def test_an_incident_is_said_with_its_figures_and_ends(desk: SlackHouse) -> None:
    """What customers keep writing about reaches whoever leads: the topic, how many wrote, and how many usually do."""
    house = desk.house
    house.state.incidents["i1"] = Incident(
        id="i1", topic="lost-baggage", began=house.now, contacts=34, usual=300, look_at=house.now + HOUR
    )
    alert = await told(desk, "Far more than usual is written of a topic.")
    assert "Lost baggage: 34 contacts, usually 3 an hour" in alert.said
    house.apply(events.IncidentEnded(at=house.now, agent="eva", incident="i1"))
    assert not house.state.incidents
    await told(desk, "Incidents: over since")


async def test_a_supervisor_answers_an_incident_for_all_and_ends_it_in_home(desk: SlackHouse) -> None:
    """One answer is written in a window and stands in Home from then on, to be worded anew, until it is over."""
    house, eva = desk.house, desk["eva"]
    house.state.incidents["i1"] = incident = Incident(
        id="i1", topic="lost-baggage", began=house.now, contacts=34, usual=250, look_at=house.now + HOUR
    )
    await eva.opens_home()
    await desk.until(lambda: eva.home and "34 contacts, usually 2.5 an hour" in eva.home.said, "Home")
    assert eva.home is not None
    await eva.clicks(eva.home, "usherd.incident")
    await desk.until(lambda: eva.modal, "the window")
    assert eva.modal is not None
    assert list((await eva.submits(eva.modal, {"text": " "})).errors or ()) == ["text"]
    await eva.submits(eva.modal, {"text": "The belt stands still.", "then": ["tell"]})
    await desk.until(lambda: incident.message, "prepared")
    assert house.acts[-1][2] == {"incident": "i1", "text": "The belt stands still.", "tell": True}
    await desk.until(lambda: eva.home and "told: The belt stands still." in eva.home.said, "Home says so")
    await eva.clicks(eva.home, "usherd.incident")
    await desk.until(lambda: eva.modal and "The belt stands still." in str(eva.modal), "to be worded anew")
    await eva.clicks(eva.home, "usherd.incident_end")
    await desk.until(lambda: not house.state.incidents, "over")
    await desk.until(lambda: eva.home and "34 contacts" not in eva.home.said, "Home is rid of it")
    assert desk.slack.refusals == []
