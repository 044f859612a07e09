"""Takes updates in, by long polling or from a webhook: files are fetched, then all is stored, then it is confirmed.

While a store is full or away nothing is confirmed and Telegram keeps it (a day); what is asked for again is the same
entry. A file that cannot be had after some tries is named as missing, so that no message ever waits for one for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import Protocol

import msgspec
import structlog

from channels.telegram import texts
from channels.telegram.albums import sort
from channels.telegram.entries import Entries, Item, Me, Unit, is_for_us, item, started
from channels.telegram.files import BOT_BYTES_MAX, Sent, files_of
from channels.telegram.packing import Fetched
from channels.telegram.rooms import Rooms
from channels.telegram.trouble import BadToken, Busy, Elsewhere
from router.core.errors import PermanentError, RouterError, TransientError
from router.core.ports import Inbox, InboxEntry

log = structlog.get_logger()

POLL_SECONDS = 50
ALBUM_SECONDS = 1.0  # so long after the last look an album that has not grown is whole
BATCH_BYTES_MAX = 40_000_000  # of files in memory at once
FETCHED_AT_ONCE = 2  # updates with files that a webhook brought; Telegram brings up to forty
UNIT_BYTES_MAX = 60_000_000  # of files in one message
FILE_TRIES_MAX = 6
FILE_RETRY_SECONDS = 1.0  # then twice as long each time: half a minute in all
FILE_PATIENCE_SECONDS = 120.0  # then it is not tried again, for what comes after it waits
FILE_WAIT_SECONDS_MAX = 30.0  # where Telegram says how long
WAIT_FIRST_SECONDS, WAIT_LONGEST_SECONDS = 1.0, 60.0
MEGABYTE = 1_000_000
_Files = list[list[tuple[Fetched, bytes]]]  # of a message, by update


class Telegram(Protocol):
    """The Bot API, as far as taking in needs it; see `api`."""

    async def me(self) -> Me:
        """Who the bot is."""
        ...

    async def updates(self, offset: int | None, seconds: int) -> tuple[bytes, ...]:
        """Updates from `offset` on."""
        ...

    async def end_webhook(self) -> None:
        """Updates may be polled."""
        ...

    async def file(self, identifier: str) -> bytes:
        """The bytes of a file."""
        ...


class Spans(msgspec.Struct, frozen=True, kw_only=True):
    """How long things take, in seconds; shorter in tests."""

    poll: int = POLL_SECONDS
    album: float = ALBUM_SECONDS
    wait_first: float = WAIT_FIRST_SECONDS
    file_retry: float = FILE_RETRY_SECONDS


class Receiver:
    """Takes in the updates of one bot. `greet` is told of who pressed *Start*, and the word in their link."""

    def __init__(
        self,
        telegram: Telegram,
        inbox: Inbox,
        entries: Entries,
        greet: Callable[[Item, str], Awaitable[None]],
        *,
        file_bytes_max: int = BOT_BYTES_MAX,
        spans: Spans | None = None,
    ) -> None:
        self.problem = ""  # what keeps updates from coming in, in plain words
        self._telegram = telegram
        self._inbox = inbox
        self._entries = entries
        self._greet = greet
        self._file_bytes_max = min(file_bytes_max, BOT_BYTES_MAX)
        self._spans = spans or Spans()
        self._me: Me | None = None
        self._fetching = asyncio.Semaphore(FETCHED_AT_ONCE)
        self._rooms = Rooms(self._spans.album, self._take_unit)

    @property
    def name(self) -> str:
        """The bot's own, without the @; "" until Telegram has said so."""
        return self._me.username if self._me is not None else ""

    # -- long polling ----------------------------------------------------------------------------------------------

    async def poll(self) -> None:
        """Ask for updates until cancelled; whatever goes wrong is tried again, ever more slowly up to a minute."""
        wait = self._spans.wait_first
        batch = _Batch()
        while True:
            try:
                await self._look(batch)
            except RouterError as error:
                self._note(error)
                if isinstance(error, Elsewhere) and error.webhook:
                    await self._end_webhook()
                await asyncio.sleep(wait)
                wait = min(wait * 2, WAIT_LONGEST_SECONDS)
            else:
                self.problem = ""
                wait = self._spans.wait_first

    async def _look(self, batch: _Batch) -> None:
        """Ask once, store what is whole; the offset moves over what is stored, when Telegram is asked the next time."""
        me = await self._known()
        raws = await self._telegram.updates(batch.offset, 0 if batch.grows else self._spans.poll)
        found = [one for one in map(item, raws) if one is not None]
        if len(found) < len(raws):
            log.error("telegram_update_without_number", updates=len(raws) - len(found))
            await asyncio.sleep(self._spans.wait_first)
        ready = batch.ready(found)
        await self._take([unit for unit in ready if is_for_us(unit, me)])
        batch.done(ready)
        if batch.grows:
            await asyncio.sleep(self._spans.album)

    async def _known(self) -> Me:
        if self._me is None:
            self._me = await self._telegram.me()
        return self._me

    async def _end_webhook(self) -> None:
        """A webhook was set by somebody, or by us before: nobody may poll while it is."""
        try:
            await self._telegram.end_webhook()
        except RouterError as error:
            self._note(error)

    def _note(self, error: RouterError) -> None:
        said = {
            BadToken: "Telegram does not know the bot's token: see channels.telegram.token",
            Elsewhere: "another program takes the bot's messages from Telegram: only one may",
        }
        self.problem = said.get(type(error), f"nothing comes in from Telegram at the moment ({error.code})")
        log.warning("telegram_not_taken", code=error.code)

    # -- webhook ---------------------------------------------------------------------------------------------------

    async def brought(self, raw: bytes) -> None:
        """Store an update that Telegram has brought; when this returns it is on disk. Raises RouterError."""
        await self._known()
        found = item(raw)
        if found is None:
            log.error("telegram_update_without_number", updates=1)
            return
        if found.album is not None:
            await self._rooms.enter(found)
        else:
            await self._rooms.before(found)
            await self._take_unit((found,))

    async def _take_unit(self, unit: Unit) -> None:
        """Store what was brought, if it is for us."""
        if is_for_us(unit, await self._known()):
            async with self._fetching if any(map(self._files, unit)) else nullcontext():
                await self._take([unit])

    # -- storing ---------------------------------------------------------------------------------------------------

    async def _take(self, units: Sequence[Unit]) -> None:
        """Store messages in order, some at a time. Raises TransientError."""
        lot: list[Unit] = []
        size = 0
        for unit in units:
            here = sum(file.size for one in unit for file in self._files(one))
            if lot and size + here > BATCH_BYTES_MAX:
                await self._store(lot)
                lot, size = [], 0
            lot.append(unit)
            size += here
        if lot:
            await self._store(lot)

    async def _store(self, units: list[Unit]) -> None:
        """Store messages in order: what is one update each in one go, an album by itself."""
        files = await asyncio.gather(*(self._fetched(unit) for unit in units))
        run: list[tuple[Unit, InboxEntry]] = []
        for unit, content in zip(units, files, strict=True):
            if unit[0].album is not None:
                await self._store_run(run)
                run = []
                await self._store_album(unit, content)
            else:
                run.append((unit, await self._entry(unit, content)))
        await self._store_run(run)

    async def _entry(self, unit: Unit, files: _Files) -> InboxEntry:
        flat = [file for one in files for file in one]
        if not flat:
            return self._entries.entry(unit)
        return await asyncio.to_thread(self._entries.entry, unit, flat)

    async def _store_run(self, run: list[tuple[Unit, InboxEntry]]) -> None:
        if not run:
            return
        answers = await self._inbox.append([entry for _, entry in run])
        for (unit, _), answer in zip(run, answers, strict=True):
            pressed, word = started(unit)
            button = unit[0].update is not None and unit[0].update.callback_query is not None
            if (pressed or button) and not answer.duplicate:
                await self._greet(unit[0], word)

    async def _store_album(self, unit: Unit, files: _Files) -> None:
        """Store an album. Of one of which some was stored before, in whatever company, only what is new."""
        entries = [await self._entry(unit, files), *self._entries.claims(unit)]
        answers = await self._inbox.append(entries, conflict="refuse")
        if not any(answer.conflict for answer in answers):
            return
        rest = tuple(one for one, answer in zip(unit, answers[1:], strict=True) if not answer.conflict)
        if rest == unit:  # its number was another message's
            await self._inbox.append(entries)
        elif rest:
            await self._store([rest])

    # -- files -----------------------------------------------------------------------------------------------------

    def _files(self, one: Item) -> list[Sent]:
        return files_of(one.posted, self._file_bytes_max) if one.posted is not None else []

    async def _fetched(self, unit: Unit) -> _Files:
        """The files of each update."""
        left = UNIT_BYTES_MAX
        found: _Files = []
        for one in unit:
            here = [await self._fetch(file, left) for file in self._files(one)]
            left -= sum(len(content) for _, content in here)
            found.append(here)
        return found

    async def _fetch(self, file: Sent, left: int) -> tuple[Fetched, bytes]:
        name, _ = self._entries.tidy(file.name, file.type)
        if file.size > self._file_bytes_max:
            limit, size = self._file_bytes_max // MEGABYTE, -(-file.size // MEGABYTE)
            return _missing(file, texts.FILE_TOO_LARGE.format(name=name, size=size, limit=limit))
        if file.size > left:
            return _missing(file, texts.REST_TOO_LARGE.format(name=name))
        why = "empty"
        end = asyncio.get_running_loop().time() + FILE_PATIENCE_SECONDS
        for number in range(FILE_TRIES_MAX):
            try:
                content = await self._telegram.file(file.id)
            except PermanentError as error:
                why = error.code
                break
            except TransientError as error:
                why = error.code
                if number + 1 == FILE_TRIES_MAX or asyncio.get_running_loop().time() > end:
                    break
                told = min(error.seconds, FILE_WAIT_SECONDS_MAX) if isinstance(error, Busy) else 0.0
                await asyncio.sleep(max(told, self._spans.file_retry * 2**number))
            else:
                if content:
                    return Fetched(name=file.name, type=file.type), content
                break
        log.warning("telegram_file_missing", code=why)
        return _missing(file, texts.FILE_GONE.format(name=name, why=why))


def _missing(file: Sent, problem: str) -> tuple[Fetched, bytes]:
    return Fetched(name=file.name, type=file.type, problem=problem), b""


class _Batch:
    """How far polling is. `offset`: None for whatever Telegram has not had confirmed yet.

    After an answer without updates all before the offset is confirmed, and it is let go: numbers may begin anew, lower,
    after a week of silence.
    """

    def __init__(self) -> None:
        self.offset: int | None = None
        self.grows = False  # an album may not be whole yet
        self._seen: list[Item] = []
        self._stored: set[int] = set()
        self._lengths: dict[tuple[int, str], int] = {}  # of albums at the last look

    def ready(self, found: Sequence[Item]) -> list[Unit]:
        """What of an answer is to be stored now, in order."""
        self._seen = [one for one in found if one.number not in self._stored]
        parted = sort(self._seen)
        lengths = {unit[0].album: len(unit) for unit in parted.waiting if unit[0].album is not None}
        still = [unit for unit in parted.waiting if self._lengths.get(unit[0].album or (0, "")) == len(unit)]
        self._lengths = lengths
        return sorted([*parted.whole, *still], key=lambda unit: unit[0].number)

    def done(self, units: Sequence[Unit]) -> None:
        """These are stored, or not for us."""
        self._stored.update(one.number for unit in units for one in unit)
        numbers = [one.number for one in self._seen]
        waiting = [number for number in numbers if number not in self._stored]
        self.grows = bool(waiting)
        if waiting:
            self.offset = min(waiting)
        elif numbers:
            self.offset = max(numbers) + 1
        else:
            self.offset = None
        self._stored = {number for number in self._stored if self.offset is not None and number >= self.offset}
