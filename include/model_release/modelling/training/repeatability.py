"""Whether two fits to the same rows give the same model, which some estimators cannot promise. For `fitting`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd

from model_release.modelling.tasks.base import Task
from model_release.modelling.trained import MODEL_FILE, PREPROCESSOR_FILE
from model_release.modelling.training.forms import predictions_of

Model = tuple[Any, Any]
"""A preprocessor and an estimator, both fitted."""


def pickled(task: Task, preprocessor: Any, estimator: Any) -> dict[str, bytes]:
    """Return the two files of a release that must be reproducible, by name.

    Args:
        task: with all that was decided, which the pickled estimator answers by itself.
        preprocessor: fitted.
        estimator: fitted on what it puts out.
    """
    return {
        MODEL_FILE: pickle.dumps(task.released(estimator), protocol=5),
        PREPROCESSOR_FILE: pickle.dumps(preprocessor, protocol=5),
    }


def difference(task: Task, model: Model, again: Model, inputs: pd.DataFrame) -> str | None:
    """Return how two fits to the same rows differ, in words; None if their bytes are the same.

    Args:
        task: what is predicted.
        model: as it is released.
        again: the same recipe, fitted to the same rows a second time.
        inputs: rows whose predictions are compared.
    """
    files, others = pickled(task, *model), pickled(task, *again)
    names = [name for name, body in files.items() if others[name] != body]
    if not names:
        return None
    apart = float(np.abs(predictions_of(task, *model, inputs) - predictions_of(task, *again, inputs)).max())
    what = "the same predictions" if apart == 0 else f"predictions up to {apart:.1e} apart"
    return f"two fits to the same rows gave other bytes of {' and '.join(names)}, and {what}"
