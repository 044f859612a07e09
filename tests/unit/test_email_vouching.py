"""Whose domain signed a mail: keys come from a name server over the wire, mails from a signer and from strangers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.rrset
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from channels.email import vouching
from channels.email.signing import SigningKey, signed
from channels.email.vouching import HEAD_BYTES_MAX, SIGNATURES_MAX, NoAnswer, Signature, key_of, signatures
from router.app.filters import UNCHECKED, Filters
from router.core.message import Address, Message
from router.shell.store.entries import InboxItem
from router.shell.workers import Raw, Understood, understand
from skills.dkim_model import usable
from skills.email_model import EmailChannel, FiltersConfig

KEY = rsa.generate_private_key(65_537, 1_024)  # noqa: S505 (short keys are made quickly)
RECORD = (
    "v=DKIM1; k=rsa; p="
    + base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
)
PEM = usable(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()).encode()
ADA = "ada@customer.example"
MAIL = f"From: Ada <{ADA}>\r\nTo: help@acme.example\r\nSubject: My bag\r\n\r\nIt is lost.\r\n".encode()


def seal(raw: bytes = MAIL, domain: str = "customer.example", selector: str = "s1") -> bytes:
    """A mail as a server of the domain signs it."""
    return signed(raw, SigningKey(domain=domain, selector=selector, pem=PEM))


PIECES = [
    b"DKIM-Signature:", b"dkim-signature :", b" ", b"\t", b"\r\n", b"\n", b";", b"=", b"d=customer.example", b"s=a",
    b"h=from", b"a=rsa-sha256", b"\0", b"\xff", b"d=..", b"s=" + b"a" * 300, b"v=1",
]  # fmt: skip


class NameServer(asyncio.DatagramProtocol):
    """Knows `records`; what is asked for under `broken` it fails at. `asked`: names, in their order."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It listens."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One question."""
        question = dns.message.from_wire(data)
        name = question.question[0].name
        self.asked.append(name.to_text(omit_final_dot=True))
        answer = dns.message.make_response(question)
        found = self.records.get(self.asked[-1])
        if found is None:
            answer.set_rcode(dns.rcode.SERVFAIL if "broken" in self.asked[-1] else dns.rcode.NXDOMAIN)
        elif found:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *found))
        self.transport.sendto(answer.to_wire(), addr)


@pytest_asyncio.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NameServer]:
    """A name server of this machine, asked by whoever asks one."""
    server = NameServer()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, ("127.0.0.1", 0))
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    monkeypatch.setattr(dns.asyncresolver, "default_resolver", resolver)
    yield server
    transport.close()


def inline(items: list[Raw]) -> list[asyncio.Future[Understood]]:
    """What workers do, here and at once."""
    futures = []
    for item in items:
        futures.append(asyncio.get_running_loop().create_future())
        futures[-1].set_result(understand(item))
    return futures


async def read(raw: bytes, **more: Any) -> Message:
    """What becomes of a mail of Ada's that was read."""
    config = SimpleNamespace(channels=SimpleNamespace(email=EmailChannel(filters=FiltersConfig(dkim=True))))
    filters = Filters(cast("Any", lambda: config), inline)
    reading: asyncio.Future[Understood] = asyncio.get_running_loop().create_future()
    reading.set_result(Understood(message=Message(channel="email", **{"from_": Address(address=ADA), **more})))
    found = await filters.sift(InboxItem(id="1-0", source="email", meta=b"{}", raw=raw, key=b""), reading)
    await filters.close()
    assert found.message is not None
    return found.message


class TestMails:
    """From the mail to what its contact says."""

    async def test_a_mail_that_its_domain_signed_is_vouched_for(self, server: NameServer) -> None:
        """Also by a domain above or below the writer's, and where another signature does not hold."""
        for domain in ("customer.example", "mail.customer.example"):
            server.records[f"s1._domainkey.{domain}"] = [f'"{RECORD[:200]}" "{RECORD[200:]}"']
        assert (await read(seal())).authentication == {"dkim": "pass"}
        assert (await read(seal(domain="mail.customer.example"))).authentication == {"dkim": "pass"}
        assert (await read(seal(seal(), selector="gone"))).authentication == {"dkim": "pass"}
        below = Address(address="ada@mail.customer.example")
        assert (await read(seal(), from_=below)).authentication == {"dkim": "pass"}

    @pytest.mark.parametrize(
        ("raw", "result"),
        [
            (MAIL, "none"),
            (seal(domain="evil.example"), "none"),
            (seal(domain="another-customer.example"), "none"),
            (seal(domain="example"), "none"),
            (seal(selector="gone"), "fail"),
            (seal(selector="empty"), "fail"),
            (seal(selector="several"), "fail"),
            (seal(selector="odd"), "fail"),
            (seal().replace(b"lost", b"sold"), "fail"),
            (seal().replace(b"From: Ada", b"From: Eve <eve@evil.example>\r\nFrom: Ada"), "fail"),
            (seal().replace(b" bh=", b" l=3; bh="), "none"),
            (seal().replace(b"a=rsa-sha256", b"a=rsa-sha1"), "none"),
        ],
    )
    async def test_no_other_signature_vouches(self, server: NameServer, raw: bytes, result: str) -> None:
        """Strangers', old keys', changed mails', partial ones'; and a stranger's name server is asked nothing."""
        server.records |= {
            "s1._domainkey.customer.example": [f'"{RECORD[:200]}" "{RECORD[200:]}"'],
            "empty._domainkey.customer.example": [],
            "several._domainkey.customer.example": ['"v=DKIM1; p="', '"v=DKIM1; p=AAAA"'],
            "odd._domainkey.customer.example": ['"v=DKIM1; k=rsa; p=%%%\\255"'],
        }
        assert (await read(raw)).authentication == {"dkim": result}
        assert bool(server.asked) == (result == "fail")

    async def test_where_dns_does_not_answer_nothing_is_said_against_the_writer(self, server: NameServer) -> None:
        """The mail comes in, and says that it is not known."""
        found = await read(seal(selector="broken"))
        assert (found.authentication, found.warnings) == ({}, (UNCHECKED,))
        assert server.asked
        with pytest.raises(NoAnswer):
            await key_of("broken.customer.example")

    async def test_only_what_nobody_looked_at_is_looked_at(self, server: NameServer) -> None:
        """Our mail server's word stands; what a machine wrote needs none; a colleague is who forwards."""
        said = {"dmarc": "pass"}
        assert (await read(seal(), authentication=said)).authentication == said
        assert (await read(seal(), auto="bounce")).authentication == {}
        assert not server.asked
        server.records["s1._domainkey.acme.example"] = [f'"{RECORD[:200]}" "{RECORD[200:]}"']
        colleague = Address(address="ben@acme.example")
        assert (await read(seal(domain="acme.example"), forwarded_by=colleague)).authentication == {"dkim": "pass"}


class TestHeads:
    """Signatures by the head alone."""

    def test_no_more_than_a_few_are_looked_at(self) -> None:
        """Nor one that ends beyond the head."""
        raw = MAIL
        for number in range(SIGNATURES_MAX + 2):
            raw = seal(raw, selector=f"s{number}")
        found = signatures(raw, ADA)
        assert [one.place for one in found] == list(range(SIGNATURES_MAX))
        assert found[0] == Signature(0, f"s{SIGNATURES_MAX + 1}._domainkey.customer.example")
        assert signatures(b"X: " + b"x" * HEAD_BYTES_MAX + b"\r\n" + seal(), ADA) == []
        cut = seal()
        filler = b"X: " + b"x" * (HEAD_BYTES_MAX - 100) + b"\r\n"
        assert signatures(filler + cut, ADA) == []

    @given(
        st.lists(
            st.sampled_from(PIECES),
            max_size=40,
        ).map(b"".join),
        st.sampled_from([ADA, "", "@", "x@" + "a" * 300, "x@ü.example", "x@\ud800"]),
    )
    def test_whatever_a_stranger_writes_is_read(self, raw: bytes, writer: str) -> None:
        """A list of names that DNS can be asked for, or none; and the check of it ends as a message."""
        found = signatures(raw, writer)
        assert all(one.name.endswith("._domainkey.customer.example") for one in found)
        message = vouching.checked(raw, vouching.task_of(dict.fromkeys(found, RECORD)))
        assert message.authentication == {"dkim": "fail" if found else "none"}
