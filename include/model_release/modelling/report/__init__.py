"""What people read of a release: the model card and its plots."""

from model_release.modelling.plots.svg import figures
from model_release.modelling.report.card import candidate_figures, model_card

__all__ = ["candidate_figures", "figures", "model_card"]
