"""What a first spec of a file says: every choice with its reason, then the text.

The text comes from a template with comments. Every value of the file goes through a YAML dumper, and the text is read
back as a spec, so that no name and no category of the data can change its meaning.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from model_release.documents.suggest import did_you_mean
from model_release.errors import DataInvalid, UsageError
from model_release.workflows.drafting.columns import Described, describe
from model_release.workflows.drafting.goal import goal_of
from model_release.workflows.drafting.table import Table, with_point

USUAL_MARKS: Final = ("", "?")
"""Marks that a spec takes for missing unless it says otherwise."""

_SEEN_LINES = 3
_FOR_MODELS = ("numeric", "integer", "boolean", "categorical", "datetime")


@dataclass(frozen=True, slots=True)
class Draft:
    """A first spec.

    Attributes:
        name: of the model.
        text: of the spec's file.
        source: the folder of the partitions, beside the spec.
        kept: the columns that the spec has, the target last, in the file's order otherwise.
        guesses: what was guessed, in sentences.
    """

    name: str
    text: str
    source: str
    kept: list[str]
    guesses: list[str]


def draft(table: Table, *, target: str, name: str) -> Draft:
    """Return a first spec of a table.

    Args:
        table: the file's cells.
        target: the column that is to be predicted.
        name: of the model; the letters, digits and dashes of it are taken.

    Raises:
        UsageError: the table has no such column, no such name is possible, or the target is none that can be predicted.
        DataInvalid: most rows lack the target, a class has too few rows, or no column is left to predict it from.
    """
    if target not in table.columns:
        known = ", ".join(table.columns)
        hint = f"columns: {known}" if table.form.header else f"it has no header line, so the columns are called {known}"
        raise UsageError(f"the file has no column {target!r}{did_you_mean(target, table.columns)}", hint=hint)
    slug, form = _slug(name), table.form
    point = form.decimal == ","
    cells = {each: [with_point(cell) for cell in column] if point else column for each, column in table.columns.items()}
    described = {each: describe(each, column) for each, column in cells.items()}
    guesses = [*table.notes]
    goal = goal_of(target, cells[target], described[target])
    guesses += goal.guesses
    kept = {each: what for each, what in described.items() if each != target and _has_place(each, what, guesses)}
    if not any(_is_input(what) for what in kept.values()):
        raise DataInvalid("no column is left that the target could be predicted from", hint="; ".join(guesses))
    guesses.append("each later partition adds rows; if each one is the whole table, write partitions: snapshots")
    marks = sorted({mark for what in [*kept.values(), described[target]] for mark in what.marks} - {*USUAL_MARKS})
    for mark in marks:
        where = [each for each in [*kept, target] if mark in described[each].marks]
        guesses.append(f"{mark!r} means that a value is missing ({_listed(where)})")
    text = _render(
        name=slug,
        title=slug.replace("-", " ").capitalize(),
        owner=_owner(),
        rows=table.rows,
        source=f"data/{slug}",
        form=form,
        header=None if form.header else list(table.columns),
        others="ignore" if len(kept) + 1 < len(table.columns) else "refuse",
        marks=[*USUAL_MARKS, *marks],
        columns=[(_indented({each: _column(what)}, 4), what.words) for each, what in kept.items()],
        goal=goal,
        target=_indented(goal.target, 4),
        group=next((each for each, what in kept.items() if what.groups_rows), None),
        repeats=10 if table.rows <= 1_000 else 3 if table.rows <= 10_000 else 1,
    )
    return Draft(slug, text, f"data/{slug}", [*kept, target], guesses)


def _has_place(name: str, what: Described, guesses: list[str]) -> bool:
    """Whether the spec has a column; says why if not, and what was suspected of it."""
    shown = repr(name)
    if what.kind == "empty":
        guesses.append(f"column {shown} has no value: left out")
    elif not name:
        guesses.append("a column without a name, such as an index: left out")
    elif what.kind == "datetime":
        form = f" in the form {what.form}" if what.form else ""
        doubt = ", unless day and month are the other way round" if what.is_ambiguous else ""
        guesses.append(
            f"column {shown} holds dates{form}{doubt}: the model gets their age in days; parts names what else it gets"
        )
    elif what.is_learned:
        guesses.append(
            f"column {shown} has {what.distinct:,} different values: they are learned, and new ones count as unknown"
        )
    elif what.kind == "text":
        why = "names each row" if what.names_rows else f"is text with {what.distinct:,} different values"
        if not what.groups_rows:
            guesses.append(f"column {shown} {why}: left out")
    if not name or not (what.kind in _FOR_MODELS or what.groups_rows):
        return False
    if what.groups_rows:
        guesses.append(
            f"column {shown} seems to be an id that several rows share: kept, and not shown to the model; the first "
            "such column is the group, whose rows stay on one side of every split"
        )
    if what.names_rows:
        guesses.append(f"column {shown} seems to be an id: kept, and not shown to the model")
    if what.suspect is not None:
        guesses.append(
            f"{what.suspect:g} in column {shown} may mean 'not measured': if so, add it to the column's missing_values"
        )
    return True


def _is_input(what: Described) -> bool:
    return what.kind in _FOR_MODELS and not what.names_rows and not what.groups_rows


def _column(what: Described) -> dict[str, Any]:
    """The spec's words for a column. A range is left open where the next rows may well exceed it."""
    made: dict[str, Any] = {"kind": what.kind}
    if what.is_learned:
        made |= {"values": "learn", "limit": 2 * what.distinct, "unknown": "allow"}
    elif what.kind == "categorical":
        made["values"] = list(what.values)
    elif what.form is not None:
        made["form"] = what.form
    elif what.kind in ("numeric", "integer") and what.low >= 0:
        made["min"] = 0
    if what.missing:
        made["nullable"] = True
    if not _is_input(what):
        made["input"] = False
    return made


def _render(**facts: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - YAML; each value of the data goes through the dumper
        loader=PackageLoader("model_release.workflows.drafting"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"yaml": _scalar, "comment": _comment}
    return environment.get_template("spec.yaml.j2").render(**facts)


def _scalar(value: object) -> str:
    """One value as YAML on one line, quoted where YAML would read something else."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"))
    return text.removesuffix("\n").removesuffix("\n...")


def _comment(text: str) -> str:
    """A text of the data on one line of a comment."""
    return "".join(each if each.isprintable() else " " for each in text)


def _indented(value: Mapping[str, Any], spaces: int) -> str:
    text = yaml.safe_dump(
        dict(value), default_flow_style=None, allow_unicode=True, sort_keys=False, width=120 - spaces, indent=2
    )
    return "".join(f"{' ' * spaces}{line}\n" for line in text.splitlines()).rstrip("\n")


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-")
    if re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", slug) is None:
        raise UsageError(
            f"{name!r} makes no name for a model: it begins with a letter and has two letters or digits, or more",
            hint="give one: --name churn",
        )
    return slug


def _owner() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "data-science"


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:_SEEN_LINES]))
    return shown if len(names) <= _SEEN_LINES else f"{shown} and {len(names) - _SEEN_LINES} more"
