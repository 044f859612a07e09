"""The description of the API at /openapi.json: what FastAPI finds out, plus bearer tokens and the message's body."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from router.web.parts import Intake

OPEN = {"/livez", "/readyz", "/metrics"}  # asked by machines that carry no token
REF = "#/components/schemas/{model}"
# A missing key is answered with what to do, so the header is no required parameter of FastAPI's; and yet it is needed.
KEY = {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}
KEY_SAYS = "New for each message, and the same when one is handed in again: then it is stored once."


def describe(app: FastAPI, intake: Intake | None) -> dict[str, Any]:
    """The OpenAPI document of `app`, with `intake`'s model as the body of POST /v1/messages."""
    api = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = api.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in api["paths"].items():
        if path not in OPEN:
            for operation in methods.values():
                operation["security"] = [{"token": []}]
    if intake is not None:
        schema = intake.model.model_json_schema(ref_template=REF)
        components.setdefault("schemas", {}).update(schema.pop("$defs", {}))
        components["schemas"][intake.model.__name__] = schema
        reference = {"$ref": REF.format(model=intake.model.__name__)}
        operation = api["paths"]["/v1/messages"]["post"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": reference}}}
        (key,) = (one for one in operation["parameters"] if one["name"].lower() == "idempotency-key")
        key |= {"name": "Idempotency-Key", "required": True, "description": KEY_SAYS, "schema": KEY}
    return api
