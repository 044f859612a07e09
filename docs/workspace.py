"""Writes the reference of a workspace's keys in docs/how-to/workspace.md, from the models and the example.

Run it as `python -m docs.workspace`; a test fails when what it would write differs from what stands there. What a key
means is its docstring in `skills/model.py` and `skills/channel_model.py`; examples are those of `config/`.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from skills.model import WorkspaceConfig
from skills.yaml_values import YamlFile

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "how-to" / "workspace.md"
PAGES = ("workspace.yaml", "people.yaml", "routing.yaml")
BEGIN, END = "<!-- keys -->\n", "<!-- /keys -->"
EXAMPLE_CHARACTERS_MAX = 72
ID, ITEM = "ID", "[]"
Steps = tuple[str, ...]

# Of keys that the example workspace does not show.
MORE_EXAMPLES = {
    "agents.ID.signature": "Ana Souza, Acme Air",
    "rules.[].when.channel": "webchat",
    "rules.[].when.kind": "chat",
    "rules.[].when.account": "vip@acme.example",
    "rules.[].when.language": "es",
    "rules.[].when.tier": "gold",
    "rules.[].when.mood": "angry",
    "moods.ID.examples": "[I have asked three times now, this is the worst service]",
    "moods.ID.keywords": "[outrageous, lawyer]",
    "rules.[].sla.next_response": "4h",
    "sla.ID.next_response": "4h",
    "sla.ID.resolution": "3d",
    "sla.ID.calendar": "madrid",
    "replies.ID.text": "Hello {customer}, your refund is on its way.",
    "customers.list": "customers.csv",
    "customers.listed": "{ceo@other.example: gold, other.example: gold}",
    "customers.lookup.url": "https://crm.acme.example/tier",
    "customers.lookup.secret": "${CRM_SECRET}",
    "customers.invite": '{en: "Go on in our chat: {chat}"}',
    "csat.question": '{en: "Did we help you with {reference}?"}',
    "channels.webchat.page": "https://acme.example/help",
    "auto_answers.receipt": '{en: "We have your message, {reference}."}',
    "auto_answers.out_of_hours": '{en: "We are back on {opens_at}."}',
    "auto_answers.queue": '{en: "You are number {place}."}',
    "channels.email.imap.[].host": "imap.acme.example",
    "channels.email.imap.[].port": "143",
    "channels.email.imap.[].tls": "starttls",
    "channels.email.imap.[].user": "help@acme.example",
    "channels.email.imap.[].password": "${IMAP_PASSWORD}",
    "channels.email.imap.[].oauth2.token_url": "https://login.example/oauth2/token",
    "channels.email.imap.[].oauth2.client_id": "usherd",
    "channels.email.imap.[].oauth2.client_secret": "${OAUTH_SECRET}",
    "channels.email.imap.[].oauth2.refresh_token": "file:imap-token",
    "channels.email.imap.[].oauth2.scope": "https://mail.example/imap",
    "channels.email.imap.[].mailbox": "Support/New",
    "channels.email.imap.[].account": "help@acme.example",
    "channels.email.imap.[].after": "move",
    "channels.email.imap.[].move_to": "Taken in",
    "channels.email.imap.[].begin": "new",
    "channels.email.imap.[].size_max": "50MB",
    "channels.email.filters.rspamd": "http://127.0.0.1:11333",
    "channels.email.filters.clamd": "/run/clamav/clamd.ctl",
    "channels.email.brand.name": "Acme Air",
    "channels.email.brand.url": "https://acme.example",
    "channels.email.brand.logo": "https://acme.example/logo.png",
    "channels.email.brand.colour": "'#0a5'",
    "channels.email.letters.ID.reply_above": "-- Please reply above this line --",
    "channels.email.letters.ID.header": "'{brand}'",
    "channels.email.letters.ID.signature": "'{signature}'",
    "channels.email.letters.ID.footer": "Your reference is {reference}",
    "channels.email.letters.ID.text": "'{reply_above} {message} {signature} {footer}'",
    "channels.email.letters.ID.html": "<div>{message}</div>",
    "channels.email.send.dkim.[].domain": "acme.example",
    "channels.email.send.dkim.[].selector": "s2026",
    "channels.email.send.dkim.[].key": "file:dkim.pem",
    "channels.email.smtp.tls.certificate": "/etc/ssl/help.pem",
    "channels.email.smtp.tls.key": "/etc/ssl/help.key",
    "channels.email.smtp.tls.required": "true",
    "channels.email.smtp.users": "{mx: '${MX_SECRET}'}",
    "channels.email.smtp.auth": "offered",
    "web.url": "https://desk.acme.example",
    "web.hooks.ID.url": "https://crm.acme.example/usherd",
    "web.hooks.ID.secret": "${CRM_SECRET}",
    "web.hooks.ID.events": "[contact.opened, contact.resolved]",
}
# The model's, not the YAML's: it is written `auto`, or as skills.
UNWRITTEN = {("reserve", "auto"), ("reserve", "skills")}
UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))


def keys(model: type[BaseModel], path: Steps = ()) -> Iterator[tuple[Steps, FieldInfo]]:
    """Every key under a model with its path; ids of the admin's own are ID, items of lists []."""
    for name, field in model.model_fields.items():
        here = (*path, name)
        if here in UNWRITTEN:
            continue
        yield here, field
        for inner, steps in _models(field.annotation):
            yield from keys(inner, (*here, *steps))


def _models(annotation: Any, steps: Steps = ()) -> Iterator[tuple[type[BaseModel], Steps]]:  # noqa: ANN401
    """The models that a value of this type holds, and how they are reached."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, steps
        return
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict:
        yield from _models(inner[1], (*steps, ID))
    elif origin is tuple:
        yield from _models(inner[0], (*steps, ITEM))
    elif origin is not typing.Literal:
        for one in inner:
            yield from _models(one, steps)


def examples() -> dict[Steps, str]:
    """A value of each key that the example shows, also of those that stand commented out."""
    known = {path for path, _ in keys(WorkspaceConfig)}
    words = {path[-1] for path in known}
    found: dict[Steps, str] = {}
    for name in PAGES:
        text = (ROOT / "config" / name).read_text("utf-8")
        for one in (text, _uncommented(text, words)):
            _collect(YamlFile(name, one).values, (), known, found)
    return found


def _uncommented(text: str, words: set[str]) -> str:
    """The text with the keys that stand commented out; what they are instead of is dropped."""
    lines: list[str] = []
    for line in text.splitlines():
        found = re.match(r"(\s*)# ( *)([\w-]+):(?: |$)", line)
        if found is None or found[3] not in words:
            lines.append(line)
            continue
        key = f"{found[1]}{found[2]}{found[3]}:"
        block = _block(lines, len(found[1] + found[2]))
        lines[block:] = [one for one in lines[block:] if not one.startswith(key)]
        lines.append(line.replace("# ", "", 1))
    return "\n".join(lines) + "\n"


def _block(lines: list[str], indent: int) -> int:
    """Where the mapping begins that a key so far to the right belongs to."""
    for place in range(len(lines) - 1, -1, -1):
        text = lines[place].split("#")[0]
        if text.strip() and len(text) - len(text.lstrip()) < indent:
            return place + 1
    return 0


def _collect(value: Any, path: Steps, known: set[Steps], found: dict[Steps, str]) -> None:  # noqa: ANN401
    if path in known:
        text = _short(value)
        if text:
            found.setdefault(path, text)
    if isinstance(value, dict):
        own = not any((*path, key) in known for key in value)
        for key, inner in value.items():
            _collect(inner, (*path, ID if own else key), known, found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, (*path, ITEM), known, found)


def _short(value: Any) -> str:  # noqa: ANN401
    """A value that fits a table; of a list only its first items; nothing if even that is too long."""
    text = _flow(value)
    if len(text) <= EXAMPLE_CHARACTERS_MAX and "\n" not in text:
        return text
    return _short(value[:-1]) if isinstance(value, list) and len(value) > 1 else ""


def _flow(value: Any) -> str:  # noqa: ANN401
    """A value on one line as YAML; numbers and words as they were written."""
    if isinstance(value, dict):
        value = {key: inner for key, inner in value.items() if inner is not None}
    if value in (None, "", {}, []):
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    text = text.removesuffix("...\n").strip()
    return re.sub(r"'([\w.:%+-]+(?: [\w.]+)*)'", r"\1", text)


def page(text: str) -> str:
    """`text` with its block of keys made anew. Raises ValueError if it has none."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        message = f"{PAGE.name} has no block of keys"
        raise ValueError(message)
    return f"{head}{BEGIN}{tables()}{END}{tail}"


def tables() -> str:
    """A section for each key of the top level, with a table of the keys under it."""
    shown = examples()
    parts: list[str] = []
    rows: list[str] = []
    for path, field in keys(WorkspaceConfig):
        if len(path) == 1:
            parts += [*rows, ""] if rows else []
            rows = []
            model = next(_models(field.annotation), None)
            about = f" {_sentence(model[0])}" if model is not None and _sentence(model[0]) != field.description else ""
            parts += [f"### `{path[0]}`", "", f"{field.description or ''}{about}", ""]
            if example := _example(path, shown):
                parts += ["```yaml", f"{path[0]}: {example}", "```", ""]
            continue
        if not rows:
            rows = ["| key | what it means | default | example |", "|---|---|---|---|"]
        example = _example(path, shown)
        cells = (f"`{_dotted(path)}`", field.description or "", _default(field), f"`{example}`" if example else "")
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*parts, *rows, ""])


def missing() -> list[str]:
    """Keys that have no example: those with keys of their own excepted."""
    shown = examples()
    return [
        ".".join(path)
        for path, field in keys(WorkspaceConfig)
        if not _example(path, shown) and not list(_models(field.annotation))
    ]


def _dotted(path: Steps) -> str:
    return ".".join(path).replace(f".{ITEM}", ITEM)


def _sentence(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _example(path: Steps, shown: dict[Steps, str]) -> str:
    return MORE_EXAMPLES.get(".".join(path)) or shown.get(path, "")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.default
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel) or value in ((), {}, ""):
        return ""
    return f"`{_spelled(value, repr((field.annotation, field.metadata)))}`"


def _spelled(value: Any, kind: str) -> str:  # noqa: ANN401
    """A default as it would be written; `kind` names what reads it, as the models keep milliseconds and 10,000ths."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and "duration" in kind:
        size, unit = next(((size, unit) for size, unit in UNITS if value and value % size == 0), (1, "s"))
        return f"{value // size}{unit}"
    if isinstance(value, int) and "percent" in kind:
        return f"{value / 100:g}%"
    if isinstance(value, int) and "share" in kind:
        return f"{value / 10_000:g}"
    if isinstance(value, int) and "size" in kind:
        return f"{value // 1_000_000}MB"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int):  # noqa: PLR2004 (host and port)
        return f"{value[0]}:{value[1]}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_spelled(one, kind)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_spelled(one, kind) for one in value) + "]"
    return str(value)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
