"""What-if at the web desk: a supervisor begins a rehearsal of the change that waits, and asks until it is done.

It may take minutes, longer than a proxy keeps a request open: so the page is answered in good time, and asks again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from router.core.errors import Draining
from router.desk.rehearsals import Told, WhatIf, span
from router.web.access import Agent, Parts, from_our_page
from router.web.api import answer, read_body
from router.web.parts import WebParts
from router.web.problems import Problem

RUNS_MAX = 8  # of those under way, or done and perhaps not seen yet

routes = APIRouter(prefix="/desk/api/whatif", include_in_schema=False)


class Asked(msgspec.Struct):
    """How far to look back, as `12h` or `7d`; "": a week."""

    span: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A rehearsal by its name, and what came of it. While it is not `done` there are no lines."""

    run: str
    done: bool
    lines: tuple[str, ...] = ()
    failed: bool = False


class Runs:
    """One node's. They end with it, and are asked for again then."""

    def __init__(self, what_if: WhatIf) -> None:
        self.what_if = what_if
        self._tasks: OrderedDict[str, asyncio.Task[Told]] = OrderedDict()

    def begin(self, since_ms: int) -> str:
        """Begin one; its name. The oldest makes room."""
        name = secrets.token_urlsafe(8)
        self._tasks[name] = asyncio.create_task(self.what_if.told(since_ms), name="what-if")
        if len(self._tasks) > RUNS_MAX:
            self._tasks.popitem(last=False)[1].cancel()
        return name

    async def outcome(self, name: str, seconds: float) -> Run:
        """What came of it, or that it is still under way after so long. Raises KeyError."""
        task = self._tasks[name]
        await asyncio.wait([task], timeout=seconds)
        if task.cancelled():
            raise KeyError(name)
        if not task.done():
            return Run(run=name, done=False)
        told = task.result()
        return Run(run=name, done=True, lines=told.lines, failed=told.failed)

    async def close(self) -> None:
        """End all of them."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def _runs(request: Request, agent: str, parts: WebParts) -> Runs:
    """For supervisors alone. Raises Problem, Draining."""
    runs: Runs = request.app.state.rehearsals
    if not runs.what_if.may(agent):
        raise Problem(404, "not_found")
    if parts.stopping():
        raise Draining
    return runs


@routes.post("", dependencies=[Depends(from_our_page)])
async def begin(request: Request, agent: Agent, parts: Parts) -> Response:
    """Have the change that waits lived through."""
    runs = _runs(request, agent, parts)
    try:
        since = span(msgspec.json.decode(await read_body(request, parts), type=Asked).span)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(422, "invalid", detail=str(error)) from None
    if since is None:
        raise Problem(422, "invalid", detail="span: as in 12h or 7d")
    return answer(await runs.outcome(runs.begin(since), 0))


@routes.get("/{run}")
async def outcome(run: str, request: Request, agent: Agent, parts: Parts) -> Response:
    """What came of one, waited for a while."""
    runs = _runs(request, agent, parts)
    try:
        return answer(await runs.outcome(run, parts.settings.act_seconds))
    except KeyError:
        raise Problem(404, "not_found") from None
