"""What the desk asks of the process around it. Implemented by `router.shell`, and by `tests/fakes/desk_parts.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from router.core.message import Message
from router.core.state import State
from router.desk.service import Report


class Changed(msgspec.Struct, frozen=True):
    """What one commit touched: ids of contacts and agents. `everything`: a workspace or a new state came in."""

    contacts: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    everything: bool = False


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as people know them."""

    id: str
    name: str
    email: str = ""
    team: str = ""
    signature: str = ""  # ends each mail they write


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """A saved reply. `text` has the placeholders {customer}, {agent} and {reference}; `language` "": any."""

    name: str
    text: str
    topics: tuple[str, ...] = ()
    language: str = ""


class Article(msgspec.Struct, frozen=True, kw_only=True):
    """A page that answers what many ask: suggested for these topics, in `language` or ("") in any."""

    title: str
    url: str
    topics: tuple[str, ...]
    language: str = ""


class Display(msgspec.Struct, frozen=True, kw_only=True):
    """How a workspace is shown: `timezone` is an IANA name, `languages` as the admin listed them."""

    name: str
    timezone: str = "UTC"
    languages: tuple[str, ...] = ("en",)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an action once it was journaled. `code` and `detail` are those of the engine's Refuse.

    `entry`: the inbox entry that it was; what was written with it has the same id.
    """

    ok: bool
    code: str = ""
    detail: str = ""
    contact: str = ""
    entry: str = ""


class Directory(Protocol):
    """Names for ids. Read-only, in memory, follows the workspace in force."""

    def person(self, agent: str) -> Person | None:
        """The agent's name and address, or None when nobody has this id."""
        ...

    def team(self, team: str) -> str:
        """The team's name, or its id when it has none."""
        ...

    def display(self) -> Display:
        """How the workspace is shown."""
        ...

    def saved(self) -> tuple[Saved, ...]:
        """Saved replies, as the admin listed them."""
        ...

    def articles(self) -> tuple[Article, ...]:
        """Pages to suggest, as the admin listed them."""
        ...


class Source(Protocol):
    """The engine's state, live and read-only, and news of it."""

    @property
    def state(self) -> State:
        """The state. Never kept over an await; read after `settled` by whoever shows what stands."""
        ...

    async def settled(self) -> State:
        """The state after the last commit, good until the next await. Raises StoreUnavailable if that takes long.

        While the store has not confirmed what was decided last, the state is ahead of what stands.
        """
        ...

    @property
    def names(self) -> Directory:
        """Names for ids."""
        ...

    def utilisation(self, agent: str) -> int:
        """Effort taken on ÷ minutes available in the window, of 10,000; 0 for an unknown agent."""
        ...

    def subscribe(self, callback: Callable[[Changed], None]) -> Callable[[], None]:
        """Have `callback` called in the event loop after each commit; call the result to end that."""
        ...


class Texts(Protocol):
    """What was written, decrypted. Notes and replies are messages as well."""

    async def messages(self, ids: list[str]) -> Mapping[str, Message]:
        """Normal forms by message id; one that was erased or cannot be read is absent.

        When this returns the state is settled, as after `Source.settled`.
        """
        ...

    async def attachment(self, message: str, part: int) -> tuple[str, str, bytes]:
        """(file name, content type, bytes) of one attachment. Raises KeyError when there is none."""
        ...


class Enclosures(Protocol):
    """Where files lie that agents send."""

    async def keep(self, contact: str, name: str, content_type: str, content: bytes) -> str:
        """Store a file for a reply in this contact; its id, once it is on disk.

        Raises KeyError for an unknown contact, ValueError for an empty or too large file, TransientError.
        """
        ...

    async def keep_for(self, address: str, name: str, content_type: str, content: bytes) -> str:
        """The same for a letter to an e-mail address, which opens a contact."""
        ...


class Commands(Protocol):
    """How an agent acts."""

    async def act(self, agent: str, action: str, fields: dict[str, object], key: str) -> Outcome:
        """Do `action` as `agent`; returns after it is journaled. The same `key` again gives the same outcome.

        Actions and their fields: see `router.desk.actions`. Raises TransientError when it could not be stored.
        """
        ...


class Rehearsing(Protocol):
    """How a change of the workspace that waits is lived through before it counts."""

    def waiting(self) -> bool:
        """Whether there is one."""
        ...

    async def rehearse(self, since_ms: int) -> dict[str, Any]:
        """The JSON of `usherd whatif` over the last `since_ms`; then it counts as rehearsed.

        Raises TransientError if it came to nothing.
        """
        ...


class Erasing(Protocol):
    """How a customer is erased."""

    async def erase(self, named: str) -> dict[str, object]:
        """Erase whoever a contact's id, a customer's id or an address means: the JSON of `usherd erase`.

        Raises KeyError if nobody is meant, TransientError when it could not be stored.
        """
        ...


class Customers(Protocol):
    """What customers say of how they were served, what programs say of customers, and what there is of one."""

    async def rate(self, contact: str, score: int, sender: str = "") -> None:
        """Store an answer, 1 to 5, to the question after a contact; durable when it returns. `sender`: keyed hash.

        Raises TransientError. Whether it counts is the engine's to say: once, of a contact that was asked about.
        """
        ...

    def question(self, contact: str) -> str | None:
        """The question about a contact as its customer was asked it; None where nobody was asked."""
        ...

    async def set_tier(self, address: str, tier: str) -> None:
        """Store of which tier somebody is, "" for none; durable when it returns. Raises KeyError for no such tier."""
        ...

    async def unblock(self, named: str) -> None:
        """Let somebody write again who was blocked: by an address, a customer's, a contact's or a message's id.

        Durable when it returns. Raises KeyError if nobody who is meant is blocked, TransientError.
        """
        ...

    async def export(self, named: str) -> dict[str, object]:
        """All there is of whoever a contact's id, a customer's id or an address means: the JSON of `usherd export`.

        Raises KeyError if nobody is meant, TransientError.
        """
        ...

    async def report(self, since: int, until: int, hourly: float) -> Report:
        """How customers were served in a span of ms, from the journal; `hourly`: what an hour of work costs."""
        ...


class Operations(Protocol):
    """What supervisors and admins ask of the running daemon; the JSON shapes are those of DESIGN.md."""

    async def measured(self) -> dict[str, object]:
        """The JSON of `usherd status`; nothing in it is older than the question."""
        ...

    def status(self) -> dict[str, object]:
        """The same, with numbers of a moment ago."""
        ...

    async def explain(self, contact: str, *, full: bool) -> dict[str, object]:
        """The JSON of `usherd explain`. Raises KeyError for an unknown contact."""
        ...

    async def quarantine(self, message: str | None = None) -> dict[str, object]:
        """`{"quarantine": [...]}`, or one item with its warnings and raw text. Raises KeyError when unknown."""
        ...

    async def retry(self, message: str) -> dict[str, object]:
        """Have a quarantined message read once more: `{"id", "contact", "queued": true}`. Raises KeyError."""
        ...
