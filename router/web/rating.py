"""The question after a contact, as a page: reached by a signed link, answered only by pressing a button.

Mail scanners open links: so opening it answers nothing. The page needs no script and says nothing of anybody.
"""

from __future__ import annotations

import html
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import Response

from router.desk.satisfaction import SCORES, Words, contact_of, words_of
from router.web.access import Parts
from router.web.parts import WebParts

routes = APIRouter(prefix="/rate", include_in_schema=False)

BODY_BYTES_MAX = 200
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
STYLE = """
:root { color-scheme: light dark; font: 18px/1.5 system-ui, sans-serif; }
body { margin: 10vh auto; max-width: 30rem; padding: 0 1.2rem; }
fieldset { border: 0; padding: 0; margin: 0 0 1.5rem; }
h1 { font-size: 1rem; font-weight: 400; opacity: .8; }
legend { font-size: 1.3rem; font-weight: 600; padding: 0 0 1rem; white-space: pre-line; }
label { display: block; padding: .5rem 0; }
input { width: 1.2rem; height: 1.2rem; margin-inline-end: .7rem; vertical-align: -.15rem; }
button { font: inherit; padding: .6rem 1.6rem; }
"""


@routes.get("/{ticket}")
async def question(ticket: str, request: Request, parts: Parts) -> Response:
    """The question, with the answer chosen that the link names."""
    contact, language, words = _asked(ticket, parts)
    if contact is None:
        return _page(language, words.title, f"<p>{html.escape(words.over)}</p>", 404)
    found = parts.source.state.contacts[contact]
    if found.score is not None:
        return _page(language, words.title, f'<p role="status">{html.escape(words.thanks)}</p>')
    return _form(language, words, _question(parts, contact, words), request.query_params.get("score", ""))


@routes.post("/{ticket}")
async def take(ticket: str, request: Request, parts: Parts) -> Response:
    """The answer; thanked for once it is on disk."""
    contact, language, words = _asked(ticket, parts)
    if contact is None or parts.customers is None:
        return _page(language, words.title, f"<p>{html.escape(words.over)}</p>", 404)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return _page(language, words.title, f"<p>{html.escape(words.choose)}</p>", 413)
    score = parse_qs(body.decode("ascii", "replace")).get("score", [""])[0]
    if score not in {str(one) for one in SCORES}:
        return _form(language, words, _question(parts, contact, words), "", words.choose, 422)
    await parts.customers.rate(contact, int(score))
    return _page(language, words.title, f'<p role="status">{html.escape(words.thanks)}</p>')


def _asked(ticket: str, parts: WebParts) -> tuple[str | None, str, Words]:
    """Which contact a link is about, and the words in its customer's language."""
    name = contact_of(parts.secret, ticket, parts.clock())
    found = parts.source.state.contacts.get(name or "")
    if found is None or not found.asked:
        return None, *words_of(None)
    return found.id, *words_of(found.language)


def _question(parts: WebParts, contact: str, words: Words) -> str:
    asked = parts.customers.question(contact) if parts.customers is not None else None
    return asked or words.title


def _form(language: str, words: Words, question: str, chosen: str, problem: str = "", status: int = 200) -> Response:
    choices = "".join(
        f'<label><input type="radio" name="score" value="{score}" required{" checked" if str(score) == chosen else ""}>'
        f"{html.escape(words.answers[score - 1])}</label>"
        for score in reversed(SCORES)
    )
    told = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    form = (
        f'<form method="post">{told}<fieldset><legend>{html.escape(question)}</legend>{choices}</fieldset>'
        f'<button type="submit">{html.escape(words.send)}</button></form>'
    )
    return _page(language, words.title, form, status)


def _page(language: str, title: str, body: str, status: int = 200) -> Response:
    text = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{STYLE}</style></head><body><main><h1>{html.escape(title)}</h1>{body}</main></body></html>\n"
    )
    headers = {"Content-Security-Policy": POLICY}
    return Response(text, status, media_type="text/html; charset=utf-8", headers=headers)
