"""Reads the list of customers and their tiers: CSV with a head, `customer,tier`, an address or a domain a line."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from router.core.errors import ConfigError
from skills.findings import KeyPath, Mark

if TYPE_CHECKING:
    from _csv import Reader

COLUMNS = ("customer", "tier")
ERRORS_MAX = 50  # of one file: who has more has taken the wrong one
HINT = "the first line is `customer,tier`, each other one an address or a domain and the name of a tier"


class TierList:
    """What one file says: `values` by address or domain, the mark of each, and what is wrong with it, by line."""

    def __init__(self, name: str, data: bytes) -> None:
        self.values: dict[str, str] = {}
        self.marks: dict[KeyPath, Mark] = {}
        self.errors: list[ConfigError] = []
        self._name = name
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self._wrong(data.count(b"\n", 0, error.start) + 1, "the file is not UTF-8", "save it as UTF-8")
            return
        self._read(csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=_delimiter(text)))

    def _read(self, rows: Reader) -> None:
        columns: tuple[int, int] | None = None
        while len(self.errors) < ERRORS_MAX:
            try:
                row = next(rows)
            except StopIteration:
                break
            except csv.Error as error:
                self._wrong(rows.line_num, f"is no CSV: {error}", HINT)
                break
            if not any(cell.strip() for cell in row):
                continue
            if columns is None:
                columns = self._head(row, rows.line_num)
                if columns is None:
                    break
            else:
                self._row(row, columns, rows.line_num)

    def _head(self, row: list[str], line: int) -> tuple[int, int] | None:
        named = [cell.strip().lower() for cell in row]
        if all(column in named for column in COLUMNS):
            return named.index(COLUMNS[0]), named.index(COLUMNS[1])
        self._wrong(line, "the columns `customer` and `tier` are not named in the first line", HINT)
        return None

    def _row(self, row: list[str], columns: tuple[int, int], line: int) -> None:
        if len(row) <= max(columns):
            self._wrong(line, f"has {len(row)} of {max(columns) + 1} columns", HINT)
            return
        customer, tier = row[columns[0]].strip().lower().removeprefix("@"), row[columns[1]].strip()
        if not customer or not tier:
            self._wrong(line, "names no customer" if not customer else "names no tier", HINT)
            return
        path = ("customers", "listed", customer)
        if customer in self.values:
            first = self.marks[path].line
            self._wrong(line, f"`{customer}` is listed twice; first in line {first}", "keep one of the two")
            return
        self.values[customer] = tier
        self.marks[path] = Mark(self._name, line)

    def _wrong(self, line: int, message: str, hint: str) -> None:
        self.errors.append(ConfigError(message, file=self._name, line=line, hint=hint, code="tier_list"))


def _delimiter(text: str) -> str:
    """Spreadsheets of many countries write semicolons."""
    head = text.partition("\n")[0]
    return ";" if head.count(";") > head.count(",") else ","
