"""The order of packages, and the purity of the core, as tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from importlinter.api import read_configuration
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "router" / "core"
MODULES = sorted(CORE.rglob("*.py"))

# Modules that bring in the time, chance, the system, the network or a log. What a contract of import-linter forbids
# too stands here once more because import-linter does not see an import by name (`__import__`, importlib).
BANNED_MODULES = frozenset(
    {
        "asyncio", "concurrent", "ctypes", "datetime", "importlib", "io", "logging", "multiprocessing", "os",
        "pathlib", "random", "secrets", "selectors", "shutil", "signal", "socket", "ssl", "structlog", "subprocess",
        "sys", "tempfile", "threading", "time", "uuid", "zoneinfo",
    }
)  # fmt: skip
# Calls that read files, print, or depend on the process: `hash` of text and `id` differ from run to run.
BANNED_CALLS = frozenset({"__import__", "breakpoint", "eval", "exec", "hash", "id", "input", "open", "print"})
# Attributes that give the time or chance, whatever they hang on.
BANNED_ATTRIBUTES = frozenset({"monotonic", "now", "perf_counter", "random", "today", "urandom", "utcnow", "uuid4"})


def impurities(source: str) -> list[str]:
    """Give `line: what` for each thing in this module's source that the core may not do."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, f"import {alias.name}") for alias in node.names if banned(alias.name)]
        elif isinstance(node, ast.ImportFrom) and banned(node.module or ""):
            found.append((node.lineno, f"from {node.module}"))
        elif isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) if name in BANNED_CALLS:
                    found.append((node.lineno, f"{name}()"))
                case ast.Attribute(attr=name) if name in BANNED_ATTRIBUTES:
                    found.append((node.lineno, f".{name}()"))
    return [f"{line}: {what}" for line, what in sorted(found)]


def banned(module: str) -> bool:
    """Tell whether the core may not import this module."""
    return module.partition(".")[0] in BANNED_MODULES


def test_packages_depend_inward_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every contract of import-linter in pyproject.toml is kept."""
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), cache_dir=None)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_the_contracts_are_the_designs() -> None:
    """The layers stand in the order of DESIGN.md, and the core is forbidden everything of ours."""
    contracts = {
        contract["name"]: contract for contract in read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    }
    layers = [str(layer) for layer in contracts["Dependencies point inward"]["layers"]]
    assert layers == [
        "router.cli",
        "router.app",
        "channels | router.shell | router.sim | router.web",
        "router.desk | skills",
        "router.core",
    ]
    ours = {f"router.{path.name}" for path in (ROOT / "router").iterdir() if (path / "__init__.py").exists()}
    forbidden = set(contracts["The core imports nothing of ours"]["forbidden_modules"])
    assert ours - {"router.core"} | {"channels", "skills"} <= forbidden


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_the_core_is_pure(module: Path) -> None:
    """A module of the core asks for no time, chance, file, network or log."""
    assert impurities(module.read_text()) == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import time", "import time"),
        ("import os.path as p", "import os.path"),
        ("from datetime import datetime", "from datetime"),
        ("from uuid import uuid4", "from uuid"),
        ("x = clock.now()", ".now()"),
        ("x = rng.random()", ".random()"),
        ("x = open('f')", "open()"),
        ("x = hash('a')", "hash()"),
        ("m = __import__('random')", "__import__()"),
    ],
)
def test_the_ban_sees_each_way_out(source: str, what: str) -> None:
    """Each way of asking for time, chance or files is found, with its line."""
    assert impurities(f"\n{source}\n") == [f"2: {what}"]


def test_the_ban_lets_plain_code_through() -> None:
    """Code that only computes is not complained about."""
    assert impurities("import heapq\nfrom router.core.values import WHOLE\nx = heapq.heappop([WHOLE])\n") == []
