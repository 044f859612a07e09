"""The leader is killed again and again while mail streams in and agents answer; what happened is judged afterwards.

`tests/fault/test_two_nodes.py` does it a few times, `python -m benchmarks takeover --full` fifty times.
"""

from __future__ import annotations

import asyncio
import email
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.fakes.scripted_smtp import ScriptedSmtp, listening
from tests.support.daemons import until
from tests.support.nodes import Agent, Customers, Node, Nodes

LEAD_SECONDS_MAX = 50.0  # a guard against hanging


class Takeovers:
    """What a run came to. `seconds`: from each kill until another leads."""

    def __init__(self, folder: Path, kills: int, *, per_second: float, seed: int) -> None:
        self.folder = folder
        self.kills = kills
        self.per_second = per_second
        self.chance = random.Random(seed)
        self.seconds: list[float] = []
        self.acknowledged = 0
        self.answered = 0
        self.wrong: list[str] = []

    async def run(self) -> None:
        """Two nodes, a stream of mails, two agents, kills."""
        mailserver = ScriptedSmtp()
        async with listening(mailserver) as port:
            with Nodes(self.folder, send_port=port, capacity=4) as nodes:
                await self._run(nodes, mailserver)

    async def _run(self, nodes: Nodes, mailserver: ScriptedSmtp) -> None:
        customers = Customers(nodes, self.per_second)
        agents = [Agent(name, nodes) for name in ("ana", "ben")]
        for agent in agents:
            await asyncio.to_thread(agent.sign_in, nodes.all[0])
        works = [customers.run(), *(agent.run() for agent in agents)]
        working = [asyncio.create_task(work) for work in works]
        for _ in range(self.kills):
            await asyncio.sleep(self.chance.uniform(0.2, 1.5))
            self.seconds.append(await asyncio.to_thread(_kill_leader, nodes))
            sys.stdout.write(f"kill {len(self.seconds)}: another leads after {self.seconds[-1]:.2f} s\n")
            sys.stdout.flush()
        customers.stopping = True
        await working[0]
        for agent in agents:
            agent.stopping = True
        await asyncio.gather(*working)
        for agent in agents:
            agent.leave()
        await until(lambda: all_alike(nodes))
        self.acknowledged = len(customers.acknowledged)
        self.answered = sum(len(agent.replies) for agent in agents)
        await self._judge(nodes, customers, agents, mailserver)

    async def _judge(self, nodes: Nodes, customers: Customers, agents: list[Agent], mailserver: ScriptedSmtp) -> None:
        contacts = await asyncio.to_thread(nodes.all[0].contacts)
        inbound = Counter(
            message["external_id"]
            for contact in contacts
            for message in contact["messages"]
            if message["direction"] == "in"
        )
        wanted = {f"m{number}@example.org" for number in customers.acknowledged}
        self._say("acknowledged and in no contact", sorted(wanted - inbound.keys()))
        self._say("in more than one place", [name for name, times in inbound.items() if times > 1])
        outbound = Counter(
            contact["id"] for contact in contacts for message in contact["messages"] if message["direction"] == "out"
        )
        replies = {contact for agent in agents for contact in agent.replies}
        self._say("answered and not written once", sorted(one for one in replies if outbound[one] != 1))
        await self._judge_sent(nodes, contacts, mailserver)
        await asyncio.to_thread(self._judge_journal, nodes)

    async def _judge_sent(self, nodes: Nodes, contacts: list[dict[str, Any]], mailserver: ScriptedSmtp) -> None:
        """No reply left twice but such as were in doubt; none is forgotten. One in doubt waits a minute."""

        def settled() -> bool:
            return all(node.ask("/v1/status")["outbox_lag"] <= len(doubtful(nodes)) for node in nodes.all)

        await until(settled)
        sent = Counter(str(email.message_from_bytes(body)["Message-ID"]) for body in mailserver.bodies)
        doubts = doubtful(nodes)
        self._say("sent twice without a doubt", [name for name, times in sent.items() if times > 1 + len(doubts)])
        twice = sum(times - 1 for times in sent.values())
        if twice > len(doubts):
            self.wrong.append(f"{twice} replies left twice, and {len(doubts)} were in doubt")
        written = sum(1 for one in contacts for message in one["messages"] if message["direction"] == "out")
        if len(sent) + len(doubts) < written:
            self.wrong.append(f"{written} replies were written, {len(sent)} left and {len(doubts)} are in doubt")

    def _judge_journal(self, nodes: Nodes) -> None:
        node = nodes.all[0]
        for one in nodes.all:
            one.stop()
        hashes = {one.said("stopped")["records"]: one.said("stopped")["state_hash"] for one in nodes.all}
        where = ("--config", str(node.config), "--data", str(node.data))
        done = node.usherd("journal", "verify", *where, "--json", guard=1_800)  # fifty kills are a long journal
        found = json.loads(done.stdout)
        if not found["ok"] or found["state_hash"] != hashes.get(found["records"], found["state_hash"]):
            self.wrong.append(f"the journal does not verify: {found} {hashes}")

    def _say(self, what: str, which: list[str]) -> None:
        if which:
            self.wrong.append(f"{what}: {len(which)}, such as {which[0]}")


def all_alike(nodes: Nodes) -> bool:
    """Whether all that came is journaled, and every node knows it."""
    known = [node.ask("/v1/status") for node in nodes.all]
    return all(one["inbox_lag"] == 0 and one["journal"] == known[0]["journal"] for one in known)


def doubtful(nodes: Nodes) -> set[str]:
    """Messages whose delivery was in doubt at some time."""
    return {line["message"] for node in nodes.all for line in node.events("delivery_in_doubt")}


def _kill_leader(nodes: Nodes) -> float:
    """SIGKILL to the leader; the seconds until another leads. The killed one is started again."""
    deadline = time.monotonic() + LEAD_SECONDS_MAX
    leader: Node | None = None
    while leader is None:
        assert time.monotonic() < deadline, "nobody leads"
        leader = nodes.leader()
    others = nodes.others(leader)
    before = {id(node): node.led for node in others}
    leader.kill()
    began = time.monotonic()
    while not any(node.led > before[id(node)] for node in others):
        assert time.monotonic() < began + LEAD_SECONDS_MAX, "no other node leads"
        time.sleep(0.02)
    took = time.monotonic() - began
    leader.start()
    return took
