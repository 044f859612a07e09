"""The line of a widget: stored before acknowledged, in order, once, resumed, within limits, and nobody else's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from channels.webchat import normalise
from router.core.errors import BacklogFull, StoreUnavailable
from router.core.events import ContactResolved, StatusSet, WorkspaceChanged
from router.core.transitions import ContactState
from router.core.values import Status
from router.web.chat import NONSENSE
from router.web.chat_feed import STOPPING
from router.web.chat_parts import Chat, ChatLimits, ChatSettings
from router.web.chat_pass import PASS_DAYS_MAX, RENEWED_AFTER_DAYS, Passes
from tests.fakes.chat_site import SECRET, SHOP, ChatSite, chatting
from tests.fakes.desk_parts import workspace
from tests.support.chat_workspace import Visitor

DAY_MS = 86_400_000
HOSTILE = "<img src=x onerror=alert(1)> \u202e {{7*7}} \"'`\\ </script>"


@pytest_asyncio.fixture
async def site() -> AsyncIterator[ChatSite]:
    """A chat at which Ana is available."""
    async with chatting() as started:
        started.house.available("ana")
        yield started


# -- words -------------------------------------------------------------------------------------------------------------


async def test_a_message_is_acknowledged_after_it_is_stored(site: ChatSite) -> None:
    """Nothing is said to be stored while the append is under way; then it is, under its id."""
    async with Visitor(site.url) as visitor:
        site.inbox.gate.clear()
        await visitor.say(type="say", client="client-01", text="Hello")
        await visitor.say(type="earlier", before="1-0")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await visitor.frame("stored")
        assert site.inbox.entries == []
        site.inbox.gate.set()
        identifier = (await visitor.frame("stored", client="client-01"))["id"]
        item = await visitor.item("Hello")
        assert (item["id"], item["mine"], item["client"]) == (identifier, True, "client-01")


async def test_the_same_message_twice_is_one(site: ChatSite) -> None:
    """A message sent again under its client id is acknowledged under its first id and stands there once."""
    async with Visitor(site.url) as visitor:
        first = await visitor.write("client-01", "Hello")
        assert await visitor.write("client-01", "Hello") == first
        await visitor.say(type="say", client="client-01", text="Something else")
        refused = await visitor.frame("refused", client="client-01")
        assert (refused["code"], refused["retry"]) == ("conflict", None)
    assert len(site.inbox.entries) == 1


@pytest.mark.parametrize("error", [StoreUnavailable("no answer"), BacklogFull("full")])
async def test_what_could_not_be_stored_is_not_acknowledged(site: ChatSite, error: Exception) -> None:
    """While the store does not take it the widget is told when to try again; then it is stored once."""
    async with Visitor(site.url) as visitor:
        site.inbox.error = error
        await visitor.say(type="say", client="client-01", text="Hello")
        refused = await visitor.frame("refused", client="client-01")
        assert refused["code"] == getattr(error, "code", "")
        assert refused["retry"] > 0
        site.inbox.error = None
        await visitor.write("client-01", "Hello")
    assert len(site.inbox.entries) == 1


@pytest.mark.parametrize(("text", "code"), [("x" * 4_001, "too_long"), (" ", "empty")])
async def test_what_is_refused_for_good_says_so(site: ChatSite, text: str, code: str) -> None:
    """A message that can never be taken is refused without asking to try again, and the line stays open."""
    async with Visitor(site.url) as visitor:
        await visitor.say(type="say", client="client-01", text=text)
        refused = await visitor.frame("refused", client="client-01")
        assert (refused["code"], refused["retry"]) == (code, None)
        await visitor.write("client-02", "Hello")


async def test_hostile_text_goes_through_letter_by_letter(site: ChatSite) -> None:
    """Markup both ways is text: the widget gets it as it was written."""
    async with Visitor(site.url) as visitor:
        await visitor.write("client-01", HOSTILE)
        await visitor.item(HOSTILE)
        site.answer(HOSTILE + " back")
        assert (await visitor.item(HOSTILE + " back"))["who"] == "Ana"


# -- answers -----------------------------------------------------------------------------------------------------------


async def test_an_answer_is_shown_once_it_is_sent(site: ChatSite) -> None:
    """A reply that the outbox has not sent is not the visitor's yet; then it comes, under the agent's first name."""
    async with Visitor(site.url) as visitor:
        await visitor.write("client-01", "Hello")
        await visitor.item("Hello")
        pending = site.answer("Good morning", sent=False)
        await visitor.write("client-02", "Anybody?")
        got = await visitor.frame("items")
        assert [one["text"] for one in got["items"]] == ["Anybody?"]
        assert got["cursor"] < pending
        site.report(pending, "sent")
        item = await visitor.item("Good morning")
        assert (item["who"], item.get("mine", False), item.get("client", "")) == ("Ana", False, "")


async def test_what_agents_say_among_themselves_stays_there(site: ChatSite) -> None:
    """A note never reaches the visitor, neither at once nor in the history."""
    async with Visitor(site.url) as visitor:
        await visitor.write("client-01", "Hello")
        site.answer("She is a VIP, be nice", note=True)
        site.answer("Good morning")
        await visitor.item("Good morning")
        seen = visitor.frames
    async with Visitor(site.url, held=visitor.held) as again:
        items = (await again.frame("items"))["items"]
    assert [one["text"] for one in items] == ["Hello", "Good morning"]
    assert "VIP" not in str(seen)


async def test_standing_follows_the_contact(site: ChatSite) -> None:
    """The visitor is told whether anybody is there, that they wait, who answers, and that it is finished."""
    house = site.house
    async with Visitor(site.url) as visitor:
        assert (await visitor.frame("standing"))["standing"] == {"state": "none", "who": "", "online": True}
        await visitor.write("client-01", "Hello")
        assert (await visitor.frame("standing"))["standing"]["state"] == "waiting"
        site.answer("Good morning")
        assert (await visitor.frame("standing"))["standing"] == {"state": "open", "who": "Ana", "online": True}
        house.apply(StatusSet(at=house.clock(), agent="ana", target="ana", status=Status.AWAY))
        assert (await visitor.frame("standing"))["standing"]["online"] is False
        house.apply(ContactResolved(at=house.clock(), agent="ana", contact=site.contact.id))
        assert (await visitor.frame("standing"))["standing"]["state"] == "closed"
        await visitor.write("client-02", "One more thing")
        assert (await visitor.frame("standing", standing={"state": "waiting", "who": "", "online": False}))["type"]
    assert [one.state for one in house.state.contacts.values()] == [ContactState.RESOLVED, ContactState.WAITING]


async def test_typing_is_passed_on_and_kept_nowhere(site: ChatSite) -> None:
    """Typing reaches the other side only, from the owner only, and neither inbox nor engine hears of it."""
    feed = site.feed
    types: list[str] = []
    feed.on_typing = types.append
    async with Visitor(site.url) as visitor, Visitor(site.url) as other:
        await visitor.say(type="typing")  # to nobody: there is no contact yet
        await visitor.write("client-01", "Hello")
        site.answer("Good morning")
        records, entries = site.house.state.n, len(site.inbox.entries)
        await visitor.say(type="typing")
        await visitor.say(type="earlier", before="1-0")
        await visitor.frame("earlier")
        assert types == [site.contact.id]
        feed.agent_types(site.contact.id, "ben")  # not the owner
        feed.agent_types(site.contact.id, "ana")
        assert (await visitor.frame("typing"))["who"] == "Ana"
        assert not [one for one in visitor.frames if one["type"] == "typing"]
        await other.say(type="earlier", before="1-0")
        await other.frame("earlier")
        assert not [one for one in other.frames if one["type"] == "typing"]
        assert (site.house.state.n, len(site.inbox.entries)) == (records, entries)


# -- lost and found ----------------------------------------------------------------------------------------------------


async def test_a_lost_line_is_resumed(site: ChatSite) -> None:
    """A widget that comes back with its cursor gets what it missed, in order, and nothing twice."""
    async with Visitor(site.url) as visitor:
        await visitor.write("client-01", "Hello")
        site.answer("Good morning")
        await visitor.item("Good morning")
    site.answer("Are you there?")
    site.answer("Hello?")
    async with Visitor(site.url, held=visitor.held, after=visitor.after) as again:
        assert again.welcome["resumed"] is True
        assert again.welcome["pass"] == ""
        assert [one["text"] for one in (await again.frame("items"))["items"]] == ["Are you there?", "Hello?"]


async def test_an_answer_under_way_is_not_missed_by_resuming(site: ChatSite) -> None:
    """A cursor never passes an answer that was not sent yet, even if later items were shown already."""
    async with Visitor(site.url) as visitor:
        await visitor.write("client-01", "Hello")
        pending = site.answer("Good morning", sent=False)
        await visitor.write("client-02", "Anybody?")
        await visitor.item("Anybody?")
    site.report(pending, "sent")
    async with Visitor(site.url, held=visitor.held, after=visitor.after) as again:
        items = (await again.frame("items"))["items"]
    assert "Good morning" in [one["text"] for one in items]


async def test_a_reload_brings_the_history_back(site: ChatSite) -> None:
    """A widget that knows nothing but its pass gets the end of the conversation, and what is earlier when it asks."""
    async with chatting(history_items=3) as small, Visitor(small.url) as visitor:
        small.house.available("ana")
        for number in range(7):
            await visitor.write(f"client-{number:02}", f"word {number}")
        async with Visitor(small.url, held=visitor.held) as again:
            got = await again.frame("items")
            assert [one["text"] for one in got["items"]] == ["word 4", "word 5", "word 6"]
            assert got["more"] is True
            await again.say(type="earlier", before=got["items"][0]["id"])
            got = await again.frame("earlier")
            assert ([one["text"] for one in got["items"]], got["more"]) == (["word 1", "word 2", "word 3"], True)
            await again.say(type="earlier", before=got["items"][0]["id"])
            got = await again.frame("earlier")
            assert ([one["text"] for one in got["items"]], got["more"]) == (["word 0"], False)
        async with Visitor(small.url, held=visitor.held, after=visitor.after or "1-0") as late:
            assert late.welcome["resumed"] is False  # too far behind: afresh
            assert len((await late.frame("items"))["items"]) == 3
    assert site.inbox.entries == []


@pytest.mark.parametrize("after", ["x", "1", "-", "1-", "٣-٣", "9" * 50 + "-0", "0-0"])
async def test_an_odd_cursor_begins_afresh(site: ChatSite, after: str) -> None:
    """A cursor that is no id of ours is taken for none."""
    async with Visitor(site.url) as visitor:
        await visitor.write("client-01", "Hello")
    async with Visitor(site.url, held=visitor.held, after=after) as again:
        assert again.welcome["resumed"] is False
        assert [one["text"] for one in (await again.frame("items"))["items"]] == ["Hello"]


async def test_two_tabs_see_the_same(site: ChatSite) -> None:
    """What a visitor writes in one tab, and what is answered, comes to the other tab as well."""
    async with Visitor(site.url) as one, Visitor(site.url, held=one.held) as two:
        await one.write("client-01", "Hello")
        assert (await two.item("Hello"))["client"] == "client-01"
        site.answer("Good morning")
        await one.item("Good morning")
        await two.item("Good morning")


async def test_a_node_that_stops_sends_widgets_away(site: ChatSite) -> None:
    """When the node stops, a line ends with the code after which the widget comes back, and nothing is taken in."""
    async with Visitor(site.url) as visitor:
        site.house.stopping = True
        await visitor.say(type="say", client="client-01", text="Hello")
        assert await visitor.closed() == STOPPING
    assert site.inbox.entries == []


# -- nobody else's -----------------------------------------------------------------------------------------------------


async def test_visitors_see_nothing_of_each_other(site: ChatSite) -> None:
    """Neither words nor answers nor standing of one visitor reach another, also not when their customers are linked."""
    async with Visitor(site.url) as one, Visitor(site.url) as two:
        await one.write("client-01", "My secret")
        site.answer("Yours only")
        await one.item("Yours only")
        await two.write("client-01", "Hello")
        await two.item("Hello")
        first, second = list(site.house.state.contacts.values())
        site.house.state.identities[second.participants[0]] = first.customer
        second.customer = first.customer
        site.house.apply(WorkspaceChanged(at=site.house.clock(), version="2", workspace=workspace()))  # all anew
    async with Visitor(site.url, held=two.held) as again:
        items = (await again.frame("items"))["items"]
        assert [item["text"] for item in items] == ["Hello"]
    assert "secret" not in str(two.frames)
    assert "Yours" not in str(two.frames)


async def test_an_answer_to_another_address_is_not_shown(site: ChatSite) -> None:
    """Of a contact with two writers each sees only what was addressed to them."""
    async with Visitor(site.url) as one, Visitor(site.url) as two:
        await one.write("client-01", "Hello")
        await two.write("client-02", "I am her brother")
        first, second = list(site.house.state.contacts.values())
        first.participants = sorted({*first.participants, *second.participants})
        second.participants = []
        site.answer("Only for you", contact=first)
        await one.item("Only for you")
        await two.say(type="earlier", before="99999999999999-0")
        assert (await two.frame("earlier"))["items"] == []


@pytest.mark.parametrize("change", ["visitor", "mac", "time", "form", "other secret"])
async def test_a_forged_pass_is_refused(site: ChatSite, change: str) -> None:
    """A pass with anything changed closes the line before anything of anybody is sent."""
    async with Visitor(site.url) as visitor:
        version, name, issued, mac = visitor.held.split(".")
    forged = {
        "visitor": f"{version}.{'0' * 32}.{issued}.{mac}",
        "mac": f"{version}.{name}.{issued}.{'A' * 43}",
        "time": f"{version}.{name}.{int(issued) + 1}.{mac}",
        "form": "please let me in",
        "other secret": Passes(b"x" * 32).issue(name, site.house.clock()),
    }[change]
    async with connect(f"ws{site.url[4:]}/chat/live", origin=Origin(site.url)) as socket:
        await socket.send(json.dumps({"type": "hello", "pass": forged}))
        await socket.wait_closed()
        assert socket.close_code == 4401


def test_passes_end_and_are_renewed() -> None:
    """A pass says who holds it, asks to be renewed after a month, and is nothing any more after its last day."""
    passes, now = Passes(SECRET), 1_790_000_000_000
    name = passes.new_visitor()
    held = passes.issue(name, now)
    found = passes.check(held, now)
    assert found is not None
    assert (found.visitor, found.stale) == (name, False)
    late = passes.check(held, now + (RENEWED_AFTER_DAYS + 1) * DAY_MS)
    assert late is not None
    assert late.stale is True
    assert passes.check(held, now + PASS_DAYS_MAX * DAY_MS) is not None
    assert passes.check(held, now + (PASS_DAYS_MAX + 1) * DAY_MS) is None
    assert passes.check(held + "\n", now) is None
    assert len({passes.new_visitor() for _ in range(100)}) == 100
    with pytest.raises(ValueError, match="secret"):
        Passes(b"")


async def test_an_old_pass_is_exchanged(site: ChatSite) -> None:
    """A visitor with a pass of some weeks is given a fresh one for the same visitor, and keeps the conversation."""
    async with Visitor(site.url) as visitor:
        await visitor.write("client-01", "Hello")
    passes, now = Passes(SECRET), site.house.clock()
    old = passes.issue(visitor.held.split(".")[1], now - (RENEWED_AFTER_DAYS + 1) * DAY_MS)
    async with Visitor(site.url, held=old) as again:
        assert again.welcome["pass"].split(".")[1] == visitor.held.split(".")[1]
        assert again.welcome["pass"] != old
        assert [one["text"] for one in (await again.frame("items"))["items"]] == ["Hello"]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://shop.example", f"{SHOP}.evil.example", "null"])
async def test_other_sites_are_refused(site: ChatSite, origin: str) -> None:
    """A page of an origin that is not listed gets no line."""
    with pytest.raises(InvalidStatus):
        async with Visitor(site.url, origin=origin):
            pass


async def test_listed_sites_are_let_in(site: ChatSite) -> None:
    """A page of a listed origin gets a line."""
    async with Visitor(site.url, origin=SHOP) as visitor:
        await visitor.write("client-01", "Hello")


async def test_desk_and_visitor_see_each_other_typing(site: ChatSite) -> None:
    """Whoever has the contact open sees its visitor there and writing, and the visitor its agent, but for a note."""
    async with Visitor(site.url) as visitor:
        await visitor.write("client-01", "Hello")
        site.answer("Good morning")
        contact = site.contact.id
        headers = {"Cookie": site.cookie("ana")}
        async with connect(f"ws{site.url[4:]}/desk/live", origin=Origin(site.url), additional_headers=headers) as desk:
            await desk.send(json.dumps({"contact": contact}))
            assert await _others(desk) == (contact, [], ["The customer"])
            await visitor.say(type="typing")
            assert await _others(desk) == (contact, ["The customer"], [])
            await desk.send(json.dumps({"contact": contact, "typing": True}))
            await desk.send(json.dumps({"contact": contact, "typing": True, "reply": True}))
            assert (await visitor.frame("typing"))["who"] == "Ana"
            await visitor.say(type="earlier", before="1-0")
            await visitor.frame("earlier")
            assert not [one for one in visitor.frames if one["type"] == "typing"]


async def _others(desk: ClientConnection) -> tuple[str, list[str], list[str]]:
    """What the desk is told next of who else is there: the contact, who types, who does not."""
    async with asyncio.timeout(60):
        while True:
            frame = json.loads(await desk.recv())
            if frame["type"] == "others":
                return frame["id"], frame["typing"], frame["here"]


async def test_an_edited_workspace_is_followed(site: ChatSite) -> None:
    """Another list of sites and other limits hold for the next line and the next message, without a restart."""
    chat = site.parts.chat
    assert chat is not None
    async with Visitor(site.url, origin=SHOP) as visitor:
        chat.follow(
            Chat(
                entries=chat.entries,
                identity=chat.identity,
                settings=ChatSettings(title="Acme Sea"),
                limits=ChatLimits(messages_per_minute=1),
            )
        )
        await visitor.write("client-01", "one")
        await visitor.say(type="say", client="client-02", text="two")
        assert (await visitor.frame("refused", client="client-02"))["code"] == "slow"
    with pytest.raises(InvalidStatus):
        async with Visitor(site.url, origin=SHOP):
            pass
    async with Visitor(site.url) as visitor:
        assert visitor.welcome["title"] == "Acme Sea"


# -- who they are, and how it was --------------------------------------------------------------------------------------


async def test_a_link_comes_along_with_the_words_it_was_shown_with(site: ChatSite) -> None:
    """As it was given; what cannot be one is left out, and the words are taken all the same."""
    async with Visitor(site.url) as visitor:
        for client, proof in (("client-01", "a" * 54), ("client-02", "<b>"), ("client-03", "x" * 200)):
            await visitor.say(type="say", client=client, text=f"Hello {client}", proof=proof)
            await visitor.frame("stored", client=client)
    assert [normalise(one.raw, one.meta).proof for one in site.inbox.entries] == ["a" * 54, "", ""]


async def test_a_visitor_says_how_it_was_and_nobody_else_does(site: ChatSite) -> None:
    """Only of their own contact, and only where they were asked."""
    rated: list[tuple[str, int, str]] = []

    class People:
        async def rate(self, contact: str, score: int, sender: str = "") -> None:
            rated.append((contact, score, sender))

    site.parts.__dict__["customers"] = People()
    async with Visitor(site.url) as visitor, Visitor(site.url) as other:
        await visitor.write("client-01", "Hello")
        await other.write("client-02", "Hi")
        contact = next(iter(site.house.state.contacts.values()))
        name = site.answer("Was it all right?", contact=contact, sent=False)
        site.house.written[name].asks = contact.id
        await visitor.say(type="rate", item=name, score=4)  # it is no question yet
        await visitor.say(type="earlier", before="9-9")
        await visitor.frame("earlier")
        contact.messages[-1].auto = "csat"
        site.report(name, "sent")
        assert (await visitor.item("Was it all right?"))["asks"]
        await other.say(type="rate", item=name, score=1)
        await other.say(type="earlier", before="9-9")
        await other.frame("earlier")
        for none in (0, 6, 10**400):
            async with Visitor(site.url, held=visitor.held) as same:
                await same.say(type="rate", item=name, score=none)
                assert await same.closed() == NONSENSE
        await visitor.say(type="rate", item=name, score=4)
        assert (await visitor.frame("rated"))["score"] == 4
    assert rated == [(contact.id, 4, contact.participants[0])]
