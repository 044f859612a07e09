"""Golden journals: what an engine wrote once gives the same state for as long as the engine's version stands."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from router.core.version import ENGINE
from tests.golden.make import FOLDER, UNRELEASED, Expected, make
from tests.golden.replay import replay
from tests.support.pythons import runs

REMEDY = (
    "The engine decides otherwise than it did. If the version in router/core/version.py was released, raise it."
    " Then: .venv/bin/python -m tests.golden.make"
)
JOURNALS = sorted(path.parent for path in FOLDER.glob("*/expected.json"))


def expected(folder: Path) -> Expected:
    """What a golden journal must give."""
    return msgspec.json.decode((folder / "expected.json").read_bytes(), type=Expected)


@pytest.mark.parametrize("folder", JOURNALS, ids=lambda folder: folder.name)
def test_it_replays_to_the_same_state(folder: Path) -> None:
    """Every record can be read; those of this engine's version give the decisions and the state they gave."""
    wanted, verdict = expected(folder), replay(folder)
    assert verdict.problem == "", REMEDY
    assert verdict.records == wanted.records
    if wanted.engine == ENGINE:
        assert verdict.state_hash == wanted.state_hash, REMEDY


@pytest.mark.parametrize(("python", "seed"), runs())
def test_another_process_gives_the_same(python: str, seed: str) -> None:
    """Another process, with other hashes of strings or on another Python, decides the same."""
    done = subprocess.run(
        [python, "-m", "tests.golden.apply", str(UNRELEASED)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    assert done.stdout.strip() == expected(UNRELEASED).state_hash, REMEDY


def test_the_unreleased_one_is_of_this_engine(tmp_path: Path) -> None:
    """Made anew, the unreleased journal is record for record the one that is kept: chance comes from a seed alone."""
    assert expected(UNRELEASED).engine == ENGINE, REMEDY
    assert make(tmp_path) == expected(UNRELEASED), REMEDY
    made, kept = (gzip.decompress((folder / "journal.jsonl.gz").read_bytes()) for folder in (tmp_path, UNRELEASED))
    assert made == kept, REMEDY
