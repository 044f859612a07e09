"""The wallboard: a page at /wall, and the board for whoever is signed in or has a token that may read."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse, Response

from router.web.access import Agent, Parts, Scope
from router.web.api import Model, answer, failures
from router.web.pages import STATIC
from router.web.parts import WebParts

routes = APIRouter()


def problems_of(parts: WebParts) -> list[str]:
    """What ails the daemon, in plain words, as `usherd status` lists it."""
    listed = parts.operations.status().get("problems")
    return [str(one) for one in listed] if isinstance(listed, list | tuple) else []


@routes.get("/wall", include_in_schema=False)
async def page() -> Response:
    """The page; it holds nothing. A token for it stands behind the #, which no browser sends."""
    return FileResponse(STATIC / "wall" / "index.html", headers={"Cache-Control": "no-cache"})


@routes.get("/desk/api/board", include_in_schema=False)
async def board_of_the_desk(agent: Agent, desk: Model, parts: Parts) -> Response:
    """The board, for an agent who is signed in. Under /desk, where their session is sent."""
    del agent  # all may see it
    await parts.source.settled()
    return answer(desk.board(problems_of(parts)))


@routes.get(
    "/v1/board", dependencies=[Depends(Scope("read"))], responses=failures(), tags=["reports"], summary="The wallboard"
)
async def board(desk: Model, parts: Parts) -> Response:
    """Waiting by topic, promises at risk, agents by status, today's counts, problems. Nothing of any one person."""
    await parts.source.settled()
    return answer(desk.board(problems_of(parts)))
