"""The question after a contact: its five answers in the customer's language, and links by which they are given."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import msgspec

DAYS_GOOD = 30
SCORES = (1, 2, 3, 4, 5)
_FORM = re.compile(r"[A-Za-z0-9_-]{28,120}")
_UNTIL, _MAC = 4, 16


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around the question. `answers`: from bad to good."""

    answers: tuple[str, str, str, str, str]
    title: str
    send: str
    thanks: str
    over: str
    choose: str


WORDS = {
    "en": Words(
        answers=("Very bad", "Bad", "Fair", "Good", "Very good"),
        title="How was our help?",
        send="Send",
        thanks="Thank you for your answer.",
        over="This question is over.",
        choose="Please choose one of the answers.",
    ),
    "es": Words(
        answers=("Muy mal", "Mal", "Regular", "Bien", "Muy bien"),
        title="¿Qué tal fue nuestra ayuda?",
        send="Enviar",
        thanks="Gracias por su respuesta.",
        over="Esta pregunta ya no está abierta.",
        choose="Elija una de las respuestas.",
    ),
    "pt": Words(
        answers=("Muito ruim", "Ruim", "Regular", "Boa", "Muito boa"),
        title="Como foi a nossa ajuda?",
        send="Enviar",
        thanks="Obrigado pela sua resposta.",
        over="Esta pergunta já está encerrada.",
        choose="Escolha uma das respostas.",
    ),
    "de": Words(
        answers=("Sehr schlecht", "Schlecht", "Mittel", "Gut", "Sehr gut"),
        title="Wie war unsere Hilfe?",
        send="Senden",
        thanks="Danke für Ihre Antwort.",
        over="Diese Frage ist nicht mehr offen.",
        choose="Bitte wählen Sie eine der Antworten.",
    ),
    "fr": Words(
        answers=("Très mauvaise", "Mauvaise", "Moyenne", "Bonne", "Très bonne"),
        title="Comment était notre aide ?",
        send="Envoyer",
        thanks="Merci pour votre réponse.",
        over="Cette question est close.",
        choose="Choisissez une des réponses.",
    ),
}


def words_of(language: str | None) -> tuple[str, Words]:
    """The words in a language, and which that is; English where there are none."""
    known = language if language in WORDS else "en"
    return known or "en", WORDS[known or "en"]


def ticket(secret: bytes, contact: str, now: int) -> str:
    """What stands in the link to the question about a contact. `now` in ms."""
    said = (now // 1000 + DAYS_GOOD * 86_400).to_bytes(_UNTIL) + contact.encode()
    return base64.urlsafe_b64encode(said + _mac(secret, said)).rstrip(b"=").decode()


def contact_of(secret: bytes, text: str, now: int) -> str | None:
    """Which contact a link is about; None when it is not ours, was changed, or is past its time."""
    if not _FORM.fullmatch(text) or len(text) % 4 == 1:
        return None
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    said, mac = raw[:-_MAC], raw[-_MAC:]
    if not hmac.compare_digest(mac, _mac(secret, said)) or now // 1000 >= int.from_bytes(said[:_UNTIL]):
        return None
    return said[_UNTIL:].decode()


def _mac(secret: bytes, said: bytes) -> bytes:
    return hmac.digest(hmac.digest(secret, b"usherd rating", hashlib.sha256), said, hashlib.sha256)[:_MAC]
