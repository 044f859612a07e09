"""Large mails in S3, through the daemon: in, read, answered for; and S3 falls silent."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import aiosmtplib
import pytest

from tests.support.buckets import Bucket, bucket
from tests.support.daemons import RunningDaemon, until, write_workspace


@pytest.fixture
def s3() -> Iterator[Bucket]:
    """A server that speaks S3."""
    with bucket("mail") as found:
        yield found


@pytest.fixture
def daemon(s3: Bucket, tmp_path: Path) -> Iterator[RunningDaemon]:
    """A daemon whose large values lie there; the keys come from the environment."""
    blobs = (
        f"blobs: {{url: '{s3.place.url}', endpoint: '{s3.endpoint}', plain_http: true,"
        " access_key: '${S3_KEY}', secret_key: '${S3_SECRET}'}\n"
    )
    found = RunningDaemon(
        write_workspace(tmp_path / "config", extra=blobs), tmp_path / "data", S3_KEY="a", S3_SECRET="b"
    )
    found.start()
    yield found
    found.stop()


def mail(number: int, kilobytes: int) -> bytes:
    """A mail with a file of that size."""
    made = EmailMessage()
    made["From"], made["To"] = f"Ada <ada{number}@example.org>", "help@acme.example"
    made["Subject"], made["Message-ID"] = "please refund my order", f"<big{number}@example.org>"
    made.set_content(f"This is number {number}.")
    made.add_attachment(b"x" * (kilobytes << 10), maintype="image", subtype="jpeg", filename="ticket.jpg")
    return made.as_bytes(policy=SMTP)


async def send(daemon: RunningDaemon, number: int, kilobytes: int) -> None:
    """By SMTP. Raises SMTPException if it is not taken."""
    host, port = daemon.smtp
    async with aiosmtplib.SMTP(hostname=host, port=port, use_tls=False, start_tls=False, timeout=60) as client:
        await client.sendmail(f"ada{number}@example.org", ["help@acme.example"], mail(number, kilobytes))


def subjects(daemon: RunningDaemon) -> list[str]:
    """Whose mails are in contacts."""
    return sorted(one["messages"][0]["external_id"] for one in daemon.contacts())


@pytest.mark.timeout(180)
async def test_a_large_mail_lies_in_s3_and_small_ones_go_on_without_it(
    daemon: RunningDaemon, s3: Bucket, tmp_path: Path
) -> None:
    """A megabyte comes in and is kept in S3 alone; while S3 is silent large mails get 451, small ones are routed."""
    await send(daemon, 1, 1_000)
    await until(lambda: subjects(daemon) == ["big1@example.org"])
    await until(lambda: daemon.ask("/v1/status")["inbox_lag"] == 0)
    assert not (tmp_path / "data" / "blobs").exists()
    assert daemon.ask("/v1/status")["problems"] == []
    s3.stop()
    with pytest.raises(aiosmtplib.SMTPException, match="451"):
        await send(daemon, 2, 1_000)
    await send(daemon, 3, 1)
    await until(lambda: len(subjects(daemon)) == 2)
    assert any("large mails are refused for now" in problem for problem in daemon.ask("/v1/status")["problems"])
    s3.start()
    await send(daemon, 2, 1_000)
    await until(lambda: subjects(daemon) == [f"big{number}@example.org" for number in (1, 2, 3)])
    assert daemon.ask("/v1/status")["problems"] == []
