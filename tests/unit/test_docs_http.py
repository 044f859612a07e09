"""The examples of docs/how-to/http.md work as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels.http import HttpMessage

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "http.md"


def example(language: str) -> str:
    """The first block in a language."""
    return str(re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0])


def test_the_message_shown_for_curl_is_one() -> None:
    """What the curl example sends is a message as usherd takes it, under the headers it wants."""
    shown = example("bash")
    [body] = re.findall(r"--json '(.*?)'\n", shown)
    assert HttpMessage.model_validate_json(body).kind == "chat"
    assert {"Authorization", "Idempotency-Key"} <= set(re.findall(r'--header "([\w-]+):', shown))


def test_the_python_shown_tries_until_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python example sends the same key again after no answer, 503 and 429, and stops at 202; 422 is raised."""
    asked: list[httpx.Request] = []
    said: list[int | None] = [None, 503, 429, 202, 422]

    def answer(url: str, *, json: object, headers: dict[str, str], timeout: float) -> httpx.Response:
        request = httpx.Request("POST", url, json=json, headers=headers)
        asked.append(request)
        status = said.pop(0)
        if status is None:
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(status, json={"id": "5-0"}, headers={"Retry-After": "7"}, request=request)

    waited: list[float] = []
    monkeypatch.setattr(httpx, "post", answer)
    monkeypatch.setattr("time.sleep", waited.append)
    monkeypatch.setenv("USHERD_TOKEN", "secret")
    monkeypatch.setenv("USHERD_URL", "http://usherd.example")
    shown: dict[str, Any] = {"__name__": "example"}
    exec(compile(example("python"), str(PAGE), "exec"), shown)  # noqa: S102  # it is ours
    message = {"channel": "form", "from": {"address": "ada@example.com"}, "text": "Order 1182, please."}
    assert shown["hand_in"](message, "k-1") == "5-0"
    assert waited == [5, 7.0, 7.0]
    assert {request.headers["Idempotency-Key"] for request in asked} == {"k-1"}
    assert HttpMessage.model_validate(json.loads(asked[0].content)).channel == "form"
    with pytest.raises(httpx.HTTPStatusError):
        shown["hand_in"](message, "k-2")
