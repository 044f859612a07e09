"""A workspace whose agents work in Slack, its daemon, and a mail server that keeps what customers are sent."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from pathlib import Path

from router.sim.slack import FakeSlack
from tests.support.daemons import RunningDaemon

WORKSPACE = """
workspace: acme
languages: [en]
agents:
  ana: {{name: Ana Souza, email: ana@example.com, skills: {{billing: 4, lang:en: 5}}, capacity: {{email: 9}}}}
  ben: {{name: Ben Okoye, slack: {ben}, skills: {{billing: 4, lang:en: 5}}, capacity: {{email: 9}}}}
teams: {{triage: {{members: [ana]}}}}
topics:
  refund: {{examples: [I want my money back, please refund my order], keywords: [refund]}}
  bags: {{examples: [my suitcase did not arrive, lost luggage], keywords: [suitcase]}}
rules:
  - {{when: {{topic: refund}}, require: {{billing: 2}}}}
offers: {{accept_within: {{email: 10m}}}}
channels:
  email:
    smtp: {{listen: "127.0.0.1:0", recipients: [help@acme.example]}}
    send: {{host: 127.0.0.1, port: {send}, tls: none}}
  slack: {{bot_token: "file:bot", {way}, undo: 1s, api: "{api}"{more}}}
web: {{listen: "127.0.0.1:{http}"}}
"""


def write_slack_workspace(
    config: Path, slack: FakeSlack, *, ben: str, send: int, http: int = 0, more: str = ""
) -> None:
    """Write it; with a port for `http` Slack calls it, and else there are sockets."""
    config.mkdir(exist_ok=True)
    (config / "bot").write_text(slack.bot_token)
    (config / "app").write_text(slack.app_token)
    (config / "signing").write_text(slack.signing_secret)
    way = 'signing_secret: "file:signing"' if http else 'app_token: "file:app"'
    text = WORKSPACE.format(ben=ben, send=send, way=way, api=slack.api_url, http=http, more=more)
    (config / "workspace.yaml").write_text(text)


def slack_daemon(folder: Path, slack: FakeSlack, *, ben: str, send: int, more: str = "") -> RunningDaemon:
    """A daemon, not started yet."""
    write_slack_workspace(folder / "config", slack, ben=ben, send=send, more=more)
    return RunningDaemon(folder / "config", folder / "data")


def mail(subject: str, text: str, sender: str = "Carla <carla@customers.example>", **headers: str) -> EmailMessage:
    """A customer's mail."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, headers.pop("to", "help@acme.example"), subject
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


async def hand_in(daemon: RunningDaemon, message: EmailMessage) -> None:
    """Hand a mail to the daemon as a mail server does."""

    def send() -> None:
        with smtplib.SMTP(*daemon.smtp, timeout=20) as server:
            server.send_message(message)

    await asyncio.to_thread(send)
