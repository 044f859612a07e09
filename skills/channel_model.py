"""The parts of a workspace that say where customers write and where things are kept."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from skills.scalars import Also, Duration, Email, Flag, Listed, Listen, Size
from skills.secret import Secret, SecretUrl

CHANNELS = ("email", "webchat", "telegram", "slack", "http")


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


class EmailChannel(ChannelPart):
    """Mail."""

    smtp: Smtp | None = None
    """Mail that other servers hand to usherd."""
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
    statuses: dict[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_+'-]+$")], Literal["away", "busy"]] = {}
    """Emoji of people's own status in Slack that set an agent away or busy while they stand."""
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
    http: Annotated[HttpChannel | None, Also(_empty, {"type": "null"})] = None
    """`POST /v1/messages`."""
    slack: SlackChannel | None = None
    """The agents' desk in Slack."""

    @property
    def names(self) -> tuple[str, ...]:
        """The channels that are on."""
        return tuple(name for name in CHANNELS if getattr(self, name, None) is not None)


class Web(ChannelPart):
    """The web server."""

    listen: Listen = ("127.0.0.1", 8080)
    """Address and port; port 0 picks a free one."""
    url: str | None = None
    """How browsers reach it, if a proxy stands before it: https://desk.example.com."""


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
