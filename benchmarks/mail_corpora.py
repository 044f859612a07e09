"""How well mail is understood, on known answers that others wrote: the table of issue 3.

`python -m benchmarks.mail_corpora` reads `$USHERD_REFERENCE` or `../shared/reference`. A third of each corpus, by the
SHA-256 of the file's name, was kept apart while the rules were written and is counted apart here. `--wrong` names the
cases that were tuned on and are not right; of the others only the number is told.
"""

from __future__ import annotations

import email
import email.message
import email.policy
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import mail_split
from benchmarks.hostile_mails import HOSTILE
from channels.email import structure
from channels.email.limits import DEFAULT
from channels.email.parse import extract, parse
from router.core.errors import PoisonError
from router.core.message import Message

ROOT = Path(os.environ.get("USHERD_REFERENCE", "../shared/reference")) / "mail"
_WORD = re.compile(r"\w{2,}")
_TAGS = re.compile(r"<(?:style|title|script)\b.*?</\w*>?|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)


class Case(NamedTuple):
    """One question asked of one mail: whether the answer is right, and what was wrong."""

    question: str
    name: str
    right: bool
    note: str = ""

    @property
    def apart(self) -> bool:
        """Whether the mail belongs to the third that was kept apart."""
        return int(hashlib.sha256(Path(self.name).name.encode()).hexdigest(), 16) % 3 == 0


def read_bytes(raw: bytes) -> Message | None:
    """The mail as we understand it; None if it cannot be read."""
    try:
        return parse(raw)
    except PoisonError:
        return None


def read(path: Path) -> Message | None:
    """The same of a file."""
    return read_bytes(path.read_bytes())


def _flat(text: str) -> str:
    return " ".join(text.replace("\0", "").split())


# ---- stalwart: which parts are the text, what they say, and which are attachments ----------------------------------


def _expected_bodies(known: dict[str, Any]) -> tuple[str, str]:
    """Joined text parts and joined HTML parts of the expected `text_body`."""
    texts, htmls = [], []
    for index in known["text_body"]:
        content = known["parts"][index]["body"]
        if isinstance(content, dict) and "Text" in content:
            texts.append(content["Text"])
        elif isinstance(content, dict) and "Html" in content:
            htmls.append(content["Html"])
    return " ".join(texts), " ".join(htmls)


def stalwart(root: Path = ROOT) -> Iterator[Case]:
    """Text and attachments of 54 mails, legacy and malformed ones among them."""
    for path in sorted((root / "stalwart" / "eml").rglob("*.eml")):
        name = f"{path.parent.name}/{path.name}"
        known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        text, html = _expected_bodies(known)
        found = read(path)
        full = found.full_text if found else ""
        if html and not text.strip():
            missing = set(_WORD.findall(unescape(_TAGS.sub(" ", html)))) - set(_WORD.findall(full))
            yield Case("stalwart: words of HTML-only mails", name, not missing, f"missing {sorted(missing)[:9]}")
        else:
            right = _flat(full) == _flat(text)
            yield Case("stalwart: full_text", name, right, f"got {full[:200]!r}, expected {text[:200]!r}")
        count, expected = len(found.attachments) if found else -1, len(known["attachments"])
        yield Case("stalwart: number of attachments", name, count == expected, f"got {count}, expected {expected}")


# ---- bounces, auto-replies and reports -----------------------------------------------------------------------------


def sisimai(root: Path = ROOT) -> Iterator[Case]:
    """Bounces, complaints and vacation notes of many mail systems; the recipients' codes where they are known."""
    known = json.loads((root / "sisimai" / "expected.json").read_text(encoding="utf-8"))
    for path in sorted((root / "sisimai" / "maildir" / "bsd").iterdir()):
        found = read(path)
        auto = found.auto if found else None
        vacation = path.name.startswith("rfc3834") or any(
            row["reason"] == "vacation" for row in known.get(path.name, ())
        )
        wanted = {"auto-reply"} if vacation else {"bounce"}
        yield Case("sisimai: kind", path.name, auto in wanted, f"{auto} {found.subject if found else ''!r}")
        codes = {row["dsn"] for row in known.get(path.name, ()) if row["dsn"]}
        if codes and found and found.bounce:
            same = bool(codes & set(found.bounce.statuses)) or not found.bounce.statuses
            yield Case("sisimai: a status code agrees", path.name, same, f"{found.bounce.statuses} {codes}")
        if not vacation and found:
            named = bool(found.bounce and found.bounce.recipients)
            yield Case("sisimai: failed recipients found", path.name, named)


def flufl(root: Path = ROOT) -> Iterator[Case]:
    """Bounces that Mailman met. Rows without addresses are mail on which its detectors once failed, of any kind."""
    rows = json.loads((root / "flufl-bounce" / "expected.json").read_text(encoding="utf-8"))
    for row in rows:
        found = read(root / "flufl-bounce" / "data" / row["file"])
        if not row["addresses"]:
            continue
        auto = found.auto if found else None
        yield Case("flufl-bounce: kind", row["file"], auto == "bounce", f"{auto} {found.subject if found else ''!r}")
        got = set(found.bounce.recipients) if found and found.bounce else set()
        wanted = {address.lower() for address in row["addresses"]}
        yield Case(
            "flufl-bounce: recipients", row["file"], wanted <= got, f"got {sorted(got)}, expected {sorted(wanted)}"
        )


def ordinary(root: Path = ROOT) -> Iterator[Case]:
    """Mail by people in all corpora: none of it is a bounce or an automatic reply."""
    paths = [
        *(root / "sisimai" / "maildir" / "not").iterdir(),
        *(root / "stalwart" / "eml" / "legacy").glob("*.eml"),
        *(root / "stalwart" / "eml" / "thirdparty").glob("*.eml"),
        *(root / "talon" / "tests" / "fixtures" / "standard_replies").glob("*.eml"),
        *(root / "mikel-mail" / "spec").rglob("*.eml"),
    ]
    for path in sorted(path for path in paths if b"report-type=delivery-status" not in path.read_bytes()):
        found = read(path)
        right = found is None or found.auto not in {"bounce", "auto-reply"}
        yield Case("ordinary mail taken for no machine's", path.name, right, f"{found.auto if found else ''}")


# ---- torture: nothing crashes, every part is somewhere, no text is lost ----------------------------------------------


def _decoded(content: bytes, charset: str | None) -> str:
    """Text of a part as the label says, or what is plain in it."""
    try:
        return content.decode(charset or "utf-8")
    except (LookupError, ValueError):
        return re.sub(rb"\w*[\x80-\xff]+\w*", b" ", content).decode("ascii", "ignore")


def accounted(raw: bytes, found: Message) -> list[int]:
    """Indexes of leaves that are neither an attachment nor part of what is shown, as far as words can tell."""
    walked = structure.walk(raw, DEFAULT)
    attached = {one.part for one in found.attachments}
    shown = set(_WORD.findall(found.full_text)) | set(_WORD.findall(_TAGS.sub(" ", unescape(found.html))))
    lost = []
    for part in walked.parts:
        if part.is_multipart or part.index in attached:
            continue
        content = _decoded(extract(raw, part.index)[2], part.params.get("charset"))
        words = set(_WORD.findall(_TAGS.sub(" ", unescape(content)) if part.content_type == "text/html" else content))
        if len(words & shown) < len(words) * 0.9:
            lost.append(part.index)
    return lost


def _text_of(mail: email.message.Message) -> str:
    """What the standard library reads as the text of all parts, as an independent opinion."""
    out = []
    for part in mail.walk():
        if part.get_content_maintype() == "text" and not part.get_filename():
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                text = _decoded(content, part.get_content_charset())
                out.append(_TAGS.sub(" ", unescape(text)) if part.get_content_subtype() == "html" else text)
    return " ".join(out)


def torture(root: Path = ROOT) -> Iterator[Case]:
    """Broken MIME: each mail is read, each part is accounted for, and no word of a text is gone."""
    folders = {
        "mikel-mail": sorted(path for path in (root / "mikel-mail" / "spec").rglob("*.eml")),
        "cpython-test-email": sorted((root / "cpython-test-email" / "data").glob("msg_*.txt")),
    }
    for corpus, paths in folders.items():
        for path in paths:
            raw = path.read_bytes()
            found = read(path)
            yield Case(f"{corpus}: read", path.name, found is not None or not raw.strip())
            if found is None:
                continue
            lost = accounted(raw, found)
            yield Case(f"{corpus}: every part accounted for", path.name, not lost, f"parts {lost}")
            said = _text_of(email.message_from_bytes(raw, policy=email.policy.compat32))
            attached = b" ".join(extract(raw, one.part)[2] for one in found.attachments).decode("latin-1")
            header = raw[: structure.walk(raw, DEFAULT).root.start].decode("latin-1")
            inner = [read_bytes(extract(raw, one.part)[2]) for one in found.attachments if "rfc822" in one.content_type]
            nested = " ".join(f"{mail.full_text} {mail.html}" for mail in inner if mail)
            shown = f"{found.full_text} {found.html} {unescape(found.html)} {attached} {header} {nested}"
            missing = set(_WORD.findall(said)) - set(_WORD.findall(shown))
            yield Case(f"{corpus}: every word somewhere", path.name, not missing, f"{sorted(missing)[:9]}")


# ---- speed and growth ------------------------------------------------------------------------------------------------


def hostile() -> dict[str, Callable[[int], bytes]]:
    """Mails that hurt other parsers, by name; each is made for a size in bytes."""
    return HOSTILE


def _seconds(raw: bytes) -> float:
    began = time.perf_counter()
    try:
        parse(raw)
    except PoisonError as error:
        print(f"    quarantined: {error}")
    return time.perf_counter() - began


def _speed(root: Path = ROOT) -> None:
    """Time of a mail of 3 KB, and of hostile mails as they grow to 25 MB."""
    usual = [path.read_bytes() for path in (root / "stalwart" / "eml" / "legacy").glob("*.eml")]
    usual = [raw for raw in usual if 2_000 <= len(raw) <= 4_000] or usual
    for raw in usual:
        parse(raw)
    times = sorted(min(_seconds(raw) for _ in range(5)) for raw in usual)
    size = sum(map(len, usual)) / len(usual)
    middle, worst = times[len(times) // 2] * 1000, times[-1] * 1000
    print(f"\na mail of {size / 1000:.1f} kB: median {middle:.2f} ms, worst {worst:.2f} ms")
    sizes = (100_000, 400_000, 1_600_000, 25_000_000) if "--hostile" in sys.argv else (100_000, 400_000, 1_600_000)
    print("\nhostile mail, seconds at " + ", ".join(f"{size / 1e6:g} MB" for size in sizes))
    for name, make in hostile().items():
        took = [_seconds(make(size)) for size in sizes]
        worst = max(after / max(before, 0.02) for before, after in pairwise(took[:3]))
        mark = "  <-- grows faster than the mail" if worst > 6 else ""
        print(f"{name:28}" + "".join(f"{one:9.3f}" for one in took) + mark)


QUESTIONS: tuple[Callable[[], Iterator[Case]], ...] = (stalwart, sisimai, flufl, ordinary, torture)


def _share(cases: list[Case]) -> str:
    right = sum(case.right for case in cases)
    return f"{right:5} of {len(cases):4} {100 * right / len(cases):6.1f} %" if cases else f"{'-':>21}"


def main() -> None:
    """Print the table."""
    cases = [case for ask in QUESTIONS for case in ask()]
    for ask in (mail_split.trimmer, mail_split.talon_plain, mail_split.talon_html):
        for known in ask():
            cases.append(Case(f"{known.corpus}: exact", known.name, known.exact))
            cases.append(Case(f"{known.corpus}: no expected word missing", known.name, not known.missing))
    print(f"{'':48}{'tuned on':>21}   {'kept apart':>21}   {'all':>21}")
    for question in dict.fromkeys(case.question for case in cases):
        here = [case for case in cases if case.question == question]
        apart = [case for case in here if case.apart]
        tuned = [case for case in here if not case.apart]
        print(f"{question:48}{_share(tuned)}   {_share(apart)}   {_share(here)}")
    if "--wrong" in sys.argv:
        for case in cases:
            if not case.right and not case.apart:
                print(f"{case.question} | {case.name} | {case.note}")
    _speed()


if __name__ == "__main__":
    main()
