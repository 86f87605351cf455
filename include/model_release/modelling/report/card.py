"""The model card: one HTML page that says what a release is, how it was judged and what it is not good for.

Called by the chain before a version has its number. Self-contained, without a script, and a function of its
arguments alone: no run, no clock. Its sections have the names of Hugging Face's model cards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from model_release.documents.evaluation import Evaluation, Interval
from model_release.documents.verdict import Decision
from model_release.model_files.opening import ONNX_FILE
from model_release.modelling.dataset import Rows
from model_release.modelling.folds import folds_in_words, holdout_in_words
from model_release.modelling.gate import intervals_of
from model_release.modelling.plots.svg import figures
from model_release.modelling.report import effect_plots, plots, sections, slice_plots
from model_release.modelling.tasks import Predictions, Task, task_of
from model_release.modelling.tasks.base import Target
from model_release.modelling.trained import MODEL_FILE, ONNX_INPUT, PREPROCESSOR_FILE, Trained
from model_release.spec.dataset import Column
from model_release.spec.model import Spec

_TEMPLATE = "model_card.html.j2"
_ABSENT = "–"
_SHOWN = 20


def model_card(
    spec: Spec,
    *,
    evaluation: Evaluation,
    decision: Decision,
    trained: Trained,
    predictions: pd.DataFrame,
    rows: Rows,
    snapshot_fingerprint: str,
    news: Sequence[str],
    as_of: date,
    opened_in: str,
) -> bytes:
    """Return the card of the chosen candidate; the same arguments give the same bytes.

    Args:
        spec: the model's spec.
        evaluation: what the gate judged.
        decision: its verdict.
        trained: the chosen candidate.
        predictions: its out-of-fold predictions, as `training.as_frame` returns them.
        rows: the snapshot's rows.
        snapshot_fingerprint: the snapshot's fingerprint.
        news: what became of rows and files that arrived and are not in it, in words.
        as_of: the day up to which data was taken.
        opened_in: in what its files were opened before it was released, in words.
    """
    task = task_of(spec).answering(trained.output)
    target, out_of_fold = rows.target[predictions.index], _out_of_fold(task, predictions)
    curves = _curves(task, target, out_of_fold)
    called = task.kind.called(evaluation.loss)
    table = {name: intervals_of(scores, evaluation.test_over_train) for name, scores in evaluation.candidates.items()}
    if evaluation.champion is not None:
        table[f"live {evaluation.champion.version}"] = intervals_of(
            evaluation.champion.scores, evaluation.test_over_train
        )
    losses = {name: each[evaluation.loss] for name, each in table.items() if evaluation.loss in each}
    groups = sections.groups(evaluation.candidates[decision.chosen], spec.gate, task.kind)
    page = _environment().get_template(_TEMPLATE)
    return page.render(
        spec=spec,
        evaluation=evaluation,
        decision=decision,
        trained=trained,
        task=task.kind,
        output=task.output(),
        folds_words=folds_in_words(evaluation),
        holdout_words=holdout_in_words(evaluation, spec.split.seed),
        loss=called,
        row_loss=task.row_loss,
        number=task.number,
        metrics=[*task.metrics, *spec.gate.own],
        candidates=table,
        as_of=as_of,
        opened_in=opened_in,
        snapshot_fingerprint=snapshot_fingerprint,
        news=news,
        columns=[_column(name, spec, rows) for name in spec.dataset.columns],
        rows=len(rows),
        target_words=_target_words(task, rows, spec.dataset.target.column),
        confusion=_confusion(task, target, out_of_fold) if curves and task.classes else None,
        difference_plot=plots.difference(decision.comparison, called) if decision.comparison else None,
        candidates_plot=plots.candidates(losses, called, chosen=decision.chosen) if losses else None,
        curves=list(curves.items()),
        slices=groups,
        slice_metrics=sections.measured(groups, task.kind),
        slice_plots=slice_plots.slices(groups, task.kind),
        drift=sections.drift_lines(evaluation.drift, spec.gate),
        importance_plot=effect_plots.importance(trained.effects, task.row_loss) if trained.effects else None,
        effect_plots=effect_plots.dependence(trained.effects, spec.dataset.table, rows.frame, task.number),
        files={entry.path for entry in trained.files},
        names={"model": MODEL_FILE, "preprocessor": PREPROCESSOR_FILE, "onnx": ONNX_FILE},
        onnx_input=ONNX_INPUT,
        texts=[name for name in spec.dataset.features if rows.frame[name].dtype == object],
        scikit_learn=version("scikit-learn"),
    ).encode()


def candidate_figures(spec: Spec, trained: Trained, predictions: pd.DataFrame, rows: Rows) -> dict[str, bytes]:
    """Return the card's plots of one candidate, which need no verdict, as files of their own by name.

    Args:
        spec: the model's spec.
        trained: the candidate.
        predictions: its out-of-fold predictions, as `training.as_frame` returns them.
        rows: the snapshot's rows.
    """
    task = task_of(spec).answering(trained.output)
    drawn = [*_curves(task, rows.target[predictions.index], _out_of_fold(task, predictions)).values()]
    if trained.effects:
        drawn.append(effect_plots.importance(trained.effects, task.row_loss))
    return figures("".join(drawn).encode())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("model_release.modelling.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": _figure,
        "interval": _interval,
        "percent": _percent,
        "plain": _plain,
        "probability": _probability,
    }
    environment.tests["link"] = lambda url: str(url).startswith(("https://", "http://"))
    return environment


def _column(name: str, spec: Spec, rows: Rows) -> dict[str, Any]:
    column = spec.dataset.columns[name]
    missing = float(rows.frame[name].isna().mean()) if name in rows.frame else 0.0
    return {"name": name, "column": column, "allowed": _allowed(column, rows.learned.get(name)), "missing": missing}


def _allowed(column: Column, learned: Sequence[str] | None) -> str:
    low, high = (_ABSENT if bound is None else _plain(bound) for bound in (column.min, column.max))
    bounds = "" if column.min is None and column.max is None else f"{low} to {high}"
    match column.kind:
        case "categorical":
            values = [_plain(value) for value in (learned or column.listed)]
            shown = ", ".join(values[:_SHOWN]) + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
            listed = f"learned: {shown}" if learned else shown or "learned"
            return f"{listed}; others are unknown" if column.unknown == "allow" else listed
        case "boolean":
            return "true or false"
        case "text":
            return "any text"
        case "datetime":
            ages = f"age {bounds} days; " if bounds else ""
            return f"{ages}to the model: {', '.join(column.parts)}"
        case _:
            return bounds or "any number"


def _out_of_fold(task: Task, predictions: pd.DataFrame) -> Predictions:
    """Return out-of-fold predictions as `[rows, repeats]`, or as `[rows, repeats, classes]`."""
    flat = predictions.to_numpy(dtype=np.float64)
    return flat.reshape(len(flat), -1, *task.shape)


def _curves(task: Task, target: Target, out_of_fold: Predictions) -> dict[str, Markup]:
    """Draw out-of-fold predictions, all repeats pooled; nothing if there are none, or one is not finite."""
    if not out_of_fold.size or not np.isfinite(out_of_fold).all():
        return {}
    pooled = np.concatenate([out_of_fold[:, number] for number in range(out_of_fold.shape[1])])
    return task.curves(np.tile(target, out_of_fold.shape[1]), pooled)


def _confusion(task: Task, target: Target, out_of_fold: Predictions) -> list[list[float]]:
    """Rows by what they are and by what they were called, mean over the repeats."""
    called = np.stack([task.called(out_of_fold[:, number]) for number in range(out_of_fold.shape[1])], axis=1)
    codes = range(len(task.classes))
    return [
        [float(((called == said) & (target[:, None] == code)).sum(axis=0).mean()) for said in codes] for code in codes
    ]


def _target_words(task: Task, rows: Rows, column: str) -> list[tuple[str, str]]:
    """Return what the target is like: the share of each class, or the range of the numbers."""
    if task.classes:
        shares = np.bincount(rows.target, minlength=len(task.classes)) / len(rows)
        return [(words, _percent(share)) for words, share in zip(task.classes, shares.tolist(), strict=True)]
    unit = f" {task.unit}" if task.unit else ""
    low, middle, high = (f"{each:.4g}" for each in np.quantile(rows.target, [0.0, 0.5, 1.0]))
    found = [(column, f"{low} to {high}, median {middle}{unit}")]
    if task.fitted_to:
        found.append(("fitted to", task.fitted_to))
    return found


def _figure(value: float | None, digits: int = 3) -> str:
    if value is None:
        return _ABSENT
    # nothing that large is a share or a score: it counts bytes
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}f}"


def _interval(interval: Interval, digits: int = 3) -> str:
    return f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"


def _percent(value: float | None, digits: int = 1) -> str:
    return _ABSENT if value is None else f"{100 * value:.{digits}f} %"


def _probability(value: float | None) -> str:
    return _ABSENT if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
