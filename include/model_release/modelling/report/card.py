"""The model card: one HTML page that says what a release is, how it was judged and what it is not good for.

Called by the chain before a version has its number. Self-contained, without a script, and a function of its
arguments alone: no run, no clock. Its sections have the names of Hugging Face's model cards.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.metadata import version
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from model_release.documents.evaluation import Evaluation, Interval, Scores
from model_release.documents.metric import Metric
from model_release.documents.verdict import Decision
from model_release.model_files.opening import ONNX_FILE
from model_release.modelling.dataset import Rows
from model_release.modelling.gate import corrected_interval
from model_release.modelling.plots.svg import figures
from model_release.modelling.report import effect_plots, plots, sections, slice_plots
from model_release.modelling.trained import (
    MODEL_FILE,
    ONNX_INPUT,
    ONNX_LABEL,
    ONNX_PROBABILITY,
    PREPROCESSOR_FILE,
    Trained,
)
from model_release.spec.model import Spec

_TEMPLATE = "model_card.html.j2"
_ABSENT = "–"


def model_card(
    spec: Spec,
    *,
    evaluation: Evaluation,
    decision: Decision,
    trained: Trained,
    predictions: pd.DataFrame,
    rows: Rows,
    snapshot_fingerprint: str,
    as_of: date,
) -> bytes:
    """Return the card of the chosen candidate; the same arguments give the same bytes.

    Args:
        spec: the model's spec.
        evaluation: what the gate judged.
        decision: its verdict.
        trained: the chosen candidate.
        predictions: its out-of-fold probabilities, as `training.cross_validate` returns them.
        rows: the snapshot's rows.
        snapshot_fingerprint: the snapshot's fingerprint.
        as_of: the day up to which data was taken.
    """
    target = rows.target[predictions.index].astype(np.float64)
    curves = plots.curves(target, predictions)
    table = {name: _intervals(scores, evaluation) for name, scores in evaluation.candidates.items()}
    if evaluation.champion is not None:
        table[f"live {evaluation.champion.version}"] = _intervals(evaluation.champion.scores, evaluation)
    brier = {name: each[Metric.BRIER] for name, each in table.items() if Metric.BRIER in each}
    groups = sections.groups(evaluation.candidates[decision.chosen], spec.gate)
    page = _environment().get_template(_TEMPLATE)
    return page.render(
        spec=spec,
        evaluation=evaluation,
        decision=decision,
        trained=trained,
        metrics=list(Metric),
        candidates=table,
        as_of=as_of,
        snapshot_fingerprint=snapshot_fingerprint,
        columns=[_column(name, spec, rows.frame) for name in spec.dataset.columns],
        rows=len(rows),
        negative=spec.dataset.target.words[0],
        positive=spec.dataset.target.words[1],
        share=float(rows.target.mean()),
        confusion=_confusion(target, predictions) if curves else None,
        difference_plot=plots.difference(decision.comparison) if decision.comparison else None,
        candidates_plot=plots.candidates(brier, chosen=decision.chosen) if brier else None,
        curves=list(curves.items()),
        slices=groups,
        slice_metrics=sections.measured(groups),
        slice_plots=slice_plots.slices(groups),
        drift=sections.drift_lines(evaluation.drift, spec.gate),
        importance_plot=effect_plots.importance(trained.effects) if trained.effects else None,
        effect_plots=effect_plots.dependence(trained.effects, spec.dataset.columns, rows.frame),
        files={entry.path for entry in trained.files},
        names={"model": MODEL_FILE, "preprocessor": PREPROCESSOR_FILE, "onnx": ONNX_FILE},
        onnx={"input": ONNX_INPUT, "label": ONNX_LABEL, "probability": ONNX_PROBABILITY},
        scikit_learn=version("scikit-learn"),
    ).encode()


def candidate_figures(trained: Trained, predictions: pd.DataFrame, rows: Rows) -> dict[str, bytes]:
    """Return the card's plots of one candidate, which need no verdict, as files of their own by name.

    Args:
        trained: the candidate.
        predictions: its out-of-fold probabilities, as `training.cross_validate` returns them.
        rows: the snapshot's rows.
    """
    target = rows.target[predictions.index].astype(np.float64)
    drawn = [*plots.curves(target, predictions).values()]
    if trained.effects:
        drawn.append(effect_plots.importance(trained.effects))
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
        "called": sections.called,
        "figure": _figure,
        "interval": _interval,
        "percent": _percent,
        "plain": _plain,
        "probability": _probability,
    }
    environment.tests["link"] = lambda url: str(url).startswith(("https://", "http://"))
    return environment


def _intervals(scores: Scores, evaluation: Evaluation) -> dict[Metric, Interval]:
    return {
        metric: corrected_interval([value for value in values if value is not None], evaluation.test_over_train)
        for metric, values in scores.folds.items()
        if len(values) > 1 and None not in values
    }


def _column(name: str, spec: Spec, frame: pd.DataFrame) -> dict[str, Any]:
    column = spec.dataset.columns[name]
    if column.values is not None:
        allowed = ", ".join(_plain(value) for value in column.values)
    elif column.min is None and column.max is None:
        allowed = "any number"
    else:
        low, high = (_ABSENT if bound is None else _plain(bound) for bound in (column.min, column.max))
        allowed = f"{low} to {high}"
    missing = float(frame[name].isna().mean()) if name in frame else 0.0
    return {"name": name, "column": column, "allowed": allowed, "missing": missing}


def _confusion(target: np.ndarray[Any, Any], predictions: pd.DataFrame) -> dict[str, float]:
    """Rows by what they are and what they were called, mean over the repeats."""
    said = predictions.to_numpy() > 0.5
    actual = target[:, None] > 0.5
    cells = {
        "true_positive": said & actual,
        "false_positive": said & ~actual,
        "false_negative": ~said & actual,
        "true_negative": ~said & ~actual,
    }
    return {name: fmean(cell.sum(axis=0).tolist()) for name, cell in cells.items()}


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
