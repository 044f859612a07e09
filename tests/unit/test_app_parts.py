"""Small parts of the composition root: finding a daemon, credentials, the cached model, names and tiers."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from router.app import credentials as credentials_module
from router.app import http, local, mail, models
from router.app.credentials import StoredCredentials
from router.app.local import Running
from router.app.names import Names
from router.core.errors import ConfigError
from router.web.parts import TokenRecord
from skills import topics
from skills.findings import ConfigErrors
from skills.workspace import load
from tests.support.daemons import write_workspace
from tests.support.shell_scene import ShellStore
from tests.support.stores import opened

HERE = Running(url="http://127.0.0.1:8080", token="t", pid=os.getpid(), node="n-1")


class TestLocal:
    """The file by which commands find a daemon."""

    def test_what_was_announced_is_found_by_its_user_alone(self, tmp_path: Path) -> None:
        """A running daemon's file can be read by nobody else, and is gone when it has withdrawn."""
        local.announce(tmp_path, HERE)
        assert local.find(tmp_path) == HERE
        assert (tmp_path / local.FILE).stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir()] == [local.FILE]
        local.withdraw(tmp_path)
        local.withdraw(tmp_path)
        with pytest.raises(ConfigError, match="no daemon runs"):
            local.find(tmp_path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[]", b"\xff\xfe", b'{"url":"http://x","token":"t","pid":"1","node":"n"}',
         b'{"url":"http://x","token":"t","pid":999999999999999999999,"node":"n"}',
         b'{"url":"http://x","token":"t","pid":4194305,"node":"n"}'],
    )  # fmt: skip
    def test_a_torn_or_stale_file_is_no_daemon(self, tmp_path: Path, content: bytes) -> None:
        """A file that is cut, or names a process that has gone, says that no daemon runs."""
        (tmp_path / local.FILE).write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            local.find(tmp_path)
        assert caught.value.code == "not-running"

    def test_no_folder_is_no_daemon(self, tmp_path: Path) -> None:
        """A data directory that is missing, or is a file, has no daemon."""
        (tmp_path / "file").touch()
        for data in (tmp_path / "missing", tmp_path / "file"):
            with pytest.raises(ConfigError, match="no daemon runs"):
                local.find(data)

    def test_somebody_elses_daemon_is_said_to_be_theirs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that may not be read says whose it is, not that no daemon runs."""
        local.announce(tmp_path, HERE)

        def denied(path: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", denied)
        with pytest.raises(ConfigError, match="belongs to somebody else"):
            local.find(tmp_path)

    def test_a_node_keeps_its_name(self, tmp_path: Path) -> None:
        """The name of a data directory's node is made once; another directory has another."""
        (tmp_path / "other").mkdir()
        assert local.node_name(tmp_path) == local.node_name(tmp_path)
        assert local.node_name(tmp_path) != local.node_name(tmp_path / "other")


class TestCredentials:
    """Tokens and spent links, in the store."""

    def record(self, name: str) -> TokenRecord:
        """A token's record."""
        return TokenRecord(id=name, digest=name * 2, scope="read", account="http", created_at=1)

    async def test_tokens_are_shared_by_the_nodes_of_a_workspace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A token that one node made is known there at once, and at the others when their copy has aged."""
        store = ShellStore()
        one, other = StoredCredentials(store), StoredCredentials(store)
        assert await other.tokens() == []
        await one.add_token(self.record("a"))
        await one.add_token(self.record("b"))
        assert [token.id for token in await one.tokens()] == ["a", "b"]
        assert await other.tokens() == []
        now = time.monotonic()
        monkeypatch.setattr("time.monotonic", lambda: now + credentials_module.CACHED_SECONDS + 1)
        assert [token.id for token in await other.tokens()] == ["a", "b"]
        await other.add_token(self.record("c"))
        assert len(await StoredCredentials(store).tokens()) == 3

    async def test_two_tokens_at_once_are_both_kept(self, tmp_path: Path) -> None:
        """Tokens that are made at the same time, at several nodes, do not overwrite each other."""
        async with opened(tmp_path) as store:
            nodes = [StoredCredentials(store) for _ in range(3)]
            made = [nodes[place % 3].add_token(self.record(name)) for place, name in enumerate("abcdef")]
            await asyncio.gather(*made)
            assert sorted(token.id for token in await StoredCredentials(store).tokens()) == list("abcdef")

    async def test_a_link_is_spent_once(self, tmp_path: Path) -> None:
        """Of many who use a link at once, on any node, exactly one succeeds; another link is its own."""
        async with opened(tmp_path) as store:
            nodes = [StoredCredentials(store) for _ in range(3)]
            until = time.time_ns() // 1_000_000 + 600_000
            spent = await asyncio.gather(*(node.spend("l1", until) for node in nodes * 5))
            assert spent.count(True) == 1
            assert await nodes[0].spend("l2", until)
            assert not await nodes[0].spend("l1", until)

    async def test_a_session_that_was_ended_is_over_on_every_node(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where it was ended that is known at once, at another node when what it read has aged; others go on."""
        async with opened(tmp_path) as store:
            one, other = StoredCredentials(store), StoredCredentials(store)
            until = time.time_ns() // 1_000_000 + 600_000
            assert not await other.ended("s1")
            await one.end("s1", until)
            assert await one.ended("s1")
            assert not await one.ended("s2")
            now = time.monotonic()
            monkeypatch.setattr(
                credentials_module, "time", SimpleNamespace(monotonic=lambda: now + 60, time_ns=time.time_ns)
            )
            assert await other.ended("s1")
            assert not await other.ended("s2")


class TestModels:
    """The topic model of a workspace."""

    def test_it_is_trained_once_for_the_same_examples(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A second start loads what the first trained; other examples train another model."""
        config = load(write_workspace(tmp_path / "config")).config
        trained: list[int] = []
        train = topics.train

        def counted(*given: object, **more: object) -> topics.TopicModel:
            trained.append(1)
            return train(*given, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(topics, "train", counted)
        first, threshold = models.prepare(config, tmp_path)
        assert models.prepare(config, tmp_path) == (first, threshold)
        assert len(trained) == 1
        path = tmp_path / "config" / "workspace.yaml"
        path.write_text(path.read_text().replace("lost luggage", "lost luggage again"))
        other, _ = models.prepare(load(tmp_path / "config").config, tmp_path)
        assert len(trained) == 2
        assert other.path != first.path

    def test_a_broken_model_is_trained_again(self, tmp_path: Path) -> None:
        """Files that were damaged, altered or written by another version are not used: they are made anew."""
        config = load(write_workspace(tmp_path / "config")).config
        first, classifier = models.prepare(config, tmp_path)
        arrays, manifest = (Path(f"{first.path}.{kind}") for kind in ("npz", "json"))
        whole = arrays.read_bytes(), manifest.read_bytes()
        for file, content in (
            (arrays, whole[0][:100]),
            (arrays, whole[0].replace(b"PK", b"pk")),
            (manifest, whole[1][:100]),
            (manifest, whole[1].replace(b'"format": ', b'"format": 9')),
        ):
            file.write_bytes(content)
            with pytest.raises(topics.ModelBroken):
                topics.TopicModel.load(Path(first.path))
            again, known = models.prepare(config, tmp_path)
            assert known == classifier
            assert topics.TopicModel.load(Path(again.path)).predict("lost luggage")


def test_names_follow_the_configuration_in_force(tmp_path: Path) -> None:
    """Names are those of the workspace as it is now, also after it was changed."""
    config = load(write_workspace(tmp_path / "config")).config
    names = Names(lambda: config)
    ana = names.person("ana")
    assert ana is not None
    assert ana.name == "Ana Souza"
    assert names.person("nobody") is None
    assert names.display().languages == ("en", "es")
    path = tmp_path / "config" / "workspace.yaml"
    path.write_text(path.read_text().replace("Ana Souza", "Ana Lima"))
    config = load(tmp_path / "config").config
    changed = names.person("ana")
    assert changed is not None
    assert changed.name == "Ana Lima"


@pytest.mark.parametrize(
    ("more", "required"),
    [
        ("", (False, False, {})),
        (", tls: {certificate: c.pem, key: k.pem, required: true}", (True, False, {})),
        (', tls: {certificate: c.pem, key: k.pem}, users: {mx: "${MX}"}', (False, True, {"mx": "s3cret"})),
        (
            ', tls: {certificate: c.pem, key: k.pem}, users: {mx: "${MX}"}, auth: offered',
            (False, False, {"mx": "s3cret"}),
        ),
    ],
)
def test_who_hands_mail_in_may_have_to_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, required: tuple[bool, bool, dict[str, str]]
) -> None:
    """The server is told the workspace's users and whether it takes mail of others, and in the clear."""
    monkeypatch.setenv("MX", "s3cret")
    config = load(with_smtp(tmp_path, more)).config
    assert config.channels.email is not None
    assert config.channels.email.smtp is not None
    settings = mail.smtp_settings(config.channels.email.smtp)
    assert (settings.tls_required, settings.auth_required, settings.users) == required


def test_users_without_tls_are_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's secret goes over a line in the clear."""
    monkeypatch.setenv("MX", "s3cret")
    with pytest.raises(ConfigErrors, match="add tls"):
        load(with_smtp(tmp_path, ', users: {mx: "${MX}"}'))


def with_smtp(folder: Path, more: str) -> Path:
    """A workspace whose SMTP server has more settings."""
    (folder / "workspace.yaml").write_text(
        "workspace: acme\nlanguages: [en]\n"
        "agents: {ana: {name: Ana, skills: {lang:en: 5}, capacity: {email: 2}}}\n"
        f"channels: {{email: {{smtp: {{recipients: [help@acme.example]{more}}}}}}}\n"
    )
    return folder


def test_an_address_finds_its_tier(tmp_path: Path) -> None:
    """A tier is found by the whole address before the domain, in any case; others have none."""
    extra = (
        "customers: {tiers: {gold: {match: {domain: [Gold.example]}, priority: high},"
        " silver: {match: {address: [ada@gold.example]}, priority: normal}}}\n"
    )
    tier = http.tier_of(load(write_workspace(tmp_path, extra=extra)).config)
    assert tier("bob@GOLD.example") == "gold"
    assert tier("Ada@gold.example") == "silver"
    assert tier("ada@notgold.example") is None
    assert tier("") is None
