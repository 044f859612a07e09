"""Channels: how messages come in and go out. Each is an adapter of four verbs: receive, normalise, send, close.

How to add a channel, in five steps:

1. Make `channels/<name>.py`, or a folder if it outgrows one module. Its docstring begins with
   "Acknowledged after: …": what the outside takes for our promise, and what must be on disk before it is given.
2. *Receive*: take raw input, keep to a limit on its size and rate, and put it into the inbox as one
   `router.core.ports.InboxEntry` whose key says when two inputs are the same. Acknowledge only when `append` returned.
3. *Normalise*: a pure function from the raw input to `router.core.message.Message`. It raises `PoisonError` or
   nothing; whatever it could not make out is said in `warnings`. It may run in a worker process, so both ends pickle.
4. *Send*: hand one outbound message to the provider under the idempotency key the outbox gives. Map the provider's
   errors, by concrete class, to `TransientError` (try again) or `PermanentError` (tell the agent).
5. *Close*: stop taking input, finish what is being stored, give up the rest. Then name the channel in
   `router/app.py`, the only place that knows every part, and write its tests in `tests/contract`.

A channel imports `router.core` and no other channel. What it needs from the inside it gets as a port.
"""
