"""`model-release mlruns`: the MLflow data to its mirror in a bucket, and back to a working MLflow.

A push that finds nothing new ends in a fraction of a second, so what it can do without is imported late.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlruns_mirror.local import Source
from mlruns_mirror.unchanged import Pushed, unchanged
from model_release.cli import output as out
from model_release.cli.app import app
from model_release.cli.options import App
from model_release.errors import UsageError
from model_release.workflows.mlruns_sources import found_in, tracked_here

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mlruns_mirror.pull import Pulled

mlruns = App(no_args_is_help=True, help="Keep the MLflow data in a bucket, and restore it from there.")
app.add_typer(mlruns, name="mlruns")


@mlruns.command()
def push(
    *,
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
        bool, typer.Option("--force", help="Even if the mirror knows runs that are not here; it forgets them.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    output: out.Output,
) -> None:
    """Bring a mirror to the local MLflow data: a snapshot of its database, and every artifact that is new.

    Runs may be logged meanwhile. What was interrupted goes on where it was.
    """
    from model_release.stores.reader.reader import open_reader

    with _data(where, source) as (uri, data, note):
        done = None if delete else unchanged(open_reader(uri), data)
        if done is None:
            done = _push(uri, data, note, delete=delete, force=force, dry_run=dry_run, output=output)

    for each in done.outside:
        output.say(f"not mirrored, since it is not below {data.artifacts}: {each}", style=out.BAD)
    output.data({**asdict(done), "outside": [str(each) for each in done.outside], "dry_run": dry_run}, [_pushed(done)])
    if dry_run:
        output.say("nothing was changed; this is what would be done")


@mlruns.command()
def pull(
    *,
    uri: Annotated[str, typer.Argument(metavar="URI", help="The mirror, such as s3://bucket/mlruns.")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Gets mlflow.db and mlruns/; made if need be.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the database that is there.")] = False,
    output: out.Output,
) -> None:
    """Restore a mirror into a folder as a working MLflow, every file verified.

    What was interrupted goes on where it was.
    """
    from mlruns_mirror import pull as pulling
    from model_release.stores.reader.reader import open_reader

    with output.count() as progress:
        done = pulling.pull(open_reader(uri), to, overwrite=overwrite, progress=progress)
    output.data(_document(done), [_pulled(done)])


@contextmanager
def _data(where: str, source: Path | None) -> Iterator[tuple[str, Source, str | None]]:
    """Yield the mirror's URI, what is to be mirrored, and what there is to say about it."""
    if Path(where).suffix in (".yaml", ".yml") and "://" not in where:
        from model_release.spec.load import load_spec
        from model_release.stores.uris import without_connection

        if source is not None:
            raise UsageError("a spec names its own MLflow", where=where, hint="leave --from out")
        spec = load_spec(Path(where))
        yield without_connection(spec.mlruns_uri()), tracked_here(spec.tracking), None
    elif source is None:
        raise UsageError("say what is to be mirrored", hint="--from the folder that holds mlflow.db and mlruns/")
    else:
        with found_in(source) as (data, note):
            yield where, data, note


def _push(
    uri: str, data: Source, note: str | None, *, delete: bool, force: bool, dry_run: bool, output: out.Output
) -> Pushed:
    from mlruns_mirror import push as pushing
    from model_release.stores import open_store

    if note:
        output.say(note)
    with output.count() as progress:
        return pushing.push(open_store(uri), data, delete=delete, force=force, dry_run=dry_run, progress=progress)


def _pushed(done: Pushed) -> RenderableType:

    return out.facts(
        [
            ("mirror", done.uri),
            ("files", f"{done.files:,}, {out.size(done.size)}"),
            ("runs", f"{done.runs:,}" if done.runs is not None else None),
            ("sent", f"{done.sent:,} files, {out.size(done.sent_size)}" if done.sent else "no file: all were there"),
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
    from rich.text import Text

    rows: list[tuple[str, RenderableType | None]] = [
        ("folder", str(done.folder)),
        ("files", f"{done.files:,}, {out.size(done.size)}; {done.fetched:,} came now, all are verified"),
    ]
    if done.database is None or done.snapshot is None:
        rows.append(("database", "none: an old file store; `mlflow migrate-filestore` imports it"))
        return out.facts(rows)
    uri = f"sqlite:///{done.database}"
    rows.append(("runs", f"{done.snapshot.runs:,}, as of {out.when(done.snapshot.taken)} UTC"))
    if done.snapshot.mlflow:
        rows.append(("MLflow", f"{done.snapshot.mlflow}, or newer, which migrates it; an older one cannot open it"))
    rows.append(("tracking URI", Text(uri, style=f"bold {out.GOOD}")))
    return out.facts(rows)
