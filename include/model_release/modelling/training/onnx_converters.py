"""Converters to ONNX that are not skl2onnx's own. For `onnx_export`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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
