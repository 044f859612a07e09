"""What contract tests share: a fake Telegram for each module, in which nothing has happened at the start of a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.telegram.server import FakeTelegram


@pytest.fixture(scope="module")
def telegram_server() -> Iterator[FakeTelegram]:
    """One server for all tests of a module."""
    with FakeTelegram().running() as made:
        yield made


@pytest.fixture
def fake(telegram_server: FakeTelegram) -> FakeTelegram:
    """A Telegram in which nothing has happened yet."""
    telegram_server.begin_anew()
    return telegram_server
