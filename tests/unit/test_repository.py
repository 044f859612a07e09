"""The repository's frame: what lies where, what is pinned, what is shipped; and nothing of one machine leaks in."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import NODES, NPM, packages_to_install

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("router", "channels", "skills")
TOP_LEVEL = {
    "router", "channels", "skills", "config", "tests", "benchmarks", "docs", ".ci",
    "pyproject.toml", "requirements.lock", "requirements-run.lock", "Makefile", "Dockerfile",
    "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", ".gitignore", ".dockerignore",
}  # fmt: skip
TARGETS = {
    "install",
    "develop",
    "demo",
    "test",
    "test-deps",
    "lint",
    "bench",
    "bench-full",
    "soak",
    "lock",
    "clean",
    "help",
}
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
SENTENCE_LINES_MAX = 3
VAGUE_NAMES = {"manager", "utils", "util", "helpers", "helper", "base", "common", "misc"}
# Folders that only a machine like the one this was written on has, and addresses of package registries.
LOCAL_PATH = re.compile(r"(?<![\w.~-])/(?:work|opt/(?:pypi|wheels))(?:/|\b)")
REGISTRY = re.compile(
    r"https?://(?:pypi|registry|files|deb|mirrors?)\.|(?:^|\s)--?(?:extra-)?index-url[ =]|trusted[-]host", re.MULTILINE
)
MARKDOWN_LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def tracked() -> list[Path]:
    """Give the files that git tracks and that are there, relative to the root."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [Path(name) for name in listing.split("\0") if name and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    """Give each tracked file that is text, with what it says."""
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if b"\0" not in data:
            yield path, data.decode("utf-8", "replace")


def sources() -> list[Path]:
    """Give the Python modules of the product, relative to the root."""
    return [path for path in tracked() if path.suffix == ".py" and path.parts[0] in (*PACKAGES, "benchmarks")]


def modules_of_tests() -> list[Path]:
    """Give the Python modules under tests/, relative to the root."""
    return [path for path in tracked() if path.suffix == ".py" and path.parts[0] == "tests"]


def pins(lock: str) -> dict[str, list[tuple[str, int]]]:
    """Read a lock file: canonical name → (version, number of hashes), one for each marker it is pinned under."""
    found: dict[str, list[tuple[str, int]]] = {}
    for block in re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text()):
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", block):
            hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}", block))
            found.setdefault(canonicalize_name(match[1]), []).append((match[2], hashes))
    return found


def project() -> dict[str, list[Requirement]]:
    """Read pyproject.toml's dependencies: `run` and `dev`, with those of our own extras that `dev` takes in."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: [Requirement(line) for line in lines] for name, lines in table["optional-dependencies"].items()}
    ours = [one for one in extras["dev"] if one.name == table["name"]]
    taken = [each for one in ours for name in sorted(one.extras) for each in extras[name]]
    return {
        "run": [Requirement(line) for line in table["dependencies"]],
        "dev": [one for one in extras["dev"] if one not in ours] + taken,
    }


def test_the_top_level_is_the_designs() -> None:
    """The top level holds what DESIGN.md names and nothing else."""
    assert {path.parts[0] for path in tracked()} == TOP_LEVEL


@pytest.mark.parametrize("name", [*PACKAGES, "config"])
def test_no_other_distribution_provides_our_packages(name: str) -> None:
    """An import of ours finds this tree: `channels` and `skills` are import names of other packages as well."""
    assert set(importlib.metadata.packages_distributions().get(name, [])) <= {"usherd"}
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert {Path(place).resolve() for place in spec.submodule_search_locations or []} == {ROOT / name}


def test_nothing_of_one_machine_is_tracked() -> None:
    """No tracked file names a folder of the machine it was written on, or the address of a package registry."""
    here = re.compile(
        "|".join(re.escape(str(path)) + r"(?![\w.-])" for path in (ROOT, Path.home()) if path != Path("/"))
    )
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0].strip()}"
        for path, text in texts()
        for pattern in (LOCAL_PATH, REGISTRY, here)
        for match in pattern.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "see /" + "work/shared/x",
        "find-links = /opt" + "/wheels",
        "https://" + "pypi.example.org/simple",
        "pip --index" + "-url x",
    ],
)
def test_the_search_for_leaks_finds_one(line: str) -> None:
    """Each kind of leak is seen where there is one."""
    assert LOCAL_PATH.search(line) or REGISTRY.search(line)


@pytest.mark.parametrize(
    "line", ["docs/work/x.md", "https://help.example/work", "uv --no-emit-index-url", "/workspace/x"]
)
def test_the_search_for_leaks_lets_other_text_through(line: str) -> None:
    """Words that only look alike are no leak."""
    assert not LOCAL_PATH.search(line)
    assert not REGISTRY.search(line)


@pytest.mark.parametrize(
    ("lock", "kinds"), [("requirements.lock", ("run", "dev")), ("requirements-run.lock", ("run",))]
)
def test_each_lock_covers_every_dependency(lock: str, kinds: tuple[str, ...]) -> None:
    """Each dependency of pyproject.toml is pinned, at a version it allows, with hashes; `make lock` writes it anew."""
    pinned = pins(lock)
    assert all(hashes > 0 for versions in pinned.values() for _, hashes in versions)
    for requirement in [requirement for kind in kinds for requirement in project()[kind]]:
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement} is not in {lock}: make lock"
        assert all(requirement.specifier.contains(version, prereleases=True) for version, _ in versions), requirement


def test_what_runs_is_what_was_tested() -> None:
    """The lock of the container pins the versions of the developers' lock, and no developer's tool."""
    run, everything = pins("requirements-run.lock"), pins("requirements.lock")
    assert {name: everything.get(name) for name in run} == run
    assert not {"pytest", "mypy", "ruff", "uv", "playwright"} & set(run)


def test_the_command_is_built_by_what_the_makefile_names() -> None:
    """`make install` takes from the lock what builds the command and what ships no wheel, and all that this needs."""
    needed, todo = set[str](), ["hatchling", "setuptools"]  # the second for dkimpy, which ships no wheel
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in needed:
            needed.add(name)
            asked = map(Requirement, importlib.metadata.requires(name) or ())
            todo += [one.name for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    named = re.search(r"^BUILDERS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named
    assert set(named.group(1).split("|")) == needed
    assert needed <= set(pins("requirements.lock"))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-run.lock"])
def test_a_lock_names_no_place(lock: str) -> None:
    """A lock holds names, versions, markers and hashes: no address and no option."""
    lines = [line for line in (ROOT / lock).read_text().splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines if "://" in line or line.startswith("-")] == []


def test_the_licence_is_there_in_full() -> None:
    """LICENSE is the Apache License 2.0 from its title to its end."""
    text = (ROOT / "LICENSE").read_text()
    assert re.search(r"Apache License\s+Version 2\.0, January 2004", text)
    assert text.rstrip().endswith("limitations under the License.")
    assert all(f"\n   {section}. " in text for section in range(1, 10))


def anchors(markdown: str) -> set[str]:
    """Give the anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *#*$", FENCED.sub("", markdown), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_resolve() -> None:
    """Every relative link in a Markdown file leads to a tracked file, and its anchor to a heading there."""
    files = set(tracked())
    places = files | {parent for path in files for parent in path.parents}
    broken = []
    for page in sorted(path for path in files if path.suffix == ".md"):
        for link in MARKDOWN_LINK.findall(FENCED.sub("", (ROOT / page).read_text())):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (ROOT / page.parent / name).resolve() if name else ROOT / page
            inside = target.is_relative_to(ROOT) and target.relative_to(ROOT) in places
            if not inside or (anchor and anchor not in anchors(target.read_text())):
                broken.append(f"{page}: {link}")
    assert broken == []


def test_the_makefile_has_the_promised_targets() -> None:
    """Every target that scripts rely on is there and says in `make help` what it does."""
    described = set(re.findall(r"^([a-z-]+):.*## \S", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert described >= TARGETS


def test_ci_runs_lint_and_all_tests() -> None:
    """`.ci/run` is executable, stops at the first failure, and runs lint, then the tests without leaving any out."""
    script = ROOT / ".ci" / "run"
    lines = script.read_text().splitlines()
    assert script.stat().st_mode & 0o111
    assert "set -euo pipefail" in lines
    assert lines.index("make lint") < lines.index("make test")


def test_modules_and_functions_stay_short() -> None:
    """No module is over 400 lines and no function over 60, decorators and docstring included."""
    found = []
    for path in sources():
        source = (ROOT / path).read_text()
        lines = source.count("\n")
        if lines > MODULE_LINES_MAX:
            found.append(f"{path}: {lines} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                length = node.end_lineno - min([node.lineno, *(one.lineno for one in node.decorator_list)]) + 1
                if length > FUNCTION_LINES_MAX:
                    found.append(f"{path}:{node.lineno}: {node.name} has {length} lines")
    assert found == []


def test_no_module_has_a_vague_name() -> None:
    """A module is named for what it does."""
    assert [str(path) for path in sources() if {*path.with_suffix("").parts} & VAGUE_NAMES] == []


def test_no_test_is_skipped() -> None:
    """No test can pass by not running: a program that may be missing is named with `needs` instead."""
    ways_out = {"skip", "skipif", "importorskip", "xfail"}
    found = [
        f"{path}:{node.lineno}: {node.attr}"
        for path in modules_of_tests()
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ways_out
    ]
    assert found == []


def test_every_test_says_what_holds() -> None:
    """Each test has a docstring: a sentence that ends in a full stop and is not over three lines."""
    found = []
    for path in modules_of_tests():
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                said = ast.get_docstring(node) or ""
                if not said.endswith(".") or said.count("\n") >= SENTENCE_LINES_MAX:
                    found.append(f"{path}:{node.lineno}: {node.name}")
    assert found == []


def test_the_wheel_holds_what_runs(tmp_path: Path) -> None:
    """A wheel holds the packages with their types, the example workspace and the demo's sample, and no test."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {Path(name) for name in zipfile.ZipFile(wheel).namelist()}
    shipped = {path for path in tracked() if path.parts[0] in (*PACKAGES, "config")}
    assert shipped <= held
    assert {Path(f"{name}/py.typed") for name in PACKAGES} <= held
    assert any(path.match("config/*.yaml") for path in held)
    assert any(path.match("router/sim/sample/workspace/*.yaml") for path in held)
    assert any(path.match("router/sim/sample/mails/*.eml") for path in held)
    top = {path.parts[0] for path in held if not path.parts[0].endswith(".dist-info")}
    assert top == {*PACKAGES, "config"}


# ---- the container; no engine is needed to hold its recipe to these ----


def dockerfile() -> list[list[tuple[str, str]]]:
    """Read the Dockerfile: for each stage its (instruction, arguments), continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[list[tuple[str, str]]] = []
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, " ".join(rest.split())))
    return stages


def last_stage(name: str) -> list[str]:
    """Give the arguments of each such instruction in the stage that is shipped."""
    return [rest for instruction, rest in dockerfile()[-1] if instruction == name]


def test_the_container_is_built_in_stages_from_a_slim_python() -> None:
    """Every stage starts from a slim Python of a fixed release that the project supports; only the last is shipped."""
    stages = dockerfile()
    bases = {stage[0][1].partition(" ")[0] for stage in stages}
    assert len(stages) > 1
    assert all(re.fullmatch(r"python:3\.1[1-9]-slim-[a-z]+", base) for base in bases)


def test_the_container_installs_by_hash_only() -> None:
    """Every `pip install` checks hashes, or installs the one wheel built here without its dependencies."""
    runs = [rest for stage in dockerfile() for name, rest in stage if name == "RUN"]
    installs = [command for rest in runs for command in rest.split("&&") if "pip install" in command]
    assert installs
    assert all("--require-hashes" in command or "--no-deps --no-index" in command for command in installs)
    assert last_stage("ADD") == []
    assert not any("pip " in rest for rest in last_stage("RUN"))


def test_the_container_does_not_run_as_root() -> None:
    """The last user is a number other than 0, so that an orchestrator can check it, and nothing is run after it."""
    names = [name for name, _ in dockerfile()[-1]]
    (user,) = last_stage("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert "RUN" not in names[names.index("USER") :]


def test_the_container_starts_the_daemon_on_its_volume() -> None:
    """Entry and command are in exec form, so that signals arrive; they run the daemon with its data on the volume."""
    (entry,), (command,), (volume,) = last_stage("ENTRYPOINT"), last_stage("CMD"), last_stage("VOLUME")
    words = json.loads(entry) + json.loads(command)
    assert words[:2] == ["usherd", "run"]
    assert [words[words.index("--data") + 1]] == json.loads(volume)
    assert last_stage("STOPSIGNAL") == ["SIGTERM"]


def test_the_container_tells_whether_it_lives() -> None:
    """The health check asks /livez in exec form, with a program the image has."""
    (check,) = last_stage("HEALTHCHECK")
    words = json.loads(check.partition(" CMD ")[2])
    assert words[0] == "python"
    assert "/livez" in words[-1]


def test_the_container_gets_all_it_copies() -> None:
    """Whatever the Dockerfile copies from the tree is there, and .dockerignore lets it in."""
    allowed = {line.strip("!/") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = [
        rest.split() for stage in dockerfile() for name, rest in stage if name == "COPY" and "--from=" not in rest
    ]
    wanted = {word.rstrip("/") for words in copies for word in words[:-1]}
    assert wanted == allowed
    assert all((ROOT / name).exists() for name in wanted)


def test_the_programs_that_tests_need_have_a_package() -> None:
    """`make test-deps` installs a package for every program that a test names in `needs`."""
    script = (ROOT / ".ci" / "test-deps").read_text()
    lists = re.findall(r"^(?:.*\|\| )?packages\+?=\((.*)\)$", script, re.MULTILINE)
    installed = {name for names in lists for name in names.split()}
    calls = [
        node
        for path in modules_of_tests()
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "needs"
    ]
    programs = {str(arg.value) for call in calls for arg in call.args if isinstance(arg, ast.Constant)}
    of_node = {name for name in programs if name.startswith(NPM)}
    asked_for = {name for node in NODES for name in json.loads((node / "package.json").read_text())["dependencies"]}
    assert {name.removeprefix(NPM) for name in of_node} == asked_for
    programs -= of_node
    assert set(packages_to_install(programs).split()) <= installed
