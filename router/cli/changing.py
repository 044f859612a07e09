"""What a change would do, before it is made: `usherd diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.cli import output
from router.cli.client import Daemon
from router.cli.options import CONFIG, DATA, Config, Data, Json, Token, Url
from router.core.errors import PermanentError

if TYPE_CHECKING:
    from router.desk.in_force import InForce

OTHERWISE = "names, examples, channels or other things that no decision depends on"


def diff(config: Config = CONFIG, data: Data = DATA, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show what the folder would change against the workspace in force, and what nobody could take any more."""
    from router.app import change_words
    from router.app.compare import changes, dead_ends
    from router.desk.in_force import InForce
    from router.shell.clock import wall_ms
    from skills.compile import Classifier, compile_workspace
    from skills.workspace import load

    output.wants_json(json)
    loaded = load(config)
    answer = Daemon(data, url, token).get("/v1/workspace", candidate=loaded.version)
    try:
        in_force = msgspec.convert(answer, InForce)
    except msgspec.ValidationError as error:
        raise PermanentError(f"the daemon is of another version than this command ({error})") from None
    now = wall_ms()
    after = compile_workspace(loaded.config, now, classifier=Classifier.of(in_force.workspace))
    made = changes(in_force.workspace, after, now)
    ends = dead_ends(in_force, after, now)
    same_text = loaded.version == in_force.version
    found: dict[str, Any] = {
        "same": same_text and not made,
        "version": {"before": in_force.version, "after": loaded.version},
        "changes": msgspec.to_builtins(made),
        "dead_ends": [
            {
                **msgspec.to_builtins(one),
                "requirement": {"must": dict(one.requirement.must), "prefer": dict(one.requirement.prefer)},
            }
            for one in ends
        ],
        "rehearsal": _rehearsal(in_force),
    }
    if json:
        output.give(found)
        return
    if found["same"]:
        output.say(f"{output.escape(str(config))} is what is in force.")
        return
    for change in made:
        output.out.print(f"  {output.escape(change_words.sentence(change))}", soft_wrap=True)
    if not made:
        output.out.print(f"  only {OTHERWISE}", soft_wrap=True)
    for one in ends:
        output.say(f"[bold red]dead end:[/] {output.escape(change_words.dead_end(one))}")
    if not ends:
        output.say("[green]No dead end:[/] somebody could take every topic, and all that waits.")
    if found["rehearsal"] == "missing":
        output.say("[bold red]no rehearsal:[/] it cannot come into force before `usherd whatif --new …` looked at it")


def _rehearsal(in_force: InForce) -> str:
    """`missing` or `done`, where the workspace in force demands one; else `not demanded`."""
    if not in_force.workspace.require_rehearsal:
        return "not demanded"
    return "done" if in_force.rehearsed else "missing"
