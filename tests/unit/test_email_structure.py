"""Where parts begin and end, which of them are the text, and what they say."""

from __future__ import annotations

import base64
import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email import body, fields
from channels.email.limits import DEFAULT, Limits
from channels.email.structure import walk


def mail(*lines: str, eol: str = "\r\n") -> bytes:
    """A mail of these lines."""
    return eol.join(lines).encode()


def shapes(raw: bytes, limits: Limits = DEFAULT) -> list[tuple[int, str, bytes]]:
    """Depth, type and content of each part."""
    walked = walk(raw, limits)
    return [
        (part.depth, part.content_type, b"" if part.is_multipart else walked.raw[part.start : part.end])
        for part in walked.parts
    ]


NESTED = (
    'Content-Type: multipart/mixed; boundary="a"',
    "",
    "preamble",
    "--a",
    "Content-Type: multipart/alternative; boundary=b",
    "",
    "--b",
    "",
    "plain",
    "--b",
    "Content-Type: text/html",
    "",
    "<p>html",
    "--b--",
    "between",
    "--a",
    "Content-Type: image/png; name=x.png",
    "Content-Transfer-Encoding: base64",
    "",
    "AAAA",
    "--a--",
    "epilogue",
)


@pytest.mark.parametrize("eol", ["\n", "\r\n", "\r"])
def test_parts_are_found_whatever_ends_the_lines(eol: str) -> None:
    """Nested parts come in depth-first order, each without the line end before its boundary."""
    assert shapes(mail(*NESTED, eol=eol)) == [
        (0, "multipart/mixed", b""),
        (1, "multipart/alternative", b""),
        (2, "text/plain", b"plain"),
        (2, "text/html", b"<p>html"),
        (1, "image/png", b"AAAA"),
    ]


def test_an_outer_boundary_ends_the_parts_within() -> None:
    """A container that is never closed ends where the one around it goes on."""
    raw = mail(
        "Content-Type: multipart/mixed; boundary=a",
        "",
        "--a",
        "Content-Type: multipart/mixed; boundary=b",
        "",
        "--b",
        "",
        "one",
        "--a",
        "",
        "two",
    )
    assert [content for _, _, content in shapes(raw) if content] == [b"one", b"two"]


def test_boundaries_that_begin_alike_are_told_apart() -> None:
    """A line is a boundary only if it is all of it."""
    raw = mail(
        "Content-Type: multipart/mixed; boundary=x",
        "",
        "--x",
        "Content-Type: multipart/mixed; boundary=xx",
        "",
        "--xx",
        "",
        "one",
        "--xxx",
        "--xx--",
        "--x",
        "",
        "two",
        "--x-- ",
    )
    assert [content for _, _, content in shapes(raw) if content] == [b"one\r\n--xxx", b"two"]


def test_a_missing_boundary_parameter_is_guessed() -> None:
    """A multipart that names no boundary is still read by the one it uses."""
    raw = mail("Content-Type: multipart/mixed", "", "--guess", "", "text", "--guess--")
    assert shapes(raw)[1:] == [(1, "text/plain", b"text")]
    assert walk(raw, DEFAULT).warnings


def test_a_closing_boundary_glued_to_the_last_line_is_not_text() -> None:
    """The end of a mail whose last part has no line end is recognised."""
    raw = mail("Content-Type: multipart/mixed; boundary=1", "", "--1", "", "end--1--", "")
    assert shapes(raw)[-1] == (1, "text/plain", b"end")


def test_a_boundary_of_a_container_cut_short_still_parts() -> None:
    """A boundary that shows up after its container was ended is no text."""
    raw = mail(
        "Content-Type: multipart/mixed; boundary=ab",
        "",
        "--ab",
        "Content-Type: multipart/mixed; boundary=a",
        "",
        "--ab",
        "",
        "one",
        "--a",
        "",
        "two",
    )
    assert [content for _, kind, content in shapes(raw) if kind == "text/plain"] == [b"one", b"two"]


def test_too_many_parts_are_kept_in_one_piece() -> None:
    """Beyond the limit the last part holds the rest, and a warning says so."""
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 50
    walked = walk(raw, Limits(parts_max=10))
    assert len(walked.parts) == 11
    assert walked.parts[-1].end == len(raw)
    assert walked.warnings == ["the mail has too many parts; the last one holds the rest"]


def test_too_deep_parts_become_an_attachment() -> None:
    """Nesting stops at the limit; what lies deeper is kept whole."""
    raw = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(100))
    walked = walk(raw, Limits(depth_max=5))
    assert max(part.depth for part in walked.parts) == 5
    assert body.read(walked, DEFAULT).attached[-1].end == len(raw)


def test_the_look_for_boundaries_is_limited() -> None:
    """A body of nothing but dashes is read up to a limit and kept whole."""
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + b"--x\n" * 100
    walked = walk(raw, Limits(delimiter_lines_max=20))
    assert walked.parts[-1].end == len(raw)
    assert walked.warnings


def test_work_grows_with_the_mail_and_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the parts cost twice the header blocks read, and no more."""

    def blocks(count: int) -> int:
        raw = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * count
        calls = 0
        real = fields.read

        def counted(raw: bytes, start: int, limits: Limits) -> tuple[fields.Fields, int]:
            nonlocal calls
            calls += 1
            return real(raw, start, limits)

        monkeypatch.setattr(fields, "read", counted)
        walk(raw, Limits(parts_max=100_000))
        monkeypatch.undo()
        return calls

    assert blocks(2000) - 1 == 2 * (blocks(1000) - 1)


@given(st.binary(max_size=400), st.sampled_from([b"\n", b"\r\n"]))
def test_every_byte_of_any_body_is_in_its_part(content: bytes, eol: bytes) -> None:
    """A part's content is what stood between its boundaries, for any bytes without a boundary."""
    content = content.replace(b"\r", b"").replace(b"\n", b"").replace(b"--", b"")
    raw = eol.join([b"Content-Type: multipart/mixed; boundary=zz", b"", b"--zz", b"A: b", b"", content, b"--zz--"])
    walked = walk(raw, DEFAULT)
    assert walked.raw[walked.parts[1].start : walked.parts[1].end] == content


# ---- the text ----------------------------------------------------------------------------------------------------


def full_text(raw: bytes) -> str:
    """The text of a mail."""
    return body.read(walk(raw, DEFAULT), DEFAULT).full_text


def test_the_plain_form_of_an_alternative_is_the_text() -> None:
    """Of plain text and HTML the plain text is taken; the image is an attachment."""
    content = body.read(walk(mail(*NESTED), DEFAULT), DEFAULT)
    assert content.full_text == "plain"
    assert content.html == "<p>html</p>"
    assert [part.content_type for part in content.attached] == ["image/png"]


def test_an_empty_plain_form_gives_way_to_the_html() -> None:
    """Where the plain text is blank the HTML's words are the text."""
    raw = mail(*NESTED).replace(b"\r\nplain\r\n", b"\r\n \r\n")
    assert full_text(raw) == "html"


def test_a_plain_text_that_only_points_to_the_html_gives_way() -> None:
    """A stub such as "please use a browser" is not taken for the mail's text."""
    raw = mail(*NESTED)
    raw = raw.replace(b"\r\nplain\r\n", b"\r\nYour program cannot show HTML.\r\n")
    assert full_text(raw) == "Your program cannot show HTML."
    assert full_text(raw.replace(b"<p>html", b"<p>" + b"words " * 50)).startswith("words words")


def test_two_bodies_are_both_read() -> None:
    """Text above and below an attachment belongs together."""
    raw = mail(
        "Content-Type: multipart/mixed; boundary=a",
        "",
        "--a",
        "",
        "above",
        "--a",
        "Content-Type: image/png",
        "",
        "x",
        "--a",
        "",
        "below",
        "--a--",
    )
    assert full_text(raw).split() == ["above", "below"]


def test_several_html_bodies_are_all_read_and_all_shown() -> None:
    """HTML above and below a picture, with plain text between, is one body; no word of it is lost."""
    raw = mail(
        "Content-Type: multipart/mixed; boundary=a",
        "",
        "--a",
        "Content-Type: text/html",
        "",
        "<p>above",
        "--a",
        "",
        "2 < 3",
        "--a",
        "Content-Type: text/html",
        "",
        "<p>below",
        "--a--",
    )
    content = body.read(walk(raw, DEFAULT), DEFAULT)
    assert content.full_text.split() == ["above", "2", "<", "3", "below"]
    assert content.html == "<p>above</p>\n<pre>2 &lt; 3</pre>\n<p>below</p>"
    assert content.html_source == ""


def test_a_named_text_is_an_attachment_unless_it_comes_first() -> None:
    """A text part with a file name is not read as the body."""
    raw = mail(
        "Content-Type: multipart/mixed; boundary=a",
        "",
        "--a",
        "",
        "words",
        "--a",
        "Content-Type: text/plain; name=log.txt",
        "",
        "log",
        "--a--",
    )
    content = body.read(walk(raw, DEFAULT), DEFAULT)
    assert content.full_text == "words"
    assert [part.filename for part in content.attached] == ["log.txt"]


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Type: multipart/mixed; boundary=never", "", "only words"),
        ("Content-Type: text/x-odd", "", "only words"),
        ("Content-Type: text/enriched", "", "<bold>only</bold> words"),
        ("Content-Type: message/rfc822", "", "Subject: inner", "", "only words"),
        ("Content-Type: multipart/mixed; boundary=a", "", "only words", "--a", "Content-Type: image/png", "", "x"),
        (
            "Content-Type: message/rfc822",
            "Content-Transfer-Encoding: base64",
            "",
            base64.b64encode(b"Subject: inner\n\nonly words").decode(),
        ),
    ],
)
def test_words_of_a_mail_without_a_body_are_rescued(lines: tuple[str, ...]) -> None:
    """A mail whose bodies say nothing is read from wherever it has words; they are not called its body."""
    content = body.read(walk(mail(*lines), DEFAULT), DEFAULT)
    assert content.words.strip() == "only words"
    assert not content.full_text.strip()


def test_the_notice_for_old_programs_is_no_text() -> None:
    """What a mail program writes above the first part is not taken for the customer's words."""
    raw = mail(
        "Content-Type: multipart/mixed; boundary=a",
        "",
        "This is a multi-part message in MIME format.",
        "--a",
        "Content-Type: image/png",
        "",
        "x",
    )
    assert body.read(walk(raw, DEFAULT), DEFAULT).words == ""


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("base64", base64.b64encode("Grüße".encode()).decode()),
        ("BASE64 ", base64.b64encode("Grüße".encode()).decode()[:-1] + "!\r\n"),
        ("quoted-printable", "Gr=C3=BC=C3=\r\n=9Fe"),
        ("quoted-printable;", "Gr=C3=BC=C3=9Fe"),
        ("7-bit", "Grüße"),
        ("x-nonsense", "Grüße"),
        ("x-uuencode", "begin 644 x\r\n" + binascii.b2a_uu("Grüße".encode()).decode() + "`\r\nend"),
    ],
)
def test_transfer_encodings_are_read_in_any_spelling(encoding: str, content: str) -> None:
    """Encoded text is decoded, whatever the label's quirks."""
    raw = mail("Content-Type: text/plain; charset=utf-8", f"Content-Transfer-Encoding: {encoding}", "", content)
    assert full_text(raw).strip() == "Grüße"


def test_soft_lines_are_joined_and_the_signature_mark_stays() -> None:
    """format=flowed is undone within one quote depth."""
    text = "a soft \nline\n> quoted \n> more\n>> deeper\n-- \nJane"
    assert body.unflow(text) == "a soft line\n> quoted more\n>> deeper\n-- \nJane"
    assert body.unflow("so \nft", delsp=True) == "soft"
    assert body.unflow(" From here") == "From here"


def test_an_attached_mail_is_named_after_its_subject() -> None:
    """A mail in the mail is an attachment whose name tells what it is about."""
    raw = mail(
        "Content-Type: multipart/mixed; boundary=a",
        "",
        "--a",
        "",
        "see below",
        "--a",
        "Content-Type: message/rfc822",
        "",
        "Subject: lost/bag",
        "",
        "hello",
        "--a--",
    )
    content = body.read(walk(raw, DEFAULT), DEFAULT)
    found = body.attachment(content.structure, content.attached[0])
    assert (found.filename, found.content_type, found.part) == ("lost-bag.eml", "message/rfc822", 2)
