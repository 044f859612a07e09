"""Mail that others collected is understood: the figures of issue 3, as floors below what was measured.

Read from `$USHERD_REFERENCE` or `../shared/reference`; `python -m benchmarks.mail_corpora` prints the table, with a
third of each corpus, kept apart while the rules were written, counted apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from benchmarks import mail_corpora
from benchmarks.mail_corpora import Case
from channels.email.parse import parse
from router.core.errors import PoisonError
from router.core.message import Message

ROOT = mail_corpora.ROOT
pytestmark = pytest.mark.reference("mail")


@cache
def cases() -> dict[str, list[Case]]:
    """All questions with their cases, asked once."""
    out: dict[str, list[Case]] = {}
    for ask in mail_corpora.QUESTIONS:
        for case in ask():
            out.setdefault(case.question, []).append(case)
    return out


@pytest.mark.parametrize(
    ("question", "floor", "least"),
    [
        ("stalwart: full_text", 0.90, 50),
        ("stalwart: number of attachments", 0.90, 50),
        ("stalwart: words of HTML-only mails", 1.0, 3),
        ("sisimai: kind", 0.95, 300),
        ("sisimai: failed recipients found", 0.95, 300),
        ("sisimai: a status code agrees", 0.90, 250),
        ("flufl-bounce: kind", 0.95, 110),
        ("flufl-bounce: recipients", 0.95, 110),
        ("ordinary mail taken for no machine's", 1.0, 140),
        ("mikel-mail: read", 1.0, 100),
        ("mikel-mail: every part accounted for", 1.0, 100),
        ("mikel-mail: every word somewhere", 0.95, 100),
        ("cpython-test-email: read", 1.0, 45),
        ("cpython-test-email: every part accounted for", 1.0, 45),
        ("cpython-test-email: every word somewhere", 1.0, 45),
    ],
)
def test_foreign_mail_is_understood(question: str, floor: float, least: int) -> None:
    """Of enough mails, the share that is read right is no lower than promised."""
    asked = cases()[question]
    assert len(asked) >= least
    wrong = [f"{case.name}: {case.note}" for case in asked if not case.right]
    assert 1 - len(wrong) / len(asked) >= floor, wrong


def files() -> Iterator[Path]:
    """Every file of the reference mails, whatever it is."""
    yield from sorted(path for path in ROOT.rglob("*") if path.is_file())


def test_no_reference_file_crashes_or_hangs() -> None:
    """Each file, a mail or not, is read or refused; only empty ones are refused."""
    count = 0
    for path in files():
        raw = path.read_bytes()
        count += 1
        try:
            assert isinstance(parse(raw), Message)
        except PoisonError:
            assert not raw.strip(), path
    assert count > 800
