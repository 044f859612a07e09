"""The program that knows of which tier somebody is: asked in time, believed while it answers, waited for a moment."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import httpx
import msgspec
import pytest

from router.app import tiers as module
from router.app.tiers import TierLookup
from router.app.webhooks import KIND, SIGNATURE, signature
from skills.customer_model import CustomersConfig, LookupConfig, TierConfig
from skills.model import WorkspaceConfig
from skills.secret import Secret

SECRET = "a secret of sixteen"
NOON = 43_200_000
WAIT_MS = 60_000  # longer than a workspace may say: no slow machine makes an answer late
ADA, BOB = "ada@bigco.example", "bob@bigco.example"


class Program:
    """The admin's. `tiers`: what it knows; `status`, `raw`: what it answers instead; until `held` is set nothing."""

    def __init__(self) -> None:
        self.tiers: dict[str, str | None] = {ADA: "gold"}
        self.status, self.raw = 200, b""
        self.held = asyncio.Event()
        self.held.set()
        self.requests: list[httpx.Request] = []
        self.error: Exception | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await self.held.wait()
        if self.error is not None:
            raise self.error
        if self.raw or self.status != 200:
            return httpx.Response(self.status, stream=httpx.ByteStream(self.raw))
        customer = msgspec.json.decode(request.content)["customer"]
        said = msgspec.json.encode({"tier": self.tiers.get(customer)})
        return httpx.Response(200, stream=httpx.ByteStream(said))

    @property
    def asked(self) -> list[str]:
        """About whom."""
        return [msgspec.json.decode(one.content)["customer"] for one in self.requests]


class Place:
    """A lookup and its program. `listed`: the workspace's own list, `seen`: what the journal knows."""

    def __init__(self, **settings: Any) -> None:
        self.program = Program()
        self.listed: dict[str, str] = {}
        self.seen: dict[str, str] = {}
        self.use(**settings)
        config = cast("Any", lambda: self.config)
        transport = httpx.MockTransport(self.program)
        self.lookup = TierLookup(config, lambda one: self.seen.get(one, ""), lambda: NOON, transport)

    def use(self, *, url: str = "https://crm.example.com/tier", off: bool = False, **settings: Any) -> None:
        """Another configuration is in force."""
        lookup = LookupConfig(url=url, secret=Secret("${CRM}", SECRET), **settings)
        if "wait" not in settings:
            lookup = lookup.model_copy(update={"wait": WAIT_MS})
        tiers = {"gold": TierConfig(), "silver": TierConfig()}
        customers = CustomersConfig(tiers=tiers, lookup=None if off else lookup)
        self.config = cast("WorkspaceConfig", SimpleNamespace(customers=customers))

    def tier(self, address: str) -> str | None:
        """What stands in the event of their message."""
        return self.lookup.of(self.listed.get)(address)

    async def known(self, address: str) -> str | None:
        """The same, for somebody who has just written."""
        await self.lookup.ask([address])
        return self.tier(address)

    async def rested(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The program was let alone for long enough."""
        monkeypatch.setattr(self.lookup, "rests_until", float("-inf"))


@asynccontextmanager
async def place(**settings: Any) -> AsyncIterator[Place]:
    """A lookup that is closed in the end."""
    here = Place(**settings)
    try:
        yield here
    finally:
        here.program.held.set()
        await here.lookup.close()


async def settled(here: Place) -> None:
    """Every question was answered."""
    async with asyncio.timeout(60):
        while here.lookup.asking:
            await asyncio.sleep(0)


async def test_what_it_answers_counts_before_the_list() -> None:
    """It is asked once for as long as that keeps, signed; who it knows no tier of has the list's."""
    async with place() as here:
        here.listed = {ADA: "silver", BOB: "silver"}
        assert await here.known(ADA) == "gold"
        assert await here.known(f" {ADA.upper()}") == "gold"
        assert await here.known(BOB) == "silver"
        assert await here.known("\udcff@x.example") is None
        assert here.program.asked == [ADA, BOB, "?@x.example"]
        request = here.program.requests[0]
        assert (request.method, str(request.url)) == ("POST", "https://crm.example.com/tier")
        assert request.headers[KIND] == "customer.tier"
        assert request.headers[SIGNATURE] == signature(SECRET, NOON // 1_000, request.content)
        assert here.lookup.problems() == []


@pytest.mark.parametrize("status", [204, 404, 422])
async def test_nobody_of_that_name_has_no_tier(status: int) -> None:
    """That is an answer, and nothing is wrong with it."""
    async with place() as here:
        here.program.status, here.seen = status, {ADA: "gold"}
        assert await here.known(ADA) is None
        assert await here.known(ADA) is None
        assert (len(here.program.requests), here.lookup.problems()) == (1, [])


async def test_routing_does_not_wait_for_a_program_that_hangs() -> None:
    """It goes on with what was known; the answer counts from the next contact on, and nobody is asked about twice."""
    async with place(wait=1) as here:
        here.program.held.clear()
        here.seen = {ADA: "silver"}
        assert await here.known(ADA) == "silver"
        assert await here.known(ADA) == "silver"
        here.program.held.set()
        await settled(here)
        assert await here.known(ADA) == "gold"
        assert here.program.asked == [ADA]


@pytest.mark.parametrize(
    ("status", "raw", "why"),
    [
        (500, b"", "it answers 500"),
        (302, b"", "it answers 302"),
        (401, b'{"tier": "gold"}', "it answers 401"),
        (200, b"gold", 'its answer is not {"tier": …}'),
        (200, b'{"tier": 3}', 'its answer is not {"tier": …}'),
        (200, b'"\xff"', 'its answer is not {"tier": …}'),
        (200, b" " * 70_000, "it answers too much"),
        (0, b"", "ConnectError"),
        (1, b"", "usherd failed on it; this was logged"),
    ],
)
async def test_a_program_in_trouble_changes_nothing(
    status: int, raw: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last word counts, and of others what the journal knows; it is let alone, then tried with one question."""
    monkeypatch.setattr(module, "REST_FIRST_SECONDS", 3_600.0)
    monkeypatch.setattr(module, "REST_LONGEST_SECONDS", 3_600.0)
    async with place(keep=1_000) as here:
        assert await here.known(ADA) == "gold"
        monkeypatch.setattr(here.lookup, "said", {ADA: module.Said("gold", float("-inf"))})  # long ago
        here.program.status, here.program.raw = status, raw
        here.program.error = {0: httpx.ConnectError("no"), 1: KeyError("a mistake")}.get(status)
        here.seen, here.listed = {BOB: "silver"}, {BOB: "gold"}
        assert await here.known(ADA) == "gold"
        [problem] = here.lookup.problems()
        assert why in problem
        assert [await here.known(one) for one in (ADA, BOB)] == ["gold", "silver"]
        assert here.program.asked == [ADA, ADA]
        await here.rested(monkeypatch)
        here.program.held.clear()
        await here.lookup.ask([BOB, ADA])  # returns, though nobody answers
        await asyncio.sleep(0)
        assert here.program.asked == [ADA, ADA, BOB]
        here.program.status, here.program.raw, here.program.error = 200, b"", None
        here.program.held.set()
        await settled(here)
        assert here.lookup.problems() == []
        here.program.tiers[ADA] = "silver"
        assert await here.known(ADA) == "silver"


async def test_it_is_let_alone_ever_longer_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many failures at the same time are one."""
    monkeypatch.setattr(module, "REST_FIRST_SECONDS", 1_000.0)
    monkeypatch.setattr(module, "REST_LONGEST_SECONDS", 60_000.0)
    async with place() as here:
        here.program.status = 500
        rests = []
        for _ in range(8):
            await here.lookup.ask([f"{number}@x.example" for number in range(5)])
            await settled(here)
            rests.append(here.lookup.rest)
            await here.rested(monkeypatch)
        assert rests == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]


async def test_a_tier_that_the_workspace_has_not_is_none() -> None:
    """It is said, until an answer names one that it has."""
    async with place() as here:
        here.listed, here.program.tiers[ADA] = {ADA: "silver"}, "platinum"
        assert await here.known(ADA) == "silver"
        [problem] = here.lookup.problems()
        assert re.search("`platinum`", problem)
        await here.known(BOB)
        assert here.lookup.problems() == []


async def test_a_tier_that_went_out_of_the_workspace_counts_no_more() -> None:
    """What was said of it before then is worth nothing."""
    async with place() as here:
        assert await here.known(ADA) == "gold"
        lookup = here.config.customers.lookup
        here.config = cast(
            "WorkspaceConfig", SimpleNamespace(customers=CustomersConfig(tiers={"silver": TierConfig()}, lookup=lookup))
        )
        assert await here.known(ADA) is None
        assert here.program.asked == [ADA]


async def test_nobody_is_asked_about_visitors_or_without_a_program() -> None:
    """An address that only our own chat knows says nothing to others, nor does one that is none."""
    async with place() as here:
        await here.lookup.ask(["visitor:v1", "", "x" * 400])
        here.use(off=True)
        here.listed = {ADA: "silver"}
        assert await here.known(ADA) == "silver"
        assert here.program.requests == []


async def test_another_program_is_asked_anew() -> None:
    """What the one before said is forgotten, and what it was asked is dropped; other settings change neither."""
    async with place() as here:
        assert await here.known(ADA) == "gold"
        here.use(keep=1_800_000)
        await here.known(ADA)
        assert here.program.asked == [ADA]
        here.program.held.clear()
        here.use(keep=1_800_000, wait=1)
        await here.known(BOB)
        here.use(url="https://other.example.com/tier")
        here.program.held.set()
        assert await here.known(ADA) == "gold"
        assert [one.url.host for one in here.program.requests] == ["crm.example.com"] * 2 + ["other.example.com"]
        assert list(here.lookup.said) == [ADA]


async def test_what_is_remembered_and_asked_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand strangers at once are not a thousand questions; of those answered the oldest are forgotten."""
    monkeypatch.setattr(module, "ASKED_MAX", 3)
    monkeypatch.setattr(module, "ADDRESSES_MAX", 2)
    async with place(wait=1) as here:
        here.program.held.clear()
        await here.lookup.ask([f"{number}@x.example" for number in range(9)])
        assert len(here.lookup.asking) == 3
        here.program.held.set()
        await settled(here)
        assert len(here.program.requests) == 3
        assert len(here.lookup.said) == 2
