"""What every test folder shares: programs a test needs, the order of folders, hypothesis profiles.

A test that runs a Debian program carries `@pytest.mark.needs("postfix", "dovecot")`, one that reads data which others
collected `@pytest.mark.reference("mail")`. Where that is missing the test is listed as *not run*, together with what to
install; under `CI=true` it is a failure, and so is a skip.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import structlog

from tests.support.pythons import others

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

# The package that ships a program, where its name is another than the program's.
PACKAGES = {
    "dovecot": "dovecot-imapd",
    "/usr/lib/dovecot/lmtp": "dovecot-lmtpd",
    "valkey-server": "valkey",
    "redis-server": "redis-server",
    "node": "nodejs",
}
# Quick folders first, so that a plain mistake shows within seconds; within a folder the order stays random.
FOLDERS = ("unit", "contract", "sim", "fault", "acceptance", "browser", "fuzz")
# Daemons lie in folders that an ordinary user's PATH leaves out.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
TESTS = Path(__file__).resolve().parent
# Data of others that is never copied into the project; it lies beside the project or where the variable says.
REFERENCE = Path(os.environ.get("USHERD_REFERENCE") or TESTS.parents[1] / "shared" / "reference")
# What tests run on Node, each with its lock; `make test-deps` installs it there.
NODES = tuple(sorted(TESTS.glob("fakes/*/node")))
NPM = "npm:"
IN_CI = os.environ.get("CI") == "true"

NOT_RUN = pytest.StashKey[dict[str, tuple[str, ...]]]()  # test id → the programs and folders it lacks

# No deadline: a test is never timed. In CI the examples are the same on each run, so that a red run can be repeated.
hypothesis.settings.register_profile("dev", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.load_profile("ci" if IN_CI else "dev")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that a test runs in this process sets up logging for its own; the next test starts without that.

    Import-linter's, for one, silences all loggers that there are.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    silent = {name for name, one in root.manager.loggerDict.items() if getattr(one, "disabled", False)}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, one in root.manager.loggerDict.items():
        if isinstance(one, logging.Logger):
            one.disabled = name in silent
    structlog.reset_defaults()


def missing_programs(programs: Iterable[str]) -> tuple[str, ...]:
    """Tell which of these programs (names, or absolute paths) or packages (`npm:name`) are not on this machine."""
    return tuple(name for name in programs if not _is_there(name))


def _is_there(name: str) -> bool:
    if name.startswith(NPM):
        return any((node / "node_modules" / name.removeprefix(NPM)).is_dir() for node in NODES)
    return shutil.which(name, path=SEARCH_PATH) is not None


def missing_data(folders: Iterable[str]) -> tuple[str, ...]:
    """Tell which of these folders of the reference data are not on this machine, as paths."""
    return tuple(str(REFERENCE / name) for name in folders if not (REFERENCE / name).is_dir())


def remedy(lacking: Iterable[str]) -> str:
    """Say how to get what is lacking: packages to install, and where the data is looked for."""
    lacking = list(lacking)
    data = [name for name in lacking if Path(name).is_relative_to(REFERENCE)]
    packages = packages_to_install(name for name in lacking if name not in data and not name.startswith(NPM))
    words = [f"make test-deps, or apt-get install {packages}"] if packages else []
    if any(name.startswith(NPM) for name in lacking):
        words.append("make test-deps, or bash .ci/node-deps")
    return "; ".join(words + (["put the reference data there or name its folder in $USHERD_REFERENCE"] if data else []))


def packages_to_install(programs: Iterable[str]) -> str:
    """Name the Debian packages that ship these programs, sorted, separated by blanks."""
    return " ".join(sorted({PACKAGES.get(name, name) for name in programs}))


def folder_rank(path: Path) -> int:
    """Give the place of a test file's folder in `FOLDERS`; files elsewhere come last."""
    try:
        return FOLDERS.index(path.relative_to(TESTS).parts[0])
    except ValueError:
        return len(FOLDERS)


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the list of tests that are not run."""
    config.stash[NOT_RUN] = {}


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled; this sort is stable
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put quick folders first and take out the tests that lack something."""
    items.sort(key=lambda item: folder_rank(item.path))
    kept: list[pytest.Item] = []
    taken_out: list[pytest.Item] = []
    for item in items:
        lacking = missing_programs(name for mark in item.iter_markers("needs") for name in mark.args)
        lacking += missing_data(name for mark in item.iter_markers("reference") for name in mark.args)
        if lacking:
            config.stash[NOT_RUN][item.nodeid] = lacking
        (taken_out if lacking and not IN_CI else kept).append(item)
    if taken_out:
        config.hook.pytest_deselected(items=taken_out)
        items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test that lacks something; only under `CI=true` is one still in the list."""
    lacking = item.config.stash[NOT_RUN].get(item.nodeid)
    if lacking:
        pytest.fail(f"needs {', '.join(lacking)}: {remedy(lacking)}", pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Count a skipped test as a failure under `CI=true`; a process of several says what it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = session.config.stash[NOT_RUN]
    if IN_CI and reports(session.config, "skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Gather from a process that has run tests what it left out."""
    left_out = getattr(node, "workeroutput", {}).get("not_run", {})
    node.config.stash[NOT_RUN].update({test: tuple(lacking) for test, lacking in left_out.items()})


def pytest_report_header() -> str:
    """Say which other Pythons the engine is compared with."""
    return f"the engine is compared with: {', '.join(others()) or 'no other Python (.ci/other-pythons found none)'}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List the tests that were not run, and the one command that repeats the failures."""
    not_run = config.stash[NOT_RUN]
    if not_run and not IN_CI:
        terminalreporter.section("not run")
        for test, lacking in sorted(not_run.items()):
            terminalreporter.write_line(f"NOT RUN {test}: needs {', '.join(lacking)}")
        lacking_all = dict.fromkeys(name for lacking in not_run.values() for name in lacking)
        terminalreporter.write_line(f"to run them: {remedy(lacking_all)}")
    if IN_CI and reports(config, "skipped"):
        terminalreporter.write_line("a skipped test is a failure under CI=true")
    failed = [report.nodeid for kind in ("failed", "error") for report in reports(config, kind)]
    if failed:
        seed = config.getoption("randomly_seed", None)
        tests = " ".join(shlex.quote(test) for test in dict.fromkeys(failed))
        terminalreporter.write_line(f"to repeat: .venv/bin/python -m pytest --randomly-seed={seed} {tests}")


def reports(config: pytest.Config, kind: str) -> list[pytest.TestReport]:
    """Give the reports of one kind (`failed`, `error`, `skipped`) that the terminal has gathered."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return []
    found: list[pytest.TestReport] = reporter.stats.get(kind, [])
    return found
