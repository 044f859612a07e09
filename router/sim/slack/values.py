"""What a person can enter into an element, as the state that Slack makes of it; and what they cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from router.sim.slack.blocks import all_options
from router.sim.slack.model import Json

ONE = {
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "overflow": ("selected_option", ""),
    "rich_text_input": ("rich_text_value", "initial_value"),
}
SEVERAL = {
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "file_input": ("files", ""),
}
PATTERNS = {
    "datepicker": r"\d{4}-\d\d-\d\d",
    "timepicker": r"[0-2]\d:[0-5]\d",
    "email_text_input": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "url_text_input": r"https?://\S+",
    "number_input": r"-?\d+(\.\d+)?",
}


class CannotError(Exception):
    """A person cannot do this in Slack: there is no such button, option, field, or it is not theirs."""


def at_first(element: Json) -> Json:
    """The state of an element that nobody has touched."""
    kind = element["type"]
    if kind in ONE:
        key, first = ONE[kind]
        return {"type": kind, key: element.get(first)}
    key, first = SEVERAL[kind]
    return {"type": kind, key: element.get(first, [])}


def has_state(element: Json) -> bool:
    """Whether an element keeps what was entered; buttons and overflow menus do not."""
    return element["type"] not in {"button", "overflow"}


def is_empty(state: Json) -> bool:
    """Whether nothing has been entered or chosen."""
    return all(value in (None, "", []) for key, value in state.items() if key != "type")


def entered(element: Json, value: object, offered: Callable[[Json], Sequence[Json]]) -> Json:
    """The state after somebody has entered a value; options are named by their `value`.

    `offered` gives what an external menu has offered. Raises CannotError.
    """
    kind = element["type"]
    if kind in SEVERAL:
        if not isinstance(value, list | tuple):
            raise CannotError(f"{kind} takes several: {value!r}")
        most = element.get("max_selected_items", len(value))
        if len(value) > most:
            raise CannotError(f"no more than {most} can be chosen")
        return {"type": kind, SEVERAL[kind][0]: [_single(element, one, offered) for one in value]}
    if kind not in ONE:
        raise CannotError(f"nothing can be entered in {kind}")
    return {"type": kind, ONE[kind][0]: None if value is None else _single(element, value, offered)}


def _single(element: Json, value: object, offered: Callable[[Json], Sequence[Json]]) -> Any:  # noqa: ANN401  # JSON
    kind = element["type"]
    if kind in {"external_select", "multi_external_select"}:
        return _option(list(offered(element)), value)
    if "options" in element or "option_groups" in element:
        return _option(all_options(element), value)
    if kind in PATTERNS and not re.fullmatch(PATTERNS[kind], str(value)):
        raise CannotError(f"{kind} does not take {value!r}")
    if kind == "plain_text_input":
        return _typed_in(element, str(value))
    if kind == "number_input":
        return _counted(element, str(value))
    return value


def _option(options: Sequence[Json], value: object) -> Json:
    for option in options:
        if option["value"] == value:
            return {key: option[key] for key in ("text", "value", "description") if key in option}
    raise CannotError(f"there is no option {value!r} among {[one['value'] for one in options]}")


def _typed_in(element: Json, text: str) -> str:
    if not element.get("min_length", 0) <= len(text) <= element.get("max_length", 3000):
        raise CannotError(f"{len(text)} characters are not allowed here")
    if "\n" in text and not element.get("multiline"):
        raise CannotError("this field has one line")
    return text


def _counted(element: Json, text: str) -> str:
    number = float(text)
    if "." in text and not element["is_decimal_allowed"]:
        raise CannotError("whole numbers only")
    if not float(element.get("min_value", number)) <= number <= float(element.get("max_value", number)):
        raise CannotError(f"{text} is out of range")
    return text
