"""The ONNX form of a fitted model, if it gives what the pickled form gives. For `fitting`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model_release.documents.golden import Cell, Golden
from model_release.modelling.tasks.base import Predictions, Target, Task
from model_release.modelling.training import onnx_export
from model_release.spec.candidate import Candidate

_TRIED = 20
"""Rows of the data that are tried without a value, and borders that are tried, of each column."""


def predictions_of(task: Task, preprocessor: Any, estimator: Any, inputs: pd.DataFrame) -> Predictions:
    """Return what a fitted model predicts for each row."""
    with threadpool_limits(limits=1):
        return task.predict(estimator, preprocessor.transform(inputs))


def golden_answers(
    task: Task,
    preprocessor: Any,
    estimator: Any,
    made_up: Mapping[str, Sequence[Cell]],
    inputs: pd.DataFrame,
    target: Target,
) -> Golden:
    """Return made-up rows with the pickled form's answers.

    Args:
        task: what is answered.
        preprocessor: fitted.
        estimator: fitted on what it puts out.
        made_up: rows by column, as requests have them.
        inputs: what the model takes for them.
        target: of the rows that the model was fitted to.
    """
    predictions = predictions_of(task, preprocessor, estimator, inputs)
    return task.golden({name: list(cells) for name, cells in made_up.items()}, predictions, target)


def onnx_form(
    task: Task,
    candidate: Candidate,
    preprocessor: Any,
    estimator: Any,
    inputs: pd.DataFrame,
    target: Target,
    some: pd.DataFrame,
) -> tuple[bytes | None, str]:
    """Return the ONNX form if it gives what the pickled form gives, and a word about it.

    It must agree on every row of the data, and on rows that are hard: the made-up ones; some without a value that they
    may lack; some with a number halfway between two neighbours of the data, where trees have their borders and bins
    their edges; and some with categories that training has not seen. It must agree in the class, unless two classes
    are equally probable, and in every number.

    Args:
        task: what is answered.
        candidate: the recipe.
        preprocessor: fitted.
        estimator: fitted on what it puts out.
        inputs: all rows of the data.
        target: theirs, which tells how large a difference is small.
        some: made-up rows, some of which lack a value.
    """
    if candidate.prepares_itself:
        return None, "left out: the preprocessing is the team's own, which no converter writes"
    rows = pd.concat([inputs, *_hard(preprocessor, inputs, some)], ignore_index=True)
    texts = onnx_export.texts_of(inputs)
    expected = predictions_of(task, preprocessor, estimator, rows)
    wanted = task.golden({}, expected, target)
    try:
        graph = onnx_export.export(preprocessor, estimator, [*map(str, inputs.columns)], task.output(), texts=texts)
        classes, numbers = onnx_export.predict(graph, rows, task.output())
    except Exception as error:  # noqa: BLE001 - the converter raises anything; the release goes without this form
        cause = error.__cause__ or error
        reason = (str(cause).splitlines() or [type(cause).__name__])[0][:200]
        return None, f"left out: the converter cannot write it ({reason})"
    difference = float(np.abs(numbers - _with_bounds(expected, task)).max())
    found = f"largest difference in {task.number} {difference:.1e} over {len(rows)} rows"
    others = _other_classes(wanted, classes, _labels(task, preprocessor, estimator, rows))
    if others or not difference <= wanted.tolerance:
        classes_words = f"{others} rows get another class, " if len(classes) else ""
        return None, f"left out: {classes_words}{found}, allowed {wanted.tolerance:.0e}"
    same = "the same class" if len(classes) else "the same number"
    return graph, f"{same} on all {len(inputs)} rows and {len(rows) - len(inputs)} made-up ones, {found}"


def _with_bounds(expected: Predictions, task: Task) -> Predictions:
    """Return predicted numbers, each with the bounds of its interval if it has one."""
    interval = task.output().interval
    return expected if interval is None else np.stack([expected, *interval.bounds(expected)], axis=1)


def _hard(preprocessor: Any, inputs: pd.DataFrame, made_up: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield rows on which forms are likely to differ, of the kinds and in the order of the inputs."""
    some = made_up.astype(dict(inputs.dtypes))
    yield some
    base = inputs.iloc[:_TRIED]
    for name in inputs.columns:
        if some[name].isna().any():
            yield base.assign(**{name: pd.Series(np.nan, index=base.index, dtype=inputs[name].dtype)})
    texts = onnx_export.texts_of(inputs)
    for name in inputs.columns.difference(texts, sort=False):
        between = _edges(inputs[name].to_numpy(np.float64))
        if len(between):
            yield inputs.iloc[np.arange(len(between)) % len(inputs)].assign(**{name: between})
    categories = [name for kind, _, each in preprocessor.transformers_ if kind == "categorical" for name in each]
    if categories:
        unseen = {name: f"{inputs[name].max()}?" if name in texts else inputs[name].max() + 1 for name in categories}
        yield some.assign(**{name: pd.Series(value, some.index, inputs[name].dtype) for name, value in unseen.items()})


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers halfway between neighbours, at most some of them, in equal steps."""
    known = np.unique(values[np.isfinite(values)])
    between: NDArray[np.float64] = (known[:-1] + known[1:]) / 2
    steps = np.linspace(0, len(between) - 1, min(len(between), _TRIED)).astype(int)
    return np.take(between, np.unique(steps))


def _labels(task: Task, preprocessor: Any, estimator: Any, rows: pd.DataFrame) -> NDArray[Any] | None:
    """Return what the pickled estimator calls each row, in the ONNX form's words; None if it predicts numbers."""
    output = task.output()
    if output.form == "value":
        return None
    with threadpool_limits(limits=1):
        codes = np.asarray(task.released(estimator).predict(preprocessor.transform(rows)))
    return codes if output.form == "probability" else np.array(output.classes, dtype=object)[codes.astype(int)]


def _other_classes(wanted: Golden, classes: NDArray[Any], labels: NDArray[Any] | None) -> int:
    if labels is None:
        return 0
    clear = np.array([wanted.is_clear(each) for each in wanted.numbers], dtype=bool)
    return int(((classes != labels) & clear).sum())
