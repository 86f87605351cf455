"""`model-release`: the command line, thin over `release`. Commands only read; whoever changes something is a DAG.

Data goes to stdout and everything else to stderr. The exit status tells what the caller can do about an error:
0 done, 1 failed, 2 usage or a bad spec, 3 refused by a rule, 4 credentials, 5 verification failed,
6 doctor found something, 75 try again, 130 interrupted.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperGroup

from model_release import __version__, layout
from model_release.cli import output as out
from model_release.cli import pages
from model_release.errors import (
    EXIT_CORRUPT,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    Corrupt,
    ModelReleaseError,
    NotFound,
    SpecError,
)
from model_release.pointer import Change, Pointer
from model_release.release import catalog
from model_release.release.verify import check, live_faults
from model_release.specfile import load_spec
from model_release.stores import Store, open_store
from model_release.version import Version


class _Commands(TyperGroup):
    """Ends every command with the exit status of its error."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Exit(EXIT_INTERRUPTED) from error
        except ModelReleaseError as error:
            if out.debugging():
                raise
            out.tell_error(error, as_json=as_json)
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    cls=_Commands,
    name="model-release",
    help="See what is released, what is live and why, and whether its bytes are right.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Uri = Annotated[
    str,
    typer.Argument(metavar="URI", help="A model's folder, such as file:///srv/store/heart-disease-models."),
]
Number = Annotated[str | None, typer.Argument(metavar="[VERSION]", help="Such as v1.4.0; else the live one.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No words and no progress on stderr.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"model-release {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Nothing but `--version` stands before the command."""


@app.command()
def status(uri: Uri, json: Json = False, quiet: Quiet = False) -> None:
    """Show what is live, since when, by whom and why, and whether its files verify."""
    output = out.Output(json, quiet)
    store = open_store(uri)
    pointer = catalog.live_pointer(store)
    output.say(f"reading the files of {pointer.version} …")
    faults = live_faults(store, pointer)
    try:
        manifest = catalog.live_manifest(store, pointer)
    except (NotFound, Corrupt):  # it is among the faults
        manifest = None
    became_live = _became_live(store, pointer)
    output.data(*pages.status_page(store.uri, pointer, became_live, manifest, faults))
    if faults:
        raise typer.Exit(EXIT_CORRUPT)


@app.command()
def show(uri: Uri, version: Number = None, json: Json = False, quiet: Quiet = False) -> None:
    """Show the manifest of a version: what it is, what it was made of, why it was accepted."""
    store = open_store(uri)
    live = catalog.read_pointer(store)
    pointer = live.pointer if live else None
    if version is None:
        manifest = catalog.live_manifest(store, catalog.live_pointer(store))
    else:
        manifest = catalog.published(store, Version.parse(version))
    state = pages.state_of(manifest.version, manifest, pointer)
    document = {"uri": store.uri, "state": state, "metadata": manifest.model_dump(mode="json", by_alias=True)}
    out.Output(json, quiet).data(document, pages.manifest_page(manifest, state))


@app.command("list")
def list_versions(uri: Uri, json: Json = False, quiet: Quiet = False) -> None:
    """List every version: its state, accuracy, data and size."""
    store = open_store(uri)
    numbers = catalog.versions(store)
    live = catalog.read_pointer(store)
    pointer = live.pointer if live else catalog.live_pointer(store) if not numbers else None
    found = [(each, catalog.read_version(store, each)) for each in numbers]
    documents, page = pages.versions_page(found, pointer)
    out.Output(json, quiet).data({"uri": store.uri, "versions": documents}, [page])


@app.command()
def history(uri: Uri, json: Json = False, quiet: Quiet = False) -> None:
    """Show every change of `latest`: when, to which version, by whom and why."""
    store = open_store(uri)
    catalog.live_pointer(store)
    documents, page = pages.history_page([*catalog.history(store)])
    out.Output(json, quiet).data({"uri": store.uri, "history": documents}, [page])


@app.command()
def verify(
    uri: Uri,
    version: Number = None,
    every: Annotated[bool, typer.Option("--all", help="Every published version.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read every byte and compare it with the manifest, and that with `latest.json`. Exit status 5 if any differs."""
    if every and version is not None:
        raise typer.BadParameter("give a VERSION or --all, not both")
    output = out.Output(json, quiet)
    store = open_store(uri)
    checked = []
    for each in check(store, Version.parse(version) if version else None, every=every):
        checked.append(each)
        output.say(f"{each.key}  {each.fault or out.size(each.size)}", style=out.BAD if each.fault else out.CALM)
    faults = [each for each in checked if each.fault is not None]
    document = {
        "uri": store.uri,
        "verified": not faults,
        "checked": [{"key": each.key, "size": each.size, "fault": each.fault} for each in checked],
    }
    words = f"{len(checked)} objects, {out.size(sum(each.size for each in checked))}: "
    if faults:
        verdict = Text(f"{words}{len(faults)} do not verify", style=out.BAD)
        output.data(document, [verdict, pages.faults_table(faults)])
        raise typer.Exit(EXIT_CORRUPT)
    output.data(document, [Text(f"{words}all verify", style=out.GOOD)])


@app.command()
def lint(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...", help="Files that describe models.")],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check model specs. Where scikit-learn is installed, each candidate is tried on made-up rows too."""
    output = out.Output(json, quiet)
    if find_spec("sklearn") is None:
        output.say("scikit-learn is not installed: the candidates' parameters are not tried")
    documents: list[dict[str, object]] = []
    lines: list[Text] = []
    for path in specs:
        fault = _fault(path)
        documents.append({"spec": str(path), "fault": fault})
        mark = Text("✗ ", style=out.BAD) if fault else Text("✓ ", style=out.GOOD)
        lines.append(mark + Text(out.safe(f"{path}: {fault}" if fault else str(path))))
    failed = any(each["fault"] for each in documents)
    output.data({"valid": not failed, "specs": documents}, lines)
    if failed:
        raise typer.Exit(EXIT_USAGE)


def _became_live(store: Store, pointer: Pointer) -> Change:
    """Return the change that made the live version live; later ones may have been holds."""
    if pointer.since != pointer.epoch:
        key = layout.log_entry(pointer.since)
        stored = store.get(key)
        if stored is not None:
            return Pointer.read(stored.body, where=f"{store.uri}/{key}").change
    return pointer.change


def _fault(path: Path) -> str | None:
    try:
        spec = load_spec(path)
        if find_spec("sklearn") is not None:
            from model_release.training.recipes import check_recipe

            for name, candidate in spec.candidates.items():
                check_recipe(candidate, name=name)
    except SpecError as error:
        return error.what if error.hint is None else f"{error.what}\n  → {error.hint}"
    return None


def main() -> None:
    """The console script."""
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)  # says in thirty lines what our error says in two
    app()
