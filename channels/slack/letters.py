"""Answers on their way into customers' threads: in pieces that Slack takes, then the files; none of them twice.

Each piece carries the answer's id and its number in Slack's `metadata`. An answer that was tried before, be it by
another process, is looked for in its thread first, and only what is missing there is posted; a double is deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import structlog

from channels.slack import texts
from channels.slack.api import Api, Doubt, Refusal, Wait
from channels.slack.mrkdwn import inline, pieces, plain
from channels.slack.sharing import file_name, show, upload

log = structlog.get_logger()

PIECE_UNITS_MAX = 3_500
NAME_UNITS_MAX = 80
EVENT = "usherd_answer"
PAGE = 200
PATIENCE_SECONDS = 3.0
RETRY_FIRST_MS, RETRY_LONGEST_MS = 2_000, 300_000
GIVE_UP_MS = 86_400_000
# What an admin can mend while answers wait.
PASSING = frozenset({"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"})


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an answer."""

    name: str
    content: bytes


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `key`: the same on every try. `name`: the agent's, as customers are to read it."""

    key: str
    channel: str
    thread: str
    name: str
    text: str = ""
    files: tuple[File, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one try. `wait_ms`: so long it is to wait at least."""

    state: Literal["sent", "deferred", "failed", "unknown"]
    text: str = ""
    wait_ms: int = 0


class Letters:
    """Delivers them."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._may_name = True  # whether the app may write under an agent's name, until Slack says otherwise
        self._me = ""  # our own member id

    async def send(self, letter: Letter, *, again: bool = False) -> Outcome:
        """Try once. `again`: it was tried before. Raises nothing but CancelledError."""
        try:
            there = await self._there(letter) if again else {}
            await self._say(letter, there)
        except Doubt as doubt:
            return Outcome(state="unknown", wait_ms=_milliseconds(doubt))
        except Wait as wait:
            return Outcome(state="deferred", wait_ms=_milliseconds(wait))
        except Refusal as refusal:
            log.warning("slack_answer_refused", code=refusal.code)
            return Outcome(state="deferred" if refusal.code in PASSING else "failed", text=refusal.code)
        return Outcome(state="sent")

    async def _say(self, letter: Letter, there: dict[str, str]) -> None:
        said = list(pieces(letter.text, PIECE_UNITS_MAX))
        if not said:
            names = ", ".join(inline(file_name(one.name), NAME_UNITS_MAX) for one in letter.files)
            said = [texts.ANSWER_FILES.format(names=names)]
        for number, text in enumerate(said):
            if str(number) not in there:
                await self._piece(letter, number, text)
        if letter.files and "files" not in there:
            ids = [await upload(self._api, one.name, one.content) for one in letter.files]
            titles = [file_name(one.name) for one in letter.files]
            await show(self._api, (letter.channel, letter.thread), tuple(zip(ids, titles, strict=True)))

    async def _piece(self, letter: Letter, number: int, text: str) -> None:
        arguments: dict[str, Any] = {
            "channel": letter.channel,
            "thread_ts": letter.thread,
            "text": text,
            "metadata": {"event_type": EVENT, "event_payload": {"answer": answer_id(letter.key), "part": str(number)}},
            "unfurl_links": False,
            "unfurl_media": False,
        }
        name = plain(letter.name, NAME_UNITS_MAX, "")
        if name and self._may_name:
            try:
                await self._api.call("chat.postMessage", arguments | {"username": name}, patience=PATIENCE_SECONDS)
            except Refusal as refusal:
                if refusal.code != "missing_scope":
                    raise
                log.info("slack_answers_without_names")
                self._may_name = False
            else:
                return
        if name and number == 0:
            arguments["text"] = f"{texts.ANSWER_NAMED.format(who=inline(letter.name, NAME_UNITS_MAX))}\n{text}"
        await self._api.call("chat.postMessage", arguments, patience=PATIENCE_SECONDS)

    # -- what stands there -------------------------------------------------------------------------------------------

    async def _there(self, letter: Letter) -> dict[str, str]:
        """Which parts of an answer stand in its thread, by where; `files` for the message with its files."""
        found: dict[str, str] = {}
        own, last = answer_id(letter.key), ""
        wanted = [(file_name(one.name), len(one.content)) for one in letter.files]
        me = await self._own_id() if wanted else ""
        for message in await self._thread(letter):
            told, ts = (message.get("metadata") or {}).get("event_payload") or {}, str(message.get("ts"))
            last = str(told.get("answer") or last)
            part = str(told.get("part")) if told.get("answer") == own else ""
            if not part and last == own and wanted and message.get("user") == me and _files(message) == wanted:
                part = "files"  # Slack takes no metadata with files; they come after the words of their answer
            if part in found:
                log.warning("slack_double_deleted", thread=letter.thread)
                await self._api.call("chat.delete", {"channel": letter.channel, "ts": ts}, urgent=True)
            elif part:
                found[part] = ts
        return found

    async def _own_id(self) -> str:
        if not self._me:
            self._me = str((await self._api.call("auth.test", {}, patience=PATIENCE_SECONDS)).get("user_id") or "")
        return self._me

    async def _thread(self, letter: Letter) -> list[dict[str, Any]]:
        arguments: dict[str, Any] = {"channel": letter.channel, "ts": letter.thread, "limit": PAGE}
        arguments["include_all_metadata"] = True
        found: list[dict[str, Any]] = []
        while True:
            answer = await self._api.call("conversations.replies", arguments, patience=PATIENCE_SECONDS)
            found += answer.get("messages") or ()
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return found
            arguments["cursor"] = cursor


def answer_id(key: str) -> str:
    """What an answer is called in Slack: nothing that proves anything."""
    return hashlib.blake2b(key.encode(), digest_size=12).hexdigest()


def _files(message: dict[str, Any]) -> Sequence[tuple[str, int]]:
    return [(str(one.get("title")), int(one.get("size") or 0)) for one in message.get("files") or ()]


def _milliseconds(wait: Wait) -> int:
    return int(wait.seconds * 1_000) + 100


def retry_after(attempts: int, waited_ms: int) -> int | None:
    """Milliseconds until the next try: two seconds, doubled up to five minutes, for a day."""
    if waited_ms >= GIVE_UP_MS:
        return None
    return min(RETRY_FIRST_MS << min(max(attempts - 1, 0), 16), RETRY_LONGEST_MS)
