"""A running daemon with a bot on a fake Telegram, and Ana's hands at her desk."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from tests.acceptance.desk_client import DeskClient
from tests.fakes.telegram.server import FakeTelegram
from tests.fakes.telegram.world import TOKEN
from tests.support.daemons import RunningDaemon
from tests.support.hook_program import Program

WORKSPACE = """
workspace: acme-air
languages: [en, es]
agents:
  ana: {{name: Ana Souza, skills: {{lang:en: 5, lang:es: 5}}, capacity: {{email: 20, messaging: 50}}}}
teams: {{triage: {{members: [ana]}}}}
topics:
  refund: {{examples: [I want my money back, please refund my order, quiero mi dinero], keywords: [refund, reembolso]}}
  bags: {{examples: [my suitcase did not arrive, lost luggage, mi maleta no ha llegado], keywords: [suitcase, maleta]}}
offers: {{accept_within: {{messaging: 10m}}}}
channels:
  telegram: {{token: "${{TELEGRAM_TOKEN}}", api: "{api}", mode: {mode}}}
web: {{listen: "127.0.0.1:0"{url}{hooks}}}
"""
CRM = "a secret of the crm"
HOOKED = "https://desk.acme.example"  # where the fake finds the daemon


def write_workspace(folder: Path, api: str, *, hooked: bool, hook: str = "") -> Path:
    """One agent who takes messages; with `hooked` Telegram calls, else it is polled.

    `hook`: a program that is told what happens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mode, url = ("webhook", f', url: "{HOOKED}"') if hooked else ("polling", "")
    hooks = f', hooks: {{crm: {{url: "{hook}", secret: "${{CRM_SECRET}}"}}}}' if hook else ""
    (folder / "workspace.yaml").write_text(WORKSPACE.format(api=api, mode=mode, url=url, hooks=hooks))
    return folder


class House:
    """A daemon on a fake."""

    def __init__(self, folder: Path, fake: FakeTelegram, program: Program) -> None:
        self.fake = fake
        self.program = program
        config = write_workspace(folder / "config", fake.url, hooked=False, hook=program.url)
        self.daemon = RunningDaemon(config, folder / "data", TELEGRAM_TOKEN=TOKEN, CRM_SECRET=CRM)

    def contact_of(self, chat: int, message: int) -> dict[str, Any]:
        """The contact that holds a message of Telegram's; {} while there is none."""
        wanted = f"telegram:{self.fake.world.me['id']}:{chat}:{message}"
        for contact in self.daemon.contacts():
            if any(one["external_id"] == wanted for one in contact["messages"]):
                return contact
        return {}

    def ana(self) -> AbstractAsyncContextManager[DeskClient]:
        """Ana at her desk."""
        link = self.daemon.ask("/v1/links", "POST", json={"agent": "ana"})["url"]
        return DeskClient.signed_in("ana", link)
