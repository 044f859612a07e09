"""The demo with a Slack of this machine: its agents are members, and its workspace is right."""

from __future__ import annotations

from pathlib import Path

from router.app.demo import join_slack, lay_out
from router.app.slack_setup import try_slack
from router.sim.slack import FakeSlack
from skills.workspace import load


async def test_the_demos_agents_are_in_its_slack(tmp_path: Path) -> None:
    """What `usherd demo --slack-fake` writes passes `usherd check --slack`; its page is on this machine."""
    folder = lay_out(tmp_path / "config", 9, fixed_ports=False)
    async with FakeSlack() as slack:
        join_slack(folder, slack)
        config = load(folder).config
        found = await try_slack(config)
        assert [one for one in found if not one.ok] == []
        assert len(found) == 5 + len(config.agents)
        assert slack.page_url.startswith("http://127.0.0.1:")
