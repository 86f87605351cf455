"""What people read of a release: the model card and its plots."""

from model_release.report.card import model_card
from model_release.report.svg import figures

__all__ = ["figures", "model_card"]
