"""Every error leaves as `{"error": {"code", "message", "hint"}}`, with a stable code."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from router.core.errors import BacklogFull, TransientError
from router.desk.model import NotOnRoster, NotVisible
from router.web.shield import cover
from router.web.texts import PROBLEMS

_log = structlog.get_logger()

UNREADABLE = 400  # FastAPI's, for a body that is no JSON in a way of its own; to whoever sent it it is like any other
_CODE_OF_STATUS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 413: "too_large"}


class Problem(Exception):
    """A request that is refused: HTTP status, stable code, and what its sentence needs."""

    def __init__(self, status: int, code: str, *, retry_after: int | None = None, **words: object) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.words = words

    def response(self) -> Response:
        """The answer for the client."""
        message, hint = PROBLEMS[self.code]
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:  # noqa: PLR2004 - the number is the name
            headers["WWW-Authenticate"] = "Bearer"
        error = {"code": self.code, "message": message.format(**self.words), "hint": hint.format(**self.words)}
        return JSONResponse({"error": error}, status_code=self.status, headers=headers)


def unavailable(error: TransientError, retry_after: int) -> Problem:
    """The answer when something could not be stored: 429 for a full backlog, else 503."""
    code = error.code if error.code in PROBLEMS else "transient"
    return Problem(429 if isinstance(error, BacklogFull) else 503, code, retry_after=retry_after)


def install(app: FastAPI, retry_after: int) -> None:
    """Give `app` its error answers."""

    async def refuse(_: Request, error: Exception) -> Response:
        return _problem(error, retry_after).response()

    for kind in (Problem, TransientError, NotOnRoster, NotVisible, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, refuse)

    async def broken(request: Request, error: Exception) -> Response:
        _log.error("request_failed", path=request.url.path, error=type(error).__name__, exc_info=error)
        response = Problem(500, "internal").response()
        cover(response.headers)  # this answer is made outside all middleware
        return response

    app.add_exception_handler(Exception, broken)


def _problem(error: Exception, retry_after: int) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, TransientError):
        return unavailable(error, retry_after)
    if isinstance(error, NotOnRoster):
        return Problem(401, "signed_out")
    if isinstance(error, NotVisible):
        return Problem(404, "no_contact")
    if isinstance(error, RequestValidationError):
        return Problem(422, "invalid", detail=_first(error))
    if isinstance(error, HTTPException) and error.status_code == UNREADABLE:
        return Problem(422, "invalid", detail="the body is not JSON in UTF-8")
    if isinstance(error, HTTPException):
        return Problem(error.status_code, _CODE_OF_STATUS.get(error.status_code, "not_found"), scope="", limit="")
    return Problem(500, "internal")


def _first(error: RequestValidationError) -> str:
    """The first complaint with its place; never the value, which may be personal."""
    complaints = error.errors()
    if not complaints:
        return "unreadable"
    where = ".".join(str(part) for part in complaints[0].get("loc", ()) if part != "body")
    return f"{where}: {complaints[0].get('msg', '')}" if where else str(complaints[0].get("msg", ""))
