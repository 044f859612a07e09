"""Champion and challenger: what a model would be worth that learned more, on texts that neither has seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from skills.topics.contest import Contest, Tally, contest
from skills.topics.training import Labelled


@dataclass
class Words:
    """A topic as an admin writes it."""

    examples: Sequence[str] = ()
    keywords: Sequence[str] = ()


WORDS = {"refund": ["money", "charged", "refund", "pay"], "bags": ["suitcase", "luggage", "trolley", "bag"]}
NEW = {"refund": ["reembolso", "dinero", "cobro"], "bags": ["maleta", "equipaje", "bolso"]}
AROUND = ["please", "hello", "since monday", "thanks", "urgent", "my order"]


def texts(words: dict[str, list[str]], number: int, seed: int) -> list[Labelled]:
    """Texts of both topics, each with one telling word."""
    chance = random.Random(seed)
    return [
        Labelled(f"{chance.choice(AROUND)} {chance.choice(words[topic])} {chance.choice(AROUND)} x{number}", (topic,))
        for number in range(number)
        for topic in words
    ]


OWN = {topic: Words([one.text for one in texts(WORDS, 12, 1) if one.topics == (topic,)]) for topic in WORDS}


def test_new_words_make_a_better_challenger() -> None:
    """Labels in another language: the challenger is right where the champion guesses, and loses nothing of its own."""
    found = contest(OWN, [], texts(NEW, 25, 2))
    assert found is not None
    assert not found.worse
    assert found.every.challenger > found.every.champion + 10
    assert found.own.challenger >= found.own.champion - 1


def test_wrong_labels_are_not_put_in_force() -> None:
    """Many labels that say the opposite drown the admin's examples, and the admin's examples say so."""
    wrong = [Labelled(one.text, ("bags" if one.topics == ("refund",) else "refund",)) for one in texts(WORDS, 60, 3)]
    found = contest(OWN, [], wrong)
    assert found is not None
    assert found.own.worse
    assert found.worse


def test_what_nobody_said_outright_judges_nobody() -> None:
    """Labels that only follow from silence are learned from, and not among the texts judged."""
    silent = [one._replace(outright=False) for one in texts(NEW, 25, 2)]
    found = contest(OWN, [], silent)
    assert found is not None
    assert found.every.judged == found.own.judged == sum(len(topic.examples) for topic in OWN.values())


def test_the_same_labels_are_never_worse() -> None:
    """A challenger that knows what the champion knows wins and loses nothing."""
    known = texts(NEW, 10, 4)
    found = contest(OWN, known, known)
    assert found is not None
    assert (found.every.won, found.every.lost, found.worse) == (0, 0, False)


def test_where_nothing_can_be_held_out_there_is_no_contest() -> None:
    """One topic, or a handful of examples, gives nothing to compare by."""
    assert contest({"refund": Words(["money"])}, [], []) is None
    assert contest({"refund": Words(["money"]), "bags": Words(["bag"])}, [], []) is None


def test_chance_alone_rejects_nobody() -> None:
    """Losses that one standard error explains are no reason; more are."""
    assert not Tally(judged=100, champion=90, challenger=89, won=3, lost=4).worse
    assert Tally(judged=100, champion=90, challenger=85, won=1, lost=6).worse
    assert not Contest(every=Tally(), own=Tally()).worse
