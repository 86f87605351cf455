"""Candidates and champion on the same rows and folds: what the gate judges. Called by the nightly chain.

The champion is measured by its recipe, refitted fold by fold like every candidate. Its stored model has seen
rows that tonight's folds would test it on, and would win every night.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence, Set
from functools import partial

from pydantic import ValidationError

from model_release.documents.compatibility import breaking_changes
from model_release.documents.evaluation import Champion, Drift, Evaluation, Scores
from model_release.documents.manifest import FileEntry, Manifest, Measured
from model_release.documents.verdict import Decision
from model_release.errors import Refused
from model_release.model_files.opening import ONNX_FILE, forms
from model_release.model_files.own_code import wheels
from model_release.modelling.dataset import Positions, Rows, input_schema, rows_apart
from model_release.modelling.folds import folds_in_words, holdout_in_words, sample_of
from model_release.modelling.tasks import Task, task_of
from model_release.modelling.tasks.base import Weight
from model_release.modelling.tasks.own import constant, own_metrics
from model_release.modelling.trained import Trained
from model_release.spec.candidate import Candidate
from model_release.spec.gate import Choice
from model_release.spec.model import Spec
from model_release.spec.tasks import BINARY

log = logging.getLogger(__name__)


def evaluate(
    spec: Spec,
    trained: Sequence[Trained],
    rows: Rows,
    *,
    snapshot_fingerprint: str,
    champion: tuple[Manifest, int] | None,
    quarantined: str | None = None,
    anchor: tuple[Manifest, str | None] | None = None,
    drift: Drift | None = None,
    own_code: Callable[[Manifest], Sequence[bytes]] = lambda _: (),
) -> Evaluation:
    """Put the candidates in the spec's order of simplicity, the live version's recipe beside them.

    A recipe that a candidate has as well is not fitted again. A live version whose manifest holds no readable
    recipe gets no figures, and the gate rejects what cannot be compared.

    Args:
        spec: the model's spec.
        trained: the candidates, in any order.
        rows: the snapshot, as `dataset.load` returns it.
        snapshot_fingerprint: the fingerprint of that snapshot.
        champion: the manifest of the live version and the epoch since which it is live; None before the first
            release.
        quarantined: why that version is no baseline, in words.
        anchor: the manifest of the version that the champion's successors are compared with beside it, and why that one
            is no baseline, in words; None if that is the champion itself.
        drift: of the data since that version.
        own_code: returns the wheels that a version brings.
    """
    training_rows, holdout_rows = rows_apart(spec, rows)
    order = list(spec.candidates)
    ranked = sorted(trained, key=lambda each: order.index(each.name))
    task, design = task_of(spec), ranked[0].design
    weight = sample_of(spec, rows).take(training_rows).weight
    dummy = _dummy(spec, task, rows, training_rows, weight)
    rivals: list[Champion] = []
    if champion is not None and spec.gate.compare == "always":
        live, since = champion
        for manifest, barred in [(live, quarantined), *([anchor] if anchor else [])]:
            recipe = recipe_of(manifest)
            code = _code(manifest.files)
            twin = next((each for each in ranked if each.recipe == recipe and _code(each.files) == code), None)
            same_task = manifest.answers.task == task.kind.name
            same = rivals and (recipe, code) == (recipe_of(live), _code(live.files))
            measured = recipe is not None and same_task and (barred is None or manifest is live)
            scores, words = Scores(folds={}), _in_words(recipe) if recipe else "no recipe in its manifest"
            if same:
                scores, words = rivals[0].scores, rivals[0].recipe
            elif measured and recipe and twin:
                scores = twin.scores
            elif measured and recipe:
                try:
                    scores = _scores_of(recipe, spec, rows, training_rows, code, partial(own_code, manifest))
                except Refused as error:
                    words = f"{words}; {error.what}"
                    log.warning("%s cannot be compared: %s", manifest.version, error)
            rivals.append(
                Champion(
                    version=manifest.version,
                    since=since,
                    recipe=words,
                    same_data=manifest.dataset is not None and manifest.dataset.fingerprint == snapshot_fingerprint,
                    scores=scores,
                    candidate=twin.name if twin and same_task else None,
                    quarantined=barred,
                    task=manifest.answers.task,
                    released_by=_released_by(manifest, spec),
                )
            )
    return Evaluation(
        candidates={each.name: each.scores for each in ranked},
        champion=rivals[0] if rivals else None,
        rows=len(training_rows),
        holdout_rows=len(holdout_rows),
        folds=design.folds,
        repeats=design.repeats,
        dummy_brier=dummy if spec.loss == "brier" and task.kind.name == BINARY.name else None,
        costs={each.name: each.costs for each in ranked if each.costs is not None},
        outputs={each.name: each.output for each in ranked},
        without_onnx={each.name: each.onnx for each in ranked if ONNX_FILE not in {entry.path for entry in each.files}},
        needs_onnx=_needs_onnx(spec, champion[0] if champion else None),
        drift=drift,
        task=task.kind.name,
        loss=spec.loss,
        anchor=rivals[1] if len(rivals) > 1 else None,
        design=design,
        schema_changes=_schema_changes(spec, rows, champion[0] if champion else None),
        dummy_loss=None if spec.loss == "brier" and task.kind.name == BINARY.name else dummy,
    )


def headline(decision: Decision, evaluation: Evaluation, spec: Spec) -> tuple[float | None, str]:
    """Return the chosen candidate's accuracy and what it was measured on, in words.

    It is the mean over cross-validation, unless the spec's choice goes by the holdout. None stands for an accuracy that
    was not measured, or that the task does not have.
    """
    if spec.choose is Choice.BEST_HOLDOUT_ACCURACY:
        accuracy = evaluation.candidates[decision.chosen].holdout.get("accuracy")
        return accuracy, holdout_in_words(evaluation, spec.split.seed)
    interval = decision.intervals.get("accuracy")
    return (interval.mean if interval else None), folds_in_words(evaluation)


def measured(decision: Decision, evaluation: Evaluation, spec: Spec) -> dict[str, Measured]:
    """Return the chosen candidate's figures for the manifest.

    Keys are `accuracy` and its like for means over cross-validation, `holdout_accuracy` and its like for the
    holdout.

    Means over cross-validation have the corrected interval of `gate.corrected_interval`, figures of the holdout
    those of `Task.intervals`.
    """
    found = {
        metric: Measured(value=each.mean, low=each.low, high=each.high, on=folds_in_words(evaluation))
        for metric, each in decision.intervals.items()
    }
    scores = evaluation.candidates[decision.chosen]
    for metric, value in scores.holdout.items():
        if value is not None:
            bounds = scores.holdout_intervals.get(metric)
            low, high = (bounds.low, bounds.high) if bounds else (None, None)
            on = holdout_in_words(evaluation, spec.split.seed)
            found[f"holdout_{metric}"] = Measured(value=value, low=low, high=high, on=on)
    return found


def recipe_of(manifest: Manifest) -> Candidate | None:
    """Return the recipe in the manifest of a version that this package trained; None in any other."""
    stored = manifest.parameters or {}
    known = {key: stored[key] for key in Candidate.model_fields if key in stored}  # older ones lack newer keys
    try:
        return Candidate.model_validate_json(json.dumps(known)) if {"parameters", "seed"} <= known.keys() else None
    except ValidationError:
        return None


def _scores_of(
    recipe: Candidate,
    spec: Spec,
    rows: Rows,
    training_rows: Positions,
    code: Set[str],
    own_code: Callable[[], Sequence[bytes]],
) -> Scores:
    """Measure a recipe by the code that its version brings: here if this is the same, else in a process of its own.

    Raises:
        Refused: it cannot be fitted by that code.
    """
    # Imported here: on most nights a candidate has the recipe of the champion, and nothing is cross-validated.
    from model_release.modelling.training import apart, cross_validate
    from model_release.modelling.wheels import wheels_here

    if code and code != wheels_here(recipe):
        return apart.scores_by(own_code(), recipe, spec, rows, training_rows)
    return cross_validate(recipe, spec, rows, training_rows).scores


def _code(files: Iterable[FileEntry]) -> frozenset[str]:
    return frozenset(each.sha256 for each in wheels(files))


def _released_by(manifest: Manifest, spec: Spec) -> str | None:
    """Return how a version's rows were split and measured, in words; None if as now, or if it is not recorded."""
    try:
        then = Spec.model_validate_json(json.dumps(manifest.spec))
    except ValidationError:
        return None
    theirs, ours = (
        {
            "split.method": each.split_method,
            "validation.method": each.validation_method,
            **{f"dataset.{role}": getattr(each.dataset, role) for role in ("group", "time", "weight")},
        }
        for each in (then, spec)
    )
    changed = [f"{key}: {value or 'none'}" for key, value in theirs.items() if value != ours[key]]
    return ", ".join(changed) or None


def _dummy(spec: Spec, task: Task, rows: Rows, training_rows: Positions, weight: Weight | None) -> float | None:
    """Return the compared loss of the best constant answer."""
    target, own = rows.target[training_rows], own_metrics(spec)
    if spec.loss not in own.measures:
        return task.dummy(target, weight)
    answers = constant(task, target, weight)
    return own.figures(task, rows.frame.iloc[training_rows], target, answers, weight)[spec.loss]


def _schema_changes(spec: Spec, rows: Rows, live: Manifest | None) -> list[str]:
    """Return what consumers of the live version must follow, unless the spec's `schema_revision` has risen for it."""
    if live is None or live.input_schema is None or spec.schema_revision > live.schema_revision:
        return []
    return breaking_changes(live.input_schema, input_schema(spec.dataset, rows.learned))


def _needs_onnx(spec: Spec, live: Manifest | None) -> str | None:
    """Return why what this run releases must have an ONNX form; None if it need not."""
    match spec.forms.require:
        case "onnx":
            return "forms.require is onnx"
        case None if live is not None and "onnx" in forms(live):
            return f"the live {live.version} has one, and forms.require is not any"
        case _:
            return None


def _in_words(recipe: Candidate) -> str:
    return f"{recipe.made_by}({', '.join(f'{key}={value}' for key, value in recipe.parameters.items())})"
