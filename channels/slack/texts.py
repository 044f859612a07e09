"""Every sentence of the desk in Slack, ready to translate. `{…}` are filled with words that are escaped already."""

from __future__ import annotations

KILO = 1_000

# -- the card ------------------------------------------------------------------------------------------------------

UNTIL = ":hourglass_flowing_sand: Yours to accept until {until}."
UNTIL_FORM = "{time}"
DUE = "due {when}"
DUE_FORM = "{date_short_pretty} {time}"
LATE = ":red_circle: was due {when}"
NO_PROMISE = "no promise"
PRIORITY = {
    "low": "low priority",
    "normal": "",
    "high": ":small_orange_diamond: high",
    "urgent": ":rotating_light: urgent",
}
CHANNELS = {"email": "E-mail", "webchat": "Chat", "telegram": "Telegram", "slack": "Slack", "http": "HTTP"}
OFFERED = ":inbox_tray: *Offered to you*"
OPEN = ":large_green_circle: *Yours*"
ON_CUSTOMER = ":hourglass: *Waiting on the customer*"
SNOOZED = ":zzz: *Snoozed* until {when}"
RESOLVED = ":white_check_mark: *Resolved*"
GONE = ":wave: *No longer yours*"
GONE_LINE = "This contact is no longer with you. What you wrote in this thread goes to nobody."
GUEST = ":raising_hand: *Called in by a colleague*"
COPIES = "_Also on their message: {names}. They get an answer only if you choose them: press “Answer…”._"
GUEST_THREAD = ":memo: What you write in this thread is a note for colleagues; the customer never sees it."
MERGED_HEAD = "Merged"
MERGED = "It was merged into another contact of this customer: go on there. What you write here goes to nobody."
ERASED = "The customer was erased at their wish. What was written is gone for good."
ERASED_HEAD = "Erased"
NOTICE = ":warning: {text}"
NEEDS = "needs {needs}"
MORE_BELOW = "_The message goes on: press “Read all”._"
EARLIER = "_{n} earlier messages: press “Read all”._"
EARLIER_ONE = "_One earlier message: press “Read all”._"
FILES = ":paperclip: {names}"
FILE = "{name} ({size})"
ARTICLES = ":books: {links}"
WHY = ":bulb: {why}"
ANSWER = ":speech_balloon: {line} Write in this thread to answer; begin with `//` for a note."
HEAD = "{who}: {subject}"
FALLBACK_OFFER = "Offered to you: {who}: {subject}"
FALLBACK = "{who}: {subject}"
FALLBACK_GONE = "No longer yours: {who}: {subject}"

# -- buttons -------------------------------------------------------------------------------------------------------

BUTTONS = {
    "accept": "Accept",
    "decline": "Decline",
    "resolve": "Resolve",
    "transfer": "Transfer",
    "snooze": "Snooze",
    "wake": "Wake",
    "note": "Note",
    "why": "Why me?",
    "read": "Read all",
    "reopen": "Reopen",
    "customer": "Customer…",
    "take": "Take it",
    "reply": "Answer…",
    "call": "Call a colleague in",
    "merge": "Merge",
    "spam": "Spam",
    "leave": "Leave",
    "unblock": "Unblock the sender",
    "undo": "Undo",
    "retry": "Try again",
    "retag": "Change topics",
    "priority": "Change priority",
    "let_in": "Let the sender in",
    "files": "Fetch the files",
}

# -- what happens in a thread --------------------------------------------------------------------------------------

WROTE = "*{who}* wrote {when}"
WROTE_FORM = "{date_short_pretty} {time}"
ANSWERED = ":outbox_tray: *{who}* answered {when}"
NOTED = ":memo: *{who}* noted {when}"
MACHINE = ":robot_face: {kind} {when}"
NOTE_STORED = ":memo: Noted. It stays among colleagues."
DELIVERED = ":white_check_mark: delivered"
FAILED = ":x: *Not delivered.* {why}"
FAILED_WHY = "The other side refused it."
UNDER_WAY = ":hourglass_flowing_sand: {how}"
AGAIN = ":inbox_tray: It is offered to you again, until {until}."
CALLED_IN = ":raising_hand: You were called in again."
GIVEN = ":inbox_tray: It is yours again."
WOKEN = ":alarm_clock: It is awake again."
LAPSED = "The offer has lapsed; it went to somebody else."
RETRIED = "It was sent again already."
CHANGED = ":pencil2: You changed a message after it was sent: *not changed at the customer*, who has the first words."
DELETED = ":wastebasket: You deleted a message after it was sent: *not changed at the customer*, who has it."
FALLBACK_IN = "{who}: {snippet}"

# -- refusals and answers, for one pair of eyes ---------------------------------------------------------------------

NOT_AN_AGENT = "You are not in this team's roster, so nothing was done. Ask an admin to add you."
NO_THREAD = "Write in the thread of a contact to answer its customer. What you wrote here went to nobody."
NOT_FOR_YOU = "There is no such contact for you to see."
HELD = ":hourglass_flowing_sand: It goes out in {n} seconds."
TAKEN_BACK = "Not sent: it was taken back in time."
TOO_LATE = "It is too late: it was sent."
HOLD_HINT = "_For {n} s after you wrote it you can delete or change it._"
THREAD_OVER = "This contact is no longer with you, so this went to nobody."
NOT_STORED = "This could not be stored. Please try once more."
LOST_DONE = ":x: What you did {when} could not be carried out: {why} Please try once more."
LOST_SAID = ":x: What you wrote {when} was *not sent*: {why} Please write it once more."
LOST_BY_SLACK = "Slack refuses it (`{code}`)."
LOST_NO_ANSWER = "Slack does not do it, and does not say why."
LOST_BY_US = "it failed several times. An admin finds in the log why."
UNKNOWN_CLICK = "This button does nothing any more. Open the card again."
FILE_TOO_LARGE = "A file is too large to be sent: at most {limit} in all."
FILE_UNREADABLE = "A file could not be fetched from Slack, so nothing was sent. Please send it once more."
FILES_GONE = "These files are no longer kept."
NO_FILES_HERE = "Files can be sent with an answer only, so nothing was sent."
PAST = "Choose a time in the future."

# -- modals --------------------------------------------------------------------------------------------------------

CLOSE = "Close"
CANCEL = "Cancel"
DECLINE_TITLE = "Decline"
DECLINE_REASON = "Why not you?"
DECLINE_SUBMIT = "Decline"
TRANSFER_TITLE = "Transfer"
TRANSFER_TO = "To whom?"
TRANSFER_BEST = "Whoever is best"
TRANSFER_PICK = "Choose somebody"
TRANSFER_TEAMS = "Teams"
TRANSFER_READY = "Able, with room"
TRANSFER_ABLE = "Able, no room now"
TRANSFER_OTHERS = "Others"
TRANSFER_NOTE = "Hand-over note, for colleagues only"
TRANSFER_SUBMIT = "Transfer"
TRANSFER_ANYBODY = "Anybody"
TEAM_MEMBERS = "{available} of {members} available"
SNOOZE_TITLE = "Snooze"
SNOOZE_UNTIL = "Until when?"
SNOOZE_HINT = "It comes back by itself, or as soon as the customer writes."
SNOOZE_SUBMIT = "Snooze"
NOTE_TITLE = "Note"
NOTE_LABEL = "Stays among colleagues"
NOTE_SUBMIT = "Store"
RETAG_TITLE = "Topics"
RETAG_LABEL = "What is it about?"
RETAG_PICK = "Choose topics"
RETAG_NONE = "This workspace has no topics."
RETAG_SUBMIT = "Change"
PRIORITY_TITLE = "Priority"
PRIORITY_LABEL = "How urgent is it?"
PRIORITY_SUBMIT = "Change"
PRIORITIES = {"low": "Low", "normal": "Normal", "high": "High", "urgent": "Urgent"}
WHY_TITLE = "Why?"
WHY_CONSIDERED = "*Considered*"
WHY_RULED_OUT = "*Ruled out*"
WHY_CANDIDATE = "{n}. {name}: {why}"
READ_TITLE = "The whole contact"
READ_QUOTED = "_quoted:_"
READ_CUT = "_The rest is too long for Slack. The web desk shows all of it._"
READ_NOTHING = "Nothing was written."

REPLY_TITLE = "Answer"
REPLY_SAVED = "Saved replies"
REPLY_SAVED_PICK = "Choose one"
REPLY_FITTING = "Fits this contact"
REPLY_OTHERS = "Others"
REPLY_TEXT = "What you write goes to the customer"
REPLY_COPIES = "Send a copy to"
REPLY_COPIES_PICK = "Nobody else"
REPLY_THEN = "Afterwards"
REPLY_RESOLVE = "Resolve"
REPLY_SIGNED = "Signed:\n{signature}"
REPLY_SUBMIT = "Send"
FILL_IN = "Fill in {what} before you send it."
CALL_TITLE = "Call a colleague in"
CALL_TEXT = "They see this contact and write notes in it. It stays yours."
CALL_NOBODY = "There is nobody else."
CALL_WHOM = "Whom?"
CALL_ABLE = "Have the skills"
CALL_NOTE = "What do you want to know?"
CALL_SUBMIT = "Call"
MERGE_TITLE = "Merge"
MERGE_TEXT = "The messages of the other contact come into this one; the other is closed."
MERGE_NONE = "This customer has no other open contact that you can merge."
MERGE_WHICH = "Which contact?"
MERGE_PICK = "Choose one"
MERGE_SUBMIT = "Merge"
SPAM_TITLE = "Close as spam?"
SPAM_TEXT = "Nothing is answered. If it was a mistake, reopen it."
SPAM_SENDER = "Its sender"
SPAM_BLOCK = "Block the sender as well"
SPAM_HINT = "What they write from now on is listed, and opens no contact."
SPAM_SUBMIT = "Close it"
LETTER_TITLE = "Write to a customer"
LETTER_TEXT = "It opens a contact that is yours. The answer comes back to it."
LETTER_TO = "To"
LETTER_ADDRESS = "One e-mail address, as in name@example.org."
LETTER_SUBJECT = "Subject"
LETTER_TOPIC = "What is it about?"
LETTER_TOPIC_PICK = "None yet"
LETTER_WORDS = "Message"

CUSTOMER_TITLE = "The customer"
CUSTOMER_SUBMIT = "Save"
LINK_BUTTON = "Same customer as…"
LINK_TITLE = "They are one customer"
LINK_TEXT = "Their history becomes one, on all channels. It can be undone."
LINK_OTHER = "Another contact of theirs"
LINK_HINT = "such as c12"
LINK_WHY = "How do you know? A note for colleagues"
LINK_ADDRESS = "1 address"
LINK_ADDRESSES = "{n} addresses"
UNLINK_BUTTON = "Undo"
UNLINK_TITLE = "They are two"
UNLINK_TEXT = "What came from the other address is theirs again."
UNSAID = "Not said"
WANTS = "Wants answers in"
CONSENT = "Messages by machine"
CONSENT_YES = "Agreed"
CONSENT_NO = "Refused"
CONSENT_SINCE = "{channel}  ·  {when}"

INCIDENT_TITLE = "One answer for all"
INCIDENT_TEXT = "It goes to whoever asks next, in place of a receipt."
INCIDENT_WORDS = "What is told"
INCIDENT_ALSO = "And"
INCIDENT_TELL = "Tell those who have asked already"
INCIDENT_SUBMIT = "Tell"

WHATIF_TITLE = "What if?"
WHATIF_RUNS = ":hourglass_flowing_sand: What came in is lived through under the new workspace. This takes a moment."
WHATIF_SPAN = "How far back? As in `/usherd whatif 12h` or `/usherd whatif 7d`."
WHATIF_CONFIRM = "It is lived through with the last seven days. A change that was rehearsed comes into force."

# -- App Home ------------------------------------------------------------------------------------------------------

HOME_STATUS = "*{status}* since {since}"
HOME_UNTIL = "*{status}* until {until}, then available again by yourself"
HOME_SINCE_FORM = "{date_short_pretty} {time}"
HOME_WHATIF = "What would it change?"
HOME_NEW = "Write to a customer"
HOME_CALLED = "Called in"
HOME_TODAY = "*Today*  {done}"
HOME_TODAY_TEAM = "The team's median: {done}"
HOME_QUEUE = "{n} waiting for anybody"
HOME_AVAILABLE = "Available"
HOME_BUSY = "Busy"
HOME_AWAY = "Away"
HOME_CAPACITY = "Room"
HOME_BAR = "{label}: {bar} {held} of {limit}"
HOME_SKILLS = "*Skills*  {skills}"
HOME_OFFERS = "Offered to you"
HOME_OPEN = "Open"
HOME_WAITING = "Waiting on the customer"
HOME_SNOOZED = "Snoozed"
HOME_NOTHING = "_Nothing at the moment._"
HOME_MORE = "_…and {n} more._"
HOME_TEAM = "The team"
HOME_BOARD = (
    "{waiting} waiting · {at_risk} at risk, {late} late · {open} open · today {opened} opened, {resolved} resolved"
)
HOME_TOPIC = "*{label}*: {waiting} waiting, {at_risk} at risk, {free} of {able} able agents free"
HOME_RISKY = "At risk"
HOME_INCIDENT = ":rotating_light: *{label}*: {n} contacts, usually {usual} an hour; {open} open"
HOME_INCIDENT_TOLD = "  ·  told: {text}"
HOME_INCIDENT_TELL = "Tell all…"
HOME_INCIDENT_END = "It is over"
HOME_AGENT = "{name}: {status}, {open} open, {offered} offered, {utilisation} % utilised"
HOME_PROBLEMS = ":warning: {text}"
HOME_STRANGER = "You are not in this team's roster. Ask an admin to add you."
STATUSES = {
    "available": ":large_green_circle: available",
    "busy": ":large_orange_circle: busy",
    "away": ":crescent_moon: away",
    "offline": ":white_circle: offline",
}

# -- the team's channel --------------------------------------------------------------------------------------------

TEAM_WAITS = ":hourglass: *{who}*: {subject}  ·  {channel}  ·  waiting since {since}  ·  {due}"
TEAM_TAKEN = ":white_check_mark: `{id}`  ·  {agent} has it."
TEAM_OVER = ":white_check_mark: `{id}`  ·  it no longer waits."
TEAM_SINCE_FORM = "{time}"
TEAM_FALLBACK = "Waiting: {who}: {subject}"

# -- alerts and digests ----------------------------------------------------------------------------------------------

ALERT = "{icon} *{text}*"
ALERT_SOON = ":warning:"
ALERT_NOW = ":rotating_light:"
ALERT_CONTACTS = "{contacts}: `/usherd explain CONTACT` says why; the app's Home lists what is at risk"
ALERT_FIRST = "first due {when}"
ALERT_OVER = ":white_check_mark: {what}: over since {when}"
ALERT_SUPERSEDED = ":arrow_down: {what}: it got worse, see below"
ALERT_ELSEWHERE = ":arrow_right: {what}: how it goes on is told elsewhere"
MATTERS = {
    "promises": "Promises at risk",
    "nobody": "Contacts that nobody can take",
    "quarantine": "Messages in quarantine",
    "undelivered": "Answers that do not arrive",
    "escalated": "Escalated contacts",
    "incidents": "Incidents",
    "problems": "Problems of usherd",
}
NUDGE_ONE = ":alarm_clock: One of your contacts is due soon."
NUDGE = ":alarm_clock: {n} of your contacts are due soon."
NUDGE_LINE = "• {what}: {when}"
DONE_ANSWERS = "{n} answered"
DONE_RESOLVED = "{n} resolved"
DONE_FIRST = "first answer after {span}"
DIGEST_SHIFT = ":wave: *Your shift is over.*"
DIGEST_YOU = "{day}: {done}."
DIGEST_TEAM = "The team's median: {done}."
DIGEST_LEFT = "With you: {open} to be answered, {waiting} waiting on the customer, {snoozed} snoozed."
DIGEST_DUE = "The first of them is due {when}."
DIGEST_DAY = ":bar_chart: *{day}*"
DIGEST_DAY_FORM = "{date_pretty}"  # "yesterday" for what is told or read a day late
DIGEST_TODAY = "Today"
DIGEST_WEEK = ":calendar: *The last seven days*"
DIGEST_TALLY = "{opened} opened, {answers} answered, {resolved} resolved. {kept}"
DIGEST_PROMISE = "{n} of {of} first answers in the promised time."
DIGEST_NO_PROMISE = "No first answer was promised."
DIGEST_BOARD = "Now: {open} open, {waiting} of them waiting; {risk} at risk, {late} late."
DIGEST_TOPIC = "{label} {n}"
DIGEST_WORKER = "{name}: {done}"

# -- /usherd -------------------------------------------------------------------------------------------------------

COMMAND_HELP = (
    "*/usherd status* your status and room · *away*, *away 30m* · *back* · *queue* what waits · "
    "*take CONTACT* · *find WORDS* · *explain CONTACT* · *new* writes to a customer · "
    "*whatif 7d* what the waiting change would have done (supervisors) · *help*"
)
COMMAND_UNKNOWN = "There is no `{word}`. {help}"
COMMAND_STATUS = "You are {status} since {since}. {bars}. {queue} waiting for anybody."
COMMAND_QUEUE_EMPTY = "Nothing waits."
COMMAND_ROW = "`{id}` {who}: {subject} · {due}"
COMMAND_CUSTOMER = ":bust_in_silhouette: {who}: {n} of these contacts"
COMMAND_FOUND_NOTHING = "Nothing was found."
COMMAND_TAKE_WHAT = "Which one? `/usherd take CONTACT`; `/usherd queue` lists them."
COMMAND_EXPLAIN_WHAT = "Which one? `/usherd explain CONTACT`."
COMMAND_FIND_WHAT = "What for? `/usherd find WORDS`."
COMMAND_TIME = "How long? As in `/usherd away 30m` or `/usherd away 2h`."
COMMAND_AWAY_UNTIL = "You are away until {until}; then you are available again by yourself."
LAPSES = (
    ":crescent_moon: {n} offers lapsed, so you are set away. "
    "Press *Available* in the app's Home, or type `/usherd back`."
)

# -- channels of customers: what agents read of a message from there, and what customers read ------------------------

CUSTOMER_NO_NAME = "Slack member"
CUSTOMER_NOT_KNOWN = "Slack did not say who wrote this."
CUSTOMER_OUTSIDE = "Written by somebody of another organisation, in a channel that you share."
CUSTOMER_DELETED = "Deleted in Slack by its writer; what it said is quoted."
CUSTOMER_FILE_TOO_LARGE = "`{name}` was not fetched: {size}, and {limit} is the most that is."
CUSTOMER_FILE_GONE = "`{name}` could not be fetched from Slack ({why}). Ask for it once more."
CUSTOMER_REST_TOO_LARGE = "`{name}` was not fetched: the files of one message were too large together."
ANSWER_NAMED = "*{who}*"
ANSWER_FILES = ":paperclip: {names}"


def size(number: int) -> str:
    """Bytes for people: `12 kB`."""
    if number < KILO:
        return f"{number} B"
    return f"{number // KILO} kB" if number < KILO * KILO else f"{number / KILO / KILO:.1f} MB"
