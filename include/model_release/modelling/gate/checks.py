"""The gate's questions, one function each, and whether a figure is a number at all. For `verdict`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from model_release.documents.evaluation import ColumnDrift, Costs, Drift, Evaluation, Interval, Scores
from model_release.documents.metric import Metric
from model_release.documents.output import Output
from model_release.documents.verdict import Check
from model_release.spec.gate import Ceilings, DriftPolicy, Floors, GatePolicy, MistakeCosts, SlicePolicy
from model_release.spec.tasks import TaskKind, kind_of


def floors(
    policy: GatePolicy, intervals: Mapping[Metric, Interval], scores: Scores, evaluation: Evaluation
) -> list[Check]:
    """Ask for the floors on cross-validation and on the holdout; one of them at least must be set."""
    measured: list[tuple[str, Floors, Mapping[Metric, float | None]]] = [
        (
            "cross-validation",
            policy.cross_validation,
            {metric: each.mean for metric, each in intervals.items()},
        ),
        (f"holdout of {evaluation.holdout_rows} rows", policy.holdout, scores.holdout),
    ]
    kind = policy.extended(kind_of(evaluation.task))
    checks = [
        _floor(kind, place, metric, floor, figures.get(metric))
        for place, configured, figures in measured
        for metric, floor in configured.items()
    ]
    return checks or [
        Check(
            name="floors",
            passed=False,
            words="the spec sets no floor, and a gate without a floor accepts nothing",
        )
    ]


def slices(policy: Sequence[SlicePolicy], scores: Scores, kind: TaskKind) -> list[Check]:
    """Ask for the floors of each group that has rows enough; of a smaller one, say so."""
    checks = []
    for wanted in policy:
        floors = wanted.floors
        groups = [each for each in scores.slices if each.column == wanted.column]
        if floors and not groups:
            words = f"the slices by {wanted.column} were not measured"
            checks.append(Check(name=f"slices by {wanted.column}", passed=False, words=words))
        for each in groups if floors else []:
            place = f"{each.group} ({each.rows} rows)"
            if each.rows < wanted.min_rows:
                words = f"{place} is too small to be judged: at least {wanted.min_rows} rows are needed"
                checks.append(Check(name=each.group, passed=True, words=words))
                continue
            means = {metric: interval.mean for metric, interval in each.figures.items() if interval is not None}
            checks += [_floor(kind, place, metric, floor, means.get(metric)) for metric, floor in floors.items()]
    return checks


def ceilings(policy: Ceilings, costs: Costs | None) -> list[Check]:
    """Ask for what the model costs to serve, in the form that loaders take first."""
    checks = []
    if policy.latency_p95_ms is not None:
        form, latency = next(iter(costs.latency_p95_ms.items()), ("", None)) if costs else ("", None)
        what = f"latency of one row ({form}, 95th percentile)" if form else "latency of one row"
        checks.append(_ceiling("latency", what, latency, policy.latency_p95_ms, "{:.2f} ms"))
    if policy.artifact_bytes is not None:
        size = costs.artifact_bytes if costs else None
        checks.append(_ceiling("size", "size of the files", size, policy.artifact_bytes, "{:,} bytes"))
    return checks


def drift(policy: DriftPolicy, found: Drift | None) -> list[Check]:
    """Ask whether the data is still what the champion was trained on, and do about it what the policy says."""
    if found is None or policy.policy == "ignore":
        return []
    if found.unmeasured is not None:
        words = f"drift of the data since {found.champion} was not measured: {found.unmeasured}"
        return [Check(name="drift", passed=True, words=words)]
    moved = drifted(found, policy)
    if not moved:
        words = f"the data has not drifted since {found.champion}"
        return [Check(name="drift", passed=True, words=words)]
    stops = policy.policy == "stop"
    words = (
        f"the data has drifted since {found.champion}: {'; '.join(f'{name} ({why})' for name, why in moved.items())}"
    )
    return [Check(name="drift", passed=not stops, warning=not stops, words=words)]


def drifted(found: Drift, policy: DriftPolicy) -> dict[str, str]:
    """Return the columns that have drifted by the policy, each with what changed, in words."""
    moved = {each.column: _changes(each, policy) for each in found.columns}
    if found.target is not None:
        moved[found.target.column] = _changes(found.target, policy)
        before, now = found.target_before, found.target_now
        if (
            before is not None
            and now is not None
            and abs(now - before) > policy.target
            and _no_accident(found.target, policy)
        ):
            moved[found.target.column].append(f"positive {before:.1%} before, {now:.1%} now")
    return {name: ", ".join(changes) for name, changes in moved.items() if changes}


def _changes(column: ColumnDrift, policy: DriftPolicy) -> list[str]:
    changes: list[str] = []
    if not _no_accident(column, policy):
        return changes
    if column.psi is not None and column.psi >= policy.psi:
        changes.append(f"PSI {column.psi:.2f}")
    if abs(column.missing_now - column.missing_before) > policy.missing:
        changes.append(f"missing {column.missing_before:.1%} before, {column.missing_now:.1%} now")
    if column.new_values:
        changes.append(f"new: {', '.join(column.new_values)}")
    return changes


def _no_accident(column: ColumnDrift, policy: DriftPolicy) -> bool:
    return column.p_value is not None and column.p_value < policy.significance


def dummy(policy: GatePolicy, intervals: Mapping[Metric, Interval], evaluation: Evaluation) -> list[Check]:
    """Ask for a loss below that of the best constant answer."""
    if not policy.beat_dummy:
        return []
    kind = policy.extended(kind_of(evaluation.task))
    guessing, mine = evaluation.dummy, intervals[evaluation.loss].mean
    if guessing is None:
        words = f"the dummy's {kind.called(evaluation.loss)} was not measured"
        return [Check(name="better than a dummy", passed=False, words=words)]
    passed = mine < guessing
    words = (
        f"{evaluation.loss} is {mine:.4f}, {'better' if passed else 'no better'} than the {guessing:.4f} "
        f"of {kind.constant}"
    )
    return [Check(name="better than a dummy", passed=passed, words=words, value=mine, threshold=guessing)]


def undefined(scores: Scores) -> list[Check]:
    """Tell which figures were undefined in some folds, though no floor and no choice needs them."""
    counts = {metric: len(values) - len(finite(values)) for metric, values in scores.folds.items()}
    found = [f"{metric} in {count} of {len(scores.folds[metric])} folds" for metric, count in counts.items() if count]
    words = f"undefined, and no floor asks for it: {', '.join(found)}"
    return [Check(name="undefined figures", passed=True, words=words)] if found else []


def forms(evaluation: Evaluation, chosen: str) -> list[Check]:
    """Ask for the ONNX form, if a release must have it, and name candidates that were passed over without it."""
    without, needed = evaluation.without_onnx, evaluation.needs_onnx
    if needed is None:
        return []
    if chosen in without:
        words = f"{chosen} has no ONNX form, and a release must have one, since {needed}: {without[chosen]}"
        return [Check(name="ONNX form", passed=False, words=words)]
    said = [f"{name} was passed over, since it has no ONNX form ({words})" for name, words in without.items()]
    words = "; ".join([f"{chosen} has an ONNX form, which a release must have, since {needed}", *said])
    return [Check(name="ONNX form", passed=True, words=words)]


def columns(evaluation: Evaluation) -> list[Check]:
    """Refuse a change of the columns that consumers must follow, and that no rise of `schema_revision` tells them."""
    if not evaluation.schema_changes:
        return []
    words = (
        f"consumers of the live version could not follow: {'; '.join(evaluation.schema_changes)}; raise the spec's "
        "schema_revision, which makes the next version a major one"
    )
    return [Check(name="columns", passed=False, words=words)]


def threshold(policy: GatePolicy, output: Output | None) -> list[Check]:
    """Tell the border between two classes, unless it is one half."""
    if output is None or output.form != "probability" or (policy.tuned_for is None and output.threshold == 0.5):
        return []
    match policy.tuned_for:
        case None:
            why = "as the spec says"
        case MistakeCosts(false_positive=positive, false_negative=negative):
            costs = f"{positive:g} for a false positive and {negative:g} for a false negative"
            why = f"tuned on rows left out of training for costs of {costs}"
        case figure:
            why = f"tuned on rows left out of training for {figure}"
    words = f"a row is called {output.classes[1]} above a probability of {output.threshold:.4g}, {why}"
    return [Check(name="threshold", passed=True, words=words, value=output.threshold)]


def interval(output: Output | None, scores: Scores) -> list[Check]:
    """Tell how wide the interval of an answer is, and how many rows that were set apart it held; none without one."""
    if output is None or output.interval is None:
        return []
    found, unit = output.interval, f" {output.unit}" if output.unit else ""
    match found.transform:
        case None:
            reach = f"reaches {found.reach:.4g}{unit} to either side of the answer"
        case "log":
            reach = f"reaches from the answer divided by {math.exp(found.reach):.4g} to it times as much"
        case "log1p":
            reach = f"reaches from the answer divided by {math.exp(found.reach):.4g} to it times as much, each plus 1"
    held = scores.holdout.get("coverage")
    measured = "was not measured, as no rows were set apart" if held is None else f"is {held:.1%} on the holdout"
    words = f"the interval for {found.level:.0%} of new rows {reach}; its coverage {measured}"
    return [Check(name="interval", passed=True, words=words, value=held)]


def _floor(kind: TaskKind, place: str, metric: Metric, floor: float, value: float | None) -> Check:
    if value is None or not math.isfinite(value):
        passed, words = False, f"{metric} on {place} was not measured"
    elif kind.less_is_better(metric):
        passed = value <= floor
        words = f"{metric} on {place} is {value:.4f}, {'at most' if passed else 'above'} the {floor:.4f} allowed"
    else:
        passed = value >= floor
        words = f"{metric} on {place} is {value:.4f}, {'at least' if passed else 'below'} the {floor:.4f} required"
    return Check(name=f"{metric} on {place}", passed=passed, words=words, value=value, threshold=floor)


def _ceiling(name: str, what: str, value: float | None, ceiling: float, unit: str) -> Check:
    if value is None:
        return Check(name=name, passed=False, words=f"{what} was not measured", threshold=ceiling)
    passed = value <= ceiling
    words = f"{what} is {unit.format(value)}, {'at most' if passed else 'above'} the {unit.format(ceiling)} allowed"
    return Check(name=name, passed=passed, words=words, value=value, threshold=ceiling)


def unsound(scores: Scores, loss: Metric, *, floors: Floors, holdout: Floors) -> list[str]:
    """Return the names of a recipe's figures that are needed and that are not finite numbers, or not there at all.

    Args:
        scores: of the recipe.
        loss: the figure that recipes are compared by, in cross-validation.
        floors: what else is needed there.
        holdout: what is needed on the holdout.
    """
    folds = [
        f"{metric} in cross-validation"
        for metric, each in scores.folds.items()
        if metric in {loss, *floors} and _has_hole(each)
    ]
    apart = [
        f"{metric} on the holdout" for metric, each in scores.holdout.items() if metric in holdout and _has_hole([each])
    ]
    intervals = [
        f"the interval of {metric} on the holdout"
        for metric, each in scores.holdout_intervals.items()
        if metric in holdout and _is_hole(each) and f"{metric} on the holdout" not in apart
    ]
    missing = [] if scores.folds.get(loss) else [f"{loss} in cross-validation"]
    return folds + apart + intervals + missing


def unsound_beside(evaluation: Evaluation, chosen: str, policy: GatePolicy) -> list[str]:
    """Return the names of the needed figures beside the chosen candidate's scores that are not finite numbers."""
    asked = {each.column: each for each in policy.slices}
    groups = [
        f"{metric} on {each.group}"
        for each in evaluation.candidates[chosen].slices
        if each.column in asked and each.rows >= asked[each.column].min_rows
        for metric, interval in each.figures.items()
        if metric in asked[each.column].floors and _is_hole(interval)
    ]
    costs = evaluation.costs.get(chosen)
    latency = costs.latency_p95_ms if costs else {}
    times = [f"latency in the form {form}" for form, each in latency.items() if _has_hole([each])]
    return groups + times + _unsound_drift(evaluation.drift)


def _unsound_drift(found: Drift | None) -> list[str]:
    if found is None or found.unmeasured is not None:
        return []
    columns = [*found.columns, *([found.target] if found.target else [])]
    ends = [found.target_before, found.target_now]
    shares = _has_hole(ends) and ends != [None, None]  # which a target has that is not of two classes
    return [
        *(
            f"drift of {each.column}"
            for each in columns
            if _has_hole([each.psi, each.p_value, each.missing_before, each.missing_now])
        ),
        *(["the positive class's share"] if shares else []),
    ]


def finite(values: Iterable[float | None]) -> list[float]:
    """Return the values that are finite numbers."""
    return [value for value in values if value is not None and math.isfinite(value)]


def _is_hole(interval: Interval | None) -> bool:
    return interval is None or _has_hole([interval.mean, interval.low, interval.high])


def _has_hole(values: Iterable[float | None]) -> bool:
    return any(value is None or not math.isfinite(value) for value in values)
