"""The commands that publish what was made by hand: a folder of files, or a layout that grew before there were rules."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from model_release.cli import output as out
from model_release.cli.acts import By, Unopened, author, end, opener, reconcile_after
from model_release.cli.app import app
from model_release.cli.destinations import Model, signing_key
from model_release.cli.neighbours import check_new
from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.version import Bump
from model_release.errors import EXIT_REFUSED, UsageError
from model_release.releases.catalog import promotion_target_of
from model_release.releases.manual import collect, describe
from model_release.releases.manual import publish as delivery
from model_release.releases.publish import Watch
from model_release.stores import Store, open_store
from model_release.workflows.destinations import Destinations

Fact = Annotated[
    list[str] | None,
    typer.Option(
        "--fact",
        metavar="NAME=VALUE",
        help="A fact that metadata.json in the folder does not have, or has wrong; may be repeated. "
        f"Names: {', '.join(describe.Facts.model_fields)}.",
    ),
]
New = Annotated[bool, typer.Option("--new", help="Begin a model here, though one of a similar name is beside it.")]
Schema = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="What the model takes and answers, so that it can be served: YAML with task, columns and target, as in a "
        "spec's dataset.",
    ),
]
Reason = Annotated[str | None, typer.Option("--reason", "-m", help="Why, for the log; else where the files came from.")]


@app.command()
def publish(
    *,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Holds best_model.pkl, preprocessor.pkl, …")],
    model: Model,
    fact: Fact = None,
    schema: Schema = None,
    no_promote: Annotated[bool, typer.Option("--no-promote", help="Leave latest where it is.")] = False,
    bump: Annotated[Bump | None, typer.Option(help="Which number grows; else the rules say.")] = None,
    unopened: Unopened = False,
    new: New = False,
    by: By = None,
    reason: Reason = None,
    output: out.Output,
) -> None:
    """Publish a folder of hand-made files as the next version, and move latest to it by the rules.

    For example: model-release publish models/ s3://bucket/heart-disease-models

    Facts come from a metadata.json in the folder, which may have the fields model_name, trained_date, accuracy,
    model_file, preprocessor_file, framework, python_version, dependencies and training_data, and from --fact. A fact
    that neither gives stays empty. The number is the next one, whatever `version` says there. The same folder published
    again finds its own version. It is signed where MODEL_RELEASE_SIGNING_KEY is the path of a private key, or where the
    spec says so. Before it becomes live, its files are loaded in a process of their own, and asked about a row if
    --schema says what they take. Exit status 3 if none of their forms loads, or if a rule keeps latest where it is.

    The gate cannot train a hand-made model again to compare with it. While one is live, a retrain run is rejected until
    a person starts one that overrules the gate.
    """
    why = reason or f"published from {folder.resolve().name}"
    intent = delivery.Intent(by=author(by), reason=why, promote=not no_promote, bump=bump, opens=opener(unopened))
    destinations = model.destinations()
    if destinations.releases.pointer() is None:
        check_new(destinations.home.uri, new=new)
    key = signing_key(destinations)
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        output.say(f"reading {folder} …")
        collected = collect.from_folder(folder, Path(scratch))
        draft = describe.draft(collected, _facts(fact), called=_called(destinations.home), interface=_interface(schema))
        with output.travel(_bytes(draft) * (1 + len(destinations.releases.stores))) as set_out:
            watch = _watch(set_out)
            done = delivery.publish(destinations.releases, collected, draft, intent, watch=watch, key=key)
    _tell(output, done, collected, destinations, asked=intent.promote)


@app.command()
def adopt(
    *,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Hand-made files, such as s3://bucket/models/v1.")],
    model: Model,
    fact: Fact = None,
    schema: Schema = None,
    unopened: Unopened = False,
    new: New = False,
    by: By = None,
    reason: Reason = None,
    output: out.Output,
) -> None:
    """Make the files of a hand-made layout the first release, v1.0.0.

    For example: model-release adopt s3://bucket/heart-disease-models/v1 s3://bucket/heart-disease-models

    SOURCE stays as it is. A hand-made latest/ at MODEL is taken over if it holds only files that the release has too;
    from then on it holds copies of what is live. Facts are given as for publish, and the files are loaded first.
    """
    origin = open_store(source)
    why = reason or f"adopted from {origin.uri}"
    intent = delivery.Intent(by=author(by), reason=why, opens=opener(unopened))
    destinations = model.destinations()
    if destinations.releases.pointer() is None:
        check_new(destinations.home.uri, new=new)
    key = signing_key(destinations)
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        output.say(f"reading {origin.uri} …")
        with output.travel(None) as set_out:
            collected = collect.from_store(
                origin, Path(scratch), about=lambda entry: set_out(entry.key, entry.size, origin.uri)
            )
        draft = describe.draft(collected, _facts(fact), called=_called(destinations.home), interface=_interface(schema))
        with output.travel(_bytes(draft) * (1 + len(destinations.releases.stores))) as set_out:
            watch = _watch(set_out)
            done = delivery.adopt(destinations.releases, collected, draft, intent, watch=watch, key=key)
    _tell(output, done, collected, destinations, asked=True)


def _tell(
    output: out.Output,
    done: delivery.Delivered,
    collected: collect.Collected,
    destinations: Destinations,
    *,
    asked: bool,
) -> None:
    """Let every destination follow what was done at home, and show it all."""
    version = done.manifest.version
    reconciled = reconcile_after(destinations)
    live, lagging = reconciled.live, [*done.lagging, *reconciled.lagging]
    document: dict[str, object] = {
        "uri": destinations.home.uri,
        "version": str(version),
        "published_before": done.before,
        "refusal": done.refusal,
        **reconciled.facts(),
        "lagging": lagging,
        "files": [entry.path for entry in done.manifest.files],
        "size": _bytes(done.manifest),
        "left_out": collected.left_out,
    }
    stays = f"stays at {live}" if live else "names nothing yet"
    latest: RenderableType
    if live == version:
        latest = Text(f"{live}, epoch {reconciled.epoch}", style=out.GOOD)
    elif done.refusal is not None:
        latest = Text(out.safe(f"{stays}: {done.refusal}{_remedy(done)}"), style=out.BAD)
    elif asked:
        latest = f"was moved to {version}, and by another act since; {stays}"
    else:
        latest = f"{stays}, as asked"
    published = "was published before from the same files and facts" if done.before else "is published"
    rows: list[tuple[str, RenderableType | None]] = [
        ("release", f"{version} {published}"),
        ("files", f"{len(done.manifest.files)} files, {out.size(_bytes(done.manifest))}, all verified"),
        ("latest", latest),
        ("left out", ", ".join(collected.left_out) or None),
        *(("lags behind", Text(out.safe(each), style=out.BAD)) for each in lagging),
    ]
    output.data(document, [out.facts(rows)])
    if done.refusal is not None:
        raise typer.Exit(EXIT_REFUSED)
    end(reconciled, f"{version} is published at home", output)


def _remedy(done: delivery.Delivered) -> str:
    """Return what to tell next time, where the order of releases lacks a date to go by."""
    pointer, candidate = done.pointer, promotion_target_of(done.manifest)
    undated = pointer is not None and candidate.data_as_of is None and pointer.data_as_of is not None
    if pointer is None or not undated or candidate.schema_revision != pointer.schema_revision:
        return ""
    return "\n→ of when is its data? tell it with --fact data_as_of=2026-11-21"


def _facts(given: list[str] | None) -> dict[str, str]:
    pairs = [each.partition("=") for each in given or []]
    for name, mark, _ in pairs:
        if not mark:
            raise UsageError(f"{name!r} is not a fact", hint="write it as --fact accuracy=0.8852")
    return {name.strip(): value for name, _, value in pairs}


def _interface(schema: Path | None) -> describe.Interface | None:
    if schema is None:
        return None
    from model_release.workflows.declared import interface_of  # loads what trains

    return interface_of(schema)


def _called(home: Store) -> str:
    """Return the model's name as its folder has it."""
    return layout.folder_name(home.uri).removesuffix("-models")


def _bytes(manifest: Manifest) -> int:
    return sum(entry.size for entry in manifest.files)


def _watch(set_out: out.SetOut) -> Watch:
    return lambda entry, uri: set_out(entry.path, entry.size, uri)
