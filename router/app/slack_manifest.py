"""The manifest of the Slack app as a file: what it may do and is told, each with its reason beside it."""

from __future__ import annotations

import re

import yaml

from channels.slack.manifest import EVENTS, SCOPES, manifest

HEAD = """\
# The Slack app of usherd. On api.slack.com/apps choose "Create New App", "From a manifest", and paste this file.
# Then docs/how-to/slack.md goes on.
"""
_ITEM = re.compile(r"^(\s*- )(\S+)$", re.MULTILINE)


def manifest_text(url: str = "") -> str:
    """The manifest in YAML; each scope and event with its reason."""
    reasons = SCOPES | EVENTS
    plain = yaml.safe_dump(manifest(url), sort_keys=False, allow_unicode=True, width=110)

    def explained(found: re.Match[str]) -> str:
        reason = reasons.get(found[2])
        return f"{found[1]}{found[2]}  # {reason}" if reason else found[0]

    return HEAD + _ITEM.sub(explained, plain)
