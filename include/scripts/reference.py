"""`docs/reference.md`: what the code itself says of the spec's keys, the stored documents, the commands and the forms.

`make reference` writes it; a test holds that it is current. Meanings are those of the classes' docstrings, options and
schemas, so that a key is explained once.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from model_release import cli
from model_release.airflow_glue.forms import housekeeping_params, operate_params, retrain_params
from model_release.client.command import parser
from model_release.documents import schemas
from model_release.spec.model import Spec
from model_release.spec.summary import Summary, summaries

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference.md"

_HEAD = """# Reference

Made by `make reference` from the code: what a key means is said there once. More words are in
[your model](your-model.md) and [operations](operations.md); errors and exit statuses are in [the runbook](runbook.md).
"""
_BOUNDS = {Ge: "≥", Gt: ">", Le: "≤", Lt: "<"}
_VARIABLE = re.compile(r"MODEL_RELEASE_[A-Z_]+")


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page."""
    parts = [_HEAD, *_spec(), *_documents(), *_commands(), *_forms(), *_environment()]
    return "\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


# ── the spec ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _spec() -> Iterator[str]:
    yield "## The spec\n"
    yield "One file a model. A key without a default must be written.\n"
    seen: dict[type[BaseModel], str] = {}
    agenda: list[tuple[str, type[BaseModel]]] = [("", Spec)]
    while agenda:
        path, model = agenda.pop(0)
        if model in seen:
            continue
        seen[model] = path
        meanings = attributes(model)
        yield f"### {f'`{path}`' if path else 'The whole file'}\n"
        yield f"{_first_line(model)}\n"
        rows = []
        for name, field in model.model_fields.items():
            inside = [(f"{path}.{name}".strip("."), each) for each in _models(field.annotation)]
            meaning = meanings.get(name) or field.description or "".join(_first_line(each) for _, each in inside[:1])
            rows.append((f"`{name}`", _kind(field), _default(field), meaning))
            agenda += [each for each in inside if each[1] not in seen]
        yield from _table(("key", "value", "default", "meaning"), rows)


def attributes(model: type) -> dict[str, str]:
    """Return the meaning of each attribute by the docstrings of a class and its bases; several may share one."""
    inherits = (model.__base__,) if model.__base__ not in (None, BaseModel, object) else ()
    found = {name: meaning for base in inherits for name, meaning in attributes(base).items()}
    doc = cleandoc(model.__doc__ or "").partition("Attributes:")[2].partition("Raises:")[0]
    for entry in re.findall(r"^ {4}([\w, ]+): ((?:.*\n?)(?:^ {8}.*\n?)*)", doc, re.MULTILINE):
        found |= dict.fromkeys((name.strip() for name in entry[0].split(",")), " ".join(entry[1].split()))
    return found


def _first_line(model: type) -> str:
    return (model.__doc__ or "").partition("\n\n")[0].replace("\n", " ").strip()


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def _kind(field: FieldInfo) -> str:
    bounds = [f"{_BOUNDS[type(each)]} {next(iter(_values(each)))}" for each in field.metadata if type(each) in _BOUNDS]
    return ", ".join([_words(field.annotation), *bounds])


def _values(bound: Any) -> Iterator[Any]:
    for name in ("ge", "gt", "le", "lt"):
        if hasattr(bound, name):
            yield getattr(bound, name)


def _words(annotation: Any) -> str:
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in inside)
    if origin in (Union, UnionType):
        return " or ".join(_words(each) for each in inside if each is not NoneType)
    if origin is list:
        return f"list of {_words(inside[0])}"
    if origin is dict:
        return f"mapping to {_words(inside[1])}"
    if origin is not None and inside:  # Annotated
        return _words(inside[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{each.value}`" for each in annotation)
    names = {"str": "text", "int": "whole number", "float": "number", "bool": "`true` or `false`"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, "mapping" if isinstance(annotation, type) and issubclass(annotation, BaseModel) else name)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return "as below"
    if value is None or value in ("", [], {}):
        return "none"
    return f"`{value.value if isinstance(value, Enum) else value}`"


# ── what is stored ──────────────────────────────────────────────────────────────────────────────────────────────────


def _documents() -> Iterator[str]:
    yield "## What is stored\n"
    for name in ("metadata.schema.json", "latest.schema.json"):
        schema = json.loads(schemas.current()[name])
        yield f"### `{name.replace('.schema', '')}`\n"
        yield f"[JSON Schema](../include/model_release/documents/schemas/{name}). {schema.get('description', '')}\n"
        shapes = [schema, *schema.get("$defs", {}).values()]
        wanted = next(each for each in shapes if {"model_name", "lineage"} & each.get("properties", {}).keys())
        rows = [
            (f"`{field}`", _json_kind(told), str(told.get("description") or _described(told, schema)))
            for field, told in wanted["properties"].items()
        ]
        yield from _table(("field", "value", "meaning"), rows)


def _described(told: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return what a document says of the shape that a field has."""
    either = [told, *told.get("anyOf", [])]
    inside = [*either, *(part for each in either for part in (each.get("items"), each.get("additionalProperties")))]
    names = [each["$ref"].rpartition("/")[2] for each in inside if isinstance(each, dict) and "$ref" in each]
    return " ".join(str(schema["$defs"][name].get("description", "")).partition("\n\n")[0] for name in names)


def _json_kind(told: dict[str, Any]) -> str:
    if "$ref" in told:
        return str(told["$ref"]).rpartition("/")[2]
    if "anyOf" in told:
        return " or ".join(_json_kind(each) for each in told["anyOf"])
    if told.get("type") == "array":
        return f"list of {_json_kind(told.get('items', {}))}"
    return str(told.get("format") or told.get("type") or told.get("const", "any"))


# ── commands, forms, variables ──────────────────────────────────────────────────────────────────────────────────────


def _commands() -> Iterator[str]:
    yield "## Commands\n"
    yield from _group(typer.main.get_command(cli.app), "model-release")
    [kinds] = [each for each in parser()._actions if isinstance(each, argparse._SubParsersAction)]
    for name, command in kinds.choices.items():
        rows = [(", ".join(each.option_strings) or str(each.metavar), "", each.help or "") for each in command._actions]
        yield from _command(f"model-release {name}", command.description or "", rows)


def _group(group: Any, name: str) -> Iterator[str]:
    context = typer.Context(group)
    for each in group.list_commands(context):
        command = group.get_command(context, each)
        if hasattr(command, "list_commands"):
            yield from _group(command, f"{name} {each}")
        elif not command.hidden and each not in ("pull", "watch"):  # those have a parser of their own, without typer
            yield from _command(f"{name} {each}", command.help or "", map(_parameter, command.params))


def _parameter(each: Any) -> tuple[str, str, str]:
    name = ", ".join(each.opts) if each.param_type_name == "option" else str(each.metavar or each.name)
    return name, getattr(each, "envvar", None) or "", getattr(each, "help", None) or ""


def _command(name: str, words: str, rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield " ".join(words.partition("\n\n")[0].split()) + "\n"
    told = [(f"`{option}`", f"`{variable}`" if variable else "", meaning) for option, variable, meaning in rows]
    yield from _table(("argument or option", "variable", "meaning"), told)


def _forms() -> Iterator[str]:
    yield "## Forms of the DAGs\n"
    [spec, *_] = [each for each in summaries(ROOT / "dags" / "retrain.py") if isinstance(each, Summary)]
    forms = {
        "retrain_<model>": retrain_params(spec),
        "operate_<model>": operate_params(),
        "housekeeping_<model>": housekeeping_params(),
    }
    for name, params in forms.items():
        yield f"### `{name}`\n"
        rows = [
            (
                f"`{key}`",
                str(param.schema.get("title", "")),
                _default_of(key, param.value),
                param.description or "",
            )
            for key, param in params.items()
        ]
        yield from _table(("key of the conf", "in the form", "default", "meaning"), rows)


def _default_of(key: str, value: Any) -> str:
    if key == "candidates":
        return "all of the spec"
    return f"`{value}`" if isinstance(value, bool | str) else "" if value is None else "must be given"


def _environment() -> Iterator[str]:
    yield "## Environment variables\n"
    yield "Those of single commands stand with their options above.\n"
    yield from _table(("variable", "meaning"), sorted((f"`{name}`", words) for name, words in variables().items()))


def variables() -> dict[str, str]:
    """Return the variables that modules of the package read, by the constants that name them, with their docstrings."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "include").rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for each, after in zip(body, [*body[1:], None], strict=True):
            match each:
                case ast.Assign(value=ast.Constant(value=str() as name)) if _VARIABLE.fullmatch(name):
                    is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                    words = str(after.value.value) if is_text else ""  # type: ignore[union-attr]
                    found[name] = words.removeprefix("Environment variable: ").replace("\n", " ")
    return found


if __name__ == "__main__":
    main()
