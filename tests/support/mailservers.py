"""Real mail servers for tests: Postfix and Dovecot as ordinary processes, with all they own in one folder in /tmp.

Dovecot runs as whoever runs the tests. Postfix insists on root; elsewhere tests that need it are listed as not run.
"""

from __future__ import annotations

import contextlib
import imaplib
import json
import os
import pwd
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

IS_ROOT = os.geteuid() == 0
NEEDS_POSTFIX = ("postfix", *(() if IS_ROOT else ("postfix-as-root",)))
NEEDS_DOVECOT = ("dovecot", "/usr/lib/dovecot/lmtp")
PASSWORD = "an-imap-password"
PATIENCE = 60.0  # seconds until a server that does not do what it should is a failure
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", "/usr/local/sbin"])

_MASTER_CF = """\
{smtpd} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_DOVECOT_CONF = """\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login{mechanisms}
auth_username_format = %Lu
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_privileged_group =
{passdb}passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/mail/%Lu allow_all_users=yes
}}
service imap {{
  process_limit = 200
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service anvil {{
  chroot =
}}
"""


def free_port() -> int:
    """Give a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait until something is so; fail after a minute, saying what was waited for."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about")
        time.sleep(0.02)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
        probe.settimeout(5)
        return bool(probe.recv(3))
    return False


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    assert found is not None, f"{name} is not installed"
    return found


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    """A folder that the servers' own users may pass through, unlike pytest's."""
    path = Path(tempfile.mkdtemp(prefix=f"usherd-{name}-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _running(arguments: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in the foreground until the block ends; it is up once its port answers."""
    with log.with_suffix(".out").open("wb") as output:
        process = subprocess.Popen(arguments, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or _answers(port), f"{arguments[0]} on port {port}")
        if process.poll() is not None:
            said = log.with_suffix(".out").read_text() + (log.read_text() if log.exists() else "")
            raise AssertionError(f"{arguments[0]} ended at once:\n{said}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Postfix:
    """A running Postfix that takes mail from the loopback for the domains it has a route for."""

    def __init__(self, base: Path, port: int) -> None:
        self.base = base
        self.port = port

    @property
    def log(self) -> str:
        """All it has logged."""
        path = self.base / "postfix.log"
        return path.read_text() if path.exists() else ""

    def queue(self) -> list[dict[str, object]]:
        """Give the mails it still holds, as `postqueue -j` tells of them."""
        command = [_program("postqueue"), "-c", str(self.base / "etc"), "-j"]
        listed = subprocess.run(command, capture_output=True, check=True).stdout
        return [json.loads(line) for line in listed.splitlines()]

    def flush(self) -> None:
        """Make it try all held mails now."""
        subprocess.run([_program("postqueue"), "-c", str(self.base / "etc"), "-f"], check=True)


@contextmanager
def postfix(
    routes: Mapping[str, str], *, refusals: Mapping[str, str] | None = None, size_max: int = 10_240_000
) -> Iterator[Postfix]:
    """Run Postfix on a free port.

    `routes`: by domain the transport, such as `smtp:[127.0.0.1]:2525` or `lmtp:inet:127.0.0.1:24`; `refusals`: by
    recipient the reply to RCPT, such as `450 4.2.0 later`. A deferred mail is tried again within seconds.
    """
    with _folder("postfix") as base:
        etc, queue, data = base / "etc", base / "queue", base / "data"
        for path in (etc, queue, data):
            path.mkdir()
        owner = pwd.getpwnam("postfix")
        os.chown(data, owner.pw_uid, owner.pw_gid)
        port = free_port()
        route_table = ", ".join(f"{{{domain} = {transport}}}" for domain, transport in routes.items())
        refusal_table = ", ".join(f"{{{address} = {reply}}}" for address, reply in (refusals or {}).items())
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": queue,
            "data_directory": data,
            "mail_owner": "postfix",
            "maillog_file": base / "postfix.log",
            "maillog_file_prefixes": base,
            "myhostname": "mx.test.example",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "local_transport": "error:no local mail",
            "relay_domains": ", ".join(routes),
            "transport_maps": f"inline:{{ {route_table} }}",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "smtpd_recipient_restrictions": (
                f"check_recipient_access inline:{{ {refusal_table} }}, permit" if refusal_table else "permit"
            ),
            "message_size_limit": size_max,
            "smtputf8_enable": "yes",
            "smtpd_peername_lookup": "no",
            "smtp_host_lookup": "native",
            "smtp_tls_security_level": "may",
            "smtpd_tls_security_level": "none",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
        }
        (etc / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (etc / "master.cf").write_text(_MASTER_CF.format(smtpd=f"127.0.0.1:{port}"))
        # Makes the queue's folders, with the owners they need.
        subprocess.run([_program("postfix"), "-c", str(etc), "check"], check=True, capture_output=True)
        daemons = subprocess.run(
            [_program("postconf"), "-c", str(etc), "-h", "daemon_directory"], check=True, capture_output=True, text=True
        ).stdout.strip()
        with _running([f"{daemons}/master", "-c", str(etc), "-d"], port, base / "postfix.log"):
            yield Postfix(base, port)


class Dovecot:
    """A running Dovecot: any user may log in with `PASSWORD`, any address gets a mailbox."""

    def __init__(self, base: Path, imap: int, lmtp: int) -> None:
        self.base = base
        self._laid = 0
        self.imap = imap
        self.lmtp = lmtp

    @property
    def log(self) -> str:
        """All it has logged."""
        path = self.base / "dovecot.log"
        return path.read_text() if path.exists() else ""

    def doveadm(self, *arguments: str) -> str:
        """Run `doveadm` against this server and give what it prints."""
        command = [_program("doveadm"), "-c", str(self.base / "dovecot.conf"), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def deliver(self, user: str, *mails: bytes) -> None:
        """Hand mails over by LMTP."""
        with smtplib.LMTP("127.0.0.1", self.lmtp) as client:
            for mail in mails:
                client.sendmail("ada@customer.example", [user], mail)

    def put(self, user: str, mails: Iterable[bytes]) -> None:
        """Lay mails into a user's INBOX all at once, as a copy or a restored backup comes."""
        folder = self.base / "mail" / user / "Maildir" / "new"
        self.doveadm("mailbox", "status", "-u", user, "messages", "INBOX")  # makes it
        folder.mkdir(exist_ok=True)
        owner = folder.parent.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        for mail in mails:
            self._laid += 1
            path = folder / f"{1_700_000_000 + self._laid}.M1P1.test"
            path.write_bytes(mail.replace(b"\r\n", b"\n"))
            os.chown(path, owner.st_uid, owner.st_gid)

    def pids(self, user: str) -> list[int]:
        """The processes that serve a user's connections."""
        listed = self.doveadm("who", "-1", user).splitlines()[1:]
        return [int(pid) for line in listed for pid in re.findall(r"\b(\d+)\b", line.split("imap", 1)[-1])[:1]]

    def mails(self, user: str) -> list[bytes]:
        """Read all mails of a user's inbox by IMAP, first to last."""
        with imaplib.IMAP4("127.0.0.1", self.imap, timeout=PATIENCE) as client:
            client.login(user, PASSWORD)
            _, (count,) = client.select("INBOX", readonly=True)
            if not count or not int(count):
                return []
            _, answer = client.fetch("1:*", "(BODY.PEEK[])")
        return [bytes(item[1]) for item in answer if isinstance(item, tuple)]

    def wait_for_mails(self, user: str, count: int) -> list[bytes]:
        """Wait until a user has this many mails, and give them."""
        wait_until(lambda: len(self.mails(user)) >= count, f"{count} mails for {user}\n{self.log}")
        return self.mails(user)


_TOKENS = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {base}/tokens.conf
}}
"""


@contextmanager
def dovecot(tokens: str = "") -> Iterator[Dovecot]:
    """Run Dovecot with IMAP and LMTP on free ports of the loopback.

    `tokens`: a URL that tells whose an OAuth2 token is, appended to it, as JSON with `username`.
    """
    with _folder("dovecot") as base:
        imap, lmtp = free_port(), free_port()
        # Dovecot opens no mailbox as root, so as root it gets its own users; elsewhere it is one of us throughout.
        me = pwd.getpwuid(os.geteuid())
        names = ("dovecot", "dovenull") if IS_ROOT else (me.pw_name, me.pw_name)
        owner = pwd.getpwnam("mail") if IS_ROOT else me
        mail = base / "mail"
        mail.mkdir()
        os.chown(mail, owner.pw_uid, owner.pw_gid)
        internal_group = subprocess.run(
            ["id", "-gn", names[0]], check=True, capture_output=True, text=True
        ).stdout.strip()
        configuration = base / "dovecot.conf"
        if tokens:
            said = f"tokeninfo_url = {tokens}\nusername_attribute = username\n"
            (base / "tokens.conf").write_text(said)
        configuration.write_text(
            _DOVECOT_CONF.format(
                base=base,
                internal=names[0],
                internal_group=internal_group,
                login=names[1],
                uid=owner.pw_uid,
                gid=owner.pw_gid,
                imap=imap,
                lmtp=lmtp,
                password=PASSWORD,
                mechanisms=" xoauth2" if tokens else "",
                passdb=_TOKENS.format(base=base) if tokens else "",
            )
        )
        command = [_program("dovecot"), "-F", "-c", str(configuration)]
        with _running(command, imap, base / "dovecot.log"):
            wait_until(lambda: _answers(lmtp), "LMTP")
            yield Dovecot(base, imap, lmtp)
