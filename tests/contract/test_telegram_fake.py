"""The fake Bot API is a faithful one: held to Telegram's documentation and refusals, and driven by a foreign bot."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels.telegram.api import BotApi
from channels.telegram.send import Place
from tests.conftest import REFERENCE
from tests.fakes.telegram.methods import DOWNLOAD_BYTES_MAX
from tests.fakes.telegram.server import FakeTelegram, Fault
from tests.fakes.telegram.spec import Spec
from tests.fakes.telegram.world import TOKEN, USERNAME, Json, World

JPEG = b"\xff\xd8\xff\xe0" + b"a picture" * 40
CLIENT = Path(__file__).parents[1] / "fakes" / "telegram" / "node" / "bot.mjs"


@pytest.fixture(scope="module")
def spec() -> Spec:
    """What Telegram documents."""
    return Spec(REFERENCE / "specs" / "telegram" / "api.json")


def busy_day(world: World) -> Json:
    """Everything that people do in the fake; gives who did it."""
    ada, group = world.person("Ada", "es", last="Byron", username="ada"), world.group("Travellers")
    first = world.write(ada, f"🙏 @{USERNAME} /help")
    world.write(ada, "this", reply_to_message={key: value for key, value in first.items() if key != "entities"})
    world.edit(first, "that")
    world.write(ada, f"@{USERNAME} hi", chat=group, message_thread_id=3, is_topic_message=True)
    world.send(ada, caption="@ada look", **world.picture(JPEG))
    world.send(ada, **world.paper("bill.pdf", b"%PDF"))
    world.send(ada, **world.voice(b"OggS"))
    world.album(ada, [world.picture(JPEG), world.picture(JPEG)], "both")
    return ada


@pytest.mark.reference("specs")
async def test_all_that_goes_over_the_wire_is_documented(fake: FakeTelegram, spec: Spec) -> None:
    """What our channel asks and what the fake answers has only documented names, with their types, and all required."""
    world = fake.world
    ada = busy_day(world)
    asked = world.write(ada, "in the group", chat=world.group("More"), reply_to_message=world.message({"id": 1}))
    api = BotApi(TOKEN, fake.url)
    place = Place(chat=ada["id"])
    try:
        await api.me()
        assert len(await api.updates(None, 0)) == len(world.queue)
        await api.file(world.told[4]["message"]["photo"][-1]["file_id"])
        await api.say(Place(chat=asked["chat"]["id"], thread=4, answers=asked["message_id"]), "Hello")
        await api.photo(place, "a.jpg", JPEG, "a picture")
        await api.document(place, "a.pdf", b"%PDF", "")
        await api.types(place)
        await api.set_webhook("https://desk.example.com/telegram/updates", "secret-of-telegram")
        await api.webhook()
        await api.end_webhook()
    finally:
        await api.close()
    wrong = [one for update in world.told[:-1] for one in spec.object("Update", update)]
    for call in fake.calls:
        wrong += spec.request(call.method, call.asked, call.files)
        wrong += spec.result(call.method, call.result) if call.method.lower() != "getupdates" else ()
    assert wrong == []
    assert len({call.method for call in fake.calls}) == 10


@pytest.mark.reference("specs")
def test_the_yardstick_finds_what_is_wrong(spec: Spec) -> None:
    """An unknown name, a missing one and a wrong type are each found, also deep inside and in requests."""
    user: Json = {"id": 1, "is_bot": False, "first_name": "Ada"}
    assert list(spec.object("User", user)) == []
    assert list(spec.object("User", {**user, "is_bot": "no"})) == ["User.is_bot: 'no' is no Boolean"]
    assert list(spec.object("User", {"id": True, "is_bot": False, "x": 1})) == [
        "User: there is no `x`",
        "User.id: True is no Integer",
        "User: `first_name` is missing",
    ]
    deep = {"update_id": 1, "message": {"message_id": 1, "date": 2, "chat": {"id": 3}}}
    assert list(spec.object("Update", deep)) == ["Update.message.chat: `type` is missing"]
    assert list(spec.request("sendMessage", {"chat_id": "1", "txt": "x"}, frozenset())) == [
        "sendMessage: there is no parameter `txt`",
        "sendMessage: `text` is missing",
    ]
    assert list(spec.result("getUpdates", [{}])) == ["getUpdates[0]: `update_id` is missing"]


# -- refusals ----------------------------------------------------------------------------------------------------------


def ask(fake: FakeTelegram, method: str, token: str = TOKEN, **asked: Any) -> tuple[int, Json]:
    """One request; gives status and answer."""
    answer = httpx.post(f"{fake.url}/bot{token}/{method}", json=asked, timeout=60, trust_env=False)
    found: Json = answer.json()
    return answer.status_code, found


@pytest.mark.parametrize(
    ("method", "asked", "code", "words"),
    [
        ("sendMessage", {"text": " "}, 400, "message text is empty"),
        ("sendMessage", {"text": "🙏" * 2_049}, 400, "message is too long"),
        ("sendMessage", {"text": "x", "chat_id": 1}, 400, "chat not found"),
        ("sendMessage", {"text": "x", "chat_id": None}, 400, "chat not found"),
        ("sendMessage", {"text": "x", "reply_parameters": {"message_id": 1}}, 400, "message to be replied not found"),
        ("sendPhoto", {}, 400, "there is no photo in the request"),
        ("sendMediaGroup", {"media": []}, 400, "expected from 2 to 10 media"),
        ("sendChatAction", {"action": "dance"}, 400, "wrong parameter action"),
        ("editMessageText", {"message_id": 1, "text": "x"}, 400, "message to edit not found"),
        ("getFile", {"file_id": "x"}, 400, "wrong file_id"),
        ("answerCallbackQuery", {"callback_query_id": "1"}, 400, "query is too old"),
        ("setWebhook", {"url": "http://example.com"}, 400, "An HTTPS URL must be provided"),
        ("setWebhook", {"url": "https://example.com", "secret_token": "a b"}, 400, "unallowed characters"),
        ("sendEverything", {}, 404, "Not Found"),
    ],
)
def test_it_refuses_what_telegram_refuses(fake: FakeTelegram, method: str, asked: Json, code: int, words: str) -> None:
    """What Telegram does not take is refused with its code and words."""
    chat = fake.world.private(fake.world.person("Ada"))
    status, answer = ask(fake, method, **{"chat_id": chat["id"], **asked})
    assert (status, answer["ok"], answer["error_code"]) == (code, False, code)
    assert words in answer["description"]


def test_blocked_strange_and_too_large(fake: FakeTelegram) -> None:
    """A blocked bot is told 403, one with another token 401, and a file over 20 MB is given to none."""
    world = fake.world
    ada = world.person("Ada")
    chat = world.private(ada)
    world.blocked.add(ada["id"])
    assert ask(fake, "sendMessage", chat_id=chat["id"], text="x")[0] == 403
    assert ask(fake, "getMe", token="1:" + "x" * 35)[0] == 401
    assert ask(fake, "getMe", token="x")[0] == 404
    big = world.paper("big.zip", b"x" * (DOWNLOAD_BYTES_MAX + 1))["document"]["file_id"]
    assert "too big" in ask(fake, "getFile", file_id=big)[1]["description"]


def test_the_offset_confirms(fake: FakeTelegram) -> None:
    """Updates come again until a higher offset is asked for; a negative one keeps the last; a limit is kept to."""
    ada = fake.world.person("Ada")
    for number in range(5):
        fake.world.write(ada, str(number))

    def texts(**asked: Any) -> list[str]:
        return [one["message"]["text"] for one in ask(fake, "getUpdates", **asked)[1]["result"]]

    numbers = [one["update_id"] for one in ask(fake, "getUpdates")[1]["result"]]
    assert texts() == ["0", "1", "2", "3", "4"]
    assert texts(offset=numbers[2], limit=2) == ["2", "3"]
    assert texts(offset=numbers[0]) == ["2", "3", "4"]
    assert texts(offset=-1) == ["4"]
    assert texts() == ["4"]
    assert texts(offset=numbers[4] + 1) == []


async def test_one_poller_at_a_time(fake: FakeTelegram) -> None:
    """A second long poll ends the first with 409; with a webhook there is none; kinds not asked for stay away."""
    first = asyncio.create_task(asyncio.to_thread(ask, fake, "getUpdates", timeout=50))
    async with asyncio.timeout(60):
        while not first.done():
            await asyncio.to_thread(ask, fake, "getUpdates", allowed_updates=["edited_message"])
    status, answer = await first
    assert (status, "terminated by other getUpdates request" in answer["description"]) == (409, True)
    fake.world.write(fake.world.person("Ada"), "new")
    assert (await asyncio.to_thread(ask, fake, "getUpdates"))[1]["result"] == []
    assert ask(fake, "setWebhook", url="https://example.com/hook")[1] == {"ok": True, "result": True}
    assert "webhook is active" in ask(fake, "getUpdates")[1]["description"]
    assert ask(fake, "getWebhookInfo")[1]["result"]["pending_update_count"] == 1


# -- a client that is not ours -----------------------------------------------------------------------------------------


class Foreign:
    """The bot on grammY, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> Json:
        """What it says next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            raw = await self._process.stdout.readline()
        assert raw, "the client ended"
        found: Json = json.loads(raw)
        return found


@pytest.mark.needs("node", "npm:grammy")
@pytest.mark.reference("specs")
async def test_a_foreign_client_takes_it_for_telegram(fake: FakeTelegram, spec: Spec) -> None:
    """A bot on grammY polls, downloads, answers, edits, sends an album and is refused, as it would be by Telegram."""
    world = fake.world
    ada = world.person("Ada", "es")
    command = ("node", str(CLIENT), fake.url, TOKEN)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    foreign = Foreign(process)
    try:
        assert await foreign.line() == {"me": USERNAME, "webhook": ""}
        world.write(ada, "/start es")
        assert await foreign.line() == {"start": "es", "language": "es"}
        world.album(ada, [world.picture(JPEG), world.picture(JPEG)], group="g")
        assert [await foreign.line(), await foreign.line()] == [{"photo": len(JPEG), "album": "g"}] * 2
        world.send(ada, **world.voice(b"OggS"))
        assert await foreign.line() == {"voice": 3}
        fake.fail("sendChatAction", None, Fault(429, "Too Many Requests: retry after 9", {"retry_after": 9}))
        posted = world.write(ada, f"🙏 @{USERNAME} hello")
        assert await foreign.line() == {"text": posted["text"], "entities": [f"@{USERNAME}"]}
        assert await foreign.line() == {
            "answers": True,
            "edited": "another answer",
            "album": 2,
            "long": [400, "Bad Request: message is too long", {}],
            "nobody": [400, "Bad Request: chat not found", {}],
            "busy": [429, "Too Many Requests: retry after 9", {"retry_after": 9}],
        }
        world.edit(posted, "goodbye")
        assert await foreign.line() == {"edited": "goodbye"}
        world.write(ada, "/stop")
        async with asyncio.timeout(60):
            assert await process.wait() == 0
        assert [one.get("text") or one.get("caption") for one in world.sent] == [
            *("another answer", "the bill", None, None, "bye"),
        ]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert [one for call in fake.calls for one in spec.request(call.method, call.asked, call.files)] == []
