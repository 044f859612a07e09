"""The encoder extra: joined to the text features where it tells topics better, and done without where it does not."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from skills.topics import TopicModel, encoders, train
from skills.topics.features import fold
from skills.topics.linear import Floats
from skills.topics.training import Labelled

ENGLISH = {
    "refund": ["I want my money back", "please return my payment", "you charged me twice", "cancel and reimburse me"],
    "bags": ["my suitcase is lost", "my luggage was damaged", "where is my bag", "the baggage did not arrive"],
    "pets": ["can my dog fly with me", "is my cat allowed on board", "travelling with an animal", "a crate for my pet"],
}
AROUND = ["", "Hello, ", "Please help: ", "Good morning. ", "Since yesterday, "]
OTHERS = {
    "refund": ["Quiero que me devuelvan el dinero", "Ich möchte mein Geld zurück", "Je veux être remboursé"],
    "bags": ["Mi maleta se ha perdido", "Mein Koffer ist nicht angekommen", "Ma valise est perdue"],
    "pets": ["¿Puede volar mi perro?", "Darf meine Katze mitfliegen?", "Mon chien peut-il voyager avec moi ?"],
}


@dataclass
class Words:
    """A topic as an admin writes it."""

    examples: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)


TOPICS = {name: Words([f"{before}{text}" for text in texts for before in AROUND]) for name, texts in ENGLISH.items()}


class Noise:
    """An encoder that says nothing about what it reads."""

    name = "noise"
    size = 64

    def __init__(self) -> None:
        self.read = 0

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors by chance."""
        self.read += len(texts)
        found = np.random.default_rng(1).normal(size=(len(texts), self.size))
        return np.asarray(4 * found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def model() -> TopicModel:
    """A model of English examples, with the encoder of the extra."""
    encoder, problem = encoders.find("auto")
    assert problem == ""
    return train(TOPICS, encoder=encoder)


def right(model: TopicModel) -> int:
    """How many texts in other languages it tells."""
    return sum(model.predict(text)[:1][0][0] == topic for topic, texts in OTHERS.items() for text in texts)


def test_it_tells_topics_in_languages_without_an_example(model: TopicModel) -> None:
    """English examples alone are enough for Spanish, German and French, as they are not without it."""
    assert model.linear is not None
    assert model.linear.encoder == "usem3"
    assert right(model) >= 8
    assert right(model) > right(train(TOPICS)) + 2


def test_it_is_stored_by_name_and_needed_again(
    model: TopicModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A saved model predicts the same; where the encoder is not installed it is none, and the reason is plain."""
    model.save(tmp_path / "m")
    again = TopicModel.load(tmp_path / "m")
    for texts in OTHERS.values():
        for text in texts:
            assert again.predict(text) == model.predict(text)
    monkeypatch.setitem(sys.modules, "usem3", None)
    encoders.named.cache_clear()
    try:
        with pytest.raises(encoders.EncoderMissing, match=r"usherd\[encoder\]"):
            TopicModel.load(tmp_path / "m")
    finally:
        encoders.named.cache_clear()


def test_an_encoder_that_does_not_help_is_left_out() -> None:
    """Where topics held out are told worse with it, the model does without."""
    noise = Noise()
    found = train(TOPICS, encoder=noise)
    assert noise.read
    assert found.linear is not None
    assert (found.linear.encoder, found.linear.encoded.size) == ("", 0)


def test_with_few_examples_it_is_not_even_loaded() -> None:
    """Nothing could tell whether it helps."""
    noise = Noise()
    train({name: Words(texts) for name, texts in ENGLISH.items()}, encoder=noise)
    assert noise.read == 0


def test_many_examples_are_fitted_with_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the space of examples the fit joins sparse and dense features, to much the same model."""
    monkeypatch.setattr("skills.topics.training.FEW_MAX", 20)
    encoder, _ = encoders.find("usem3")
    found = train(TOPICS, encoder=encoder, labelled=[Labelled("a free upgrade", ()), Labelled("good bye", ())])
    assert found.linear is not None
    assert found.linear.encoder == "usem3"
    assert right(found) >= 7


def test_what_words_alone_say_is_added_where_it_foretells_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside an encoder a quarter of what words alone say is added, or nothing, by what examples held out say of it."""
    encoder, _ = encoders.find("usem3")
    words, models = train(TOPICS), []
    for sign in (1, -1):  # now the smaller logits are held to foretell better, now the larger
        monkeypatch.setattr(
            "skills.topics.training.surprise", lambda logits, *_, several, sign=sign: sign * np.abs(logits).sum()
        )
        models.append(train(TOPICS, encoder=encoder))
    alone, without, with_some = (one.linear for one in (words, *models))
    assert alone is not None
    assert without is not None
    assert with_some is not None
    for texts in OTHERS.values():
        for text in [*texts, "my money and my dog"]:
            told, some, none = (one.logits(fold(text), text) for one in (alone, with_some, without))
            assert some == pytest.approx(none + 0.25 * told, abs=0.02)
            assert np.abs(some - none).max() > 0.02


@pytest.mark.parametrize(("name", "said"), [("/no/such/folder", "model.onnx"), ("usem", "model.onnx")])
def test_what_cannot_be_had_is_said(name: str, said: str) -> None:
    """A folder that is not there, or a name that nothing has, is a plain sentence and no encoder."""
    found, problem = encoders.find(name)
    assert found is None
    assert said in problem


def test_none_and_auto_without_the_extra_are_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`none` tries nothing; `auto` tries nothing where the extra is not installed, and that is no problem."""
    assert encoders.find("none") == (None, "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert encoders.find("auto") == (None, "")


@pytest.mark.parametrize("text", ["", " ", "x" * 1_000_000, "\x00", "مرحبا", "🙂" * 500])
def test_any_text_can_be_encoded(model: TopicModel, text: str) -> None:
    """Empty, endless or odd texts give probabilities all the same."""
    assert all(0 <= p <= 10_000 for _, p in model.predict(text))


class Session:
    """Of onnxruntime, as far as it is used: each token's vector says which token it is."""

    def __init__(self, path: str, _: object) -> None:
        assert path.endswith("model.onnx")

    def get_inputs(self) -> list[SimpleNamespace]:
        """What the model takes: no token types."""
        return [SimpleNamespace(name="input_ids"), SimpleNamespace(name="attention_mask")]

    def run(self, _: None, given: dict[str, np.ndarray[tuple[int, int], np.dtype[np.int64]]]) -> list[Floats]:
        """The last layer, [texts, tokens, 3]."""
        assert set(given) == {"input_ids", "attention_mask"}
        return [np.eye(3, dtype=np.float32)[given["input_ids"]]]


class Tokens:
    """Of tokenizers: a word is a token, padded with the third."""

    @classmethod
    def from_file(cls, path: str) -> Tokens:
        """Read."""
        assert path.endswith("tokenizer.json")
        return cls()

    def enable_truncation(self, most: int) -> None:
        """Cut."""
        assert most == encoders.TOKENS_MAX

    def enable_padding(self) -> None:
        """Fill up."""

    def encode_batch(self, texts: Sequence[str]) -> list[SimpleNamespace]:
        """Ids and masks."""
        ids = [[{"money": 0}.get(word, 1) for word in text.split()] for text in texts]
        most = max(map(len, ids))
        return [
            SimpleNamespace(ids=one + [2] * (most - len(one)), attention_mask=[1] * len(one) + [0] * (most - len(one)))
            for one in ids
        ]


def test_an_admins_own_is_the_mean_over_its_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder's model is read once; padding does not count, and a text without a token has the length 0."""
    runtime = SimpleNamespace(SessionOptions=SimpleNamespace, InferenceSession=Session)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.setitem(sys.modules, "tokenizers", SimpleNamespace(Tokenizer=Tokens))
    encoders.named.cache_clear()
    try:
        found, problem = encoders.find("/models/mine")
        assert problem == ""
        assert found is not None
        assert (found.name, found.size) == ("/models/mine", 3)
        vectors = found.encode(["money", "money money bag bag", "", "bag " * 200])
        assert found.encode([]).shape == (0, 3)
    finally:
        encoders.named.cache_clear()
    expected = [[1, 0, 0], [0.5**0.5, 0.5**0.5, 0], [0, 0, 0], [0, 1, 0]]
    assert np.allclose(vectors, expected, atol=1e-6)
