"""The demo's page with both sides: on the left a web site with the chat, on the right the desk it arrives at.

It is served only while the demo runs. Whoever can open it can open any desk of the demo, as with the links that the
demo prints: all of it is a sample on this machine. No page outside /demo can be framed because of it: the two that
stand in its frames are copies under /demo, which pages of this server alone may frame.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any, Protocol

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from router.app.daemon import Daemon
from router.core.decisions import Explanation
from router.core.state import Contact
from router.web.access import from_our_page
from router.web.problems import Problem
from router.web.shield import PAGE_POLICY

FRAMED_POLICY = PAGE_POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript"}
ASSETS = ("page.css", "page.js", "site.css", "site.js")
ASKED_BYTES_MAX = 1_000


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """Whose desk stands on the right. `contact` "": there is no chat of one's own yet, and it is a supervisor's.

    `link` signs in, once; "" if the page shows this desk already.
    """

    agent: str
    name: str
    link: str
    contact: str = ""
    state: str = ""
    about: str = ""  # what the chat was taken for
    because: str = ""


class Shown(msgspec.Struct, frozen=True):
    """The agent whose desk the page shows; "" for none."""

    agent: str = ""


class Cast(Protocol):
    """Who was offered what came from outside the sample, the oldest first."""

    outside: dict[str, str]


class BothSides:
    """The page and what it asks; `follow` before anybody can open it."""

    def __init__(self) -> None:
        self._daemon: Daemon | None = None
        self._cast: Cast | None = None
        self._why: dict[str, Explanation] = {}
        self._sign_in: Callable[[str], str] = str
        self._because: Callable[[Explanation | None], str] = str
        self.routes = APIRouter(prefix="/demo", include_in_schema=False)
        own = [Depends(from_our_page)]
        self.routes.add_api_route("", self._page)
        self.routes.add_api_route("/site", self._site)
        self.routes.add_api_route("/desk", self._desk)
        self.routes.add_api_route("/seat", self._seat, methods=["POST"], dependencies=own)
        self.routes.add_api_route("/{name}", self._asset)

    def follow(
        self,
        daemon: Daemon,
        cast: Cast,
        why: dict[str, Explanation],
        *,
        sign_in: Callable[[str], str],
        because: Callable[[Explanation | None], str],
    ) -> None:
        """What to show: a daemon, who is left with what, and why they were chosen."""
        self._daemon, self._cast, self._why = daemon, cast, why
        self._sign_in, self._because = sign_in, because

    # -- pages -----------------------------------------------------------------------------------------------------

    async def _page(self) -> Response:
        return _file("index.html")

    async def _site(self) -> Response:
        """The airline's web site, for the left frame."""
        return _file("site.html", FRAMED_POLICY)

    async def _desk(self) -> Response:
        """The desk's own page, for the right frame; it asks for everything at its usual place."""
        content = (files("router.web") / "static" / "desk" / "index.html").read_bytes()
        return _answer(content, ".html", FRAMED_POLICY)

    async def _asset(self, name: str) -> Response:
        if name not in ASSETS:
            raise Problem(404, "not_found")
        return _file(name)

    # -- whose desk ------------------------------------------------------------------------------------------------

    async def _seat(self, request: Request) -> Response:
        body = await request.body()
        try:
            shown = msgspec.json.decode(body[:ASKED_BYTES_MAX], type=Shown)
        except msgspec.MsgspecError as error:
            raise Problem(422, "invalid", detail=str(error)) from None
        if self._daemon is None:
            raise Problem(503, "transient", retry_after=1)
        return _answer(msgspec.json.encode(self.seat(self._daemon, shown.agent)), "", kind="application/json")

    def seat(self, daemon: Daemon, shown: str) -> Seat:
        """The agent who has the latest chat of somebody's own, or else a supervisor; `shown`: who is seen already."""
        contact = self._latest(daemon)
        holder = None
        if contact is not None and self._cast is not None:
            offered = contact.offer.agent if contact.offer is not None else contact.agent
            holder = offered or self._cast.outside.get(contact.id)
        agent = holder or supervisor(daemon)
        person = daemon.names.person(agent)
        fields: dict[str, Any] = {}
        if contact is not None and holder:
            topic = contact.topics[0][0] if contact.topics else ""
            fields = {
                "contact": contact.id,
                "state": contact.state.value,
                "about": " · ".join(word for word in (topic, contact.language or "") if word),
                "because": self._because(self._why.get(contact.id)),
            }
        link = self._sign_in(agent).partition("#")[2] if agent != shown else ""
        return Seat(agent=agent, name=person.name if person else agent, link=link, **fields)

    def _latest(self, daemon: Daemon) -> Contact | None:
        contacts = daemon.live.state.contacts
        for name in reversed(self._cast.outside if self._cast is not None else {}):
            contact = contacts.get(name)
            if contact is not None and contact.channel == "webchat":
                return contact
        return None


def supervisor(daemon: Daemon) -> str:
    """The first agent who sees all desks; the first of all where nobody does."""
    agents = daemon.config.agents
    return next((name for name, one in agents.items() if one.role == "supervisor"), next(iter(agents)))


def _file(name: str, policy: str = PAGE_POLICY) -> Response:
    content = (files("router.sim") / "page" / name).read_bytes()
    return _answer(content, name[name.rindex(".") :], policy)


def _answer(content: bytes, suffix: str, policy: str = PAGE_POLICY, *, kind: str = "") -> Response:
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return Response(content, media_type=kind or TYPES[suffix], headers=headers)
