"""What is sent to Slack: within its limits whatever people write, and unable to ping, to mask a link or to break."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from channels.slack import alerting, belonging, blocks, card, forms, home, modals, mrkdwn, notices, team
from channels.slack.blocks import Json
from channels.slack.card import Post
from router.desk.digests import Day, Shift, Tally, Worker
from router.desk.lead_views import AgentLoad, Board, IncidentRow, Matter, Overview, Today, TopicQueue
from router.desk.views import (
    Banner,
    Bar,
    Card,
    Colleague,
    Considered,
    DeskView,
    Done,
    File,
    Item,
    LinkRow,
    Me,
    OfferRow,
    Party,
    People,
    Row,
    SavedReply,
    Suggestion,
    TeamRow,
    Topic,
    Why,
    Wishes,
)
from router.sim.slack.blocks import message_too_long, problems_of_blocks, problems_of_view, view_too_large
from router.sim.slack.mrkdwn import pinged

NOW = 1_790_000_000_000
NASTY = (
    "<!channel> <!here> @everyone <@U123> <#C123> <!subteam^S1>",
    "<https://evil.example|https://bank.example> &lt;!here&gt; &amp;lt;",
    "```code ``` *bold* _it_ ~no~ > quote\n>>> all",
    "\u202egnp.exe\u2066 \u200b\u2060",
    "\0\x07\x1b[31m\ud800\udfff\ufffe",
    "🧑‍🚀" * 400,
    "&" * 3_100,
    "\n" * 5_000 + "x",
    '"\\' * 3_000,
    "العربية עברית 漢字 ไทย " * 300,
    "",
    " ",
    "\u3164\u00ad",
    "<!date^1^{time}^https://evil.example|now>",
)
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=60), st.text(min_size=1, max_size=40).map(lambda t: t * 200))
ids = st.from_regex(r"[0-9]{13}-[0-9]{1,3}", fullmatch=True)
instants = st.integers(NOW - 10**10, NOW + 10**10)
names = st.from_regex(r"[a-z][a-z0-9-]{0,40}", fullmatch=True)


def _strings(most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(texts, max_size=most).map(tuple)


rows = st.builds(
    Row,
    id=ids,
    state=st.sampled_from(["waiting", "offered", "assigned", "waiting_customer", "snoozed", "resolved"]),
    channel=st.sampled_from(["email", "webchat", "http"]) | texts,
    kind=texts,
    who=texts,
    subject=texts,
    snippet=texts,
    topics=_strings(5),
    language=texts,
    priority=st.sampled_from(["low", "normal", "high", "urgent"]),
    due=st.none() | instants,
    opened_at=instants,
    last_at=instants,
    snoozed_until=st.none() | instants,
    by=texts,
)
files = st.builds(File, part=st.integers(0, 9), name=texts, type=texts, size=st.integers(0, 10**9))
items = st.builds(
    Item,
    id=ids,
    direction=st.sampled_from(["in", "out", "note"]),
    at=instants,
    who=texts,
    mine=st.booleans(),
    text=texts,
    quoted=texts,
    files=st.lists(files, max_size=12).map(tuple),
    delivery=st.sampled_from(["", "sent", "failed", "deferred"]),
    delivery_text=texts,
    auto=st.sampled_from(["", "automatic reply"]),
    warnings=_strings(4),
)
ACTIONS = (
    "reply", "note", "transfer", "snooze", "wake", "resolve", "reopen", "retag", "priority", "let_in", "take", "call",
    "merge", "spam", "leave", "unblock", "customer", "link", "unlink",
)  # fmt: skip
codes = st.from_regex(r"[a-z]{2}", fullmatch=True)
links = st.builds(LinkRow, id=names, at=instants, how=texts, by=texts, addresses=st.integers(1, 30))
wishes = st.builds(
    Wishes,
    languages=st.dictionaries(codes, texts, max_size=4) | st.just({f"{n:03}": "one of many" for n in range(150)}),
    language=codes | st.sampled_from(["", "149"]),
    consent=st.none() | st.booleans(),
    consent_at=instants,
    consent_channel=texts,
)
cards = st.builds(
    Card,
    n=st.just(1),
    now=st.just(NOW),
    contact=rows,
    customer=st.just("c1"),
    history=texts,
    earlier=st.just(()),
    requirement=_strings(8),
    topics=st.lists(st.builds(Topic, id=names, label=texts, p=st.just(1), chosen=st.booleans()), max_size=4).map(tuple),
    banners=st.lists(st.builds(Banner, code=names, text=texts), max_size=8).map(tuple),
    items=st.lists(items, max_size=6).map(tuple),
    replies_to=st.just((Party(name="a", address="a@example.org"),)),
    cc=st.lists(st.builds(Party, name=texts, address=texts), max_size=5).map(tuple),
    articles=st.lists(
        st.builds(Suggestion, title=texts, url=st.just("https://ours.example/a?b=1&c=2")), max_size=3
    ).map(tuple),
    answers=st.just(""),
    replies_line=texts,
    signature=texts,
    actions=st.lists(st.sampled_from(ACTIONS), unique=True).map(tuple),
    offer=st.sampled_from(["", "1790000000000-1.2"]),
    offer_until=instants,
    links=st.lists(links, max_size=3).map(tuple),
    wishes=wishes,
)
labels = st.builds(Topic, id=names, label=texts, p=st.just(0))
people = st.builds(
    People,
    agents=st.lists(
        st.builds(Colleague, id=names, name=texts, team=texts, status=texts, able=st.booleans(), room=st.booleans()),
        max_size=5,
    ).map(tuple),
    teams=st.lists(
        st.builds(TeamRow, id=names, name=texts, members=st.integers(0, 9), available=st.integers(0, 9)), max_size=3
    ).map(tuple),
    topics=st.lists(labels, max_size=4, unique_by=lambda one: one.id).map(tuple),
)
bars = st.lists(st.builds(Bar, kind=names, label=texts, held=st.integers(0, 40), limit=st.integers(0, 20)), max_size=9)
me = st.builds(
    Me,
    id=names,
    name=texts,
    team=texts,
    role=names,
    status=st.sampled_from(["available", "busy", "away", "offline"]),
    status_since=instants,
    skills=st.dictionaries(texts, st.integers(1, 5), max_size=6),
    capacity=bars.map(tuple),
)
many = st.lists(rows, max_size=10).map(tuple)
dones = st.builds(
    Done, answers=st.integers(0, 900), resolved=st.integers(0, 900), first_seconds=st.none() | st.integers(0, 10**6)
)
matters = st.builds(
    Matter,
    code=st.sampled_from(["promises", "nobody", "quarantine", "undelivered", "escalated", "problems"]),
    level=st.integers(1, 2),
    size=st.integers(1, 10**6),
    text=texts,
    details=_strings(5),
    contacts=st.lists(ids, max_size=5).map(tuple),
    due=st.none() | instants,
)
desks = st.builds(
    DeskView,
    n=st.just(1),
    now=st.just(NOW),
    workspace=texts,
    me=me,
    offers=st.lists(
        st.builds(OfferRow, offer=ids, at=instants, until=instants, contact=rows, needs=st.just(())), max_size=3
    ).map(tuple),
    open=many,
    waiting_customer=many,
    snoozed=many,
    done=st.just(()),
    called=st.lists(rows, max_size=3).map(tuple),
    today=dones,
    team=st.none() | dones,
    queue=st.integers(0, 10**6),
    notice=texts,
    more=st.dictionaries(st.sampled_from(["open", "snoozed"]), st.integers(1, 5_000)),
)
incidents = st.builds(
    IncidentRow,
    id=st.sampled_from(["i1", "i2"]),
    topic=names,
    label=texts,
    began=instants,
    contacts=st.integers(0, 10**6),
    usual=st.floats(0, 10**6),
    affected=st.just(3),
    told=st.booleans(),
)
overviews = st.builds(
    Overview,
    n=st.just(1),
    board=st.builds(
        Board,
        now=st.just(NOW),
        workspace=texts,
        waiting=st.integers(0, 10**6),
        oldest=st.none(),
        at_risk=st.just(3),
        late=st.just(1),
        open=st.just(9),
        topics=st.lists(
            st.builds(
                TopicQueue,
                topic=names,
                label=texts,
                waiting=st.just(1),
                oldest=st.just(NOW),
                at_risk=st.just(1),
                able=st.just(1),
                free=st.just(1),
            ),
            max_size=12,
        ).map(tuple),
        statuses=st.just({}),
        today=st.just(Today(opened=1, resolved=1, answers=1)),
        problems=_strings(6),
        incidents=st.lists(incidents, max_size=4).map(tuple),
    ),
    agents=st.lists(
        st.builds(
            AgentLoad,
            id=names,
            name=texts,
            team=texts,
            status=texts,
            since=instants,
            on_shift=st.booleans(),
            capacity=st.just(()),
            utilisation=st.integers(0, 100),
            offered=st.just(1),
            open=st.just(1),
            parked=st.just(1),
        ),
        max_size=12,
    ).map(tuple),
    risky=many,
    matters=st.lists(matters, max_size=3).map(tuple),
    answers=st.dictionaries(st.just("i1"), texts, max_size=1),
)
saved = st.lists(
    st.builds(SavedReply, name=names, label=texts, text=texts, fits=st.booleans(), open=st.just(())), max_size=5
)
whys = st.builds(
    Why,
    headline=texts,
    sentences=_strings(5),
    candidates=st.lists(
        st.builds(Considered, name=texts, rank=st.integers(1, 9), why=texts, you=st.booleans()), max_size=25
    ).map(tuple),
    ruled_out=_strings(25),
)
QUICK = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def _all_texts(value: object) -> Iterator[Json]:
    if isinstance(value, dict):
        if value.get("type") in {"mrkdwn", "plain_text"}:
            yield value
        for part in value.values():
            yield from _all_texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _all_texts(part)


def harmless(text: str, listed: Sequence[Json]) -> None:
    """Nobody is pinged; every `<` is one of ours (a date, or the way to a thread); Slack makes no links of its own."""
    assert pinged(text, list(listed)) == set()
    for one in (*_all_texts(list(listed)), {"type": "text", "text": text}):
        begins = [part.partition(">")[0] for part in one["text"].split("<")[1:]]
        assert all(part.startswith(("!date^", "https://ours.example/")) for part in begins), one
        assert one["type"] != "mrkdwn" or one["verbatim"] is True
        assert not any(char < " " and char not in "\n\t" for char in one["text"])
        one["text"].encode()  # no lone surrogates


def accepted(post: Post) -> None:
    """Slack takes the message."""
    listed = json.loads(json.dumps(post.blocks))
    assert problems_of_blocks(listed, "message") == []
    assert not message_too_long(listed)
    for block in listed:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()
        for element in (*getattr(parsed, "elements", ()), getattr(parsed, "accessory", None)):
            if element is not None and hasattr(element, "validate_json"):
                element.validate_json()
    assert post.text.strip()
    assert mrkdwn.units(post.text) <= blocks.FALLBACK_MAX
    harmless(post.text, post.blocks)


def accepted_view(view: Json) -> None:
    """Slack takes the modal or the Home."""
    assert problems_of_view(json.loads(json.dumps(view))) == []
    assert not view_too_large(view)
    assert len(json.dumps(view)) < 250_000  # as our client sends it
    harmless("", view["blocks"])


@QUICK
@given(cards, texts, st.integers(0, 5))
def test_any_card_is_within_the_limits(view: Card, why: str, place: int) -> None:
    """Whatever stands in a contact, its card is taken by Slack and harms nobody."""
    head = view.items[place % len(view.items)].id if view.items else ""
    accepted(card.card(view, head, why))
    accepted(card.gone(view.contact))
    accepted(card.erased())


@QUICK
@given(st.lists(items, min_size=1, max_size=12), ids)
def test_any_notice_is_within_the_limits(listed: list[Item], contact: str) -> None:
    """Whatever is written in a thread, its notice is taken by Slack and harms nobody."""
    told = notices.groups(listed)
    assert [item for group in told for item in group] == listed
    for group in told:
        accepted(notices.notice(group, contact))
        accepted(notices.failure(group[-1], contact))


@QUICK
@given(cards, people, whys, saved, st.lists(rows, max_size=3))
def test_any_modal_is_within_the_limits(
    view: Card, listed: People, said: Why, replies: list[SavedReply], twins: list[Row]
) -> None:
    """Windows are taken by Slack whatever colleagues, topics and texts are called."""
    contact = view.contact.id
    for made in (
        modals.decline(contact, view.offer),
        modals.transfer(contact, listed),
        modals.snooze(contact, view.now),
        modals.note(contact),
        modals.retag(view, listed),
        modals.priority(contact, view.contact.priority),
        modals.read(view),
        modals.why(said),
        forms.reply(view, replies),
        forms.reply(view, replies, {"cc": ["0"], "then": ["resolve"]}, 0),
        forms.call(contact, listed),
        forms.merge(contact, twins),
        forms.spam(contact),
        forms.incident("i1", view.signature),
        belonging.customer(view),
        belonging.link(contact),
        belonging.unlink(contact, "l12"),
        forms.letter(listed.topics, view.signature),
    ):
        accepted_view(made)


@QUICK
@given(desks, st.none() | overviews)
def test_any_home_is_within_the_limits(desk: DeskView, overview: Overview | None) -> None:
    """The Home is taken by Slack however many contacts, topics and agents there are."""
    waits = None if overview is None else msgspec.structs.replace(overview, changes=True)
    accepted_view(home.home(desk, waits, lambda contact: f"https://ours.example/{contact}", NOW))
    accepted_view(home.stranger())


@QUICK
@given(matters, overviews, dones, st.lists(texts, max_size=20))
def test_any_alert_and_digest_is_within_the_limits(
    matter: Matter, overview: Overview, done: Done, workers: list[str]
) -> None:
    """Alerts, reminders and digests are taken by Slack whatever topics and people are called."""
    tally = Tally(opened=1, resolved=2, answers=3, promised=4, in_time=3)
    listed = tuple(Worker(name=name, done=done) for name in workers)
    accepted(alerting.alert(matter))
    accepted(alerting.over(matter.code, NOW))
    accepted(alerting.superseded(matter.code))
    accepted(alerting.elsewhere(matter.code))
    accepted(alerting.reminder([f"<https://ours.example/x|y>: {number}" for number in range(11)]))
    accepted(alerting.day(Day(tally=tally, board=overview.board, workers=listed), tally))
    shift = Shift(today=done, team=done, unanswered=1, waiting_customer=2, snoozed=3, next_due=NOW)
    accepted(alerting.shift(shift, NOW))


@QUICK
@given(rows, texts, instants)
def test_any_line_of_the_team_is_within_the_limits(row: Row, agent: str, since: int) -> None:
    """The line in the team's channel is taken by Slack and harms nobody."""
    accepted(team.waits(row, since, NOW))
    accepted(team.taken(row, agent))


@QUICK
@given(texts, st.integers(10, 3_000))
def test_a_long_text_is_split_and_nothing_of_it_is_lost(text: str, size: int) -> None:
    """Pieces hold every visible character in order, and each is within its limit."""
    parts = list(mrkdwn.pieces(text, size))
    assert all(mrkdwn.units(part) <= size for part in parts)
    whole = mrkdwn.escape(mrkdwn.clean(text))
    assert _visible("".join(parts)) == _visible(whole)


def _visible(text: str) -> str:
    return "".join(char for char in text if mrkdwn.seen(char))


def test_many_agents_and_topics_stand_in_groups() -> None:
    """Two hundred and fifty colleagues and as many topics can all be chosen."""
    agents = tuple(
        Colleague(id=f"a{n}", name=f"Agent {n}", team="t", status="available", able=True, room=True) for n in range(250)
    )
    known = tuple(Topic(id=f"t{n}", label=f"Topic {n}", p=0) for n in range(250))
    listed = People(agents=agents, teams=(), topics=known)
    to: Any = modals.transfer("1-0", listed)["blocks"][0]["element"]
    values = [option["value"] for group in to["option_groups"] for option in group["options"]]
    assert {f"agent a{n}" for n in range(250)} <= set(values)
    accepted_view(modals.transfer("1-0", listed))
