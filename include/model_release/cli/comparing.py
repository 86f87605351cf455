"""The commands that compare: two releases with each other, and a release with what its recipe gives again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from model_release.cli import output as out
from model_release.cli.app import Uri, app
from model_release.documents.manifest import Manifest
from model_release.documents.version import Version
from model_release.errors import EXIT_CORRUPT, UsageError
from model_release.releases import catalog
from model_release.releases.compare import Difference, compare
from model_release.stores import Store, open_store

_SHOWN = 400
"""Characters of a value on a page; JSON has it whole."""

_COUNTED = ("metrics", "dataset", "files")
"""Parts in which it means something how much a number grew."""


@app.command()
def diff(
    *,
    uri: Uri,
    a: Annotated[str, typer.Argument(metavar="A", help="Such as v1.3.0.")],
    b: Annotated[str | None, typer.Argument(metavar="[B]", help="Such as v1.4.0; else the live one.")] = None,
    output: out.Output,
) -> None:
    """Show what differs between two releases: figures, data, recipe, packages, code, schema, verdict and files."""
    store = open_store(uri)
    first, second = catalog.published(store, Version.parse(a)), _release(store, b)
    found = compare(first, second)
    document = {
        "uri": store.uri,
        "a": str(first.version),
        "b": str(second.version),
        "identical": not found,
        "differences": {part: [_document(each) for each in differences] for part, differences in found.items()},
    }
    page: list[RenderableType] = [Text(f"from {first.version} to {second.version}", style="bold")]
    if not found:
        page = [Text(f"{first.version} and {second.version} are identical in all that is recorded", style=out.GOOD)]
    for part, differences in found.items():
        table = _table(differences, str(first.version), str(second.version), counted=part in _COUNTED)
        page += [out.heading(part.capitalize()), table]
    output.data(document, page)


@app.command()
def reproduce(
    *,
    uri: Uri,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as v1.4.0.")],
    data: Annotated[
        str | None, typer.Option("--data", metavar="URI", help="The dataset's folder; else the recorded one.")
    ] = None,
    output: out.Output,
) -> None:
    """Train a release again from its recorded rows, recipe and seed, and compare the bytes.

    Of a release whose bytes vary from fit to fit, the golden answers are compared. Says which recorded packages, code
    and machine are others here. Exit status 5 if bytes, or those answers, differ.
    """
    if find_spec("sklearn") is None:
        raise UsageError("scikit-learn is not installed", hint="install model-release[train]")
    from model_release.workflows import reproduce as reproducing

    store = open_store(uri)
    manifest = catalog.published(store, Version.parse(version))
    folder = open_store(data or reproducing.data_uri(manifest))
    done = reproducing.reproduce(manifest, folder, release=store, say=output.say)
    compared = [*done.files, *([done.answers] if done.answers else [])]
    document = {
        "uri": store.uri,
        "version": str(manifest.version),
        "reproduced": done.same,
        "files": [{**asdict(each), "same": each.same} for each in compared],
        "differences": [{"fact": each.fact, "recorded": each.a, "here": each.b} for each in done.facts],
    }
    if done.same:
        how = "in each golden answer; its bytes vary from fit to fit" if done.answers else "byte for byte"
        verdict = Text(f"{manifest.version} is reproduced {how}", style=out.GOOD)
    else:
        what = "the golden answers differ" if done.answers else "the bytes differ"
        verdict = Text(f"{manifest.version} is not reproduced: {what}", style=out.BAD)
    rows = [(each.path, _short(each.released), _short(each.made)) for each in compared]
    page: list[RenderableType] = [verdict, out.heading("Files"), out.table(("File", "Released", "Made now"), rows)]
    if done.facts:
        page += [out.heading("What is different here"), _table(done.facts, "Recorded", "Here")]
    elif not done.same:
        page += ["", "Nothing that is recorded is different here: look for a source of chance that no seed controls."]
    output.data(document, page)
    if not done.same:
        raise typer.Exit(EXIT_CORRUPT)


def _release(store: Store, number: str | None) -> Manifest:
    if number is None:
        return catalog.live_manifest(store, catalog.live_pointer(store))
    return catalog.published(store, Version.parse(number))


def _document(each: Difference) -> dict[str, Any]:
    return {"fact": each.fact, "a": each.a, "b": each.b, "change": each.change}


def _table(differences: Iterable[Difference], a: str, b: str, *, counted: bool = False) -> RenderableType:
    """Return facts side by side, and how much each number grew where it counts."""
    if not counted:
        return out.table(("Fact", a, b), [(each.fact, _short(each.a), _short(each.b)) for each in differences])
    rows = [(each.fact, _short(each.a), _short(each.b), _grown(each)) for each in differences]
    return out.table(("Fact", a, b, "Difference"), rows, right=("Difference",))


def _short(value: Any) -> str | None:
    """Return a value for a page: figures with their interval, digests by their beginning, lists line by line."""
    match value:
        case None:
            return None
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4f}" if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:g}"
        case {"value": float(middle), "low": float(low), "high": float(high)}:
            return f"{middle:.4f} ({low:.3f}–{high:.3f})"
        case {"value": float(middle)}:
            return f"{middle:.4f}"
        case list():
            text = "\n".join(str(each) for each in value)
        case _:
            text = str(value)
    if len(text) == 64 and not set(text) - set("0123456789abcdef"):
        return f"{text[:16]}…"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _grown(each: Difference) -> str | None:
    if each.change is None:
        return None
    return f"{each.change:+,}" if isinstance(each.change, int) else f"{each.change:+.4f}"
