"""The methods `views.*` and `files.*`."""

from __future__ import annotations

import re
from typing import Any

from router.sim.slack import shapes
from router.sim.slack.asking import Asked, Refused, method
from router.sim.slack.blocks import problems_of_view, view_too_large
from router.sim.slack.chatting import checked_blocks
from router.sim.slack.model import TEAM, Channel, File, Json, View

DEPTH_MAX = 3  # modals on one another
FILE_BYTES_MAX = 1 << 30


@method("views.open", tier=4, args="trigger_id view interactivity_pointer")
def _open(asked: Asked) -> Json:
    sent = checked_view(asked, "modal")
    user = asked.desk.exchange(asked.args.get("trigger_id"))
    _external(asked, sent)
    view = asked.space.new_view(user, sent)
    asked.space.modals[user] = [view]
    asked.space.changed()
    return {"view": shapes.view_json(view)}


@method("views.push", tier=4, args="trigger_id view interactivity_pointer")
def _push(asked: Asked) -> Json:
    sent = checked_view(asked, "modal")
    user = asked.desk.exchange(asked.args.get("trigger_id"))
    stack = asked.space.modals.get(user, [])
    if not stack:
        raise Refused("not_found")
    if len(stack) >= DEPTH_MAX:
        raise Refused("push_limit_reached")
    _external(asked, sent)
    view = asked.space.new_view(user, sent, previous=stack[-1])
    stack.append(view)
    asked.space.changed()
    return {"view": shapes.view_json(view)}


@method("views.update", tier=4, args="external_id hash view view_id")
def _update(asked: Asked) -> Json:
    sent = checked_view(asked, "modal")
    name, external = asked.string("view_id", ""), asked.string("external_id", "")
    if bool(name) == bool(external):
        raise Refused("invalid_arguments")
    view = asked.space.views.get(name) if name else _by_external(asked, external)
    if view is None or view not in asked.space.modals.get(view.user, []):
        raise Refused("not_found")
    if asked.string("hash", view.hash) != view.hash:
        raise Refused("hash_conflict")
    asked.space.show_view(view, sent)
    return {"view": shapes.view_json(view)}


@method("views.publish", tier=4, args="hash user_id view")
def _publish(asked: Asked) -> Json:
    if not asked.manifest.home_tab:
        raise Refused("not_enabled")
    sent = checked_view(asked, "home")
    user = asked.user("user_id")
    view = asked.space.homes.get(user.id)
    if view is None:
        view = asked.space.homes[user.id] = asked.space.new_view(user.id, sent)
        asked.space.changed()
        return {"view": shapes.view_json(view)}
    if asked.string("hash", view.hash) != view.hash:
        raise Refused("hash_conflict")
    asked.space.show_view(view, sent)
    return {"view": shapes.view_json(view)}


def checked_view(asked: Asked, kind: str) -> Json:
    """The view that was sent, if Slack would take it."""
    view = asked.structure("view")
    problems = problems_of_view(view)
    if not problems and view["type"] != kind:
        problems = [f"unsupported type: {view['type']} [json-pointer:/view/type]"]
    if problems:
        raise Refused("invalid_arguments", response_metadata={"messages": [f"[ERROR] {one}" for one in problems]})
    if view_too_large(view):
        raise Refused("view_too_large")
    checked: Json = view
    return checked


def _external(asked: Asked, sent: Json) -> None:
    if sent.get("external_id") and _by_external(asked, sent["external_id"]) is not None:
        raise Refused("duplicate_external_id")


def _by_external(asked: Asked, external: str) -> View | None:
    shown = [view for stack in asked.space.modals.values() for view in stack]
    return next((one for one in shown if one.sent.get("external_id") == external), None)


@method("files.getUploadURLExternal", tier=4, args="alt_txt filename length snippet_type")
def _upload_url(asked: Asked) -> Json:
    asked.need("files:write")
    name = asked.string("filename")
    length = asked.number("length", 0, FILE_BYTES_MAX)
    if not length:
        raise Refused("missing_argument")
    file = asked.space.add_file(name, asked.space.bot, length)
    return {"upload_url": f"{asked.space.base_url()}/upload/v1/{file.id}", "file_id": file.id}


@method("files.completeUploadExternal", tier=4, args="blocks channel_id channels files initial_comment thread_ts")
def _complete(asked: Asked) -> Json:
    asked.need("files:write")
    named: Any = asked.structure("files")
    if not isinstance(named, list) or not named:
        raise Refused("invalid_arguments")
    files = [_uploaded(asked, one) for one in named]
    blocks = checked_blocks(asked.structure("blocks", error="invalid_blocks_format"))
    if asked.string("channel_id", ""):
        _share(asked, files, asked.channel("channel_id"), blocks)
    return {"files": [shapes.file_json(one, asked.space.base_url()) for one in files]}


def _uploaded(asked: Asked, named: object) -> File:
    file = asked.space.files.get(str(named.get("id"))) if isinstance(named, dict) else None
    if file is None or file.data is None or file.shared:
        raise Refused("file_not_found")
    if isinstance(named, dict) and named.get("title"):
        file.title = str(named["title"])
    return file


def _share(asked: Asked, files: list[File], channel: Channel, blocks: list[Json] | None) -> None:
    space = asked.space
    thread = asked.string("thread_ts", "")
    head = space.find(channel, thread) if thread else None
    if thread and head is None:
        raise Refused("thread_not_found")
    asked.message_goes_to(channel)
    text = asked.string("initial_comment", "")
    under = (head.thread_ts or head.ts) if head is not None else None
    message = space.new_message(channel, space.bot, text, thread_ts=under, by_app=True, blocks=blocks)
    space.share(files, channel, message)


@method("files.info", tier=4, args="count cursor file limit page")
def _info(asked: Asked) -> Json:
    asked.need("files:read")
    file = asked.space.files.get(asked.string("file", missing="file_not_found"))
    if file is None or file.data is None:
        raise Refused("file_not_found")
    return {"file": shapes.file_json(file, asked.space.base_url()), "comments": []}


@method("files.delete", tier=3, args="file")
def _delete(asked: Asked) -> Json:
    asked.need("files:write")
    file = asked.space.files.get(asked.string("file", missing="file_not_found"))
    if file is None:
        raise Refused("file_not_found")
    if file.user != asked.space.bot:
        raise Refused("cant_delete_file")
    del asked.space.files[file.id]
    for channel in asked.space.channels.values():
        for message in channel.messages.values():
            message.files = [one for one in message.files if one != file.id]
    return {}


def file_of_path(path: str) -> str | None:
    """The file's id in the path of a private address."""
    match = re.fullmatch(rf"{TEAM}-(F\d+)/[^/]*", path)
    return match[1] if match else None
