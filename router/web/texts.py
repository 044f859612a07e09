"""Every sentence of the HTTP API, ready to translate. Sentences of the desk are in `router.desk.texts`."""

from __future__ import annotations

# By code, a message and a hint.
PROBLEMS: dict[str, tuple[str, str]] = {
    "unauthorized": (
        "This needs a bearer token.",
        "Send `Authorization: Bearer …`; make one with `usherd token create --scope SCOPE`.",
    ),
    "bad_token": ("This token is not known here.", "Make one with `usherd token create --scope SCOPE`."),
    "forbidden": ("This token's scope does not allow that.", "It needs the scope `{scope}`."),
    "signed_out": ("You are not signed in, or no longer.", "Ask for a link: `usherd link AGENT`."),
    "link_over": (
        "This link was used already, or its ten minutes are over.",
        "Ask for a new one: `usherd link AGENT`.",
    ),
    "other_site": ("This request does not come from the desk's own page.", "Reload the page."),
    "not_found": ("There is nothing here.", "The API is described at /docs."),
    "no_contact": ("There is no such contact, or it is not for you to see.", ""),
    "no_agent": ("Nobody in the roster has the id `{agent}`.", "`usherd agents` lists them."),
    "no_message": ("There is no such message.", ""),
    "no_model": ("No topic model of this name is kept.", "`usherd topics versions` lists them."),
    "no_customer": ("Nobody is known by this address or id.", "give an address as it is written in `usherd contacts`"),
    "not_blocked": (
        "Nobody is blocked who is meant by this.",
        "`usherd contacts --auto` lists what they write.",
    ),
    "no_tier": ("This workspace has no tier `{tier}`.", "Define it under `customers.tiers`."),
    "key_missing": (
        "The header Idempotency-Key is missing.",
        "Send a value of 1 to 200 visible characters that is the same when you retry, and new for each new message.",
    ),
    "key_conflict": (
        "This Idempotency-Key was used before with another body.",
        "Nothing was stored. Use a new key for a new message.",
    ),
    "invalid": ("The body is not as it should be: {detail}", "See /docs for the fields."),
    "too_large": ("The body is over the limit of {limit} bytes.", ""),
    "no_intake": ("This workspace takes no messages over HTTP.", "Add `http: {{}}` under `channels`."),
    "no_mail": ("This workspace takes no mail.", "Add `email: {{smtp: …}}` under `channels`."),
    "no_account": ("No mail comes to `{account}` here.", "It takes mail for: {accounts}."),
    "not_a_mail": ("The body is no mail.", "Send it as it was received, with `Content-Type: message/rfc822`."),
    "not_assigned": ("The contact was not given to `{agent}`: {why}.", ""),
    "chat_site": ("This site may not show the chat.", "List its origin under `channels.webchat.origins`."),
    "chat_pass": ("This visitor's pass is not ours, or its time is over.", "Open the chat again."),
    "chat_link": ("This link is over, or not ours.", "Open the chat and choose the file again."),
    "chat_slow": ("That was too much at once.", "Try again a little later."),
    "chat_refused": ("The file was not taken: {detail}", ""),
    "not_answered_by_you": ("You do not answer this contact now.", "Take it first."),
    "files_large": ("The files of a reply may have {limit} MB in all.", ""),
    "files_empty": ("This file is empty.", ""),
    "files_busy": ("Other files are still on their way.", "Try again in a moment."),
    "files_slow": ("The file took too long to arrive.", "Try again on a better connection."),
    "backlog_full": ("More is waiting than this workspace's limits allow.", "Nothing was stored. Try again later."),
    "draining": ("This node is stopping.", "Nothing was stored. Try again in a moment."),
    "store_unavailable": (
        "The store did not answer.",
        "Try again with the same Idempotency-Key: it will not be stored twice.",
    ),
    "transient": ("That did not work just now.", "Try again with the same key."),
    "not_ready": ("This node is not ready yet.", "Try again in a moment."),
    "internal": ("Something went wrong inside. It is in the log.", ""),
}

DOCS_TITLE = "usherd: HTTP API"
