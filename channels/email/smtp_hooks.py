# ruff: noqa: ARG002, N802 - names and signatures of hooks are aiosmtpd's
"""What the SMTP server says to EHLO, MAIL, RCPT and AUTH: who may send, and to whom."""

from __future__ import annotations

import hashlib
import hmac
from typing import Protocol, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from channels.email.smtp_settings import Accounts, SmtpSettings

STOPPING = "421 4.3.2 Service stopping, try again later"


class Served(Protocol):
    """What the hooks ask of the receiver."""

    settings: SmtpSettings
    accounts: Accounts
    draining: bool

    def count(self, what: str) -> None:
        """Add one to the counter of this name."""
        ...


class Refusing(Protocol):
    """What the hooks ask of a session: it counts refusals, and ends itself over a limit."""

    def refuse_recipient(self) -> str:
        """Give the reply to an address that is not ours."""
        ...

    def refuse_login(self) -> str:
        """Give the reply to a wrong login."""
        ...


class SessionHooks:
    """The answers to EHLO, MAIL, RCPT and AUTH; one object serves all sessions of a receiver."""

    def __init__(self, owner: Served) -> None:
        self._owner = owner
        secrets = owner.settings.users.items()
        self._secrets = {hashlib.sha256(login.encode()).digest(): _digest(secret) for login, secret in secrets}
        self._nobody = _digest("")

    async def handle_EHLO(
        self, server: Refusing, session: Session, envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        """Add PIPELINING, hide AUTH while there are no users, and send it all as one packet instead of seven."""
        session.host_name = hostname
        if not self._secrets:
            replies = [reply for reply in replies if not reply.startswith("250-AUTH")]
        replies.insert(1, "250-PIPELINING")
        return ["\r\n".join(replies)]

    async def handle_MAIL(
        self, server: Refusing, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take any sender, the null sender too, unless we are stopping."""
        if self._owner.draining:
            return STOPPING
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: Refusing, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take recipients of the workspace only: this is never a relay."""
        if len(envelope.rcpt_tos) >= self._owner.settings.recipients_max:
            return "452 4.5.3 Too many recipients"
        if self._owner.accounts.find(address) is None:
            self._owner.count("recipients_refused")
            return server.refuse_recipient()
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        """Compare a login and its secret in a time that tells neither."""
        expected = self._secrets.get(hashlib.sha256(given.login).digest())
        right = hmac.compare_digest(hashlib.sha256(given.password).digest(), expected or self._nobody)
        if right and expected is not None:
            return AuthResult(success=True)
        self._owner.count("logins_refused")
        session_of_ours = cast("Refusing", server)
        return AuthResult(success=False, handled=False, message=session_of_ours.refuse_login())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
