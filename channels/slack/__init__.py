"""Slack: the agents' desk, as Block Kit over the desk model's views.

Acknowledged after: what a person did (a click, a message, a command) is on disk under Slack's own id for it. Only then
Slack is told that it came; what follows from it is done afterwards, and done again if the process ends meanwhile.
"""
