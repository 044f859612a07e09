"""Telegram's updates as entries and messages: what is for us, what is the same, what a message says."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.telegram import extract, normalise
from channels.telegram.albums import sort
from channels.telegram.entries import Entries, Item, Me, is_for_us, item, started
from channels.telegram.packing import Fetched
from router.core.errors import PoisonError, RouterError
from router.core.message import Message
from router.core.ports import InboxEntry
from router.shell.notes import CLAIM
from tests.fakes.telegram.world import BOT, USERNAME, World

ME = Me(id=BOT, username=USERNAME.lower())
ENTRIES = Entries(bot=BOT, tidy=lambda name, kind: (name.replace("/", ""), kind), claim=CLAIM)


def world() -> World:
    """A Telegram in which a bot is told all that is said in its groups."""
    made = World()
    made.me["can_read_all_group_messages"] = True
    return made


def items(from_: World) -> list[Item]:
    """The updates of a world, as they are received."""
    found = [item(msgspec.json.encode(update)) for update in from_.told]
    return [one for one in found if one is not None]


def entry(*unit: Item, files: tuple[tuple[Fetched, bytes], ...] = ()) -> InboxEntry:
    """The entry of one message."""
    return ENTRIES.entry(unit, files)


def message(*unit: Item, files: tuple[tuple[Fetched, bytes], ...] = ()) -> Message:
    """What becomes of it."""
    made = entry(*unit, files=files)
    return normalise(made.raw, made.meta)


def test_words_become_a_message() -> None:
    """What somebody writes comes out under their id and name, with the language of their app and Telegram's number."""
    here = world()
    ada = here.person("Ada", "pt-br", last="Byron", username="ada")
    posted = here.write(ada, "Where is\r\nmy bag? \x07")
    [one] = items(here)
    made = entry(one)
    found = normalise(made.raw, made.meta)
    assert (made.source, msgspec.json.decode(made.meta)) == ("telegram", {"account": "telegram"})
    assert (found.from_.address, found.from_.name) == (f"telegram:{ada['id']}", "Ada Byron (@ada)")
    assert (found.text, found.subject, found.language) == (
        "Where is\nmy bag? \ufffd",
        "Where is my bag? \ufffd",
        "pt-br",
    )
    assert found.message_id == f"telegram:{BOT}:{ada['id']}:{posted['message_id']}"
    assert (found.reply_to, found.revises, found.auto, found.warnings) == ((), None, None, ())


def test_the_same_update_is_the_same_entry() -> None:
    """An update is known by the bot and its number, however its JSON is laid out; another bot's is another."""
    here = world()
    here.write(here.person("Ada"), "Hello")
    [one] = items(here)
    again = item(msgspec.json.format(one.raw, indent=4))
    other = Entries(bot=BOT + 1, tidy=ENTRIES.tidy, claim=CLAIM).entry((one,))
    assert again is not None
    assert (entry(again).key, entry(again).body) == (entry(one).key, entry(one).body)
    assert other.key != entry(one).key


def test_a_number_given_out_anew_is_noticed() -> None:
    """Another message under the same number has the same key and another body: it is flagged, not swallowed."""
    here = world()
    here.write(here.person("Ada"), "Hello")
    here.write(here.person("Bob"), "Hello")
    first, second = items(here)
    assert second.update is not None
    twin = msgspec.structs.replace(second, number=first.number)
    assert entry(twin).key == entry(first).key
    assert entry(twin).body != entry(first).body


def test_an_edit_revises_the_message_it_edits() -> None:
    """An edited message has the id of the first one, says so, and is another entry."""
    here = world()
    posted = here.write(here.person("Ada"), "Order 1182")
    here.edit(posted, "Order 1183")
    first, edited = items(here)
    found = message(edited)
    assert (found.text, found.revises, found.message_id) == ("Order 1183", message(first).message_id, found.revises)
    assert entry(edited).key != entry(first).key


def test_a_reply_quotes_what_it_answers() -> None:
    """A reply carries the words it answers, or the stretch that was chosen, and names the message."""
    here = world()
    ada = here.person("Ada")
    first = here.write(ada, "The blue one")
    here.write(ada, "This", reply_to_message=first)
    here.write(ada, "That", reply_to_message=first, quote={"text": "blue", "position": 4})
    _, reply, chosen = items(here)
    assert (message(reply).quoted, message(chosen).quoted) == ("The blue one", "blue")
    assert message(reply).in_reply_to == f"telegram:{BOT}:{ada['id']}:{first['message_id']}"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"location": {"latitude": 40.4, "longitude": -3.7}}, "[Place: 40.4, -3.7]"),
        (
            {
                "venue": {"location": {}, "title": "Hotel", "address": "Gran Vía 1"},
                "location": {"latitude": 1, "longitude": 2},
            },
            "[Place: Hotel, Gran Vía 1]",
        ),
        ({"contact": {"phone_number": "+34600", "first_name": "Bob"}}, "[Contact: Bob, +34600]"),
    ],
)
def test_what_is_no_text_is_put_into_words(content: dict[str, Any], text: str) -> None:
    """A place, a venue or a contact becomes a line that an agent can read."""
    here = world()
    here.post(here.message(here.private(here.person("Ada")), **content))
    [one] = items(here)
    assert is_for_us((one,), ME)
    assert message(one).text == text


def test_what_only_telegram_shows_is_named() -> None:
    """A poll is for us, and the message says that there is one; a note of Telegram's own is not for us."""
    here = world()
    chat = here.private(here.person("Ada"))
    here.post(here.message(chat, poll={"id": "1"}))
    here.post(here.message(chat, pinned_message={"message_id": 1}))
    poll, note = items(here)
    assert message(poll).warnings == ("It holds something that is shown in Telegram only: poll.",)
    assert (is_for_us((poll,), ME), is_for_us((note,), ME)) == (True, False)


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ({"type": "user", "sender_user": {"id": 1, "is_bot": False, "first_name": "Bob"}}, "Forwarded from Bob."),
        ({"type": "chat", "sender_chat": {"id": -1, "type": "group", "title": "Club"}}, "Forwarded from Club."),
        ({"type": "hidden_user", "sender_user_name": "B."}, "Forwarded from B.."),
        ({"type": "odd"}, "Forwarded from somebody who does not want to be named."),
    ],
)
def test_forwarded_words_say_whose_they_are(origin: dict[str, Any], said: str) -> None:
    """What was forwarded names who wrote it, as far as Telegram tells."""
    here = world()
    here.write(here.person("Ada"), "Look", forward_origin=origin)
    [one] = items(here)
    assert message(one).warnings == (said,)


def test_in_groups_only_what_names_or_answers_the_bot_counts() -> None:
    """In a group a mention, a command to the bot, an answer to it count; chatter and other bots' mentions do not."""
    here = world()
    ada, group = here.person("Ada"), here.group("Travellers")
    ours = here.message(group, text="Yes?", **{"from": here.me})
    counted = [
        here.write(ada, f"🙏🙏 @{USERNAME.lower()} where is it?", chat=group),
        here.write(ada, f"/help@{USERNAME}", chat=group),
        here.write(ada, "The blue one", chat=group, reply_to_message=ours),
        here.send(ada, chat=group, caption=f"@{USERNAME} look", **here.picture(b"x")),
    ]
    here.write(ada, "Good morning", chat=group)
    here.write(ada, "@SomeOtherBot hi", chat=group)
    here.write(ada, "in a channel", chat={"id": -5, "type": "channel", "title": "News"})
    found = [one for one in items(here) if is_for_us((one,), ME)]
    assert [one.posted.message_id for one in found if one.posted] == [one["message_id"] for one in counted]
    made = entry(found[0])
    assert msgspec.json.decode(made.meta) == {"account": f"telegram/{group['id']}", "quiet": True}
    said = normalise(made.raw, made.meta)
    assert [(to.address, to.name) for to in said.reply_to] == [(f"telegram:{group['id']}", "Travellers")]
    assert "everybody there reads the answer" in said.warnings[0]


def test_a_topic_of_a_forum_is_answered_there() -> None:
    """Where a group has topics the answer goes to the topic that was written in."""
    here = world()
    group = here.group("Travellers")
    here.write(here.person("Ada"), f"@{USERNAME} hi", chat=group, message_thread_id=7, is_topic_message=True)
    [one] = items(here)
    assert message(one).reply_to[0].address == f"telegram:{group['id']}/7"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/start", (True, "")),
        ("/start es", (True, "es")),
        (f"/start@{USERNAME} es", (True, "es")),
        ("/start my refund please", (False, "")),
        ("start", (False, "")),
    ],
)
def test_start_is_a_command_and_nothing_to_answer(text: str, found: tuple[bool, str]) -> None:
    """*Start*, alone or with the one word of a link, is listed as a command; with more words it is a message."""
    here = world()
    here.write(here.person("Ada"), text)
    [one] = items(here)
    assert started((one,)) == found
    assert message(one).auto == ("command" if found[0] else None)


def test_an_album_is_one_message() -> None:
    """The items of an album, though others write in between, make one message in order, with all words and files."""
    here = world()
    ada, bob = here.person("Ada"), here.person("Bob")
    here.send(ada, caption="My bag", media_group_id="g", **here.picture(b"one"))
    here.write(bob, "Hello")
    here.send(ada, media_group_id="g", **here.picture(b"two"))
    here.write(ada, "That is it")
    parted = sort(items(here))
    assert ([len(unit) for unit in parted.whole], parted.waiting) == ([2, 1, 1], [])
    files = tuple((Fetched(name=f"../{n}.jpg", type="image/jpeg"), n.encode()) for n in ("one", "two"))
    made = entry(*parted.whole[0], files=files)
    found = normalise(made.raw, made.meta)
    assert (found.text, [file.filename for file in found.attachments]) == ("My bag", ["..one.jpg", "..two.jpg"])
    assert extract(made.raw, 1) == ("..two.jpg", "image/jpeg", b"two")


def test_an_album_at_the_end_waits() -> None:
    """An album after which nothing came in its chat may not be whole; one of ten items is, and the next begins anew."""
    here = world()
    here.album(here.person("Ada"), [here.picture(b"x") for _ in range(3)])
    here.album(here.person("Bob"), [here.picture(b"x") for _ in range(11)], group="same")
    parted = sort(items(here))
    assert [len(unit) for unit in parted.whole] == [10]
    assert [len(unit) for unit in parted.waiting] == [3, 1]


def test_a_file_that_is_missing_is_said_and_shifts_no_other() -> None:
    """A file that could not be had is named in the warnings; the others keep their places and bytes."""
    here = world()
    here.write(here.person("Ada"), "See these")
    [one] = items(here)
    files = (
        (Fetched(name="a.pdf", type="application/pdf", problem="`a.pdf` was not fetched."), b""),
        (Fetched(name="b.pdf", type="application/pdf"), b"bytes"),
    )
    made = entry(one, files=files)
    found = normalise(made.raw, made.meta)
    assert [(file.part, file.filename, file.size) for file in found.attachments] == [(1, "b.pdf", 5)]
    assert found.warnings == ("`a.pdf` was not fetched.",)
    assert extract(made.raw, 1)[2] == b"bytes"
    with pytest.raises(PoisonError):
        extract(made.raw, 0)


@pytest.mark.parametrize(
    "raw", [b'{"update_id": 7, "message": {"text": 5}}', b'{"update_id": 7, "message": {"chat": []}}']
)
def test_an_update_nobody_documented_is_for_a_person(raw: bytes) -> None:
    """An update that is not as documented is for us, and its entry is poison: it is kept whole, and triage looks."""
    one = item(raw)
    assert one is not None
    assert is_for_us((one,), ME)
    with pytest.raises(PoisonError):
        message(one)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"update_id": "x"}', b"\xff", b'{"message": {}}'])
def test_what_has_no_number_is_no_update(raw: bytes) -> None:
    """JSON without a number, or what is no JSON, is no update."""
    assert item(raw) is None


@given(raw=st.binary(max_size=200))
def test_nothing_breaks_reading(raw: bytes) -> None:
    """Whatever bytes an entry holds, reading gives a message or a RouterError."""
    for read in (lambda: normalise(raw, b"{}"), lambda: extract(raw, 0)):
        with suppress(RouterError):
            assert read() is not None


def test_a_button_under_the_question_is_an_answer_of_who_pressed_it() -> None:
    """It is for us, says which contact and how, and nothing else: it opens no contact."""
    here = world()
    ada = here.person("Ada")
    asked = here.message(here.private(ada), **{"from": here.me}, text="All right?")
    asked["reply_markup"] = {"inline_keyboard": [[{"text": "Good", "callback_data": "rate:c12:4"}]]}
    here.press(ada, asked, "Good")
    [one] = items(here)
    assert is_for_us((one,), ME)
    found = message(one)
    assert (found.rates, found.auto, found.from_.address) == ("c12:4", "command", f"telegram:{ada['id']}")
    assert found.text == ""


@pytest.mark.parametrize("data", ["", "rate:c12:6", "rate:c12:", "rate:../x:4", "other", "rate:c12:4 "])
def test_another_button_is_not_for_us(data: str) -> None:
    """Whatever it says: it is of another program that uses the bot, or of nobody."""
    here = world()
    ada = here.person("Ada")
    asked = here.message(here.private(ada), **{"from": here.me}, text="?")
    asked["reply_markup"] = {"inline_keyboard": [[{"text": "x", "callback_data": data}]]}
    here.press(ada, asked, "x")
    [one] = items(here)
    assert not is_for_us((one,), ME)
    with pytest.raises(PoisonError):
        message(one)


def test_stop_refuses_messages_of_a_machine() -> None:
    """In private alone; the word of a link comes along as a proof to be checked."""
    here = world()
    ada, team = here.person("Ada"), here.group("Team")
    here.write(ada, "/stop")
    here.write(ada, "/stop it, please")
    here.write(ada, "/start " + "a" * 54)
    here.write(ada, f"/stop@{USERNAME}", chat=team)
    stop, words, start, group = (message(one) for one in items(here))
    assert (stop.consent, stop.auto) == (False, "command")
    assert (words.consent, words.auto) == (None, None)
    assert (start.proof, start.consent, start.auto) == ("a" * 54, None, "command")
    assert (group.consent, group.auto) == (None, None)
