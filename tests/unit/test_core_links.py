"""One customer behind several addresses: what links, what does not, and what undoing gives back."""

from __future__ import annotations

import msgspec
import pytest

from router.core import decisions as d
from router.core import events as e
from router.core.engine import Engine
from router.core.state import State
from router.core.values import AutoAnswers
from tests.support.engine_scene import ANA, BEN, HOUR, SUE, Scene, agent, pushing


def again(scene: Scene) -> Engine:
    """An engine from a copy of the state, as after a restart."""
    return Engine(msgspec.json.decode(msgspec.json.encode(scene.engine.state), type=State))


def link(scene: Scene, contact: str, other: str, name: str = "sue") -> None:
    """An agent says that two contacts are of one customer."""
    scene.seq += 1
    scene.apply(
        e.IdentitiesLinked(at=scene.at, agent=name, contact=contact, other=other, message=f"{scene.at}-{scene.seq}")
    )


def undo(scene: Scene, contact: str, name: str = "sue", which: str = "l1") -> None:
    """An agent says that it was wrong."""
    scene.seq += 1
    scene.apply(e.LinkUndone(at=scene.at, agent=name, contact=contact, link=which, message=f"{scene.at}-{scene.seq}"))


def describe(scene: Scene, contact: str, name: str = "ana", **what: object) -> None:
    """An agent notes what a customer wants."""
    scene.apply(e.CustomerDescribed(at=scene.at, agent=name, contact=contact, **what))  # type: ignore[arg-type]


def test_whoever_shows_a_signed_link_goes_on_where_they_were() -> None:
    """Mail, then chat by a signed link, then Telegram by another: one contact, one agent, answers where last used."""
    scene = Scene(pushing(ANA, BEN))
    assert scene.mail("m") == "c1"
    owner = scene.contact("c1").agent or ""
    assert scene.chat("v", proves="m", proof="x1") == "c1"
    assert scene.one(d.LinkIdentities).contact == "c1"
    reply = scene.reply("c1", owner)
    assert scene.one(d.SendReply).channel == "webchat"
    assert scene.mail("t", channel="telegram", kind="messaging", account="telegram", proves="v", proof="x2") == "c1"
    scene.reply("c1", owner)
    assert scene.one(d.SendReply).channel == "telegram"
    assert scene.mail("m", thread="c1") == "c1"
    scene.reply("c1", owner)
    assert scene.one(d.SendReply).channel == "email"
    state = scene.engine.state
    assert state.identities == {"m": "k1", "v": "k1", "t": "k1"}
    assert scene.contact("c1").agent == owner
    came = [(ref.direction, ref.channel or scene.contact("c1").channel) for ref in scene.contact("c1").messages]
    assert came == [
        ("in", "email"), ("in", "webchat"), ("out", "webchat"), ("in", "telegram"), ("out", "telegram"),
        ("in", "email"), ("out", "email"),
    ]  # fmt: skip
    assert reply in {ref.id for ref in scene.contact("c1").messages}


def test_the_next_message_needs_no_proof() -> None:
    """Who went on in a contact goes on there, until it is resolved; after that a new one prefers the same agent."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("m")
    owner = scene.contact("c1").agent or ""
    scene.chat("v", proves="m", proof="x1")
    assert scene.chat("v") == "c1"
    scene.reply("c1", owner, resolve=True)
    scene.wait(HOUR)
    assert scene.chat("v") == "c2"
    assert scene.contact("c2").customer == "k1"
    assert scene.contact("c2").agent == owner
    assert "v" not in scene.engine.state.going_on


def test_somebody_who_only_quotes_ids_gets_nothing() -> None:
    """An identity without a proof, an unknown one, one's own, one used before: nobody is linked, nothing is joined."""
    scene = Scene(pushing(ANA, BEN, agent("cem", skills={"refunds": 5})))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    for more in (
        {"thread": "c1"}, {"proves": "m"}, {"proof": "x9"}, {"proves": "nobody", "proof": "x2"},
        {"proves": "m", "proof": "x1"}, {"proves": "w", "proof": "x3"},
    ):  # fmt: skip
        contact = scene.chat("w", **more)
        assert contact != "c1"
        assert scene.none(d.LinkIdentities)
        assert scene.contact(contact).customer == "k2"
    assert scene.contact("c1").participants == ["m", "v"]


def test_a_proof_brings_what_somebody_had_before() -> None:
    """Contacts that were opened before the link are the customer's from now on, and so is who served them."""
    scene = Scene(pushing(ANA, auto_answers=AutoAnswers(kinds=("queue",))), away=("ana",))
    scene.chat("v")
    assert scene.engine.state.auto_answered == {"queue k1": scene.at}
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    assert scene.one(d.LinkIdentities).contacts == ("c1",)
    assert {one.customer for one in scene.engine.state.contacts.values()} == {"k2"}
    assert scene.engine.state.auto_answered == {"queue k2": scene.at}
    assert scene.engine.state.identities == {"m": "k2", "v": "k2"}


def test_two_known_customers_are_not_merged_by_a_link_alone() -> None:
    """A browser that two people share shows both their links: an agent decides."""
    scene = Scene(pushing(ANA, capacity_of := agent("cem", capacity={"email": 9, "chat": 9}, skills={"refunds": 3})))
    assert capacity_of.id == "cem"
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    scene.mail("n")
    assert scene.chat("v", proves="n", proof="x2") == "c1"
    assert scene.one(d.NotifySupervisors).reason == "link-in-doubt"
    assert scene.engine.state.identities["n"] != scene.engine.state.identities["v"]


def test_a_link_to_oneself_only_says_where_to_go_on() -> None:
    """Whoever is linked already and shows another link goes on in the contact that it was sent in."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    scene.resolve("c1", scene.contact("c1").agent or "")
    assert scene.mail("m") == "c2"
    assert scene.chat("v", proves="m", proof="x2") == "c2"
    scene.resolve("c2", scene.contact("c2").agent or "")
    scene.chat("v", proves="m", proof="x3")
    assert len(scene.engine.state.links["k1"]) == 1


def test_a_contact_that_has_all_it_can_hold_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the customer is one all the same, and opens another."""
    monkeypatch.setattr("router.core.leaving.PARTICIPANTS_MAX", 1)
    scene = Scene(pushing(ANA, BEN))
    scene.mail("m")
    assert scene.chat("v", proves="m", proof="x1") == "c2"
    assert scene.contact("c2").customer == "k1"


def test_an_agent_merges_and_undoes() -> None:
    """What the second customer had is theirs again, with who served them; what was written since goes by its writer."""
    scene = Scene(pushing(ANA, BEN, SUE))
    scene.mail("m")
    scene.mail("n")
    owner = scene.contact("c2").agent or ""
    link(scene, "c2", "c1")
    made = scene.one(d.LinkIdentities)
    assert (made.customer, made.link, made.identities, made.contacts) == ("k1", "l1", ("n",), ("c2",))
    scene.resolve("c2", owner)
    scene.mail("n")
    assert scene.contact("c3").customer == "k1"
    undo(scene, "c1")
    parted = scene.one(d.UnlinkIdentities)
    assert (parted.customer, parted.contacts) == ("k2", ("c2", "c3"))
    state = scene.engine.state
    assert state.identities == {"m": "k1", "n": "k2"}
    assert [one.customer for one in state.contacts.values()] == ["k1", "k2", "k2"]
    assert state.last_agent["k2"] == (scene.contact("c3").agent or owner)
    assert state.links == {}
    assert [ref.direction for ref in scene.contact("c1").messages] == ["in", "note"]


def test_undoing_parts_who_went_on_in_a_contact_of_the_other() -> None:
    """They take no part in it any more: what they write next is theirs alone; what they wrote stays where it is."""
    scene = Scene(pushing(ANA, BEN, SUE))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    undo(scene, "c1")
    assert scene.contact("c1").participants == ["m"]
    assert scene.contact("c1").parted == ["v"]
    assert scene.engine.state.identities == {"m": "k1"}
    assert scene.chat("v") == "c2"
    assert scene.contact("c2").customer == "k3"
    assert scene.contact("c2").flag == ""


def test_links_of_links_are_undone_one_by_one() -> None:
    """Undoing the outer one gives back the inner one with it, and that can be undone as well."""
    scene = Scene(pushing(ANA, BEN, SUE))
    for sender in ("a", "b", "c"):
        scene.mail(sender)
    link(scene, "c3", "c2")
    link(scene, "c2", "c1")
    assert [one.id for one in scene.engine.state.links["k1"]] == ["l1", "l2"]
    undo(scene, "c1", which="l2")
    assert scene.engine.state.identities == {"a": "k1", "b": "k2", "c": "k2"}
    undo(scene, "c2", which="l1")
    assert scene.engine.state.identities == {"a": "k1", "b": "k2", "c": "k3"}
    assert again(scene).index.customers.identities == scene.engine.index.customers.identities


def test_undoing_the_inner_one_leaves_the_rest() -> None:
    """Links that stay are the kept customer's."""
    scene = Scene(pushing(ANA, BEN, SUE))
    for sender in ("a", "b", "c"):
        scene.mail(sender)
    link(scene, "c2", "c1")
    link(scene, "c3", "c1")
    undo(scene, "c1", which="l1")
    assert scene.engine.state.identities == {"a": "k1", "c": "k1", "b": "k2"}
    assert [one.id for one in scene.engine.state.links["k1"]] == ["l2"]


@pytest.mark.parametrize(
    ("contact", "other", "name", "code"),
    [
        ("c1", "c9", "sue", "no-such-contact"),
        ("c1", "c1", "sue", "bad-state"),
        ("c1", "c2", "ben", "not-yours"),
    ],
)
def test_what_an_agent_may_not_link(contact: str, other: str, name: str, code: str) -> None:
    """A contact that there is, of another customer; both the agent's own, unless they lead."""
    scene = Scene(pushing(ANA, BEN, SUE), away=("ben",))
    scene.mail("m")
    scene.mail("n")
    link(scene, contact, other, name)
    assert scene.refused() == code


def test_an_agent_links_their_own() -> None:
    """Without being a supervisor."""
    scene = Scene(pushing(ANA))
    scene.mail("m")
    scene.mail("n")
    link(scene, "c1", "c2", "ana")
    assert not scene.none(d.LinkIdentities)


@pytest.mark.parametrize(("name", "which", "code"), [("ben", "l1", "not-yours"), ("sue", "l7", "no-such-link")])
def test_what_an_agent_may_not_undo(name: str, which: str, code: str) -> None:
    """A link of this customer's, by who has the contact or leads."""
    scene = Scene(pushing(ANA, BEN, SUE), away=("ben",))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    undo(scene, "c1", name, which)
    assert scene.refused() == code


def test_a_language_and_a_consent_hold_for_all_addresses() -> None:
    """The last word counts, whoever wrote it down and by whichever address; a refusal stops automatic answers."""
    scene = Scene(pushing(ANA, auto_answers=AutoAnswers(kinds=("receipt",)), languages=("en", "es", "pt")))
    scene.mail("m", language="en", consent=True, prefers="xx")
    describe(scene, "c1", language="es")
    scene.wait(1)
    scene.chat("v", proves="m", proof="x1")
    scene.resolve("c1")
    scene.wait(25 * HOUR)
    scene.mail("m", language="en")
    assert scene.contact("c2").language == "es"
    assert scene.one(d.SendAutoAnswer).language == "es"
    scene.wait(1)
    describe(scene, "c2", consent=False)
    assert scene.engine.state.consents["m"].channel == "email"
    scene.wait(25 * HOUR)
    scene.chat("v", prefers="pt")
    assert scene.contact("c3").language == "pt"
    assert scene.none(d.SendAutoAnswer)


@pytest.mark.parametrize(("name", "code"), [("ben", "not-yours"), ("sue", "bad-state"), ("ana", "bad-language")])
def test_what_may_not_be_described(name: str, code: str) -> None:
    """Somebody else's contact; one whose customer was erased."""
    scene = Scene(pushing(ANA, BEN, SUE), away=("ben",))
    scene.mail("m")
    if code == "bad-state":
        scene.apply(e.CustomerErased(at=scene.at, erasure="e1", contact="c1"))
    describe(scene, "c1", name, language="tlh")
    assert scene.refused() == code


def test_erasing_takes_all_identities() -> None:
    """Keys, contacts, links, preferences: nothing of any of them is left."""
    scene = Scene(pushing(ANA, BEN, languages=("en", "es")))
    scene.mail("m", consent=True)
    scene.chat("v", proves="m", proof="x1", prefers="es")
    scene.chat("w", message="9-9")
    scene.apply(e.CustomerErased(at=scene.at, erasure="e1", identities=("v",)))
    assert scene.one(d.EraseCustomer).keys == ("v", "m")
    state = scene.engine.state
    assert (state.links, state.going_on, state.languages, state.consents) == ({}, {}, {}, {})
    assert state.identities == {"w": "k2"}


def test_used_links_are_remembered_for_as_long_as_any_is_good() -> None:
    """And no longer."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("m")
    scene.chat("v", proves="m", proof="x1")
    scene.wait(31 * 24 * HOUR)
    scene.mail("m")
    scene.chat("w", proves="m", proof="x2")
    assert list(scene.engine.state.proofs) == ["x2"]


def test_an_engine_from_a_copy_goes_on_the_same() -> None:
    """Indexes made anew from the state after links and partings give the same decisions."""
    scene = Scene(pushing(ANA, BEN, SUE))
    scene.mail("m")
    scene.chat("v")
    scene.chat("v", proves="m", proof="x1")
    scene.mail("n")
    link(scene, "c3", "c1")
    undo(scene, "c1", which="l1")
    other = again(scene)
    assert (other.index.chats.open, other.index.chats.ended) == (
        scene.engine.index.chats.open,
        scene.engine.index.chats.ended,
    )
    assert other.index.customers.identities == scene.engine.index.customers.identities
    assert other.index.customers.contacts == scene.engine.index.customers.contacts
    event = e.CustomerErased(at=scene.at, erasure="e1", customer="k1")
    assert other.apply(event) == scene.engine.apply(event)


def test_who_served_the_one_has_served_both() -> None:
    """Where nobody had served the customer who is kept."""
    scene = Scene(pushing(ANA, SUE), away=("ana",))
    scene.mail("m")
    scene.mail("n")
    scene.take("c2")
    link(scene, "c1", "c2")
    assert scene.engine.state.last_agent == {"k1": "ana"}
    undo(scene, "c1")
    assert scene.engine.state.last_agent == {"k1": "ana", "k2": "ana"}


def test_what_is_undone_before_anybody_served_says_nothing_of_agents() -> None:
    """The one who is given back has nobody to prefer."""
    scene = Scene(pushing(ANA, SUE), away=("ana",))
    scene.mail("m")
    scene.mail("n")
    link(scene, "c1", "c2")
    undo(scene, "c1")
    assert scene.engine.state.last_agent == {}
    assert scene.engine.state.identities == {"m": "k1", "n": "k2"}


def test_the_auditor_sees_links_that_nothing_proves() -> None:
    """Without a proof, with one twice, to a contact of somebody else's, of contacts that are not the customer's."""
    scene = Scene(pushing(ANA, BEN))
    scene.mail("m")
    scene.mail("n")
    made = d.LinkIdentities(customer="k1", link="l1", identities=("v",), contacts=(), contact="c2")
    shown = e.MessageReceived(
        at=scene.at, message="7-7", channel="webchat", kind="chat", account="", sender="v", proves="m", proof="x1"
    )
    state = scene.engine.state
    for event, decision, wrong in (
        (e.TimePassed(at=scene.at), made, ["without a proof"]),
        (shown, made, ["took no part"]),
        (shown, msgspec.structs.replace(made, contact=""), ["twice"]),
        (
            e.IdentitiesLinked(at=scene.at, agent="ana", contact="c1", other="c2", message="8-8"),
            msgspec.structs.replace(made, contacts=("c2",), contact=""),
            ["not its customer's"],
        ),
    ):
        found = [one.detail for one in scene.auditor.observe(event, (decision,), state) if one.oracle == "I7"]
        assert len(found) == len(wrong)
        assert all(part in one for part, one in zip(wrong, found, strict=True))
