"""Files of visitors, both ways: what they send, and what they may fetch of their own conversation.

Downloads only, under names made safe. What a page may follow is a link that is signed for one visitor and one file, and
soon over: the pass itself never stands in an address, which ends up in logs.
"""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response

from router.web.chat import NAME_CHARACTERS_MAX, Room, RoomHere, address_of, append
from router.web.desk import disposition
from router.web.problems import Problem
from router.web.shield import FILE_POLICY
from router.web.signing import Signer, Ticket

LINK_SECONDS = 300  # a download that was begun goes on

routes = APIRouter(prefix="/chat", include_in_schema=False)


@routes.post("/files")
async def send_file(
    request: Request,
    room: RoomHere,
    x_chat_client: Annotated[str, Header()] = "",
    x_chat_name: Annotated[str, Header()] = "",
) -> Response:
    """Take one file, which is a message of its own. 202 once it is on disk."""
    if not room.welcomes(request):
        raise Problem(403, "chat_site")
    held, address = room.holder(request), address_of(request)
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal() or int(announced) > room.chat.limits.file_bytes:
        raise Problem(413, "too_large", limit=room.chat.limits.file_bytes)
    wait = room.gate.wait_file(held.visitor, address)
    if wait:
        raise Problem(429, "chat_slow", retry_after=wait)
    if not room.gate.uploads.enter(address):
        raise Problem(429, "chat_slow", retry_after=room.parts.settings.retry_after_seconds)
    try:
        async with asyncio.timeout(room.chat.settings.upload_seconds):
            content = await _content(request, room.chat.limits.file_bytes)
        kind = request.headers.get("content-type", "")
        name = unquote(x_chat_name[: NAME_CHARACTERS_MAX * 3], errors="replace")
        entry = await asyncio.to_thread(room.chat.entries.sent, held.visitor, x_chat_client, name, kind, content)
        return JSONResponse({"id": await append(room, entry)}, status_code=202)
    except TimeoutError:
        raise Problem(408, "chat_slow") from None
    except ValueError as error:
        raise Problem(409 if str(error) == "conflict" else 422, "chat_refused", detail=str(error)) from None
    finally:
        room.gate.uploads.leave(address)


def _of_link(room: Room, signed: str, file: str) -> str:
    """The visitor whom a link to this file was given to. Raises Problem 401."""
    ticket = links_of(room).check(signed, room.parts.clock())
    visitor, _, named = ticket.agent.partition("/") if ticket is not None else ("", "", "")
    if named != file:
        raise Problem(401, "chat_link")
    return visitor


def _of_pass(room: Room, request: Request) -> str:
    if "origin" in request.headers and not room.welcomes(request):
        raise Problem(403, "chat_site")
    return room.holder(request).visitor


async def _content(request: Request, limit: int) -> bytes:
    """The body, read only as far as the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(413, "too_large", limit=limit)
    return bytes(body)


def links_of(room: Room) -> Signer:
    """Signs links to files: each for one visitor, one file and LINK_SECONDS."""
    return Signer(room.parts.secret, "chat file")


@routes.post("/links/{message}/{part}")
async def link_file(message: str, part: int, request: Request, room: RoomHere) -> Response:
    """Where a file of the visitor's own conversation can be had for a while, without the pass."""
    if not room.welcomes(request):
        raise Problem(403, "chat_site")
    held = room.holder(request)
    if not await room.feed.view.has(held.visitor, room.chat.identity(held.visitor), message):
        raise Problem(404, "no_message")
    until = room.parts.clock() + LINK_SECONDS * 1000
    signed = links_of(room).sign(Ticket(agent=f"{held.visitor}/{message}/{part}", until=until, id=""))
    return JSONResponse({"url": f"/chat/files/{message}/{part}?t={signed}"})


@routes.get("/files/{message}/{part}")
async def fetch_file(message: str, part: int, request: Request, room: RoomHere, t: str = "") -> Response:
    """A file of a visitor's conversation, as a download only: with the pass, or by a link that is not over."""
    visitor = _of_link(room, t, f"{message}/{part}") if t else _of_pass(room, request)
    if not await room.feed.view.has(visitor, room.chat.identity(visitor), message):
        raise Problem(404, "no_message")
    try:
        name, _, content = await room.parts.texts.attachment(message, part)
    except KeyError:
        raise Problem(404, "no_message") from None
    return Response(
        content,
        media_type="application/octet-stream",  # never the sender's word for it
        headers={"Content-Disposition": disposition(name), "Content-Security-Policy": FILE_POLICY},
    )
