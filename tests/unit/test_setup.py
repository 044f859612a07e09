"""`usherd init`: answers become a workspace that is right and commented, and its mail server is tried."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from typer.testing import CliRunner

from router.app import setup
from router.app.checking import check_workspace
from router.app.example import Page, flow
from router.app.mailbox import try_server
from router.app.starter import MAILBOX_PASSWORD_FILE, PASSWORD_FILE
from router.cli.commands import app
from router.core.errors import ConfigError
from skills.email_model import Send
from skills.workspace import load
from tests.support.certificates import write_certificate

MANY: dict[str, Any] = {
    "workspace": "north-wind",
    "timezone": "America/Sao_Paulo",
    "languages": ["pt", "en"],
    "address": "ajuda@norte.example",
    "server": "mail.norte.example:465",
    "agents": ["Ana Souza <ana@norte.example>", "Ana Lima", "Żaneta Ćwik <z@norte.example>", "李 雷"],
    "topics": ["refund", "Lost pet", "yes", "1182"],
}


def made(folder: Path, **answers: str) -> Path:
    """A workspace from these answers, and defaults for the rest."""
    setup.write(folder, setup.starter(setup.answers_of(setup.questions(folder), answers)))
    return folder


# -- the files -----------------------------------------------------------------------------------------------------


def test_the_defaults_are_a_workspace_that_is_right(tmp_path: Path) -> None:
    """With every default the check finds no error, and no warning but that one person is alone."""
    found = check_workspace(made(tmp_path / "acme"))
    assert found["errors"] == []
    assert {one["code"] for one in found["warnings"]} <= {"skill_of_one"}
    assert found["coverage"]["never_chosen"] == []


def test_many_answers_are_all_in_force(tmp_path: Path) -> None:
    """Names in any script, words that YAML takes for something else, and several languages end up as they were said."""
    (tmp_path / "answers.json").write_text(json.dumps(MANY))
    made(tmp_path / "w", **setup.read_answers(tmp_path / "answers.json"))
    config = load(tmp_path / "w").config
    assert (config.workspace, config.timezone, config.languages) == ("north-wind", "America/Sao_Paulo", ("pt", "en"))
    names = {name: agent.name for name, agent in config.agents.items()}
    assert names == {"ana": "Ana Souza", "ana-lima": "Ana Lima", "zaneta": "Żaneta Ćwik", "李": "李 雷"}
    assert set(config.topics) == {"refund", "lost-pet", "yes", "1182"}
    assert config.accounts == ("ajuda@norte.example",)
    assert config.channels.email is not None
    assert config.channels.email.send is not None
    assert (config.channels.email.send.host, config.channels.email.send.port) == ("mail.norte.example", 465)
    assert check_workspace(tmp_path / "w")["errors"] == []


def test_a_port_in_use_is_not_written(tmp_path: Path) -> None:
    """Where the usual ports are taken the next free ones stand in the workspace."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert taken < setup.free_port(taken) < taken + setup.PORTS_TRIED
    answers = setup.answers_of(setup.questions(tmp_path), {})
    starter = msgspec.structs.replace(setup.starter(answers), smtp_port=2601, http_port=8099)
    setup.write(tmp_path / "w", starter)
    config = load(tmp_path / "w").config
    assert config.channels.email is not None
    assert config.channels.email.smtp is not None
    assert (config.channels.email.smtp.listen, config.web.listen) == (("127.0.0.1", 2601), ("127.0.0.1", 8099))


def test_a_city_is_a_time_zone() -> None:
    """A zone is found by its city alone, where only one has it."""
    assert [setup.read_zone(text) for text in ("Europe/Madrid", "madrid", "São Paulo", "UTC")] == [
        "Europe/Madrid", "Europe/Madrid", "America/Sao_Paulo", "UTC",
    ]  # fmt: skip


def test_no_topics_are_a_workspace_too(tmp_path: Path) -> None:
    """Somebody who does not know yet what customers write about gets a workspace without topics."""
    found = check_workspace(made(tmp_path / "w", topics=""))
    assert found["errors"] == []
    assert load(tmp_path / "w").config.rules == ()


def test_the_words_beside_the_keys_are_those_of_the_example(tmp_path: Path) -> None:
    """Every remark beside a key that is written stands in the example, and the usual keys have theirs."""
    folder = made(tmp_path / "w", agents="Ana <ana@acme.example>, Ben, Cleo")
    for name in ("workspace.yaml", "people.yaml", "routing.yaml"):
        remarks = {
            line.rpartition("  # ")[2].strip()
            for line in (folder / name).read_text().splitlines()
            if "  # " in line.lstrip()
        }
        example = Page(name).text
        assert len(remarks) > 9, name
        assert [remark for remark in remarks if remark not in example] == [], name
    people = (folder / "people.yaml").read_text()
    assert people.count("# shown to colleagues and customers") == 1
    assert people.count("skills: {order: 3, refund: 3, account: 3, lang:") == 3


def test_a_password_stands_in_a_file_of_its_own(tmp_path: Path) -> None:
    """The password is in no YAML file, and nobody else may read the file it is in."""
    folder = made(tmp_path / "w", user="acme", password="s3cret: #1", server="mail.acme.example")
    assert "s3cret" not in "".join(path.read_text() for path in folder.glob("*.yaml"))
    assert (folder / PASSWORD_FILE).stat().st_mode & 0o777 == 0o600
    email = load(folder).config.channels.email
    assert email is not None
    assert email.send is not None
    assert email.send.password is not None
    assert email.send.password.reveal() == "s3cret: #1"


def test_a_mailbox_is_written_and_its_password_kept_apart(tmp_path: Path) -> None:
    """With an IMAP server the address's mailbox is read, encrypted as its port says; without one nothing is."""
    folder = made(tmp_path / "w", mailbox="imap.acme.example", mailbox_password="s3cret: #2", address="a@acme.example")
    email = load(folder).config.channels.email
    assert email is not None
    [one] = email.imap
    assert (one.host, one.port, one.tls, one.user, one.address) == (
        "imap.acme.example", 993, "always", "a@acme.example", "a@acme.example",
    )  # fmt: skip
    assert one.password is not None
    assert one.password.reveal() == "s3cret: #2"
    assert (folder / MAILBOX_PASSWORD_FILE).stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in (folder / "workspace.yaml").read_text()
    assert check_workspace(folder)["errors"] == []
    without = load(made(tmp_path / "without")).config.channels.email
    assert without is not None
    assert without.imap == ()


def test_what_the_example_no_longer_says_is_noticed() -> None:
    """A key or a sentence that is gone from the example is an error here, not a workspace without it."""
    page = Page("workspace.yaml")
    with pytest.raises(LookupError):
        page.put("channels.fax", flow(1))
    with pytest.raises(LookupError):
        page.turn_on("fax", flow(1))
    with pytest.raises(LookupError):
        page.replace("facsimile", "x")


# -- the answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "answer", "says"),
    [
        ("workspace", "Acme Air", "small letters"),
        ("timezone", "Atlantis", "time zone"),
        ("languages", "english", "two letters"),
        ("address", "help", "an e-mail address"),
        ("server", "mail.acme.example:smtp", "a name and a port"),
        ("server", "https://mail.acme.example", "a name and a port"),
        ("agents", "", "at least one name"),
        ("agents", "Ana <ana>", "an e-mail address"),
        ("colour", "red", "nothing called `colour`"),
    ],
)
def test_a_wrong_answer_is_named(tmp_path: Path, key: str, answer: str, says: str) -> None:
    """An answer that cannot be is refused before anything is written, with the question's name and what is wanted."""
    with pytest.raises(ConfigError) as caught:
        setup.answers_of(setup.questions(tmp_path), {key: answer})
    assert key in caught.value.message
    assert says in caught.value.message


@pytest.mark.parametrize("text", ["[]", "{", '{"topics": [{"a": 1}]}', '{"agents": null}'])
def test_a_file_without_answers_is_named(tmp_path: Path, text: str) -> None:
    """A file that holds no answers is named, with an example of one that does."""
    (tmp_path / "answers.json").write_text(text)
    with pytest.raises(ConfigError) as caught:
        setup.read_answers(tmp_path / "answers.json")
    assert caught.value.file
    assert "answers.json" in caught.value.file
    assert caught.value.hint
    assert "workspace" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("mail.acme.example", ("mail.acme.example", 587)),
        ("mail.acme.example:25", ("mail.acme.example", 25)),
        ("[::1]:25", ("::1", 25)),
        ("::1", ("::1", 587)),
    ],
)
def test_servers_are_read(text: str, server: tuple[str, int]) -> None:
    """A name, a name and a port, and addresses of both families are servers."""
    assert setup.read_server(text) == server


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_writes_checks_and_says_what_to_type(tmp_path: Path) -> None:
    """`init --yes --json` gives the files, the check, the try of the mail server and two commands."""
    result = CliRunner().invoke(app, ["init", str(tmp_path / "acme"), "--yes", "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert set(found["files"]) == {
        "workspace.yaml",
        "people.yaml",
        "routing.yaml",
        "schema/workspace.json",
        "slack/manifest.txt",
    }
    assert found["check"]["errors"] == []
    assert found["mailbox"][0]["step"] == "connect"
    assert [command.split()[1] for command in found["next"]] == ["run", "link"]


def test_questions_are_asked_until_they_are_answered(tmp_path: Path) -> None:
    """A wrong answer is said to be wrong and asked for again; empty lines take the default."""
    typed = "Acme!\nacme\nMars\nEurope/Berlin\nde en\n\n127.0.0.1:9\n\n\nAna, Ben\nrefund\n"
    result = CliRunner().invoke(app, ["init", str(tmp_path / "w")], input=typed)
    assert result.exit_code == 0, result.output
    config = load(tmp_path / "w").config
    assert (config.workspace, config.timezone, config.languages) == ("acme", "Europe/Berlin", ("de", "en"))
    assert config.accounts == ("help@acme.example",)
    assert list(config.agents) == ["ana", "ben"]
    assert "Now type" in result.output


def test_an_end_of_input_is_no_answer(tmp_path: Path) -> None:
    """In a script without answers the command ends with what to say instead, and writes nothing."""
    result = CliRunner().invoke(app, ["init", str(tmp_path / "w")], input="acme\n")
    assert isinstance(result.exception, ConfigError)
    assert "--yes" in (result.exception.hint or "")
    assert not (tmp_path / "w").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """A folder that holds something is written to only with --force, and what is not ours stays in it."""
    (tmp_path / "people.yaml").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine too")
    result = CliRunner().invoke(app, ["init", str(tmp_path), "--yes"])
    assert isinstance(result.exception, ConfigError)
    assert "people.yaml" in result.exception.message
    assert (tmp_path / "people.yaml").read_text() == "mine"
    assert CliRunner().invoke(app, ["init", str(tmp_path), "--yes", "--force"]).exit_code == 0
    assert (tmp_path / "people.yaml").read_text() != "mine"
    assert (tmp_path / "notes.txt").read_text() == "mine too"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A path that is a file is refused in plain words."""
    (tmp_path / "w").write_text("")
    result = CliRunner().invoke(app, ["init", str(tmp_path / "w"), "--yes"])
    assert isinstance(result.exception, ConfigError)
    assert "is a file" in result.exception.message


# -- the mail server -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def server(
    folder: Path, *, greeting: str = "220 ready", features: str = "", password: str = ""
) -> AsyncIterator[int]:
    """A mail server that greets, says EHLO, encrypts and lets in who has the password; gives its port."""
    pem = write_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{greeting}\r\n".encode())
        while line := (await reader.readline()).decode().strip():
            word = line.split()[0].upper()
            if word == "EHLO":
                names = ["mail.acme.example", *features.replace("AUTH=", "AUTH\t").split(" ")]
                lines = [f"250-{name}" for name in names[:-1]] + [f"250 {names[-1]}"]
                writer.write("".join(f"{text}\r\n" for text in lines).replace("\t", " ").encode())
            elif word == "STARTTLS":
                writer.write(b"220 go ahead\r\n")
                await writer.start_tls(context)
            elif word == "AUTH":
                writer.write(b"235 welcome\r\n" if password in line else b"535 no\r\n")
            else:
                writer.write(b"221 bye\r\n" if word == "QUIT" else b"502 what?\r\n")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(cast("asyncio.Task[None]", asyncio.current_task()))
        try:
            with suppress(OSError):  # who does not trust the certificate hangs up
                await talk(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        if talks:
            await asyncio.wait(talks, timeout=30)


def sending(port: int, **more: str) -> Send:
    """The settings for a server on this machine."""
    context = {"env": {"PASSWORD": "AGFjbWUAb3Blbg=="}, "folder": Path()}
    return Send.model_validate({"host": "127.0.0.1", "port": str(port), **more}, context=context)


async def test_a_server_that_takes_mail_passes(tmp_path: Path) -> None:
    """A plain server answers, speaks SMTP, and is said to be unencrypted; nothing is wrong with that on one machine."""
    async with server(tmp_path) as port:
        steps = await try_server(sending(port))
    assert [(step.step, step.ok) for step in steps] == [("connect", True), ("hello", True), ("starttls", True)]
    assert "no encryption" in steps[-1].says


async def test_encryption_is_tried(tmp_path: Path) -> None:
    """STARTTLS is used where it is offered, with any certificate; `starttls` asks for one that can be trusted."""
    async with server(tmp_path, features="STARTTLS") as port:
        easy = await try_server(sending(port))
        strict = await try_server(sending(port, tls="starttls"))
    assert (easy[-1].step, easy[-1].ok, "unchecked" in easy[-1].says) == ("starttls", True, True)
    assert (strict[-1].step, strict[-1].ok) == ("starttls", False)
    assert strict[-1].hint


@pytest.mark.parametrize(("password", "ok"), [("", True), ("wrong", False)])
async def test_signing_in_is_tried(tmp_path: Path, password: str, ok: bool) -> None:
    """Whoever is named in `user` is signed in, or it is said that the server does not let them in."""
    async with server(tmp_path, features="AUTH=PLAIN", password=password) as port:
        steps = await try_server(sending(port, tls="none", user="acme", password="${PASSWORD}"))
    assert (steps[-1].step, steps[-1].ok) == ("sign-in", ok)
    assert "AGFj" not in "".join(step.says + step.hint for step in steps)


async def test_no_password_leaves_without_encryption(tmp_path: Path) -> None:
    """A server that offers no encryption is not given a password, and it is said so."""
    async with server(tmp_path, features="AUTH=PLAIN") as port:
        steps = await try_server(sending(port, user="acme", password="${PASSWORD}"))
    assert (steps[-1].step, steps[-1].ok) == ("starttls", False)


@pytest.mark.parametrize(
    ("host", "says"), [("127.0.0.1", "nothing listens"), ("no-such-host.invalid", "a name that is not known")]
)
async def test_a_server_that_is_not_there_is_said_so(host: str, says: str) -> None:
    """Nothing at the port and no such name are told apart."""
    [step] = await try_server(Send(host=host, port=9))
    assert not step.ok
    assert says in step.says


async def test_a_server_that_turns_us_away_is_quoted(tmp_path: Path) -> None:
    """What a server says when it takes nothing from this machine is passed on."""
    async with server(tmp_path, greeting="554 not you") as port:
        [step] = await try_server(sending(port))
    assert "554 not you" in step.says


async def test_tls_from_the_first_byte_needs_a_server_that_has_it(tmp_path: Path) -> None:
    """A plain server under `tls: always` is named as what it is."""
    async with server(tmp_path) as port:
        [step] = await try_server(sending(port, tls="always"))
    assert not step.ok
    assert "TLS" in step.says
