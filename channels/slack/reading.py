"""What Slack sends, as deeds of people: a pure function of the payload. The key says when two are the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

OWN = "usherd."
SAID = frozenset({"file_share", "thread_broadcast", "me_message"})  # in a channel: all else is Slack's own
NOT_SAID = frozenset(
    {
        "channel_join",
        "channel_leave",
        "channel_topic",
        "channel_purpose",
        "channel_name",
        "bot_message",
        "pinned_item",
        "reminder_add",
        "assistant_app_thread",
    }
)


class SlackFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that somebody put into a message."""

    id: str
    name: str
    type: str
    size: int
    url: str


class Deed(msgspec.Struct, kw_only=True):
    """One thing that a person did. Which fields count depends on `kind`.

    press | choose | submit | say | edit | delete | react | home | command | changed. `values`: what a modal came with,
    by block. `kept`: ids of the files once they are stored, so that a second try sends the same. `stamp`: of an edit,
    its own timestamp. `apart`: said, changed or deleted in a customers' channel, whatever the workspace says later.
    """

    key: str
    kind: str
    team: str
    user: str
    action: str = ""
    value: dict[str, str] = {}
    values: dict[str, Any] = {}
    blocks: dict[str, str] = {}  # by field: the block in which it stands in the window
    channel: str = ""
    ts: str = ""
    thread: str = ""
    direct: bool = False
    text: str = ""
    files: tuple[SlackFile, ...] = ()
    trigger: str = ""
    view: str = ""  # the window that it was done in
    stamp: str = ""
    apart: bool = False
    answer_to: str = ""  # Slack's response_url
    kept: tuple[str, ...] = ()
    at: int = 0  # ms: when it came
    told: bool = False  # its maker knows that it can be taken back
    undone: bool = False  # taken back before it went out
    going: bool = False  # it goes out now: too late to take it back
    hurry: bool = False  # its maker went on, so it need not be held any more


def read(payload: Mapping[str, Any], bot: str) -> list[Deed]:
    """The deeds in a payload; none for what does not concern us. `bot`: our own member id."""
    kind = payload.get("type")
    if kind == "block_actions":
        return list(_presses(payload))
    if kind == "view_submission":
        return [_submission(payload)]
    if kind == "event_callback":
        found = _event(payload, _mapping(payload.get("event")), bot)
        return [] if found is None else [found]
    if "command" in payload and kind is None:
        return [_command(payload)]
    return []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _number(value: object) -> int:
    return value if isinstance(value, int) else int(value) if isinstance(value, str) and value.isdecimal() else 0


def _text(given: str) -> str:
    """A text that can be stored: JSON can spell half of a surrogate pair, which no text can hold."""
    return given.encode("utf-8", "replace").decode()


def _who(payload: Mapping[str, Any]) -> tuple[str, str]:
    """(team, user) of an interaction: the person's own team, which in a shared channel may be another's."""
    user = _mapping(payload.get("user"))
    return str(user.get("team_id") or _mapping(payload.get("team")).get("id") or ""), str(user.get("id") or "")


def _presses(payload: Mapping[str, Any]) -> Iterator[Deed]:
    team, user = _who(payload)
    container = _mapping(payload.get("container"))
    message = _mapping(payload.get("message"))
    for action in _mappings(payload.get("actions")):
        name = str(action.get("action_id") or "")
        chosen = _mapping(action.get("selected_option")).get("value")
        made = Deed(
            key=f"{team} {user} {action.get('action_ts')}",
            kind="press" if name.startswith(OWN) else "unknown",
            team=team,
            user=user,
            action=name.removeprefix(OWN),
            value=_chosen(str(chosen)) if chosen is not None else _value(action.get("value")),
            channel=str(container.get("channel_id") or _mapping(payload.get("channel")).get("id") or ""),
            ts=str(container.get("message_ts") or ""),
            thread=str(message.get("thread_ts") or container.get("thread_ts") or ""),
            trigger=str(payload.get("trigger_id") or ""),
            answer_to=str(payload.get("response_url") or ""),
        )
        if container.get("type") == "view":
            _in_window(made, _mapping(payload.get("view")))
        yield made


def _in_window(made: Deed, view: Mapping[str, Any]) -> None:
    """What is done in a window knows what the window is about, and what was entered there so far."""
    made.view = str(view.get("id") or "")
    if view.get("type") == "modal":
        made.value = {**made.value, **_value(view.get("private_metadata"))}
        made.values, made.blocks = _values(view)


def _value(raw: object) -> dict[str, str]:
    try:
        found = msgspec.json.decode(str(raw or "{}"), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _chosen(value: str) -> dict[str, str]:
    """A choice of the menu behind three dots: what to do, and with which contact."""
    what, _, contact = value.partition(" ")
    return {"choice": what, "contact": contact}


def _submission(payload: Mapping[str, Any]) -> Deed:
    team, user = _who(payload)
    view = _mapping(payload.get("view"))
    values, named = _values(view)
    return Deed(
        key=f"{team} {user} {view.get('id')}",
        kind="submit",
        team=team,
        user=user,
        action=str(view.get("callback_id") or "").removeprefix(OWN),
        value=_value(view.get("private_metadata")),
        values=values,
        blocks=named,
        trigger=str(payload.get("trigger_id") or ""),
    )


def _values(view: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What stands in a window's fields, by name, and the block of each.

    The block `text.2` is the field `text`: a field gets another block to be filled anew.
    """
    states = _mapping(_mapping(view.get("state")).get("values"))
    named = {block.partition(".")[0]: block for block in states}
    values = {
        name: _entered(_mapping(next(iter(_mapping(states[block]).values()), {}))) for name, block in named.items()
    }
    return values, named


def _entered(state: Mapping[str, Any]) -> Any:  # noqa: ANN401  # text, an instant, an option's value, or several
    if "selected_options" in state:
        return [str(one.get("value")) for one in _mappings(state["selected_options"])]
    if "selected_date_time" in state:
        return _number(state["selected_date_time"]) * 1_000
    if "selected_option" in state:
        return str(_mapping(state["selected_option"]).get("value") or "")
    return str(state.get("value") or "")


def _command(payload: Mapping[str, Any]) -> Deed:
    team, user = str(payload.get("team_id") or ""), str(payload.get("user_id") or "")
    return Deed(
        key=f"{team} {user} {payload.get('trigger_id')}"[:100],
        kind="command",
        team=team,
        user=user,
        text=str(payload.get("text") or ""),
        channel=str(payload.get("channel_id") or ""),
        trigger=str(payload.get("trigger_id") or ""),
        answer_to=str(payload.get("response_url") or ""),
    )


def _event(payload: Mapping[str, Any], event: Mapping[str, Any], bot: str) -> Deed | None:
    name, subtype = event.get("type"), event.get("subtype")
    if event.get("bot_id") or event.get("user") == bot:
        return None
    made = _base(payload, event)
    if name == "message":
        return _message(made, event, subtype, bot)
    if name == "reaction_added":
        item = _mapping(event.get("item"))
        made.kind, made.action = "react", str(event.get("reaction") or "")
        made.channel, made.ts = str(item.get("channel") or ""), str(item.get("ts") or "")
        return made if item.get("type") == "message" else None
    if name == "app_home_opened":
        made.kind = "home"
        return made if event.get("tab") == "home" else None
    if name in ("user_change", "user_status_changed", "user_profile_changed"):
        user = _mapping(event.get("user"))
        profile = _mapping(user.get("profile"))
        made.kind, made.user = "changed", str(user.get("id") or "")
        made.action, made.text = str(profile.get("status_emoji") or ""), str(profile.get("status_expiration") or "0")
        return made
    return None


def _base(payload: Mapping[str, Any], event: Mapping[str, Any]) -> Deed:
    user = event.get("user")
    return Deed(
        key=str(payload.get("event_id") or ""),
        kind="",
        team=str(event.get("user_team") or payload.get("team_id") or ""),
        user=user if isinstance(user, str) else "",
        channel=str(event.get("channel") or ""),
        ts=str(event.get("ts") or ""),
        thread=str(event.get("thread_ts") or ""),
        direct=event.get("channel_type") == "im",
    )


def _message(made: Deed, event: Mapping[str, Any], subtype: object, bot: str) -> Deed | None:
    if subtype in ("message_changed", "message_deleted"):
        before = _mapping(event.get("previous_message"))
        after = _mapping(event.get("message"))
        ours = any(one.get("bot_id") or one.get("user") == bot for one in (before, after))
        if ours or before.get("text") == after.get("text"):
            return None  # our own card, or a link that Slack unfurled
        # A message that heads a thread leaves a tombstone in its place.
        edited = subtype == "message_changed" and after.get("subtype") != "tombstone"
        made.kind = "edit" if edited else "delete"
        made.user = str(before.get("user") or after.get("user") or "")
        made.ts = str(before.get("ts") or event.get("deleted_ts") or "")
        made.thread = str(before.get("thread_ts") or "")
        if edited:
            made.text, made.stamp = _words(after), str(_mapping(after.get("edited")).get("ts") or made.key)
            made.files = _files(after)
        return made
    if (isinstance(subtype, str) and subtype in NOT_SAID) or not made.user:
        return None
    if not made.direct and not (subtype is None or (isinstance(subtype, str) and subtype in SAID)):
        return None
    made.kind, made.text = "say", _words(event)
    made.key = f"{made.channel} {made.ts}"  # the same where it was not sent but read, see catching_up.py
    made.files = _files(event)
    return made


def _words(event: Mapping[str, Any]) -> str:
    """What a message says, and what it passes on of somebody else's."""
    passed_on = [
        f"{one.get('author_name') or ''}: {one.get('text') or one.get('fallback') or ''}".lstrip(": ")
        for one in _mappings(event.get("attachments"))
        if one.get("is_share") or one.get("is_msg_unfurl")
    ]
    return _text("\n\n".join(text for text in (str(event.get("text") or ""), *passed_on) if text))


def _files(event: Mapping[str, Any]) -> tuple[SlackFile, ...]:
    gone = ("tombstone", "hidden_by_limit")
    return tuple(file_of(one) for one in _mappings(event.get("files")) if one.get("mode") not in gone)


def file_of(one: Mapping[str, Any]) -> SlackFile:
    """A file as Slack describes it."""
    return SlackFile(
        id=str(one.get("id") or ""),
        name=_text(str(one.get("name") or one.get("title") or "file")),
        type=_text(str(one.get("mimetype") or "application/octet-stream")),
        size=_number(one.get("size")),
        url=str(one.get("url_private_download") or one.get("url_private") or ""),
    )
