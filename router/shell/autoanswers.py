"""The words of automatic answers: what the engine decided to say, in the customer's language, frozen with the decision.

The message is stored in the same append as the decision, so that there is never one without the other, and a later
change of the texts changes nothing that is on its way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import structlog

from router.core import storm
from router.core.autoanswers import INCIDENT
from router.core.decisions import SendAutoAnswer
from router.core.errors import PermanentError
from router.core.events import MessageReceived
from router.core.message import Message
from router.core.state import State
from router.shell.journal import Drafted
from router.shell.replies import Stationery, Written, of_writer, reply
from router.shell.understanding import Prepared
from router.shell.vault import Plain, message_blob

log = structlog.get_logger()

AUTO = "auto-reply"
_BRACED = re.compile(r"\{(\w+)\}")
_MESSAGE = msgspec.json.Decoder(Message)


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """The texts in force: answer → language → text.

    `language`: whose text is for all that have none; `zone`: of the times in them, an IANA name.
    """

    texts: dict[str, dict[str, str]]
    language: str
    zone: str


class AutoAnswerer:
    """Composes what the engine decided to say. `wording` gives the texts in force."""

    def __init__(self, wording: Callable[[], Wording], stationery: Stationery) -> None:
        self._wording = wording
        self._stationery = stationery

    def blobs(self, prepared: Prepared, draft: Drafted) -> list[Plain]:
        """The messages that a record's decisions send by themselves, to be stored with it.

        A message that cannot be composed is left out and logged: the outbox then says that it failed.
        """
        event = draft.event
        if not isinstance(event, MessageReceived):
            return []
        return [
            Plain(message_blob(decision.message), event.sender, msgspec.json.encode(message))
            for decision in draft.decisions
            if isinstance(decision, SendAutoAnswer)
            and decision.answer != INCIDENT  # composed when it is sent: see `late`
            and (message := self._composed(decision, event, prepared)) is not None
        ]

    def _composed(self, decision: SendAutoAnswer, event: MessageReceived, prepared: Prepared) -> Message | None:
        opening = message_blob(event.message)
        try:
            last = next(_MESSAGE.decode(blob.plain) for blob in prepared.blobs if blob.blob == opening)
            text = words(self._wording(), decision, decision.language)
            written = Written(
                contact=decision.contact,
                account=event.account,
                message=decision.message,
                agent="",
                at=event.at,
                text=text,
                language=decision.language or "",
            )
            answer = reply(written, last=of_writer(last), earlier=(), stationery=self._stationery)
        except (PermanentError, LookupError, StopIteration) as error:
            log.warning("auto_answer_not_composed", message=decision.message, error=type(error).__name__)
            return None
        return msgspec.structs.replace(answer, auto=AUTO)


def words(wording: Wording, decision: SendAutoAnswer, language: str | None) -> str:
    """The text of an answer, filled in. Raises KeyError where it has been taken out of the workspace."""
    texts = wording.texts[decision.answer]
    fill = {
        "reference": decision.contact,
        "opens_at": "" if decision.opens_at is None else local_time(decision.opens_at, wording.zone),
        "place": str(decision.place),
    }
    text = texts.get(language or "") or texts[wording.language]
    return _BRACED.sub(lambda found: fill.get(found[1], found[0]), text)


def local_time(at: int, zone: str) -> str:
    """An instant as people of any language read it: `2026-11-23 09:00 (Europe/Madrid)`."""
    moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone))
    return f"{moment:%Y-%m-%d %H:%M} ({zone})"


def switched_off(state: State, now: int, zone: str) -> list[str]:
    """What `usherd status` says while there were too many."""
    found = []
    if storm.rages(state, now):
        until = local_time(state.bounce_storm_until, zone)
        limit = state.workspace.auto_answers.bounces_per_hour
        found.append(
            f"a storm of bounces: more than {limit} mails came back in an hour, so automatic answers are off until"
            f" {until}; `usherd contacts --auto` lists what came back to nobody's contact, and whoever writes in your"
            " name, or a list of dead addresses, is the cause"
        )
    if now < state.auto_answers_off_until:
        until = local_time(state.auto_answers_off_until, zone)
        found.append(f"automatic answers are off until {until}: there were more than auto_answers.per_hour allows")
    return found
