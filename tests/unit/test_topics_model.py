"""The topic classifier: from examples to calibrated topics, keywords, odd input, and untrusted files."""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.topics import ModelBroken, TopicModel, counting, linear, train
from skills.topics.calibrating import calibrate
from skills.topics.features import fold
from skills.topics.linear import GATED, scores_of
from skills.topics.model import P_MIN, THRESHOLD_DEFAULT, TOPICS_MAX
from skills.workspace import load

ROOT = Path(__file__).parents[2]


@dataclass
class Words:
    """A topic as an admin writes it."""

    examples: Sequence[str] = ()
    keywords: Sequence[str] = ()


TOPICS = {
    "refund": Words(
        [
            "I want my money back for the cancelled flight",
            "please refund order 1182",
            "you charged me twice, give me back what I paid",
            "how long until the refund is on my card",
            "quiero que me devuelvan el dinero del vuelo",
            "gostaria de pedir o reembolso da passagem",
        ],
        ["reembolso", "money back"],
    ),
    "baggage": Words(
        [
            "my suitcase did not arrive in Lisbon",
            "the handle of my bag is broken since the flight",
            "how many kilos of luggage can I take on board",
            "I left my backpack on the carousel",
            "mi maleta no ha llegado",
            "a minha mala foi extraviada",
        ],
        ["行李", "Koffer"],
    ),
    "booking": Words(
        [
            "I need to change the date of my flight",
            "can I add a passenger to my reservation",
            "please send me the booking confirmation again",
            "I typed my name wrong on the ticket",
            "necesito cambiar la fecha de mi vuelo",
            "quero remarcar o meu voo para sexta-feira",
        ]
    ),
}


@pytest.fixture(scope="module")
def model() -> TopicModel:
    """The three topics, trained."""
    return train(TOPICS)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Hello, when do I get the refund for order 99812?", "refund"),
        ("mi maleta llegó rota", "baggage"),
        ("my suitcaes did not arive", "baggage"),
        ("I must change the date, can I fly on Friday", "booking"),
        ("QUIERO MI DINERO", "refund"),
    ],
)
def test_new_texts_find_their_topic(model: TopicModel, text: str, topic: str) -> None:
    """Texts that resemble the examples, in several languages and with slips, get their topic first."""
    assert model.predict(text)[0][0] == topic


def test_probabilities_are_whole_ordered_and_few(model: TopicModel) -> None:
    """A prediction lists at most five topics of 10,000, best first."""
    for text in ("refund", "my suitcase", "hello there", "x"):
        found = model.predict(text)
        assert len(found) <= TOPICS_MAX
        assert [p for _, p in found] == sorted((p for _, p in found), reverse=True)
        assert all(P_MIN <= p <= 10_000 for _, p in found)


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Pedido de Reembolso!", "refund"),
        ("REEMBÓLSO", "refund"),
        ("the MONEY back", "refund"),
        ("我的行李不見了", "baggage"),
        ("mein koffer.", "baggage"),
    ],
)
def test_keyword_makes_its_topic_probable(model: TopicModel, text: str, topic: str) -> None:
    """A keyword counts in any case, with or without accents, of several words, and in scripts without spaces."""
    assert dict(model.predict(text))[topic] >= 9_000


@pytest.mark.parametrize("text", ["reembolsos", "money is back", "money, and back", "koffern"])
def test_keyword_counts_as_a_whole_word_only(text: str) -> None:
    """Parts of words, and words that stand apart, are no keyword."""
    keywords_only = train({name: Words((), words.keywords) for name, words in TOPICS.items()})
    assert keywords_only.predict(text) == ()


def test_two_keywords_give_two_topics(model: TopicModel) -> None:
    """A message of two topics names both."""
    assert {topic for topic, p in model.predict("reembolso für meinen Koffer") if p >= 9_000} == {"refund", "baggage"}


@pytest.mark.parametrize("text", ["", " \n\t", "\x00", "\ud800", "?!…", "🙂🙂"])
def test_text_without_words_is_unsure(model: TopicModel, text: str) -> None:
    """Nothing is claimed of an empty or wordless text."""
    assert all(p < 5_000 for _, p in model.predict(text))


def test_text_like_no_example_is_cut_down(model: TopicModel) -> None:
    """A message that looks like none of the examples stays at or below what such ones may have, whatever is best."""
    assert model.linear is not None
    cap = round(model.linear.gated * 10_000)
    for text in ("ж", "жыжы щупщ", "zzzzzz"):
        assert model.raw_score(text) <= model.linear.gate
        assert all(p <= cap for _, p in model.predict(text))
    assert model.threshold(1_000) > cap  # so it is unsure, however little precision is wished for


@pytest.mark.parametrize("text", ["a" * 1_000_000, "a " * 500_000, "行" * 1_000_000, "\ufdfa" * 10**6, "1 " * 9**6])
def test_huge_text_is_capped(model: TopicModel, text: str) -> None:
    """A megabyte of anything costs what a long mail costs; the guard is a hundred times that."""
    begin = time.perf_counter()
    model.predict(text)
    assert time.perf_counter() - begin < 1


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_gets_an_answer(text: str) -> None:
    """Whatever is written, predict answers with known topics, each once."""
    known = _trained()
    found = known.predict(text)
    assert {topic for topic, _ in found} <= set(TOPICS)
    assert len({topic for topic, _ in found}) == len(found)


@functools.lru_cache(maxsize=1)
def _trained() -> TopicModel:  # hypothesis takes no fixture
    return train(TOPICS)


READ = [
    "",
    "?!",
    "ж",
    "refund",
    "my suitcase suitcase suitcases",
    "order 1182 and 99 and 7, please",
    "I want, I want " * 20,
]


@settings(max_examples=100, deadline=None)
@given(text=st.one_of(st.sampled_from(READ), st.text("aefr nstu.ж行1", max_size=60), st.text(max_size=60)))
def test_prediction_reads_a_text_as_training_does(text: str) -> None:
    """The sums kept for pieces of text give the logits that training's matrix of features gives, whatever repeats."""
    known = _trained().linear
    assert known is not None
    texts, features = [fold(text)], (known.words, known.characters)
    strange = counting.unknown(texts, *features, known.unknown**0.5)
    rows = counting.weighed(counting.count(texts, *features), known.idf, len(known.words), strange)
    assert known.logits(fold(text), text) == pytest.approx((rows @ known.weights + known.bias)[0], abs=1e-5)


def test_what_nobody_wrote_before_makes_a_text_less_like_the_examples(model: TopicModel) -> None:
    """Strange words beside known ones lower the raw score, and the more of them the more."""
    scores = [model.raw_score(text) for text in ("refund", "refund zzqx", "refund zzqx kwwv yypj")]
    assert scores == sorted(set(scores), reverse=True)
    assert model.linear is not None
    assert scores[2] > scores_of(model.linear.bias, model.linear.temperature, together=True)


def test_what_is_kept_of_texts_changes_nothing_and_is_bounded(
    model: TopicModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text gets the same answer whatever came before it, also when what is kept of pieces was dropped meanwhile."""
    model.save(tmp_path / "model")
    monkeypatch.setattr(linear, "PIECES_MAX", 5)
    again = TopicModel.load(tmp_path / "model")
    assert again.linear is not None
    for text in [*READ, *reversed(READ)]:
        assert again.predict(text) == model.predict(text)
        assert len(vars(again.linear)["_pieces"]) <= 5


def test_same_topics_and_seed_give_the_same_model(model: TopicModel) -> None:
    """Order of topics does not matter, examples and seed do."""
    again = train(dict(reversed(TOPICS.items())))
    assert again.version == model.version
    assert train(TOPICS | {"booking": Words(TOPICS["booking"].examples[:5])}).version != model.version
    assert train(TOPICS, seed=1).version != model.version


def test_training_tells_its_progress() -> None:
    """Progress grows with each step up to the number of steps."""
    seen: list[tuple[int, int]] = []
    train(TOPICS, progress=lambda done, steps: seen.append((done, steps)))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert {steps for _, steps in seen} == {seen[-1][0]}
    assert len(seen) > 20


@pytest.mark.parametrize(
    "topics",
    [
        {},
        {"a": Words()},
        {"a": Words(["one text"])},
        {"a": Words(["  "]), "b": Words(["x"])},
        {"a": Words((), ["word"]), "b": Words()},
    ],
)
def test_too_few_examples_leave_keywords_alone(topics: dict[str, Words]) -> None:
    """With fewer than two topics to tell apart there is no classifier, and that is said."""
    found = train(topics)
    assert found.linear is None
    assert bool(found.warnings) is bool(topics)
    assert dict(found.predict("a word")) == ({"a": 9_000} if topics.get("a", Words()).keywords else {})


def test_one_example_a_topic_is_enough_to_begin() -> None:
    """Two topics of one example each can be told apart, with a warning and no gate."""
    found = train({"cat": Words(["my cat is lost"]), "bill": Words(["the invoice is wrong"])})
    assert found.predict("where is my cat")[0][0] == "cat"
    assert found.predict("a wrong invoice")[0][0] == "bill"
    assert len(found.warnings) == 2


def test_name_of_a_topic_is_an_example() -> None:
    """What a topic is called counts, its hyphens as spaces."""
    found = train({"lost-pet": Words(["my dog ran away"]), "bill": Words(["the invoice is wrong"])})
    assert found.predict("lost pet")[0][0] == "lost-pet"


def test_threshold_keeps_the_wished_precision() -> None:
    """Above the threshold the best topic was right as often as wished; with few examples it is one half."""
    assert train(TOPICS).threshold(9_500) == THRESHOLD_DEFAULT
    chance = np.random.default_rng(0)
    shared = [f"word{n}" for n in range(6)]
    topics = {
        name: Words([" ".join([f"{name}{chance.integers(3)}", *chance.choice(shared, 3)]) for _ in range(40)])
        for name in ("a", "b", "c")
    }
    found = train(topics)
    assert found.linear is not None
    threshold = found.threshold(9_000)
    kept = found.linear.right[found.linear.confidence * 10_000 >= threshold]
    assert len(kept) > 0
    assert kept.mean() >= 0.9


@pytest.mark.parametrize(("right", "gated"), [(0.0, GATED[0]), (0.4, 0.4 * 100 / 101), (1.0, GATED[1])])
def test_what_is_gated_may_be_as_probable_as_such_ones_were_right(right: float, gated: float) -> None:
    """Of examples held out the share of gated ones that were right is the cap, from a third to just below one half."""
    wanted = np.zeros((2_000, 2), np.float32)
    wanted[:, 0] = 1
    logits = np.tile(np.array([9, 0], np.float32), (2_000, 1))
    logits[:100] = [2, 1]  # so many lie below the gate
    logits[: round(100 * (1 - right))] = [1, 2]
    found = calibrate(logits, wanted, 2, several=False, together=False, caution=1.0)
    assert found.gated == pytest.approx(gated)


@pytest.mark.parametrize("gated", GATED)
@pytest.mark.parametrize("precision", [1, 3_000, 4_900, 9_500])
@pytest.mark.parametrize("outcomes", [10, 100])
@pytest.mark.parametrize("right", [True, False])
def test_threshold_is_above_what_is_gated(
    model: TopicModel, gated: float, precision: int, outcomes: int, *, right: bool
) -> None:
    """Whatever precision is wished for and however little is known, a text that looks like none of ours is unsure."""
    assert model.linear is not None
    sure, rights = np.linspace(0.01, 0.2, outcomes, dtype=np.float32), np.full(outcomes, right)
    found = replace(model, linear=replace(model.linear, gated=gated, confidence=sure, right=rights))
    assert found.threshold(precision) > round(gated * 10_000)
    assert max(p for _, p in found.predict("zzzzzz")) <= round(gated * 10_000)


def test_threshold_is_never_above_the_wish() -> None:
    """Where no held-out share was as precise as wished, a calibrated probability as high as the wish is asked for."""
    chance = np.random.default_rng(1)
    noise = {name: Words([" ".join(chance.choice(list("uvwxyz"), 4)) for _ in range(30)]) for name in ("a", "b")}
    assert train(noise).threshold(9_990) == 9_990


def test_saved_model_is_the_same(model: TopicModel, tmp_path: Path) -> None:
    """A model read from its files has the same version and says the same."""
    model.save(tmp_path / "topics")
    again = TopicModel.load(tmp_path / "topics")
    assert again.version == model.version
    for text in ("refund order 12", "my bag", "cambiar el vuelo", "?"):
        assert again.predict(text) == model.predict(text)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["topics.json", "topics.npz"]


def test_model_of_keywords_alone_is_saved_too(tmp_path: Path) -> None:
    """A model without a classifier survives its files."""
    model = train({"refund": Words((), ["refund"])})
    model.save(tmp_path / "topics")
    assert TopicModel.load(tmp_path / "topics").predict("refund!") == (("refund", 9_000),)


def _saved(model: TopicModel, folder: Path) -> Path:
    model.save(folder / "topics-1.2")
    return folder / "topics-1.2"


def test_altered_model_is_refused(model: TopicModel, tmp_path: Path) -> None:
    """One changed byte in the model's file is noticed."""
    path = _saved(model, tmp_path)
    data = bytearray(Path(f"{path}.npz").read_bytes())
    data[len(data) // 2] ^= 1
    Path(f"{path}.npz").write_bytes(data)
    with pytest.raises(ModelBroken, match="altered"):
        TopicModel.load(path)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", 99, "another version"),
        ("sha256", "0", "altered"),
        ("temperature", 2.0, "does not belong"),
        ("topics", ["a"], "do not fit"),
        ("topics", None, "no topic model can be read"),
        ("keywords", [], "no topic model can be read"),
    ],
)
def test_altered_manifest_is_refused(model: TopicModel, tmp_path: Path, key: str, value: object, said: str) -> None:
    """A manifest of another version, or one that does not fit its model, is refused in plain words."""
    path = _saved(model, tmp_path)
    manifest = json.loads(Path(f"{path}.json").read_text())
    Path(f"{path}.json").write_text(json.dumps(manifest | {key: value}))
    with pytest.raises(ModelBroken, match=said):
        TopicModel.load(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "\x00\xff"])
def test_nonsense_instead_of_a_manifest_is_refused(model: TopicModel, tmp_path: Path, text: str) -> None:
    """Whatever stands in the manifest, the answer is one kind of error."""
    path = _saved(model, tmp_path)
    Path(f"{path}.json").write_text(text)
    with pytest.raises(ModelBroken):
        TopicModel.load(path)


def test_missing_model_is_told(tmp_path: Path) -> None:
    """A model that was never saved is told as such."""
    with pytest.raises(ModelBroken, match="FileNotFoundError"):
        TopicModel.load(tmp_path / "none")


def test_pickle_in_a_model_is_not_run(model: TopicModel, tmp_path: Path) -> None:
    """An array of objects in a file whose SHA-256 was made to fit is refused: nothing in it is executed."""
    path = _saved(model, tmp_path)
    np.savez(Path(f"{path}.npz"), names=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    manifest = json.loads(Path(f"{path}.json").read_text())
    manifest["sha256"] = hashlib.sha256(Path(f"{path}.npz").read_bytes()).hexdigest()
    Path(f"{path}.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelBroken):
        TopicModel.load(path)


def test_prediction_imports_no_scikit_learn(model: TopicModel, tmp_path: Path) -> None:
    """A worker that only predicts loads neither scikit-learn nor scipy."""
    path = _saved(model, tmp_path)
    code = (
        "import sys; from pathlib import Path; from skills.topics import TopicModel; import skills.language;"
        f"TopicModel.load(Path({str(path)!r})).predict('refund');"
        "print([m for m in ('sklearn', 'scipy', 'yaml', 'pydantic', 'py3langid') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_example_workspace_trains() -> None:
    """The topics of the example workspace can be trained as they are."""
    config = load(ROOT / "config", {}).config
    found = train(config.topics)
    assert found.predict("My suitcase is missing since yesterday")[0][0] == "baggage"
    assert found.warnings == ()
