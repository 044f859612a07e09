"""The demo's visitors and its page, part by part: what is understood, what counts as sent, who may frame what."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import msgspec
import pytest
import pytest_asyncio
from fastapi import FastAPI

from router.app.daemon import Daemon
from router.app.demo import lay_out, origins
from router.app.demo_chats import Conversation, Line, Turn, Visitors, read_conversations
from router.app.demo_page import BothSides, supervisor
from router.web import problems
from router.web.shield import Shield
from skills import language, topics, workspace
from skills.workspace import Loaded
from tests.fakes.chat_site import ChatSite, chatting

SAMPLE = Path(__file__).resolve().parents[2] / "router" / "sim" / "sample"
CONVERSATIONS = read_conversations(SAMPLE / "chats.yaml")
SHORT = Conversation(
    name="Kim Lee",
    language="en",
    topic="refund",
    turns=(Turn(says="I want my money back", answer="Hello, {agent} here."), Turn(says="Thanks", answer="Bye.")),
)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """The sample's workspace."""
    return workspace.load(SAMPLE / "workspace", env={})


@pytest_asyncio.fixture
async def site() -> AsyncIterator[ChatSite]:
    """A running chat."""
    async with chatting() as started:
        yield started


def visitors(site: ChatSite, *conversations: Conversation) -> Visitors:
    """Visitors of a site who type at once."""
    daemon = cast("Daemon", SimpleNamespace(url=site.url))
    return Visitors(daemon, list(conversations), random.Random(1), typing=0.0)


class TestSample:
    """The conversations that the demo plays."""

    def test_there_are_twelve_in_three_languages(self) -> None:
        """A dozen conversations of two to four turns, four in each language, each by somebody else."""
        spoken = [one.language for one in CONVERSATIONS]
        assert {code: spoken.count(code) for code in spoken} == {"en": 4, "es": 4, "pt": 4}
        assert all(2 <= len(one.turns) <= 4 for one in CONVERSATIONS)
        assert len({one.name for one in CONVERSATIONS}) == len(CONVERSATIONS)

    @pytest.mark.parametrize("one", CONVERSATIONS, ids=lambda one: one.name)
    def test_the_first_words_tell_language_and_topic(self, one: Conversation, loaded: Loaded) -> None:
        """What a visitor says first is recognised by the sample's own workspace."""
        model = topics.train(loaded.config.topics)
        said = one.turns[0].says
        assert language.identify(said, loaded.config.languages) == one.language
        assert (model.predict(f"{said[:70]}\n{said}") or (("", 0),))[0][0] == one.topic

    @pytest.mark.parametrize("one", CONVERSATIONS, ids=lambda one: one.name)
    def test_agents_answer_in_the_visitors_language(self, one: Conversation, loaded: Loaded) -> None:
        """Each answer is in the language of its conversation; the first says who answers."""
        for turn in one.turns:
            assert language.identify(turn.answer, loaded.config.languages) == one.language
        assert "{agent}" in one.turns[0].answer

    def test_a_misspelt_key_is_refused(self, tmp_path: Path) -> None:
        """A conversation with an unknown key is no conversation."""
        path = tmp_path / "chats.yaml"
        path.write_text("- {name: Kim, langage: en, topic: bags, turns: []}")
        with pytest.raises(msgspec.ValidationError, match="langage"):
            read_conversations(path)


class TestVisitors:
    """Who writes in the chat over the daemon's own line."""

    async def test_a_message_counts_once_it_is_stored(self, site: ChatSite) -> None:
        """Nothing is counted before the acknowledgement; then it stands under the id that was acknowledged."""
        kim = visitors(site, SHORT)
        site.inbox.gate.clear()
        playing = asyncio.create_task(kim.play(SHORT))
        await _until(lambda: bool(kim.addresses))
        assert kim.sent == {}
        site.inbox.gate.set()
        await _until(lambda: bool(kim.sent))
        contact = next(iter(site.house.engine.state.contacts.values()))
        assert list(kim.sent) == [contact.messages[0].id]
        assert set(kim.sent.values()) == {"Kim Lee"}
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)

    async def test_an_answer_is_known_by_the_message_it_answers(self, site: ChatSite) -> None:
        """The script's answer is found by the message's own id; a stranger's message has none."""
        kim = visitors(site, SHORT)
        playing = asyncio.create_task(kim.play(SHORT))
        await _until(lambda: bool(kim.sent))
        message = site.house.written[next(iter(kim.sent))]
        assert message.from_.address in kim.addresses
        answer = kim.answer_to(message.message_id or "")
        assert answer is not None
        assert (answer.text, answer.last) == ("Hello, {agent} here.", False)
        assert kim.answer_to("a-stranger-0001") is None
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)

    async def test_a_visitor_who_cannot_come_in_is_counted(self) -> None:
        """Where nobody listens the conversation is broken, and nothing counts as sent."""
        kim = Visitors(cast("Daemon", SimpleNamespace(url="http://127.0.0.1:1")), [SHORT], random.Random(1), typing=0.0)
        await kim.come_all(0.0)
        assert (kim.broken, kim.sent) == (1, {})

    async def test_what_is_refused_for_good_is_said(self, site: ChatSite) -> None:
        """A message that the daemon will never take raises its code."""
        async with Line(site.url) as line:
            with pytest.raises(ValueError, match="empty"):
                await line.write("client-0001", "  ", "Kim")


class TestLayOut:
    """The workspace of a demo."""

    def test_the_chat_may_stand_on_the_demos_own_address(self, tmp_path: Path) -> None:
        """The workspace that the demo writes is sound, has a chat, and names this machine at the demo's port."""
        config = workspace.load(lay_out(tmp_path / "config", 2526, fixed_ports=False)).config
        assert config.channels.webchat is not None
        assert config.channels.webchat.title == "Alba Air"
        assert origins(0) == []
        assert origins(8080) == ['"http://127.0.0.1:8080"', '"http://localhost:8080"']


class TestPage:
    """What /demo serves."""

    async def test_only_the_pages_in_its_frames_may_be_framed(self) -> None:
        """The two framed pages let pages of this server frame them; the page itself and its assets nobody."""
        async with client(BothSides()) as asks:
            for path in ("/demo", "/demo/page.js", "/demo/site.css"):
                headers = (await asks.get(path)).headers
                assert "frame-ancestors 'none'" in headers["content-security-policy"]
                assert headers["x-frame-options"] == "DENY"
            for path in ("/demo/site", "/demo/desk"):
                headers = (await asks.get(path)).headers
                assert "frame-ancestors 'self'" in headers["content-security-policy"]
                assert "script-src 'self'" in headers["content-security-policy"]
                assert "x-frame-options" not in headers

    async def test_nothing_else_is_served(self) -> None:
        """A name that is not of the page is not found, wherever it would lead."""
        async with client(BothSides()) as asks:
            assert (await asks.get("/demo/site.html")).status_code == 404
            assert (await asks.get("/demo/..%2F__init__.py")).status_code == 404

    async def test_other_sites_are_given_no_link(self) -> None:
        """Whose desk it is, and the link to it, is told to our own page alone, and not before the demo runs."""
        async with client(BothSides()) as asks:
            assert (await asks.post("/demo/seat", json={"agent": ""})).status_code == 403
            ours = {"X-Usherd-Desk": "1"}
            assert (await asks.post("/demo/seat", json={"agent": ""}, headers=ours)).status_code == 503
            assert (await asks.post("/demo/seat", content=b"[", headers=ours)).status_code == 422

    def test_a_supervisor_sees_all_until_somebody_writes(self, loaded: Loaded) -> None:
        """The first supervisor's desk stands there; a desk that is shown already is given no new link."""
        daemon = cast("Daemon", _Stage(loaded))
        page = BothSides()
        page.follow(daemon, _Nobody(), {}, sign_in=lambda agent: f"http://x/desk#link={agent}", because=str)
        assert supervisor(daemon) == "ines"
        first = page.seat(daemon, "")
        assert (first.agent, first.name, first.link, first.contact) == ("ines", "Inês Carvalho", "link=ines", "")
        assert page.seat(daemon, "ines").link == ""


class _Nobody:
    def __init__(self) -> None:
        self.outside: dict[str, str] = {}


class _Stage:
    """As much of a daemon as the page looks at."""

    def __init__(self, loaded: Loaded) -> None:
        self.config = loaded.config
        self.live = SimpleNamespace(state=SimpleNamespace(contacts={}))
        self.names = SimpleNamespace(person=lambda agent: loaded.config.agents[agent])


def client(page: BothSides) -> httpx.AsyncClient:
    """A browser of an app that has the page alone."""
    app = FastAPI()
    app.state.parts = SimpleNamespace(settings=SimpleNamespace(public_url=""))
    app.include_router(page.routes)
    problems.install(app, 1)
    app.add_middleware(Shield)
    return httpx.AsyncClient(transport=httpx.ASGITransport(cast("Any", app)), base_url="http://desk.example")


async def _until(true: Any) -> None:  # noqa: ANN401  # a function of nothing
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)
