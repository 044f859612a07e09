"""Brings contacts' threads in agents' conversations to what the desk shows: posts what is missing, changes the rest.

It goes by what is and what was posted, never by events: whatever was missed, by a fault or a restart, is made up for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import msgspec
import structlog

from channels.slack import notices, texts
from channels.slack.api import Refusal
from channels.slack.card import Post, card, erased, gone, merged
from channels.slack.people import People
from channels.slack.posting import CARD, Postings
from channels.slack.threads import (
    GONE,
    MINE,
    NEWS_KEPT,
    OFFERED,
    RESOLVED,
    WIPED,
    Key,
    Thread,
    Told,
    digest,
    fingerprint,
    recalled,
    retry_of,
    stage_of,
    taken_back,
)
from channels.slack.work import URGENT, USUAL, Work
from router.core.state import Contact
from router.core.transitions import ContactState
from router.desk.model import Desk, NotOnRoster, NotVisible
from router.desk.ports import Changed, Texts
from router.desk.summaries import heads, row
from router.desk.views import Card, Item

log = structlog.get_logger()

HANDS = 8
MARKS = {"sent": "white_check_mark", "failed": "x"}
NOTED = "memo"
NOT_BEGUN = frozenset({GONE, WIPED, RESOLVED})  # a contact that stands so gets no card, if it has none yet
Explain = Callable[[str], Awaitable[dict[str, object]]]
Instead = Callable[[Post], Awaitable[bool]]  # changes a card by other means; False: it could not


class Projection:
    """All agents' threads. `explain` is the desk's; `clock` gives ms."""

    def __init__(
        self,
        *,
        desk: Desk,
        read: Texts,
        people: People,
        postings: Postings,
        explain: Explain,
        clock: Callable[[], int],
        forget: Callable[[list[str]], Awaitable[None]],
    ) -> None:
        self._desk = desk
        self._read = read
        self._people = people
        self._postings = postings
        self._explain = explain
        self._clock = clock
        self._forget = forget
        self.threads: dict[Key, Thread] = {}
        self._of_contact: dict[str, dict[str, None]] = {}  # contact -> agents with a thread
        self._of_ts: dict[tuple[str, str], Key] = {}
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()  # of those in use
        self._instead: dict[Key, Instead] = {}
        self._again: dict[Key, int] = {}  # when to look for late copies
        self.work: Work[Key] = Work("threads", self.bring, HANDS)

    # -- what is known -----------------------------------------------------------------------------------------------

    def recall(self, kept: dict[str, bytes]) -> None:
        """Take over what was remembered, and look at all of it anew."""
        for thread in recalled(kept).values():
            self._know(thread)
        self.everything()

    def _know(self, thread: Thread) -> None:
        self.threads[thread.key] = thread
        self._of_contact.setdefault(thread.contact, {})[thread.agent] = None
        if thread.ts:
            self._of_ts[thread.channel, thread.ts] = thread.key

    def at(self, channel: str, ts: str) -> Thread | None:
        """The thread whose card stands there."""
        key = self._of_ts.get((channel, ts))
        return self.threads.get(key) if key is not None else None

    def everything(self) -> None:
        """Look at all threads, and at all that agents hold."""
        state = self._desk.source.state
        for key in tuple(self.threads):
            self.work.mark(key)
        for agent, seat in state.agents.items():
            for contact in (*seat.held, *seat.parked, *(one.id for one in self._desk.index.called(agent))):
                self._mark(agent, contact)

    def changed(self, changed: Changed) -> None:
        """A listener of each commit."""
        if changed.everything:
            self.everything()
        contacts = self._desk.source.state.contacts
        for name in changed.contacts:
            agents = dict(self._of_contact.get(name, {}))
            one = contacts.get(name)
            if one is not None:
                agents |= dict.fromkeys(agent for agent in (one.agent, one.offer and one.offer.agent) if agent)
                agents |= dict.fromkeys(one.called)
            for agent in agents:
                self._mark(agent, name)

    def look(self) -> None:
        """Time has passed: late copies of what was posted anew may have come."""
        for key in [key for key, at in self._again.items() if at <= self._clock()]:
            self.work.mark(key)

    def _mark(self, agent: str, contact: str) -> None:
        one = self._desk.source.state.contacts.get(contact)
        offered = one is not None and one.offer is not None and one.offer.agent == agent
        self.work.mark((agent, contact), URGENT if offered else USUAL)

    @asynccontextmanager
    async def held(self, key: Key) -> AsyncIterator[None]:
        """Nothing is told in this thread meanwhile: what an agent writes there is not told as somebody's answer."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            yield

    def instead(self, key: Key, change: Instead) -> None:
        """Have the card's next change made by other means: the answer to a click counts for no limit."""
        self._instead[key] = change
        self.work.mark(key, URGENT)

    async def own(self, key: Key, item: str, ts: str) -> None:
        """What the agent wrote at `ts` is this item: it is marked there, and told nowhere. Call it within `held`."""
        thread = self.threads.get(key)
        if thread is not None and thread.of_item(item) is None:
            thread.told.append(Told(ts=ts, items=(item,), own=True))
            await self._postings.save(thread)

    async def retried(self, key: Key, item: str) -> None:
        """Remember that this answer was sent again. Raises StoreUnavailable, Fenced."""
        async with self.held(key):
            thread = self.threads.get(key)
            if thread is not None and retry_of(item) not in thread.news:
                thread.news.append(retry_of(item))
                await self._postings.save(thread)

    async def shared(self, thread: Thread, files: tuple[str, ...]) -> None:
        """Remember that these files of the customer's stand in a thread. Raises StoreUnavailable, Fenced."""
        async with self.held(thread.key):
            thread.files += [file for file in files if file not in thread.files]
            await self._postings.save(thread)

    async def say(self, key: Key, delivery: str, text: str) -> None:
        """Say a sentence in a thread, once. Call it within `held`."""
        thread = self.threads.get(key)
        if thread is not None and thread.ts:
            await self._postings.settle(thread)
            await self._news(thread, delivery, notices.news(text))

    # -- one thread --------------------------------------------------------------------------------------------------

    async def bring(self, key: Key) -> None:
        """Bring one thread to what the desk shows. Raises Wait, Refusal, StoreUnavailable, Fenced."""
        async with self.held(key):
            await self._bring(key)

    async def _bring(self, key: Key) -> None:
        agent, name = key
        state = await self._desk.source.settled()
        contact, thread = state.contacts.get(name), self.threads.get(key)
        if contact is None:
            await self._drop(key)
            return
        stage, print_ = stage_of(contact, agent), fingerprint(contact, agent)
        if thread is None:
            if stage in NOT_BEGUN or state.workspace.shadow:  # in shadow mode nothing is sent, to nobody
                return
            thread = await self._begun(key)
            if thread is None:
                return
        await self._postings.settle(thread)
        if not thread.ts and not thread.again and stage in NOT_BEGUN:  # all was done elsewhere while Slack was away
            await self._drop(key)
            return
        self._know(thread)  # its card may have been found
        await self._postings.late_copies(thread)
        if thread.again:
            self._again[key] = thread.again[0].at
        else:
            self._again.pop(key, None)
        if thread.seen != print_ or key in self._instead:
            await self._tell(thread, contact, stage)
            self._instead.pop(key, None)
            thread.seen = print_
            await self._postings.save(thread)

    async def _begun(self, key: Key) -> Thread | None:
        try:
            seat = await self._people.found(key[0])
        except Refusal as refusal:
            log.warning("slack_agent_unreachable", agent=key[0], code=refusal.code)
            return None
        if seat is None:
            return None  # no member of the workspace: the web desk is theirs
        thread = Thread(agent=key[0], contact=key[1], channel=seat.dm, user=seat.user)
        self._know(thread)
        return thread

    async def _drop(self, key: Key) -> None:
        """A contact that left the memory for good."""
        self._again.pop(key, None)
        self._instead.pop(key, None)
        thread = self.threads.pop(key, None)
        if thread is None:
            return
        self._of_ts.pop((thread.channel, thread.ts), None)
        agents = self._of_contact.get(key[1], {})
        agents.pop(key[0], None)
        if not agents:
            self._of_contact.pop(key[1], None)
        await self._forget([thread.name])

    async def _tell(self, thread: Thread, contact: Contact, stage: str) -> None:
        if stage == WIPED:
            await self._wipe(thread)
            return
        if stage != GONE:
            try:
                view = await self._desk.contact(thread.agent, thread.contact)
            except (NotVisible, NotOnRoster):
                stage = GONE  # it went to somebody else meanwhile
            else:
                await self._show(thread, view, contact, stage)
                return
        if thread.ts and contact.joined is not None:
            await self._change(thread, merged())
        elif thread.ts:
            messages = await heads(self._read, [contact])
            await self._change(thread, gone(row(contact, messages, self._desk.source.names)))
        thread.stage = GONE

    async def _show(self, thread: Thread, view: Card, contact: Contact, stage: str) -> None:
        view = await self._without_erased(thread, view, contact)
        if not thread.ts:
            thread.head = _head(view)
            await self._asked_why(thread, contact)
            await self._postings.post(thread, CARD, card(view, thread.head, thread.why), urgent=True)
            self._know(thread)
        else:
            if thread.stage in {GONE, WIPED} or (stage == OFFERED and thread.offer != view.offer):
                await self._asked_why(thread, contact)
                since = contact.messages[-1].id if view.guest and contact.messages else contact.decided_at
                again = f"again {view.offer or since}"
                await self._news(thread, again, notices.offered_again(view), urgent=True)
            elif thread.stage == ContactState.SNOOZED and stage == MINE:
                await self._news(thread, f"woken {contact.court_since}", notices.news(texts.WOKEN))
            await self._change(thread, card(view, thread.head, thread.why))
        thread.stage, thread.offer, thread.answers = stage, view.offer, view.answers
        await self._items(thread, view)

    async def _without_erased(self, thread: Thread, view: Card, contact: Contact) -> Card:
        """Take back what an erased customer wrote in somebody else's contact, be it readable for a moment still."""
        gone = taken_back(contact)
        if not gone:
            return view
        for told in tuple(thread.told):
            if not told.own and not gone.isdisjoint(told.items):  # what else it told of is told anew
                await self._postings.delete(thread.channel, told.ts)
                thread.told.remove(told)
                await self._postings.save(thread)
        left = msgspec.structs.replace(view, items=tuple(item for item in view.items if item.id not in gone))
        if thread.head in gone:
            thread.head = _head(left)
        return left

    async def _asked_why(self, thread: Thread, contact: Contact) -> None:
        with contextlib.suppress(KeyError):
            explanation = await self._explain(contact.id)
            thread.why = self._desk.why(thread.agent, explanation, contact).headline

    async def _change(self, thread: Thread, post: Post) -> None:
        instead, shown = self._instead.pop(thread.key, None), digest(post.digest)
        if shown == thread.card:
            return
        if instead is None or not await instead(post):
            await self._postings.update(thread.channel, thread.ts, post)
        thread.card = shown
        await self._postings.save(thread)

    async def _news(self, thread: Thread, delivery: str, post: Post, *, urgent: bool = False) -> None:
        if delivery not in thread.news:
            await self._postings.post(thread, delivery, post, urgent=urgent)
            del thread.news[:-NEWS_KEPT]

    async def _items(self, thread: Thread, view: Card) -> None:
        """Tell what came after the card's message, in order; then how answers fare."""
        place = next((place for place, item in enumerate(view.items) if item.id == thread.head), -1)
        later = view.items[place + 1 :]
        known = {item for told in thread.told for item in told.items}
        for group in notices.groups(later):
            missing = [item for item in group if item.id not in known]
            if not missing:
                continue
            before = thread.of_item(group[0].id)
            if before is not None and not before.own:  # more of what was told a moment ago: the same notice
                post = notices.notice(group, view.contact.id)
                await self._postings.update(thread.channel, before.ts, post)
                before.items, before.digest = tuple(item.id for item in group), digest(post.digest)
                await self._postings.save(thread)
            else:
                post = notices.notice(missing, view.contact.id)
                delivery = f"item {missing[0].id}"
                await self._postings.post(thread, delivery, post, items=[item.id for item in missing])
        items = {item.id: item for item in later}
        for told in tuple(thread.told):
            last = items.get(told.items[-1])
            if last is not None and last.direction == "out" and last.delivery:
                await self._fares(thread, told, last)
            elif last is not None and last.direction == "note" and told.own and not told.mark:
                await self._postings.react(thread.channel, told.ts, NOTED)
                told.mark = NOTED
                await self._postings.save(thread)

    async def _fares(self, thread: Thread, told: Told, item: Item) -> None:
        if not told.own:
            post = notices.notice([item], thread.contact)
            if digest(post.digest) != told.digest:
                await self._postings.update(thread.channel, told.ts, post)
                told.digest = digest(post.digest)
                await self._postings.save(thread)
            return
        mark = MARKS.get(item.delivery, "")
        if mark and mark != told.mark:
            await self._postings.react(thread.channel, told.ts, mark, off=told.mark)
            told.mark = mark
            await self._postings.save(thread)
        if item.delivery == "failed":
            await self._news(thread, f"failed {item.id}", notices.failure(item, thread.contact))

    async def _wipe(self, thread: Thread) -> None:
        """The customer was erased: nothing that was written stays, but for the agent's own messages."""
        for told in tuple(thread.told):
            if not told.own:
                await self._postings.delete(thread.channel, told.ts)
            thread.told.remove(told)
            await self._postings.save(thread)
        for file in tuple(thread.files):
            await self._postings.delete_file(file)
            thread.files.remove(file)
            await self._postings.save(thread)
        if thread.ts:
            await self._change(thread, erased())
        thread.stage = WIPED


def _head(view: Card) -> str:
    """The message that the card shows: the customer's last; or, before they have written, the last of all."""
    inbound = [item.id for item in view.items if item.direction == "in" and not item.auto]
    return inbound[-1] if inbound else view.items[-1].id if view.items else ""
