"""What whoever leads is shown, and the wall: the shapes that pages and Slack get."""

from __future__ import annotations

from router.desk.views import Bar, Row, View


class TopicQueue(View, frozen=True, kw_only=True):
    """What waits under one topic. `oldest`: since when; `able`, `free`: agents who could take some of it, now."""

    topic: str
    label: str
    waiting: int
    oldest: int
    at_risk: int
    able: int
    free: int


class IncidentRow(View, frozen=True, kw_only=True):
    """A topic of which far more is written than usual. `usual`: contacts in such an hour; `affected`: open ones.

    `told`: an answer is prepared, and whoever asks next is given it.
    """

    id: str
    topic: str
    label: str
    began: int
    contacts: int
    usual: float
    affected: int
    told: bool


class Today(View, frozen=True, kw_only=True):
    """Counts since midnight in the workspace's time zone."""

    opened: int
    resolved: int
    answers: int
    promised: int = 0  # first answers given, where one was promised
    in_time: int = 0  # of those
    rated: int = 0  # of those resolved today
    csat: float | None = None  # their mean, 1 to 5


class Board(View, frozen=True, kw_only=True):
    """A wallboard: nothing in it is of any one customer or agent. `late` are among those `at_risk`."""

    now: int
    workspace: str
    waiting: int
    oldest: int | None
    at_risk: int
    late: int
    open: int
    topics: tuple[TopicQueue, ...]
    statuses: dict[str, int]
    today: Today
    problems: tuple[str, ...]
    incidents: tuple[IncidentRow, ...] = ()


class AgentLoad(View, frozen=True, kw_only=True):
    """An agent as a supervisor sees them. `utilisation` in percent; `parked`: on the customer, or snoozed."""

    id: str
    name: str
    team: str
    status: str
    since: int
    on_shift: bool
    capacity: tuple[Bar, ...]
    utilisation: int
    offered: int
    open: int
    parked: int


class Matter(View, frozen=True, kw_only=True):
    """One thing that is wrong, or soon will be. `level`: 1 soon, 2 now; `contacts`: the most urgent ones."""

    code: str
    level: int
    size: int
    text: str
    details: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    due: int | None = None  # the first promise of them


class Overview(View, frozen=True, kw_only=True):
    """What a supervisor watches. `changes`: an edited workspace waits for its rehearsal."""

    n: int
    board: Board
    agents: tuple[AgentLoad, ...]
    risky: tuple[Row, ...]
    matters: tuple[Matter, ...] = ()
    answers: dict[str, str]  # by incident: what is told
    changes: bool = False
