"""A person in the workspace: what they do with a keyboard and a mouse, and what they see of it.

Nobody can do here what Slack's own clients would not let them: `CannotError` says so, and nothing is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from router.sim.slack import acting
from router.sim.slack.blocks import problems_of_view
from router.sim.slack.model import Channel, Json, Message, User, View
from router.sim.slack.sockets import Answer
from router.sim.slack.typed import client_id, rich, typed
from router.sim.slack.values import CannotError, entered, has_state, is_empty

if TYPE_CHECKING:
    from router.sim.slack.fake import FakeSlack


class Person:
    """One member of the workspace."""

    def __init__(self, slack: FakeSlack, user: User) -> None:
        self._slack = slack
        self._space = slack.space
        self.user = user
        self._offered: dict[tuple[str, str], list[Json]] = {}  # by block and action: what external menus offered

    @property
    def id(self) -> str:
        """What Slack knows them by."""
        return self.user.id

    # -- what they see ------------------------------------------------------------------------------------------------

    @property
    def dm(self) -> Channel:
        """Their conversation with the app."""
        return self._space.dm(self.id)

    @property
    def home(self) -> View | None:
        """The App Home that was published for them."""
        return self._space.homes.get(self.id)

    @property
    def modal(self) -> View | None:
        """The modal in front of them."""
        stack = self._space.modals.get(self.id)
        return stack[-1] if stack else None

    def sees(self, channel: Channel | None = None) -> list[Message]:
        """Everything in a channel (without one: in their DM with the app), threads and ephemeral messages included."""
        where = self.dm if channel is None else channel
        if self.id not in where.members:
            return []
        whispers = [one for one in self._space.whispers if one.only_for == self.id and one.channel == where.id]
        return sorted([*where.messages.values(), *whispers], key=lambda one: one.ts)

    def thread(self, message: Message) -> list[Message]:
        """The thread that a message heads or stands in."""
        head = message.thread_ts or message.ts
        return [one for one in self.sees(self._space.channels[message.channel]) if head in {one.ts, one.thread_ts}]

    # -- writing ------------------------------------------------------------------------------------------------------

    async def writes(self, text: str, *, channel: Channel | None = None, thread: Message | None = None) -> Message:
        """Write a message; with `thread` a reply."""
        where = self._writable(channel, thread)
        said = typed(text, self._space.users.values(), self._space.channels.values())
        message = self._space.new_message(where, self.id, said, thread_ts=_head(thread))
        message.client_msg_id, message.blocks = client_id(message.ts), rich(text, message.ts)
        return self._space.post(where, message)

    async def uploads(
        self, name: str, data: bytes, *, text: str = "", channel: Channel | None = None, thread: Message | None = None
    ) -> Message:
        """Share a file, with a message if there is one."""
        where = self._writable(channel, thread)
        file = self._space.add_file(name, self.id, len(data), data)
        said = typed(text, self._space.users.values(), self._space.channels.values())
        message = self._space.new_message(where, self.id, said, thread_ts=_head(thread))
        if text:
            message.blocks = rich(text, message.ts)
        return self._space.share([file], where, message)

    async def edits(self, message: Message, text: str) -> None:
        """Change a message of theirs."""
        said = typed(text, self._space.users.values(), self._space.channels.values())
        live, where = self._own(message)
        self._space.change(where, live, self.id, text=said, blocks=rich(text, live.ts))

    async def deletes(self, message: Message) -> None:
        """Take a message of theirs away."""
        live, where = self._own(message)
        self._space.delete(where, live)

    async def reacts(self, message: Message, name: str, *, remove: bool = False) -> None:
        """Put an emoji on a message, or take it off."""
        where = self._space.channels[message.channel]
        live = where.messages.get(message.ts)
        if live is None or not self._space.react(where, live, self.id, name, remove=remove):
            raise CannotError(f"no such message, or :{name}: is as it should be")

    async def joins(self, channel: Channel) -> None:
        """Enter a public channel."""
        if channel.kind != "channel":
            raise CannotError("one is invited there")
        self._space.join(channel, self.id)

    async def leaves(self, channel: Channel) -> None:
        """Leave a channel."""
        self._space.leave(channel, self.id)

    async def sets_status(self, emoji: str, *, expiration: int = 0, text: str = "") -> None:
        """Set the status, until `expiration` (seconds since 1970; 0: for ever). An empty emoji clears it."""
        user = self.user
        user.status_emoji, user.status_text, user.status_expiration = emoji, text, expiration
        self._space.profile_changed(user)
        if expiration:
            self._slack.later(expiration - self._space.now(), lambda: self._status_ends(expiration))

    def sets_presence(self, presence: str) -> None:
        """Be `active` or `away`; Slack tells nobody, it has to be asked."""
        self.user.presence = presence

    def is_deactivated(self) -> None:
        """Have their account switched off by an admin."""
        self.user.deleted = True
        self._space.profile_changed(self.user)

    def _status_ends(self, expiration: int) -> None:
        if self.user.status_expiration == expiration:
            self.user.status_emoji, self.user.status_text, self.user.status_expiration = "", "", 0
            self._space.profile_changed(self.user)

    def _writable(self, channel: Channel | None, thread: Message | None) -> Channel:
        where = channel or (self._space.channels[thread.channel] if thread is not None else self.dm)
        if self.id not in where.members:
            raise CannotError("not a member")
        if where.kind == "im" and not self._space.manifest.messages_tab:
            raise CannotError("sending messages to this app has been turned off")
        return where

    def _own(self, message: Message) -> tuple[Message, Channel]:
        where = self._space.channels[message.channel]
        live = where.messages.get(message.ts)
        if live is None or live.user != self.id:
            raise CannotError("not a message of theirs")
        return live, where

    # -- clicking -----------------------------------------------------------------------------------------------------

    async def clicks(self, on: Message | View, action: str, *, value: str | None = None) -> Answer:
        """Click a button; `value` tells buttons of the same name apart."""
        element = _find(on, action, value)
        if element["type"] != "button":
            raise CannotError(f"{action} is a {element['type']}: choose a value")
        return await self._acts(on, element, None)

    async def chooses(self, on: Message | View, action: str, value: object) -> Answer:
        """Choose in a menu, tick boxes, pick a date: by the options' values."""
        element = _find(on, action)
        state = entered(element, value, lambda one: self._offered.get((one["block_id"], one["action_id"]), []))
        if isinstance(on, View) and has_state(element):
            on.entered.setdefault(element["block_id"], {})[element["action_id"]] = state
        if isinstance(on, View) and _is_silent_input(on, element):
            return Answer(acked=True)  # an input tells nobody before it is submitted
        return await self._acts(on, element, state)

    async def asks_options(self, on: Message | View, action: str, query: str) -> list[Json]:
        """Type into a menu whose options the app knows; gives what is offered."""
        element = _find(on, action)
        if not element["type"].endswith("external_select"):
            raise CannotError(f"{action} has its own options")
        payload = {
            **acting.common("block_suggestion", self.user),
            "action_id": element["action_id"],
            "block_id": element["block_id"],
            "value": query,
            **self._where(on),
        }
        payload.pop("state", None)
        answer = await self._slack.deliveries.send("interactive", payload)
        body = answer.body if isinstance(answer.body, dict) else {}
        groups = body.get("option_groups", [])
        options = [*body.get("options", []), *(one for group in groups for one in group["options"])]
        self._offered[element["block_id"], element["action_id"]] = options
        return options

    async def _acts(self, on: Message | View, element: Json, state: Json | None) -> Answer:
        if not self._space.manifest.interactive:
            raise CannotError("this app is not configured to handle interactive responses")
        if isinstance(on, Message) and self.id not in self._space.channels[on.channel].members:
            raise CannotError("not a member of the channel")
        payload = {
            **acting.common("block_actions", self.user),
            "trigger_id": self._slack.turns.trigger(self.id),
            **self._where(on),
            "actions": [acting.action_of(element, state, self._space.ids.ts())],
        }
        if isinstance(on, Message):
            where = self._space.channels[on.channel]
            live = next((one for one in self._space.whispers if one.ts == on.ts), on)
            payload["response_url"] = self._slack.turns.address(self.id, where, live)
        return await self._slack.deliveries.send("interactive", payload)

    def _where(self, on: Message | View) -> Json:
        if isinstance(on, View):
            return acting.in_view(on, acting.state_of(on.elements, on.entered))
        state = acting.state_of(on.elements, {})
        return acting.in_message(self._space, self._space.channels[on.channel], on, state)

    # -- home, modals, commands ---------------------------------------------------------------------------------------

    async def opens_home(self, tab: str = "home") -> None:
        """Look at the app's home (`home`), or at their conversation with it (`messages`)."""
        event = acting.home_opened(self.user, self.dm, tab, self.home, self._space.ids.ts())
        self._space.tell("app_home_opened", event, self.dm)

    async def submits(self, view: View | None, values: dict[str, Any] | None = None) -> Answer:
        """Fill in a modal by block_id or action_id and submit it. `answer.errors`: what the app found wrong."""
        if view is None or view is not self.modal:
            raise CannotError("there is no such modal in front of them")
        for key, value in (values or {}).items():
            element = _find(view, key)
            state = entered(element, value, lambda one: self._offered.get((one["block_id"], one["action_id"]), []))
            view.entered.setdefault(element["block_id"], {})[element["action_id"]] = state
        state = acting.state_of(view.elements, view.entered)
        _complete(view, state)
        payload = {
            **acting.common("view_submission", self.user),
            "trigger_id": self._slack.turns.trigger(self.id),
            "view": acting.in_view(view, state)["view"],
        }
        answer = await self._slack.deliveries.send("interactive", payload)
        return self._obey(view, answer) if answer.acked else answer

    def _obey(self, view: View, answer: Answer) -> Answer:
        """Do with the modal what the app answered."""
        body = answer.body if isinstance(answer.body, dict) else {}
        stack = self._space.modals.get(self.id, [])
        match body.get("response_action"):
            case "errors":
                inputs = {one["block_id"] for one in view.blocks if one["type"] == "input"}
                errors: dict[str, str] = body.get("errors", {})
                if not errors or errors.keys() - inputs:
                    return Answer(acked=True, body=body, problem="invalid_errors")
                return Answer(acked=True, body=body, errors=errors)
            case "update" | "push" as what:
                problems = problems_of_view(body.get("view"))
                if problems:
                    return Answer(acked=True, body=body, problem="; ".join(problems))
                if what == "push":
                    stack.append(self._space.new_view(self.id, body["view"], previous=view))
                else:
                    self._space.show_view(view, body["view"])
            case "clear":
                stack.clear()
            case _:
                if view in stack:
                    stack.remove(view)
        self._space.changed()
        return answer

    async def closes(self, view: View | None, *, everything: bool = False) -> Answer:
        """Close a modal, or the whole stack of them."""
        stack = self._space.modals.get(self.id, [])
        if view is None or view not in stack:
            raise CannotError("there is no such modal")
        gone = list(stack) if everything else [view]
        for one in gone:
            stack.remove(one)
        self._space.changed()
        answers = [await self._closed(one, cleared=everything) for one in gone if one.sent.get("notify_on_close")]
        return answers[-1] if answers else Answer(acked=True)

    async def _closed(self, view: View, *, cleared: bool) -> Answer:
        state = acting.state_of(view.elements, view.entered)
        payload = {
            **acting.common("view_closed", self.user),
            "view": acting.in_view(view, state)["view"],
            "is_cleared": cleared,
        }
        return await self._slack.deliveries.send("interactive", payload)

    async def command(self, name: str, text: str = "", *, channel: Channel | None = None) -> Answer:
        """Type a slash command, in a channel or the DM. What the app acknowledges with is shown to them."""
        where = channel or self.dm
        if name not in self._space.manifest.commands:
            raise CannotError(f"{name} is not a valid command")
        form = acting.command_form(self.user, where, name, text)
        form |= {
            "trigger_id": self._slack.turns.trigger(self.id),
            "response_url": self._slack.turns.address(self.id, where, None),
        }
        answer = await self._slack.deliveries.send("slash_commands", form)
        if answer.acked and answer.body:
            body = answer.body if isinstance(answer.body, dict) else {"text": str(answer.body)}
            if body.get("text") or body.get("blocks"):
                self._slack.turns.say(self.id, where, body)
        elif not answer.acked:
            words = f"{name} failed with the error “{answer.problem}”"
            self._space.whisper(self._space.new_message(where, "USLACKBOT", words, only_for=self.id))
        await asyncio.sleep(0)
        return answer


def _head(thread: Message | None) -> str | None:
    return None if thread is None else thread.thread_ts or thread.ts


def _find(on: Message | View, key: str, value: str | None = None) -> Json:
    fitting = [
        one
        for one in on.elements
        if key in {one["action_id"], one["block_id"]} and (value is None or one.get("value") == value)
    ]
    if not fitting:
        raise CannotError(f"there is no {key} among {on.buttons}")
    return fitting[0]


def _is_silent_input(view: View, element: Json) -> bool:
    block = next(one for one in view.blocks if one["block_id"] == element["block_id"])
    return block["type"] == "input" and not block.get("dispatch_action")


def _complete(view: View, state: dict[str, dict[str, Json]]) -> None:
    """Every input that is not optional is filled in: the client itself insists."""
    missing: Sequence[str] = [
        block["block_id"]
        for block in view.blocks
        if block["type"] == "input"
        and not block.get("optional")
        and is_empty(state[block["block_id"]][block["element"]["action_id"]])
    ]
    if missing:
        raise CannotError(f"these are to be filled in: {', '.join(missing)}")
