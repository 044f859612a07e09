"""The web chat tied to the shell and the web: how its entries are read, and how answers reach the visitor."""

from __future__ import annotations

from channels import telegram
from channels.slack import normal as slack
from channels.webchat import Entries, address_of, extract, normalise, safe_name
from channels.webchat.entries import CHAT, FORM
from channels.webchat.files import safe_type
from router.core.errors import PoisonError
from router.core.message import Message
from router.core.transitions import DeliveryState
from router.shell.channel import Channel
from router.shell.identities import identity_of
from router.shell.live import Extract
from router.shell.outbox import Sent
from router.web.chat_parts import Chat, ChatLimits, ChatSettings
from skills.channel_model import WebchatChannel
from skills.model import WorkspaceConfig

VISITOR = address_of("")


def chat_channels() -> dict[str, Channel]:
    """By source: what is answered in the chat, and what was left in its form, which goes on as mail."""
    return {
        CHAT: Channel(name=CHAT, normalise=normalise, hostile=False, kind=lambda _: "chat", thread=lambda _: None),
        FORM: Channel(name="email", normalise=normalise, hostile=False, kind=lambda _: "email", thread=lambda _: None),
    }


class ChatSender:
    """Implements the outbox's `Sender`: an answer is sent once the visitor can read it.

    It is in the journal by then, and a visitor's conversation is read from there; so all that is left is to say so.
    The report of it is what lets the visitor see it.
    """

    async def send(self, message: Message) -> Sent:
        """Sent, if it is addressed to a visitor."""
        if all(one.address.startswith(VISITOR) for one in message.to):
            return Sent(state=DeliveryState.SENT)
        return Sent(state=DeliveryState.FAILED, detail="it is not addressed to a visitor")

    def retry_after(self, attempts: int, waited_ms: int) -> int | None:  # noqa: ARG002 - the shape of every sender
        """There is nothing to wait for."""
        return None


def tidy(name: str, content_type: str) -> tuple[str, str]:
    """A file's name and type as they may travel on, whoever named them."""
    return safe_name(name), safe_type(content_type)


def by_channel(mail: Extract) -> Extract:
    """What takes files out of raw messages: those of the chat, Telegram and Slack and, for all the rest, `mail`."""

    def take(raw: bytes, part: int) -> tuple[str, str, bytes]:
        for packed in (extract, telegram.extract, slack.extract):
            try:
                return packed(raw, part)
            except PoisonError:  # not packed by that channel
                continue
        return mail(raw, part)

    return take


def web_chat(config: WorkspaceConfig, secret: bytes) -> Chat | None:
    """What the web needs for the chat; None if the workspace has none."""
    given = config.channels.webchat
    if given is None:
        return None
    email = config.channels.email
    answers = email is not None and email.send is not None and bool(config.accounts)
    limits = given.limits
    return Chat(
        entries=Entries(
            text_characters_max=limits.text_characters,
            file_bytes_max=limits.file_size,
            form_account=given.form_account or (config.accounts[0] if config.accounts else CHAT),
            own=frozenset(config.accounts),
        ),
        identity=lambda visitor: identity_of(secret, CHAT, address_of(visitor)),
        settings=ChatSettings(
            title=given.title or config.workspace,
            origins=frozenset(given.origins),
            form=answers,
            languages=config.languages,
        ),
        limits=_limits(given),
    )


def _limits(given: WebchatChannel) -> ChatLimits:
    limits = given.limits
    return ChatLimits(
        text_characters=limits.text_characters,
        file_bytes=limits.file_size,
        messages_per_minute=limits.messages_per_minute,
        address_messages_per_minute=limits.address_messages_per_minute,
        files_per_hour=limits.files_per_hour,
        forms_per_hour=limits.forms_per_hour,
        visitors_per_hour=limits.visitors_per_hour,
        connections=limits.connections,
        address_connections=limits.address_connections,
    )
