"""What every mapping of a workspace under `channels`, `customers`, `web`, `store` and `blobs` is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ChannelPart(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
