"""What is said in Slack beside cards and windows: within its limits, and harmless, whatever people and Slack write."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from unittest.mock import AsyncMock, Mock, patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.slack import answering, blocks, holding, letters, mrkdwn, rehearsing
from channels.slack.answering import Answering
from channels.slack.api import Wait
from channels.slack.asking import Questions
from channels.slack.blocks import Json
from channels.slack.card import Post
from channels.slack.lapses import Lapses
from channels.slack.letters import File, Letter, Letters
from channels.slack.losses import PREFIX, Losses, Lost
from channels.slack.people import Seat
from channels.slack.reading import Deed
from router.core.values import Status
from router.desk.views import Found, Row, Waiting, Why
from router.sim.slack.mrkdwn import pinged
from tests.unit.test_slack_rendering import NOW, QUICK, accepted, accepted_view, desks, instants, rows, texts, whys
from tests.unit.test_slack_rendering import __file__ as rendering

ROOT = Path(__file__).resolve().parents[2]
SEAT = Seat(address="ana@example.com", user="U012AB3CD", dm="D012AB3CD")
plain_words = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), max_size=80)


def asked(words: str, desk: Mock, found: Found | None = None) -> str:
    """The answer to `/usherd …`."""
    questions = Questions(
        desk=desk,
        commands=Mock(act=AsyncMock(return_value=Mock(ok=True, code="", detail="", contact="", entry=""))),
        explain=AsyncMock(return_value={}),
        find=AsyncMock(return_value=found),
        later=AsyncMock(),
        now=lambda: NOW,
    )
    deed = Deed(key="1", kind="command", team="T1", user="U1", text=words, at=NOW)
    return asyncio.run(questions.answer("ana", deed))


def whispered(text: str) -> Post:
    """What is sent to the one who asked, over the address that came with the question."""
    sent: list[Json] = []

    async def send(_: str, body: Json) -> bool:
        sent.append(body)
        return True

    answers = Answering(Mock())
    with patch.object(answers, "_respond", send):
        asyncio.run(answers.say(Deed(key="1", kind="press", team="T1", user="U1", answer_to="https://x"), text))
    assert sent[0]["response_type"] == "ephemeral"
    return Post(text=sent[0]["text"], blocks=tuple(sent[0]["blocks"]))


@QUICK
@given(st.lists(rows, max_size=14).map(tuple), st.integers(0, 9_999), texts, desks, whys)
def test_any_answer_to_a_command_is_within_the_limits(
    listed: tuple[Row, ...], more: int, words: str, mine: object, why: Why
) -> None:
    """Lists, the status, an explanation and what nobody understands are taken by Slack and harm nobody."""
    desk = Mock(
        waiting=AsyncMock(return_value=Waiting(n=1, now=NOW, rows=listed, fits=(), more=more)),
        mine=AsyncMock(return_value=mine),
        why=Mock(return_value=why),
    )
    found = Found(n=1, now=NOW, rows=listed, customers=(), more=more, complete=True)
    for command in ("queue", "status", "help", "find x", "explain c1", f"{words} {words}"):
        accepted(whispered(asked(command, desk, found)))


@QUICK
@given(texts, st.sampled_from(["say", "press"]), instants)
def test_any_word_of_what_was_lost_is_within_the_limits(code: str, kind: str, at: int) -> None:
    """Whatever Slack calls its reason, the agent can be told."""
    api = Mock(call=AsyncMock())
    people = Mock(agent_of=AsyncMock(return_value="ana"), found=AsyncMock(return_value=SEAT))
    losses = Losses(api=api, people=people, memory=AsyncMock(), at=lambda _, __: None)
    asyncio.run(losses.note(Deed(key="1", kind=kind, team="T1", user="U1", at=at), code))
    asyncio.run(losses._tell(f"{PREFIX}{kind} 1"))  # noqa: SLF001 (as its work does)
    sent = api.call.call_args.args[1]
    accepted(Post(text=sent["text"], blocks=tuple(sent["blocks"])))
    assert (sent["unfurl_links"], sent["unfurl_media"]) == (False, False)
    assert Lost.__struct_fields__  # what is kept of it holds no word that was written
    assert "text" not in Lost.__struct_fields__


def test_being_set_away_is_said_within_the_limits() -> None:
    """However many offers lapsed."""
    api, seat = Mock(call=AsyncMock()), Mock(status=Status.AWAY, lapses=10**9, status_since=1)
    state = Mock(agents={"ana": seat}, workspace=Mock(away_after_lapses=2))
    source = Mock(state=state, settled=AsyncMock())
    lapses = Lapses(api=api, people=Mock(found=AsyncMock(return_value=SEAT)), source=source, memory=AsyncMock())
    asyncio.run(lapses._tell("ana"))  # noqa: SLF001 (as its work does)
    sent = api.call.call_args.args[1]
    accepted(Post(text=sent["text"], blocks=tuple(sent["blocks"])))
    assert (sent["unfurl_links"], sent["unfurl_media"]) == (False, False)


@QUICK
@given(texts, texts, st.lists(texts, max_size=3), st.booleans())
def test_any_answer_to_a_customer_is_within_the_limits(text: str, name: str, files: list[str], named: bool) -> None:
    """Its pieces are short, hold no mention, no masked link and no control, and the name is one line of eighty."""
    api = Mock(call=AsyncMock(return_value={}))
    sender = Letters(api)
    sender._may_name = named  # noqa: SLF001 (as once Slack has refused it)
    letter = Letter(
        key="m1",
        channel="C012AB3CD",
        thread="1700000000.000100",
        name=name,
        text=text,
        files=tuple(File(name=one, content=b"1") for one in files),
    )
    with patch.object(letters, "upload", AsyncMock(return_value="F1")):
        outcome = asyncio.run(sender.send(letter))
    posts = [one.args[1] for one in api.call.call_args_list if one.args[0] == "chat.postMessage"]
    assert outcome.state == "sent"
    for post in posts:
        assert 0 < len(post["text"]) <= 4_000
        assert pinged(post["text"], []) == set()
        assert "<" not in post["text"]
        assert not any(char < " " and char not in "\n\t" for char in post["text"])
        assert (post["unfurl_links"], post["unfurl_media"]) == (False, False)
        assert len(post.get("username", "")) <= 80
        assert "\n" not in post.get("username", "")
        assert "<" not in post.get("username", "")


@QUICK
@given(st.lists(texts, min_size=1, max_size=20))
def test_any_word_of_a_what_if_is_within_the_limits(said: list[str]) -> None:
    """Whatever topics, agents and contacts are called that would have gone elsewhere."""
    accepted_view(rehearsing.window([mrkdwn.cut(one, 400) for one in said]))


@QUICK
@given(st.from_regex(r"[CD][A-Z0-9]{8} [0-9]{10}\.[0-9]{6}", fullmatch=True), st.integers(1, 600_000))
def test_what_can_be_taken_back_is_said_within_the_limits(key: str, span: int) -> None:
    """With a button that names it, however long it is held."""
    told: list[Post] = []

    async def tell(text: str, button: Json) -> None:
        told.append(Post(text=text, blocks=(blocks.section(text, button),)))

    holds = holding.Holding(hold_ms=lambda: span, find=lambda _: None, remember=AsyncMock(), now=lambda: NOW)
    deed = Deed(key=key, kind="submit", team="T1", user="U1", at=NOW)
    with pytest.raises(Wait):
        asyncio.run(holds.passed(deed, tell))
    accepted(told[0])


def test_every_module_that_makes_blocks_is_looked_at() -> None:
    """Whatever sends blocks to Slack is called by name in this file, or in the one about cards, windows and lines."""
    said = Path(__file__).read_text() + Path(rendering).read_text()
    makers = []
    for path in sorted((ROOT / "channels" / "slack").glob("*.py")):
        named = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        imported = {name.name for node in named if node.module == "channels.slack.blocks" for name in node.names}
        whole = any(node.module == "channels.slack" and "blocks" in {one.name for one in node.names} for node in named)
        if whole or imported - {"Json", "within"}:
            makers.append(path.stem)
    assert len(makers) > 5
    assert [one for one in makers if f"{one}." not in said and f"channels.slack.{one} " not in said] == []


@pytest.mark.parametrize("broken", ["&amp;", "<!date^1790000000^{time}|x>"])
def test_a_list_is_cut_between_marks(broken: str) -> None:
    """What is too long for one paragraph is never cut in the middle of an escape or a date."""
    for extra in range(len(broken) + 1):
        cut = answering.listed(["x" * (2_999 - extra) + broken + "y" * 50])
        accepted(whispered(cut))
        assert cut.count("&") == cut.count("&amp;")
