"""How durations, shares, hours and the like are written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import TypeAdapter, ValidationError

from skills.scalars import Email, Flag, Listen, Share, Size, parse_days, parse_duration, parse_percent, parse_range


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("30s", 30_000),
        ("2m", 120_000),
        ("-2m", -120_000),
        ("1.5h", 5_400_000),
        ("1h30m", 5_400_000),
        ("2d", 172_800_000),
        ("250ms", 250),
        ("0", 0),
        ("0s", 0),
        (" 45s ", 45_000),
    ],
)
def test_duration_is_milliseconds(text: str, ms: int) -> None:
    """Durations with their units become whole milliseconds."""
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    "text", ["", "5 minutes", "2 h", "h", "1.5.2h", "2m-3s", "--2m", "٣s", "1" * 5_000, "1e3s", None]
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    """Anything else is refused in words that show how it is written."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_duration_without_unit_asks_which() -> None:
    """A bare number is refused with the three ways it may have been meant."""
    with pytest.raises(ValueError, match="write 90s, 90m or 90h"):
        parse_duration("90")


@pytest.mark.parametrize(("text", "share"), [("50%", 5_000), ("99.5 %", 9_950), ("120%", 12_000), ("0%", 0)])
def test_percentage_is_of_ten_thousand(text: str, share: int) -> None:
    """Percentages become integers of 10,000."""
    assert parse_percent(text) == share


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("sat", (5,)),
        ("daily", (0, 1, 2, 3, 4, 5, 6)),
        ("fri-mon", (0, 4, 5, 6)),
        ("Mon, Wednesday", (0, 2)),
    ],
)
def test_days_are_counted_from_monday(text: str, days: tuple[int, ...]) -> None:
    """Days are written as people write them, across the weekend too."""
    assert parse_days(text) == days


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("09:00-18:00", (540, 1080)),
        ("00:00-24:00", (0, 1440)),
        ("22:00-06:00", (1320, 1800)),
        ("9:00 – 14:30", (540, 870)),
    ],
)
def test_hours_are_minutes_from_midnight(text: str, minutes: tuple[int, int]) -> None:
    """Hours become minutes, those that end the next day beyond 24 hours."""
    assert parse_range(text) == minutes


@pytest.mark.parametrize("text", ["9-18", "09:00", "25:00-26:00", "09:60-10:00", "09:00-09:00", "", "24:00-06:00"])
def test_hours_that_no_clock_shows_are_refused(text: str) -> None:
    """Half-written and impossible hours are refused."""
    with pytest.raises(ValueError, match=r"hour|begins"):
        parse_range(text)


@pytest.mark.parametrize(("parse", "text"), [(parse_days, "someday"), (parse_days, ""), (parse_percent, "0.5")])
def test_other_words_are_refused(parse: Callable[[object], object], text: str) -> None:
    """What is neither days nor a percentage is refused with an example."""
    with pytest.raises(ValueError, match="such as"):
        parse(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Share, "0.5", 5_000),
        (Share, "150%", 15_000),
        (Flag, "true", True),
        (Size, "25MB", 25_000_000),
        (Listen, "127.0.0.1:0", ("127.0.0.1", 0)),
        (Listen, "[::1]:25", ("::1", 25)),
        (Email, "Help@ACME.example", "Help@acme.example"),
    ],
)
def test_typed_values(kind: type, text: str, value: object) -> None:
    """Shares, flags, sizes and addresses are read from their usual form."""
    assert TypeAdapter(kind).validate_python(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Share, "0"),
        (Share, "nan"),
        (Share, "x"),
        (Flag, "yes"),
        (Flag, "1"),
        (Size, "25"),
        (Listen, "2525"),
        (Listen, "h:99999"),
        (Email, "nobody"),
        (Email, "a b@c"),
        (Email, "<a@b>"),
    ],
)
def test_wrong_values_are_refused(kind: type, text: str) -> None:
    """Values of another form are refused, `yes` for a flag among them."""
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)
