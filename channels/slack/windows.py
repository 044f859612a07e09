"""Which window a button opens, and what is meant by one that was filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channels.slack import belonging, forms, modals, texts
from channels.slack.projection import Explain
from channels.slack.reading import Deed
from router.desk import texts as desk_texts
from router.desk.addresses import address_of
from router.desk.model import Desk
from router.desk.saved import unfilled

LOOKS = frozenset(
    {
        "decline", "transfer", "snooze", "note", "retag", "priority", "read", "why", "more", "reply", "saved", "call",
        "merge", "spam", "new", "undo", "whatif", "customer", "link", "unlink", "incident",
    }
)  # fmt: skip
# …what only opens a window, or must not wait for what its maker wrote before
WRITTEN = frozenset({"note", "reply", "start", "link", "unlink", "incident"})  # without words they are nothing


class Windows:
    """Makes them from the desk's views. `now` gives ms."""

    def __init__(self, desk: Desk, explain: Explain, now: Callable[[], int]) -> None:
        self._desk = desk
        self._explain = explain
        self._now = now

    async def made(self, agent: str, action: str, contact: str, offer: str) -> dict[str, Any] | None:
        """The window for a button; None if there is none. Raises NotVisible, NotOnRoster, KeyError.

        An incident has no contact: its id comes as `offer`.
        """
        if action == "new":
            person = self._desk.source.names.person(agent)
            return forms.letter(self._desk.topics(agent), person.signature if person is not None else "")
        if action == "incident":
            return forms.incident(offer, (await self._desk.overview(agent, [])).answers.get(offer, ""))
        found = self._desk.visible(agent, contact)
        match action:
            case "decline":
                return modals.decline(contact, offer)
            case "transfer":
                return modals.transfer(contact, self._desk.people(agent, contact))
            case "snooze":
                return modals.snooze(contact, self._now())
            case "note":
                return modals.note(contact)
            case "retag":
                return modals.retag(await self._desk.contact(agent, contact), self._desk.people(agent, contact))
            case "priority":
                return modals.priority(contact, found.priority.value)
            case "read":
                return modals.read(await self._desk.contact(agent, contact))
            case "why":
                return modals.why(self._desk.why(agent, await self._explain(found.id), found))
        return await self._form(agent, action, contact)

    async def _form(self, agent: str, action: str, contact: str) -> dict[str, Any] | None:
        match action:
            case "reply":
                return forms.reply(await self._desk.contact(agent, contact), await self._desk.saved(agent, contact))
            case "call":
                return forms.call(contact, self._desk.people(agent, contact))
            case "merge":
                return forms.merge(contact, await self._desk.twins(agent, contact))
            case "spam":
                return forms.spam(contact)
            case "customer":
                return belonging.customer(await self._desk.contact(agent, contact))
        return None

    async def within(self, agent: str, deed: Deed) -> dict[str, Any]:
        """What takes the place of the window in which something was chosen. Raises NotVisible, NotOnRoster."""
        if deed.action == "saved":
            return await self._with_saved(agent, deed)
        found = self._desk.visible(agent, deed.value.get("contact", ""))
        if deed.action == "link":
            return belonging.link(found.id)
        return belonging.unlink(found.id, deed.value.get("link", ""))

    async def _with_saved(self, agent: str, deed: Deed) -> dict[str, Any]:
        """The window for an answer, with the saved reply that was chosen there."""
        contact, choice = deed.value.get("contact", ""), deed.value.get("choice", "")
        view, saved = await self._desk.contact(agent, contact), await self._desk.saved(agent, contact)
        return forms.reply(view, saved, deed.values, int(choice) if choice.isdecimal() else -1)


def submitted(deed: Deed) -> dict[str, object] | None:
    """The fields of the desk's command that a window stands for; None for one that only shows something."""
    contact, values = deed.value.get("contact", ""), deed.values
    text, then = str(values.get("text") or ""), values.get("then") or ()
    match deed.action:
        case "decline":
            return {"contact": contact, "offer": deed.value.get("offer", ""), "reason": values.get("reason") or "other"}
        case "transfer":
            kind, _, name = str(values.get("to") or "").partition(" ")
            fields: dict[str, object] = {"contact": contact, "text": text}
            return fields | {f"to_{kind}": name} if kind in {"agent", "team"} else fields
        case "snooze":
            return {"contact": contact, "until": values.get("until") or 0}
        case "note":
            return {"contact": contact, "text": text}
        case "retag":
            return {"contact": contact, "topics": tuple(values.get("topics") or ())}
        case "priority":
            return {"contact": contact, "priority": str(values.get("priority") or "")}
        case "reply":
            copies = forms.copied(deed.value, values.get("cc") or ())
            answers, resolve = deed.value.get("answers", ""), forms.RESOLVE in then
            return {"contact": contact, "text": text, "answers": answers, "cc": copies, "resolve": resolve}
        case "call":
            return {"contact": contact, "target": str(values.get("target") or ""), "text": text}
        case "merge":
            return {"contact": str(values.get("from") or ""), "into": contact}
        case "spam":
            return {"contact": contact, "block": forms.BLOCK in then}
        case "start":
            topic, subject = str(values.get("topic") or ""), str(values.get("subject") or "")
            chosen = (topic,) if topic else ()
            return {"to": str(values.get("to") or ""), "subject": subject, "text": text, "topics": chosen}
    return forms.told(deed) or belonging.submitted(deed)


def problems(deed: Deed, now: int) -> dict[str, str]:
    """What is wrong with what was entered, by field: said in the window before it closes."""
    if deed.kind != "submit":
        return {}
    text = str(deed.values.get("text") or "")
    field = deed.blocks.get("text", "text")
    if deed.action == "snooze" and int(deed.values.get("until") or 0) <= now:
        return {"until": texts.PAST}
    if deed.action in WRITTEN and not text.strip():
        return {field: desk_texts.refusal("empty", "", lambda _: None)}
    if deed.action in {"reply", "start"} and unfilled(text):
        return {field: texts.FILL_IN.format(what=unfilled(text))}
    if deed.action == "start" and address_of(str(deed.values.get("to") or "")) is None:
        return {"to": texts.LETTER_ADDRESS}
    return {}
