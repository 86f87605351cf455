"""Commands by which a person changes what is live: promote, roll back, hold, quarantine. Each says who and why."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from model_release.cli import output as out
from model_release.cli.app import app
from model_release.cli.destinations import Model
from model_release.documents.version import Version
from model_release.errors import EXIT_LAGGING, ModelReleaseError, UsageError
from model_release.model_files.sandbox import tries
from model_release.releases.acts import Act, Acted
from model_release.releases.eligibility import Try
from model_release.releases.request import Action, Request
from model_release.workflows.destinations import Destinations
from model_release.workflows.messages import ReconcileOutcome
from model_release.workflows.operate import Operation

LAGS = "The other destinations lag behind; they follow with the next run, or by `model-release reconcile`"

Target = Annotated[str, typer.Argument(metavar="VERSION", help="Such as v1.4.0.")]
Unopened = Annotated[bool, typer.Option("--unopened", help="Even if none of the version's forms can be loaded here.")]
By = Annotated[str | None, typer.Option("--by", help="Who, for the log; else this machine's user.")]


@dataclass(frozen=True)
class ActOptions:
    """Who changes something and why: a group of options."""

    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for the log.", prompt="Why")]
    by: By = None
    operation: Annotated[
        str | None,
        typer.Option("--operation", help="Id of the act. Else it follows from the epoch, the action and its target."),
    ] = None

    def act(self) -> Act:
        """Return the act that the options describe.

        Raises:
            UsageError: the reason is empty, or the user has no name.
        """
        if not self.reason.strip():
            raise UsageError("no reason is given", hint="say why with --reason; the log keeps it for ever")
        return Act(by=author(self.by), reason=self.reason.strip(), operation=self.operation)


@dataclass(frozen=True)
class RequestOptions(ActOptions):
    """Who asks for an act on what is live, why, and on what they saw: a group of options."""

    epoch: Annotated[
        int | None,
        typer.Option(
            "--epoch", help="The epoch that `status` showed; refused if latest moved since. Else that of now."
        ),
    ] = None

    def request(
        self, action: Action, version: str | None = None, *, overrule: bool = False, unopened: bool = False
    ) -> Request:
        """Return the request that the options describe.

        Raises:
            UsageError: it makes no sense, whatever is live.
        """
        act = self.act()
        return Request(
            action=action,
            reason=act.reason,
            by=act.by,
            operation=act.operation,
            version=Version.parse(version) if version else None,
            epoch=self.epoch,
            overrule=overrule,
            unopened=unopened,
        )


@app.command()
def rollback(
    *,
    model: Model,
    to: Annotated[str | None, typer.Option("--to", metavar="VERSION", help="Else what was live before.")] = None,
    unopened: Unopened = False,
    options: RequestOptions,
    output: out.Output,
) -> None:
    """Go back to what was live before, hold latest there, and quarantine what it leaves."""
    _perform(options.request(Action.ROLLBACK, to, unopened=unopened), model, output)


@app.command()
def promote(
    *,
    model: Model,
    version: Target,
    overrule: Annotated[
        bool, typer.Option("--overrule", help="Even if no gate accepted it against what is live.")
    ] = False,
    unopened: Unopened = False,
    options: RequestOptions,
    output: out.Output,
) -> None:
    """Make a published version live. Holds, quarantine and the order of data stand."""
    _perform(options.request(Action.PROMOTE, version, overrule=overrule, unopened=unopened), model, output)


@app.command()
def hold(*, model: Model, options: RequestOptions, output: out.Output) -> None:
    """Keep latest where it is: retrain runs publish, and do not promote."""
    _perform(options.request(Action.HOLD), model, output)


@app.command()
def unhold(*, model: Model, options: RequestOptions, output: out.Output) -> None:
    """Lift every hold, so that the next run may move latest again."""
    _perform(options.request(Action.UNHOLD), model, output)


@app.command()
def quarantine(
    *,
    model: Model,
    version: Target,
    lift: Annotated[bool, typer.Option("--lift", help="Take it out again, if it was put there by mistake.")] = False,
    options: RequestOptions,
    output: out.Output,
) -> None:
    """Bar a version from ever being live, or the baseline of a verdict."""
    _perform(options.request(Action.LIFT if lift else Action.QUARANTINE, version), model, output)


def author(by: str | None) -> str:
    """Return who acts: the name that the option gives, else this machine's user.

    Raises:
        UsageError: there is neither.
    """
    try:
        return by or getpass.getuser()
    except (KeyError, OSError) as error:  # a container's user may have no name
        raise UsageError("this machine's user has no name", hint="say who it is with --by") from error


def opener(unopened: bool) -> Try | None:
    """Return the function that tries whether a version loads; None if a person has overruled it."""
    return None if unopened else tries


def show_acted(done: Acted, destinations: Destinations, output: out.Output) -> None:
    """Let the other destinations follow what was done at home, and show it all.

    A destination that cannot follow now does so with the next run. The act is done all the same.
    """
    pointer = done.pointer
    output.say(f"{pointer.change.kind}: {pointer.version} is live at home, epoch {pointer.epoch}; the others follow …")
    reconciled = reconcile_after(destinations)
    document = {
        "uri": destinations.home.uri,
        "repeated": done.repeated,
        "pointer": pointer.model_dump(mode="json", by_alias=True),
        **reconciled.facts(),
    }
    output.data(document, _page(done, reconciled.mended, reconciled.lagging))
    end(reconciled, f"{pointer.change.kind} is done at home: {pointer.version} is live, epoch {pointer.epoch}", output)


def reconcile_after(destinations: Destinations) -> ReconcileOutcome:
    """Let everything follow what was done at home; a failure is reported, since the act is done."""
    try:
        return destinations.reconcile(waits=False)
    except ModelReleaseError as error:  # home's pointer or log cannot be read any more
        return ReconcileOutcome(live=None, epoch=None, mended=[], lagging=[str(error)], complete=False)


def end(reconciled: ReconcileOutcome, done: str, output: out.Output) -> None:
    """End with a status of its own if home has moved and a required destination could not follow.

    Args:
        reconciled: how far everything follows.
        done: what has happened at home, in words.
        output: of the command; the one sentence is printed even if it is quiet.
    """
    if not reconciled.complete:
        output.tell(f"{done}; do not repeat it. {LAGS}")
        raise typer.Exit(EXIT_LAGGING)


def _perform(request: Request, model: Model, output: out.Output) -> None:
    operation = Operation(model.destinations(), request)
    show_acted(operation.perform(request.epoch), operation.destinations, output)


_BEFORE = "by an earlier attempt; for another act of this kind, name the epoch that you see with --epoch"


def _page(done: Acted, mended: list[str], lagging: list[str]) -> list[RenderableType]:
    pointer = done.pointer
    change = pointer.change
    about = ", ".join(str(each) for each in change.about)
    held = "; ".join(f"{each.reason} ({each.by})" for each in pointer.holds)
    return [
        out.facts(
            [
                ("done", f"{change.kind} {about}".strip() + (f", {_BEFORE}" if done.repeated else "")),
                ("live", Text(str(pointer.version), style=f"bold {out.GOOD}")),
                ("before", str(change.from_version) if change.from_version != pointer.version else None),
                ("epoch", str(pointer.epoch)),
                ("by", change.by),
                ("why", change.reason),
                ("held", held or "no"),
                ("quarantined", ", ".join(pointer.quarantined) or "none"),
                *(("made good", each) for each in mended),
                *(("lags behind", Text(out.safe(each), style=out.BAD)) for each in lagging),
            ]
        )
    ]
