"""What `usherd init` asks, how answers are read, and the writing of the first workspace."""

from __future__ import annotations

import json
import os
import pwd
import re
import socket
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from pydantic import TypeAdapter, ValidationError

from router.app.starter import HTTP_PORT, PASSWORD_FILES, SMTP_PORT, Person, Starter, files
from router.core.errors import ConfigError
from skills.scalars import Email, Language, Name, Zone

Answers = dict[str, str]  # as typed, by the question's key

# Names of folders that say nothing of whose workspace it is.
PLAIN_FOLDERS = frozenset({"", "config", "conf", "etc", "usherd", "workspace", "tmp"})
LINE_OF_AGENT = re.compile(r"(?P<name>[^<>]+?)\s*(?:<(?P<email>[^<>]+)>)?")
PORT_MAX = 65_535
PORTS_TRIED = 20

# What customers write about most, wherever they write; an admin's own words teach better.
STARTER_TOPICS: dict[str, tuple[str, ...]] = {
    "order": (
        "where is my order?",
        "my parcel did not arrive",
        "I want to change the delivery address",
        "please cancel my order",
        "when will it be delivered?",
    ),
    "refund": (
        "I want my money back",
        "please refund order 1182",
        "you charged me twice",
        "how do I return it and get my money?",
        "the refund has not reached my account",
    ),
    "account": (
        "I cannot sign in",
        "I forgot my password",
        "please change my e-mail address",
        "how do I close my account?",
        "the code to sign in does not arrive",
    ),
}


class Question(NamedTuple):
    """One question: its key in an answers file, the words, a note, the default given the answers so far, the reader.

    `read` raises ValueError with a sentence that says what is wrong.
    """

    key: str
    words: str
    note: str
    default: Callable[[Answers], str]
    read: Callable[[str], object]
    only_if: Callable[[Answers], bool] = lambda _: True
    secret: bool = False


# -- reading answers -----------------------------------------------------------------------------------------------


def read_workspace(text: str) -> str:
    """A workspace's name."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text):
        raise ValueError("small letters, digits and hyphens only, such as `acme`")
    return text


def read_zone(text: str) -> str:
    """A time zone, also by its city alone."""
    cities = [
        zone for zone in available_timezones() if zone.rpartition("/")[2].casefold() == slug(text).replace("-", "_")
    ]
    try:
        return _typed(TypeAdapter[str](Zone), text)
    except ValueError:
        if len(cities) == 1:
            return cities[0]
        raise


def read_languages(text: str) -> tuple[str, ...]:
    """Codes of languages, parted by commas or blanks."""
    codes = tuple(dict.fromkeys(re.split(r"[\s,]+", text.strip().lower())))
    for code in codes:
        try:
            TypeAdapter[str](Language).validate_python(code)
        except ValidationError:
            raise ValueError(f"`{code}` is no code of a language: two letters each, such as `en, es`") from None
    return codes


def read_address(text: str) -> str:
    """An e-mail address."""
    return _typed(TypeAdapter[str](Email), text)


def read_server(text: str, usual: int = 587) -> tuple[str, int]:
    """A mail server as `host` or `host:port`; without a port 587, where mail is submitted."""
    host, colon, port = text.rpartition(":") if text.count(":") == 1 or "]" in text else (text, "", str(usual))
    host = host.strip("[]") if colon else text.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) <= PORT_MAX or re.search(r"\s|/", host):
        raise ValueError("a name and a port, such as `mail.acme.example:587`")
    return host, int(port)


def read_mailbox(text: str) -> tuple[str, int] | None:
    """An IMAP server as `host` or `host:port`, without a port 993; or none."""
    return read_server(text.strip(), 993) if text.strip() else None


def read_user(text: str) -> str | None:
    """A name to sign in with, or nobody."""
    return text.strip() or None


def read_password(text: str) -> str:
    """A password that is not empty."""
    if not text:
        raise ValueError("who signs in needs a password")
    return text


def read_agents(text: str) -> tuple[Person, ...]:
    """`Ana Souza <ana@acme.example>, Ben`: names, addresses where wanted; ids are made of the names."""
    people: dict[str, Person] = {}
    for one in filter(None, (part.strip() for part in re.split(r"[,;]", text))):
        found = LINE_OF_AGENT.fullmatch(one)
        if found is None:
            raise ValueError("names, each with an address if you like: `Ana Souza <ana@acme.example>, Ben`")
        name, email = found["name"], found["email"]
        if "@" in name:
            name, email = name.partition("@")[0], name
        ids = (slug(name.split()[0]), slug(name), *(f"{slug(name)}-{n}" for n in range(2, 100)))
        chosen = next(id_ for id_ in ids if id_ not in people)
        people[chosen] = Person(chosen, name, None if email is None else read_address(email))
    if not people:
        raise ValueError("at least one name: somebody has to answer")
    return tuple(people.values())


def read_topics(text: str) -> tuple[str, ...]:
    """Topics, parted by commas."""
    found = tuple(dict.fromkeys(slug(part) for part in re.split(r"[,;]", text) if part.strip()))
    for name in found:
        _typed(TypeAdapter[str](Name), name)
    return found


def slug(text: str) -> str:
    """An id made of somebody's words: small letters, digits, hyphens."""
    folded = unicodedata.normalize("NFKD", text)
    plain = "".join(sign for sign in folded if not unicodedata.combining(sign)).casefold()
    return re.sub(r"[^\w]+", "-", plain).strip("-_") or "agent"


def _typed(adapter: TypeAdapter[str], text: str) -> str:
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


# -- defaults ------------------------------------------------------------------------------------------------------


def guessed_zone() -> str:
    """This machine's time zone, or UTC."""
    link = os.path.realpath("/etc/localtime")
    for name in (os.environ.get("TZ", "").removeprefix(":"), link.partition("/zoneinfo/")[2], _said_zone()):
        try:
            if name:
                return read_zone(name)
        except ValueError:
            continue
    return "UTC"


def _said_zone() -> str:
    try:
        return Path("/etc/timezone").read_text("utf-8").strip()
    except OSError:
        return ""


def guessed_languages() -> str:
    """The language this user's session speaks, else English."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    code = re.split(r"[_.@]", spoken)[0].lower()
    return code if re.fullmatch("[a-z]{2}", code) else "en"


def guessed_agent() -> str:
    """The full name of who types this, else their login, else somebody's."""
    try:
        user = pwd.getpwuid(os.getuid())
    except KeyError:
        return "Ana"
    if user.pw_uid == 0:
        return "Ana"
    name = re.sub(r"[,;<>].*", "", user.pw_gecos).strip() or user.pw_name
    return name if slug(name) != "agent" else "Ana"


def questions(folder: Path) -> tuple[Question, ...]:
    """What is asked for a workspace in `folder`, in order."""
    own = slug(folder.resolve().name)
    name = own if own not in PLAIN_FOLDERS and re.fullmatch("[a-z0-9][a-z0-9-]*", own) else "acme"
    return (
        Question("workspace", "What is the workspace called?", "its name in the store; never changed later",
                 lambda _: name, read_workspace),
        Question("timezone", "In which time zone does the team work?", "", lambda _: guessed_zone(), read_zone),
        Question("languages", "Which languages do customers write in?", "two letters each, the main one first",
                 lambda _: guessed_languages(), read_languages),
        Question("address", "Which address do customers write to?", "",
                 lambda so_far: f"help@{so_far['workspace']}.example", read_address),
        Question("server", "Which mail server takes the replies?", "host:port",
                 lambda _: "127.0.0.1:25", read_server),
        Question("user", "Who signs in at that server?", "Enter: nobody", lambda _: "", read_user),
        Question("password", "With which password?", "not shown; kept in a file of its own",
                 lambda _: "", read_password, lambda so_far: bool(so_far["user"].strip()), secret=True),
        Question("mailbox", "Which IMAP server has the mailbox?", "host:port; Enter: none, mail is handed in by SMTP",
                 lambda _: "", read_mailbox),
        Question("mailbox_password", "With which password does that address sign in there?", "not shown; in a file too",
                 lambda _: "", read_password, lambda so_far: bool(so_far["mailbox"].strip()), secret=True),
        Question("agents", "Who answers?", "names, with addresses if you like: Ana Souza <ana@acme.example>, Ben",
                 lambda _: guessed_agent(), read_agents),
        Question("topics", "What do customers write about?", "a word each, with commas between",
                 lambda _: ", ".join(STARTER_TOPICS), read_topics),
    )  # fmt: skip


# -- writing -------------------------------------------------------------------------------------------------------


def answers_of(asked: tuple[Question, ...], given: Mapping[str, str]) -> Answers:
    """The given answers, and the defaults of all else. Raises ConfigError, naming the answer that is wrong."""
    for key in given:
        if key not in {question.key for question in asked}:
            known = ", ".join(question.key for question in asked)
            raise ConfigError(f"nothing called `{key}` is asked", hint=f"what can be answered: {known}")
    answers: Answers = {}
    for question in asked:
        answer = given.get(question.key, question.default(answers))
        try:
            if question.only_if(answers):
                question.read(answer)
        except ValueError as error:
            raise ConfigError(f"`{question.key}`: {error}", hint=f"{question.words} {question.note}".strip()) from None
        answers[question.key] = answer
    return answers


def read_answers(path: Path) -> Answers:
    """The answers in a JSON file: an object of the questions' keys; lists count as their items with commas.

    Raises ConfigError.
    """
    hint = 'an object such as {"workspace": "acme", "agents": ["Ana Souza <ana@acme.example>"], "topics": ["refund"]}'
    try:
        found: Any = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", file=str(path)) from None
    except ValueError as error:
        raise ConfigError(f"it is not JSON: {error}", file=str(path), hint=hint) from None
    if not isinstance(found, dict):
        raise ConfigError("it holds no answers", file=str(path), hint=hint)
    answers: Answers = {}
    for key, value in found.items():
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str | int) for part in parts):
            raise ConfigError(f"`{key}` must be a text or a list of texts", file=str(path), hint=hint)
        answers[key] = ", ".join(map(str, parts))
    return answers


def starter(answers: Answers) -> Starter:
    """What the answers say; each has been read once without an error."""
    host, port = read_server(answers["server"])
    user = read_user(answers["user"])
    mailbox = read_mailbox(answers["mailbox"])
    return Starter(
        workspace=answers["workspace"],
        timezone=read_zone(answers["timezone"]),
        languages=read_languages(answers["languages"]),
        address=read_address(answers["address"]),
        host=host,
        port=port,
        user=user,
        password=None if user is None else answers["password"],
        mailbox=mailbox,
        mailbox_password=None if mailbox is None else answers["mailbox_password"],
        agents=read_agents(answers["agents"]),
        topics={name: STARTER_TOPICS.get(name, ()) for name in read_topics(answers["topics"])},
        smtp_port=free_port(SMTP_PORT),
        http_port=free_port(HTTP_PORT),
    )


def free_port(wanted: int) -> int:
    """The wanted port on this machine, or the next one that nobody listens on."""
    for port in range(wanted, wanted + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    return wanted


def occupied(folder: Path) -> list[str]:
    """What stands in the folder already. Raises ConfigError if it is no folder, or cannot be read."""
    if not folder.exists():
        return []
    try:
        return sorted(path.name for path in folder.iterdir())
    except NotADirectoryError:
        raise ConfigError(f"{folder} is a file, not a folder", hint="name a folder for the workspace") from None
    except OSError as error:
        raise ConfigError(f"{folder} cannot be read: {error.strerror}", hint="check who may read it") from None


def write(folder: Path, made: Starter) -> list[str]:
    """Write the workspace; gives the paths in its folder. Raises ConfigError."""
    written = []
    try:
        for name, text in files(made).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = 0o600 if name in PASSWORD_FILES else 0o644
            if name in PASSWORD_FILES:
                path.unlink(missing_ok=True)  # a mode is given to a new file only
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
                file.write(text)
            written.append(name)
    except OSError as error:
        hint = "name a folder that you may write to"
        raise ConfigError(f"cannot write {folder}: {error.strerror}", file=str(folder), hint=hint) from None
    return written
