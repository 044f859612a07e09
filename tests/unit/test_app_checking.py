"""What `usherd check` and `usherd message` find out, without a daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router.app.checking import Trial, check_workspace
from skills.workspace import load
from tests.support.daemons import write_workspace

PUSHED = "teams: {triage: {members: [ana]}}"
EXTRA = """
customers: {tiers: {gold: {match: {domain: [gold.example]}, priority: high}}}
"""


def workspace(folder: Path) -> Path:
    """A workspace with a tier, and an agent who takes chats."""
    config = write_workspace(folder / "config", extra=EXTRA)
    text = (config / "workspace.yaml").read_text()
    text = text.replace("lang:es: 3}, capacity: {email: 5}", "lang:es: 3}, capacity: {chat: 2}")
    (config / "workspace.yaml").write_text(text)
    return config


async def tried(config: Path, *paths: Path) -> list[dict[str, Any]]:
    """What `message` says of each file."""
    async with Trial(load(config).config) as trial:
        return [found async for found in trial.examine(list(paths))]


def eml(folder: Path, name: str, text: str, headers: str = "") -> Path:
    """A mail as a file."""
    path = folder / f"{name}.eml"
    path.write_text(f"From: Ada <ada@x.example>\nTo: help@acme.example\nSubject: {text}\n{headers}\n{text}\n")
    return path


async def test_mails_and_messages_are_tried_in_the_order_given(tmp_path: Path) -> None:
    """Files of both forms give objects in their order: normal form, topics, requirement, who would get it."""
    config = workspace(tmp_path)
    bag = tmp_path / "bag.json"
    bag.write_text(
        json.dumps({"kind": "chat", "from": {"address": "b@x.example"}, "text": "my suitcase did not arrive"})
    )
    refund = eml(tmp_path, "refund", "please refund my order, I want my money back")
    mail, message = await tried(config, refund, bag)
    assert (mail["file"], message["file"]) == (str(refund), str(bag))
    assert mail["topics"][0]["topic"] == "refund"
    assert mail["requirement"]["must"] == {"billing": 2, "lang:en": 2} or mail["requirement"]["must"]["billing"] == 2
    assert [one["agent"] for one in mail["candidates"]] == ["ana"]
    assert message["topics"][0]["topic"] == "bags"
    assert [one["agent"] for one in message["candidates"]] == ["ben"]  # the one who takes chats


async def test_a_tier_raises_the_priority(tmp_path: Path) -> None:
    """A customer of a tier gets its priority, by the domain of the address."""
    config = workspace(tmp_path)
    gold = tmp_path / "gold.eml"
    gold.write_text("From: ada@gold.example\nTo: help@acme.example\nSubject: refund\n\nplease refund my order\n")
    plain = eml(tmp_path, "plain", "please refund my order")
    first, second = await tried(config, gold, plain)
    assert (first["priority"], second["priority"]) == ("high", "normal")


async def test_agents_who_are_given_work_unasked_are_candidates_too(tmp_path: Path) -> None:
    """In a team whose contacts are pushed the one who would get it is named."""
    config = workspace(tmp_path)
    path = config / "workspace.yaml"
    path.write_text(path.read_text().replace(PUSHED, "teams: {triage: {members: [ana], assign: push}}"))
    [mail] = await tried(config, eml(tmp_path, "refund", "please refund my order, I want my money back"))
    assert [one["agent"] for one in mail["candidates"]] == ["ana"]


@pytest.mark.parametrize("headers", ["Auto-Submitted: auto-replied\n", "List-Id: <l.x.example>\nPrecedence: list\n"])
async def test_auto_mail_would_go_to_nobody(tmp_path: Path, headers: str) -> None:
    """A mail that no person wrote has no candidates."""
    [mail] = await tried(workspace(tmp_path), eml(tmp_path, "auto", "please refund my order", headers))
    assert mail["auto"]
    assert mail["candidates"] == []


@pytest.mark.parametrize(
    ("name", "content"), [("a.eml", b""), ("a.json", b"{"), ("b.json", b'{"text": 5}'), ("c.json", b"")]
)
async def test_what_cannot_be_read_still_yields_an_object(tmp_path: Path, name: str, content: bytes) -> None:
    """A file that is no message is shown as quarantined, with the reason, and hides no other."""
    (tmp_path / name).write_bytes(content)
    good = eml(tmp_path, "good", "please refund my order")
    bad, fine = await tried(workspace(tmp_path), tmp_path / name, good)
    assert (bad["quarantined"], fine["quarantined"]) == (True, False)
    assert bad["reason"]
    assert bad["candidates"] == []


def test_a_right_workspace_has_no_errors(tmp_path: Path) -> None:
    """The JSON of `check` has errors, warnings and coverage; each finding has the five keys."""
    found = check_workspace(workspace(tmp_path))
    assert set(found) == {"errors", "warnings", "coverage"}
    assert found["errors"] == []
    assert found["coverage"]
    assert all(set(one) == {"code", "message", "file", "line", "hint"} for one in found["warnings"])


def test_every_error_is_listed_at_once(tmp_path: Path) -> None:
    """A workspace with three mistakes gives three errors, each with its line, and no coverage."""
    config = workspace(tmp_path)
    path = config / "workspace.yaml"
    lines = path.read_text().count("\n")
    path.write_text(path.read_text() + "colour: red\nsize: big\nshape: round\n")
    found = check_workspace(config)
    assert [error["line"] for error in found["errors"]] == [lines + 1, lines + 2, lines + 3]
    assert all(error["hint"] and error["file"] == "workspace.yaml" for error in found["errors"])
    assert found["coverage"] == {}
