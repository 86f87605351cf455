"""A recipe's parameters as Python values: what YAML and JSON cannot say is said in their terms. For `estimators`."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from typing import Any

Nested = Callable[[str, dict[str, Any]], Any]
"""From the name and the parameters of an estimator inside another one to the object."""


def values(parameters: Mapping[str, Any], defaults: Mapping[str, Any], nested: Nested) -> dict[str, Any]:
    """Return parameters as an estimator takes them.

    A list is a tuple where the default value is one, and so is the text `(1, 2)`; `{tuple: […]}` is one everywhere. A
    mapping with `estimator` is an estimator. Keys that are whole numbers, which JSON has as text, are numbers.

    Args:
        parameters: from the spec.
        defaults: by parameter, as far as they are known.
        nested: makes an estimator that is named inside a parameter.
    """
    return {sys.intern(name): _like(defaults.get(name), _value(value, nested)) for name, value in parameters.items()}


def _like(default: Any, value: Any) -> Any:
    return tuple(value) if isinstance(default, tuple) and isinstance(value, list) else value


def _value(value: Any, nested: Nested) -> Any:
    """Return a parameter's value, and equal strings as one object.

    Pickle writes one object once, and two equal ones twice.
    """
    match value:
        case str():
            return _tuple_of(value) or sys.intern(value)
        case list():
            return [_value(each, nested) for each in value]
        case {"tuple": list() as inside, **others} if not others:
            return tuple(_value(each, nested) for each in inside)
        case {"estimator": str() as name, "parameters": dict() as parameters, **others} if not others:
            return nested(name, parameters)
        case {"estimator": str() as name, **others} if not others:
            return nested(name, {})
        case dict():
            return {_key(key): _value(each, nested) for key, each in value.items()}
        case _:
            return value


def _tuple_of(text: str) -> tuple[Any, ...] | None:
    """Return the tuple that a text spells as Python does, `(1, 2)`; None if it spells none."""
    if not (text.startswith("(") and text.endswith(")")):
        return None
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return found if isinstance(found, tuple) else None


def _key(key: str) -> str | int:
    """Return a key as the estimator takes it: class codes are integers, which YAML's keys lose on their way."""
    return int(key) if key.lstrip("-").isdigit() else sys.intern(key)
