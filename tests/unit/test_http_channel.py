"""What `POST /v1/messages` takes, what it refuses, and what becomes of it."""

from __future__ import annotations

import json

import hypothesis
import msgspec
import pydantic
import pytest
from hypothesis import strategies as st

from channels.http import HttpMessage, entry, normalise
from router.core.errors import PoisonError
from router.core.message import Address

SMS = {
    "channel": "sms",
    "kind": "chat",
    "account": "+4930999",
    "from": {"address": "+4930123456", "name": "Ada"},
    "to": [{"address": "Help@Acme.example"}],
    "cc": [{"address": "eve@customer.example"}],
    "subject": "My bag",
    "text": "It did\r\narrive \x00not.",
    "language": "de-CH",
    "message_id": "sms-2",
    "in_reply_to": "sms-1",
    "thread": "conversation 7",
    "customer": "C-42",
    "sent_at": "2026-11-22T01:30:00+01:00",
}


def message(**changes: object) -> HttpMessage:
    """A message with some keys changed, as the web server reads it."""
    return HttpMessage.model_validate_json(json.dumps({**SMS, **changes}))


def test_a_message_reaches_normal_form() -> None:
    """Every key arrives where a Message has it, times in UTC, line ends levelled."""
    made = entry("gateway", message(), "k1")
    normal = normalise(made.raw, made.meta)
    assert normal.channel == "sms"
    assert normal.from_ == Address(address="+4930123456", name="Ada")
    assert normal.to == (Address(address="help@acme.example"),)
    assert normal.cc == (Address(address="eve@customer.example"),)
    assert (normal.subject, normal.text, normal.full_text) == ("My bag", "It did\narrive \ufffdnot.", normal.text)
    assert (normal.message_id, normal.in_reply_to) == ("sms-2", "sms-1")
    assert normal.sent_at == "2026-11-22T00:30:00Z"
    assert msgspec.json.decode(made.meta) == {
        "account": "+4930999",
        "channel": "sms",
        "kind": "chat",
        "language": "de-CH",
        "thread": "conversation 7",
        "customer": "C-42",
    }


def test_the_least_message_has_an_address_and_a_text() -> None:
    """All other keys have defaults; the account is then the token's."""
    least = HttpMessage.model_validate({"from": {"address": "ada"}, "text": "x"})
    made = entry("gateway", least, "k1")
    assert made.source == "http"
    assert msgspec.json.decode(made.meta) == {"account": "gateway", "channel": "http", "kind": "email"}
    normal = normalise(made.raw, made.meta)
    assert (normal.channel, normal.sent_at, normal.message_id, normal.html) == ("http", None, None, "")


def test_the_same_words_are_the_same_body() -> None:
    """Order, blanks and defaults spelt out make no difference; a changed word does."""
    first = entry("a", message(), "k")
    spelt = HttpMessage.model_validate_json(json.dumps(dict(reversed({**SMS, "html": ""}.items())), indent=3))
    assert entry("a", spelt, "k") == first
    other = entry("a", message(text="else"), "k")
    assert other.key == first.key
    assert other.body != first.body


def test_keys_belong_to_their_account() -> None:
    """Another account or another Idempotency-Key is another key, and they cannot be shifted into each other."""
    keys = {
        entry(account, message(), key).key
        for account, key in [("a", "b"), ("a", "c"), ("b", "b"), ("a:b", ""), ("", "a:b")]
    }
    assert len(keys) == 5
    assert {len(key) for key in keys} == {16}


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"from": {"address": "a", "role": "admin"}},
        {"from": {"address": ""}},
        {"from": {"address": "two words"}},
        {"from": {"address": "a" * 321}},
        {"from": {"address": "a\r\nBcc: b"}},
        {"from": None},
        {"to": [{"address": "a"}] * 51},
        {"subject": "x\r\nBcc: all@acme.example"},
        {"subject": "x" * 1_001},
        {"text": "x" * 200_001},
        {"text": 7},
        {"text": " \n ", "html": " "},
        {"html": "<p>" + "x" * 50_000},
        {"html": "<div>" * 101},
        {"html": "<b><i>" * 51},
        {"html": "&" * 2_001},
        {"language": "german"},
        {"channel": "SMS"},
        {"kind": ""},
        {"message_id": "x" * 901},
        {"in_reply_to": "a\nb"},
        {"thread": "x" * 201},
        {"customer": "x\u2028y"},
        {"sent_at": "2026-11-22T01:30:00"},
        {"sent_at": "yesterday"},
    ],
)
def test_what_is_wrong_is_refused(changes: dict[str, object]) -> None:
    """Unknown keys, over-long values, line breaks in one-line values and empty messages are refused at the door."""
    with pytest.raises(pydantic.ValidationError):
        message(**changes)


def test_html_is_cleaned_and_read_as_text() -> None:
    """Without a text the words of the HTML are the text, and what could run is gone."""
    page = "<script>alert(1)</script><p>Hello &amp; bye<br>next</p><ul><li>one<li>two</ul><img src=x onerror=alert(1)>"
    made = entry("a", message(text="", html=page), "k")
    normal = normalise(made.raw, made.meta)
    assert normal.text == "Hello & bye\nnext\none\ntwo"
    assert "alert" not in normal.html
    assert "<p>" in normal.html
    both = entry("a", message(html=page), "k")
    assert normalise(both.raw, both.meta).text.startswith("It did")


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b'{"from":', b'{"from":{"address":"a"},"text":"\\ud800"}'])
def test_what_is_no_message_is_poison(raw: bytes) -> None:
    """Bytes that `entry` never made raise PoisonError and nothing else."""
    with pytest.raises(PoisonError):
        normalise(raw, b"{}")


@hypothesis.given(
    st.fixed_dictionaries(
        {"from": st.fixed_dictionaries({"address": st.text(max_size=20)}), "text": st.text(max_size=50)},
        optional={"html": st.text("<>/&divpab ='\"", max_size=80), "subject": st.text(max_size=20)},
    )
)
def test_whatever_is_taken_can_be_read_back(given: dict[str, object]) -> None:
    """A message that the model takes goes through entry and normal form, and comes out clean."""
    try:
        taken = HttpMessage.model_validate(given)
    except pydantic.ValidationError:
        return
    made = entry("a", taken, "k")
    normal = normalise(made.raw, made.meta)
    assert normal.text or normal.html or not taken.text.strip()
    assert HttpMessage.model_validate_json(made.raw) == taken


def test_the_schema_has_no_unknown_keys_and_an_example() -> None:
    """OpenAPI tools find the key `from`, the refusal of other keys, and an example that is valid."""
    schema = HttpMessage.model_json_schema()
    assert "from" in schema["properties"]
    assert schema["additionalProperties"] is False
    assert HttpMessage.model_validate(schema["examples"][0]).channel == "sms"


def test_what_the_source_is_certain_of_is_in_the_meta() -> None:
    """Topics and the wish for quiet stand beside the message; a message without them has no such keys."""
    plain = {"from": {"address": "ada@example.org"}, "text": "Hello"}
    stated = HttpMessage.model_validate({**plain, "topics": ["refund"], "quiet": True})
    meta = msgspec.json.decode(entry("http", stated, "k").meta)
    assert (meta["topics"], meta["quiet"]) == (["refund"], True)
    without = msgspec.json.decode(entry("http", HttpMessage.model_validate(plain), "k").meta)
    assert not {"topics", "quiet"} & set(without)
    with pytest.raises(pydantic.ValidationError):
        HttpMessage.model_validate({**plain, "topics": ["no topic"]})
