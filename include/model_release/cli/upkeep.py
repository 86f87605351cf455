"""Commands that keep order: reconcile, prune; and a person's two acts for when home is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from model_release.cli import output as out
from model_release.cli.acts import ActOptions, Target, Unopened, opener, show_acted
from model_release.cli.app import app
from model_release.cli.destinations import Also, Model
from model_release.documents.version import Version
from model_release.releases import prune as pruning
from model_release.releases import recover as recovery
from model_release.releases.catalog import no_model
from model_release.releases.store import Follower, ReleaseStore
from model_release.releases.sweep import Litter, sweep
from model_release.spec.retention import Retention
from model_release.stores import open_store
from model_release.workflows.destinations import Destinations


@app.command()
def reconcile(*, model: Model, output: out.Output) -> None:
    """Bring the log, every destination, latest/ and the registry to home's current pointer."""
    destinations = model.destinations()
    done = destinations.reconcile(tell=output.say)
    if done.live is None:
        raise no_model(destinations.home)
    rows: list[tuple[str, RenderableType | None]] = [
        ("live", Text(str(done.live), style=f"bold {out.GOOD}")),
        ("epoch", str(done.epoch) if done.epoch else None),
        *(("made good", each) for each in done.mended or ["nothing was amiss"]),
        *(("lags behind", Text(out.safe(each), style=out.BAD)) for each in done.lagging),
    ]
    output.data({"uri": destinations.home.uri, **done.facts()}, [out.facts(rows)])


@dataclass(frozen=True)
class PruneOptions(ActOptions):
    """Who prunes and why: a group of options."""

    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for the log.")] = "retention"


@app.command()
def prune(
    *,
    model: Model,
    keep: Annotated[int | None, typer.Option("--keep", metavar="N", min=1, help="The last N that were live.")] = None,
    days: Annotated[int | None, typer.Option("--days", metavar="D", min=1, help="What was live within D days.")] = None,
    others: Annotated[
        int | None, typer.Option("--others", metavar="N", min=0, help="The newest N that were never live.")
    ] = None,
    grace_hours: Annotated[
        int | None, typer.Option("--grace-hours", metavar="H", min=1, help="Hours from retiring to removing.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Otherwise only say what would be done.")] = False,
    options: PruneOptions,
    output: out.Output,
) -> None:
    """Retire old versions, remove the files of those retired long enough, and sweep up after runs that died.

    What is live anywhere, and what was live before it, always stays; so do claims and manifests. Give every
    destination, by the spec or by --also: what another one still names is kept.
    """
    destinations = model.destinations()
    options_given = {"live_versions": keep, "days": days, "other_versions": others, "grace_hours": grace_hours}
    changes = {name: value for name, value in options_given.items() if value is not None}
    retention = Retention.model_validate({**destinations.retention.model_dump(), **changes})
    act = options.act()
    if yes:
        made = pruning.prune(destinations.releases, retention, act)
    else:
        made = pruning.plan(destinations.releases, retention)
    litter = sweep(destinations.releases, by=act.by, remove=yes)
    output.data(_pruned(destinations, made, litter, done=yes), _pruning_page(made, litter, done=yes))
    if not yes:
        output.say("nothing was changed; --yes does it")


@app.command()
def recover(
    *,
    uri: Annotated[str, typer.Argument(metavar="URI", help="The model's folder that decides from now on.")],
    version: Target,
    unopened: Unopened = False,
    also: Also = None,
    options: ActOptions,
    output: out.Output,
) -> None:
    """Begin a new lineage where latest.json is lost, unreadable or forked, with VERSION live.

    Name every other destination by --also, so that the new pointer stands above whatever they have seen. At a follower
    whose home is lost, this makes the follower home.
    """
    destinations = Destinations(open_store(uri), [Follower(open_store(each)) for each in also or []])
    done = recovery.recover(destinations.releases, Version.parse(version), options.act(), opens=opener(unopened))
    show_acted(done, destinations, output)


@app.command()
def rehome(
    *,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The model's folder that decides now.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The folder that shall decide.")],
    options: ActOptions,
    output: out.Output,
) -> None:
    """Let another destination decide from now on; everything is copied there first. Pause the model's DAGs before.

    Afterwards make NEW the spec's first destination: a run whose spec disagrees with latest.json stops.
    """
    before, after = open_store(old), open_store(new)
    done = recovery.rehome(ReleaseStore(before), after, options.act())
    show_acted(done, Destinations(after, [Follower(before)]), output)


def _pruned(destinations: Destinations, made: pruning.Plan, litter: list[Litter], *, done: bool) -> dict[str, object]:
    return {
        "uri": destinations.home.uri,
        "done": done,
        "kept": [{"version": str(each.version), "why": each.why} for each in made.fates if each.kept],
        "retired": [{"version": str(each.version), "why": each.why, "size": each.size} for each in made.retiring],
        "waiting": {str(version): end for version, end in made.waiting.items()},
        "removed": [{"version": str(each.version), "files": len(each.files), "size": each.size} for each in made.due],
        "swept": [{"what": each.what, "where": each.where, "files": each.files, "size": each.size} for each in litter],
        "freed": made.freed + sum(each.size for each in litter),
    }


def _pruning_page(made: pruning.Plan, litter: list[Litter], *, done: bool) -> list[RenderableType]:
    rows: list[tuple[RenderableType | None, ...]] = []
    for fate in made.fates:
        style, word = (out.CALM, "kept") if fate.kept else ("yellow", "retired" if done else "to be retired")
        rows.append((str(fate.version), Text(word, style=style), out.size(fate.size), fate.why))
    for version, end in made.waiting.items():
        rows.append((str(version), Text("retired", style="yellow"), None, f"its files go after {out.when(end)} UTC"))
    for fate in made.due:
        word = "removed" if done else "to be removed"
        rows.append((str(fate.version), Text(word, style=out.BAD), out.size(fate.size), fate.why))
    page: list[RenderableType] = [out.table(("Version", "Fate", "Size", "Why"), rows, right=("Size",))]
    if litter:
        swept = [(each.what, each.where, str(each.files), out.size(each.size)) for each in litter]
        page += [
            out.heading("Left by runs that died"),
            out.table(("What", "Where", "Files", "Size"), swept, right=("Files", "Size")),
        ]
    freed = out.size(made.freed + sum(each.size for each in litter))
    page.append(Text(f"\n{'freed' if done else 'to be freed now'} at home and elsewhere: {freed}", style="bold"))
    return page
