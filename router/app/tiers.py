"""Asks a program of the admin's of which tier somebody is, as soon as it is known who wrote.

What it says counts before the workspace's own list, for as long as the workspace says. Routing waits for it a moment
and not at all while the program is in trouble: then its last word counts, else what the journal knows, else the
list. Nothing hangs on an answer: one that comes too late for a contact counts for the customer's next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import httpx
import msgspec
import structlog

from router.app.webhooks import KIND, SIGNATURE, signature
from router.core.errors import RouterError

if TYPE_CHECKING:
    from skills.customer_model import LookupConfig
    from skills.model import WorkspaceConfig

log = structlog.get_logger()

EVENT = "customer.tier"
ANSWER_SECONDS = 10.0
ANSWER_BYTES_MAX = 65_536
AT_ONCE = 8
ASKED_MAX = 256  # who writes while so many are asked about is asked about the next time
ADDRESSES_MAX = 50_000
LAST_WORD_SECONDS = 86_400.0  # so long it counts where there is no newer one
REST_FIRST_SECONDS, REST_LONGEST_SECONDS = 1.0, 60.0
NO_TIER = frozenset({204, 400, 404, 410, 422})  # of this one; whoever writes under an odd name harms no other
ADDRESS_CHARACTERS_MAX = 320
NOBODYS = "visitor:"  # an address that only this workspace's chat knows


class Answer(msgspec.Struct):
    """What the program says; null: of none."""

    tier: str | None = None


class Said(msgspec.Struct, frozen=True):
    """Of which tier somebody is, "" of none, and since when that is known (loop time)."""

    tier: str
    at: float


class Unanswered(RouterError):
    """The program does not say. The text holds nothing personal."""


class TierLookup:
    """One node's. `seen`: of which tier an address was when it wrote last, or ""; `now`: ms of UTC."""

    def __init__(
        self,
        config: Callable[[], WorkspaceConfig],
        seen: Callable[[str], str],
        now: Callable[[], int],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`config`: the one in force, whenever it is asked for."""
        self._config = config
        self._seen = seen
        self._now = now
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._settings: LookupConfig | None = None
        self.said: dict[str, Said] = {}  # by address; what was said last stands last
        self.asking: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._trouble = ""
        self._strange = ""
        self.rest = 0.0  # seconds
        self.rests_until = float("-inf")

    def problems(self) -> list[str]:
        """What keeps tiers from being known, in plain words."""
        return [f"customers.lookup: {why}" for why in (self._trouble, self._strange) if why]

    async def close(self) -> None:
        """Ask nobody any more."""
        await self._drop()
        if self._client is not None:
            await self._client.aclose()

    # -- what is known ---------------------------------------------------------------------------------------------

    def of(self, listed: Callable[[str], str | None]) -> Callable[[str], str | None]:
        """The tier of an address; `listed` says it by the workspace's own list."""

        def find(address: str) -> str | None:
            customers = self._config().customers
            if customers.lookup is None:
                return listed(address)
            said = self.said.get(_name(address))
            tier = said.tier if said is not None else self._seen(address)
            return tier if tier in customers.tiers else listed(address)

        return find

    # -- asking ----------------------------------------------------------------------------------------------------

    async def ask(self, addresses: Iterable[str]) -> None:
        """Ask about who writes, and wait for the answers as long as the workspace says. Never raises."""
        settings = await self._followed()
        if settings is None:
            return
        asked = [task for one in dict.fromkeys(map(_name, addresses)) if (task := self._asked(one, settings))]
        if asked and not self._trouble:
            await asyncio.wait(asked, timeout=settings.wait / 1_000)

    async def _followed(self) -> LookupConfig | None:
        """The settings in force; what another program said is forgotten."""
        settings, before = self._config().customers.lookup, self._settings
        if settings == before:
            return settings
        self._settings = settings
        if settings is None or before is None or (settings.url, settings.secret) != (before.url, before.secret):
            self.said.clear()
            self._trouble = self._strange = ""
            self.rests_until = float("-inf")
            await self._drop()
        return settings

    async def _drop(self) -> None:
        tasks = tuple(self.asking.values())
        self.asking.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _asked(self, address: str, settings: LookupConfig) -> asyncio.Task[None] | None:
        """The question about an address, if there is one to be asked."""
        now = asyncio.get_running_loop().time()
        said = self.said.get(address)
        if not 0 < len(address) <= ADDRESS_CHARACTERS_MAX or address.startswith(NOBODYS):
            return None
        if said is not None and now < said.at + settings.keep / 1_000:
            return None
        if (known := self.asking.get(address)) is not None:
            return known
        if now < self.rests_until or len(self.asking) >= (1 if self._trouble else ASKED_MAX):
            return None
        task = self.asking[address] = asyncio.create_task(self._find_out(address, settings))
        return task

    async def _find_out(self, address: str, settings: LookupConfig) -> None:
        try:
            async with self._slots:
                tier = await self._answer(address, settings)
        except Unanswered as error:
            self._fail(str(error))
        except Exception as error:  # a mistake of ours: nobody waits for it, and contacts go on without
            log.exception("tier_lookup_failed", error=type(error).__name__)
            self._fail("usherd failed on it; this was logged")
        else:
            self._trouble, self.rest = "", 0.0
            self._note(address, tier)
        finally:
            if self.asking.get(address) is asyncio.current_task():
                del self.asking[address]

    def _fail(self, why: str) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self.rests_until:
            self.rest = min(max(self.rest * 2, REST_FIRST_SECONDS), REST_LONGEST_SECONDS)
            self.rests_until = now + self.rest
        if not self._trouble:
            log.warning("tier_not_known", why=why)
        self._trouble = f"the program does not say who is of which tier ({why}); what was known before counts"

    def _note(self, address: str, tier: str) -> None:
        now = asyncio.get_running_loop().time()
        strange = bool(tier) and tier not in self._config().customers.tiers
        self._strange = f"the program names the tier `{tier[:64]}`, which the workspace has not" if strange else ""
        self.said.pop(address, None)
        self.said[address] = Said("" if strange else tier, now)
        while len(self.said) > ADDRESSES_MAX or next(iter(self.said.values())).at + LAST_WORD_SECONDS < now:
            del self.said[next(iter(self.said))]

    async def _answer(self, address: str, settings: LookupConfig) -> str:
        """What the program says; "" for none. Raises Unanswered."""
        body = msgspec.json.encode({"type": EVENT, "customer": address})
        headers = {
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            SIGNATURE: signature(settings.secret.reveal(), self._now() // 1_000, body),
            KIND: EVENT,
        }
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False, transport=self._transport)
        said = bytearray()
        try:
            asked = self._client.stream("POST", settings.url, content=body, headers=headers)
            async with asyncio.timeout(ANSWER_SECONDS), asked as answer:
                async for piece in answer.aiter_raw():
                    said += piece
                    if len(said) > ANSWER_BYTES_MAX:
                        raise Unanswered("it answers too much")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise Unanswered(type(error).__name__) from error
        if answer.status_code in NO_TIER:
            return ""
        if not answer.is_success:
            raise Unanswered(f"it answers {answer.status_code}")
        try:
            return msgspec.json.decode(said, type=Answer).tier or ""
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unanswered('its answer is not {"tier": …}') from error


def _name(address: str) -> str:
    return address.strip().lower().encode("utf-8", "replace").decode()
