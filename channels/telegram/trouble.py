"""What can go wrong between us and Telegram, by who must act. The library's words are dropped: it quotes the token."""

from __future__ import annotations

from router.core.errors import PermanentError, TransientError


class Unreachable(TransientError):
    """Telegram did not get the request, or answered that it cannot serve it now: nothing was done."""

    code = "telegram_unreachable"


class Doubtful(TransientError):
    """The request left, and no answer came: it may have been carried out."""

    code = "telegram_doubtful"


class Busy(TransientError):
    """Too much at once (429). `seconds`: how long Telegram wants us to wait."""

    code = "telegram_busy"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = seconds


class Elsewhere(TransientError):
    """Somebody else takes the bot's updates (409). `webhook`: one is set, so that nobody may poll."""

    code = "telegram_elsewhere"

    def __init__(self, *, webhook: bool) -> None:
        super().__init__("a webhook is set" if webhook else "somebody else polls")
        self.webhook = webhook


class Moved(TransientError):
    """The group has become a supergroup and has another id."""

    code = "telegram_moved"

    def __init__(self, chat: int) -> None:
        super().__init__("the group has another id")
        self.chat = chat


class Blocked(PermanentError):
    """The customer has blocked the bot, deleted their account, or put the bot out of the group (403)."""

    code = "telegram_blocked"


class Rejected(PermanentError):
    """Telegram will never do this as asked (400)."""

    code = "telegram_rejected"


class BadToken(PermanentError):
    """Telegram does not know the token (401, 404): an admin must act."""

    code = "telegram_token"
