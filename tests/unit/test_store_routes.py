"""What a store.url says of the way to the primary."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from router.core.errors import ConfigError
from router.shell.store.routes import Cluster, Direct, Sentinels, route_of


def parts(url: str, user: str | None = None, password: str | None = None) -> Any:  # noqa: ANN401  # its insides
    """What was understood of a URL."""
    return vars(route_of(url, user, password, "usherd:{acme}:secret"))


@pytest.mark.parametrize(
    ("url", "kind", "expected"),
    [
        ("/run/store.sock", UnixDomainSocketConnection, {"path": "/run/store.sock"}),
        ("unix:///run/store.sock?db=2", UnixDomainSocketConnection, {"path": "/run/store.sock", "db": 2}),
        (
            "redis://u:p%40w@h:6390/3",
            Connection,
            {"username": "u", "password": "p@w", "host": "h", "port": 6390, "db": 3},
        ),
        ("valkey://h", Connection, {"host": "h"}),
        ("rediss://h:1?ssl_ca_certs=/ca", SSLConnection, {"host": "h", "port": 1, "ssl_ca_certs": "/ca"}),
        ("valkeys://h", SSLConnection, {"host": "h"}),
    ],
)
def test_a_server_is_reached_directly(url: str, kind: type, expected: dict[str, object]) -> None:
    """Each form of URL, and the path of a socket, gives the options of one connection."""
    assert isinstance(route_of(url, None, None, "k"), Direct)
    options = dict(parts(url)["_options"])
    assert options.pop("connection_class", Connection) is kind
    assert options == expected


def test_a_user_handed_in_goes_before_that_of_the_url() -> None:
    """The embedded store's password is never part of an address."""
    options = parts("redis://u:p@h", "daemon", "secret")["_options"]
    assert (options["username"], options["password"]) == ("daemon", "secret")


def test_sentinels_have_addresses_and_passwords_of_their_own() -> None:
    """The user before the hosts is for the primary, `sentinel_password` for the Sentinels; the port is 26379."""
    url = "rediss+sentinel://u:p@s1,s2:26380,[::1]:7/mymaster/2?sentinel_password=q&ssl_ca_certs=/ca"
    found = parts(url)
    assert isinstance(route_of(url, None, None, "k"), Sentinels)
    assert found["_name"] == "mymaster"
    reached = [(one["host"], one["port"], one.get("password"), one["ssl_ca_certs"]) for one in found["_sentinels"]]
    assert reached == [("s1", 26_379, "q", "/ca"), ("s2", 26_380, "q", "/ca"), ("::1", 7, "q", "/ca")]
    options = found["_options"]
    assert (options["username"], options["password"], options["db"]) == ("u", "p", 2)
    assert options["connection_class"] is SSLConnection
    assert "sentinel_password" not in options


def test_a_cluster_is_asked_for_our_key() -> None:
    """Any of the nodes named may say where our slot is."""
    url = "redis+cluster://u:p@n1,n2:7001"
    found = parts(url)
    assert isinstance(route_of(url, None, None, "k"), Cluster)
    assert [(one["host"], one["port"], one["username"]) for one in found["_nodes"]] == [
        ("n1", 6379, "u"),
        ("n2", 7001, "u"),
    ]
    assert found["_key"] == "usherd:{acme}:secret"


@pytest.mark.parametrize(
    "url",
    ["http://h", "redis+sentinel://h", "redis+sentinel://h,/m", "redis+cluster://,h", "redis://h:port", "mysql://h/x"],
)
def test_anything_else_is_refused_with_the_forms_there_are(url: str) -> None:
    """An admin is told what to write; nothing of the URL is repeated, since it may hold a password."""
    with pytest.raises(ConfigError, match="not one usherd understands") as refused:
        route_of(url, None, None, "k")
    assert "redis+sentinel://" in (refused.value.hint or "")
