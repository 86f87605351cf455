"""Training: from a snapshot's rows to a candidate's figures and files. `fitting` is the door; the rest serves it."""

from model_release.opening import ONNX_FILE
from model_release.training.effects import Effect
from model_release.training.figures import intervals
from model_release.training.fitting import (
    CARD_FILE,
    MLMODEL_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    PREPROCESSOR_FILE,
    Positions,
    Trained,
    cross_validate,
    fit,
    pickled,
    rows_apart,
    train,
)

__all__ = [
    "CARD_FILE",
    "MLMODEL_FILE",
    "MODEL_FILE",
    "ONNX_FILE",
    "PREDICTIONS_FILE",
    "PREPROCESSOR_FILE",
    "Effect",
    "Positions",
    "Trained",
    "cross_validate",
    "fit",
    "intervals",
    "pickled",
    "rows_apart",
    "train",
]
