"""What Slack sends to an app, over sockets or as signed requests: events with their retries, and what people do."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlencode

import httpx

from router.sim.slack import shapes
from router.sim.slack.faults import Faults
from router.sim.slack.model import Channel, Json
from router.sim.slack.rules import Rules
from router.sim.slack.sockets import Answer, Sockets
from router.sim.slack.workspace import Workspace

OK = 200


class Deliveries:
    """Sends, waits for the acknowledgement, and sends events again."""

    def __init__(self, space: Workspace, sockets: Sockets, rules: Rules, faults: Faults, secret: str) -> None:
        self._space = space
        self._sockets = sockets
        self._rules = rules
        self._faults = faults
        self.secret = secret
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None
        self.request_url: str | None = None
        self.sent: list[Json] = []  # every event, as it was first wrapped
        self.acknowledged: list[str] = []  # event_ids, each as often as it was
        self.given_up: list[str] = []  # event_ids

    def tell(self, name: str, event: Json, channel: Channel | None) -> None:
        """Send an event if the app has subscribed to it, may hear it, and is where it happened."""
        if not self._space.manifest.hears(name):
            return
        if channel is not None and self._space.bot not in channel.members:
            return
        wrapped = shapes.envelope(
            event,
            event_id=self._space.ids.next("Ev"),
            at=int(self._space.now()),
            bot=self._space.bot,
            shared=channel is not None and bool(channel.shared_with),
        )
        self.sent.append(wrapped)
        lost = self._faults.takes_first_try()
        for _ in range(self._faults.copies):
            self.spawn(self._persist(wrapped, first_is_lost=lost))

    def repeat(self, wrapped: Json) -> None:
        """Send an event anew, as Slack does that has lost the acknowledgement."""
        self.spawn(self._persist(wrapped, first_is_lost=False))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the background that `settled` waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something some time, which `settled` does not wait for."""
        task = asyncio.get_running_loop().create_task(work)
        self._idle.add(task)
        task.add_done_callback(self._idle.discard)

    async def settled(self) -> None:
        """Wait until nothing is being sent any more."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Give up what is being sent."""
        tasks = self._tasks | self._idle
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _persist(self, wrapped: Json, *, first_is_lost: bool) -> None:
        reason = "timeout" if first_is_lost else ""
        for attempt, delay in enumerate((0.0, *self._rules.retries)):
            if delay:
                await asyncio.sleep(delay)
            if attempt == 0 and first_is_lost:
                continue
            answer = await self.send("events_api", wrapped, attempt=attempt, reason=reason)
            if answer.acked:
                self.acknowledged.append(wrapped["event_id"])
            if answer.acked or not answer.retry:
                return
            reason = answer.problem
        self.given_up.append(wrapped["event_id"])

    async def send(self, kind: str, payload: Json, *, attempt: int = 0, reason: str = "") -> Answer:
        """Send once, by HTTP if there is a `request_url`, else over a socket."""
        if self.request_url is None:
            return await self._sockets.send(kind, payload, attempt=attempt, reason=reason)
        retry = {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason} if attempt else {}
        if kind == "events_api":
            body, form = json.dumps(payload).encode(), "application/json"
        elif kind == "interactive":
            body, form = urlencode({"payload": json.dumps(payload)}).encode(), "application/x-www-form-urlencoded"
        else:
            body, form = urlencode(payload).encode(), "application/x-www-form-urlencoded"
        return await self._request(self.request_url, body, {"Content-Type": form, **retry})

    async def verify(self, url: str) -> bool:
        """Ask an address to prove that it is the app's, as Slack does before it sends anything there."""
        challenge = hashlib.sha256(url.encode()).hexdigest()
        body = json.dumps({"type": "url_verification", "challenge": challenge, "token": shapes.TOKEN}).encode()
        answer = await self._request(url, body, {"Content-Type": "application/json"})
        said = answer.body.get("challenge") if isinstance(answer.body, dict) else answer.body
        return answer.acked and said == challenge

    async def _request(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        at = str(int(self._space.now()))
        headers |= {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": signature(self.secret, at, body)}
        self._http = self._http or httpx.AsyncClient(trust_env=False)
        try:
            response = await self._http.post(url, content=body, headers=headers, timeout=self._rules.ack)
        except httpx.TimeoutException:
            return Answer(acked=False, problem="http_timeout")
        except httpx.HTTPError:
            return Answer(acked=False, problem="connection_failed")
        if response.status_code != OK:
            return Answer(acked=False, problem="http_error", retry=response.headers.get("X-Slack-No-Retry") != "1")
        return Answer(acked=True, body=_body(response))


def _body(response: httpx.Response) -> object:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        return response.text


def signature(secret: str, at: str, body: bytes) -> str:
    """How Slack signs a request (docs.slack.dev, "Verifying requests from Slack")."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
