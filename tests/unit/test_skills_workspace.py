"""Loading a workspace: what is right loads, and what is wrong is told at once, with line and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from router.core.errors import ConfigError
from skills.model import WorkspaceConfig
from skills.workspace import ConfigErrors, Loaded, load

EXAMPLE = Path(__file__).parents[2] / "config"

GOOD = """\
workspace: acme
timezone: Europe/Madrid
languages: [en, es]
agents:
  ana: {skills: {billing: 5, refunds: 4, lang:es: 5, lang:en: 4}, team: emea, capacity: {chat: 3, email: 6},
        calendar: madrid, email: ana@example.com}
  ben: {skills: {refunds: 2, lang:en: 5}, team: emea, capacity: {email: 6, units: 6}}
teams: {emea: {}, triage: {members: [ana]}}
calendars: {madrid: {hours: {mon-fri: "09:00-18:00"}, holidays: ES-MD}}
topics:
  refund: {examples: [money back], keywords: [refund]}
  lost-pet: {examples: [my dog]}
rules:
  - {when: {topic: refund}, require: {refunds: 2}, sla: {first_response: 2h, calendar: madrid}}
  - {when: {topic: lost-pet}, require: {vet: 1}}
uncovered: [lost-pet]
channels:
  email: {smtp: {recipients: [help@acme.example]}, send: {host: 127.0.0.1}}
"""


def write(folder: Path, text: str = GOOD, name: str = "workspace.yaml") -> Path:
    """A folder with one more file in it."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder


def errors_of(folder: Path, env: dict[str, str] | None = None) -> tuple[ConfigError, ...]:
    """What keeps the workspace from loading."""
    with pytest.raises(ConfigErrors) as caught:
        load(folder, env or {})
    return caught.value.errors


def test_example_workspace_loads_without_warnings() -> None:
    """The example that admins copy is right."""
    loaded = load(EXAMPLE, {})
    assert loaded.config.workspace == "acme-air"
    assert loaded.warnings == ()


def test_example_shows_every_key() -> None:
    """Each key that the model knows stands in the example, in force or as a comment."""
    text = "\n".join(path.read_text("utf-8") for path in EXAMPLE.glob("*.yaml"))
    schema = WorkspaceConfig.model_json_schema()
    keys = {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", ())}
    missing = sorted(key for key in keys if not re.search(rf"\b{key}\b", text))
    assert missing == []


# What to write instead of what in GOOD; the message, its line, and a word of the hint.
BROKEN = [
    (
        "uncovered: [lost-pet]",
        "uncovered: [lost-pet]\nreplies: {hi: {text: 'Hello {custmer}'}}",
        "`replies.hi.text` has the unknown placeholder {custmer}; did you mean {customer}?",
        17,
        None,
    ),
    (
        "uncovered: [lost-pet]",
        "uncovered: [lost-pet]\nreplies:\n  hi:\n    text: Hello\n    topics: [refnd]",
        "unknown topic `refnd`; did you mean `refund`?",
        20,
        "refund",
    ),
    (
        "uncovered: [lost-pet]",
        "uncovered: [lost-pet]\nreplies: {hi: {text: Hello, language: fr}}",
        "unknown language `fr`",
        17,
        "en",
    ),
    ("require: {refunds: 2}", "require: {refnds: 2}", "unknown skill `refnds`; did you mean `refunds`?", 14, "refunds"),
    ("require: {refunds: 2}", "require: {ballet: 2}", "no agent has the skill `ballet`", 14, "give it"),
    (
        "require: {refunds: 2}",
        "require: {refunds: 5}",
        "no eligible agent for topic `refund`: nobody has refunds 5",
        11,
        "unc",
    ),
    ("require: {refunds: 2}", "require: {refunds: 9}", "`rules.0.require.refunds` must be at most 5, not 9", 14, None),
    (
        "require: {refunds: 2}",
        "require: {refunds: two}",
        "`rules.0.require.refunds` must be a whole number, not `two`",
        14,
        None,
    ),
    (
        "require: {refunds: 2}",
        "requires: {refunds: 2}",
        "unknown key `requires` in `rules.0`; did you mean `require`?",
        14,
        "team",
    ),
    ("{topic: refund}, r", "{topic: refnd}, r", "unknown topic `refnd`; did you mean `refund`?", 14, "refund"),
    ("{topic: refund}, r", "{channel: mail}, r", "unknown channel `mail`; did you mean `email`?", 14, "email"),
    ("{topic: refund}, r", "{kind: chats}, r", "unknown kind `chats`; did you mean `chat`?", 14, "chat"),
    ("{topic: refund}, r", "{language: pt}, r", "unknown language `pt`", 14, "`en`, `es`"),
    ("{topic: refund}, r", "{tier: gold}, r", "unknown tier `gold`", 14, "no tier is defined"),
    (
        "{topic: refund}, r",
        "{account: hlp@acme.example}, r",
        "unknown account `hlp@acme.example`; did you mean `help@acme.example`?",
        14,
        "help@",
    ),
    (
        "first_response: 2h",
        "first_response: 2",
        "`rules.0.sla.first_response` is a duration without a unit: write 2s, 2m or 2h",
        14,
        None,
    ),
    ("first_response: 2h", "first_response: -2h", "`rules.0.sla.first_response` cannot be negative", 14, None),
    ("2h, calendar: madrid", "2h, calendar: madird", "unknown calendar `madird`; did you mean `madrid`?", 14, "madrid"),
    (
        "team: emea, capacity: {chat",
        "team: amea, capacity: {chat",
        "unknown team `amea`; did you mean `emea`?",
        5,
        "emea",
    ),
    ("calendar: madrid, email", "calendar: lisbon, email", "unknown calendar `lisbon`", 6, "madrid"),
    ("members: [ana]", "members: [ana, anna]", "unknown agent `anna`; did you mean `ana`?", 8, "ana"),
    ("holidays: ES-MD", "holidays: ES-XX", "no public holidays are known for `ES-XX`", 9, "ISO"),
    (
        "Europe/Madrid",
        "Europe/Madird",
        "`timezone` must be a time zone such as Europe/Madrid, not `Europe/Madird`",
        2,
        None,
    ),
    (
        "mon-fri:",
        "mon-fry:",
        "`calendars.madrid.hours.mon-fry` must be days such as mon-fri, sat or daily, not `mon-fry`",
        9,
        None,
    ),
    (
        "09:00-18:00",
        "09:00",
        "`calendars.madrid.hours.mon-fri.0` must be hours such as 09:00-18:00, not `09:00`",
        9,
        None,
    ),
    (
        "uncovered: [lost-pet]",
        "uncovered: [lost-pet, refnd]",
        "unknown topic `refnd`; did you mean `refund`?",
        16,
        "refund",
    ),
    (
        "topics:\n",
        "offers: {accept_within: {mail: 2m}}\ntopics:\n",
        "unknown kind `mail`; did you mean `email`?",
        10,
        "email",
    ),
    (
        "uncovered: [lost-pet]",
        'uncovered: [lost-pet]\nauto_answers: {receipt: {en: "Yes, {refrence}"}}',
        "`auto_answers.receipt.en` has the unknown placeholder {refrence}; did you mean {reference}?",
        17,
        None,
    ),
    (
        "uncovered: [lost-pet]",
        'uncovered: [lost-pet]\nauto_answers: {queue: {en: "At {opens_at}"}}',
        "`auto_answers.queue.en` has the unknown placeholder {opens_at}; there are {reference}, {place}",
        17,
        None,
    ),
    (
        "uncovered: [lost-pet]",
        "uncovered: [lost-pet]\nauto_answers: {receipt: {en: Yes, de: Ja}}",
        "unknown language `de`",
        17,
        "`en`, `es`",
    ),
    (
        "uncovered: [lost-pet]",
        "uncovered: [lost-pet]\nauto_answers: {receipt: {es: Sí}}",
        "`auto_answers.receipt` has no text in `en`, the first of `languages`",
        17,
        "every language",
    ),
    ("workspace: acme\n", "", "`workspace` is missing", None, "workspace:"),
    (
        "workspace: acme",
        "workspace: Acme Air",
        "`workspace` is not a name that can stand here: `Acme Air`",
        1,
        "letters",
    ),
    (
        "team: emea, capacity: {chat",
        "role: boss, capacity: {chat",
        "`agents.ana.role` must be agent, supervisor or admin, not `boss`",
        5,
        None,
    ),
    (
        "send: {host: 127.0.0.1}",
        "send: {host: h, user: u, password: hunter2}",
        (
            "`channels.email.send.password` is a secret: write it as ${NAME} (from the environment) or file:PATH, "
            "never itself"
        ),
        18,
        None,
    ),
    (
        "send: {host: 127.0.0.1}",
        "send: {host: h, user: u, password: '${PW}'}",
        "`channels.email.send.password` needs the environment variable PW, which is not set",
        18,
        None,
    ),
    (
        "send: {host: 127.0.0.1}",
        "send: {host: h, user: u}",
        "`channels.email.send` needs both `user` and `password`, or neither",
        18,
        None,
    ),
    (
        "[help@acme.example]",
        "[help]",
        "`channels.email.smtp.recipients.0` must be an e-mail address, not `help`",
        18,
        None,
    ),
    ("[help@acme.example]", "[]", "`channels.email.smtp.recipients` needs at least 1", 18, None),
    ("email: {smtp", "emial: {smtp", "unknown key `emial` in `channels`; did you mean `email`?", 18, "webchat"),
    ("topics:\n", "topcs:\n", "unknown key `topcs`; did you mean `topics`?", 10, "agents"),
    ("teams: {emea: {}, ", "teams: {emea: , ", "`teams.emea` is empty", 8, "give it a value"),
    (
        "teams: {emea: {}, ",
        "teams: {emea: {overflow: {to: triage, at: 4, until: 4}}, ",
        "`emea` would begin and end its overflow at once: `until` must be less than `at`",
        8,
        "10 and 4",
    ),
    (
        "capacity: {email: 6, units: 6}",
        "capacity: {email: 6}, email: ANA@example.com",
        "`ben` and `ana` have the same `email`: ANA@example.com",
        7,
        "each agent",
    ),
    ("examples: [my dog]", "examples: {a: my dog}", "`topics.lost-pet.examples` must be a list", 12, None),
    (
        "{topic: lost-pet}, require: {vet: 1}",
        "{topic: lost-pet}, escalate: [{at: 80%, notify: supervisor}]",
        "unknown team or agent `supervisor`; did you mean `supervisors`?",
        15,
        "supervisors",
    ),
    (
        "{topic: lost-pet}, require: {vet: 1}",
        "{topic: lost-pet}, require: {refund: 1}",
        "unknown skill `refund`; did you mean `refunds`?",
        15,
        "refunds",
    ),
]


@pytest.mark.parametrize(("old", "new", "said", "line", "hint"), BROKEN)
def test_broken_workspace_gets_line_and_remedy(
    tmp_path: Path, old: str, new: str, said: str, line: int | None, hint: str | None
) -> None:
    """One mistake in a right workspace gives one error that names it, its line and what to do."""
    assert GOOD.count(old) == 1
    (error,) = errors_of(write(tmp_path / "w", GOOD.replace(old, new)))
    assert (error.message, error.line) == (said, line)
    assert line is None or error.file == "workspace.yaml"
    assert hint is None or hint in (error.hint or "")


def test_all_errors_come_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    """Mistakes of every sort in several files are told together."""
    folder = write(
        tmp_path / "w", GOOD.replace("timezone: Europe/Madrid", "timezone: Mars").replace("chat: 3", "chat: x")
    )
    write(folder, "relax: [{after: soon}]\n", "a.yaml")
    write(folder, "b: [\n", "b.yaml")
    assert [(error.file, error.line) for error in errors_of(folder)] == [
        ("a.yaml", 1),
        ("b.yaml", 2),
        ("workspace.yaml", 2),
        ("workspace.yaml", 5),
    ]


def test_keys_may_be_split_over_files(tmp_path: Path) -> None:
    """Mappings are merged, and rules of several files come in the order of the files' names."""
    folder = write(tmp_path / "w")
    write(
        folder,
        "agents: {zoe: {skills: {refunds: 5}, capacity: {email: 1}}}\nrules: [{when: {}, prefer: {refunds: 1}}]",
        "a.yml",
    )
    loaded = load(folder, {})
    assert set(loaded.config.agents) == {"ana", "ben", "zoe"}
    assert [rule.when.topic for rule in loaded.config.rules] == [None, "refund", "lost-pet"]
    assert loaded.marks["agents", "zoe"].file == "a.yml"
    assert loaded.marks["rules", 1, "when"] == ("workspace.yaml", 14)


def test_same_key_in_two_files_is_told_with_both_places(tmp_path: Path) -> None:
    """A value set in two files names the one and the other."""
    folder = write(tmp_path / "w")
    write(folder, "# more\nagents: {ana: {role: admin, team: triage}}", "zoo.yaml")
    (error,) = errors_of(folder)
    assert error.message == "`agents.ana.team` is set twice; first in workspace.yaml, line 5"
    assert (error.file, error.line) == ("zoo.yaml", 2)


def test_files_beginning_with_a_dot_are_left_out(tmp_path: Path) -> None:
    """Editors' swap files and a ConfigMap's own folders are not read a second time."""
    folder = write(tmp_path / "w")
    write(folder, "nonsense: [", ".workspace.yaml.swp.yaml")
    write(folder / "..2026_11_21", GOOD)
    assert len(load(folder, {}).files) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"workspace: caf\xe9", "the file is not UTF-8"),
        ("workspace: acme".encode("utf-16"), "the file is UTF-16, not UTF-8"),
        (b"- a\n- b", "a workspace file holds keys, such as `agents:`"),
        (b"just words", "a workspace file holds keys, such as `agents:`"),
    ],
)
def test_file_that_is_none_of_ours(tmp_path: Path, data: bytes, said: str) -> None:
    """Files in another encoding or without keys are told as such."""
    folder = write(tmp_path / "w")
    (folder / "x.yaml").write_bytes(data)
    assert said in [error.message for error in errors_of(folder)]


def test_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    """A file saved by Notepad loads."""
    folder = write(tmp_path / "w", "\ufeff" + GOOD)
    assert load(folder, {}).config.workspace == "acme"


@pytest.mark.parametrize("missing", [True, False])
def test_no_workspace_says_what_to_do(tmp_path: Path, missing: bool) -> None:
    """A folder that is missing or holds no YAML is told with the way to make one."""
    (error,) = errors_of(tmp_path / "nowhere" if missing else tmp_path)
    assert error.code == "no_workspace"
    assert "usherd init" in (error.hint or "")


def with_password(folder: Path, reference: str) -> Path:
    """A workspace whose mail server asks for a password."""
    return write(folder, GOOD.replace("host: 127.0.0.1", f"host: h, user: u, password: '{reference}'"))


def password_of(loaded: Loaded) -> str:
    """The password itself."""
    email = loaded.config.channels.email
    assert email is not None
    assert email.send is not None
    assert email.send.password is not None
    return email.send.password.reveal()


def test_secrets_are_looked_up_and_never_show(tmp_path: Path) -> None:
    """A secret comes from the environment or a file, and is in neither the printed model nor its dump nor its hash."""
    loaded = load(with_password(tmp_path / "w", "${PW}"), {"PW": "hunter2"})
    assert password_of(loaded) == "hunter2"
    assert "hunter2" not in repr(loaded) + loaded.config.model_dump_json()
    assert load(tmp_path / "w", {"PW": "other"}).version == loaded.version
    (tmp_path / "w" / "smtp.key").write_text("from-file\n", "utf-8")
    assert password_of(load(with_password(tmp_path / "w", "file:smtp.key"), {})) == "from-file"


def test_password_in_a_store_url_must_be_a_reference(tmp_path: Path) -> None:
    """A URL may hold ${NAME}, never a password."""
    folder = write(tmp_path / "w", GOOD + "store: {url: 'redis://:hunter2@h:6379'}\n")
    (error,) = errors_of(folder)
    assert error.line == 19
    assert "hunter2" not in str(error)
    write(folder, GOOD + "store: {url: 'redis://:${PW}@h:6379'}\n")
    store = load(folder, {"PW": "x"}).config.store
    assert store.url is not None
    assert store.url.reveal() == "redis://:x@h:6379"


def test_literal_secret_does_not_show_in_its_error(tmp_path: Path) -> None:
    """The complaint about a password written out does not repeat it."""
    (error,) = errors_of(with_password(tmp_path / "w", "hunter2"))
    assert "hunter2" not in str(error)


def test_version_follows_content_not_form(tmp_path: Path) -> None:
    """Comments, order of keys and layout leave the version alone; a value changes it."""
    version = load(write(tmp_path / "a"), {}).version
    lines = GOOD.splitlines()
    shuffled = "\n".join(["# hello", *lines[2:], *lines[:2]])
    assert load(write(tmp_path / "b", shuffled), {}).version == version
    assert load(write(tmp_path / "c", GOOD.replace("chat: 3", "chat: 4")), {}).version != version


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (", triage: {members: [ana]}", "", "no_triage"),
        (", send: {host: 127.0.0.1}", "", "no_send"),
        ("{examples: [my dog]}", "{effort: 2m}", "topic_without_words"),
        ("channels:\n  email: {smtp: {recipients: [help@acme.example]}, send: {host: 127.0.0.1}}", "", "no_channel"),
        ("capacity: {email: 6, units: 6}", "capacity: {email: 6, unit: 6}", "odd_kind"),
    ],
)
def test_warnings_keep_nothing_back(tmp_path: Path, old: str, new: str, code: str) -> None:
    """What is odd but possible loads, with a warning."""
    assert GOOD.count(old) == 1
    loaded = load(write(tmp_path / "w", GOOD.replace(old, new)), {})
    assert [finding.code for finding in loaded.warnings] == [code]


def test_smallest_workspace_loads(tmp_path: Path) -> None:
    """A name and one agent are a workspace; sections left empty have their defaults."""
    folder = write(
        tmp_path / "w", "workspace: w\nagents:\n  ana: {capacity: {email: 1}}\nrules:\nteams:\nchannels: {http: }\n"
    )
    config = load(folder, {}).config
    assert config.members("everyone") == ("ana",)
    assert config.channels.names == ("http",)


def test_unreadable_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    """Odd texts as a workspace give errors about it, nothing else."""
    for number, text in enumerate(
        ["\x00", "a: \ud7ff\u200b", "? ", "- - - -", "{}", "[]", "''", "a: b\n c", "{a", ": :", "&a", "%YAML 9"]
    ):
        assert errors_of(write(tmp_path / str(number), text))


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A file behind a dangling link is left out; a folder named like one is no file."""
    folder = write(tmp_path / "w")
    (folder / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (folder / "folder.yaml").mkdir()
    assert load(folder, {}).config.workspace == "acme"


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with more files or bytes than a workspace can have is refused before all of it is read."""
    folder = write(tmp_path / "w")
    write(folder, "x: 1", "b.yaml")
    monkeypatch.setattr("skills.reading.BYTES_MAX", 100)
    assert "too_much" in {error.code for error in errors_of(folder)}
    monkeypatch.setattr("skills.reading.FILES_MAX", 1)
    assert [error.code for error in errors_of(folder)] == ["too_much"]


@pytest.mark.parametrize(
    ("account", "accepted"), [("telegram/-1001", True), ("telegram/x", False), ("a@b.example", False)]
)
def test_a_rule_may_name_a_telegram_group(tmp_path: Path, account: str, accepted: bool) -> None:
    """What is said in a group has the group for its account; a rule names it as it names an address."""
    (tmp_path / "workspace.yaml").write_text(
        "workspace: acme\nchannels:\n  telegram: {token: '${T}'}\n"
        f"rules:\n  - {{when: {{account: {account}}}, priority: high}}\n"
    )
    if accepted:
        load(tmp_path, {"T": "12345:" + "x" * 30})
        return
    with pytest.raises(ConfigErrors) as raised:
        load(tmp_path, {"T": "12345:" + "x" * 30})
    assert [(error.line, "account" in str(error)) for error in raised.value.errors] == [(5, True)]


def test_a_question_by_mail_needs_an_address_for_its_links(tmp_path: Path) -> None:
    """Without `web.url` its links lead to the machine itself: said, and nothing is kept back."""
    asked = GOOD + "csat: {question: {en: Well?}}\n"
    assert [one.code for one in load(write(tmp_path / "a", asked), {}).warnings if one.code == "no_url"] == ["no_url"]
    reached = load(write(tmp_path / "b", asked + "web: {url: 'https://desk.example'}\n"), {})
    assert "no_url" not in [one.code for one in reached.warnings]
