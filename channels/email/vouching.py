"""Whether the domain of a mail's writer signed it (DKIM, RFC 6376): where no mail server of ours looked before.

In three steps, as what strangers send is taken apart in workers only, and those ask the network nothing: which
signatures there are, by the head of the mail alone; their public keys, from DNS; and the check, with the keys at hand.

Only a signature of the writer's own domain, or of one above or below it, says something of the writer; at others nobody
is asked. One that covers a part of the body (`l=`), leaves out From, or is made with SHA-1 (RFC 8301) is none.
"""

from __future__ import annotations

import re

import msgspec

from router.core.errors import TransientError
from router.core.message import Address, Message

HEAD_BYTES_MAX = 1 << 16  # within these a signature must begin and end
SIGNATURES_MAX = 4
NAME_CHARACTERS_MAX = 253
DNS_SECONDS_MAX = 5.0
METHOD = "dkim"
ALGORITHMS = frozenset({"rsa-sha256", "ed25519-sha256"})
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


class NoAnswer(TransientError):
    """DNS did not say whether there is a key."""

    code = "no_answer"


class Signature(msgspec.Struct, frozen=True, array_like=True):
    """`place`: which of the mail's signatures it is, from 0. `name`: where its public key is."""

    place: int
    name: str


class _Keys(msgspec.Struct, frozen=True):
    """What a worker is given: public keys as DNS has them, "" for none, by signature."""

    keys: tuple[tuple[Signature, str], ...]


def signatures(raw: bytes, writer: str) -> list[Signature]:
    """Those of a mail that may vouch for an address, which is an address as it is shown."""
    domain = _ascii(writer.rpartition("@")[2])
    found = []
    for place, value in enumerate(_fields(raw)):
        tags = _tags(value)
        name = f"{tags.get('s', '')}._domainkey.{tags.get('d', '')}".lower()
        covers = "from" in tags.get("h", "").lower().split(":") and "l" not in tags
        good = covers and tags.get("a") in ALGORITHMS and len(name) <= NAME_CHARACTERS_MAX and _HOST.fullmatch(name)
        if good and _akin(tags["d"].lower(), domain):
            found.append(Signature(place, name))
    return found[:SIGNATURES_MAX]


def _fields(raw: bytes) -> list[str]:
    """Values of the head's DKIM-Signature fields, unfolded."""
    values: list[str] = []
    inside = False
    for line in raw[:HEAD_BYTES_MAX].split(b"\n"):
        text = line.rstrip(b"\r").decode("ascii", "replace")
        if not text:
            return values
        if text[0] in " \t":
            if inside:
                values[-1] += text
            continue
        name, _, value = text.partition(":")
        inside = name.rstrip().lower() == "dkim-signature"
        if inside:
            values.append(value)
    return values[:-1] if inside else values  # the last one may go on beyond the head


def _tags(value: str) -> dict[str, str]:
    """A signature's tags; white space within a value means nothing in those that are asked for."""
    pairs = (part.partition("=") for part in value.split(";"))
    return {name.strip(): "".join(text.split()) for name, _, text in pairs}


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode().lower()
    except UnicodeError:
        return ""


def _akin(one: str, other: str) -> bool:
    """Whether they are the same domain, or one is the other's; a bare top level domain is nobody's."""
    short, long = sorted((one, other), key=len)
    return "." in short and f".{long}".endswith(f".{short}")


async def key_of(name: str) -> str:
    """What DNS says under this name; "" where there is nothing. Raises NoAnswer."""
    import dns.asyncresolver  # noqa: PLC0415 (as dkim below)
    import dns.exception  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    try:
        answer = await dns.asyncresolver.resolve(f"{name}.", "TXT", lifetime=DNS_SECONDS_MAX)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ""
    except (dns.exception.DNSException, OSError) as error:
        raise NoAnswer(type(error).__name__) from error
    return b"".join(answer[0].strings).decode("ascii", "replace") if len(answer) == 1 else ""


def task_of(keys: dict[Signature, str]) -> bytes:
    """What `checked` is given beside the mail."""
    return msgspec.json.encode(_Keys(tuple(keys.items())))


def checked(raw: bytes, meta: bytes) -> Message:
    """In a worker, which gives messages: one without words, whose `authentication` says whether a signature holds."""
    import dkim  # noqa: PLC0415 (a quarter of a second, for those who check)

    keys = {f"{signature.name}.".encode(): key.encode() for signature, key in _keys(meta)}
    for signature, _ in _keys(meta):
        try:
            seal = dkim.DKIM(raw)
            holds = seal.verify(signature.place, lambda name, timeout=0: keys.get(name.lower()))  # noqa: ARG005
        except Exception:  # noqa: BLE001, S112  # made by anybody, and may raise anything: it does not hold
            continue
        if holds:
            return _said("pass")
    return _said("fail" if keys else "none")


def _keys(meta: bytes) -> tuple[tuple[Signature, str], ...]:
    return msgspec.json.decode(meta, type=_Keys).keys


def _said(result: str) -> Message:
    return Message(channel="email", from_=Address(address=""), authentication={METHOD: result})
