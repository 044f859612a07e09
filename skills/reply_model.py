"""Saved replies, with the few placeholders that a desk can fill, and pages that are suggested to agents."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

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


class ArticleConfig(BaseModel):
    """A page that answers what many ask."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=150)]
    """What it is called."""
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>|]+$", max_length=500)]
    """Where it stands."""
    topics: Annotated[tuple[Name, ...], Listed]
    """It is suggested for contacts of these topics."""
    language: Language | None = None
    """…and in this language alone; in every one if left out."""
