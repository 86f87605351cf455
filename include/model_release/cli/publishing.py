"""The commands that publish what was made by hand: a folder of files, or a layout that grew before there were rules."""

from __future__ import annotations

import getpass
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from model_release.cli import output as out
from model_release.cli.app import Json, Quiet, Uri, app
from model_release.errors import EXIT_REFUSED, UsageError
from model_release.metadata import Manifest
from model_release.release import delivery, gathering, handmade
from model_release.release.catalog import candidate_of
from model_release.release.publish import Watch
from model_release.stores import Store, open_store
from model_release.version import Bump

Also = Annotated[
    list[str] | None,
    typer.Option("--also", metavar="URI", help="The model's folder at one more destination; may be repeated."),
]
Fact = Annotated[
    list[str] | None,
    typer.Option(
        "--fact",
        metavar="NAME=VALUE",
        help="A fact that metadata.json in the folder does not have, or has wrong; may be repeated. "
        f"Names: {', '.join(handmade.Facts.model_fields)}.",
    ),
]
By = Annotated[str | None, typer.Option("--by", help="Who does it; else the login name.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for those who look back.")]


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Holds best_model.pkl, preprocessor.pkl, …")],
    uri: Uri,
    also: Also = None,
    fact: Fact = None,
    no_promote: Annotated[bool, typer.Option("--no-promote", help="Leave latest where it is.")] = False,
    bump: Annotated[Bump | None, typer.Option(help="Which number grows; else the rules say.")] = None,
    by: By = None,
    reason: Reason = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Publish a folder of hand-made files as the next version, and move latest to it by the rules.

    For example: model-release publish models/ s3://bucket/heart-disease-models

    Facts come from a metadata.json in the folder, which may have the fields model_name, trained_date, accuracy,
    model_file, preprocessor_file, framework, python_version, dependencies and training_data, and from --fact. What
    nobody told is left open. The number is the next one, whatever `version` says there. The same folder published
    again finds its own version. Exit status 3 if a rule keeps latest where it is.

    The nightly gate cannot train a hand-made model again to compare with it. While one is live, a nightly run is
    rejected until a person starts one that overrules the gate.
    """
    output = out.Output(json, quiet)
    act = delivery.Act(
        by=by or _login(), reason=reason or f"published from {folder.resolve().name}", promote=not no_promote, bump=bump
    )
    stores = [open_store(each) for each in [uri, *(also or [])]]
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        output.say(f"reading {folder} …")
        gathered = gathering.from_folder(folder, Path(scratch))
        draft = handmade.draft(gathered, _facts(fact), called=_called(stores[0]))
        with output.travel(_bytes(draft) * (1 + len(stores))) as set_out:
            watch = _watch(set_out)
            done = delivery.publish(gathered, draft, act, home=stores[0], followers=stores[1:], watch=watch)
    _tell(output, done, gathered, stores[0], asked=act.promote)


@app.command()
def adopt(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Hand-made files, such as s3://bucket/models/v1.")],
    uri: Uri,
    also: Also = None,
    fact: Fact = None,
    by: By = None,
    reason: Reason = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the files of a hand-made layout the first release, v1.0.0.

    For example: model-release adopt s3://bucket/heart-disease-models/v1 s3://bucket/heart-disease-models

    SOURCE stays as it is. A hand-made latest/ at URI is taken over if it holds only files that the release has too;
    from then on it holds copies of what is live. Facts are told as for publish.
    """
    output = out.Output(json, quiet)
    origin = open_store(source)
    act = delivery.Act(by=by or _login(), reason=reason or f"adopted from {origin.uri}")
    stores = [open_store(each) for each in [uri, *(also or [])]]
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        output.say(f"reading {origin.uri} …")
        with output.travel(None) as set_out:
            gathered = gathering.from_store(
                origin, Path(scratch), about=lambda entry: set_out(entry.key, entry.size, origin.uri)
            )
        draft = handmade.draft(gathered, _facts(fact), called=_called(stores[0]))
        with output.travel(_bytes(draft) * (1 + len(stores))) as set_out:
            watch = _watch(set_out)
            done = delivery.adopt(gathered, draft, act, home=stores[0], followers=stores[1:], watch=watch)
    _tell(output, done, gathered, stores[0], asked=True)


def _tell(
    output: out.Output, done: delivery.Delivered, gathered: gathering.Gathered, home: Store, *, asked: bool
) -> None:
    manifest, pointer = done.manifest, done.pointer
    document: dict[str, object] = {
        "uri": home.uri,
        "version": str(manifest.version),
        "published_before": done.before,
        "live": done.live,
        "refusal": done.refusal,
        "latest": str(pointer.version) if pointer else None,
        "epoch": pointer.epoch if pointer else None,
        "files": [entry.path for entry in manifest.files],
        "size": _bytes(manifest),
        "left_out": gathered.left_out,
        "mended": done.mended,
    }
    stays = f"stays at {pointer.version}" if pointer else "names nothing yet"
    latest: RenderableType
    if done.live and pointer is not None:
        latest = Text(f"{pointer.version}, live since epoch {pointer.since}", style=out.GOOD)
    elif done.refusal is not None:
        latest = Text(out.safe(f"{stays}: {done.refusal}{_remedy(done)}"), style=out.BAD)
    elif asked:
        latest = f"was moved to {manifest.version}, and by somebody else since; {stays}"
    else:
        latest = f"{stays}, as asked"
    published = "was published before from the same files and facts" if done.before else "is published"
    rows: list[tuple[str, RenderableType | None]] = [
        ("release", f"{manifest.version} {published}"),
        ("files", f"{len(manifest.files)} files, {out.size(_bytes(manifest))}, all verified"),
        ("latest", latest),
        ("left out", ", ".join(gathered.left_out) or None),
    ]
    output.data(document, [out.facts(rows)])
    if asked and done.refusal is not None:
        raise typer.Exit(EXIT_REFUSED)


def _remedy(done: delivery.Delivered) -> str:
    """Return what to tell next time, where the order of releases lacks a date to go by."""
    pointer, candidate = done.pointer, candidate_of(done.manifest)
    undated = pointer is not None and candidate.data_as_of is None and pointer.data_as_of is not None
    if pointer is None or not undated or candidate.schema_revision != pointer.schema_revision:
        return ""
    return "\n→ of when is its data? tell it with --fact data_as_of=2026-11-21"


def _facts(told: list[str] | None) -> dict[str, str]:
    pairs = [each.partition("=") for each in told or []]
    for name, mark, _ in pairs:
        if not mark:
            raise UsageError(f"{name!r} is not a fact", hint="write it as --fact accuracy=0.8852")
    return {name.strip(): value for name, _, value in pairs}


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # a container's user may have no name
        raise UsageError("this process runs as nobody by name", hint="say who does it with --by") from error


def _called(home: Store) -> str:
    """Return the model's name as its folder has it."""
    return home.uri.rpartition("/")[2].removesuffix("-models")


def _bytes(manifest: Manifest) -> int:
    return sum(entry.size for entry in manifest.files)


def _watch(set_out: out.SetOut) -> Watch:
    return lambda entry, uri: set_out(entry.path, entry.size, uri)
