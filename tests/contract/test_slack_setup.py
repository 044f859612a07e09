"""Setting Slack up: a manifest whose scopes are enough and no more, and a check that says what is not right."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import yaml

from channels.slack.manifest import EVENTS, SCOPES, manifest
from router.app.slack_manifest import manifest_text
from router.app.slack_setup import try_slack
from router.sim.slack import FakeSlack
from skills.workspace import load
from tests.support.slack_workspace import write_slack_workspace


@pytest.mark.parametrize("url", ["", "https://desk.acme.example/"])
def test_the_manifest_is_written_with_reasons(url: str) -> None:
    """The file is the manifest, for sockets or for calls, and beside each scope and event stands why."""
    text = manifest_text(url)
    assert yaml.safe_load(text) == manifest(url)
    for name, reason in (SCOPES | EVENTS).items():
        assert re.search(rf"- {re.escape(name)}  # {re.escape(reason)}$", text, re.MULTILINE), name
    assert ("https://desk.acme.example/slack/events" in text) == bool(url)


async def test_check_says_what_slack_lacks(tmp_path: Path) -> None:
    """Tokens, scopes, the team's channel and each agent are asked after; what is wrong comes with its remedy."""
    async with FakeSlack(manifest()) as slack:
        slack.add_user("ana", email="ana@example.com")
        ben = slack.add_user("ben")
        channel = slack.add_channel("emea", members=(slack.bot,))
        outside = slack.add_channel("other", members=("ana",))

        async def found(more: str, ben: str) -> dict[str, tuple[bool, str]]:
            write_slack_workspace(tmp_path, slack, ben=ben, send=9, more=more)
            config = await asyncio.to_thread(lambda: load(tmp_path).config)
            return {one.what: (one.ok, one.said) for one in await try_slack(config)}

        shop = slack.add_channel("shop", members=(slack.bot, "ana"), private=True)
        good = await found(f", team_channel: {channel.id}, customers: {{{shop.id}: {{}}}}", ben.id)
        assert all(ok for ok, _ in good.values()), good
        looked_at = {"bot_token", "scopes", "app_token", "team_channel", "agents.ana", "agents.ben"}
        assert set(good) == looked_at | {f"customers.{shop.id}"}
        less = f", team_channel: {outside.id}, customers: {{C0NOSUCHONE: {{}}}}"
        bad = await found(less, "nobody@example.com")
        assert not bad["customers.C0NOSUCHONE"][0]
        assert not bad["team_channel"][0]
        assert "/invite" in bad["team_channel"][1]
        assert not bad["agents.ben"][0]
        assert bad["agents.ana"][0]
        slack.bot_token = "xoxb-wrong"
        assert not (await found("", ben.id))["bot_token"][0]
    assert "not reached" in (await found("", ben.id))["bot_token"][1]


async def test_a_scope_that_is_not_needed_may_be_missing(tmp_path: Path) -> None:
    """Answers say then who wrote them, instead of standing under their name: that is no mistake."""
    less = manifest()
    less["oauth_config"]["scopes"]["bot"].remove("chat:write.customize")
    async with FakeSlack(less) as slack:
        write_slack_workspace(tmp_path, slack, ben="ana@example.org", send=9)
        config = await asyncio.to_thread(lambda: load(tmp_path).config)
        scopes = next(one for one in await try_slack(config) if one.what == "scopes")
        assert scopes.ok
        assert "chat:write.customize" in scopes.said


async def test_a_missing_scope_is_named(tmp_path: Path) -> None:
    """An app that was installed before a scope was added lacks it until it is installed again."""
    less = manifest()
    less["oauth_config"]["scopes"]["bot"].remove("reactions:write")
    async with FakeSlack(less) as slack:
        slack.add_user("ana", email="ana@example.com")
        write_slack_workspace(tmp_path, slack, ben="ana@example.org", send=9)
        config = await asyncio.to_thread(lambda: load(tmp_path).config)
        scopes = next(one for one in await try_slack(config) if one.what == "scopes")
        assert not scopes.ok
        assert "reactions:write" in scopes.said
