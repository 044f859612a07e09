"""The HTTP API keeps to its own OpenAPI: schemathesis makes requests of it, right and wrong ones, always the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from starlette.testclient import TestClient

from router.app import http
from router.web.app import create_app
from router.web.parts import Intake
from tests.fakes.desk_parts import House

ADMIN = {"Authorization": "Bearer local-admin-token"}
REQUESTS = 12  # of each kind, to each operation
Operation = APIOperation[Any, Any, Any, Any]
# Rules that a JSON Schema cannot say: a message says something, a mail is a mail, and an address is one line.
SAID_IN_WORDS = {"/v1/messages", "/v1/mails"}


def site() -> House:
    """A desk with one contact, one mail that nobody could read, and agents."""
    house = House()
    house.available("ana")
    house.mail("I want my money back.")
    return house


APP = create_app(site().parts(intake=Intake(model=http.HttpMessage, entry=http.entry)))
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", APP)
FOUND = [found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)]
OPERATIONS: dict[str, Operation] = {f"{one.method.upper()} {one.path}": one for one in FOUND}


def requests(operation: Operation, mode: GenerationMode, excluded: list[CheckFunction]) -> int:
    """Make them; how many there were. What is not as the description says is raised, with the request to repeat it."""
    made = 0

    @seed(1)
    @settings(
        max_examples=REQUESTS,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        nonlocal made
        made += 1
        case.call_and_validate(headers=ADMIN, excluded_checks=excluded)

    ask()
    return made


@pytest.mark.parametrize("name", OPERATIONS)
def test_right_requests_are_taken_and_answered_as_described(name: str) -> None:
    """Every status, type and body is one that the description names; no request breaks the server."""
    operation = OPERATIONS[name]
    excluded: list[CheckFunction] = [positive_data_acceptance] if operation.path in SAID_IN_WORDS else []
    assert len(FOUND) == len(OPERATIONS) == sum(map(len, SCHEMA.raw_schema["paths"].values()))
    assert requests(operation, GenerationMode.POSITIVE, excluded) > 0


@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if one.path.startswith("/v1/")])
def test_wrong_requests_are_refused_as_described(name: str) -> None:
    """Wrong types, missing fields, bodies that are no JSON: each answer is one that the description names."""
    # Parameters that nobody asked for are passed over, as the web does everywhere.
    excluded: list[CheckFunction] = [negative_data_rejection] if OPERATIONS[name].method == "get" else []
    try:
        assert requests(OPERATIONS[name], GenerationMode.NEGATIVE, excluded) > 0
    except Unsatisfiable:
        assert not OPERATIONS[name].body  # nothing about it can be wrong


def test_the_description_says_what_a_message_needs() -> None:
    """Its body, its example, which is a message, and the key that keeps it from being stored twice."""
    told = SCHEMA.raw_schema
    post = told["paths"]["/v1/messages"]["post"]
    [key] = [one for one in post["parameters"] if one["in"] == "header"]
    assert (key["name"], key["required"], key["schema"]["maxLength"]) == ("Idempotency-Key", True, 200)
    model = told["components"]["schemas"]["HttpMessage"]
    for example in model["examples"]:
        assert http.HttpMessage.model_validate_json(json.dumps(example)).text


def test_a_body_that_is_no_text_is_refused_like_any_other() -> None:
    """422 with a sentence, where FastAPI alone would say 400 in a shape of its own."""
    with TestClient(APP) as client:
        answer = client.post("/v1/links", content=b"\xff\xfe{", headers={**ADMIN, "Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert "JSON" in answer.json()["error"]["message"]
