"""What holds for the splitter whatever the text: nothing lost, order kept, linear work."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.email.split import Split, finish, mark_lines, split
from channels.email.split_html import split_html
from channels.email.split_lines import Page
from tests.unit.test_email_split import CASES, LINES

_BITS = (
    "Hello", "It does not print.", "", "", "> quoted", ">> deeper", ">", "> > wrote:", "-- ", "--", "_____",
    "-----", "==========",
    "On Tue, Mar 4, 2025 at 9:12 AM Acme <help@acme.example> wrote:", "On Tue, Mar 4, 2025 at 9:12 AM Acme <",
    "help@acme.example> wrote:",
    "Am 04.03.25 um 09:12 schrieb Acme:", "wrote:", "a écrit :", "From: Acme <help@acme.example>", "Sent: Tuesday",
    "To: Jane", "Subject: x",
    "Date: Tue, 4 Mar 2025", "-----Original Message-----", "---------- Forwarded message ---------",
    "Begin forwarded message:",
    "Sent from my iPhone", "Jane Doe", "jane@doe.example", "+44 20 7946 0958", "[...]", "## reply above ##",
    "> ## reply above ##", "\u200b",
    "This e-mail is confidential and intended solely for the addressee; if received in error, notify the sender.",
    "PS: call me", "\t", "|> x",
)  # fmt: skip
_MARKER = "## reply above ##"
_LINES = st.lists(st.one_of(st.sampled_from(_BITS), st.text(max_size=20)), max_size=30)
_WORDS = st.lists(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyzäöéñабвгд日本 ,", min_size=1, max_size=60), min_size=1, max_size=12
)


_ATTRIBUTIONS = LINES["attributions"] + LINES["attributions_of_marked_quotes"]


def _seen(text: str) -> list[str]:
    """The lines that can be seen, without the quote marks that a forward's words lose."""
    bare = (line.lstrip("> ") for line in Page(text).seen)
    return [line for line in bare if line]


def _parts(parts: Split) -> list[list[str]]:
    return [_seen(part) for part in (parts.new, parts.quoted, parts.signature, parts.disclaimer)]


def _is_within(part: list[str], whole: list[str]) -> bool:
    """Whether `part` is a subsequence of `whole`."""
    left = iter(whole)
    return all(line in left for line in part)


@given(lines=_LINES, marker=st.sampled_from(("", _MARKER)), ends=st.sampled_from(("\n", "\r\n", "\r")))
@settings(max_examples=400, deadline=None)
def test_every_line_comes_out_once(lines: list[str], marker: str, ends: str) -> None:
    """Every line that can be seen stands in exactly one part, and each part keeps the order."""
    text = ends.join(lines)
    whole = _seen(text)
    parts = _parts(split(text, marker))
    assert sorted(line for part in parts for line in part) == sorted(whole)
    assert all(_is_within(part, whole) for part in parts)


@given(text=st.text())
@settings(max_examples=300, deadline=None)
def test_any_text_is_split(text: str) -> None:
    """No text makes the splitter fail or lose a line."""
    parts = _parts(split(text, _MARKER))
    assert sorted(line for part in parts for line in part) == sorted(_seen(text))


@given(lines=_WORDS)
@settings(max_examples=200, deadline=None)
def test_text_without_signs_is_new(lines: list[str]) -> None:
    """Text without any sign of a quote is new as it is."""
    text = "\n".join(lines)
    parts = split(text)
    assert _seen(parts.new) == _seen(text)
    assert not parts.quoted
    assert not parts.inline
    assert parts.forwarded is None


@given(lines=_WORDS, attribution=st.sampled_from(_ATTRIBUTIONS), quoted=_WORDS)
@settings(max_examples=300, deadline=None)
def test_a_quote_below_is_taken_off(lines: list[str], attribution: str, quoted: list[str]) -> None:
    """A quote below new words is taken off, with each attribution that we know, and the words stay as they are."""
    text = "\n".join(lines)
    parts = split(f"{text}\n\n{attribution}\n\n" + "\n".join(f"> {line}" for line in quoted))
    assert _seen(parts.new) == _seen(text)
    assert _seen(attribution)[0] in _seen(parts.quoted)


@given(lines=_WORDS, attribution=st.sampled_from(_ATTRIBUTIONS), quoted=_WORDS)
@settings(max_examples=200, deadline=None)
def test_an_answer_below_the_quote_stays(lines: list[str], attribution: str, quoted: list[str]) -> None:
    """Words below a quote are new, with each attribution that we know."""
    text = "\n".join(lines)
    parts = split(f"{attribution}\n" + "\n".join(f"> {line}" for line in quoted) + f"\n\n{text}")
    assert _seen(parts.new) == _seen(text)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['lang']}-{case['client']}" for case in CASES])
def test_new_words_are_new_again(case: dict[str, str]) -> None:
    """The new words of a known case are, split again, all new."""
    parts = split_html(case["html"]) if "html" in case else split(case["text"], case.get("marker", ""))
    assert _seen(split(parts.new).new) == _seen(parts.new)


@given(lines=_LINES)
@settings(max_examples=150, deadline=None)
def test_html_of_lines_keeps_the_words(lines: list[str]) -> None:
    """HTML made of paragraphs loses no word."""
    plain = [" ".join(line.replace("<", " ").replace("&", " ").replace("\0", " ").split()) for line in lines]
    parts = split_html("".join(f"<div>{line}</div>" for line in plain), _MARKER)
    words = sorted(word for part in _parts(parts) for line in part for word in line.split() if word.isascii())
    wanted = sorted(word for line in _seen("\n".join(plain)) for word in line.split() if word.isascii())
    assert words == wanted


# ---- linear work ----------------------------------------------------------------------------------------------

_NASTY: dict[str, Callable[[int], str]] = {
    "quote marks in one line": lambda n: ">" * n,
    "quote marks, a line each": lambda n: ">\n" * (n // 2),
    "On On On": lambda n: "On " * (n // 3),
    "On, a line each": lambda n: "On \n" * (n // 4),
    "attributions that never end": lambda n: "On Tue, Mar 4, 2025 at 9:12 AM Acme <\n" * (n // 38),
    "attributions": lambda n: "On Tue, Mar 4, 2025 at 9:12 Jane wrote:\nx\n" * (n // 42),
    "verbs": lambda n: "wrote:\n" * (n // 7),
    "attributions and quotes": lambda n: "On 3/4/25 9:12, J wrote:\n> a\nb\n" * (n // 31),
    "From: From:": lambda n: "From: " * (n // 6),
    "From, a line each": lambda n: "From: a\n" * (n // 8),
    "headers that are none": lambda n: "From: a\nTo: b\n" * (n // 14),
    "header runs below quotes": lambda n: "From: a@b\nSent: c\nTo: d\n> e\nf\n" * (n // 32),
    "rules": lambda n: "-----Original Message-----\n> x\n" * (n // 31),
    "rules and blank lines": lambda n: ("-----\n" + "\n" * 40) * (n // 46),
    "underscores in one line": lambda n: "_" * n,
    "underscores, a line each": lambda n: "_____\n" * (n // 6),
    "delimiters": lambda n: "--\nx\n" * (n // 5),
    "blank lines": lambda n: "\n" * n,
    "one long line": lambda n: "x" * n,
    "one long line of words": lambda n: "a@b.example " * (n // 12),
    "digits": lambda n: "1 " * (n // 2),
    "addresses": lambda n: "<a@" * (n // 3) + ":",
    "answers": lambda n: "> a\nb\n" * (n // 6),
    "phones' lines": lambda n: "Sent from my iPhone\n" * (n // 20),
    "disclaimers": lambda n: "confidential intended recipient\n\n" * (n // 33),
    "direction marks": lambda n: "\u200e\u200f" * (n // 2),
    "markers": lambda n: f"> {_MARKER}\n" * (n // 20),
}
_LOOKS_PER_LINE = 60
_TIMES_MAX = 40  # for eight times the text: linear work gives 8, square work 64, a busy machine something between
_MEASURABLE = 0.003  # seconds; what takes less counts as this


@pytest.mark.parametrize("make", _NASTY.values(), ids=_NASTY.keys())
@pytest.mark.parametrize("size", [10_000, 60_000])
def test_judgements_are_bounded_by_lines(make: Callable[[int], str], size: int) -> None:
    """A nasty text is judged at most a fixed number of times per line."""
    page = Page(make(size))
    finish(page, mark_lines(page, _MARKER))
    assert page.looks <= _LOOKS_PER_LINE * len(page) + 2_000


def _least(work: Callable[[], object]) -> float:
    """The least of three times, in seconds."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


@pytest.mark.parametrize("make", _NASTY.values(), ids=_NASTY.keys())
def test_double_the_text_costs_about_double(make: Callable[[int], str]) -> None:
    """Eight times a nasty text costs far less than the square of eight."""
    small, large = make(10_000), make(80_000)
    split(small, _MARKER)
    assert _least(lambda: split(large, _MARKER)) < _TIMES_MAX * max(_least(lambda: split(small, _MARKER)), _MEASURABLE)


def test_two_megabytes_of_everything_are_split() -> None:
    """Two megabytes of all nasty texts one below the other lose no line."""
    text = "\n".join(make(80_000) for make in _NASTY.values())
    parts = _parts(split(text, "no such marker"))
    assert sum(map(len, parts)) == len(_seen(text))


_NASTY_HTML: dict[str, Callable[[int], str]] = {
    "deep": lambda n: "<div>" * (n // 5) + "x",
    "deep quotes": lambda n: '<blockquote type="cite">' * (n // 24) + "x",
    "open signs": lambda n: "<" * n,
    "paragraphs": lambda n: "<p>x" * (n // 4),
    "bold that never ends": lambda n: "<b>x" * (n // 4),
    "breaks": lambda n: "<br>" * (n // 4),
    "answers": lambda n: '<blockquote type="cite">a</blockquote>b' * (n // 40),
    "attributions": lambda n: '<div class="gmail_attr">On 3/4/25 J wrote:</div>' * (n // 48),
    "tables": lambda n: "<table><tr><td>" * (n // 15),
    "spaces": lambda n: "<pre> \n" * (n // 7),
    "ampersands": lambda n: "&amp" * (n // 4),
}


@pytest.mark.parametrize("make", _NASTY_HTML.values(), ids=_NASTY_HTML.keys())
def test_double_the_html_costs_about_double(make: Callable[[int], str]) -> None:
    """Eight times a nasty HTML costs far less than the square of eight."""
    small, large = make(20_000), make(160_000)
    split_html(small)
    assert _least(lambda: split_html(large)) < _TIMES_MAX * max(_least(lambda: split_html(small)), _MEASURABLE)


def test_cases_cover_many_languages() -> None:
    """The known cases are in 16 languages at least, 60 or more of them, with HTML among them."""
    assert len(CASES) >= 60
    assert len({case["lang"] for case in CASES}) >= 16
    assert sum("html" in case for case in CASES) >= 15
    assert len(_ATTRIBUTIONS) >= 80
