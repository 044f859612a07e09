"""Telegram's channel against the fake over HTTP: confirmed after stored, doubled by nobody, at Telegram's pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest

from channels.telegram import TELEGRAM, extract, normalise, receive
from channels.telegram.api import BotApi
from channels.telegram.entries import Entries, Item
from channels.telegram.pace import CHAT, GROUP, Meter, Pace
from channels.telegram.receive import ALBUM_SECONDS, Receiver, Spans
from channels.telegram.send import Courier, File, Letter, Outcome, Place, place_of, retry_after
from channels.telegram.trouble import BadToken, Doubtful, Unreachable
from router.core.errors import BacklogFull, StoreUnavailable
from router.core.message import Message
from router.core.ports import Appended, InboxEntry
from router.shell.notes import CLAIM
from tests.fakes.telegram.server import FakeTelegram, Fault
from tests.fakes.telegram.world import BOT, TOKEN, Json

JPEG = b"\xff\xd8\xff\xe0" + b"a picture" * 40
BUSY = Fault(429, "Too Many Requests: retry after 7", {"retry_after": 7})
QUICK = Spans(poll=5, album=0.05, wait_first=0.02, file_retry=0.01)
STEADY = Spans(poll=5, album=ALBUM_SECONDS, wait_first=0.02, file_retry=0.01)


class Stored:
    """An inbox in memory with the store's rules; `errors`: what the next appends end in, `after`: done all the same."""

    def __init__(self) -> None:
        self.entries: dict[bytes, list[InboxEntry]] = {}
        self.order: list[InboxEntry] = []
        self.errors: list[Exception] = []
        self.after = False

    async def append(self, entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        await asyncio.sleep(0)
        if self.errors and not self.after:
            raise self.errors.pop(0)
        known = [self.entries.get(one.key, []) for one in entries]
        clash = [
            bool(held) and all(one.body != other.body for other in held)
            for one, held in zip(entries, known, strict=True)
        ]
        if any(clash) and conflict == "refuse":
            return [Appended("", conflict=one) for one in clash]
        answers = []
        for one, strange in zip(entries, clash, strict=True):
            held = self.entries.setdefault(one.key, [])
            duplicate = bool(held) and not strange
            if not duplicate:
                held.append(one)
                if one.source == TELEGRAM:
                    self.order.append(one)
            answers.append(Appended(str(len(self.order)), duplicate=duplicate, conflict=strange))
        if self.errors:
            raise self.errors.pop(0)
        return answers

    def messages(self) -> list[Message]:
        """What was stored, in order."""
        return [normalise(one.raw, one.meta) for one in self.order]

    def texts(self) -> list[str]:
        """The words of it."""
        return [one.text for one in self.messages()]


class Scene:
    """A receiver on the fake; `greeted`: who was said hello to, with the word of their link."""

    def __init__(self, fake: FakeTelegram, inbox: Stored | None = None, spans: Spans = QUICK) -> None:
        self.inbox = inbox or Stored()
        self.greeted: list[tuple[int, str]] = []
        self.api = BotApi(TOKEN, fake.url)
        entries = Entries(bot=BOT, tidy=lambda name, kind: (name, kind), claim=CLAIM)
        self.receiver = Receiver(self.api, self.inbox, entries, self._greet, spans=spans)

    async def _greet(self, item: Item, word: str) -> None:
        assert item.posted is not None
        self.greeted.append((item.posted.chat.id, word))

    async def until(self, count: int) -> None:
        """Wait until so many messages are stored."""
        async with asyncio.timeout(60):
            while len(self.inbox.order) < count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def polling(scene: Scene) -> AsyncIterator[None]:
    """Poll while the block lasts; then stop, as abruptly as a crash."""
    task = asyncio.create_task(scene.receiver.poll())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await scene.api.close()


async def confirmed(fake: FakeTelegram) -> None:
    """Wait until Telegram keeps nothing for us any more."""
    async with asyncio.timeout(60):
        while fake.world.queue:
            await asyncio.sleep(0.01)


# -- in ----------------------------------------------------------------------------------------------------------------


async def test_nothing_is_confirmed_before_it_is_stored(fake: FakeTelegram) -> None:
    """While the store is full or away Telegram keeps the update; it is confirmed, once, when the store is back."""
    scene = Scene(fake)
    scene.inbox.errors = [StoreUnavailable("away"), BacklogFull("full"), StoreUnavailable("away")]
    fake.world.write(fake.world.person("Ada"), "Hello")
    async with polling(scene):
        async with asyncio.timeout(60):
            while scene.inbox.errors:
                await asyncio.sleep(0.01)
                assert fake.world.queue or not scene.inbox.errors
        await confirmed(fake)
    assert scene.inbox.texts() == ["Hello"]


async def test_a_lost_answer_of_the_store_doubles_nothing(fake: FakeTelegram) -> None:
    """Where the store has taken an update and its answer was lost, the second try finds it there."""
    scene = Scene(fake)
    scene.inbox.errors, scene.inbox.after = [StoreUnavailable("the answer was lost")], True
    fake.world.write(fake.world.person("Ada"), "Hello")
    async with polling(scene):
        await confirmed(fake)
    assert scene.inbox.texts() == ["Hello"]


async def test_a_restart_in_the_middle_doubles_and_loses_nothing(fake: FakeTelegram) -> None:
    """A poller that dies before it confirmed is followed by one that is given the same again, and stores the rest."""
    ada = fake.world.person("Ada")
    first = Scene(fake)
    fake.world.write(ada, "one")
    task = asyncio.create_task(first.receiver.poll())
    await first.until(1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await first.api.close()
    fake.world.queue[:0] = [one for one in fake.world.told if one not in fake.world.queue]  # it was never confirmed
    fake.world.write(ada, "two")
    second = Scene(fake, first.inbox)
    async with polling(second):
        await confirmed(fake)
    assert second.inbox.texts() == ["one", "two"]


async def test_a_lower_number_after_a_silence_is_no_old_one(fake: FakeTelegram) -> None:
    """Updates whose numbers begin anew, lower, are taken like any others: no high-water mark hides them."""
    scene = Scene(fake)
    ada = fake.world.person("Ada")
    async with polling(scene):
        fake.world.write(ada, "high")
        await confirmed(fake)
        low = {"update_id": 5, "message": fake.world.message(fake.world.private(ada), text="low", **{"from": ada})}
        fake.world.queue.append(low)
        await scene.until(2)
    assert scene.inbox.texts() == ["high", "low"]


async def test_an_album_is_stored_once_and_whole(fake: FakeTelegram) -> None:
    """The items of an album that come one after the other are one message with all files; others do not wait long."""
    scene = Scene(fake, spans=STEADY)  # the second picture is sent long before that
    world = fake.world
    ada, bob = world.person("Ada"), world.person("Bob")
    async with polling(scene):
        world.send(ada, caption="My bag", media_group_id="g", **world.picture(JPEG + b"1"))
        await asyncio.sleep(0.02)
        world.write(bob, "Hello")
        world.send(ada, media_group_id="g", **world.picture(JPEG + b"2"))
        await scene.until(2)
        await confirmed(fake)
    found = {message.text: message for message in scene.inbox.messages()}
    assert len(found["My bag"].attachments) == 2
    album = next(one for one in scene.inbox.order if normalise(one.raw, one.meta).text == "My bag")
    assert [extract(album.raw, part)[2] for part in (0, 1)] == [JPEG + b"1", JPEG + b"2"]
    assert found.keys() == {"My bag", "Hello"}


async def test_an_album_that_grew_after_a_crash_gives_only_its_rest(fake: FakeTelegram) -> None:
    """An album stored before a crash, of which more has come when it is asked for again, is completed, not doubled."""
    world, ada = fake.world, fake.world.person("Ada")
    first = Scene(fake)
    world.album(ada, [world.picture(JPEG), world.picture(JPEG)], "My bag", group="g")
    async with polling(first):
        await first.until(1)
        await confirmed(fake)
    world.queue[:] = world.told
    world.send(ada, media_group_id="g", **world.picture(JPEG + b"3"))
    second = Scene(fake, first.inbox)
    async with polling(second):
        await second.until(2)
        await confirmed(fake)
    assert [len(message.attachments) for message in second.inbox.messages()] == [2, 1]


async def test_files_come_with_their_message(fake: FakeTelegram) -> None:
    """Photos (the largest size), documents and voice are fetched before the message is confirmed."""
    scene = Scene(fake)
    world, ada = fake.world, fake.world.person("Ada")
    world.send(ada, **world.picture(JPEG))
    world.send(ada, caption="The bill", **world.paper("bill.pdf", b"%PDF-1"))
    world.send(ada, **world.voice(b"OggS"))
    async with polling(scene):
        await scene.until(3)
    found = [extract(one.raw, 0) for one in scene.inbox.order]
    assert found == [
        ("photo.jpg", "image/jpeg", JPEG),
        ("bill.pdf", "application/pdf", b"%PDF-1"),
        ("voice.ogg", "audio/ogg", b"OggS"),
    ]


async def test_a_file_too_large_or_gone_holds_up_nothing(fake: FakeTelegram) -> None:
    """A file over Telegram's limit is not asked for, one that cannot be had is given up; the message says so."""
    scene = Scene(fake)
    world, ada = fake.world, fake.world.person("Ada")
    world.send(ada, caption="big", **world.paper("big.zip", b"x", size=25_000_001))
    world.send(ada, caption="gone", **world.paper("gone.pdf", b"x"))
    world.send(ada, caption="slow", **world.paper("slow.pdf", b"here"))
    fake.fail("file", *[Fault(500, "Internal Server Error")] * 11)  # one too few for both
    async with polling(scene):
        await scene.until(3)
    big, gone, slow = scene.inbox.messages()
    assert big.warnings == ("`big.zip` was not fetched: 26 MB, and 20 MB is the most that is.",)
    missing = [message.text for message in (gone, slow) if message.warnings]
    assert missing in (["gone"], ["slow"])
    assert [len(one.attachments) for one in (gone, slow)].count(1) == 1


async def test_files_brought_at_once_do_not_fill_the_memory(
    fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By webhook forty updates may come together: the files of two at a time are fetched, and words never wait."""
    scene = Scene(fake)
    world, ada = fake.world, fake.world.person("Ada")
    for number in range(8):
        world.send(ada, caption=f"bill {number}", **world.paper("bill.pdf", b"%PDF-1"))
    world.write(ada, "Hello")
    fetched, most, go_on = 0, 0, asyncio.Event()

    async def file(_: str) -> bytes:
        nonlocal fetched, most
        fetched += 1
        most = max(most, fetched)
        await go_on.wait()
        fetched -= 1
        return b"%PDF-1"

    monkeypatch.setattr(scene.api, "file", file)
    updates = [msgspec.json.encode(one) for one in world.queue]
    tasks = [asyncio.create_task(scene.receiver.brought(raw)) for raw in updates]
    await scene.until(1)
    assert scene.inbox.texts() == ["Hello"]
    go_on.set()
    await asyncio.gather(*tasks)
    await scene.api.close()
    assert (most, len(scene.inbox.order)) == (2, 9)


PATIENT = Spans(poll=5, album=600, wait_first=0.02, file_retry=0.01)  # what ends an album is what comes after it


async def brought(scene: Scene, updates: Sequence[Json]) -> list[BaseException | None]:
    """Have a webhook bring updates all at the same time; how each ended."""
    raws = [msgspec.json.encode(one) for one in updates]
    return await asyncio.gather(*(scene.receiver.brought(raw) for raw in raws), return_exceptions=True)


async def test_an_album_that_a_webhook_brings_is_one_message(fake: FakeTelegram) -> None:
    """Its items wait for each other; what is written next shows that it is whole, and stands below it."""
    scene, world = Scene(fake, spans=PATIENT), fake.world
    ada, bob = world.person("Ada"), world.person("Bob")
    world.write(ada, "Hello")
    world.album(ada, [world.picture(JPEG + b"%d" % number) for number in range(3)], "My bag")
    world.write(ada, "All of it")
    world.album(bob, [world.picture(JPEG + b"%d" % number) for number in range(10)], "Ten")
    assert set(await brought(scene, world.queue[:1])) == {None}
    assert set(await brought(scene, world.queue[1:])) == {None}
    found = [(message.text, len(message.attachments)) for message in scene.inbox.messages()]
    assert [one for one in found if one[0] != "Ten"] == [("Hello", 0), ("My bag", 3), ("All of it", 0)]
    assert ("Ten", 10) in found
    again = [one for one in world.queue if "media_group_id" in one["message"]]
    assert set(await brought(scene, again)) == {None}  # the answers were lost: it is known
    assert len(scene.inbox.order) == 4
    await scene.api.close()


@pytest.mark.parametrize("again", [(2,), (1, 2), (0,), (0, 2), (2, 3), (0, 1, 2, 3)])
async def test_an_album_of_which_some_is_brought_again_after_a_crash_is_not_doubled(
    fake: FakeTelegram, again: tuple[int, ...]
) -> None:
    """Stored, some of the answers lost, and the process gone: whatever comes again, only what is new is stored."""
    inbox, world = Stored(), fake.world
    ada = world.person("Ada")
    world.write(ada, "Hello")
    world.album(ada, [world.picture(JPEG + b"%d" % number) for number in range(3)], "My bag", group="g")
    world.send(ada, media_group_id="g", **world.picture(JPEG + b"3"))
    hello, *album = world.queue
    for numbers in ((0, 1, 2), again, again):
        scene = Scene(fake, inbox)
        assert await brought(scene, [hello]) == [None]  # so that the bot knows its name, and all of an album meet
        assert set(await brought(scene, [album[number] for number in numbers])) == {None}
        await scene.api.close()
    found = [(one.text, len(one.attachments)) for one in inbox.messages()]
    assert found == [("Hello", 0), ("My bag", 3), *([("", 1)] if 3 in again else [])]
    assert not any(len(held) > 1 for held in inbox.entries.values())


async def test_an_album_under_the_number_of_another_message_is_flagged(fake: FakeTelegram) -> None:
    """Numbers begin anew after a silence: it is stored beside the other, whole."""
    scene, world = Scene(fake), fake.world
    ada = world.person("Ada")
    world.write(ada, "Hello")
    world.album(ada, [world.picture(JPEG), world.picture(JPEG)], "My bag")
    number = world.queue[0]["update_id"]
    twins = [world.queue[1] | {"update_id": number}, world.queue[2] | {"update_id": number + 1}]
    assert set(await brought(scene, world.queue[:1])) == {None}
    for _ in range(2):
        assert set(await brought(scene, twins)) == {None}
    assert [(one.text, len(one.attachments)) for one in scene.inbox.messages()] == [("Hello", 0), ("My bag", 2)]
    await scene.api.close()


async def test_an_album_that_cannot_be_stored_is_brought_again_whole(fake: FakeTelegram) -> None:
    """While the store is away none of its items is confirmed, and then all are one message, once."""
    scene, world = Scene(fake, spans=PATIENT), fake.world
    ada = world.person("Ada")
    world.write(ada, "Hello")
    world.album(ada, [world.picture(JPEG), world.picture(JPEG)], "My bag")
    world.write(ada, "All of it")
    await brought(scene, world.queue[:1])
    scene.inbox.errors = [StoreUnavailable("down"), StoreUnavailable("down")]
    ends = await brought(scene, world.queue[1:])
    assert [type(one) for one in ends] == [StoreUnavailable] * 3
    assert set(await brought(scene, world.queue[1:])) == {None}
    assert [(one.text, len(one.attachments)) for one in scene.inbox.messages()] == [
        ("Hello", 0), ("My bag", 2), ("All of it", 0),
    ]  # fmt: skip
    await scene.api.close()


async def test_an_album_after_which_nothing_comes_is_stored_after_a_moment(fake: FakeTelegram) -> None:
    """Nobody waits for ever; an item that comes too late is a message of its own."""
    scene, world = Scene(fake), fake.world
    world.album(world.person("Ada"), [world.picture(JPEG), world.picture(JPEG)], "My bag")
    for one in world.queue:
        assert await brought(scene, [one]) == [None]
    assert [len(one.attachments) for one in scene.inbox.messages()] == [1, 1]
    await scene.api.close()


async def test_a_file_outlasts_a_short_trouble(fake: FakeTelegram) -> None:
    """While Telegram is away for some seconds, or has too much to do, a file is asked for again and not given up."""
    scene = Scene(fake)
    world, ada = fake.world, fake.world.person("Ada")
    fake.fail("getFile", *[Fault(0)] * 3, Fault(429, "Too Many Requests: retry after 1", {"retry_after": 1}))
    world.send(ada, caption="The bill", **world.paper("bill.pdf", b"%PDF-1"))
    async with polling(scene):
        await scene.until(1)
    [message] = scene.inbox.messages()
    assert (message.warnings, len(message.attachments)) == ((), 1)


async def test_a_file_that_takes_too_long_is_given_up(fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the patience for a file is over it is not tried again, however many tries are left."""
    monkeypatch.setattr(receive, "FILE_PATIENCE_SECONDS", -1.0)
    scene = Scene(fake)
    world, ada = fake.world, fake.world.person("Ada")
    fake.fail("file", Fault(500, "Internal Server Error"))
    world.send(ada, caption="slow", **world.paper("slow.pdf", b"here"))
    async with polling(scene):
        await scene.until(1)
    [message] = scene.inbox.messages()
    assert (message.attachments, len(fake.called("getFile"))) == ((), 1)


async def test_hostile_updates_stop_nobody(fake: FakeTelegram) -> None:
    """An update of no documented shape, and words full of controls and lone surrogates, come between good ones."""
    scene = Scene(fake)
    world, ada = fake.world, fake.world.person("Ada\u202e\n<b>", last="\x00")
    world.write(ada, "before")
    world.queue.append({"update_id": 900_100_000, "message": {"message_id": "x", "chat": 7}})
    world.queue.append({"update_id": 900_100_001, "unheard_of": {}})
    last = {"message": world.message(world.private(ada), text="a\x00\ud800\u0007b", **{"from": ada})}
    world.queue.append({"update_id": 900_100_002, **last})
    async with polling(scene):
        await scene.until(3)
        await confirmed(fake)
    good, poison, odd = scene.inbox.order
    assert normalise(good.raw, good.meta).from_.name == "Ada <b>"
    assert b'"chat":7' in poison.raw
    assert "\x00" not in normalise(odd.raw, odd.meta).text


async def test_another_poller_and_a_webhook_are_waited_out(fake: FakeTelegram) -> None:
    """409: with another poller we back off and say so; a webhook that is set is taken down, and nothing is dropped."""
    scene = Scene(fake)
    fake.methods.webhook["url"] = "https://elsewhere.example/"
    fake.world.write(fake.world.person("Ada"), "Hello")
    fake.fail("getUpdates", *[Fault(409, "Conflict: terminated by other getUpdates request")] * 2)
    async with polling(scene):
        async with asyncio.timeout(60):
            while "another program" not in scene.receiver.problem:
                await asyncio.sleep(0.001)
        await scene.until(1)
        await confirmed(fake)
        assert scene.receiver.problem == ""
    assert [call.asked["drop_pending_updates"] for call in fake.called("deleteWebhook")] == ["false"]


async def test_telegram_away_is_waited_out(fake: FakeTelegram) -> None:
    """Answers of 500, 429, a cut connection and a token that is refused for a while lose nothing."""
    scene = Scene(fake)
    fake.world.write(fake.world.person("Ada"), "Hello")
    fake.fail("getUpdates", Fault(502, "Bad Gateway"), Fault(0), Fault(429, "", {"retry_after": 1}), Fault(401, "No"))
    async with polling(scene):
        await scene.until(1)
    assert scene.inbox.texts() == ["Hello"]


async def test_start_greets_once(fake: FakeTelegram) -> None:
    """Who presses *Start* is greeted with the word of the link; the same update again greets nobody."""
    scene = Scene(fake)
    ada = fake.world.person("Ada")
    fake.world.write(ada, "/start es")
    async with polling(scene):
        await confirmed(fake)
    again = Scene(fake, scene.inbox)
    await again.receiver.brought(msgspec.json.encode(fake.world.told[0]))
    await again.api.close()
    assert (scene.greeted, again.greeted) == ([(ada["id"], "es")], [])
    assert scene.inbox.messages()[0].auto == "command"


# -- out ---------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def courier(fake: FakeTelegram) -> AsyncIterator[Courier]:
    """A way out to the fake."""
    api = BotApi(TOKEN, fake.url)
    try:
        yield Courier(api, Pace(asyncio.get_running_loop().time))
    finally:
        await api.close()


def letter(chat: Json, text: str, *files: File, key: str = "k", answers: int | None = None) -> Letter:
    """An answer."""
    return Letter(key=key, place=Place(chat=chat["id"], answers=answers), text=text, files=files)


async def test_long_answers_are_split(fake: FakeTelegram) -> None:
    """An answer over 4,096 UTF-16 units leaves in pieces that Telegram takes, in order, with nothing lost."""
    ada = fake.world.private(fake.world.person("Ada"))
    text = "🙏" * 2_040 + "\n\n" + "b" * 50 + " " + "c" * 20
    async with courier(fake) as out:
        assert await out.send(letter(ada, text)) == Outcome(state="sent")
    assert fake.world.sent_to(ada) == ["🙏" * 2_040, "b" * 50 + " " + "c" * 20]


async def test_files_leave_as_pictures_and_documents(fake: FakeTelegram) -> None:
    """Words stand under the first file where 1,024 units hold them, else before it; odd pictures go as documents."""
    ada = fake.world.private(fake.world.person("Ada"))
    files = (
        File(name="a.jpg", type="image/jpeg", content=JPEG),
        File(name="b.png", type="image/png", content=b"no picture"),
        File(name="c.pdf", type="application/pdf", content=b"%PDF"),
    )
    async with courier(fake) as out:
        assert (await out.send(letter(ada, "🙏" * 512, *files))).state == "sent"
        assert (await out.send(letter(ada, "🙏" * 513, files[0], key="l"))).state == "sent"
    kinds = ["photo" if "photo" in one else "document" if "document" in one else "text" for one in fake.world.sent]
    assert kinds == ["photo", "document", "document", "text", "photo"]
    assert fake.world.sent_to(ada) == ["🙏" * 512, "", "", "🙏" * 513, ""]
    assert fake.world.sent[2]["document"]["file_name"] == "c.pdf"


async def test_too_fast_waits(fake: FakeTelegram) -> None:
    """429 defers for as long as Telegram says; another chat does not even ask meanwhile."""
    ada, bob = (fake.world.private(fake.world.person(name)) for name in ("Ada", "Bob"))
    fake.fail("sendMessage", BUSY)
    async with courier(fake) as out:
        busy = await out.send(letter(ada, "Hello"))
        held = await out.send(letter(bob, "Hello", key="b"))
    assert (busy.state, busy.code, 7_000 <= busy.wait_ms < 8_000) == ("deferred", 429, True)
    assert (held.state, held.code, 0 < held.wait_ms <= busy.wait_ms) == ("deferred", 429, True)
    assert fake.world.sent == []


async def test_what_left_before_a_wait_is_not_repeated(fake: FakeTelegram) -> None:
    """An answer of several messages that was stopped after the first goes on with the second."""
    ada = fake.world.private(fake.world.person("Ada"))
    files = tuple(File(name=f"{n}.pdf", type="application/pdf", content=b"%PDF") for n in range(2))
    fake.fail("sendDocument", Fault(502, "Bad Gateway"))
    async with courier(fake) as out:
        text = "a" * 1_100
        assert (await out.send(letter(ada, text, *files))).state == "deferred"
        assert (await out.send(letter(ada, text, *files))).state == "sent"
    assert fake.world.sent_to(ada) == [text, "", ""]


@pytest.mark.parametrize(
    ("fault", "state", "code"),
    [
        (Fault(403, "Forbidden: bot was blocked by the user"), "failed", 403),
        (Fault(400, "Bad Request: chat not found"), "failed", 400),
        (Fault(401, "Unauthorized"), "deferred", 0),
        (Fault(500, "Internal Server Error"), "deferred", 0),
        (Fault(0), "unknown", 0),
    ],
)
async def test_each_refusal_means_one_thing(fake: FakeTelegram, fault: Fault, state: str, code: int) -> None:
    """Blocked and refused have failed; an answer that was lost is unknown; all else is tried again."""
    ada = fake.world.private(fake.world.person("Ada"))
    fake.fail("sendMessage", fault)
    async with courier(fake) as out:
        found = await out.send(letter(ada, "Hello"))
    assert (found.state, found.code) == (state, code)
    assert TOKEN not in repr(found)


async def test_nobody_there_is_tried_again(fake: FakeTelegram) -> None:
    """Where nothing listens at Telegram's address the answer was certainly not sent: it waits."""
    api = BotApi(TOKEN, "http://127.0.0.1:9")
    try:
        out = Courier(api, Pace(asyncio.get_running_loop().time))
        assert (await out.send(letter({"id": 1}, "Hello"))).state == "deferred"
        with pytest.raises(Unreachable):
            await api.me()
    finally:
        await api.close()


async def test_a_group_that_moved_is_found(fake: FakeTelegram) -> None:
    """A group that has become a supergroup is answered under its new id, then and later; replies name their message."""
    world = fake.world
    old, new = world.group("Old"), world.group("New")
    asked = world.write(world.person("Ada"), "@AcmeHelpBot hi", chat=new)
    world.moved[old["id"]] = new["id"]
    async with courier(fake) as out:
        assert (await out.send(letter(old, "one", answers=asked["message_id"]))).state == "sent"
        assert (await out.send(letter(old, "two", key="l"))).state == "sent"
    assert [(one["chat"]["id"], one["text"]) for one in world.sent] == [(new["id"], "one"), (new["id"], "two")]
    assert world.sent[0]["reply_to_message"]["message_id"] == asked["message_id"]


async def test_chats_take_turns() -> None:
    """In one chat messages leave in order, one at a time; a chat that waits holds up no other."""
    done: list[str] = []
    pace = Pace(asyncio.get_running_loop().time)
    entered = asyncio.Event()

    async def send(chat: int, word: str, until: asyncio.Event | None = None) -> None:
        async with pace.turn(chat):
            entered.set()
            if until is not None:
                await until.wait()
            done.append(word)

    gate = asyncio.Event()
    first = asyncio.create_task(send(1, "a", gate))
    await entered.wait()
    second = asyncio.create_task(send(1, "b"))
    await send(2, "c")
    gate.set()
    await asyncio.gather(first, second)
    assert done == ["c", "a", "b"]


def test_the_meters_let_through_what_telegram_allows() -> None:
    """After a burst one message a second leaves in a chat, and twenty a minute in a group, whatever is asked for."""
    for rate, minute in ((CHAT, 60), (GROUP, 20)):
        meter, now = Meter(rate), 100.0
        times = []
        for _ in range(100):
            now += meter.take(now)
            times.append(now)
        assert times[: rate.burst] == [100.0] * rate.burst
        within = [one for one in times if times[rate.burst] <= one < times[rate.burst] + 60]
        assert len(within) <= minute


@pytest.mark.parametrize(
    ("address", "answers", "place"),
    [
        ("telegram:5", f"telegram:{BOT}:5:9", Place(chat=5)),
        ("telegram:-5", f"telegram:{BOT}:-5:9", Place(chat=-5, answers=9)),
        ("telegram:-5/7", f"telegram:{BOT}:-6:9", Place(chat=-5, thread=7)),
        ("telegram:-5", None, Place(chat=-5)),
        ("visitor:5", None, None),
        ("telegram:ada", None, None),
        ("ada@example.com", None, None),
    ],
)
def test_places_are_read_from_addresses(address: str, answers: str | None, place: Place | None) -> None:
    """An address of Telegram's names chat and topic; in a group the message answered is named; others are no place."""
    assert place_of(address, answers) == place


def test_tries_are_spread_over_a_day() -> None:
    """Tries begin two seconds apart, are five minutes apart at most, and end after a day."""
    assert [retry_after(n, 0) for n in (1, 2, 3, 20, 10**6)] == [2_000, 4_000, 8_000, 300_000, 300_000]
    assert retry_after(1, 86_400_000) is None


async def test_errors_are_told_by_concrete_class(fake: FakeTelegram) -> None:
    """A time-out is no refusal although the library derives both from one class, and no error quotes the token."""
    api = BotApi(TOKEN, fake.url)
    fake.fail("getMe", Fault(401, "Unauthorized"), Fault(0))
    try:
        with pytest.raises(BadToken) as refused:
            await api.me()
        with pytest.raises(Doubtful) as lost:
            await api.me()
    finally:
        await api.close()
    assert TOKEN not in f"{refused.value!r}{lost.value!r}"
    assert refused.value.__cause__ is None
