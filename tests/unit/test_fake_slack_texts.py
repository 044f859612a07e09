"""Texts in the fake Slack: what a person's typing becomes, how mrkdwn is read, and who is pinged by it."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.sim.slack.model import Channel, Json, User
from router.sim.slack.mrkdwn import flat, pinged, plain_spans, spans
from router.sim.slack.typed import typed
from tests.fakes.slack.raw_app import section

USERS = [User("U1", "ana", "Ana", "ana@example.com")]
CHANNELS = [Channel("C1", "emea", "channel", "U1", 0)]


@pytest.mark.parametrize(
    ("keys", "stored"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("see https://x.example/a?b=1&c=2", "see <https://x.example/a?b=1&amp;c=2>"),
        ("see example.com", "see <http://example.com|example.com>"),
        ("to help@example.com", "to <mailto:help@example.com|help@example.com>"),
        ("@ana and @nobody in #emea", "<@U1> and @nobody in <#C1|>"),
        ("@here", "<!here>"),
        ("thanks 👍", "thanks :+1:"),
        ("<@U1>", "&lt;@U1&gt;"),
    ],
)
def test_what_is_typed_is_stored_as_slack_stores_it(keys: str, stored: str) -> None:
    """Signs are escaped, addresses linked, names and emoji turned into codes."""
    assert typed(keys, USERS, CHANNELS) == stored


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("*bold* and _italic_", [("bold",), ("text", " and "), ("italic",)]),
        ("2*3*4", [("text", "2*3*4")]),
        ("`*code*`", [("code", "*code*")]),
        ("```a\n<b```", [("pre", "a\n<b")]),
        ("a\nb", [("text", "a"), ("line",), ("text", "b")]),
        ("&lt;b&gt; &amp;", [("text", "<b> &")]),
        (":tada:", [("emoji", "tada")]),
        ("<https://a.example|label>", [("link", "label")]),
        ("<@U1>", [("user", "U1")]),
        ("<!channel>", [("broadcast", "channel")]),
        ("<!date^1700000000^{time}|noon>", [("date", "noon")]),
    ],
)
def test_mrkdwn_is_read_as_slack_reads_it(text: str, read: list[tuple[str, ...]]) -> None:
    """Marks, links, people, dates and escapes come out as spans."""

    def brief(span: Json) -> tuple[str, ...]:
        said = span.get("text") or span.get("name") or span.get("id")
        return (span["is"], said) if said else (span["is"],)

    assert [brief(one) for one in spans(text, verbatim=True)] == read


@given(st.text(max_size=80))
def test_escaped_text_pings_nobody_and_links_nowhere(text: str) -> None:
    """With `&<>` escaped and `verbatim` set, no text becomes a ping or a link, and every sign of it is still shown."""
    escaped = html.escape(text, quote=False)
    found = list(flat(spans(escaped, verbatim=True)))
    assert not {"user", "broadcast", "name", "link", "channel", "date"} & {one["is"] for one in found}
    assert (
        pinged(escaped, [{"type": "section", "text": {"type": "mrkdwn", "text": escaped, "verbatim": True}}]) == set()
    )


@pytest.mark.parametrize(
    ("text", "blocks", "whom"),
    [
        ("<@U1> look", None, {"U1"}),
        ("<!here>", None, {"!here"}),
        ("@here", None, set()),
        ("x", [section("@here and @ana")], {"!here", "ana"}),
        ("x", [{"type": "section", "text": {"type": "mrkdwn", "text": "@here", "verbatim": True}}], set()),
        ("x", [{"type": "section", "text": {"type": "plain_text", "text": "<!here> @ana"}}], set()),
        ("*<@U1>*", None, {"U1"}),
    ],
)
def test_a_ping_is_noticed(text: str, blocks: list[Json] | None, whom: set[str]) -> None:
    """Mentions ping anywhere in mrkdwn; bare names do where a text is not verbatim; plain text never does."""
    assert pinged(text, blocks) == whom


def test_plain_text_has_no_marks() -> None:
    """Nothing but line breaks and emoji means anything in it."""
    assert plain_spans("*a* <!here>\n:tada:") == [
        {"is": "text", "text": "*a* <!here>"},
        {"is": "line"},
        {"is": "emoji", "name": "tada"},
    ]
    assert plain_spans(":tada:", emoji=False) == [{"is": "text", "text": ":tada:"}]
