"""HTML: safe to show, readable as text, and never slow."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import html
from channels.email.limits import DEFAULT, Limits


def text(source: str, limits: Limits = DEFAULT) -> str:
    """The words of some HTML."""
    return html.read(source, limits).text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two", "one\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<ul><li>a</li><li>b</li></ul>", "  * a\n  * b"),
        ("Tom &amp; Jerry&nbsp;&lt;3", "Tom & Jerry <3"),
        ("<style>p{color:red}</style><title>no</title>yes", "yes"),
        ("<script>alert(1)</script>yes", "yes"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a  b"),
        ("", ""),
        ("no tags at all", "no tags at all"),
        ("<p>never closed", "never closed"),
    ],
)
def test_html_reads_as_a_person_sees_it(source: str, expected: str) -> None:
    """Blocks stand on lines of their own; scripts, styles and titles are no words."""
    assert text(source).strip() == expected.strip()


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="data:text/html,<script>alert(1)</script>">x</a>',
        "<svg onload=alert(1)>",
        "<iframe src=https://evil.example>",
        "<form action=https://evil.example><input name=password></form>",
        '<p style="position:fixed">x</p>',
        "<meta http-equiv=refresh content=0>",
        "<base href=https://evil.example>",
        "<link rel=stylesheet href=https://evil.example>",
        "<math><mtext><style><img src=x onerror=alert(1)>",
        '<p id="x" class="y" onclick=alert(1)>x</p>',
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        '<img src="https://evil.example/pixel.gif">',
        '<img src="//evil.example/pixel.gif">',
    ],
)
def test_nothing_in_the_shown_html_runs_loads_or_dresses_up(source: str) -> None:
    """Scripts, handlers, styles, frames, forms and remote images do not survive."""
    shown = html.read(source, DEFAULT).html.lower()
    assert not re.search(
        r"<(script|iframe|svg|form|input|meta|base|link|style|object|math)|javascript:|\sstyle=|\sid=", shown
    )
    assert not re.search(r"<[^>]*\son\w+=|<img[^>]*src=.(?!cid:)", shown)


def test_an_image_of_the_mail_itself_stays() -> None:
    """Images that came with the mail keep their reference."""
    assert 'src="cid:logo"' in html.read('<img src="cid:logo" alt="us">', DEFAULT).html


def test_links_are_kept_and_made_harmless() -> None:
    """A link opens without telling where from."""
    assert 'rel="noopener noreferrer nofollow"' in html.read('<a href="https://example.org">x</a>', DEFAULT).html


def test_images_inside_the_html_cost_nothing() -> None:
    """Pictures as data: addresses are dropped before anything is counted."""
    source = f'<p>before<img src="data:image/png;base64,{"A" * 2_000_000}">after'
    found = html.read(source, DEFAULT)
    assert found.text == "beforeafter"
    assert found.warnings == []


@pytest.mark.parametrize("depth", [10, 200, 900, 5_000])
def test_deep_text_is_not_dropped(depth: int) -> None:
    """Words are found at any depth."""
    assert "needle" in text("<div>" * depth + "needle" + "</div>" * depth)


@pytest.mark.parametrize(
    "source",
    [
        "<b>x</b>" * 30_000,
        "<div>" * 30_000 + "x",
        "&" * 100_000 + "x",
        f"<p {'a=1 ' * 20_000}>x",
    ],
)
def test_odd_html_is_read_without_a_parser(source: str) -> None:
    """What would cost a parser too much gives its text and a warning, and nothing to show."""
    found = html.read(source, DEFAULT)
    assert "x" in found.text
    assert found.html == found.source == ""
    assert found.warnings == ["the HTML is too odd to be shown; only its text was taken"]


def test_a_table_cannot_make_the_text_explode() -> None:
    """A column as wide as a book does not pad each of its rows."""
    source = "<table><tr><td>" + "x" * 50_000 + "</td></tr>" + "<tr><td>y</td></tr>" * 1_000 + "</table>"
    assert len(text(source)) < 2 * len(source)


def test_long_html_is_cut_with_a_warning() -> None:
    """Beyond the limit nothing is read, and that is said."""
    found = html.read("<p>" + "word " * 100, Limits(html_chars_max=50))
    assert found.warnings == ["the HTML is too long and was cut"]
    assert found.text.startswith("word")


@given(st.text(max_size=300))
def test_any_text_is_read(source: str) -> None:
    """No input makes the reader raise."""
    found = html.read(source, DEFAULT)
    assert "<script" not in found.html


@given(
    st.lists(
        st.sampled_from(["<p>", "</p>", "<b>", "<table>", "<td>", "<li>", "<a", ">", "w ", "<!--", "-->", "&", '"']),
        max_size=60,
    )
)
def test_any_tag_soup_is_read_by_every_reader(pieces: list[str]) -> None:
    """The readers for odd HTML take the same soup without raising, and leave no tags."""
    source = "".join(pieces)
    for limits in (DEFAULT, Limits(html_depth_max=0), Limits(html_tags_max=0)):
        assert "<p>" not in html.read(source, limits).text
