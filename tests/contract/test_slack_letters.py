"""Answers into customers' threads: under the agent's name, in pieces, with files, each once whatever goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
import pytest_asyncio

from channels.slack import limits, listening, taking_back
from channels.slack.api import Api
from channels.slack.letters import File, Letter, Letters, retry_after
from channels.slack.limits import Limits
from channels.slack.listening import web_client
from channels.slack.manifest import manifest
from channels.slack.taking_back import TakingBack, notes
from router.core.message import Address, Message
from router.sim.slack import Channel, FakeSlack, Person, Rules
from router.sim.slack import Message as Posted
from tests.support.slack_house import Memory

RULES = Rules(message_pace=0.01, tier_scale=20)
HASTY_SECONDS = 2  # so short is Slack waited for where it is to hang
HANG_SECONDS = 60.0


class Shop:
    """A customers' channel with one question in it, and the way to answer."""

    def __init__(self, slack: FakeSlack) -> None:
        self.slack = slack
        self.cara: Person = slack.add_user("cara")
        self.channel: Channel = slack.add_channel("help", members=("cara", slack.bot))
        self.question: Posted | None = None
        self.letters = self.process()

    def process(self, patience: int = listening.TIMEOUT_SECONDS) -> Letters:
        """As after a start: nothing is remembered. `patience`: so many seconds Slack is waited for."""
        with patch.object(listening, "TIMEOUT_SECONDS", patience):
            client = web_client(self.slack.bot_token, self.slack.api_url)
        return Letters(Api(client, Limits(time.monotonic)))

    def letter(self, text: str, *files: File, key: str = "m1", name: str = "Ana Souza") -> Letter:
        """An answer to the question."""
        assert self.question is not None
        place = {"channel": self.channel.id, "thread": self.question.ts}
        return Letter(key=key, name=name, text=text, files=files, **place)

    def answers(self) -> list[Posted]:
        """What stands in the thread below the question."""
        assert self.question is not None
        return [one for one in self.cara.thread(self.question) if one.ts != self.question.ts]


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Shop]:
    """A question was asked."""
    with patch.object(limits, "MESSAGE_SECONDS", 0.02):
        async with FakeSlack(manifest(), rules=RULES) as slack:
            made = Shop(slack)
            made.question = await made.cara.writes("Where is it?", channel=made.channel)
            yield made


async def test_an_answer_stands_under_the_agents_name(shop: Shop) -> None:
    """In the thread, whole, in pieces if it is long; nothing in it pings, unfurls or hides behind other words."""
    text = "Hello <!channel> @cara & <https://evil.example|bank.example> https://shop.example\n" + "word " * 1_000
    assert (await shop.letters.send(shop.letter(text))).state == "sent"
    first, second = shop.answers()
    assert (first.username, second.username) == ("Ana Souza", "Ana Souza")
    assert "&lt;!channel&gt;" in first.text
    assert "&lt;https://evil.example|bank.example&gt;" in first.text
    assert (first.text + second.text).count("word") == 1_000
    assert (shop.slack.pings, shop.slack.unfurls) == ([], [])


async def test_without_the_scope_the_name_stands_in_the_answer() -> None:
    """Slack refuses the name once; it is not asked again, and every answer says who wrote."""
    less = manifest()
    less["oauth_config"]["scopes"]["bot"].remove("chat:write.customize")
    async with FakeSlack(less, rules=RULES) as slack:
        shop = Shop(slack)
        shop.question = await shop.cara.writes("Where is it?", channel=shop.channel)
        for key in ("m1", "m2"):
            assert (await shop.letters.send(shop.letter("It is *here*.", key=key, name="Ana *S*"))).state == "sent"
        assert [one.text for one in shop.answers()] == ["*Ana ∗S∗*\nIt is *here*."] * 2
        assert [error for _, error in slack.refusals] == ["missing_scope"]


@pytest.mark.parametrize("text", ["See the file.", ""])
async def test_files_come_after_the_words(shop: Shop, text: str) -> None:
    """Without words a line names them, so that they are an agent's and not nobody's."""
    files = (File(name="a/b/label.pdf", content=b"%PDF"), File(name="two.txt", content=b"2"))
    assert (await shop.letters.send(shop.letter(text, *files))).state == "sent"
    words, shown = shop.answers()
    assert words.text == (text or ":paperclip: label.pdf, two.txt")
    assert [(shop.slack.space.files[one].title, shop.slack.space.files[one].data) for one in shown.files] == [
        ("label.pdf", b"%PDF"),
        ("two.txt", b"2"),
    ]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("method", ["chat.postMessage", "files.completeUploadExternal"])
async def test_an_answer_whose_outcome_is_in_doubt_is_looked_for(shop: Shop, method: str, *, done: bool) -> None:
    """Slack hangs far longer than we wait: done or not, another process posts only what is missing."""
    letter = shop.letter("One.", File(name="label.pdf", content=b"%PDF"))
    shop.slack.faults.hang(method, seconds=HANG_SECONDS, times=1, after=done)
    outcome = await shop.process(HASTY_SECONDS).send(letter)
    assert outcome.state == "unknown"
    assert outcome.wait_ms > 0
    assert (await shop.process().send(letter, again=True)).state == "sent"
    assert (await shop.process().send(letter, again=True)).state == "sent"
    assert [(one.text, len(one.files)) for one in shop.answers()] == [("One.", 0), ("", 1)]


async def test_a_long_answer_goes_on_where_it_was(shop: Shop) -> None:
    """Of three pieces the second is missing: it alone is posted, and not before Slack's pause is over."""
    letter = shop.letter("word " * 2_000)
    assert (await shop.letters.send(letter)).state == "sent"
    _, second, third = shop.answers()
    shop.slack.space.delete(shop.channel, second)
    shop.slack.faults.refuse("chat.postMessage", "ratelimited", retry_after=30, times=1)
    outcome = await shop.letters.send(letter, again=True)
    assert (outcome.state, outcome.wait_ms) == ("deferred", 30_100)
    assert (await shop.letters.send(letter, again=True)).state == "deferred"
    assert len(shop.slack.refusals) == 1  # nothing was asked meanwhile
    assert (await shop.process().send(letter, again=True)).state == "sent"
    assert sum(one.text.count("word") for one in shop.answers()) == 2_000
    assert shop.answers()[1].ts == third.ts


async def test_a_double_is_deleted_and_another_answers_files_are_not(shop: Shop) -> None:
    """Two copies of one piece: one goes. The same file in the next answer is that one's."""
    file = File(name="label.pdf", content=b"%PDF")
    first, second = shop.letter("One.", file), shop.letter("Two.", file, key="m2")
    for letter in (first, first, second):
        assert (await shop.letters.send(letter)).state == "sent"
    assert len(shop.answers()) == 6
    assert (await shop.letters.send(first, again=True)).state == "sent"
    assert [(one.text, len(one.files)) for one in shop.answers()] == [("One.", 0), ("", 1), ("Two.", 0), ("", 1)]


@pytest.mark.parametrize(
    ("error", "state"),
    [("channel_not_found", "failed"), ("is_archived", "failed"), ("token_revoked", "deferred")],
)
async def test_what_slack_refuses(shop: Shop, error: str, state: str) -> None:
    """For good: the agent is told; what an admin can mend waits."""
    shop.slack.faults.refuse("chat.postMessage", error)
    outcome = await shop.letters.send(shop.letter("One."))
    assert (outcome.state, outcome.text) == (state, error)
    assert shop.answers() == []


async def test_a_slack_that_is_away_is_waited_for(shop: Shop) -> None:
    """Nobody was reached: nothing was sent, and that is known."""
    await shop.slack.goes_down()
    assert (await shop.letters.send(shop.letter("One."))).state == "deferred"
    await shop.slack.comes_up()
    async with asyncio.timeout(60):
        while (await shop.letters.send(shop.letter("One."))).state != "sent":
            await asyncio.sleep(0.05)
    assert [one.text for one in shop.answers()] == ["One."]
    assert [retry_after(tries, 0) for tries in (1, 2, 20)] == [2_000, 4_000, 300_000]
    assert retry_after(3, 86_400_000) is None


async def taken_back(shop: Shop, *keys: str, late: Letter | None = None) -> Memory:
    """What is noted of erased answers is carried out to its end, as by a process that finds it at its start.

    `late`: an answer that arrives as the first is deleted.
    """
    assert shop.question is not None
    place = Address(address=f"slack:{shop.channel.id}/{shop.question.ts}")
    kept = Memory()
    kept.kept |= notes(answer(place, key) for key in keys)

    class Watched(Api):
        async def call(
            self, method: str, arguments: dict[str, Any], *, urgent: bool = False, patience: float = 0.0
        ) -> dict[str, Any]:
            nonlocal late
            found = await super().call(method, arguments, urgent=urgent, patience=patience)
            if method == "chat.delete" and late is not None:
                arriving, late = late, None
                await shop.letters.send(arriving)
            return found

    client = web_client(shop.slack.bot_token, shop.slack.api_url)
    taking = TakingBack(Watched(client, Limits(time.monotonic)), kept, lambda: shop.slack.bot)
    taking.recall(kept.kept)
    working = asyncio.create_task(taking.work.run())
    async with asyncio.timeout(60):
        while len(taking.work) + taking.work.waits:
            await asyncio.sleep(0.01)
    working.cancel()
    return kept


def answer(to: Address, key: str | None, channel: str = "slack") -> Message:
    """What an agent wrote."""
    return Message(channel=channel, from_=Address(address="", name="Ana"), to=(to,), message_id=key)


@pytest.fixture
def no_wait() -> Iterator[None]:
    """The second look comes at once."""
    with patch.object(taking_back, "AGAIN_SECONDS", 0.01):
        yield


@pytest.mark.usefixtures("no_wait")
async def test_answers_to_who_was_erased_are_taken_back(shop: Shop) -> None:
    """All pieces and files of those that are named go; another answer, and what customers wrote, stand as they were."""
    await shop.letters.send(shop.letter("Stays.", File(name="kept.txt", content=b"1"), key="m1"))
    await shop.letters.send(shop.letter("word " * 1_000, File(name="bill.pdf", content=b"%PDF"), key="m2"))
    assert shop.question is not None
    await shop.cara.uploads("mine.txt", b"2", text="Thanks!", thread=shop.question)
    await shop.letters.send(shop.letter("Goes too.", key="m3"))
    assert len(shop.answers()) == 7
    kept = await taken_back(shop, "m2", "m3")
    assert [one.text for one in shop.answers()] == ["Stays.", "", "Thanks!"]
    assert sorted(one.name for one in shop.slack.space.files.values()) == ["kept.txt", "mine.txt"]
    assert kept.kept == {}
    assert shop.slack.refusals == []


@pytest.mark.usefixtures("no_wait")
async def test_an_answer_that_was_on_its_way_is_taken_back_as_well(shop: Shop) -> None:
    """It is looked once more: what was being sent as its customer was erased stands there only then."""
    await shop.letters.send(shop.letter("One.", key="m1"))
    kept = await taken_back(shop, "m1", "m2", late=shop.letter("Two.", key="m2"))
    assert shop.answers() == []
    assert kept.kept == {}


@pytest.mark.usefixtures("no_wait")
@pytest.mark.parametrize("code", ["thread_not_found", "not_in_channel", "cant_delete_message"])
async def test_what_slack_does_not_let_us_delete_is_let_be(shop: Shop, code: str) -> None:
    """A thread that is gone, a channel we were taken out of, a message that stays: it is not tried for ever."""
    await shop.letters.send(shop.letter("One.", key="m1"))
    method = "chat.delete" if code == "cant_delete_message" else "conversations.replies"
    shop.slack.faults.refuse(method, code)
    kept = await taken_back(shop, "m1")
    assert kept.kept == {}


def test_only_what_was_sent_into_a_thread_is_noted() -> None:
    """Mails, what customers wrote, and what has no name leave no note; one thread's answers are one."""
    place = Address(address="slack:C0HELP0001/1790000001.000100")
    answers = [answer(place, key) for key in ("m1", "m2", None)]
    others = [
        Message(channel="slack", from_=place, reply_to=(place,), message_id="slack:C0HELP0001:1790000001.000100"),
        answer(Address(address="ada@example.org"), "<1@example.org>", "email"),
    ]
    [(name, raw)] = notes([*answers, *others]).items()
    assert name.startswith("erased:C0HELP0001 1790000001.000100 ")
    assert len(msgspec.json.decode(raw)["answers"]) == 2
