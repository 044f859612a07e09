"""Block Kit, as far as the desk uses it, within Slack's limits.

Texts come in ready: `mrkdwn.py` has escaped what is not ours. What is too long or too much is cut here once more, so
that no mistake further up is refused by Slack.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from channels.slack import mrkdwn

Json: TypeAlias = dict[str, Any]

MESSAGE_BLOCKS_MAX = 50
VIEW_BLOCKS_MAX = 100
SECTION_MAX = 3_000
HEADER_MAX = 150
CONTEXT_MAX = 2_000
FIELD_MAX = 2_000
FIELDS_MAX = 10
BUTTON_MAX = 75
VALUE_MAX = 2_000
OPTION_MAX = 75
OPTION_VALUE_MAX = 150
OPTIONS_MAX = 100
GROUPS_MAX = 100
TITLE_MAX = 24
LABEL_MAX = 2_000
PLACEHOLDER_MAX = 150
INPUT_MAX = 3_000
METADATA_MAX = 3_000
FALLBACK_MAX = 3_000
ELEMENTS_MAX = 25
MESSAGE_MAX = 12_500  # of all blocks of one message as JSON; from 13,200 on Slack says msg_blocks_too_long


def _plain(text: str, limit: int) -> Json:
    return {"type": "plain_text", "text": within(text, limit), "emoji": True}


def _markdown(text: str, limit: int) -> Json:
    return {"type": "mrkdwn", "text": within(text, limit), "verbatim": True}


def within(text: str, limit: int) -> str:
    """At most `limit` units, cut before an escape or a mention rather than in the middle of it."""
    if not mrkdwn.seen(text):
        return mrkdwn.NOTHING
    if mrkdwn.units(text) <= limit:
        return text
    kept = text[: limit - 1]
    while mrkdwn.units(kept) > limit - 1:
        kept = kept[:-1]
    for begin, end in (("&", ";"), ("<", ">")):
        opened = kept.rfind(begin)
        if opened > kept.rfind(end):
            kept = kept[:opened]
    return kept + mrkdwn.ELLIPSIS


def header(text: str) -> Json:
    """A heading in plain text, already escaped."""
    return {"type": "header", "text": _plain(text, HEADER_MAX)}


def section(text: str, accessory: Json | None = None) -> Json:
    """A paragraph."""
    block = {"type": "section", "text": _markdown(text, SECTION_MAX)}
    return block | {"accessory": accessory} if accessory is not None else block


def fields(texts: Sequence[str]) -> Json:
    """Up to ten short texts in two columns."""
    return {"type": "section", "fields": [_markdown(text, FIELD_MAX) for text in texts[:FIELDS_MAX]]}


def context(*texts: str) -> Json:
    """Small print."""
    return {"type": "context", "elements": [_markdown(text, CONTEXT_MAX) for text in texts[:10]]}


def divider() -> Json:
    """A line."""
    return {"type": "divider"}


def actions(*elements: Json) -> Json:
    """A row of buttons and menus; at least one."""
    return {"type": "actions", "elements": list(elements[:ELEMENTS_MAX])}


def button(text: str, action: str, value: object, *, style: str = "", confirm: Json | None = None) -> Json:
    """A button. `value` comes back with the click as JSON; `style`: primary | danger."""
    made = {"type": "button", "text": _plain(text, BUTTON_MAX), "action_id": action, "value": packed(value)}
    if style:
        made["style"] = style
    if confirm is not None:
        made["confirm"] = confirm
    return made


def confirm(title: str, text: str, yes: str, no: str) -> Json:
    """What is asked before a button counts."""
    return {
        "title": _plain(title, 100),
        "text": _plain(text, 300),
        "confirm": _plain(yes, 30),
        "deny": _plain(no, 30),
    }


def packed(value: object) -> str:
    """A button's value. Raises ValueError if it is longer than Slack takes: ids are short."""
    text = msgspec.json.encode(value).decode()
    if len(text) > VALUE_MAX:
        raise ValueError("the value of a button is too long")
    return text


def option(text: str, value: str, description: str = "") -> Json:
    """A choice of a menu."""
    if len(value) > OPTION_VALUE_MAX:
        raise ValueError("the value of an option is too long")
    made: Json = {"text": _plain(text, OPTION_MAX), "value": value}
    return made | {"description": _plain(description, OPTION_MAX)} if description else made


def overflow(action: str, options: Sequence[Json]) -> Json:
    """The menu behind three dots, of two to five choices."""
    return {"type": "overflow", "action_id": action, "options": list(options[:5])}


def select(action: str, placeholder: str, options: Sequence[Json], chosen: Json | None = None) -> Json:
    """A menu of one choice, at most a hundred."""
    made: Json = {
        "type": "static_select",
        "action_id": action,
        "placeholder": _plain(placeholder, PLACEHOLDER_MAX),
        "options": list(options[:OPTIONS_MAX]),
    }
    return made | {"initial_option": chosen} if chosen is not None else made


def grouped_select(action: str, placeholder: str, groups: Iterable[tuple[str, Sequence[Json]]]) -> Json:
    """A menu of one choice in named groups: what does not fit into one group goes on in another of the same name."""
    return {
        "type": "static_select",
        "action_id": action,
        "placeholder": _plain(placeholder, PLACEHOLDER_MAX),
        "option_groups": option_groups(groups),
    }


def option_groups(groups: Iterable[tuple[str, Sequence[Json]]]) -> list[Json]:
    """Groups of at most a hundred choices each."""
    made = [
        {"label": _plain(label, OPTION_MAX), "options": list(options[start : start + OPTIONS_MAX])}
        for label, options in groups
        for start in range(0, len(options), OPTIONS_MAX)
    ]
    return made[:GROUPS_MAX]


def multi_select(action: str, placeholder: str, options: Sequence[Json], chosen: Sequence[Json]) -> Json:
    """A menu of several choices; more than a hundred stand in groups."""
    made: Json = {
        "type": "multi_static_select",
        "action_id": action,
        "placeholder": _plain(placeholder, PLACEHOLDER_MAX),
    }
    if len(options) <= OPTIONS_MAX:
        made["options"] = list(options)
    else:
        made["option_groups"] = option_groups([(mrkdwn.NOTHING, options)])
    return made | {"initial_options": list(chosen)} if chosen else made


def writing(action: str, placeholder: str = "", *, lines: bool = True, first: str = "", most: int = INPUT_MAX) -> Json:
    """A field to write in; `first`: what stands there already."""
    made: Json = {"type": "plain_text_input", "action_id": action, "multiline": lines, "max_length": most}
    first = mrkdwn.clean(first)[:most]
    while mrkdwn.units(first) > most:
        first = first[:-1]
    if mrkdwn.seen(first):
        made["initial_value"] = first
    return made | {"placeholder": _plain(placeholder, PLACEHOLDER_MAX)} if placeholder else made


def address(action: str) -> Json:
    """A field for an e-mail address."""
    return {"type": "email_text_input", "action_id": action}


def boxes(action: str, options: Sequence[Json], *, ticked: bool) -> Json:
    """Boxes to tick, all of them or none at first."""
    made: Json = {"type": "checkboxes", "action_id": action, "options": list(options)}
    return made | {"initial_options": list(options)} if ticked else made


def moment(action: str, instant: int) -> Json:
    """A field for a date and time; `instant` in ms."""
    return {"type": "datetimepicker", "action_id": action, "initial_date_time": instant // 1000}


def input_block(block: str, label: str, element: Json, *, optional: bool = False, hint: str = "") -> Json:
    """A field of a modal, by the id under which its value comes back."""
    made: Json = {
        "type": "input",
        "block_id": block,
        "label": _plain(label, LABEL_MAX),
        "element": element,
        "optional": optional,
    }
    return made | {"hint": _plain(hint, LABEL_MAX)} if hint else made


def modal(callback: str, title: str, blocks: Sequence[Json], *, submit: str = "", close: str, kept: object) -> Json:
    """A window over the page. `kept` comes back with what was entered."""
    private = msgspec.json.encode(kept).decode()
    if len(private) > METADATA_MAX:
        raise ValueError("what a modal keeps is too long")
    made: Json = {
        "type": "modal",
        "callback_id": callback,
        "title": _plain(title, TITLE_MAX),
        "close": _plain(close, TITLE_MAX),
        "blocks": list(blocks[:VIEW_BLOCKS_MAX]),
        "private_metadata": private,
    }
    return made | {"submit": _plain(submit, TITLE_MAX)} if submit else made


def size(blocks: Iterable[Json]) -> int:
    """Characters of these blocks as JSON: what Slack's limit for a whole message counts."""
    return len(msgspec.json.encode(list(blocks)).decode())
