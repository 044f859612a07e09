"""The command line when something is wrong: a plain sentence and a remedy, the right exit code, never a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from router import cli
from router.cli import output
from router.cli.client import Daemon
from router.cli.commands import app
from router.cli.running import spin
from router.core.errors import ConfigError, PermanentError, TransientError
from router.shell.store.locks import DataLocks
from tests.support.daemons import write_workspace

COMMANDS = [
    "init", "diff", "import",
    "run", "demo", "store", "check", "message", "status", "queue", "agents", "contacts", "explain", "quarantine list",
    "quarantine show", "quarantine retry", "journal verify", "journal snapshot", "journal export",
    "journal restore", "journal accept-loss", "link", "token create", "unblock",
]  # fmt: skip
ASKING = ["status", "queue", "agents", "contacts", "explain c1", "quarantine list", "quarantine show 1-0",
          "quarantine retry 1-0", "link ana", "token create --scope read", "unblock c1"]  # fmt: skip


class Run:
    """What a call of the command line came to."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def error(self) -> dict[str, object]:
        """The error in the JSON on stdout, which holds nothing else."""
        [line] = self.out.splitlines()
        found = json.loads(line)
        assert list(found) == ["error"]
        assert list(found["error"]) == ["code", "message", "file", "line", "hint"]
        error: dict[str, object] = found["error"]
        return error


Usherd = Callable[..., Run]


@pytest.fixture
def usherd(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Usherd:
    """Calls `usherd` in this process, as the entry point does."""

    def call(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["usherd", *map(str, arguments)])
        monkeypatch.setattr(output, "people", Console(stderr=True, highlight=False, width=300))
        output.wants_json(False)
        capfd.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()  # exits by itself, whatever comes of it
        out, err = capfd.readouterr()
        assert "Traceback" not in err + out
        return Run(int(caught.value.code or 0), out, err)

    return call


class TestUsage:
    """What was typed."""

    @pytest.mark.parametrize("command", ["", *COMMANDS, "quarantine", "journal", "token"])
    def test_each_command_explains_itself(self, command: str) -> None:
        """--help of a command says in a sentence what it does, and exits 0."""
        result = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="usherd", env={"COLUMNS": "120"})
        assert result.exit_code == 0
        assert f"Usage: usherd {command}".strip() in result.output
        assert len(result.output.splitlines()) > 4

    @pytest.mark.parametrize(
        "typed",
        [
            "nonsense", "status --nonsense", "explain", "quarantine", "quarantine nonsense", "journal",
            "token create", "demo --seconds many", "demo --seconds 1", "message", "status too many",
        ],
    )  # fmt: skip
    def test_what_cannot_be_meant_is_a_usage_error(self, usherd: Usherd, typed: str) -> None:
        """An unknown command, an unknown option or a missing argument ends with code 2 and says which, on stderr."""
        run = usherd(*typed.split())
        assert run.code == 2
        assert "Usage: usherd" in run.err + run.out
        assert run.out == "" or "--help" in run.out  # a group without a command shows its help

    def test_alone_it_shows_its_commands(self, usherd: Usherd) -> None:
        """Without a command the help is shown."""
        run = usherd()
        for command in COMMANDS:
            assert command.split()[0] in run.out + run.err


class TestConfiguration:
    """A workspace that is wrong."""

    @pytest.fixture
    def bad(self, tmp_path: Path) -> Path:
        """A workspace with a mistake in line 4."""
        (tmp_path / "bad").mkdir()
        text = "workspace: acme\nagents:\n  ana:\n    capacty: {email: 2}\n"
        (tmp_path / "bad" / "workspace.yaml").write_text(text)
        return tmp_path / "bad"

    @pytest.mark.parametrize("command", ["check", "run", "message", "journal verify"])
    def test_a_mistake_is_named_with_file_line_and_remedy(
        self, usherd: Usherd, bad: Path, tmp_path: Path, command: str
    ) -> None:
        """Every command that reads the workspace names the place of a mistake and what to write instead; exit 2."""
        rest = self.rest(command, tmp_path)
        run = usherd(*command.split(), "--config", bad, *rest)
        assert run.code == 2
        assert "workspace.yaml:4: " in run.err
        assert "capacity" in run.err
        assert run.out == ""

    @pytest.mark.parametrize("command", ["run", "message", "journal verify"])
    def test_with_json_it_is_one_object(self, usherd: Usherd, bad: Path, tmp_path: Path, command: str) -> None:
        """With --json the same stands on stdout as the error object, alone."""
        run = usherd(*command.split(), "--config", bad, "--json", *self.rest(command, tmp_path))
        assert run.code == 2
        assert (run.error["file"], run.error["line"]) == ("workspace.yaml", 4)
        assert run.error["hint"]

    def test_check_lists_all_errors(self, usherd: Usherd, bad: Path) -> None:
        """`check --json` gives its own shape: every error with file, line and hint; exit 2."""
        with (bad / "workspace.yaml").open("a") as file:
            file.write("colour: red\n")
        run = usherd("check", "--config", bad, "--json")
        assert run.code == 2
        found = json.loads(run.out)
        assert [error["line"] for error in found["errors"]] == [4, 5]
        assert all(error["hint"] for error in found["errors"])

    @pytest.mark.parametrize("command", ["check", "run", "message", "journal verify"])
    def test_no_workspace_at_all(self, usherd: Usherd, tmp_path: Path, command: str) -> None:
        """A folder that does not exist is said to, with what to do; exit 2."""
        run = usherd(*command.split(), "--config", tmp_path / "nowhere", *self.rest(command, tmp_path))
        assert run.code == 2
        assert "there is no folder" in run.err
        assert "try:" in run.err

    def rest(self, command: str, folder: Path) -> list[Path | str]:
        """What a command needs besides."""
        if command == "message":
            (folder / "a.eml").write_text("From: a@x.example\n\nhello\n")
            return [folder / "a.eml"]
        return [] if command == "check" else ["--data", folder / "data"]


class TestRun:
    """`usherd run` that cannot start."""

    def test_a_taken_port(self, usherd: Usherd, tmp_path: Path) -> None:
        """A web port that somebody else listens on is named; nothing is left running, exit 2."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            config = write_workspace(tmp_path / "config")
            text = (config / "workspace.yaml").read_text()
            (config / "workspace.yaml").write_text(
                text.replace('web: {listen: "127.0.0.1:0"}', f'web: {{listen: "127.0.0.1:{port}"}}')
            )
            run = usherd("run", "--config", config, "--data", tmp_path / "data", "--json")
        assert run.code == 2
        assert f"127.0.0.1:{port}" in str(run.error["message"])
        assert run.error["hint"]
        assert not (tmp_path / "data" / "daemon.json").exists()
        self.nobody_lives_on(tmp_path / "data")

    def test_a_taken_smtp_port(self, usherd: Usherd, tmp_path: Path) -> None:
        """The same for the port of the mail receiver."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            config = write_workspace(tmp_path / "config")
            text = (config / "workspace.yaml").read_text()
            (config / "workspace.yaml").write_text(
                text.replace('smtp: {listen: "127.0.0.1:0"', f'smtp: {{listen: "127.0.0.1:{port}"')
            )
            run = usherd("run", "--config", config, "--data", tmp_path / "data")
        assert run.code == 2
        assert str(port) in run.err
        assert "try:" in run.err
        self.nobody_lives_on(tmp_path / "data")

    def test_no_server_for_the_store(self, usherd: Usherd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a Valkey server, in the wheel or on the PATH, it says what to install; exit 2."""
        monkeypatch.setattr("router.shell.store.server.importlib.util.find_spec", lambda name: None)
        monkeypatch.setenv("PATH", str(tmp_path))
        run = usherd("run", "--config", write_workspace(tmp_path / "config"), "--data", tmp_path / "data", "--json")
        assert run.code == 2
        assert "valkey" in str(run.error["hint"]).lower()

    def test_a_data_directory_in_use(self, usherd: Usherd, tmp_path: Path) -> None:
        """A data directory on which another daemon runs is refused, naming that daemon's process; exit 2."""
        (tmp_path / "data").mkdir()
        locks = DataLocks(tmp_path / "data")
        locks.take_daemon()
        try:
            run = usherd("run", "--config", write_workspace(tmp_path / "config"), "--data", tmp_path / "data")
        finally:
            locks.release()
        assert run.code == 2
        assert f"another usherd (pid {os.getpid()})" in run.err

    def test_a_data_directory_that_cannot_be_one(self, usherd: Usherd, tmp_path: Path) -> None:
        """A file where the data directory should be is said to be no use; exit 2."""
        (tmp_path / "file").touch()
        run = usherd("run", "--config", write_workspace(tmp_path / "config"), "--data", tmp_path / "file", "--json")
        assert run.code == 2
        assert str(tmp_path / "file") in str(run.error["message"])

    @pytest.mark.parametrize("command", ["run", "journal verify"])
    def test_an_unreachable_store(
        self, usherd: Usherd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        """A store.url at which nobody answers is named without its password; exit 2."""
        monkeypatch.setenv("STORE_PASSWORD", "hidden")
        config = write_workspace(
            tmp_path / "config", extra='store: {url: "redis://:${STORE_PASSWORD}@127.0.0.1:1/0"}\n'
        )
        run = usherd(*command.split(), "--config", config, "--data", tmp_path / "data")
        assert run.code == 2
        assert "the store at 127.0.0.1:1 cannot be used" in run.err
        assert "try:" in run.err
        assert "hidden" not in run.err + run.out

    def nobody_lives_on(self, data: Path) -> None:
        """Neither a daemon nor its store is left."""
        locks = DataLocks(data)
        locks.take_daemon()
        try:
            assert locks.take_store() is not None
        finally:
            locks.release()


class TestNoDaemon:
    """Asking a daemon that does not run."""

    @pytest.mark.parametrize("command", ASKING)
    def test_it_is_said_and_how_to_start_one(self, usherd: Usherd, tmp_path: Path, command: str) -> None:
        """Every command that asks says that no daemon runs on that data directory; exit 2."""
        run = usherd(*command.split(), "--data", tmp_path)
        assert run.code == 2
        assert f"no daemon runs with the data directory {tmp_path}" in run.err
        assert "usherd run" in run.err
        assert run.out == ""
        assert usherd(*command.split(), "--data", tmp_path, "--json").error["code"] == "not-running"

    @pytest.mark.parametrize(
        ("url", "code"), [("nonsense", 2), ("ftp://x.example", 2), ("http://x:port", 2), ("http://127.0.0.1:1", 1)]
    )
    def test_an_address_without_a_daemon(self, usherd: Usherd, url: str, code: int) -> None:
        """An address at which no daemon can be is a usage error; one at which none answers is a failure."""
        run = usherd("status", "--url", url, "--token", "x", "--json")
        assert run.code == code
        assert url in str(run.error["message"])

    @pytest.mark.parametrize("token", ["ü", "a\nb", "\x00"])
    def test_a_token_that_is_none(self, token: str) -> None:
        """A token with characters that no header may hold is refused before anything is sent."""
        with pytest.raises(ConfigError, match="token"):
            Daemon(Path(), "http://127.0.0.1:1", token)

    def test_an_address_needs_a_token(self, usherd: Usherd, monkeypatch: pytest.MonkeyPatch) -> None:
        """--url without a token says how to make one."""
        monkeypatch.delenv("USHERD_TOKEN", raising=False)
        run = usherd("status", "--url", "http://127.0.0.1:1")
        assert run.code == 2
        assert "usherd token create" in run.err

    @pytest.mark.parametrize("content", [b"<html>", b'"text"', b"[]", b'{"detail":"x"}'])
    @pytest.mark.parametrize("status", [404, 500])
    def test_something_else_answers(self, monkeypatch: pytest.MonkeyPatch, content: bytes, status: int) -> None:
        """A server that is not usherd is said to be none, whatever it answers."""
        monkeypatch.setattr(httpx, "request", lambda *args, **more: httpx.Response(status, content=content))
        with pytest.raises(PermanentError, match="no usherd"):
            Daemon(Path(), "http://127.0.0.1:1", "x").get("/v1/status")


def test_a_file_that_is_missing_is_named(usherd: Usherd, tmp_path: Path) -> None:
    """`message` on a file that does not exist says which, before it trains anything."""
    config = write_workspace(tmp_path / "config")
    run = usherd("message", tmp_path / "none.eml", "--config", config, "--json")
    assert run.code == 2
    assert run.error["code"] == "no-such-file"
    assert str(tmp_path / "none.eml") in str(run.error["message"])


def test_an_interrupt_is_no_error(usherd: Usherd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ctrl-C ends a command with 130 and without a traceback."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("router.app.checking.check_workspace", interrupted)
    assert usherd("check", "--config", tmp_path).code == 130


def test_markup_in_a_message_is_shown_as_it_is(usherd: Usherd, tmp_path: Path) -> None:
    """A path that looks like rich's markup is printed as it stands."""
    run = usherd("status", "--data", tmp_path / "[red]x[")
    assert "[red]x[" in run.err


def test_the_loop_is_given_back() -> None:
    """`spin` runs a coroutine to its end and gives its value."""
    assert spin(asyncio.sleep(0, "done")) == "done"


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_file_that_cannot_be_had_now_is_not_taken_for_gone(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export ends with an error rather than without a file that is there; only one that is gone is left out."""
    said = {404: None, 200: b"%PDF"}
    daemon = Daemon(tmp_path, "http://127.0.0.1:1", "token")
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(status))
    with pytest.raises(TransientError):
        daemon.file("/v1/messages/1-1/files/0")
    for code, content in said.items():
        monkeypatch.setattr(httpx, "get", lambda *_, code=code, **__: httpx.Response(code, content=b"%PDF"))
        assert daemon.file("/v1/messages/1-1/files/0") == content
