"""The methods of the Bot API in the fake: each takes what was asked and gives a result, or refuses as Telegram does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.telegram.world import Json, World, entities, units

TEXT_UNITS_MAX, CAPTION_UNITS_MAX = 4_096, 1_024
DOWNLOAD_BYTES_MAX = 20_000_000
ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
Upload = tuple[str, str, bytes]  # file name, content type, bytes


class Refusal(Exception):
    """An answer that is not `ok`."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


class Methods:
    """What may be called; `getUpdates`, which waits, is the server's own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.webhook: Json = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
        self.secret = ""
        self.allowed: list[str] = []  # [] is all
        self._known: dict[str, Callable[[Json, Mapping[str, Upload]], Any]] = {
            "getme": lambda asked, files: self.world.me,
            "sendmessage": self._send_message,
            "sendphoto": self._send_photo,
            "senddocument": self._send_document,
            "sendmediagroup": self._send_media_group,
            "sendchataction": self._send_chat_action,
            "getfile": self._get_file,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "editmessagetext": self._edit_message_text,
            "answercallbackquery": self._answer_callback_query,
        }

    def call(self, method: str, asked: Json, files: Mapping[str, Upload]) -> Any:  # noqa: ANN401  # JSON
        """The result. Raises Refusal."""
        known = self._known.get(method.lower())
        if known is None:
            raise Refusal(404, "Not Found: method not found")
        with self.world.lock:
            return known(asked, files)

    # -- messages --------------------------------------------------------------------------------------------------

    def _chat(self, asked: Json) -> Json:
        world = self.world
        if "chat_id" not in asked or asked["chat_id"] == "":
            raise Refusal(400, "Bad Request: chat_id is empty")
        try:
            number = int(asked["chat_id"])
        except (ValueError, TypeError):
            raise Refusal(400, "Bad Request: chat not found") from None
        if number in world.moved:
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refusal(400, description, migrate_to_chat_id=world.moved[number])
        chat = world.chats.get(number)
        if chat is None:
            raise Refusal(400, "Bad Request: chat not found")
        if number in world.blocked:
            private = chat["type"] == "private"
            why = "bot was blocked by the user" if private else "bot was kicked from the supergroup chat"
            raise Refusal(403, f"Forbidden: {why}")
        return chat

    def _posted(self, asked: Json, content: Json) -> Json:
        """A message of the bot's, in its chat."""
        chat = self._chat(asked)
        message = self.world.message(chat, **{"from": self.world.me}, **content)
        if asked.get("message_thread_id"):
            message |= {"message_thread_id": int(asked["message_thread_id"]), "is_topic_message": True}
        answered = self._answered(asked, chat)
        if answered is not None:
            message["reply_to_message"] = {key: value for key, value in answered.items() if key != "reply_to_message"}
        self.world.messages[chat["id"], message["message_id"]] = message
        self.world.sent.append(message)
        return message

    def _answered(self, asked: Json, chat: Json) -> Json | None:
        wanted = _decoded(asked.get("reply_parameters"), {})
        if not wanted:
            return None
        found = self.world.messages.get((chat["id"], int(wanted["message_id"])))
        if found is None and not wanted.get("allow_sending_without_reply"):
            raise Refusal(400, "Bad Request: message to be replied not found")
        return found

    def _send_message(self, asked: Json, files: Mapping[str, Upload]) -> Json:
        self._chat(asked)
        markup = _decoded(asked.get("reply_markup"), {})
        return self._posted(asked, _words(str(asked.get("text") or "")) | ({"reply_markup": markup} if markup else {}))

    def _caption(self, asked: Json) -> Json:
        caption = str(asked.get("caption") or "")
        if units(caption) > CAPTION_UNITS_MAX:
            raise Refusal(400, "Bad Request: message caption is too long")
        return {"caption": caption} if caption.strip() else {}

    def _upload(self, given: object, files: Mapping[str, Upload], kind: str) -> Upload:
        """A file of the request: named `attach://…`, or under its own field."""
        name = str(given).removeprefix("attach://") if given else kind
        found = files.get(name)
        if found is None:
            raise Refusal(400, f"Bad Request: there is no {kind} in the request")
        if not found[2]:
            raise Refusal(400, "Bad Request: file must be non-empty")
        return found

    def _send_photo(self, asked: Json, files: Mapping[str, Upload]) -> Json:
        self._chat(asked)
        _, _, content = self._upload(asked.get("photo"), files, "photo")
        if not content.startswith((b"\xff\xd8\xff", b"\x89PNG")):
            raise Refusal(400, "Bad Request: IMAGE_PROCESS_FAILED")
        return self._posted(asked, {**self.world.picture(content), **self._caption(asked)})

    def _send_document(self, asked: Json, files: Mapping[str, Upload]) -> Json:
        self._chat(asked)
        name, kind, content = self._upload(asked.get("document"), files, "document")
        return self._posted(asked, {**self.world.paper(name, content, kind), **self._caption(asked)})

    def _send_media_group(self, asked: Json, files: Mapping[str, Upload]) -> list[Json]:
        self._chat(asked)
        media = _decoded(asked.get("media"), [])
        if not 2 <= len(media) <= 10:
            raise Refusal(400, "Bad Request: expected from 2 to 10 media in an album")
        name = f"sent-{len(self.world.sent)}"
        found = []
        for one in media:
            upload = self._upload(one.get("media"), files, one["type"])
            held = self.world.picture(upload[2]) if one["type"] == "photo" else self.world.paper(upload[0], upload[2])
            found.append(self._posted(asked, {**held, **self._caption(one), "media_group_id": name}))
        return found

    def _send_chat_action(self, asked: Json, files: Mapping[str, Upload]) -> bool:
        chat = self._chat(asked)
        if asked.get("action") not in ACTIONS:
            raise Refusal(400, "Bad Request: wrong parameter action in request")
        self.world.typing.append(chat["id"])
        return True

    def _edit_message_text(self, asked: Json, files: Mapping[str, Upload]) -> Json:
        chat = self._chat(asked)
        found = self.world.messages.get((chat["id"], int(asked.get("message_id") or 0)))
        if found is None or found["from"]["id"] != self.world.me["id"]:
            raise Refusal(400, "Bad Request: message to edit not found")
        words = _words(str(asked.get("text") or ""))
        if words["text"] == found.get("text"):
            raise Refusal(400, "Bad Request: message is not modified")
        found |= {**words, "edit_date": found["date"] + 1}
        return found

    def _answer_callback_query(self, asked: Json, files: Mapping[str, Upload]) -> bool:
        if str(asked.get("callback_query_id")) not in self.world.pressed:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self.world.pressed[str(asked["callback_query_id"])] = str(asked.get("text") or "")
        return True

    # -- files and webhooks ----------------------------------------------------------------------------------------

    def _get_file(self, asked: Json, files: Mapping[str, Upload]) -> Json:
        name = str(asked.get("file_id") or "")
        content = self.world.files.get(name)
        if content is None:
            raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(content) > DOWNLOAD_BYTES_MAX:
            raise Refusal(400, "Bad Request: file is too big")
        unique = f"u{int(name.rpartition('-')[2])}"
        return {
            "file_id": name,
            "file_unique_id": unique,
            "file_size": len(content),
            "file_path": f"documents/{name}",
        }

    def _set_webhook(self, asked: Json, files: Mapping[str, Upload]) -> bool:
        url = str(asked.get("url") or "")
        if url and not url.startswith("https://"):
            raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        secret = str(asked.get("secret_token") or "")
        if secret and not _SECRET.fullmatch(secret):
            raise Refusal(400, "Bad Request: secret token contains unallowed characters")
        self.webhook = {"url": url, "has_custom_certificate": False, "pending_update_count": 0}
        if url:
            self.webhook["max_connections"] = 40
        self.secret = secret
        self._allow(asked)
        if str(asked.get("drop_pending_updates")).lower() == "true":
            self.world.queue.clear()
        return True

    def _delete_webhook(self, asked: Json, files: Mapping[str, Upload]) -> bool:
        return self._set_webhook({**asked, "url": ""}, files)

    def _get_webhook_info(self, asked: Json, files: Mapping[str, Upload]) -> Json:
        return {**self.webhook, "pending_update_count": len(self.world.queue)}

    def _allow(self, asked: Json) -> None:
        if asked.get("allowed_updates") is not None:
            self.allowed = [str(one) for one in _decoded(asked["allowed_updates"], [])]

    def take(self, asked: Json) -> list[Json]:
        """What `getUpdates` gives now. Raises Refusal while a webhook is set."""
        if self.webhook["url"]:
            description = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first"
            raise Refusal(409, description)
        with self.world.lock:
            self._allow(asked)
            queue = self.world.queue
            offset = int(asked.get("offset") or 0)
            if offset > 0:
                queue[:] = [one for one in queue if one["update_id"] >= offset]
            elif offset < 0:
                del queue[:offset]
            limit = min(max(int(asked.get("limit") or 100), 1), 100)
            wanted = [one for one in queue if not self.allowed or set(self.allowed) & set(one)]
            return wanted[:limit]


def _words(text: str) -> Json:
    """The text of a message. Raises Refusal."""
    if not text.strip():
        raise Refusal(400, "Bad Request: message text is empty")
    if units(text) > TEXT_UNITS_MAX:
        raise Refusal(400, "Bad Request: message is too long")
    marks = entities(text)
    return {"text": text, "entities": marks} if marks else {"text": text}


def _decoded(value: Any, empty: Any) -> Any:  # noqa: ANN401  # JSON
    """A parameter that stands as JSON in a form, or is already what it says."""
    if isinstance(value, str):
        return json.loads(value) if value else empty
    return empty if value is None else value
