"""Converters to ONNX that are not skl2onnx's own. For `onnx_export`.

Those of boosters are onnxmltools'. They are registered if their package is loaded: without one of its estimators in
memory there is nothing to convert.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from skl2onnx.operator_converters import random_forest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

Converter = Callable[[Any, Any, Any], None]


class _NumbersForBooleans:
    """A container of nodes that turns attributes that are lists of booleans into lists of numbers."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *places: Any, **attributes: Any) -> None:
        """Add a node to the container."""
        numbers = {
            name: [int(each) for each in value] if isinstance(value, list) and _has_boolean(value) else value
            for name, value in attributes.items()
        }
        self._container.add_node(*places, **numbers)


def _has_boolean(values: list[Any]) -> bool:
    return any(isinstance(each, bool) for each in values)


def _without_booleans(convert: Converter) -> Converter:
    """Return skl2onnx's converter of histogram gradient boosting as protobuf 7 takes it, which refuses its booleans."""

    def converter(scope: Any, operator: Any, container: Any) -> None:
        convert(scope, operator, _NumbersForBooleans(container))

    return converter


CONVERTERS: Final[dict[type[Any], Converter]] = {
    HistGradientBoostingClassifier: _without_booleans(random_forest.convert_sklearn_random_forest_classifier),
    HistGradientBoostingRegressor: _without_booleans(random_forest.convert_sklearn_random_forest_regressor_converter),
}
"""By the estimator's class."""


def register_boosters() -> None:
    """Have skl2onnx convert the estimators of LightGBM and XGBoost, if they are loaded and onnxmltools is there."""
    if find_spec("onnxmltools") is not None:
        for package in ("lightgbm", "xgboost"):
            if package in sys.modules:
                _register(package)


@cache
def _register(package: str) -> None:
    if package == "lightgbm":
        from lightgbm import LGBMClassifier as Classifier
        from lightgbm import LGBMRegressor as Regressor
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm as convert
    else:
        from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost as convert
        from xgboost import XGBClassifier as Classifier
        from xgboost import XGBRegressor as Regressor
    split = {"split": None} if package == "lightgbm" else {}
    classes = {"zipmap": [True, False, "columns"], "nocl": [True, False]}
    for kind, shapes, options in (
        (Classifier, calculate_linear_classifier_output_shapes, {**classes, **split}),
        (Regressor, calculate_linear_regressor_output_shapes, split),
    ):
        update_registered_converter(kind, f"{package}.{kind.__name__}", shapes, convert, options=options)
