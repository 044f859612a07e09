"""What-if at the web desk: begun by whoever leads, asked after until it is done, said in the words of every desk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from router.desk.rehearsals import WEEK_MS, Told, WhatIf
from router.web.access import PAGE_HEADER, SESSION_COOKIE, new_ticket, sessions
from router.web.app import create_app
from router.web.parts import WebParts, WebSettings
from router.web.rehearsing import RUNS_MAX, Runs
from tests.fakes.desk_parts import House


@pytest.fixture
def house() -> House:
    """A changed workspace waits."""
    made = House()
    made.rehearsing.waits = True
    return made


@pytest.fixture
def parts(house: House) -> WebParts:
    """The web's parts over it, whose patience is short."""
    return house.parts(settings=WebSettings(act_seconds=0.01))


@pytest_asyncio.fixture
async def site(parts: WebParts) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the desk, without anybody in it."""
    app = create_app(parts)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk.test") as client,
    ):
        yield client


def as_(parts: WebParts, agent: str, *, page: bool = True) -> dict[str, str]:
    """The headers of an agent's browser."""
    cookie = f"{SESSION_COOKIE}={sessions(parts).sign(new_ticket(agent, parts.clock(), 600))}"
    return {"Cookie": cookie} | ({PAGE_HEADER: "1"} if page else {})


async def test_a_supervisor_is_told_what_the_change_would_have_done(
    site: httpx.AsyncClient, parts: WebParts, house: House
) -> None:
    """It is begun, under way while it lasts, and then said, over the span that was asked for."""
    house.rehearsing.gate = asyncio.Event()
    eva = as_(parts, "eva")
    begun = (await site.post("/desk/api/whatif", json={"span": "12h"}, headers=eva)).json()
    assert (begun["done"], begun["lines"]) == (False, [])
    assert not (await site.get(f"/desk/api/whatif/{begun['run']}", headers=eva)).json()["done"]
    house.rehearsing.gate.set()
    found = begun
    while not found["done"]:
        found = (await site.get(f"/desk/api/whatif/{begun['run']}", headers=eva)).json()
    assert house.rehearsing.asked == [12 * 3_600_000]
    assert "1 of them go to somebody else." in found["lines"]
    assert found["lines"][-1] == "It counts as rehearsed now, and comes into force."
    assert not found["failed"]


@pytest.mark.parametrize("span", ["a while", "7w", "-1d", 7])
async def test_what_is_no_span_begins_nothing(
    site: httpx.AsyncClient, parts: WebParts, house: House, span: object
) -> None:
    """A span that cannot be read is refused, and nothing is rehearsed."""
    answer = await site.post("/desk/api/whatif", json={"span": span}, headers=as_(parts, "eva"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert house.rehearsing.asked == []


async def test_nobody_else_may_ask(site: httpx.AsyncClient, parts: WebParts, house: House) -> None:
    """To an agent there is no what-if, nor another's; to a foreign page, or without a session, none begins."""
    begun = (await site.post("/desk/api/whatif", json={}, headers=as_(parts, "eva"))).json()
    ana = as_(parts, "ana")
    assert (await site.post("/desk/api/whatif", json={}, headers=ana)).status_code == 404
    assert (await site.get(f"/desk/api/whatif/{begun['run']}", headers=ana)).status_code == 404
    assert (await site.post("/desk/api/whatif", json={}, headers=as_(parts, "eva", page=False))).status_code == 403
    assert (await site.post("/desk/api/whatif", json={}, headers={PAGE_HEADER: "1"})).status_code == 401
    assert (await site.get("/desk/api/whatif/unknown", headers=as_(parts, "eva"))).status_code == 404
    house.stopping = True
    assert (await site.post("/desk/api/whatif", json={}, headers=as_(parts, "eva"))).status_code == 503
    assert len(house.rehearsing.asked) <= 1  # the first of all


async def test_the_overview_says_that_a_change_waits(site: httpx.AsyncClient, parts: WebParts, house: House) -> None:
    """Whoever leads sees it where they watch the team, as long as it waits."""
    eva = as_(parts, "eva")
    assert (await site.get("/desk/api/overview", headers=eva)).json()["changes"]
    house.rehearsing.waits = False
    assert not (await site.get("/desk/api/overview", headers=eva)).json()["changes"]


async def test_what_comes_to_nothing_says_why(house: House) -> None:
    """A rehearsal that fails, a change that went, and a desk without any rehearsals are each a sentence."""
    house.rehearsing.fails = "there is no journal"
    asked = WhatIf(house, house.rehearsing)
    assert await asked.told(WEEK_MS) == Told(lines=("It was not rehearsed: there is no journal",), failed=True)
    house.rehearsing.waits = False
    gone = Told(lines=("No change waits: what the folder says is in force.",), failed=True)
    assert await asked.told(WEEK_MS) == gone
    assert await WhatIf(house, None).told(WEEK_MS) == gone
    assert not WhatIf(house, None).waiting()
    assert house.rehearsing.asked == [WEEK_MS]


async def test_rehearsals_nobody_waits_for_make_room(house: House) -> None:
    """A node keeps a few; the oldest is ended for a new one, and all are with the node."""
    house.rehearsing.gate = asyncio.Event()
    runs = Runs(WhatIf(house, house.rehearsing))
    names = [runs.begin(WEEK_MS) for _ in range(RUNS_MAX + 1)]
    with pytest.raises(KeyError):
        await runs.outcome(names[0], 0)
    assert not (await runs.outcome(names[-1], 0)).done
    await runs.close()
    with pytest.raises(KeyError):
        await runs.outcome(names[-1], 0)
