"""An explanation in sentences: the JSON of `usherd explain` as the agent who asks reads it."""

from __future__ import annotations

from router.desk import texts
from router.desk.ports import Directory
from router.desk.summaries import person_name
from router.desk.views import Considered, Why


def why(explanation: dict[str, object], agent: str, names: Directory) -> Why:
    """Sentences for `explanation`, in the second person where `agent` is meant."""
    chosen = explanation.get("agent")
    return Why(
        headline=_headline(explanation, chosen if isinstance(chosen, str) else "", agent, names),
        sentences=tuple(_sentences(explanation, names)),
        candidates=tuple(_candidates(explanation.get("candidates"), agent, names)),
        ruled_out=tuple(_ruled_out(explanation.get("ruled_out"))),
    )


def _headline(explanation: dict[str, object], chosen: str, agent: str, names: Directory) -> str:
    decision, deciding = str(explanation.get("decision") or ""), str(explanation.get("deciding") or "")
    if not chosen:
        return texts.WHY_WAITS if decision else texts.WHY_NONE
    you, who = chosen == agent, person_name(names, chosen)
    if explanation.get("manual"):
        return texts.WHY_TAKEN.format(who=texts.YOU if you else who)
    if deciding == "accepted the offer":
        return texts.WHY_ACCEPTED_YOU if you else texts.WHY_ACCEPTED.format(who=who)
    return (texts.WHY_YOURS if you else texts.WHY_THEIRS).format(who=who, reason=texts.reason(deciding, you=you))


def _sentences(explanation: dict[str, object], names: Directory) -> list[str]:
    found = _expected(explanation)
    relaxation = explanation.get("relaxation")
    if isinstance(relaxation, int) and relaxation > 0:
        found.append(texts.WHY_RELAXED.format(n=relaxation))
    sticky = explanation.get("sticky")
    if isinstance(sticky, str) and sticky:
        found.append(texts.WHY_STICKY.format(who=person_name(names, sticky)))
    reserve = explanation.get("reserve")
    if isinstance(reserve, list | tuple) and reserve:
        skills = ", ".join(one for one in reserve if isinstance(one, str))
        found.append(texts.WHY_RESERVE.format(names=skills))
    changes = explanation.get("would_have")
    for change in changes if isinstance(changes, list | tuple) else ():
        if isinstance(change, dict):
            who = person_name(names, str(change.get("agent")))
            found.append(texts.WHY_WOULD_HAVE.format(who=who, what=str(change.get("why"))))
    return found


def _expected(explanation: dict[str, object]) -> list[str]:
    """How the customer sounds and what it is likely to take, as far as a model says so."""
    moods, effort = explanation.get("moods"), explanation.get("effort_seconds")
    found = [texts.WHY_MOODS.format(moods=" and ".join(map(str, moods)))] if isinstance(moods, list) and moods else []
    spread = effort.get("spread") if isinstance(effort, dict) else None
    if isinstance(effort, dict) and isinstance(spread, list):
        expected, low, high = (max(1, round(seconds / 60)) for seconds in (effort["expected"], *spread))
        found.append(texts.WHY_EFFORT.format(expected=expected, low=low, high=high))
    return found


def _candidates(listed: object, agent: str, names: Directory) -> list[Considered]:
    if not isinstance(listed, list | tuple):
        return []
    found: list[Considered] = []
    for place, one in enumerate(listed, 1):
        if not isinstance(one, dict) or not isinstance(one.get("agent"), str):
            continue
        who: str = one["agent"]
        rank = one.get("rank")
        found.append(
            Considered(
                name=person_name(names, who),
                rank=rank if isinstance(rank, int) else place,
                why=str(one.get("why") or ""),
                you=who == agent,
            )
        )
    return found


def _ruled_out(listed: object) -> list[str]:
    if not isinstance(listed, dict):
        return []
    counted = [(str(cause), number) for cause, number in listed.items() if isinstance(number, int)]
    counted.sort(key=lambda pair: (-pair[1], pair[0]))
    return [texts.ruled_out(cause, number) for cause, number in counted]
