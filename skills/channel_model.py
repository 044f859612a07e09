"""The parts of a workspace that say where customers and programs reach usherd."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from skills.email_model import EmailChannel
from skills.part import ChannelPart
from skills.scalars import Also, Email, Language, Listed, Listen, Name, SignedDuration, Size, Words
from skills.secret import Secret

CHANNELS = ("email", "webchat", "telegram", "slack", "http")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _origin(text: str) -> str:
    """An origin as browsers write it: scheme and host in small letters, no path, no port where it is the usual one."""
    parts = urlsplit(text.strip().lower())
    try:
        port = parts.port
    except ValueError:
        port = -1
    bare = not parts.query and not parts.fragment and parts.path in {"", "/"} and "@" not in parts.netloc
    if parts.scheme not in {"http", "https"} or not parts.hostname or not bare or port == -1:
        raise ValueError("an origin is a scheme and a host, as in https://example.com")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" if usual else f"{parts.scheme}://{host}:{port}"


_BOT_TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,100}")
HOOK_SECRET_CHARACTERS_MIN = 16
UNDO_MS_MAX = 60_000
_HOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")


Origin = Annotated[str, AfterValidator(_origin)]
Emoji = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_+'-]+$")]  # by the name that Slack gives it
SlackChannelId = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{6,30}$")]
Rate = Annotated[int, Field(ge=1, le=100_000)]


def _page(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or parts.username:
        raise ValueError("is an address such as https://acme.example/help, without a #")
    return text.strip()


class WebchatLimits(ChannelPart):
    """How much visitors may ask for. An address is one of the network: a household, or a whole office."""

    text_characters: Annotated[int, Field(ge=100, le=20_000)] = 4_000
    """The longest message."""
    file_size: Annotated[Size, Field(le=25_000_000)] = 10_000_000
    """The largest file."""
    messages_per_minute: Rate = 20
    """Of one visitor."""
    address_messages_per_minute: Rate = 120
    """Of one address."""
    files_per_hour: Rate = 20
    """Of one visitor."""
    forms_per_hour: Rate = 10
    """Messages to be answered by mail, of one address."""
    visitors_per_hour: Rate = 60
    """New visitors of one address."""
    connections: Rate = 2_000
    """Open chats in all."""
    address_connections: Rate = 40
    """Open chats of one address."""


class WebchatChannel(ChannelPart):
    """The chat on your web pages."""

    origins: Annotated[tuple[Origin, ...], Listed] = ()
    """Web sites that may show the chat: https://example.com. Pages of usherd itself always may."""
    title: Annotated[str, StringConstraints(max_length=60, strip_whitespace=True)] = ""
    """Stands at the head of the chat; the workspace's name if left out."""
    page: Annotated[str, AfterValidator(_page)] | None = None
    """The page of yours that the chat stands on, for links in mails; default: /chat on `web.url`."""
    form_account: Email | None = None
    """The mailbox that answers what visitors leave with their e-mail; default: the first of email.smtp.recipients."""
    limits: WebchatLimits = WebchatLimits()
    """How much visitors may ask for."""


def _bot_token(secret: Secret) -> Secret:
    if not _BOT_TOKEN.fullmatch(secret.reveal()):
        raise ValueError(f"refers to no bot's token: {secret.reference} should hold what @BotFather gave, 123456:ABC…")
    return secret


def _hook_secret(secret: Secret) -> Secret:
    if not _HOOK_SECRET.fullmatch(secret.reveal()):
        raise ValueError("needs 16 to 256 characters of A-Z, a-z, 0-9, _ and -: Telegram takes no others")
    return secret


def _bare_url(text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("is an address such as https://api.telegram.org, without a query or a password")
    if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise ValueError("would go over a network in the clear: use https")
    return text.strip().rstrip("/")


class TelegramChannel(ChannelPart):
    """A bot on Telegram, whose writers are customers."""

    token: Annotated[Secret, AfterValidator(_bot_token)]
    """The bot's token from @BotFather: ${NAME} or file:PATH."""
    mode: Literal["polling", "webhook"] = "polling"
    """polling: usherd asks Telegram, no port is open. webhook: Telegram calls `web.url`, which needs https."""
    secret: Annotated[Secret, AfterValidator(_hook_secret)] | None = None
    """What Telegram must say with each call, ${NAME} or file:PATH; usherd makes one if left out."""
    api: Annotated[str, AfterValidator(_bare_url)] = "https://api.telegram.org"
    """Where the Bot API is: Telegram's, or a Bot API server of your own."""
    file_size: Annotated[Size, Field(ge=1_000, le=20_000_000)] = 20_000_000
    """The largest file that is fetched; Telegram gives bots no larger than 20MB."""
    greeting: dict[Language, Words] = Field(default_factory=dict)
    """By language, what the bot says to who presses *Start*; usherd has words of its own."""


class HttpChannel(ChannelPart):
    """`POST /v1/messages`, for sources of your own."""


class SlackCustomers(ChannelPart):
    """A channel in Slack whose writers are customers."""

    agents: bool = False
    """Whether what agents write there opens contacts as well, as in a help channel of your own people."""


class SlackChannel(ChannelPart):
    """The agents' desk in Slack, and channels there whose writers are customers."""

    bot_token: Secret
    """What the app signs in with, `xoxb-…`: ${NAME} or file:PATH."""
    app_token: Secret | None = None
    """For Socket Mode, which needs no open port: `xapp-…`, as ${NAME} or file:PATH."""
    signing_secret: Secret | None = None
    """Instead of `app_token`, where Slack calls /slack/events on this web server: ${NAME} or file:PATH."""
    team_channel: SlackChannelId | None = None
    """The id of a channel that hears of contacts that wait too long; the app must be in it."""
    customers: dict[SlackChannelId, SlackCustomers] = Field(default_factory=dict)
    """Channels whose writers are customers, by id, shared ones too: each thread is a contact; the app must be in it."""
    statuses: dict[Emoji, Literal["away", "busy"]] = Field(default_factory=dict)
    """Emoji of people's own status in Slack that set an agent away or busy while they stand."""
    supervisors_channel: Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{6,30}$")] | None = None
    """The id of a channel for alerts and digests; without one each supervisor is told alone. The app must be in it."""
    digest_at: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "18:00"
    """When supervisors are told of the day, by the workspace's time zone."""
    digest_week: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "never"] = "fri"
    """On which day they are told of the last seven days as well."""
    undo: Annotated[SignedDuration, Field(ge=0, le=UNDO_MS_MAX)] = 10_000
    """How long an answer is held, so that it can be taken back: by deleting it, or by a button. 0s: not at all."""
    emoji: dict[Literal["take", "resolve"], Emoji] = Field(default_factory=dict)
    """Which emoji on a card does what: take (👀, `eyes`) and resolve (✅, `white_check_mark`) unless named here."""
    api: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+/$")] = "https://slack.com/api/"
    """Where Slack's Web API is; another address only for tests."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """What rules call the customers' channels."""
        return tuple(f"slack/{name}" for name in self.customers)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.app_token is None) == (self.signing_secret is None):
            raise ValueError("needs `app_token` (Socket Mode) or `signing_secret` (HTTP), and not both")
        for key, secret, begin in (("bot_token", self.bot_token, "xoxb-"), ("app_token", self.app_token, "xapp-")):
            if secret is not None and not secret.reveal().startswith(begin):
                raise ValueError(f"`{key}` is another kind of token: Slack's begin with {begin}")
        return self

    @model_validator(mode="after")
    def _colleagues_among_themselves(self) -> Self:
        for key in ("team_channel", "supervisors_channel"):
            if getattr(self, key) in self.customers:
                raise ValueError(f"`{key}` is among `customers`: what is said of them there, they would read")
        return self


def _empty(value: object) -> object:
    """`http:` with nothing after it turns a channel on, with its defaults."""
    return {} if value is None else value


class Channels(ChannelPart):
    """Where customers write; a channel left out is off."""

    email: EmailChannel | None = None
    """Mail."""
    webchat: Annotated[WebchatChannel | None, Also(_empty, {"type": "null"})] = None
    """The chat on your web pages."""
    telegram: TelegramChannel | None = None
    """A bot on Telegram."""
    http: Annotated[HttpChannel | None, Also(_empty, {"type": "null"})] = None
    """`POST /v1/messages`."""
    slack: SlackChannel | None = None
    """The agents' desk in Slack, and channels there whose writers are customers."""

    @property
    def names(self) -> tuple[str, ...]:
        """The channels that are on."""
        return tuple(name for name in CHANNELS if getattr(self, name, None) is not None)


HookEvent = Literal[
    "contact.opened", "contact.reopened", "contact.assigned", "contact.resolved",
    "message.received", "message.delivered", "message.failed", "alarm", "incident.raised", "incident.ended",
    "contact.rated",
]  # fmt: skip


def _signing(secret: Secret) -> Secret:
    if len(secret.reveal()) < HOOK_SECRET_CHARACTERS_MIN:
        raise ValueError(f"needs at least {HOOK_SECRET_CHARACTERS_MIN} characters: who can guess it can forge")
    return secret


HookUrl = Annotated[str, AfterValidator(_bare_url)]
HookSecret = Annotated[Secret, AfterValidator(_signing)]


class Hook(ChannelPart):
    """A program that is told what happens."""

    url: HookUrl
    """Where it is told, by POST: https://crm.example.com/usherd."""
    secret: HookSecret
    """What signs each request, so that the program knows it is ours: ${NAME} or file:PATH."""
    events: Annotated[tuple[HookEvent, ...], Listed] = ()
    """Of what it is told; of everything if left out."""


class Web(ChannelPart):
    """The web server."""

    listen: Listen = ("127.0.0.1", 8080)
    """Address and port; port 0 picks a free one."""
    url: str | None = None
    """How browsers reach it, if a proxy stands before it: https://desk.example.com."""
    hooks: dict[Name, Hook] = Field(default_factory=dict)
    """Programs that are told what happens, by name: signed webhooks."""
