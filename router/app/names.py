"""Names for ids, from the workspace in force; the desk's `Directory`."""

from __future__ import annotations

from collections.abc import Callable

from router.desk.ports import Article, Display, Person, Saved
from skills.model import EVERYONE, WorkspaceConfig


class Names:
    """Implements the desk's `Directory` over whatever configuration is in force."""

    def __init__(self, config: Callable[[], WorkspaceConfig]) -> None:
        self._config = config

    def person(self, agent: str) -> Person | None:
        """The agent's name and address, or None when nobody has this id."""
        found = self._config().agents.get(agent)
        if found is None:
            return None
        return Person(
            id=agent,
            name=found.name or agent,
            email=found.email or "",
            team=found.team or EVERYONE,
            signature=found.signature,
        )

    def team(self, team: str) -> str:
        """The team's name: teams have ids only."""
        return team

    def display(self) -> Display:
        """How the workspace is shown."""
        config = self._config()
        return Display(name=config.workspace, timezone=config.timezone, languages=config.languages)

    def saved(self) -> tuple[Saved, ...]:
        """Saved replies, as the admin listed them."""
        replies = self._config().replies.items()
        return tuple(
            Saved(name=name, text=one.text, topics=one.topics, language=one.language or "") for name, one in replies
        )

    def articles(self) -> tuple[Article, ...]:
        """Pages to suggest, as the admin listed them."""
        articles = self._config().articles.values()
        return tuple(
            Article(title=one.title, url=one.url, topics=one.topics, language=one.language or "") for one in articles
        )


def staff_of(config: WorkspaceConfig) -> dict[str, str]:
    """Agents by the e-mail addresses they write from, lower-case."""
    return {agent.email.lower(): name for name, agent in config.agents.items() if agent.email}
