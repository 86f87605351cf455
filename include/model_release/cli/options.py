"""Groups of options: the options that several commands share, each declared once, as the fields of a dataclass.

A command that has a parameter of such a class gets the class's options in the parameter's place, and is called with the
value that they make.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter
from typing import Any, get_type_hints

import typer


class App(typer.Typer):
    """An app whose commands may take groups of options."""

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Register a function as a command; its groups are laid out for the command line alone."""
        register = super().command(name, **settings)

        def add(function: Callable[..., None]) -> Callable[..., None]:
            register(laid_out(function))
            return function

        return add


def laid_out(function: Callable[..., None]) -> Callable[..., None]:
    """Return a function that takes each field of a group in the group's place, and calls `function` with the groups."""
    parameters = inspect.signature(function, eval_str=True).parameters
    groups: dict[str, type[Any]] = {
        each.name: each.annotation
        for each in parameters.values()
        if isinstance(each.annotation, type) and is_dataclass(each.annotation)
    }
    if not groups:
        return function
    flat: list[Parameter] = []
    for each in parameters.values():
        flat += _fields(groups[each.name]) if each.name in groups else [each.replace(kind=Parameter.KEYWORD_ONLY)]

    def call(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        function(**given)

    call.__name__, call.__doc__, call.__module__ = function.__name__, function.__doc__, function.__module__
    call.__annotations__ = {each.name: each.annotation for each in flat}
    call.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return call


def _fields(group: type[Any]) -> list[Parameter]:
    annotations = get_type_hints(group, include_extras=True)
    return [
        Parameter(
            each.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if each.default is MISSING else each.default,
            annotation=annotations[each.name],
        )
        for each in fields(group)
    ]
