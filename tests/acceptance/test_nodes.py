"""Two nodes of one workspace: whichever is asked, mail, chats, desks and the workspace are the same."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest

from tests.support.chat_workspace import Visitor
from tests.support.daemons import until
from tests.support.nodes import Hands, Node, Nodes, mail

pytestmark = pytest.mark.timeout(600)

CHAT = """
agents: {ana: {capacity: {chat: 10}}}
channels: {webchat: {title: Acme Air, origins: ["https://acme.example"]}}
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Two nodes with mail and chat."""
    with Nodes(tmp_path_factory.mktemp("nodes"), more=CHAT, capacity=50) as running:
        yield running


def both(nodes: Nodes) -> tuple[Node, Node]:
    """The leader and the standby."""
    leader = nodes.leader()
    assert leader is not None
    [standby] = nodes.others(leader)
    return leader, standby


def edit(node: Node, old: str, new: str) -> None:
    """Replace a piece of a node's workspace, as an editor does."""
    path = node.config / "workspace.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def skills(node: Node) -> dict[str, dict[str, int]]:
    """Skills by agent, as this node's engine has them."""
    return {agent["id"]: agent["skills"] for agent in node.ask("/v1/agents")["agents"]}


def problems(node: Node) -> list[str]:
    """What this node's status lists."""
    found: list[str] = node.ask("/v1/status")["problems"]
    return found


async def send(node: Node, number: int) -> None:
    """Hand a mail in at this node."""
    host, port = node.smtp
    async with aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False) as client:
        await client.sendmail("x@example.org", ["help@acme.example"], mail(number))


def contact_of(node: Node, external: str) -> dict[str, Any]:
    """The contact that holds this message, as the node knows it; {} while there is none."""
    for contact in node.contacts():
        if any(message["external_id"] == external for message in contact["messages"]):
            return contact
    return {}


def test_a_standby_is_ready_and_says_what_it_is(nodes: Nodes) -> None:
    """Both nodes are ready; each names itself, the leader and the standby, and how far that one has read."""
    leader, standby = both(nodes)
    for node in (leader, standby):
        url = f"http://{node.http[0]}:{node.http[1]}/readyz"
        assert httpx.get(url, trust_env=False).status_code == httpx.codes.OK
    said = standby.ask("/v1/status")
    assert said["leader"] == leader.ask("/v1/status")["node"] != said["node"]
    assert [one["node"] for one in said["standbys"]] == [said["node"]]
    assert said["problems"] == []
    assert standby.events("ready")[-1]["leading"] is False


async def test_mail_at_any_node_is_a_contact_at_every_node(nodes: Nodes) -> None:
    """What a node takes in, another may lead on; both know the contact."""
    for number, node in enumerate(nodes.all, 70_000):
        await send(node, number)
        for one in nodes.all:
            assert await until(partial(contact_of, one, f"m{number}@example.org"))


async def test_a_visitor_at_one_node_talks_to_an_agent_at_the_other(nodes: Nodes) -> None:
    """A chat through the standby reaches the agent's desk at the leader, and the answer comes back to the widget."""
    leader, standby = both(nodes)
    ana = await asyncio.to_thread(Hands, "ana", leader)
    await asyncio.to_thread(partial(ana.act, "status", status="available"))
    async with Visitor(f"http://{standby.http[0]}:{standby.http[1]}") as visitor:
        await visitor.write("nodes-0001", "I want my money back, please refund my order", name="Kim")
        contact = await until(partial(contact_of, leader, "nodes-0001"))
        offers = {one["contact"]["id"]: one["offer"] for one in (await asyncio.to_thread(ana.desk))["offers"]}
        await asyncio.to_thread(partial(ana.act, "accept", contact=contact["id"], offer=offers[contact["id"]]))
        await asyncio.to_thread(partial(ana.act, "reply", contact=contact["id"], text="Of course, it is on its way"))
        assert (await visitor.item("Of course, it is on its way"))["id"]
        await see_each_other_type(visitor, ana, contact["id"])
    ana.close()


async def see_each_other_type(visitor: Visitor, agent: Hands, contact: str) -> None:
    """Both type, again and again as people do, until the other one has been told of it."""
    async with agent.line() as desk:
        await desk.send(json.dumps({"contact": contact}))

        async def told() -> None:
            while "The customer" not in json.loads(await desk.recv()).get("typing", ()):
                continue

        await until_told(partial(visitor.say, type="typing"), told)
        typing = json.dumps({"contact": contact, "typing": True, "reply": True})
        await until_told(partial(desk.send, typing), partial(visitor.frame, "typing", who="Ana"))


async def until_told(say: Callable[[], Awaitable[object]], told: Callable[[], Awaitable[object]]) -> None:
    """Say it until it was told: what is passed on may be lost."""
    async with asyncio.timeout(60):
        while True:
            await say()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await told()
                    return


async def test_actions_at_a_standby_are_answered_there(nodes: Nodes) -> None:
    """An action, one that is refused and one that makes no sense are answered by the standby, as by the leader."""
    leader, standby = both(nodes)
    here, there = Hands("ben", standby), Hands("ben", leader)
    assert here.act("status", "same-key", status="available")["ok"]
    assert there.act("status", "same-key", status="available")["ok"]
    for action, fields, code in (("take", {"contact": "c99999"}, "no-such-contact"), ("note", {"contact": "c1"}, "")):
        answers = [hands.act(action, f"refused-{action}", **fields) for hands in (here, there)]
        assert answers[0] == answers[1]
        assert not answers[0]["ok"]
        assert code in {"", answers[0]["code"]}
    here.close()
    there.close()


async def test_an_edit_at_any_node_is_in_force_at_every_node(nodes: Nodes) -> None:
    """A folder edited at the standby, then the leader's, is known to both; a folder that is behind is said to be."""
    leader, standby = both(nodes)
    for node, level in ((standby, 3), (leader, 2)):
        edit(node, "baggage: 4", f"baggage: {level}")
        for one in nodes.all:
            await until(lambda one=one, level=level: skills(one)["ben"]["baggage"] == level)  # type: ignore[misc]
    await until(lambda: any("folder" in one for one in problems(standby)))  # it still says 3
    edit(standby, "baggage: 3", "baggage: 2")
    await until(lambda: not problems(standby) and not problems(leader))


async def test_of_two_edits_at_once_one_is_in_force_and_the_other_is_told(nodes: Nodes) -> None:
    """Both folders edited at the same moment: both nodes go by one of them, the other's node says that it is not."""
    leader, standby = both(nodes)
    before = leader.ask("/v1/status")["config"]
    texts = [(node.config / "workspace.yaml").read_text() for node in nodes.all]
    for node, text, span in zip(nodes.all, texts, ("11m", "12m"), strict=True):
        (node.config / "workspace.yaml").write_text(text.replace("email: 10m", f"email: {span}"))
    await until(lambda: leader.ask("/v1/status")["config"] != before)
    await until(lambda: leader.ask("/v1/status")["config"] == standby.ask("/v1/status")["config"])
    await until(lambda: sum(bool(problems(node)) for node in nodes.all) == 1)
    assert leader.ask("/v1/status")["config"] == standby.ask("/v1/status")["config"]
    for node, text in zip(nodes.all, texts, strict=True):
        (node.config / "workspace.yaml").write_text(text)
    await until(lambda: not problems(standby) and not problems(leader))


async def test_a_node_with_a_folder_of_its_own_for_large_mails_is_refused(nodes: Nodes, tmp_path: Path) -> None:
    """A third node whose folder of blobs is not the others' does not start, and says what to do."""
    odd = Node(tmp_path / "odd", nodes.store, tmp_path / "blobs")
    command = [sys.executable, "-m", "router", "run", "--config", str(odd.config), "--data", str(odd.data)]
    done = await asyncio.to_thread(partial(subprocess.run, command, capture_output=True, text=True, timeout=120))
    assert done.returncode == 2
    assert "is not the one that the other nodes" in done.stderr


async def test_a_rolling_restart_loses_nothing(nodes: Nodes) -> None:
    """Each node in turn is stopped and started while mail comes in at the other; the standby leads at once.

    What was edited at the standby alone stays in force: a folder that is behind does not come back.
    """
    leader, standby = both(nodes)
    edited = standby
    edit(edited, "lang:es: 3", "lang:es: 4")
    await until(lambda: skills(leader)["ben"]["lang:es"] == 4)
    sent = iter(range(80_000, 81_000))
    numbers = []
    for _ in range(2):
        leader, standby = both(nodes)
        led = standby.led
        stopping = asyncio.create_task(asyncio.to_thread(leader.stop))
        while not stopping.done() or standby.led == led:
            numbers.append(next(sent))
            await send(standby, numbers[-1])
        assert await stopping == 0
        await asyncio.to_thread(leader.start)
        await until(lambda leader=leader: leader.ask("/v1/status")["inbox_lag"] == 0)  # type: ignore[misc]
    known = {m["external_id"] for node in nodes.all for c in node.contacts() for m in c["messages"]}
    assert {f"m{number}@example.org" for number in numbers} <= known
    assert [skills(node)["ben"]["lang:es"] for node in nodes.all] == [4, 4]
    edit(edited, "lang:es: 4", "lang:es: 3")  # as the other tests find it
    await until(lambda: [skills(node)["ben"]["lang:es"] for node in nodes.all] == [3, 3])
