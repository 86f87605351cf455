"""Values of a spec that YAML reads as something else than a person means: `NO`, `01067`, `12:30`. For `load`.

YAML 1.1 takes plain words for booleans, octal numbers and times of the day. Where the spec repeats what the data says,
such a value would silently match no cell.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

_KINDS = {
    "tag:yaml.org,2002:bool": "the boolean",
    "tag:yaml.org,2002:int": "the number",
    "tag:yaml.org,2002:float": "the number",
    "tag:yaml.org,2002:timestamp": "the time",
    "tag:yaml.org,2002:null": "no value",
}


def misread(tree: yaml.Node | None) -> Iterator[tuple[int, str, str]]:
    """Yield line, key and words for each value of the data that YAML reads as another one.

    Args:
        tree: of the whole spec.
    """
    dataset = _child(tree, "dataset")
    for key, node in _items(_child(dataset, "columns")):
        for name in ("values", "missing_values"):
            yield from _in_list(_child(node, name), f"dataset.columns.{key.value}.{name}")
    for name in ("missing", "header"):
        yield from _in_list(_child(dataset, name), f"dataset.{name}")
    target = _child(dataset, "target")
    for key, _ in _items(_child(target, "classes")):
        yield from _one(key, "dataset.target.classes", boolean=True)
    positive = _child(target, "positive")
    if positive is not None:
        yield from _one(positive, "dataset.target.positive", boolean=True)


def _in_list(node: yaml.Node | None, key: str) -> Iterator[tuple[int, str, str]]:
    for each in node.value if isinstance(node, yaml.SequenceNode) else []:
        yield from _one(each, key, boolean=False)


def _one(node: yaml.Node, key: str, *, boolean: bool) -> Iterator[tuple[int, str, str]]:
    """Look at one value; `boolean`: `true` and `false` may stand here."""
    if not isinstance(node, yaml.ScalarNode) or node.style or node.tag not in _KINDS:
        return
    text: str = node.value
    value = yaml.safe_load(text)
    if isinstance(value, bool):
        as_written = boolean and text.lower() in ("true", "false")
    elif isinstance(value, float):
        as_written = ":" not in text
    else:
        as_written = value is not None and str(value) == text.lstrip("+")
    if not as_written:
        shown = "" if value is None else f" {str(value).lower() if isinstance(value, bool) else value}"
        yield node.start_mark.line + 1, key, f"{text} is {_KINDS[node.tag]}{shown} to YAML; quote it: '{text}'"


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return next((value for key, value in _items(node) if key.value == name), None)


def _items(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return node.value if isinstance(node, yaml.MappingNode) else []
