"""The parts of a workspace that say where customers write and where things are kept."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from skills.scalars import Also, Duration, Email, Flag, Language, Listed, Listen, Name, Size, Words
from skills.secret import Secret, SecretUrl

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
_HOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")


def _token_url(text: str) -> str:
    parts = urlsplit(text.strip())
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
        raise ValueError("must be an https:// address: secrets are sent there")
    return text.strip()


def _is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and not any(sign.isspace() for sign in text)


def _one_mapping(value: object) -> object:
    """A single mailbox where a list may stand."""
    return [value] if isinstance(value, dict) else value


Origin = Annotated[str, AfterValidator(_origin)]
Rate = Annotated[int, Field(ge=1, le=100_000)]


class ChannelPart(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Tls(ChannelPart):
    """A certificate and its key, as files in PEM."""

    certificate: Annotated[str, StringConstraints(min_length=1)]
    """Path of the certificate chain."""
    key: Annotated[str, StringConstraints(min_length=1)]
    """Path of the private key."""


class Smtp(ChannelPart):
    """The SMTP server that mail is handed to."""

    listen: Listen = ("127.0.0.1", 2525)
    """Address and port; port 0 picks a free one."""
    recipients: Annotated[tuple[Email, ...], Field(min_length=1), Listed]
    """Addresses that are taken in; any other is refused."""
    size_max: Size = 25_000_000
    """The largest mail that is taken in."""
    tls: Tls | None = None
    """Offers STARTTLS."""


class Send(ChannelPart):
    """The mail server that replies are handed to."""

    host: Annotated[str, StringConstraints(min_length=1)]
    """Its name or address."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """Its port."""
    tls: Literal["auto", "none", "starttls", "always"] = "auto"
    """auto: STARTTLS if offered. always: TLS from the first byte."""
    user: str | None = None
    """Who signs in; nobody if left out."""
    password: Secret | None = None
    """Their password: ${NAME} or file:PATH."""
    address: Email | None = None
    """The sender of replies; the address that the customer wrote to if left out."""
    name: str = ""
    """The name beside the sender's address."""

    @model_validator(mode="after")
    def _both(self) -> Send:
        if (self.user is None) != (self.password is None):
            raise ValueError("needs both `user` and `password`, or neither")
        return self


class OAuth2(ChannelPart):
    """Where access tokens are had."""

    token_url: Annotated[str, AfterValidator(_token_url)]
    """The provider's token endpoint."""
    client_id: Annotated[str, StringConstraints(min_length=1)]
    """usherd's id there."""
    client_secret: Secret | None = None
    """Its secret, where the provider gave one: ${NAME} or file:PATH."""
    refresh_token: Secret | None = None
    """What the mailbox's owner allowed: ${NAME} or file:PATH; left out: usherd's own right (client_credentials)."""
    scope: str = ""
    """What is asked for, where the provider wants to hear it."""

    @model_validator(mode="after")
    def _some_right(self) -> Self:
        if self.client_secret is None and self.refresh_token is None:
            raise ValueError("needs a `client_secret` or a `refresh_token`")
        return self


class Imap(ChannelPart):
    """A mailbox that is read."""

    host: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    """The server's name or address."""
    port: Annotated[int, Field(ge=1, le=65535)] = 993
    """Its port."""
    tls: Literal["always", "starttls", "none"] = "always"
    """always: TLS from the first byte. starttls: port 143, then TLS. none: on this machine only."""
    user: Annotated[str, StringConstraints(min_length=1)]
    """Who signs in."""
    password: Secret | None = None
    """Their password: ${NAME} or file:PATH."""
    oauth2: OAuth2 | None = None
    """In place of a password, for providers that take none (XOAUTH2)."""
    mailbox: Annotated[str, StringConstraints(min_length=1, max_length=500)] = "INBOX"
    """The folder that is read."""
    account: Email | None = None
    """The address customers write to; `user` if left out."""
    after: Literal["leave", "flag", "move"] = "leave"
    """What becomes of a mail that was taken in. flag: it gets the keyword `$usherd`. Never marked as read."""
    move_to: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """The folder for `after: move`; made if there is none."""
    begin: Literal["unseen", "all", "new"] = "unseen"
    """What is taken of mails that lie there when the mailbox is read for the first time."""
    size_max: Size = 25_000_000
    """Of a larger mail only the beginning is taken in; it stays where it is."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.password is None) == (self.oauth2 is None):
            raise ValueError("needs a `password` or `oauth2`, and not both")
        if self.account is None and not _is_address(self.user):
            raise ValueError(f"needs `account`, the address customers write to: `{self.user[:60]}` is none")
        if (self.after == "move") != (self.move_to is not None):
            raise ValueError("`after: move` and `move_to`, the folder to move to, go together")
        if self.move_to == self.mailbox:
            raise ValueError("`move_to` is the very folder that is read")
        if self.tls == "none" and self.host not in _LOOPBACK:
            raise ValueError("`tls: none` would send the password in the clear: use `always` or `starttls`")
        return self

    @property
    def address(self) -> str:
        """The account, given or meant."""
        local, at, domain = (self.account or self.user).rpartition("@")
        return f"{local}{at}{domain.lower()}"


class EmailChannel(ChannelPart):
    """Mail."""

    smtp: Smtp | None = None
    """Mail that other servers hand to usherd."""
    imap: Annotated[tuple[Imap, ...], Also(_one_mapping, None)] = ()
    """Mailboxes that usherd reads."""
    send: Send | None = None
    """How replies leave; without it they stay on the desk as failed."""
    customer_from: Literal["from", "reply-to", "x-original-from", "first-body-line"] = "from"
    """Where the customer's address stands, for mail that comes forwarded, through a group or from a form."""
    trusted_forwarders: Annotated[tuple[str, ...], Listed] = ()
    """Senders of other people's words (forms, groups); with any, `customer_from` holds for their mail alone."""
    own_domains: Annotated[tuple[str, ...], Listed] = ()
    """Where colleagues write from: a mail that they forward is the original writer's."""
    trusted_authserv: Annotated[tuple[str, ...], Listed] = ()
    """Names under which your own mail servers write Authentication-Results; all others' are not believed."""
    spam_headers: Annotated[tuple[str, ...], Listed] = ()
    """Headers of your own spam filter and how they begin: "X-Spam-Flag: yes". Such mail is listed, not routed."""
    marker: str = ""
    """The line that your templates end with, "reply above this line": nothing below it is the customer's."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Addresses that mail may come to, however it comes."""
        handed = self.smtp.recipients if self.smtp else ()
        return tuple(dict.fromkeys((*handed, *(one.address for one in self.imap))))


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
    greeting: dict[Language, Words] = {}
    """By language, what the bot says to who presses *Start*; usherd has words of its own."""


class HttpChannel(ChannelPart):
    """`POST /v1/messages`, for sources of your own."""


class SlackChannel(ChannelPart):
    """The agents' desk in Slack."""

    bot_token: Secret
    """What the app signs in with, `xoxb-…`: ${NAME} or file:PATH."""
    app_token: Secret | None = None
    """For Socket Mode, which needs no open port: `xapp-…`, as ${NAME} or file:PATH."""
    signing_secret: Secret | None = None
    """Instead of `app_token`, where Slack calls /slack/events on this web server: ${NAME} or file:PATH."""
    team_channel: Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{6,30}$")] | None = None
    """The id of a channel that hears of contacts that wait too long; the app must be in it."""
    api: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+/$")] = "https://slack.com/api/"
    """Where Slack's Web API is; another address only for tests."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.app_token is None) == (self.signing_secret is None):
            raise ValueError("needs `app_token` (Socket Mode) or `signing_secret` (HTTP), and not both")
        for key, secret, begin in (("bot_token", self.bot_token, "xoxb-"), ("app_token", self.app_token, "xapp-")):
            if secret is not None and not secret.reveal().startswith(begin):
                raise ValueError(f"`{key}` is another kind of token: Slack's begin with {begin}")
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
    """The agents' desk in Slack."""

    @property
    def names(self) -> tuple[str, ...]:
        """The channels that are on."""
        return tuple(name for name in CHANNELS if getattr(self, name, None) is not None)


HookEvent = Literal[
    "contact.opened", "contact.reopened", "contact.assigned", "contact.resolved",
    "message.received", "message.delivered", "message.failed", "alarm",
]  # fmt: skip


def _signing(secret: Secret) -> Secret:
    if len(secret.reveal()) < HOOK_SECRET_CHARACTERS_MIN:
        raise ValueError(f"needs at least {HOOK_SECRET_CHARACTERS_MIN} characters: who can guess it can forge")
    return secret


class Hook(ChannelPart):
    """A program that is told what happens."""

    url: Annotated[str, AfterValidator(_bare_url)]
    """Where it is told, by POST: https://crm.example.com/usherd."""
    secret: Annotated[Secret, AfterValidator(_signing)]
    """What signs each request, so that the program knows it is ours: ${NAME} or file:PATH."""
    events: Annotated[tuple[HookEvent, ...], Listed] = ()
    """Of what it is told; of everything if left out."""


class Web(ChannelPart):
    """The web server."""

    listen: Listen = ("127.0.0.1", 8080)
    """Address and port; port 0 picks a free one."""
    url: str | None = None
    """How browsers reach it, if a proxy stands before it: https://desk.example.com."""
    hooks: dict[Name, Hook] = {}
    """Programs that are told what happens, by name: signed webhooks."""


class Store(ChannelPart):
    """Where inbox and journal are kept; embedded: a server that usherd starts itself."""

    url: SecretUrl | None = None
    """redis://, rediss://, unix://, redis+sentinel://host,host/name, redis+cluster://host,host; password: ${NAME}."""
    durability: Literal["strict", "relaxed"] = "strict"
    """strict: refuse a store that can lose what it acknowledged."""
    replicas: Annotated[int, Field(ge=0, le=10)] = 0
    """So many replicas must have a message before it is acknowledged: fewer than there are, so that one may fail."""

    @model_validator(mode="after")
    def _replicated(self) -> Self:
        if self.replicas and self.url is None:
            raise ValueError("`replicas` needs a `url`: the embedded store has none")
        return self

    @property
    def embedded(self) -> bool:
        """Whether usherd runs the store itself."""
        return self.url is None


class Objects(ChannelPart):
    """Where files lie that are not in the store: a folder, or S3."""

    folder: str | None = None
    """A folder that all nodes share."""
    url: SecretUrl | None = None
    """s3://bucket/prefix."""
    endpoint: str | None = None
    """For S3 that is not Amazon's: https://host:port of the server."""
    region: str | None = None
    """For S3: the bucket's region."""
    access_key: Secret | None = None
    """For S3: ${NAME} or file:PATH."""
    secret_key: Secret | None = None
    """For S3: ${NAME} or file:PATH."""
    plain_http: Flag = False
    """For S3: true for a server without TLS."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.folder is not None and self.url is not None:
            raise ValueError("takes `folder` or `url`, not both")
        if self.url is not None and urlsplit(self.url.reveal()).scheme != "s3":
            raise ValueError("must be s3://bucket/prefix; another server of that kind is named by `endpoint`")
        if self.endpoint is not None and urlsplit(self.endpoint).scheme not in {"http", "https"}:
            raise ValueError("`endpoint` is an address such as https://s3.example.com:9000")
        if (self.endpoint or "").startswith("http://") and not self.plain_http:
            raise ValueError("`endpoint` has no TLS: use https, or say `plain_http: true`")
        return self

    @property
    def embedded(self) -> bool:
        """Whether they lie in the data directory."""
        return self.folder is None and self.url is None


class Blobs(Objects):
    """Where mails and files over 256 kB lie; embedded: the data directory."""


class Archive(Objects):
    """Where snapshots and old records lie; embedded: the data directory."""

    keep: Duration = 30 * 86_400_000
    """How long records stay in the store before they are in the archive only."""
    snapshots: Annotated[int, Field(ge=1, le=1_000)] = 3
    """How many snapshots are kept."""
    trim_url: SecretUrl | None = None
    """The store as a user who may trim the journal, if that of `store.url` may not."""
