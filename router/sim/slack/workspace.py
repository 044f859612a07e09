"""One workspace: who and what is in it, and what happens when somebody posts, changes, reacts, shares or leaves.

Each change is told to the app as Slack's events, by way of `tell`, if the app may hear it; and to the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from router.sim.slack import shapes
from router.sim.slack.manifest import Manifest
from router.sim.slack.model import TEAM, Channel, File, Ids, Json, Message, User, View, filled, is_ts
from router.sim.slack.mrkdwn import links, pinged

HEARD_AS = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}


class Tell(Protocol):
    """Takes what the app is to hear: the event, under the name it subscribes to, and from where it comes."""

    def __call__(self, name: str, event: Json, channel: Channel | None) -> None:
        """Deliver it some time soon."""


class Workspace:
    """Everything in it. Nothing here checks whether the app may do what it does: the Web API's methods do."""

    def __init__(self, manifest: Manifest, now: Callable[[], float], base_url: Callable[[], str]) -> None:
        self.manifest = manifest
        self.now = now
        self.base_url = base_url
        self.ids = Ids(now)
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.files: dict[str, File] = {}
        self.views: dict[str, View] = {}
        self.homes: dict[str, View] = {}
        self.modals: dict[str, list[View]] = {}  # by user, the top one last
        self.whispers: list[Message] = []  # ephemeral
        self.pings: list[tuple[str, Message]] = []
        self.unfurls: list[tuple[str, Message]] = []
        self.tell: Tell = _nobody
        self.changed: Callable[[], None] = lambda: None
        self.bot = self.add_user(manifest.name, is_bot=True).id

    # -- who and where ------------------------------------------------------------------------------------------------

    def add_user(
        self, name: str, *, email: str = "", real_name: str = "", team: str = TEAM, is_bot: bool = False
    ) -> User:
        """Put somebody into the workspace, as if they had always been there."""
        user = User(
            self.ids.next("U"),
            name,
            real_name or name.replace(".", " ").title(),
            email or f"{name}@example.com",
            team=team,
            is_bot=is_bot,
            updated=int(self.now()),
        )
        self.users[user.id] = user
        return user

    def joined(self, user: User) -> None:
        """Tell that somebody is new."""
        self.tell("team_join", {"type": "team_join", "user": shapes.user_json(user)}, None)
        self.changed()

    def add_channel(
        self, name: str, members: Iterable[str], *, private: bool = False, shared_with: Iterable[str] = ()
    ) -> Channel:
        """Make a channel; the first member has created it."""
        inside = list(members)
        channel = Channel(
            self.ids.next("C"),
            name,
            "group" if private else "channel",
            inside[0] if inside else self.bot,
            int(self.now()),
            members=inside,
            shared_with=tuple(shared_with),
        )
        self.channels[channel.id] = channel
        self.changed()
        return channel

    def dm(self, user: str) -> Channel:
        """The conversation of somebody with the app, made if need be."""
        for channel in self.channels.values():
            if channel.kind == "im" and user in channel.members:
                return channel
        channel = Channel(self.ids.next("D"), "", "im", self.bot, int(self.now()), members=[self.bot, user])
        self.channels[channel.id] = channel
        return channel

    def join(self, channel: Channel, user: str) -> None:
        """Take somebody into a channel."""
        if user not in channel.members:
            channel.members.append(user)
            self._moved("member_joined_channel", channel, user)

    def leave(self, channel: Channel, user: str) -> None:
        """Let somebody go."""
        if user in channel.members:
            self._moved("member_left_channel", channel, user)
            channel.members.remove(user)

    def _moved(self, kind: str, channel: Channel, user: str) -> None:
        letter = "G" if channel.kind == "group" else "C"
        self.tell(
            kind,
            {
                "type": kind,
                "user": user,
                "channel": channel.id,
                "channel_type": letter,
                "team": TEAM,
                "event_ts": self.ids.ts(),
            },
            channel,
        )
        self.changed()

    # -- messages -----------------------------------------------------------------------------------------------------

    def post(self, channel: Channel, message: Message) -> Message:
        """Put a message, new or of a thread, where it belongs, and tell of it."""
        channel.messages[message.ts] = message
        if message.thread_ts:
            channel.heads.add(message.thread_ts)
        self._ping(channel, message)
        if message.unfurl:
            self.unfurls += [(url, message) for url in links(message.text, message.blocks)]
        self.tell(HEARD_AS[channel.kind], self._event(channel, message), channel)
        if f"<@{self.bot}>" in message.text and channel.kind != "im":
            mention = self._event(channel, message)
            self.tell("app_mention", {**_without_channel_type(mention), "type": "app_mention"}, channel)
        self.changed()
        return message

    def new_message(self, channel: Channel, user: str, text: str, **more: object) -> Message:
        """A message with a timestamp of its own, not yet posted."""
        message = Message(channel.id, self.ids.ts(), user, text)
        return replace(message, **more)  # type: ignore[arg-type]  # the fields of Message

    def change(self, channel: Channel, message: Message, by: str, **what: object) -> None:
        """Change a message, and tell of it."""
        before = self.json_of(channel, message)
        for name, value in what.items():
            setattr(message, name, value)
        if "subtype" not in what:
            message.edited = (by, self.ids.ts())
        self._ping(channel, message)
        after = self.json_of(channel, message)
        event = {**self._hidden(channel, "message_changed"), "message": after, "previous_message": before}
        self.tell(HEARD_AS[channel.kind], event, channel)
        self.changed()

    def delete(self, channel: Channel, message: Message) -> None:
        """Take a message away; one that heads a thread leaves a tombstone."""
        if len(channel.threads(message.ts)) > 1:
            gone: Json = {"text": "This message was deleted.", "blocks": None, "files": [], "metadata": None}
            self.change(channel, message, message.user, subtype="tombstone", **gone)
            return
        before = self.json_of(channel, message)
        del channel.messages[message.ts]
        event = self._hidden(channel, "message_deleted")
        self.tell(HEARD_AS[channel.kind], {**event, "deleted_ts": message.ts, "previous_message": before}, channel)
        self.changed()

    def whisper(self, message: Message) -> None:
        """Show somebody a message that is kept nowhere."""
        self.whispers.append(message)
        self.changed()

    def react(self, channel: Channel, message: Message, user: str, name: str, *, remove: bool = False) -> bool:
        """Put a reaction on a message or take it off; False if it was so already."""
        users = message.reactions.setdefault(name, [])
        if (user in users) != remove:
            return False
        if remove:
            users.remove(user)
        else:
            users.append(user)
        if not users:
            del message.reactions[name]
        kind = "reaction_removed" if remove else "reaction_added"
        self.tell(
            kind,
            {
                "type": kind,
                "user": user,
                "reaction": name,
                "item": {"type": "message", "channel": channel.id, "ts": message.ts},
                "item_user": message.user,
                "event_ts": self.ids.ts(),
            },
            channel,
        )
        self.changed()
        return True

    def find(self, channel: Channel, ts: object) -> Message | None:
        """The message with this timestamp."""
        return channel.messages.get(str(ts)) if is_ts(ts) else None

    def json_of(self, channel: Channel, message: Message, *, metadata: bool = False) -> Json:
        """A message as Slack writes it, thread and files included."""
        thread = channel.threads(message.ts) if message.thread_ts in {None, message.ts} else []
        return shapes.message_json(
            message,
            files=[shapes.file_json(self.files[one], self.base_url()) for one in message.files],
            replies=[one for one in thread if one.ts != message.ts],
            parent=channel.messages.get(message.thread_ts) if message.thread_ts else None,
            metadata=metadata,
            team=self._team(message),
        )

    def _team(self, message: Message) -> str:
        """The workspace of who wrote a message."""
        return self.users[message.user].team if message.user in self.users else TEAM

    def _event(self, channel: Channel, message: Message) -> Json:
        where = {"channel": channel.id, "channel_type": channel.kind, "event_ts": message.ts}
        event = {**self.json_of(channel, message), **where}
        if channel.shared_with and message.files:
            # From a channel that others share an event tells no more than that there are files: files.info tells.
            event["files"] = [shapes.file_stub(one) for one in message.files]
        return event

    def _hidden(self, channel: Channel, subtype: str) -> Json:
        ts = self.ids.ts()
        return {
            "type": "message",
            "subtype": subtype,
            "hidden": True,
            "channel": channel.id,
            "channel_type": channel.kind,
            "ts": ts,
            "event_ts": ts,
        }

    def _ping(self, channel: Channel, message: Message) -> None:
        names = {one.name: one.id for one in self.users.values()}
        for whom in sorted(pinged(message.text, message.blocks)):
            if whom.startswith("!"):
                told = [one for one in channel.members if one != message.user]
            else:
                told = [names.get(whom, whom)] if names.get(whom, whom) in self.users else []
            self.pings += [(one, message) for one in told]

    # -- files --------------------------------------------------------------------------------------------------------

    def add_file(self, name: str, user: str, size: int, data: bytes | None = None) -> File:
        """A file that is not shared yet."""
        file = File(self.ids.next("F"), name, name, user, int(self.now()), size, data=data)
        self.files[file.id] = file
        return file

    def share(self, files: list[File], channel: Channel, message: Message) -> Message:
        """Post a message with files."""
        message.files = [one.id for one in files]
        message.subtype = "file_share"
        for file in files:
            file.shared = True
            file.channels.append(channel.id)
        posted = self.post(channel, message)
        for file in files:
            self.tell(
                "file_shared",
                {
                    "type": "file_shared",
                    "file_id": file.id,
                    "user_id": file.user,
                    "file": {"id": file.id},
                    "channel_id": channel.id,
                    "event_ts": self.ids.ts(),
                },
                channel,
            )
        return posted

    # -- people -------------------------------------------------------------------------------------------------------

    def profile_changed(self, user: User) -> None:
        """Tell of a change of somebody's profile, in each of the three ways."""
        user.updated = int(self.now())
        for kind in ("user_change", "user_profile_changed", "user_status_changed"):
            email = "users:read.email" in self.manifest.scopes
            event: Json = {
                "type": kind,
                "user": shapes.user_json(user, with_email=email),
                "cache_ts": user.updated,
            }
            if kind != "user_change":
                event["event_ts"] = self.ids.ts()
            self.tell(kind, event, None)
        self.changed()

    # -- views --------------------------------------------------------------------------------------------------------

    def new_view(self, user: str, sent: Json, *, previous: View | None = None) -> View:
        """A view as it was sent, not yet shown."""
        name = self.ids.next("V")
        view = View(
            name,
            user,
            {**sent, "blocks": filled(sent["blocks"])},
            self.hash(),
            previous.root if previous is not None else name,
            previous=previous.id if previous is not None else None,
        )
        self.views[name] = view
        return view

    def show_view(self, view: View, sent: Json) -> None:
        """Show other content in a view; what somebody entered under ids that remain stays."""
        view.sent = {**sent, "blocks": filled(sent["blocks"])}
        view.hash = self.hash()
        kept = {(one["block_id"], one["action_id"]) for one in view.elements}
        view.entered = {
            block: {action: value for action, value in actions.items() if (block, action) in kept}
            for block, actions in view.entered.items()
        }
        self.changed()

    def hash(self) -> str:
        """A hash as views carry it: their time and eight letters."""
        ts = self.ids.ts()
        return f"{ts.split('.')[0]}.{hashlib.sha256(ts.encode()).hexdigest()[:8]}"


def _nobody(name: str, event: Json, channel: Channel | None) -> None:
    """Nobody listens yet."""


def _without_channel_type(event: Json) -> Json:
    return {key: value for key, value in event.items() if key != "channel_type"}
