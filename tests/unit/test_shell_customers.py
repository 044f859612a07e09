"""Customers outside the engine: signed links, what a machine writes late, what is exported, what notes say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import AsyncMock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.app.invitations import Inviter
from router.core.events import BlockLifted
from router.core.message import Address, Message
from router.core.state import State
from router.core.transitions import DeliveryState
from router.core.values import Incidents, Rule, Topic, When
from router.desk import satisfaction
from router.shell import proofs
from router.shell.exporting import export
from router.shell.identities import identity_of
from router.shell.late import Asked, LateAnswers
from router.shell.notes import Internal, told
from router.shell.outbox import Outbox, Sent
from router.shell.past import records
from router.shell.vault import message_blob
from skills.model import WorkspaceConfig
from tests.support.shell_scene import SECRET, WORKSPACE, PlainStationery, Stage, until, written

NOW = 1_800_000_000_000
DAY = 86_400_000
ADA = identity_of(SECRET, "email", "ada@customer.example")


# -- signed links ------------------------------------------------------------------------------------------------------


def test_a_link_shows_who_it_was_sent_to_for_a_week() -> None:
    """And no longer; each is another, and fits Telegram's `/start`."""
    link = proofs.issue(SECRET, ADA, NOW)
    found = proofs.check(SECRET, link, NOW + 6 * DAY)
    assert found is not None
    assert found.identity == ADA
    assert proofs.check(SECRET, link, NOW + 7 * DAY) is None
    other = proofs.check(SECRET, proofs.issue(SECRET, ADA, NOW), NOW)
    assert other is not None
    assert other.digest != found.digest
    assert len(link) == proofs.CHARACTERS <= 64


@given(place=st.integers(0, proofs.CHARACTERS - 1), sign=st.sampled_from("AZaz09_-"))
def test_a_changed_link_shows_nothing(place: int, sign: str) -> None:
    """Not one character may be another."""
    link = proofs.issue(SECRET, ADA, NOW)
    changed = link[:place] + sign + link[place + 1 :]
    known = proofs.check(SECRET, changed, NOW)
    assert known is None or (known.identity == ADA and changed[:-1] == link[:-1])  # the last holds unused bits


@pytest.mark.parametrize("text", ["", "x", "a" * 53, "a" * 54, "a" * 55, "é" * 54, "en"])
def test_what_is_no_link_shows_nothing(text: str) -> None:
    """Nor is one of another workspace's."""
    assert proofs.check(SECRET, text, NOW) is None
    assert proofs.check(b"t" * 32, proofs.issue(SECRET, ADA, NOW), NOW) is None


@pytest.mark.parametrize("contact", ["c1", "c12345678", "a1800000000000-0"])
def test_a_ticket_is_of_one_contact_for_a_month(contact: str) -> None:
    """Changed, over, or made with another secret it is of none."""
    made = satisfaction.ticket(SECRET, contact, NOW)
    assert satisfaction.contact_of(SECRET, made, NOW + 29 * DAY) == contact
    assert satisfaction.contact_of(SECRET, made, NOW + 30 * DAY) is None
    assert satisfaction.contact_of(b"t" * 32, made, NOW) is None
    for wrong in ("", "x" * 28, made[:-4], "A" + made[1:], made + "AAAA"):
        assert satisfaction.contact_of(SECRET, wrong, NOW) is None


@pytest.mark.parametrize(
    ("channels", "bot", "lines"),
    [
        ({"webchat": {"page": "https://acme.example/help"}}, "", ["Chat: https://acme.example/help#usherd="]),
        ({"webchat": {}}, "", ["Chat: https://desk.example/chat#usherd="]),
        ({}, "acmebot", []),
    ],
)
def test_an_invitation_has_the_lines_whose_links_there_are(
    channels: dict[str, object], bot: str, lines: list[str]
) -> None:
    """Each link is signed for its one reader; where there is none at all, nothing is said."""
    config = WorkspaceConfig.model_validate(
        {
            "workspace": "w",
            "languages": ["en", "es"],
            "customers": {"invite": {"en": "Chat: {chat}\nBot: {telegram}", "es": "Hola"}},
            "channels": channels,
            "web": {"url": "https://desk.example"},
        }
    )
    invite = Inviter(lambda: config, SECRET, lambda: bot)
    said = invite(ADA, "en", NOW).splitlines()
    assert [line[:-54] for line in said] == lines
    for line in said:
        found = proofs.check(SECRET, line[-54:], NOW)
        assert found is not None
        assert found.identity == ADA
    assert invite(ADA, "es", NOW) == "Hola"
    assert Inviter(lambda: WorkspaceConfig(workspace="w"), SECRET, lambda: bot)(ADA, "en", NOW) == ""


def test_the_bot_is_named_once_it_is_known() -> None:
    """Until Telegram has said what it is called, its line is left out."""
    config = WorkspaceConfig.model_validate(
        {
            "workspace": "w",
            "customers": {"invite": {"en": "{telegram}"}},
            "channels": {"telegram": {"token": "${T}"}},
        },
        context={"env": {"T": "123456:" + "a" * 30}, "folder": None},
    )
    names = [""]
    invite = Inviter(lambda: config, SECRET, lambda: names[0])
    assert invite(ADA, None, NOW) == ""
    names[0] = "acmebot"
    assert invite(ADA, None, NOW).startswith("https://t.me/acmebot?start=")


# -- notes -------------------------------------------------------------------------------------------------------------


def test_notes_of_ratings_and_tiers_say_all_there_is() -> None:
    """A score that is none is one that the engine refuses."""
    rating = told("5-0", Internal(what="rating", message="", state="c7:4", identities=("p1",)), 9)
    assert msgspec.to_builtins(rating) == {
        "type": "SatisfactionGiven", "at": 9, "inbox": "5-0", "contact": "c7", "score": 4, "sender": "p1",
    }  # fmt: skip
    odd = told("5-0", Internal(what="rating", message="", state="c7:x"), 9)
    assert msgspec.to_builtins(odd)["score"] == 0
    lifted = told("6-0", Internal(what="unblock", message="", identities=("p1",)), 9)
    assert lifted == BlockLifted(at=9, inbox="6-0", identities=("p1",))
    tier = told("5-0", Internal(what="tier", message="", state="gold", identities=("p1",)), 9)
    assert msgspec.to_builtins(tier)["tier"] == "gold"
    assert told("5-0", Internal(what="understood", message="1-0"), 9) is None


# -- what is composed late ---------------------------------------------------------------------------------------------


class Postman:
    """A way out that keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[Message] = []

    async def send(self, message: Message) -> Sent:
        """Take it."""
        self.taken.append(message)
        return Sent(state=DeliveryState.SENT)

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:
        """At once."""
        return 1


def late_of(stage: Stage) -> LateAnswers:
    """What composes them, on a stage."""
    return LateAnswers(
        store=stage.store,
        vault=stage.vault,
        state=lambda: stage.leader.engine.state,
        asked=lambda: Asked(texts={"en": "Was {reference} all right?", "es": "¿Bien?"}, language="en"),
        stationery=PlainStationery(),
        link=lambda contact, score: f"https://desk/{contact}/{score}",
    )


@asynccontextmanager
async def asking(stage: Stage) -> AsyncIterator[Postman]:
    """A node that leads, sends, and asks customers once they were answered."""
    postman = Postman()
    late = late_of(stage)
    outbox = Outbox(
        store=stage.store,
        vault=stage.vault,
        leader=stage.leader,
        senders={"email": postman},
        tell=stage.reader.tell,
        now=lambda: NOW,
        compose=late.compose,
    )
    stage.leader.listeners.append(outbox.committed)
    async with stage.leading():
        task = asyncio.create_task(outbox.run())
        yield postman
        task.cancel()
        await asyncio.wait([task])


async def test_the_question_goes_to_the_writer_alone_with_five_links() -> None:
    """In their language's words, as a machine's mail; it is stored before it is sent, and threads like any answer."""
    stage = Stage(workspace=msgspec.structs.replace(WORKSPACE, csat="unless-refused"))
    async with asking(stage) as postman:
        raw = written("Help me please", cc=(), reply_to=())
        contact = await stage.holding(raw)
        await stage.act("ana", "reply", contact=contact, text="Done.", resolve=True)
        await until(lambda: len(postman.taken) == 2)
        [answer, question] = sorted(postman.taken, key=lambda one: one.auto or "")
        assert (answer.auto, question.auto, question.asks) == (None, "auto-reply", contact)
        assert [one.address for one in question.to] == ["ada@customer.example"]
        lines = question.text.splitlines()
        assert lines[0] == f"Was {contact} all right?"
        assert lines[2:] == [
            f"{word}: https://desk/{contact}/{score}"
            for score, word in ((5, "Very good"), (4, "Good"), (3, "Fair"), (2, "Bad"), (1, "Very bad"))
        ]
        name = next(ref.id for ref in stage.contacts[0].messages if ref.auto == "csat")
        assert (await stage.vault.messages([name]))[name] == question
        await until(lambda: stage.contacts[0].messages[-1].delivery is DeliveryState.SENT)


@pytest.mark.parametrize(("channel", "links"), [("slack", 5), ("telegram", 0), ("webchat", 0)])
async def test_who_has_no_buttons_gets_links(monkeypatch: pytest.MonkeyPatch, channel: str, links: int) -> None:
    """Where a channel asks with buttons the question stands alone; in a thread in Slack links stand below it."""
    stage = Stage(workspace=msgspec.structs.replace(WORKSPACE, csat="unless-refused"))
    async with stage.leading():
        contact = await stage.holding()
        await stage.act("ana", "reply", contact=contact, text="Done.", resolve=True)
        await until(lambda: any(ref.auto == "csat" for ref in stage.contacts[0].messages))
        heard, asked = stage.contacts[0].messages[0].id, stage.contacts[0].messages[-1].id
        place = Address(address=f"{channel}:C1/1.2")
        said = Message(channel=channel, from_=Address(address=f"{channel}:U1"), reply_to=(place,), text="Help")
        monkeypatch.setattr(stage.vault, "messages", AsyncMock(return_value={heard: said}))
        monkeypatch.setattr(PlainStationery, "letter", lambda _, one, *__: (f"in {one.language}", ""))
        question = await late_of(stage).compose(contact, asked)
    assert question is not None
    assert question.full_text == "in en"
    assert question.to == (place,)
    assert question.text.count("https://desk/") == links


async def test_nobody_is_asked_who_was_somebody_else_after_all() -> None:
    """The question goes to whoever still takes part, never to the last one who wrote before a link was undone."""
    stage = Stage(workspace=msgspec.structs.replace(WORKSPACE, csat="unless-refused"))
    async with stage.leading():
        contact = await stage.holding()
        await stage.act("ana", "reply", contact=contact, text="Done.", resolve=True)
        await until(lambda: any(ref.auto == "csat" for ref in stage.contacts[0].messages))
        found = stage.contacts[0]
        found.parted, found.participants = found.participants, []
        assert await late_of(stage).compose(contact, found.messages[-1].id) is None


async def test_what_was_erased_is_not_composed_anew() -> None:
    """Nor is an answer of a person's, nor what the state does not know."""
    stage = Stage(workspace=msgspec.structs.replace(WORKSPACE, csat="unless-refused"))
    async with asking(stage) as postman:
        contact = await stage.holding()
        await stage.act("ana", "reply", contact=contact, text="Done.", resolve=True)
        await until(lambda: len(postman.taken) == 2)
        ids = {ref.auto or ref.direction: ref.id for ref in stage.contacts[0].messages}
        late = LateAnswers(
            store=stage.store,
            vault=stage.vault,
            state=lambda: stage.leader.engine.state,
            asked=lambda: Asked(texts={}, language="en"),
            stationery=PlainStationery(),
            link=lambda contact, score: "",
        )
        assert await late.compose(contact, ids["out"]) is None
        assert await late.compose("c99", ids["csat"]) is None
        assert await late.compose(contact, ids["csat"]) is None  # the text was taken out of the workspace
        await stage.store.blobs_delete([message_blob(ids["in"])])
        assert await late.compose(contact, ids["csat"]) is None


async def test_who_is_erased_while_it_is_composed_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored just then is deleted again: the erasing did not know of it."""
    stage = Stage(workspace=msgspec.structs.replace(WORKSPACE, csat="unless-refused"))
    put = stage.store.blobs_put

    async def erased_meanwhile(blobs: dict[str, bytes]) -> None:
        await put(blobs)
        stage.contacts[0].flag = "erased"

    async with asking(stage) as postman:
        contact = await stage.holding()
        monkeypatch.setattr(stage.store, "blobs_put", erased_meanwhile)
        await stage.act("ana", "reply", contact=contact, text="Done.", resolve=True)
        name = next(ref.id for ref in stage.contacts[0].messages if ref.auto == "csat")
        await until(lambda: stage.contacts[0].messages[-1].delivery is DeliveryState.FAILED)
        assert await stage.vault.messages([name]) == {}
        assert [one.auto for one in postman.taken] == [None]


async def test_in_an_incident_all_are_told_the_same_words() -> None:
    """Those who have asked, and whoever asks next; each in their own thread."""
    topics = {"refund": Topic(id="refund", effort=60_000)}
    rules = (Rule(when=When(topic="refund")),)
    stage = Stage(
        workspace=msgspec.structs.replace(
            WORKSPACE, topics=topics, rules=rules, topic_threshold=1, incidents=Incidents(contacts=1, times=1)
        )
    )
    async with asking(stage) as postman:
        meta = b'{"account":"help@acme.example","topics":["refund"]}'
        first = await stage.receive(written("one", sender="one@x.example"), meta=meta)
        contact = await until(lambda: stage.contact_of(first))
        state = stage.leader.engine.state
        hour = contact.opened_at // 3_600_000
        state.rates_since = hour - 48  # as if two days had been counted
        await stage.receive(written("two", sender="two@x.example"), meta=meta)
        await until(lambda: state.incidents)
        [incident] = state.incidents
        assert (await stage.act("sue", "incident", incident=incident, text="We are on it.", tell=True)).ok
        await until(lambda: len(postman.taken) == 2)
        await stage.receive(written("three", sender="three@x.example"), meta=meta)
        await until(lambda: len(postman.taken) == 3)
    assert {one.to[0].address for one in postman.taken} == {"one@x.example", "two@x.example", "three@x.example"}
    assert {one.text for one in postman.taken} == {"We are on it."}
    assert {one.auto for one in postman.taken} == {"auto-reply"}


# -- export ------------------------------------------------------------------------------------------------------------


async def test_an_export_has_all_of_one_customer_and_nothing_of_another() -> None:
    """What they wrote and were answered, notes, contacts; what was erased is named, without words."""
    stage = Stage()
    async with stage.leading():
        contact = await stage.holding(written("My order is late"))
        await stage.receive(written("Secret of another", sender="eve@x.example"))
        await stage.act("ana", "note", contact=contact, text="Knows us well.")
        await stage.act("ana", "reply", contact=contact, text="On its way.", resolve=True)
        again = await stage.receive(written("Thanks a lot", message_id="second@customer.example"))
        await until(lambda: stage.contact_of(again))
        state = stage.leader.engine.state

        found = await export(state, (ADA,), lambda wants: records(stage.store, None, wants), stage.vault)
        assert [(one["direction"], one["text"]) for one in found["messages"]] == [
            ("in", "My order is late"), ("note", "Knows us well."), ("out", "On its way."), ("in", "Thanks a lot"),
        ]  # fmt: skip
        assert found["addresses"] == [{"address": "ada@customer.example", "name": ""}]
        assert [one["id"] for one in found["contacts"]] == ["c1", "c3"]
        assert found["contacts"][0]["resolved_at"] is not None
        assert b"Secret" not in msgspec.json.encode(found)
        await stage.store.blobs_delete([message_blob(again)])
        stage.vault.forget()
        gone = await export(State(), (ADA,), lambda wants: records(stage.store, None, wants), stage.vault)
        assert gone["customer"] is None
        assert gone["messages"][-1]["gone"]
