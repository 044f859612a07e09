"""How well new words are found: exact %, and % of the cases with an expected word missing, on foreign known answers.

`python -m benchmarks.mail_split` reads `$USHERD_REFERENCE` or `../shared/reference`. One third of each corpus (by the
SHA-256 of the file's name) was kept apart while the rules were written and is told apart here. `--wrong` shows the
cases that were tuned on and are not exact; the others are only counted.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from channels.email.split import Split, forwarded, split
from channels.email.split_html import split_html

ROOT = Path(os.environ.get("USHERD_REFERENCE", "../shared/reference")) / "mail"
_WORD = re.compile(r"\w+")


class Case(NamedTuple):
    """One known answer: the corpus, the file's name, what we say and what is right."""

    corpus: str
    name: str
    got: str
    expected: str

    @property
    def exact(self) -> bool:
        """Whether both are the same, white space apart."""
        return "".join(self.got.split()) == "".join(self.expected.split())

    @property
    def missing(self) -> list[str]:
        """Expected words that we do not show, as often as they are missing."""
        left = _WORD.findall(self.got)
        lost = []
        for word in _WORD.findall(self.expected):
            if word in left:
                left.remove(word)
            else:
                lost.append(word)
        return lost

    @property
    def apart(self) -> bool:
        """Whether the file belongs to the third that was kept apart."""
        return int(hashlib.sha256(self.name.encode()).hexdigest(), 16) % 3 == 0


def _shown(parts: Split, full: str) -> str:
    """What an agent would see first: the full text when nothing is new (CHANNELS.md)."""
    return parts.new or full


def trimmer(root: Path = ROOT) -> Iterator[Case]:
    """email_reply_trimmer: the visible reply, and the mail inside forwards."""
    folder = root / "email_reply_trimmer" / "test"
    for path in sorted((folder / "emails").iterdir()):
        text = path.read_text(encoding="utf-8")
        expected = (folder / "trimmed" / path.name).read_text(encoding="utf-8")
        yield Case("email_reply_trimmer", path.name, _shown(split(text), text), expected)


def embedded(root: Path = ROOT) -> Iterator[Case]:
    """email_reply_trimmer: the text of the mail inside; the expected answer holds its headers too, we give the text."""
    folder = root / "email_reply_trimmer" / "test"
    for path in sorted((folder / "embedded").iterdir()):
        expected = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        found = forwarded((folder / "emails" / path.name).read_text(encoding="utf-8"))
        body = re.split(r"\n\s*\n", expected, maxsplit=1)[-1]
        yield Case("email_reply_trimmer forwards", path.name, found.text if found else "", body)


def _plain_part(path: Path) -> str:
    """The first text/plain part of a mail."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.compat32)
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            body = part.get_payload(decode=True)
            return bytes(body).decode("utf-8", "replace") if isinstance(body, bytes) else ""
    return ""


def talon_plain(root: Path = ROOT) -> Iterator[Case]:
    """Talon's standard replies. Its answers keep "Sent from my iPhone" (it finds signatures apart): so we add it."""
    folder = root / "talon" / "tests" / "fixtures" / "standard_replies"
    for path in sorted(folder.glob("*.eml")):
        answer = path.with_name(path.stem + "_reply_text")
        expected = answer.read_text(encoding="utf-8") if answer.exists() else "Hello"
        parts = split(_plain_part(path))
        yield Case("talon", path.name, parts.new + "\n" + parts.signature, expected)


def talon_html(root: Path = ROOT) -> Iterator[Case]:
    """Talon's nine HTML replies: one answer for all."""
    folder = root / "talon" / "tests" / "fixtures" / "html_replies"
    for path in sorted(folder.glob("*.html")):
        parts = split_html(path.read_text(encoding="utf-8"))
        yield Case("talon HTML", path.name, parts.new, "Hi. I am fine.\n\nThanks,\nAlex")


def talon_signatures(root: Path = ROOT) -> Iterator[Case]:
    """Talon's signatures without a delimiter: a hard case, where we would rather leave one than lose words."""
    folder = root / "talon" / "tests" / "fixtures" / "signature" / "emails" / "stripped"
    for path in sorted(folder.glob("*_body")):
        text = path.read_text(encoding="utf-8")
        answer = path.with_name(path.name.removesuffix("_body") + "_signature")
        signature = answer.read_text(encoding="utf-8") if answer.exists() else ""
        expected = text.replace(signature, "") if signature.strip() else text
        yield Case("talon signatures", path.name, split(text).new, expected)


CORPORA: tuple[Callable[[], Iterator[Case]], ...] = (trimmer, embedded, talon_plain, talon_html, talon_signatures)


def _row(name: str, cases: list[Case]) -> str:
    """One line of the table."""
    exact = sum(case.exact for case in cases)
    lost = sum(bool(case.missing) for case in cases)
    count = max(1, len(cases))
    return f"{name:46} {len(cases):5} {exact:5} {100 * exact / count:6.1f} % {lost:5} {100 * lost / count:6.1f} %"


def _speed(root: Path = ROOT) -> str:
    """Microseconds per mail of the plain corpus."""
    texts = [path.read_text(encoding="utf-8") for path in (root / "email_reply_trimmer" / "test" / "emails").iterdir()]
    began = time.perf_counter()
    for _ in range(20):
        for text in texts:
            split(text)
    each = (time.perf_counter() - began) / 20 / len(texts)
    size = sum(map(len, texts)) / len(texts)
    return f"{each * 1e6:.0f} µs per mail of {size:.0f} characters"


def main() -> None:
    """Print the table."""
    print(f"{'corpus':46} {'cases':>5} {'exact':>14} {'words missing':>14}")
    counted: list[Case] = []
    for corpus in CORPORA:
        cases = list(corpus())
        counted += cases
        for label, part in (
            ("tuned on", [case for case in cases if not case.apart]),
            ("kept apart", [case for case in cases if case.apart]),
        ):
            print(_row(f"{cases[0].corpus}, {label}", part))
    targets = [case for case in counted if case.corpus in {"email_reply_trimmer", "talon", "talon HTML"}]
    print(_row("known replies in all (trimmer, talon, HTML)", targets))
    print(_speed())
    if "--wrong" in sys.argv:
        for case in counted:
            if not case.exact and not case.apart:
                print(f"\n#### {case.corpus} {case.name}\n---- got\n{case.got}\n---- expected\n{case.expected}")


if __name__ == "__main__":
    main()
