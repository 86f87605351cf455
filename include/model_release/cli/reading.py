"""The commands that only read: what is released, what is live and why, and whether its bytes are right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from model_release.cli import output as out
from model_release.cli import pages
from model_release.cli.app import Number, Uri, app
from model_release.client.memory import age, check_age
from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Change, Pointer
from model_release.documents.version import Version
from model_release.errors import EXIT_CORRUPT, EXIT_TOO_OLD, Corrupt, NotFound, Refused
from model_release.releases import catalog
from model_release.releases.consumers import consumers as who_serves
from model_release.releases.verify import check, live_faults
from model_release.stores import Store, open_store


@app.command()
def status(
    *,
    uri: Uri,
    max_age: Annotated[
        str | None,
        typer.Option(
            metavar="AGE",
            help="End with status 8 if what is live was trained longer ago, such as 30h or 7d; for a monitor.",
        ),
    ] = None,
    output: out.Output,
) -> None:
    """Show what is live, since when, by whom and why, and whether its files verify."""
    most = age(max_age) if max_age is not None else None
    store = open_store(uri)
    pointer = catalog.live_pointer(store)
    output.say(f"reading the files of {pointer.version} …")
    faults = live_faults(store, pointer)
    try:
        manifest = catalog.live_manifest(store, pointer)
    except (NotFound, Corrupt):  # it is among the faults
        manifest = None
    became_live = _became_live(store, pointer)
    too_old = _too_old(pointer.version, manifest, most, where=store.uri)
    output.data(*pages.status_page(store.uri, pointer, became_live, manifest, faults, too_old))
    if faults:
        raise typer.Exit(EXIT_CORRUPT)
    if too_old is not None:
        raise typer.Exit(EXIT_TOO_OLD)


@app.command()
def show(*, uri: Uri, version: Number = None, output: out.Output) -> None:
    """Show the manifest of a version: what it is, what it was made of, why it was accepted."""
    store = open_store(uri)
    live = catalog.read_pointer(store)
    pointer = live.pointer if live else None
    if version is None:
        manifest = catalog.live_manifest(store, catalog.live_pointer(store))
    else:
        manifest = catalog.published(store, Version.parse(version))
    state = catalog.state_of(manifest.version, manifest, pointer)
    document = {"uri": store.uri, "state": state, "metadata": manifest.to_json()}
    output.data(document, pages.manifest_page(manifest, state))


@app.command("list")
def list_versions(*, uri: Uri, output: out.Output) -> None:
    """List every version: its state, accuracy, data and size."""
    store = open_store(uri)
    numbers = catalog.versions(store)
    live = catalog.read_pointer(store)
    pointer = live.pointer if live else catalog.live_pointer(store) if not numbers else None
    found = [(each, catalog.read_version(store, each)) for each in numbers]
    documents, page = pages.versions_page(found, pointer)
    output.data({"uri": store.uri, "versions": documents}, [page])


@app.command()
def history(
    *,
    uri: Uri,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="Only the change that decided what was live at this moment, in UTC unless it says otherwise.",
        ),
    ] = None,
    output: out.Output,
) -> None:
    """Show every change of `latest`: when, to which version, by whom and why."""
    store = open_store(uri)
    catalog.live_pointer(store)
    epochs = [*catalog.history(store)]
    if at is not None:
        moment = at if at.tzinfo else at.replace(tzinfo=UTC)
        epochs = [each for each in epochs if each.change.at <= moment][-1:]
        if not epochs:
            raise NotFound(f"nothing was live on {moment:%Y-%m-%d %H:%M} UTC", where=store.uri)
    documents, page = pages.history_page(epochs)
    output.data({"uri": store.uri, "history": documents}, [page])


@app.command()
def consumers(*, uri: Uri, output: out.Output) -> None:
    """Show which version each consumer says that it serves, if it reports so: `serve --report-to store`."""
    store = open_store(uri)
    live = catalog.read_pointer(store)
    found = who_serves(store, live.pointer if live else None)
    documents, page = pages.consumers_page(found)
    output.data({"uri": store.uri, "consumers": documents, "strange": found.strange, "more": found.more}, page)


@app.command()
def verify(
    *,
    uri: Uri,
    version: Number = None,
    every: Annotated[bool, typer.Option("--all", help="Every published version.")] = False,
    trust: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="Public key, or root certificate, of the signer that each version must have."),
    ] = None,
    output: out.Output,
) -> None:
    """Read every byte and compare it with the manifest, and that with `latest.json`. Exit status 5 if any differs."""
    if every and version is not None:
        raise typer.BadParameter("give a VERSION or --all, not both")
    store = open_store(uri)
    checked = []
    for each in check(store, Version.parse(version) if version else None, every=every, trust=trust):
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


def _too_old(version: Version, manifest: Manifest | None, most: timedelta | None, *, where: str) -> str | None:
    """Return that the live version is older than what is asked for, in words; None if it is not, or is unreadable."""
    if manifest is None:
        return None
    try:
        check_age(version, manifest.trained, most, now=datetime.now(UTC), where=where)
    except Refused as error:
        return error.what
    return None


def _became_live(store: Store, pointer: Pointer) -> Change:
    """Return the change that made the live version live; later ones may have been holds."""
    if pointer.since != pointer.epoch:
        key = layout.log_entry(pointer.since)
        stored = store.get(key)
        if stored is not None:
            return Pointer.read(stored.body, where=f"{store.uri}/{key}").change
    return pointer.change
