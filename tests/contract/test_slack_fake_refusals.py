"""The fake refuses what Slack refuses, with Slack's own words, and whatever a test asks it to."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from router.sim.slack import CannotError, FakeSlack, Rules, everything
from tests.fakes.slack.raw_app import RawApp, button, field, modal, option, plain, raw_app, section

Json = dict[str, Any]
WHY = {"type": "plain_text_input", "action_id": "text", "max_length": 10}


class Clock:
    """Time that only a test moves."""

    def __init__(self) -> None:
        self.at = time.time()

    def __call__(self) -> float:
        return self.at


@pytest.fixture
async def app() -> AsyncIterator[RawApp]:
    """An app in a workspace with ana, where time stands still."""
    async with FakeSlack(rules=Rules(message_burst=100), now=Clock()) as slack:
        slack.add_user("ana")
        async with raw_app(slack) as raw:
            yield raw


def clock(app: RawApp) -> Clock:
    """The clock of that workspace."""
    found = app.slack.space.now
    assert isinstance(found, Clock)
    return found


async def error(app: RawApp, method: str, **args: Any) -> str:
    """Call what is to be refused; gives the error."""
    answer = await app.call(method, **args)
    assert not answer["ok"], answer
    return str(answer["error"])


async def test_a_token_is_needed_and_each_method_takes_one_kind(app: RawApp) -> None:
    """No token, an unknown one and one of the other kind are refused, and so is a method nobody knows."""
    assert await error(app, "auth.test", token="") == "not_authed"
    assert await error(app, "auth.test", token="xoxb-guess") == "invalid_auth"
    assert await error(app, "team.info", token=app.slack.app_token) == "not_allowed_token_type"
    assert await error(app, "apps.connections.open") == "not_allowed_token_type"
    assert await error(app, "chat.shout") == "unknown_method"


async def test_each_method_needs_its_scope() -> None:
    """With a manifest of one scope everything else is refused, and the answer names what is needed and provided."""
    manifest = everything()
    manifest["oauth_config"]["scopes"]["bot"] = ["team:read"]
    async with FakeSlack(manifest) as slack, raw_app(slack) as app:
        ana = slack.add_user("ana")
        emea, dm = slack.add_channel("emea", members=[slack.bot]), ana.dm.id
        needed = {}
        for method, args in (
            ("chat.postMessage", {"channel": dm, "text": "x"}),
            ("chat.postEphemeral", {"channel": dm, "user": ana.id, "text": "x"}),
            ("chat.update", {"channel": dm, "ts": "1.1", "text": "x"}),
            ("chat.delete", {"channel": dm, "ts": "1.1"}),
            ("reactions.add", {"channel": dm, "name": "eyes", "timestamp": "1.1"}),
            ("conversations.open", {"users": ana.id}),
            ("conversations.list", {"types": "private_channel"}),
            ("conversations.info", {"channel": emea.id}),
            ("conversations.history", {"channel": dm}),
            ("conversations.join", {"channel": emea.id}),
            ("users.list", {}),
            ("users.lookupByEmail", {"email": "ana@example.com"}),
            ("users.profile.get", {"user": ana.id}),
            ("files.info", {"file": "F1"}),
            ("files.getUploadURLExternal", {"filename": "a", "length": 1}),
        ):
            answer = await app.call(method, **args)
            assert answer["error"] == "missing_scope", method
            assert answer["provided"] == "team:read"
            needed[method] = answer["needed"]
        assert (await app.call("team.info"))["ok"]
    assert needed == {
        "chat.postMessage": "chat:write",
        "chat.postEphemeral": "chat:write",
        "chat.update": "chat:write",
        "chat.delete": "chat:write",
        "reactions.add": "reactions:write",
        "conversations.open": "im:write",
        "conversations.list": "groups:read",
        "conversations.info": "channels:read",
        "conversations.history": "im:history",
        "conversations.join": "channels:join",
        "users.list": "users:read",
        "users.lookupByEmail": "users:read.email",
        "users.profile.get": "users.profile:read",
        "files.info": "files:read",
        "files.getUploadURLExternal": "files:write",
    }


async def test_an_event_is_only_sent_to_who_subscribed_and_may_hear_it() -> None:
    """Without the scope, without the subscription, or outside the channel there is no event."""
    manifest = everything()
    manifest["oauth_config"]["scopes"]["bot"].remove("reactions:read")
    manifest["settings"]["event_subscriptions"]["bot_events"].remove("message.channels")
    async with FakeSlack(manifest) as slack, raw_app(slack) as app:
        ana = slack.add_user("ana")
        inside = slack.add_channel("emea", members=["ana", slack.bot])
        outside = slack.add_channel("club", members=["ana"], private=True)
        said = await ana.writes("in a channel", channel=inside)
        await ana.reacts(said, "eyes")
        await ana.writes("among us", channel=outside)
        await ana.writes("to the app")
        await slack.settled()
        assert [one["event"]["type"] for one in app.of("events_api")] == ["message"]
        assert app.events("message")[0]["channel_type"] == "im"


async def test_messages_go_only_where_the_app_is(app: RawApp) -> None:
    """Unknown, foreign, archived and hidden channels are refused, each in its own words."""
    slack = app.slack
    emea, club = slack.add_channel("emea", members=["ana"]), slack.add_channel("club", members=["ana"], private=True)
    old = slack.add_channel("old", members=[slack.bot])
    old.archived = True
    assert await error(app, "chat.postMessage", channel="C404", text="x") == "channel_not_found"
    assert await error(app, "chat.postMessage", channel=club.id, text="x") == "channel_not_found"
    assert await error(app, "chat.postMessage", channel=emea.id, text="x") == "not_in_channel"
    assert await error(app, "chat.postMessage", channel=old.id, text="x") == "is_archived"
    assert await error(app, "conversations.history", channel=emea.id) == "not_in_channel"


async def test_a_text_has_its_limits(app: RawApp) -> None:
    """An empty message, one over 40,000 characters, and an update over 4,000 are refused."""
    ana = app.slack.user("ana")
    assert await error(app, "chat.postMessage", channel=ana.id) == "no_text"
    assert await error(app, "chat.postMessage", channel=ana.id, text="x" * 40_001) == "msg_too_long"
    ts = (await app.call("chat.postMessage", channel=ana.id, text="x" * 40_000))["ts"]
    assert await error(app, "chat.update", channel=ana.dm.id, ts=ts, text="x" * 4_001) == "msg_too_long"
    sections = [section("x" * 3000) for _ in range(5)]
    assert await error(app, "chat.postMessage", channel=ana.id, blocks=sections) == "msg_blocks_too_long"


async def test_only_the_apps_own_messages_can_be_changed(app: RawApp) -> None:
    """Somebody else's message, one that is gone and one that never was can be neither changed nor deleted."""
    ana = app.slack.user("ana")
    theirs, dm = (await ana.writes("hello")).ts, ana.dm.id
    mine = (await app.call("chat.postMessage", channel=dm, text="x"))["ts"]
    assert await error(app, "chat.update", channel=dm, ts=theirs, text="y") == "cant_update_message"
    assert await error(app, "chat.delete", channel=dm, ts=theirs) == "cant_delete_message"
    assert (await app.call("chat.delete", channel=dm, ts=mine))["ok"]
    assert await error(app, "chat.update", channel=dm, ts=mine, text="y") == "message_not_found"
    assert await error(app, "chat.postMessage", channel=dm, text="y", thread_ts=mine) == "thread_not_found"
    assert await error(app, "reactions.add", channel=dm, timestamp=mine, name="eyes") == "message_not_found"


async def test_a_reaction_is_put_and_taken_once(app: RawApp) -> None:
    """The second time is refused, both ways."""
    dm = app.slack.user("ana").dm.id
    ts = (await app.call("chat.postMessage", channel=dm, text="x"))["ts"]
    where = {"channel": dm, "timestamp": ts, "name": "eyes"}
    assert (await app.call("reactions.add", **where))["ok"]
    assert await error(app, "reactions.add", **where) == "already_reacted"
    assert (await app.call("reactions.remove", **where))["ok"]
    assert await error(app, "reactions.remove", **where) == "no_reaction"


async def test_a_deleted_head_of_a_thread_leaves_a_tombstone(app: RawApp) -> None:
    """The thread stays, and its head can no longer be changed."""
    ana = app.slack.user("ana")
    ts = (await app.call("chat.postMessage", channel=ana.id, text="card"))["ts"]
    await ana.writes("reply", thread=ana.sees()[0])
    assert (await app.call("chat.delete", channel=ana.dm.id, ts=ts))["ok"]
    assert [one.said for one in ana.sees()] == ["This message was deleted.", "reply"]
    assert await error(app, "chat.update", channel=ana.dm.id, ts=ts, text="y") == "cant_update_message"


async def test_a_trigger_opens_one_view_within_three_seconds(app: RawApp) -> None:
    """Made-up, used and old triggers are refused; a fresh one works once."""
    ana, view = app.slack.user("ana"), modal(section("x"))
    await ana.command("/usherd")
    await ana.command("/usherd")
    first, second = (one["trigger_id"] for one in app.of("slash_commands"))
    assert await error(app, "views.open", trigger_id="1.2.x", view=view) == "invalid_trigger_id"
    assert (await app.call("views.open", trigger_id=first, view=view))["ok"]
    assert await error(app, "views.open", trigger_id=first, view=view) == "exchanged_trigger_id"
    clock(app).at += 3.1
    assert await error(app, "views.open", trigger_id=second, view=view) == "expired_trigger_id"


async def test_views_are_updated_by_hash_and_stacked_three_high(app: RawApp) -> None:
    """A stale hash, a closed view and a fourth modal are refused."""
    ana, view = app.slack.user("ana"), modal(section("x"), external_id="one")
    for _ in range(4):
        await ana.command("/usherd")
    triggers = [one["trigger_id"] for one in app.of("slash_commands")]
    opened = (await app.call("views.open", trigger_id=triggers[0], view=view))["view"]
    assert await error(app, "views.push", trigger_id=triggers[1], view=view) == "duplicate_external_id"
    await ana.command("/usherd")
    triggers.append(app.of("slash_commands")[-1]["trigger_id"])
    assert (await app.call("views.push", trigger_id=triggers[2], view=modal(section("2"))))["ok"]
    assert (await app.call("views.push", trigger_id=triggers[3], view=modal(section("3"))))["ok"]
    assert await error(app, "views.push", trigger_id=triggers[4], view=modal(section("4"))) == "push_limit_reached"
    known = {"view_id": opened["id"], "view": modal(section("y"))}
    assert await error(app, "views.update", hash="1.stale", **known) == "hash_conflict"
    assert (await app.call("views.update", hash=opened["hash"], **known))["ok"]
    await ana.closes(ana.modal, everything=True)
    assert await error(app, "views.update", **known) == "not_found"


async def test_lists_come_in_pages(app: RawApp) -> None:
    """A cursor leads on to the end, and one that was never given is refused."""
    for number in range(5):
        app.slack.add_channel(f"c{number}", members=[app.slack.bot])
    names, cursor = [], ""
    while True:
        page = await app.call("conversations.list", limit=2, cursor=cursor)
        names += [one["name"] for one in page["channels"]]
        cursor = page["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert names == ["c0", "c1", "c2", "c3", "c4"]
    assert await error(app, "conversations.list", cursor="dXNlcjp") == "invalid_cursor"


async def test_histories_give_metadata_only_when_asked_and_threads_apart(app: RawApp) -> None:
    """A history has heads of threads, newest first; metadata comes with `include_all_metadata`."""
    ana = app.slack.user("ana")
    metadata = {"event_type": "offer", "event_payload": {"delivery": "d1"}}
    first = await app.call("chat.postMessage", channel=ana.id, text="one", metadata=metadata)
    await app.call("chat.postMessage", channel=ana.id, text="reply", thread_ts=first["ts"])
    await app.call("chat.postMessage", channel=ana.id, text="two")
    bare = await app.call("conversations.history", channel=ana.dm.id)
    assert [one["text"] for one in bare["messages"]] == ["two", "one"]
    assert bare["messages"][1]["reply_count"] == 1
    assert not any("metadata" in one for one in bare["messages"])
    thread = await app.call("conversations.replies", channel=ana.dm.id, ts=first["ts"], include_all_metadata=True)
    assert [one.get("metadata") for one in thread["messages"]] == [metadata, None]
    since = await app.call("conversations.history", channel=ana.dm.id, oldest=first["ts"])
    assert [one["text"] for one in since["messages"]] == ["two"]


async def test_a_channel_takes_one_message_a_second() -> None:
    """Beyond a short burst a post answers 429 with Retry-After; after that time it goes; other channels are free."""
    now = Clock()
    async with FakeSlack(now=now) as slack, raw_app(slack) as app:
        ana, ben = slack.add_user("ana"), slack.add_user("ben")
        posts = [await app.call("chat.postMessage", channel=ana.id, text=str(number)) for number in range(3)]
        assert [one["status"] for one in posts] == [200, 200, 429]
        assert posts[2] == {"ok": False, "error": "ratelimited", "status": 429, "retry_after": 1}
        assert (await app.call("chat.postMessage", channel=ben.id, text="x"))["ok"]
        now.at += 1
        assert (await app.call("chat.postMessage", channel=ana.id, text="3"))["ok"]


async def test_a_method_has_so_many_calls_a_minute(app: RawApp) -> None:
    """The 51st call of a method of tier 3 within a minute is refused until the first is a minute old."""
    who = {"email": "ana@example.com"}
    for _ in range(50):
        assert (await app.call("users.lookupByEmail", **who))["ok"]
    clock(app).at += 20
    late = await app.call("users.lookupByEmail", **who)
    assert (late["status"], late["retry_after"]) == (429, 40)
    clock(app).at += 40
    assert (await app.call("users.lookupByEmail", **who))["ok"]


async def test_a_response_url_works_five_times_for_half_an_hour(app: RawApp) -> None:
    """It answers who clicked, replaces and deletes; the sixth use and a late one are refused."""
    slack, ana = app.slack, app.slack.user("ana")
    await ana.command("/usherd")
    url = app.of("slash_commands")[0]["response_url"]
    for number in range(5):
        assert (await app.http.post(url, json={"text": f"answer {number}"})).status_code == 200
    assert (await app.http.post(url, json={"text": "x"})).json() == {"ok": False, "error": "used_url"}
    assert [one.only_for for one in ana.sees()] == [ana.id] * 5
    posted = await app.call(
        "chat.postEphemeral",
        channel=ana.dm.id,
        user=ana.id,
        text="sure?",
        blocks=[{"type": "actions", "elements": [button("yes")]}],
    )
    asked = next(one for one in ana.sees() if one.ts == posted["message_ts"])
    await ana.clicks(asked, "yes")
    url = app.of("interactive")[0]["response_url"]
    assert (await app.http.post(url, json={"text": "done", "replace_original": True})).status_code == 200
    assert asked.said == "done"
    assert (await app.http.post(url, json={"delete_original": True})).status_code == 200
    assert asked not in ana.sees()
    clock(app).at += 1801
    assert (await app.http.post(url, json={"text": "x"})).json()["error"] == "expired_url"
    assert slack.refusals == []


async def test_people_cannot_do_what_their_client_would_not_let_them(app: RawApp) -> None:
    """For a button or option that is not there, a field left empty, another's message, nothing is sent."""
    slack, ana, ben = app.slack, app.slack.user("ana"), app.slack.add_user("ben")
    menu = {"type": "static_select", "action_id": "menu", "options": [option("one")]}
    await app.call("chat.postMessage", channel=ana.id, text="x", blocks=[section("x", accessory=menu)])
    card = ana.sees()[0]
    with pytest.raises(CannotError):
        await ana.clicks(card, "accept")
    with pytest.raises(CannotError):
        await ana.chooses(card, "menu", "two")
    with pytest.raises(CannotError):
        await ben.chooses(card, "menu", "one")
    with pytest.raises(CannotError):
        await ben.edits(card, "mine now")
    await ana.command("/usherd")
    trigger = app.of("slash_commands")[0]["trigger_id"]
    await app.call("views.open", trigger_id=trigger, view=modal(field("why", WHY)))
    for values in ({}, {"why": "x" * 11}, {"why": "a\nb"}, {"who": "x"}):
        with pytest.raises(CannotError):
            await ana.submits(ana.modal, values)
    with pytest.raises(CannotError):
        await ana.command("/other")
    assert app.of("interactive") == []
    assert slack.user("ben").sees(ana.dm) == []


async def test_an_update_keeps_what_was_typed_under_the_same_ids(app: RawApp) -> None:
    """When a modal is updated, fields whose block and action stay keep their values."""
    ana = app.slack.user("ana")
    await ana.command("/usherd")
    two = modal(field("why", WHY, dispatch_action=True), field("more", WHY, optional=True))
    opened = await app.call("views.open", trigger_id=app.of("slash_commands")[0]["trigger_id"], view=two)
    assert ana.modal is not None
    await ana.chooses(ana.modal, "why", "kept")
    assert app.of("interactive")[0]["view"]["state"]["values"]["why"]["text"]["value"] == "kept"
    await app.call("views.update", view_id=opened["view"]["id"], view=modal(field("why", WHY), section("new")))
    await ana.submits(ana.modal)
    values = app.of("interactive")[-1]["view"]["state"]["values"]
    assert values == {"why": {"text": {"type": "plain_text_input", "value": "kept"}}}


async def test_faults_strike_as_often_as_asked(app: RawApp) -> None:
    """Refusals, failures and silence come once each, before the call or after it was carried out."""
    faults, ana = app.slack.faults, app.slack.user("ana")
    faults.refuse("chat.postMessage", "ratelimited", retry_after=7)
    assert (await app.call("chat.postMessage", channel=ana.id, text="1"))["retry_after"] == 7
    faults.fail("*", status=503)
    for status in (503, 200):
        headers = {"Authorization": f"Bearer {app.slack.bot_token}"}
        response = await app.http.post(f"{app.slack.api_url}auth.test", headers=headers)
        assert response.status_code == status
    faults.hang("chat.postMessage", seconds=60, after=True)
    with pytest.raises(httpx.ReadTimeout):
        await app.http.post(
            f"{app.slack.api_url}chat.postMessage",
            json={"channel": ana.id, "text": "said, but who knows"},
            headers={"Authorization": f"Bearer {app.slack.bot_token}"},
            timeout=0.2,
        )
    assert [one.said for one in ana.sees()] == ["said, but who knows"]


async def test_a_view_that_breaks_slacks_rules_is_refused_with_its_place(app: RawApp) -> None:
    """The answer points at the part that is wrong."""
    ana = app.slack.user("ana")
    long = {"type": "home", "blocks": [{"type": "actions", "elements": [button("a", "x" * 76)]}]}
    answer = await app.call("views.publish", user_id=ana.id, view=long)
    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] must be less than 76 characters [json-pointer:/view/blocks/0/elements/0/text/text]"
    ]
    titled = {"type": "modal", "title": plain("x" * 25), "blocks": [section("x")]}
    await ana.command("/usherd")
    trigger = app.of("slash_commands")[0]["trigger_id"]
    assert await error(app, "views.open", trigger_id=trigger, view=titled) == "invalid_arguments"
    assert ana.modal is None


async def test_who_is_deactivated_is_told_and_found_no_more(app: RawApp) -> None:
    """The app hears of it; neither their address nor a conversation with them is given any more."""
    ana = app.slack.user("ana")
    ana.is_deactivated()
    await app.slack.settled()
    assert app.events("user_change")[0]["user"]["deleted"]
    assert await error(app, "users.lookupByEmail", email="ana@example.com") == "users_not_found"
    assert await error(app, "conversations.open", users=ana.id) == "user_disabled"
