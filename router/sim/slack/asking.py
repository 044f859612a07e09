"""A call of a Web API method: its arguments as typed values, its refusals, and the table of methods."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from router.sim.slack.manifest import Manifest
from router.sim.slack.model import Channel, Json, User
from router.sim.slack.rules import Limiter, Rules
from router.sim.slack.workspace import Workspace

SCOPES_OF = {"channel": "channels", "group": "groups", "im": "im"}


class Refused(Exception):
    """Slack says no: `error` as it names it, and more keys of the answer."""

    def __init__(self, error: str, *, retry_after: int | None = None, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.retry_after = retry_after
        self.more = more


class Desk(Protocol):
    """What methods reach beside the workspace: triggers of views, and the addresses of sockets."""

    def exchange(self, trigger: object) -> str:
        """Give the user of a trigger_id, once. Raises Refused."""

    def new_socket(self) -> str:
        """The address of a socket, for one use."""


@dataclass(slots=True)
class Asked:
    """One call."""

    method: str
    bearer: str  # the kind of the token: `bot` or `app`
    args: Json
    space: Workspace
    rules: Rules
    limiter: Limiter
    desk: Desk

    @property
    def manifest(self) -> Manifest:
        """What the app may do."""
        return self.space.manifest

    def need(self, *scopes: str) -> None:
        """Refuse unless the app holds one of these scopes."""
        if not set(scopes) & self.manifest.scopes:
            raise Refused("missing_scope", needed=",".join(scopes), provided=",".join(sorted(self.manifest.scopes)))

    def string(self, name: str, default: str | None = None, *, missing: str = "invalid_arguments") -> str:
        """A text; refused with `missing` if there is none and no default."""
        value = self.args.get(name)
        if value is None or (value == "" and default is None):
            if default is None:
                raise invalid(f"missing required field: {name}", error=missing)
            return default
        if not isinstance(value, str | int | float):
            raise invalid(f"must be a string: {name}")
        return str(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean, as form or JSON writes it."""
        value = self.args.get(name)
        return default if value is None else value in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 1 to `most`."""
        value = self.args.get(name)
        if value is None or value == "":
            return default
        try:
            number = int(value)
        except (TypeError, ValueError) as error:
            raise invalid(f"must be a number: {name}") from error
        if not 1 <= number <= most:
            raise Refused("invalid_limit" if name == "limit" else "invalid_arguments")
        return number

    def structure(self, name: str, *, error: str = "invalid_arguments") -> Any:  # noqa: ANN401  # JSON
        """A list or object, which forms carry as JSON in a string; None if it is not given."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError as reason:
            raise Refused(error) from reason

    def channel(self, name: str = "channel") -> Channel:
        """A channel by its id; a person's id stands for the conversation with them where a message is posted."""
        wanted = self.string(name, missing="channel_not_found")
        found = self.space.channels.get(wanted)
        if found is None and self.method == "chat.postMessage" and wanted in self.space.users:
            return self.space.dm(wanted)
        if found is None:
            found = next((one for one in self.space.channels.values() if f"#{one.name}" == wanted), None)
        hidden = found is not None and found.kind != "channel" and self.space.bot not in found.members
        if found is None or hidden:
            raise Refused("channel_not_found")
        return found

    def user(self, name: str = "user") -> User:
        """A person by their id."""
        found = self.space.users.get(self.string(name, missing="user_not_found"))
        if found is None:
            raise Refused("user_not_found")
        return found

    def page(self, items: list[Any], *, default: int, most: int) -> tuple[list[Any], Json]:
        """A page of a list by `limit` and `cursor`, and the `response_metadata` to go on with."""
        limit = self.number("limit", default, most)
        cursor = self.string("cursor", "")
        start = 0
        if cursor:
            name, _, place = cursor.partition(":")
            if name != self.method or not place.isdigit() or int(place) > len(items):
                raise Refused("invalid_cursor")
            start = int(place)
        more = start + limit < len(items)
        following = f"{self.method}:{start + limit}" if more else ""
        return items[start : start + limit], {"response_metadata": {"next_cursor": following}}

    def message_goes_to(self, channel: Channel) -> None:
        """Refuse what cannot be posted there, or not yet."""
        if channel.archived:
            raise Refused("is_archived")
        if self.space.bot not in channel.members:
            raise Refused("not_in_channel")
        wait = self.limiter.message(channel.id)
        if wait is not None:
            raise Refused("ratelimited", retry_after=wait)


def invalid(message: str, *, error: str = "invalid_arguments") -> Refused:
    """A refusal that says what is wrong with an argument."""
    return Refused(error, response_metadata={"messages": [f"[ERROR] {message}"]})


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the Web API."""

    name: str
    answer: Callable[[Asked], Json]
    tier: int | None  # None: special
    bearer: Literal["bot", "app", "any"]
    args: frozenset[str] = field(default_factory=frozenset)


METHODS: dict[str, Method] = {}


def method(
    name: str, *, tier: int | None, args: str = "", bearer: Literal["bot", "app", "any"] = "bot"
) -> Callable[[Callable[[Asked], Json]], Callable[[Asked], Json]]:
    """Enter a function into the table of methods."""

    def enter(answer: Callable[[Asked], Json]) -> Callable[[Asked], Json]:
        METHODS[name] = Method(name, answer, tier, bearer, frozenset(args.split()))
        return answer

    return enter
