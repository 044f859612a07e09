"""Tries the servers that mail comes from and goes to, step by step, and says in plain words how far it got.

No mail is sent: greeting, EHLO, STARTTLS, signing in, and QUIT. Nothing in a mailbox is changed: it is opened to be
looked at.
"""

from __future__ import annotations

import socket
import ssl

import aiosmtplib
import msgspec

from channels.email.imap_connection import Connection
from channels.email.imap_wire import MailboxLost, MailboxRefused
from router.app.mail import send_settings
from router.app.mailboxes import imap_settings, secret_of
from skills.email_model import Imap, Send

SECONDS_MAX = 10.0
SUBMISSION_PORT = 587
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step: `connect`, `hello`, `starttls`, `sign-in` or `open`; whether it worked; what to know; what to do."""

    step: str
    ok: bool
    says: str
    hint: str = ""


async def try_server(send: Send) -> list[Step]:
    """Try the server as the outbox would use it. The last step is the one that failed, if one did."""
    settings = send_settings(send)
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        local_hostname=settings.hostname,
        timeout=SECONDS_MAX,
        use_tls=settings.encryption == "tls",
        start_tls=False,
    )
    done: list[Step] = []
    try:
        done.append(await _connect(client, send))
        if done[-1].ok:
            done.append(await _hello(client))
        if done[-1].ok:
            done += await _encrypt(client, send)
        if done[-1].ok and settings.username is not None:
            done.append(await _sign_in(client, settings.username, settings.password))
        if client.is_connected:
            await client.quit(timeout=SECONDS_MAX)
    except (aiosmtplib.SMTPException, OSError):
        done.append(Step(step="goodbye", ok=True, says="it hung up without a goodbye, which does no harm"))
    finally:
        client.close()
    return done


async def try_mailbox(one: Imap) -> list[Step]:
    """Try a mailbox as its reader would use it. The last step is the one that failed, if one did."""
    settings = msgspec.structs.replace(
        imap_settings(one, shadow=True), connect_seconds_max=SECONDS_MAX, answer_seconds_max=SECONDS_MAX
    )
    where = f"{one.host}:{one.port}"
    connection = Connection(settings)
    done: list[Step] = []
    step = "connect"
    try:
        await connection.connect()
        done.append(Step(step=step, ok=True, says=f"{where} answers"))
        step, secret = "sign-in", secret_of(one)
        await connection.sign_in(await secret.reveal(), token=secret.token)
        done.append(Step(step=step, ok=True, says=f"`{one.user}` is signed in at {one.host}"))
        step = "open"
        await connection.open()
        news = (
            "tells of new mail at once" if connection.can_idle else f"is looked at every {settings.poll_seconds:.0f} s"
        )
        done.append(Step(step=step, ok=True, says=f"`{one.mailbox}` is there, and {news}"))
    except (MailboxRefused, MailboxLost) as error:
        hint = error.hint if isinstance(error, MailboxRefused) else "check `host` and `port` under channels.email.imap"
        done.append(Step(step=step, ok=False, says=f"{where}: {error}", hint=hint))
    finally:
        await connection.close()
    return done


async def _connect(client: aiosmtplib.SMTP, send: Send) -> Step:
    where = f"{send.host}:{send.port}"
    try:
        await client.connect()
    except (aiosmtplib.SMTPException, OSError) as error:
        says, hint = _unreached(error, send)
        return Step(step="connect", ok=False, says=f"{where} {says}", hint=hint)
    return Step(step="connect", ok=True, says=f"{where} answers")


def _unreached(error: Exception, send: Send) -> tuple[str, str]:
    """What kept us from a greeting, and what to do."""
    cause = error.__cause__ or error.__context__ or error
    for one in (error, cause):
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"shows a certificate that cannot be trusted: {one.verify_message}", "mend the certificate"
        if isinstance(one, ssl.SSLError):
            return "speaks no TLS from the first byte", "set `tls: starttls` or `auto`; 465 is the port for `always`"
        if isinstance(one, socket.gaierror):
            return "has a name that is not known", f"check `host: {send.host}` under channels.email.send"
        if isinstance(one, ConnectionRefusedError):
            return "refuses connections: nothing listens there", "start the mail server, or correct `host` and `port`"
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        hint = f"a firewall may stand between, or the server wants port {SUBMISSION_PORT}"
        return f"did not answer within {SECONDS_MAX:.0f} s", f"{hint}; with `tls: always`, 465"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"turns us away: {error.code} {error.message}", "ask who runs it to let this machine in"
    return f"cannot be reached ({type(cause).__name__})", "correct `host` and `port` under channels.email.send"


async def _hello(client: aiosmtplib.SMTP) -> Step:
    try:
        await client.ehlo()
    except (aiosmtplib.SMTPException, OSError) as error:
        return Step(step="hello", ok=False, says=f"it does not take EHLO: {_said(error)}", hint="is it a mail server?")
    return Step(step="hello", ok=True, says="it speaks SMTP")


async def _encrypt(client: aiosmtplib.SMTP, send: Send) -> list[Step]:
    """STARTTLS as `tls` says, with the same demands on the certificate as the outbox has."""
    if send.tls == "always":
        return [Step(step="starttls", ok=True, says="encrypted from the first byte")]
    if send.tls == "none":
        ok = send.user is None or send.host in _LOOPBACK
        hint = "" if ok else "set `tls: starttls`: the password would be sent in the clear"
        return [Step(step="starttls", ok=ok, says="not encrypted, as `tls: none` says", hint=hint)]
    if not client.supports_extension("starttls"):
        needed = send.tls == "starttls" or send.user is not None
        hint = "use the port for submission (587), or `tls: always` with 465" if needed else ""
        says = "it offers no encryption (STARTTLS)" if needed else "replies go as they are: it offers no encryption"
        return [Step(step="starttls", ok=not needed, says=says, hint=hint)]
    checked = send.tls == "starttls" or send.user is not None
    try:
        await client.starttls(validate_certs=checked)
        await client.ehlo()
    except (aiosmtplib.SMTPException, OSError) as error:
        cause = error.__cause__ or error.__context__ or error
        why = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else _said(error)
        hint = "name the host as in its certificate, or have the certificate mended"
        return [Step(step="starttls", ok=False, says=f"encryption fails: {why}", hint=hint)]
    return [Step(step="starttls", ok=True, says="encrypted" + ("" if checked else ", its certificate unchecked"))]


async def _sign_in(client: aiosmtplib.SMTP, user: str, password: str) -> Step:
    try:
        await client.login(user, password)
    except aiosmtplib.SMTPAuthenticationError as error:
        hint = "check `user` and `password`; some providers want a password made for programs"
        return Step(step="sign-in", ok=False, says=f"it does not let `{user}` in: {error.code}", hint=hint)
    except aiosmtplib.SMTPException as error:
        return Step(step="sign-in", ok=False, says=f"`{user}` cannot sign in: {_said(error)}", hint="check the port")
    return Step(step="sign-in", ok=True, says=f"`{user}` is signed in")


def _said(error: BaseException) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return str(error) or type(error).__name__
