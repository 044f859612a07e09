"""What is asked of a mailbox, in its own words: open, look for new mail, sizes, mails, flag, move."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from channels.email import imap_answers as answers
from channels.email.imap_answers import About, Opened, mailbox_name, uid_set
from channels.email.imap_settings import KEYWORD, MEGABYTE, ImapSettings
from channels.email.imap_wire import ROOM, CommandRefused, MailboxLost, MailboxRefused, Wire

SEARCH_ROOM = 16 * MEGABYTE  # of UIDs: some two million

POLLS_BEFORE_IDLE = 10  # then a server that refused IDLE is asked for it once more


class Connection:
    """One open mailbox. Any method raises MailboxLost; then it is closed and a new one made."""

    def __init__(self, settings: ImapSettings) -> None:
        self._settings = settings
        self._wire = Wire(settings)
        self._polls_left = 0

    @classmethod
    async def signed_in(cls, settings: ImapSettings, secret: str, *, token: bool) -> Self:
        """Connect and sign in. Raises MailboxRefused, MailboxLost."""
        made = cls(settings)
        try:
            await made.connect()
            await made.sign_in(secret, token=token)
        except BaseException:
            await made.close()
            raise
        return made

    async def connect(self) -> None:
        """Connect and encrypt. Raises MailboxRefused, MailboxLost."""
        await self._wire.connect()

    async def sign_in(self, secret: str, *, token: bool) -> None:
        """Sign in with a password, or an OAuth2 token. Raises MailboxRefused, MailboxLost."""
        await self._wire.sign_in(secret, token=token)

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done once the connection is gone."""
        return self._wire.lost

    @property
    def can_idle(self) -> bool:
        """Whether the server tells of new mail by itself."""
        return "IDLE" in self._wire.capabilities

    async def open(self) -> Opened:
        """Open the mailbox. Raises MailboxRefused."""
        name = "EXAMINE" if self._settings.read_only else "SELECT"
        try:
            found = answers.opened(await self._wire.command(name, mailbox_name(self._settings.mailbox)))
        except CommandRefused as error:
            raise MailboxRefused(
                f"it has no mailbox `{self._settings.mailbox}` for us ({error})", "check `mailbox`: its full path"
            ) from None
        if not found.validity:
            raise MailboxRefused("it keeps no UIDs (RFC 3501): mails cannot be told apart", "use another server")
        return found

    async def search(self, first: int) -> list[int]:
        """UIDs from `first` on, sorted."""
        return await self._uids(f"UID {first}:*", first)

    async def still_there(self, uids: Sequence[int]) -> list[int]:
        """Those of the UIDs that are in the mailbox."""
        return await self._uids(f"UID {uid_set(uids)}", 0) if uids else []

    async def _uids(self, criteria: str, first: int) -> list[int]:
        lines = await self._wire.command("SEARCH", criteria, prefix="UID", room=SEARCH_ROOM)
        return [uid for uid in answers.uids(lines) if uid >= first]  # `n:*` always names the last mail

    async def abouts(self, uids: Sequence[int]) -> dict[int, About]:
        """Sizes, dates and flags; of mails that are gone nothing."""
        return answers.abouts(await self._fetch(uids, "(UID RFC822.SIZE INTERNALDATE FLAGS)", ROOM))

    async def mails(self, uids: Sequence[int], size: int) -> dict[int, bytes]:
        """Mails as they are, unread as before; together they should have `size` bytes."""
        # Servers are off in what they say of sizes, by line ends and more.
        return answers.bodies(await self._fetch(uids, "(UID BODY.PEEK[])", ROOM + 2 * size))

    async def beginning(self, uid: int, part: str, count: int) -> bytes:
        """The first `count` bytes of a mail ("") or of its header ("HEADER")."""
        lines = await self._fetch([uid], f"(UID BODY.PEEK[{part}]<0.{count}>)", ROOM + count)
        return answers.bodies(lines).get(uid, b"")

    async def _fetch(self, uids: Sequence[int], what: str, room: int) -> list[bytes | bytearray]:
        return await self._wire.command("FETCH", uid_set(uids), what, prefix="UID", room=room)

    async def flag(self, uids: Sequence[int]) -> None:
        """Set our keyword. Raises CommandRefused."""
        await self._wire.command(
            "STORE", uid_set(uids), "+FLAGS.SILENT", f"({KEYWORD})", prefix="UID", answers_as="FETCH"
        )

    async def move(self, uids: Sequence[int]) -> None:
        """Move mails to the folder for those taken in, which is made where there is none. Raises CommandRefused."""
        try:
            await self._move(uids)
        except CommandRefused as error:
            if "TRYCREATE" not in str(error):
                raise
            await self._wire.command("CREATE", mailbox_name(self._settings.move_to))
            await self._move(uids)

    async def _move(self, uids: Sequence[int]) -> None:
        which, where = uid_set(uids), mailbox_name(self._settings.move_to)
        if "MOVE" in self._wire.capabilities:
            await self._wire.command("MOVE", which, where, prefix="UID")
            return
        await self._wire.command("COPY", which, where, prefix="UID")
        await self._wire.command("STORE", which, "+FLAGS.SILENT", r"(\Deleted)", prefix="UID", answers_as="FETCH")
        if "UIDPLUS" in self._wire.capabilities:  # without it others' deleted mails would go as well
            await self._wire.command("EXPUNGE", which, prefix="UID")

    async def news(self, seconds: float) -> None:
        """Return when the server has news, or after so long."""
        if self.can_idle and not self._polls_left:
            try:
                await self._wire.idle(seconds)
            except CommandRefused:  # though it said it could
                self._polls_left = POLLS_BEFORE_IDLE
            return
        self._polls_left = max(0, self._polls_left - 1)
        await asyncio.wait({self.lost}, timeout=min(seconds, self._settings.poll_seconds))
        if self.lost.done():
            raise MailboxLost(self.lost.result())
        await self._wire.command("NOOP")

    async def close(self) -> None:
        """Sign out and hang up."""
        await self._wire.close()
