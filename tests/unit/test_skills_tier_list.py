"""The list of customers and tiers: read as part of the workspace, wrong lines named one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.app.http import tier_of
from router.app.reload import signature
from skills.workspace import ConfigErrors, load, restore
from tests.unit.test_skills_workspace import GOOD, write

TIERS = GOOD + "customers: {list: tiers.csv, tiers: {gold: {}, silver: {match: {domain: [silver.example]}}}}\n"


def workspace(folder: Path, rows: str, text: str = TIERS) -> Path:
    """A workspace with a list."""
    write(folder, text)
    write(folder, rows, "tiers.csv")
    return folder


def test_addresses_and_domains_have_their_tier(tmp_path: Path) -> None:
    """Case and an @ before a domain do not matter; an address counts before its domain, a rule before the list."""
    head = "customer,tier,since\nCEO@Other.example,gold,2020\n"
    rows = head + "@big.example,gold,\nx@silver.example,gold,\nbig2.example,silver\n"
    loaded = load(workspace(tmp_path, rows), {})
    find = tier_of(loaded.config)
    assert [find(one) for one in ("ceo@other.example", "a@OTHER.example", "b@big.example", "c@big2.example")] == [
        "gold", None, "gold", "silver",
    ]  # fmt: skip
    assert (find("x@silver.example"), find("y@silver.example"), find("telegram:1")) == ("gold", "silver", None)


def test_another_list_is_another_version_and_travels_with_it(tmp_path: Path) -> None:
    """The watcher sees the file; another node has the same from the content alone."""
    folder = workspace(tmp_path, "customer;tier\na@x.example;gold\n")
    first, seen = load(folder, {}), signature(folder)
    write(folder, "customer;tier\na@x.example;silver\n\n", "tiers.csv")
    second = load(folder, {})
    assert first.version != second.version
    assert signature(folder) != seen
    assert tier_of(restore(second.content, tmp_path, {}).config)("a@x.example") == "silver"


@pytest.mark.parametrize(
    ("rows", "line", "said"),
    [
        ("customer,tier\na@x.example,gold\nb@x.example,platinum\n", 3, "unknown tier `platinum`"),
        ("customer,tier\na@x.example\n", 2, "has 1 of 2 columns"),
        ("customer,tier\n,gold\n", 2, "names no customer"),
        ("customer,tier\na@x.example, \n", 2, "names no tier"),
        ("customer,tier\na@x.example,gold\nA@x.example,silver\n", 3, "listed twice; first in line 2"),
        ("address,class\na@x.example,gold\n", 1, "are not named in the first line"),
        ('customer,tier\n"a@x.example,gold\n', 2, "is no CSV"),
        ("customer,tier\na b@x.example,gold\n", 2, ""),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, rows: str, line: int, said: str) -> None:
    """With its file, its number and what is wrong; the workspace does not come into force."""
    with pytest.raises(ConfigErrors) as caught:
        load(workspace(tmp_path, rows), {})
    [error] = caught.value.errors
    assert (error.file, error.line) == ("tiers.csv", line)
    assert said in error.message


def test_a_list_that_is_something_else_drowns_nobody(tmp_path: Path) -> None:
    """At most fifty of its lines are named."""
    rows = "customer,tier\n" + "".join(f"a{number}@x.example,nope\n" for number in range(500))
    with pytest.raises(ConfigErrors) as caught:
        load(workspace(tmp_path, rows), {})
    assert len(caught.value.errors) == 50
    rows = "customer,tier\n" + "x\n" * 500
    with pytest.raises(ConfigErrors) as caught:
        load(workspace(tmp_path, rows), {})
    assert len(caught.value.errors) == 50


def test_a_list_must_lie_in_the_folder(tmp_path: Path) -> None:
    """Not there, outside of it, or no UTF-8: said at the key, or at the line."""
    folder = write(tmp_path / "w", TIERS)
    with pytest.raises(ConfigErrors, match="cannot be read"):
        load(folder, {})
    write(tmp_path, "customer,tier\n", "outside.csv")
    (folder / "tiers.csv").symlink_to(tmp_path / "outside.csv")
    with pytest.raises(ConfigErrors, match="outside of the workspace"):
        load(folder, {})
    (folder / "tiers.csv").unlink()
    (folder / "tiers.csv").write_bytes(b"customer,tier\na@x.example,\xff\n")
    with pytest.raises(ConfigErrors, match="not UTF-8"):
        load(folder, {})
