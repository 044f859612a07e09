"""The chat's pages, script and files over HTTP: what other sites may do, what a visitor may fetch."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from router.core.errors import StoreUnavailable
from router.web.app import create_app
from router.web.chat_parts import ChatLimits
from router.web.chat_widget import STATIC, assemble
from router.web.parts import wall_clock
from router.web.signing import Signer, Ticket
from tests.fakes.chat_site import SHOP, ChatSite, chatting
from tests.fakes.desk_parts import House
from tests.support.chat_workspace import Visitor

ZIPPED_BYTES_MAX = 15_000
EVIL = "https://evil.example"


@pytest_asyncio.fixture
async def site() -> AsyncIterator[ChatSite]:
    """A chat with a form, shown by `SHOP`."""
    async with chatting() as started:
        yield started


async def ask(site: ChatSite, method: str, path: str, **rest: object) -> httpx.Response:
    """One request."""
    async with httpx.AsyncClient(base_url=site.url, timeout=30) as client:
        return await client.request(method, path, **rest)  # type: ignore[arg-type]


def file_headers(held: str, *, origin: str = "", client: str = "client-01", name: str = "a.txt") -> dict[str, str]:
    """What a widget sends beside a file."""
    headers = {"Authorization": f"Bearer {held}", "X-Chat-Client": client, "X-Chat-Name": name}
    return {**headers, "Origin": origin} if origin else headers


async def send(site: ChatSite, held: str, content: bytes = b"hello", **more: str) -> httpx.Response:
    """A file, sent from a page of ours unless `origin` says otherwise."""
    headers = file_headers(held, origin=more.pop("origin", site.url), **more)
    return await ask(site, "POST", "/chat/files", content=content, headers=headers)


# -- the script --------------------------------------------------------------------------------------------------------


async def test_the_widget_is_small(site: ChatSite) -> None:
    """The script, as browsers get it, is at most 15 kB, and may be loaded by any site."""
    answer = await ask(site, "GET", "/chat/widget.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) <= ZIPPED_BYTES_MAX
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    plain = await ask(site, "GET", "/chat/widget.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content == gzip.decompress(assemble().zipped)
    same = await ask(site, "GET", "/chat/widget.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_the_widget_makes_no_markup_of_words() -> None:
    """No source of the widget or of its page turns text into HTML or code, and none loads anything from elsewhere."""
    for path in STATIC.rglob("*.js"):
        source = path.read_text("utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc", source
        ), path
    assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", assemble().plain)


async def test_the_page_to_try_it(site: ChatSite) -> None:
    """/chat is a page of our own that cannot be framed and loads the widget as other sites do."""
    answer = await ask(site, "GET", "/chat")
    assert '<script src="/chat/widget.js"></script>' in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_without_a_chat_there_is_nothing() -> None:
    """Where the workspace has no chat its page, script and files are not found."""
    house = House(now=wall_clock())
    transport = httpx.ASGITransport(app=create_app(house.parts()))
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        for path in ("/chat", "/chat/widget.js", "/chat/files/1-0/0"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/chat/files", content=b"x")).status_code == 404


# -- files -------------------------------------------------------------------------------------------------------------


async def test_a_file_is_sent_and_fetched_again(site: ChatSite) -> None:
    """A file becomes an item of the conversation, and comes back to its visitor as a download only."""
    content = b"<script>alert(1)</script>"
    async with Visitor(site.url) as visitor:
        answer = await send(site, visitor.held, content, name="R%C3%A9sum%C3%A9%20..%2F.html")
        assert answer.status_code == 202
        got = await visitor.frame("items")
        got = got if got["items"] else await visitor.frame("items")
        [item] = got["items"]
        assert (item["id"], item["client"]) == (answer.json()["id"], "client-01")
        assert item["files"] == [{"part": 0, "name": "html", "size": len(content)}]
    path = f"/chat/files/{item['id']}/0"
    fetched = await ask(site, "GET", path, headers={"Authorization": f"Bearer {visitor.held}"})
    assert fetched.content == content
    assert fetched.headers["content-type"] == "application/octet-stream"
    assert fetched.headers["content-disposition"].startswith("attachment;")
    assert fetched.headers["x-content-type-options"] == "nosniff"
    assert fetched.headers["content-security-policy"].startswith("sandbox")
    for part in (1, -1, 99):
        missing = await ask(
            site, "GET", f"/chat/files/{item['id']}/{part}", headers={"Authorization": f"Bearer {visitor.held}"}
        )
        assert missing.status_code == 404


async def test_a_link_to_a_file_needs_no_pass_and_is_soon_over(site: ChatSite) -> None:
    """A link opens one file, for one visitor, for some minutes; changed, late, or for another file it opens nothing."""
    async with Visitor(site.url) as visitor, Visitor(site.url) as other:
        name = (await send(site, visitor.held, b"mine")).json()["id"]
        second = (await send(site, visitor.held, b"second", client="client-02")).json()["id"]
        asked = {"Authorization": f"Bearer {visitor.held}", "Origin": site.url}
        url = (await ask(site, "POST", f"/chat/links/{name}/0", headers=asked)).json()["url"]
        assert visitor.held not in url
        fetched = await ask(site, "GET", url)
        assert (fetched.status_code, fetched.content) == (200, b"mine")
        assert fetched.headers["content-disposition"].startswith("attachment;")
        assert fetched.headers["content-type"] == "application/octet-stream"
        for wrong in (url.replace(name, second), url[:-1], url.replace("/0?", "/1?"), f"/chat/files/{name}/0"):
            assert (await ask(site, "GET", wrong)).status_code == 401
        for headers in ({**asked, "Authorization": f"Bearer {other.held}"}, {**asked, "Origin": EVIL}, {}):
            assert (await ask(site, "POST", f"/chat/links/{name}/0", headers=headers)).status_code in {401, 403, 404}
        whose = f"{visitor.held.split('.')[1]}/{name}/0"
        for seconds, status in ((60, 200), (-1, 401)):
            until = site.parts.clock() + seconds * 1000
            link = Signer(site.parts.secret, "chat file").sign(Ticket(agent=whose, until=until, id=""))
            assert (await ask(site, "GET", f"/chat/files/{name}/0?t={link}")).status_code == status


async def test_the_same_file_twice_is_one(site: ChatSite) -> None:
    """A file sent again under its client id has its first id; another file under it is a conflict."""
    async with Visitor(site.url) as visitor:
        first, again = await send(site, visitor.held), await send(site, visitor.held)
        assert first.json() == again.json()
        assert (await send(site, visitor.held, b"other")).status_code == 409
    assert len(site.inbox.entries) == 1


async def test_files_are_nobody_elses(site: ChatSite) -> None:
    """Another visitor, and whoever has no pass or a forged one, gets nothing of a file."""
    async with Visitor(site.url) as visitor, Visitor(site.url) as other:
        name = (await send(site, visitor.held)).json()["id"]
        await other.write("client-01", "Hello")
        for held, status in ((other.held, 404), ("x", 401), (visitor.held[:-1] + "!", 401)):
            answer = await ask(site, "GET", f"/chat/files/{name}/0", headers={"Authorization": f"Bearer {held}"})
            assert answer.status_code == status
            assert b"hello" not in answer.content
        assert (await send(site, "nonsense")).status_code == 401


async def test_files_have_limits() -> None:
    """What is empty, too large, of unknown length, badly named or too often is refused with its own status."""
    async with chatting(ChatLimits(file_bytes=10, files_per_hour=6)) as site, Visitor(site.url) as visitor:
        held = visitor.held
        assert (await send(site, held, b"x" * 11)).status_code == 413
        assert (await send(site, held, b"")).status_code == 422
        assert (await send(site, held, client="short")).status_code == 422

        async def pieces() -> AsyncIterator[bytes]:
            yield b"hello"

        headers = file_headers(held, origin=site.url)
        assert (await ask(site, "POST", "/chat/files", content=pieces(), headers=headers)).status_code == 413
        answers = [(await send(site, held, client=f"client-{number}0")).status_code for number in range(10, 16)]
        assert answers == [202, 202, 202, 202, 429, 429]
        late = await send(site, held, client="client-99")
        assert int(late.headers["retry-after"]) > 0


async def test_a_file_that_could_not_be_stored_is_not_acknowledged(site: ChatSite) -> None:
    """While the store does not answer a file gets 503 and the time after which to try again; then it is stored."""
    async with Visitor(site.url) as visitor:
        site.inbox.error = StoreUnavailable("no answer")
        answer = await send(site, visitor.held)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        site.inbox.error = None
        assert (await send(site, visitor.held)).status_code == 202


async def test_listed_sites_may_send_files(site: ChatSite) -> None:
    """A listed site is answered what its browser asks beforehand, and may read the answers; another is not."""
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    before = await ask(site, "OPTIONS", "/chat/files", headers=asked)
    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == SHOP
    assert "authorization" in before.headers["access-control-allow-headers"]
    async with Visitor(site.url) as visitor:
        answer = await send(site, visitor.held, origin=SHOP)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (202, SHOP)
        assert "access-control-allow-credentials" not in answer.headers
        path = f"/chat/files/{answer.json()['id']}/0"
        for origin, status in ((SHOP, 200), (EVIL, 403)):
            got = await ask(site, "GET", path, headers={"Authorization": f"Bearer {visitor.held}", "Origin": origin})
            assert got.status_code == status
            assert got.headers.get("access-control-allow-origin") == (SHOP if origin == SHOP else None)
        refused = await send(site, visitor.held, client="client-02", origin=EVIL)
        assert (refused.status_code, refused.headers.get("access-control-allow-origin")) == (403, None)
    before = await ask(site, "OPTIONS", "/chat/files", headers={**asked, "Origin": EVIL})
    assert "access-control-allow-origin" not in before.headers
    assert len(site.inbox.entries) == 1


async def test_nothing_else_is_readable_by_other_sites(site: ChatSite) -> None:
    """Desk and API say nothing about other origins, listed or not."""
    for path in ("/desk/session", "/v1/status", "/chat"):
        answer = await ask(site, "GET", path, headers={"Origin": SHOP})
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
