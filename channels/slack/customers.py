"""Channels whose writers are customers: what is said there goes into the inbox, thread by thread.

Acknowledged after: the message is on disk under Slack's own id for it, as every deed is (`arriving`). Who wrote it and
its files are asked for afterwards, and then it is handed to the inbox under its channel and timestamp: what comes
twice, or is read again after a fault, is one message there. Nothing of that may keep a message for ever: what Slack
does not tell in a few tries is left out, and the message says so.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping

import msgspec
import structlog

from channels.slack import texts
from channels.slack.api import Refusal, Wait
from channels.slack.fetching import CannotFetch, Fetching
from channels.slack.packing import SLACK, Fetched, Posted, pack
from channels.slack.people import Member, People
from channels.slack.reading import Deed, SlackFile
from router.core.errors import Fenced, TransientError
from router.core.ports import Inbox, InboxEntry

log = structlog.get_logger()

FILE_BYTES_MAX = 20_000_000
REST_BYTES_MAX = 60_000_000  # of all files of one message
TRIES_MAX = 7  # of what Slack does not tell: after a second, then twice as long each time, two minutes in all
TRIED_KEPT = 1_000
TRY_FIRST_SECONDS = 1.0
LANE = "customers "
_DIGEST_BYTES = 16
_MENTION = re.compile(r"<@([UW][A-Z0-9]{1,30})")
MENTIONS_MAX = 10

Channels = Callable[[], Mapping[str, bool]]  # by id: whether agents who write there are customers as well
Tidy = Callable[[str, str], tuple[str, str]]  # makes a file's name and type safe


class Customers:
    """One node's."""

    def __init__(self, *, channels: Channels, people: People, fetching: Fetching, inbox: Inbox, tidy: Tidy) -> None:
        self._channels = channels
        self._people = people
        self._fetching = fetching
        self._inbox = inbox
        self._tidy = tidy
        self._tried: OrderedDict[tuple[str, str], int] = OrderedDict()  # (deed, what was asked) → how often in vain

    @property
    def channels(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(self._channels())

    def concerns(self, deed: Deed) -> bool:
        """Whether a deed is something said, changed or deleted in a customers' channel."""
        return deed.kind in {"say", "edit", "delete"} and not deed.direct and deed.channel in self._channels()

    def lane_of(self, deed: Deed) -> str:
        """What is said in one thread comes in in order."""
        return f"{LANE}{deed.channel} {deed.thread or deed.ts}"

    async def take(self, deed: Deed) -> None:
        """Hand it to the inbox, unless an agent or a program wrote it. Raises Wait, TransientError."""
        try:
            await self._take(deed)
        except (Wait, Fenced, TransientError):
            raise
        except Exception as error:  # a mistake of ours: its words come in without all else
            log.exception("slack_message_not_whole", error=type(error).__name__)
            await self._inbox.append([entry_of(_bare(deed))])
        self._forget(deed)

    async def _take(self, deed: Deed) -> None:
        with_agents = self._channels().get(deed.channel, False)
        member = await self._who(deed)
        if member.bot or (not with_agents and await self._is_agent(deed)):
            log.debug("slack_not_a_customer", channel=deed.channel)
            return
        files = await self._files(deed) if deed.kind != "delete" else []
        posted = msgspec.structs.replace(
            _bare(deed),
            name=member.name,
            locale=member.locale,
            outside=member.outside,
            names=await self._names(deed),
            files=tuple(file for file, _ in files),
        )
        await self._inbox.append([entry_of(posted, tuple(content for _, content in files))])

    # -- who ---------------------------------------------------------------------------------------------------------

    async def _who(self, deed: Deed) -> Member:
        try:
            return await self._people.member(deed.user)
        except Refusal as refusal:  # a scope is missing, say: what was written counts more
            log.warning("slack_customer_not_known", code=refusal.code)
            return Member()
        except Wait as wait:
            self._again(deed, "who", wait)
            return Member()

    async def _is_agent(self, deed: Deed) -> bool:
        try:
            return await self._people.agent_of(deed.user) is not None
        except (Refusal, Wait):  # Slack has not said who it is in all that time: who is known without it is an agent
            return False

    async def _names(self, deed: Deed) -> dict[str, str]:
        """Names for those whom a text mentions, as far as Slack tells them right now."""
        found: dict[str, str] = {}
        for user in list(dict.fromkeys(_MENTION.findall(deed.text)))[:MENTIONS_MAX]:
            try:
                found[user] = (await self._people.member(user)).name
            except (Refusal, Wait):
                break
        return {user: name for user, name in found.items() if name}

    # -- files -------------------------------------------------------------------------------------------------------

    async def _files(self, deed: Deed) -> list[tuple[Fetched, bytes]]:
        left = REST_BYTES_MAX
        found: list[tuple[Fetched, bytes]] = []
        for one in deed.files:
            file, content = await self._file(deed, one, left)
            left -= len(content)
            found.append((file, content))
        return found

    async def _file(self, deed: Deed, one: SlackFile, left: int) -> tuple[Fetched, bytes]:
        known = one
        try:
            known = await self._fetching.known(one)
            name, content_type = self._tidy(known.name, known.type)
            if known.size > FILE_BYTES_MAX:
                size, limit = texts.size(known.size), texts.size(FILE_BYTES_MAX)
                problem = texts.CUSTOMER_FILE_TOO_LARGE.format(name=name, size=size, limit=limit)
                return Fetched(name=name, type=content_type, problem=problem), b""
            if known.size > left:
                problem = texts.CUSTOMER_REST_TOO_LARGE.format(name=name)
                return Fetched(name=name, type=content_type, problem=problem), b""
            content = await self._fetching.content(known, min(left, FILE_BYTES_MAX))
        except CannotFetch as error:
            return self._missing(known, error.why)
        except Wait as wait:
            self._again(deed, one.id, wait)
            return self._missing(known, "it did not answer")
        if not content:
            return self._missing(known, "it is empty")
        digest = hashlib.sha256(content).hexdigest()
        return Fetched(name=name, type=content_type, size=len(content), sha256=digest), content

    def _missing(self, one: SlackFile, why: str) -> tuple[Fetched, bytes]:
        log.warning("slack_file_missing", why=why)
        name, content_type = self._tidy(one.name, one.type)
        return Fetched(name=name, type=content_type, problem=texts.CUSTOMER_FILE_GONE.format(name=name, why=why)), b""

    # -- what did not work -------------------------------------------------------------------------------------------

    def _again(self, deed: Deed, what: str, wait: Wait) -> None:
        """Have it tried again later, by raising Wait, unless it was tried often enough."""
        key = (deed.key, what)
        tries = self._tried[key] = self._tried.pop(key, 0) + 1
        if len(self._tried) > TRIED_KEPT:
            self._tried.popitem(last=False)
        if tries < TRIES_MAX:
            raise Wait(max(wait.seconds, TRY_FIRST_SECONDS * 2 ** (tries - 1))) from None

    def _forget(self, deed: Deed) -> None:
        for key in [key for key in self._tried if key[0] == deed.key]:
            del self._tried[key]


def _bare(deed: Deed) -> Posted:
    """A message as far as it is known without asking."""
    return Posted(
        what=deed.kind,
        channel=deed.channel,
        ts=deed.ts,
        thread=deed.thread or deed.ts,
        user=deed.user,
        text=deed.text,
        stamp=deed.stamp,
    )


def entry_of(posted: Posted, contents: tuple[bytes, ...] = ()) -> InboxEntry:
    """The inbox entry of one message. Its body is made of what Slack never changes: what is read twice is the same."""
    named = f"{SLACK}\0{posted.channel}\0{posted.ts}\0{posted.what}\0{posted.stamp}"
    return InboxEntry(
        source=SLACK,
        key=_digest(named),
        body=_digest(f"{named}\0{posted.user}"),
        meta=msgspec.json.encode({"account": f"{SLACK}/{posted.channel}"}),
        raw=pack(posted, contents),
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:_DIGEST_BYTES]
