"""What contacts say to who learns: people's word on their topics, and what handling them took, kept as labels."""

from __future__ import annotations

import asyncio

from router.core.decisions import EraseCustomer
from router.core.errors import StoreUnavailable
from router.core.events import ContactReopened, ContactResolved, ContactRetagged, ReplyWritten
from router.core.rules import sort_topics
from router.core.state import State
from router.shell.follower import Applied
from router.shell.labels import HEAD, HEAD_HANDLED, Documents, Label, Labels, Took, label_of, opening_of, took_of

UNSURE_MAX = 2_000  # contacts shown
SCAN_CONTACTS = 2_000  # looked at in one go, before others have their turn
TEACHES = (ContactRetagged, ContactResolved, ContactReopened, ReplyWritten)


class Hearing:
    """`labels` of topics and contacts `handled`, in the order in which they were said."""

    def __init__(self, store: Documents) -> None:
        self.labels = Labels(store, Label, HEAD)
        self.handled = Labels(store, Took, HEAD_HANDLED)
        self.erased = False  # somebody was, since that was asked last
        self._said: dict[str, None] = {}  # contacts of which something was said

    def committed(self, applied: list[Applied]) -> None:
        """A listener: somebody may have said what a contact is about, or be erased."""
        for one in applied:
            if isinstance(one.draft.event, TEACHES):
                self._said[one.draft.event.contact] = None
            self.erased |= any(isinstance(made, EraseCustomer) for made in one.draft.decisions)

    def clear(self) -> None:
        """This node no longer leads: whoever does hears it too."""
        self._said.clear()

    async def begin(self, state: State) -> None:
        """Have what is kept, and look for what contacts say that no label says yet: a crash may have come between.

        Raises StoreUnavailable.
        """
        await self.labels.read()
        await self.handled.read()
        names = list(state.contacts)
        for start in range(0, len(names), SCAN_CONTACTS):
            for name in names[start : start + SCAN_CONTACTS]:
                contact = state.contacts.get(name)
                if contact is None:
                    continue
                label, took = label_of(state.workspace, contact), took_of(state.workspace, contact)
                if label not in {None, self.labels.latest(name)} or took not in {None, self.handled.latest(name)}:
                    self._said[name] = None
            await asyncio.sleep(0)

    async def note(self, state: State) -> None:
        """Keep what was said since the last time. Raises StoreUnavailable."""
        said, self._said = self._said, {}
        contacts = [state.contacts[name] for name in said if name in state.contacts]
        labels = [label for contact in contacts if (label := label_of(state.workspace, contact)) is not None]
        handled = [took for contact in contacts if (took := took_of(state.workspace, contact)) is not None]
        try:
            await self.labels.add(labels)
            await self.handled.add(handled)
        except StoreUnavailable:
            self._said = {**said, **self._said}
            raise


def unsure_messages(state: State) -> list[str]:
    """The first messages of contacts whose topic is unsure and that nobody has given one, the newest first."""
    found: list[str] = []
    for contact in reversed(state.contacts.values()):
        message = opening_of(contact)
        if message is None or contact.topics_set or sort_topics(state.workspace, contact.topics)[0] is not None:
            continue
        found.append(message)
        if len(found) == UNSURE_MAX:
            break
    return found
