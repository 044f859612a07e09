"""Who is who: agents of the roster and people of the Slack workspace, asked anew for every action.

An agent is named by a member id or by an e-mail address. An address counts only as Slack confirmed it for a member of
our own workspace: people of other organisations in a shared channel can call themselves what they like.
"""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from channels.slack.api import Api, Refusal, Wait
from channels.slack.ports import Memory, Roster

log = structlog.get_logger()

FORGET = 5_000
ABSENT_SECONDS = 300.0  # so long nobody is asked again after a member that there is not


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member as Slack describes them. `address`: only of a living person of our own workspace.

    `outside`: of another organisation, in a channel that is shared with it. `locale`: what their Slack is set to.
    """

    name: str = ""
    address: str = ""
    locale: str = ""
    outside: bool = False
    bot: bool = False


class Seat(msgspec.Struct):
    """An agent in Slack: under which address they were found, their member id, and their conversation with the app."""

    address: str
    user: str
    dm: str = ""


_SEAT = msgspec.json.Decoder(Seat)
PREFIX = "seat:"


class People:
    """Finds agents by member ids, and members by agents."""

    def __init__(self, api: Api, roster: Roster, memory: Memory, team: str) -> None:
        """`team`: the id of our own workspace in Slack."""
        self._api = api
        self._roster = roster
        self._memory = memory
        self._team = team
        self._seats: dict[str, Seat] = {}
        self._absent: dict[str, float] = {}  # address -> until when (of the loop's clock) it is taken for nobody's
        self._asking: dict[str, asyncio.Lock] = {}
        self._members: dict[str, Member] = {}  # by id, of those looked up
        self._waits: dict[str, float] = {}  # agent -> until when (of the loop's clock) Slack's limits make them wait

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered."""
        self._seats = {name[len(PREFIX) :]: _SEAT.decode(raw) for name, raw in kept.items() if name.startswith(PREFIX)}

    def seat(self, agent: str) -> Seat | None:
        """The agent's seat, as far as it is known."""
        address = self._roster.addresses().get(agent)
        seat = self._seats.get(agent)
        return seat if seat is not None and address is not None and seat.address == address else None

    async def found(self, agent: str) -> Seat | None:
        """The agent's seat with their conversation, looked up if need be; None if Slack has no such member.

        Raises Wait, Refusal, StoreUnavailable, Fenced.
        """
        address = self._roster.addresses().get(agent)
        if not address:
            return None
        async with self._asking.setdefault(agent, asyncio.Lock()):
            now = asyncio.get_running_loop().time()
            left = self._waits.get(agent, 0.0) - now
            if left > 0:  # whoever asks for the same agent waits for the one who asked first
                raise Wait(left)
            try:
                return await self._found(agent, address)
            except Wait as wait:
                self._waits[agent] = now + wait.seconds
                raise

    async def _found(self, agent: str, address: str) -> Seat | None:
        seat, now = self.seat(agent), asyncio.get_running_loop().time()
        if seat is None:
            if self._absent.get(address, 0.0) > now:
                return None
            user = await self._member(address)
            if user is None:
                log.warning("slack_agent_unknown", agent=agent)
                self._absent[address] = now + ABSENT_SECONDS
                return None
            seat = Seat(address=address, user=user)
        if not seat.dm:
            opened = await self._api.call("conversations.open", {"users": seat.user}, urgent=True)
            seat.dm = str(opened["channel"]["id"])
            await self._remember(agent, seat)
        return seat

    async def _remember(self, agent: str, seat: Seat) -> None:
        self._seats[agent] = seat
        await self._memory.put(PREFIX + agent, msgspec.json.encode(seat))

    async def _member(self, address: str) -> str | None:
        if "@" not in address:
            return address
        try:
            answer = await self._api.call("users.lookupByEmail", {"email": address}, urgent=True)
        except Refusal as refusal:
            if refusal.code == "users_not_found":
                return None
            raise
        return str(answer["user"]["id"]) if self._ours(answer["user"]) else None

    async def agent_of(self, user: str) -> str | None:
        """The agent that a member is, or None. Raises Wait, Refusal."""
        addresses = self._roster.addresses()
        for agent, seat in self._seats.items():
            if seat.user == user and addresses.get(agent) == seat.address:
                return agent
        by_id = next((agent for agent, named in addresses.items() if user == named), None)
        if by_id is not None:
            return by_id
        address = (await self.member(user)).address.casefold()
        return next((agent for agent, named in addresses.items() if address and named.casefold() == address), None)

    async def member(self, user: str) -> Member:
        """Who a member is; nothing is known of one whom Slack does not show. Raises Wait, Refusal."""
        known = self._members.get(user)
        if known is not None:
            return known
        try:
            arguments = {"user": user, "include_locale": True}
            answer = await self._api.call("users.info", arguments, urgent=True, patience=2.0)
        except Refusal as refusal:
            if refusal.code in {"user_not_found", "user_not_visible"}:
                return Member()
            raise
        told = answer["user"]
        profile = told.get("profile") or {}
        found = Member(
            name=str(profile.get("real_name") or told.get("real_name") or profile.get("display_name") or ""),
            address=str(profile.get("email") or "") if self._ours(told) else "",
            locale=str(told.get("locale") or ""),
            outside=self._foreign(told),
            bot=bool(told.get("is_bot")),
        )
        if len(self._members) >= FORGET:
            self._members.clear()
        self._members[user] = found
        return found

    def _ours(self, told: dict[str, object]) -> bool:
        """Whether this is a living person of our own workspace."""
        return not (told.get("deleted") or told.get("is_bot") or self._foreign(told))

    def _foreign(self, told: dict[str, object]) -> bool:
        return bool(told.get("is_stranger") or (self._team and told.get("team_id") not in {None, self._team}))

    def known(self, user: str) -> str | None:
        """The agent that a member is, as far as it is known without asking."""
        return next((agent for agent, seat in self._seats.items() if seat.user == user), None)

    def met(self, user: str) -> bool:
        """Whether anything is known of a member."""
        return user in self._members or self.known(user) is not None

    async def forget(self, user: str) -> None:
        """Something about a member changed: ask anew, also after a restart. Raises StoreUnavailable, Fenced."""
        self._members.pop(user, None)
        gone = [agent for agent, seat in self._seats.items() if seat.user == user and "@" in seat.address]
        await self._memory.delete([PREFIX + agent for agent in gone])
        for agent in gone:
            self._seats.pop(agent, None)
