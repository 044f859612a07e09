"""Customers tied to the daemon: what they answer, what programs say of them, what there is of one, how they fared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING

from router.app.erase import identities as identities_of
from router.core.erasing import key_name
from router.core.state import State
from router.desk.satisfaction import ticket, words_of
from router.desk.service import Report, Tally
from router.shell.exporting import export
from router.shell.identities import identity_of
from router.shell.late import Asked, LateAnswers
from router.shell.notes import Internal, internal_entry
from router.shell.past import records
from router.shell.past import since as records_since
from router.shell.records import Record

if TYPE_CHECKING:
    from router.app.daemon import Daemon


def late_answers(daemon: Daemon) -> LateAnswers:
    """What the outbox composes by itself."""
    return LateAnswers(
        store=daemon.store,
        vault=daemon.vault,
        state=lambda: daemon.leader.engine.state,
        asked=lambda: Asked(texts=daemon.config.csat.question, language=daemon.config.languages[0]),
        stationery=daemon.stationery,
        link=partial(_link, daemon),
    )


def _link(daemon: Daemon, contact: str, score: int) -> str:
    root = (daemon.config.web.url or daemon.url).rstrip("/")
    return f"{root}/rate/{ticket(daemon.secret, contact, daemon.clock.now())}?score={score}"


class Customers:
    """Implements the desk's `Customers`."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def rate(self, contact: str, score: int, sender: str = "") -> None:
        """Store an answer; durable when it returns."""
        note = Internal(what="rating", message="", state=f"{contact}:{score}", identities=(sender,) if sender else ())
        await self._tell(note)

    def question(self, contact: str) -> str | None:
        """The question about a contact as its customer was asked it."""
        found = self._daemon.leader.engine.state.contacts.get(contact)
        if found is None or not found.asked:
            return None
        config = self._daemon.config
        texts = config.csat.question
        text = texts.get(found.language or "") or texts.get(config.languages[0])
        return text.replace("{reference}", contact) if text else words_of(found.language)[1].title

    async def set_tier(self, address: str, tier: str) -> None:
        """Store of which tier somebody is. Raises KeyError for no such tier."""
        state = await self._daemon.leader.settled()
        if tier and tier not in state.workspace.tiers:
            raise KeyError(tier)
        identities = tuple(identities_of(self._daemon.secret, address))
        await self._tell(Internal(what="tier", message="", state=tier, identities=identities), distinct=str(state.n))

    async def unblock(self, named: str) -> None:
        """Let whoever is meant write again. Raises KeyError if they are not blocked.

        A message's id on the list of what opened nothing means its writer: whoever's channel has no address to spell.
        """
        state = await self._daemon.leader.settled()
        blocked, number = tuple(state.blocked), state.n
        contact = state.contacts.get(named)
        customer = contact.customer if contact is not None else named
        meant = {one for one, whose in state.identities.items() if customer and whose == customer}
        meant |= {*identities_of(self._daemon.secret, named)}
        if (listed := state.autos.get(named)) is not None:
            message = (await self._daemon.parts.texts.messages([named])).get(named)
            if message is not None:
                meant.add(identity_of(self._daemon.secret, listed.channel, message.from_.address))
        found = tuple(one for one in blocked if one in meant)
        if not found:
            raise KeyError(named)
        await self._tell(Internal(what="unblock", message="", identities=found), distinct=str(number))

    async def _tell(self, note: Internal, *, distinct: str = "") -> None:
        await self._daemon.intake.append([internal_entry(note, distinct=distinct)])

    async def export(self, named: str) -> dict[str, object]:
        """All there is of whoever is meant. Raises KeyError."""
        state = await self._daemon.leader.settled()
        identities = await self._identities(state, named)
        return await export(state, identities, self._read, self._daemon.vault)

    def _read(self, wanted: Callable[[bytes], bool]) -> AsyncIterator[Record]:
        return records(self._daemon.store, self._daemon.upkeep.shelf, wanted)

    async def _identities(self, state: State, named: str) -> tuple[str, ...]:
        """All identities of whoever is meant. Raises KeyError."""
        contact = state.contacts.get(named)
        customers = {contact.customer} if contact is not None else {named} & set(state.identities.values())
        found: dict[str, None] = {}
        if not customers:
            hashes = identities_of(self._daemon.secret, named)
            locks = {key_name(one, state.erased.get(one, 0)): one for one in hashes}
            known = await self._daemon.store.keys_get(list(locks))
            found = dict.fromkeys(one for lock, one in locks.items() if one in state.identities or lock in known)
            customers = {state.identities[one] for one in found if one in state.identities}
        found |= dict.fromkeys(one for one, customer in state.identities.items() if customer in customers and customer)
        if not found:
            raise KeyError(named)
        return tuple(found)

    async def report(self, since: int, until: int, hourly: float) -> Report:
        """How customers were served in a span of ms, from the journal."""
        tally = Tally(since, until)
        daemon = self._daemon
        async for record in records_since(daemon.store, daemon.upkeep.shelf, daemon.leader.journal, since):
            tally.take(record.event, record.decisions)
        return tally.report(hourly)
