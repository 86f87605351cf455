"""The gate's questions, one function each, and whether a figure is a number at all. For `verdict`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from model_release.documents.evaluation import ColumnDrift, Costs, Drift, Evaluation, Interval, Scores
from model_release.documents.metric import Metric
from model_release.documents.verdict import Check
from model_release.spec.gate import Ceilings, DriftPolicy, Floors, GatePolicy, SlicePolicy


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
    checks = [
        _floor(place, metric, floor, figures.get(metric))
        for place, configured, figures in measured
        for metric, floor in configured.configured().items()
    ]
    return checks or [
        Check(
            name="floors",
            passed=False,
            words="the spec sets no floor, and a gate without a floor accepts nothing",
        )
    ]


def slices(policy: Sequence[SlicePolicy], scores: Scores) -> list[Check]:
    """Ask for the floors of each group that has rows enough; of a smaller one, say so."""
    checks = []
    for wanted in policy:
        floors = wanted.floors.configured()
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
            checks += [_floor(place, metric, floor, means.get(metric)) for metric, floor in floors.items()]
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
    """Ask for a Brier score below that of always answering the positive class's share."""
    if not policy.beat_dummy:
        return []
    guessing, mine = evaluation.dummy_brier, intervals[Metric.BRIER].mean
    if guessing is None:
        return [Check(name="better than a dummy", passed=False, words="the dummy's Brier score was not measured")]
    passed = mine < guessing
    words = f"brier is {mine:.4f}, {'better' if passed else 'no better'} than the {guessing:.4f} of guessing the share"
    return [Check(name="better than a dummy", passed=passed, words=words, value=mine, threshold=guessing)]


def _floor(place: str, metric: Metric, floor: float, value: float | None) -> Check:
    if value is None or not math.isfinite(value):
        passed, words = False, f"{metric} on {place} was not measured"
    elif metric is Metric.BRIER:
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


def unsound(scores: Scores) -> list[str]:
    """Return the names of a recipe's figures that are not finite numbers, or not there at all."""
    folds = [f"{metric} in cross-validation" for metric, each in scores.folds.items() if _has_hole(each)]
    holdout = [f"{metric} on the holdout" for metric, each in scores.holdout.items() if _has_hole([each])]
    intervals = [
        f"the interval of {metric} on the holdout"
        for metric, each in scores.holdout_intervals.items()
        if _is_hole(each) and f"{metric} on the holdout" not in holdout
    ]
    missing = [] if len(scores.folds.get(Metric.BRIER, [])) > 1 else ["brier in cross-validation"]
    return folds + holdout + intervals + missing


def unsound_beside(evaluation: Evaluation, chosen: str, policy: GatePolicy) -> list[str]:
    """Return the names of the figures beside the chosen candidate's scores that are not finite numbers."""
    smallest = {each.column: each.min_rows for each in policy.slices}
    groups = [
        f"{metric} on {each.group}"
        for each in evaluation.candidates[chosen].slices
        if each.rows >= smallest.get(each.column, each.rows + 1)
        for metric, interval in each.figures.items()
        if _is_hole(interval)
    ]
    costs = evaluation.costs.get(chosen)
    latency = costs.latency_p95_ms if costs else {}
    times = [f"latency in the form {form}" for form, each in latency.items() if _has_hole([each])]
    return groups + times + _unsound_drift(evaluation.drift)


def _unsound_drift(found: Drift | None) -> list[str]:
    if found is None or found.unmeasured is not None:
        return []
    columns = [*found.columns, *([found.target] if found.target else [])]
    shares = _has_hole([found.target_before, found.target_now])
    return [
        *(
            f"drift of {each.column}"
            for each in columns
            if _has_hole([each.psi, each.p_value, each.missing_before, each.missing_now])
        ),
        *(["the positive class's share"] if shares else []),
    ]


def finite(values: Iterable[float | None]) -> list[float]:
    """Return the values without the holes."""
    return [value for value in values if value is not None]


def _is_hole(interval: Interval | None) -> bool:
    return interval is None or _has_hole([interval.mean, interval.low, interval.high])


def _has_hole(values: Iterable[float | None]) -> bool:
    return any(value is None or not math.isfinite(value) for value in values)
