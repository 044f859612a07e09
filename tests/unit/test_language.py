"""In which of the configured languages a text is written."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.language import identify, spoken

EUROPE = ("en", "es", "pt")
WORLD = ("en", "es", "ru", "uk", "el", "he", "ar", "hi", "th", "ja", "zh", "ko")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my suitcase? It did not arrive.", "en"),
        ("Quiero que me devuelvan el dinero del vuelo, por favor", "es"),
        ("Gostaria de pedir o reembolso da minha passagem", "pt"),
        ("MI MALETA NO HA LLEGADO TODAVÍA", "es"),
    ],
)
def test_among_latin_languages(text: str, language: str) -> None:
    """Ordinary sentences are told apart."""
    assert identify(text, EUROPE) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Где мой чемодан? Он не прилетел вместе со мной", "ru"),
        ("Де моя валіза? Вона не прилетіла разом зі мною", "uk"),
        ("Πού είναι η βαλίτσα μου;", "el"),
        ("איפה המזוודה שלי", "he"),
        ("أين حقيبتي؟", "ar"),
        ("मेरा सूटकेस कहाँ है", "hi"),
        ("กระเป๋าของฉันอยู่ที่ไหน", "th"),
        ("スーツケースが届きません", "ja"),
        ("行李箱在哪里", "zh"),
        ("제 가방이 도착하지 않았어요", "ko"),
    ],
)
def test_scripts_decide(text: str, language: str) -> None:
    """A script that only one of the languages uses decides at once."""
    assert identify(text, WORLD) == language


@pytest.mark.parametrize(
    "text", ["", "  ", "ok", "123456 !!", "a@b.example https://x.example/abc", "🙂🙂🙂🙂🙂", "\x00\ud800", "hm?"]
)
def test_too_little_is_no_decision(text: str) -> None:
    """Fewer than four letters, addresses and links apart, say nothing."""
    assert identify(text, EUROPE) is None


def test_script_of_no_configured_language_is_no_decision() -> None:
    """A Russian text is not Spanish because Spanish is configured."""
    assert identify("Где мой чемодан?", EUROPE) is None
    assert identify("Где мой чемодан?", ("es",)) is None


def test_japanese_text_full_of_kanji_is_japanese() -> None:
    """A few kana among many Chinese characters mean Japanese."""
    assert identify("航空券の予約確認書再発行", ("zh", "ja")) == "ja"
    assert identify("请重新发送预订确认函", ("zh", "ja")) == "zh"


def test_one_configured_language_is_taken_where_its_script_is_used() -> None:
    """With one language there is nothing to choose."""
    assert identify("whatever is said here", ("en",)) == "en"


@pytest.mark.parametrize(
    ("tag", "language"), [("pt-BR", "pt"), ("EN", "en"), ("es", "es"), ("fr", None), ("", None), ("e", None)]
)
def test_a_programs_setting_counts_if_it_is_one_of_ours(tag: str, language: str | None) -> None:
    """What a writer's program is set to is a language of the workspace, in any of its spellings, or nothing."""
    assert spoken(tag, ("en", "es", "pt")) == language


def test_language_that_nobody_knows_is_never_chosen_by_chance() -> None:
    """A made-up code beside a known one gives no decision rather than a wrong one."""
    assert identify("Where is my suitcase", ("en", "zzz")) is None


@pytest.mark.parametrize("text", ["word " * 400_000, "я" * 2_000_000])
def test_huge_text_is_capped(text: str) -> None:
    """Megabytes cost what a page costs; the guard is far above that."""
    identify("warm up", EUROPE)
    begin = time.perf_counter()
    identify(text, (*EUROPE, "ru", "uk"))
    assert time.perf_counter() - begin < 5


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    """Whatever is written, the answer is one of the languages or none."""
    assert identify(text, WORLD) in (None, *WORLD)


def test_import_is_cheap() -> None:
    """Importing the module loads no model: a worker pays at the first message."""
    code = "import sys, skills.language; print('py3langid' in sys.modules, 'numpy' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False False"
