"""The fake Bot API over HTTP, in a thread of its own: long polls, faults on demand, webhooks brought to their address.

Every request and every result is kept, so that a test can hold them to what Telegram documents.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.telegram.methods import Methods, Refusal, Upload
from tests.fakes.telegram.world import TOKEN, Json, World

LOOK_SECONDS = 0.02


class Call(NamedTuple):
    """One request and what came of it. `result`: of an answer that is `ok`."""

    method: str
    asked: Json
    files: frozenset[str]
    code: int
    result: Any


class Fault(NamedTuple):
    """What happens to a request instead. `done`: it is carried out first, and only its answer is another.

    `code` 0: no answer at all, the connection is cut.
    """

    code: int
    description: str = "Too Many Requests: retry later"
    parameters: Json = {}  # noqa: RUF012  # never changed
    done: bool = False


class FakeTelegram:
    """The Bot API of one bot. `url`: what clients take for https://api.telegram.org."""

    def __init__(self) -> None:
        self.url = ""
        self._poll = 0  # the newest getUpdates: it ends those before it
        self._server: uvicorn.Server | None = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all that was."""
        self.world = World()
        self.methods = Methods(self.world)
        self.calls: list[Call] = []
        self.faults: dict[str, deque[Fault | None]] = {}  # by method in small letters; `file` for downloads
        self.reach: dict[str, str] = {}  # where an https address of a webhook really is
        self._poll += 1

    def fail(self, method: str, *faults: Fault | None) -> None:
        """Have the next requests of a method go wrong, in this order; None: this one goes well."""
        self.faults.setdefault(method.lower(), deque()).extend(faults)

    def called(self, method: str) -> list[Call]:
        """Requests of a method so far."""
        return [call for call in self.calls if call.method.lower() == method.lower()]

    # -- requests --------------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Response:
        """Any method."""
        method, token = request.path_params["method"], request.path_params["token"]
        asked, files = await _parameters(request)
        if token != TOKEN:
            return _refusal(Refusal(401, "Unauthorized") if ":" in token else Refusal(404, "Not Found"))
        waiting = self.faults.get(method.lower())
        fault = waiting.popleft() if waiting else None
        if fault is not None and not fault.done:
            return _faulty(fault)
        calls = self.calls  # of the test that is under way
        try:
            result = await self._result(method, asked, files)
        except Refusal as refusal:
            calls.append(Call(method, asked, frozenset(files), refusal.code, None))
            return _refusal(refusal)
        # what is kept must not change any more
        calls.append(Call(method, asked, frozenset(files), 200, json.loads(json.dumps(result))))
        if fault is not None:
            return _faulty(fault)
        # as Telegram writes it, all that is not ASCII is escaped
        return Response(json.dumps({"ok": True, "result": result}), media_type="application/json")

    async def _result(self, method: str, asked: Json, files: dict[str, Upload]) -> Any:  # noqa: ANN401  # JSON
        if method.lower() != "getupdates":
            return self.methods.call(method, asked, files)
        self._poll += 1
        mine = self._poll
        deadline = asyncio.get_running_loop().time() + min(int(asked.get("timeout") or 0), 50)
        while True:
            found = self.methods.take(asked)
            if found or asyncio.get_running_loop().time() >= deadline:
                return found
            await asyncio.sleep(LOOK_SECONDS)
            if mine != self._poll:
                description = "Conflict: terminated by other getUpdates request; make sure that only one bot runs"
                raise Refusal(409, description)
            asked = {**asked, "offset": 0}

    async def download(self, request: Request) -> Response:
        """A file."""
        waiting = self.faults.get("file")
        fault = waiting.popleft() if waiting else None
        if fault is not None:
            return _faulty(fault)
        content = self.world.files.get(request.path_params["name"])
        if request.path_params["token"] != TOKEN or content is None:
            return Response("Not Found", status_code=404)
        return Response(content, media_type="application/octet-stream")

    async def _bring(self) -> None:
        """Bring updates to the webhook, one at a time and again until each is taken."""
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                url = self.methods.webhook["url"]
                base = next((base for base in self.reach if url.startswith(base)), None)
                if base is None or not self.world.queue:
                    continue
                world = self.world
                update = world.queue[0]
                secret = {"X-Telegram-Bot-Api-Secret-Token": self.methods.secret} if self.methods.secret else {}
                with suppress(httpx.TransportError):
                    taken = await client.post(self.reach[base] + url.removeprefix(base), json=update, headers=secret)
                    if taken.is_success:
                        with world.lock:
                            world.queue.remove(update)
                    else:
                        self.methods.webhook["last_error_message"] = f"Wrong response: {taken.status_code}"
                        self.methods.webhook["last_error_date"] = 1_700_000_000

    # -- life ------------------------------------------------------------------------------------------------------

    def _serve(self, ready: threading.Event) -> None:
        routes = [
            Route("/bot{token}/{method}", self.answer, methods=["GET", "POST"]),
            Route("/file/bot{token}/documents/{name}", self.download),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), host="127.0.0.1", port=0, log_config=None, lifespan="off", ws="none"
        )
        self._server = uvicorn.Server(config)

        async def run() -> None:
            assert self._server is not None
            serving = asyncio.create_task(self._server.serve())
            bringing = asyncio.create_task(self._bring())
            while not self._server.started:
                await asyncio.sleep(0.005)
            port = self._server.servers[0].sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            ready.set()
            await serving
            bringing.cancel()

        with asyncio.Runner() as runner:
            runner.run(run())

    @contextmanager
    def running(self) -> Iterator[FakeTelegram]:
        """Serve in a thread while the block lasts."""
        ready = threading.Event()
        thread = threading.Thread(target=self._serve, args=(ready,), name="fake telegram", daemon=True)
        thread.start()
        assert ready.wait(60)
        try:
            yield self
        finally:
            assert self._server is not None
            self._poll += 1  # polls end at once
            self._server.should_exit = True
            self._server.force_exit = True
            thread.join(60)


async def _parameters(request: Request) -> tuple[Json, dict[str, Upload]]:
    """What was asked: in the address, as a form, or as JSON."""
    asked: Json = dict(request.query_params)
    files: dict[str, Upload] = {}
    if request.headers.get("content-type", "").startswith("application/json"):
        body = await request.body()
        return asked | (json.loads(body) if body else {}), files
    async with request.form() as form:
        for name, value in form.items():
            if isinstance(value, UploadFile):
                kind = value.content_type or "application/octet-stream"
                files[name] = (value.filename or name, kind, await value.read())
            else:
                asked[name] = value
    return asked, files


def _refusal(refusal: Refusal) -> Response:
    content: Json = {"ok": False, "error_code": refusal.code, "description": refusal.description}
    if refusal.parameters:
        content["parameters"] = refusal.parameters
    return JSONResponse(content, status_code=refusal.code)


class _Cut(Response):
    """No answer: the connection ends in the middle of one."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  # ASGI
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b'{"ok"', "more_body": True})
        raise ConnectionResetError


def _faulty(fault: Fault) -> Response:
    if not fault.code:
        return _Cut()
    content: Json = {"ok": False, "error_code": fault.code, "description": fault.description}
    if fault.parameters:
        content["parameters"] = fault.parameters
    return JSONResponse(content, status_code=fault.code)
