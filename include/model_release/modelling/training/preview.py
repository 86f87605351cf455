"""Whether a recipe will have an ONNX form, told by a fit to some of the rows. For `lint`."""

from __future__ import annotations

import numpy as np

from model_release.documents.golden import GOLDEN_DAY, made_up_rows, table
from model_release.documents.inputs import Inputs
from model_release.modelling.dataset import Rows, input_schema, rows_apart
from model_release.modelling.tasks import task_of
from model_release.modelling.training.fitting import fit
from model_release.modelling.training.forms import onnx_form
from model_release.modelling.training.fresh import inputs_of
from model_release.spec.model import Spec

_ROWS = 1000


def without_onnx(spec: Spec, name: str, rows: Rows) -> str | None:
    """Return why a candidate that is fitted to at most a thousand rows has no ONNX form; None if it has one.

    Args:
        spec: the model's spec.
        name: of the candidate.
        rows: as `dataset.load` returns them.
    """
    training_rows, _ = rows_apart(spec, rows)
    some = training_rows[:: int(np.ceil(len(training_rows) / _ROWS))]
    recipe = spec.candidates[name].samples()[0]
    model = fit(spec, name, recipe, rows, some)
    inputs = inputs_of(rows, spec.dataset)
    schema = input_schema(spec.dataset, rows.learned)
    made_up = table(Inputs(schema).encode(made_up_rows(schema), GOLDEN_DAY))
    graph, words = onnx_form(task_of(spec), recipe, *model, inputs.iloc[some], rows.target[some], made_up)
    return None if graph is not None else words.removeprefix("left out: ")
