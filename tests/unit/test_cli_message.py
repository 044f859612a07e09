"""`usherd message` and `usherd check` on the sample, as a script calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "router" / "sim" / "sample"
KEYS = {
    "channel", "from", "to", "cc", "subject", "sent_at", "text", "quoted", "full_text", "html", "attachments",
    "message_id", "in_reply_to", "references", "auto", "language", "topics", "requirement", "priority", "candidates",
    "warnings", "quarantined", "reason",
}  # fmt: skip


def usherd(*arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "router", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, cwd=ROOT, input=stdin)
    assert "Traceback" not in run.stdout + run.stderr
    return run


@pytest.fixture(scope="module")
def shown() -> list[dict[str, Any]]:
    """What is said of all mails of the sample."""
    mails = sorted((SAMPLE / "mails").glob("*.eml"))
    run = usherd("message", "--config", SAMPLE / "workspace", "--json", *mails)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert len(lines) == len(mails) >= 60
    found = [json.loads(line) for line in lines]
    assert [one["file"] for one in found] == [str(mail) for mail in mails]
    return found


def test_each_mail_is_one_line_of_json(shown: list[dict[str, Any]]) -> None:
    """Every mail gives one object with all the keys, in the order given; none is a traceback."""
    for one in shown:
        assert set(one) >= KEYS, one["file"]
        assert isinstance(one["quarantined"], bool)
        assert bool(one["reason"]) == one["quarantined"]


def test_people_get_a_candidate_who_has_the_skills(shown: list[dict[str, Any]]) -> None:
    """A person's mail names who would get it, best first; auto mail names nobody."""
    for one in shown:
        ranks = [candidate["rank"] for candidate in one["candidates"]]
        assert ranks == list(range(1, len(ranks) + 1)), one["file"]
        if one["auto"] is not None:
            assert ranks == [], one["file"]
        elif not one["quarantined"]:
            assert ranks, one["file"]
            assert all(0 <= topic["p"] <= 1 for topic in one["topics"])


def test_a_list_of_paths_on_standard_input(tmp_path: Path) -> None:
    """`-` reads the paths from standard input, and .json files are messages of the HTTP API."""
    message = tmp_path / "form.json"
    message.write_text(json.dumps({"from": {"address": "Ada@X.example"}, "text": "My suitcase did not arrive."}))
    odd = tmp_path / "odd.json"
    odd.write_text("[]")
    paths = [message, odd, SAMPLE / "mails" / "vague-hello.eml"]
    run = usherd("message", "--config", SAMPLE / "workspace", "-", stdin="\n".join(map(str, paths)))
    assert run.returncode == 0, run.stderr
    first, second, third = map(json.loads, run.stdout.splitlines())
    assert (first["from"]["address"], first["channel"], first["quarantined"]) == ("ada@x.example", "http", False)
    assert first["candidates"]
    assert second["quarantined"]
    assert second["reason"]
    assert third["file"] == str(paths[2])


def test_check_of_the_sample() -> None:
    """`check --json` of a right workspace has no errors, a coverage, and exits 0; people get a table."""
    run = usherd("check", "--config", SAMPLE / "workspace", "--json")
    assert run.returncode == 0
    [line] = run.stdout.splitlines()
    found = json.loads(line)
    assert set(found) == {"errors", "warnings", "coverage"}
    assert found["errors"] == []
    assert found["coverage"]
    spoken = usherd("check", "--config", SAMPLE / "workspace")
    assert spoken.returncode == 0
    assert "The workspace is right" in spoken.stderr
    assert "hours a week without anybody" in spoken.stdout
    for topic, covered in found["coverage"]["topics"].items():
        rows = [line for line in spoken.stdout.splitlines() if line.startswith(f"{topic} ")]
        assert ", ".join(covered["able"]) in rows[0]
