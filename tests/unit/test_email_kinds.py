"""Which mail a machine wrote, and what a report says of the mail that came back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from channels.email.parse import parse
from channels.email.settings import MailSettings
from router.core.message import Message

PERSON = {
    "From": "Jane <jane@example.com>",
    "To": "help@acme.example",
    "Subject": "Lost bag",
    "Message-ID": "<1@example.com>",
}


def read(
    text: str = "Where is my bag?",
    more: Mapping[str, str] | None = None,
    *,
    settings: MailSettings | None = None,
    sender: str | None = None,
    **fields: str,
) -> Message:
    """A mail by a person with some fields replaced or added; `_` in a name stands for `-`."""
    added = {name.replace("_", "-"): value for name, value in {**(more or {}), **fields}.items()}
    header = "".join(f"{name}: {value}\r\n" for name, value in {**PERSON, **added}.items())
    return parse(f"{header}\r\n{text}".encode(), settings or MailSettings(), envelope_from=sender)


DSN = """This is a multi-part message.

--b

Your message could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Original-Recipient: rfc822;Bob@example.org
Final-Recipient: rfc822;bob2@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 unknown

--b
Content-Type: {original}

From: help@acme.example
Message-ID: <u.1-0.2-0.mac@acme.example>

Hello
--b--
"""


def dsn(action: str = "failed", status: str = "5.1.1", original: str = "message/rfc822") -> Message:
    """A delivery report."""
    return read(
        DSN.format(action=action, status=status, original=original),
        From="MAILER-DAEMON@example.net",
        Content_Type="multipart/report; report-type=delivery-status; boundary=b",
        Subject="Undelivered Mail",
    )


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers"])
def test_a_delivery_report_names_who_failed_and_which_mail(original: str) -> None:
    """A report gives the recipients as we wrote them, the codes, and the Message-ID of our mail."""
    found = dsn(original=original)
    assert found.auto == "bounce"
    assert found.bounce is not None
    assert found.bounce.kind == "failure"
    assert found.bounce.recipients == ("bob@example.org",)
    assert found.bounce.statuses == ("5.1.1",)
    assert found.bounce.message_id == "u.1-0.2-0.mac@acme.example"


@pytest.mark.parametrize(
    ("action", "kind", "recipients"),
    [
        ("delayed", "delay", ("bob@example.org",)),
        ("failed (expired)", "failure", ("bob@example.org",)),
        ("relayed", "delivered", ()),
    ],
)
def test_a_report_is_a_failure_only_if_something_failed(action: str, kind: str, recipients: tuple[str, ...]) -> None:
    """A notice of delay or of success is told from a failure."""
    found = dsn(action=action).bounce
    assert found is not None
    assert (found.kind, found.recipients) == (kind, recipients)


def test_a_general_code_does_not_hide_the_exact_one() -> None:
    """Where the status says only that it failed, the server's own code stands beside it."""
    found = dsn(status="5.0.0").bounce
    assert found is not None
    assert found.statuses == ("5.0.0", "5.1.1")


def test_a_complaint_is_a_bounce_of_its_own_kind() -> None:
    """A feedback report is recognised, with the address that complained."""
    found = read(
        "--b\n\nabuse\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
        "Original-Rcpt-To: <bob@example.org>\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <x@y>\n\nhi\n--b--",
        Content_Type="multipart/report; report-type=feedback-report; boundary=b",
    )
    assert found.auto == "bounce"
    assert found.bounce is not None
    assert (found.bounce.kind, found.bounce.recipients, found.bounce.message_id) == (
        "feedback",
        ("bob@example.org",),
        "x@y",
    )


@pytest.mark.parametrize(
    ("subject", "text", "sender"),
    [
        ("failure notice", "<bob@example.org>:\nSorry, no mailbox here by that name.", "mailer-daemon@example.net"),
        ("Undeliverable: your mail", "bob@example.org\n550 5.1.1 user unknown", "postmaster@example.net"),
        ("Delivery failure", "Your message could not be delivered to:\nbob@example.org", "mail.delivery@example.net"),
        ("Unzustellbar: Ihre Mail", "<bob@example.org>: mailbox full", "postmaster@example.net"),
    ],
)
def test_plain_text_bounces_are_recognised(subject: str, text: str, sender: str) -> None:
    """Servers that send no report parts are understood, and the failed address is found."""
    found = read(text, Subject=subject, From=sender)
    assert found.auto == "bounce"
    assert found.bounce is not None
    assert found.bounce.recipients == ("bob@example.org",)


def test_the_null_sender_with_the_words_of_a_failure_is_a_bounce() -> None:
    """A mail that cannot be answered and speaks of a failed delivery is a bounce."""
    assert read("The mail could not be delivered: 550 5.1.1", sender="").auto == "bounce"


@pytest.mark.parametrize(
    "more",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-replied; owner-email=jane@example.com"},
        {"Precedence": "auto_reply"},
        {"X_Autoreply": "yes"},
        {"X_Autorespond": "vacation"},
        {"Subject": "Automatic reply: Lost bag"},
        {"Subject": "Out of Office: Lost bag"},
        {"Subject": "Abwesenheitsnotiz: Lost bag"},
        {"Subject": "Automatische Antwort: Lost bag"},
        {"Subject": "Réponse automatique : Lost bag"},
        {"Subject": "Respuesta automática: Lost bag"},
        {"Subject": "Resposta automática: Lost bag"},
        {"Subject": "Risposta automatica: Lost bag"},
        {"Subject": "Автоответ: Lost bag"},
        {"Subject": "自動返信: Lost bag"},
        {"X_Auto_Response_Suppress": "All", "Return_Path": "<>"},
        {"Content_Type": "multipart/report; report-type=disposition-notification; boundary=b"},
    ],
)
def test_auto_replies_are_recognised(more: dict[str, str]) -> None:
    """Vacation notes, autoresponders and read receipts are automatic replies."""
    assert read(more=more).auto == "auto-reply"


def test_a_mail_without_an_answerable_sender_is_no_persons() -> None:
    """Whoever sends from nowhere is a machine."""
    assert read(sender="").auto == "auto-reply"
    assert read(Return_Path="<>").auto == "auto-reply"
    assert read(Return_Path="<>", sender="jane@example.com").auto is None


@pytest.mark.parametrize(
    ("more", "auto"),
    [
        ({"List_Id": "Talk <talk.example.org>"}, "list"),
        ({"Precedence": "list"}, "list"),
        ({"Precedence": "bulk"}, "bulk"),
        ({"List_Unsubscribe": "<https://example.org/u>"}, "bulk"),
        ({"Auto_Submitted": "auto-generated"}, "bulk"),
        ({"Auto_Submitted": "no"}, None),
        ({"Precedence": "normal"}, None),
        ({"Feedback_ID": "1.eu-west-1.x:AmazonSES"}, None),  # what a relay adds to everybody's mail
    ],
)
def test_lists_and_bulk_mail_are_told_apart(more: dict[str, str], auto: str | None) -> None:
    """Mailing lists and mass mail are recognised by what people's programs do not send."""
    assert read(more=more).auto == auto


def test_mail_through_a_group_of_our_own_is_a_customers() -> None:
    """A group that hands on to us marks mail as a list's; its address is ours, so the mail is a person's."""
    group = {"List_Id": "<help.acme.example>", "Precedence": "list", "List_Unsubscribe": "<mailto:x@acme.example>"}
    assert read(more=group).auto == "list"
    assert read(settings=MailSettings(own_addresses=("help@acme.example",)), more=group).auto is None


def test_a_web_form_of_ours_is_a_customers() -> None:
    """A trusted form may say that a machine sent its mail: a person wrote it."""
    settings = MailSettings(trusted_forwarders=("forms@acme.example",), customer_from="reply-to")
    found = read(
        settings=settings, From="forms@acme.example", Reply_To="jane@example.com", Auto_Submitted="auto-generated"
    )
    assert found.auto is None
    assert found.from_.address == "jane@example.com"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Re: Undelivered Mail Returned to Sender", "Your answer bounced: 550 5.1.1 user unknown. Please call me."),
        ("Fwd: failure notice", "What does this mean?\n> could not be delivered"),
        ("Mail delivery", "When will my order be delivered?"),
        ("Out of office chairs", "Do you sell them?"),
        ("Delivery problem", "The parcel came damaged."),
        ("My message was returned", "Please tell me why."),
        ("Email not delivered", "I wrote to you and got this:\n550 5.1.1 user unknown"),
        ("Question", "I was out of the office. Automatic reply was on."),
    ],
)
def test_people_who_write_about_failures_stay_people(subject: str, text: str) -> None:
    """A customer who forwards a bounce or asks about one is no machine."""
    assert read(text, Subject=subject).auto is None


def test_a_bounce_attached_by_a_person_stays_a_persons_mail() -> None:
    """A customer who attaches the bounce they got is no machine."""
    inner = "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\nSorry, no mailbox here.\n"
    text = f"--b\n\nYour address bounces\n\n--b\nContent-Type: message/rfc822\n\n{inner}\n--b--"
    assert read(text, Content_Type="multipart/mixed; boundary=b").auto is None


def test_our_own_mail_is_known_by_its_mark() -> None:
    """Mail that this workspace sent is a loop; another workspace's is not."""
    ours = MailSettings(workspace="acme-air")
    assert read(X_Usherd_Loop="acme-air", settings=ours).loop
    assert not read(X_Usherd_Loop="other", settings=ours).loop
    assert read(X_Usherd_Loop="other").loop
    assert not read().loop


def test_spam_is_what_the_trusted_filter_says() -> None:
    """Only the configured field and value count."""
    settings = MailSettings(spam_headers=("X-Spam-Flag: yes", "X-Spam-Status: yes,"))
    assert read(X_Spam_Flag="YES", settings=settings).spam
    assert read(X_Spam_Status="Yes, score=12", settings=settings).spam
    assert not read(X_Spam_Flag="NO", settings=settings).spam
    assert not read(X_Spam_Flag="YES").spam
