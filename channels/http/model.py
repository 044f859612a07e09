"""The JSON of `POST /v1/messages`: every key, its limits, and nothing else.

The limits keep one message small enough to be read in the leader's own process: no worker is needed for it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import pydantic

HTML_CHARACTERS_MAX = 50_000
# The HTML cleaner takes time by the square of both.
HTML_DEPTH_MAX = 100
HTML_AMPERSANDS_MAX = 2_000
YEAR_MIN, YEAR_MAX = 1970, 2200

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TEXT_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,30})")
# These need no end tag, so that many of them in a row are not deep.
_FLAT = frozenset(
    {"area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "option", "p"}
    | {"param", "source", "tbody", "td", "th", "thead", "tr", "track", "wbr"}
)


def _one_line(value: str) -> str:
    if _CONTROLS.search(value):
        raise ValueError("it must be one line without control characters")
    return value.strip()


def _address(value: str) -> str:
    if not value or any(character.isspace() for character in value):
        raise ValueError("an address has no blanks and is not empty")
    return value.lower() if "@" in value else value


def _without_controls(value: str) -> str:
    return _TEXT_CONTROLS.sub("\ufffd", value).replace("\r\n", "\n").replace("\r", "\n")


def _shallow(value: str) -> str:
    depth = 0
    if len(value) > HTML_CHARACTERS_MAX:
        return value  # refused for its length
    for tag in _TAG.finditer(value):
        end, name = tag.groups()
        if name.lower() not in _FLAT:
            depth = max(0, depth - 1) if end else depth + 1
        if depth > HTML_DEPTH_MAX:
            raise ValueError(f"its tags are nested more than {HTML_DEPTH_MAX} deep")
    if value.count("&") > HTML_AMPERSANDS_MAX:
        raise ValueError(f"it has more than {HTML_AMPERSANDS_MAX} ampersands")
    return value


def _of_our_time(value: datetime) -> datetime:
    if not YEAR_MIN <= value.year < YEAR_MAX:  # at the ends of the calendar an instant has no form in UTC
        raise ValueError(f"it must lie between {YEAR_MIN} and {YEAR_MAX}")
    return value


Line = Annotated[str, pydantic.AfterValidator(_one_line)]
Name = Annotated[str, pydantic.StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Topic = Annotated[str, pydantic.StringConstraints(pattern=r"^\w[\w.-]*$", max_length=64)]
Text = Annotated[str, pydantic.AfterValidator(_without_controls)]


class HttpAddress(pydantic.BaseModel):
    """One end of a message: a mail address, a telephone number, or any name that the source answers to."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    address: Annotated[Line, pydantic.AfterValidator(_address), pydantic.Field(max_length=320)]
    name: Annotated[Line, pydantic.Field(max_length=200)] = ""


class HttpMessage(pydantic.BaseModel):
    """One message from outside. `text` or `html` must say something."""

    model_config = pydantic.ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "channel": "sms",
                    "kind": "chat",
                    "from": {"address": "+4930123456", "name": "Ada"},
                    "text": "My bag did not arrive.",
                }
            ]
        },
    )

    channel: Name = pydantic.Field(default="http", description="What the source is called: sms, form, …")
    kind: Name = pydantic.Field(default="email", description="Whose capacity it takes: email, chat, …")
    account: Annotated[Line, pydantic.Field(max_length=320)] = pydantic.Field(
        default="", description="Which of our addresses it came to, for rules; the token's account unless given"
    )
    from_: HttpAddress = pydantic.Field(alias="from")
    to: tuple[HttpAddress, ...] = pydantic.Field(default=(), max_length=50)
    cc: tuple[HttpAddress, ...] = pydantic.Field(default=(), max_length=50)
    subject: Annotated[Line, pydantic.Field(max_length=1_000)] = ""
    text: Annotated[Text, pydantic.Field(max_length=200_000)] = ""
    html: Annotated[Text, pydantic.AfterValidator(_shallow), pydantic.Field(max_length=HTML_CHARACTERS_MAX)] = ""
    language: Annotated[str, pydantic.StringConstraints(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")] = (
        pydantic.Field(default="", description="BCP 47, if the source knows it")
    )
    message_id: Annotated[Line, pydantic.Field(max_length=900)] = pydantic.Field(
        default="", description="The source's id of this message"
    )
    in_reply_to: Annotated[Line, pydantic.Field(max_length=900)] = pydantic.Field(
        default="", description="The id of the message it answers"
    )
    thread: Annotated[Line, pydantic.Field(max_length=200)] = pydantic.Field(
        default="", description="The source's id of the conversation"
    )
    customer: Annotated[Line, pydantic.Field(max_length=200)] = pydantic.Field(
        default="", description="The source's reference of the customer"
    )
    topics: tuple[Topic, ...] = pydantic.Field(
        default=(), max_length=20, description="What it is about, if the source knows it for certain: ids of topics"
    )
    prefers: Annotated[str, pydantic.StringConstraints(pattern=r"^([a-z]{2,3})?$")] = pydantic.Field(
        default="", description="The language in which the customer wants to be answered (ISO 639-1)"
    )
    consent: bool | None = pydantic.Field(
        default=None, description="Whether the customer agreed to messages of a machine, or refused them"
    )
    quiet: bool = pydantic.Field(
        default=False, description="No automatic answer, such as a receipt: its writer has been told already"
    )
    sent_at: Annotated[pydantic.AwareDatetime, pydantic.AfterValidator(_of_our_time)] | None = pydantic.Field(
        default=None, description="RFC 3339, with its offset"
    )

    @pydantic.model_validator(mode="after")
    def _says_something(self) -> HttpMessage:
        if not self.text.strip() and not self.html.strip():
            raise ValueError("a message needs text or html")
        return self
