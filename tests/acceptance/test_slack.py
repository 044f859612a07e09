"""A contact's life in Slack: real mail in and out, the whole daemon, the real slack-bolt, a Slack of this machine."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.message import Message as Mail
from pathlib import Path

import pytest

from router.sim.slack import FakeSlack, Message, Person, Rules
from tests.fakes.scripted_smtp import ScriptedSmtp, listening
from tests.support.daemons import RunningDaemon
from tests.support.mailservers import free_port
from tests.support.slack_people import card, cards, told, until
from tests.support.slack_workspace import hand_in, mail, slack_daemon, write_slack_workspace

pytestmark = pytest.mark.timeout(300)

MONEY = "I want my money back, please refund my order."
RULES = Rules(retries=(0.0, 1.0, 5.0, 10.0))


async def arrived(server: ScriptedSmtp, number: int) -> Mail:
    """The mail of this number that a customer got."""
    await until(lambda: len(server.bodies) >= number, f"mail {number}")
    return message_from_bytes(server.bodies[number - 1].removesuffix(b"\r\n.\r\n"))


async def offered(people: list[Person], *words: str) -> tuple[Person, Person, Message]:
    """Whose card it is, the other one, and the card."""
    await until(lambda: any(cards(one, "Offered to you", *words) for one in people), f"an offer of {words}")
    first = next(one for one in people if cards(one, "Offered to you", *words))
    return first, next(one for one in people if one is not first), cards(first, *words)[-1]


async def available(daemon: RunningDaemon, people: list[Person]) -> None:
    """All agents say that they are there."""
    for person in people:
        await until(lambda: "slack_connected" in daemon.log.read_text(), "sockets")
        await person.command("/usherd", "back")
        await until(lambda: [one for one in person.sees() if "status is changed" in one.said], "available")  # noqa: B023


async def lives(daemon: RunningDaemon, server: ScriptedSmtp, people: list[Person]) -> None:
    """Mail → offer → decline → another's → answer by mail → ✓ → note → customer again → transfer → resolve."""
    await hand_in(daemon, mail("Order 1182", MONEY, Message_ID="<first@customers.example>"))
    first, second, shown = await offered(people, "Order 1182", "Carla", MONEY)
    await first.clicks(shown, "usherd.decline")
    await until(lambda: first.modal, "the window")
    await first.submits(first.modal, {"reason": "too-much"})
    await card(first, "No longer yours")
    shown = await card(second, "Offered to you", "Order 1182")
    assert (await second.clicks(shown, "usherd.accept")).acked
    shown = await card(second, "A reply goes to carla@customers.example by e-mail")

    said = await second.writes("We refund you & <more> :smile:", thread=shown)
    answer = await arrived(server, 1)
    assert answer["To"] == "Carla <carla@customers.example>"
    assert answer["In-Reply-To"] == "<first@customers.example>"
    body = answer.get_payload(decode=True)
    assert "We refund you & <more> 😄" in (body if isinstance(body, bytes) else b"").decode()
    await until(lambda: "white_check_mark" in said.reactions, "the mark")
    await second.writes("// she is patient", thread=shown)
    await hand_in(daemon, mail("Re: Order 1182", "When?", In_Reply_To=answer["Message-ID"]))
    await told(second, shown, "When?")

    await second.clicks(await card(second, "Write in this thread"), "usherd.transfer")
    await until(lambda: second.modal, "the window")
    await second.submits(second.modal, {"to": f"agent {first.user.name}", "text": "you know refunds"})
    await card(second, "No longer yours")
    shown = cards(first, "Order 1182")[-1]
    for words in ("you know refunds", "she is patient", "When?", "We refund you"):
        await told(first, shown, words)
    await first.clicks(await card(first, "Write in this thread"), "usherd.resolve")
    await card(first, "Resolved")


async def goes_on(daemon: RunningDaemon, slack: FakeSlack, people: list[Person]) -> None:
    """What was under way at the kill stands there once; what is not signed does nothing."""
    _, _, shown = await offered(people, "Order 7")
    owner = next(one for one in people if cards(one, "Order 7"))
    await until(lambda: daemon.log.read_text().count("slack_desk_ready") >= 2, "the desk")
    assert slack.request_url is not None
    assert await slack.verifies(slack.request_url)  # as an admin types it into Slack
    assert (await owner.clicks(shown, "usherd.accept")).acked
    await card(owner, "Order 7", "Write in this thread")
    right, slack.deliveries.secret = slack.deliveries.secret, "0" * 32
    answer = await owner.clicks(await card(owner, "Order 7"), "usherd.resolve")
    assert not answer.acked
    slack.deliveries.secret = right
    await owner.clicks(await card(owner, "Order 7"), "usherd.note")
    await until(lambda: owner.modal, "the window")
    assert cards(owner, "Order 7", "Write in this thread")
    assert [len(cards(one, "Order 7")) for one in people].count(1) == 1
    assert [len(cards(one, "Order 1182")) for one in people] == [1, 1]


async def test_a_contact_lives_in_slack(tmp_path: Path) -> None:
    """From mail to mail over sockets; and, after a kill with a card under way, over signed requests.

    The card stands there once, the journal verifies, and neither a token nor what was written is in the log.
    """
    server = ScriptedSmtp()
    async with FakeSlack(rules=RULES) as slack, listening(server) as send:
        ana, ben = slack.add_user("ana", email="ana@example.com"), slack.add_user("ben", email="b@example.com")
        people = [ana, ben]
        daemon = slack_daemon(tmp_path, slack, ben=ben.id, send=send)
        await asyncio.to_thread(daemon.start)
        try:
            await available(daemon, people)
            await lives(daemon, server, people)
            slack.faults.hang("chat.postMessage", seconds=1.0, times=1, after=True)
            await hand_in(daemon, mail("Order 7", MONEY, "Dan <dan@customers.example>"))
            await until(lambda: any(cards(one, "Order 7") for one in people), "the card")
            await asyncio.to_thread(daemon.kill)
            port = free_port()
            write_slack_workspace(daemon.config, slack, ben=ben.id, send=send, http=port)
            slack.request_url = f"http://127.0.0.1:{port}/slack/events"
            await asyncio.to_thread(daemon.start)
            await goes_on(daemon, slack, people)
        finally:
            assert await asyncio.to_thread(daemon.stop) == 0, daemon.log.read_text()[-4_000:]
        assert len(server.bodies) == 1
        assert slack.pings == []
        said = daemon.log.read_text()
        assert slack.bot_token not in said
        assert "refund my order" not in said
        config, data = str(daemon.config), str(daemon.data)
        verified = await asyncio.to_thread(daemon.usherd, "journal", "verify", "--config", config, "--data", data)
        assert verified.returncode == 0, verified.stdout + verified.stderr
