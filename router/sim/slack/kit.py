"""Block Kit as tables: which keys a block or element has, what may be in them, how long that may be.

From docs.slack.dev, "Block Kit reference". `blocks` checks against it, and against what `slack_sdk.models` knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """A string of one to `most` characters, of a `pattern` if given."""

    most: int
    pattern: str = ""
    least: int = 1


@dataclass(frozen=True, slots=True)
class Text:
    """A text object of one to `most` characters; `plain`: no mrkdwn."""

    most: int
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these strings."""

    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """An object with these keys."""

    keys: Mapping[str, Spec]  # "name!": required


@dataclass(frozen=True, slots=True)
class Typed:
    """An object whose `type` is one of these, and whose keys `TYPES` tells."""

    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class Many:
    """A list of one to `most`."""

    of: Spec
    most: int


@dataclass(frozen=True, slots=True)
class Free:
    """Anything."""


Spec = Words | Text | Flag | Number | Choice | Part | Typed | Many | Free

FLAG, FREE, ID = Flag(), Free(), Words(255)
PLACEHOLDER = Text(150)
CONFIRM = Part(
    {
        "title!": Text(100),
        "text!": Text(300, plain=False),
        "confirm!": Text(30),
        "deny!": Text(30),
        "style": Choice(("primary", "danger")),
    }
)
OPTION = Part({"text!": Text(75), "value!": Words(150), "description": Text(75)})
RICH_OPTION = Part({"text!": Text(75, plain=False), "value!": Words(150), "description": Text(75, plain=False)})
LINK_OPTION = Part({"text!": Text(75), "value!": Words(150), "description": Text(75), "url": Words(3000)})
GROUP = Part({"label!": Text(75), "options!": Many(OPTION, 100)})
DISPATCH = Part({"trigger_actions_on": Many(Choice(("on_enter_pressed", "on_character_entered")), 2)})
SELECT: dict[str, Spec] = {"action_id": ID, "placeholder": PLACEHOLDER, "confirm": CONFIRM, "focus_on_load": FLAG}
LISTED: dict[str, Spec] = {**SELECT, "options": Many(OPTION, 100), "option_groups": Many(GROUP, 100)}
MULTI: dict[str, Spec] = {"max_selected_items": Number(1, 1000)}
CONVERSATIONS: dict[str, Spec] = {"default_to_current_conversation": FLAG, "filter": FREE}
TYPED_IN: dict[str, Spec] = {
    "action_id": ID,
    "placeholder": PLACEHOLDER,
    "dispatch_action_config": DISPATCH,
    "focus_on_load": FLAG,
}
PICTURE: dict[str, Spec] = {"image_url": Words(3000), "slack_file": FREE, "alt_text!": Words(2000)}

ELEMENTS: dict[str, Mapping[str, Spec]] = {
    "button": {
        "text!": Text(75),
        "action_id": ID,
        "url": Words(3000),
        "value": Words(2000),
        "style": Choice(("primary", "danger")),
        "confirm": CONFIRM,
        "accessibility_label": Words(75),
    },
    "checkboxes": {
        "action_id": ID,
        "options!": Many(RICH_OPTION, 10),
        "initial_options": Many(RICH_OPTION, 10),
        "confirm": CONFIRM,
        "focus_on_load": FLAG,
    },
    "radio_buttons": {
        "action_id": ID,
        "options!": Many(RICH_OPTION, 10),
        "initial_option": RICH_OPTION,
        "confirm": CONFIRM,
        "focus_on_load": FLAG,
    },
    "overflow": {"action_id": ID, "options!": Many(LINK_OPTION, 5), "confirm": CONFIRM},
    "datepicker": {**SELECT, "initial_date": Words(10, r"\d{4}-\d\d-\d\d")},
    "timepicker": {**SELECT, "initial_time": Words(5, r"[0-2]\d:[0-5]\d"), "timezone": Words(100)},
    "datetimepicker": {
        "action_id": ID,
        "initial_date_time": Number(10**9, 10**10 - 1),
        "confirm": CONFIRM,
        "focus_on_load": FLAG,
    },
    "static_select": {**LISTED, "initial_option": OPTION},
    "multi_static_select": {**LISTED, **MULTI, "initial_options": Many(OPTION, 100)},
    "external_select": {**SELECT, "initial_option": OPTION, "min_query_length": Number(0, 100)},
    "multi_external_select": {
        **SELECT,
        **MULTI,
        "initial_options": Many(OPTION, 100),
        "min_query_length": Number(0, 100),
    },
    "users_select": {**SELECT, "initial_user": ID},
    "multi_users_select": {**SELECT, **MULTI, "initial_users": Many(ID, 100)},
    "conversations_select": {**SELECT, **CONVERSATIONS, "initial_conversation": ID, "response_url_enabled": FLAG},
    "multi_conversations_select": {**SELECT, **MULTI, **CONVERSATIONS, "initial_conversations": Many(ID, 100)},
    "channels_select": {**SELECT, "initial_channel": ID, "response_url_enabled": FLAG},
    "multi_channels_select": {**SELECT, **MULTI, "initial_channels": Many(ID, 100)},
    "plain_text_input": {
        **TYPED_IN,
        "initial_value": Words(3000, least=0),
        "multiline": FLAG,
        "min_length": Number(0, 3000),
        "max_length": Number(1, 3000),
    },
    "email_text_input": {**TYPED_IN, "initial_value": Words(3000)},
    "url_text_input": {**TYPED_IN, "initial_value": Words(3000)},
    "number_input": {
        **TYPED_IN,
        "is_decimal_allowed!": FLAG,
        "initial_value": Words(100),
        "min_value": Words(100),
        "max_value": Words(100),
    },
    "rich_text_input": {**TYPED_IN, "initial_value": FREE},
    "file_input": {"action_id": ID, "filetypes": Many(Words(50), 100), "max_files": Number(1, 10)},
    "image": PICTURE,
}

SELECTS = frozenset(name for name in ELEMENTS if name.endswith("_select") and not name.startswith("multi_"))
MULTIS = frozenset(name for name in ELEMENTS if name.startswith("multi_"))
PICKERS = frozenset({"datepicker", "timepicker", "checkboxes", "radio_buttons"})
TEXTS = frozenset({"plain_text", "mrkdwn"})
IN_ACTIONS = SELECTS | PICKERS | {"button", "overflow", "datetimepicker"}
IN_SECTION = SELECTS | MULTIS | PICKERS | {"button", "overflow", "image"}
IN_INPUT = (
    SELECTS
    | MULTIS
    | PICKERS
    | {"datetimepicker", "plain_text_input", "email_text_input", "url_text_input", "number_input"}
    | {"rich_text_input", "file_input"}
)

BLOCKS: dict[str, Mapping[str, Spec]] = {
    "actions": {"elements!": Many(Typed(IN_ACTIONS), 25)},
    "context": {"elements!": Many(Typed(TEXTS | {"image"}), 10)},
    "divider": {},
    "header": {"text!": Text(150)},
    "image": {**PICTURE, "title": Text(2000)},
    "input": {
        "label!": Text(2000),
        "element!": Typed(IN_INPUT),
        "hint": Text(2000),
        "optional": FLAG,
        "dispatch_action": FLAG,
    },
    "markdown": {"text!": Words(12_000)},
    "rich_text": {"elements!": Many(FREE, 1000)},
    "section": {
        "text": Text(3000, plain=False),
        "fields": Many(Text(2000, plain=False), 10),
        "accessory": Typed(IN_SECTION),
        "expand": FLAG,
    },
}

# One of these groups of keys is needed, and no two of them may come together.
ONE_OF: Mapping[str, tuple[str, ...]] = {
    "static_select": ("options", "option_groups"),
    "multi_static_select": ("options", "option_groups"),
    "image": ("image_url", "slack_file"),
}
# On which surface a block may stand; the others may on all.
ONLY_ON: Mapping[str, frozenset[str]] = {"markdown": frozenset({"message"})}
BLOCKS_MAX = {"message": 50, "modal": 100, "home": 100}
