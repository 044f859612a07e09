"""Sends answers: words in pieces that Telegram takes, files as pictures or documents; says what became of it.

An answer may be several messages of Telegram's. How many have left is remembered, so that what goes on after a wait
does not begin anew. Telegram knows no key by which it would tell a repeated message: one whose answer was lost is
`unknown`, and what sends it again is the outbox, at most once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, Protocol

import msgspec
import structlog

from channels.telegram.pace import Pace
from channels.telegram.packing import TELEGRAM
from channels.telegram.trouble import BadToken, Blocked, Busy, Doubtful, Moved, Rejected, Unreachable
from channels.telegram.units import CAPTION_UNITS_MAX, pieces, units
from router.core.errors import PermanentError

log = structlog.get_logger()

PHOTO_TYPES = frozenset({"image/jpeg", "image/png"})
PHOTO_BYTES_MAX = 10_000_000
RETRY_FIRST_MS, RETRY_LONGEST_MS = 2_000, 300_000
GIVE_UP_MS = 86_400_000
UNFINISHED_KEPT_MAX = 1_000


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message goes. `thread`: a topic of a forum; `answers`: the message that it is a reply to."""

    chat: int
    thread: int | None = None
    answers: int | None = None


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an answer."""

    name: str
    type: str
    content: bytes


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `key`: the same on every try."""

    key: str
    place: Place
    text: str = ""
    files: tuple[File, ...] = ()
    buttons: tuple[tuple[str, str], ...] = ()  # what stands on each, and what comes back when it is pressed


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one try. `wait_ms`: how long Telegram wants us to wait."""

    state: Literal["sent", "deferred", "failed", "unknown"]
    code: int = 0
    text: str = ""
    wait_ms: int = 0


class Out(Protocol):
    """The Bot API, as far as answers need it; see `api`."""

    async def say(self, place: Place, text: str, buttons: tuple[tuple[str, str], ...] = ()) -> None:
        """Send words, and buttons below them."""
        ...

    async def photo(self, place: Place, name: str, content: bytes, caption: str) -> None:
        """Send a picture."""
        ...

    async def document(self, place: Place, name: str, content: bytes, caption: str) -> None:
        """Send a file."""
        ...


Step = Callable[[Place], Awaitable[None]]


class Courier:
    """Delivers letters of one bot."""

    def __init__(self, out: Out, pace: Pace) -> None:
        self._out = out
        self._pace = pace
        self._done: OrderedDict[str, int] = OrderedDict()  # letters under way: how many of their messages have left
        self._moved: dict[int, int] = {}  # groups that have another id by now

    async def send(self, letter: Letter) -> Outcome:
        """Try once. Raises nothing but CancelledError."""
        steps = self._steps(letter)
        if not steps:
            return Outcome(state="failed", text="there is nothing in it")
        for number in range(self._done.get(letter.key, 0), len(steps)):
            outcome = await self._step(letter.place, steps[number])
            if outcome is not None:
                if outcome.state == "failed":
                    self._done.pop(letter.key, None)
                return outcome
            self._remember(letter.key, number + 1)
        self._done.pop(letter.key, None)
        return Outcome(state="sent")

    def _remember(self, key: str, done: int) -> None:
        self._done[key] = done
        self._done.move_to_end(key)
        while len(self._done) > UNFINISHED_KEPT_MAX:
            self._done.popitem(last=False)

    async def _step(self, place: Place, step: Step) -> Outcome | None:
        """Send one message; None when it has left."""
        to = msgspec.structs.replace(place, chat=self._moved.get(place.chat, place.chat))
        if self._pace.held > 0:  # the outbox waits better than a sender does
            return Outcome(state="deferred", code=429, wait_ms=_milliseconds(self._pace.held))
        try:
            async with self._pace.turn(to.chat):
                await step(to)
        except Busy as busy:
            self._pace.hold(busy.seconds)
            return Outcome(state="deferred", code=429, wait_ms=_milliseconds(busy.seconds))
        except Moved as moved:
            if place.chat in self._moved:
                return Outcome(state="failed", code=400, text=moved.code)
            self._moved[place.chat] = moved.chat
            return await self._step(place, step)
        except Doubtful as error:
            return Outcome(state="unknown", text=error.code)
        except (Unreachable, BadToken) as error:  # a token can be mended, and until then answers wait
            return Outcome(state="deferred", text=error.code)
        except Blocked as error:
            return Outcome(state="failed", code=403, text=error.code)
        except PermanentError as error:
            return Outcome(state="failed", code=400, text=error.code)
        return None

    def _steps(self, letter: Letter) -> list[Step]:
        """The messages of a letter, in order. Words stand under the first file if there is room for them."""
        caption = letter.text.strip() if letter.files and units(letter.text.strip()) <= CAPTION_UNITS_MAX else ""
        found: list[Step] = [] if caption else [partial(self._say, text=text) for text in pieces(letter.text)]
        if found and letter.buttons and not letter.files:
            found[-1] = partial(self._say, text=pieces(letter.text)[-1], buttons=letter.buttons)
        for number, file in enumerate(letter.files):
            found.append(partial(self._file, file=file, caption="" if number else caption))
        return [step if number == 0 else _unanswering(step) for number, step in enumerate(found)]

    async def _say(self, place: Place, *, text: str, buttons: tuple[tuple[str, str], ...] = ()) -> None:
        if buttons:
            await self._out.say(place, text, buttons)
        else:
            await self._out.say(place, text)

    async def _file(self, place: Place, *, file: File, caption: str) -> None:
        """Send a picture as one. One that Telegram does not take so, for its shape or size, goes as a document."""
        if file.type in PHOTO_TYPES and len(file.content) <= PHOTO_BYTES_MAX:
            try:
                await self._out.photo(place, file.name, file.content, caption)
            except Rejected:
                log.info("telegram_photo_as_document", size=len(file.content))
            else:
                return
        await self._out.document(place, file.name, file.content, caption)


def _unanswering(step: Step) -> Step:
    """Only the first message of a letter is a reply to something."""

    async def send(place: Place) -> None:
        await step(msgspec.structs.replace(place, answers=None))

    return send


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1_000) + 100


def retry_after(attempts: int, waited_ms: int) -> int | None:
    """Milliseconds until the next try: two seconds, doubled up to five minutes, for a day."""
    if waited_ms >= GIVE_UP_MS:
        return None
    return min(RETRY_FIRST_MS << min(max(attempts - 1, 0), 16), RETRY_LONGEST_MS)


def place_of(address: str, answers: str | None) -> Place | None:
    """The place that an address is, `telegram:<chat id>` or with `/<thread id>`; None for another channel's.

    `answers`: what our message replies to, by its id outside Telegram. In private that is left out: it says nothing.
    """
    scheme, _, rest = address.partition(":")
    chat, slash, thread = rest.partition("/")
    try:
        place = Place(chat=int(chat), thread=int(thread) if slash else None)
        if scheme != TELEGRAM:
            return None
        answered = answers.split(":") if answers and place.chat < 0 else []
        if len(answered) == 4 and answered[2] == chat:  # noqa: PLR2004  # telegram:<bot>:<chat>:<message>
            place = msgspec.structs.replace(place, answers=int(answered[3]))
    except ValueError:
        return None
    return place
