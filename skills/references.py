"""Checks that what a workspace names is there: skills, teams, calendars, topics, kinds, and somebody for each topic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from router.core.errors import ConfigError
from skills.calendar import holiday_problem
from skills.channel_model import CHANNELS
from skills.findings import KeyPath, Marks, error_at, nearest, unknown
from skills.model import EVERYONE, LANGUAGE_PREFIX, TRIAGE, RuleConfig, WorkspaceConfig
from skills.requirements import Case, able, demand
from skills.topic_model_config import SOFTEN

SUPERVISORS = "supervisors"
_TELEGRAM_GROUP = re.compile(r"telegram/-?[0-9]{1,20}")  # the account of what is said in a group


LIST_ERRORS_MAX = 50


class References:
    """One pass over a workspace; `errors` holds what it found."""

    def __init__(self, config: WorkspaceConfig, marks: Marks) -> None:
        self.errors: list[ConfigError] = []
        self._config = config
        self._marks = marks
        self._held = config.held_skills
        self._kinds = config.kinds
        self._agents()
        self._teams()
        self._calendars()
        for index, rule in enumerate(config.rules):
            self._rule(rule, ("rules", index))
        self._kinds_and_skills()
        self._replies()
        self._articles()
        self._auto_answers()
        self._customers()
        self._telegram()
        self._mailboxes()
        self._letters()
        if not self.errors:  # a misspelt skill is not also "nobody can take it"
            self._topics()

    def _known(self, what: str, word: str | None, known: Iterable[str], path: KeyPath) -> None:
        """An error if `word` is named but not defined."""
        if word is None:
            return
        names = set(known)
        if word not in names:
            message, hint = unknown(what, word, names)
            self.errors.append(
                error_at(self._marks, path, message, hint=hint, code=f"unknown_{what.replace(' ', '_')}")
            )

    def _agents(self) -> None:
        owners: dict[tuple[str, str], str] = {}
        for name, agent in self._config.agents.items():
            path = ("agents", name)
            if agent.team != EVERYONE:
                self._known("team", agent.team, self._config.teams, (*path, "team"))
            self._known("calendar", agent.calendar, self._config.calendars, (*path, "calendar"))
            for key, value in (("email", agent.email), ("slack", agent.slack or agent.email)):
                first = owners.setdefault((key, value.casefold()), name) if value else name
                named = key == "email" or agent.slack or self._config.agents[first].slack
                if first != name and named:
                    message = f"`{name}` and `{first}` have the same `{key}`: {value}"
                    hint = "each agent has their own, or clicks cannot be told apart"
                    self.errors.append(error_at(self._marks, (*path, key), message, hint=hint, code="duplicate"))

    def _teams(self) -> None:
        teams = self._config.teams
        for name, team in teams.items():
            path = ("teams", name)
            for index, member in enumerate(team.members):
                self._known("agent", member, self._config.agents, (*path, "members", index))
            if team.overflow is None:
                continue
            self._known("team", team.overflow.to, teams, (*path, "overflow", "to"))
            if team.overflow.until >= team.overflow.at:
                message = f"`{name}` would begin and end its overflow at once: `until` must be less than `at`"
                hint = "10 and 4, say"
                self.errors.append(error_at(self._marks, (*path, "overflow", "until"), message, hint=hint))
        unsure = self._config.topic_model.unsure
        if unsure not in {TRIAGE, SOFTEN}:
            self._known("team", unsure, teams, ("topic_model", "unsure"))

    def _calendars(self) -> None:
        for name, calendar in self._config.calendars.items():
            for index, code in enumerate(calendar.holidays):
                if problem := holiday_problem(code):
                    path = ("calendars", name, "holidays", index)
                    hint = "a country as in ISO 3166, or country-region: ES, ES-MD, US-CA"
                    self.errors.append(error_at(self._marks, path, problem, hint=hint, code="unknown_holidays"))
        default = self._config.sla.get("default")
        if default is not None:
            self._known("calendar", default.calendar, self._config.calendars, ("sla", "default", "calendar"))

    def _rule(self, rule: RuleConfig, path: KeyPath) -> None:
        config, when = self._config, rule.when
        here = (*path, "when")
        self._known("topic", when.topic, config.topics, (*here, "topic"))
        self._known("channel", when.channel, CHANNELS, (*here, "channel"))
        self._known("kind", when.kind, self._kinds, (*here, "kind"))
        if config.channels.telegram is None or not _TELEGRAM_GROUP.fullmatch(when.account or ""):
            slack = config.channels.slack.accounts if config.channels.slack is not None else ()
            self._known("account", when.account, (*config.accounts, *slack), (*here, "account"))
        self._known("language", when.language, config.languages, (*here, "language"))
        self._known("tier", when.tier, config.customers.tiers, (*here, "tier"))
        self._known("team", rule.team, config.teams, (*path, "team"))
        if rule.sla is not None:
            self._known("calendar", rule.sla.calendar, config.calendars, (*path, "sla", "calendar"))
        excused = when.topic in config.uncovered
        self._skills(rule.require, (*path, "require"), excused=excused)
        self._skills(rule.prefer, (*path, "prefer"), excused=excused)
        for index, step in enumerate(rule.escalate):
            told = {SUPERVISORS, *config.teams, *config.agents}
            self._known("team or agent", step.notify, told, (*path, "escalate", index, "notify"))
            self._known("team", step.reassign, config.teams, (*path, "escalate", index, "reassign"))

    def _skills(self, skills: Mapping[str, int], path: KeyPath, *, excused: bool) -> None:
        """A skill is known if somebody has it. For an uncovered topic nobody need have it, but a slip is a slip."""
        for skill in skills:
            if skill in self._held:
                continue
            if excused and nearest(skill, self._held) is None:
                continue
            message, hint = unknown("skill", skill, self._held)
            if skill.startswith(LANGUAGE_PREFIX) or nearest(skill, self._held) is None:
                message, hint = f"no agent has the skill `{skill}`", "give it to an agent, or remove it here"
            self.errors.append(error_at(self._marks, (*path, skill), message, hint=hint, code="unknown_skill"))

    def _kinds_and_skills(self) -> None:
        config = self._config
        for path, kinds in (
            (("offers", "accept_within"), config.offers.accept_within),
            (("presence", "hand_back"), config.presence.hand_back),
            (("unit_costs",), config.unit_costs),
        ):
            for kind in kinds:
                self._known("kind", kind, self._kinds, (*path, kind))
        self._skills(config.reserve.skills, ("reserve",), excused=False)
        for index, topic in enumerate(config.uncovered):
            self._known("topic", topic, config.topics, ("uncovered", index))

    def _replies(self) -> None:
        for name, saved in self._config.replies.items():
            for index, topic in enumerate(saved.topics):
                self._known("topic", topic, self._config.topics, ("replies", name, "topics", index))
            self._known("language", saved.language, self._config.languages, ("replies", name, "language"))

    def _customers(self) -> None:
        """Tiers of the list are defined, and nobody is drowned in errors by a list that is of something else."""
        config = self._config
        wrong = 0
        for customer, tier in config.customers.listed.items():
            if tier not in config.customers.tiers and wrong < LIST_ERRORS_MAX:
                wrong += 1
                self._known("tier", tier, config.customers.tiers, ("customers", "listed", customer))

    def _articles(self) -> None:
        for name, article in self._config.articles.items():
            for index, topic in enumerate(article.topics):
                self._known("topic", topic, self._config.topics, ("articles", name, "topics", index))
            self._known("language", article.language, self._config.languages, ("articles", name, "language"))

    def _auto_answers(self) -> None:
        """Texts are in languages of the workspace, and there is one in the first: who has no text gets that."""
        config = self._config
        paths = {("auto_answers", name): texts for name, texts in config.auto_answers.texts.items()}
        paths |= {("customers", "invite"): config.customers.invite, ("csat", "question"): config.csat.question}
        first = config.languages[0]
        for path, texts in paths.items():
            for language in texts:
                self._known("language", language, config.languages, (*path, language))
            if texts and first not in texts:
                message = f"`{'.'.join(path)}` has no text in `{first}`, the first of `languages`"
                hint = f"add `{first}: …`: it is used for every language that has no text"
                self.errors.append(error_at(self._marks, path, message, hint=hint, code="missing"))

    def _telegram(self) -> None:
        """Telegram calls over https only, and greets in languages of the workspace."""
        given = self._config.channels.telegram
        if given is None:
            return
        path = ("channels", "telegram")
        for language in given.greeting:
            self._known("language", language, self._config.languages, (*path, "greeting", language))
        if given.mode == "webhook" and not (self._config.web.url or "").startswith("https://"):
            message = "`mode: webhook` needs an address at which Telegram reaches usherd over https"
            hint = "set `web.url: https://…` to where your proxy passes on to `web.listen`, or use `mode: polling`"
            self.errors.append(error_at(self._marks, (*path, "mode"), message, hint=hint, code="missing"))

    def _letters(self) -> None:
        """Mails look like something in the first language: whoever has no letter in theirs gets that."""
        email, first = self._config.channels.email, self._config.languages[0]
        letters = email.letters if email is not None else {}
        path = ("channels", "email", "letters")
        for language in letters:
            self._known("language", language, self._config.languages, (*path, language))
        if letters and first not in letters:
            message = f"`channels.email.letters` has none in `{first}`, the first of `languages`"
            hint = f"add `{first}: {{…}}`: it is used for every language that has none"
            self.errors.append(error_at(self._marks, path, message, hint=hint, code="missing"))

    def _mailboxes(self) -> None:
        """Each is read once."""
        email = self._config.channels.email
        first: dict[tuple[str, str, str], int] = {}
        for index, one in enumerate(email.imap if email is not None else ()):
            known = first.setdefault((one.host.lower(), one.user, one.mailbox), index)
            if known != index:
                message = f"`{one.mailbox}` of `{one.user}` at `{one.host}` is listed twice"
                path = ("channels", "email", "imap", index)
                self.errors.append(error_at(self._marks, path, message, hint="keep one of the two", code="duplicate"))

    def _topics(self) -> None:
        """Somebody must be able to take each topic, in the simplest case: nothing else is known of the contact."""
        config = self._config
        for topic in config.topics:
            wanted = demand(config, Case(topic=topic))
            if topic in config.uncovered or able(config, wanted.must, wanted.team):
                continue
            skills = ", ".join(f"{skill} {level}" for skill, level in sorted(wanted.must.items())) or "capacity"
            team = f" in the team `{wanted.team}`" if wanted.team else ""
            message = f"no eligible agent for topic `{topic}`: nobody{team} has {skills}"
            if config.agents and not able(config, {}):
                message = f"no eligible agent for topic `{topic}`: no agent has any capacity"
            hint = f"give an agent the skills and capacity, lower the levels, or list `{topic}` under `uncovered`"
            self.errors.append(error_at(self._marks, ("topics", topic), message, hint=hint, code="no_eligible_agent"))
