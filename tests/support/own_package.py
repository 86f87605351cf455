"""A team's package of its own, written to a test's folder and importable from there. For tests of pipelines by name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model_release.modelling.imports import PACKAGES_VARIABLE

RECIPES = """\
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from {name}.ratios import Ratios


def build(C=1.0, weights=(1, 1)):
    return make_pipeline(Ratios(weights), SimpleImputer(), StandardScaler(), LogisticRegression(C=C, max_iter=500))


def prepare():
    return make_pipeline(Ratios(), SimpleImputer(), StandardScaler())


def forest(**parameters):
    return make_pipeline(SimpleImputer(), RandomForestClassifier(n_estimators=5, **parameters))
"""

RATIOS = """\
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Ratios(TransformerMixin, BaseEstimator):
    "Appends the ratio of the first two columns of a frame."

    def __init__(self, weights=(1, 1)):
        self.weights = weights

    def fit(self, frame, target=None):
        if not isinstance(frame, pd.DataFrame):
            raise TypeError("wants a frame")
        self.columns_ = list(frame.columns)
        return self

    def transform(self, frame):
        first, second = self.columns_[:2]
        a, b = self.weights
        return frame.assign(ratio=a * frame[first] / (b * frame[second].abs() + {plus}))
"""


def write_package(folder: Path, name: str, *, plus: float = 1.0, **modules: str) -> Path:
    """Write a package of recipes and a transformer below `folder`; return its folder.

    Args:
        folder: to be on the path.
        name: of the package.
        plus: what the transformer adds to its divisor, by which two packages of one name differ.
        modules: further ones, by name.
    """
    package = folder / name
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "recipes.py").write_text(RECIPES.replace("{name}", name))
    (package / "ratios.py").write_text(RATIOS.replace("{plus}", str(plus)))
    for module, text in modules.items():
        (package / f"{module}.py").write_text(text)
    return package


@contextmanager
def importable(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a package on the path and allowed; afterwards it is as if it had never been imported."""
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv(PACKAGES_VARIABLE, name)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        forget(name)


def forget(name: str) -> None:
    """Take a package's modules out of this process."""
    for each in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[each]
