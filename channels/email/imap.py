"""Acknowledged after: nothing. A mailbox keeps its mails; how far it was read is noted once they are on disk.

The order for each batch: fetch, append to the inbox, move or flag, note the cursor. A crash between two of them has
mails fetched again, which the inbox knows by their content (identity.py). Nothing is ever marked as read.

The cursor is (UIDVALIDITY, UID) of host, user and mailbox, in the store. When UIDVALIDITY changes, UIDs mean nothing
any more: all is looked at again. What carries our flag, or what is both older than the inbox remembers and older than
the newest mail that was taken in, has been taken in before; of the rest the inbox knows what it has.

Each mailbox is read by one task, which no other's trouble touches, on the one node that holds its lease. Two that
believe they hold it do no harm but double work.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec
import structlog

from channels.email.identity import identity
from channels.email.imap_answers import About, Opened
from channels.email.imap_connection import Connection
from channels.email.imap_cursor import Claim, Cursor, Cursors, Secret, decode, groups_of, is_wanted
from channels.email.imap_room import Room
from channels.email.imap_settings import ImapSettings
from channels.email.imap_wire import CommandRefused, MailboxLost, MailboxRefused
from router.core.errors import BacklogFull, RouterError, StoreUnavailable
from router.core.ports import Appended, Inbox, InboxEntry

_log = structlog.get_logger()

LOOK_SECONDS = 0.5  # between two looks at a lease that another node has
HASH_IN_THREAD_SIZE = 262_144  # bytes
HEADER_BYTES_MAX = 65_536
_CONTENT_FIELDS = re.compile(
    rb"^(?:content-[^:\n]*|mime-version):[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)


class Mail(msgspec.Struct, frozen=True):
    """A mail that was fetched. `note`: what is not as it should be, for whoever reads it; such a mail is not moved."""

    about: About
    raw: bytes
    note: str = ""


class MailboxReader:
    """Reads one mailbox as long as it runs. The counters only ever grow."""

    def __init__(
        self,
        settings: ImapSettings,
        inbox: Inbox,
        cursors: Cursors,
        claim: Claim,
        secret: Secret,
        *,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        room: Room | None = None,
    ) -> None:
        """Nothing is opened yet. `clock`: milliseconds of UTC. `room`: shared with other mailboxes of the process."""
        self.settings = settings
        self.state = "starting"  # elsewhere | connecting | reading | listening | down | stopped
        self.trouble = ""  # what keeps it from being read
        self.notice = ""  # what went wrong beside it
        self.mails = 0  # stored, duplicates included
        self.bytes = 0
        self.duplicates = 0
        self.cut = 0  # too large: only the beginning was taken in
        self.set_aside = 0  # could not be fetched
        self.passed_over = 0  # read by people before we came, deleted, or taken in before UIDVALIDITY changed
        self.connections = 0
        self.failures = 0
        self._inbox = inbox
        self._cursors = cursors
        self._claim = claim
        self._secret = secret
        self._room = room or Room()
        self._clock = clock
        self._attempts: dict[int, int] = {}
        self._alone_until = 0  # mails up to this UID are fetched one by one: one of them broke a batch
        self._name = f"imap:{settings.key}"
        self._failed = 0  # times in a row

    # -- its life -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read until cancelled; then the connection is closed and the lease given back."""
        try:
            while True:
                try:
                    await self._claimed()
                    await self._read_while_ours()
                except Exception as error:  # noqa: BLE001 (nobody would begin this mailbox again)
                    self._mistaken(error)
                    await asyncio.sleep(self.settings.retry_seconds[0])
        finally:
            self.state = "stopped"
            with suppress(RouterError, TimeoutError):
                async with asyncio.timeout(self.settings.goodbye_seconds_max):
                    await self._claim.release()

    async def _claimed(self) -> None:
        self.state, self.trouble, self.notice = "elsewhere", "", ""
        while True:
            with suppress(StoreUnavailable):
                if await self._claim.look():
                    return
            await asyncio.sleep(LOOK_SECONDS)

    async def _read_while_ours(self) -> None:
        tasks = {asyncio.create_task(self._claim.keep()), asyncio.create_task(self._read_for_ever())}
        try:
            done, _ = await asyncio.wait(tasks, return_when="FIRST_COMPLETED")
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        _log.info("mailbox_taken_over", mailbox=self.settings.label)

    async def _read_for_ever(self) -> None:
        while True:
            pauses = self.settings.retry_seconds
            try:
                await self._session()
            except MailboxRefused as error:
                pauses = self.settings.refused_seconds
                self._down(f"{error}" + (f" ({error.hint})" if error.hint else ""))
            except RouterError as error:
                self._down(str(error))
            except Exception as error:  # noqa: BLE001 (one mailbox's trouble is nobody else's)
                self._mistaken(error)
            pause = min(pauses[1], pauses[0] * 2 ** min(self._failed - 1, 20))
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 (so that not all come at once)

    def _mistaken(self, error: Exception) -> None:
        _log.error("mailbox_failed", mailbox=self.settings.label, error=type(error).__name__, exc_info=error)
        self._down(f"a mistake of usherd's own ({type(error).__name__}): see the log")

    def _down(self, reason: str) -> None:
        self.failures += 1
        self._failed += 1
        if reason != self.trouble:
            _log.warning("mailbox_down", mailbox=self.settings.label, reason=reason)
        self.state, self.trouble = "down", reason

    async def _session(self) -> None:
        """One connection, until it fails."""
        self.state = "connecting"
        secret = await self._secret.reveal()
        try:
            connection = await Connection.signed_in(self.settings, secret, token=self._secret.token)
        except MailboxRefused:
            self._secret.forget()
            raise
        try:
            self.connections += 1
            opened = await connection.open()
            cursor = await self._cursor(connection, opened)
            while True:
                self.state = "reading"
                await self._catch_up(connection, cursor, opened)
                if self.trouble:
                    _log.info("mailbox_up", mailbox=self.settings.label)
                self.state, self.trouble, self._failed = "listening", "", 0
                await connection.news(random.uniform(*self.settings.idle_seconds))  # noqa: S311 (no secret)
        finally:
            await connection.close()

    # -- the cursor ---------------------------------------------------------------------------------------------------

    async def _cursor(self, connection: Connection, opened: Opened) -> Cursor:
        """Where to go on: where we were, or, in a mailbox that is new or made anew, at its beginning."""
        known = await self._cursors.doc_get(self._name)
        before = decode(known) if known is not None else None
        if before is not None and before.validity == opened.validity:
            return before
        last = opened.next_uid - 1 if opened.next_uid else max(await connection.search(1), default=0)
        made = Cursor(opened.validity, 0, last, before is not None, before.newest if before is not None else 0)
        if before is None and self.settings.begin == "new":
            made.uid = last
        if before is not None:
            _log.warning("mailbox_made_anew", mailbox=self.settings.label, before=before.validity, now=opened.validity)
        await self._note(made)
        return made

    async def _note(self, cursor: Cursor) -> None:
        await self._cursors.doc_put(self._name, msgspec.json.encode(cursor))

    # -- reading ------------------------------------------------------------------------------------------------------

    async def _catch_up(self, connection: Connection, cursor: Cursor, opened: Opened) -> None:
        """Take in all that is new."""
        found = await connection.search(cursor.uid + 1)
        for start in range(0, len(found), self.settings.batch_max):
            await self._ours(connection)
            batch = found[start : start + self.settings.batch_max]
            known = await connection.abouts(batch)
            if absent := [uid for uid in batch if uid not in known]:
                for uid in await connection.still_there(absent):  # the others are gone
                    known[uid] = About(uid, 0, 0, frozenset())
            there = [known[uid] for uid in batch if uid in known]
            wanted = [one for one in there if is_wanted(one, cursor, self.settings, self._clock())]
            self.passed_over += len(there) - len(wanted)
            for group in groups_of(wanted, self.settings, alone_until=self._alone_until):
                await self._take(connection, cursor, group, opened)
            cursor.uid = batch[-1]
            await self._note(cursor)

    async def _ours(self, connection: Connection) -> None:
        """Wait while it is in doubt whether we are to read. Raises MailboxLost."""
        while not self._claim.held:
            await asyncio.wait({connection.lost}, timeout=LOOK_SECONDS)
            if connection.lost.done():
                raise MailboxLost(connection.lost.result())

    async def _take(self, connection: Connection, cursor: Cursor, group: list[About], opened: Opened) -> None:
        """Fetch, append, move or flag, note."""
        async with self._room.hold(sum(one.size for one in group if one.size <= self.settings.size_max)):
            await self._ours(connection)  # there may have been no room for a while
            mails = await self._fetched(connection, group)
            if mails:
                stored = await self._append(await self._entries(mails, cursor))
                self.mails += len(stored)
                self.bytes += sum(len(mail.raw) for mail in mails)
                self.duplicates += sum(answer.duplicate for answer in stored)
                await self._put_away(connection, mails, opened)
        cursor.uid = group[-1].uid
        cursor.newest = max(cursor.newest, *(mail.about.arrived for mail in mails), 0)
        await self._note(cursor)
        for about in group:
            self._attempts.pop(about.uid, None)
        self.trouble, self._failed = "", 0

    async def _fetched(self, connection: Connection, group: list[About]) -> list[Mail]:
        """Those of the mails that are still there. Raises MailboxLost, CommandRefused."""
        first = group[0]
        if len(group) == 1 and self._attempts.get(first.uid, 0) >= self.settings.attempts_max:
            return [await self._unfetchable(connection, first)]
        try:
            if first.size > self.settings.size_max:
                return await self._cut(connection, first)
            found = await connection.mails([one.uid for one in group], sum(one.size for one in group))
            absent = await connection.still_there([one.uid for one in group if one.uid not in found])
        except (MailboxLost, CommandRefused):
            self._blame(group)
            raise
        if absent:
            self._blame(group)
            raise MailboxLost(f"{len(absent)} mails are there and cannot be fetched")
        return [Mail(one, found[one.uid]) for one in group if one.uid in found]

    async def _cut(self, connection: Connection, about: About) -> list[Mail]:
        """The beginning of a mail too large, if it is still there. All of it is never fetched."""
        raw = await connection.beginning(about.uid, "", self.settings.cut_bytes)
        if raw:
            self.cut += 1
            where = f"only its beginning is here, all of it in {self.settings.label}"
            return [Mail(about, raw, f"the mail has {about.size:,} bytes: {where}")]
        if await connection.still_there([about.uid]):
            raise MailboxLost("a mail is there and its beginning cannot be fetched")
        return []

    def _blame(self, group: list[About]) -> None:
        """Look more closely next time at mails whose fetch failed: each alone, and no one of them for ever."""
        if len(group) > 1:
            self._alone_until = group[-1].uid
        else:
            uid = group[0].uid
            self._attempts[uid] = self._attempts.get(uid, 0) + 1

    async def _unfetchable(self, connection: Connection, about: About) -> Mail:
        """What can be had of a mail that cannot: a contact must say that it lies there."""
        head = b""
        with suppress(MailboxLost, CommandRefused):
            head = await connection.beginning(about.uid, "HEADER", HEADER_BYTES_MAX)
        self.set_aside += 1
        _log.warning("mail_set_aside", mailbox=self.settings.label, uid=about.uid, size=about.size)
        note = f"the mail could not be fetched; it lies in {self.settings.label} (UID {about.uid})"
        fields = _CONTENT_FIELDS.sub(b"", head).strip() or b"Subject: A mail that could not be fetched"
        return Mail(about, fields + b"\r\n\r\n[" + note.encode() + b"]\r\n", note)

    async def _entries(self, mails: list[Mail], cursor: Cursor) -> list[InboxEntry]:
        if sum(len(mail.raw) for mail in mails) > HASH_IN_THREAD_SIZE:
            return await asyncio.to_thread(lambda: [self._entry(mail, cursor) for mail in mails])
        return [self._entry(mail, cursor) for mail in mails]

    def _entry(self, mail: Mail, cursor: Cursor) -> InboxEntry:
        account = self.settings.account
        key, body = identity(account, mail.raw)
        meta: dict[str, object] = {"account": account, "received_at": self._clock(), "note": mail.note}
        if mail.about.uid <= cursor.first:
            meta["quiet"] = True
        return InboxEntry(source="email", key=key, body=body, meta=msgspec.json.encode(meta), raw=mail.raw)

    async def _append(self, entries: list[InboxEntry]) -> list[Appended]:
        """Have them on disk, however long that takes: the mails stay where they are meanwhile."""
        pause, longest = self.settings.retry_seconds
        while True:
            task = asyncio.ensure_future(
                self._inbox.append(entries)
            )  # goes on if we are cancelled: it may be on its way
            try:
                done, _ = await asyncio.wait({task}, timeout=self.settings.append_seconds_max)
                if done:
                    return task.result()
                task.add_done_callback(_looked_at)
                self.trouble = "the store does not answer"
            except StoreUnavailable:
                self.trouble = "the store cannot take mails"
            except BacklogFull as error:
                self.trouble = f"usherd takes nothing in for now: {error}"
            except asyncio.CancelledError:
                task.add_done_callback(_looked_at)
                raise
            await asyncio.sleep(pause)
            pause = min(longest, 2 * pause)

    async def _put_away(self, connection: Connection, mails: list[Mail], opened: Opened) -> None:
        """Move or flag what was taken in. That a server refuses it keeps no mail back."""
        after = "leave" if self.settings.read_only else self.settings.after
        uids = [mail.about.uid for mail in mails if not mail.note]
        if after == "leave" or not uids:
            return
        try:
            if after == "move":
                await connection.move(uids)
            elif opened.keywords:
                await connection.flag(uids)
            self.notice = "" if after == "move" or opened.keywords else "it keeps no keywords: mails cannot be flagged"
        except CommandRefused as error:
            self.notice = f"mails that were taken in stay as they are: {error}"


def _looked_at(task: asyncio.Task[list[Appended]]) -> None:
    """Its waiter is gone; what it found is known to the inbox."""
    if not task.cancelled():
        task.exception()
