"""What `usherd import` asks for beyond `POST /v1/messages`: raw mails, and contacts given to who had them before."""

from __future__ import annotations

import asyncio
from typing import Annotated

import pydantic
from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from router.core.errors import Draining
from router.core.state import Contact, State
from router.desk import rights
from router.web.access import Parts
from router.web.api import ADMIN, Accepted, answer, failures, read_body, replayed
from router.web.problems import Problem

routes = APIRouter(prefix="/v1")


class AssignmentAsked(pydantic.BaseModel):
    """Who gets the contact that a message is in. `message`: the id that it was accepted under."""

    message: str
    agent: str


@routes.post(
    "/mails",
    dependencies=ADMIN,
    status_code=202,
    response_model=Accepted,
    responses=failures(404, 413, 422, 429, 503),
    tags=["messages"],
    summary="Hand in a mail as it was received",
)
async def post_mail(request: Request, parts: Parts, account: Annotated[str, Query()] = "") -> Response:
    """202 once the mail is on disk. The same mail again gives the same id, and so does its delivery by SMTP.

    `account` is the address it came to, the first of the workspace's unless given. Nobody gets an automatic answer.
    """
    if parts.stopping():
        raise Draining
    accounts = parts.mails.accounts() if parts.mails is not None else ()
    if parts.mails is None or not accounts:
        raise Problem(404, "no_mail")
    chosen = parts.mails.find(account) if account else accounts[0]
    if chosen is None:
        raise Problem(422, "no_account", account=account, accounts=", ".join(accounts))
    raw = await read_body(request, parts)
    if not raw.strip():
        raise Problem(422, "not_a_mail")
    entry = await asyncio.to_thread(parts.mails.entry, chosen, raw, parts.clock())
    (appended,) = await parts.inbox.append([entry])
    return JSONResponse({"id": appended.id}, status_code=202, headers=replayed(appended))


@routes.post(
    "/assignments",
    dependencies=ADMIN,
    responses=failures(404, 409, 503),
    tags=["admin"],
    summary="Give a message's contact to an agent",
)
async def assign(asked: AssignmentAsked, parts: Parts) -> Response:
    """As if the agent had taken it from the queue, whatever skills and capacity say. 404 until it is a contact."""
    state = await parts.source.settled()
    if rights.on_roster(state, asked.agent) is None:
        raise Problem(404, "no_agent", agent=asked.agent)
    contact = _contact_of(state, asked.message)
    if contact is None:
        raise Problem(404, "no_message")
    if contact.agent != asked.agent:
        outcome = await parts.commands.act(asked.agent, "take", {"contact": contact.id}, f"assignment-{asked.message}")
        if not outcome.ok:
            raise Problem(409, "not_assigned", agent=asked.agent, why=outcome.detail or outcome.code)
    return answer({"contact": contact.id, "agent": asked.agent})


def _contact_of(state: State, message: str) -> Contact | None:
    """The contact that holds a message; the newest are looked at first, for an import has just made them."""
    for contact in reversed(state.contacts.values()):
        if any(ref.id == message for ref in contact.messages):
            return contact
    return None
