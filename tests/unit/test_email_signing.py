"""Signed mail: a verifier that is not ours accepts what leaves, whichever key is in force, and nothing shows a key."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from channels.email.compose import Outgoing, OutgoingAttachment, compose
from channels.email.send import SendResult, SmtpSender
from channels.email.signing import SigningKey, signed
from router.app.mail import MailSender
from router.app.reload import takes_restart
from router.app.sealing import Seals
from router.core.errors import PermanentError
from router.core.message import Address, Message
from router.core.transitions import DeliveryState
from router.shell.vault import Vault
from skills.dkim_model import public_half, usable
from skills.model import WorkspaceConfig
from skills.workspace import ConfigErrors, load
from tests.support.shell_scene import ShellStore

HELP = "help@acme.example"
KEYS = [rsa.generate_private_key(65_537, 1_024) for _ in range(2)]  # noqa: S505 (short keys are made quickly)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """A key as files hold it."""
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def zone(**selectors: rsa.RSAPrivateKey) -> Callable[..., bytes | None]:
    """DNS as it would be: the public half of each key under its selector, in acme.example."""
    records = {
        f"{selector}._domainkey.acme.example.".encode(): b"v=DKIM1; k=rsa; p="
        + base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        for selector, key in selectors.items()
    }
    return lambda name, timeout=5: records.get(name)


DNS = zone(s1=KEYS[0], s2=KEYS[1])


def key(number: int = 0) -> SigningKey:
    """The key s1 or s2 of acme.example."""
    return SigningKey(domain="acme.example", selector=f"s{number + 1}", pem=usable(pem(KEYS[number])).encode())


def letter(**changes: object) -> bytes:
    """A composed mail."""
    fields: dict[str, object] = {
        "workspace": "acme",
        "message_id": "u.c1.m1.4f2a9c@acme.example",
        "date": 1_763_632_800_000,
        "from_": Address(address=HELP, name="Gräfin Grace, Acme"),
        "to": (Address(address="ada@customer.example", name="Ada"),),
        "subject": "Re: Gepäck – " + "sehr lang " * 30,
        "text": "From now on\n.\n..two dots\ntail \n\n日本語 " + "x" * 3000 + "\n\n\n",
        "html": "<p>Grüße</p>",
        "references": tuple(f"{number}@customer.example" for number in range(30)),
        "attachments": (OutgoingAttachment(filename="a.bin", content_type="a/b", content=bytes(range(256)) * 99),),
    }
    return compose(Outgoing(**{**fields, **changes}))  # type: ignore[arg-type]


class TestSignature:
    """What dkimpy's own verifier says of it."""

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"attachments": (), "html": ""},
            {"text": "", "subject": "", "html": "", "attachments": ()},
            {
                "from_": Address(address="jörg@acme.example"),
                "auto": "auto-replied",
                "cc": (Address(address="b@x.example"),),
            },
        ],
    )
    def test_a_signed_mail_verifies(self, changes: dict[str, object]) -> None:
        """Long headers, files, empty bodies and international senders, and every line stays short."""
        raw = signed(letter(**changes), key())
        assert dkim.verify(raw, dnsfunc=DNS)
        head = raw[: raw.find(b"\r\n\r\n")].split(b"\r\n")
        assert max(len(line) for line in head if not line.startswith(b" <")) <= 78

    @pytest.mark.parametrize(
        ("there", "instead"),
        [
            (b"\r\n\r\n--", b"\r\n\r\nX--"),
            (b"Subject: ", b"Subject: x"),
            (b"MIME-Version", b"Reply-To: thief@evil.example\r\nMIME-Version"),
            (b"MIME-Version", b"From: boss@acme.example\r\nMIME-Version"),
        ],
    )
    def test_whatever_is_changed_or_added_breaks_it(self, there: bytes, instead: bytes) -> None:
        """A body or subject that was changed, and a Reply-To or second From that was put in."""
        raw = signed(letter(), key())
        assert there in raw
        assert not dkim.verify(raw.replace(there, instead, 1), dnsfunc=DNS)

    def test_headers_that_servers_fold_anew_still_verify(self) -> None:
        """Only the words of a header count."""
        raw = signed(letter(subject="a b " * 40), key())
        refolded = raw.replace(b"a b a b\r\n a b", b"a b\r\n\ta b a b")
        assert dkim.verify(refolded, dnsfunc=DNS)

    def test_a_key_that_is_none_says_nothing_of_itself(self) -> None:
        """What comes out is our own error, without the key in it."""
        broken = SigningKey(domain="acme.example", selector="s1", pem=b"SECRET")
        with pytest.raises(PermanentError) as raised:
            signed(letter(), broken)
        assert "SECRET" not in str(raised.value)
        assert "SECRET" not in repr(broken)


class Wire(SmtpSender):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send(self, envelope_from: str, recipients: object, raw: bytes) -> SendResult:
        self.sent.append(raw)
        return SendResult(state="sent", code=250)


HEAD = f"""workspace: acme
channels:
  email:
    smtp: {{recipients: [{HELP}]}}
    send:
      host: 127.0.0.1
      dkim:
"""


def workspace(folder: Path, *keys: str) -> WorkspaceConfig:
    """A workspace with these keys, each on a line of its own from line 8 on."""
    (folder / "workspace.yaml").write_text(HEAD + "".join(f"        - {{{one}}}\n" for one in keys))
    return load(folder, {"KEY": pem(KEYS[1])}).config


def put(path: Path, text: str, mode: int = 0o600) -> None:
    """A file that came to be at once, as another file: what an admin's editor does."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)


def reply() -> Message:
    """An answer on its way out."""
    return Message(
        channel="email",
        from_=Address(address=HELP),
        to=(Address(address="ada@customer.example"),),
        sent_at="2026-11-20T10:00:00.000Z",
        text="Here it is.",
        message_id="u.c1.m1.x@acme.example",
    )


async def test_mail_is_signed_with_the_key_in_force(tmp_path: Path) -> None:
    """A key file that is exchanged under its name signs from then on; one that became unusable is told and does not."""
    path = tmp_path / "dkim.pem"
    put(path, pem(KEYS[0]))
    config = workspace(tmp_path, "domain: acme.example, selector: s1, key: file:dkim.pem")
    seals, wire = Seals(lambda: config), Wire()
    sender = MailSender(wire, "acme", Vault(ShellStore()), seals.key)
    assert (await sender.send(reply())).state is DeliveryState.SENT
    put(path, pem(KEYS[1]).replace("\n", "\r\n"))
    await sender.send(reply())
    for text, mode in (("not a key", 0o600), (pem(KEYS[0]), 0o644)):
        put(path, text, mode)
        await sender.send(reply())
        assert "is not usable, the one before signs" in seals.problems()[0]
    path.unlink()
    await sender.send(reply())
    assert "cannot be read" in seals.problems()[0]
    put(path, pem(KEYS[0]))
    await sender.send(reply())
    assert seals.problems() == []
    first, second = zone(s1=KEYS[0]), zone(s1=KEYS[1])
    assert [dkim.verify(raw, dnsfunc=first) for raw in wire.sent] == [True, False, False, False, False, True]
    assert [dkim.verify(raw, dnsfunc=second) for raw in wire.sent] == [False, True, True, True, True, False]


async def test_the_key_is_chosen_by_the_senders_domain(tmp_path: Path) -> None:
    """The first that fits signs; a domain below counts, one that only ends alike does not."""
    put(tmp_path / "one.pem", pem(KEYS[0], PrivateFormat.TraditionalOpenSSL))
    config = workspace(
        tmp_path,
        "domain: other.example, selector: s9, key: file:one.pem",
        "domain: Acme.example, selector: s1, key: file:one.pem",
        'domain: acme.example, selector: s2, key: "${KEY}"',
    )
    key_of = Seals(lambda: config).key
    assert [found.selector for found in map(key_of, [HELP, "x@mail.acme.example", "x@other.example"]) if found] == [
        "s1", "s1", "s9",
    ]  # fmt: skip
    assert key_of("x@notacme.example") is None
    assert b"DKIM-Signature" not in letter()


async def test_a_new_selector_needs_no_restart(tmp_path: Path) -> None:
    """Another selector with another key signs the next mail, and nothing says that a restart is needed."""
    put(tmp_path / "one.pem", pem(KEYS[0]))
    before = workspace(tmp_path, "domain: acme.example, selector: s1, key: file:one.pem")
    after = workspace(tmp_path, 'domain: acme.example, selector: s2, key: "${KEY}"')
    assert takes_restart(before, after) == []
    in_force = [before]
    wire = Wire()
    sender = MailSender(wire, "acme", Vault(ShellStore()), Seals(lambda: in_force[0]).key)
    await sender.send(reply())
    in_force[0] = after
    await sender.send(reply())
    assert [dkim.verify(raw, dnsfunc=zone(s1=KEYS[0])) for raw in wire.sent] == [True, False]
    assert [dkim.verify(raw, dnsfunc=zone(s2=KEYS[1])) for raw in wire.sent] == [False, True]


ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
LOCKED = KEYS[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")).decode()
PUBLIC = KEYS[0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        ("", 0o600, "names an empty file"),
        ("my key", 0o600, "holds no private key"),
        (PUBLIC, 0o600, "holds the public key"),
        (LOCKED, 0o600, "holds a key with a password"),
        (pem(KEYS[0])[:200] + "\n-----END PRIVATE KEY-----\n", 0o600, "cannot be read: is it whole?"),
        (pem(ELLIPTIC), 0o600, "is not RSA"),
        (pem(KEYS[0]), 0o604, "chmod 600"),
        (pem(KEYS[0]), 0o620, "chmod 600"),
    ],
)
def test_a_wrong_key_is_an_error_with_file_line_and_remedy(tmp_path: Path, content: str, mode: int, says: str) -> None:
    """Each kind of wrong file, and one that others may read, and the error never shows what is in it."""
    put(tmp_path / "dkim.pem", content, mode)
    with pytest.raises(ConfigErrors) as raised:
        workspace(tmp_path, "domain: acme.example, selector: s1, key: file:dkim.pem")
    [error] = raised.value.errors
    assert says in error.message
    assert (error.file, error.line) == ("workspace.yaml", 8)
    assert not content or content.splitlines()[-2 if "\n" in content else 0] not in str(error)


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ('domain: acme, selector: s1, key: "${KEY}"', "is no domain such as acme.example"),
        ('domain: acme.example, selector: "s 1", key: "${KEY}"', "is not a name that can stand here"),
        ("domain: acme.example, selector: s1, key: file:gone.pem", "names a file that cannot be read"),
        ('domain: acme.example, selector: s1, key: "${NO_KEY}"', "needs the environment variable NO_KEY"),
        ("domain: acme.example, selector: s1, key: MIIEow", "is a secret: write it as ${NAME}"),
        ('domain: acme.example, selektor: s1, key: "${KEY}"', "did you mean `selector`?"),
    ],
)
def test_wrong_keys_of_the_workspace_are_told(tmp_path: Path, item: str, says: str) -> None:
    """Domain, selector and reference, each with its line."""
    with pytest.raises(ConfigErrors) as raised:
        workspace(tmp_path, item)
    assert any(says in error.message and error.line == 8 for error in raised.value.errors)


def test_mail_that_would_leave_unsigned_is_worth_a_warning(tmp_path: Path) -> None:
    """Where other mail is signed, a sender without a key is named."""
    workspace(tmp_path, 'domain: other.example, selector: s1, key: "${KEY}"')
    [warning] = [one for one in load(tmp_path, {"KEY": pem(KEYS[1])}).warnings if one.code == "unsigned"]
    assert (warning.line, HELP in warning.message) == (7, True)


def test_the_key_shows_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what is printed of a workspace, nor its content and version, nor what is logged, has the key in it."""
    put(tmp_path / "dkim.pem", pem(KEYS[0]))
    workspace(tmp_path, "domain: acme.example, selector: s1, key: file:dkim.pem")
    loaded = load(tmp_path, {})
    with caplog.at_level(logging.DEBUG):
        signed(letter(), SigningKey(domain="acme.example", selector="s1", pem=usable(pem(KEYS[0])).encode()))
    secret = pem(KEYS[0]).splitlines()[3]
    shown = [repr(loaded.config), loaded.config.model_dump_json(), loaded.content.decode(), loaded.version, caplog.text]
    assert [text for text in shown if secret in text or "PRIVATE" in text] == []
    email = loaded.config.channels.email
    assert email is not None
    assert email.send is not None
    assert base64.b64encode(public_half(email.send.dkim[0].key.reveal())) in (
        DNS(b"s1._domainkey.acme.example.") or b""
    )
