"""Customers in Slack and in the web chat, agents in Slack: one daemon, the real slack-bolt, a Slack of this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from router.sim.slack import Channel, FakeSlack, Message, Person
from tests.support.chat_workspace import Visitor
from tests.support.daemons import RunningDaemon
from tests.support.slack_people import card, cards, told, until, whispered
from tests.support.slack_workspace import hand_in, mail

pytestmark = pytest.mark.timeout(300)

TEN = tuple(f"agent{number}" for number in range(10))
MONEY = "I want my money back, please refund my order."
BAGS = "My suitcase did not arrive."
WORKSPACE = """
workspace: acme
languages: [en]
agents:
  ana:
    {{name: Ana Souza, slack: {ana}, skills: {{billing: 4, lang:en: 5}}, capacity: {{email: 9, chat: 9, messaging: 9}}}}
{ten}
teams: {{triage: {{members: [ana]}}}}
topics:
  refund: {{examples: [I want my money back, please refund my order], keywords: [refund]}}
  bags: {{examples: [my suitcase did not arrive, lost luggage], keywords: [suitcase]}}
rules:
  - {{when: {{topic: refund}}, require: {{billing: 2}}}}
  - {{when: {{topic: bags}}, require: {{baggage: 2}}, sla: {{first_response: 1s}}}}
offers: {{accept_within: {{email: 10m, chat: 10m, messaging: 10m}}}}
channels:
  email:
    smtp: {{listen: "127.0.0.1:0", recipients: [help@acme.example]}}
    send: {{host: 127.0.0.1, port: 9, tls: none}}
  webchat: {{origins: ["https://acme.example"]}}
  slack:
    bot_token: "file:bot"
    app_token: "file:app"
    api: "{api}"
    team_channel: {team}
    customers: {{{shop}: {{}}}}
    undo: 0s
web: {{listen: "127.0.0.1:0"}}
"""
AGENT = "  {name}: {{name: {name}, slack: {id}, skills: {{baggage: 3, lang:en: 5}}, capacity: {{email: 9}}}}"


class House:
    """Ana, ten colleagues, Cara and Dan of a customer's organisation, and the daemon."""

    def __init__(self, folder: Path, slack: FakeSlack) -> None:
        self.slack = slack
        self.ana: Person = slack.add_user("ana")
        self.ten = [slack.add_user(name) for name in TEN]
        self.zoe = slack.add_user("zoe")
        self.cara = slack.add_user("cara", real_name="Cara Cruz", team="T0OTHER01")
        self.dan = slack.add_user("dan", real_name="Dan Duarte", team="T0OTHER01")
        self.shop: Channel = slack.add_channel(
            "acme", members=("cara", "dan", "ana", slack.bot), shared_with="T0OTHER01"
        )
        self.team = slack.add_channel("team", members=("ana", "zoe", *TEN, slack.bot))
        config = folder / "config"
        config.mkdir()
        (config / "bot").write_text(slack.bot_token)
        (config / "app").write_text(slack.app_token)
        ten = "\n".join(AGENT.format(name=name, id=one.id) for name, one in zip(TEN, self.ten, strict=True))
        ids = {"ana": self.ana.id, "team": self.team.id, "shop": self.shop.id}
        (config / "workspace.yaml").write_text(WORKSPACE.format(api=slack.api_url, ten=ten, **ids))
        self.daemon = RunningDaemon(config, folder / "data")

    @property
    def url(self) -> str:
        """Of the web chat."""
        return f"http://{self.daemon.http[0]}:{self.daemon.http[1]}"

    def lines(self, word: str) -> list[Message]:
        """What the team's channel says with this word."""
        return [one for one in self.zoe.sees(self.team) if word in one.said and not one.only_for]


async def accepted(person: Person, *words: str) -> Message:
    """Their card with these words, once it is theirs."""
    shown = await card(person, "Offered to you", *words)
    assert (await person.clicks(shown, "usherd.accept")).acked
    return await card(person, "Write in this thread", *words)


async def customers_write_in_slack(house: House) -> None:
    """A question in a shared channel is a contact; its thread is the customer's view; a colleague of theirs joins."""
    asked = await house.cara.writes(MONEY, channel=house.shop)
    shown = await accepted(house.ana, "Cara Cruz")
    said = await house.ana.writes("We refund you & <more>.", thread=shown)
    answer = await told(house.cara, asked, "We refund you &amp; &lt;more&gt;.")
    assert answer.username == "Ana Souza"
    await until(lambda: "white_check_mark" in said.reactions, "the mark")
    await house.ana.uploads("form.pdf", b"%PDF", text="Please sign.", thread=shown)
    await told(house.cara, asked, "Please sign.")
    await until(lambda: any(one.files for one in house.cara.thread(asked)), "the file")
    await house.dan.uploads("signed.pdf", b"%PDF signed", text="Here it is.", thread=asked)
    notice = await told(house.ana, shown, "Here it is.")
    await house.ana.clicks(notice, "usherd.files")
    await until(lambda: any(one.user == house.slack.bot and one.files for one in house.ana.thread(shown)), "its file")
    assert len(cards(house.ana, "Cara Cruz")) == 1
    assert house.slack.pings == []


async def a_visitor_chats(house: House) -> None:
    """What a visitor says in the web chat reaches the agent's thread, what the agent writes there the visitor."""
    async with Visitor(house.url) as visitor:
        await visitor.write("talk-0001", MONEY, name="Kim")
        shown = await accepted(house.ana, "Kim", "Chat")
        said = await house.ana.writes("It leaves <today> :smile:", thread=shown)
        item = await visitor.item("It leaves <today> 😄")
        assert item["who"] == "Ana"
        await until(lambda: "white_check_mark" in said.reactions, "the mark")
        await visitor.write("talk-0002", "Thank you so much <!channel>")
        notice = await told(house.ana, shown, "Thank you so much")
        assert "&lt;!channel&gt;" in notice.said
        await house.ana.clicks(await card(house.ana, "Kim", "Write in this thread"), "usherd.resolve")
        await card(house.ana, "Kim", "Resolved")
        assert (await visitor.frame("standing", standing={"state": "closed", "who": "", "online": True}))["type"]
    assert house.slack.pings == []


async def ten_agents_race(house: House) -> None:
    """All press *Take it* at once: one has it, each of the nine others is told once who was first."""
    await hand_in(house.daemon, mail("Lost suitcase", BAGS))
    await until(lambda: house.lines("Lost suitcase"), "the line")
    [line] = house.lines("Lost suitcase")
    answers = await asyncio.gather(*(one.clicks(line.seen(), "usherd.take") for one in house.ten))
    assert all(one.acked for one in answers)
    await until(lambda: house.lines("has it"), "taken")
    [contact] = [one for one in house.daemon.contacts() if one["subject"] == "Lost suitcase"]
    winner = house.ten[TEN.index(contact["agent"])]
    losers = [one for one in house.ten if one is not winner]
    for one in losers:
        await whispered(one, f"{contact['agent']} was first", house.team)
    await card(winner, "Lost suitcase", "Write in this thread")
    assert [len(cards(one, "Lost suitcase")) for one in losers] == [0] * 9
    assert [len([one for one in who.sees(house.team) if one.only_for]) for who in losers] == [1] * 9
    assert house.lines("has it")[0].buttons == []


async def slack_is_away(house: House) -> None:
    """Mail and chat come in and are routed meanwhile; afterwards each contact has its card, once."""
    await house.slack.goes_down()
    async with Visitor(house.url) as visitor:
        await visitor.write("away-0001", MONEY, name="Lee")
        for number in range(3):
            sender = f"Customer {number} <c{number}@customers.example>"
            await hand_in(house.daemon, mail(f"Order {number}", MONEY, sender))

        def routed() -> int:
            return sum(one["state"] == "offered" for one in house.daemon.contacts())

        await until(lambda: routed() == 4, "all are offered to Ana while Slack is away")
        await house.slack.comes_up()
        for number in range(3):
            await card(house.ana, f"Order {number}", "Offered to you")
        shown = await accepted(house.ana, "Lee")
        await house.ana.writes("Back again.", thread=shown)
        await visitor.item("Back again.")
    assert [len(cards(house.ana, f"Order {number}")) for number in range(3)] == [1] * 3


async def a_customer_is_erased(house: House) -> None:
    """Our answers go from their thread, files and all; what they and their colleague wrote there is theirs."""
    [contact] = [one for one in house.daemon.contacts() if one["channel"] == "slack"]
    [asked] = [one for one in house.cara.sees(house.shop) if not one.thread_ts and one.user == house.cara.id]
    data = str(house.daemon.data)
    done = await asyncio.to_thread(house.daemon.usherd, "erase", contact["id"], "--yes", "--json", "--data", data)
    assert done.returncode == 0, done.stdout + done.stderr

    def left() -> list[str]:
        return [one.user for one in house.cara.thread(asked)]

    await until(lambda: house.slack.bot not in left(), "our answers' going")
    assert left() == [house.cara.id, house.dan.id]
    await card(house.ana, "erased")


async def test_customers_and_agents_meet_in_slack(tmp_path: Path) -> None:
    """A shared channel, the web chat, a race of ten, an hour without Slack, an erasure; nothing said is in the log."""
    async with FakeSlack() as slack:
        house = House(tmp_path, slack)
        await asyncio.to_thread(house.daemon.start)
        try:
            await until(lambda: "slack_connected" in house.daemon.log.read_text(), "sockets")
            await house.ana.command("/usherd", "back")
            await whispered(house.ana, "status is changed")
            await customers_write_in_slack(house)
            await a_visitor_chats(house)
            await ten_agents_race(house)
            await slack_is_away(house)
            await a_customer_is_erased(house)
        finally:
            assert await asyncio.to_thread(house.daemon.stop) == 0, house.daemon.log.read_text()[-4_000:]
        said = house.daemon.log.read_text()
        assert "refund my order" not in said
        assert slack.bot_token not in said
        config, data = str(house.daemon.config), str(house.daemon.data)
        verified = await asyncio.to_thread(house.daemon.usherd, "journal", "verify", "--config", config, "--data", data)
        assert verified.returncode == 0, verified.stdout + verified.stderr
