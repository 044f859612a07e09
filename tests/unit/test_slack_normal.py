"""A message of a customers' channel in normal form: whatever is in it, it is read; what is none is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.slack.customers import entry_of
from channels.slack.normal import extract, normalise, place_of, thread_of
from channels.slack.packing import Fetched, Posted, pack
from channels.telegram.packing import Packed
from channels.telegram.packing import pack as packed_by_telegram
from channels.webchat.packing import Said
from channels.webchat.packing import pack as packed_by_chat
from router.app.chat import by_channel
from router.core.errors import PoisonError
from router.desk.texts import replies_line

FIRST, SECOND = "1700000000.000100", "1700000060.000200"
POSTED = Posted(what="say", channel="C034EF5GH", ts=SECOND, thread=FIRST, user="U034EF5GH", text="Hello", name="Cara")


def posted(**more: object) -> Posted:
    """A message with something else in it."""
    return msgspec.structs.replace(POSTED, **more)


def test_an_answer_in_a_thread() -> None:
    """It names its thread's first message, and goes back there."""
    message = normalise(pack(POSTED), b"{}")
    assert (message.from_.address, message.from_.name) == ("slack:U034EF5GH", "Cara")
    assert place_of(message.reply_to[0].address) == ("C034EF5GH", FIRST)
    assert (message.message_id, message.in_reply_to) == (f"slack:C034EF5GH:{SECOND}", f"slack:C034EF5GH:{FIRST}")
    assert thread_of(message) == f"slack:C034EF5GH:{FIRST}"
    assert message.sent_at == "2023-11-14T22:14:20Z"
    assert (message.revises, message.auto) == (None, None)


def test_what_begins_a_thread_is_its_own() -> None:
    """Also once it is worded anew, or deleted."""
    for what in ("say", "edit", "delete"):
        message = normalise(pack(posted(what=what, ts=FIRST, stamp="1700000099.000000")), b"{}")
        assert thread_of(message) == f"slack:C034EF5GH:{FIRST}"
        assert message.revises == (None if what == "say" else message.message_id)
        assert message.auto == ("deleted" if what == "delete" else None)


@given(st.text(max_size=300), st.text(max_size=200), st.sampled_from(["say", "edit", "delete"]), st.text(max_size=20))
def test_any_words_and_names_are_read(text: str, name: str, what: str, ts: str) -> None:
    """Nothing that people or Slack write breaks it; names are one line, texts hold no controls."""
    text, name, ts = (one.encode("utf-8", "replace").decode() for one in (text, name, ts))
    message = normalise(pack(posted(text=text, name=name, what=what, stamp=ts)), b"{}")
    assert message.from_.name
    assert "\n" not in message.from_.name + message.subject
    assert not any(char < " " and char not in "\n\t" for char in message.text)
    assert len(message.subject) <= 71


@given(st.binary(max_size=200))
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    """It is looked at by a person, and nothing breaks."""
    with pytest.raises(PoisonError):
        normalise(raw, b"{}")


def test_files_are_found_among_those_of_all_channels() -> None:
    """Each by its place; what another channel packed is that one's, and what is not there is no file."""
    two = (Fetched(name="a.txt", type="text/plain", size=1), Fetched(name="b.txt", type="text/plain", size=2))
    raw = pack(posted(files=(two[0], Fetched(name="gone", type="x/y", problem="gone"), two[1])), (b"1", b"22"))
    take = by_channel(lambda _, __: ("mail", "", b""))
    assert take(raw, 0) == ("a.txt", "text/plain", b"1")
    assert take(raw, 2) == ("b.txt", "text/plain", b"22")
    for place in (1, 3, -1):
        with pytest.raises(PoisonError):
            extract(raw, place)
    for other in (packed_by_telegram(Packed(bot=1, updates=())), packed_by_chat(Said(visitor="v", client="c"))):
        with pytest.raises(PoisonError):
            extract(other, 0)
    message = normalise(raw, b"{}")
    assert [one.part for one in message.attachments] == [0, 2]
    assert message.warnings == ("gone",)


def test_the_same_message_is_the_same_entry_however_it_was_read() -> None:
    """Before it was worded anew or after, with its files or without; an edit is another, and so is each further one."""
    first, later = entry_of(POSTED), entry_of(posted(text="Hello!", name="", locale="de-DE"))
    assert (first.key, first.body) == (later.key, later.body)
    edits = {entry_of(posted(what="edit", stamp=stamp)).key for stamp in ("1", "2")}
    assert len({first.key, *edits}) == 3
    assert entry_of(posted(channel="C034EF5GX")).key != first.key
    assert b"Hello" not in first.meta


@pytest.mark.parametrize(
    "address", ["", "slack:U034EF5GH", "slack:C034EF5GH", "slack:C034EF5GH/1", "telegram:1/2", "a@b"]
)
def test_what_is_no_place_in_slack(address: str) -> None:
    """Nothing is sent there."""
    assert place_of(address) is None


def test_the_agent_is_told_who_reads_an_answer() -> None:
    """In a channel that is everybody who is there."""
    assert replies_line([f"slack:C034EF5GH/{FIRST}"], "slack").endswith("everybody in that channel reads it.")
