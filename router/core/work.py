"""What the parts of the engine share while one event is applied: state, index, the decisions so far.

Every change of a contact's state, of what an agent holds and of an agent's presence goes through here, so that state
and index stay in step and no part forgets half of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.core import learning, leaving, ledger, levelling, ramp, reserve, sla
from router.core.decisions import Refuse
from router.core.transitions import ContactState, next_contact_state
from router.core.values import Role, Status

if TYPE_CHECKING:
    from router.core.board import Seat
    from router.core.decisions import Decision
    from router.core.index import Index
    from router.core.state import Contact, State
    from router.core.values import Workspace


class Work:
    """State and index, and what the event at hand has led to.

    `now` is engine time, and `workspace` the one in force: they are looked at dozens of times an event.
    """

    __slots__ = ("freed", "index", "look", "now", "opened", "out", "state", "workspace")

    def __init__(self, state: State, index: Index) -> None:
        self.state = state
        self.index = index
        self.now: int = state.at
        self.workspace: Workspace = state.workspace
        self.out: list[Decision] = []
        self.look: dict[str, Contact] = {}  # contacts to be placed
        self.freed: dict[str, Seat] = {}  # agents who may be able to take another contact
        self.opened: Contact | None = None  # by a customer's message

    def emit(self, decision: Decision) -> None:
        """Add a decision to the record."""
        self.out.append(decision)

    def refuse(self, code: str, detail: str = "") -> None:
        """The command changes nothing."""
        self.out.append(Refuse(code=code, detail=detail))

    # -- contacts --------------------------------------------------------------------------------------------------

    def step(self, contact: Contact, what: str) -> None:
        """Take a step of the lifecycle table. Raises NotAllowed."""
        contact.state = next_contact_state(contact.state, what)
        if contact.state is not ContactState.WAITING:
            contact.sticky_until = None
        self.index.chats.note(contact)

    def touch(self, contact: Contact) -> None:
        """The contact changed: bring its place in line and its timer in step."""
        self.index.sync(contact)

    def supervises(self, agent: str) -> bool:
        """Whether an agent may act on contacts that are not theirs."""
        found = self.workspace.agents.get(agent)
        return found is not None and found.role in {Role.SUPERVISOR, Role.ADMIN}

    def remember_agent(self, contact: Contact, agent: str) -> None:
        """Who served this customer last. Nobody is known by no name."""
        if contact.customer:
            leaving.remember_agent(self, contact.customer, agent)

    # -- what agents hold ------------------------------------------------------------------------------------------

    def hold(self, contact: Contact, agent: str) -> None:
        """The contact counts against the agent's capacity from now on."""
        seat = self.index.seats[agent]
        if seat.state.parked.pop(contact.id, None):
            self.index.park(seat, contact, -1)
        if contact.id not in seat.state.held:
            seat.state.held[contact.id] = 1
            self.index.load(seat, contact, 1)
        if contact.state is ContactState.ASSIGNED:
            learning.begin(self, contact, seat)
        seat.state.idle_since = self.now
        contact.court_since = self.now
        self.index.refresh(seat)

    def let_go(self, contact: Contact, agent: str, *, park: bool = False, done: bool = False) -> int:
        """The contact no longer counts; parked, the agent still owns it; done, they are credited with what it took.

        Gives what it took them, in ms, if they are done.
        """
        seat = self.index.seats[agent]
        if seat.state.parked.pop(contact.id, None):
            self.index.park(seat, contact, -1)
            self.freed[agent] = seat
        learning.end(self, contact, seat)
        if seat.state.held.pop(contact.id, None):
            self.index.load(seat, contact, -1)
            seat.state.idle_since = self.now
            self.freed[agent] = seat
        if park:
            seat.state.parked[contact.id] = 1
            self.index.park(seat, contact, 1)
        spent = learning.true_up(self, contact, seat) if done else 0
        self.index.refresh(seat)
        return spent

    def credit(self, contact: Contact, agent: str) -> None:
        """Credit the agent with the effort to expect of a contact; `hold` is next, and brings their rank in step."""
        contact.effort = learning.expected(self.state, contact)
        seat = self.index.seats[agent]
        contact.credited_slot = ledger.credit(seat.state, self.workspace, self.now, contact.effort)
        seat.effort += contact.effort

    def take_back(self, contact: Contact, agent: str) -> None:
        """The agent did nothing for the contact after all; `let_go` is next, and brings their rank in step."""
        seat = self.index.seats[agent]
        assert contact.credited_slot is not None
        learning.uncredit(self, seat, contact.credited_slot, contact.effort)
        contact.credited_slot = None
        contact.effort = 0

    # -- presence --------------------------------------------------------------------------------------------------

    def be_present(self, seat: Seat) -> None:
        """Bring ledger and room in step with an agent's status and shift."""
        awaited = ramp.is_on(self.index)
        if (seat.state.status is Status.AVAILABLE or self.workspace.shadow) and seat.state.on_shift:
            ledger.open_presence(seat.state, self.now)
        else:
            ledger.close_presence(seat.state, self.workspace, self.now)
        learning.attend(self, seat)
        self.index.arm_shift(seat)
        self.index.refresh(seat)
        self.index.refresh_rank(seat)
        if not seat.absence:
            self.freed[seat.agent.id] = seat
        elif self.state.reserves:
            reserve.release(self, self.state.reserves)  # nobody waits for one who is gone
        levelling.release(self)
        if self.workspace.ramp:
            self.index.starters = None
            if awaited:
                ramp.release(self)

    def turn_shift(self, seat: Seat) -> None:
        """Put an agent on or off shift by their calendar at this moment, and arm the next edge."""
        name = seat.agent.calendar
        hours = None if name is None else self.workspace.calendars.get(name)
        was = seat.state.on_shift
        seat.state.on_shift, seat.state.shift_edge = (True, None) if hours is None else sla.open_at(self.now, hours)
        seat.state.shift_began = self.now if seat.state.on_shift and not was else None
        self.be_present(seat)
