"""The shadow report: what usherd would have done, beside what people did. JSON; the keys are stable."""

from __future__ import annotations

from statistics import median

import msgspec

from router.core import sla
from router.core.state import Contact, MessageRef, State

Json = dict[str, object]
NO_TOPIC = ""  # contacts that are about nothing that is known


class Pair(msgspec.Struct, frozen=True):
    """Whom usherd had chosen, or None, and who answered, or None for one of our addresses that is nobody's."""

    chosen: str | None
    answered: str | None


class Tally(msgspec.Struct):
    """What is counted of the contacts of one topic, or of all."""

    contacts: int = 0
    unplaced: int = 0  # contacts that usherd has not given, or had not by the time of the answer
    seconds: list[int] = []  # from the customer's message to people's answer
    promised: int = 0  # answered ones with a promise
    in_time: int = 0
    pairs: dict[Pair, int] = {}

    def add(self, state: State, contact: Contact) -> None:
        """Count one contact."""
        self.contacts += 1
        answer = next((ref for ref in contact.messages if ref.seen), None)
        chosen = contact.agent if answer is None else answer.chosen
        self.unplaced += chosen is None
        if answer is None:
            return
        self.seconds.append((answer.at - contact.opened_at) // 1_000)
        due = promise(state, contact)
        if due is not None:
            self.promised += 1
            self.in_time += answer.at <= due
        pair = Pair(chosen, answer.agent)
        self.pairs[pair] = self.pairs.get(pair, 0) + 1

    def json(self) -> Json:
        """`agreement`: of the contacts for which both are known, the share in which they are the same; or None."""
        known = {pair: n for pair, n in self.pairs.items() if pair.chosen is not None and pair.answered is not None}
        compared = sum(known.values())
        agreed = sum(n for pair, n in known.items() if pair.chosen == pair.answered)
        most = sorted(self.pairs.items(), key=lambda item: (-item[1], item[0].chosen or "", item[0].answered or ""))
        return {
            "contacts": self.contacts,
            "unplaced": self.unplaced,
            "answered": len(self.seconds),
            "compared": compared,
            "agreed": agreed,
            "agreement": agreed / compared if compared else None,
            "answer_seconds_p50": int(median(self.seconds)) if self.seconds else None,
            "promised": self.promised,
            "in_time": self.in_time,
            "pairs": [{"chosen": pair.chosen, "answered": pair.answered, "contacts": n} for pair, n in most],
        }


def promise(state: State, contact: Contact) -> int | None:
    """When the first response was due; None: none was promised."""
    if contact.sla.first_response is None:
        return None
    calendar = contact.sla.calendar
    hours = None if calendar is None else state.workspace.calendars.get(calendar)
    return sla.due(contact.opened_at, contact.sla.first_response, hours)


def report(state: State) -> Json:
    """The JSON of `usherd report --shadow`, over all contacts that the state still has.

    {`mode`, `contacts`, …, `topics`: [{`topic`, …}]} with the keys of `Tally.json` in both; topics with most first.
    """
    whole = Tally()
    topics: dict[str, Tally] = {}
    for contact in state.contacts.values():
        if contact.joined is not None or not _incoming(contact.messages):
            continue
        whole.add(state, contact)
        topics.setdefault(contact.topics[0][0] if contact.topics else NO_TOPIC, Tally()).add(state, contact)
    ordered = sorted(topics.items(), key=lambda item: (-item[1].contacts, item[0]))
    return {
        "mode": "shadow" if state.workspace.shadow else "live",
        **whole.json(),
        "topics": [{"topic": topic or None, **tally.json()} for topic, tally in ordered],
    }


def _incoming(refs: list[MessageRef]) -> bool:
    return any(ref.direction == "in" for ref in refs)
