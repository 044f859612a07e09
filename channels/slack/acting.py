"""Carries out what people did in Slack: sees that they are agents, sends the desk's commands, says what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
import structlog

from channels.slack import spoken, texts
from channels.slack.answering import Answering
from channels.slack.asking import Questions
from channels.slack.blocks import Json
from channels.slack.customers import Customers
from channels.slack.enclosing import CannotEnclose, Enclosing
from channels.slack.holding import Holding
from channels.slack.homes import Homes
from channels.slack.lines import Lines
from channels.slack.mrkdwn import cut
from channels.slack.own_status import OwnStatus
from channels.slack.people import People
from channels.slack.ports import Wishes
from channels.slack.projection import Explain, Projection
from channels.slack.reading import Deed
from channels.slack.rehearsing import WhatIfs
from channels.slack.sharing import Sharing
from channels.slack.strangers import Strangers
from channels.slack.threads import CALLED, OFFERED, Thread, retry_of
from channels.slack.windows import LOOKS, Windows, submitted
from router.core.transitions import ContactState
from router.desk import actions
from router.desk import texts as desk_texts
from router.desk.model import Desk, NotOnRoster, NotVisible
from router.desk.ports import Commands, Texts
from router.desk.saved import unfilled
from router.desk.summaries import person_name
from router.desk.views import Answer

log = structlog.get_logger()

NOTE_MARK = "//"
SENTENCE_MAX = 600
PLAIN = frozenset({"resolve", "wake", "reopen", "let_in", "leave", "unblock", "incident_end"})
HELD = frozenset({"reply", "start"})  # what goes to a customer, and can be taken back for a moment
WITHIN = frozenset({"saved", "link", "unlink"})
CONFLICT = "conflict"  # it was sent before, and that stands


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What hands need. `now` gives ms."""

    desk: Desk
    read: Texts
    commands: Commands
    people: People
    projection: Projection
    answering: Answering
    enclosing: Enclosing
    questions: Questions
    customers: Customers
    homes: Homes
    sharing: Sharing
    own_status: OwnStatus
    lines: Lines
    explain: Explain
    wishes: Callable[[], Wishes]
    holding: Holding
    whatifs: WhatIfs
    now: Callable[[], int]


class Actor:
    """One node's hands."""

    def __init__(self, parts: Parts) -> None:
        self._desk = parts.desk
        self._read = parts.read
        self._commands = parts.commands
        self._people = parts.people
        self._projection = parts.projection
        self._answering = parts.answering
        self._enclosing = parts.enclosing
        self._questions = parts.questions
        self._customers = parts.customers
        self._strangers = Strangers(commands=parts.commands, answering=parts.answering, homes=parts.homes)
        self._homes = parts.homes
        self._lines = parts.lines
        self._sharing = parts.sharing
        self._own_status = parts.own_status
        self._explain = parts.explain
        self._wishes = parts.wishes
        self._holding = parts.holding
        self._whatifs = parts.whatifs
        self._windows = Windows(parts.desk, parts.explain, parts.now)
        self._now = parts.now
        self._doing: dict[str, Callable[[str, Deed], Awaitable[None]]] = {
            "press": self._press,
            "submit": self._submit,
            "say": self._say,
            "edit": self._changed,
            "delete": self._changed,
            "react": self._react,
            "home": self._home,
            "command": self._command,
            "unknown": self._unknown,
        }

    def lane_of(self, deed: Deed) -> str:
        """Deeds of one person about one contact are done in order; and all who want to take it, one by one."""
        if deed.apart:
            return self._customers.lane_of(deed)
        contact = self._contact_of(deed)
        if deed.kind == "press" and deed.action in LOOKS:
            return f"look {deed.user} {deed.key}"
        if deed.kind == "submit" and deed.action == "start":
            return f"start {deed.key}"  # it may be held, and what its maker does elsewhere is not about it
        eyes = deed.kind == "react" and self._means(deed) == "take" and bool(self._lines.at(deed.channel, deed.ts))
        return f"take {contact}" if eyes or deed.action == "take" else f"{deed.user} {contact}"

    def _contact_of(self, deed: Deed) -> str:
        if deed.value.get("contact"):
            return deed.value["contact"]
        thread = self._projection.at(deed.channel, deed.thread or deed.ts)
        return thread.contact if thread is not None else self._lines.at(deed.channel, deed.ts)

    async def carry_out(self, deed: Deed) -> None:
        """Do it, once. Raises Wait, Refusal, TransientError, Fenced: then it is tried again."""
        if deed.apart:
            await self._customers.take(deed)
            return
        if deed.kind == "changed":
            await self._member_changed(deed)
            return
        agent = await self._people.agent_of(deed.user)
        if agent is None:
            await self._strangers.refuse(deed)
            return
        await self._doing[deed.kind](agent, deed)

    async def _member_changed(self, deed: Deed) -> None:
        """Something about a member is another now: who they are is asked anew, and their status followed."""
        await self._people.forget(deed.user)
        agent = await self._people.agent_of(deed.user)
        if agent is not None:
            await self._own_status.follow(agent, deed.action, deed.key)

    def concerns(self, deed: Deed) -> bool:
        """What people say and mark elsewhere stays among them; most members of a workspace are nobody to us."""
        if deed.kind == "changed":
            return self._people.met(deed.user)
        if deed.apart:
            return True
        if deed.kind == "say":
            return deed.direct
        if deed.kind in {"edit", "delete"}:
            return self._projection.at(deed.channel, deed.thread) is not None
        if deed.kind == "react":
            known = self._projection.at(deed.channel, deed.ts) or self._lines.at(deed.channel, deed.ts)
            return bool(known) and bool(self._means(deed))
        return True

    # -- the desk's commands -------------------------------------------------------------------------------------------

    async def _act(self, agent: str, action: str, fields: dict[str, object], key: str) -> Answer:
        source = self._desk.source
        answer = await actions.act(self._commands, source.names, source.state, agent, action, fields, key)
        if not answer.ok:
            log.info("action_refused", agent=agent, action=action, code=answer.code)
        return msgspec.structs.replace(answer, message=cut(answer.message, SENTENCE_MAX))

    async def _command_on(self, agent: str, deed: Deed, action: str, fields: dict[str, object]) -> bool:
        """Send a command about a contact; a refusal is said, and the card shows what stands in any case."""
        answer = await self._act(agent, action, fields, deed.key)
        refused = not answer.ok and answer.code != CONFLICT
        if "incident" in fields:
            self._homes.mark(agent, urgent=True)
        contact = str(fields.get("contact") or "")
        thread = self._projection.threads.get((agent, contact))
        if thread is not None and thread.ts and deed.ts == thread.ts and deed.answer_to:
            self._projection.instead(thread.key, lambda post: self._answering.replace(deed, post))
        if refused:
            await self._tell(agent, deed, answer.message, contact)
        return not refused

    async def _tell(self, agent: str, deed: Deed, text: str, contact: str = "", button: Json | None = None) -> None:
        thread = self._projection.threads.get((agent, contact))
        if thread is not None:
            await self._answering.say(deed, text, channel=thread.channel, thread=thread.ts, button=button)
            return
        seat = self._people.seat(agent)
        await self._answering.say(deed, text, channel=seat.dm if seat is not None else "", button=button)

    async def _press(self, agent: str, deed: Deed) -> None:
        contact, offer = deed.value.get("contact", ""), deed.value.get("offer") or deed.value.get("incident", "")
        action = deed.value.get("choice", "") if deed.action == "more" else deed.action
        if action.startswith("status."):
            await self._status(agent, deed, deed.value.get("status", ""))
        elif action == "accept":
            await self._command_on(agent, deed, "accept", {"contact": contact, "offer": offer})
        elif action == "take":
            await self._take(agent, deed, contact)
        elif action in PLAIN:
            await self._command_on(agent, deed, action, {"contact": contact} if contact else {"incident": offer})
        elif action == "retry":
            await self._retry(agent, deed)
        elif action == "files":
            await self._files(agent, deed, contact)
        elif action in WITHIN:
            await self._within(agent, deed)
        elif action == "whatif":
            await self._whatif(agent, deed, "")
        elif action == "undo":
            await self._undo(deed)
        else:
            await self._window(agent, deed, action, contact, offer)

    async def _take(self, agent: str, deed: Deed, contact: str) -> None:
        """Claim what waits. A supervisor could take it from whoever was first, and does not by a click that lost."""
        found = (await self._desk.source.settled()).contacts.get(contact)
        if found is not None and found.agent not in {None, agent} and found.state is not ContactState.RESOLVED:
            who = person_name(self._desk.source.names, found.agent)
            await self._tell(agent, deed, cut(desk_texts.refusal("taken", who, lambda name: name), SENTENCE_MAX))
        elif await self._command_on(agent, deed, "take", {"contact": contact}):
            await self._tell(agent, deed, desk_texts.done("take"))

    async def _status(self, agent: str, deed: Deed, status: str) -> None:
        answer = await self._act(agent, "status", {"status": status}, deed.key)
        self._homes.mark(agent, urgent=True)
        if not answer.ok:
            await self._tell(agent, deed, answer.message)

    async def _retry(self, agent: str, deed: Deed) -> None:
        """Send an answer that was not delivered once more, as a new one; however often it is clicked."""
        contact, name = deed.value.get("contact", ""), deed.value.get("message", "")
        thread = self._projection.threads.get((agent, contact))
        if thread is not None and retry_of(name) in thread.news:
            await self._tell(agent, deed, texts.RETRIED, contact)
            return
        message = (await self._read.messages([name])).get(name)
        if message is None:
            await self._tell(agent, deed, desk_texts.GONE, contact)
            return
        copies = tuple(one.address for one in message.cc)
        if await self._command_on(agent, deed, "reply", {"contact": contact, "text": message.text, "cc": copies}):
            await self._projection.retried((agent, contact), name)

    async def _files(self, agent: str, deed: Deed, contact: str) -> None:
        thread = self._projection.threads.get((agent, contact))
        try:
            problem = texts.NOT_FOR_YOU if thread is None else await self._sharing.share(agent, deed, thread)
        except (NotVisible, NotOnRoster):
            problem = texts.NOT_FOR_YOU
        except KeyError:
            problem = texts.FILES_GONE
        if problem:
            await self._tell(agent, deed, problem, contact)

    async def _window(self, agent: str, deed: Deed, action: str, contact: str, offer: str) -> None:
        try:
            view = await self._windows.made(agent, action, contact, offer)
        except (NotVisible, NotOnRoster, KeyError):
            await self._tell(agent, deed, texts.NOT_FOR_YOU)
            return
        if view is None:
            await self._unknown(agent, deed)
        else:
            await self._answering.open(deed, view)

    async def _within(self, agent: str, deed: Deed) -> None:
        """Something was chosen in a window that changes what stands in it, such as a saved reply."""
        try:
            view = await self._windows.within(agent, deed)
        except (NotVisible, NotOnRoster):
            return
        await self._answering.show(deed.view, view)

    async def _submit(self, agent: str, deed: Deed) -> None:
        fields = submitted(deed)
        if fields is None:
            return
        if deed.action in HELD:
            contact = str(fields.get("contact") or "")
            if not await self._holding.passed(
                deed, lambda text, element: self._tell(agent, deed, text, contact, element)
            ):
                return
        done = await self._command_on(agent, deed, deed.action, fields)
        if done and deed.action == "start":
            await self._tell(agent, deed, desk_texts.done("start"))

    async def _undo(self, deed: Deed) -> None:
        """Take back what was sent from a window."""
        done = await self._holding.take_back(deed.value.get("deed", ""), deed.user)
        await self._answering.close(deed, texts.TAKEN_BACK if done else texts.TOO_LATE)

    # -- what is written in a thread -----------------------------------------------------------------------------------

    async def _say(self, agent: str, deed: Deed) -> None:
        thread = self._projection.at(deed.channel, deed.thread) if deed.thread else None
        if thread is None or thread.agent != agent:
            await self._answering.say(deed, texts.NO_THREAD)
            return
        if deed.undone:
            await self._answering.say(deed, texts.TAKEN_BACK)
            return
        text = spoken.plain(deed.text, self._name_of).strip()
        if text.startswith(NOTE_MARK) or thread.stage == CALLED:
            deed.going = True
            if deed.files:
                await self._answering.say(deed, texts.NO_FILES_HERE)
                return
            await self._written(agent, deed, thread, "note", {"text": text.removeprefix(NOTE_MARK).strip()})
            return
        if unfilled(text):
            await self._answering.say(deed, texts.FILL_IN.format(what=unfilled(text)))
            return
        await self._holding.passed(deed)  # raises while it is held; that it was taken back is dealt with above
        try:
            files = await self._enclosing.kept(deed, thread.contact)
        except CannotEnclose as error:
            await self._answering.say(deed, str(error))
            return
        await self._written(agent, deed, thread, "reply", {"text": text, "answers": thread.answers, "files": files})

    def _name_of(self, user: str) -> str:
        agent = self._people.known(user)
        person = self._desk.source.names.person(agent) if agent is not None else None
        return person.name if person is not None else ""

    async def _written(self, agent: str, deed: Deed, thread: Thread, action: str, fields: dict[str, object]) -> None:
        async with self._projection.held(thread.key):
            answer = await self._act(agent, action, {"contact": thread.contact, **fields}, deed.key)
            if answer.ok and answer.entry:
                await self._projection.own(thread.key, answer.entry, deed.ts)
        self._projection.work.mark(thread.key)
        if not answer.ok and answer.code != CONFLICT:
            await self._answering.say(deed, answer.message)

    async def _changed(self, agent: str, deed: Deed) -> None:
        """A message that was sent already, changed or deleted in Slack: the customer has the first words."""
        thread = self._projection.at(deed.channel, deed.thread)
        told = thread.of_ts(deed.ts) if thread is not None and thread.agent == agent else None
        if thread is None or told is None or not told.own:
            return
        async with self._projection.held(thread.key):
            text = texts.CHANGED if deed.kind == "edit" else texts.DELETED
            await self._projection.say(thread.key, f"{deed.kind} {deed.key}", text)

    def _means(self, deed: Deed) -> str:
        """What an emoji on a card does; a skin tone changes nothing."""
        plain = deed.action.partition("::")[0]
        return next((action for action, emoji in self._wishes().emoji if emoji == plain), "")

    async def _react(self, agent: str, deed: Deed) -> None:
        line = self._lines.at(deed.channel, deed.ts)
        if line and self._means(deed) == "take":
            await self._take(agent, deed, line)
            return
        thread = self._projection.at(deed.channel, deed.ts)
        if thread is None or thread.agent != agent:
            return
        done = False
        if self._means(deed) == "take" and thread.stage == OFFERED:
            done = await self._command_on(agent, deed, "accept", {"contact": thread.contact, "offer": thread.offer})
        elif self._means(deed) == "resolve":
            done = await self._command_on(agent, deed, "resolve", {"contact": thread.contact})
        if done:
            await self._answering.echo(deed)

    # -- the rest ------------------------------------------------------------------------------------------------------

    async def _home(self, agent: str, deed: Deed) -> None:
        self._homes.opened(agent, deed.user)

    async def _command(self, agent: str, deed: Deed) -> None:
        word, _, rest = deed.text.strip().casefold().partition(" ")
        if word == "new":
            await self._window(agent, deed, "new", "", "")
            return
        if word == "whatif":
            await self._whatif(agent, deed, rest.strip())
            return
        await self._answering.say(deed, await self._questions.answer(agent, deed))
        self._homes.mark(agent, urgent=True)

    async def _whatif(self, agent: str, deed: Deed, span: str) -> None:
        view, goes_on = self._whatifs.first(agent, span)
        opened = await self._answering.open(deed, view)
        if opened and goes_on:
            self._whatifs.ask(opened, span)

    async def _unknown(self, agent: str, deed: Deed) -> None:
        log.warning("slack_unknown_action", agent=agent, action=deed.action[:60])
        await self._tell(agent, deed, texts.UNKNOWN_CLICK)
