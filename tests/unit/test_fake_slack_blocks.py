"""Which blocks and views the fake Slack takes: the limits of Block Kit, each tried from both sides."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models import blocks as sdk

from router.sim.slack.blocks import message_too_long, problems_of_blocks, problems_of_view, view_too_large
from router.sim.slack.model import filled
from tests.fakes.slack.raw_app import button, field, modal, option, plain, section

Json = dict[str, Any]


def actions(*elements: Json, **more: Any) -> Json:
    """An actions block."""
    return {"type": "actions", "elements": list(elements), **more}


def select(count: int, **more: Any) -> Json:
    """A static select with so many options."""
    return {"type": "static_select", "action_id": "s", "options": [option(str(one)) for one in range(count)], **more}


def typed_in(**more: Any) -> Json:
    """A field for a text."""
    return {"type": "plain_text_input", "action_id": "t", **more}


# What is taken, what is a little too much, and the place that the refusal points at.
LIMITS: list[tuple[Json, Json, str]] = [
    (section("x" * 3000), section("x" * 3001), "/text/text"),
    (section("x"), section(""), "/text/text"),
    (section("x", block_id="b" * 255), section("x", block_id="b" * 256), "/block_id"),
    (actions(button("a", "x" * 75)), actions(button("a", "x" * 76)), "/elements/0/text/text"),
    (actions(button("a", value="x" * 2000)), actions(button("a", value="x" * 2001)), "/elements/0/value"),
    (actions(button("a" * 255)), actions(button("a" * 256)), "/elements/0/action_id"),
    (actions(button("a", style="danger")), actions(button("a", style="red")), "/elements/0/style"),
    (actions(*(button(str(n)) for n in range(25))), actions(*(button(str(n)) for n in range(26))), "/elements"),
    (actions(button("a")), actions(), "/elements"),
    (actions(button("a"), button("b")), actions(button("a"), button("a")), ""),
    (actions(select(100)), actions(select(101)), "/elements/0/options"),
    (actions(select(1)), actions(select(0)), "/elements/0/options"),
    (
        actions(select(2, initial_option=option("1"))),
        actions(select(2, initial_option=option("7"))),
        "/elements/0",
    ),
    (actions(select(1)), actions({"type": "static_select", "action_id": "s"}), "/elements/0"),
    (
        actions({"type": "overflow", "action_id": "o", "options": [option(str(n)) for n in range(5)]}),
        actions({"type": "overflow", "action_id": "o", "options": [option(str(n)) for n in range(6)]}),
        "/elements/0/options",
    ),
    ({"type": "header", "text": plain("x" * 150)}, {"type": "header", "text": plain("x" * 151)}, "/text/text"),
    (
        {"type": "header", "text": plain("x")},
        {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
        "/text/type",
    ),
    (
        {"type": "context", "elements": [plain("x")] * 10},
        {"type": "context", "elements": [plain("x")] * 11},
        "/elements",
    ),
    (
        {"type": "context", "elements": [plain("x")]},
        {"type": "context", "elements": [button("a")]},
        "/elements/0/type",
    ),
    (
        {"type": "section", "fields": [plain("x" * 2000)] * 10},
        {"type": "section", "fields": [plain("x" * 2001)]},
        "/fields/0/text",
    ),
    ({"type": "section", "fields": [plain("x")]}, {"type": "section"}, ""),
    (section("x", accessory=button("a")), section("x", accessory=typed_in()), "/accessory/type"),
    (field("f", typed_in(max_length=3000)), field("f", typed_in(max_length=3001)), "/element/max_length"),
    (field("f", typed_in()), field("f", button("a")), "/element/type"),
    (
        field("f", {"type": "datepicker", "action_id": "d", "initial_date": "2026-11-28"}),
        field("f", {"type": "datepicker", "action_id": "d", "initial_date": "28.11.2026"}),
        "/element/initial_date",
    ),
    ({"type": "divider"}, {"type": "divide"}, "/type"),
    ({"type": "divider"}, {"type": "divider", "color": "red"}, ""),
    (section("x"), {"type": "section", "text": "x"}, "/text"),
    (
        actions(button("a", confirm={name: plain("x" * 30) for name in ("title", "text", "confirm", "deny")})),
        actions(button("a", confirm={name: plain("x" * 31) for name in ("title", "text", "confirm", "deny")})),
        "/elements/0/confirm/confirm/text",
    ),
]


@pytest.mark.parametrize(("taken", "refused", "place"), LIMITS)
def test_each_limit_holds_on_both_sides(taken: Json, refused: Json, place: str) -> None:
    """The most that Slack allows is taken; one more is refused, and the refusal names the place."""
    assert problems_of_blocks([taken], "message") == []
    found = problems_of_blocks([refused], "message")
    assert found
    assert found[0].endswith(f"[json-pointer:/blocks/0{place}]")


@pytest.mark.parametrize(("surface", "most"), [("message", 50), ("modal", 100), ("home", 100)])
def test_a_surface_has_so_many_blocks(surface: str, most: int) -> None:
    """50 blocks fit a message, 100 a modal and a home."""
    assert problems_of_blocks([section("x")] * most, surface) == []
    assert problems_of_blocks([section("x")] * (most + 1), surface) == [
        f"no more than {most} items allowed [json-pointer:/blocks]"
    ]


def test_ids_of_blocks_are_unique_and_those_of_actions_within_a_block() -> None:
    """The same action may stand in two blocks, but no block_id twice."""
    assert problems_of_blocks([actions(button("a")), actions(button("a"))], "message") == []
    assert problems_of_blocks([section("x", block_id="b"), section("y", block_id="b")], "message") == [
        "`block_id` b is not unique [json-pointer:/blocks]"
    ]


def test_what_slack_itself_adds_is_unique_and_taken() -> None:
    """Blocks without ids get some, no two the same, and can be sent back as they are."""
    given_ids = filled([section("x"), section("x"), actions({"type": "button", "text": plain("x")})])
    assert len({one["block_id"] for one in given_ids}) == 3
    assert given_ids[2]["elements"][0]["action_id"]
    assert problems_of_blocks(given_ids, "message") == []


def test_all_blocks_of_a_message_together_have_a_limit() -> None:
    """Four full sections fit, five do not."""
    assert not message_too_long([section("x" * 3000)] * 4)
    assert message_too_long([section("x" * 3000)] * 5)


@pytest.mark.parametrize(
    ("view", "place"),
    [
        (modal(section("x"), title=plain("x" * 25)), "/view/title/text"),
        (modal(section("x"), submit=plain("x" * 25)), "/view/submit/text"),
        (modal(section("x"), private_metadata="x" * 3001), "/view/private_metadata"),
        (modal(section("x"), callback_id="x" * 256), "/view/callback_id"),
        (modal(), "/view/blocks"),
        ({"type": "modal", "title": plain("x"), "blocks": [field("f", typed_in())]}, "/view"),
        ({"type": "modal", "blocks": [section("x")]}, "/view"),
        ({"type": "home", "blocks": [section("x")], "submit": plain("x")}, "/view"),
        ({"type": "sheet", "blocks": []}, "/view/type"),
        (modal({"type": "markdown", "text": "x"}), "/view/blocks/0/type"),
        ([], "/view"),
    ],
)
def test_a_view_that_slack_would_refuse_is_refused(view: object, place: str) -> None:
    """Titles over 24 characters, inputs without a submit, an empty modal and the like are pointed at."""
    found = problems_of_view(view)
    assert found
    assert found[0].endswith(f"[json-pointer:{place}]")


def test_a_view_at_its_limits_is_taken() -> None:
    """24 characters of title, 3,000 of private metadata, 100 blocks; an empty home."""
    full = modal(*[section("x")] * 99, field("f", typed_in()), title=plain("x" * 24), private_metadata="x" * 3000)
    assert problems_of_view(full) == []
    assert problems_of_view({"type": "home", "blocks": []}) == []
    assert not view_too_large(full)
    assert view_too_large(modal(*[section("ü" * 3000)] * 42))


TEXT = st.text(min_size=1, max_size=60)
BUTTONS = st.lists(TEXT, min_size=1, max_size=5, unique=True)


@given(text=TEXT, labels=BUTTONS, header=TEXT)
def test_what_slacks_own_models_make_is_taken(text: str, labels: list[str], header: str) -> None:
    """Blocks built with slack_sdk's classes, of any text, are taken as they come."""
    made = [
        sdk.HeaderBlock(text=header),
        sdk.SectionBlock(text=sdk.MarkdownTextObject(text=text, verbatim=True)),
        sdk.ContextBlock(elements=[sdk.PlainTextObject(text=text)]),
        sdk.ActionsBlock(elements=[sdk.ButtonElement(text=one, action_id=f"a{one}") for one in labels]),
        sdk.DividerBlock(),
    ]
    sent = json.loads(json.dumps([one.to_dict() for one in made]))
    assert problems_of_blocks(sent, "message") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "elements", "element", "fields", "block_id"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(blocks=st.lists(JSON, max_size=4) | JSON)
def test_nonsense_is_refused_and_never_crashes(blocks: object) -> None:
    """Whatever JSON comes as blocks, the answer is a list of problems, and only true blocks have none."""
    found = problems_of_blocks(blocks, "message")
    if not found:
        assert isinstance(blocks, list)
        assert all(one["type"] in {"divider", "section", "header", "context", "actions"} for one in blocks)
