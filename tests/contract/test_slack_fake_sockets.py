"""Socket Mode as the fake plays it: greetings, tickets, acknowledgements, retries, goodbyes, outages."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from router.sim.slack import FakeSlack, Rules
from tests.fakes.slack.raw_app import button, raw_app

QUICK = Rules(ack=0.1, retries=(0.0, 0.02, 0.04))


async def test_a_socket_greets_and_an_address_is_good_once() -> None:
    """Each socket says hello and how many there are; the second use of its address is refused."""
    async with FakeSlack() as slack, raw_app(slack, sockets=2) as app:
        assert [one["num_connections"] for one in app.hellos] == [1, 2]
        assert app.hellos[0]["connection_info"]["app_id"].startswith("A")
        url = (await app.call("apps.connections.open", token=slack.app_token))["url"]
        async with connect(url):
            pass
        with pytest.raises(InvalidStatus):
            await connect(url)


async def test_an_address_is_good_for_half_a_minute() -> None:
    """A ticket that was kept too long opens nothing."""
    async with FakeSlack(rules=Rules(ticket=-1.0)) as slack, httpx.AsyncClient() as http:
        headers = {"Authorization": f"Bearer {slack.app_token}"}
        opened = (await http.post(f"{slack.api_url}apps.connections.open", headers=headers)).json()
        with pytest.raises(InvalidStatus):
            await connect(opened["url"])


async def test_events_that_are_not_acknowledged_come_again_and_are_given_up() -> None:
    """The same event comes four times, with its attempt and the reason; then no more."""
    async with FakeSlack(rules=QUICK) as slack, raw_app(slack) as app:
        app.answer = lambda envelope: None
        await slack.add_user("ana").writes("hello")
        await slack.settled()
        tries = [(one["retry_attempt"], one["retry_reason"]) for one in app.envelopes]
        assert tries == [(0, ""), (1, "timeout"), (2, "timeout"), (3, "timeout")]
        ids = {one["payload"]["event_id"] for one in app.envelopes}
        assert [*ids] == slack.deliveries.given_up
        assert len({one["envelope_id"] for one in app.envelopes}) == 4


async def test_a_click_that_is_not_acknowledged_is_never_sent_again() -> None:
    """Who clicked is told that it failed, after three seconds; the app saw it once."""
    async with FakeSlack(rules=QUICK) as slack, raw_app(slack) as app:
        ana = slack.add_user("ana")
        await app.call("chat.postMessage", channel=ana.id, blocks=[{"type": "actions", "elements": [button("accept")]}])
        app.answer = lambda envelope: None
        answer = await ana.clicks(ana.sees()[0], "accept")
        assert (answer.acked, answer.problem) == (False, "timeout")
        assert len(app.of("interactive")) == 1
        await app.closes()
        await slack.until(lambda: slack.sockets.count == 0)
        assert (await ana.clicks(ana.sees()[0], "accept")).problem == "no_connection"


async def test_events_go_to_one_of_several_sockets() -> None:
    """With two sockets open every event comes once, and both get some."""
    async with FakeSlack(rules=QUICK) as slack, raw_app(slack) as one, raw_app(slack) as other:
        ana = slack.add_user("ana")
        for number in range(20):
            await ana.writes(str(number))
        await slack.settled()
        texts = [event["text"] for app in (one, other) for event in app.events("message")]
        assert sorted(texts, key=int) == [str(number) for number in range(20)]
        assert one.envelopes
        assert other.envelopes


async def test_events_can_be_late_and_come_many_times() -> None:
    """On demand an event comes only as its first retry, or four times under one id."""
    async with FakeSlack(rules=QUICK) as slack, raw_app(slack) as app:
        ana = slack.add_user("ana")
        slack.faults.only_retries(1)
        await ana.writes("late")
        await slack.settled()
        assert [one["retry_attempt"] for one in app.envelopes] == [1]
        slack.faults.repeat_events(4)
        await ana.writes("often")
        await slack.settled()
        ids = [one["event_id"] for one in app.of("events_api")]
        assert len(ids) == 5
        assert len(set(ids)) == 2


async def test_the_app_is_asked_to_leave_its_sockets() -> None:
    """A warning leaves the socket open; a refresh closes it; the reasons are Slack's."""
    async with FakeSlack(rules=QUICK) as slack, raw_app(slack) as app:
        await slack.disconnects("warning")
        assert slack.sockets.count == 1
        await slack.disconnects("refresh_requested")
        await slack.until(lambda: slack.sockets.count == 0)
        assert app.goodbyes == ["warning", "refresh_requested"]


async def test_events_in_the_gap_between_two_sockets_come_by_retry() -> None:
    """What happens while the only socket is cut arrives once there is another."""
    async with FakeSlack(rules=Rules(ack=0.1, retries=(0.0, 1.0, 4.0, 8.0))) as slack, raw_app(slack) as app:
        ana = slack.add_user("ana")
        slack.drops_sockets()
        await slack.until(lambda: slack.sockets.count == 0)
        await ana.writes("into the gap")
        await app.opens()
        await slack.settled()
        assert [one["text"] for one in app.events("message")] == ["into the gap"]
        [attempt] = [one["retry_attempt"] for one in app.envelopes]
        assert attempt >= 2, "the first two were sent while no socket was there"


async def test_there_are_ten_sockets_at_most() -> None:
    """The eleventh is told so and closed."""
    async with FakeSlack(rules=Rules(sockets_max=2)) as slack, raw_app(slack, sockets=2) as app:
        await app.opens()
        assert app.hellos[-1]["reason"] == "too_many_websockets"
        assert slack.sockets.count == 2


async def test_a_dead_socket_can_be_named() -> None:
    """The address leads nowhere, and the next one works."""
    async with FakeSlack() as slack, raw_app(slack) as app:
        slack.faults.dead_sockets(1)
        dead = (await app.call("apps.connections.open", token=slack.app_token))["url"]
        with pytest.raises(OSError, match="Connect"):
            await connect(dead)
        await app.opens()
        assert slack.sockets.count == 2


async def test_slack_goes_down_and_comes_up_again() -> None:
    """While it is down nobody answers at all; afterwards all is at the same addresses, and nothing is forgotten."""
    async with FakeSlack(rules=QUICK) as slack, raw_app(slack) as app:
        ana = slack.add_user("ana")
        await app.call("chat.postMessage", channel=ana.id, text="before")
        slack.faults.hang("auth.test", seconds=60)
        in_flight = asyncio.create_task(app.call("auth.test"))
        await asyncio.sleep(0.05)
        await slack.goes_down()
        with pytest.raises(httpx.HTTPError):
            await in_flight
        with pytest.raises(httpx.ConnectError):
            await app.call("auth.test")
        await slack.comes_up()
        history = await app.call("conversations.history", channel=ana.dm.id)
        assert [one["text"] for one in history["messages"]] == ["before"]
        await app.opens()
        assert slack.sockets.count == 1


async def test_a_manifest_without_sockets_has_none() -> None:
    """`apps.connections.open` is refused where Socket Mode is off."""
    async with FakeSlack() as slack, raw_app(slack, sockets=0) as app:
        object.__setattr__(slack.space.manifest, "sockets", False)
        answer = await app.call("apps.connections.open", token=slack.app_token)
        assert answer["error"] == "socket_mode_not_enabled"


async def test_what_others_share_is_marked_as_theirs() -> None:
    """A message from another workspace names it; its files are to be asked for; the wrapper says that it is shared."""
    async with FakeSlack(rules=QUICK) as slack, raw_app(slack) as app:
        kim = slack.add_user("kim", team="T0OTHER01")
        shared = slack.add_channel("ext-acme", members=["kim", slack.bot], shared_with="T0OTHER01")
        sent = await kim.uploads("a.txt", b"hi", text="help", channel=shared)
        await slack.settled()
        wrapped = app.of("events_api")[0]
        assert wrapped["is_ext_shared_channel"]
        assert wrapped["event"]["user_team"] == "T0OTHER01"
        assert wrapped["event"]["files"][0]["file_access"] == "check_file_info"
        told = await app.call("files.info", file=sent.files[0])
        assert told["file"]["name"] == "a.txt"
        listed = await app.call("conversations.info", channel=shared.id)
        assert listed["channel"]["is_ext_shared"]


async def test_pings_and_previews_are_counted() -> None:
    """Mentions ping; a link is previewed unless both kinds of unfurling are switched off; a person's status ends."""
    async with FakeSlack(rules=Rules(message_burst=50)) as slack, raw_app(slack) as app:
        ana = slack.add_user("ana")
        plainly: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
        await app.call("chat.postMessage", channel=ana.id, text=f"<@{ana.id}> see <https://x.example|x>", **plainly)
        await app.call("chat.postMessage", channel=ana.id, text="see <https://y.example|y>")
        assert [who for who, _ in slack.pings] == [ana.id]
        assert [url for url, _ in slack.unfurls] == ["https://y.example"]
        await ana.sets_status(":palm_tree:", expiration=int(slack.space.now()) + 1)
        await slack.until(lambda: len(app.events("user_status_changed")) == 2)
        emoji = [one["user"]["profile"]["status_emoji"] for one in app.events("user_status_changed")]
        assert emoji == [":palm_tree:", ""]
