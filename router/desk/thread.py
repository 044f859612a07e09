"""A contact in full: its card and its thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from router.core.message import Address, Message
from router.core.rules import sort_topics
from router.core.state import Contact, MessageRef, State
from router.core.transitions import ContactState, DeliveryState
from router.desk import rights, texts
from router.desk.ports import Directory, Source, Texts
from router.desk.summaries import named, person_name, row, shown_topics
from router.desk.views import Banner, Card, Earlier, File, Item, LinkRow, Party, Suggestion, Topic, Wishes

EARLIER_MAX = 5
TOPICS_SHOWN_MAX = 4
ARTICLES_MAX = 3
UNPROVEN_SHOWN_MAX = 3
SIGNED = ("email", "http")  # channels on which an answer is a letter
HISTORY_MS = 30 * 86_400_000


async def card(source: Source, read: Texts, contact: Contact, agent: str, of_customer: list[Contact], now: int) -> Card:
    """The contact as `agent` sees it; `of_customer`: all contacts of its customer, newest first."""
    state, names = source.state, source.names
    n = state.n
    actions = rights.actions(state, agent, contact)
    requirement = tuple(texts.skill(skill, level) for skill, level in contact.requirement.must)
    offer = contact.offer if contact.offer is not None and contact.offer.agent == agent else None
    history = _history(contact, of_customer, state.last_agent.get(contact.customer), agent, names)
    refs = tuple(contact.messages)
    messages = await read.messages([ref.id for ref in refs])
    answers, to, cc = recipients(contact, messages)
    about = _topics(state, contact)
    guessed = [topic.label for topic in about if topic.chosen]
    return Card(
        n=n,
        now=now,
        contact=row(contact, messages, names),
        customer=contact.customer,
        history=history,
        earlier=_earlier(contact, of_customer, names),
        requirement=requirement,
        topics=about,
        topics_said=contact.topics_set,
        banners=(
            *_banners(
                contact, names, shadow=state.workspace.shadow, unsure=_unsure(state, contact, actions), guessed=guessed
            ),
            *_company(state, contact, agent, names),
            *_unproven(refs, messages),
        ),
        items=_items(refs, messages, agent, names),
        replies_to=to,
        cc=cc,
        answers=answers,
        replies_line=texts.replies_line([party.address for party in to], contact.channel),
        signature=_signature(contact, agent, names),
        actions=actions,
        articles=_articles(contact, names),
        guest=_guest(contact, agent),
        offer=offer.id if offer else "",
        offer_at=offer.at if offer else 0,
        offer_until=offer.until if offer else 0,
        links=_links(state, contact, names),
        wishes=_wishes(state, contact),
        asked=contact.asked,
        score=contact.score,
    )


def _links(state: State, contact: Contact, names: Directory) -> tuple[LinkRow, ...]:
    return tuple(
        LinkRow(
            id=one.id,
            at=one.at,
            how=texts.LINKED[one.how],
            by=person_name(names, one.agent),
            addresses=len(one.identities),
        )
        for one in reversed(state.links.get(contact.customer, []))
    )


def _wishes(state: State, contact: Contact) -> Wishes:
    """By the last word of any address that takes part and is this customer's."""
    own = [one for one in contact.participants if state.identities.get(one) == contact.customer]
    languages = [state.languages[one] for one in own if one in state.languages]
    consents = [state.consents[one] for one in own if one in state.consents]
    language = max(languages, key=lambda one: one.at, default=None)
    consent = max(consents, key=lambda one: one.at, default=None)
    return Wishes(
        languages={code: texts.language(code) for code in state.workspace.languages},
        language=language.value if language is not None else "",
        consent=consent.given if consent is not None else None,
        consent_at=consent.at if consent is not None else 0,
        consent_channel=consent.channel if consent is not None else "",
    )


def _articles(contact: Contact, names: Directory) -> tuple[Suggestion, ...]:
    """Pages about its topics in its language, those of the best topic first."""
    topics = [topic for topic, _ in shown_topics(contact)]
    fitting = [
        (min(topics.index(topic) for topic in one.topics if topic in topics), place, one)
        for place, one in enumerate(names.articles())
        if one.language in {"", contact.language} and any(topic in topics for topic in one.topics)
    ]
    fitting.sort(key=lambda found: found[:2])
    return tuple(Suggestion(title=one.title, url=one.url) for _, _, one in fitting[:ARTICLES_MAX])


def _guest(contact: Contact, agent: str) -> bool:
    """Whether the agent only looks on: they were called in."""
    return agent in contact.called and not rights.holds(contact, agent)


def _company(state: State, contact: Contact, agent: str, names: Directory) -> list[Banner]:
    """Who was called in; and what was thought of the sender."""
    found: list[Banner] = []
    if _guest(contact, agent):
        owner = person_name(names, contact.agent)
        text = texts.GUEST.format(who=owner) if owner else texts.GUEST_OF_NOBODY
        found.append(Banner(code="guest", text=text, action="leave"))
    elif contact.called:
        who = ", ".join(person_name(names, one) for one in contact.called)
        found.append(Banner(code="called", text=texts.CALLED.format(who=who)))
    blocked = rights.is_blocked(state, contact)
    if contact.spam or blocked:
        text = texts.SPAM_BLOCKED if blocked else texts.SPAM
        found.append(Banner(code="spam", text=text, action="unblock" if blocked else ""))
    return found


def _unproven(refs: tuple[MessageRef, ...], messages: Mapping[str, Message]) -> list[Banner]:
    """Whose mails may be somebody else's, by what our own mail server wrote down of them, where it did.

    DMARC decides where it says pass or fail, as it compares with the address that is shown; else SPF or DKIM may vouch.
    """
    found: dict[str, None] = {}
    for ref in refs:
        message = messages.get(ref.id)
        said = message.authentication if message is not None and ref.direction == "in" and ref.auto is None else {}
        dmarc = said.get("dmarc")
        vouched = dmarc == "pass" or (dmarc != "fail" and "pass" in {said.get("spf"), said.get("dkim")})
        if said and message is not None and not vouched:
            found[message.from_.address] = None
    if not found:
        return []
    return [Banner(code="unproven", text=texts.UNPROVEN.format(who=", ".join(list(found)[:UNPROVEN_SHOWN_MAX])))]


def _signature(contact: Contact, agent: str, names: Directory) -> str:
    person = names.person(agent) if contact.channel in SIGNED else None
    return person.signature if person is not None else ""


def _topics(state: State, contact: Contact) -> tuple[Topic, ...]:
    chosen = {topic for topic, _ in shown_topics(contact) if topic in state.workspace.topics}
    listed = contact.topics if contact.topics_set else contact.topics[:TOPICS_SHOWN_MAX]
    return tuple(Topic(id=topic, label=texts.label(topic), p=p, chosen=topic in chosen) for topic, p in listed)


def recipients(contact: Contact, messages: Mapping[str, Message]) -> tuple[str, tuple[Party, ...], tuple[Party, ...]]:
    """(message answered, who gets a reply, who may get it too): by the customer's last message that is no auto mail.

    Before the customer has written anything, our own last message says so.
    """
    ours = None
    for ref in reversed(contact.messages):
        message = messages.get(ref.id)
        if message is None or ref.auto is not None:
            continue
        if ref.direction == "in":
            to = message.reply_to or (message.from_,)
            return ref.id, _parties(to), _parties(_others(message, to, contact.account))
        if ref.direction == "out" and ours is None:
            ours = message
    return ("", _parties(ours.to), _parties(ours.cc)) if ours is not None else ("", (), ())


def _others(message: Message, to: tuple[Address, ...], account: str) -> list[Address]:
    """Who else was on a customer's message: those in copy, and other receivers outside our own domain."""
    domain = account.rpartition("@")[2]
    beside = [one for one in message.to if not domain or not one.address.endswith(f"@{domain}")]
    found = {one.address: one for one in (*message.cc, *beside) if one.address}
    gone = {one.address for one in (*to, message.from_)} | {account}
    return [one for address, one in found.items() if address not in gone]


def _parties(addresses: Iterable[Address]) -> tuple[Party, ...]:
    return tuple(Party(name=one.name, address=one.address) for one in addresses)


def _items(
    refs: tuple[MessageRef, ...], messages: Mapping[str, Message], agent: str, names: Directory
) -> tuple[Item, ...]:
    """The thread. Where the customer worded something anew, both wordings say so, and the new one quotes the other."""
    found = {ref.id: _item(ref, messages.get(ref.id), agent, names) for ref in refs}
    latest: dict[str, str] = {}  # a message's own id → the newest wording of it so far
    for ref in refs:
        message = messages.get(ref.id)
        if message is None or ref.direction != "in":
            continue
        before = latest.get(message.revises or "")
        if before is not None:
            old, new = found[before], found[ref.id]
            found[before] = msgspec.structs.replace(old, warnings=(*old.warnings, texts.REVISED))
            found[ref.id] = msgspec.structs.replace(new, quoted=old.text, warnings=(*new.warnings, texts.REVISION))
        if message.message_id:
            latest[message.message_id] = ref.id
    return tuple(found.values())


def _item(ref: MessageRef, message: Message | None, agent: str, names: Directory) -> Item:
    delivery = ref.delivery.value if ref.delivery is not None else ""
    writer = person_name(names, ref.agent)
    if message is None:
        return Item(
            id=ref.id,
            direction=ref.direction,
            at=ref.at,
            who=writer or texts.UNKNOWN_CUSTOMER,
            text=texts.GONE,
            delivery=delivery,
            gone=True,
        )
    return Item(
        id=ref.id,
        direction=ref.direction,
        at=ref.at,
        who=writer or (named(message.from_) if ref.direction == "in" else texts.SYSTEM),
        mine=ref.agent is not None and ref.agent == agent,
        text=message.text or message.full_text,
        quoted=message.quoted,
        has_html=bool(message.html),
        files=tuple(
            File(part=one.part, name=one.filename, type=one.content_type, size=one.size, inline=one.inline)
            for one in message.attachments
        ),
        cc=_parties(message.cc),
        delivery=delivery,
        delivery_text=texts.DELIVERY[ref.delivery] if ref.delivery is not None else "",
        auto=texts.AUTO.get(ref.auto, ref.auto) if ref.auto else "",
        warnings=(*message.warnings, *_missed(ref, message)),
    )


def _missed(ref: MessageRef, message: Message) -> list[str]:
    everybody = (*message.to, *message.cc)
    return [texts.NOT_REACHED.format(address=everybody[at].address) for at in ref.lost if at < len(everybody)]


def _history(contact: Contact, of_customer: list[Contact], last: str | None, agent: str, names: Directory) -> str:
    recent = [one for one in of_customer if one.joined is None and one.opened_at > contact.opened_at - HISTORY_MS]
    number = sum((one.opened_at, one.id) <= (contact.opened_at, contact.id) for one in recent)
    if number <= 1 and contact.agent is not None:
        last = None  # whoever holds the customer's first contact is no history
    return texts.history(number, person_name(names, last), you=last == agent)


def _earlier(contact: Contact, of_customer: list[Contact], names: Directory) -> tuple[Earlier, ...]:
    others = [one for one in of_customer if one.id != contact.id and one.joined is None]
    return tuple(
        Earlier(
            id=one.id,
            channel=one.channel,
            state=texts.STATES[one.state],
            opened_at=one.opened_at,
            topics=tuple(texts.label(topic) for topic, _ in one.topics[:2]),
            by=person_name(names, one.agent),
        )
        for one in others[:EARLIER_MAX]
    )


def _unsure(state: State, contact: Contact, actions: tuple[str, ...]) -> bool:
    """Whether the agent is asked what it is about: the classifier does not know, and nobody has said so yet."""
    if contact.topics_set or not state.workspace.topics or "retag" not in actions:
        return False
    return sort_topics(state.workspace, contact.topics)[0] is None


def _banners(
    contact: Contact, names: Directory, *, shadow: bool, unsure: bool, guessed: list[str]
) -> tuple[Banner, ...]:
    found: list[Banner] = [Banner(code="shadow", text=texts.SHADOW)] if shadow else []
    if unsure:
        found.append(Banner(code="unsure", text=texts.unsure(guessed), action="retag"))
    if contact.flag:
        text = texts.FLAGS.get(contact.flag, contact.flag)
        action = "let_in" if contact.flag == "unknown-sender" and contact.claims else ""
        found.append(Banner(code=contact.flag, text=text, action=action))
    if contact.follows:
        found.append(Banner(code="follows", text=texts.FOLLOWS.format(contact=contact.follows)))
    # whatever came since: the report that it failed comes as a message too
    reply = next((ref for ref in reversed(contact.messages) if ref.delivery is not None and ref.auto is None), None)
    if reply is not None and reply.delivery is DeliveryState.FAILED:
        found.append(Banner(code="failed", text=texts.FAILED_ON.get(contact.channel, texts.FAILED)))
    if contact.state is ContactState.OFFERED and contact.offer is not None:
        found.append(Banner(code="offered", text=texts.OFFERED_TO.format(who=person_name(names, contact.offer.agent))))
    return tuple(found)
