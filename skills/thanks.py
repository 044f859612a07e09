"""Whether a message only says thanks: one that comes after a contact was resolved is no reason to open it again.

It must err on one side: a question that is taken for thanks is lost to view, thanks taken for a question cost a click.
So every word and every sign must be known, none may be a number, nothing may be asked, and somebody must be thanked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

CHARACTERS_MAX = 120
NAMES_MAX = 2

_SAID = """thanks thank thx cheers appreciated gracias obrigado obrigada valeu danke dank merci grazie bedankt
dankjewel tack takk tak kiitos dziekuje multumesc"""
_BESIDE = """you so very much many a lot again great perfect ok okay good cool awesome brilliant excellent lovely
wonderful super nice all it that works now well for your the help support quick fast answer reply
response got and have day weekend best kind regards bye solved sorted really appreciate muchas
muchisimas mil perfecto vale genial por su tu la ayuda rapida respuesta muy amable saludos un saludo
todo bien muito muita perfeito otimo pela sua ajuda tudo certo bom boa dia tarde abraco vielen
besten herzlichen schon schoen sehr fur fuer die hilfe schnelle antwort perfekt prima toll passt
alles klar gruss grusse gruesse liebe viele mit freundlichen schonen schoenen tag beaucoup parfait
bien votre aide bonne journee cordialement mille perfetto va bene wel je hartelijk"""
_THANKS, _COURTESIES = frozenset(_SAID.split()), frozenset(_BESIDE.split())
_FACES = re.compile(
    "[\u263a\u2600\u2665\u2705\u2728\u2763\u2764\u270c\u2b50\ufe0f\u200d\U0001f3fb-\U0001f3ff\U0001f31e\U0001f31f"
    "\U0001f337-\U0001f33c\U0001f340\U0001f381\U0001f382\U0001f389\U0001f38a\U0001f44b-\U0001f44d\U0001f44f\U0001f490"
    "\U0001f493\U0001f495-\U0001f49d\U0001f4aa\U0001f4af\U0001f600-\U0001f60e\U0001f618\U0001f642\U0001f64b-\U0001f64c"
    "\U0001f64f\U0001f680\U0001f90d\U0001f90e\U0001f917\U0001f91d\U0001f929\U0001f942\U0001f970\U0001f973\U0001f9e1"
    "\U0001faf6]|[:;]-?[)D]"
)
_OTHER_FACES = re.compile(
    r"[\U0001f000-\U0001faff\u2049\u203c\u2190-\u2bff]|[:;]['\u2019]?-?[(/|\\\[]"
)  # a thumb down, a "?"
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")


def only_thanks(text: str, names: Iterable[str] = ()) -> bool:
    """Whether these new words say thanks and nothing else. `names`: of the writer and of ours, as they are written."""
    said = text.strip()
    if not said or len(said) > CHARACTERS_MAX or any(mark in said for mark in "?¿") or re.search(r"\d", said):
        return False
    plain = _FACES.sub(" ", said)
    if _OTHER_FACES.search(plain):
        return False
    words = [_folded(word) for word in _WORD.findall(plain)]
    known = {_folded(part) for name in names for part in name.split()}
    others = [word for word in words if word not in _THANKS and word not in _COURTESIES]
    named = all(word in known for word in others) and len(others) <= NAMES_MAX
    if not words:
        return bool(_FACES.search(said)) and not re.search(r"\w", plain)
    return named and any(word in _THANKS for word in words)


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))
