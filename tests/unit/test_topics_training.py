"""How topics are learned: the solver's two ways, several topics, none of ours, people of two minds, odd examples."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skills.topics import TopicModel, solving, train, training
from skills.topics.calibrating import calibrate
from skills.topics.model import ALSO_DEFAULT, OTHER
from skills.topics.training import Labelled


@dataclass
class Words:
    """A topic as an admin writes it."""

    examples: Sequence[str] = ()
    keywords: Sequence[str] = ()


SUBJECTS = {
    "refund": ["money back", "refund my payment", "charged twice", "reimburse me"],
    "baggage": ["suitcase lost", "bag broken", "luggage missing", "trolley damaged"],
    "booking": ["change the date", "new passenger", "rebook the flight", "move my reservation"],
}
AROUND = ["please", "hello there", "since monday", "for order 771", "I am angry", "thanks", "my wife and I", "urgent"]
WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "alpha",
    "beta",
    "pi",
    "mu",
    "phi",
]
NONE = {name: Words() for name in SUBJECTS}


def _texts(topics: Sequence[str], number: int, seed: int = 0) -> list[str]:
    chance = random.Random(f"{topics}{seed}")
    return [
        " ".join([chance.choice(AROUND), *(chance.choice(SUBJECTS[topic]) for topic in topics), f"{chance.random()}"])
        for _ in range(number)
    ]


def _labelled(*topics: str, number: int = 15) -> list[Labelled]:
    numbered = zip(_texts(topics, number), WORDS[:number], strict=True)
    return [Labelled(f"{text} {word}", topics) for text, word in numbered]


@pytest.fixture(scope="module")
def several() -> TopicModel:
    """Taught with texts of one and of two topics."""
    pairs = [("refund", "baggage"), ("booking", "refund"), ("baggage", "booking")]
    taught = [one for names in (*pairs, *((name,) for name in SUBJECTS)) for one in _labelled(*names)]
    return train(NONE, labelled=taught)


def _problem(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(40, 12)).astype(np.float32)
    return rows, np.eye(4, dtype=np.float32)[chance.integers(0, 4, 40)]


def _alike(rows: np.ndarray) -> np.ndarray:
    exact = rows.astype(np.float64)
    return exact @ exact.T


@pytest.mark.parametrize("of_several", [False, True])
def test_both_ways_find_the_same_optimum(monkeypatch: pytest.MonkeyPatch, of_several: bool) -> None:
    """Fitted in the space of the examples or of the features, the same text gets the same logits."""
    monkeypatch.setattr(solving, "TOLERANCE", 1e-9)
    monkeypatch.setattr(solving, "ROUNDS_MAX_LARGE", 500)
    rows, wanted = _problem()
    ours = solving.by_examples(_alike(rows), wanted, several=of_several, round_=lambda: None)
    other = solving.by_features(rows, wanted, several=of_several, round_=lambda: None)
    assert np.abs(_alike(rows) @ ours.of + ours.bias - (rows @ other.of + other.bias)).max() < 0.05


@pytest.mark.parametrize("of_several", [False, True])
def test_the_optimum_is_that_of_scikit_learn(monkeypatch: pytest.MonkeyPatch, of_several: bool) -> None:
    """The solver finds the weights that scikit-learn's logistic regression finds, its bias a feature like any other."""
    monkeypatch.setattr(solving, "TOLERANCE", 1e-10)
    monkeypatch.setattr(solving, "ROUNDS_MAX_LARGE", 2_000)
    monkeypatch.setattr(solving, "COST", 1.0)
    monkeypatch.setattr(solving, "COST_SEVERAL", 1.0)
    rows, wanted = _problem()
    ours = solving.by_features(rows, wanted, several=of_several, round_=lambda: None)
    with_bias = np.hstack((rows, np.ones((len(rows), 1)))).astype(np.float64)
    truth = wanted.argmax(axis=1)
    judges = [truth == topic for topic in range(4)] if of_several else [truth]
    judge = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8, max_iter=5_000)
    weights = np.vstack([judge.fit(with_bias, y).coef_.copy() for y in judges]).T
    assert np.abs(np.vstack((ours.of, ours.bias)) - weights).max() < 5e-3


def test_a_text_of_two_topics_gets_both(several: TopicModel) -> None:
    """Taught with texts of several topics, the model decides each topic by itself, and chooses those that are meant."""
    assert several.linear is not None
    assert several.linear.several
    found = several.predict("hello, a refund my payment and my suitcase lost too")
    assert set(several.chosen(found)) == {"refund", "baggage"}
    assert several.chosen(several.predict("please change the date")) == ("booking",)


def test_of_topics_that_compete_only_the_best_is_chosen() -> None:
    """Taught with one topic a text, the probabilities are shares of one whole, and the best alone counts."""
    found = train({name: Words(_texts([name], 12)) for name in SUBJECTS})
    assert found.linear is not None
    assert not found.linear.several
    assert found.also == ALSO_DEFAULT
    said = found.predict("charged twice for the trolley")
    assert sum(p for _, p in said) <= 10_002
    assert len(found.chosen(said)) == 1


def test_what_is_none_of_ours_is_learned() -> None:
    """Texts marked as none of the topics take their like away from every topic, and are never a topic themselves."""
    topics = {name: Words(_texts([name], 12)) for name in SUBJECTS}
    greetings = [f"good morning to everybody there {word}" for word in WORDS[:8]]
    before = train(topics)
    after = train(topics, labelled=[Labelled(text, ()) for text in greetings])
    assert after.topics == before.topics
    assert OTHER not in dict(after.predict("good morning to everybody"))
    assert all(p < 3_000 for _, p in after.predict("good morning to everybody there"))
    assert before.predict("good morning to everybody there")[0][1] > 3_000
    assert after.predict("my luggage missing")[0][0] == "baggage"
    assert after.predict("my luggage missing")[0][1] > 5_000


def test_a_model_of_several_topics_and_of_none_survives_its_files(several: TopicModel, tmp_path: Path) -> None:
    """How topics are decided, and the column for none of them, are kept in the files."""
    taught = [Labelled("good morning to all", ()), *_labelled("refund"), *_labelled("booking", "refund")]
    for number, model in enumerate((several, train(NONE, labelled=taught))):
        model.save(tmp_path / f"topics{number}")
        again = TopicModel.load(tmp_path / f"topics{number}")
        assert again.version == model.version
        for text in ("a refund and my suitcase", "change the date", "good morning to all"):
            assert again.predict(text) == model.predict(text)
            assert again.chosen(again.predict(text)) == model.chosen(model.predict(text))


def test_two_minds_about_a_text_share_it() -> None:
    """A text that one person gave one topic and another a second counts half for each; said twice it counts once."""
    taught = [Labelled("it is about the thing", ("refund",)), Labelled("it is about the THING", ("baggage",))]
    shown = training.fit(NONE, [*taught, *_labelled("refund"), *_labelled("baggage")], 0, lambda _done, _steps: None)
    p = dict(shown.predict("it is about the thing"))
    assert abs(p["refund"] - p["baggage"]) < 2_000


def test_topics_that_are_no_more_teach_nothing() -> None:
    """What was said of a topic that is gone is left out, whole where the text bore no other."""
    taught = [*_labelled("refund"), *_labelled("baggage"), Labelled("the old thing", ("gone",))]
    with_gone = train(NONE, labelled=[*taught, Labelled("refund my payment", ("gone", "refund"))])
    assert with_gone.version == train(NONE, labelled=[*taught[:-1], Labelled("refund my payment", ("refund",))]).version


def test_equal_examples_of_all_topics_are_no_error() -> None:
    """Where every topic has the very same examples, the names decide, and nobody is misled."""
    same = ["the same text", "THE SAME TEXT", "another text", "a third one"] * 5
    found = train({"cat": Words(same), "bill": Words(same)})
    assert found.predict("cat")[0][0] == "cat"
    said = dict(found.predict("another text"))
    assert abs(said["cat"] - said["bill"]) < 1_000


def test_a_fit_that_learned_nothing_is_said() -> None:
    """Where nothing tells two topics apart, not even their names, a warning says so."""
    taught = [Labelled(text, (name,)) for text in _texts(["refund"], 8) for name in ("a-b", "a_b")]
    found = train({"a-b": Words(), "a_b": Words()}, labelled=taught)
    assert found.warnings == ("nothing in the examples tells the topics apart: training has learned nothing",)
    assert [p for _, p in found.predict("refund my payment")] == [3_300, 3_300]  # gated


def test_a_topic_known_by_its_name_alone_is_said() -> None:
    """A topic without examples is known by its name, with a warning."""
    found = train({"cat": Words(["my cat is ill"]), "bill": Words(["a wrong invoice"]), "lost_key": Words()})
    assert found.predict("a lost key")[0][0] == "lost_key"
    assert [text for text in found.warnings if "only its name" in text] == [
        "topic `lost_key` has no example, only its name"
    ]


@pytest.mark.parametrize("text", ["a" * 1_000_000, "行" * 100_000, "\ud800\udfff", "ا" * 50, "🙂" * 3_000, "\x00"])
def test_odd_examples_are_learned_from(text: str) -> None:
    """Examples of any script and size are taken, and found again where they hold a word."""
    found = train({"cat": Words([text, "my cat is ill"]), "bill": Words(["a wrong invoice", "what do I owe"])})
    assert found.predict("my cat is ill")[0][0] == "cat"


def test_many_examples_are_learned_in_the_space_of_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many examples the other solver is used, with as good an end."""
    monkeypatch.setattr(training, "FEW_MAX", 50)
    seen: list[int] = []
    found = train(
        {name: Words(_texts([name], 80)) for name in SUBJECTS}, progress=lambda done, steps: seen.append(steps - done)
    )
    assert seen[-1] == 0
    assert found.linear is not None
    assert 30 < len(found.linear.right) < 60  # a fifth was held out
    for name, texts in ((name, _texts([name], 10, seed=1)) for name in SUBJECTS):
        assert {found.predict(text)[0][0] for text in texts} == {name}


def test_calibration_without_examples_held_out_guesses() -> None:
    """With nothing held out there is a guess, and no gate."""
    nothing = np.zeros((0, 3), np.float32)
    found = calibrate(nothing, nothing, 3, several=False, caution=1.0)
    assert found.gate < -1e6
    assert found.also == ALSO_DEFAULT


def test_calibrated_probabilities_are_right_as_often_as_they_say() -> None:
    """Logits that are too sure are cooled until the mean probability is the share that was right."""
    chance = np.random.default_rng(5)
    logits = chance.normal(size=(4_000, 5)).astype(np.float32)
    powers = np.exp(logits)
    shares = powers / powers.sum(axis=1, keepdims=True)
    truth = (shares.cumsum(axis=1) < chance.random((4_000, 1))).sum(axis=1).clip(max=4)
    found = calibrate(7 * logits, np.eye(5, dtype=np.float32)[truth], 5, several=False, caution=1.0)
    assert abs(found.temperature - 7) < 0.5
    assert abs(float(found.confidence.mean()) - float(found.right.mean())) < 0.02
