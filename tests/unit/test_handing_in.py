"""Imported contacts are handed in one after the other; what became of each is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import msgspec
import pytest

from router.app import handing_in
from router.app.handing_in import Door, Tally, hand_in, reasons
from router.app.incoming import Item, Odd
from router.core.errors import ConfigError, PermanentError, TransientError
from router.core.values import Agent, Topic, Workspace
from router.desk.in_force import InForce

Answer = Callable[[httpx.Request], httpx.Response]
IN_FORCE = InForce(
    version="v",
    workspace=Workspace(
        name="acme", agents={"ana": Agent(id="ana", team="t")}, topics={"refund": Topic(id="refund", effort=1)}
    ),
    waiting=(),
    accounts=("help@acme.example",),
)


def line(place: int = 1, assignee: str | None = None, notes: tuple[str, ...] = ()) -> Item:
    """A message to hand in."""
    return Item(
        file="o.jsonl", place=place, id=f"T-{place}", message={"text": "x"}, key=f"k{place}", assignee=assignee,
        notes=notes,
    )  # fmt: skip


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    """The daemon's answer when it does not take something."""
    return httpx.Response(status, json={"error": {"code": code, "message": f"{code}.", "hint": ""}}, headers=headers)


def stored(request: httpx.Request) -> httpx.Response:
    """A daemon that takes everything, under the key as id."""
    if request.url.path == "/v1/assignments":
        return httpx.Response(200, json={})
    return httpx.Response(202, json={"id": request.headers.get("idempotency-key", "mail")})


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.app.handing_in.time.sleep", lambda _: None)


@pytest.fixture
def run() -> Iterator[Callable[..., Tally]]:
    """Hand items in to a daemon that answers as told."""
    doors = []

    def call(answer: Answer, *items: Item | Odd, dry: bool = False) -> Tally:
        doors.append(Door("http://daemon.test", "t", httpx.MockTransport(answer)))
        return hand_in(items, doors[-1], dry=dry)

    yield call
    for door in doors:
        door.close()


Run = Callable[..., Tally]


def test_what_is_stored_is_counted_and_given_away(run: Run) -> None:
    """Lines and mails go to their own doors, with their keys and accounts; owners are named when all is stored."""
    seen: list[tuple[str, str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, request.url.query.decode(), request.headers.get("idempotency-key", "")))
        return stored(request)

    mail = Item(file="o.mbox", place=1, id="<1@x>", mail=b"From: a@b.example\r\n\r\nx", account="help@acme.example")
    odd = Odd(file="o.jsonl", place=9, id="", reason="not JSON")
    tally = run(answer, line(1, "ana"), odd, mail, line(2, notes=("no topic is called `vip` here",)))
    assert seen == [
        ("/v1/messages", "", "k1"), ("/v1/mails", "account=help%40acme.example", ""), ("/v1/messages", "", "k2"),
        ("/v1/assignments", "", ""),
    ]  # fmt: skip
    assert (tally.imported, tally.duplicates, tally.assigned, tally.skipped) == (3, 0, 1, [odd])
    assert [(one.place, one.reason) for one in tally.notes] == [(2, "no topic is called `vip` here")]


def test_a_dry_run_sends_nothing(run: Run) -> None:
    """With `dry` everything is counted and nobody is asked."""

    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    assert run(never, line(1, "ana"), line(2), dry=True).imported == 2


def test_what_was_known_is_a_duplicate_and_keeps_its_owner(run: Run) -> None:
    """A contact that is here already is counted as such, and not given to anybody again."""
    tally = run(lambda _: httpx.Response(202, json={"id": "1"}, headers={handing_in.REPLAYED: "true"}), line(1, "ana"))
    assert (tally.imported, tally.duplicates, tally.assigned) == (0, 1, 0)


def test_a_refusal_is_of_one_contact(run: Run) -> None:
    """What the daemon does not take is skipped with its reason, and the next one comes in."""

    def answer(request: httpx.Request) -> httpx.Response:
        refusals = {"k1": problem(422, "invalid"), "k2": problem(409, "key_conflict"), "k3": httpx.Response(500)}
        return refusals.get(request.headers["idempotency-key"]) or stored(request)

    tally = run(answer, line(1), line(2), line(4))
    assert tally.imported == 1
    assert [one.reason for one in tally.skipped] == ["invalid.", "imported before, and not quite the same"]
    with pytest.raises(PermanentError, match="500"):
        run(answer, line(3))


def test_a_busy_daemon_is_asked_again(run: Run) -> None:
    """While more waits than the daemon takes the import waits too; when that does not end, it says so."""
    answers = iter([problem(429, "backlog_full", **{"Retry-After": "5"}), problem(503, "store_unavailable")])
    assert run(lambda request: next(answers, None) or stored(request), line(1)).imported == 1
    with pytest.raises(TransientError, match="backlog_full"):
        run(lambda _: problem(429, "backlog_full"), line(1))


@pytest.mark.parametrize(("status", "code"), [(401, "bad_token"), (403, "forbidden"), (404, "no_intake")])
def test_what_holds_for_all_ends_the_import(run: Run, status: int, code: str) -> None:
    """A token without the right, or a workspace without the channel, is an error of the whole import."""
    with pytest.raises(ConfigError):
        run(lambda _: problem(status, code), line(1))


def test_a_daemon_that_is_gone_ends_the_import(run: Run) -> None:
    """A connection that breaks ends it, with the word that a second import goes on."""

    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone", request=request)

    with pytest.raises(TransientError, match="goes on where"):
        run(gone, line(1))


def test_an_owner_waits_for_the_contact(run: Run) -> None:
    """What is stored but not yet a contact is asked for again; an owner who may not have it is noted."""
    answers = iter([problem(404, "no_message"), problem(404, "no_message"), httpx.Response(200, json={})])

    def answer(request: httpx.Request) -> httpx.Response:
        return next(answers) if request.url.path == "/v1/assignments" else stored(request)

    assert run(answer, line(1, "ana")).assigned == 1
    answers = iter([problem(409, "not_assigned")])
    tally = run(answer, line(1, "ana"))
    assert (tally.assigned, [one.reason for one in tally.notes]) == (0, ["not given to `ana`: not_assigned."])


def test_what_the_workspace_knows_is_asked_first() -> None:
    """Topics, agents and addresses are those in force; a daemon of another version is named as such."""
    answer = httpx.Response(200, content=msgspec.json.encode(IN_FORCE))
    door = Door("http://daemon.test", "t", httpx.MockTransport(lambda _: answer))
    known = door.known()
    assert (known.topics, known.agents) == (frozenset({"refund"}), frozenset({"ana"}))
    assert known.account("HELP+old@acme.example") == "help@acme.example"
    door.close()
    other = Door("http://daemon.test", "t", httpx.MockTransport(lambda _: httpx.Response(200, json={})))
    with pytest.raises(PermanentError, match="another version"):
        other.known()
    other.close()


def test_reasons_are_told_once() -> None:
    """The same reason stands once, with all it holds for, the most frequent first."""
    odd = [Odd(file="o", place=place, id="", reason=reason) for place, reason in enumerate(["a", "b", "b"], 1)]
    assert [(reason, [one.place for one in ones]) for reason, ones in reasons(odd)] == [("b", [2, 3]), ("a", [1])]
