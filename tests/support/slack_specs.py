"""The samples of real Slack that Slack itself collects: every key that was ever seen, with a value of its type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.conftest import REFERENCE

SAMPLES = REFERENCE / "specs" / "slack-json-logs" / "json-logs" / "samples"
OPENAPI = REFERENCE / "specs" / "slack-api-specs" / "web-api" / "slack_web_openapi_v2.json"
ASYNCAPI = REFERENCE / "specs" / "slack-api-specs" / "events-api" / "slack_events_api_async_v1.json"

# Keys that Slack's own documentation shows and its samples lack.
DOCUMENTED = frozenset(
    {"selected_options", "selected_users", "selected_conversations", "selected_channels"}
    | {"user_team", "source_team"}  # of messages from others who share a channel ("Slack Connect")
)
# The same, by method: the example of a direct message has it.
DOCUMENTED_AT = frozenset({"conversations.info/channel/user"})
# Where Slack writes null instead of leaving a key out.
NULLS = frozenset({"enterprise", "enterprise_id", "context_enterprise_id", "close", "submit", "previous_view_id"})
# Objects whose keys are names of somebody's choice.
NAMED = frozenset({"values", "event_payload", "args"})


@cache
def sample(path: str) -> Any:  # noqa: ANN401  # JSON
    """One file of samples, such as `api/auth.test` or `events/MessagePayload`."""
    return json.loads((SAMPLES / f"{path}.json").read_text())


@cache
def openapi() -> dict[str, Any]:
    """The Web API as Slack described it until 2021."""
    described: dict[str, Any] = json.loads(Path(OPENAPI).read_text())
    return described


@cache
def any_blocks() -> list[dict[str, Any]]:
    """Blocks with every key, wherever they stand: the samples of events and payloads leave out most of theirs."""
    rich = {"type": "rich_text", "elements": [], "block_id": ""}  # no sample has the parts of it
    views, messages = sample("api/views.open")["view"], sample("api/conversations.history")["messages"][0]
    blocks = [*views["blocks"], *messages["blocks"], rich]
    accessory: object = {}
    for block in blocks:
        accessory = _union(accessory, block.get("accessory", {}))
    return [{**block, "accessory": accessory} for block in blocks]


@cache
def event_sample(name: str) -> dict[str, Any]:
    """An event in its wrapper, which has the same keys for all; a message has every key that messages have."""
    wrapped: dict[str, Any] = {}
    for path in sorted((SAMPLES / "events").glob("*.json")):
        wrapped |= json.loads(path.read_text())
    event = sample(f"events/{name}")["event"]
    if event["type"] == "message":
        message = sample("api/conversations.history")["messages"][0]
        event = message | event
        for key in ("message", "previous_message"):
            if key in event:
                event[key] = message | event[key]
    return wrapped | {"event": event}


def scopes_of_method(method: str) -> set[str]:
    """The scopes that a method asked for in 2021, when `chat:write` was two."""
    ways = openapi()["paths"][f"/{method}"].values()
    named = {scope for way in ways for one in way["security"] for scope in one["slackAuth"]}
    return {scope.removesuffix(":bot").removesuffix(":user") for scope in named}


def scopes_of_event(event: str) -> set[str] | None:
    """The scopes that an event asks for in Slack's AsyncAPI; None if it is younger."""
    topic = json.loads(ASYNCAPI.read_text())["topics"].get(event.replace("_", "."))
    return None if topic is None else set(topic["subscribe"]["x-scopes-required"])


def parameters(method: str) -> set[str]:
    """The names of a method's parameters there; empty if the method is younger."""
    path = openapi()["paths"].get(f"/{method}", {})
    return {one["name"] for way in path.values() for one in way.get("parameters", ())} - {"token"}


def strange(value: object, known: object, at: str = "") -> Iterator[str]:
    """Every key of `value` that `known` lacks, and every value of another type."""
    if value is None:
        if at.rpartition("/")[2] not in NULLS and not at.rpartition("/")[2].startswith("selected_"):
            yield f"{at}: null"
    elif isinstance(value, dict):
        yield from _object(value, known, at)
    elif isinstance(value, list):
        if not isinstance(known, list):
            yield f"{at}: a list, not {known!r}"
        elif known:
            for one in value:
                yield from strange(one, _nearest(one, known), f"{at}/-")
    elif type(value) is not type(known) and not {type(value), type(known)} <= {int, float}:
        yield f"{at}: {value!r}, not {known!r}"


def _object(value: dict[str, Any], known: object, at: str) -> Iterator[str]:
    if not isinstance(known, dict):
        yield f"{at}: an object, not {known!r}"
        return
    if not known or at.rpartition("/")[2] in NAMED:
        return
    for key, part in value.items():
        if key == "blocks":
            yield from strange(part, any_blocks(), f"{at}/{key}")
        elif key in known:
            yield from strange(part, known[key], f"{at}/{key}")
        elif key not in DOCUMENTED and f"{at}/{key}" not in DOCUMENTED_AT:
            yield f"{at}/{key}: no such key"


def _nearest(value: object, known: list[object]) -> object:
    """The samples of a list's members that are of the same type, as one."""
    if not isinstance(value, dict):
        return known[0]
    alike = [one for one in known if isinstance(one, dict) and one.get("type") == value.get("type")] or known
    merged: object = {}
    for one in alike:
        merged = _union(merged, one)
    return merged


def _union(one: object, other: object) -> object:
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: _union(one.get(key, other.get(key)), other.get(key, one.get(key))) for key in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return one if one is other else [*one, *other]
    return other
