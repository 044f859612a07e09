"""The web desk's own routes: the page, signing in and out, views, actions, attachments."""

from __future__ import annotations

import asyncio
from typing import TypeVar
from urllib.parse import quote

import msgspec
import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from router.core.errors import Draining, TransientError
from router.core.state import MessageRef
from router.desk import actions, rights, texts
from router.desk.search import Search
from router.desk.views import Answer
from router.web.access import (
    SESSION_COOKIE,
    Agent,
    Parts,
    from_our_page,
    links,
    new_ticket,
    session_known,
    session_ticket,
    sessions,
)
from router.web.api import Model, answer
from router.web.pages import STATIC
from router.web.parts import WebParts
from router.web.problems import Problem
from router.web.rehearsing import Runs
from router.web.shield import FILE_POLICY, MAIL_POLICY
from router.web.wall import problems_of

ASKED_BYTES_MAX = 1_000_000

T = TypeVar("T")

_log = structlog.get_logger()

routes = APIRouter(prefix="/desk", include_in_schema=False)
PAGE_ONLY = [Depends(from_our_page)]


class Entrance(msgspec.Struct):
    """The signed token of a sign-in link."""

    link: str


class Sought(msgspec.Struct):
    """Words to search for. They come in a body: an address bar, a log or a history would keep them."""

    words: str


class Asked(msgspec.Struct):
    """An action: `key` is new for each thing a person did, and the same when it is sent again."""

    action: str
    key: str
    fields: dict[str, object] = {}


@routes.get("")
async def page() -> Response:
    """The page itself; it holds nothing of anybody and asks for what it shows."""
    return FileResponse(STATIC / "desk" / "index.html", headers={"Cache-Control": "no-cache"})


# -- in and out ----------------------------------------------------------------------------------------------------


@routes.get("/session")
async def whoami(request: Request, parts: Parts) -> Response:
    """Whose session this is, or null: how a page learns whether to ask for a link, without an error."""
    ticket = await session_ticket(parts, request)
    return answer({"agent": ticket.agent if ticket else None})


@routes.post("/session", dependencies=PAGE_ONLY)
async def sign_in(request: Request, parts: Parts) -> Response:
    """Turn a sign-in link into a session. A link works once, for ten minutes, while its agent is on the roster."""
    entrance = await _decoded(request, Entrance)
    ticket = links(parts).check(entrance.link, parts.clock())
    if ticket is None or rights.on_roster(parts.source.state, ticket.agent) is None:
        raise Problem(401, "link_over")
    if not await parts.credentials.spend(ticket.id, ticket.until):
        _log.warning("link_reused", agent=ticket.agent)
        raise Problem(401, "link_over")
    session = new_ticket(ticket.agent, parts.clock(), parts.settings.session_seconds)
    response = JSONResponse({"agent": ticket.agent})
    response.set_cookie(
        SESSION_COOKIE,
        sessions(parts).sign(session),
        max_age=parts.settings.session_seconds,
        path="/desk",
        httponly=True,
        samesite="strict",
        secure=_secure(request, parts),
    )
    _log.info("signed_in", agent=ticket.agent)
    return response


@routes.delete("/session", dependencies=PAGE_ONLY)
async def sign_out(request: Request, parts: Parts) -> Response:
    """End the session everywhere, and forget it in this browser. `ended` False: the store could not be told."""
    ticket, ended = session_known(parts, request), True
    if ticket is not None:
        try:
            await parts.credentials.end(ticket.id, ticket.until)
        except TransientError:
            _log.warning("session_not_ended", agent=ticket.agent)
            ended = False
    response = JSONResponse({"ended": ended})
    response.delete_cookie(
        SESSION_COOKIE, path="/desk", httponly=True, samesite="strict", secure=_secure(request, parts)
    )
    return response


def _secure(request: Request, parts: WebParts) -> bool:
    """Whether browsers reach us over TLS, so that the cookie must never travel without."""
    return parts.settings.public_url.startswith("https:") or request.url.scheme == "https"


async def _decoded(request: Request, kind: type[T]) -> T:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > ASKED_BYTES_MAX:
            raise Problem(413, "too_large", limit=ASKED_BYTES_MAX)
    try:
        return msgspec.json.decode(bytes(body), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = str(error) if isinstance(error, msgspec.DecodeError) else "it is no JSON in UTF-8"
        raise Problem(422, "invalid", detail=detail) from None


# -- views ---------------------------------------------------------------------------------------------------------


@routes.get("/api/desk")
async def mine(agent: Agent, desk: Model) -> Response:
    """The agent's whole desk."""
    return answer(await desk.mine(agent))


@routes.get("/api/waiting")
async def waiting(agent: Agent, desk: Model) -> Response:
    """What waits for anybody."""
    return answer(await desk.waiting(agent))


@routes.get("/api/overview")
async def overview(request: Request, agent: Agent, desk: Model, parts: Parts) -> Response:
    """What a supervisor watches."""
    runs: Runs = request.app.state.rehearsals
    return answer(await desk.overview(agent, problems_of(parts), changes=runs.what_if.waiting()))


@routes.get("/api/topics")
async def topics(agent: Agent, desk: Model) -> Response:
    """The topics there are, for a contact that does not exist yet, and how its letter will end."""
    person = desk.source.names.person(agent)
    return answer({"topics": desk.topics(agent), "signature": person.signature if person is not None else ""})


@routes.get("/api/contacts/{contact}")
async def contact(contact: str, agent: Agent, desk: Model) -> Response:
    """A contact with its thread."""
    return answer(await desk.contact(agent, contact))


@routes.post("/api/search", dependencies=PAGE_ONLY)
async def find(request: Request, agent: Agent) -> Response:
    """Contacts and customers by what was written and by whom."""
    sought = await _decoded(request, Sought)
    search: Search = request.app.state.search
    return answer(await search.find(agent, sought.words))


@routes.get("/api/customers/{customer}")
async def history(customer: str, agent: Agent, desk: Model) -> Response:
    """A customer's contacts over all channels."""
    return answer(await desk.history(agent, customer))


@routes.get("/api/contacts/{contact}/saved")
async def saved(contact: str, agent: Agent, desk: Model) -> Response:
    """Saved replies, filled in for this contact."""
    return answer({"replies": await desk.saved(agent, contact)})


@routes.get("/api/contacts/{contact}/twins")
async def twins(contact: str, agent: Agent, desk: Model) -> Response:
    """Open contacts of the same customer that may be merged into this one."""
    return answer({"twins": await desk.twins(agent, contact)})


@routes.get("/api/contacts/{contact}/people")
async def people(contact: str, agent: Agent, desk: Model) -> Response:
    """Whom it may be handed to, and the topics there are."""
    await desk.source.settled()
    return answer(desk.people(agent, contact))


@routes.get("/api/contacts/{contact}/why")
async def why(contact: str, agent: Agent, desk: Model, parts: Parts) -> Response:
    """Why this agent, or why it waits."""
    await desk.source.settled()
    found = desk.visible(agent, contact)
    try:
        return answer(desk.why(agent, await parts.operations.explain(found.id, full=False), found))
    except KeyError:
        raise Problem(404, "no_contact") from None


# -- actions -------------------------------------------------------------------------------------------------------


@routes.post("/api/act", dependencies=PAGE_ONLY)
async def act(request: Request, agent: Agent, parts: Parts) -> Response:
    """Do something. 200 with a plain sentence, whether it was allowed or refused; 503 when it could not be stored."""
    asked = await _decoded(request, Asked)
    if parts.stopping():
        raise Draining
    source = parts.source
    doing = asyncio.ensure_future(
        actions.act(parts.commands, source.names, source.state, agent, asked.action, asked.fields, asked.key)
    )
    try:
        # Shielded: an action that was sent is not torn down because its answer is late, or its page closed.
        done = await asyncio.wait_for(asyncio.shield(doing), parts.settings.act_seconds)
    except TimeoutError:
        doing.add_done_callback(_late)
        done = Answer(ok=True, code="late", message=texts.LATE)
    if not done.ok:
        _log.info("action_refused", agent=agent, action=asked.action, code=done.code)
    return answer(done)


def _late(doing: asyncio.Future[Answer]) -> None:
    """Log how an action ended that nobody waits for any more."""
    error = None if doing.cancelled() else doing.exception()
    if error is not None:
        _log.warning("late_action_failed", error=type(error).__name__)


# -- what customers sent -------------------------------------------------------------------------------------------


@routes.get("/api/contacts/{contact}/messages/{message}/html")
async def html(contact: str, message: str, agent: Agent, desk: Model, parts: Parts) -> Response:
    """The HTML of a mail, for a sandboxed frame: no scripts, nothing fetched, an origin of its own."""
    _belongs(desk.visible(agent, contact).messages, message)
    found = (await parts.texts.messages([message])).get(message)
    if found is None or not found.html:
        raise Problem(404, "no_message")
    return Response(found.html, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": MAIL_POLICY})


@routes.get("/api/contacts/{contact}/messages/{message}/files/{part}")
async def file(contact: str, message: str, part: int, agent: Agent, desk: Model, parts: Parts) -> Response:
    """An attachment, as a download only."""
    _belongs(desk.visible(agent, contact).messages, message)
    try:
        name, _, content = await parts.texts.attachment(message, part)
    except KeyError:
        raise Problem(404, "no_message") from None
    return Response(
        content,
        media_type="application/octet-stream",  # never the sender's word for it
        headers={"Content-Disposition": disposition(name), "Content-Security-Policy": FILE_POLICY},
    )


def disposition(name: str) -> str:
    """Content-Disposition for a download (RFC 6266): a plain name, and the true one for those who can read it."""
    base = name.replace("\\", "/").rpartition("/")[2]
    clean = "".join(char for char in base if char.isprintable()).strip(". ") or "file"
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._- ") else "_" for char in clean)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def _belongs(refs: list[MessageRef], message: str) -> None:
    """Raise Problem 404 unless the message is one of the contact that was asked for."""
    if all(ref.id != message for ref in refs):
        raise Problem(404, "no_message")
