"""The parts of a workspace that say how mail comes in and goes out."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from skills.dkim_model import Dkim
from skills.letter_model import Brand, LetterConfig
from skills.part import ChannelPart
from skills.scalars import Also, Duration, Email, Flag, Language, Listed, Listen, Size
from skills.secret import Secret

_PORT_MAX = 65_535
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


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


class Tls(ChannelPart):
    """A certificate and its key, as files in PEM."""

    certificate: Annotated[str, StringConstraints(min_length=1)]
    """Path of the certificate chain."""
    key: Annotated[str, StringConstraints(min_length=1)]
    """Path of the private key."""
    required: Flag = False
    """Takes no mail in the clear."""


Login = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s\x00]+$")]


def _clamd(text: str) -> str:
    host, colon, port = text.strip().rpartition(":")
    here = host.strip("[]") in _LOOPBACK and colon and port.isdecimal() and 0 < int(port) <= _PORT_MAX
    if not here and not text.strip().startswith("/"):
        raise ValueError("is the path of its socket, or 127.0.0.1:3310: mails are sent there in the clear")
    return text.strip()


def _bare(text: str) -> str:
    return _token_url(text).rstrip("/")


class FiltersConfig(ChannelPart):
    """Programs that look at each mail before it is routed."""

    rspamd: Annotated[str, AfterValidator(_bare)] | None = None
    """Where rspamd is: http://127.0.0.1:11333. What it would mark or reject is listed as spam, not routed."""
    clamd: Annotated[str, AfterValidator(_clamd)] | None = None
    """clamd's socket, as a path or 127.0.0.1:3310. What it finds something in is listed, without its files."""
    dkim: Flag = False
    """Whether usherd checks who signed a mail, where no trusted_authserv did. It asks DNS for writers' keys."""
    wait: Annotated[Duration, Field(ge=100, le=60_000)] = 10_000
    """So long they may take with one mail, while others go on; then it comes in as it is, and says so."""


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
    users: dict[Login, Secret] = Field(default_factory=dict)
    """Servers that sign in before they hand mail in (AUTH, over TLS only): login → ${NAME} or file:PATH."""
    auth: Literal["required", "offered"] = "required"
    """Whether, once there are users, only they may hand mail in, or others too."""

    @model_validator(mode="after")
    def _over_tls(self) -> Self:
        if self.users and self.tls is None:
            raise ValueError("has users, and nobody may sign in without TLS: add tls")
        return self


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
    dkim: Annotated[tuple[Dkim, ...], Also(_one_mapping, None)] = ()
    """Keys that sign what leaves, by the sender's domain; the first that fits."""

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
    filters: FiltersConfig | None = None
    """Filters of your own that no mail server asks on the way to usherd."""
    marker: Annotated[tuple[Annotated[str, StringConstraints(min_length=3, strip_whitespace=True)], ...], Listed] = ()
    """Lines of mails that were sent otherwise, or before: of what comes back, nothing below is the customer's."""
    plus_addresses: Flag = True
    """false: your mail server does not bring what comes to help+anything@ to help@; answers and bounces go to help@."""
    brand: Brand = Brand()
    """What stands for {brand} and the like in letters."""
    letters: dict[Language, LetterConfig] = Field(default_factory=dict)
    """How our mails look, by language; without any they are plain texts."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """Addresses that mail may come to, however it comes."""
        handed = self.smtp.recipients if self.smtp else ()
        return tuple(dict.fromkeys((*handed, *(one.address for one in self.imap))))
