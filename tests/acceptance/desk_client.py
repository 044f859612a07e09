"""A client of the web desk, as the page is one: signed in by link, news over the WebSocket, actions over HTTP."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

PATIENCE = 60.0  # seconds until something that does not come about is a failure
Json = dict[str, Any]


class DeskClient:
    """One agent at their desk. `desk` is the last view that the server pushed; `answers` are those to actions."""

    def __init__(self, agent: str, url: str) -> None:
        self.agent = agent
        self.desk: Json = {}
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, headers={"Origin": url, "X-Usherd-Desk": "1"}, timeout=PATIENCE)
        self._keys = itertools.count()
        self._session = uuid.uuid4().hex[:8]
        self._news = asyncio.Condition()
        self._socket: ClientConnection | None = None
        self._exit = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def signed_in(cls, agent: str, link: str) -> AsyncIterator[Self]:
        """Open the link as a browser does; ready once the whole desk is there."""
        found = urlsplit(link)
        assert found.path == "/desk", link
        assert found.fragment.startswith("link="), link
        desk = cls(agent, f"{found.scheme}://{found.netloc}")
        try:
            answer = await desk.enter(found.fragment.removeprefix("link="))
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"agent": agent}
            await desk._listen()
            yield desk
        finally:
            await desk.close()

    async def enter(self, token: str) -> httpx.Response:
        """Trade the token of a link for a session."""
        return await self._http.post("/desk/session", json={"link": token})

    async def _listen(self) -> None:
        cookies = "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())
        live = connect(
            f"{self._url.replace('http', 'ws', 1)}/desk/live",
            origin=Origin(self._url),
            additional_headers={"Cookie": cookies},
        )
        socket = self._socket = await self._exit.enter_async_context(live)
        reading = asyncio.create_task(self._read(socket))
        self._exit.callback(reading.cancel)
        await self.until(bool, "the desk")

    async def _read(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for raw in socket:
                frame: Json = msgspec.json.decode(raw)
                if frame["type"] == "desk":
                    async with self._news:
                        self.desk = frame["desk"]
                        self._news.notify_all()

    async def close(self) -> None:
        """Hang up."""
        await self._exit.aclose()
        await self._http.aclose()

    # -- what stands on it -----------------------------------------------------------------------------------------

    async def until(self, true: Callable[[Json], bool], what: str) -> Json:
        """Wait until the pushed desk is so, and give it."""
        try:
            async with asyncio.timeout(PATIENCE), self._news:
                await self._news.wait_for(lambda: true(self.desk))
        except TimeoutError:
            raise AssertionError(f"{what} did not come to {self.agent}'s desk: {self.desk}") from None
        return self.desk

    def offer_about(self, subject: str) -> Json | None:
        """The offer of the contact with this subject, if it stands here."""
        return next((one for one in self.desk.get("offers", []) if one["contact"]["subject"] == subject), None)

    def rows(self, *lists: str) -> dict[str, Json]:
        """Contacts in these lists (`open`, `waiting_customer`, `snoozed`, `done`), by id."""
        return {row["id"]: row for name in lists for row in self.desk.get(name, [])}

    async def until_in(self, contact: str, name: str) -> Json:
        """Wait until a contact stands in a list, and give its row."""
        await self.until(lambda _: contact in self.rows(name), f"{contact} in {name}")
        return self.rows(name)[contact]

    async def card(self, contact: str) -> Json:
        """A contact with its thread."""
        answer = await self._http.get(f"/desk/api/contacts/{contact}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def card_when(self, contact: str, true: Callable[[Json], bool], what: str) -> Json:
        """Wait until a contact's card is so, and give it."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not true(card := await self.card(contact)):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{what} did not come about in {contact}: {await self.card(contact)}") from None
        return card

    async def why(self, contact: str) -> Json:
        """Why this agent, in sentences."""
        answer = await self._http.get(f"/desk/api/contacts/{contact}/why")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def file(self, contact: str, message: str, part: int) -> bytes:
        """A file that a customer sent."""
        answer = await self._http.get(f"/desk/api/contacts/{contact}/messages/{message}/files/{part}")
        assert answer.status_code == 200, answer.text
        return answer.content

    async def enclose(self, contact: str, name: str, content: bytes, kind: str) -> str:
        """Attach a file to the reply that is being written; gives its id."""
        headers = {"X-File-Name": name, "Content-Type": kind}
        answer = await self._http.post(f"/desk/api/contacts/{contact}/files", content=content, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def shows(self, contact: str, *, typing: bool = False, reply: bool = False) -> None:
        """Have a contact open, as the page says it; `reply`: what is typed is for the customer."""
        assert self._socket is not None
        said = {"contact": contact, "typing": typing, "reply": reply}
        await self._socket.send(msgspec.json.encode(said).decode())

    # -- what is done ----------------------------------------------------------------------------------------------

    async def try_to(self, action: str, **fields: object) -> Json:
        """Do something and give the answer, whether it was allowed or refused; `click`: the key of a repeated one."""
        key = fields.pop("click", None) or f"{self._session}-{next(self._keys)}"
        asked = {"action": action, "key": key, "fields": fields}
        answer = await self._http.post("/desk/api/act", json=asked)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def act(self, action: str, **fields: object) -> Json:
        """Do something that is allowed."""
        found = await self.try_to(action, **fields)
        assert found["ok"], found
        return found

    async def accept(self, offer: Json) -> str:
        """Accept an offer; gives the contact, once it stands among the open ones."""
        contact: str = offer["contact"]["id"]
        await self.act("accept", contact=contact, offer=offer["offer"])
        await self.until_in(contact, "open")
        return contact

    async def have(self, contact: str, subject: str) -> None:
        """Have a contact among the open ones, whoever accepts its offer: we, or the one who plays this agent."""
        await self.until(lambda _: bool(self.offer_about(subject)) or contact in self.rows("open"), subject)
        offer = self.offer_about(subject)
        if offer is not None:
            await self.try_to("accept", contact=contact, offer=offer["offer"])
        await self.until_in(contact, "open")


class Team:
    """Several desks side by side."""

    def __init__(self, desks: dict[str, DeskClient]) -> None:
        self._desks = desks

    def __getitem__(self, agent: str) -> DeskClient:
        return self._desks[agent]

    async def offered(self, subject: str) -> tuple[DeskClient, Json]:
        """Wait until a contact is offered to somebody; gives their desk and the offer."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for desk in self._desks.values():
                    offer = desk.offer_about(subject)
                    if offer is not None:
                        return desk, offer
                await asyncio.sleep(0.02)

    async def accepted(self, subject: str) -> tuple[DeskClient, str]:
        """Wait for the offer and accept it; gives the desk and the contact."""
        desk, offer = await self.offered(subject)
        return desk, await desk.accept(offer)
