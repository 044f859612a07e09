"""The page on which a person sees the workspace as one of its members, and does what that member could.

For this machine only: other hosts' names are refused (a rebound DNS name could otherwise read it), and what changes
something must come as JSON, which no foreign page can send here without being asked first.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from router.sim.slack.model import Channel, Json, Message, View
from router.sim.slack.people import Person
from router.sim.slack.shown import workspace_shown
from router.sim.slack.sockets import Answer
from router.sim.slack.values import CannotError

if TYPE_CHECKING:
    from router.sim.slack.fake import FakeSlack

PARTS = {"page.css": "text/css", "page.js": "text/javascript", "blocks.js": "text/javascript"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
HOSTS = {"127.0.0.1", "localhost"}
DONE = Answer(acked=True)


class Page:
    """Its routes."""

    def __init__(self, slack: FakeSlack) -> None:
        self._slack = slack
        self._deeds: dict[str, Callable[[Person, Json], Awaitable[Answer]]] = {
            "write": self._write,
            "edit": self._edit,
            "delete": self._delete,
            "react": self._react,
            "upload": self._upload,
            "click": self._click,
            "choose": self._choose,
            "submit": self._submit,
            "close": self._close,
            "home": self._home,
            "join": self._join,
            "status": self._status,
        }

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/", self._index),
            Route("/archives/{channel}/p{number:int}", self._message_link),
            Route("/page/state", self._state),
            Route("/page/changes", self._changes),
            Route("/page/options", self._options, methods=["POST"]),
            Route("/page/do", self._do, methods=["POST"]),
            Route("/page/file/{file}", self._file),
            Route("/page/{part}", self._part),
        ]

    async def _index(self, request: Request) -> Response:
        return _refused(request) or _sent("index.html", "text/html")

    async def _message_link(self, request: Request) -> Response:
        """A permalink: the page, at the thread of that message."""
        channel, number = request.path_params["channel"], request.path_params["number"]
        thread = f"{number // 1_000_000}.{number % 1_000_000:06d}"
        return _refused(request) or RedirectResponse(f"/?at={quote(channel)}&thread={thread}")

    async def _part(self, request: Request) -> Response:
        part = request.path_params["part"]
        if part not in PARTS:
            return PlainTextResponse("no such page", 404)
        return _refused(request) or _sent(part, PARTS[part])

    async def _state(self, request: Request) -> Response:
        names = self._slack.names
        name = request.query_params.get("as") or (names[0] if names else "")
        refused = _refused(request)
        if refused is not None:
            return refused
        if name not in names:
            return JSONResponse({"names": names}, 404, HEADERS)
        return JSONResponse({"names": names, **workspace_shown(self._slack, self._slack.user(name))}, 200, HEADERS)

    async def _changes(self, request: Request) -> Response:
        """A line for each change of anything, so that the page looks again."""

        async def lines() -> AsyncIterator[str]:
            version = -1
            while True:
                version = await self._slack.change(version)
                yield f"data: {version}\n\n"

        return _refused(request) or StreamingResponse(lines(), 200, HEADERS, "text/event-stream")

    async def _file(self, request: Request) -> Response:
        file = self._slack.space.files.get(request.path_params["file"])
        if file is None or file.data is None:
            return PlainTextResponse("no such file", 404)
        headers = {**HEADERS, "Content-Disposition": "attachment"}
        return _refused(request) or Response(file.data, 200, headers, "application/octet-stream")

    async def _options(self, request: Request) -> Response:
        body = await _body(request)
        if isinstance(body, Response):
            return body
        try:
            person = self._slack.user(str(body["as"]))
            found = await person.asks_options(self._where(person, body), str(body["action"]), str(body["query"]))
        except (CannotError, KeyError):
            found = []
        return JSONResponse([{"value": one["value"], "said": one["text"]["text"]} for one in found], 200, HEADERS)

    async def _do(self, request: Request) -> Response:
        """Do as somebody what the page was told to; `problem` is for a person to read."""
        body = await _body(request)
        if isinstance(body, Response):
            return body
        try:
            answer = await self._deeds[str(body["do"])](self._slack.user(str(body["as"])), body)
        except CannotError as error:
            return JSONResponse({"problem": str(error)}, 200, HEADERS)
        except (KeyError, ValueError, TypeError, binascii.Error):
            return JSONResponse({"problem": "that cannot be done"}, 400, HEADERS)
        problem = answer.problem or ("" if answer.acked else "no answer")
        return JSONResponse({"problem": problem, "errors": answer.errors or {}}, 200, HEADERS)

    # -- deeds --------------------------------------------------------------------------------------------------------

    async def _write(self, person: Person, body: Json) -> Answer:
        channel, text = self._channel(body), str(body["text"])
        command, _, rest = text.partition(" ")
        if command in self._slack.space.manifest.commands:
            return await person.command(command, rest, channel=channel)
        await person.writes(text, channel=channel, thread=_thread(channel, body))
        return DONE

    async def _edit(self, person: Person, body: Json) -> Answer:
        await person.edits(self._message(person, body), str(body["text"]))
        return DONE

    async def _delete(self, person: Person, body: Json) -> Answer:
        await person.deletes(self._message(person, body))
        return DONE

    async def _react(self, person: Person, body: Json) -> Answer:
        message = self._message(person, body)
        name = str(body["name"])
        await person.reacts(message, name, remove=person.id in message.reactions.get(name, ()))
        return DONE

    async def _upload(self, person: Person, body: Json) -> Answer:
        channel = self._channel(body)
        data = base64.b64decode(str(body["data"]), validate=True)
        await person.uploads(
            str(body["name"]), data, text=str(body["text"]), channel=channel, thread=_thread(channel, body)
        )
        return DONE

    async def _click(self, person: Person, body: Json) -> Answer:
        return await person.clicks(self._where(person, body), str(body["action"]), value=body.get("value"))

    async def _choose(self, person: Person, body: Json) -> Answer:
        return await person.chooses(self._where(person, body), str(body["action"]), body["value"])

    async def _submit(self, person: Person, body: Json) -> Answer:
        return await person.submits(self._view(person, body), body["values"])

    async def _close(self, person: Person, body: Json) -> Answer:
        return await person.closes(self._view(person, body), everything=bool(body.get("everything")))

    async def _home(self, person: Person, body: Json) -> Answer:
        await person.opens_home(str(body["tab"]))
        return DONE

    async def _join(self, person: Person, body: Json) -> Answer:
        await person.joins(self._channel(body))
        return DONE

    async def _status(self, person: Person, body: Json) -> Answer:
        minutes = int(body["minutes"])
        until = int(self._slack.space.now()) + minutes * 60 if minutes else 0
        await person.sets_status(str(body["emoji"]), expiration=until, text=str(body["text"]))
        return DONE

    # -- what a deed is about -----------------------------------------------------------------------------------------

    def _channel(self, body: Json) -> Channel:
        return self._slack.space.channels[str(body["channel"])]

    def _message(self, person: Person, body: Json) -> Message:
        found = [one for one in person.sees(self._channel(body)) if one.ts == body["ts"]]
        if not found:
            raise CannotError("this message is gone")
        return found[0]

    def _view(self, person: Person, body: Json) -> View:
        shown: list[View] = [
            *self._slack.space.modals.get(person.id, ()),
            *([person.home] if person.home is not None else []),
        ]
        found = [one for one in shown if one.id == body["view"]]
        if not found:
            raise CannotError("this window is gone")
        return found[0]

    def _where(self, person: Person, body: Json) -> Message | View:
        return self._view(person, body) if body.get("view") else self._message(person, body)


def _thread(channel: Channel, body: Json) -> Message | None:
    return channel.messages[str(body["thread"])] if body.get("thread") else None


def _refused(request: Request) -> Response | None:
    """A refusal for who comes by another host's name."""
    return None if request.url.hostname in HOSTS else PlainTextResponse("not here", 421)


async def _body(request: Request) -> Json | Response:
    refused = _refused(request)
    if refused is not None:
        return refused
    if request.headers.get("content-type") != "application/json":
        return PlainTextResponse("JSON, please", 415)
    try:
        body: object = json.loads(await request.body())
    except ValueError:
        body = None
    return body if isinstance(body, dict) else PlainTextResponse("JSON, please", 400)


def _sent(name: str, kind: str) -> Response:
    text = files("router.sim.slack").joinpath("page", name).read_text("utf-8")
    return Response(text, 200, HEADERS, kind)
