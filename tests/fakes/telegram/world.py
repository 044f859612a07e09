"""What Telegram's servers know in the fake: people, chats, files, the queue of updates; everything in API objects."""

from __future__ import annotations

import itertools
import re
import threading
import time
from typing import Any

Json = dict[str, Any]

BOT = 700_001
USERNAME = "AcmeHelpBot"
TOKEN = f"{BOT}:AAE-fake_token-of-thirty-five-characters"
_MENTION = re.compile(r"@\w{4,32}")
_COMMAND = re.compile(r"(?<!\S)/\w{1,32}(?:@\w{4,32})?")


class World:
    """One bot and whoever writes to it. Safe to use from the test's thread while the server answers in its own."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.me: Json = {
            "id": BOT,
            "is_bot": True,
            "first_name": "Acme Help",
            "username": USERNAME,
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }
        self.chats: dict[int, Json] = {}
        self.blocked: set[int] = set()  # who has blocked the bot, or put it out
        self.moved: dict[int, int] = {}  # groups that became supergroups
        self.messages: dict[tuple[int, int], Json] = {}
        self.files: dict[str, bytes] = {}
        self.queue: list[Json] = []  # updates not confirmed yet
        self.told: list[Json] = []  # every update that ever was
        self.sent: list[Json] = []  # what the bot wrote, in order
        self.pressed: dict[str, str] = {}  # buttons that were pressed, by their query, and what the bot said to that
        self.typing: list[int] = []  # chats in which it was shown typing
        self._updates = itertools.count(900_000_001)
        self._numbers = itertools.count(11)
        self._names = itertools.count(1)

    # -- people ----------------------------------------------------------------------------------------------------

    def person(self, name: str, language: str = "en", *, last: str = "", username: str = "") -> Json:
        """Somebody with Telegram, who has not written to the bot yet."""
        user: Json = {"id": 5_000_000_000 + next(self._names), "is_bot": False, "first_name": name}
        for key, value in (("last_name", last), ("username", username), ("language_code", language)):
            if value:
                user[key] = value
        return user

    def private(self, user: Json) -> Json:
        """Somebody's chat with the bot."""
        chat: Json = {key: user[key] for key in ("id", "first_name", "last_name", "username") if key in user}
        return self.chats.setdefault(user["id"], {**chat, "type": "private"})

    def group(self, title: str) -> Json:
        """A group that the bot is in."""
        chat: Json = {"id": -1_001_000_000_000 - next(self._names), "type": "supergroup", "title": title}
        return self.chats.setdefault(chat["id"], chat)

    # -- what they do ----------------------------------------------------------------------------------------------

    def write(self, user: Json, text: str, *, chat: Json | None = None, **more: Any) -> Json:
        """Somebody writes; gives the message."""
        message = self.message(chat or self.private(user), text=text, **{"from": user}, **more)
        marks = entities(text)
        if marks:
            message["entities"] = marks
        return self.post(message)

    def send(self, user: Json, *, chat: Json | None = None, caption: str = "", **media: Any) -> Json:
        """Somebody sends a file: `photo=…`, `document=…`, `voice=…`, see `picture`, `paper`, `voice`."""
        message = self.message(chat or self.private(user), **{"from": user}, **media)
        if caption:
            message["caption"] = caption
            marks = entities(caption)
            if marks:
                message["caption_entities"] = marks
        return self.post(message)

    def album(self, user: Json, files: list[Json], caption: str = "", *, group: str = "") -> list[Json]:
        """Several files as one: as many updates, with one `media_group_id`."""
        name = group or f"album-{next(self._names)}"
        sent = []
        for number, media in enumerate(files):
            sent.append(self.send(user, caption="" if number else caption, media_group_id=name, **media))
        return sent

    def edit(self, message: Json, text: str) -> Json:
        """Somebody words anew what they wrote."""
        with self.lock:
            edited = {**message, "text": text, "edit_date": int(time.time()) + 1}
            self.messages[message["chat"]["id"], message["message_id"]] = edited
            self.tell({"edited_message": edited})
        return edited

    def press(self, user: Json, message: Json, label: str) -> str:
        """Somebody presses the button of that label under a message; gives the query."""
        rows = message["reply_markup"]["inline_keyboard"]
        data = next(one["callback_data"] for row in rows for one in row if one["text"] == label)
        with self.lock:
            query = str(next(self._updates))
            self.pressed[query] = ""
            said = {"id": query, "from": user, "message": message, "chat_instance": "1", "data": data}
            self.tell({"callback_query": said})
        return query

    def message(self, chat: Json, **content: Any) -> Json:
        """A message of anybody's, not posted yet."""
        return {"message_id": next(self._numbers), "date": int(time.time()), "chat": chat, **content}

    def post(self, message: Json) -> Json:
        """Put a message where the bot gets it."""
        with self.lock:
            self.messages[message["chat"]["id"], message["message_id"]] = message
            if message["chat"]["type"] == "private" or self.me["can_read_all_group_messages"] or self._named(message):
                self.tell({"message": message})
        return message

    def _named(self, message: Json) -> bool:
        """Whether a bot that may not read along in groups gets a message: it is named, or answered."""
        words = message.get("text") or message.get("caption") or ""
        answered = message.get("reply_to_message", {}).get("from", {}).get("id") == self.me["id"]
        return bool(answered) or f"@{USERNAME}".lower() in words.lower() or words.startswith("/")

    def tell(self, content: Json) -> Json:
        """Queue an update."""
        with self.lock:
            update = {"update_id": next(self._updates), **content}
            self.queue.append(update)
            self.told.append(update)
        return update

    # -- files -----------------------------------------------------------------------------------------------------

    def _file(self, content: bytes, size: int | None) -> Json:
        number = next(self._names)
        name = f"file-{number:06}"
        with self.lock:
            self.files[name] = content
        return {"file_id": name, "file_unique_id": f"u{number}", "file_size": len(content) if size is None else size}

    def picture(self, content: bytes, size: int | None = None) -> Json:
        """A photo in two sizes, the larger last, as Telegram gives it."""
        small = {**self._file(content[: len(content) // 2], None), "width": 90, "height": 60}
        return {"photo": [small, {**self._file(content, size), "width": 1280, "height": 853}]}

    def paper(self, name: str, content: bytes, content_type: str = "application/pdf", size: int | None = None) -> Json:
        """A document."""
        return {"document": {**self._file(content, size), "file_name": name, "mime_type": content_type}}

    def voice(self, content: bytes) -> Json:
        """Something said."""
        return {"voice": {**self._file(content, None), "duration": 3, "mime_type": "audio/ogg"}}

    def sent_to(self, user: Json) -> list[str]:
        """What the bot wrote to somebody, words only."""
        with self.lock:
            mine = [one for one in self.sent if one["chat"]["id"] == user["id"]]
            return [one.get("text") or one.get("caption") or "" for one in mine]


def entities(text: str) -> list[Json]:
    """Mentions and commands in a text, counted in UTF-16 units."""
    found = [("mention", match) for match in _MENTION.finditer(text)]
    found += [("bot_command", match) for match in _COMMAND.finditer(text)]
    return [
        {"type": kind, "offset": units(text[: match.start()]), "length": units(match[0])}
        for kind, match in sorted(found, key=lambda pair: pair[1].start())
    ]


def units(text: str) -> int:
    """How long a text is for Telegram."""
    return len(text.encode("utf-16-le")) // 2
