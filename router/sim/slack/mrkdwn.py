"""Slack's mrkdwn read as Slack reads it: into spans that a page can show without ever treating text as markup.

Also what makes pings: who would be told of a message, and by which words. A span is `{"is": …}` with `text`, `of` (more
spans) or an id; nothing in `text` means anything any more.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from router.sim.slack.model import Json

DEPTH_MAX = 6
ROUND = {"*": "bold", "_": "italic", "~": "strike"}
BROADCASTS = ("here", "channel", "everyone")
PIECE = re.compile(
    r"```(?P<pre>.+?)```"
    r"|`(?P<code>[^`\n]+)`"
    r"|<(?P<angle>[^<>\n]+)>"
    r"|(?<![\w*_~])(?P<mark>[*_~])(?P<marked>[^\s*](?:[^\n]*?[^\s])??)(?P=mark)(?![\w*_~])"
    r"|:(?P<emoji>[a-z0-9_+'-]+):"
    r"|(?P<line>\n)",
    re.DOTALL,
)
# Only where a text is not `verbatim` does Slack look for these itself.
FOUND = re.compile(r"(?P<url>https?://[^\s<>|]+)|(?<![\w@])@(?P<name>[a-z0-9._-]+)")


def spans(text: str, *, verbatim: bool = False) -> list[Json]:
    """Read mrkdwn into spans."""
    return list(_spans(text, 0, verbatim=verbatim))


def plain_spans(text: str, *, emoji: bool = True) -> list[Json]:
    """Read a plain text: nothing but line breaks and, unless forbidden, emoji has a meaning."""
    found: list[Json] = []
    for part in re.split(r"(\n|:[a-z0-9_+'-]+:)", text):
        if part == "\n":
            found.append({"is": "line"})
        elif emoji and len(part) > 2 and part[0] == part[-1] == ":":  # noqa: PLR2004  # two colons
            found.append({"is": "emoji", "name": part[1:-1]})
        elif part:
            found.append({"is": "text", "text": part})
    return found


def _spans(text: str, depth: int, *, verbatim: bool) -> Iterator[Json]:
    position = 0
    for match in PIECE.finditer(text):
        yield from _plain(text[position : match.start()], verbatim=verbatim)
        position = match.end()
        yield _piece(match, depth, verbatim=verbatim)
    yield from _plain(text[position:], verbatim=verbatim)


def _piece(match: re.Match[str], depth: int, *, verbatim: bool) -> Json:
    if match["pre"] is not None:
        return {"is": "pre", "text": html.unescape(match["pre"])}
    if match["code"] is not None:
        return {"is": "code", "text": html.unescape(match["code"])}
    if match["angle"] is not None:
        return _angle(match["angle"])
    if match["emoji"] is not None:
        return {"is": "emoji", "name": match["emoji"]}
    if match["line"] is not None:
        return {"is": "line"}
    inner = match["marked"]
    of = [{"is": "text", "text": inner}] if depth >= DEPTH_MAX else list(_spans(inner, depth + 1, verbatim=verbatim))
    return {"is": ROUND[match["mark"]], "of": of}


def _angle(inside: str) -> Json:
    """What stands between angle brackets: a person, a channel, a broadcast, a date, a link."""
    what, _, label = inside.partition("|")
    if what.startswith(("@U", "@W")):
        return {"is": "user", "id": what[1:]}
    if what.startswith("#C"):
        return {"is": "channel", "id": what[1:]}
    if what.startswith("!date^"):
        _, at, form, *_rest = [*what.split("^"), "", ""]
        return {"is": "date", "at": int(at) if at.isdigit() else 0, "form": form, "text": html.unescape(label)}
    if what.startswith("!subteam^"):
        return {"is": "broadcast", "name": what.removeprefix("!subteam^")}
    if what.startswith("!"):
        return {"is": "broadcast", "name": what[1:]}
    url = html.unescape(what)
    return {"is": "link", "url": url, "text": html.unescape(label) or url}


def _plain(text: str, *, verbatim: bool) -> Iterator[Json]:
    position = 0
    for match in () if verbatim else FOUND.finditer(text):
        if match["name"] is not None and match["name"] not in BROADCASTS:
            yield from _text(text[position : match.start()])
            yield {"is": "name", "name": match["name"].rstrip("."), "text": match[0]}
        elif match["name"] is not None:
            yield from _text(text[position : match.start()])
            yield {"is": "broadcast", "name": match["name"]}
        else:
            yield from _text(text[position : match.start()])
            yield {"is": "link", "url": html.unescape(match["url"]), "text": html.unescape(match["url"])}
        position = match.end()
    yield from _text(text[position:])


def _text(text: str) -> Iterator[Json]:
    if text:
        yield {"is": "text", "text": html.unescape(text)}


def flat(found: Sequence[Json]) -> Iterator[Json]:
    """All spans, those inside others included."""
    for span in found:
        yield span
        yield from flat(span.get("of", ()))


def pinged(text: str | None, blocks: Sequence[Json] | None) -> set[str]:
    """Whom a message tells of itself: ids, handles, and `!here`, `!channel`, `!everyone`.

    `text` counts beside blocks, because notifications are made of it. In it nothing is looked for (`parse` is `none`).
    """
    every = list(flat(spans(text or "", verbatim=True)))
    for part in texts(blocks or ()):
        if part["type"] == "mrkdwn":
            every += flat(spans(part["text"], verbatim=bool(part.get("verbatim"))))
    return {_whom(span) for span in every if span["is"] in {"user", "name", "broadcast"}}


def links(text: str | None, blocks: Sequence[Json] | None) -> list[str]:
    """Every address that a message links to; of a message with blocks only theirs are shown."""
    shown = list(flat(spans(text or ""))) if not blocks else []
    for part in texts(blocks or ()):
        if part["type"] == "mrkdwn":
            shown += flat(spans(part["text"], verbatim=bool(part.get("verbatim"))))
    return [span["url"] for span in shown if span["is"] == "link" and span["url"].startswith("http")]


def _whom(span: Json) -> str:
    return f"!{span['name']}" if span["is"] == "broadcast" else str(span.get("id") or span["name"])


def texts(value: object) -> Iterator[Json]:
    """Every text object in blocks."""
    if isinstance(value, dict):
        if value.get("type") in {"mrkdwn", "plain_text"} and isinstance(value.get("text"), str):
            yield value
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)
