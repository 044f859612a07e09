"""Hands imported contacts to a running daemon, one after the other, and counts what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import msgspec

from channels.email.smtp_settings import Accounts
from router.app.incoming import Item, Known, Odd
from router.core.errors import ConfigError, PermanentError, TransientError
from router.desk.in_force import InForce

SECONDS_MAX = 60.0
BUSY = frozenset({429, 503})
TRIES_MAX = 60
RETRY_SECONDS_MAX = 5.0
CONTACT_SECONDS_MAX = 60.0  # until what was stored is a contact that can be given to somebody
REPLAYED = "Idempotency-Replayed"


class Tally(msgspec.Struct, kw_only=True):
    """The JSON of `usherd import`."""

    imported: int = 0
    duplicates: int = 0
    skipped: list[Odd] = []
    assigned: int = 0
    notes: list[Odd] = []  # of what was imported, and not wholly as it was


class Door:
    """The daemon's HTTP API, for as long as an import takes."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=SECONDS_MAX, trust_env=False, transport=transport
        )

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def known(self) -> Known:
        """What the running workspace knows. Raises RouterError."""
        answer = self._ask("GET", "/v1/workspace")
        try:
            found = msgspec.json.decode(answer.content, type=InForce)
        except msgspec.MsgspecError as error:
            raise PermanentError(f"the daemon is of another version than this command ({error})") from None
        accounts = Accounts(found.accounts)
        return Known(
            topics=frozenset(found.workspace.topics),
            agents=frozenset(found.workspace.agents),
            account=accounts.find,
        )

    def hand_in(self, item: Item) -> tuple[str, bool]:
        """Store one contact; gives its message's id, and whether it was there already. Raises Refusal."""
        if item.message is not None:
            answer = self._ask("POST", "/v1/messages", json=item.message, headers={"Idempotency-Key": item.key})
        else:
            sent = {"Content-Type": "message/rfc822"}
            answer = self._ask("POST", "/v1/mails", content=item.mail, headers=sent, params={"account": item.account})
        return str(answer.json()["id"]), answer.headers.get(REPLAYED) == "true"

    def assign(self, message: str, agent: str) -> None:
        """Give a message's contact to an agent, once it is one. Raises Refusal."""
        until = time.monotonic() + CONTACT_SECONDS_MAX
        while True:
            try:
                self._ask("POST", "/v1/assignments", json={"message": message, "agent": agent})
            except Refusal as refusal:
                if refusal.code != "no_message" or time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    def _ask(self, method: str, path: str, **rest: Any) -> httpx.Response:
        for tries_left in reversed(range(TRIES_MAX)):
            try:
                answer = self._http.request(method, path, **rest)
            except httpx.InvalidURL as error:
                raise ConfigError(f"no address of a daemon: {error}", hint="write it as http://host:port") from error
            except httpx.TransportError as error:
                kind = type(error).__name__
                message = f"the daemon does not answer ({kind}); a second import goes on where this one ended"
                raise TransientError(message) from error
            if answer.is_success:
                return answer
            if answer.status_code not in BUSY or not tries_left:
                raise _refusal(answer)
            time.sleep(min(RETRY_SECONDS_MAX, float(answer.headers.get("Retry-After", "1"))))
        raise AssertionError


class Refusal(PermanentError):
    """The daemon did not take one contact."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _refusal(answer: httpx.Response) -> Exception:
    try:
        problem = answer.json()["error"]
        code, message, hint = str(problem["code"]), str(problem["message"]), str(problem.get("hint") or "")
    except (ValueError, KeyError, TypeError):
        return PermanentError(f"the daemon answered {answer.status_code}")
    if answer.status_code in {401, 403}:
        return ConfigError(message, hint=hint, code=code)
    if answer.status_code in BUSY:
        return TransientError(f"{message} {hint}".strip())
    if code == "no_intake":
        return ConfigError(message, hint=hint, code=code)
    return Refusal(code, message)


def hand_in(
    found: Iterable[Item | Odd], door: Door, *, dry: bool = False, progress: Callable[[], None] = lambda: None
) -> Tally:
    """Hand all of them in, or with `dry` only count them. Raises RouterError when going on makes no sense."""
    tally = Tally()
    to_assign: list[tuple[Item, str]] = []
    for one in found:
        if isinstance(one, Odd):
            tally.skipped.append(one)
        else:
            _hand_in(one, door, tally, to_assign, dry=dry)
        progress()
    for item, message in to_assign:
        agent = item.assignee or ""
        try:
            door.assign(message, agent)
        except Refusal as refusal:
            tally.notes.append(_odd(item, f"not given to `{agent}`: {refusal}"))
        else:
            tally.assigned += 1
    return tally


def _hand_in(item: Item, door: Door, tally: Tally, to_assign: list[tuple[Item, str]], *, dry: bool) -> None:
    try:
        message, duplicate = ("", False) if dry else door.hand_in(item)
    except Refusal as refusal:
        reason = "imported before, and not quite the same" if refusal.code == "key_conflict" else str(refusal)
        tally.skipped.append(_odd(item, reason))
        return
    tally.notes += [_odd(item, note) for note in item.notes]
    if duplicate:
        tally.duplicates += 1
        return
    tally.imported += 1
    if item.assignee is not None and not dry:
        to_assign.append((item, message))


def _odd(item: Item, reason: str) -> Odd:
    return Odd(file=item.file, place=item.place, id=item.id, reason=reason)


def reasons(odd: Iterable[Odd]) -> Iterator[tuple[str, list[Odd]]]:
    """The same reason once, with all that it holds for; the most frequent first."""
    by_reason: dict[str, list[Odd]] = {}
    for one in odd:
        by_reason.setdefault(one.reason, []).append(one)
    yield from sorted(by_reason.items(), key=lambda pair: -len(pair[1]))
