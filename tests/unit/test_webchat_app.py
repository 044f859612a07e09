"""The chat tied to the rest: its settings from the workspace, its way out, and what is followed without a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from channels.webchat import Entries
from router.app import chat
from router.app.reload import takes_restart
from router.core.errors import PoisonError
from router.core.message import Address, Message
from router.core.transitions import DeliveryState
from skills.findings import ConfigErrors
from skills.model import WorkspaceConfig
from skills.workspace import load

SECRET = b"s" * 32
WORKSPACE = """
workspace: acme
languages: [en]
agents: {{ana: {{name: Ana, skills: {{lang:en: 5}}, capacity: {{chat: 3, email: 3}}}}}}
teams: {{triage: {{members: [ana]}}}}
channels:
{channels}
"""
MAIL = """
  email:
    smtp: {recipients: [help@acme.example, more@acme.example]}
    send: {host: 127.0.0.1}
"""


def config(folder: Path, channels: str) -> WorkspaceConfig:
    """A workspace with these channels. Raises ConfigErrors."""
    (folder / "workspace.yaml").write_text(WORKSPACE.format(channels=channels))
    return load(folder).config


def reply(*to: str) -> Message:
    """An answer to these."""
    return Message(
        channel="webchat", from_=Address(address="help@acme.example"), to=tuple(Address(address=one) for one in to)
    )


async def test_an_answer_to_a_visitor_is_sent_at_once() -> None:
    """What is addressed to a visitor is sent; what is addressed to anybody else fails rather than vanish."""
    sender = chat.ChatSender()
    assert (await sender.send(reply("visitor:abc"))).state is DeliveryState.SENT
    for to in (("kim@example.org",), ("visitor:abc", "kim@example.org")):
        assert (await sender.send(reply(*to))).state is DeliveryState.FAILED
    assert sender.retry_after(1, 0) is None


def test_files_are_taken_out_of_what_they_came_in() -> None:
    """A visitor's file comes from the chat's own packing; all the rest is left to the mail's extractor."""
    asked: list[bytes] = []

    def mail(raw: bytes, part: int) -> tuple[str, str, bytes]:
        asked.append(raw)
        if part:
            raise PoisonError("no such part")
        return "a.txt", "text/plain", b"mail"

    take = chat.by_channel(mail)
    packed = Entries(text_characters_max=10, file_bytes_max=10).sent("v", "client-01", "b.txt", "", b"chat").raw
    assert take(packed, 0) == ("b.txt", "application/octet-stream", b"chat")
    assert asked == []
    assert take(b"From: a@b.example\r\n\r\nHi", 0)[2] == b"mail"
    with pytest.raises(PoisonError):
        take(packed, 1)


def test_settings_come_from_the_workspace(tmp_path: Path) -> None:
    """Sites, title, limits and the form's account are those of the workspace."""
    webchat = """
  webchat:
    origins: [HTTPS://Acme.Example:443/, "http://localhost:8000"]
    title: Acme Air
    form_account: more@acme.example
    limits: {text_characters: 500, file_size: 1MB, messages_per_minute: 3, connections: 7}
"""
    made = chat.web_chat(config(tmp_path, MAIL + webchat), SECRET)
    assert made is not None
    assert made.settings.origins == {"https://acme.example", "http://localhost:8000"}
    assert (made.settings.title, made.settings.form) == ("Acme Air", True)
    limits = made.limits
    found = (limits.text_characters, limits.file_bytes, limits.messages_per_minute, limits.connections)
    assert found == (500, 1_000_000, 3, 7)
    entry = made.entries.left("v", "client-01", "kim@example.org", "Hello", "")
    assert b"more@acme.example" in entry.meta
    with pytest.raises(ValueError, match="bad_email"):
        made.entries.left("v", "client-01", "help@acme.example", "Hello", "")


def test_without_a_way_out_for_mail_there_is_no_form(tmp_path: Path) -> None:
    """A chat alone works, under the workspace's name, without a form; no `webchat`, no chat."""
    made = chat.web_chat(config(tmp_path, "  webchat:"), SECRET)
    assert made is not None
    assert (made.settings.form, made.settings.title, made.settings.origins) == (False, "acme", frozenset())
    assert chat.web_chat(config(tmp_path, MAIL), SECRET) is None


@pytest.mark.parametrize(
    "origin",
    ["acme.example", "ftp://acme.example", "https://acme.example/shop", "https://", "https://a@b.example", "*"],
)
def test_what_is_no_origin_is_an_error(tmp_path: Path, origin: str) -> None:
    """A site that browsers could never name is refused, with its line and an example."""
    with pytest.raises(ConfigErrors) as caught:
        config(tmp_path, f'  webchat: {{origins: ["{origin}"]}}')
    [error] = caught.value.errors
    assert error.line == 7
    assert "https://example.com" in str(error)


def test_the_chats_settings_need_no_restart(tmp_path: Path) -> None:
    """Another title is followed by the running daemon; turning the chat on or off takes a restart, and is said so."""
    before = config(tmp_path, "  webchat:")
    assert takes_restart(before, config(tmp_path, "  webchat: {title: Other}")) == []
    assert takes_restart(before, config(tmp_path, MAIL)) == ["channels"]
