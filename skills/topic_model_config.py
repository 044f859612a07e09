"""How topics are told: how sure the classifier must be, what becomes of what it is unsure of, when it learns."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from skills.scalars import Count, Listed, Name, Percent, Words

SOFTEN = "soften"  # instead of a team
MOOD_MIN = 20  # texts that sound so; with fewer no mood is told by more than keywords

TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class MoodConfig(BaseModel):
    """A mood."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    examples: Annotated[tuple[Words, ...], Listed] = ()
    """What customers write who sound so; it takes twenty before any are told by them."""
    keywords: Annotated[tuple[Words, ...], Listed] = ()
    """Words that say so wherever they stand; case and accents do not matter."""


class TopicModelConfig(BaseModel):
    """How sure the classifier must be, and when it learns."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    precision: Percent = 9_500
    """How often a topic it is sure of should be right."""
    unsure: Name = "triage"
    """The team that gets contacts whose topic is unsure; `soften`: no team, its skills are only preferred."""
    encoder: Words = "auto"
    """A sentence encoder beside the words, used if it tells topics better: `auto`, the one of `usherd[encoder]` if that
    is installed; `none`; or a folder with `model.onnx` and `tokenizer.json`."""
    learn_after: Count = 100
    """So many contacts whose topics agents confirmed or changed, and it learns from them; 0: never."""
    learn_at: TimeOfDay = "03:00"
    """When it learns from those that came since, however few: each night, on the clocks of `timezone`."""
