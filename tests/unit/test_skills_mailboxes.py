"""Mailboxes as an admin writes them: short where it may be, and wrong with line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.app.mailboxes import imap_settings, secret_of
from skills.email_model import Imap
from skills.workspace import ConfigErrors, load

HEAD = "workspace: acme\nchannels:\n  email:\n    imap:\n"


def written(folder: Path, *items: str) -> tuple[Imap, ...]:
    """The mailboxes of a workspace with these items, each on a line of its own from line 5 on."""
    (folder / "workspace.yaml").write_text(HEAD + "".join(f"      - {{{item}}}\n" for item in items))
    email = load(folder, {"P": "s3cret"}).config.channels.email
    assert email is not None
    return email.imap


async def test_host_user_and_password_are_enough(tmp_path: Path) -> None:
    """All else has a default; the user's address is the account, and the password is read where it stands."""
    [one] = written(tmp_path, 'host: imap.acme.example, user: Help@Acme.example, password: "${P}"')
    settings = imap_settings(one)
    assert (settings.port, settings.tls, settings.mailbox, settings.account, settings.after, settings.begin) == (
        993, "always", "INBOX", "Help@acme.example", "leave", "unseen",
    )  # fmt: skip
    assert not settings.read_only
    assert imap_settings(one, shadow=True).read_only
    secret = secret_of(one)
    assert (await secret.reveal(), secret.token) == ("s3cret", False)
    assert "s3cret" not in repr(one)


def test_a_mailbox_may_stand_without_a_list(tmp_path: Path) -> None:
    """One mailbox is written as a mapping, and its account is one that rules may name."""
    text = HEAD.rstrip("\n") + ' {host: h.example, user: u, password: "${P}", account: help@acme.example}\n'
    rule = "rules: [{when: {account: help@acme.example}, priority: high}]\n"
    (tmp_path / "workspace.yaml").write_text(text + rule)
    assert load(tmp_path, {"P": "x"}).config.accounts == ("help@acme.example",)


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ("host: h.example, user: a@b.example", "needs a `password` or `oauth2`, and not both"),
        ('host: h.example, user: anna, password: "${P}"', "needs `account`, the address customers write to"),
        ('host: h.example, user: a@b.example, password: "${P}", after: move', "`move_to`, the folder to move to"),
        ('host: h.example, user: a@b.example, password: "${P}", tls: none', "would send the password in the clear"),
        ('host: h.example, user: a@b.example, password: "${P}", after: mvoe', "must be leave, flag or move"),
        ("host: h.example, user: a@b.example, password: hunter2", "is a secret: write it as ${NAME}"),
        ('host: h.example, user: a@b.example, password: "${P}", folder: x', "unknown key `folder`"),
        (
            "host: h.example, user: a@b.example, oauth2: {token_url: http://x.example, client_id: u}",
            "must be an https:// address",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, item: str, says: str) -> None:
    """The second mailbox is the wrong one: its line is named, and what to write."""
    with pytest.raises(ConfigErrors) as caught:
        written(tmp_path, 'host: h.example, user: right@b.example, password: "${P}"', item)
    [error, *_] = caught.value.errors
    assert says in str(error)
    assert error.line == 6


def test_a_mailbox_is_listed_once(tmp_path: Path) -> None:
    """Two items for one folder of one user would be read twice."""
    item = 'host: h.example, user: a@b.example, password: "${P}"'
    with pytest.raises(ConfigErrors, match="is listed twice") as caught:
        written(tmp_path, item, f"{item}, mailbox: Other", f"{item}, port: 143")
    assert caught.value.errors[0].line == 7
