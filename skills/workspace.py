"""Loads a workspace: reads the folder, types every value, checks what refers to what, and says all errors at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from router.core.errors import ConfigError
from skills.findings import ConfigErrors, Finding, Marks, finding_at, nearest
from skills.model import KINDS, TRIAGE, UNITS, WorkspaceConfig
from skills.plain_errors import plain_errors
from skills.reading import Tree, read_folder
from skills.references import References

__all__ = ["ConfigErrors", "Loaded", "load", "restore"]

# Keys that may stand empty, for an example in which everything under them is commented out.
_SECTIONS = frozenset(WorkspaceConfig.model_fields) - {"workspace", "timezone"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A workspace that is right in itself.

    `config`: the typed tree. `version`: SHA-256 of the content in hex, secrets only as references. `files`: what was
    read, in order. `marks`: key path → file and line. `warnings`: what is worth knowing but keeps nothing back.
    `content`: the values as JSON, from which another node has the same by `restore`.
    """

    config: WorkspaceConfig
    version: str
    folder: Path
    files: tuple[Path, ...]
    marks: Marks
    warnings: tuple[Finding, ...] = ()
    content: bytes = b""


def load(folder: Path, env: Mapping[str, str] | None = None) -> Loaded:
    """Read and check the workspace in `folder`; secrets written `${NAME}` are looked up in `env` (os.environ).

    Raises ConfigErrors, which holds every error found, each with file, line and remedy.
    """
    try:
        tree = read_folder(folder)
    except ConfigError as error:
        raise ConfigErrors([error]) from None
    return _checked(tree, folder, os.environ if env is None else env)


def restore(content: bytes, folder: Path, env: Mapping[str, str] | None = None) -> Loaded:
    """The workspace that another node has, from its `content`; secrets are looked up here.

    Raises ConfigErrors, without lines: what cannot be used here is another node's file, or a secret that is missing.
    """
    tree = Tree()
    tree.values = json.loads(content)
    return _checked(tree, folder, os.environ if env is None else env)


def _checked(tree: Tree, folder: Path, env: Mapping[str, str]) -> Loaded:
    errors = list(tree.errors)
    config = _typed(tree, folder, env, errors)
    if config is not None and not errors:
        errors += References(config, tree.marks).errors
    if errors or config is None:
        raise ConfigErrors(errors)
    warnings = _warnings(config, tree.marks)
    return Loaded(config, tree.version(), folder, tuple(tree.files), tree.marks, warnings, tree.content())


def _typed(tree: Tree, folder: Path, env: Mapping[str, str], errors: list[ConfigError]) -> WorkspaceConfig | None:
    given = {key: value for key, value in tree.values.items() if value is not None or key not in _SECTIONS}
    try:
        return WorkspaceConfig.model_validate(given, context={"env": env, "folder": folder})
    except ValidationError as failed:
        broken = {(error.file, error.line) for error in errors}  # a line that is no YAML is not also a wrong value
        found = plain_errors(WorkspaceConfig, failed.errors(include_url=False), tree.marks)
        errors += [error for error in found if (error.file, error.line) not in broken]
        return None


def _warnings(config: WorkspaceConfig, marks: Marks) -> tuple[Finding, ...]:
    found: list[Finding] = []
    if TRIAGE not in config.teams and config.topic_model.unsure == TRIAGE:
        message = "no team `triage`: what nobody can be chosen for, or whose topic is unsure, waits for anybody"
        found.append(finding_at(marks, ("teams",), "no_triage", message, "add `triage: {members: […]}` to `teams`"))
    if not config.channels.names:
        message = "no channel is on: nobody can write"
        found.append(finding_at(marks, ("channels",), "no_channel", message, "add `channels: {email: …}`"))
    if config.channels.email is not None and config.channels.email.send is None and config.mode == "live":
        message, hint = "mail comes in, but replies cannot leave", "add `send: {host: …}` under `channels.email`"
        found.append(finding_at(marks, ("channels", "email"), "no_send", message, hint))
    found += _unsigned(config, marks)
    if config.csat.question and config.channels.email is not None and not config.web.url:
        message, hint = "the question goes out by mail, and its links lead to this machine", "set `web.url: https://…`"
        found.append(finding_at(marks, ("csat",), "no_url", message, hint))
    for name, topic in config.topics.items():
        if not topic.examples and not topic.keywords:
            message = f"topic `{name}` has neither examples nor keywords: only agents can say that a contact is of it"
            found.append(finding_at(marks, ("topics", name), "topic_without_words", message, "add five examples"))
    found += _odd_kinds(config, marks)
    return tuple(found)


def _unsigned(config: WorkspaceConfig, marks: Marks) -> Iterator[Finding]:
    """Mail that leaves without a signature, where other mail of the workspace has one."""
    email = config.channels.email
    send = email.send if email is not None else None
    if send is None or not send.dkim:
        return
    senders = (send.address,) if send.address else config.accounts
    for address in senders:
        if not any(key.signs(address) for key in send.dkim):
            message = f"mail from {address} leaves unsigned: no key is for its domain"
            hint = f"add one for `{address.rpartition('@')[2]}`; `dkim` may be a list"
            yield finding_at(marks, ("channels", "email", "send", "dkim"), "unsigned", message, hint)


def _odd_kinds(config: WorkspaceConfig, marks: Marks) -> Iterator[Finding]:
    """Kinds may have any name, so a slip such as `chats` is a kind of its own, of which nothing ever comes."""
    usual = {*KINDS, UNITS}
    for name, agent in config.agents.items():
        for kind in agent.capacity:
            if kind not in usual and (meant := nearest(kind, usual)):
                message = f"`{name}` has a capacity of `{kind}`; did you mean `{meant}`?"
                yield finding_at(marks, ("agents", name, "capacity", kind), "odd_kind", message, f"write `{meant}`")
