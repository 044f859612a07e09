"""A workspace of Slack on this machine: a Web API, Socket Mode, HTTP mode, and people who read, write and click.

For tests, for `usherd demo --slack-fake`, and to try things by hand. It refuses what Slack refuses and keeps Slack's
times and limits (`Rules`; a test may shorten them). It lies in the wheel because the demo runs it.

    async with FakeSlack() as slack:                    # FakeSlack(manifest=…): scopes and events of a real manifest
        ana = slack.add_user("ana", email="ana@example.com")
        emea = slack.add_channel("emea", members=("ana", slack.bot))      # private=True, shared_with="T0…"
        AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)     # and slack.app_token, slack.signing_secret
        slack.request_url = "http://127.0.0.1:…/slack/events"             # HTTP mode instead of sockets
        await slack.verifies(url)                       # the same, if it answers Slack's challenge

        message = await ana.writes("hello", channel=emea, thread=None)    # without channel: her DM with the app
        answer = await ana.clicks(message, "accept")    # buttons; answer.acked, answer.body, answer.problem
        await ana.chooses(message, "more", "spam")      # selects, overflow menus, radio buttons, dates, by value
        await ana.opens_home();  ana.home               # the view published for her
        await ana.submits(ana.modal, {"reason": "busy"})                  # by block_id or action_id; answer.errors
        await ana.closes(ana.modal)
        await ana.command("/usherd", "away 30m")        # the answer's text is among ana.sees(channel)
        await ana.edits(message, "…");  await ana.deletes(message);  await ana.reacts(message, "eyes", remove=False)
        await ana.uploads("a.pdf", b"…", text="", channel=None, thread=None)
        await ana.sets_status(":palm_tree:", expiration=0, text="");  ana.sets_presence("away");  ana.is_deactivated()
        await ana.joins(emea);  await ana.leaves(emea);  await ana.asks_options(ana.modal, "agent", "be")

        ana.dm, ana.sees(channel), ana.thread(message)  # ephemeral messages are among what she sees
        message.said, message.buttons, message.seen()   # all its visible text; action_ids; a copy to click on later
        await slack.until(lambda: ana.sees(ana.dm))     # wakes with each change; gives what the predicate gave
        await slack.settled()                           # all deliveries are acknowledged or given up
        slack.calls, slack.refusals                     # what the app called, what was refused and why
        slack.pings, slack.unfurls                      # who was pinged, what was previewed: (user or url, message)

        slack.faults.refuse("chat.postMessage", "ratelimited", retry_after=2, times=1)     # any of Slack's errors
        slack.faults.fail("*", status=500, times=1, after=False)          # after=True: done, but the reply is lost
        slack.faults.hang("chat.update", seconds=20, times=1, after=False)
        slack.faults.dead_sockets(times=1)              # apps.connections.open names a socket nobody listens on
        slack.faults.only_retries(times=1)              # the next events come as their first retry only
        slack.faults.repeat_events(4)                   # the same event_id that often
        await slack.disconnects("refresh_requested")    # warning, refresh_requested, link_disabled: asked to go
        slack.drops_sockets()                           # cut, with nothing said
        await slack.goes_down();  await slack.comes_up()                  # nobody listens; the same ports later

`slack.page_url` is the page on which a person sees and clicks the same. Everything runs in the loop that starts it.
"""

from router.sim.slack.fake import FakeSlack
from router.sim.slack.faults import Faults
from router.sim.slack.manifest import everything
from router.sim.slack.model import Channel, File, Message, User, View
from router.sim.slack.people import Person
from router.sim.slack.rules import Rules
from router.sim.slack.sockets import Answer
from router.sim.slack.values import CannotError

__all__ = [
    "Answer",
    "CannotError",
    "Channel",
    "FakeSlack",
    "Faults",
    "File",
    "Message",
    "Person",
    "Rules",
    "User",
    "View",
    "everything",
]
