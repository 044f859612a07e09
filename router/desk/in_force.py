"""The workspace in force and what waits under it, for those who want to know what another would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from router.core.state import Contact, State
from router.core.values import Workspace


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """All that rules look at in a contact; `certain`: a person said the topics. Probabilities are of 10,000."""

    channel: str
    kind: str
    account: str = ""
    language: str | None = None
    tier: str | None = None
    topics: tuple[tuple[str, int], ...] = ()
    certain: bool = False
    moods: tuple[str, ...] = ()


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """How many contacts of a shape wait for anybody."""

    shape: Shape
    waiting: int


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `GET /v1/workspace`.

    `version`: SHA-256 of the folder's content, as `usherd status` says it. `accounts`: addresses that mail may come to.
    `rehearsed`: whether the version that was asked for was looked at by `usherd whatif` within a week.
    """

    version: str
    workspace: Workspace
    waiting: tuple[Waiting, ...]
    accounts: tuple[str, ...] = ()
    rehearsed: bool | None = None


def in_force(
    state: State, waiting: Iterable[Contact], accounts: tuple[str, ...] = (), *, rehearsed: bool | None = None
) -> InForce:
    """What is in force, and what waits, the most frequent shape first. Contacts nobody could read are left out."""
    shapes = Counter(shape_of(contact) for contact in waiting if contact.flag != "quarantined")
    counted = tuple(Waiting(shape=shape, waiting=number) for shape, number in shapes.most_common())
    return InForce(
        version=state.version,
        workspace=state.workspace,
        waiting=counted,
        accounts=accounts,
        rehearsed=rehearsed,
    )


def shape_of(contact: Contact) -> Shape:
    """What rules look at in this contact."""
    return Shape(
        channel=contact.channel,
        kind=contact.kind,
        account=contact.account,
        language=contact.language,
        tier=contact.tier,
        topics=contact.topics,
        certain=contact.topics_set,
        moods=contact.moods,
    )
