"""New words of plain and HTML mails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from channels.email.split import Forwarded, Split, forwarded, split
from channels.email.split_html import split_html

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).with_name("split_cases.yaml")).read_text(encoding="utf-8"))


def _solid(text: str) -> str:
    return "".join(text.split())


def _parts(case: dict[str, Any]) -> Split:
    marker = case.get("marker", "")
    return split_html(case["html"], marker) if "html" in case else split(case["text"], marker)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['lang']}-{case['client']}" for case in CASES])
def test_cases(case: dict[str, Any]) -> None:
    """Each case of split_cases.yaml comes out as it says there."""
    parts = _parts(case)
    for key in ("new", "signature", "disclaimer", "quoted"):
        if key in case:
            assert _solid(getattr(parts, key)) == _solid(case[key]), (key, parts)
        for words in case.get(f"{key}_has", ()):
            assert _solid(words) in _solid(getattr(parts, key)), (key, parts)
    if "inline" in case:
        assert parts.inline == case["inline"]
    for key, value in case.get("forwarded", {}).items():
        assert parts.forwarded is not None
        assert getattr(parts.forwarded, key) == value


LINES: dict[str, list[str]] = yaml.safe_load((Path(__file__).with_name("split_lines.yaml")).read_text(encoding="utf-8"))


@pytest.mark.parametrize("attribution", LINES["attributions"] + LINES["attributions_of_marked_quotes"])
@pytest.mark.parametrize("above", ["New words here.\n\nBye\n\n", "New words here.\nBye\n"])
def test_attributions_of_marked_quotes(attribution: str, above: str) -> None:
    """A known attribution above lines with quote marks goes with them."""
    parts = split(f"{above}{attribution}\n\n> Old words.\n>\n> More.\n")
    assert parts.new.split() == ["New", "words", "here.", "Bye"]


@pytest.mark.parametrize("attribution", LINES["attributions"])
@pytest.mark.parametrize("below", ["\n\nOld words.\n\nMore.\n", "\nOld words.\nMore.\n"])
def test_attributions_of_plain_quotes(attribution: str, below: str) -> None:
    """All below a known attribution is quoted when no line carries a quote mark."""
    assert split(f"New words here.\n\nBye\n\n{attribution}{below}").new.split() == ["New", "words", "here.", "Bye"]


@pytest.mark.parametrize("line", LINES["phones"])
def test_what_phones_add(line: str) -> None:
    """A line that a phone or a mail program adds is a signature, below the words and above a quote."""
    assert split(f"Hello there.\n\n{line}\n").signature == line
    parts = split(f"Hello there.\n\n{line}\n\nOn 3/4/25 09:12, Acme <help@acme.example> wrote:\n> Old\n")
    assert (parts.new, parts.signature) == ("Hello there.", line)


@pytest.mark.parametrize("line", LINES["not_phones"])
def test_what_people_write_like_phones(line: str) -> None:
    """A sentence that begins like a phone's line stays."""
    assert split(f"Hello there.\n\n{line}\n").new == f"Hello there.\n\n{line}"


@pytest.mark.parametrize("text", LINES["kept"])
def test_people_are_heard(text: str) -> None:
    """Nothing goes from what people write."""
    assert split(text).new == text.strip()


def test_forwarded_finds_a_mail_below_a_word() -> None:
    """A mail with its headers is found below other words, as a colleague's program quotes it; no rule is needed."""
    found = forwarded(
        "For you.\n\nFrom: Carl Customer [mailto:carl@customer.example]\nSent: Tuesday, 4 March 2025 09:12\n"
        "To: Jane Doe;\n Joe Roe\nSubject: It is broken\n and stays so\n\nHello,\nit is broken.\n"
    )
    assert found == Forwarded(
        from_address="carl@customer.example",
        from_name="Carl Customer",
        subject="It is broken and stays so",
        date="Tuesday, 4 March 2025 09:12",
        text="Hello,\nit is broken.",
    )


def test_forwarded_is_none_without_headers() -> None:
    """An attribution names no forward, nor does a text without headers."""
    assert forwarded("Hello\n\nOn 3/4/25 09:12, Acme <help@acme.example> wrote:\n> Old\n") is None
    assert forwarded("") is None


def test_html_beyond_the_parser_is_split_as_text() -> None:
    """HTML too deep, or with a tag too long, is split by its lines: no word is lost, and the quote still goes."""
    quote = "<div>On Tue, Mar 4, 2025 at 9:12 AM Acme &lt;help@acme.example&gt; wrote:</div><div>Old words.</div>"
    deep = "<div>Works &amp; prints.</div>" + quote + "<b>" * 3_000
    wide = "<div " + "a=1 " * 20_000 + "><div>Works &amp; prints.</div>" + quote
    for html in (deep, wide):
        parts = split_html(html)
        assert parts.new == "Works & prints."
        assert "Old words." in parts.quoted


def test_html_style_and_script_are_no_words() -> None:
    """What a browser does not show is no text."""
    html = "<style>p {}</style><script>x()</script><p>Hello</p><!-- note -->"
    assert split_html(html).new == "Hello"
    assert split_html(html + "<b>" * 3_000).new == "Hello"


def test_a_long_quote_is_cut_to_the_paragraph_answered() -> None:
    """Of a long quote above an answer, only the last paragraphs are kept as its context."""
    quote = "\n".join(f"> line {n}" for n in range(40)) + "\n>\n> Which cable?\n"
    parts = split(f"On 3/4/25 09:12, Acme wrote:\n{quote}\nUSB.\n\n> Bye\n")
    assert parts.inline
    assert parts.new == "> Which cable?\n\nUSB."
    assert "> line 39" in parts.quoted
