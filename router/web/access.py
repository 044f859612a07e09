"""Who asks: programs by bearer token and scope, agents by a signed session cookie, browsers by their origin."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from router.desk import rights
from router.web.parts import TokenRecord, WebParts
from router.web.problems import Problem
from router.web.signing import Signer, Ticket

SCOPES = ("messages", "read", "admin")
_GRANTS = {"messages": {"messages"}, "read": {"read"}, "admin": {"messages", "read", "admin"}}

SESSION_COOKIE = "usherd_session"
PAGE_HEADER = "x-usherd-desk"  # a header no form or foreign page can send without being asked first


def parts_of(connection: HTTPConnection) -> WebParts:
    """The parts that `create_app` was given."""
    parts: WebParts = connection.app.state.parts
    return parts


Parts = Annotated[WebParts, Depends(parts_of)]


# -- programs ------------------------------------------------------------------------------------------------------


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token(scope: str, account: str, now: int) -> tuple[str, TokenRecord]:
    """A token to show once, and what to keep of it."""
    token = f"usherd_{secrets.token_urlsafe(32)}"
    record = TokenRecord(
        id=secrets.token_hex(4), digest=digest(token), scope=scope, created_at=now, account=account or "http"
    )
    return token, record


async def bearer(parts: WebParts, connection: HTTPConnection) -> TokenRecord:
    """The record of the request's bearer token. Raises Problem 401 for none or an unknown one."""
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise Problem(401, "unauthorized")
    asked = digest(token.strip())
    known = await parts.credentials.tokens()
    if parts.local_token:
        known = [TokenRecord(id="local", digest=digest(parts.local_token), scope="admin", created_at=0), *known]
    found = None
    for record in known:  # all of them, each in constant time
        if hmac.compare_digest(record.digest, asked):
            found = record
    if found is None:
        raise Problem(401, "bad_token")
    return found


class Scope:
    """A dependency: the token must have this scope; gives its record."""

    def __init__(self, scope: str) -> None:
        self._scope = scope

    async def __call__(self, connection: HTTPConnection, parts: Parts) -> TokenRecord:
        """Check the request's token. Raises Problem 401 or 403."""
        record = await bearer(parts, connection)
        if self._scope not in _GRANTS.get(record.scope, set()):
            raise Problem(403, "forbidden", scope=self._scope)
        return record


# -- agents --------------------------------------------------------------------------------------------------------


def links(parts: WebParts) -> Signer:
    """Signs sign-in links."""
    return Signer(parts.secret, "desk link")


def sessions(parts: WebParts) -> Signer:
    """Signs session cookies."""
    return Signer(parts.secret, "desk session")


def new_ticket(agent: str, now: int, seconds: int) -> Ticket:
    """A ticket for `agent` that is good for `seconds` from `now` (ms)."""
    return Ticket(agent=agent, until=now + seconds * 1000, id=secrets.token_urlsafe(16))


def session_known(parts: WebParts, connection: HTTPConnection) -> Ticket | None:
    """The ticket of the session cookie, if it is ours, in time, and its agent is on the roster now."""
    signed = connection.cookies.get(SESSION_COOKIE)
    ticket = sessions(parts).check(signed, parts.clock()) if signed else None
    if ticket is None or rights.on_roster(parts.source.state, ticket.agent) is None:
        return None
    return ticket


async def session_ticket(parts: WebParts, connection: HTTPConnection) -> Ticket | None:
    """The same, and nobody has signed out of it, so that a copied cookie is of no use then. Raises TransientError."""
    ticket = session_known(parts, connection)
    return None if ticket is None or await parts.credentials.ended(ticket.id) else ticket


async def signed_in(connection: HTTPConnection, parts: Parts) -> str:
    """A dependency: the id of the agent whose session this is. Raises Problem 401."""
    ticket = await session_ticket(parts, connection)
    if ticket is None:
        raise Problem(401, "signed_out")
    return ticket.agent


Agent = Annotated[str, Depends(signed_in)]


# -- browsers ------------------------------------------------------------------------------------------------------


def same_origin(connection: HTTPConnection, public_url: str) -> bool:
    """Whether the Origin header names this server: by the Host it was asked for, or by its public address."""
    origin = connection.headers.get("origin", "")
    asked = urlsplit(origin)
    if asked.scheme not in {"http", "https"} or not asked.netloc:
        return False
    if public_url and origin == "{0.scheme}://{0.netloc}".format(urlsplit(public_url)):
        return True
    return asked.netloc.lower() == connection.headers.get("host", "").lower()


def from_our_page(request: Request, parts: Parts) -> None:
    """A dependency for whatever changes something: our own page sent it. Raises Problem 403."""
    if PAGE_HEADER not in request.headers:
        raise Problem(403, "other_site")
    if "origin" in request.headers and not same_origin(request, parts.settings.public_url):
        raise Problem(403, "other_site")
