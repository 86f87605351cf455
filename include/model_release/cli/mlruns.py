"""`model-release mlruns`: the MLflow data to its mirror in a bucket, and back to a working MLflow."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from model_release.cli import output as out
from model_release.cli.app import Json, Quiet, app
from model_release.cli.places import is_spec, open_without_airflow
from model_release.errors import UsageError
from model_release.mirror import Pulled, Pushed, Snapshot, pull, push
from model_release.mirroring import found_in, tracked_here
from model_release.specfile import load_spec
from model_release.stores import open_store

mlruns = typer.Typer(no_args_is_help=True, help="Keep the MLflow data in a bucket, and restore it from there.")
app.add_typer(mlruns, name="mlruns")


@mlruns.command(name="push")
def push_command(
    where: Annotated[
        str,
        typer.Argument(
            metavar="WHERE",
            help="The mirror, such as s3://bucket/mlruns; or a model's spec: then home's, and the spec's own MLflow.",
        ),
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="What holds mlflow.db and mlruns/, or the database itself."),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Also remove from the mirror what is no longer here.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Even if the mirror knows runs that are not here, and will not after it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Bring a mirror to the local MLflow data: a snapshot of its database, and every artifact that is new.

    Runs may be logged meanwhile. What was interrupted goes on where it was.
    """
    output = out.Output(json, quiet)
    with ExitStack() as stack:
        if is_spec(where):
            if source is not None:
                raise UsageError("a spec names its own MLflow", where=where, hint="leave --from out")
            spec = load_spec(Path(where))
            store, data = open_without_airflow(spec.mlruns_uri(), spec.home.transfer), tracked_here(spec.tracking)
        elif source is None:
            raise UsageError("say what is to be mirrored", hint="--from the folder that holds mlflow.db and mlruns/")
        else:
            data, told = stack.enter_context(found_in(source))
            store = open_store(where)
            if told:
                output.say(told)
        progress = stack.enter_context(output.count())
        done = push(store, data, delete=delete, force=force, dry_run=dry_run, progress=progress)
    for each in done.outside:
        output.say(f"not mirrored, since it is not below {data.artifacts}: {each}", style=out.BAD)
    output.data({**asdict(done), "outside": [str(each) for each in done.outside], "dry_run": dry_run}, [_pushed(done)])
    if dry_run:
        output.say("nothing was changed; this is what would be done")


@mlruns.command(name="pull")
def pull_command(
    uri: Annotated[str, typer.Argument(metavar="URI", help="The mirror, such as s3://bucket/mlruns.")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Gets mlflow.db and mlruns/; made if need be.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the database that is there.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Restore a mirror into a folder as a working MLflow, every file verified.

    What was interrupted goes on where it was.
    """
    output = out.Output(json, quiet)
    with output.count() as progress:
        done = pull(open_store(uri), to, overwrite=overwrite, progress=progress)
    output.data(_document(done), [_pulled(done)])


def _pushed(done: Pushed) -> RenderableType:
    up = f"{done.sent:,} files, {out.size(done.sent_size)}" if done.sent else "nothing: all files were there"
    return out.facts(
        [
            ("mirror", done.uri),
            ("files", f"{done.files:,}, {out.size(done.size)}"),
            ("runs", f"{done.runs:,}" if done.runs is not None else None),
            ("sent", up),
            ("database", "a new snapshot" if done.database else "unchanged" if done.runs is not None else "none"),
            ("forgotten", f"{done.forgotten:,} files that are no longer here" if done.forgotten else None),
            ("removed", f"{done.removed:,} objects" if done.removed else None),
        ]
    )


def _document(done: Pulled) -> dict[str, object]:
    return {
        "folder": str(done.folder),
        "database": str(done.database) if done.database else None,
        "snapshot": done.snapshot.model_dump(mode="json") if done.snapshot else None,
        "files": done.files,
        "size": done.size,
        "fetched": done.fetched,
    }


def _pulled(done: Pulled) -> RenderableType:
    rows: list[tuple[str, RenderableType | None]] = [
        ("folder", str(done.folder)),
        ("files", f"{done.files:,}, {out.size(done.size)}; {done.fetched:,} came now, all are verified"),
    ]
    if done.database and done.snapshot:
        uri = Text(f"sqlite:///{done.database}", style=f"bold {out.GOOD}")
        rows += [("runs", f"{done.snapshot.runs:,}, as of {out.when(done.snapshot.taken)} UTC"), *_next(done.snapshot)]
        rows.append(("MLFLOW_TRACKING_URI", uri))
    else:
        rows.append(("database", "none: an old file store, which MLflow 3 imports by `mlflow migrate-filestore`"))
    return out.facts(rows)


def _next(snapshot: Snapshot) -> list[tuple[str, RenderableType | None]]:
    return [("written by", f"MLflow {snapshot.mlflow}")] if snapshot.mlflow else []
