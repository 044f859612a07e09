"""The look of our mails: filled in safely, tidy where pieces are missing, and known again when it is quoted."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Callable
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from typer.testing import CliRunner

from channels.email.compose import compose
from channels.email.letter import Filling, Look, render
from channels.email.parse import parse
from router.app.letters import markers, preview
from router.app.mail import MailStationery, mail_settings, outgoing
from router.cli.commands import app
from router.core.message import Address, Message
from router.shell.autoanswers import AUTO
from router.shell.replies import Written, opening, reply
from skills.letter_model import safe
from skills.model import WorkspaceConfig
from skills.workspace import ConfigErrors, load

HELP = "help@acme.example"
MARKS = {
    "en": "-- Please reply above this line --",
    "es": "## Responda por encima de esta línea ##",
    "ja": "-- この行より上に返信してください --",
}
WORKSPACE = """workspace: acme
languages: [en, es, ja, de]
agents:
  ana: {name: Ana Souza, signature: "Ana Souza\\nCustomer care"}
channels:
  email:
    smtp: {recipients: [help@acme.example]}
    send: {host: 127.0.0.1, name: Acme Air}
    marker: ["Reply above this line, as we said last year"]
    brand: {url: "https://acme.example", colour: "#0a5"}
    letters:
      en:
        reply_above: "-- Please reply above this line --"
        header: "{brand}"
        footer: "Your reference is {reference}, {customer}.\\n{brand_url}"
      es: {reply_above: "## Responda por encima de esta línea ##", signature: "{agent}, {brand}"}
      ja: {reply_above: "-- この行より上に返信してください --", html: "<i>{reply_above}</i><h1>{brand}</h1>{message}"}
"""


def workspace(folder: Path, text: str = WORKSPACE) -> WorkspaceConfig:
    """A workspace of this text."""
    (folder / "workspace.yaml").write_text(text)
    return load(folder, {}).config


def written(**more: Any) -> Written:
    """What an agent wrote."""
    fields = {"contact": "c7", "account": HELP, "message": "9-1", "agent": "ana", "at": 1_795_420_800_000}
    return Written(**{**fields, "text": "It is on its way.\n\nAnything else?", **more})


LAST = Message(
    channel="email",
    from_=Address(address="ada@customer.example", name="Ada"),
    subject="Bag",
    message_id="1@customer.example",
)


class TestFilledIn:
    """Texts and HTML of one mail."""

    def test_a_reply_has_every_piece_in_its_place(self, tmp_path: Path) -> None:
        """The line to reply above, header, words, the agent's signature and footer; the words alone are the desk's."""
        config = workspace(tmp_path)
        made = reply(
            written(language="en"), last=LAST, earlier=(), stationery=MailStationery(lambda: config, b"s" * 32)
        )
        assert made.full_text == (
            "-- Please reply above this line --\n\nAcme Air\n\nIt is on its way.\n\nAnything else?\n\n"
            "-- \nAna Souza\nCustomer care\n\nYour reference is c7, Ada.\nhttps://acme.example"
        )
        assert made.text == "It is on its way.\n\nAnything else?"
        assert "<p>It is on its way.</p>\n<p>Anything else?</p>" in made.html
        assert "Ana Souza<br>\nCustomer care" in made.html
        assert "border-top:4px solid #0a5" in made.html

    def test_the_language_is_the_customers_or_the_first(self, tmp_path: Path) -> None:
        """Spanish for Spanish; German, which has no letter, and what is not known, as English."""
        config = workspace(tmp_path)
        stationery = MailStationery(lambda: config, b"s" * 32)
        said = [
            reply(written(language=one), last=LAST, earlier=(), stationery=stationery).full_text.splitlines()[0]
            for one in ("es", "de", "")
        ]
        assert said == [MARKS["es"], MARKS["en"], MARKS["en"]]

    def test_a_layout_of_the_admins_own_is_all_there_is(self, tmp_path: Path) -> None:
        """Nothing of ours stands around it."""
        config = workspace(tmp_path)
        made = reply(
            written(language="ja"), last=LAST, earlier=(), stationery=MailStationery(lambda: config, b"s" * 32)
        )
        assert made.html == (
            "<i><p>-- この行より上に返信してください --</p></i>"
            "<h1>Acme Air</h1><p>It is on its way.</p>\n<p>Anything else?</p>"
        )

    def test_what_leaves_is_text_and_html_of_the_same_words(self, tmp_path: Path) -> None:
        """A mail program finds both, and the same bytes come out at every try."""
        config = workspace(tmp_path)
        made = opening(
            written(), to="ada@customer.example", subject="Bag", stationery=MailStationery(lambda: config, b"s" * 32)
        )
        raw = compose(outgoing(made, "acme"))
        assert raw == compose(outgoing(msgspec.json.decode(msgspec.json.encode(made), type=Message), "acme"))
        found = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        assert [part.get_content_type() for part in found.walk()] == [
            "multipart/alternative",
            "text/plain",
            "text/html",
        ]
        plain = found.get_body(("plain",))
        assert plain is not None
        assert plain.get_content().replace("\r\n", "\n").strip() == made.full_text

    def test_an_automatic_answer_has_the_look_and_nobodys_signature(self, tmp_path: Path) -> None:
        """No mark of a signature stands above nothing, and no two blank lines."""
        config = workspace(tmp_path)
        made = reply(
            written(agent="", text="We have it."),
            last=LAST,
            earlier=(),
            stationery=MailStationery(lambda: config, b"s" * 32),
        )
        assert made.full_text.splitlines()[2:] == [
            "Acme Air",
            "",
            "We have it.",
            "",
            "Your reference is c7, Ada.",
            "https://acme.example",
        ]
        assert AUTO not in made.html

    def test_without_letters_and_in_a_chat_words_stay_as_they_are(self, tmp_path: Path) -> None:
        """A chat has no header and no HTML, and neither has mail of a workspace that says nothing of letters."""
        config = workspace(tmp_path)
        chat = msgspec.structs.replace(LAST, channel="telegram")
        said = reply(written(), last=chat, earlier=(), stationery=MailStationery(lambda: config, b"s" * 32))
        plain = workspace(tmp_path, WORKSPACE[: WORKSPACE.index("    letters")])
        mail = reply(written(), last=LAST, earlier=(), stationery=MailStationery(lambda: plain, b"s" * 32))
        for one in (said, mail):
            assert (one.full_text, one.html) == (
                "It is on its way.\n\nAnything else?\n\n-- \nAna Souza\nCustomer care",
                "",
            )

    @settings(max_examples=40, deadline=None)
    @given(
        st.fixed_dictionaries(
            {name: st.text(max_size=40) for name in ("message", "agent", "customer", "subject", "signature")}
        )
    )
    def test_no_word_becomes_a_tag_or_a_placeholder(self, words: dict[str, str]) -> None:
        """Whatever people write, the HTML has the tags of the layout only, and every word of a message is there."""
        layout = "<p>{message}</p><b>{agent}</b><i>{customer} {subject}</i><u>{signature}</u>"
        made = render(Look(html=layout, header="{subject} {customer}", footer="{agent}"), Filling(**words))
        tree = LexborHTMLParser(made.html)
        assert {node.tag for node in tree.css("body *")} <= {"p", "b", "i", "u", "br"}
        assert not any(node.attributes for node in tree.css("body *"))
        ours = render(Look(header="{subject} {customer}", footer="{agent}"), Filling(**words))
        assert {node.tag for node in LexborHTMLParser(ours.html).css("body *")} <= {"div", "p", "br"}
        assert words["message"].strip("\n").rstrip() in ours.text

    def test_a_placeholder_that_somebody_writes_is_text(self) -> None:
        """An agent who writes {customer}, and a customer who is called {agent}, are taken by the word."""
        made = render(
            Look(footer="{customer}"), Filling(message="{customer} <b>{agent}</b>", customer="{agent}", agent="Ana")
        )
        assert made.text == "{customer} <b>{agent}</b>\n\n{agent}"
        assert "<p>{customer} &lt;b&gt;{agent}&lt;/b&gt;</p>" in made.html


class TestWrittenWrong:
    """What `usherd check` says."""

    @pytest.mark.parametrize(
        ("there", "instead", "says", "line"),
        [
            ('header: "{brand}"', 'header: "{brnad}"', "the unknown placeholder {brnad}; did you mean {brand}?", 14),
            ('header: "{brand}"', 'header: "{message}"', "has the unknown placeholder {message}", 14),
            ("\n        footer", "\n        fotter", "did you mean `footer`?", 15),
            ('"-- Please reply above this line --"', "short", "is one line of 10 to 60 characters", 13),
            ('"-- Please reply above this line --"', '"Reply above, {agent}, please"', "unknown placeholder {agent}", 13),  # noqa: E501
            ("      es: {", "      fr: {", "unknown language `fr`", 16),
            ("      en:\n", "      de:\n", "has none in `en`, the first of `languages`", 11),
            ("<h1>{brand}</h1>{message}", "<h1>{brand}</h1>", "has no {message}", 17),
            ("<i>{reply_above}</i><h1>{brand}</h1>{message}", "{message}{reply_above}", "must stand above", 17),
            ("<h1>{brand}</h1>", "<h1>{brand}</h1><!-- ", "has its {message} within a comment", 17),
            ("<h1>{brand}</h1>", "<script>x</script>", "has the tag <script>", 17),
            ("<h1>{brand}</h1>", "<img src='{logo}' onerror='x()'>", "has the attribute `onerror`", 17),
            ("<h1>{brand}</h1>", "<x-y onclick='x()'>", "has the tag <x-y>", 17),
            ("<h1>{brand}</h1>", "<a href='javascript:x()'>a</a>", "an address that is none of https", 17),
            ("<h1>{brand}</h1>", "<a href='{subject}'>a</a>", "has {subject} within a tag", 17),
            ("<h1>{brand}</h1>", "<{customer}>", "has the tag <{customer}>", 17),
            ("<h1>{brand}</h1>", "<p {agent}>", "has the attribute", 17),
            ("<h1>{brand}</h1>", "<p style='background:url(https://x.example)'>", "a style that loads", 17),
            ('"#0a5"', "green", "is not a name that can stand here", 10),
            ("https://acme.example", "ftp://acme.example", "must be an address that begins with https://", 10),
        ],
    )  # fmt: skip
    def test_each_mistake_has_its_line_and_remedy(
        self, tmp_path: Path, there: str, instead: str, says: str, line: int
    ) -> None:
        """Placeholders, keys, lines too short to be known again, languages, unsafe HTML, colours and addresses."""
        assert there in WORKSPACE
        with pytest.raises(ConfigErrors) as raised:
            workspace(tmp_path, WORKSPACE.replace(there, instead, 1))
        found = [(one.line, one.message) for one in raised.value.errors]
        assert any(at == line and says in message for at, message in found), found

    def test_in_a_text_of_several_lines_the_line_is_named(self, tmp_path: Path) -> None:
        """The line of the key alone would not help."""
        text = WORKSPACE.replace('header: "{brand}"', "header: |\n          one\n          {brnad}")
        with pytest.raises(ConfigErrors, match=r"\{brnad\} in line 2 of it; did you mean \{brand\}"):
            workspace(tmp_path, text)

    def test_what_mail_programs_show_is_let_through(self) -> None:
        """Tables, pictures, links, comments of theirs, and placeholders in addresses that nobody else chooses."""
        text = (
            "<!--[if mso]>x<![endif]--><table width='600' cellpadding=\"0\"><tr>"
            "<td style='color:{colour}' bgcolor={colour}>"
            "<a href='{brand_url}'><img src=\"{logo}\" alt='{brand_url}'></a><a href='https://x.example/{reference}'>{subject}</a>"
            "</td></tr></table>{message}"
        )
        assert safe(text) == text


def test_a_preview_is_written_for_each_language(tmp_path: Path) -> None:
    """`usherd check --preview` writes a text and a page for each letter, and names them."""
    (tmp_path / "work").mkdir()
    config = workspace(tmp_path / "work")
    shown = preview(config)
    done = CliRunner().invoke(
        app, ["check", "--config", str(tmp_path / "work"), "--preview", str(tmp_path / "out"), "--json"]
    )
    named = json.loads(done.stdout)["preview"]
    assert sorted(Path(one).name for one in named) == ["en.html", "en.txt", "es.html", "es.txt", "ja.html", "ja.txt"]
    assert (tmp_path / "out" / "es.txt").read_text() == shown["es"].text
    assert shown["es"].text.startswith(MARKS["es"])
    assert shown["en"].html in (tmp_path / "out" / "en.html").read_text()
    workspace(tmp_path / "work", WORKSPACE[: WORKSPACE.index("    letters")])
    bare = CliRunner().invoke(app, ["check", "--config", str(tmp_path / "work"), "--preview", str(tmp_path / "no")])
    assert "Mails are plain texts" in bare.stderr


# ---- what comes back ---------------------------------------------------------------------------------------------


def gmail(new: str, text: str, html: str) -> tuple[str, str]:
    """How Gmail quotes a mail: `>` in the text, wrapped; gmail_quote in the HTML."""
    quoted = "\n".join(f"> {line}".rstrip() for line in text.splitlines())
    head = "On Mon, Nov 23, 2026 at 9:00 AM Ana Souza, Acme Air <\nhelp+t_c7_abc@acme.example> wrote:"
    attribution = '<div dir="ltr" class="gmail_attr">On Mon, Nov 23, 2026 at 9:00 AM Ana wrote:<br></div>'
    quote = f'<div class="gmail_quote">{attribution}<blockquote class="gmail_quote">{html}</blockquote></div>'
    return f"{new}\n\n{head}\n\n{quoted}\n", f'<div dir="ltr">{escape(new)}</div><br>{quote}'


def outlook(new: str, text: str, html: str) -> tuple[str, str]:
    """How Outlook quotes a mail: under a run of headers, with no mark at its lines."""
    head = [
        "From: Acme Air <help@acme.example>",
        "Sent: Monday, November 23, 2026 9:00 AM",
        "To: Ada",
        "Subject: Re: Bag",
    ]
    rule = "<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal>"
    told = "<br>".join(map(escape, head))
    body = f"<p class=MsoNormal>{escape(new)}</p>{rule}{told}</p></div>{html}"
    return "\n".join([new, "", "_" * 32, *head, "", text]), body


def bare(new: str, text: str, html: str) -> tuple[str, str]:
    """How a web mailer quotes that marks nothing at all: ours is the only sign."""
    return f"{new}\n\n{text}", f"<p>{escape(new)}</p><br>{html}"


def apple(new: str, text: str, html: str) -> tuple[str, str]:
    """How Apple's Mail quotes: a blockquote of type cite, and stars where there was bold."""
    quoted = "\n".join(f"> {line}".rstrip() for line in text.replace("--", "*--*").splitlines())
    cite = f'<blockquote type="cite"><div>Am 23.11.2026 um 09:00 schrieb Ana:</div><div>{html}</div></blockquote>'
    return f"{new}\n\n> Am 23.11.2026 um 09:00 schrieb Ana:\n>\n{quoted}", f"<div>{escape(new)}</div>{cite}"


Quoting = Callable[[str, str, str], tuple[str, str]]
NEW = {"en": "Thank you, but the bag is still missing.", "es": "Gracias, ya está.", "ja": "ありがとうございます。"}


@pytest.mark.parametrize("program", [gmail, outlook, bare, apple])
@pytest.mark.parametrize("language", ["en", "es", "ja"])
@pytest.mark.parametrize("form", ["text", "html"])
def test_of_a_quoted_letter_only_the_answer_is_new(tmp_path: Path, program: Quoting, language: str, form: str) -> None:
    """In each language, and however the customer's program quotes our mail."""
    config = workspace(tmp_path)
    stationery = MailStationery(lambda: config, b"s" * 32)
    ours = reply(written(language=language), last=LAST, earlier=(), stationery=stationery)
    text, html = program(NEW[language], ours.full_text, ours.html)
    answer = EmailMessage()
    answer["From"], answer["To"], answer["Message-ID"] = "ada@customer.example", HELP, "<2@customer.example>"
    answer.set_content(text if form == "text" else html, subtype="plain" if form == "text" else "html")
    found = parse(answer.as_bytes(policy=email.policy.SMTP), mail_settings(config))
    assert found.text == NEW[language]
    assert "Anything else?" in found.quoted


def test_lines_of_earlier_days_are_known_too(tmp_path: Path) -> None:
    """What `marker` lists counts beside the letters' own, also with odd blanks and cases."""
    config = workspace(tmp_path)
    assert markers(config) == (*MARKS.values(), "Reply above this line, as we said last year")
    raw = b"From: a@b.example\r\n\r\nNew.\r\n\r\nREPLY above this line,\xc2\xa0as we said last year\r\n\r\nOld.\r\n"
    raw = raw.replace(b"\r\n\r\nNew", b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nNew", 1)
    found = parse(raw, mail_settings(config))
    assert (found.text, "Old." in found.quoted) == ("New.", True)
