"""YAML as workspaces are read: strings only, lines known, nothing that bites."""

from __future__ import annotations

import pytest

from skills.yaml_values import DEPTH_MAX, YamlFile


def read(text: str) -> YamlFile:
    """One text as a file."""
    return YamlFile("w.yaml", text)


def only_error(text: str) -> tuple[str, int | None]:
    """Message and line of the one error in a text."""
    (error,) = read(text).errors
    return error.message, error.line


@pytest.mark.parametrize("word", ["no", "yes", "on", "10:30", "1.10", "0x1f", "1e3", "2026-12-24", "0o7", "1_000"])
def test_scalar_stays_what_was_written(word: str) -> None:
    """A word that YAML 1.1 would turn into something else stays a string."""
    assert read(f"a: {word}").values == {"a": word}


@pytest.mark.parametrize(
    ("written", "value"), [("", None), ("~", None), ("null", None), ("'null'", "null"), ("''", "")]
)
def test_only_a_plain_null_is_nothing(written: str, value: str | None) -> None:
    """A plain empty value, ~ and null are None; in quotes they are texts."""
    assert read(f"a: {written}").values == {"a": value}


def test_marks_know_each_key_and_item() -> None:
    """Keys and list items are found under their path with their line."""
    marks = read("a:\n  b: 1\n  c:\n    - x\n    - {d: 2,\n       e: 3}\n").marks
    assert {path: mark.line for path, mark in marks.items()} == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "d"): 5,
        ("a", "c", 1, "e"): 6,
    }


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("a: 1\nb: 2\na: 3", "`a` is set twice; first in line 1", 3),
        ("a: {b: 1, b: 2}", "`a.b` is set twice; first in line 1", 1),
        ("a:\n\tb: 1", "a tab indents this line", 2),
        ("a: 1\nb: c: d", "not YAML: mapping values are not allowed in this context", 2),
        ("a: @x", "not YAML: found character that cannot start any token", 1),
        ("a: 1\nb: 'x", "not YAML: found unexpected end of stream", 2),
        ("a: [1, 2", "not YAML: did not find expected ',' or ']'", 1),
        ("a: 1\nb\n", "not YAML: could not find expected ':'", 3),
        ("a: 1\nb: \x01", "not YAML: control characters are not allowed", 2),
        ("a: 1\n---\nb: 2", "a second document begins", 2),
        ("a: !!int 3", "the tag `tag:yaml.org,2002:int` means nothing here", 1),
        (
            "a: !!python/object:os.system {}",
            "the tag `tag:yaml.org,2002:python/object:os.system` means nothing here",
            1,
        ),
        ("a: 1\nb: *c", "`*c` has no `&c` above it in this file", 2),
        ("a: &x [*x]", "`*x` holds itself", 1),
        ("a: &x {b: 1}\nc:\n  <<: *x", "`<<` merges nothing in YAML 1.2", 3),
        ("? [a, b]\n: 1", "a key must be a word", 1),
    ],
)
def test_error_names_line_and_what_is_wrong(text: str, said: str, line: int) -> None:
    """Each way to get YAML wrong gives one error, in plain words, at its line."""
    assert only_error(text) == (said, line)


def test_every_error_has_a_remedy() -> None:
    """A mistake in the YAML comes with what to do about it."""
    assert read("a: *b").errors[0].hint
    assert read("a: b: c").errors[0].hint
    assert read("a: 1\na: 2").errors[0].hint


def test_first_value_of_a_repeated_key_is_kept_and_reading_goes_on() -> None:
    """What comes after a repeated key is read, so that its errors are told too."""
    file = read("a: 1\na: {b: 2, b: 3}\nc: 4\nc: 5")
    assert file.values == {"a": "1", "c": "4"}
    assert len(file.errors) == 3


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{a: " * 5_000, "- " * 50_000, "a: " + "[" * 100_000])
def test_deep_nesting_is_an_error_and_not_the_end_of_the_process(text: str) -> None:
    """A text of brackets gives an error about its depth, though libyaml's own composer would overflow the stack."""
    message, _ = only_error(text)
    assert str(DEPTH_MAX) in message or message.startswith("not YAML")


def test_bomb_of_aliases_is_an_error() -> None:
    """Aliases of aliases are counted as often as they stand for something."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    message, _ = only_error("\n".join(lines))
    assert message == "more than 1,000,000 values"


def test_alias_stands_for_its_value() -> None:
    """An alias as a value is read as what its anchor holds."""
    assert read("a: &x {b: [1]}\nc: *x").values == {"a": {"b": ["1"]}, "c": {"b": ["1"]}}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_nothing_is_no_error(text: str) -> None:
    """An empty file holds nothing and is no mistake."""
    file = read(text)
    assert (file.values, file.errors) == (None, [])
