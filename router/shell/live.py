"""The engine's state as the desks see it: live, read-only, with names for ids and news of each commit."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from router.core import ledger
from router.core.errors import PermanentError, PoisonError
from router.core.events import ClockJumped, CustomerErased
from router.core.message import Message
from router.core.state import State
from router.desk.ports import Changed, Directory
from router.shell.enclosures import content_of
from router.shell.follower import Applied
from router.shell.leader import Leader
from router.shell.vault import Vault, raw_blob

log = structlog.get_logger()

Extract = Callable[[bytes, int], tuple[str, str, bytes]]


class Live:
    """Implements the desk's `Source`."""

    def __init__(self, leader: Leader, names: Directory) -> None:
        self._leader = leader
        self._names = names
        self._callbacks: dict[int, Callable[[Changed], None]] = {}
        self._next = 0

    @property
    def state(self) -> State:
        """The state; ahead of the journal while an append is under way, see `settled`."""
        return self._leader.engine.state

    async def settled(self) -> State:
        """The state after the last commit, until the next await. Raises StoreUnavailable."""
        return await self._leader.settled()

    @property
    def names(self) -> Directory:
        """Names for ids."""
        return self._names

    def utilisation(self, agent: str) -> int:
        """Effort taken on ÷ minutes available in the window, of 10,000; 0 for an unknown agent."""
        state = self.state
        seat, member = state.agents.get(agent), state.workspace.agents.get(agent)
        if seat is None or member is None:
            return 0
        return ledger.utilisation(member, seat, state.workspace, state.at // ledger.TICK)

    def subscribe(self, callback: Callable[[Changed], None]) -> Callable[[], None]:
        """Have `callback` called after each commit; call the result to end that."""
        number = self._next
        self._next += 1
        self._callbacks[number] = callback
        return lambda: void(self._callbacks.pop(number, None))

    def committed(self, applied: list[Applied]) -> None:
        """A listener of each commit."""
        if self._callbacks:
            self._tell(changed_by(applied))

    def renewed(self) -> None:
        """The engine is another one: whatever was derived from the one before is to be had anew."""
        self._tell(Changed(everything=True))

    def _tell(self, changed: Changed) -> None:
        for callback in tuple(self._callbacks.values()):
            try:
                callback(changed)
            except Exception as error:  # one desk's mistake is no other desk's
                log.exception("desk_news_failed", error=type(error).__name__)


def void(_: object) -> None:
    """Nothing to give back."""


def changed_by(applied: list[Applied]) -> Changed:
    """Contacts and agents that a commit touched."""
    contacts: dict[str, None] = {}
    agents: dict[str, None] = {}
    everything = False
    for one in applied:
        everything = everything or hasattr(one.draft.event, "workspace")
        # An erased customer may have written in anybody's contact.
        everything = everything or isinstance(one.draft.event, ClockJumped | CustomerErased)
        for item in (one.draft.event, *one.draft.decisions):
            contacts |= dict.fromkeys(getattr(item, "contacts", ()))  # of an erased customer
            for name in ("contact", "into"):
                contact = getattr(item, name, "")
                if contact:
                    contacts[contact] = None
            for name in ("agent", "target"):
                agent = getattr(item, name, "")
                if agent:
                    agents[agent] = None
    return Changed(contacts=tuple(contacts), agents=tuple(agents), everything=everything)


class Library:
    """Implements the desk's `Texts` from the vault."""

    def __init__(self, vault: Vault, leader: Leader, extract: Extract) -> None:
        self._vault = vault
        self._leader = leader
        self._extract = extract

    async def messages(self, ids: list[str]) -> dict[str, Message]:
        """Normal forms by message id; erased ones are absent. Returns when the state is settled again."""
        found = await self._vault.messages(ids)
        await self._leader.settled()  # whoever asked goes on reading the state, and is to see what stands
        return found

    async def attachment(self, message: str, part: int) -> tuple[str, str, bytes]:
        """(file name, content type, bytes). Raises KeyError when there is none."""
        blob = raw_blob(message)
        raw = (await self._vault.open([blob])).get(blob)
        if raw is None:
            return await self._enclosed(message, part)
        try:
            return self._extract(raw, part)
        except PoisonError as error:
            raise KeyError(message) from error

    async def _enclosed(self, message: str, part: int) -> tuple[str, str, bytes]:
        """A file that an agent sent: what was not received has no raw bytes to take it from."""
        ours = (await self._vault.messages([message])).get(message)
        found = ours.attachments if ours is not None else ()
        for one in found:
            if one.part == part and one.blob:
                try:
                    return one.filename, one.content_type, await content_of(self._vault, one)
                except PermanentError as error:
                    raise KeyError(message) from error
        raise KeyError(message)
