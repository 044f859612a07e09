"""What a test of the whole daemon waits for on Slack's side: cards, notices, words for one pair of eyes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from router.sim.slack import Channel, Message, Person

PATIENCE = 60.0


async def until(true: Callable[[], object], what: str) -> None:
    """Wait until it is so."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not true():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{what} did not come about") from None


def cards(person: Person, *words: str) -> list[Message]:
    """Heads of threads with all of these words."""
    return [one for one in person.sees() if not one.thread_ts and all(word in one.said for word in words)]


async def card(person: Person, *words: str) -> Message:
    """The card with all of these words."""
    await until(lambda: cards(person, *words), f"{person.user.name}'s card with {words}")
    return cards(person, *words)[-1]


async def told(person: Person, head: Message, word: str) -> Message:
    """A message in a thread with this word."""

    def found() -> list[Message]:
        return [one for one in person.thread(head) if word in one.said and one.ts != head.ts]

    await until(found, f"{word} in the thread")
    return found()[-1]


async def whispered(person: Person, word: str, channel: Channel | None = None) -> Message:
    """What only they see, with this word."""

    def found() -> list[Message]:
        return [one for one in person.sees(channel) if one.only_for == person.id and word in one.said]

    await until(found, f"a whisper to {person.user.name} with {word}")
    return found()[-1]
