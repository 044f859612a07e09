"""Has mails looked at by the filters that the workspace names, and their signatures checked, while workers read them.

What is spam, or does harm, is listed and opens no contact. A filter that does not answer in time keeps no mail back: it
goes on, and says so. As with all that takes long, nobody behind it waits: it is deferred, and comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import httpx
import msgspec
import structlog

from channels.email import vouching
from channels.email.filters import TooLarge, Unfiltered, harm, spam
from router.app.mail import MailMeta
from router.shell.workers import Raw

if TYPE_CHECKING:
    from router.core.message import Message
    from router.shell.store.entries import InboxItem
    from router.shell.workers import Understood
    from skills.email_model import FiltersConfig
    from skills.model import WorkspaceConfig

log = structlog.get_logger()

AT_ONCE = 8
KEYS_AT_ONCE = 32  # mails for whose keys name servers are asked, which their senders may have made slow
SECONDS_MAX = 60.0  # as long as a workspace may say
SPAM = "rspamd takes it for spam: {score}."
HARM = "clamd found {name} in it: its files and its HTML are left out here."
UNFILTERED = "{name} has not looked at it: {why}."
LATE = "it does not answer in time"
FAILED = "usherd failed on it; this was logged"
UNCHECKED = "Whether its domain signed it is not known: DNS did not answer."

Understand = Callable[["list[Raw]"], "list[asyncio.Future[Understood]]"]


class Filters:
    """One node's."""

    def __init__(
        self,
        config: Callable[[], WorkspaceConfig],
        understand: Understand,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`config`: the one in force, whenever it is asked for. `understand`: what workers do."""
        self._config = config
        self._understand = understand
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._key_slots = asyncio.Semaphore(KEYS_AT_ONCE)
        self._tasks: set[asyncio.Task[Understood]] = set()
        self._troubles: dict[str, str] = {}

    def problems(self) -> list[str]:
        """Which filters do not look at mails, in plain words."""
        return [
            f"channels.email.filters.{name} has not looked at a mail ({why}): it came in as it was"
            for name, why in self._troubles.items()
            if self._settings() is not None
        ]

    async def close(self) -> None:
        """Ask nobody any more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def sift(self, entry: InboxItem, reading: asyncio.Future[Understood]) -> asyncio.Future[Understood]:
        """What becomes of a mail that workers read, once the filters have looked at it too. It never raises either."""
        settings = self._settings()
        if settings is None or entry.source != "email":
            return reading
        task = asyncio.create_task(self._sifted(settings, entry, reading))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _settings(self) -> FiltersConfig | None:
        email = self._config().channels.email
        return email.filters if email is not None else None

    async def _sifted(
        self, settings: FiltersConfig, entry: InboxItem, reading: asyncio.Future[Understood]
    ) -> Understood:
        score, name = await asyncio.gather(self._score(settings, entry), self._name(settings, entry))
        understood = await reading
        if understood.message is None:
            return understood
        message = _marked(understood.message, score, name)
        if settings.dkim and not message.authentication and message.auto is None:
            message = await self._vouched(entry, message)
        return msgspec.structs.replace(understood, message=message)

    async def _vouched(self, entry: InboxItem, message: Message) -> Message:
        """A mail with what its signatures say of its writer. Never raises."""
        writer = message.forwarded_by or message.from_
        asked = vouching.signatures(entry.raw, writer.address)
        result = "none"
        if asked:
            try:
                async with self._key_slots:
                    keys = await asyncio.gather(*(vouching.key_of(one.name) for one in asked))
            except Exception as error:  # noqa: BLE001  # the doing of whoever has the domain, so no trouble of ours
                log.info("signature_not_checked", error=type(error).__name__)
                return msgspec.structs.replace(message, warnings=(*message.warnings, UNCHECKED))
            task = vouching.task_of(dict(zip(asked, keys, strict=True)))
            raw = b"" if entry.path else entry.raw
            [future] = self._understand([Raw(raw, task, vouching.checked, path=entry.path, size=len(entry.raw))])
            checked = (await future).message
            result = checked.authentication[vouching.METHOD] if checked is not None else "fail"
        return msgspec.structs.replace(message, authentication={vouching.METHOD: result})

    async def _score(self, settings: FiltersConfig, entry: InboxItem) -> tuple[str, str]:
        if settings.rspamd is None:
            return "", ""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=None, follow_redirects=False, transport=self._transport)  # noqa: S113  # as a whole
        return await self._asked(
            "rspamd", settings, partial(spam, self._client, settings.rspamd, entry.raw, _sender(entry))
        )

    async def _name(self, settings: FiltersConfig, entry: InboxItem) -> tuple[str, str]:
        if settings.clamd is None:
            return "", ""
        return await self._asked("clamd", settings, partial(harm, settings.clamd, entry.raw))

    async def _asked(self, name: str, settings: FiltersConfig, ask: Callable[[], Awaitable[str]]) -> tuple[str, str]:
        """What a filter says, or why it says nothing. Never raises."""
        try:
            async with asyncio.timeout(settings.wait / 1_000), self._slots:
                said = await ask()
        except TooLarge as error:
            return "", str(error)
        except TimeoutError:
            why = LATE
        except Unfiltered as error:
            why = str(error)
        except Exception as error:  # a mistake of ours keeps no mail back
            log.exception("filter_failed", filter=name, error=type(error).__name__)
            why = FAILED
        else:
            self._troubles.pop(name, None)
            return said, ""
        if name not in self._troubles:
            log.warning("mail_not_filtered", filter=name, why=why)
        self._troubles[name] = why
        return "", why


def _marked(message: Message, score: tuple[str, str], name: tuple[str, str]) -> Message:
    """A mail with what the filters said of it."""
    unsaid = [
        UNFILTERED.format(name=program, why=why) for program, why in (("rspamd", score[1]), ("clamd", name[1])) if why
    ]
    said = [*([SPAM.format(score=score[0])] if score[0] else []), *([HARM.format(name=name[0])] if name[0] else [])]
    marked = msgspec.structs.replace(
        message, spam=message.spam or bool(said), warnings=(*message.warnings, *said, *unsaid)
    )
    return msgspec.structs.replace(marked, attachments=(), html="") if name[0] else marked


def _sender(entry: InboxItem) -> str:
    try:
        return msgspec.json.decode(entry.meta, type=MailMeta).envelope_from or ""
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
