"""The fake Slack against what Slack itself has published: samples of its answers and events, and its OpenAPI."""

from __future__ import annotations

from typing import Any

import pytest

from router.sim.slack import FakeSlack, Rules, everything
from router.sim.slack.asking import METHODS
from router.sim.slack.manifest import EVENT_SCOPES
from tests.fakes.slack.raw_app import RawApp, button, field, modal, option, plain, raw_app, section
from tests.support.slack_specs import (
    event_sample,
    openapi,
    parameters,
    sample,
    scopes_of_event,
    scopes_of_method,
    strange,
)

EVENTS = {
    "app_home_opened": "AppHomeOpenedPayload",
    "app_mention": "AppMentionPayload",
    "file_shared": "FileSharedPayload",
    "member_joined_channel": "MemberJoinedChannelPayload",
    "member_left_channel": "MemberLeftChannelPayload",
    "reaction_added": "ReactionAddedPayload",
    "reaction_removed": "ReactionRemovedPayload",
    "team_join": "TeamJoinPayload",
    "user_change": "UserChangePayload",
    "user_profile_changed": "UserProfileChangedPayload",
    "user_status_changed": "UserStatusChangedPayload",
}
MESSAGES = {
    None: "MessagePayload",
    "file_share": "MessageFileSharePayload",
    "message_changed": "MessageChangedPayload",
    "message_deleted": "MessageDeletedPayload",
}
INTERACTIONS = {
    "block_actions": "app-backend/interactive-components/BlockActionPayload",
    "view_submission": "app-backend/views/ViewSubmissionPayload",
    "view_closed": "app-backend/views/ViewClosedPayload",
}
# Younger than the OpenAPI of 2021.
YOUNGER = {"apps.connections.open", "files.getUploadURLExternal", "files.completeUploadExternal"}
YOUNGER_ARGS = {"metadata", "include_all_metadata", "interactivity_pointer", "file_ids", "team_id", "exclude_archived"}
MENU = {"type": "static_select", "action_id": "menu", "options": [option("one"), option("two")]}


async def a_day(slack: FakeSlack, app: RawApp) -> None:
    """Have everything happen that the fake can: each method called, each event and payload sent."""
    ana, emea = slack.add_user("ana", joins=True), slack.add_channel("emea", members=["ana"])
    assert (await app.call("conversations.join", channel=emea.id))["ok"]
    await _chat(slack, app, emea.id)
    for method, args in (
        ("auth.test", {}),
        ("team.info", {}),
        ("bots.info", {}),
        ("conversations.open", {"users": ana.id, "return_im": True}),
        ("conversations.open", {"channel": ana.dm.id}),
        ("conversations.list", {"types": "public_channel,im"}),
        ("conversations.info", {"channel": emea.id}),
        ("conversations.info", {"channel": ana.dm.id}),
        ("conversations.members", {"channel": emea.id}),
        ("conversations.join", {"channel": emea.id}),
        ("conversations.history", {"channel": emea.id, "include_all_metadata": True, "limit": 1}),
        ("users.list", {}),
        ("users.info", {"user": ana.id}),
        ("users.lookupByEmail", {"email": "ana@example.com"}),
        ("users.getPresence", {"user": ana.id}),
        ("users.profile.get", {"user": ana.id}),
        ("api.test", {}),
    ):
        assert (await app.call(method, **args))["ok"], method
    await _files(slack, app)
    await _views(slack, app)
    kim = slack.add_user("kim", team="T0OTHER01")
    shared = slack.add_channel("ext-acme", members=["kim", slack.bot], shared_with="T0OTHER01")
    await kim.uploads("a.txt", b"hi", text="from outside", channel=shared)
    assert (await app.call("users.info", user=kim.id))["user"]["is_stranger"]
    assert (await app.call("auth.test", token=slack.app_token))["app_id"]
    await ana.writes("hello <you> & @usherd, see example.com", channel=emea)
    await ana.sets_status(":palm_tree:", text="away")
    await ana.leaves(emea)
    await ana.joins(emea)
    await slack.settled()


async def _chat(slack: FakeSlack, app: RawApp, channel: str) -> None:
    ana = slack.user("ana")
    card = [section("*card*", accessory=MENU), {"type": "actions", "elements": [button("accept", value="1")]}]
    metadata = {"event_type": "offer", "event_payload": {"delivery": "d1"}}
    posted = await app.call("chat.postMessage", channel=channel, text="card", blocks=card, metadata=metadata)
    message = slack.space.channels[channel].messages[posted["ts"]]
    reply = await app.call("chat.postMessage", channel=channel, text="reply", thread_ts=posted["ts"])
    assert reply["ok"]
    await ana.clicks(message, "accept")
    await ana.chooses(message, "menu", "two")
    for method, args in (
        ("chat.postEphemeral", {"user": ana.id, "text": "only you"}),
        ("chat.update", {"ts": posted["ts"], "text": "changed"}),
        ("reactions.add", {"timestamp": posted["ts"], "name": "eyes"}),
        ("reactions.remove", {"timestamp": posted["ts"], "name": "eyes"}),
        ("chat.getPermalink", {"message_ts": posted["ts"]}),
        ("conversations.replies", {"ts": posted["ts"]}),
        ("chat.delete", {"ts": reply["ts"]}),
    ):
        assert (await app.call(method, channel=channel, **args))["ok"], method


async def _files(slack: FakeSlack, app: RawApp) -> None:
    ana = slack.user("ana")
    shared = await ana.uploads("a.pdf", b"%PDF", text="see")
    assert (await app.call("files.info", file=shared.files[0]))["ok"]
    ticket = await app.call("files.getUploadURLExternal", filename="b.txt", length=2)
    assert (await app.http.post(ticket["upload_url"], content=b"hi")).status_code == 200
    files = [{"id": ticket["file_id"], "title": "B"}]
    done = await app.call("files.completeUploadExternal", files=files, channel_id=ana.dm.id)
    assert done["ok"]
    assert (await app.call("files.delete", file=ticket["file_id"]))["ok"]


async def _views(slack: FakeSlack, app: RawApp) -> None:
    ana = slack.user("ana")
    home = {"type": "home", "blocks": [section("home"), {"type": "actions", "elements": [button("go")]}]}
    assert (await app.call("views.publish", user_id=ana.id, view=home))["ok"]
    await ana.opens_home()
    assert ana.home is not None
    await ana.clicks(ana.home, "go")
    window = modal(field("why", {"type": "plain_text_input", "action_id": "text"}), notify_on_close=True)
    trigger = app.of("interactive")[-1]["trigger_id"]
    opened = await app.call("views.open", trigger_id=trigger, view=window)
    assert opened["ok"]
    assert (await app.call("views.update", view_id=opened["view"]["id"], view=window))["ok"]
    await ana.command("/usherd", "status")
    trigger = app.of("slash_commands")[-1]["trigger_id"]
    assert (await app.call("views.push", trigger_id=trigger, view=window))["ok"]
    await ana.closes(ana.modal)
    await ana.submits(ana.modal, {"why": "because"})


@pytest.mark.reference("specs")
async def test_every_key_that_the_fake_sends_is_one_that_slack_sends_with_that_type() -> None:
    """Answers, events, payloads and commands of a whole day have no key and no type that Slack's samples lack."""
    async with FakeSlack(rules=Rules(message_burst=100)) as slack, raw_app(slack) as app:
        await a_day(slack, app)
        found: list[str] = []
        for called in slack.calls:
            assert called.answer["ok"], (called.method, called.answer)
            found += strange(called.answer, sample(f"api/{called.method}"), called.method)
        for payload in app.of("events_api"):
            found += strange(payload, _event_sample(payload["event"]), str(payload["event"]["type"]))
        for payload in app.of("interactive"):
            found += strange(payload, sample(INTERACTIONS[payload["type"]]), payload["type"])
        for form in app.of("slash_commands"):
            known = sample("app-backend/slash-commands/SlashCommandPayload") | {"is_enterprise_install": ""}
            found += strange(form, known, "command")
        seen = {one["event"]["type"] for one in app.of("events_api")}
        subtypes = {one.get("subtype") for one in app.events("message")}
        kinds = {one["type"] for one in app.of("interactive")}
        called_methods = {one.method for one in slack.calls}
    assert "\n".join(sorted(set(found))) == ""
    assert seen == EVENTS.keys() | {"message"}
    assert subtypes == set(MESSAGES)
    assert kinds == set(INTERACTIONS)
    assert called_methods == set(METHODS)


def _event_sample(event: dict[str, Any]) -> dict[str, Any]:
    name = MESSAGES[event.get("subtype")] if event["type"] == "message" else EVENTS[event["type"]]
    return event_sample(name)


@pytest.mark.reference("specs")
def test_methods_and_their_parameters_are_those_of_slack() -> None:
    """Each method of the fake exists in Slack's OpenAPI with these parameters, or is younger than it."""
    unknown = {name for name in METHODS if f"/{name}" not in openapi()["paths"]}
    assert unknown == YOUNGER & METHODS.keys()
    for name, method in METHODS.items():
        if name not in YOUNGER:
            assert method.args - parameters(name) - YOUNGER_ARGS == set(), name


@pytest.mark.reference("specs")
async def test_scopes_are_those_that_slack_asks_for() -> None:
    """Each method and each event of the fake needs what Slack's own descriptions say it needs, or is younger."""
    manifest = everything()
    manifest["oauth_config"]["scopes"]["bot"] = ["nothing:read"]
    async with FakeSlack(manifest) as slack, raw_app(slack) as app:
        ana, emea = slack.add_user("ana"), slack.add_channel("emea", members=[slack.bot])
        asked: dict[str, str] = {}
        for name in sorted(METHODS.keys() - YOUNGER):
            channel = emea.id if name != "conversations.open" else ""
            answer = await app.call(name, channel=channel, user=ana.id, users=ana.id)
            if answer.get("error") == "missing_scope":
                asked[name] = answer["needed"]
    # The scopes of bots are finer today than those of 2021.
    finer = {"conversations.join": "channels:join"}
    assert asked.keys() >= {"chat.postMessage", "conversations.history", "users.list", "reactions.add", "files.info"}
    for name, scope in asked.items():
        assert scope in scopes_of_method(name) or finer.get(name) == scope, name
    for name in METHODS.keys() - YOUNGER - asked.keys():
        assert scopes_of_method(name) <= {"none", "identify"}, name
    for event, needed in EVENT_SCOPES.items():
        told = scopes_of_event(event)
        assert told is None or told <= needed, event


@pytest.mark.reference("specs")
def test_a_key_that_slack_does_not_send_would_be_found() -> None:
    """The comparison sees a new key, another type and a null that Slack does not write, however deep."""
    known = sample("api/users.info")
    assert list(strange({"ok": True, "user": {"id": "U1"}}, known)) == []
    assert list(strange({"user": {"idd": "U1"}}, known)) == ["/user/idd: no such key"]
    assert list(strange({"user": {"deleted": "no"}}, known)) == ["/user/deleted: 'no', not False"]
    assert list(strange({"user": {"name": None}}, known)) == ["/user/name: null"]
    assert list(strange({"members": [plain("x")]}, {"members": [{"type": "plain_text"}]})) == [
        "/members/-/text: no such key"
    ]
