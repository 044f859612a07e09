"""`usherd topics`: learned from a file, judged, asked, and what it would have labelled next; files gone wrong."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from router.cli import main
from router.core.errors import ConfigError
from skills.topics import judging
from skills.topics.judging import Judged
from skills.topics.labelled_files import read_labelled, read_texts
from skills.topics.training import Labelled

SAYINGS = {
    "refund": ["give my money back", "refund my payment", "you charged me twice", "reimburse the ticket"],
    "baggage": ["my suitcase is lost", "the bag is broken", "luggage is missing", "my trolley was damaged"],
    "booking": ["change the date", "add a passenger", "rebook the flight", "move my reservation"],
}
PARROT = [f"can I bring a parrot {word} in the cabin" for word in ("green", "small", "old", "loud", "blue")]


@dataclass
class Done:
    """What a command said, and how it ended."""

    stdout: str
    stderr: str
    returncode: int


def _usherd(*arguments: str, stdin: str = "") -> Done:
    said, told = io.StringIO(), io.StringIO()
    with (
        mock.patch.multiple(sys, argv=["usherd", "topics", *arguments], stdin=io.StringIO(stdin)),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(told),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    code = ended.value.code
    return Done(said.getvalue(), told.getvalue(), code if isinstance(code, int) else 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with texts to learn from, texts to judge by, and a model learned."""
    folder = tmp_path_factory.mktemp("topics")
    rows = [
        (f"{before} {text}", name) for name, texts in SAYINGS.items() for text in texts for before in ("", "please")
    ]
    lines = [f'"{text}",{name}' for text, name in rows]
    (folder / "train.csv").write_text(
        "text,label\n" + "\n".join([*lines, '"a refund, and my suitcase",refund|baggage'])
    )
    test = ["my money back please,refund", "the suitcase was lost,baggage", "change date,booking", "xyzzy,oos"]
    test.append("refund the payment,booking")  # mislabelled
    (folder / "test.csv").write_text("\n".join(["text,label", *test]))
    done = _usherd("train", "--train", f"{folder}/train.csv", "--out", f"{folder}/model", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["topics"] == 3
    return folder


def test_evaluate_gives_every_figure(files: Path) -> None:
    """The keys are those of the design, and the figures follow from the texts."""
    done = _usherd("evaluate", "--test", f"{files}/test.csv", "--train", f"{files}/train.csv", "--json")
    found = json.loads(done.stdout)
    assert {"latency_ms_p50", "latency_ms_p99", "train_seconds", "model_bytes", "macro_f1", "micro_f1"} <= set(found)
    assert found["accuracy"] == 0.75
    assert set(found["coverage_at_precision"]) == {"0.90", "0.95"}
    assert found["out_of_scope_auroc"] == 1.0
    assert found["ece"] <= 1


def test_evaluate_names_doubtful_labels_and_draws(files: Path) -> None:
    """People see the table, the text that is perhaps mislabelled, and three drawings."""
    done = _usherd("evaluate", "--test", f"{files}/test.csv", "--model", f"{files}/model", "--plot", f"{files}/plots")
    assert done.returncode == 0, done.stderr
    mislabelled = done.stdout.partition("Perhaps mislabelled")[2].partition("Topics that need")[0]
    assert "refund the payment" in mislabelled
    assert "my money back" not in mislabelled
    drawn = sorted(path.name for path in (files / "plots").iterdir())
    assert drawn == ["topics-calibration.svg", "topics-confusion.svg", "topics-coverage.svg"]


def test_predict_answers_line_by_line(files: Path) -> None:
    """Texts from stdin give one JSON line each, in their order."""
    done = _usherd("predict", "--model", f"{files}/model", stdin="my suitcase is gone\ngibberish жжж\n")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["chosen"] == ["baggage"]
    assert first["topics"][0]["topic"] == "baggage"
    assert second["unsure"]


def test_suggest_finds_a_new_topic(files: Path) -> None:
    """Unsure texts that are alike are a group with their words; texts worth labelling differ from one another."""
    (files / "new.txt").write_text("\n".join([*PARROT, "good evening to all of you", "rebook the flight"]))
    done = _usherd("suggest", f"{files}/new.txt", "--model", f"{files}/model", "--json")
    found = json.loads(done.stdout)
    (group,) = found["groups"]
    assert set(group["texts"]) == set(PARROT)
    assert "parrot" in group["words"]
    assert len({one["text"] for one in found["label"]} & set(PARROT)) < len(PARROT)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"text,label\na,b\na,b,c\n", 3, "3 columns"),
        (b"text,label\nx,y\n\nonly\n", 4, "1 columns"),
        (b'text,label\nx,y\n"open,y\n', 3, "not CSV"),
        (b"text,label\nx,y\ncaf\xe9,y\n", 3, "not UTF-8"),
        (b"words,label\na,b\n", 1, "no column `text`"),
        (b"", 1, "no column `text` and no column `label`"),
        (b"text,label\n", None, "holds no text"),
    ],
)
def test_broken_files_are_told_by_their_line(tmp_path: Path, content: bytes, line: int | None, said: str) -> None:
    """Broken rows, other encodings and missing columns name the file and the line."""
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as raised:
        read_labelled(path)
    assert (raised.value.file, raised.value.line) == (str(path), line)


def test_a_broken_file_ends_the_command_with_two(tmp_path: Path) -> None:
    """The command says what is wrong in a sentence, without a traceback."""
    (tmp_path / "broken.csv").write_text("text,label\na,b\nc\n")
    done = _usherd("evaluate", "--test", f"{tmp_path}/broken.csv")
    assert done.returncode == 2
    assert "broken.csv:3" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_are_read_whatever_the_text(tmp_path: Path) -> None:
    """Commas, line ends, a byte order mark, a megabyte of one letter, several labels, and JSON Lines are read."""
    path = tmp_path / "fine.csv"
    text = '\ufefflabel,text\nb|a,"one, two\nthree"\noos,zzz\n"",nothing\nc,' + "a" * 1_000_000
    path.write_text(text, encoding="utf-8")
    first, *rest = read_labelled(path)
    assert first == Labelled("one, two\nthree", ("b", "a"))
    assert [one.topics for one in rest] == [(), (), ("c",)]
    (tmp_path / "fine.jsonl").write_text('{"text": "x", "topics": ["a"]}\n\n{"text": "y"}\n')
    assert read_labelled(tmp_path / "fine.jsonl") == [Labelled("x", ("a",)), Labelled("y", ())]
    assert read_texts(path)[0] == "one, two\nthree"


@pytest.mark.parametrize("line", ["{", "[]", '{"text": 1}', '{"topics": ["a"]}', '{"text": "x", "topics": [1]}'])
def test_broken_json_lines_are_told_by_their_line(tmp_path: Path, line: str) -> None:
    """A line that is no labelled text is named."""
    path = tmp_path / "broken.jsonl"
    path.write_text('{"text": "x", "topics": ["a"]}\n' + line)
    with pytest.raises(ConfigError) as raised:
        read_labelled(path)
    assert raised.value.line == 2


def test_figures_follow_from_what_was_said() -> None:
    """F1, calibration, coverage and ranking of a case small enough to follow by hand."""

    def one(true: str, said: str, p: int, score: float) -> Judged:
        return Judged("", tuple(true), ((said, p),), (said,), score, 1.0)

    judged = [
        one("a", "a", 9_000, 3.0),
        one("b", "b", 8_000, 2.0),
        one("b", "a", 6_000, 1.0),
        one("ab", "b", 9_500, 2.5),
    ]
    assert judging.accuracy(judged) == 0.75
    micro, by_topic = judging.f1(judged)
    assert micro == pytest.approx(2 * 3 / (4 + 5))
    assert by_topic == pytest.approx({"a": 2 * 1 / (2 + 2), "b": 2 * 2 / (2 + 3)})
    assert judging.coverage_at(judged, 0.9) == 0.75
    assert judging.calibration_error(judged) == pytest.approx((0.1 + 0.05 + 0.2 + 0.6) / 4, abs=0.06)
    assert judging.ranking([1.0, 2.0], [0.0, 2.0]) == pytest.approx(2.5 / 4)
    assert judging.ranking([1.0], []) is None
