"""What a person of the fake Slack can enter into each kind of element, and the state that Slack makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from router.sim.slack.kit import ELEMENTS
from router.sim.slack.values import ONE, SEVERAL, CannotError, at_first, entered, has_state, is_empty
from tests.fakes.slack.raw_app import option

Json = dict[str, Any]
MENU = [option("a"), option("b"), option("c")]


def element(kind: str, **more: Any) -> Json:
    """An element of this kind."""
    return {"type": kind, "action_id": "x", **more}


def nothing(_: Json) -> list[Json]:
    """No external menu has offered anything."""
    return []


@pytest.mark.parametrize(
    ("one", "value", "key", "state"),
    [
        (element("static_select", options=MENU), "b", "selected_option", option("b")),
        (element("static_select", option_groups=[{"options": MENU}]), "c", "selected_option", option("c")),
        (element("radio_buttons", options=MENU), "a", "selected_option", option("a")),
        (element("checkboxes", options=MENU), ["a", "c"], "selected_options", [option("a"), option("c")]),
        (element("multi_static_select", options=MENU), ["a"], "selected_options", [option("a")]),
        (element("users_select"), "U1", "selected_user", "U1"),
        (element("multi_users_select"), ["U1", "U2"], "selected_users", ["U1", "U2"]),
        (element("channels_select"), "C1", "selected_channel", "C1"),
        (element("conversations_select"), "C1", "selected_conversation", "C1"),
        (element("datepicker"), "2026-11-28", "selected_date", "2026-11-28"),
        (element("timepicker"), "21:30", "selected_time", "21:30"),
        (element("datetimepicker"), 1795900000, "selected_date_time", 1795900000),
        (element("plain_text_input", multiline=True), "a\nb", "value", "a\nb"),
        (element("email_text_input"), "a@b.example", "value", "a@b.example"),
        (element("url_text_input"), "https://b.example", "value", "https://b.example"),
        (element("number_input", is_decimal_allowed=True, min_value="0"), "1.5", "value", "1.5"),
        (element("plain_text_input"), None, "value", None),
    ],
)
def test_what_is_entered_becomes_the_state(one: Json, value: object, key: str, state: object) -> None:
    """Each element keeps its value under its own key, options whole."""
    assert entered(one, value, nothing) == {"type": one["type"], key: state}


@pytest.mark.parametrize(
    ("one", "value"),
    [
        (element("static_select", options=MENU), "z"),
        (element("external_select"), "a"),
        (element("checkboxes", options=MENU), "a"),
        (element("multi_users_select", max_selected_items=1), ["U1", "U2"]),
        (element("datepicker"), "28.11.2026"),
        (element("timepicker"), "9:30 pm"),
        (element("email_text_input"), "nobody"),
        (element("url_text_input"), "ftp://x"),
        (element("number_input", is_decimal_allowed=False), "1.5"),
        (element("number_input", is_decimal_allowed=False, max_value="3"), "4"),
        (element("plain_text_input", max_length=3), "four"),
        (element("plain_text_input", min_length=3), "no"),
        (element("plain_text_input"), "a\nb"),
        (element("button"), "x"),
    ],
)
def test_what_a_client_would_not_take_cannot_be_entered(one: Json, value: object) -> None:
    """A made-up option, a wrong form, too much or too little is refused before anything is sent."""
    with pytest.raises(CannotError):
        entered(one, value, nothing)


def test_an_external_menu_takes_what_it_has_offered() -> None:
    """Only options that the app has given for what was typed can be chosen."""
    menu = element("external_select")
    assert entered(menu, "b", lambda _: MENU)["selected_option"] == option("b")
    with pytest.raises(CannotError):
        entered(menu, "z", lambda _: MENU)


def test_every_element_that_keeps_something_has_a_first_state() -> None:
    """Each interactive element of Block Kit but buttons is known here, begins empty, or with what it was sent with."""
    keeping = {kind for kind, keys in ELEMENTS.items() if "action_id" in keys and has_state({"type": kind})}
    assert keeping == (ONE.keys() | SEVERAL.keys()) - {"overflow"}
    for kind in keeping:
        assert is_empty(at_first(element(kind))), kind
    assert not is_empty(at_first(element("datepicker", initial_date="2026-11-28")))
    assert at_first(element("checkboxes", options=MENU, initial_options=MENU[:1]))["selected_options"] == MENU[:1]
