"""Channels: how messages come in and go out. Each is an adapter of four verbs: receive, normalise, send, close.

How to add a channel, in five steps and with a whole one to copy: docs/how-to/add-a-channel.md. In short: say when you
acknowledge; receive, and acknowledge only when `append` has returned; normalise by a pure function that raises
`PoisonError` or nothing; send, and raise `TransientError` or `PermanentError`; close, and be named in
`router/app/ways.py` and in the contract suite.

A channel imports `router.core` and no other channel. What it needs from the inside it gets as a port.
"""
