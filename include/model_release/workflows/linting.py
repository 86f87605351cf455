"""What is wrong with a spec and its data, found before a night finds it. Only a temporary folder is written to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_release.errors import DataInvalid, ModelReleaseError, NotFound, SpecError
from model_release.spec.load import load_spec
from model_release.spec.model import Spec
from model_release.spec.split import disagreements
from model_release.stores.local import LocalStore
from model_release.workflows.addresses import check_destinations, check_source, passwords
from model_release.workflows.destinations import Opener
from model_release.workflows.sources import database_here, open_source, today_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from model_release.modelling.dataset import Rows


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with one spec.

    Attributes:
        fault: what stops a run, in words; None if nothing does.
        warnings: what does not stop a run, and will be regretted.
        rows: how many rows of data were read; None if none were.
    """

    fault: str | None = None
    warnings: list[str] = field(default_factory=list)
    rows: int | None = None


def findings(path: Path, given: Sequence[Path], *, data: bool | None, opener: Opener) -> Findings:
    """Look at one spec, and at its data.

    Args:
        path: of the spec.
        given: the specs that are looked at together, this one included.
        data: whether the data is read; None: if its source is a folder, and what is not there yet is no fault.
        opener: opens the source.
    """
    try:
        spec = load_spec(path)
        if namesakes := _namesakes(spec, given):
            raise SpecError(namesakes, hint="give each spec a name of its own")
        check_destinations(spec)
        check_source(spec)
        if find_spec("sklearn") is None:
            return Findings(warnings=[*_warnings(spec)])
        _check_candidates(spec)
        if not (spec.source_uri().startswith("file:") if data is None else data):
            return Findings(warnings=[*_warnings(spec)])
        rows = _read(spec, opener)
        _check_folds(spec, rows)
        _check_metrics(spec, rows)
    except NotFound as error:
        if data is None:  # the spec may have been written before its data is there
            return Findings(warnings=[f"{error.where}: {error.what}", *_warnings(spec)])
        return Findings(fault=str(error))
    except DataInvalid as error:
        return Findings(fault=_by_cause(error, spec))
    except ModelReleaseError as error:
        words = error.what if isinstance(error, SpecError) else f"{error.where}: {error.what}"
        return Findings(fault=words if error.hint is None else f"{words}\n  → {error.hint}")
    return Findings(warnings=[*_warnings(spec), *_warnings_of_data(spec, rows)], rows=len(rows))


def _namesakes(spec: Spec, others: Iterable[Path]) -> str | None:
    """Say which other specs have the same name: each would replace the other's DAGs, and share its releases."""
    found = {str(other) for other in others if other.resolve() != spec.path and _name_of(other) == spec.name}
    if not found:
        return None
    return (
        f"name: {spec.name} is the name of {', '.join(sorted(found))} too: Airflow has the DAGs of one of them alone, "
        "and all of them release to one folder"
    )


def _name_of(path: Path) -> str | None:
    try:
        return load_spec(path).name
    except SpecError:
        return None  # has a finding of its own, if it was given


def _beside(path: Path) -> list[Path]:
    return sorted(each for ending in ("*.yaml", "*.yml") for each in path.parent.glob(ending))


def _check_candidates(spec: Spec) -> None:
    from model_release.modelling.dataset import input_schema
    from model_release.modelling.tasks import task_of
    from model_release.modelling.tasks.own import own_metrics
    from model_release.modelling.training.recipes import check_recipe

    own_metrics(spec)
    inputs, weighted = spec.dataset.inputs, spec.dataset.weight is not None
    made_up = {name: ["one", "another"] for name, column in inputs.items() if column.is_learned}
    for name, candidate in spec.candidates.items():
        for each in candidate.samples():
            check_recipe(task_of(spec), each, columns=input_schema(spec.dataset, made_up), weighted=weighted, name=name)


def _read(spec: Spec, opener: Opener) -> Rows:
    """Read the data as ingest does, into a temporary folder."""
    from model_release.modelling import dataset

    today = today_of(spec)
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        data = LocalStore(Path(scratch))
        source = open_source(spec, opener=opener, databases=database_here, data=data, as_of=today)
        snapshot = dataset.ingest(spec, source=source, data=data, as_of=today)
        return dataset.load(spec, snapshot, data=data)


def _check_folds(spec: Spec, rows: Rows) -> None:
    """Find out whether a model can be fitted in each fold.

    Raises:
        DataInvalid: it cannot.
    """
    from model_release.modelling import dataset
    from model_release.modelling.folds import folds_of

    try:
        folds_of(spec, rows, dataset.rows_apart(spec, rows)[0])
    except DataInvalid as error:
        raise DataInvalid(f"validation.folds: {error.what}", hint=error.hint) from error


def _check_metrics(spec: Spec, rows: Rows) -> None:
    """Measure a constant answer by the metrics that the spec brings.

    Raises:
        SpecError: one cannot be measured.
    """
    from model_release.modelling.tasks import task_of
    from model_release.modelling.tasks.own import constant, own_metrics

    task = task_of(spec)
    found = own_metrics(spec).figures(task, rows.frame, rows.target, constant(task, rows.target))
    lost = [name for name, value in found.items() if value is None]
    if lost:
        raise SpecError(f"gate.metrics.{lost[0]}: gives no finite number for {len(rows)} rows of the data")


def _warnings(spec: Spec) -> Iterator[str]:
    if namesakes := _namesakes(spec, _beside(spec.path)):
        yield namesakes
    yield from passwords(spec)
    gate = spec.gate
    floors = [gate.cross_validation, gate.holdout, *(each.floors for each in gate.slices)]
    if not any(each for each in floors):
        yield "gate: there are no floors, and a gate without floors accepts nothing"
    yield from disagreements(spec.dataset, spec.split, spec.validation)


def _warnings_of_data(spec: Spec, rows: Rows) -> Iterator[str]:
    from model_release.modelling import dataset
    from model_release.modelling.tasks import task_of
    from model_release.modelling.tasks.own import own_metrics
    from model_release.modelling.training.preview import without_onnx

    task, own, kind, floors = task_of(spec), own_metrics(spec), spec.task_kind, spec.gate.cross_validation
    training, _ = dataset.rows_apart(spec, rows)
    target, weights = rows.target[training], dataset.weights_of(rows, spec.dataset)
    weight = None if weights is None else weights[training]
    for words, answers in _constant_answers(spec, target, weight) if floors else ():
        figures = task.figures(target, answers, weight)
        figures |= own.figures(task, rows.frame.iloc[training], target, answers, weight)
        reached = {name: figures[name] for name in floors}
        if all(
            each is not None and (each <= floors[name] if kind.less_is_better(name) else each >= floors[name])
            for name, each in reached.items()
        ):
            yield f"gate.cross_validation: {words}, passes every floor: raise one, or add a floor of another figure"
            break
    for name in spec.candidates:
        try:
            reason = without_onnx(spec, name, rows)
        except Exception as error:  # noqa: BLE001 - an estimator may raise anything
            reason = f"it cannot be fitted to the data: {' '.join(str(error).split())}"
        if reason is not None:
            yield f"candidates.{name} has no ONNX form, and loads from its pickle alone: {reason}"


def _constant_answers(
    spec: Spec, target: NDArray[Any], weight: NDArray[np.float64] | None
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield models that learn nothing: in words, and what they answer for each row."""
    import numpy as np

    rows, classes = len(target), len(spec.dataset.target.words)
    mean = np.average(target, weights=weight)
    if not classes:
        yield "the mean, always", np.full(rows, mean)
    elif classes == 2:
        yield "the positive class's share, always", np.full(rows, mean)
        yield "the positive class, always", np.ones(rows)
    else:
        shares = np.bincount(target, weight, minlength=classes) / (rows if weight is None else weight.sum())
        yield "the classes' shares, always", np.tile(shares, (rows, 1))
        yield "the most frequent class, always", np.tile(np.eye(classes)[shares.argmax()], (rows, 1))


def _by_cause(error: DataInvalid, spec: Spec) -> str:
    """One line for each cause: the rule that is broken in a column, how often, and where first."""
    from model_release.modelling.dataset.findings import Finding, by_cause

    if not error.report:
        return error.what if error.hint is None else f"{error.what}\n  → {error.hint}"
    found = [Finding(**each) for each in error.report]  # type: ignore[arg-type]
    lines = [f"the data at {spec.source_uri()} breaks the spec's rules:", *(f"  - {each}" for each in by_cause(found))]
    if any(each.column == spec.dataset.target.column and each.rule == "is not a number" for each in found):
        lines.append("    → the target is text: list its labels under dataset.target.classes")
    return "\n".join(lines)
