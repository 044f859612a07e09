"""The HTTP API under /v1: messages in, and what supervisors and admins ask."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pydantic
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response

from router.core.errors import Draining
from router.core.ports import Appended, InboxEntry
from router.desk import reports, rights, shadow
from router.desk.in_force import in_force
from router.desk.model import Desk
from router.web.access import Parts, Scope, links, new_ticket, new_token
from router.web.parts import Intake, TokenRecord, WebParts
from router.web.problems import Problem

routes = APIRouter(prefix="/v1")

May = Depends
Sender = Annotated[TokenRecord, May(Scope("messages"))]
READ = [May(Scope("read"))]
ADMIN = [May(Scope("admin"))]

KEY_CHARACTERS_MAX = 200


class ErrorBody(pydantic.BaseModel):
    """What went wrong: a stable code, a sentence, what to do."""

    code: str
    message: str
    hint: str


class Failure(pydantic.BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorBody


class Accepted(pydantic.BaseModel):
    """The message is on disk, under this id."""

    id: str


class LinkAsked(pydantic.BaseModel):
    """For whom a sign-in link is wanted."""

    agent: str


class Link(pydantic.BaseModel):
    """A sign-in link: single use; `expires_at` in RFC 3339."""

    url: str
    expires_at: str


class ErasureAsked(pydantic.BaseModel):
    """Whom to erase: an address, a customer's id, or the id of a contact of theirs."""

    customer: str = pydantic.Field(min_length=1, max_length=320)


class TokenAsked(pydantic.BaseModel):
    """What the token is for; `account` is the one its messages come in by."""

    scope: Literal["messages", "read", "admin"]
    account: str = pydantic.Field(default="http", pattern=r"^[A-Za-z0-9_.-]{1,64}$")


class Token(pydantic.BaseModel):
    """A new token. It is shown this once; only its hash is kept."""

    id: str
    token: str
    scope: str
    account: str


def failures(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Error answers for the API description."""
    return {status: {"model": Failure} for status in (401, 403, *statuses)}


# -- messages in ---------------------------------------------------------------------------------------------------


@routes.post(
    "/messages",
    status_code=202,
    response_model=Accepted,
    responses=failures(404, 409, 413, 422, 429, 503),
    tags=["messages"],
    summary="Hand in a message",
)
async def post_message(
    request: Request, parts: Parts, token: Sender, idempotency_key: Annotated[str, Header()] = ""
) -> JSONResponse:
    """202 once the message is on disk. The same key and body again give the same id; another body gives 409."""
    if parts.stopping():
        raise Draining
    if parts.intake is None:
        raise Problem(404, "no_intake")
    if not 0 < len(idempotency_key) <= KEY_CHARACTERS_MAX or not idempotency_key.isprintable():
        raise Problem(422, "key_missing")
    entry = _entry(parts.intake, token.account, await read_body(request, parts), idempotency_key)
    (appended,) = await parts.inbox.append([entry], conflict="refuse")
    if appended.conflict:
        raise Problem(409, "key_conflict")
    return JSONResponse({"id": appended.id}, status_code=202, headers=replayed(appended))


def replayed(appended: Appended) -> dict[str, str]:
    """A header that says so when nothing was added, because it was there already."""
    return {"Idempotency-Replayed": "true"} if appended.duplicate else {}


async def read_body(request: Request, parts: WebParts) -> bytes:
    """The body, read only as far as the limit."""
    limit = parts.settings.body_bytes_max
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise Problem(413, "too_large", limit=limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(413, "too_large", limit=limit)
    return bytes(body)


def _entry(intake: Intake, account: str, body: bytes, key: str) -> InboxEntry:
    try:
        message = intake.model.model_validate_json(body)
        return intake.entry(account, message, key)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Problem(422, "invalid", detail=f"{where}: {first['msg']}" if where else first["msg"]) from None
    except ValueError as error:
        raise Problem(422, "invalid", detail=str(error)) from None


# -- what supervisors ask ------------------------------------------------------------------------------------------


def answer(value: object) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def desk_of(request: Request) -> Desk:
    """The desk model of this process."""
    desk: Desk = request.app.state.desk
    return desk


Model = Annotated[Desk, Depends(desk_of)]


@routes.get("/status", dependencies=READ, responses=failures(), tags=["reports"], summary="How the daemon fares")
async def status(parts: Parts) -> Response:
    """The JSON of `usherd status`."""
    return answer(await parts.operations.measured())


@routes.get("/queue", dependencies=READ, responses=failures(), tags=["reports"], summary="Who waits")
async def queue(parts: Parts, desk: Model) -> Response:
    """The JSON of `usherd queue`."""
    return answer(reports.queue(await parts.source.settled(), desk.index.waiting(), parts.clock()))


@routes.get("/agents", dependencies=READ, responses=failures(), tags=["reports"], summary="The agents")
async def agents(parts: Parts) -> Response:
    """The JSON of `usherd agents`."""
    await parts.source.settled()
    return answer(reports.agents(parts.source))


@routes.get("/contacts", dependencies=READ, responses=failures(), tags=["reports"], summary="The contacts")
async def contacts(
    parts: Parts,
    *,
    resolved: Annotated[bool, Query(alias="all")] = False,
    auto: bool = False,
    agent: str | None = None,
) -> Response:
    """The JSON of `usherd contacts`: open ones, or `all`, or the `auto` list; of one `agent` or of everybody."""
    await parts.source.settled()
    if auto:
        return answer(await reports.autos(parts.source, parts.texts))
    chosen = reports.wanted(resolved=resolved, agent=agent)
    return answer(await reports.contacts(parts.source, parts.texts, chosen))


@routes.get(
    "/explain/{contact}", dependencies=READ, responses=failures(404), tags=["reports"], summary="Why this agent"
)
async def explain(contact: str, parts: Parts, *, full: bool = False) -> Response:
    """The JSON of `usherd explain`."""
    try:
        return answer(await parts.operations.explain(contact, full=full))
    except KeyError:
        raise Problem(404, "no_contact") from None


@routes.get("/workspace", dependencies=READ, responses=failures(), tags=["reports"], summary="What is in force")
async def workspace(parts: Parts, desk: Model, candidate: str = "") -> Response:
    """The workspace as the engine has it, its version, and how many contacts wait, by what the rules look at.

    `candidate`: the version of another workspace; `rehearsed` then says whether that one was, within a week.
    """
    accounts = parts.mails.accounts() if parts.mails is not None else ()
    rehearsed = await parts.rehearsed(candidate) if candidate and parts.rehearsed is not None else None
    return answer(in_force(await parts.source.settled(), desk.index.waiting(), accounts, rehearsed=rehearsed))


@routes.get("/reports/shadow", dependencies=READ, responses=failures(), tags=["reports"], summary="Beside people")
async def shadow_report(parts: Parts) -> Response:
    """The JSON of `usherd report --shadow`."""
    return answer(shadow.report(await parts.source.settled()))


# -- operations ----------------------------------------------------------------------------------------------------


@routes.get("/quarantine", dependencies=ADMIN, responses=failures(), tags=["admin"], summary="What nobody could read")
async def quarantine(parts: Parts) -> Response:
    """The JSON of `usherd quarantine list`."""
    return answer(await parts.operations.quarantine())


@routes.get("/quarantine/{message}", dependencies=ADMIN, responses=failures(404), tags=["admin"], summary="One of them")
async def quarantined(message: str, parts: Parts) -> Response:
    """The JSON of `usherd quarantine show`."""
    try:
        return answer(await parts.operations.quarantine(message))
    except KeyError:
        raise Problem(404, "no_message") from None


@routes.post(
    "/quarantine/{message}/retry", dependencies=ADMIN, responses=failures(404), tags=["admin"], summary="Read it again"
)
async def retry(message: str, parts: Parts) -> Response:
    """The JSON of `usherd quarantine retry`."""
    try:
        return answer(await parts.operations.retry(message))
    except KeyError:
        raise Problem(404, "no_message") from None


@routes.post(
    "/erasures", dependencies=ADMIN, responses=failures(404, 503), tags=["admin"], summary="Erase a customer for good"
)
async def erase(asked: ErasureAsked, parts: Parts) -> Response:
    """The JSON of `usherd erase`. `done` false: it is journaled and goes on by itself."""
    if parts.erasing is None:
        raise Problem(404, "no_customer")
    try:
        return answer(await parts.erasing.erase(asked.customer))
    except KeyError:
        raise Problem(404, "no_customer") from None


@routes.post(
    "/links", dependencies=ADMIN, responses=failures(404), response_model=Link, tags=["admin"], summary="A sign-in link"
)
async def make_link(asked: LinkAsked, request: Request, parts: Parts) -> Link:
    """A link to the web desk for one agent: single use, ten minutes.

    Its token stands behind the #: a browser never sends that part, so it is in no log and no scanner can spend it.
    """
    if rights.on_roster(parts.source.state, asked.agent) is None:
        raise Problem(404, "no_agent", agent=asked.agent)
    ticket = new_ticket(asked.agent, parts.clock(), parts.settings.link_seconds)
    root = (parts.settings.public_url or str(request.base_url)).rstrip("/")
    until = reports.instant(ticket.until) or ""
    return Link(url=f"{root}/desk#link={links(parts).sign(ticket)}", expires_at=until)


@routes.post(
    "/tokens", dependencies=ADMIN, responses=failures(), response_model=Token, tags=["admin"], summary="A token"
)
async def make_token(asked: TokenAsked, parts: Parts) -> Token:
    """A bearer token for a program, of one scope."""
    token, record = new_token(asked.scope, asked.account, parts.clock())
    await parts.credentials.add_token(record)
    return Token(id=record.id, token=token, scope=record.scope, account=record.account)
