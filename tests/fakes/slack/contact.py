"""A contact with the small help desk that tests build on each of Slack's frameworks: what ana does and has to see."""

from __future__ import annotations

from router.sim.slack import FakeSlack, Rules

QUICK = Rules(retries=(0.0, 0.05, 0.1), message_burst=50)


async def a_contact(slack: FakeSlack) -> None:
    """One agent writes, accepts, transfers with a mistake first, and looks at home."""
    ana = slack.user("ana")
    written = await ana.writes("my order & me")
    card = await slack.until(lambda: next((one for one in ana.thread(written) if one.buttons), None))
    assert card.said == "card for my order &amp; me\nAccept"
    assert card.buttons == ["accept"]
    assert (await ana.clicks(card, "accept")).acked
    await slack.until(lambda: ana.thread(written)[1].said == "accepted 7")
    assert ana.thread(written)[1].edited is not None

    assert (await ana.command("/usherd", "transfer")).acked
    window = await slack.until(lambda: ana.modal)
    assert [one.said for one in ana.sees() if one.only_for] == ["you said transfer"]
    assert [one["value"] for one in await ana.asks_options(window, "agent", "be")] == ["be-1", "be-2"]
    answer = await ana.submits(window, {"whom": "be-2", "why": "no"})
    assert answer.errors == {"why": "Say more."}
    assert ana.modal is window
    await ana.submits(window, {"why": "speaks Dutch"})
    await slack.until(lambda: not slack.space.modals[ana.id])
    await slack.until(lambda: [one for one in ana.sees() if one.said == "went to be-2"])

    await ana.opens_home()
    home = await slack.until(lambda: ana.home)
    assert home.said == "Your desk"
    await slack.settled()
    assert slack.refusals == []
    assert slack.deliveries.given_up == []
