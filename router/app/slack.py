"""Slack tied to the shell: the desk and customers' channels, on the node that leads, and there alone.

Whoever leads holds the sockets, posts, and carries out what agents do; what it remembers is fenced by the leader's
epoch, as the outbox is. The next leader goes on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response
from slack_bolt.async_app import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

from channels.slack.api import Api
from channels.slack.desk import Outside, SlackDesk
from channels.slack.letters import File, Letter, Letters, retry_after
from channels.slack.limits import Limits
from channels.slack.listening import web_client
from channels.slack.normal import place_of
from channels.slack.ports import Wishes
from channels.slack.taking_back import notes
from router.app import chat
from router.core.errors import Fenced, StoreUnavailable
from router.core.message import Message
from router.core.transitions import DeliveryState
from router.desk.model import Desk
from router.desk.search import Search
from router.shell.enclosures import content_of
from router.shell.outbox import Sent
from router.shell.vault import Vault
from skills.model import WorkspaceConfig

if TYPE_CHECKING:
    from router.app.daemon import Daemon
    from skills.channel_model import SlackChannel

log = structlog.get_logger()

LOOK_SECONDS = 0.3
AGAIN_SECONDS, AGAIN_SECONDS_MAX = 1.0, 60.0  # after a failure; doubled while one follows the other
SOUND_SECONDS = 60.0  # who lasted so long begins anew
BODY_BYTES_MAX = 1_000_000
NOT_SIGNED, TOO_LARGE, NOT_HERE = 401, 413, 503


class DeskStore(Protocol):
    """What remembering asks of the store."""

    async def desk_add(self, epoch: int, name: str, value: bytes) -> bool:
        """Keep what came in, unless it is there."""
        ...

    async def desk_put(self, epoch: int, name: str, value: bytes) -> None:
        """Store one value."""
        ...

    async def desk_all(self) -> dict[str, bytes]:
        """All of it."""
        ...

    async def desk_delete(self, epoch: int, names: list[str]) -> None:
        """Forget values."""
        ...


class StoredMemory:
    """Implements Slack's `Memory` for one epoch."""

    def __init__(self, store: DeskStore, epoch: int) -> None:
        self._store = store
        self._epoch = epoch

    async def add(self, name: str, value: bytes) -> bool:
        """Keep what came in, durably, while this epoch lasts: the next leader has read what there is."""
        return await self._store.desk_add(self._epoch, name, value)

    async def put(self, name: str, value: bytes) -> None:
        """Store a value, while this epoch lasts."""
        await self._store.desk_put(self._epoch, name, value)

    async def all(self) -> dict[str, bytes]:
        """All of it."""
        return await self._store.desk_all()

    async def delete(self, names: list[str]) -> None:
        """Forget values, while this epoch lasts."""
        await self._store.desk_delete(self._epoch, names)


class SlackRoster:
    """Implements Slack's `Roster` over whatever configuration is in force."""

    def __init__(self, config: Callable[[], WorkspaceConfig]) -> None:
        self._config = config

    def addresses(self) -> dict[str, str]:
        """By agent: their address or member id in Slack."""
        found = {name: one.slack or one.email for name, one in self._config().agents.items()}
        return {name: address for name, address in found.items() if address}


def wishes(config: WorkspaceConfig) -> Wishes:
    """What the workspace in force says of the desk in Slack."""
    said = config.channels.slack
    if said is None:  # it went while we run: what stands is closed at the next start
        return Wishes()
    named = {str(action): emoji for action, emoji in said.emoji.items()}
    return Wishes(
        supervisors_channel=said.supervisors_channel or "",
        digest_at=said.digest_at,
        digest_week=said.digest_week,
        undo_ms=said.undo,
        emoji=tuple((action, named.get(action, usual)) for action, usual in Wishes().emoji),
    )


class SlackSender:
    """Implements the outbox's `Sender`, and `Resuming`: answers into customers' threads."""

    def __init__(self, letters: Letters, vault: Vault) -> None:
        self._letters = letters
        self._vault = vault

    async def send(self, message: Message) -> Sent:
        """Try once."""
        return await self._try(message, again=False)

    async def resume(self, message: Message) -> Sent:
        """Try again: what stands in the thread already is not posted anew."""
        return await self._try(message, again=True)

    async def _try(self, message: Message, *, again: bool) -> Sent:
        """The place is that of the message, frozen when it was written."""
        place = place_of(message.to[0].address) if len(message.to) == 1 else None
        if place is None:
            return Sent(state=DeliveryState.FAILED, detail="it is not addressed to a thread in Slack")
        contents = [await content_of(self._vault, one) for one in message.attachments]
        files = tuple(
            File(name=one.filename, content=content) for one, content in zip(message.attachments, contents, strict=True)
        )
        channel, thread = place
        letter = Letter(
            key=message.message_id or "",
            channel=channel,
            thread=thread,
            name=message.from_.name,
            text=message.text,
            files=files,
        )
        outcome = await self._letters.send(letter, again=again)
        return Sent(state=DeliveryState(outcome.state), detail=outcome.text, wait_ms=outcome.wait_ms)

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:
        """Two seconds to five minutes, for a day."""
        return retry_after(attempts, waited_ms)


class SlackPart:
    """The app in Slack over the daemon's whole life. What is said to Slack keeps to one set of limits."""

    def __init__(self, daemon: Daemon, settings: SlackChannel) -> None:
        self._daemon = daemon
        self._settings = settings
        self._desk: SlackDesk | None = None
        self._roster = SlackRoster(lambda: daemon.config)
        self._limits = Limits(time.monotonic)
        self._client = web_client(settings.bot_token.reveal(), settings.api)
        self.sender = SlackSender(Letters(Api(self._client, self._limits)), daemon.vault)

    @property
    def pages(self) -> tuple[APIRouter, ...]:
        """The address that Slack calls, where there are no sockets."""
        if self._settings.signing_secret is None:
            return ()
        routes = APIRouter(include_in_schema=False)
        routes.add_api_route("/slack/events", self._called, methods=["POST"])
        return (routes,)

    def problems(self) -> list[str]:
        """What an admin should know."""
        return self._desk.troubles if self._desk is not None else []

    async def run(self) -> None:
        """Be the desk whenever this node leads, until cancelled; what fails at once is begun ever more slowly."""
        leader = self._daemon.leader
        wait = AGAIN_SECONDS
        while True:
            await leader.ready()
            begun, failed = time.monotonic(), True
            try:
                await self._lead(leader.engine.state.epoch)
                failed = False
            except* (StoreUnavailable, Fenced) as group:
                log.warning("slack_desk_restarts", why=[one.__class__.__name__ for one in group.exceptions])
            except* Exception as group:
                log.exception("slack_desk_failed", errors=[one.__class__.__name__ for one in group.exceptions])
            sound = not failed or time.monotonic() - begun >= SOUND_SECONDS
            wait = AGAIN_SECONDS if sound else min(wait * 2, AGAIN_SECONDS_MAX)
            await asyncio.sleep(wait)

    async def _lead(self, epoch: int) -> None:
        daemon, parts = self._daemon, self._daemon.parts
        desk = Desk(parts.source, parts.texts, parts.clock)
        search = Search(parts.source, parts.texts, parts.clock)
        settings = self._settings
        self._desk = SlackDesk(
            Outside(
                client=self._client,
                app_token=settings.app_token.reveal() if settings.app_token else "",
                signing_secret=settings.signing_secret.reveal() if settings.signing_secret else "",
                memory=StoredMemory(daemon.store, epoch),
                roster=self._roster,
                files=daemon.enclosures,
                desk=desk,
                read=parts.texts,
                commands=parts.commands,
                explain=lambda contact: parts.operations.explain(contact, full=False),
                find=search.find,
                problems=daemon.problems,
                team_channel=settings.team_channel or "",
                statuses=lambda: daemon.config.channels.slack.statuses if daemon.config.channels.slack else {},
                customers=self._customers,
                inbox=daemon.intake,
                tidy=chat.tidy,
                clock=daemon.clock.now,
                wishes=lambda: wishes(daemon.config),
                limits=self._limits,
                rehearsing=parts.rehearsing,
            )
        )
        work = asyncio.create_task(self._desk.run(), name="slack desk")
        try:
            while not work.done() and daemon.leader.leading and daemon.leader.engine.state.epoch == epoch:
                await asyncio.wait([work], timeout=LOOK_SECONDS)
            if work.done():
                work.result()
        finally:
            self._desk = None
            work.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await work
            search.close()
            desk.close()

    async def take_back(self, messages: list[Message]) -> None:
        """Have answers deleted that stand in the threads of an erased customer; noted when it returns.

        Raises StoreUnavailable: also if another node leads, which is then to erase.
        """
        listed = notes(messages)
        try:
            for name, raw in listed.items():
                await self._daemon.store.desk_put(self._daemon.leader.engine.state.epoch, name, raw)
        except Fenced:
            raise StoreUnavailable("another node leads") from None
        if self._desk is not None:
            for name, raw in listed.items():
                self._desk.taking_back.add(name, raw)

    def _customers(self) -> dict[str, bool]:
        """Customers' channels, as the workspace in force has them."""
        settings = self._daemon.config.channels.slack
        return {name: one.agents for name, one in settings.customers.items()} if settings is not None else {}

    async def _called(self, request: Request) -> Response:
        """A signed request of Slack's. 503 where this node does not lead: Slack sends events again."""
        desk = self._desk
        if desk is None:
            return Response(status_code=NOT_HERE)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return Response(status_code=TOO_LARGE)
        if not self._signed(bytes(body), request):
            return Response(status_code=NOT_SIGNED)
        asked = AsyncBoltRequest(
            body=body.decode("utf-8", "replace"), query=dict(request.query_params), headers=dict(request.headers)
        )
        answer = await desk.app.async_dispatch(asked)
        return Response(answer.body, answer.status, headers=answer.first_headers_without_set_cookie())

    def _signed(self, body: bytes, request: Request) -> bool:
        """Whether Slack signed this, within five minutes; bolt would read a body before it looks, and fail on some."""
        secret = self._settings.signing_secret
        try:
            return secret is not None and SignatureVerifier(secret.reveal()).is_valid_request(
                body, dict(request.headers)
            )
        except (ValueError, TypeError):  # a time that is no number, a signature or a body that is no text
            return False
