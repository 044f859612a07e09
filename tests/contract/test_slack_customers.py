"""Customers write in Slack: each thread is a contact, whoever of them writes; agents and programs are no customers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from unittest.mock import AsyncMock, Mock, patch

import pytest_asyncio

from channels.slack import customers, fetching, work
from channels.slack.normal import extract
from router.core.errors import StoreUnavailable
from router.core.ports import Appended, InboxEntry
from router.sim.slack import Rules
from tests.support.slack_customers import Shop
from tests.support.slack_house import slack_house


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Shop]:
    """Ana is available; Slack sends events again after a moment, and what it does not tell is asked for quickly."""
    rules = Rules(ack=1.0, retries=(0.0, 0.3, 1.0, 2.0), tier_scale=20)
    with (
        patch.object(customers, "TRY_FIRST_SECONDS", 0.01),
        patch.object(customers, "TRIES_MAX", 4),
        patch.object(fetching, "AGAIN_SECONDS", 0.01),
    ):
        async with slack_house(rules) as desk:
            desk.house.available("ana")
            yield Shop(desk)


async def test_a_thread_is_a_contact(shop: Shop) -> None:
    """It says who wrote, in plain words; who answers in the thread joins, another message begins another contact."""
    first = await shop.cara.writes(
        "I want my *money* back & fast, @zoe: https://shop.example/1 :cry:", channel=shop.channel
    )
    [message] = await shop.comes(1)
    assert message.from_.name == "Cara Cruz"
    assert message.from_.address == f"slack:{shop.cara.id}"
    assert message.reply_to[0].address == f"slack:{shop.channel.id}/{first.ts}"
    assert message.text == "I want my *money* back & fast, @Zoe: https://shop.example/1 😢"
    assert message.language == "en-US"
    assert any("another organisation" in one for one in message.warnings)
    card = await shop.desk.card("ana", "Cara Cruz", "money", "Offered to you")
    assert "everybody in that channel reads it" not in card.said  # so far it is only offered
    await shop.desk["ana"].clicks(card, "usherd.accept")
    await shop.desk.card("ana", "everybody in that channel reads it")
    await shop.dan.writes("I have the same.", thread=first)
    await shop.comes(2)
    await shop.desk.told("ana", card, "I have the same.")
    await shop.cara.writes("Something else.", channel=shop.channel)
    await shop.comes(3)
    assert [len(one.messages) for one in shop.contacts] == [2, 1]
    assert [one.flag for one in shop.contacts] == ["", ""]
    assert shop.contacts[0].account == f"slack/{shop.channel.id}"
    assert shop.desk.slack.pings == [(shop.desk["zoe"].id, shop.channel.messages[first.ts])]  # Cara's own


async def test_only_customers_are(shop: Shop) -> None:
    """What agents write there, the app itself, and what is said in other channels opens nothing; colleagues may ask."""
    await shop.cara.writes("Lunch?", channel=shop.other)
    first = await shop.desk["zoe"].writes("A question of mine.", channel=shop.channel)
    await shop.desk["ana"].writes("I look into it.", thread=first)
    await shop.desk["ben"].writes("By the way …", channel=shop.channel)  # an agent by member id
    await shop.desk.slack.settled()
    await shop.cara.writes("The last.", channel=shop.channel)
    messages = await shop.comes(2)
    assert [one.text for one in messages] == ["A question of mine.", "The last."]
    shop.desk.customers[shop.channel.id] = True
    await shop.desk["ben"].writes("Now I am one.", channel=shop.channel)
    [message] = await shop.comes(3)
    assert message.from_.name == "Ben"


async def test_what_is_worded_anew_or_deleted_says_so(shop: Shop) -> None:
    """Both join where the first words are; a deletion wakes nobody, be it of a thread's first message or of another."""
    first = await shop.cara.writes("Order 11.", channel=shop.channel)
    second = await shop.cara.writes("Please.", thread=first)
    await shop.comes(2)
    card = await shop.desk.card("ana", "Please.")  # from here on what is new goes into its thread
    await shop.cara.edits(first, "Order 12.")
    [edit] = await shop.comes(3)
    assert (edit.text, edit.revises) == ("Order 12.", f"slack:{shop.channel.id}:{first.ts}")
    await shop.desk.told("ana", card, "Order 12.")
    await shop.desk["ana"].clicks(card, "usherd.read")
    await shop.desk.until(lambda: shop.desk["ana"].modal, "the window")
    assert shop.desk["ana"].modal is not None
    assert "Order 11." in shop.desk["ana"].modal.said
    await shop.cara.deletes(second)
    [gone] = await shop.comes(4)
    assert (gone.auto, gone.revises) == ("deleted", f"slack:{shop.channel.id}:{second.ts}")
    await shop.dan.writes("Me too.", thread=first)
    await shop.comes(5)
    await shop.cara.deletes(first)  # it leaves a tombstone, for there are answers
    [gone] = await shop.comes(6)
    assert gone.auto == "deleted"
    [contact] = shop.contacts
    assert [ref.auto for ref in contact.messages] == [None, None, None, "deleted", None, "deleted"]


async def test_files_come_along(shop: Shop) -> None:
    """From a shared channel Slack tells only that there is one: it is asked, and its name made safe."""
    await shop.cara.uploads("a/../order.pdf", b"%PDF", text="See here.", channel=shop.channel)
    [message] = await shop.comes(1)
    assert [(one.filename, one.content_type, one.size) for one in message.attachments] == [
        ("order.pdf", "application/pdf", 4)
    ]
    assert extract(shop.entries[0].raw, 0)[2] == b"%PDF"
    with patch.object(customers, "FILE_BYTES_MAX", 3):
        await shop.cara.uploads("large.pdf", b"%PDF", channel=shop.channel)
        [message] = await shop.comes(2)
    assert (message.attachments, message.subject) == ((), "large.pdf")
    assert "large.pdf" in message.warnings[0]


async def test_a_file_that_is_never_had_holds_up_nothing(shop: Shop) -> None:
    """Slack answers with errors, or nothing is there: the words come without it and say so, and so do the next."""
    slack = shop.desk.slack
    slack.faults.fail("download", status=502, times=1_000)
    first = await shop.cara.uploads("one.pdf", b"1", text="First.", channel=shop.channel)
    await shop.cara.writes("Second.", thread=first)
    messages = await shop.comes(2)
    assert [one.text for one in messages] == ["First.", "Second."]
    assert "one.pdf" in messages[0].warnings[0]
    slack.faults.clear()
    slack.faults.refuse("files.info", "file_not_found")
    await shop.cara.uploads("two.pdf", b"2", text="Third.", channel=shop.channel)
    [message] = await shop.comes(3)
    assert "file_not_found" in message.warnings[0]


async def test_who_cannot_be_asked_for_is_let_in_without_a_name(shop: Shop) -> None:
    """Slack does not say who it is, by mistake or by refusing: the words are not lost, and agents stay agents."""
    slack = shop.desk.slack
    slack.faults.fail("users.info", times=1_000)
    await shop.cara.writes("Who am I?", channel=shop.channel)
    await shop.desk["ben"].writes("I am an agent.", channel=shop.channel)
    [message] = await shop.comes(1)
    assert message.from_.name == "Slack member"
    slack.faults.clear()
    slack.faults.refuse("users.info", "missing_scope", times=10)
    await shop.dan.writes("And I?", channel=shop.channel)
    [message] = await shop.comes(2)
    assert "did not say who" in message.warnings[0]


async def test_an_event_however_often_it_comes_is_one_message(shop: Shop) -> None:
    """Four copies, a first try that was lost, and a store that is away for a moment."""
    slack = shop.desk.slack
    slack.faults.repeat_events(4)
    slack.faults.only_retries(1)
    await shop.cara.writes("Once.", channel=shop.channel)
    await slack.settled()
    await shop.comes(1)
    slack.faults.clear()
    shop.desk.memory.fails = True
    await shop.cara.writes("Twice.", channel=shop.channel)
    await shop.desk.until(lambda: len(slack.deliveries.sent) >= 2, "sent")
    shop.desk.memory.fails = False
    await shop.comes(2)
    shop.desk.house.inbox.error = StoreUnavailable("away")
    await shop.cara.writes("Thrice.", channel=shop.channel)
    await shop.desk.until(lambda: shop.desk.memory.left("in:"), "stored")
    await shop.desk.stop()  # acknowledged, and not handed on yet
    shop.desk.house.inbox.error = None
    shop.desk.customers.clear()  # whatever the workspace says by then: it was acknowledged
    await shop.desk.start()
    [message] = await shop.comes(3)
    assert message.text == "Thrice."
    await shop.desk.until(lambda: not shop.desk.memory.left("in:"), "forgotten")


async def test_what_was_handed_on_as_the_process_died_is_one_message(shop: Shop) -> None:
    """Slack was told, the inbox has it, and its answer was lost: the next process hands it on anew, which adds none."""
    inbox = shop.desk.house.inbox
    append = AsyncMock(side_effect=inbox.append)

    async def lost(entries: list[InboxEntry], *, conflict: str = "keep") -> list[Appended]:
        await inbox.__class__.append(inbox, entries, conflict=conflict)
        raise StoreUnavailable("the answer was lost")

    with patch.object(inbox, "append", lost):
        await shop.cara.writes("Once.", channel=shop.channel)
        await shop.desk.until(lambda: shop.entries, "handed on")
        await shop.desk.slack.settled()
        await shop.desk.stop()
    assert len(shop.desk.slack.deliveries.acknowledged) == 1
    assert len(shop.desk.memory.left("in:")) == 1
    with patch.object(inbox, "append", append):
        await shop.desk.start()
        await shop.desk.until(lambda: not shop.desk.memory.left("in:"), "forgotten")
    assert append.await_count == 1
    [message] = await shop.comes(1)
    assert message.text == "Once."


async def test_what_was_said_while_nobody_listened_is_read_later() -> None:
    """Messages, answers in a thread and edits that Slack gave up are found after the start, and none comes twice."""
    async with slack_house(Rules(ack=0.5, retries=(0.0,), tier_scale=20)) as desk:
        shop = Shop(desk)
        desk.house.now = int(desk.slack.space.now() * 1_000)
        first = await shop.cara.writes("Before.", channel=shop.channel)
        await shop.comes(1)
        await desk.until(lambda: "alive" in desk.memory.kept, "remembered")
        await desk.stop()
        await shop.dan.writes("An answer.", thread=first)
        await shop.cara.writes("Another.", channel=shop.channel)
        await desk["ana"].writes("Among us.", channel=shop.channel)
        await shop.cara.edits(first, "Before all.")
        await desk.slack.settled()
        desk.house.now += 3_600_000
        await desk.start()
        messages = await shop.comes(4)
        assert sorted(one.text for one in messages) == ["An answer.", "Another.", "Before all."]
        assert [len(one.messages) for one in shop.contacts] == [3, 1]


async def test_what_was_deleted_while_nobody_listened_is_seen_later() -> None:
    """An answer in a thread, a thread's first message, and one without answers: each is told once, and nothing else."""
    async with slack_house(Rules(ack=0.5, retries=(0.0,), tier_scale=20)) as desk:
        shop = Shop(desk)
        desk.house.now = int(desk.slack.space.now() * 1_000)
        await desk["ana"].writes("Welcome.", channel=shop.channel)  # the oldest that stands there
        alone = await shop.cara.writes("Alone.", channel=shop.channel)
        head = await shop.cara.writes("A head.", channel=shop.channel)
        gone = await shop.dan.writes("An answer.", thread=head)
        await shop.dan.writes("It stays.", thread=head)
        await shop.comes(4)
        await desk.until(lambda: "alive" in desk.memory.kept, "remembered")
        await desk.stop()
        for one, who in ((alone, shop.cara), (gone, shop.dan), (head, shop.cara)):
            await who.deletes(one)
        await desk.slack.settled()
        desk.house.now += 3_600_000
        await desk.start()
        messages = await shop.comes(7)
        wanted = {f"slack:{shop.channel.id}:{one.ts}" for one in (alone, head, gone)}
        assert {one.revises for one in messages} == wanted
        assert {one.auto for one in messages} == {"deleted"}
        await desk.stop()
        desk.house.now += 3_600_000
        await desk.start()  # what is known to be gone is not told again
        await shop.cara.writes("The next.", channel=shop.channel)
        [message] = await shop.comes(8)
        assert message.text == "The next."


async def test_customers_hold_up_no_agent(shop: Shop) -> None:
    """Many files that are slow to come keep hands of their own busy; a click is carried out at once."""
    contact = shop.desk.house.mail("I want my money back.", subject="Refund")
    card = await shop.desk.card("ana", "Refund", "Offered to you")
    shop.desk.slack.faults.hang("download", seconds=60.0, times=1_000)
    for number in range(20):
        await shop.cara.uploads(f"{number}.pdf", b"1", channel=shop.channel)
    await shop.desk.until(lambda: len(shop.desk.memory.left("in:")) == 20, "stored")
    await shop.desk["ana"].clicks(card, "usherd.accept")
    await shop.desk.until(lambda: contact.agent == "ana", "accepted")
    assert shop.entries == []


async def test_a_mistake_of_ours_loses_no_customers_words(shop: Shop) -> None:
    """What goes wrong around them leaves the words; and what goes wrong with all of it stays until it is mended."""
    silence = patch.multiple(customers, log=Mock()), patch.multiple(work, log=Mock())  # a trace takes a second to print
    with silence[0], patch.object(customers.Customers, "_names", side_effect=RuntimeError("a mistake")):
        await shop.cara.writes("Only words.", channel=shop.channel)
        [message] = await shop.comes(1)
        assert (message.text, message.from_.name) == ("Only words.", "Slack member")
    append = AsyncMock(side_effect=RuntimeError("a mistake"))
    mistaken = patch.object(shop.desk.house.inbox, "append", append)
    with mistaken, silence[0], silence[1], patch.object(work, "FAILED_SECONDS", 0.01):
        await shop.cara.writes("Kept.", channel=shop.channel)
        await shop.desk.until(lambda: append.await_count > 4, "tried again and again")
        assert len(shop.desk.memory.left("in:")) == 1
        append.side_effect = shop.desk.house.inbox.__class__.append.__get__(shop.desk.house.inbox)
        [message] = await shop.comes(2)
    assert message.text == "Kept."
