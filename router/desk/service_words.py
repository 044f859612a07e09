"""The report of how customers were served, as a table of words, as CSV, and as a page that stands by itself."""

from __future__ import annotations

import csv
import html
import io

from router.desk.reports import instant
from router.desk.service import AgentLine, Line, Report
from router.desk.texts import label

COLUMNS = (
    "contacts", "resolved", "wait p50", "wait p95", "answer p50", "answer p95", "promises kept", "first contact",
    "came back", "effort each", "effort in all", "cost", "satisfied",
)  # fmt: skip
AGENT_COLUMNS = ("contacts", "answers", "resolved", "declined", "lapsed", "effort", "CSAT")
STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 78rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0 0 2rem; }
caption { text-align: start; font-weight: 600; padding: .5rem 0; }
th, td { text-align: end; padding: .3rem .6rem; border-bottom: 1px solid #8886; font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: start; }
.wide { overflow-x: auto; }
"""


def span(seconds: float | None) -> str:
    """A span as people say it; "" where there is none."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def share(part: float | None) -> str:
    """A share in percent; "" where there is none."""
    return "" if part is None else f"{part:.0%}"


def cells(line: Line) -> tuple[str, ...]:
    """A line in words, under COLUMNS."""
    return (
        str(line.contacts),
        str(line.resolved),
        span(line.wait_p50),
        span(line.wait_p95),
        span(line.answer_p50),
        span(line.answer_p95),
        f"{share(line.kept)} of {line.promised}" if line.promised else "",
        share(line.first_contact),
        str(line.again),
        "" if line.effort_mean is None else f"{line.effort_mean:g} min",
        f"{line.effort_total / 60:.1f} h",
        f"{line.cost:.2f}" if line.cost else "",
        f"{share(line.satisfied)} of {line.rated}" if line.rated else "",
    )


def agent_cells(line: AgentLine) -> tuple[str, ...]:
    """An agent's line in words, under AGENT_COLUMNS."""
    csat = "" if line.csat is None else f"{line.csat:g} of {line.rated}"
    counts = (line.contacts, line.answers, line.resolved, line.declined, line.lapsed)
    return (*map(str, counts), f"{line.effort_total / 60:.1f} h", csat)


def tables(report: Report) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """(title, columns, rows) of each table."""
    all_in_all = ("all", *cells(report.total))
    topics = [(label(one.name) or "no topic", *cells(one)) for one in report.topics]
    channels = [(one.name, *cells(one)) for one in report.channels]
    agents = [(one.agent, *agent_cells(one)) for one in report.agents]
    asked: list[tuple[str, ...]] = [
        (f"{score} of 5", str(number)) for score, number in reversed(list(enumerate(report.scores, 1)))
    ]
    return [
        ("by topic", ("topic", *COLUMNS), [*topics, all_in_all]),
        ("by channel", ("channel", *COLUMNS), channels),
        ("by agent", ("agent", *AGENT_COLUMNS), agents),
        (f"satisfaction: {sum(report.scores)} of {report.asked} answered", ("answer", "customers"), asked),
    ]


def title(report: Report) -> str:
    """What the report is of."""
    began, ended = ((instant(one) or "")[:16].replace("T", " ") for one in (report.since, report.until))
    return f"How customers were served, {began} to {ended} UTC"


def as_csv(report: Report) -> str:
    """One line for each topic, channel and agent, and one for all; numbers as in the JSON."""
    out = io.StringIO()
    fields = Line.__struct_fields__
    more = [name for name in AgentLine.__struct_fields__ if name not in fields]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("of", *fields, *(f"agent_{name}" for name in more)))
    writer.writerow(("all", *_values(report.total, fields)))
    for of, lines in (("topic", report.topics), ("channel", report.channels)):
        writer.writerows((of, *_values(line, fields)) for line in lines)
    for one in report.agents:
        writer.writerow(("agent", one.agent, *_values(one, (*fields[1:], *more))))
    return out.getvalue()


def _values(line: Line | AgentLine, fields: tuple[str, ...]) -> list[object]:
    return [_plain(getattr(line, name, None)) for name in fields]


def _plain(value: object) -> object:
    """A name that a spreadsheet would take for a formula is set off."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t"} else value


def as_page(report: Report) -> str:
    """HTML that needs nothing else."""
    parts = [_table(*one) for one in tables(report)]
    head = html.escape(title(report))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{head}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main><h1>{head}</h1>{''.join(parts)}</main></body></html>\n"
    )


def _table(name: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(one)}</th>' for one in columns)
    body = "".join(_row(row) for row in rows)
    return (
        f'<div class="wide" role="region" aria-label="{html.escape(name)}" tabindex="0"><table>'
        f"<caption>{html.escape(name)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: tuple[str, ...]) -> str:
    rest = "".join(f"<td>{html.escape(one)}</td>" for one in row[1:])
    return f'<tr><th scope="row">{html.escape(row[0])}</th>{rest}</tr>'
