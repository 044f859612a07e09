"""Reads the YAML files of a workspace folder into one tree of plain values that knows the line of each key.

Files are `*.yaml` and `*.yml` in the folder and the folders in it, in the order of their paths; names that begin with
a dot are left out (editors' and Kubernetes' own). Mappings may be split over files; so may `rules`, whose order is
that of the files. Anything else set twice is an error.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

from router.core.errors import ConfigError
from skills.findings import Key, KeyPath, Mark
from skills.tier_list import TierList
from skills.yaml_values import YamlFile

FILES_MAX = 1_000
BYTES_MAX = 16 * 1024 * 1024  # of all files together; a workspace of 10,000 agents has 3 MB
SPLIT_LISTS = frozenset({"rules"})


class Tree:
    """The values of all files as one mapping, the mark of each key, and what was wrong.

    `values`: str | None | list | dict, nested. `errors`: everything found; what could be read is there even so,
    because more can be said about it.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.marks: dict[KeyPath, Mark] = {}
        self.errors: list[ConfigError] = []
        self.files: list[Path] = []

    def version(self) -> str:
        """SHA-256 over the content, in hex: without comments, order of keys, or what secrets stand for."""
        text = json.dumps(self.values, sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()

    def content(self) -> bytes:
        """The values as JSON, in the order of the files: what other nodes are given. Secrets are references in it."""
        return json.dumps(self.values, ensure_ascii=False, separators=(",", ":")).encode()

    def add(self, name: str, data: bytes) -> None:
        """Read one file's bytes, under the name it has in errors, into the tree."""
        text = self._decode(name, data)
        if text is None:
            return
        file = YamlFile(name, text)
        self.errors += file.errors
        if isinstance(file.values, dict):
            self._merge_file(file)
        elif file.values is not None:
            what = "a workspace file holds keys, such as `agents:`"
            self.errors.append(ConfigError(what, file=name, line=1, hint="begin the file with a key", code="yaml"))

    def _decode(self, name: str, data: bytes) -> str | None:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            what, line = "the file is UTF-16, not UTF-8", 1
        else:
            try:
                return data.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                what, line = "the file is not UTF-8", data.count(b"\n", 0, error.start) + 1
        self.errors.append(ConfigError(what, file=name, line=line, hint="save it as UTF-8", code="encoding"))
        return None

    def _merge_file(self, file: YamlFile) -> None:
        moved: dict[str, int] = {}  # split lists: how many items earlier files have
        for key, value in file.values.items():
            before = self.values.get(key)
            if before is None or value is None:
                self.values[key] = before if value is None else value
            elif key in SPLIT_LISTS and isinstance(before, list) and isinstance(value, list):
                moved[key] = len(before)
                self.values[key] = before + value
            else:
                self.values[key] = self._merged(before, value, (key,), file)
        for path, mark in file.marks.items():
            self.marks.setdefault(_shifted(path, moved), mark)

    def _merged(self, before: Any, value: Any, path: KeyPath, file: YamlFile) -> Any:  # noqa: ANN401
        if isinstance(before, dict) and isinstance(value, dict):
            both = dict(before)
            for key, inner in value.items():
                both[key] = self._merged(both[key], inner, (*path, key), file) if key in both else inner
            return both
        first = self.marks.get(path)
        where = f"; first in {first.file}, line {first.line}" if first else ""
        mark = file.marks.get(path)
        self.errors.append(
            ConfigError(
                f"`{'.'.join(map(str, path))}` is set twice{where}",
                file=file.name,
                line=mark and mark.line,
                hint="keep one of the two",
                code="duplicate",
            )
        )
        return before


def _shifted(path: KeyPath, moved: dict[str, int]) -> KeyPath:
    offset = moved.get(str(path[0]), 0)
    if not offset or len(path) == 1:
        return path
    index: Key = path[1]
    return (path[0], index + offset, *path[2:]) if isinstance(index, int) else path


def read_folder(folder: Path) -> Tree:
    """Read all YAML files of `folder`. Raises ConfigError if there is none, or they are too many or too large."""
    tree = Tree()
    if not folder.is_dir():
        hint = "name the workspace's folder with --config, or make one with `usherd init`"
        raise ConfigError(f"there is no folder {folder}", file=str(folder), hint=hint, code="no_workspace")
    paths = _paths(folder)
    if not paths:
        hint = "a workspace is a folder of .yaml files; `usherd init` writes one"
        raise ConfigError(f"{folder} holds no .yaml file", file=str(folder), hint=hint, code="no_workspace")
    total = 0
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            total += path.stat().st_size
            if total > BYTES_MAX:
                raise ConfigError(
                    f"more than {BYTES_MAX:,} bytes of YAML", file=name, hint="is it the right folder?", code="too_much"
                )
            tree.add(name, path.read_bytes())
        except OSError as error:
            what = f"cannot be read: {error.strerror}"
            tree.errors.append(ConfigError(what, file=name, hint="check who may read the file", code="unreadable"))
        tree.files.append(path)
    _add_list(tree, folder, BYTES_MAX - total)
    return tree


def _bytes_inside(folder: Path, path: Path, room: int) -> bytes:
    """A file of the folder. Raises OSError for one that lies elsewhere or is too large."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise OSError(None, "it lies outside of the workspace's folder")
    if path.stat().st_size > room:
        raise OSError(None, f"it has more than {room:,} bytes")
    return path.read_bytes()


def _add_list(tree: Tree, folder: Path, room: int) -> None:
    """The list of customers and tiers that the workspace names: as if it stood in the YAML."""
    customers = tree.values.get("customers")
    name = customers.get("list") if isinstance(customers, dict) else None
    if not isinstance(customers, dict) or not isinstance(name, str) or not name.endswith(".csv"):
        return  # what is no name of a file is said where values are typed
    path, mark = folder / name, tree.marks.get(("customers", "list"))
    try:
        data = _bytes_inside(folder, path, room)
    except OSError as error:
        what = f"`customers.list` names `{name}`, which cannot be read: {error.strerror}"
        hint = "put the file into the workspace's folder"
        tree.errors.append(
            ConfigError(what, file=mark and mark.file, line=mark and mark.line, hint=hint, code="unreadable")
        )
        return
    found = TierList(name, data)
    tree.errors += found.errors
    listed = customers.get("listed")
    customers["listed"] = {**found.values, **(listed if isinstance(listed, dict) else {})}
    tree.files.append(path)
    tree.marks.setdefault(("customers", "listed"), Mark(name, 1))
    for key, where in found.marks.items():
        tree.marks.setdefault(key, where)


def _paths(folder: Path) -> list[Path]:
    """The YAML files in a folder and the folders in it. Raises ConfigError if they are too many for a workspace."""
    found: list[Path] = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        ours = (Path(here, name) for name in names if name.endswith((".yaml", ".yml")) and not name.startswith("."))
        found += [path for path in ours if path.is_file()]
        if len(found) > FILES_MAX:
            hint = "is it the right folder?"
            raise ConfigError(f"more than {FILES_MAX:,} YAML files", file=str(folder), hint=hint, code="too_much")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())
