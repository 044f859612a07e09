"""Everything that people read of this channel: what agents are shown, and the greeting of a bot that has none."""

from __future__ import annotations

FILE_TOO_LARGE = "`{name}` was not fetched: {size} MB, and {limit} MB is the most that is."
FILE_GONE = "`{name}` could not be fetched from Telegram ({why}). Ask for it once more."
REST_TOO_LARGE = "`{name}` was not fetched: the files of one message were too large together."
NOT_SHOWN = "It holds something that is shown in Telegram only: {kinds}."
FORWARDED = "Forwarded from {who}."
FORWARDED_HIDDEN = "Forwarded from somebody who does not want to be named."
LOCATION = "[Place: {latitude}, {longitude}]"
VENUE = "[Place: {title}, {address}]"
CONTACT = "[Contact: {name}, {phone}]"
IN_GROUP = "Written in a group: everybody there reads the answer."
NO_NAME = "Telegram user"

# By language; `{bot}` is not filled in: a bot's name stands above the chat.
GREETINGS = {
    "en": "Hello! Write your question here, and one of us will answer.",
    "de": "Hallo! Schreiben Sie uns hier Ihre Frage, eine oder einer von uns antwortet.",
    "es": "¡Hola! Escríbenos aquí tu pregunta y te contestará una persona.",
    "fr": "Bonjour ! Écrivez votre question ici, l'un de nous vous répondra.",
    "it": "Ciao! Scrivi qui la tua domanda: ti risponderà uno di noi.",
    "pt": "Olá! Escreva aqui a sua pergunta e um de nós responderá.",
}
