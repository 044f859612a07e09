"""What Slack sends becomes deeds, and what people type becomes plain text; a payload of any shape breaks nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.slack.reading import read
from channels.slack.spoken import plain

BOT = "U0BOT"


@pytest.mark.parametrize(
    ("typed", "read_as"),
    [
        ("fish &amp; chips &lt;b&gt;", "fish & chips <b>"),
        ("&amp;lt; stays", "&lt; stays"),
        ("see <https://acme.example/a?b=c&amp;d=e>", "see https://acme.example/a?b=c&d=e"),
        ("see <http://acme.example|acme.example>", "see http://acme.example"),
        ("see <https://acme.example/x|our page>", "see our page (https://acme.example/x)"),
        ("write to <mailto:a@b.example|a@b.example>", "write to a@b.example"),
        ("ask <@U123>", "ask @Ben"),
        ("ask <@U999>", "ask @someone"),
        ("in <#C1|emea> <!here> <!subteam^S1|@team>", "in #emea @here @team"),
        ("fine :smile: :no_such_emoji:", "fine 😄 :no_such_emoji:"),
    ],
)
def test_what_is_typed_is_plain_for_customers(typed: str, read_as: str) -> None:
    """Entities, links, mentions and emoji are written out; nobody outside reads Slack's marks."""
    assert plain(typed, lambda user: {"U123": "Ben"}.get(user, "")) == read_as


def event(**fields: object) -> dict[str, object]:
    """A message in somebody's conversation with the app."""
    inner = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1", "ts": "1.2", "text": "hi"}
    return {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "event": inner | fields}


def test_a_message_is_a_deed_and_ours_are_none() -> None:
    """Its key is its place, the same however it comes; what bots write, we among them, or who joins says nothing."""
    (deed,) = read(event(thread_ts="1.1"), BOT)
    assert (deed.key, deed.kind, deed.user, deed.thread, deed.direct) == ("D1 1.2", "say", "U1", "1.1", True)
    assert read(event(user=BOT), BOT) == []
    assert read(event(bot_id="B1"), BOT) == []
    assert read(event(subtype="channel_join"), BOT) == []
    assert read(event(subtype="message_changed", message={"text": "a"}, previous_message={"bot_id": "B1"}), BOT) == []


CHANNEL = {"channel": "C1", "channel_type": "channel"}
BEFORE = {"user": "U1", "ts": "1.2", "text": "hi", "thread_ts": "1.1"}


def test_what_slack_says_of_itself_in_a_channel_is_nobodys() -> None:
    """A huddle, an archived channel, whatever comes next: only what people say, with files or to all, is a message."""
    for other in ("channel_archive", "huddle_thread", "channel_canvas_updated", "brand_new"):
        assert read(event(**CHANNEL, subtype=other), BOT) == []
    for said in ("file_share", "thread_broadcast", "me_message"):
        [deed] = read(event(**CHANNEL, subtype=said), BOT)
        assert (deed.kind, deed.direct) == ("say", False)


def test_what_is_passed_on_is_read_and_a_preview_is_not() -> None:
    """A message that somebody shares, with their own words or without; what Slack shows of a link says nothing new."""
    shared = {"is_share": True, "author_name": "Ben", "text": "It broke."}
    [deed] = read(event(**CHANNEL, text="See:", attachments=[shared, {"title": "a page", "text": "of the web"}]), BOT)
    assert deed.text == "See:\n\nBen: It broke."
    [deed] = read(event(**CHANNEL, text="", attachments=[{**shared, "author_name": ""}]), BOT)
    assert deed.text == "It broke."
    [deed] = read(event(**CHANNEL, text="half \ud83d", files=[{"id": "F1", "name": "\ud83d.txt"}]), BOT)
    assert (deed.text, deed.files[0].name) == ("half ?", "?.txt")


def test_an_edit_has_the_new_words_and_a_tombstone_is_a_deletion() -> None:
    """By whom and where as before; our own posts, and a link that Slack has looked up, are no edits."""
    after = {**BEFORE, "text": "hello", "edited": {"user": "U1", "ts": "2.0"}, "files": [{"id": "F1", "size": 3}]}
    changed = {**CHANNEL, "subtype": "message_changed", "ts": "3.0"}
    [deed] = read(event(**changed, message=after, previous_message=BEFORE), BOT)
    assert (deed.kind, deed.user, deed.ts, deed.thread, deed.stamp) == ("edit", "U1", "1.2", "1.1", "2.0")
    assert (deed.text, [one.id for one in deed.files]) == ("hello", ["F1"])
    assert read(event(**changed, message=BEFORE, previous_message=BEFORE), BOT) == []
    assert read(event(**changed, message={**after, "user": BOT}), BOT) == []
    gone = {"subtype": "tombstone", "text": "This message was deleted.", "ts": "1.2"}
    [deed] = read(event(**changed, message=gone, previous_message=BEFORE), BOT)
    assert (deed.kind, deed.ts) == ("delete", "1.2")
    deleted = {**CHANNEL, "subtype": "message_deleted", "ts": "3.0", "deleted_ts": "1.2"}
    [deed] = read(event(**deleted, previous_message=BEFORE), BOT)
    assert (deed.kind, deed.ts, deed.user) == ("delete", "1.2", "U1")


def test_a_click_has_the_key_of_its_moment() -> None:
    """Team, user and Slack's moment of the click make it one; its value says which contact."""
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "team_id": "T1"},
        "container": {"type": "message", "message_ts": "1.1", "channel_id": "D1"},
        "trigger_id": "t",
        "response_url": "https://hooks.slack.example/1",
        "actions": [{"action_id": "usherd.accept", "value": '{"contact":"c1","offer":"o1"}', "action_ts": "9.9"}],
    }
    (deed,) = read(payload, BOT)
    assert (deed.key, deed.kind, deed.action) == ("T1 U1 9.9", "press", "accept")
    assert deed.value == {"contact": "c1", "offer": "o1"}
    assert read({**payload, "actions": [{"action_id": "other", "action_ts": "9"}]}, BOT)[0].kind == "unknown"


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
NAMES = st.sampled_from(
    [
        "type",
        "event",
        "actions",
        "view",
        "state",
        "values",
        "user",
        "team",
        "id",
        "action_id",
        "value",
        "command",
        "text",
    ]
) | st.text(max_size=4)
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5))
TYPES = st.sampled_from(["block_actions", "view_submission", "event_callback", "other"])


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, anything, max_size=6), TYPES)
def test_a_payload_of_any_shape_breaks_nothing(payload: dict[str, object], kind: str) -> None:
    """Whatever comes, it is deeds or nothing."""
    for deed in read({**payload, "type": kind}, BOT):
        assert deed.kind
