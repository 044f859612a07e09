"""What a model says beside topics: effort with its spread, moods; off without data, or where words tell nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from skills.topics import ModelBroken, TopicModel, train
from skills.topics.beside import EFFORT, SHARE_MAX, Beside
from skills.topics.sounding import HANDLED_MIN, Handled, Material, learn

WORDS = [
    "please",
    "help",
    "order",
    "account",
    "password",
    "card",
    "transfer",
    "payment",
    "balance",
    "fee",
    "travel",
    "address",
    "number",
    "code",
]
CALM = [f"where is parcel {word}" for word in WORDS] + [f"how do I change my {a} {b}" for a in WORDS for b in WORDS[:3]]
ANGRY = [
    f"this is {bad} {more}"
    for bad in ("outrageous", "unacceptable", "a disgrace", "ridiculous", "the worst service ever")
    for more in ("I am furious", "I will sue you", "how dare you", "I am fed up with you", "shame on you")
]


@dataclass
class Words:
    """What an admin says of a mood."""

    examples: Sequence[str] = ()
    keywords: Sequence[str] = ()


def handled(number: int, minutes_of_contracts: float, seed: int = 1) -> list[Handled]:
    """Contacts that took five minutes, those about contracts another time, with as much chance as there is in life."""
    chance, found = random.Random(seed), []
    for _ in range(number):
        contract = chance.random() < 0.3
        text = " ".join(chance.choices(WORDS, k=10)) + (" lawyer contract" if contract else "")
        minutes = (minutes_of_contracts if contract else 5) * chance.lognormvariate(0, 0.5)
        found.append(Handled(text, chance.choice(("refund email", "bags email")), round(minutes * 60_000)))
    return found


@pytest.fixture(scope="module")
def beside() -> Beside:
    """What is learned where everything is there to be learned from."""
    urgent = [
        *(Handled(f"{text} today, my flight leaves", "", 0, raised=True) for text in CALM[:30]),
        *(Handled(text, "", 0, raised=False) for text in CALM),
    ]
    moods = {"angry": Words(ANGRY, ["wütend"])}
    return learn(Material(moods, CALM, [*handled(400, 20), *urgent]))


def test_words_tell_effort_with_an_honest_spread(beside: Beside) -> None:
    """What takes four times as long is told; of contacts held out eight of ten lie in the spread, within 4 points."""
    told = beside.told[EFFORT]
    assert told["on"]
    assert told["factor"] < told["factor_by_topic"]
    assert abs(told["covered"] - 0.8) < 0.04
    long, short = beside.effort_of("my lawyer wants the contract"), beside.effort_of("please help with the fee")
    assert long[0] > 2 * short[0]
    assert all(low < likely < high for likely, low, high in (long, short))


def test_new_contacts_lie_in_the_spread(beside: Beside) -> None:
    """Of contacts that nobody has seen, eight of ten take what was said, within six points."""
    inside = 0
    new = handled(400, 20, seed=2)
    usual = sum(one.ms for one in handled(400, 20)) / 400
    for one in new:
        _, low, high = beside.effort_of(one.text)
        inside += low <= 10_000 * one.ms / usual <= high
    assert abs(inside / len(new) - 0.8) < 0.06


def test_effort_is_off_without_data_and_where_words_tell_nothing() -> None:
    """Too few contacts, or contacts whose words have nothing to do with what they took: off, and the reason is said."""
    few = learn(Material(handled=handled(HANDLED_MIN - 1, 20)))
    assert (few.effort, few.effort_of("a contract")) == (None, ())
    assert few.told[EFFORT]["said"] == f"{HANDLED_MIN - 1} contacts were handled, {HANDLED_MIN} are needed"
    chance = learn(Material(handled=handled(400, 5)))
    assert chance.effort is None
    assert "that is no help" in chance.told[EFFORT]["said"]
    apart = learn(Material(handled=[Handled(f"{'abcdefghij'[n % 10] * (n + 9)}", "", n + 1) for n in range(300)]))
    assert apart.effort is None


def test_moods_are_found_and_calm_texts_are_not(beside: Beside) -> None:
    """The angry are told by the admin's examples, the urgent by whose priority agents raised; keywords always count."""
    assert beside.told["angry"]["on"]
    assert beside.told["urgent"]["on"]
    assert beside.told["angry"]["wrong"] <= 0.02
    assert beside.moods_of("This is outrageous, I will sue you!") == ("angry",)
    assert beside.moods_of("how do I change my card today, my flight leaves") == ("urgent",)
    assert beside.moods_of("Ich bin WÜTEND") == ("angry",)
    assert beside.moods_of("how do I change my address") == ()
    assert beside.moods_of("") == ()


def test_a_mood_is_off_until_there_are_examples() -> None:
    """Five examples are too few, and the reason says how many are needed; examples that say nothing are no help."""
    found = learn(Material({"angry": Words(ANGRY[:5])}, CALM))
    assert found.moods_of(ANGRY[0]) == ()
    assert found.told["angry"]["said"].startswith("5 texts sound angry")
    chance = random.Random(3)
    texts = [" ".join(chance.choices(WORDS, k=6)) for _ in range(120)]
    same = learn(Material({"angry": Words(texts[:40])}, texts[40:]))
    assert not same.told["angry"]["on"]
    assert "are needed" in same.told["angry"]["said"]


def test_odd_texts_get_an_answer(beside: Beside) -> None:
    """Nothing, one letter a million times, another script: an answer within bounds."""
    for text in ("", " ", "a" * 1_000_000, "行李没有到", "contract lawyer " * 500):
        shares = beside.effort_of(text)
        assert all(0 <= share <= 1_000_000 for share in shares)
        assert not shares or 10_000 / SHARE_MAX <= shares[0] <= 10_000 * SHARE_MAX


def test_it_is_stored_with_the_model_and_cannot_be_altered(beside: Beside, tmp_path: Path) -> None:
    """A model that was read back says the same; one whose figures were changed by hand is not used."""
    topics = {"refund": Words(["money back"] * 2, []), "bags": Words(["lost bag"] * 2, [])}
    model = replace(train(topics), beside=beside)
    model.save(tmp_path / "m")
    again = TopicModel.load(tmp_path / "m")
    assert again.digest == model.digest
    for text in (ANGRY[0], "my lawyer wants the contract"):
        assert again.beside.effort_of(text) == beside.effort_of(text)
        assert again.beside.moods_of(text) == beside.moods_of(text)
    assert again.beside.told == beside.told
    manifest = tmp_path / "m.json"
    manifest.write_text(manifest.read_text().replace('"threshold": ', '"threshold": -1'))
    with pytest.raises(ModelBroken):
        TopicModel.load(tmp_path / "m")
