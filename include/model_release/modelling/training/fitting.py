"""One candidate, from the snapshot's rows to figures and files. For the chain, `evaluation` and `report`.

A fit is a function of rows, recipe and package versions alone: one thread, seeds from the spec, and inputs
rebuilt from scratch, so that the pickled files are the same bytes in every process that makes them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from model_release.documents.base import sha256_of
from model_release.documents.evaluation import Costs, Interval, Scores, UnitKind
from model_release.documents.golden import GOLDEN_DAY, GOLDEN_FILE, Cell, Golden, made_up_rows, table
from model_release.documents.inputs import Inputs
from model_release.documents.layout import CODE
from model_release.documents.manifest import REQUIREMENTS, FileEntry
from model_release.documents.metric import Metric
from model_release.model_files.opening import ONNX_FILE
from model_release.modelling.dataset import Positions, Rows, input_schema, rows_apart
from model_release.modelling.folds import Folds, design_of, folds_of, inner_folds, sample_of, sums
from model_release.modelling.packages import packages_of
from model_release.modelling.provenance import machine_facts
from model_release.modelling.requirements import packages_in, pins, requirements_file
from model_release.modelling.tasks import Predictions, Task, task_of
from model_release.modelling.tasks.base import Sample, Target, Weight
from model_release.modelling.tasks.own import OwnMetrics, own_metrics
from model_release.modelling.trained import MLMODEL_FILE, MODEL_FILE, PREDICTIONS_FILE, PREPROCESSOR_FILE, Trained
from model_release.modelling.training import onnx_export
from model_release.modelling.training.chance import forget_threads
from model_release.modelling.training.costs import latencies
from model_release.modelling.training.effects import effects
from model_release.modelling.training.forms import golden_answers, onnx_form, predictions_of
from model_release.modelling.training.fresh import inputs_of, target_of
from model_release.modelling.training.recipes import build, fit_weighted
from model_release.modelling.training.repeatability import difference, pickled
from model_release.modelling.training.search import Found, best
from model_release.modelling.training.slices import slice_scores
from model_release.modelling.wheels import wheels_of
from model_release.spec.candidate import Candidate
from model_release.spec.dataset import Dataset
from model_release.spec.model import Spec


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidated:
    """How a recipe did on the rows that its folds left out.

    Attributes:
        scores: by metric, `repeats x folds` values each, None if one was not finite.
        predictions: for each measured row while it was left out: `[measured rows, repeats]`, or
            `[measured rows, repeats, classes]`.
        folds: the plan, whose `measured` says which of the training rows these are.
    """

    scores: Scores
    predictions: Predictions
    folds: Folds


def cross_validate(candidate: Candidate, spec: Spec, rows: Rows, training_rows: Positions) -> CrossValidated:
    """Fit the recipe once per fold and measure it on the rows that the fold left out.

    The folds depend on the rows and on the spec alone, so that recipes are compared pairwise.

    Raises:
        DataInvalid: the rows are too few for the folds.
    """
    task, plan = task_of(spec), folds_of(spec, rows, training_rows)
    inputs, target = inputs_of(rows, spec.dataset).iloc[training_rows], target_of(rows)[training_rows]
    sample = sample_of(spec, rows).take(training_rows)
    own = own_metrics(spec)
    asked = [metric for metric in task.metrics if (measure := task.kind.measure(metric)) and measure.folds]
    figures: dict[Metric, list[float | None]] = {metric: [] for metric in [*asked, *own.measures]}
    out_of_fold = np.full((len(target), plan.repeats, *task.shape), np.nan)
    alone: dict[Metric, Interval] = {}
    for number, (fit_rows, test_rows) in enumerate(plan.pairs):
        weight, counted = sample.take(fit_rows).weight, sample.take(test_rows)
        recipe = _searched(candidate, spec, rows, training_rows[fit_rows], fits=len(plan.pairs) + 1).recipe
        model = _fit(task, recipe, spec.dataset, inputs.iloc[fit_rows], target[fit_rows], weight)
        predictions = predictions_of(task, *model, inputs.iloc[test_rows])
        out_of_fold[test_rows, number // plan.folds] = predictions
        decided = _decided_within(task, recipe, spec, rows, training_rows[fit_rows])
        truth, frame = target[test_rows], rows.frame.iloc[training_rows[test_rows]]
        told = decided.figures(truth, predictions, counted.weight)
        told |= own.figures(decided, frame, truth, predictions, counted.weight)
        for metric, values in figures.items():
            values.append(told[metric])
        if len(plan.pairs) == 1:
            alone = decided.intervals(truth, predictions, asked, sample=counted)
            alone |= own.intervals(decided, frame, truth, predictions, counted)
    measured = out_of_fold[plan.measured]
    losses = _losses(task, plan, target[plan.measured], measured)
    return CrossValidated(Scores(folds=figures, intervals=alone, losses=losses), measured, plan)


def _losses(task: Task, plan: Folds, target: Target, predictions: Predictions) -> dict[UnitKind, list[float]]:
    """Add the compared loss up over the batches of independent rows, mean over the repeats; none if it is no mean."""
    rows = [task.losses(target, predictions[:, repeat]) for repeat in range(plan.repeats)] if plan.batches else []
    known = [each for each in rows if each is not None and np.isfinite(each).all()]
    if not known or len(known) < len(rows):
        return {}
    mean = np.mean(known, axis=0) * plan.weight
    return {kind: sums(of, mean) for kind, of in plan.batches.items()}


def _searched(candidate: Candidate, spec: Spec, rows: Rows, fitted_rows: Positions, *, fits: int) -> Found:
    """Return the recipe that the candidate's search finds by folds within these rows; the candidate if it has none.

    Args:
        candidate: the recipe.
        spec: the model's spec.
        rows: the snapshot.
        fitted_rows: positions of the rows that one model is fitted to.
        fits: how many of these the search's seconds are for.
    """
    if candidate.search is None:
        return Found(candidate, "")
    task, within = task_of(spec), _within(spec, rows, fitted_rows)
    sign = 1 if task.kind.less_is_better(spec.loss) else -1

    def loss(recipe: Candidate) -> float | None:
        found: list[float] = []
        for test_rows, predictions in within.left_out(task, recipe, spec.dataset):
            weight = within.sample.take(test_rows).weight
            value = task.figures(within.target[test_rows], predictions, weight)[spec.loss]
            if value is None:
                return None
            found.append(sign * value)
        return float(np.mean(found))

    return best(candidate, candidate.search, loss, share=1 / fits)


def _decided_within(task: Task, candidate: Candidate, spec: Spec, rows: Rows, fitted_rows: Positions) -> Task:
    """Return the task with what is decided by folds within the rows that a fold's model is fitted to."""
    if not task.is_tuned:
        return task
    within = _within(spec, rows, fitted_rows)
    left_out = np.full((len(within.target), 1), np.nan)
    for test_rows, predictions in within.left_out(task, candidate, spec.dataset):
        left_out[test_rows, 0] = predictions
    plan = within.plan
    return task.tuned(within.target[plan.measured], left_out[plan.measured], plan.weight)


@dataclass(frozen=True, slots=True, eq=False)
class _Within:
    """The rows that one model is fitted to, with folds inside of them.

    Attributes:
        inputs, target, sample: of these rows.
        plan: the folds.
    """

    inputs: pd.DataFrame
    target: Target
    sample: Sample
    plan: Folds

    def left_out(self, task: Task, recipe: Candidate, dataset: Dataset) -> Iterator[tuple[Positions, Predictions]]:
        """Yield what the recipe predicts for the rows of each fold by those of the others, with their places."""
        for fit_rows, test_rows in self.plan.pairs:
            weight = self.sample.take(fit_rows).weight
            model = _fit(task, recipe, dataset, self.inputs.iloc[fit_rows], self.target[fit_rows], weight)
            yield test_rows, predictions_of(task, *model, self.inputs.iloc[test_rows])


def _within(spec: Spec, rows: Rows, fitted_rows: Positions) -> _Within:
    return _Within(
        inputs_of(rows, spec.dataset).iloc[fitted_rows],
        target_of(rows)[fitted_rows],
        sample_of(spec, rows).take(fitted_rows),
        inner_folds(spec, rows, fitted_rows),
    )


def decided(spec: Spec, candidate: Candidate, rows: Rows, training_rows: Positions) -> Task:
    """Return the task as a released model of this recipe answers it, with what cross-validation decides."""
    task = task_of(spec)
    if not task.decides:
        return task
    found = cross_validate(candidate, spec, rows, training_rows)
    return task.tuned(target_of(rows)[training_rows[found.folds.measured]], found.predictions, found.folds.weight)


def train(spec: Spec, name: str, candidate: Candidate, rows: Rows, folder: Path) -> Trained:
    """Measure the candidate, fit it to the training rows, and write its files into `folder`.

    The holdout takes no part in any fit. What is tuned, such as a threshold, is tuned by the out-of-fold predictions;
    the figures of each fold are those of a threshold that was tuned within its own training rows.

    Args:
        spec: the model's spec.
        name: the candidate's name in the spec.
        candidate: its recipe; may differ from the spec's if a run was asked to override it.
        rows: the snapshot, as `dataset.load` returns it.
        folder: an existing folder; files of the same names are replaced.
    """
    began = time.monotonic()
    task, own = task_of(spec), own_metrics(spec)
    training_rows, holdout_rows = rows_apart(spec, rows)
    validated = cross_validate(candidate, spec, rows, training_rows)
    measured_rows, out_of_fold = training_rows[validated.folds.measured], validated.predictions
    inputs, target = inputs_of(rows, spec.dataset), target_of(rows)
    sample = sample_of(spec, rows)
    found = _searched(candidate, spec, rows, training_rows, fits=len(validated.folds.pairs) + 1)
    candidate = found.recipe
    if found.words:  # by the recipe that is released, as a reproduction decides it
        task = decided(spec, candidate, rows, training_rows)
    else:
        task = task.tuned(target[measured_rows], out_of_fold, validated.folds.weight)
    model = fit(spec, name, candidate, rows, training_rows)
    bodies = pickled(task, *model)
    varies = difference(task, model, fit(spec, name, candidate, rows, training_rows), inputs)
    made_up, some = _golden_rows(spec, rows)
    graph, words = onnx_form(task, candidate, *model, inputs, target[training_rows], some)
    if graph is not None:
        texts = onnx_export.texts_of(inputs)
        mlmodel = onnx_export.mlmodel(ONNX_FILE, list(spec.dataset.features), task.output(), texts=texts)
        bodies |= {ONNX_FILE: graph, MLMODEL_FILE: mlmodel}
    bodies[GOLDEN_FILE] = golden_answers(task, *model, made_up, some, target[training_rows]).to_bytes()
    theirs = packages_of([candidate])
    named = packages_in([bodies[MODEL_FILE], bodies[PREPROCESSOR_FILE]])
    requirements = pins((named | theirs.versions.keys()) - theirs.own.keys())
    bodies |= {f"{CODE}/{name}": body for name, body in wheels_of(theirs).items()}
    bodies[REQUIREMENTS] = requirements_file(requirements)
    files = [_write(folder, path, body) for path, body in bodies.items()]
    return Trained(
        name=name,
        recipe=candidate,
        searched=found.words or None,
        scores=validated.scores.model_copy(
            update={
                **_on_holdout(
                    task,
                    own,
                    model,
                    inputs.iloc[holdout_rows],
                    rows.frame.iloc[holdout_rows],
                    target[holdout_rows],
                    sample.take(holdout_rows),
                ),
                "slices": slice_scores(
                    task,
                    spec.gate.slices,
                    spec.dataset.table,
                    rows.frame.iloc[measured_rows],
                    target[measured_rows],
                    out_of_fold,
                    sample.take(measured_rows),
                    own,
                ),
            }
        ),
        files=files,
        predictions=_write(folder, PREDICTIONS_FILE, as_frame(out_of_fold, measured_rows).to_parquet()),
        design=design_of(spec, validated.folds, rows=len(rows), training=len(training_rows), holdout=len(holdout_rows)),
        output=task.output(),
        onnx=words,
        varies=varies,
        seconds=round(time.monotonic() - began, 3),
        machine=machine_facts(),
        requirements=requirements,
        costs=Costs(
            latency_p95_ms=latencies(task, *model, graph, some),
            artifact_bytes=sum(entry.size for entry in files),
        ),
        effects=effects(
            task,
            lambda changed: predictions_of(task, *model, changed),
            inputs.iloc[holdout_rows],
            target[holdout_rows],
            categorical={column for column, each in spec.dataset.features.items() if each.role == "categorical"},
            weight=sample.take(holdout_rows).weight,
        ),
    )


def fit(spec: Spec, name: str, candidate: Candidate, rows: Rows, training_rows: Positions) -> tuple[Any, Any]:
    """Fit the candidate to the training rows.

    Returns:
        The preprocessor and the estimator.
    """
    inputs, target = inputs_of(rows, spec.dataset).iloc[training_rows], target_of(rows)[training_rows]
    weight = sample_of(spec, rows).take(training_rows).weight
    preprocessor, estimator = _fit(task_of(spec), candidate, spec.dataset, inputs, target, weight, name)
    forget_threads(estimator)
    return preprocessor, estimator


def remade(candidate: Candidate, spec: Spec, rows: Rows, training_rows: Positions) -> dict[str, str]:
    """Fit a recipe as it is released; return the SHA-256 of model, preprocessor and golden answers, by file."""
    task = decided(spec, candidate, rows, training_rows)
    model = fit(spec, "recipe", candidate, rows, training_rows)
    golden = golden_of(task, spec, model, rows, training_rows).to_bytes()
    return {path: sha256_of(body) for path, body in {**pickled(task, *model), GOLDEN_FILE: golden}.items()}


def golden_of(task: Task, spec: Spec, model: tuple[Any, Any], rows: Rows, training_rows: Positions) -> Golden:
    """Return the answers of a fitted preprocessor and estimator to the golden rows.

    Args:
        task: with all that was decided.
        spec: the model's spec.
        model: fitted.
        rows: the snapshot.
        training_rows: those that it was fitted to.
    """
    return golden_answers(task, *model, *_golden_rows(spec, rows), rows.target[training_rows])


def _golden_rows(spec: Spec, rows: Rows) -> tuple[dict[str, list[Cell]], pd.DataFrame]:
    """Return the golden rows as requests have them, and what the model takes for them."""
    schema = input_schema(spec.dataset, rows.learned)
    made_up = made_up_rows(schema)
    return made_up, table(Inputs(schema).encode(made_up, GOLDEN_DAY))


def as_frame(out_of_fold: Predictions, measured_rows: Positions) -> pd.DataFrame:
    """Return out-of-fold predictions as a table: a line per row (the index holds its position), a column per repeat.

    If several numbers are predicted for a row, a repeat has a column for each.
    """
    flat = out_of_fold.reshape(len(out_of_fold), -1)
    repeats = [f"repeat_{number + 1}" for number in range(out_of_fold.shape[1])]
    numbers = [""] if out_of_fold.ndim == 2 else [f"_class_{code}" for code in range(out_of_fold.shape[2])]
    columns = [repeat + number for repeat in repeats for number in numbers]
    return pd.DataFrame(flat, columns=columns, index=pd.Index(measured_rows, name="row"))


def _on_holdout(
    task: Task,
    own: OwnMetrics,
    model: tuple[Any, Any],
    inputs: pd.DataFrame,
    frame: pd.DataFrame,
    target: Target,
    sample: Sample,
) -> dict[str, Any]:
    """The figures on the rows that were set apart, with their intervals; None for each if there are no rows."""
    if not len(target):
        return {"holdout": dict.fromkeys([*task.metrics, *own.measures])}
    predictions = predictions_of(task, *model, inputs)
    return {
        "holdout": task.figures(target, predictions, sample.weight)
        | own.figures(task, frame, target, predictions, sample.weight),
        "holdout_intervals": task.intervals(target, predictions, task.metrics, sample=sample)
        | own.intervals(task, frame, target, predictions, sample),
    }


def _fit(
    task: Task,
    candidate: Candidate,
    dataset: Dataset,
    inputs: pd.DataFrame,
    target: Target,
    weight: Weight | None,
    name: str | None = None,
) -> tuple[Any, Any]:
    preprocessor, estimator = build(task, candidate, dataset, name=name)
    with threadpool_limits(limits=1):  # the order of additions must not depend on the machine's cores
        fit_weighted(estimator, preprocessor.fit_transform(inputs, target), target, weight)
    return preprocessor, estimator


def _write(folder: Path, path: str, body: bytes) -> FileEntry:
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(body)
    return FileEntry(path=path, size=len(body), sha256=sha256_of(body))
