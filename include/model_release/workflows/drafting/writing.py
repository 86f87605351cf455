"""Where a first spec and its first partition go. An interrupted `init` can be run again; nothing is overwritten."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from model_release.errors import UsageError
from model_release.spec.load import load_spec, parse_spec
from model_release.workflows.drafting.draft import Draft
from model_release.workflows.drafting.table import Table


def arrival(file: Path, *, today: date) -> date:
    """Return the day of a file's partition: the day on which the file was last changed, today at the latest."""
    return min(datetime.fromtimestamp(file.stat().st_mtime, UTC).date(), today)


def write(made: Draft, table: Table, file: Path, *, day: date, folder: Path) -> tuple[Path, Path]:
    """Write the partition, which has the file's own bytes, then the spec; read the spec back.

    Args:
        made: the spec.
        table: the cells of `file`.
        file: what the spec was drafted from.
        day: the partition's.
        folder: for the spec; the data goes below it, to `data/<name>/dt=…/`.

    Returns:
        The spec's path and the partition's.

    Raises:
        UsageError: another spec, or other data, is there already.
        SpecError: the spec is not readable.
    """
    spec = folder / f"{made.name}.yaml"
    parse_spec(made.text.encode(), spec)
    if spec.exists():
        raise _taken(spec)
    partition = folder / made.source / f"dt={day.isoformat()}" / f"{made.name}{table.form.ending}"
    _create(partition, file.read_bytes())
    _create(spec, made.text.encode())
    load_spec(spec)
    return spec, partition


def _create(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_bytes() == content:
        return
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    try:
        path.hardlink_to(part)  # all of the content or none, and never over another file
    except FileExistsError as error:
        raise _taken(path) from error
    finally:
        part.unlink()


def _taken(path: Path) -> UsageError:
    return UsageError(
        "is there already and is not overwritten",
        where=str(path),
        hint="give another --name or another folder, or remove it",
    )
