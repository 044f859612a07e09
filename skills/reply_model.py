"""Saved replies: texts that agents put into what they write, with the few placeholders that a desk can fill."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from skills.placeholders import only
from skills.scalars import Language, Listed, Name, Words

PLACEHOLDERS = ("customer", "agent", "reference")

Template = Annotated[Words, only(*PLACEHOLDERS)]


class ReplyConfig(BaseModel):
    """One saved reply."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    text: Template
    """What it says; {customer}, {agent} and {reference} are filled in at the desk."""
    topics: Annotated[tuple[Name, ...], Listed] = ()
    """It is shown first for contacts of these topics; without any, for all alike."""
    language: Language | None = None
    """It is shown first for contacts in this language."""
