"""What machines ask of the process: is it alive, is it ready, its metrics."""

from __future__ import annotations

import ipaddress

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from router.web.access import Parts, Scope
from router.web.problems import Problem

routes = APIRouter(tags=["operations"])


@routes.get("/livez", summary="The process answers")
async def livez() -> JSONResponse:
    """200 as long as the loop turns."""
    return JSONResponse({"live": True})


@routes.get("/readyz", summary="Whether to send traffic here")
async def readyz(parts: Parts) -> JSONResponse:
    """200 when messages can be taken; 503 while starting or stopping."""
    if parts.stopping():
        raise Problem(503, "draining", retry_after=parts.settings.retry_after_seconds)
    if not parts.ready():
        raise Problem(503, "not_ready", retry_after=parts.settings.retry_after_seconds)
    return JSONResponse({"ready": True})


@routes.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request, parts: Parts) -> Response:
    """Open to this machine; from elsewhere with a token of scope `read`."""
    if not _from_this_machine(request):
        await Scope("read")(request, parts)
    return Response(generate_latest(parts.metrics), media_type=CONTENT_TYPE_LATEST)


def _from_this_machine(request: Request) -> bool:
    """A loopback peer that is no proxy speaking for somebody else."""
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
