"""Customers' channels in the Slack house: what they say goes through the inbox's entries into the engine in memory."""

from __future__ import annotations

import msgspec

from channels.slack.packing import SLACK
from router.app.slack_channel import slack_channel
from router.core.events import MessageReceived, WorkspaceChanged
from router.core.message import Message
from router.core.ports import InboxEntry
from router.core.state import Contact
from router.shell.understanding import Facts, received, source_of
from router.shell.workers import Understood
from router.sim.slack import Channel
from tests.support.slack_house import SlackHouse

SECRET = b"5" * 32
FACTS = Facts(secret=SECRET, own=frozenset(), tier_of=lambda _: None)


class Shop:
    """A channel of customers. `cara` and `dan` are of another organisation, `zoe` is a colleague, `ana` an agent."""

    def __init__(self, desk: SlackHouse, *, agents: bool = False) -> None:
        self.desk = desk
        slack = desk.slack
        self.cara = slack.add_user("cara", real_name="Cara Cruz", team="T0OTHER01")
        self.dan = slack.add_user("dan", real_name="Dan Duarte", team="T0OTHER01")
        inside = ("cara", "dan", "zoe", "ana", "ben", slack.bot)
        self.channel: Channel = slack.add_channel("acme-help", members=inside, shared_with="T0OTHER01")
        self.other = slack.add_channel("lunch", members=inside)
        self._taken: set[bytes] = set()
        desk.customers[self.channel.id] = agents
        house, given = desk.house, desk.house.state.workspace
        ana = msgspec.structs.replace(given.agents["ana"], capacity={"email": 6, "messaging": 5})
        changed = msgspec.structs.replace(given, agents=given.agents | {"ana": ana})
        house.apply(WorkspaceChanged(at=house.now, version="2", workspace=changed))

    @property
    def entries(self) -> list[InboxEntry]:
        """What lies in the inbox, in order."""
        return [entry for _, entry in self.desk.house.inbox.entries.values() if entry.source == SLACK]

    def route(self) -> list[Message]:
        """Give what is new to the engine, as the leader does; gives the messages."""
        house, found = self.desk.house, []
        for name, entry in list(house.inbox.entries.values()):
            if entry.source == SLACK and entry.key not in self._taken:
                self._taken.add(entry.key)
                channel = slack_channel()
                at = 1_790_000_000_000 + len(self._taken)
                inbox = f"{at}-{name.partition('-')[0]}"
                source = source_of(channel, inbox=inbox, message=inbox, meta=entry.meta, conflict=False)
                message = channel.normalise(entry.raw, entry.meta)
                understood = Understood(message=message, language="en", topics=(("refund", 9_000),))
                event = received(source, understood, entry.raw, channel, FACTS, house.now).event
                assert isinstance(event, MessageReceived)
                house.written[inbox] = message
                house.apply(event)
                found.append(message)
        return found

    async def comes(self, number: int) -> list[Message]:
        """Wait until so many messages came in, and have them routed; gives those that are new."""
        await self.desk.until(lambda: len(self.entries) >= number, f"{number} messages in the inbox")
        assert len(self.entries) == number
        return self.route()

    @property
    def contacts(self) -> list[Contact]:
        """Those from here."""
        return [one for one in self.desk.house.state.contacts.values() if one.channel == SLACK]
