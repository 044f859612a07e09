"""A sender that costs little: raw SMTP over asyncio, in a process of its own, the same for every server measured."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time

BODY = b"Hello, my suitcase did not arrive with yesterday's flight. Could you look for it, please?\r\n" * 12


def mail(number: int, run: str) -> bytes:
    """A mail of about 1.3 kB; none is like another."""
    return (
        b"From: Customer %d <customer%d@example.org>\r\nTo: help@acme.example\r\nSubject: suitcase %d\r\n"
        b"Message-ID: <%s.%d@example.org>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n%s"
        % (number, number, number, run.encode(), number, BODY)
    )


async def _session(port: int, numbers: list[int], run: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b"EHLO bench.example.org\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    for number in numbers:
        lines = (b"MAIL FROM:<customer%d@example.org>\r\n" % number, b"RCPT TO:<help@acme.example>\r\n", b"DATA\r\n")
        for line in (*lines, mail(number, run) + b".\r\n"):
            writer.write(line)
            answer = await reader.readline()
            if answer[:1] not in b"23":
                message = f"refused: {answer!r}"
                raise RuntimeError(message)
    writer.write(b"QUIT\r\n")
    await reader.readline()
    writer.close()


async def send(port: int, mails: int, per_connection: int, clients: int, run: str) -> float:
    """Send as fast as is answered; gives mails per second."""
    groups = [list(range(start, min(start + per_connection, mails))) for start in range(0, mails, per_connection)]
    groups.reverse()

    async def client() -> None:
        while groups:
            await _session(port, groups.pop(), run)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return mails / (time.perf_counter() - begun)


async def pace(port: int, mails: int, per_second: float, run: str) -> float:
    """Send at an even pace, whatever the answers take; gives mails per second."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    tasks = []
    for number in range(mails):
        await asyncio.sleep(max(0.0, start + number / per_second - loop.time()))
        tasks.append(asyncio.create_task(_session(port, [number], run)))
    await asyncio.gather(*tasks)
    return mails / (loop.time() - start)


def rate(port: int, mails: int, *, per_connection: int = 1, clients: int = 10, paced: float = 0.0) -> float:
    """Send from a process of its own; gives mails per second."""
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(mails), str(per_connection), str(clients)]
    done = subprocess.run(
        [*command, str(paced)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600 + (2 * mails / paced if paced else 0),
    )
    return float(json.loads(done.stdout))


def main() -> None:
    """The process that sends."""
    parser = argparse.ArgumentParser()
    for name in ("port", "mails", "per_connection", "clients"):
        parser.add_argument(name, type=int)
    parser.add_argument("paced", type=float)
    asked = parser.parse_args()
    run = str(time.time_ns())
    if asked.paced:
        done = pace(asked.port, asked.mails, asked.paced, run)
    else:
        done = send(asked.port, asked.mails, asked.per_connection, asked.clients, run)
    sys.stdout.write(json.dumps(asyncio.run(done)))


if __name__ == "__main__":
    main()
