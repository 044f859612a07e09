"""What stands under a mailed answer: links by which the customer goes on in the chat or on Telegram as themselves."""

from __future__ import annotations

import re
from collections.abc import Callable

from router.shell import proofs
from skills.model import WorkspaceConfig

_BRACED = re.compile(r"\{(chat|telegram)\}")


class Inviter:
    """Fills the workspace's own words. `bot`: the name of its bot on Telegram, "" while that is not known."""

    def __init__(self, config: Callable[[], WorkspaceConfig], secret: bytes, bot: Callable[[], str]) -> None:
        self._config = config
        self._secret = secret
        self._bot = bot

    def __call__(self, identity: str, language: str | None, now: int) -> str:
        """The lines for whoever reads what is sent to `identity`; "" where there is nowhere else to go on."""
        config = self._config()
        texts = config.customers.invite
        if not texts:
            return ""
        text = texts.get(language or "") or texts[config.languages[0]]
        places = self._places(config)
        asked = set(_BRACED.findall(text))
        if asked and not asked & places.keys():
            return ""
        kept = [line for line in text.splitlines() if set(_BRACED.findall(line)) <= places.keys()]
        return _BRACED.sub(lambda one: places[one[1]] + proofs.issue(self._secret, identity, now), "\n".join(kept))

    def _places(self, config: WorkspaceConfig) -> dict[str, str]:
        """By placeholder, all of the address but the signed link at its end."""
        found: dict[str, str] = {}
        chat = config.channels.webchat
        if chat is not None and (chat.page or config.web.url):
            found["chat"] = f"{chat.page or (config.web.url or '').rstrip('/') + '/chat'}#usherd="
        if config.channels.telegram is not None and self._bot():
            found["telegram"] = f"https://t.me/{self._bot()}?start="
        return found
