"""A storm of bounces: somebody writes in our name, or we write to a list of dead addresses. Machines fall silent then.

More in an hour than the workspace allows open a breaker for a day, or until its settings change: no automatic answer is
given, and supervisors hear of the storm once instead of each answer that came back. The reports themselves are filed
as ever, and whose answer did not arrive has the contact back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core.decisions import AttachMessage, FileAuto, NotifySupervisors
from router.core.intake import BOUNCE

if TYPE_CHECKING:
    from router.core.events import MessageReceived
    from router.core.state import State
    from router.core.work import Work

HOUR = 3_600_000
DAY = 24 * HOUR


def watch(work: Work, event: MessageReceived) -> None:
    """Count a bounce that found its place; one told twice counts once."""
    if event.auto != BOUNCE or rages(work.state, work.now):
        return
    filed = any(isinstance(made, AttachMessage | FileAuto) and made.message == event.message for made in work.out)
    if not filed:
        return
    state, limit = work.state, work.workspace.auto_answers.bounces_per_hour
    state.bounces = [at for at in state.bounces if at + HOUR > work.now]
    state.bounces.append(work.now)
    if len(state.bounces) > limit:
        state.bounces = []
        state.bounce_storm_until = work.now + DAY
        work.emit(NotifySupervisors(reason="bounce-storm", detail=str(limit)))


def rages(state: State, now: int) -> bool:
    """Whether the breaker is open."""
    return now < state.bounce_storm_until
