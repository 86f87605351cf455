"""Opens the model of a release: the one place that turns its bytes into a model that answers.

The clean process that tries a release before it goes live, the client and the service all use it. The bytes that are
opened are those that were checked against the manifest. A form is opened as itself or not at all; no other form takes
its place. ONNX is read from bytes alone: a graph with weights in other files is refused.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from model_release.documents import limits
from model_release.documents.base import sha256_of
from model_release.documents.golden import GOLDEN_DAY, GOLDEN_FILE, Cell, Golden, made_up_rows, table
from model_release.documents.inputs import Inputs, Misfit
from model_release.documents.manifest import InputColumn, Manifest
from model_release.errors import Corrupt, Refused, UsageError
from model_release.model_files.onnx_safety import check_self_contained
from model_release.model_files.rows import Table, by_column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ONNX_FILE = "model.onnx"
"""The form that runs no code of its own when it is loaded; every loader's first choice."""

Form = Literal["onnx", "pickle"]


class ModelOutputs(NamedTuple):
    """The answers of a model, by row.

    Attributes:
        classes: 1 for the positive class, else 0; of more than two classes, the class in words; a model that was made
            by hand may have other ones. None if numbers are predicted.
        probabilities: of the positive class, or a row of them for all classes; None if the model tells none.
        values: the predicted numbers; None if classes are predicted.
        bounds: of the numbers' intervals: all lower ones, and all upper ones; None if the model has no interval.
    """

    classes: Sequence[Any] | None
    probabilities: Sequence[Any] | NDArray[Any] | None
    values: Sequence[float] | None = None
    bounds: Sequence[Sequence[float] | NDArray[Any]] | None = None

    @property
    def rows(self) -> int:
        """How many rows were answered."""
        return len(self.values if self.values is not None else self.classes if self.classes is not None else ())

    @property
    def numbers(self) -> Sequence[Any] | NDArray[Any] | None:
        """The numbers of each row: a value, a probability, or those of all classes; None if the model tells none."""
        return self.probabilities if self.values is None else self.values


class Model(Protocol):
    """An opened model. It answers from several threads at once.

    Attributes:
        form: what it was opened from.
        columns: the names of the columns that it takes, in their order; empty if the release does not tell them.
        features: the names of its inputs, in the order of a matrix's columns: those of `columns`, with the parts of
            each date in its place.
    """

    form: Form
    columns: tuple[str, ...]
    features: tuple[str, ...]

    def predict(self, rows: Table, *, day: date | None = None) -> ModelOutputs:
        """Return the answers to rows: a frame of pandas or polars, a dictionary of columns or of one row, or a list.

        Columns may have any order. A row of a list is a dictionary, or has its values in the model's order.

        Args:
            rows: the cells of each column, as a file or a table has them; None and NaN are missing.
            day: the one from which the ages of dates are counted; by default today, in the zone of each date.

        Raises:
            UsageError: these are no rows; a column is missing, is not one of the model's, or does not take a value.
        """

    def predict_features(self, features: Mapping[str, Sequence[Cell]]) -> ModelOutputs:
        """Return the answers to the model's own inputs by name, in the form that the release's schema gives them."""

    def predict_matrix(self, matrix: NDArray[np.float64]) -> ModelOutputs:
        """Return the answers to `float64[rows, features]`, NaN for a missing value; for models without text inputs."""


def forms(manifest: Manifest) -> dict[Form, list[str]]:
    """Return the forms that a release has, in the order in which a loader should prefer them, with their files."""
    pipeline = [name for name in (manifest.model_file, manifest.preprocessor_file) if name is not None]
    known: dict[Form, list[str]] = {"onnx": [ONNX_FILE], "pickle": pipeline if manifest.model_file else []}
    listed = {entry.path for entry in manifest.files}
    return {form: files for form, files in known.items() if files and listed.issuperset(files)}


def open_model(folder: Path, manifest: Manifest, form: Form) -> Model:
    """Return the model that a release holds in one form. The pickled form runs any code that its bytes hold.

    Args:
        folder: holds the release's files.
        manifest: of the release, verified.
        form: the one to open.

    Raises:
        Refused: the release does not have that form.
        Corrupt: a file differs from its digest in the manifest.
        Exception: raised by a library for a file that it cannot load.
    """
    if form not in forms(manifest):
        others = " and ".join(forms(manifest)) or "none that is known"
        raise Refused(f"{manifest.version} has no {form} form", where=str(folder), hint=f"its forms: {others}")
    return _OnnxModel(folder, manifest) if form == "onnx" else _PickledModel(folder, manifest)


def check_answers(model: Model, folder: Path, manifest: Manifest) -> None:
    """Check that a model gives the golden rows the answers that it gave in training; without them, that it answers.

    Raises:
        ValueError: it does not; the message names the row.
        Corrupt: the golden rows differ from their digest in the manifest.
    """
    if any(entry.path == GOLDEN_FILE for entry in manifest.files):
        golden = Golden.read(verified(folder, manifest, GOLDEN_FILE), where=GOLDEN_FILE)
        answers = model.predict(golden.rows, day=GOLDEN_DAY)
        wrong = golden.disagreement(answers.classes, answers.numbers)
        if wrong is not None:
            raise ValueError(wrong)
    elif manifest.input_schema and model.predict(made_up_row(manifest.input_schema), day=GOLDEN_DAY).rows != 1:
        raise ValueError("one row was asked about, and not one answer came")


def made_up_row(columns: Sequence[InputColumn]) -> dict[str, list[Cell]]:
    """Return a row that the model must have an answer for: the middle of each range, the first of each list.

    Dates are as of `GOLDEN_DAY`.
    """
    row: dict[str, list[Cell]] = {}
    for column in columns:
        if column.kind not in ("numeric", "categorical"):
            row |= {name: cells[:1] for name, cells in made_up_rows([column]).items()}
            continue
        bounds = [each for each in (column.minimum, column.maximum) if each is not None]
        value = column.values[0] if column.values else sum(bounds) / len(bounds) if bounds else 0.0
        row[column.name] = [value if isinstance(value, str) else float(value)]
    return row


def verified(folder: Path, manifest: Manifest, name: str) -> bytes:
    """Return the bytes of a release's file.

    Raises:
        Corrupt: they are not those that the manifest promises.
    """
    promised = manifest.file(name)
    body = limits.read_bounded(folder / name, promised.size)
    if len(body) != promised.size or sha256_of(body) != promised.sha256:
        raise Corrupt(f"not the bytes that the manifest of {manifest.version} promises", where=str(folder / name))
    return body


def _ordered(rows: Mapping[str, Sequence[Any]], columns: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Return the rows with their columns in the model's order."""
    if not columns or set(columns) == rows.keys():
        return {name: rows[name] for name in columns or rows}
    missing, unknown = sorted(set(columns) - rows.keys()), sorted(rows.keys() - set(columns))
    said = [f"{word}: {', '.join(names)}" for word, names in (("missing", missing), ("unknown", unknown)) if names]
    raise UsageError(f"these are not the model's columns; {'; '.join(said)}")


class Door:
    """From rows by column to the model's inputs: by the release's schema; without one, as they are."""

    def __init__(self, manifest: Manifest, features: Sequence[str]) -> None:
        self._inputs = Inputs(manifest.input_schema) if manifest.input_schema else None
        self.columns = tuple(self._inputs.columns) if self._inputs else tuple(features)
        self.features = tuple(features) or (self._inputs.features if self._inputs else ())

    def encode(self, rows: Table, day: date | None) -> dict[str, Sequence[Cell]]:
        """Return the model's inputs by name.

        Raises:
            UsageError: as `Model.predict`.
        """
        columns = _ordered(by_column(rows, self.columns), self.columns)
        if self._inputs is None:
            return columns
        try:
            found = self._inputs.encode(columns, day or datetime.now(UTC))
        except Misfit as error:
            raise UsageError(str(error), hint="the release's input schema says what each column takes") from None
        return _ordered(found, self.features)


class _OnnxModel:
    form: Form = "onnx"

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        import onnxruntime

        body = verified(folder, manifest, ONNX_FILE)
        check_self_contained(body, where=str(folder / ONNX_FILE))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # to hand a row to other threads takes longer than to answer it
        self._session = onnxruntime.InferenceSession(body, options, providers=["CPUExecutionProvider"])
        given = self._session.get_inputs()
        self._table = given[0].name if len(given) == 1 and len(given[0].shape) == 2 else None
        self._texts = {each.name for each in given if each.type == "tensor(string)"}
        self._told = [output.name for output in self._session.get_outputs()]
        self._output = manifest.answers
        told = json.loads(self._session.get_modelmeta().custom_metadata_map.get("columns", "[]"))
        self._door = Door(manifest, told)
        self.columns, self.features = self._door.columns, self._door.features

    def predict(self, rows: Table, *, day: date | None = None) -> ModelOutputs:
        return self.predict_features(self._door.encode(rows, day))

    def predict_features(self, features: Mapping[str, Sequence[Cell]]) -> ModelOutputs:
        import numpy as np

        tensors = {name: self._tensor(name, cells) for name, cells in features.items()}
        if self._table is not None:
            return self.predict_matrix(np.stack([*tensors.values()], axis=1))
        return self._answers(tensors)

    def predict_matrix(self, matrix: NDArray[np.float64]) -> ModelOutputs:
        return self._answers({self._table: matrix} if self._table else dict(zip(self.features, matrix.T, strict=True)))

    def _tensor(self, name: str, cells: Sequence[Cell]) -> NDArray[Any]:
        """Return a column as an input of its own; a text that is missing is the empty one."""
        import numpy as np

        if name not in self._texts:
            try:
                return np.array(cells, dtype=np.float64)
            except (TypeError, ValueError):
                raise UsageError("holds a value that is no number", where=name) from None
        return np.array([cell if isinstance(cell, str) else "" for cell in cells], dtype=object)

    def _answers(self, feed: Mapping[str, NDArray[Any]]) -> ModelOutputs:
        import numpy as np

        first, *more = self._session.run(self._told, dict(feed))
        match self._output.form:
            case "value":
                return ModelOutputs(None, None, first, more or None)
            case "classes":
                return ModelOutputs(first, np.stack(more, axis=1))
            case "probability":
                return ModelOutputs(first, more[0] if more else None)


class _PickledModel:
    form: Form = "pickle"

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._door = Door(manifest, ())
        self.columns, self.features = self._door.columns, self._door.features
        self._output = manifest.answers
        *self._steps, self._model = [
            pickle.loads(verified(folder, manifest, name))  # noqa: S301 - asked for, and its bytes are the promised ones
            for name in (manifest.preprocessor_file, manifest.model_file)
            if name is not None
        ]

    def predict(self, rows: Table, *, day: date | None = None) -> ModelOutputs:
        return self.predict_features(self._door.encode(rows, day))

    def predict_features(self, features: Mapping[str, Sequence[Cell]]) -> ModelOutputs:
        return self._answers(table(features))

    def predict_matrix(self, matrix: NDArray[np.float64]) -> ModelOutputs:
        import pandas as pd

        return self._answers(pd.DataFrame(matrix, columns=list(self.features)))

    def _answers(self, features: Any) -> ModelOutputs:
        import numpy as np

        for step in self._steps:
            features = step.transform(features)
        found = self._model.predict(features)
        if self._output.form == "value":
            interval = self._output.interval
            return ModelOutputs(None, None, found, None if interval is None else interval.bounds(np.asarray(found)))
        told = self._model.predict_proba(features) if hasattr(self._model, "predict_proba") else None
        known = [*getattr(self._model, "classes_", ())]
        if self._output.form == "classes":
            codes = [known.index(each) if each in known else int(each) for each in found]
            return ModelOutputs([self._output.classes[code] for code in codes], told)
        if known and isinstance(known[-1], str):  # made by hand, and fitted to the labels themselves
            found = np.array([int(each == known[-1]) for each in found])
        return ModelOutputs(found, None if told is None else told[:, 1])
