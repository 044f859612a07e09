"""The load to expect at the fairness bound, and whom one more skill would help most, in cases to follow by hand."""

from __future__ import annotations

from typing import Any

import pytest

from router.app.outlook import expected, percent, words
from router.core.events import MessageReceived
from router.core.state import Learned, State
from router.core.values import Workspace
from router.sim.outlook import HOUR_MS, WEEK_MS, Demand, Group, Help, Outlook, demand_of, helps, outlook
from router.sim.recorded import Recorded
from skills.compile import compile_workspace
from skills.coverage import ordinary_week
from skills.model import WorkspaceConfig
from skills.requirements import Addition

MONDAY = 1_772_409_600_000  # 2026-03-02, 00:00 UTC
OFFICE = {"hours": {"mon-fri": "09:00-17:00"}}  # 40 hours
REFUNDS = {"when": {"topic": "refund"}, "require": {"refunds": "2"}}


def config(**changed: Any) -> WorkspaceConfig:
    """Ana can do refunds, ben cannot; both have office hours and take mail and chats."""
    given: dict[str, Any] = {
        "workspace": "acme",
        "calendars": {"office": OFFICE},
        "agents": {
            "ana": {"name": "Ana Souza", "skills": {"refunds": "3"}, **PLACE},
            "ben": {"name": "Ben Okoye", **PLACE},
        },
        "topics": {"refund": {"keywords": "refund", "effort": "60m"}, "bags": {"keywords": "bag", "effort": "60m"}},
        "rules": [REFUNDS],
        "sla": {"default": {"first_response": "8h", "calendar": "office"}},
    }
    return WorkspaceConfig.model_validate({**given, **changed})


PLACE = {"calendar": "office", "capacity": {"email": "3", "chat": "1"}}


def compiled(made: WorkspaceConfig) -> Workspace:
    """As the engine has it."""
    return compile_workspace(made, MONDAY, 7)


def recorded(*came: tuple[str, int, str], weeks: float = 1.0, efforts: dict[str, Learned] | None = None) -> Recorded:
    """Contacts by topic, hour of the week and kind."""
    found = Recorded(State(), MONDAY, end=MONDAY + round(weeks * WEEK_MS), efforts=efforts or {})
    for number, (topic, hour, kind) in enumerate(came):
        message = f"m{number}"
        found.opened_by[f"c{number}"] = message
        found.outside.append(
            MessageReceived(
                at=MONDAY + hour * HOUR_MS,
                message=message,
                channel="email",
                kind=kind,
                account="",
                sender=message,
                topics=((topic, 10_000),),
            )
        )
    return found


def ahead(made: WorkspaceConfig, record: Recorded) -> tuple[Outlook, list[Help]]:
    """The week to come, and what would help."""
    week, demand = ordinary_week(made), demand_of(record, compiled(made))
    now = outlook(made, week, demand)
    return now, helps(made, week, demand, now)


class TestLoad:
    """Work over time."""

    def test_work_is_spread_over_those_able(self) -> None:
        """Ten hours that both can do give each five of forty; ten refunds on top are ana's, ben gets the others."""
        made = config()
        shared, _ = ahead(made, recorded(*[("bags", 10, "email")] * 10))
        assert shared.levels == pytest.approx({"ana": 5 / 40, "ben": 5 / 40}, abs=1e-4)
        both, _ = ahead(made, recorded(*[("bags", 10, "email")] * 10, *[("refund", 10, "email")] * 20))
        assert both.levels == pytest.approx({"ana": 20 / 40, "ben": 10 / 40}, abs=1e-4)
        refunds = Group((("refunds", 2),), None, "email")
        assert both.loads == pytest.approx({refunds: 20 / 40, Group((), None, "email"): 10 / 40}, abs=1e-4)

    def test_more_weeks_are_a_mean_and_less_than_one_is_not_blown_up(self) -> None:
        """Ten hours in two weeks are five a week; in an hour they are ten."""
        made = config()
        came = [("refund", 10, "email")] * 10
        assert ahead(made, recorded(*came, weeks=2.0))[0].highest == pytest.approx(5 / 40, abs=1e-4)
        assert ahead(made, recorded(*came, weeks=0.01))[0].highest == pytest.approx(10 / 40, abs=1e-4)

    def test_efforts_are_those_learned(self) -> None:
        """Where 64 refunds took two hours each, a refund counts for nearly that, by the engine's own blend."""
        efforts = {"refund email": Learned(count=64, mean=2 * HOUR_MS)}
        now, _ = ahead(config(), recorded(("refund", 10, "email"), efforts=efforts))
        assert now.highest == pytest.approx((8 * 1 + 64 * 2) / 72 / 40, abs=1e-4)

    def test_a_message_that_opened_nothing_is_no_work(self) -> None:
        """What joined a contact, or is auto mail, is not counted."""
        record = recorded(("refund", 10, "email"), ("refund", 11, "email"))
        del record.opened_by["c1"]
        assert demand_of(record, compiled(config())).contacts.total() == 1

    def test_a_share_is_of_time(self) -> None:
        """Who works half a share gets half as much."""
        made = config(
            agents={
                "ana": {"skills": {"refunds": "3"}, "share": "0.5", **PLACE},
                "ben": {"skills": {"refunds": "3"}, **PLACE},
            }
        )
        now, _ = ahead(made, recorded(*[("refund", 10, "email")] * 30))
        assert now.levels == pytest.approx({"ana": 0.5, "ben": 0.5}, abs=1e-4)

    def test_a_chat_at_night_has_nobody(self) -> None:
        """A chat needs somebody in its hour; mail of the same hour waits for the morning."""
        now, _ = ahead(config(), recorded(("refund", 3, "chat"), ("refund", 3, "email")))
        chat, mail = Group((("refunds", 2),), None, "chat"), Group((("refunds", 2),), None, "email")
        assert now.nobody == {chat: HOUR_MS}
        assert now.loads[chat] is None
        assert now.loads[mail] == pytest.approx(1 / 40, abs=1e-4)

    def test_who_names_no_hours_is_taken_to_work_forty(self) -> None:
        """An agent without a calendar has a load of forty hours a week, and is there at any hour."""
        made = config(agents={"ana": {"skills": {"refunds": "3"}, "capacity": {"chat": "1"}}})
        now, _ = ahead(made, recorded(("refund", 3, "chat")))
        assert now.levels["ana"] == pytest.approx(1 / 40, abs=1e-4)


class TestHelp:
    """One more skill."""

    def test_the_busiest_group_is_relieved(self) -> None:
        """With refunds, ben takes half of them: the load falls to half, and the words say so."""
        made = config()
        _, (best,) = ahead(made, recorded(*[("refund", 10, "email")] * 30))
        assert best.addition == Addition("ben", "refunds", 2)
        assert (best.before, best.after) == pytest.approx((0.75, 0.375), abs=1e-4)
        assert words("Ben Okoye", best) == (
            "Ben Okoye, with refunds at 2: the busiest group would fall from 75 % to 38 %"
        )

    def test_a_gap_is_covered(self) -> None:
        """Without any journal: the person whose hours fill a topic's gap is named, and how many hours that is."""
        made = config(
            calendars={"office": OFFICE, "morning": {"hours": {"mon-fri": "09:00-13:00"}}},
            agents={
                "ana": {"skills": {"refunds": "3"}, "calendar": "morning", "capacity": {"email": "3"}},
                "ben": {"calendar": "office", "capacity": {"email": "3"}},
            },
        )
        week = ordinary_week(made)
        now = outlook(made, week, Demand())
        assert now.gaps == {"refund": 20 * HOUR_MS}
        (best,) = helps(made, week, Demand(), now)
        assert best.addition.agent == "ben"
        assert best.covered == pytest.approx(20)
        assert words("Ben", best) == "Ben, with refunds at 2: 20 more hours a week would have somebody"

    def test_a_level_is_raised_and_a_team_is_kept(self) -> None:
        """Who has the skill below its level is a candidate at that level; who is of another team is none."""
        made = config(
            agents={
                "ana": {"skills": {"refunds": "3"}, **PLACE},
                "ben": {"skills": {"refunds": "1"}, **PLACE},
                "cai": PLACE,
            },
            teams={"money": {"members": ["ana", "ben"]}},
            rules=[{**REFUNDS, "team": "money"}],
        )
        _, found = ahead(made, recorded(*[("refund", 10, "email")] * 10))
        assert [one.addition for one in found] == [Addition("ben", "refunds", 2)]

    def test_two_missing_skills_are_not_one(self) -> None:
        """Nobody is told to learn one thing where two are missing."""
        made = config(rules=[{"when": {"topic": "refund"}, "require": {"refunds": "2", "law": "1"}}])
        _, found = ahead(made, recorded(*[("refund", 10, "email")] * 10))
        assert [one.addition for one in found] == [Addition("ana", "law", 1)]

    def test_what_is_shared_evenly_needs_no_help(self) -> None:
        """Where everybody can do everything, nothing is proposed; of people alike only one is; three at most."""
        _, none = ahead(config(rules=[]), recorded(*[("refund", 10, "email")] * 10))
        assert none == []
        several = {name: {"calendar": "office", "capacity": {"email": str(n)}} for n, name in enumerate("bcdef", 1)}
        made = config(agents={"ana": {"skills": {"refunds": "3"}, **PLACE}, **several, "twin": several["b"]})
        _, found = ahead(made, recorded(*[("refund", 10, "email")] * 10))
        assert [one.addition.agent for one in found] == ["b", "c", "d"]


class TestTold:
    """The keys of `usherd check`."""

    def test_hours_alone_say_what_is_missing(self) -> None:
        """Without a journal there is no load, and the reason stands there."""
        found = expected(config(), None, "there is none")
        assert (found["demand"], found["missing"], found["groups"], found["load"]) == (None, "there is none", [], {})

    def test_an_empty_week_is_said_to_be_one(self) -> None:
        """A journal in which nobody wrote gives no load either."""
        found = expected(config(), recorded())
        assert found["missing"] == "nobody wrote in the last seven days"
        assert found["demand"]["contacts"] == 0
        assert found["load"] == {}

    def test_groups_stand_busiest_first(self) -> None:
        """Each group has its load, contacts and hours a week; the helper is named by name."""
        came = [("bags", 10, "email")] * 4, [("refund", 11, "email")] * 20
        found = expected(config(), recorded(*came[0], *came[1]))
        first, second = found["groups"]
        assert (first["topics"], first["requirement"], first["contacts_a_week"]) == (["refund"], {"refunds": 2}, 20.0)
        assert (first["load"], second["load"]) == pytest.approx((0.5, 0.1), abs=1e-3)
        assert found["load"] == pytest.approx({"ana": 0.5, "ben": 0.1}, abs=1e-3)
        (one,) = found["one_more_skill"]
        assert one["words"].startswith("Ben Okoye, with refunds at 2: the busiest group would fall from 50 % to 30 %")

    def test_covering_a_group_may_raise_the_highest_load(self) -> None:
        """The words say what rises too; small shares keep a decimal."""
        one = Help(Addition("ben", "refunds", 2), 0.2, 0.35, 10.0)
        assert words("Ben", one).endswith(
            "10 more hours a week would have somebody, and the busiest group would rise from 20 % to 35 %"
        )
        assert one.gain == pytest.approx(10 / 168)
        assert percent(0.0123) == "1.2 %"
