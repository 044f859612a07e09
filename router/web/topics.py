"""The topic models that are kept: which is in force, how they did, back to an earlier one."""

from __future__ import annotations

import pydantic
from fastapi import APIRouter
from fastapi.responses import Response

from router.web.access import Parts
from router.web.api import ADMIN, READ, answer, failures
from router.web.parts import Topics
from router.web.problems import Problem

routes = APIRouter(prefix="/v1/topics")


class Back(pydantic.BaseModel):
    """Which model to go back to."""

    model: str = pydantic.Field(
        default="", max_length=64, description='The beginning of its SHA-256; "": the one before.'
    )


class Learn(pydantic.BaseModel):
    """Whether to train in any case."""

    again: bool = pydantic.Field(default=False, description="Also where nothing was said since it was trained last.")


def _topics(parts: Parts) -> Topics:
    if parts.topics is None:
        raise Problem(404, "not_found")
    return parts.topics


@routes.get("", dependencies=READ, responses=failures(404), tags=["reports"], summary="The topic models that are kept")
async def versions(parts: Parts) -> Response:
    """The JSON of `usherd topics versions`."""
    return answer(await _topics(parts).versions())


@routes.post("/back", dependencies=ADMIN, responses=failures(404, 503), tags=["admin"], summary="An earlier model")
async def back(asked: Back, parts: Parts) -> Response:
    """Put an earlier model in force; nothing is learned from then on until `learn`."""
    try:
        return answer(await _topics(parts).go_back(asked.model))
    except KeyError:
        raise Problem(404, "no_model") from None


@routes.post("/learn", dependencies=ADMIN, responses=failures(404, 503), tags=["admin"], summary="Learn now")
async def learn(parts: Parts, asked: Learn | None = None) -> Response:
    """Train the model anew on all that agents said, and put it in force unless it is worse."""
    return answer(await _topics(parts).learn(again=asked is not None and asked.again))


@routes.get("/unsure", dependencies=ADMIN, responses=failures(404, 503), tags=["admin"], summary="Unsure contacts")
async def unsure(parts: Parts) -> Response:
    """What contacts say whose topic is unsure and that nobody has given one, the newest first: for `topics suggest`."""
    return answer(await _topics(parts).unsure())
