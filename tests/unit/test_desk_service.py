"""The report of how customers were served: folded from what an engine decided, and given in four forms."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import msgspec
import pytest

from router.core import events as e
from router.core.values import Rule, Sla, When
from router.desk.service import Report, Tally
from router.desk.service_words import as_csv, as_page, span, tables, title
from tests.support.engine_scene import ANA, BEN, HOUR, MINUTE, SUE, T0, Scene, desk, pushing

if TYPE_CHECKING:
    from router.core.decisions import Decision

DAY = 24 * HOUR


class Told(Scene):
    """A scene whose records are kept."""

    def __init__(self, *args: object, **more: object) -> None:
        self.records: list[tuple[e.Event, tuple[Decision, ...]]] = []
        super().__init__(*args, **more)  # type: ignore[arg-type]

    def apply(self, event: e.Event) -> tuple[Decision, ...]:
        """Apply and keep."""
        made = super().apply(event)
        self.records.append((event, made))
        return made

    def report(self, since: int = T0, until: int = T0 + 30 * DAY, hourly: float = 0) -> Report:
        """What it came to."""
        tally = Tally(since, until)
        for event, decisions in self.records:
            tally.take(event, decisions)
        return tally.report(hourly)


def story() -> Told:
    """Three customers: one well served, one late and back again, one of another topic who gave no answer."""
    rules = (Rule(when=When(topic="refund"), require=(("refunds", 2),), sla=Sla(first_response=HOUR, resolution=DAY)),)
    scene = Told(pushing(ANA, SUE, rules=rules, csat="unless-refused"))
    first = scene.mail("p1")
    scene.wait(10 * MINUTE)
    scene.reply(first, resolve=True)
    scene.apply(e.SatisfactionGiven(at=scene.at, contact=first, score=5))
    second = scene.mail("p2")
    scene.wait(2 * HOUR)
    scene.reply(second, resolve=True)
    scene.apply(e.SatisfactionGiven(at=scene.at, contact=second, score=2))
    scene.wait(HOUR)
    again = scene.chat("p2")
    scene.wait(MINUTE)
    scene.reply(again)
    scene.mail("p3", "bags")
    return scene


def test_what_was_promised_waited_and_came_back() -> None:
    """Promises are kept or broken by each answer and resolution; who opens another within a week has come back."""
    found = story().report(hourly=30)
    assert (found.total.contacts, found.total.resolved) == (4, 2)
    by_topic = {one.name: one for one in found.topics}
    refund = by_topic["refund"]
    assert (refund.contacts, refund.again) == (3, 1)
    assert (refund.answer_p50, refund.answer_p95) == (600.0, 7200.0)
    assert (refund.wait_p50, by_topic["bags"].answer_p50) == (0.0, None)
    assert refund.first_contact == 0.5
    assert (refund.promised, refund.kept) == (5, 0.8)  # three answers and two resolutions; one answer was late
    assert refund.effort_total == 130.0
    assert refund.effort_mean == 65.0
    assert refund.cost == 65.0
    assert [(one.name, one.contacts) for one in found.channels] == [("email", 3), ("webchat", 1)]


def test_satisfaction_is_by_contact_and_by_agent() -> None:
    """Asked, answered, the mean, and how many were satisfied."""
    found = story().report()
    assert (found.asked, found.scores) == (2, (0, 1, 0, 0, 1))
    assert (found.total.csat, found.total.satisfied, found.total.rated) == (3.5, 0.5, 2)
    [ana] = [one for one in found.agents if one.agent == "ana"]
    assert (ana.answers, ana.resolved, ana.contacts, ana.rated, ana.csat) == (3, 2, 4, 2, 3.5)


def test_only_what_was_opened_in_the_span_counts() -> None:
    """And of agents, what they did in it."""
    scene = story()
    late = scene.report(since=T0 + 2 * HOUR)
    assert (late.total.contacts, late.total.resolved) == (2, 0)
    assert late.agents[0].resolved == 1
    empty = scene.report(since=T0 + 10 * DAY)
    assert (empty.total.contacts, empty.total.kept, empty.total.csat, empty.agents) == (0, None, None, ())


def test_offers_that_were_not_taken_are_counted() -> None:
    """Declined, and lapsed."""
    scene = Told(desk(ANA, BEN))
    scene.mail("p1")
    scene.decline("c1")
    scene.wait(10 * MINUTE)
    counts = {one.agent: (one.declined, one.lapsed) for one in scene.report().agents}
    assert sum(declined for declined, _ in counts.values()) == 1
    assert sum(lapsed for _, lapsed in counts.values()) >= 1


def test_who_was_told_late_that_it_is_one_customer_is_counted_as_one() -> None:
    """A contact that a link brought belongs to its customer from then on; reopened, it was not done at first."""
    scene = Told(pushing(ANA, SUE))
    scene.mail("p1")
    scene.chat("p2")
    scene.apply(e.IdentitiesLinked(at=scene.at, agent="sue", contact="c1", other="c2", message="1-9"))
    scene.reply("c2", resolve=True)
    scene.mail("p1", "bags")
    assert scene.report().total.again == 1
    scene.apply(e.ContactReopened(at=scene.at, agent="ana", contact="c2"))
    scene.resolve("c2")
    assert scene.report().total.first_contact == 0.0


def test_the_four_forms_say_the_same() -> None:
    """Tables of words, CSV with one line for each, a page that needs nothing else, JSON that reads back."""
    found = story().report(hourly=30)
    named = {name: rows for name, _, rows in tables(found)}
    assert named["by topic"][-1][:3] == ("all", "4", "2")
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [(row["of"], row["name"], row["contacts"]) for row in rows] == [
        ("all", "", "4"), ("topic", "refund", "3"), ("topic", "bags", "1"),
        ("channel", "email", "3"), ("channel", "webchat", "1"), ("agent", "ana", "4"),
    ]  # fmt: skip
    page = as_page(found)
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "2 h 00 min" in page
    assert msgspec.json.decode(msgspec.json.encode(found), type=Report) == found
    assert title(found).startswith("How customers were served, 2027-01-15 08:00 to ")


def test_names_of_an_admin_are_words_and_no_formulas() -> None:
    """What a spreadsheet would run is set off; what a page would run is escaped."""
    total = story().report().total
    topic, channel = (msgspec.structs.replace(total, name=name) for name in ("=cmd|x", "<b>"))
    found = msgspec.structs.replace(story().report(), topics=(topic,), channels=(channel,))
    assert "'=cmd|x" in as_csv(found)
    assert "<b>" not in as_page(found)


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, ""), (5, "5 s"), (65, "1 min 05 s"), (3_600, "1 h 00 min"), (90_000, "25 h 00 min")]
)
def test_spans_are_said_as_people_say_them(seconds: float | None, said: str) -> None:
    """Seconds, minutes, hours."""
    assert span(seconds) == said
