"""Windows about who a customer is: which addresses are theirs and why, and what they want."""

from __future__ import annotations

from collections.abc import Mapping

from channels.slack import blocks, texts
from channels.slack.blocks import Json
from channels.slack.card import action_id
from channels.slack.mrkdwn import cut, date, inline, plain
from channels.slack.reading import Deed
from router.desk.views import Card, LinkRow, Wishes

LINKS_MAX = 20
CONTACT_MAX = 60
UNSAID = "-"  # Slack takes no empty value
CONSENTS = {"yes": True, "no": False}


def customer(view: Card) -> Json:
    """Whose addresses are linked, with the way to undo that; and what the customer wants, to be changed."""
    found: list[Json] = [blocks.section(f"*{inline(view.contact.who, 80)}*"), blocks.context(cut(view.history, 400))]
    undo = "unlink" in view.actions
    found += [_link(one, undo=undo) for one in view.links[:LINKS_MAX]]
    if "link" in view.actions:
        found.append(blocks.actions(blocks.button(texts.LINK_BUTTON, action_id("link"), {})))
    kept = {"contact": view.contact.id, **_said(view.wishes)}
    if "customer" not in view.actions:
        return blocks.modal("usherd.shown", texts.CUSTOMER_TITLE, found, close=texts.CLOSE, kept=kept)
    return blocks.modal(
        "usherd.customer",
        texts.CUSTOMER_TITLE,
        [*found, blocks.divider(), *_wishes(view.wishes)],
        submit=texts.CUSTOMER_SUBMIT,
        close=texts.CANCEL,
        kept=kept,
    )


def _link(one: LinkRow, *, undo: bool) -> Json:
    addresses = texts.LINK_ADDRESS if one.addresses == 1 else texts.LINK_ADDRESSES.format(n=one.addresses)
    about = [date(one.at, texts.DUE_FORM, "earlier"), inline(one.by, 60, empty=""), addresses]
    line = "\n".join((cut(one.how, 200), "  ·  ".join(part for part in about if part)))
    button = blocks.button(texts.UNLINK_BUTTON, action_id("unlink"), {"link": one.id})
    return blocks.section(line, button if undo else None)


def _wishes(wishes: Wishes) -> list[Json]:
    unsaid, said = blocks.option(texts.UNSAID, UNSAID), _said(wishes)
    languages = [unsaid, *(blocks.option(plain(name, 70), code) for code, name in wishes.languages.items())]
    languages.sort(key=lambda one: one["value"] != said["language"])  # what is chosen is in a menu, however long it is
    consents = [unsaid, blocks.option(texts.CONSENT_YES, "yes"), blocks.option(texts.CONSENT_NO, "no")]
    given = next(one for one in consents if one["value"] == said["consent"])
    found = [
        blocks.input_block(
            "language", texts.WANTS, blocks.select("value", texts.UNSAID, languages, languages[0]), optional=True
        ),
        blocks.input_block(
            "consent", texts.CONSENT, blocks.select("value", texts.UNSAID, consents, given), optional=True
        ),
    ]
    if wishes.consent is not None:
        channel = texts.CHANNELS.get(wishes.consent_channel, inline(wishes.consent_channel, 40))
        when = date(wishes.consent_at, texts.DUE_FORM, "earlier")
        found.append(blocks.context(texts.CONSENT_SINCE.format(channel=channel, when=when)))
    return found


def _said(wishes: Wishes) -> dict[str, str]:
    """What stood in the window's fields when it was opened: only what was changed there is sent."""
    consent = {True: "yes", False: "no", None: UNSAID}[wishes.consent]
    return {"language": wishes.language or UNSAID, "consent": consent}


def link(contact: str) -> Json:
    """Another contact whose customer is this one's, and why."""
    other = blocks.writing("value", texts.LINK_HINT, lines=False, most=CONTACT_MAX)
    return blocks.modal(
        "usherd.link",
        texts.LINK_TITLE,
        [
            blocks.context(texts.LINK_TEXT),
            blocks.input_block("other", texts.LINK_OTHER, other),
            blocks.input_block("text", texts.LINK_WHY, blocks.writing("value")),
        ],
        submit=texts.CUSTOMER_SUBMIT,
        close=texts.CANCEL,
        kept={"contact": contact},
    )


def unlink(contact: str, named: str) -> Json:
    """Why it was somebody else after all."""
    return blocks.modal(
        "usherd.unlink",
        texts.UNLINK_TITLE,
        [blocks.context(texts.UNLINK_TEXT), blocks.input_block("text", texts.LINK_WHY, blocks.writing("value"))],
        submit=texts.UNLINK_BUTTON,
        close=texts.CANCEL,
        kept={"contact": contact, "link": named},
    )


def submitted(deed: Deed) -> dict[str, object] | None:
    """The fields of the desk's command that one of these windows stands for; None for any other."""
    contact, text = deed.value.get("contact", ""), str(deed.values.get("text") or "")
    match deed.action:
        case "customer":
            return {"contact": contact, **_changed(deed.value, deed.values)}
        case "link":
            return {"contact": contact, "other": str(deed.values.get("other") or "").strip(), "text": text}
        case "unlink":
            return {"contact": contact, "link": deed.value.get("link", ""), "text": text}
    return None


def _changed(kept: Mapping[str, str], entered: Mapping[str, object]) -> dict[str, object]:
    """What was chosen anew; what was said once is not unsaid."""
    new = {name: str(entered.get(name) or UNSAID) for name in ("language", "consent")}
    said = {name: value for name, value in new.items() if value not in {kept.get(name), UNSAID}}
    return {"language": said.get("language"), "consent": CONSENTS.get(said.get("consent", ""))}
