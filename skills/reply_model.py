"""Saved replies: texts that agents put into what they write, with the few placeholders that a desk can fill."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from skills.findings import nearest
from skills.scalars import Language, Listed, Name, Words

PLACEHOLDERS = ("customer", "agent", "reference")

_BRACED = re.compile(r"\{([^{}\n]{0,60})\}")


def _known_placeholders(text: str) -> str:
    """Refuse a placeholder that nothing fills: it would reach a customer as it stands."""
    for found in _BRACED.finditer(text):
        word = found[1]
        if word in PLACEHOLDERS:
            continue
        meant = nearest(word, PLACEHOLDERS)
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        asked = f"; did you mean {{{meant}}}?" if meant else f"; there are {known}"
        raise ValueError(f"has the unknown placeholder {{{word}}}{asked}")
    return text


Template = Annotated[Words, AfterValidator(_known_placeholders)]


class ReplyConfig(BaseModel):
    """One saved reply."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    text: Template
    """What it says; {customer}, {agent} and {reference} are filled in at the desk."""
    topics: Annotated[tuple[Name, ...], Listed] = ()
    """It is shown first for contacts of these topics; without any, for all alike."""
    language: Language | None = None
    """It is shown first for contacts in this language."""
