"""The pages that the command line shows: what a store says, as tables for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from model_release.cli import output as out
from model_release.documents.manifest import AbandonedManifest, FileEntry, Manifest
from model_release.documents.pointer import Change, Pointer
from model_release.documents.version import Version
from model_release.releases.catalog import state_of
from model_release.releases.consumers import Consumers
from model_release.releases.verify import Checked
from model_release.spec.tasks import TASKS

_SHOWN = 20

_STYLES = {
    "live": out.GOOD,
    "quarantined": out.BAD,
    "abandoned": out.CALM,
    "retired": out.CALM,
    "in flight": "yellow",
}


def styled(state: str) -> Text:
    """Return a state in its colour."""
    return Text(state, style=_STYLES.get(state, ""))


def status_page(
    uri: str,
    pointer: Pointer,
    became_live: Change,
    manifest: Manifest | None,
    faults: Sequence[Checked],
    too_old: str | None,
) -> tuple[dict[str, object], list[RenderableType]]:
    """Return what is live, since when, by whom and why, what holds it, and whether its files verify.

    Args:
        uri: of the model's folder.
        pointer: what is live.
        became_live: the change by which it became live.
        manifest: of the live version; None if it cannot be read.
        faults: of the live version's files.
        too_old: that it is older than what was asked for, in words.
    """
    change = pointer.change
    document: dict[str, object] = {
        "uri": uri,
        "version": str(pointer.version),
        "live_since": became_live.at,
        "by": became_live.by,
        "reason": became_live.reason,
        "accuracy": manifest.accuracy if manifest else None,
        "accuracy_measured_on": manifest.accuracy_measured_on if manifest else None,
        "trained": manifest.trained if manifest else None,
        "too_old": too_old,
        "verified": not faults,
        "faults": [{"key": each.key, "fault": each.fault} for each in faults],
        "pointer": pointer.model_dump(mode="json", by_alias=True),
    }
    good = Text("every file has the size and SHA-256 it should have", style=out.GOOD)
    rows: list[tuple[str, RenderableType | None]] = [
        ("live", Text(f"{pointer.version}", style=f"bold {out.GOOD}")),
        ("since", f"{out.when(became_live.at)} UTC (epoch {pointer.since})"),
        ("trained", _trained(manifest, too_old)),
        ("by", became_live.by),
        ("why", became_live.reason),
        *(_headline(manifest) if manifest else []),
        ("ONNX form", manifest.onnx if manifest else None),
        ("not the same twice", manifest.varies if manifest else None),
        ("data as of", out.day(pointer.data_as_of)),
        ("schema revision", str(pointer.schema_revision)),
        ("before it", str(pointer.previous) if pointer.previous else "nothing"),
        ("files", Text(f"{len(faults)} do not verify", style=out.BAD) if faults else good),
        ("holds", "none" if not pointer.holds else None),
    ]
    for hold in pointer.holds:
        words = f"held by {hold.by} since {out.when(hold.at)} UTC: {hold.reason}"
        rows.append(("holds", Text(out.safe(words), style="yellow")))
    rows.append(("quarantined", "none" if not pointer.quarantined else None))
    for name, entry in pointer.quarantined.items():
        words = f"{name} by {entry.by} on {out.day(entry.at)}: {entry.reason}"
        rows.append(("quarantined", Text(out.safe(words), style=out.BAD)))
    if pointer.epoch != pointer.since:
        words = f"{change.kind} by {change.by}, {out.when(change.at)} UTC (epoch {pointer.epoch}): {change.reason}"
        rows.append(("last change", words))
    page: list[RenderableType] = [Text(out.safe(uri), style="bold"), out.facts(rows)]
    if faults:
        page += [out.heading("What does not verify"), faults_table(faults)]
    return document, page


def _trained(manifest: Manifest | None, too_old: str | None) -> Text | None:
    if too_old is not None:
        return Text(too_old, style=out.BAD)
    return Text(_utc(manifest.trained) or "–") if manifest else None


def manifest_page(manifest: Manifest, state: str) -> list[RenderableType]:
    """Return a release manifest as tables."""
    run, data, code, gate, tracked = (
        manifest.run,
        manifest.dataset,
        manifest.code,
        manifest.gate,
        manifest.mlflow,
    )
    page: list[RenderableType] = [
        Text(f"{out.safe(manifest.model_name)} {manifest.version}  ", style="bold") + styled(state),
        out.facts(
            [
                ("trained", _utc(manifest.trained)),
                *_headline(manifest),
                ("ONNX form", manifest.onnx),
                ("not the same twice", manifest.varies),
                ("framework", manifest.framework),
                ("Python", manifest.python_version),
                ("training data", manifest.training_data),
                ("data as of", out.day(data.as_of) if data else None),
                ("rows", f"{data.rows:,}" if data and data.rows is not None else None),
                ("schema revision", str(manifest.schema_revision)),
                ("fingerprint", manifest.fingerprint),
                ("run", " ".join(each for each in (run.dag_id, run.run_id, run.run_type) if each)),
                ("code", " ".join(each for each in (code.package, code.revision) if each) if code else None),
                ("MLflow run", tracked.run_id if tracked else None),
                ("seed", str(manifest.seed) if manifest.seed is not None else None),
            ]
        ),
    ]
    if manifest.metrics:
        rows = [
            (n, out.figure(m.value), out.figure(m.low), out.figure(m.high), m.on) for n, m in manifest.metrics.items()
        ]
        titles = ("Metric", "Value", "95 % low", "high", "Measured on")
        page += [out.heading("Metrics"), out.table(titles, rows, right=titles[1:4])]
    if gate:
        verdict = "accepted" if gate.accepted else "rejected"
        against = f" against {gate.baseline}, live since epoch {gate.since}" if gate.baseline else ""
        overruled = [f"promoted against the verdict by {gate.overruled}"] if gate.overruled else []
        words = [f"{verdict}{against}", *(f"• {each}" for each in [*gate.reasons, *overruled])]
        page += [out.heading("Gate"), Text(out.safe("\n".join(words)))]
    if manifest.input_schema:
        columns = [
            (
                each.name,
                each.kind,
                _allowed(each.minimum, each.maximum, each.values),
                "yes" if each.nullable else "no",
            )
            for each in manifest.input_schema
        ]
        page += [out.heading("Input"), out.table(("Column", "Kind", "Allowed", "May be missing"), columns)]
    if manifest.parameters:
        page += [
            out.heading("Parameters"),
            out.facts((n, str(value)) for n, value in manifest.parameters.items()),
        ]
    if manifest.requirements:
        page += [out.heading("Requirements of the pickles"), out.facts(manifest.requirements.items())]
    page += [out.heading("Files"), files_table(manifest.files)]
    return page


def versions_page(
    found: Iterable[tuple[Version, Manifest | AbandonedManifest | None]], pointer: Pointer | None
) -> tuple[list[dict[str, object]], RenderableType]:
    """Return every number that was taken, newest last."""
    documents: list[dict[str, object]] = []
    rows: list[list[RenderableType | None]] = []
    for version, decided in found:
        state = state_of(version, decided, pointer)
        release = decided if isinstance(decided, Manifest) else None
        total = sum(entry.size for entry in release.files) if release else None
        documents.append(
            {
                "version": str(version),
                "state": state,
                "accuracy": release.accuracy if release else None,
                "accuracy_measured_on": release.accuracy_measured_on if release else None,
                "data_as_of": release.data_as_of if release else None,
                "trained_date": release.trained if release else None,
                "size": total,
                "why": decided.abandoned.reason if isinstance(decided, AbandonedManifest) else None,
            }
        )
        rows.append(
            [
                str(version),
                styled(state),
                out.figure(release.accuracy) if release else None,
                release.accuracy_measured_on if release else None,
                out.day(release.data_as_of) if release else None,
                out.day(release.trained) if release else None,
                out.size(total) if total is not None else None,
            ]
        )
    titles = ("Version", "State", "Accuracy", "Measured on", "Data as of", "Trained", "Size")
    return documents, out.table(titles, rows, right=("Accuracy", "Size"))


def history_page(epochs: Sequence[Pointer]) -> tuple[list[dict[str, object]], RenderableType]:
    """Return every change of the pointer, oldest first."""
    documents: list[dict[str, object]] = []
    rows: list[list[RenderableType | None]] = []
    for pointer in epochs:
        change = pointer.change.model_dump(mode="json", by_alias=True)
        documents.append({"epoch": pointer.epoch, "version": str(pointer.version), **change})
        last = pointer.change
        rows.append(
            [
                str(pointer.epoch),
                out.when(last.at),
                str(pointer.version),
                " ".join(str(each) for each in (last.kind, *last.about)),
                last.by,
                last.reason,
            ]
        )
    titles = ("Epoch", "When (UTC)", "Version", "Kind", "By", "Reason")
    return documents, out.table(titles, rows, right=("Epoch",))


def consumers_page(found: Consumers) -> tuple[list[dict[str, object]], list[RenderableType]]:
    """Return who says that they serve which version, and since when nothing was heard of them."""
    documents: list[dict[str, object]] = []
    rows: list[list[RenderableType | None]] = []
    for each in found.rows:
        said = each.said
        documents.append(
            {
                "consumer": said.consumer,
                "version": str(said.version),
                "epoch": said.epoch,
                "reported": each.at,
                "lags": each.lags,
            }
        )
        state = Text("lags", style="yellow") if each.lags else Text("", style=out.CALM)
        rows.append([said.consumer, str(said.version), state, f"{out.when(each.at)} UTC"])
    page: list[RenderableType] = [out.table(["consumer", "serves", "", "reported"], rows)]
    if not rows:
        page = [Text("no consumer has reported what it serves", style=out.CALM)]
    if found.strange or found.more:
        more = ", and there are more reports than were looked at" if found.more else ""
        page.append(Text(f"{found.strange} objects beside them are no reports{more}", style=out.BAD))
    return documents, page


def faults_table(faults: Iterable[Checked]) -> RenderableType:
    """Return what does not verify."""
    return out.table(
        ("Object", "Fault"), [(each.key, Text(out.safe(each.fault or ""), style=out.BAD)) for each in faults]
    )


def files_table(entries: Iterable[FileEntry]) -> RenderableType:
    """Return files with size and digest; the digest in full is in the JSON."""
    rows = [(each.path, out.size(each.size), f"{each.sha256[:16]}…") for each in entries]
    return out.table(("File", "Size", "SHA-256"), rows, right=("Size",))


def _headline(manifest: Manifest) -> list[tuple[str, str | None]]:
    """Return the accuracy, or the first figure of a task that has none, with what it was measured on."""
    kind = TASKS.get(manifest.answers.task)
    if kind is not None and kind.measure("accuracy") is None:
        figure = manifest.metrics.get(kind.headline[0])
        return [(kind.called(kind.headline[0]), f"{out.figure(figure.value)} ({figure.on})" if figure else None)]
    value, measured_on = out.figure(manifest.accuracy), manifest.accuracy_measured_on
    return [("accuracy", f"{value} ({measured_on})" if value is not None and measured_on is not None else value)]


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else f"{out.when(moment)} UTC"


def _allowed(low: float | None, high: float | None, values: Sequence[float | int | str] | None) -> str | None:
    if values is not None:
        shown = ", ".join(str(value) for value in values[:_SHOWN])
        return shown if len(values) <= _SHOWN else f"{shown} and {len(values) - _SHOWN} more"
    if low is None and high is None:
        return None
    return f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}".strip()
