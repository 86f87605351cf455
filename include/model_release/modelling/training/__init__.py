"""Training: from a snapshot's rows to a candidate's figures and files. `fitting` is the door; the rest serves it."""

from model_release.modelling.training.fitting import as_frame, cross_validate, decided, fit, remade, train
from model_release.modelling.training.repeatability import pickled

__all__ = ["as_frame", "cross_validate", "decided", "fit", "pickled", "remade", "train"]
