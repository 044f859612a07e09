"""What only says thanks, and what might be more."""

from __future__ import annotations

import pytest

from skills.thanks import only_thanks


@pytest.mark.parametrize(
    "text",
    [
        "Thanks!", "Thank you so much, Ana!", "ok, thanks a lot 👍", "Great, that works now. Thank you!", "👍", "🙏🏽",
        "Muchas gracias, un saludo", "¡Gracias!", "Muito obrigada!", "Vielen Dank für die schnelle Hilfe!",
        "Merci beaucoup, bonne journée", "Grazie mille :)", "Thanks\n\nCarla",
        "❤️", "Thanks 🎉", "😊👍🏻",
    ],
)  # fmt: skip
def test_thanks_alone(text: str) -> None:
    """Courtesies in the usual languages, with the names of those who talk, or a face alone."""
    assert only_thanks(text, ("Carla Gómez", "Ana Souza"))


@pytest.mark.parametrize(
    "text",
    [
        "", "Thanks, but it still does not work", "Thanks. And my seat?", "Thank you, order 1182 too", "ok", "perfect",
        "No thanks to you", "Thanks Broken", "Thanks for nothing", "Cancel it, thanks", "Thanks " * 30, "...",
        "🙏 refund", "Thanks Max", "¿Gracias?", "Thanks is it solved now",
        "👎", "❓", "😡", "❗️❗️", "Thanks ❔", "Thanks :(", "😢 thanks", "🚨", "👍👎",
    ],
)  # fmt: skip
def test_more_than_thanks(text: str) -> None:
    """A question, a number, a word or a sign that nobody knows, or nobody thanked: that may need an answer."""
    assert not only_thanks(text, ("Carla Gómez", "Ana Souza"))
