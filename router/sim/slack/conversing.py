"""The methods `conversations.*`, `users.*`, `auth.*`, `team.*`, `bots.*` and `apps.connections.open`."""

from __future__ import annotations

from router.sim.slack import shapes
from router.sim.slack.asking import SCOPES_OF, Asked, Refused, method
from router.sim.slack.model import TEAM, Channel, Json, Message

TYPES = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}
PEOPLE_MAX = 1000
WINDOW = "channel cursor include_all_metadata inclusive latest limit oldest"


@method("api.test", tier=4, args="error foo")
def _try(asked: Asked) -> Json:
    return {"args": {key: str(value) for key, value in asked.args.items()}}


@method("auth.test", tier=None, bearer="any")
def _who(asked: Asked) -> Json:
    if asked.bearer == "app":
        return {"app_name": asked.manifest.name, "app_id": shapes.APP}
    return {
        "url": f"{asked.space.base_url()}/",
        "team": shapes.TEAM_NAME,
        "user": asked.space.users[asked.space.bot].name,
        "team_id": TEAM,
        "user_id": asked.space.bot,
        "bot_id": shapes.BOT,
        "is_enterprise_install": False,
    }


@method("apps.connections.open", tier=1, bearer="app")
def _socket(asked: Asked) -> Json:
    if not asked.manifest.sockets:
        raise Refused("socket_mode_not_enabled")
    return {"url": asked.desk.new_socket()}


@method("team.info", tier=3, args="team")
def _team(asked: Asked) -> Json:
    asked.need("team:read")
    return {"team": {"id": TEAM, "name": shapes.TEAM_NAME, "domain": shapes.DOMAIN, "email_domain": "example.com"}}


@method("bots.info", tier=3, args="bot")
def _bot(asked: Asked) -> Json:
    asked.need("users:read")
    if asked.string("bot", shapes.BOT) != shapes.BOT:
        raise Refused("bot_not_found")
    bot = asked.space.users[asked.space.bot]
    return {
        "bot": {
            "id": shapes.BOT,
            "deleted": False,
            "name": bot.name,
            "updated": bot.updated,
            "app_id": shapes.APP,
            "user_id": bot.id,
        }
    }


@method("conversations.open", tier=3, args="channel users return_im")
def _open(asked: Asked) -> Json:
    asked.need("im:write")
    if asked.string("channel", ""):
        channel = asked.channel()
        return {"no_op": True, "already_open": True, "channel": {"id": channel.id}}
    people = [one for one in asked.string("users", missing="users_list_not_supplied").split(",") if one]
    if len(people) != 1:
        raise Refused("too_many_users")  # this workspace has no conversations of several people
    user = asked.space.users.get(people[0].strip())
    if user is None or user.id == asked.space.bot:
        raise Refused("user_not_found")
    if user.deleted:
        raise Refused("user_disabled")
    channel = asked.space.dm(user.id)
    return {"channel": shapes.channel_json(channel, asked.space.bot) if asked.flag("return_im") else {"id": channel.id}}


@method("conversations.list", tier=2, args="cursor exclude_archived limit team_id types")
def _list(asked: Asked) -> Json:
    wanted = asked.string("types", "public_channel").split(",")
    if any(one not in TYPES for one in wanted):
        raise Refused("invalid_types")
    for one in wanted:
        asked.need(f"{'mpim' if one == 'mpim' else SCOPES_OF[TYPES[one]]}:read")
    kinds = {TYPES[one] for one in wanted}
    found = [
        shapes.channel_json(one, asked.space.bot, listed=True)
        for one in asked.space.channels.values()
        if one.kind in kinds
        and (one.kind == "channel" or asked.space.bot in one.members)
        and not (one.archived and asked.flag("exclude_archived"))
    ]
    channels, more = asked.page(found, default=100, most=PEOPLE_MAX)
    return {"channels": channels, **more}


@method("conversations.info", tier=3, args="channel include_locale include_num_members")
def _info(asked: Asked) -> Json:
    channel = _seen(asked, "read")
    count = asked.flag("include_num_members")
    return {"channel": shapes.channel_json(channel, asked.space.bot, count=count)}


@method("conversations.members", tier=4, args="channel cursor limit")
def _members(asked: Asked) -> Json:
    channel = _seen(asked, "read")
    members, more = asked.page(channel.members, default=100, most=PEOPLE_MAX)
    return {"members": members, **more}


@method("conversations.join", tier=3, args="channel")
def _join(asked: Asked) -> Json:
    asked.need("channels:join")
    channel = asked.channel()
    if channel.kind != "channel":
        raise Refused("method_not_supported_for_channel_type")
    if channel.archived:
        raise Refused("is_archived")
    already = asked.space.bot in channel.members
    asked.space.join(channel, asked.space.bot)
    warning = {"warning": "already_in_channel", "response_metadata": {"warnings": ["already_in_channel"]}}
    return {"channel": shapes.channel_json(channel, asked.space.bot), **(warning if already else {})}


@method("conversations.history", tier=3, args=WINDOW)
def _history(asked: Asked) -> Json:
    channel = _readable(asked)
    inside = [one for one in _window(asked, channel) if one.thread_ts in {None, one.ts} or one.broadcast]
    messages, more = asked.page(inside[::-1], default=100, most=999)
    has_more = bool(more["response_metadata"]["next_cursor"])
    shown = [asked.space.json_of(channel, one, metadata=asked.flag("include_all_metadata")) for one in messages]
    return {"messages": shown, "has_more": has_more, "pin_count": 0, **(more if has_more else {})}


@method("conversations.replies", tier=3, args=f"{WINDOW} ts")
def _replies(asked: Asked) -> Json:
    channel = _readable(asked)
    head = asked.space.find(channel, asked.string("ts", missing="thread_not_found"))
    if head is None:
        raise Refused("thread_not_found")
    thread = channel.threads(head.thread_ts or head.ts)
    window = {one.ts for one in _window(asked, channel)}
    inside = [one for one in thread if one.ts in window or one.ts == thread[0].ts]
    messages, more = asked.page(inside, default=PEOPLE_MAX, most=PEOPLE_MAX)
    has_more = bool(more["response_metadata"]["next_cursor"])
    shown = [asked.space.json_of(channel, one, metadata=asked.flag("include_all_metadata")) for one in messages]
    return {"messages": shown, "has_more": has_more, **(more if has_more else {})}


def _readable(asked: Asked) -> Channel:
    channel = _seen(asked, "history")
    if asked.space.bot not in channel.members:
        raise Refused("not_in_channel")
    return channel


def _seen(asked: Asked, what: str) -> Channel:
    channel = asked.channel()
    asked.need(f"{SCOPES_OF[channel.kind]}:{what}")
    return channel


def _window(asked: Asked, channel: Channel) -> list[Message]:
    """The messages between `oldest` and `latest`, which count only with `inclusive`."""
    oldest, latest = asked.string("oldest", "0"), asked.string("latest", "")
    inclusive = asked.flag("inclusive")
    try:
        low, high = float(oldest or 0), float(latest) if latest else float("inf")
    except ValueError as error:
        raise Refused("invalid_ts_latest" if oldest == "0" else "invalid_ts_oldest") from error

    def inside(ts: float) -> bool:
        return low < ts < high or (inclusive and ts in {low, high})

    return [one for one in channel.messages.values() if inside(float(one.ts))]


@method("users.list", tier=2, args="cursor include_locale limit team_id")
def _users(asked: Asked) -> Json:
    asked.need("users:read")
    email = "users:read.email" in asked.manifest.scopes
    members, more = asked.page(
        [shapes.user_json(one, with_email=email) for one in asked.space.users.values() if one.team == TEAM],
        default=PEOPLE_MAX,
        most=PEOPLE_MAX,
    )
    return {"members": members, "cache_ts": int(asked.space.now()), **more}


@method("users.info", tier=4, args="include_locale user")
def _user(asked: Asked) -> Json:
    asked.need("users:read")
    email = "users:read.email" in asked.manifest.scopes
    user = asked.user()
    locale = {"locale": user.locale} if asked.flag("include_locale") else {}
    return {"user": shapes.user_json(user, with_email=email) | locale}


@method("users.lookupByEmail", tier=3, args="email")
def _by_email(asked: Asked) -> Json:
    asked.need("users:read.email")
    wanted = asked.string("email", missing="users_not_found").casefold()
    for user in asked.space.users.values():
        if user.email.casefold() == wanted and not user.deleted and not user.is_bot and user.team == TEAM:
            return {"user": shapes.user_json(user)}
    raise Refused("users_not_found")


@method("users.getPresence", tier=3, args="user")
def _presence(asked: Asked) -> Json:
    asked.need("users:read")
    return {"presence": asked.user().presence}  # of others Slack tells no more than this


@method("users.profile.get", tier=4, args="include_labels user")
def _profile(asked: Asked) -> Json:
    asked.need("users.profile:read")
    email = "users:read.email" in asked.manifest.scopes
    profile = shapes.profile_json(asked.user(), with_email=email)
    return {"profile": {key: value for key, value in profile.items() if key != "team"}}
