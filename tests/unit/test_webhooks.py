"""Signed webhooks: what programs are told, at least once and in order, and how they know that it is from us."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from router.app import webhooks
from router.app.webhooks import NUMBER, SIGNATURE, Webhooks, events_of, signature
from router.core.decisions import (
    AssignTo,
    AttachMessage,
    Decision,
    EndIncident,
    Explanation,
    NotifySupervisors,
    OpenContact,
    RaiseIncident,
    RecordSatisfaction,
    Refuse,
    ReopenContact,
    ResolveContact,
)
from router.core.events import ContactResolved, ContactTaken, DeliveryReported, Event, MessageReceived, TimePassed
from router.core.values import Priority, Requirement
from router.shell.records import Record, encode
from skills.channel_model import Hook, HookEvent
from skills.secret import Secret
from tests.support.shell_scene import ShellStore

SECRET = "a secret of sixteen"
NOON = 43_200_000
WHEN = "1970-01-01T12:00:00.000Z"
WHY = Explanation(requirement=Requirement(), kind="chat", able=1)
NONE = Requirement()
OPEN = OpenContact(
    contact="c1", message="1-0", customer="k1", requirement=NONE, priority=Priority.HIGH, due=9, topics=("bags",)
)
TAKE = ContactTaken(at=NOON, agent="ana", contact="c1")
ASSIGN = AssignTo(contact="c1", agent="ana", explanation=WHY)
RESOLVE = ContactResolved(at=NOON, agent="ana", contact="c1")


def record(event: Event, *decisions: Decision) -> Record:
    """A record of the journal."""
    return Record(n=1, prev="", wall=0, config="", inbox="", event=event, decisions=decisions)


def message(**more: Any) -> MessageReceived:
    """A customer's message."""
    came = {"channel": "telegram", "kind": "messaging", "account": "telegram", "sender": "hash"}
    return MessageReceived(at=NOON, message="1-0", **{**came, **more})


@pytest.mark.parametrize(
    ("told", "kinds"),
    [
        (record(message(), OPEN), ["contact.opened", "message.received"]),
        (record(message(), AttachMessage(contact="c1", message="1-0")), ["message.received"]),
        (record(message(auto="bounce"), AttachMessage(contact="c1", message="1-0")), []),
        (record(message(), ReopenContact(contact="c1")), ["contact.reopened"]),
        (record(TimePassed(at=NOON), ASSIGN), ["contact.assigned"]),
        (record(TAKE, ASSIGN), ["contact.assigned"]),
        (record(TAKE, Refuse(code="taken")), []),
        (
            record(ContactResolved(at=NOON, agent="ana", contact="c1"), ResolveContact(contact="c1")),
            ["contact.resolved"],
        ),
        (record(DeliveryReported(at=NOON, message="2-0", contact="c1", state="sent")), ["message.delivered"]),
        (record(DeliveryReported(at=NOON, message="2-0", contact="c1", state="failed")), ["message.failed"]),
        (record(DeliveryReported(at=NOON, message="2-0", contact="c1", state="deferred")), []),
        (record(TimePassed(at=NOON), NotifySupervisors(reason="delivery-failed", contact="c1")), ["alarm"]),
    ],
)
def test_records_become_events(told: Record, kinds: list[str]) -> None:
    """What opens, moves and ends a contact, comes in, arrives or fails is told with ids and time; nothing refused."""
    found = list(events_of(told))
    assert [kind for kind, _ in found] == kinds
    assert {(said["contact"], said["at"]) for _, said in found} <= {("c1", WHEN)}


def test_incidents_and_answers_of_customers_are_told() -> None:
    """An incident by its topic, when it begins and when it is over; how a customer was content by contact and score."""
    raised = RaiseIncident(incident="i1", topic="bags", count=12, usual=250)
    ended = EndIncident(incident="i1", topic="bags", reason="over")
    rated = RecordSatisfaction(contact="c1", score=4, agent="ana")
    assert list(events_of(record(TimePassed(at=NOON), raised, ended, rated))) == [
        ("incident.raised", {"at": WHEN, "incident": "i1", "topic": "bags"}),
        ("incident.ended", {"at": WHEN, "incident": "i1", "topic": "bags"}),
        ("contact.rated", {"at": WHEN, "contact": "c1", "score": 4}),
    ]


def test_an_event_says_what_it_is_about() -> None:
    """A contact that opens comes with customer, priority and topics, a message with its channel; no word of either."""
    opened, received = events_of(record(message(), OPEN))
    known = {"at": WHEN, "contact": "c1"}
    assert opened == ("contact.opened", {**known, "customer": "k1", "priority": "high", "topics": ["bags"]})
    came = {"message": "1-0", "channel": "telegram", "kind": "messaging", "account": "telegram"}
    assert received == ("message.received", {**known, **came})


async def nothing() -> AsyncIterator[bytes]:
    """An empty answer, still to be read as one from a network is."""
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece


class Program:
    """What is told; `answers`: the status of the next requests, None for no answer at all."""

    def __init__(self) -> None:
        self.answers: list[int | None] = []
        self.asked: list[httpx.Request] = []
        self.says: tuple[float, bytes] | None = None  # with the next status: a pause and a piece, again and again
        self.drawn = 0  # bytes of it that were taken

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        status = self.answers.pop(0) if self.answers else 204
        if status is None:
            raise httpx.ReadTimeout("no answer", request=request)
        says, self.says = self.says, None  # the next answer is a plain one
        return httpx.Response(status, content=self.said(*says) if says else nothing())

    async def said(self, pause: float, piece: bytes) -> AsyncIterator[bytes]:
        """What it says beside a status, without an end."""
        while True:
            self.drawn += len(piece)
            yield piece
            await asyncio.sleep(pause)

    def taken(self) -> list[Any]:
        """The events, without those that were sent again."""
        return [msgspec.json.decode(one.content) for one in {one.headers[NUMBER]: one for one in self.asked}.values()]


class Journal(ShellStore):
    """A store whose journal cannot be read while it is down."""

    async def journal_read(self, after: str, count: int, block_ms: int = 0) -> list[tuple[str, bytes]]:
        self._answer()
        return await super().journal_read(after, count, block_ms)


def hook(*events: HookEvent) -> Hook:
    """A program's settings."""
    return Hook.model_construct(url="https://crm.example/in", secret=Secret("${CRM}", SECRET), events=events)


class Scene:
    """A journal and a program beside it."""

    def __init__(self) -> None:
        self.store = Journal()
        self.program = Program()
        self.leading = True
        self.hooks = {"crm": hook()}

    def happen(self, *records: Record) -> None:
        """Write to the journal."""
        for one in records:
            self.store.rows.append((f"1-{len(self.store.rows)}", encode(one)))

    @asynccontextmanager
    async def told(self) -> AsyncIterator[Webhooks]:
        """Tell while the block lasts."""
        transport = httpx.MockTransport(self.program.answer)
        made = Webhooks(self.hooks, self.store, lambda: self.leading, lambda: NOON, transport)
        task = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(webhooks, "WAIT_FIRST_SECONDS", 0.005)


async def until(true: Callable[[], object]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.005)


async def began(scene: Scene) -> None:
    """Wait until the program's place is known: it is told of what happens from there on."""
    await until(lambda: "hook-crm" in scene.store.documents)


async def test_a_program_is_told_from_its_beginning_on_in_order() -> None:
    """A new program hears of nothing that was before it, and then of everything, each once, signed, in order."""
    scene = Scene()
    scene.happen(record(message(), OPEN))
    async with scene.told():
        await began(scene)
        scene.happen(record(message(), OPEN), record(TAKE, ASSIGN))
        await until(lambda: len(scene.program.asked) == 3)
    kinds = [one["type"] for one in scene.program.taken()]
    assert kinds == ["contact.opened", "message.received", "contact.assigned"]
    first = scene.program.asked[0]
    assert first.headers[SIGNATURE] == signature(SECRET, NOON // 1_000, first.content)
    assert [one["id"] for one in scene.program.taken()] == ["1-1.0", "1-1.1", "1-2.0"]


async def test_what_is_not_taken_is_sent_again_before_anything_else() -> None:
    """After 500, a redirect and no answer the same request comes again, and the status says so meanwhile."""
    scene = Scene()
    scene.program.answers = [500, 302, None]
    async with scene.told() as telling:
        await began(scene)
        scene.happen(record(message(), OPEN))
        await until(telling.problems)
        assert telling.problems()[0].startswith("web.hooks.crm does not take events: ")
        await until(lambda: len(scene.program.asked) == 5)
        assert telling.problems() == []
    assert [one.headers[NUMBER] for one in scene.program.asked] == ["1-0.0"] * 4 + ["1-0.1"]


async def test_what_a_program_says_beside_its_status_fills_no_memory() -> None:
    """A program that takes an event and then talks without end is not listened to, and told the next one."""
    scene = Scene()
    scene.program.says = (0.0, b"x" * 65_536)
    async with scene.told():
        await began(scene)
        scene.happen(record(TAKE, ASSIGN), record(TAKE, ASSIGN))
        await until(lambda: len(scene.program.asked) == 2 or scene.program.drawn > 100_000_000)
    assert [one.headers[NUMBER] for one in scene.program.asked] == ["1-0.0", "1-1.0"]
    assert scene.program.drawn < 1_000_000


async def test_a_program_that_drips_is_given_up_and_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that never ends, however often a byte of it comes, is none: the same event comes again."""
    monkeypatch.setattr(webhooks, "ANSWER_SECONDS", 0.1)
    scene = Scene()
    scene.program.says = (0.01, b"x")
    async with scene.told():
        await began(scene)
        scene.happen(record(TAKE, ASSIGN))
        await until(lambda: len(scene.program.asked) == 2 or scene.program.drawn > 200)
    assert [one.headers[NUMBER] for one in scene.program.asked] == ["1-0.0", "1-0.0"]


async def test_a_restart_goes_on_where_it_was() -> None:
    """After a restart, and a time in which another led, what was told is not told again and what was not is."""
    scene = Scene()
    async with scene.told():
        await began(scene)
        scene.happen(record(message(), OPEN))
        await until(lambda: scene.store.documents["hook-crm"] == b"1-0")
    scene.happen(record(TAKE, ASSIGN))
    scene.leading = False
    async with scene.told():
        await asyncio.sleep(0.05)
        assert len(scene.program.asked) == 2
        scene.leading = True
        await until(lambda: len(scene.program.asked) == 3)
    assert scene.program.taken()[-1]["type"] == "contact.assigned"


async def test_a_record_that_cannot_be_read_blocks_no_other() -> None:
    """Bytes that are no record, and one that a newer usherd wrote, are passed over and named; what follows is told."""
    scene = Scene()
    async with scene.told() as hooks:
        await began(scene)
        scene.happen(record(TAKE, ASSIGN))
        scene.store.rows.append((f"1-{len(scene.store.rows)}", b"no record\xff"))
        scene.store.rows.append((f"1-{len(scene.store.rows)}", b'{"v": 9999}'))
        scene.happen(record(RESOLVE, ResolveContact(contact="c1")))
        await until(lambda: len(scene.program.asked) == 2)
        assert [one["type"] for one in scene.program.taken()] == ["contact.assigned", "contact.resolved"]
        [problem] = hooks.problems()
        assert "cannot be read: 1-1, 1-2; they stay where they are" in problem


async def test_a_store_that_is_away_is_waited_for() -> None:
    """While the store does not answer nothing is told; then it goes on."""
    scene = Scene()
    async with scene.told():
        await began(scene)
        scene.store.down = True
        scene.happen(record(message(), OPEN))
        await asyncio.sleep(0.05)
        assert scene.program.asked == []
        scene.store.down = False
        await until(lambda: len(scene.program.asked) == 2)


async def test_a_program_may_want_some_events_only() -> None:
    """Who lists events is told of those alone."""
    scene = Scene()
    scene.hooks = {"crm": hook("contact.opened")}
    async with scene.told():
        await began(scene)
        scene.happen(record(message(), OPEN), record(message(), OPEN))
        await until(lambda: scene.store.documents["hook-crm"] == b"1-1")
    assert [one["type"] for one in scene.program.taken()] == ["contact.opened"] * 2


def blocks() -> Iterator[str]:
    """The Python examples of the page."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "http.md"
    yield from re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def test_the_check_shown_in_the_docs_takes_ours_and_nobody_elses() -> None:
    """What the page shows to check a signature takes a fresh one of ours, and none that is forged, altered or stale."""
    [shown] = [block for block in blocks() if "def is_ours" in block]
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(shown, "http.md", "exec"), names)  # noqa: S102  # it is ours
    check, body = names["is_ours"], b'{"id": "1-0.0"}'
    right = signature(SECRET, 1_000, body)
    assert check(SECRET, right, body, 1_100)
    for wrong in ("", "t=1000", "v1=00", "t=x,v1=00", right.replace("v1=", "v1=0"), signature("x" * 16, 1_000, body)):
        assert not check(SECRET, wrong, body, 1_100)
    assert not check(SECRET, right, body + b" ", 1_100)
    assert not check(SECRET, right, body, 1_301)
