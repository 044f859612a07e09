"""Puts the web together: API, operations, desk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI
from fastapi.responses import FileResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from router.desk.model import Desk
from router.desk.rehearsals import WhatIf
from router.desk.search import Search
from router.web import (
    access,
    api,
    chat,
    chat_files,
    customers,
    desk,
    enclosures,
    imports,
    live,
    operations,
    problems,
    rating,
    rehearsing,
    topics,
    wall,
)
from router.web.chat_cors import ChatCors
from router.web.openapi import describe
from router.web.pages import STATIC
from router.web.parts import WebParts
from router.web.shield import Shield

DESCRIPTION = """
Messages in, and what supervisors and admins ask. Every request carries `Authorization: Bearer TOKEN`; tokens have one
scope: `messages`, `read` or `admin` (which includes the others). Every error is
`{"error": {"code", "message", "hint"}}`, with a stable code.
"""


ROUTES = tuple(
    module.routes
    for module in (
        api, imports, topics, customers, operations, desk, rehearsing, enclosures, live, wall, chat, chat_files, rating,
    )
)  # fmt: skip


class Assets(StaticFiles):
    """Our own scripts and styles, checked by the browser at each use, so that a page never mixes versions."""

    def file_response(self, *args: object, **words: object) -> Response:
        """The file, marked so that it is checked before it is used again."""
        response = super().file_response(*args, **words)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-cache"
        return response


def create_app(parts: WebParts) -> FastAPI:
    """The ASGI application over `parts`. It follows the source from now on, and ends that when its lifespan does."""
    access.links(parts)  # a secret too short fails here, not at the first sign-in

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await app.state.rehearsals.close()
        app.state.feed.close()
        if app.state.chat is not None:
            app.state.chat.feed.close()
        app.state.search.close()
        app.state.desk.close()

    app = FastAPI(
        title="usherd",
        version=_version(),
        description=DESCRIPTION.strip(),
        docs_url=None,  # FastAPI's page loads scripts from elsewhere
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    app.state.desk = Desk(parts.source, parts.texts, parts.clock, round(parts.settings.hold_seconds * 1000))
    app.state.search = Search(parts.source, parts.texts, parts.clock)
    app.state.uploads = enclosures.Uploads(parts.settings.uploads_max)
    app.state.rehearsals = rehearsing.Runs(WhatIf(parts.source, parts.rehearsing))
    app.state.feed = live.Feed(parts, app.state.desk, app.state.rehearsals.what_if.waiting)
    app.state.chat = chat.open_room(parts, app.state.desk.index)
    visitors = app.state.chat.feed if app.state.chat is not None else None
    if visitors is not None:
        visitors.on_typing = app.state.feed.together.customer_types
        visitors.on_moved = app.state.feed.together.customer_moved
    app.state.feed.together.connect(visitors, parts.passing)
    problems.install(app, parts.settings.retry_after_seconds)
    for routes in (*ROUTES, *parts.pages):
        app.include_router(routes)
    app.mount("/static", Assets(directory=STATIC), name="static")
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_api_route("/", _front, include_in_schema=False)
    if parts.chat is not None:
        shown_by = parts.chat
        app.add_middleware(ChatCors, origins=lambda: shown_by.settings.origins)
    app.add_middleware(Shield)
    described: dict[str, object] = {}

    def openapi() -> dict[str, object]:
        if not described:
            described.update(describe(app, parts.intake))
        return described

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the description
    return app


async def _docs() -> Response:
    """The API, readable: a page of our own over /openapi.json."""
    return FileResponse(STATIC / "docs" / "index.html", headers={"Cache-Control": "no-cache"})


async def _front() -> Response:
    """Whoever types only the host wants the desk."""
    return RedirectResponse("/desk", status_code=307)


def _version() -> str:
    try:
        return version("usherd")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0"
