"""Placeholders in texts that admins write: `{reference}`. One that nothing fills would reach a customer as such."""

from __future__ import annotations

import re

from pydantic import AfterValidator

from skills.findings import nearest

BRACED = re.compile(r"\{([^{}\n]{0,60})\}")


def only(*known: str) -> AfterValidator:
    """An annotation for texts in which no other placeholder may stand. Without any, nothing may stand in braces."""

    def check(text: str) -> str:
        for found in BRACED.finditer(text):
            word = found[1]
            if word in known:
                continue
            meant = nearest(word, known)
            line = text.count("\n", 0, found.start()) + 1
            where = f" in line {line} of it" if "\n" in text else ""
            there_are = "; there are " + ", ".join(f"{{{name}}}" for name in known) if known else ""
            asked = f"; did you mean {{{meant}}}?" if meant else there_are
            raise ValueError(f"has the unknown placeholder {{{word}}}{where}{asked}")
        return text

    return AfterValidator(check)
