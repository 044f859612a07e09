"""Tells programs what happens: signed webhooks, read from the journal, so that a restart or a take-over skips nothing.

Whoever leads reads records after each program's own place, makes requests of what they say, and moves the place when
the program has answered 2xx. So each request comes at least once and in order, and one program that hangs holds up no
other. A request holds ids and never a word or a name: those are asked for over the API.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import httpx
import msgspec
import structlog

from router.core.decisions import (
    AssignTo,
    AttachMessage,
    EndIncident,
    NotifySupervisors,
    OpenContact,
    RaiseIncident,
    RecordSatisfaction,
    Refuse,
    ReopenContact,
    ResolveContact,
)
from router.core.errors import JournalBroken, StoreUnavailable
from router.core.events import DeliveryReported, MessageReceived
from router.shell.clock import rfc3339
from router.shell.records import Record, decode
from skills.channel_model import Hook

log = structlog.get_logger()

LOOK_SECONDS = 0.5
ANSWER_SECONDS = 10.0  # for the whole answer: one that drips is none
ANSWER_BYTES_MAX = 65_536
WAIT_FIRST_SECONDS, WAIT_LONGEST_SECONDS = 1.0, 300.0
RECORDS_AT_ONCE = 100
UNREAD_SHOWN_MAX = 10
SIGNATURE, KIND, NUMBER = "Usherd-Signature", "Usherd-Event", "Usherd-Id"
DELIVERIES = {"sent": "message.delivered", "failed": "message.failed"}
Told = tuple[str, dict[str, object]]  # the kind of event, and what is said of it


class HookStore(Protocol):
    """What is asked of the store."""

    async def journal_read(self, after: str, count: int, block_ms: int = 0) -> list[tuple[str, bytes]]:
        """Records after an id."""
        ...

    async def journal_last(self) -> str:
        """The id of the newest record."""
        ...

    async def doc_get(self, name: str) -> bytes | None:
        """A small document."""
        ...

    async def doc_put(self, name: str, value: bytes) -> None:
        """Replace a small document."""
        ...


class Webhooks:
    """All programs of one workspace. `now`: ms of UTC; `leading`: whether this node leads."""

    def __init__(
        self,
        hooks: Mapping[str, Hook],
        store: HookStore,
        leading: Callable[[], bool],
        now: Callable[[], int],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._hooks = hooks
        self._store = store
        self._leading = leading
        self._now = now
        self._transport = transport
        self._trouble: dict[str, str] = {}
        self._unread: dict[str, None] = {}  # records that could not be read, the first ones

    def problems(self) -> list[str]:
        """Which programs do not take what they are told, in plain words."""
        found = [f"web.hooks.{name} does not take events: {why}" for name, why in self._trouble.items()]
        if self._unread:
            which = ", ".join(self._unread)
            found.append(
                f"records that programs were not told of, as they cannot be read: {which}; they stay where they are"
            )
        return found

    async def run(self) -> None:
        """Tell until cancelled."""
        if not self._hooks:
            await asyncio.Event().wait()
        client = httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False, transport=self._transport)
        async with client, asyncio.TaskGroup() as group:
            for name, hook in self._hooks.items():
                group.create_task(self._serve(name, hook, client))

    async def _serve(self, name: str, hook: Hook, client: httpx.AsyncClient) -> None:
        place: str | None = None
        while True:
            try:
                if not self._leading():
                    place = None  # whoever leads now moves it on
                    self._trouble.pop(name, None)
                elif place is None:
                    place = await self._place(name)
                else:
                    place = await self._read(name, hook, client, place)
            except StoreUnavailable:
                place = None
            except Exception as error:  # a mistake of ours, or a record that cannot be read: the daemon goes on
                log.exception("webhook_failed", hook=name, error=type(error).__name__)
                self._trouble[name] = "usherd failed on it; this was logged"
                place = None
                await asyncio.sleep(WAIT_FIRST_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    async def _place(self, name: str) -> str:
        """How far a program was told; a new one is told what happens from here on."""
        known = await self._store.doc_get(f"hook-{name}")
        if known is not None:
            return known.decode()
        place = await self._store.journal_last()
        await self._store.doc_put(f"hook-{name}", place.encode())
        return place

    async def _read(self, name: str, hook: Hook, client: httpx.AsyncClient, place: str) -> str:
        """Tell of the next records; gives the place behind them."""
        before = place
        for identifier, raw in await self._store.journal_read(place, RECORDS_AT_ONCE):
            for number, (kind, said) in enumerate(self._events(identifier, raw)):
                if hook.events and kind not in hook.events:
                    continue
                body = msgspec.json.encode({"id": f"{identifier}.{number}", "type": kind, **said})
                if not await self._told(name, hook, client, kind, f"{identifier}.{number}", body):
                    return place  # another leads now, and goes on from there
            place = identifier
        if place != before:
            await self._store.doc_put(f"hook-{name}", place.encode())
        return place

    def _events(self, identifier: str, raw: bytes) -> list[Told]:
        """What a record tells. One that cannot be read is passed over and named: it keeps no other from being told."""
        try:
            return list(events_of(decode(raw)))
        except JournalBroken as error:
            log.error("webhook_record_unread", record=identifier, error=str(error))  # noqa: TRY400  # no traceback
            if len(self._unread) < UNREAD_SHOWN_MAX:
                self._unread[identifier] = None
            return []

    async def _told(  # a request's parts
        self, name: str, hook: Hook, client: httpx.AsyncClient, kind: str, number: str, body: bytes
    ) -> bool:
        """Send until it is taken; False when this node leads no more."""
        wait = WAIT_FIRST_SECONDS
        while self._leading():
            headers = {
                "Content-Type": "application/json",
                SIGNATURE: signature(hook.secret.reveal(), self._now() // 1_000, body),
                KIND: kind,
                NUMBER: number,
            }
            why = await _asked(client, hook.url, body, headers)
            if not why:
                self._trouble.pop(name, None)
                return True
            if name not in self._trouble:
                log.warning("webhook_not_taken", hook=name, why=why)
            self._trouble[name] = why
            await asyncio.sleep(wait)
            wait = min(wait * 2, WAIT_LONGEST_SECONDS)
        return False


async def _asked(client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> str:
    """Send once; "" if it was taken, else why not. Only the status counts: of what is said beside it little is read."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS), client.stream("POST", url, content=body, headers=headers) as answer:
            room = ANSWER_BYTES_MAX
            async for piece in answer.aiter_raw():  # to its end, so that the connection can be used again
                room -= len(piece)
                if room < 0:
                    break
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        return type(error).__name__
    return "" if answer.is_success else f"it answers {answer.status_code}"


def signature(secret: str, seconds: int, body: bytes) -> str:
    """`t=<seconds since 1970>,v1=<HMAC-SHA-256 of "<seconds>.<body>", hex>`."""
    made = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256)
    return f"t={seconds},v1={made.hexdigest()}"


def events_of(record: Record) -> Iterator[Told]:
    """What a record tells programs, in order."""
    event = record.event
    if any(isinstance(decision, Refuse) for decision in record.decisions):
        return
    at = rfc3339(event.at)
    if isinstance(event, DeliveryReported) and event.state in DELIVERIES:
        yield DELIVERIES[event.state], {"at": at, "contact": event.contact, "message": event.message}
    for decision in record.decisions:
        match decision:
            case OpenContact():
                topics = list(decision.topics)
                opened = {"customer": decision.customer, "priority": decision.priority, "topics": topics}
                yield "contact.opened", {"at": at, "contact": decision.contact, **opened}
                yield from _received(event, decision.contact, decision.message, at)
            case AttachMessage():
                yield from _received(event, decision.contact, decision.message, at)
            case ReopenContact():
                yield "contact.reopened", {"at": at, "contact": decision.contact}
            case AssignTo():
                yield "contact.assigned", {"at": at, "contact": decision.contact, "agent": decision.agent}
            case ResolveContact():
                yield "contact.resolved", {"at": at, "contact": decision.contact}
            case RecordSatisfaction():
                yield "contact.rated", {"at": at, "contact": decision.contact, "score": decision.score}
            case RaiseIncident() | EndIncident():
                kind = "incident.raised" if isinstance(decision, RaiseIncident) else "incident.ended"
                yield kind, {"at": at, "incident": decision.incident, "topic": decision.topic}
            case NotifySupervisors():
                yield "alarm", {"at": at, "contact": decision.contact, "reason": decision.reason}
            case _:
                pass


def _received(event: object, contact: str, message: str, at: str) -> Iterator[Told]:
    if isinstance(event, MessageReceived) and event.auto is None:
        came = {"channel": event.channel, "kind": event.kind, "account": event.account}
        yield "message.received", {"at": at, "contact": contact, "message": message, **came}
