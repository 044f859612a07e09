"""What a machine writes on behalf of people: the question after a contact, the one answer in an incident.

Unlike other automatic answers these answer no message that is just being read: what they are addressed by lies in the
vault. So they are composed when they are about to be sent, once, and stored before that: whoever sends them again after
a fault sends what is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

from router.core.errors import PermanentError
from router.core.intake import ERASED
from router.core.links import heard
from router.core.message import Message
from router.core.state import Contact, MessageRef, State
from router.desk.satisfaction import SCORES, words_of
from router.shell.autoanswers import AUTO
from router.shell.enclosures import owner_of
from router.shell.replies import Stationery, Written, of_writer, reply
from router.shell.vault import Vault, message_blob

log = structlog.get_logger()

CSAT = "csat"
ASK_BY_THEMSELVES = frozenset({"webchat", "telegram", "http"})  # with buttons of their own, or by the API


class LateStore(Protocol):
    """What is asked of the store."""

    async def blobs_put(self, blobs: dict[str, bytes]) -> None:
        """Keep blobs; durable when it returns."""
        ...

    async def blobs_delete(self, names: list[str]) -> None:
        """Delete blobs."""
        ...


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The question in force, by language. `language`: whose text is for all that have none."""

    texts: dict[str, str]
    language: str


class LateAnswers:
    """Composes them. `link`: to the question about a contact, with a score already chosen."""

    def __init__(
        self,
        *,
        store: LateStore,
        vault: Vault,
        state: Callable[[], State],
        asked: Callable[[], Asked],
        stationery: Stationery,
        link: Callable[[str, int], str],
    ) -> None:
        self._store = store
        self._vault = vault
        self._state = state
        self._asked = asked
        self._stationery = stationery
        self._link = link

    async def compose(self, name: str, message: str) -> Message | None:
        """A message of a contact's that was decided on and not composed yet; None for any other, or an erased one."""
        contact = self._state().contacts.get(name)
        ref = next((one for one in contact.messages if one.id == message), None) if contact is not None else None
        if contact is None or ref is None or (ref.auto != CSAT and not ref.says):
            return None
        asked = next(reversed(heard(contact)), None)
        opened = await self._vault.messages([one for one in (asked.id if asked else "", ref.says) if one])
        last = opened.get(asked.id) if asked is not None else None
        said = opened.get(ref.says)
        if last is None or (ref.says and said is None):
            return None
        try:
            made = self._made(contact, ref, last, said)
        except (PermanentError, LookupError) as error:
            log.warning("late_answer_not_composed", message=message, error=type(error).__name__)
            return None
        owner = owner_of(contact)
        await self._vault.prepare({owner})
        blob = await self._vault.lock_blob(message_blob(message), owner, msgspec.json.encode(made))
        await self._store.blobs_put(dict([blob]))
        found = self._state().contacts.get(name)
        if found is None or found.flag == ERASED:  # meanwhile: nobody else knows of this blob
            await self._store.blobs_delete([message_blob(message)])
            return None
        return made

    def _made(self, contact: Contact, ref: MessageRef, last: Message, said: Message | None) -> Message:
        text = said.text if said is not None else self._question(contact, last)
        language = contact.language or self._asked().language
        written = Written(
            contact=contact.id,
            account=contact.account,
            message=ref.id,
            agent="",
            at=ref.at,
            text=text,
            language=language,
        )
        answer = reply(written, last=of_writer(last), earlier=(), stationery=self._stationery)
        asks = contact.id if ref.auto == CSAT else ""
        return msgspec.structs.replace(answer, auto=AUTO, asks=asks, language=language)

    def _question(self, contact: Contact, last: Message) -> str:
        asked = self._asked()
        text = asked.texts.get(contact.language or "") or asked.texts[asked.language]
        text = text.replace("{reference}", contact.id)
        if last.channel in ASK_BY_THEMSELVES:
            return text
        _, words = words_of(contact.language or asked.language)
        lines = [f"{words.answers[score - 1]}: {self._link(contact.id, score)}" for score in reversed(SCORES)]
        return "\n".join((text, "", *lines))
