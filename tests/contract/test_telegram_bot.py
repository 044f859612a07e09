"""The bot on its node: one poller by the lease, a webhook that takes Telegram's word alone, mistakes in workspaces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from router.app import telegram
from router.app.server import WebServer
from router.app.telegram import PATH, Bot, bot_of, hook_secret, routes_of, sender_of
from router.core.message import Address, Message
from router.core.ports import Appended, InboxEntry
from router.core.transitions import DeliveryState
from router.shell.log import scrub
from router.shell.outbox import attempt
from router.shell.vault import Vault
from skills.workspace import ConfigErrors, load
from tests.fakes.telegram.server import FakeTelegram, Fault
from tests.fakes.telegram.world import TOKEN, Json
from tests.support.shell_scene import ShellStore
from tests.support.telegram_house import HOOKED, write_workspace

SECRET = b"s" * 32
NAME = "X-Telegram-Bot-Api-Secret-Token"


@asynccontextmanager
async def bot(folder: Path, fake: FakeTelegram, store: ShellStore, *, hooked: bool = False) -> AsyncIterator[Bot]:
    """The bot of a workspace on a node."""
    config = load(write_workspace(folder, fake.url, hooked=hooked), {"TELEGRAM_TOKEN": TOKEN}).config
    async with AsyncExitStack() as leave:
        made = bot_of(lambda: config, SECRET, store, Vault(store), leave)
        assert made is not None
        yield made


@asynccontextmanager
async def at_work(bot: Bot, store: ShellStore, node: str) -> AsyncIterator[asyncio.Task[None]]:
    """Have it work while the block lasts."""
    task = asyncio.create_task(bot.run(store, node))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def come_true(true: Callable[[], bool]) -> None:
    """Wait until `true()` is."""
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


async def test_one_node_polls_and_another_follows(fake: FakeTelegram, tmp_path: Path) -> None:
    """Of two nodes one asks Telegram, so that neither is told 409; when it stops the other goes on."""
    store = ShellStore()
    ada = fake.world.person("Ada")
    async with bot(tmp_path, fake, store) as first, bot(tmp_path, fake, store) as second, AsyncExitStack() as leave:
        async with at_work(first, store, "n-1"):
            await come_true(lambda: list(store.leases.values()) == ["n-1"])
            await leave.enter_async_context(at_work(second, store, "n-2"))
            fake.world.write(ada, "one")
            await come_true(lambda: len(store.inbox) == 1)
            assert {call.code for call in fake.called("getUpdates")} <= {200}
        await come_true(lambda: list(store.leases.values()) == ["n-2"])
        fake.world.write(ada, "two")
        await come_true(lambda: len(store.inbox) == 2)


async def test_who_lost_the_lease_stops_at_once(fake: FakeTelegram, tmp_path: Path) -> None:
    """A node whose lease another has taken ends its poll, and asks no more."""
    store = ShellStore()
    async with bot(tmp_path, fake, store) as one, at_work(one, store, "n-1"):
        ada = fake.world.person("Ada")
        fake.world.write(ada, "for n-1")
        await come_true(lambda: len(store.inbox) == 1)
        store.leases = dict.fromkeys(store.leases, "n-9")
        await come_true(lambda: all(task.get_name() != "telegram" for task in asyncio.all_tasks()))
        fake.world.write(ada, "for n-9")
        await asyncio.sleep(0.3)
        assert len(store.inbox) == 1


async def test_a_mistake_of_ours_does_not_end_the_channel(
    fake: FakeTelegram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should taking an update in fail for a reason nobody thought of, it is logged and the update asked for again."""
    store = ShellStore()
    append = store.append
    failures = [RuntimeError("a mistake"), RuntimeError("a mistake")]

    async def mistaken(entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        if failures:
            raise failures.pop()
        return await append(entries, conflict=conflict)

    monkeypatch.setattr(store, "append", mistaken)
    monkeypatch.setattr(telegram, "FAILED_SECONDS", 0.01)
    async with bot(tmp_path, fake, store) as one, at_work(one, store, "n-1"):
        fake.world.write(fake.world.person("Ada"), "Hello")
        await come_true(lambda: len(store.inbox) == 1)
    assert failures == []


async def test_a_webhook_takes_telegrams_word_alone(fake: FakeTelegram, tmp_path: Path) -> None:
    """An update counts with Telegram's secret only; it is answered 200 on disk, 503 without a store, each once."""
    store = ShellStore()
    async with bot(tmp_path, fake, store, hooked=True) as one, at_work(one, store, "n-1"):
        app = FastAPI()
        for routes in routes_of(one):
            app.include_router(routes)
        web = WebServer(app, "127.0.0.1", 0)
        host, port = await web.start()
        fake.reach[HOOKED] = f"http://{host}:{port}"
        ada = fake.world.person("Ada")
        try:
            await come_true(lambda: bool(fake.methods.webhook["url"]))
            store.down = True
            fake.world.write(ada, "My refund?")
            await come_true(lambda: "503" in fake.methods.webhook.get("last_error_message", ""))
            assert store.inbox == {}
            store.down = False
            await come_true(lambda: not fake.world.queue)
            assert [one.raw.count(b"My refund?") for one in store.inbox.values()] == [1]
            assert await _knocked(f"http://{host}:{port}{PATH}", fake, ada) == [404] * 4 + [200, 413, 200]
            assert len(store.inbox) == 1
        finally:
            await web.stop()
    assert fake.called("getUpdates") == []


async def _knocked(url: str, fake: FakeTelegram, ada: Json) -> list[int]:
    """What strangers are answered, and Telegram itself: the same again, too much, what is no update."""
    strange = {"update_id": 1, "message": fake.world.message(fake.world.private(ada), text="x", **{"from": ada})}
    right = [(NAME.encode(), fake.methods.secret.encode())]
    async with httpx.AsyncClient(trust_env=False) as client:
        found = []
        for said in (None, b"", b"0" * 64, "é".encode()):
            headers = [] if said is None else [(NAME.encode(), said)]
            found.append((await client.post(url, json=strange, headers=headers)).status_code)
        bodies = (msgspec.json.encode(fake.world.told[0]), b"x" * 1_000_001, b"no JSON")
        answers = [await client.post(url, content=body, headers=right) for body in bodies]
    return found + [answer.status_code for answer in answers]


async def test_a_polling_bot_has_no_webhook(fake: FakeTelegram, tmp_path: Path) -> None:
    """Where updates are polled nothing is taken at the webhook's address, not even with the right secret."""
    store = ShellStore()
    async with bot(tmp_path, fake, store) as one:
        app = FastAPI()
        app.include_router(one.routes())
        transport = httpx.ASGITransport(app)
        channel = load(tmp_path, {"TELEGRAM_TOKEN": TOKEN}).config.channels.telegram
        assert channel is not None
        async with httpx.AsyncClient(transport=transport, base_url="http://usherd") as client:
            answer = await client.post(PATH, json={}, headers={NAME: hook_secret(channel, SECRET)})
        assert answer.status_code == 404


async def test_a_webhook_set_with_another_secret_is_set_anew(fake: FakeTelegram, tmp_path: Path) -> None:
    """After a restart with another secret Telegram is told it, though it knows the address: else nothing came in."""
    store = ShellStore()
    fake.methods.webhook["url"], fake.methods.secret = f"{HOOKED}{PATH}", "what-it-was-before"
    async with bot(tmp_path, fake, store, hooked=True) as one, at_work(one, store, "n-1"):
        await come_true(lambda: fake.methods.secret != "what-it-was-before")


async def test_a_webhook_that_cannot_be_set_is_said(fake: FakeTelegram, tmp_path: Path) -> None:
    """While Telegram does not take the webhook the status says so; then it is set and the trouble is over."""
    store = ShellStore()
    fake.fail("setWebhook", Fault(400, "Bad Request: bad webhook"))
    async with bot(tmp_path, fake, store, hooked=True) as one, at_work(one, store, "n-1"):
        await come_true(lambda: bool(one.problems()))
        assert one.problems() == ["Telegram's webhook could not be set (telegram_rejected)"]
        await come_true(lambda: not one.problems())
    assert fake.methods.webhook["url"] == f"{HOOKED}{PATH}"


async def test_what_is_not_addressed_to_telegram_is_not_sent(fake: FakeTelegram, tmp_path: Path) -> None:
    """An answer to nobody, to two, or to another channel's address fails; one to a chat is sent as it was written."""
    store = ShellStore()
    ada = fake.world.person("Ada")
    fake.world.private(ada)
    async with bot(tmp_path, fake, store) as one:
        sender = sender_of(one)["telegram"]

        async def tried(*to: str) -> DeliveryState:
            message = Message(channel="telegram", from_=Address(address=""), text="Hi <b>", message_id="m")
            message.to = tuple(Address(address=address) for address in to)
            return (await attempt(sender.send, message)).state

        for wrong in ((), ("visitor:1",), (f"telegram:{ada['id']}", "telegram:1")):
            assert await tried(*wrong) is DeliveryState.FAILED
        assert await tried(f"telegram:{ada['id']}") is DeliveryState.SENT
        assert sender.retry_after(1, 0) == 2_000
    assert fake.world.sent_to(ada) == ["Hi <b>"]


@pytest.mark.parametrize(
    ("written", "env", "line", "words"),
    [
        ("token: 700001:AAE-fake_token-of-thirty-five-characters", TOKEN, 3, "is a secret: write it as ${NAME}"),
        ("token: ${TELEGRAM_TOKEN}", "hunter2", 3, "refers to no bot's token"),
        ("token: ${TELEGRAM_TOKEN}", "", 3, "needs the environment variable TELEGRAM_TOKEN"),
        ("token: ${TELEGRAM_TOKEN}\n    mode: webhook", TOKEN, 4, "needs an address at which Telegram reaches usherd"),
        ("token: ${TELEGRAM_TOKEN}\n    mode: long", TOKEN, 4, "polling"),
        ("token: ${TELEGRAM_TOKEN}\n    secret: ${SHORT}", TOKEN, 4, "needs 16 to 256 characters"),
        ("token: ${TELEGRAM_TOKEN}\n    api: api.telegram.org", TOKEN, 4, "https://api.telegram.org"),
        ("token: ${TELEGRAM_TOKEN}\n    api: http://bots.example:8081", TOKEN, 4, "over a network in the clear"),
        ("token: ${TELEGRAM_TOKEN}\n    greeting: {fr: Salut}", TOKEN, 4, "fr"),
        ("token: ${TELEGRAM_TOKEN}\n    file_size: 50MB", TOKEN, 4, "20"),
        ("mode: polling", TOKEN, 2, "token"),
    ],
)
def test_mistakes_are_named_with_line_and_remedy(tmp_path: Path, written: str, env: str, line: int, words: str) -> None:
    """Each mistake in the channel's keys is refused with its line and what to do, and no secret is shown."""
    path = tmp_path / "workspace.yaml"
    path.write_text(f"channels:\n  telegram:\n    {written}\nworkspace: acme\n")
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path, {"TELEGRAM_TOKEN": env, "SHORT": "short"})
    [error] = caught.value.errors
    assert (error.line, words in str(error)) == (line, True), str(error)
    assert env not in str(error) or not env


def test_the_token_is_struck_from_logs() -> None:
    """Wherever a bot's token stands in a log, as in the addresses that an HTTP library logs, it is blanked out."""
    for text in (f"POST https://api.telegram.org/bot{TOKEN}/getMe", f"token {TOKEN} rejected", f"'{TOKEN}'"):
        assert TOKEN.partition(":")[2] not in scrub(text)
    assert scrub("at 2026-11-28T20:42:23.404182Z, 12:30") == "at 2026-11-28T20:42:23.404182Z, 12:30"
