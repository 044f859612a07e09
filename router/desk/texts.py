"""Every sentence the desk model hands to a desk, ready to translate. Codes stay codes; people read these."""

from __future__ import annotations

from collections.abc import Callable

from router.core.transitions import ContactState, DeliveryState
from router.core.values import Priority, Status

STATES = {
    ContactState.WAITING: "waiting in the queue",
    ContactState.OFFERED: "offered",
    ContactState.ASSIGNED: "open",
    ContactState.WAITING_CUSTOMER: "waiting on the customer",
    ContactState.SNOOZED: "snoozed",
    ContactState.RESOLVED: "resolved",
}

STATUSES = {
    Status.AVAILABLE: "available",
    Status.BUSY: "busy",
    Status.AWAY: "away",
    Status.OFFLINE: "offline",
}

PRIORITIES = {Priority.LOW: "low", Priority.NORMAL: "normal", Priority.HIGH: "high", Priority.URGENT: "urgent"}

KINDS = {"email": "E-mail", "chat": "Chat", "messaging": "Messages", "units": "In all"}

DELIVERY = {
    DeliveryState.PENDING: "about to be sent",
    DeliveryState.SENDING: "being sent",
    DeliveryState.DEFERRED: "not taken yet; it is tried again",
    DeliveryState.SENT: "delivered",
    DeliveryState.FAILED: "not delivered: the other side refused it",
    DeliveryState.UNKNOWN: "sent, but the other side's answer was lost; it is sent at most once more",
}

NOT_REACHED = "It did not reach {address}, who was to have a copy."

AUTO = {
    "auto-reply": "automatic reply",
    "bounce": "delivery report",
    "list": "list mail",
    "bulk": "bulk mail",
    "loop": "mail loop",
    "spam": "spam",
    "blocked": "a blocked sender's message",
    "erased": "of a customer who was erased before it was read",
    "staff": "a colleague's mail",
    "command": "a button of the channel",
    "deleted": "deleted by its writer",
    "receipt": "automatic answer: receipt",
    "out_of_hours": "automatic answer: out of hours",
    "queue": "automatic answer: place in the queue",
    "incident": "told to all who ask of it",
    "csat": "question: was it all right?",
}

# What was done, by action; said when it went well.
DONE = {
    "status": "Your status is changed.",
    "accept": "It is yours.",
    "decline": "Declined. It goes to somebody else.",
    "take": "It is yours.",
    "start": "Stored, and on its way. The contact is yours.",
    "reply": "Stored, and on its way to the customer.",
    "note": "Noted. It stays among colleagues.",
    "transfer": "Handed over.",
    "snooze": "Snoozed. It comes back by itself, or when the customer writes.",
    "wake": "It is open again.",
    "resolve": "Resolved.",
    "reopen": "It is open again.",
    "retag": "Topics changed.",
    "priority": "Priority changed.",
    "let_in": "The message now stands in the contact it answered.",
    "link": "They are one customer now. It can be undone.",
    "unlink": "They are two customers again.",
    "customer": "Noted.",
    "merge": "Merged: its messages stand in the other contact now.",
    "call": "Called in. They see the contact and can write notes.",
    "leave": "You look on no more.",
    "spam": "Closed as spam.",
    "unblock": "Its sender can write to us again.",
    "incident": "Whoever asks next is told so.",
    "incident_end": "It is over.",
}

# Refusals by the engine's code. `{detail}` is what the engine added; `{who}` the same as a name, if it is an agent.
_REFUSALS = {
    "no-such-contact": "There is no such contact any more.",
    "no-such-agent": "Nobody of that name is in the roster.",
    "not-yours": "This contact is not yours.",
    "not-yours:who": "This contact is {who}'s now.",
    "not-open": "This contact is not open.",
    "offer-over": "This offer has lapsed.",
    "already-yours": "It is yours already.",
    "already-there": "It is theirs already.",
    "already-there:who": "It is {who}'s already.",
    "not-one": "Only contacts of one customer on one channel can be merged.",
    "taken": "Somebody else was first.",
    "taken:who": "{who} was first.",
    "not-allowed": "Your role does not allow that.",
    "bad-state": "That cannot be done as the contact stands now.",
    "bad-topic": "There is no such topic.",
    "bad-language": "That is no language of the workspace.",
    "no-such-incident": "That is over already.",
    "no-such-link": "That link is undone already.",
    "bad-time": "Choose a time in the future, within five years.",
    "conflict": "This was sent before, with other content. What was sent first stands.",
    "no-such-team": "There is no such team.",
    "no-way-back": "There is no address of the customer's to answer to.",
    "too-long": "That is too long: {detail}.",
    "empty": "Nothing is written yet.",
    "files-over": "There are too many files, or they are too large: {detail}.",
    "files-gone": "A file of this reply is no longer kept. Remove it and attach it again.",
    "bad-request": "Something is missing or not as it should be: {detail}.",
    "internal": "Something went wrong inside. It is in the log; nothing was done.",
    "bad-field": "Something is missing or not as it should be: {detail}.",
    "shadow": "usherd runs in shadow mode: it decides and explains, and sends nothing. Answer as you always did.",
    "no-such-action": "There is no such action.",
}
_REFUSED = "That was refused ({code})."

FLAGS = {
    "unknown-sender": "It answers a contact of ours, but came from an address we do not know there. "
    "Look who wrote before you let it in.",
    "quarantined": "This message could not be read safely. It is stored whole; a supervisor can look at it and retry.",
    "erased": "The customer was erased at their wish. What was written is gone for good.",
    "conflict": "The same message came twice under one key, with different words. Both are kept.",
}

_DECIDING = {  # by the engine's words: for you, for somebody else
    "who served this customer": ("you served this customer last", "they served this customer last"),
    "preferred skills": ("you have skills it would prefer", "they have skills it would prefer"),
    "utilisation": ("you were the least burdened of those who could", "they were the least burdened"),
    "scarcity of other skills": ("your other skills are the least scarce", "their other skills are the least scarce"),
    "longest idle": ("you had been free the longest", "they had been free the longest"),
    "id": ("all else was equal", "all else was equal"),
    "the only one": ("nobody else could take it", "nobody else could take it"),
}
_DECIDED = ("it was decided by {deciding}", "it was decided by {deciding}")


def unsure(topics: list[str]) -> str:
    """Asks what a contact is about; `topics`: what the classifier guesses."""
    if not topics:
        return "It is not clear what this is about. What is it?"
    return f"It is not clear what this is about. Is it {' and '.join(topics)}?"


DECLINE_REASONS = {
    "not-my-field": "Not my field",
    "too-much": "Too much at once",
    "leaving": "About to leave",
    "personal": "I know the customer personally",
    "other": "Another reason",
}

WHY_YOURS = "It came to you because {reason}."
WHY_THEIRS = "It went to {who} because {reason}."
WHY_WAITS = "It waits: nobody who is able can take it at the moment."
WHY_TAKEN = "A person gave it to {who} by hand, and that stands."
WHY_ACCEPTED_YOU = "You accepted the offer."
WHY_ACCEPTED = "{who} accepted the offer."
YOU = "you"
WHY_NONE = "Nothing was decided about it yet."
WHY_RELAXED = "It had waited so long that {n} of its wishes were relaxed."
WHY_RESERVE = "Agents are kept free for scarcer work: {names}."
WHY_WOULD_HAVE = "It could have gone to {who}, {what}."
WHY_MOODS = "What was written sounds {moods}."
WHY_EFFORT = "It likely takes {expected} minutes; eight of ten such contacts take {low} to {high}."
WHY_STICKY = "It waited a moment for {who}, who knows this customer."

LINKED = {
    "proof": "They came by a signed link that we had sent to the other address.",
    "agent": "A colleague said that they are one person.",
}
GONE = "This text was erased or cannot be read."
UNKNOWN_CUSTOMER = "Unknown sender"
THE_CUSTOMER = "The customer"
NO_TOPIC = "No topic"
NO_SUBJECT = "(no subject)"
SYSTEM = "usherd"
SHADOW = "Shadow mode: usherd decides and explains beside you, and sends nothing."
FAILED = "Your last reply was not delivered. Write another way, or try again."
FAILED_ON = {
    "telegram": "Telegram did not deliver your last reply: the customer has blocked the bot or is gone. "
    "Write another way, or try again.",
    "slack": "Slack did not take your last reply: the app may have been removed from the channel, or it is archived. "
    "Write another way, or try again.",
}
REVISED = "The customer worded this anew later: see below."
REVISION = "Worded anew: what it says now stands here, what it said before is quoted."
FOLLOWS = "It answers contact {contact}, which was closed too long ago to be reopened."
OFFERED_TO = "It is offered to {who} at the moment."
UNPROVEN = "It is not proven that {who} wrote this: their mail server does not vouch for it. Tell nothing private yet."
SPAM = "It was closed as spam."
SPAM_BLOCKED = "It was closed as spam, and its sender is blocked: what they write is listed, and opens no contact."
CALLED = "Called in: {who}. They see this contact and write notes."
GUEST = "{who} called you in. What you write here is a note; the customer never sees it."
GUEST_OF_NOBODY = "You were called in. What you write here is a note; the customer never sees it."
FIRST_CONTACT = "First contact with us."
LATE = "This takes longer than usual. It shows here as soon as it is done."


# Matters for supervisors: of one, of several.
MATTER_RISK = ("A promise is due soon.", "{n} promises are due soon.")
MATTER_BROKEN = ("A promise is broken.", "{n} promises are broken.")
MATTER_MORE_RISK = ("One more is due soon.", "{n} more are due soon.")
MATTER_NOBODY = ("A contact waits that nobody can take.", "{n} contacts wait that nobody can take.")
MATTER_QUARANTINE = ("A message could not be read safely.", "{n} messages could not be read safely.")
MATTER_FAILED = ("An answer was not delivered.", "{n} answers were not delivered.")
MATTER_HELD_UP = ("An answer does not get away.", "{n} answers do not get away.")
MATTER_ESCALATED = ("A contact was escalated.", "{n} contacts were escalated.")
MATTER_INCIDENT = ("Far more than usual is written of a topic.", "Far more than usual is written of {n} topics.")
INCIDENT_LINE = "{topic}: {contacts} contacts, usually {usual} an hour"
MATTER_PROBLEMS = ("usherd has a problem.", "usherd has {n} problems.")


WHATIF_LOOKED = "{n} contacts of that time were lived through once more, as the workspace is and as it is to be."
WHATIF_NOBODY = "Nobody wrote in that time: look further back."
WHATIF_SAME = "Nothing would have been different."
WHATIF_MOVED = "{n} of them go to somebody else."
WHATIF_WAIT = "Waits: {before} in the mean, then {after}."
WHATIF_SLOWEST = "The slowest twentieth: {before}, then {after}."
WHATIF_KEPT = "Promises kept: {before}, then {after}."
WHATIF_TOPIC = "{topic}: {before}, then {after}."
WHATIF_DEAD = "{n} more wait for nobody: {topics}."
WHATIF_UNKNOWN = "unknown"
WHATIF_IN_FORCE = "It counts as rehearsed now, and comes into force."
WHATIF_WAITS = "A changed workspace waits: it comes into force once it was rehearsed."
WHATIF_FAILED = "It was not rehearsed: {why}"
WHATIF_NONE = "No change waits: what the folder says is in force."


def counted(forms: tuple[str, str], number: int) -> str:
    """The sentence for one, or for several."""
    return forms[number != 1].format(n=number)


def label(code: str) -> str:
    """Words for an id that an admin chose: `lost-pet` → `Lost pet`, `lang:es` → `Spanish`."""
    if code.startswith("lang:"):
        return language(code.removeprefix("lang:"))
    words = code.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


_LANGUAGES = {
    "ar": "Arabic", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "eu": "Basque", "fi": "Finnish", "fr": "French", "gl": "Galician", "he": "Hebrew", "hi": "Hindi",
    "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nb": "Norwegian",
    "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


def language(code: str) -> str:
    """The English name of an ISO 639-1 language, or its code where we have none."""
    return _LANGUAGES.get(code, code)


def kind(code: str) -> str:
    """How a kind of contact is called."""
    return KINDS.get(code) or label(code)


def skill(name: str, level: int) -> str:
    """One skill with its level, as `Refunds 3`; a language at level 1 is just its name."""
    return label(name) if name.startswith("lang:") and level <= 1 else f"{label(name)} {level}"


def refusal(code: str, detail: str, person: Callable[[str], str | None]) -> str:
    """One plain sentence for a refused action. `person` gives the name of an agent id, or None."""
    who = person(detail) if detail else None
    text = _REFUSALS.get(f"{code}:who") if who else None
    text = text or _REFUSALS.get(code, _REFUSED)
    return text.format(who=who, detail=detail, code=code)


def done(action: str) -> str:
    """What to say when an action went well."""
    return DONE.get(action, "Done.")


def ordinal(number: int) -> str:
    """`4` → `4th`."""
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def history(number: int, last_with: str, *, you: bool) -> str:
    """`4th contact this month, last with you.` `number` counts this one; `last_with` is a name or empty."""
    if number <= 1 and not last_with:
        return FIRST_CONTACT
    begin = f"{ordinal(number)} contact this month" if number > 1 else "First contact this month"
    if not last_with:
        return begin + "."
    return f"{begin}, last with {'you' if you else last_with}."


def replies_line(addresses: list[str], channel: str) -> str:
    """To whom a reply goes, and by what channel."""
    if not addresses:
        return f"A reply goes back on {kind(channel)}."
    if all(address.startswith("visitor:") for address in addresses):
        return "A reply appears in the visitor's chat."
    if all(address.startswith("telegram:-") for address in addresses):
        return "A reply goes to the group on Telegram: everybody there reads it."
    if all(address.startswith("telegram:") for address in addresses):
        return "A reply goes to the customer on Telegram."
    if all(address.startswith("slack:") for address in addresses):
        return "A reply goes into the customer's thread in Slack: everybody in that channel reads it."
    names = " and ".join([", ".join(addresses[:-1]), addresses[-1]] if len(addresses) > 1 else addresses)
    return f"A reply goes to {names} by {kind(channel).lower()}."


def reason(deciding: str, *, you: bool) -> str:
    """The key that decided, as a clause; one we have no words for is given as it is."""
    yours, theirs = _DECIDING.get(deciding, _DECIDED)
    return (yours if you else theirs).format(deciding=deciding)


def ruled_out(cause: str, number: int) -> str:
    """`at capacity (3)`."""
    return f"{cause.replace('-', ' ')} ({number})"
