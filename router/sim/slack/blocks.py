"""Whether Slack would take these blocks or this view; and if not, why, in words like Slack's own.

Twice: by the tables in `kit`, and by the validators of `slack_sdk.models`, which each know limits the other does not.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, assert_never

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View as SdkView

from router.sim.slack import kit
from router.sim.slack.model import interactive

# Its models only say of what they skip that they skip it; here that is a refusal.
logging.getLogger("slack_sdk.models").setLevel(logging.CRITICAL)

MESSAGE_CHARS_MAX = 13_200  # of all blocks of a message together, as JSON (slackapi/bolt-js#2509)
VIEW_BYTES_MAX = 250_000
VIEW_KEYS: Mapping[str, kit.Spec] = {
    "title": kit.Text(24),
    "blocks!": kit.FREE,
    "close": kit.Text(24),
    "submit": kit.Text(24),
    "private_metadata": kit.Words(3000, least=0),
    "callback_id": kit.Words(255, least=0),
    "clear_on_close": kit.FLAG,
    "notify_on_close": kit.FLAG,
    "external_id": kit.Words(255, least=0),
    "submit_disabled": kit.FLAG,
}


def problems_of_blocks(blocks: object, surface: str, at: str = "/blocks") -> list[str]:
    """Everything that is wrong with the blocks of a `message`, a `modal` or a `home`."""
    if not isinstance(blocks, list):
        return [_said("must be an array", at)]
    most = kit.BLOCKS_MAX[surface]
    found = [_said(f"no more than {most} items allowed", at)] if len(blocks) > most else []
    for number, block in enumerate(blocks):
        found += _block(block, surface, f"{at}/{number}")
    if found:
        return found
    return [*_unique(blocks, at), *_by_sdk(blocks, at)]


def problems_of_view(view: object) -> list[str]:
    """Everything that is wrong with a modal or a home."""
    if not isinstance(view, dict):
        return [_said("must be an object", "/view")]
    surface = view.get("type")
    if surface not in {"modal", "home"}:
        return [_said(f"unsupported type: {surface}", "/view/type")]
    found = list(_keys({**VIEW_KEYS, "type!": kit.FREE}, view, "/view"))
    blocks = view.get("blocks")
    if isinstance(blocks, list) and not blocks and surface == "modal":
        found.append(_said("no fewer than 1 items allowed", "/view/blocks"))
    found += problems_of_blocks(blocks, str(surface), "/view/blocks")
    if surface == "modal":
        found += _modal(view)
    elif "submit" in view or "close" in view:
        found.append(_said("a home has no submit and no close", "/view"))
    if not found and surface == "modal":
        try:
            SdkView(**view).to_dict()
        except SlackObjectFormationError as error:
            found.append(_said(str(error), "/view"))
    return found


def _modal(view: Mapping[str, Any]) -> Iterator[str]:
    if "title" not in view:
        yield _said("missing required field: title", "/view")
    blocks = view.get("blocks")
    inputs = isinstance(blocks, list) and any(isinstance(one, dict) and one.get("type") == "input" for one in blocks)
    if inputs and "submit" not in view:
        yield _said("missing required field: submit (there are inputs)", "/view")


def _block(block: object, surface: str, at: str) -> Iterator[str]:
    if not isinstance(block, dict):
        yield _said("must be an object", at)
        return
    name = block.get("type")
    if not isinstance(name, str) or name not in kit.BLOCKS or surface not in kit.ONLY_ON.get(name, {surface}):
        yield _said(f"unsupported type: {name}", f"{at}/type")
        return
    yield from _keys({**kit.BLOCKS[name], "type!": kit.FREE, "block_id": kit.ID}, block, at)
    if name == "section" and "text" not in block and "fields" not in block:
        yield _said("missing required field: text or fields", at)
    yield from _one_of(name, block, at)


def _check(spec: kit.Spec, value: object, at: str) -> Iterator[str]:
    match spec:
        case kit.Words(most=most, pattern=pattern, least=least):
            yield from _words(value, least, most, pattern, at)
        case kit.Text(most=most, plain=plain):
            yield from _text(value, most, plain=plain, at=at)
        case kit.Flag():
            if not isinstance(value, bool):
                yield _said("must be a boolean", at)
        case kit.Number(least=least, most=most):
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                yield _said(f"must be a whole number from {least} to {most}", at)
        case kit.Choice(of=of):
            if value not in of:
                yield _said(f"must be one of: {', '.join(of)}", at)
        case kit.Free():
            pass
        case kit.Part() | kit.Typed() | kit.Many():
            yield from _compound(spec, value, at)
        case _:
            assert_never(spec)


def _compound(spec: kit.Part | kit.Typed | kit.Many, value: object, at: str) -> Iterator[str]:
    match spec:
        case kit.Part(keys=keys):
            yield from _object(keys, value, at)
        case kit.Typed(types=types):
            yield from _typed(types, value, at)
        case kit.Many(of=one, most=most):
            yield from _many(one, value, most, at)
        case _:
            assert_never(spec)


def _words(value: object, least: int, most: int, pattern: str, at: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield _said("must be a string", at)
    elif len(value) < least:
        yield _said(f"must be more than {least - 1} characters", at)
    elif len(value) > most:
        yield _said(f"must be less than {most + 1} characters", at)
    elif pattern and not re.fullmatch(pattern, value):
        yield _said("must match the pattern", at)


def _text(value: object, most: int, *, plain: bool, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _said("must be an object", at)
        return
    name = value.get("type")
    if name != "plain_text" and (plain or name != "mrkdwn"):
        yield _said(f"unsupported type: {name}", f"{at}/type")
        return
    extra = "emoji" if name == "plain_text" else "verbatim"
    yield from _keys({"type!": kit.FREE, "text!": kit.Words(most), extra: kit.FLAG}, value, at)


def _many(spec: kit.Spec, value: object, most: int, at: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield _said("must be an array", at)
        return
    if not value:
        yield _said("no fewer than 1 items allowed", at)
    if len(value) > most:
        yield _said(f"no more than {most} items allowed", at)
    for number, one in enumerate(value):
        yield from _check(spec, one, f"{at}/{number}")


def _typed(types: frozenset[str], value: object, at: str) -> Iterator[str]:
    name = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str) or name not in types:
        yield _said(f"unsupported type: {name}", f"{at}/type")
        return
    if name in kit.TEXTS:
        yield from _text(value, 3000, plain=False, at=at)
        return
    yield from _keys({**kit.ELEMENTS[name], "type!": kit.FREE}, value, at)
    yield from _one_of(name, value, at)
    yield from _initial(value, at)


def _object(keys: Mapping[str, kit.Spec], value: object, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _keys(keys, value, at)
    else:
        yield _said("must be an object", at)


def _keys(keys: Mapping[str, kit.Spec], value: Mapping[str, Any], at: str) -> Iterator[str]:
    known = {name.removesuffix("!"): spec for name, spec in keys.items()}
    for name in keys:
        if name.endswith("!") and name[:-1] not in value:
            yield _said(f"missing required field: {name[:-1]}", at)
    for name, part in value.items():
        if name not in known:
            yield _said(f"invalid additional property: {name}", at)
        else:
            yield from _check(known[name], part, f"{at}/{name}")


def _one_of(name: str, value: Mapping[str, Any], at: str) -> Iterator[str]:
    needed = kit.ONE_OF.get(name)
    if needed is not None and sum(key in value for key in needed) != 1:
        yield _said(f"needs one of: {', '.join(needed)}", at)


def _initial(element: Mapping[str, Any], at: str) -> Iterator[str]:
    """What is chosen from the start must be among the options."""
    first = [element["initial_option"]] if "initial_option" in element else element.get("initial_options", [])
    options = all_options(element)
    if options and any(one not in options for one in first):
        yield _said("initial option is not among the options", at)


def all_options(element: Mapping[str, Any]) -> list[Any]:
    """The options of a menu, those in groups included."""
    groups = element.get("option_groups")
    in_groups = [one for group in groups for one in group.get("options", ())] if isinstance(groups, list) else []
    return [*element.get("options", ()), *in_groups]


def _unique(blocks: Sequence[dict[str, Any]], at: str) -> Iterator[str]:
    for name, count in Counter(one["block_id"] for one in blocks if "block_id" in one).items():
        if count > 1:
            yield _said(f"`block_id` {name} is not unique", at)
    for number, block in enumerate(blocks):
        for name, count in Counter(one["action_id"] for one in interactive([block])).items():
            if count > 1:
                yield _said(f"`action_id` {name} already exists for another element", f"{at}/{number}")


def _by_sdk(blocks: Sequence[dict[str, Any]], at: str) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if block["type"] != "rich_text":  # its parts have no classes with limits
            problem = _sdk_says(json.dumps(block))
            if problem:
                yield _said(problem, f"{at}/{number}")


@lru_cache(maxsize=4096)  # cards and homes are sent again and again with most blocks unchanged
def _sdk_says(block: str) -> str:
    try:
        parsed = Block.parse(json.loads(block))
        if parsed is None:
            return "unsupported type"
        parsed.to_dict()  # validates each part as well
    except (SlackObjectFormationError, TypeError) as error:
        return str(error)
    return ""


def message_too_long(blocks: Sequence[dict[str, Any]]) -> bool:
    """Whether the blocks of one message are too much together, though each is within its limits."""
    return len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > MESSAGE_CHARS_MAX


def view_too_large(view: Mapping[str, Any]) -> bool:
    """Whether a view is over Slack's limit in bytes."""
    return len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES_MAX


def _said(what: str, at: str) -> str:
    return f"{what} [json-pointer:{at}]"
