"""The forms of a fitted model, and what shows that they are one: the ONNX form's parity, golden rows. For `fitting`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from threadpoolctl import threadpool_limits

from model_release.documents import golden
from model_release.documents.golden import Cell, Golden
from model_release.modelling.training import onnx_export


def probability_of(preprocessor: ColumnTransformer, classifier: Any, inputs: pd.DataFrame) -> NDArray[np.float64]:
    """Return the positive class's probability for each row."""
    with threadpool_limits(limits=1):
        both: NDArray[np.float64] = classifier.predict_proba(preprocessor.transform(inputs))
    return both[:, 1]


def golden_answers(preprocessor: ColumnTransformer, classifier: Any, made_up: Mapping[str, Sequence[Cell]]) -> Golden:
    """Return made-up rows with the pickled form's answers."""
    inputs = golden.table(made_up)
    return Golden(
        rows={name: list(cells) for name, cells in made_up.items()},
        probabilities=probability_of(preprocessor, classifier, inputs).tolist(),
        classes=[int(each) for each in classifier.predict(preprocessor.transform(inputs))],
    )


def onnx_form(
    preprocessor: ColumnTransformer, classifier: Any, inputs: pd.DataFrame, made_up: Mapping[str, Sequence[Cell]]
) -> tuple[bytes | None, str]:
    """Return the ONNX form where it gives what the pickled form gives, and a word about it.

    It must agree on every row of the data and on the made-up ones, in the class (unless the probability is one half)
    and in the probability, within `golden.TOLERANCE`.
    """
    names = list(inputs.columns)
    texts = [name for name in names if inputs[name].dtype == object]
    if texts:
        return None, f"left out: its one input is a table of numbers, and {', '.join(texts)} holds text"
    rows = pd.concat([inputs, golden.table(made_up)], ignore_index=True)
    try:
        graph = onnx_export.export(preprocessor, classifier, names)
        label, probability = onnx_export.predict(graph, rows.to_numpy(np.float64))
    except Exception as error:  # noqa: BLE001 - the converter raises anything; the release goes without this form
        cause = error.__cause__ or error
        reason = (str(cause).splitlines() or [type(cause).__name__])[0][:200]
        return None, f"left out: the converter cannot write it ({reason})"
    expected = probability_of(preprocessor, classifier, rows)
    classes = np.asarray(classifier.predict(preprocessor.transform(rows)))
    clear = np.abs(expected - 0.5) > golden.TOLERANCE
    other = int(((label != classes) & clear).sum())
    difference = float(np.abs(probability - expected).max())
    found = f"largest difference in probability {difference:.1e} over {len(rows)} rows"
    if other or not difference <= golden.TOLERANCE:
        return None, f"left out: {other} rows get another class, {found}, allowed {golden.TOLERANCE:.0e}"
    return graph, f"the same class on all {len(inputs)} rows and {len(rows) - len(inputs)} made-up ones, {found}"
