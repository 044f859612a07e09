"""Automatic answers as an admin writes them: what is said at once to whoever opens a contact, by language."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from skills.placeholders import only
from skills.scalars import Language, Words

Receipt = Annotated[Words, only("reference")]
OutOfHours = Annotated[Words, only("reference", "opens_at")]
InQueue = Annotated[Words, only("reference", "place")]


class AutoAnswersConfig(BaseModel):
    """What is said by itself; each is off until it has a text."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    receipt: dict[Language, Receipt] = {}
    """To a mail that opens a contact, by language; {reference} is the contact's."""
    out_of_hours: dict[Language, OutOfHours] = {}
    """Instead, when nobody who could serve it is on shift; {opens_at} is when the next one is."""
    queue: dict[Language, InQueue] = {}
    """To a chat that has to wait; {place} is its place in the queue."""
    per_hour: Annotated[int, Field(ge=1, le=100_000)] = 200
    """One more in an hour, and all are off for a day: something is wrong then."""
    bounces_per_hour: Annotated[int, Field(ge=1, le=100_000)] = 100
    """So many mails may come back in an hour; one more, and they are off likewise, and supervisors hear of it."""

    @property
    def texts(self) -> dict[str, dict[str, str]]:
        """Those that have a text: name → language → text."""
        all_three = {"receipt": self.receipt, "out_of_hours": self.out_of_hours, "queue": self.queue}
        return {name: texts for name, texts in all_three.items() if texts}
