"""A workspace to begin with: what an admin answered, written into the example's pages."""

from __future__ import annotations

import msgspec

from router.app.example import Block, Flow, Off, Page, flow
from router.app.slack_manifest import manifest_text
from skills import schema

LEVEL = 3  # what everybody can do of each topic, until the admin knows better
SPOKEN = 5
REQUIRED = 2
SMTP_PORT, HTTP_PORT = 2525, 8080
PASSWORD_FILE, MAILBOX_PASSWORD_FILE = "smtp-password", "imap-password"
PASSWORD_FILES = frozenset({PASSWORD_FILE, MAILBOX_PASSWORD_FILE})
IMAPS_PORT = 993
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who answers customers."""

    id: str
    name: str
    email: str | None = None


class Starter(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `usherd init` asks for. `topics`: what customers write, by topic."""

    workspace: str
    timezone: str
    languages: tuple[str, ...]
    address: str
    host: str
    port: int
    user: str | None
    password: str | None
    mailbox: tuple[str, int] | None = None
    mailbox_password: str | None = None
    agents: tuple[Person, ...]
    topics: dict[str, tuple[str, ...]]
    smtp_port: int = SMTP_PORT
    http_port: int = HTTP_PORT


def files(starter: Starter) -> dict[str, str]:
    """The workspace's files: path in its folder → text."""
    found = {
        "workspace.yaml": _workspace(starter),
        "people.yaml": _people(starter),
        "routing.yaml": _routing(starter),
        "schema/workspace.json": schema.text(),
        "slack/manifest.txt": manifest_text(),
    }
    if starter.password is not None:
        found[PASSWORD_FILE] = f"{starter.password}\n"
    if starter.mailbox_password is not None:
        found[MAILBOX_PASSWORD_FILE] = f"{starter.mailbox_password}\n"
    return found


def _workspace(starter: Starter) -> str:
    page = Page("workspace.yaml")
    page.replace("`acme-air`: an example to copy.", f"`{starter.workspace}`.")
    page.put("workspace", flow(starter.workspace))
    page.put("timezone", flow(starter.timezone))
    page.put("languages", flow(list(starter.languages)))
    page.put("channels.email.smtp.recipients", flow([starter.address]))
    page.put("channels.email.send.host", flow(starter.host))
    page.put("channels.email.send.port", flow(starter.port))
    if starter.user is not None:
        page.turn_on("user", flow(starter.user))
        page.turn_on("password", flow(f"file:{PASSWORD_FILE}"))
    if starter.mailbox is not None:
        host, port = starter.mailbox
        tls = "always" if port == IMAPS_PORT else "none" if host in LOOPBACK else "starttls"
        read = {"host": host, "port": port, "tls": tls, "user": starter.address}
        page.replace("    # imap:  ", "    imap:    ")
        page.insert_below("    imap:", f"      - {flow({**read, 'password': f'file:{MAILBOX_PASSWORD_FILE}'})}")
    page.put("channels.webchat.origins", flow([]))
    if starter.smtp_port != SMTP_PORT:
        page.replace(f':{SMTP_PORT}"', f':{starter.smtp_port}"')
    if starter.http_port != HTTP_PORT:
        page.replace("# web:  ", "web:    ")
        page.replace(f'#   listen: "127.0.0.1:{HTTP_PORT}"', f'  listen: "127.0.0.1:{starter.http_port}"')
    return page.text


def _people(starter: Starter) -> str:
    page = Page("people.yaml")
    first, *others = starter.agents
    skills = dict.fromkeys(starter.topics, LEVEL) | {f"lang:{language}": SPOKEN for language in starter.languages}
    page.write("agents", {person.id: _agent(person, person is first, skills) for person in starter.agents})
    support: dict[str, Block] = {
        "strategy": flow("even"),
        "assign": flow("offer"),
        "overflow": Off("{to: amer, at: 10, until: 4}"),
    }
    triage: dict[str, Block] = {"members": flow([first.id, *(other.id for other in others[:1])])}
    page.write("teams", {"support": support, "triage": triage})
    hours: dict[str, Block] = {
        "timezone": flow(starter.timezone),
        "hours": Flow('{mon-fri: "09:00-17:00"}'),
        "holidays": flow([]),
        "closed": flow([]),
    }
    page.write("calendars", {"office": hours})
    page.turn_off("customers")
    return page.text


def _agent(person: Person, leads: bool, skills: dict[str, int]) -> dict[str, Block]:  # noqa: FBT001 (the first, or not)
    """One agent; they have no calendar, so that a first mail at night finds somebody."""
    found: dict[str, Block] = {"name": flow(person.name)}
    if person.email is not None:
        found["email"] = flow(person.email)
    elif leads:
        found["email"] = Off("ana@example.com")
    if leads:
        found["slack"] = Off("ana@example.com")
    found["team"] = flow("support")
    if leads:
        found["role"] = flow("admin")
    found["skills"] = flow(skills)
    found["capacity"] = flow({"chat": 3, "email": 6, "messaging": 4, "units": 8})
    if leads:
        found["calendar"] = Off("office")
        found["share"] = Off("1.0")
    return found


def _routing(starter: Starter) -> str:
    page = Page("routing.yaml")
    promised = {"first_response": "2h", "resolution": "8h", "calendar": "office"}
    rules: list[Block] = []
    for topic in starter.topics:
        if rules:
            rules.append(flow({"when": {"topic": topic}, "require": {topic: REQUIRED}}))
        else:
            rules.append({
                "when": flow({"topic": topic}),
                "require": flow({topic: REQUIRED}),
                "sla": flow(promised),
            })  # fmt: skip
    urgent = [line.removeprefix("  ") for line in page.part("rules.3")]
    page.write("rules", rules or flow([]), below=["", "More that a rule may say:", *urgent])
    page.write("topics", {name: _topic(name, starter) for name in starter.topics} or flow({}))
    page.put("uncovered", flow([]))
    page.turn_off("replies")  # they are an airline's
    page.turn_off("articles")
    return page.text


def _topic(name: str, starter: Starter) -> dict[str, Block]:
    """One topic. Its name is a keyword only where there is nothing better: words such as `order` stand in any mail."""
    found: dict[str, Block] = {}
    written = starter.topics[name]
    if written:
        found["examples"] = [flow(words) for words in written]
    if not written or name == next(iter(starter.topics)):
        found["keywords"] = flow([] if written else [name.replace("-", " ").replace("_", " ")])
    found["effort"] = flow("8m")
    return found
