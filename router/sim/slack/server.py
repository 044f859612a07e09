"""The Web API over HTTP: tokens, faults, limits, methods; uploads, downloads and response URLs beside it."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from router.sim.slack import chatting, conversing
from router.sim.slack.asking import METHODS, Asked, Desk, Method, Refused
from router.sim.slack.faults import Fault, Faults
from router.sim.slack.model import Json
from router.sim.slack.responding import Turns
from router.sim.slack.rules import Limiter, Rules
from router.sim.slack.viewing import file_of_path
from router.sim.slack.workspace import Workspace

KNOWN = (chatting, conversing)  # imported so that their methods are in the table
CALLS_MAX = 100_000
LOGIN_PAGE = "<!doctype html><title>Sign in</title><p>Sign in to your workspace."


@dataclass(frozen=True, slots=True)
class Called:
    """A call that the app made."""

    method: str
    args: Json
    answer: Json
    status: int
    at: float


class WebApi:
    """Answers what the app asks."""

    def __init__(
        self, space: Workspace, turns: Turns, desk: Desk, rules: Rules, faults: Faults, tokens: dict[str, str]
    ) -> None:
        self._space = space
        self._turns = turns
        self._desk = desk
        self._rules = rules
        self._faults = faults
        self._tokens = tokens  # token → `bot` or `app`
        self.limiter = Limiter(rules, space.now)
        self.calls: deque[Called] = deque(maxlen=CALLS_MAX)
        self.heard: Callable[[], None] = lambda: None

    def routes(self) -> list[Route]:
        """Where it answers."""
        return [
            Route("/api/{method:path}", self._api, methods=["GET", "POST"]),
            Route("/upload/v1/{file}", self._upload, methods=["POST", "PUT"]),
            Route("/files-pri/{path:path}", self._download),
            Route("/actions/{name}", self._respond, methods=["POST"]),
            Route("/login", self._login),
        ]

    async def _api(self, request: Request) -> Response:
        name = request.path_params["method"]
        args = await _arguments(request)
        token = _token(request, args)
        fault = self._faults.next(name)
        if fault is not None and not fault.after:
            early = await _strike(fault)
            if early is not None:
                return early
        status, answer, headers = self.asked(name, args, token, fault)
        if fault is not None and fault.after:
            late = await _strike(fault)
            if late is not None:
                return late
        return JSONResponse(answer, status, headers)

    def asked(self, name: str, args: Json, token: str, fault: Fault | None = None) -> tuple[int, Json, dict[str, str]]:
        """Status, answer and headers of one call; what HTTP carries, for whoever measures without it."""
        status, answer, headers = self._answer(name, args, token, fault)
        self.calls.append(Called(name, args, answer, status, self._space.now()))
        self.heard()
        return status, answer, headers

    def _answer(self, name: str, args: Json, token: str, fault: Fault | None) -> tuple[int, Json, dict[str, str]]:
        try:
            found, kind = self._admit(name, token)
            self._spare(found, fault)
            asked = Asked(name, kind, args, self._space, self._rules, self.limiter, self._desk)
            return 200, {"ok": True, **found.answer(asked)}, self._headers()
        except Refused as no:
            answer = {"ok": False, "error": no.error, **no.more}
            if no.retry_after is not None:
                return 429, answer, {"Retry-After": str(no.retry_after)}
            return 200, answer, self._headers()

    def _admit(self, name: str, token: str) -> tuple[Method, str]:
        found = METHODS.get(name)
        if found is None:
            raise Refused("unknown_method", req_method=name)
        if name == "api.test":
            return found, ""
        if not token:
            raise Refused("not_authed")
        kind = self._tokens.get(token)
        if kind is None:
            raise Refused("invalid_auth")
        if found.bearer not in {kind, "any"}:
            raise Refused("not_allowed_token_type")
        return found, kind

    def _spare(self, called: Method, fault: Fault | None) -> None:
        """Refuse a call that is to be refused, or is one too many."""
        if fault is not None and fault.kind == "refuse":
            raise Refused(fault.error, retry_after=fault.retry_after if fault.error == "ratelimited" else None)
        wait = self.limiter.call(called.name, called.tier)
        if wait is not None:
            raise Refused("ratelimited", retry_after=wait)

    def _headers(self) -> dict[str, str]:
        return {"X-OAuth-Scopes": ",".join(sorted(self._space.manifest.scopes))}

    async def _early(self, name: str) -> Response | None:
        """What goes wrong where no method is called: an answer in place of the true one."""
        fault = self._faults.next(name)
        return await _strike(fault) if fault is not None else None

    async def _upload(self, request: Request) -> Response:
        """Bytes of a file: as the body, or as one field of a form, as the clients differ."""
        early = await self._early("upload")
        if early is not None:
            return early
        file = self._space.files.get(request.path_params["file"])
        if file is None or file.data is not None:
            return PlainTextResponse("no such upload", 404)
        if "multipart/form-data" in request.headers.get("content-type", ""):
            form = await request.form()
            parts = [one for one in form.values() if isinstance(one, UploadFile)]
            data = await parts[0].read() if parts else b""
        else:
            data = await request.body()
        if len(data) != file.size:
            return PlainTextResponse("length does not match", 400)
        file.data = data
        return PlainTextResponse(f"OK - {len(data)}")

    async def _download(self, request: Request) -> Response:
        """A file, for who shows a token; to others Slack shows its sign-in page, with 200."""
        early = await self._early("download")
        if early is not None:
            return early
        name = file_of_path(request.path_params["path"])
        file = self._space.files.get(name or "")
        kind = self._tokens.get(_token(request, {}))
        if kind != "bot" or "files:read" not in self._space.manifest.scopes:
            return RedirectResponse(f"{self._space.base_url()}/login")
        if file is None or file.data is None:
            return PlainTextResponse("no such file", 404)
        return Response(file.data, media_type="application/octet-stream", headers={"Content-Disposition": "attachment"})

    async def _login(self, _request: Request) -> Response:
        return Response(LOGIN_PAGE, media_type="text/html")

    async def _respond(self, request: Request) -> Response:
        early = await self._early("response_url")
        if early is not None:
            return early
        try:
            body: object = json.loads(await request.body())
            self._turns.respond(request.path_params["name"], body)
        except ValueError:
            return JSONResponse({"ok": False, "error": "invalid_payload"}, 400)
        except Refused as no:
            status = 404 if no.error in {"used_url", "expired_url"} else 400
            return JSONResponse({"ok": False, "error": no.error}, status)
        return PlainTextResponse("ok")


async def _strike(fault: Fault) -> Response | None:
    """Let a fault happen: an answer in place of the true one, or a wait before it."""
    if fault.kind == "hang":
        await asyncio.sleep(fault.seconds)
        return None
    if fault.kind == "fail":
        return PlainTextResponse("upstream error\n", fault.status)
    return None


async def _arguments(request: Request) -> Json:
    """The arguments of a call: query, form or JSON."""
    args: Json = dict(request.query_params)
    kind = request.headers.get("content-type", "")
    if request.method == "POST" and "json" in kind:
        try:
            body: Any = json.loads(await request.body() or b"{}")
        except ValueError:
            body = {}
        args |= body if isinstance(body, dict) else {}
    elif request.method == "POST":
        args |= {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
    return args


def _token(request: Request, args: Json) -> str:
    """The token, from the header or among the arguments, where it does not stay."""
    given = args.pop("token", None)
    match = re.fullmatch(r"Bearer (\S+)", request.headers.get("authorization", ""))
    return match[1] if match else str(given or "")
