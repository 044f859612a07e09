"""Customers over HTTP: tiers and answers that programs hand in, what there is of one, how they were served."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

import pydantic
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from router.core.errors import Draining
from router.desk import rights
from router.desk.ports import Customers
from router.desk.service import Report
from router.desk.service_words import as_csv, as_page
from router.web.access import Agent, Parts, Scope
from router.web.api import ADMIN, READ, Sender, answer, failures
from router.web.parts import WebParts
from router.web.problems import Problem
from router.web.shield import FILE_POLICY

routes = APIRouter()

DAY_MS = 86_400_000
DAYS_MAX = 3_660
YEAR_9999_MS = 253_402_300_799_000
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
LINKS_ADMIN = Depends(Scope("admin"))


class TierAsked(pydantic.BaseModel):
    """Of which tier a customer is, by their address; "": of none that a program says."""

    customer: str = pydantic.Field(min_length=1, max_length=320)
    tier: str = pydantic.Field(max_length=64)


class UnblockAsked(pydantic.BaseModel):
    """Who may write again: an address, a customer's id, or the id of a contact or of a listed message of theirs."""

    customer: str = pydantic.Field(min_length=1, max_length=320)


class RatingAsked(pydantic.BaseModel):
    """What a customer answered to the question after a contact, from 1 (bad) to 5 (good)."""

    contact: str = pydantic.Field(pattern=r"^[A-Za-z0-9-]{1,40}$")
    score: int = pydantic.Field(ge=1, le=5)


class Stored(pydantic.BaseModel):
    """It is on disk."""

    stored: bool = True


def customers_of(parts: WebParts) -> Customers:
    """The customers. Raises Problem."""
    if parts.customers is None:
        raise Problem(404, "not_found")
    if parts.stopping():
        raise Draining
    return parts.customers


@routes.put(
    "/v1/customers/tier",
    status_code=202,
    dependencies=ADMIN,
    response_model=Stored,
    responses=failures(404, 422, 503),
    tags=["customers"],
    summary="Set a customer's tier",
)
async def set_tier(asked: TierAsked, parts: Parts) -> Stored:
    """202 once it is on disk. It counts from the customer's next contact on, before the workspace's own list."""
    try:
        await customers_of(parts).set_tier(asked.customer, asked.tier)
    except KeyError:
        raise Problem(404, "no_tier", tier=asked.tier) from None
    return Stored()


@routes.post(
    "/v1/customers/unblock",
    status_code=202,
    dependencies=ADMIN,
    response_model=Stored,
    responses=failures(404, 422, 503),
    tags=["customers"],
    summary="Let somebody write again who was blocked",
)
async def unblock(asked: UnblockAsked, parts: Parts) -> Stored:
    """202 once it is on disk, also where no contact of theirs is kept any more. What they wrote stays on the list."""
    try:
        await customers_of(parts).unblock(asked.customer)
    except KeyError:
        raise Problem(404, "not_blocked") from None
    return Stored()


@routes.post(
    "/v1/ratings",
    status_code=202,
    response_model=Stored,
    responses=failures(404, 422, 503),
    tags=["customers"],
    summary="Hand in a customer's answer",
)
async def rate(asked: RatingAsked, parts: Parts, token: Sender) -> Stored:
    """202 once it is on disk. Only of contacts that came in by this token's account; the first answer counts."""
    contact = parts.source.state.contacts.get(asked.contact)
    own = contact is not None and contact.channel == "http" and contact.account == token.account
    if not own and token.scope != "admin":
        raise Problem(404, "no_contact")
    await customers_of(parts).rate(asked.contact, asked.score)
    return Stored()


@routes.get(
    "/v1/exports/{customer}",
    dependencies=ADMIN,
    responses=failures(404, 503),
    tags=["admin"],
    summary="All there is of a customer",
)
async def export(customer: str, parts: Parts) -> Response:
    """The JSON of `usherd export`; by an address, a customer's id, or the id of a contact of theirs."""
    try:
        return answer(await customers_of(parts).export(customer))
    except KeyError:
        raise Problem(404, "no_customer") from None


@routes.get(
    "/v1/messages/{message}/files/{part}",
    dependencies=ADMIN,
    responses={**failures(404, 422), 200: {"content": {"application/octet-stream": {}}}},
    tags=["admin"],
    summary="A file of a message",
)
async def file(message: str, part: int, parts: Parts) -> Response:
    """The bytes of one attachment."""
    try:
        name, _, content = await parts.texts.attachment(message, part)
    except KeyError:
        raise Problem(404, "no_message") from None
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": FILE_POLICY,
    }
    return Response(content, media_type="application/octet-stream", headers=headers)


# -- the report --------------------------------------------------------------------------------------------------------


async def _report(parts: WebParts, days: float, until: int | None, hourly: float) -> Report:
    end = parts.clock() if until is None else until
    return await customers_of(parts).report(end - round(days * DAY_MS), end, hourly)


Days = Annotated[float, Query(gt=0, le=DAYS_MAX)]
Until = Annotated[int | None, Query(ge=0, le=YEAR_9999_MS)]
Hourly = Annotated[float, Query(ge=0, le=1e9)]


@routes.get(
    "/v1/reports/service",
    dependencies=READ,
    responses={**failures(404, 422, 503), 200: {"content": {"text/csv": {}, "text/html": {}}}},
    tags=["reports"],
    summary="How customers were served",
)
async def service(
    parts: Parts,
    *,
    days: Days = 7,
    until: Until = None,
    hourly: Hourly = 0,
    form: Annotated[Literal["json", "csv", "page"], Query(alias="format")] = "json",
) -> Response:
    """The JSON of `usherd report`, or the same as CSV or as a page. `until`: ms since 1970; `hourly`: for the cost."""
    return _rendered(await _report(parts, days, until, hourly), form)


@routes.get("/desk/report", include_in_schema=False)
async def page(agent: Agent, parts: Parts, *, days: Days = 7, hourly: Hourly = 0) -> Response:
    """The page, for supervisors who are signed in."""
    if not rights.leads(parts.source.state, agent):
        raise Problem(404, "not_found")
    return _rendered(await _report(parts, days, None, hourly), "page")


def _rendered(report: Report, form: str) -> Response:
    if form == "csv":
        return Response(as_csv(report), media_type="text/csv; charset=utf-8")
    if form == "page":
        headers = {"Content-Security-Policy": REPORT_POLICY}
        return Response(as_page(report), media_type="text/html; charset=utf-8", headers=headers)
    return answer(report)
