"""What people read of a release: the model card and its plots."""

from model_release.report.card import model_card

__all__ = ["model_card"]
