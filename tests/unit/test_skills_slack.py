"""Slack in a workspace: one way in, tokens by reference only, agents who can be told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.app.reload import takes_restart
from skills.workspace import ConfigErrors, load

ENV = {"BOT": "xoxb-1-secret", "APP": "xapp-1-secret", "SIGNING": "5ec2e7"}
WORKSPACE = """\
workspace: acme
agents:
  ana: {{email: ana@example.com, capacity: {{email: 3}}, slack: {ana}}}
  ben: {{email: ben@example.com, capacity: {{email: 3}}}}
teams: {{triage: {{members: [ana]}}}}
channels:
  email: {{smtp: {{recipients: [help@acme.example]}}, send: {{host: 127.0.0.1}}}}
  slack:
    {keys}
"""
SOCKET = "bot_token: ${BOT}\n    app_token: ${APP}"


def write(folder: Path, keys: str = SOCKET, ana: str = "U012AB3CD") -> Path:
    """A workspace with these keys of Slack's."""
    (folder / "workspace.yaml").write_text(WORKSPACE.format(keys=keys, ana=ana), "utf-8")
    return folder


@pytest.mark.parametrize("way", ["app_token: ${APP}", "signing_secret: ${SIGNING}"])
def test_one_way_in_is_enough(tmp_path: Path, way: str) -> None:
    """Socket Mode needs the app's token, HTTP the signing secret; no secret shows when printed."""
    keys = f"bot_token: ${{BOT}}\n    {way}\n    team_channel: C012AB3CD"
    loaded = load(write(tmp_path, keys), ENV)
    slack = loaded.config.channels.slack
    assert slack is not None
    assert slack.bot_token.reveal() == ENV["BOT"]
    assert "secret" not in repr(slack).replace("signing_secret", "")
    assert ENV["SIGNING"] not in repr(slack)


@pytest.mark.parametrize(
    ("keys", "said", "line"),
    [
        ("bot_token: ${BOT}", "app_token", 8),
        (SOCKET + "\n    signing_secret: ${SIGNING}", "not both", 8),
        ("bot_token: ${APP}\n    app_token: ${APP}", "xoxb-", 8),
        ("bot_token: ${BOT}\n    app_token: ${BOT}", "xapp-", 8),
        ("bot_token: xoxb-1-plain\n    app_token: ${APP}", "${", 9),
        ("bot_token: ${NONE}\n    app_token: ${APP}", "NONE", 9),
        (SOCKET + "\n    team_channel: '#help'", "team_channel", 11),
        (SOCKET + "\n    tokens: 1", "tokens", 11),
        (SOCKET + "\n    customers: {'#help': {}}", "customers", 11),
        (SOCKET + "\n    customers: {C012AB3CD: {agent: true}}", "agents", 11),
        (SOCKET + "\n    team_channel: C012AB3CD\n    customers: {C012AB3CD: {}}", "they would read", 8),
        (SOCKET + "\n    supervisors_channel: C012AB3CD\n    customers: {C012AB3CD: {}}", "they would read", 8),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, keys: str, said: str, line: int) -> None:
    """What is missing, doubled or of another kind is an error at its line, and names no secret."""
    with pytest.raises(ConfigErrors) as caught:
        load(write(tmp_path, keys), ENV)
    text = " ".join(f"{one.message} {one.hint}" for one in caught.value.errors)
    assert said in text
    assert line in {one.line for one in caught.value.errors}
    assert "-secret" not in text
    assert "-plain" not in text


@pytest.mark.parametrize("address", ["ana", "u012ab3cd", "'@ana'"])
def test_an_agent_is_named_by_address_or_member_id(tmp_path: Path, address: str) -> None:
    """A name that people use in Slack is no address: it can change, and be somebody else's tomorrow."""
    with pytest.raises(ConfigErrors, match="member id"):
        load(write(tmp_path, ana=address), ENV)


def test_two_agents_are_not_one_person_in_slack(tmp_path: Path) -> None:
    """An agent without `slack` is found by their e-mail, and nobody else may be."""
    with pytest.raises(ConfigErrors, match="same `slack`"):
        load(write(tmp_path, ana="ben@example.com"), ENV)


def test_a_rule_can_be_about_a_customers_channel(tmp_path: Path) -> None:
    """It is called by its account, `slack/` and the id; one that is no channel of customers is a slip."""
    keys = SOCKET + "\n    customers: {C034EF5GH: {}}\nrules: [{when: {account: slack/NAME}, team: triage}]"
    loaded = load(write(tmp_path, keys.replace("NAME", "C034EF5GH")), ENV)
    assert loaded.config.rules[0].when.account == "slack/C034EF5GH"
    with pytest.raises(ConfigErrors, match="C034EF5GX"):
        load(write(tmp_path, keys.replace("NAME", "C034EF5GX")), ENV)


def test_customers_channels_need_no_restart(tmp_path: Path) -> None:
    """They, emoji, and what is said of alerts, digests and undo hold while it runs; another channel of the team not."""
    before = load(write(tmp_path), ENV).config
    more = load(write(tmp_path, SOCKET + "\n    customers: {C034EF5GH: {}}\n    statuses: {bee: busy}"), ENV).config
    assert takes_restart(before, more) == []
    wishes = "supervisors_channel: C034EF5GJ, digest_at: '17:00', digest_week: mon, undo: 5s, emoji: {take: bee}"
    wished = load(write(tmp_path, SOCKET + "".join(f"\n    {one}" for one in wishes.split(", "))), ENV).config
    assert takes_restart(before, wished) == []
    other = load(write(tmp_path, SOCKET + "\n    team_channel: C012AB3CD"), ENV).config
    assert takes_restart(before, other) == ["channels"]
