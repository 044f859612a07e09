"""Mails in the look of the workspace in force, by language; and what they would look like, for `usherd check`."""

from __future__ import annotations

from channels.email.letter import Filling, Look, Rendered, render
from skills.model import WorkspaceConfig

SAMPLES = {
    "en": "Hello Ada,\n\nyour refund of 49 EUR is on its way; it takes two to three days.\n\nIs there anything else?",
    "es": "Hola, Ada:\n\nsu reembolso de 49 EUR está en camino; tarda de dos a tres días.\n\n¿Algo más?",
    "de": "Guten Tag, Ada,\n\nIhre Erstattung von 49 EUR ist unterwegs; sie dauert zwei bis drei Tage.\n\nNoch etwas?",
}


def look_of(config: WorkspaceConfig, language: str) -> Look | None:
    """How mails in a language look; of one that has no letter, as in the workspace's first. None: there are none."""
    email = config.channels.email
    if email is None or not email.letters:
        return None
    found = email.letters.get(language) or email.letters.get(config.languages[0])
    if found is None:
        return None
    brand = email.brand
    name = brand.name or (email.send.name if email.send is not None else "")
    return Look(
        reply_above=found.reply_above or "",
        header=found.header,
        signature=found.signature,
        footer=found.footer,
        text=found.text or "",
        html=found.html or "",
        brand={"brand": name, "brand_url": brand.url or "", "logo": brand.logo or "", "colour": brand.colour or ""},
    )


def markers(config: WorkspaceConfig) -> tuple[str, ...]:
    """All our lines above which customers are asked to write, those of earlier days included."""
    email = config.channels.email
    if email is None:
        return ()
    return tuple(
        dict.fromkeys([*(one.reply_above for one in email.letters.values() if one.reply_above), *email.marker])
    )


def preview(config: WorkspaceConfig) -> dict[str, Rendered]:
    """By language, what an answer would look like that the first of the agents writes."""
    agent = next(iter(config.agents.values()), None)
    email = config.channels.email
    found: dict[str, Rendered] = {}
    for language in email.letters if email is not None else ():
        look = look_of(config, language)
        if look is not None:
            filling = Filling(
                message=SAMPLES.get(language, SAMPLES["en"]),
                agent=agent.name if agent is not None else "",
                customer="Ada",
                reference="c1182",
                subject="Order 1182",
                signature=agent.signature if agent is not None else "",
            )
            found[language] = render(look, filling)
    return found
