"""A storm of bounces: we write to a list of dead addresses, or somebody writes in our name. Machines fall silent then.

More in an hour than the workspace allows open a breaker, until its settings change: no automatic answer is given, and
supervisors hear of the storm once instead of each answer that came back. The reports themselves are filed as ever, and
whose answer did not arrive has the contact back.

Anybody can write a report. One that carries an address, a token or a Message-ID that we signed speaks of a message of
ours; each counts once, and too many silence machines for a day. Others do so for an hour, and not again that day:
whoever makes them up must not be able to keep us silent.
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
    state, now = work.state, work.now
    if event.auto != BOUNCE or rages(state, now):
        return
    if not any(isinstance(made, AttachMessage | FileAuto) and made.message == event.message for made in work.out):
        return
    limit = work.workspace.auto_answers.bounces_per_hour
    signed = event.about or event.thread
    if signed is not None:
        state.bounced = {name: at for name, at in state.bounced.items() if at + HOUR > now}
        state.bounced.setdefault(f"{signed} {event.recipient}", now)
        if len(state.bounced) > limit:
            _open(work, DAY)
    elif now >= state.bounces_heeded_from:
        state.bounces = [at for at in state.bounces if at + HOUR > now]
        state.bounces.append(now)
        if len(state.bounces) > limit:
            state.bounces_heeded_from = now + DAY
            _open(work, HOUR)


def _open(work: Work, span: int) -> None:
    state = work.state
    state.bounces, state.bounced = [], {}
    state.bounce_storm_until = work.now + span
    work.emit(NotifySupervisors(reason="bounce-storm", detail=str(work.workspace.auto_answers.bounces_per_hour)))


def rages(state: State, now: int) -> bool:
    """Whether the breaker is open."""
    return now < state.bounce_storm_until
