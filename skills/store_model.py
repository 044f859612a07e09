"""The parts of a workspace that say where things are kept."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from skills.part import ChannelPart
from skills.scalars import Duration, Flag
from skills.secret import Secret, SecretUrl


class Store(ChannelPart):
    """Where inbox and journal are kept; embedded: a server that usherd starts itself."""

    url: SecretUrl | None = None
    """redis://, rediss://, unix://, redis+sentinel://host,host/name, redis+cluster://host,host; password: ${NAME}."""
    durability: Literal["strict", "relaxed"] = "strict"
    """strict: refuse a store that can lose what it acknowledged."""
    replicas: Annotated[int, Field(ge=0, le=10)] = 0
    """So many replicas must have a message before it is acknowledged: fewer than there are, so that one may fail."""

    @model_validator(mode="after")
    def _replicated(self) -> Self:
        if self.replicas and self.url is None:
            raise ValueError("`replicas` needs a `url`: the embedded store has none")
        return self

    @property
    def embedded(self) -> bool:
        """Whether usherd runs the store itself."""
        return self.url is None


class Objects(ChannelPart):
    """Where files lie that are not in the store: a folder, or S3."""

    folder: str | None = None
    """A folder that all nodes share."""
    url: SecretUrl | None = None
    """s3://bucket/prefix."""
    endpoint: str | None = None
    """For S3 that is not Amazon's: https://host:port of the server."""
    region: str | None = None
    """For S3: the bucket's region."""
    access_key: Secret | None = None
    """For S3: ${NAME} or file:PATH."""
    secret_key: Secret | None = None
    """For S3: ${NAME} or file:PATH."""
    plain_http: Flag = False
    """For S3: true for a server without TLS."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.folder is not None and self.url is not None:
            raise ValueError("takes `folder` or `url`, not both")
        if self.url is not None and urlsplit(self.url.reveal()).scheme != "s3":
            raise ValueError("must be s3://bucket/prefix; another server of that kind is named by `endpoint`")
        if self.endpoint is not None and urlsplit(self.endpoint).scheme not in {"http", "https"}:
            raise ValueError("`endpoint` is an address such as https://s3.example.com:9000")
        if (self.endpoint or "").startswith("http://") and not self.plain_http:
            raise ValueError("`endpoint` has no TLS: use https, or say `plain_http: true`")
        return self

    @property
    def embedded(self) -> bool:
        """Whether they lie in the data directory."""
        return self.folder is None and self.url is None


class Blobs(Objects):
    """Where mails and files over 256 kB lie; embedded: the data directory."""


class Archive(Objects):
    """Where snapshots and old records lie; embedded: the data directory."""

    keep: Duration = 30 * 86_400_000
    """How long records stay in the store before they are in the archive only."""
    snapshots: Annotated[int, Field(ge=1, le=1_000)] = 3
    """How many snapshots are kept."""
    trim_url: SecretUrl | None = None
    """The store as a user who may trim the journal, if that of `store.url` may not."""
