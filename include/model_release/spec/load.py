"""From a YAML file to a `Spec`. Whatever is wrong is said with line, key and remedy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from model_release.documents.suggest import did_you_mean
from model_release.errors import SpecError
from model_release.spec.file import read_spec
from model_release.spec.misread import misread
from model_release.spec.model import Spec
from model_release.spec.tracking_uri import without_credentials

Described = TypeVar("Described", bound=BaseModel)

MAX_DEPTH = 50
"""Levels of lists and mappings inside each other."""

MAX_NODES = 50_000
"""Keys and values of a spec, each alias counted as what it stands for."""

_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_WHAT_TO_WRITE = {
    "dataset.partitions": ": write increments if each partition adds rows to those before it, snapshots if each one is "
    "the whole table"
}
"""What the message says of a missing key beside its name."""


def load_spec(path: Path) -> Spec:
    """Read a model's spec.

    Raises:
        SpecError: one clear error with every fault of the file, each with its line and key.
    """
    return parse_spec(read_spec(path), path)


def parse_spec(content: bytes, path: Path) -> Spec:
    """Return the spec that a file holds, from what was read of it.

    Raises:
        SpecError: as `load_spec`.
    """
    spec = parse(Spec, content, path)
    spec._path = path.resolve()
    return spec


def parse(kind: type[Described], content: bytes, path: Path) -> Described:
    """Return what a YAML file says in the words of a spec.

    Args:
        kind: what the file describes.
        content: of the file.
        path: its own, for errors.

    Raises:
        SpecError: one clear error with every fault of the file, each with its line and key.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise SpecError(
            f"is not text in UTF-8, from byte {error.start + 1} on", where=str(path), hint="save it as UTF-8"
        ) from error
    try:
        _check_depth(text)
        loader = _Loader(text)
        tree = loader.get_single_node()
        _check_aliases(tree)
        faults = [f"line {line}: {key}: stands twice" for line, key in _repeated_keys(tree, "")]
        faults += [f"line {line}: {key}: {words}" for line, key, words in misread(tree)]
        document = json.dumps(loader.construct_document(tree), default=str) if tree else ""  # changes the tree: last
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:  # 2026-13-45; a date as a key; a loop
        raise SpecError(f"is not YAML: {' '.join(str(error).split())}", where=str(path)) from error
    if not isinstance(tree, yaml.MappingNode):
        raise SpecError("is not a mapping of keys to values", where=str(path))
    if faults:
        raise SpecError(_numbered(faults), where=str(path))
    try:
        return kind.model_validate_json(document)
    except ValidationError as error:
        faults = [_explain(kind, fault, tree) for fault in _each(error)]
        raise SpecError(_numbered(faults), where=str(path)) from error


def _numbered(faults: list[str]) -> str:
    return faults[0] if len(faults) == 1 else f"{len(faults)} faults:\n" + "\n".join(f"  - {each}" for each in faults)


def _check_depth(text: str) -> None:
    """Check how deep a text nests before it is composed: libyaml's composer recurses until the process crashes.

    Raises:
        ValueError: deeper than any spec.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else "?"
                raise ValueError(f"line {line}: nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_aliases(tree: yaml.Node | None) -> None:
    """Check how many nodes a tree has once each alias is its anchor's copy: eight lines can stand for a billion.

    Raises:
        ValueError: more than any spec, or an anchor holds itself.
    """
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = MAX_NODES + 1  # what an anchor that holds itself counts as
            inside = [] if isinstance(node, yaml.ScalarNode) else node.value
            parts = [part for each in inside for part in (each if isinstance(each, tuple) else (each,))]
            sizes[id(node)] = min(1 + sum(map(size, parts)), MAX_NODES + 1)
        return sizes[id(node)]

    if tree is not None and size(tree) > MAX_NODES:
        raise ValueError(f"with its aliases written out it has more than {MAX_NODES:,} values")


def _repeated_keys(node: yaml.Node | None, prefix: str) -> Iterator[tuple[int, str]]:
    """YAML keeps the last of two equal keys without a word; here both are an error."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            if key.value in seen:
                yield key.start_mark.line + 1, name
            seen.add(key.value)
            yield from _repeated_keys(value, f"{name}.")
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _repeated_keys(value, f"{prefix}{index}.")


def _each(error: ValidationError) -> Iterator[ErrorDetails]:
    """Yield pydantic's findings, those of a validator that found several at their own places."""
    for fault in error.errors(include_url=False):
        inner = fault.get("ctx", {}).get("error")
        if isinstance(inner, ValidationError):
            for each in inner.errors(include_url=False):
                yield {**each, "loc": (*fault["loc"], *each["loc"])}
        else:
            yield fault


def _explain(root: type[BaseModel], fault: ErrorDetails, tree: yaml.Node) -> str:
    """Put one of pydantic's findings in a spec writer's words."""
    location = tuple(part for part in fault["loc"] if part != "[key]")
    key = ".".join(str(part) for part in location) or "the file"
    match fault["type"]:
        case "extra_forbidden":
            text = "unknown key" + did_you_mean(str(location[-1]), _keys_at(root, location[:-1]))
        case "missing":
            text = "is missing" + _WHAT_TO_WRITE.get(key, "")
        case "enum" | "literal_error":
            allowed = _choices(fault)
            text = (
                f"{fault['input']!r} is not known"
                + did_you_mean(str(fault["input"]), allowed)
                + f"; known: {', '.join(allowed)}"
            )
        case _:
            text = fault["msg"].removeprefix("Value error, ")
            if not isinstance(fault["input"], dict | list):
                text += f" (it says {without_credentials(repr(fault['input']))})"
    return f"line {_line(tree, location)}: {key}: {text}"


def _choices(fault: ErrorDetails) -> list[str]:
    said = str(fault.get("ctx", {}).get("expected", ""))
    return [part.strip().strip("'") for part in said.replace(" or ", ", ").split(",") if part.strip()]


def _keys_at(root: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that a model knows at a location."""
    kind: Any = root
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[str(part)].annotation
        else:  # dict[str, X] or list[X]: the last argument is X
            kind = get_args(kind)[-1]
        options = [each for each in get_args(kind) if isinstance(each, type) and issubclass(each, BaseModel)]
        if options and not _is_container(kind):
            kind = options[0]
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _is_container(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) in (dict, list)


def _line(tree: yaml.Node, location: tuple[int | str, ...]) -> int:
    """The line of the deepest key of `location` that the file has, counted from 1."""
    node, line = tree, 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
