"""Files that agents send: taken one by one, each on disk before the page is told its id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, TypeAlias
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse, Response

from router.core.errors import Draining
from router.desk import rights
from router.desk.actions import FILES_BYTES_MAX
from router.desk.addresses import address_of
from router.web.access import Agent, Parts, from_our_page
from router.web.api import Model
from router.web.parts import WebParts
from router.web.problems import Problem

NAME_CHARACTERS_MAX = 400
AGENT_UPLOADS_MAX = 3

Keep: TypeAlias = Callable[[str, str, bytes], Awaitable[str]]  # (name, content type, content) -> id

routes = APIRouter(prefix="/desk", include_in_schema=False)


class Uploads:
    """How many files are on their way in, by agent and in all."""

    def __init__(self, all_max: int) -> None:
        self._all_max = all_max
        self._by_agent: list[str] = []

    def enter(self, agent: str) -> bool:
        """One more, unless there are too many. Whoever entered must leave."""
        if len(self._by_agent) >= self._all_max or self._by_agent.count(agent) >= AGENT_UPLOADS_MAX:
            return False
        self._by_agent.append(agent)
        return True

    def leave(self, agent: str) -> None:
        """One less."""
        self._by_agent.remove(agent)


@routes.post("/api/contacts/{contact}/files", dependencies=[Depends(from_our_page)])
async def attach(
    contact: str,
    request: Request,
    agent: Agent,
    desk: Model,
    parts: Parts,
    x_file_name: Annotated[str, Header()] = "",
) -> Response:
    """Take one file for a reply to this contact; 202 with its id once it is on disk. The body is the file itself."""
    if parts.enclosures is None:
        raise Problem(404, "not_found")
    found = desk.visible(agent, contact)
    if "reply" not in rights.actions(parts.source.state, agent, found):
        raise Problem(403, "not_answered_by_you")
    return await _taken(request, agent, parts, x_file_name, partial(parts.enclosures.keep, found.id))


@routes.post("/api/letters/files", dependencies=[Depends(from_our_page)])
async def attach_to_letter(
    request: Request,
    agent: Agent,
    parts: Parts,
    x_letter_to: Annotated[str, Header()] = "",
    x_file_name: Annotated[str, Header()] = "",
) -> Response:
    """The same for a letter that opens a contact. Whom it goes to comes in a header: an address is kept in no log."""
    if parts.enclosures is None:
        raise Problem(404, "not_found")
    to = address_of(unquote(x_letter_to))
    if to is None:
        raise Problem(422, "invalid", detail="an e-mail address to write to")
    return await _taken(request, agent, parts, x_file_name, partial(parts.enclosures.keep_for, to))


async def _taken(request: Request, agent: str, parts: WebParts, name: str, keep: Keep) -> Response:
    if parts.stopping():
        raise Draining
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal() or int(announced) > FILES_BYTES_MAX:
        raise Problem(413, "files_large", limit=FILES_BYTES_MAX // 1_000_000)
    uploads: Uploads = request.app.state.uploads
    if not uploads.enter(agent):
        raise Problem(429, "files_busy", retry_after=parts.settings.retry_after_seconds)
    try:
        async with asyncio.timeout(parts.settings.upload_seconds):
            content = await _content(request, int(announced))
        return await _kept(keep, unquote(name[: NAME_CHARACTERS_MAX * 3]), request, content)
    except TimeoutError:
        raise Problem(408, "files_slow") from None
    finally:
        uploads.leave(agent)


async def _kept(keep: Keep, name: str, request: Request, content: bytes) -> Response:
    try:
        identifier = await keep(name, request.headers.get("content-type", ""), content)
    except KeyError:
        raise Problem(404, "no_contact") from None
    except ValueError:
        raise Problem(422, "files_empty") from None
    return JSONResponse({"id": identifier, "size": len(content)}, status_code=202)


async def _content(request: Request, announced: int) -> bytes:
    """The body, read only as far as was announced."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > announced:
            raise Problem(413, "files_large", limit=FILES_BYTES_MAX // 1_000_000)
    return bytes(body)
