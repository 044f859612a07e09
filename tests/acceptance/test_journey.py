"""The whole journey as people see it: customers with real mail programs and servers, agents at the web desk."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from functools import partial

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.acceptance.company import HELP, Company, Customer, Mail
from tests.acceptance.desk_client import DeskClient, Json, Team
from tests.support.daemons import until
from tests.support.mailservers import NEEDS_DOVECOT, NEEDS_POSTFIX

pytestmark = [pytest.mark.needs(*NEEDS_POSTFIX, *NEEDS_DOVECOT), pytest.mark.timeout(300)]

REFUND = "I want my money back, please refund my order."
BAGS = "My suitcase did not arrive, my luggage is lost."


async def answered(company: Company, team: Team, *, resolve: bool = False) -> tuple[Customer, DeskClient, str, Mail]:
    """A contact whose customer has our answer in their mailbox."""
    customer, subject = company.customer(), company.subject("Refund please")
    await customer.write(subject, REFUND)
    desk, contact = await team.accepted(subject)
    await desk.act("reply", contact=contact, text="We will look into it at once.", resolve=resolve)
    [mail] = await customer.mails(1)
    await desk.until_in(contact, "done" if resolve else "waiting_customer")
    return customer, desk, contact, mail


def texts(card: Json) -> list[tuple[str, str]]:
    """The thread as pairs of direction and text."""
    return [(item["direction"], item["text"].strip()) for item in card["items"]]


@pytest.mark.needs("swaks")
async def test_a_mail_is_answered_and_the_answer_to_it_joins(company: Company, team: Team) -> None:
    """By swaks to an able desk, by Postfix into the customer's Dovecot mailbox in one thread, and back again."""
    customer, subject = company.customer(), company.subject("My suitcase")
    printed = await customer.swaks(subject, BAGS, "first@customers.example")
    assert "250 " in printed
    desk, offer = await team.offered(subject)
    assert desk.agent == "ben"
    assert offer["contact"]["topics"][0].lower() == "bags"
    contact = await desk.accept(offer)
    await desk.act("reply", contact=contact, text="It is on the next flight.\n\nBen")

    [mail] = await customer.mails(1)
    assert mail["From"] == f"Ben Okoye, Acme <{HELP}>" or mail["From"] == f'"Ben Okoye, Acme" <{HELP}>'
    assert mail["To"] == f"Ada Byron <{customer.address}>"
    assert mail["Subject"] == f"Re: {subject}"
    assert mail["In-Reply-To"] == "<first@customers.example>"
    assert mail["References"].split() == ["<first@customers.example>"]
    assert mail["Reply-To"].startswith("help+t_")
    assert mail["Reply-To"].endswith("@acme.example")
    assert "It is on the next flight." in mail.text
    assert not mail["Auto-Submitted"]
    card = await desk.card_when(contact, lambda card: card["items"][-1]["delivery"] == "sent", "delivered")
    assert card["contact"]["state"] == "waiting_customer"
    await desk.until_in(contact, "waiting_customer")

    await customer.answer(mail, "When does it land?")
    row = await desk.until_in(contact, "open")
    assert row["new"]
    card = await desk.card(contact)
    assert texts(card) == [("in", BAGS), ("out", "It is on the next flight.\n\nBen"), ("in", "When does it land?")]
    await desk.act("reply", contact=contact, text="At noon.")
    second = (await customer.mails(2))[1]
    assert second["In-Reply-To"] == f"<{company.message_ids(contact)[2]}>"
    assert second["References"].split()[:2] == ["<first@customers.example>", mail["Message-ID"]]
    assert second["Reply-To"] == mail["Reply-To"]


async def test_a_sign_in_link_works_once(company: Company) -> None:
    """`usherd link` prints a link that opens the agent's desk, and nobody can use it again."""
    asked = company.daemon.usherd("link", "ana", "--data", str(company.daemon.data))
    assert asked.returncode == 0, asked.stderr
    link = asked.stdout.strip()
    async with DeskClient.signed_in("ana", link) as desk:
        assert desk.desk["me"]["name"] == "Ana Souza"
        again = await desk.enter(link.partition("#link=")[2])
    assert again.status_code == 401
    unknown = company.daemon.usherd("link", "nobody", "--data", str(company.daemon.data))
    assert unknown.returncode != 0
    assert "nobody" in unknown.stderr
    assert "Traceback" not in unknown.stderr


@pytest.mark.parametrize("how", ["token", "message-id"])
async def test_an_answer_finds_its_contact_by_token_or_by_id(company: Company, team: Team, how: str) -> None:
    """Mail programs that drop the threading headers, or write to the plain address, are understood all the same."""
    customer, desk, contact, mail = await answered(company, team)
    if how == "token":
        await customer.write("something else", "And my seat?", to=mail["Reply-To"])
    else:
        await customer.write("something else", "And my seat?", In_Reply_To=mail["Message-ID"])
    await desk.until_in(contact, "open")
    assert texts(await desk.card(contact))[-1] == ("in", "And my seat?")


async def test_a_stranger_who_quotes_the_ids_is_let_in_by_hand_only(company: Company, team: Team) -> None:
    """Token and Message-ID in somebody else's mail open a flagged contact; `let_in` joins it to the claimed one."""
    customer, desk, contact, mail = await answered(company, team)
    stranger, subject = company.customer(), company.subject("Please refund")
    await stranger.write(subject, "I am her husband. " + REFUND, to=mail["Reply-To"], In_Reply_To=mail["Message-ID"])
    other, offer = await team.offered(subject)
    flagged = await other.accept(offer)
    assert flagged != contact
    card = await other.card(flagged)
    assert [(banner["code"], banner["action"]) for banner in card["banners"]] == [("unknown-sender", "let_in")]
    assert "let_in" in card["actions"]
    assert len((await desk.card(contact))["items"]) == 2

    await other.act("let_in", contact=flagged)
    await desk.until_in(contact, "open")
    assert texts(await desk.card(contact))[-1] == ("in", f"I am her husband. {REFUND}")
    await other.until(lambda _: flagged not in other.rows("open"), "the joined contact's leaving")
    await stranger.write("more", "He may write now.", In_Reply_To=mail["Message-ID"])
    await desk.card_when(contact, lambda card: texts(card)[-1] == ("in", "He may write now."), "the second mail")
    assert await asyncio.to_thread(customer.mails_now) == 1


async def test_a_reply_goes_to_whom_the_desk_showed(company: Company, team: Team) -> None:
    """Whoever else writes meanwhile: the reply reaches the one whose message it answers, and nobody else."""
    customer, friend, subject = company.customer(), company.customer(), company.subject("Refund please")
    await customer.write(subject, REFUND, Cc=friend.address)
    desk, contact = await team.accepted(subject)
    shown = await desk.card(contact)
    assert [party["address"] for party in shown["replies_to"]] == [customer.address]
    await desk.act("reply", contact=contact, text="Which order?", answers=shown["answers"])
    [mail] = await customer.mails(1)
    await friend.answer(mail, "Number 1182, I was there.")
    later = await desk.card_when(contact, lambda card: len(card["items"]) == 3, "the friend's mail")
    assert [party["address"] for party in later["replies_to"]] == [friend.address]
    await desk.act("reply", contact=contact, text="Thank you both.", answers=shown["answers"])
    assert (await customer.mails(2))[1]["To"] == f"Ada Byron <{customer.address}>"
    foreign = await desk.try_to("reply", contact=contact, text="To whom?", answers="1-1")
    assert not foreign["ok"]
    await company.quiet()
    assert await asyncio.to_thread(friend.mails_now) == 1  # the copy of the customer's own mail


async def test_a_bounce_fails_the_reply_on_the_desk(company: Company, team: Team) -> None:
    """Postfix's report of an unknown user is attached to its contact, whose reply is then marked as failed."""
    customer, subject = company.customer("gone.example"), company.subject("Refund please")
    await customer.write(subject, REFUND)
    desk, contact = await team.accepted(subject)
    await desk.act("reply", contact=contact, text="This will not arrive.")
    card = await desk.card_when(contact, lambda card: len(card["items"]) == 3, "the report")
    report, reply = card["items"][2], card["items"][1]
    assert (report["direction"], report["auto"]) == ("in", "delivery report")
    assert reply["delivery"] == "failed"
    assert card["contact"]["state"] == "assigned"
    assert "failed" in [banner["code"] for banner in card["banners"]]
    await desk.until_in(contact, "open")


async def test_a_reply_that_is_refused_at_once_fails_on_the_desk(company: Company, team: Team) -> None:
    """A recipient whom our mail server does not take is told to the agent, and the contact is open again."""
    customer, subject = company.customer("refused.example"), company.subject("Refund please")
    await customer.write(subject, REFUND)
    desk, contact = await team.accepted(subject)
    await desk.act("reply", contact=contact, text="This will not even leave.")
    card = await desk.card_when(contact, lambda card: card["items"][-1]["delivery"] == "failed", "the failure")
    assert card["contact"]["state"] == "assigned"
    assert "failed" in [banner["code"] for banner in card["banners"]]


async def test_automatic_mail_is_kept_and_never_answered(company: Company, team: Team) -> None:
    """An auto-reply to us is attached and wakes nobody; one that belongs nowhere is listed; neither is answered."""
    customer, desk, contact, mail = await answered(company, team)
    await customer.write(
        "Out of office",
        "I am away.",
        to=mail["Reply-To"],
        In_Reply_To=mail["Message-ID"],
        Auto_Submitted="auto-replied",
    )
    card = await desk.card_when(contact, lambda card: len(card["items"]) == 3, "the auto-reply")
    assert card["items"][2]["auto"] == "automatic reply"
    assert card["contact"]["state"] == "waiting_customer"

    lone = company.customer()
    identifier = await lone.write("Out of office", REFUND, Auto_Submitted="auto-replied")
    async with asyncio.timeout(60):
        while identifier not in await asyncio.to_thread(listed_autos, company):
            await asyncio.sleep(0.05)
    await company.quiet()
    assert await asyncio.to_thread(lone.mails_now) == 0
    assert await asyncio.to_thread(customer.mails_now) == 1


def listed_autos(company: Company) -> list[str]:
    """Message-IDs that `usherd contacts --auto` lists."""
    return [one["external_id"] for one in company.daemon.ask("/v1/contacts?auto=true")["auto"]]


async def test_a_resolved_contact_reopens_at_the_agent_who_had_it(company: Company, team: Team) -> None:
    """The customer writes again after `send and resolve`: the same contact is offered to the same agent first."""
    customer, desk, contact, mail = await answered(company, team, resolve=True)
    assert (await desk.card(contact))["contact"]["state"] == "resolved"
    await customer.answer(mail, "It is not settled at all.")
    await desk.until(lambda desk: any(one["contact"]["id"] == contact for one in desk["offers"]), "the reopened one")
    offer = next(one for one in desk.desk["offers"] if one["contact"]["id"] == contact)
    await desk.accept(offer)
    assert [item["direction"] for item in (await desk.card(contact))["items"]] == ["in", "out", "in"]


async def test_transfer_and_note_stay_inside(company: Company, team: Team) -> None:
    """A contact handed over stands on the colleague's desk with its note, and no note is ever sent."""
    customer, subject = company.customer(), company.subject("Refund please")
    await customer.write(subject, REFUND)
    desk, contact = await team.accepted(subject)
    await desk.act("note", contact=contact, text="A first-class whiner.")
    await desk.act("transfer", contact=contact, to_agent="ben", text="Yours, and do not tell her.")
    await team["ben"].until_in(contact, "open")
    await desk.until(lambda _: contact not in desk.rows("open"), "the contact's leaving")
    refused = await desk.try_to("reply", contact=contact, text="Too late")
    assert (refused["ok"], refused["code"]) == (False, "not-yours")
    assert "Ben Okoye" in refused["message"]
    await team["ben"].act("reply", contact=contact, text="I am on it.")
    [mail] = await customer.mails(1)
    await company.quiet()
    assert await asyncio.to_thread(customer.mails_now) == 1
    assert b"whiner" not in mail.raw
    assert b"do not tell" not in mail.raw
    assert [kind for kind, _ in texts(await team["ben"].card(contact))] == ["in", "note", "note", "out"]


async def test_a_snoozed_contact_comes_back_by_itself_or_when_the_customer_writes(company: Company, team: Team) -> None:
    """Snoozing takes it off the open list; its time, or a mail of the customer's, brings it back to the same agent."""
    customer, desk, contact, mail = await answered(company, team)
    await desk.act("wake", contact=contact)
    await desk.act("snooze", contact=contact, until=time.time_ns() // 1_000_000 + 6_000)
    await desk.until_in(contact, "snoozed")
    await desk.until_in(contact, "open")
    await desk.act("snooze", contact=contact, until=time.time_ns() // 1_000_000 + 3_600_000)
    await desk.until_in(contact, "snoozed")
    await customer.answer(mail, "Still there?")
    await desk.until_in(contact, "open")
    past = await desk.try_to("snooze", contact=contact, until=1)
    assert (past["ok"], past["code"]) == (False, "bad-time")


async def test_a_message_by_http_is_stored_once_routed_and_answered_by_mail(company: Company, team: Team) -> None:
    """The same key gives the same id, another body 409; the answer arrives by mail, and the reply to it joins."""
    customer, subject = company.customer(), company.subject("Web form")
    message = {
        "channel": "form",
        "from": {"address": customer.address, "name": "Ada"},
        "subject": subject,
        "text": BAGS,
    }
    token = company.token()
    first, again = company.post(message, subject, token), company.post(message, subject, token)
    other = company.post({**message, "text": "else"}, subject, token)
    nobody = company.post(message, subject, "usherd_invented")
    assert (first.status_code, again.status_code, other.status_code, nobody.status_code) == (202, 202, 409, 401)
    assert again.json() == first.json()
    desk, offer = await team.offered(subject)
    assert desk.agent == "ben"
    contact = await desk.accept(offer)
    await desk.act("reply", contact=contact, text="It was found.")
    [mail] = await customer.mails(1)
    assert mail["From"].endswith(f"<{HELP}>")
    assert "It was found." in mail.text
    await desk.until_in(contact, "waiting_customer")
    await customer.answer(mail, "Splendid.")
    await desk.until_in(contact, "open")
    assert texts(await desk.card(contact)) == [("in", BAGS), ("out", "It was found."), ("in", "Splendid.")]


async def test_declined_and_lapsed_offers_go_to_the_next_agent(company: Company, team: Team) -> None:
    """Who declines is not asked again while somebody else can; an offer nobody accepts goes on by itself."""
    customer, subject = company.customer(), company.subject("Refund please")
    await customer.write(subject, REFUND)
    first, offer = await team.offered(subject)
    await first.act("decline", contact=offer["contact"]["id"], offer=offer["offer"], reason="too-much")
    second = team["cleo" if first.agent == "ana" else "ana"]
    await second.until(lambda _: second.offer_about(subject) is not None, "the declined offer")
    late = await first.try_to("accept", contact=offer["contact"]["id"], offer=offer["offer"])
    assert not late["ok"]

    chat = company.subject("Chat")
    message = {"kind": "chat", "from": {"address": customer.address}, "subject": chat, "text": REFUND}
    company.post(message, chat)
    one, lapsing = await team.offered(chat)
    other = team["cleo" if one.agent == "ana" else "ana"]
    await other.until(lambda _: other.offer_about(chat) is not None, "the lapsed offer")
    over = await one.try_to("accept", contact=lapsing["contact"]["id"], offer=lapsing["offer"])
    assert not over["ok"]


async def test_of_clicks_at_once_exactly_one_counts(company: Company, team: Team) -> None:
    """Accept by one and take by another at the same time have one winner, and the loser is told who it was."""
    for _ in range(5):
        customer, subject = company.customer(), company.subject("Refund please")
        await customer.write(subject, REFUND)
        desk, offer = await team.offered(subject)
        contact = offer["contact"]["id"]
        rivals = [team["ben"], team["cleo" if desk.agent == "ana" else "ana"]]
        outcomes = await asyncio.gather(
            rivals[0].try_to("take", contact=contact),
            desk.try_to("accept", contact=contact, offer=offer["offer"]),
            rivals[1].try_to("take", contact=contact),
        )
        clicked = [rivals[0], desk, rivals[1]]
        [winner] = [who for who, outcome in zip(clicked, outcomes, strict=True) if outcome["ok"]]
        await winner.until_in(contact, "open")
        name = winner.desk["me"]["name"]
        assert [out["message"] for out in outcomes if not out["ok"]] == [f"{name} was first."] * 2
        for loser in clicked:
            await loser.until(partial(offers_not, contact), "the end of the offer")
            assert (contact in loser.rows("open")) == (loser is winner)


def offers_not(contact: str, desk: Json) -> bool:
    """Whether a desk shows no offer of this contact."""
    return all(one["contact"]["id"] != contact for one in desk["offers"])


async def test_one_click_sent_twice_counts_once(company: Company, team: Team) -> None:
    """A reply repeated under its key, as a page does that lost its connection, reaches the customer once."""
    customer, subject = company.customer(), company.subject("Refund please")
    await customer.write(subject, REFUND)
    desk, contact = await team.accepted(subject)
    clicks = [desk.try_to("reply", contact=contact, text="Once.", click="the-same") for _ in range(3)]
    outcomes = [
        *await asyncio.gather(*clicks),
        await desk.try_to("reply", contact=contact, text="Once.", click="the-same"),
    ]
    assert all(outcome["ok"] for outcome in outcomes), outcomes
    await customer.mails(1)
    await company.quiet()
    assert await asyncio.to_thread(customer.mails_now) == 1


async def test_explain_names_who_was_considered_and_why_not_the_others(company: Company, team: Team) -> None:
    """While offered, and still after it was accepted, the candidates, what decided, and who was ruled out are told."""
    customer, subject = company.customer(), company.subject("Refund please")
    await customer.write(subject, REFUND)
    desk, offer = await team.offered(subject)
    offered = explained(company, offer["contact"]["id"])
    assert offered["decision"] == "offer"
    contact = await desk.accept(offer)
    accepted = explained(company, contact)
    assert (accepted["decision"], accepted["agent"]) == ("assign", desk.agent)
    for found in (offered, accepted):
        assert found["candidates"][0]["agent"] == desk.agent
        assert {one["agent"] for one in found["candidates"]} == {"ana", "cleo"}
        assert all(one["why"] and one["key"] for one in found["candidates"])
        assert sum(found["ruled_out"].values()) == 2
        assert any("billing" in reason for reason in found["ruled_out"])
        assert found["deciding"]
        assert found["deciding"] != "accepted the offer"
    assert accepted["record"] > offered["record"]
    assert explained(company, contact, "--full")["candidates"] == accepted["candidates"]
    why = await desk.why(contact)
    assert len(why["candidates"]) == 2
    assert why["ruled_out"]
    read = company.daemon.usherd("explain", contact, "--data", str(company.daemon.data))
    assert read.returncode == 0
    assert desk.agent in read.stdout
    assert "billing" in read.stdout


def explained(company: Company, contact: str, *more: str) -> Json:
    """What `usherd explain CONTACT --json` prints."""
    asked = company.daemon.usherd("explain", contact, *more, "--json", "--data", str(company.daemon.data))
    assert asked.returncode == 0, asked.stderr
    found: Json = json.loads(asked.stdout)
    return found


LETTERS = """channels:
  email:
    send: {dkim: {domain: acme.example, selector: s1, key: file:dkim.pem}}
    letters:
      en: {reply_above: "-- Please reply above this line --", footer: "Your reference is {reference}, {customer}."}
"""


async def test_letters_and_signatures_come_into_force_and_the_answer_threads(company: Company, team: Team) -> None:
    """Without a restart: signed for a verifier that asks DNS, in an envelope of its own, and read again when quoted."""
    key = rsa.generate_private_key(65_537, 1_024)  # noqa: S505 (short keys are made quickly)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    folder, before = company.daemon.config, company.daemon.ask("/v1/status")["config"]
    (folder / "dkim.pem").touch(0o600)
    (folder / "dkim.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "letters.yaml").write_text(LETTERS)
    try:
        await until(lambda: company.daemon.ask("/v1/status")["config"] != before)
        await until(lambda: company.daemon.ask("/v1/status")["problems"] == [])
        customer, desk, contact, mail = await answered(company, team)
        raw = mail.raw[mail.raw.index(b"DKIM-Signature") :]  # below what the servers on the way wrote
        assert dkim.verify(raw, dnsfunc=lambda name, timeout=5: record)
        assert mail["Return-Path"].startswith("<help+b_")
        assert mail.text.splitlines()[0] == "-- Please reply above this line --"
        assert f"Your reference is {contact}, Ada Byron." in mail.text
        assert mail.headers.get_body(("html",)) is not None
        await customer.answer(mail, "Thank you.")
        card = await desk.card_when(contact, lambda card: len(card["items"]) == 3, "the answer")
        assert texts(card)[1:] == [("out", "We will look into it at once."), ("in", "Thank you.")]
    finally:
        (folder / "letters.yaml").unlink()
        await until(lambda: company.daemon.ask("/v1/status")["config"] == before)
