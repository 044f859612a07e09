"""The demo's sample: a sound workspace that covers itself, and mails that are what `expected.yaml` says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from channels.email.parse import MailSettings, parse
from router.core.message import Message
from skills import language, topics, workspace
from skills.workspace import Loaded

SAMPLE = Path(__file__).resolve().parents[2] / "router" / "sim" / "sample"
MAILS = SAMPLE / "mails"
EXPECTED: dict[str, dict[str, str | bool | None]] = yaml.safe_load((MAILS / "expected.yaml").read_text())
KINDS = {"auto-reply", "bounce", "list", "bulk"}
LINE_BYTES_MAX = 998  # RFC 5321, without CR LF
HOSTILE_BYTES_MAX = 300_000
ADDRESS = re.compile(rb"[\w.+-]+@([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.IGNORECASE)


def read(name: str) -> Message:
    """Parse one mail of the sample, with the envelope that expected.yaml gives it."""
    sender = EXPECTED[name].get("mail_from")
    return parse((MAILS / name).read_bytes(), MailSettings(), envelope_from=None if sender is None else str(sender))


def by_people() -> dict[str, Mapping[str, str | bool | None]]:
    """Give what is expected of the mails that people wrote."""
    return {name: said for name, said in EXPECTED.items() if said["auto"] is None and not said.get("hostile")}


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """Load the sample's workspace."""
    return workspace.load(SAMPLE / "workspace", env={})


def test_the_workspace_loads_without_a_word(loaded: Loaded) -> None:
    """The sample's workspace has no error and no warning."""
    assert loaded.warnings == ()


def test_the_workspace_is_the_airline_of_the_demo(loaded: Loaded) -> None:
    """Eight agents in two time zones answer in three languages, with somebody in triage and a supervisor per team."""
    config = loaded.config
    assert len(config.agents) == 8
    assert len({calendar.timezone for calendar in config.calendars.values()}) == 2
    assert config.languages == ("en", "es", "pt")
    assert config.members("triage")
    assert {agent.team for agent in config.agents.values() if agent.role == "supervisor"} == {"lisbon", "bogota"}
    assert {"baggage", "refunds", "bookings", "loyalty", "lost-pets"} <= set(config.topics)


@pytest.mark.parametrize("team", ["lisbon", "bogota"])
def test_each_team_covers_every_topic_in_every_language(loaded: Loaded, team: str) -> None:
    """Whichever team is at work, each topic has an agent with the required levels in each language."""
    config = loaded.config
    staff = [config.agents[name].skills for name in config.members(team)]
    for rule in config.rules:
        for spoken in config.languages:
            required = {**rule.require, f"lang:{spoken}": 1}
            able = [skills for skills in staff if all(skills.get(skill, 0) >= n for skill, n in required.items())]
            assert able, f"nobody in {team} for {required}"


def test_no_promise_depends_on_the_demos_hours(loaded: Loaded) -> None:
    """No SLA names a calendar, because the demo writes calendars.yaml anew; agents name only those it writes."""
    config = loaded.config
    assert {rule.sla.calendar for rule in config.rules if rule.sla} == {None}
    assert {agent.calendar for agent in config.agents.values()} == set(config.calendars) == {"lisbon", "bogota"}


def test_each_topic_has_examples_in_every_language(loaded: Loaded) -> None:
    """A topic has ten to fifteen examples, at least three in each language."""
    for name, topic in loaded.config.topics.items():
        assert 10 <= len(topic.examples) <= 15, name
        spoken = [language.identify(example, loaded.config.languages) for example in topic.examples]
        assert all(spoken.count(code) >= 3 for code in loaded.config.languages), (name, spoken)


def test_every_mail_is_described() -> None:
    """`expected.yaml` names each mail of the folder, and no other; whatever it refers to is one of them."""
    assert set(EXPECTED) == {path.name for path in MAILS.glob("*.eml")}
    named = {said[key] for said in EXPECTED.values() for key in ("duplicate_of", "follows") if key in said}
    assert named <= set(EXPECTED)


def test_the_mails_are_varied() -> None:
    """Sixty or more mails hold every kind of auto mail, five languages, each topic often, and something hostile."""
    assert len(EXPECTED) >= 60
    assert {said["auto"] for said in EXPECTED.values()} == {None, *KINDS}
    assert {said["language"] for said in by_people().values()} == {"en", "es", "pt", "fr", "de"}
    about = [said["topic"] for said in by_people().values()]
    assert all(about.count(topic) >= 5 for topic in set(about) - {None})
    hostile = [name for name, said in EXPECTED.items() if said.get("hostile")]
    assert hostile
    assert all((MAILS / name).stat().st_size < HOSTILE_BYTES_MAX for name in hostile)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_mail_can_be_sent_and_reaches_nobody(name: str) -> None:
    """A mail has lines that SMTP allows, and addresses only under names that are reserved for examples and tests."""
    raw = (MAILS / name).read_bytes()
    lines = raw.split(b"\r\n")
    assert all(len(line) <= LINE_BYTES_MAX and b"\n" not in line and b"\r" not in line for line in lines)
    domains = {found.lower() for found in ADDRESS.findall(raw.replace(b"=\r\n", b""))}
    assert all(domain.endswith((b".example", b".test")) for domain in domains), domains


@pytest.mark.parametrize("name", sorted(name for name, said in EXPECTED.items() if said.get("duplicate_of")))
def test_a_duplicate_is_the_same_mail(name: str) -> None:
    """A mail that comes twice is the same, byte for byte."""
    assert (MAILS / name).read_bytes() == (MAILS / str(EXPECTED[name]["duplicate_of"])).read_bytes()


@pytest.mark.parametrize("name", sorted(name for name, said in EXPECTED.items() if said.get("follows")))
def test_a_follow_up_names_the_mail_it_follows(name: str) -> None:
    """A follow-up refers to its earlier mail by Message-ID, comes from the same person, and quotes what it had said."""
    message, earlier = read(name), read(str(EXPECTED[name]["follows"]))
    assert message.in_reply_to == earlier.message_id
    assert message.from_ == earlier.from_
    assert message.quoted
    assert earlier.text[:40] not in message.text


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_mail_is_of_the_expected_kind(name: str) -> None:
    """Each mail is read, and taken for a person's or for the kind of auto mail that it is."""
    assert read(name).auto == EXPECTED[name]["auto"]


def test_languages_and_topics_are_recognised(loaded: Loaded) -> None:
    """Every mail in the workspace's languages is told by language, and nine in ten by topic."""
    model = topics.train(loaded.config.topics)
    spoken: dict[str, tuple[str | None, object]] = {}
    right = []
    for name, said in by_people().items():
        message = read(name)
        if said["language"] in loaded.config.languages:
            spoken[name] = (language.identify(message.text, loaded.config.languages), said["language"])
        if said["topic"] is not None and said["language"] in loaded.config.languages:
            right.append((model.predict(f"{message.subject}\n{message.text}") or (("", 0),))[0][0] == said["topic"])
    assert {name: pair for name, pair in spoken.items() if pair[0] != pair[1]} == {}
    assert sum(right) >= 0.9 * len(right)
