"""The chat's channel: entries of what visitors do, messages of entries, names of files."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.webchat import Entries, extract, normalise, safe_name
from channels.webchat.files import NAME_CHARACTERS_MAX, safe_type
from router.core.errors import PoisonError, RouterError
from router.core.ports import InboxEntry

VISITOR = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
ENTRIES = Entries(
    text_characters_max=100,
    file_bytes_max=1_000,
    form_account="help@acme.example",
    own=frozenset({"help@acme.example"}),
)


def said(
    text: str = "Where is my bag?", client: str = "client-01", visitor: str = VISITOR, name: str = ""
) -> InboxEntry:
    """A visitor's words."""
    return ENTRIES.said(visitor, client, text, name)


def test_words_become_a_message() -> None:
    """What a visitor says comes out as their message, under their address, with the widget's id."""
    entry = said("Where is\r\nmy bag?", name="  Kim\tLee ")
    message = normalise(entry.raw, entry.meta)
    assert entry.source == "webchat"
    assert msgspec.json.decode(entry.meta) == {"account": "webchat", "kind": "chat"}
    assert (message.channel, message.text, message.full_text) == ("webchat", "Where is\nmy bag?", "Where is\nmy bag?")
    assert (message.from_.address, message.from_.name) == (f"visitor:{VISITOR}", "Kim Lee")
    assert (message.subject, message.message_id) == ("Where is my bag?", "client-01")


def test_a_visitor_without_a_name_is_told_from_others() -> None:
    """A visitor who gives no name is called by the beginning of their id, which is not enough to guess it by."""
    entry = said()
    assert normalise(entry.raw, entry.meta).from_.name == "Visitor 0123"


def test_the_same_again_is_the_same_entry() -> None:
    """The same words under the same id of the same visitor have the same key and body, whatever name is given."""
    first, again = said(), said(name="Kim")
    assert (first.key, first.body) == (again.key, again.body)


@pytest.mark.parametrize("other", [said(client="client-02"), said(visitor=OTHER)])
def test_another_id_or_visitor_is_another_entry(other: InboxEntry) -> None:
    """Another client id, or the same one of another visitor, is another key."""
    assert other.key != said().key
    assert other.body == said().body


def test_other_words_under_a_known_id_are_a_conflict() -> None:
    """The same id with other words has the same key and another body; a form and a chat of the same words as well."""
    assert said("a").key == said("b").key
    assert said("a").body != said("b").body
    form = ENTRIES.left(VISITOR, "client-01", "kim@example.org", "a", "")
    assert form.key == said("a").key
    assert form.body != said("a").body


@pytest.mark.parametrize(
    ("text", "code"), [("", "empty"), (" \n\t", "empty"), ("x" * 101, "too_long"), ("\u200b" * 101, "too_long")]
)
def test_words_that_are_none_or_too_many_are_refused(text: str, code: str) -> None:
    """An empty or an overlong message raises ValueError with a stable code."""
    with pytest.raises(ValueError, match=f"^{code}$"):
        said(text)


@pytest.mark.parametrize("client", ["", "short", "x" * 65, "with blank", "né-client-01", "a\nb-client-1", "../../../x"])
def test_an_id_that_no_widget_makes_is_refused(client: str) -> None:
    """A client id is 8 to 64 letters, digits, dashes and underscores."""
    with pytest.raises(ValueError, match=r"^bad_id$"):
        said(client=client)


def test_control_characters_do_not_get_in() -> None:
    """Control characters in words are replaced, in names they become blanks; text of any script stays as it is."""
    entry = said("a\x00b\x1bc\ud800d שלום 👋\u200d", name="E\u202evil\x07\nName")
    message = normalise(entry.raw, entry.meta)
    assert message.text == "a\ufffdb\ufffdc\ufffdd שלום 👋\u200d"
    assert message.from_.name == "E vil Name"


def test_hostile_words_are_words() -> None:
    """Markup, header lines and templates come out letter by letter."""
    text = "<img src=x onerror=alert(1)>\nBcc: all@acme.example\n{{7*7}} <!channel>"
    entry = said(text)
    assert normalise(entry.raw, entry.meta).text == text


def test_a_file_becomes_an_attachment() -> None:
    """A file is a message of its own, whose attachment can be taken out again, byte by byte."""
    content = b"\x89PNG\n\x00{}" * 20
    entry = ENTRIES.sent(VISITOR, "client-01", "../../etc/photo.png", "image/png; charset=x", content)
    message = normalise(entry.raw, entry.meta)
    [file] = message.attachments
    assert (file.filename, file.content_type, file.size, file.part) == ("photo.png", "image/png", len(content), 0)
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert (message.subject, message.text) == ("photo.png", "")
    assert extract(entry.raw, 0) == ("photo.png", "image/png", content)
    with pytest.raises(PoisonError):
        extract(entry.raw, 1)
    with pytest.raises(PoisonError):
        extract(said().raw, 0)


def test_files_with_other_bytes_or_names_differ() -> None:
    """The same id with another file is a conflict, with the same file the same entry."""
    bodies = {
        ENTRIES.sent(VISITOR, "client-01", name, "text/plain", content).body
        for name, content in (("a.txt", b"a"), ("a.txt", b"a"), ("a.txt", b"b"), ("b.txt", b"a"))
    }
    assert len(bodies) == 3


@pytest.mark.parametrize(("content", "code"), [(b"", "empty"), (b"x" * 1_001, "too_large")])
def test_empty_and_large_files_are_refused(content: bytes, code: str) -> None:
    """An empty file, and one over the limit, raise ValueError with a stable code."""
    with pytest.raises(ValueError, match=f"^{code}$"):
        ENTRIES.sent(VISITOR, "client-01", "a", "", content)


def test_a_form_is_answered_by_mail() -> None:
    """What is left with an address becomes a message from that address, which says that nobody has proven it."""
    entry = ENTRIES.left(VISITOR, "client-01", " Kim@Example.ORG ", "Where is my bag? " * 5, "Kim")
    message = normalise(entry.raw, entry.meta)
    assert entry.source == "webform"
    assert msgspec.json.decode(entry.meta) == {"account": "help@acme.example", "kind": "email"}
    assert (message.from_.address, message.from_.name) == ("kim@example.org", "Kim")
    assert message.subject == "Where is my bag? Where is my bag? Where is my bag? Where is my bag?…"
    assert message.message_id is None
    assert message.warnings


@pytest.mark.parametrize(
    "email",
    [
        "", "kim", "kim@", "@example.org", "kim@example", "kim@.org", "kim@example..org", "a b@example.org",
        "kim@example.org\r\nBcc: x@y.example", "kim@example.org,lee@example.org", "<kim@example.org>",
        f"{'x' * 65}@example.org", "help@acme.example", "HELP+t_c1_x@acme.example",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_answered_is_refused(email: str) -> None:
    """What is no single address, and any of our own, which would be a loop, is refused."""
    with pytest.raises(ValueError, match=r"^bad_email$"):
        ENTRIES.left(VISITOR, "client-01", email, "Hello", "")


@given(st.binary(max_size=300))
def test_whatever_lies_in_the_inbox_is_a_message_or_poison(raw: bytes) -> None:
    """Bytes that the channel never made raise PoisonError and nothing else."""
    for read in (lambda: normalise(raw, b"{}"), lambda: extract(raw, 0)):
        try:
            read()
        except RouterError as error:
            assert isinstance(error, PoisonError)  # noqa: PT017  # nothing at all may be raised as well


def test_half_a_file_is_poison() -> None:
    """An entry whose file was cut is noticed."""
    raw = ENTRIES.sent(VISITOR, "client-01", "a.txt", "text/plain", b"hello").raw
    with pytest.raises(PoisonError):
        normalise(raw[:-1], b"{}")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("receipt.pdf", "receipt.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        (".bashrc", "bashrc"),
        ("-rf", "rf"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("con.txt", "_con.txt"),
        ('a"b<c>.txt', "abc.txt"),
        ("résumé 2.pdf", "résumé 2.pdf"),
        ("", "file"),
        ("///", "file"),
    ],
)
def test_names_of_files_are_made_safe(name: str, safe: str) -> None:
    """No folder, device, control or direction character is left, and never nothing."""
    assert safe_name(name) == safe


@given(st.text(max_size=400))
def test_any_name_is_safe(name: str) -> None:
    """Whatever comes in, what comes out is short, not empty, printable, and stays the same when made safe again."""
    safe = safe_name(name)
    assert 0 < len(safe) <= NAME_CHARACTERS_MAX
    assert not set(safe) & set('/\\<>:"|?*\x00\n\r\u202e')
    assert safe[0] not in ".-"
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("given_type", "kept"),
    [
        ("image/png", "image/png"),
        ("Text/HTML; charset=utf-8", "text/html"),
        ("", "application/octet-stream"),
        ("a/b\r\nX-Evil: 1", "application/octet-stream"),
    ],
)
def test_content_types_are_plain(given_type: str, kept: str) -> None:
    """A content type is `word/word`, or said to be unknown."""
    assert safe_type(given_type) == kept
