"""The engine as a whole: determinism, time, the inbox, hashes, explanations; and its index built anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from router.core import events as e
from router.core import index as index_module
from router.core import leaving
from router.core.engine import Engine, NoSuchContact
from router.core.errors import ConfigError, JournalBroken
from router.core.message import Address, Message
from router.core.ports import Appended, InboxEntry
from router.core.state import State
from router.core.values import Requirement, Status
from tests.support.engine_scene import ANA, BEN, MINUTE, T0, Scene, agent, desk, pushing


def test_records_are_counted_and_time_never_runs_backwards() -> None:
    """Each event is one record; an earlier instant is taken as now."""
    engine = Engine()
    engine.apply(e.LeaderElected(at=50, epoch=3, node="n1"))
    engine.apply(e.TimePassed(at=20))
    assert (engine.state.n, engine.state.at, engine.state.epoch, engine.state.node) == (2, 50, 3, "n1")


@pytest.mark.parametrize(
    ("ids", "last"),
    [(("9-0", "10-0"), "10-0"), (("10-5", "10-4"), "10-5"), (("10-9", "10-10", ""), "10-10"), (("5-1", "odd"), "5-1")],
)
def test_the_inbox_position_moves_forward_in_stream_order(ids: tuple[str, ...], last: str) -> None:
    """Numbers are compared as numbers; ids that are none do not count."""
    engine = Engine()
    for name in ids:
        engine.apply(e.TimePassed(at=1, inbox=name))
    assert engine.state.inbox == last


def test_the_hash_covers_all_of_the_state() -> None:
    """Any difference shows; a copy has the same."""
    scene = Scene(desk(ANA))
    scene.mail()
    copied = Engine(msgspec.json.decode(msgspec.json.encode(scene.engine.state), type=State))
    assert copied.state_hash() == scene.engine.state_hash()
    copied.state.contacts["c1"].passed += 1
    assert copied.state_hash() != scene.engine.state_hash()


REPLAY = """
from tests.support.engine_scene import ANA, BEN, MINUTE, Scene, desk
scene = Scene(desk(ANA, BEN))
for number in range(40):
    scene.mail(f"p{number % 7}", ("refund", "bags", None)[number % 3], cc=(f"q{number}", f"r{number}", "p1"))
    scene.wait(MINUTE)
print(scene.engine.state_hash())
"""


def test_another_process_with_another_hash_seed_gives_the_same_hash() -> None:
    """Nothing depends on the order of a set or on the process."""
    root = Path(__file__).parents[2]
    hashes = {
        subprocess.run(
            [sys.executable, "-c", REPLAY], cwd=root, check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "77")
    }  # fmt: skip
    assert len(hashes) == 1


def test_explaining_a_waiting_contact_says_what_rules_everybody_out() -> None:
    """In words, most first; a contact that is not there is an error of its own."""
    scene = Scene(desk(ANA, BEN, agent("low", skills={"refunds": 1})), away=("ana", "ben"))
    scene.mail()
    explanation = scene.engine.explain("c1")
    assert explanation.ruled_out == (("offline", 2), ("skill refunds below 2", 1))
    assert (explanation.able, explanation.candidates, explanation.deciding) == (2, (), "")
    with pytest.raises(NoSuchContact):
        scene.engine.explain("c9")


def test_explaining_shows_the_five_first() -> None:
    """Of seven able agents, in order, each with integers and words."""
    scene = Scene(pushing(*(agent(f"a{number}") for number in range(7)), rules=()))
    scene.wait(3 * 60 * MINUTE)
    scene.mail(topic=None)
    found = scene.engine.explain("c1")
    assert [one.agent for one in found.candidates] == ["a1", "a2", "a3", "a4", "a5"]
    assert found.candidates[0].why == "0-1 % utilised, idle 3 h"
    assert scene.engine.explain("c1").candidates[0].key == (1, 0, 0, 0, -3 * 60 * MINUTE)


def test_a_rehearsal_says_who_would_get_it() -> None:
    """All agents are there, at whatever hour; whose other skills are least scarce comes first; a limit is kept."""
    hours = ((T0 + 1, T0 + 2),)
    workspace = desk(ANA, BEN, agent("off", skills={"refunds": 5}, calendar="night"), calendars={"night": hours})
    engine = Engine.rehearsal(workspace, at=T0)
    found = engine.candidates(Requirement(must=(("refunds", 2),)), "email")
    assert [(one.agent, one.rank) for one in found] == [("off", 1), ("ana", 2), ("ben", 3)]
    assert [one.agent for one in engine.candidates(Requirement(must=(("refunds", 4),)), "email", limit=1)] == ["off"]
    assert engine.candidates(Requirement(), "email", "back") == ()


def test_an_index_built_anew_agrees_on_open_conversations_and_auto_mail() -> None:
    """A copy joins the same chat and knows the same messages."""
    scene = Scene(pushing(ANA))
    scene.chat("p1")
    scene.mail("p2", auto="list", message="7-0")
    copied = Engine(msgspec.json.decode(msgspec.json.encode(scene.engine.state), type=State))
    again = e.MessageReceived(at=scene.at, message="7-0", channel="email", kind="email", account="help", sender="p2")
    assert copied.apply(again) == ()
    joined = e.MessageReceived(at=scene.at, message="8-0", channel="webchat", kind="chat", account="help", sender="p1")
    assert copied.apply(joined) == scene.apply(again) + scene.apply(joined)


def test_profiles_nobody_waits_in_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number is bounded, and what waits stays where it is."""
    monkeypatch.setattr(index_module, "PROFILES_MAX", 3)
    monkeypatch.setattr(index_module, "OUTCOMES_MAX", 2)
    scene = Scene(desk(ANA, sticky_wait=60_000), away=("ana",))
    scene.engine.index.profiles_max = 3
    scene.mail("p1")
    for number in range(6):
        scene.mail(f"q{number}", kind=f"kind{number}", auto=None)
        scene.engine.candidates(Requirement(must=((f"s{number}", 1),)), "email")
    assert len(scene.engine.index.profiles) <= scene.engine.index.profiles_max
    scene.status("ana", Status.AVAILABLE)
    assert scene.contact("c1").offer is not None


def test_memories_of_last_agents_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first; who is served again is remembered anew."""
    monkeypatch.setattr(leaving, "LAST_AGENTS_MAX", 2)
    scene = Scene(pushing(agent("ana", capacity={"email": 9})))
    for sender in ("p1", "p2", "p1", "p3"):
        scene.mail(sender, None)
    assert scene.engine.state.last_agent == {"k1": "ana", "k3": "ana"}


def test_errors_say_where_and_what_to_do() -> None:
    """File, line and remedy, as far as they are known."""
    assert str(ConfigError("no such key", file="a.yaml", line=3, hint="did you mean x?")) == (
        "a.yaml:3: no such key (did you mean x?)"
    )
    assert str(ConfigError("no such key", file="a.yaml")) == "a.yaml: no such key"
    assert str(ConfigError("no such key")) == "no such key"
    assert JournalBroken("bad", 7).first_bad == 7


def test_the_normal_form_of_a_message_uses_the_names_that_commands_show() -> None:
    """`from` is a word of Python, not of the JSON."""
    message = Message(channel="email", from_=Address(address="p@example.com"))
    shown = msgspec.to_builtins(message)
    assert shown["from"] == {"address": "p@example.com", "name": ""}
    assert msgspec.convert(shown, Message) == message


def test_an_inbox_answer_is_new_unless_it_says_otherwise() -> None:
    """Neither duplicate nor conflict; an entry has no raw bytes unless given."""
    assert (Appended("1-0").duplicate, Appended("1-0").conflict) == (False, False)
    assert InboxEntry(source="http", key=b"k", body=b"b", meta=b"{}").raw == b""
