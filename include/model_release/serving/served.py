"""A release as it is served: opened, asked about its golden rows, and never changed. The one predict function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from model_release.client.fitness import misfits
from model_release.client.promises import Promised
from model_release.documents import limits
from model_release.documents.golden import GOLDEN_FILE, Golden
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer
from model_release.errors import Corrupt, Refused
from model_release.model_files import sandbox
from model_release.model_files.hosting import load_model
from model_release.model_files.opening import Form, Model, ModelOutputs, check_answers, forms
from model_release.serving.schema import InputSchema, Row


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """What a binary model says of a row.

    Attributes:
        probability: of the positive class; None if the model tells none.
        of_class: 1 for the positive class, else 0.
        label: the class in words; None if the release tells none.
    """

    probability: float | None
    of_class: Any = msgspec.field(name="class")
    label: str | None


class Classified(msgspec.Struct, frozen=True, gc=False):
    """What a model of several classes says of a row.

    Attributes:
        label: the class in words.
        probabilities: by class; None if the model tells none.
    """

    label: str
    probabilities: dict[str, float] | None


class Estimated(msgspec.Struct, frozen=True, gc=False):
    """What a regression says of a row.

    Attributes:
        value: the predicted number.
        unit: its unit in words; None if the release tells none.
        lower, upper: the bounds of its interval; not there if the model has none.
    """

    value: float
    unit: str | None
    lower: float | msgspec.UnsetType = msgspec.UNSET
    upper: float | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True)
class Served:
    """One release, ready to answer. A request takes one and keeps it.

    Attributes:
        model: opened.
        manifest: of the release.
        digest: SHA-256 of the manifest.
        pointer: the one that names it; None for a folder without a pointer.
        schema: of its rows.
        words: the classes in words, from the release's spec.
        golden: made-up rows with their answers; None if the release has none.
        trained: when the model was trained, with time zone; None if the manifest does not say.
    """

    model: Model
    manifest: Manifest
    digest: str
    pointer: Pointer | None
    schema: InputSchema
    words: dict[int, str]
    golden: Golden | None
    trained: datetime | None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.model_name

    @property
    def version(self) -> str:
        """Its number, such as v1.4.0."""
        return str(self.manifest.version)

    def answer(self, rows: Sequence[Row]) -> ModelOutputs:
        """Return the answers to rows that the schema has checked: plain lists, by row."""
        if self.schema.has_text:
            answers = self.model.predict_features(dict(zip(self.schema.features, zip(*rows, strict=True), strict=True)))
        else:
            answers = self.model.predict_matrix(np.array(rows, dtype=np.float64))  # None becomes NaN
        classes, probabilities, values = (None if told is None else _plain(told) for told in answers[:3])
        bounds = None if answers.bounds is None else [_plain(each) for each in answers.bounds]
        return ModelOutputs(classes, probabilities, values, bounds)

    def predict(self, rows: Sequence[Row]) -> Sequence[Prediction | Classified | Estimated]:
        """Return the predictions for rows that the schema let through."""
        classes, probabilities, values, bounds = self.answer(rows)
        output = self.manifest.answers
        if values is not None:
            unit = output.unit or None
            if bounds is None:
                return [Estimated(value, unit) for value in values]
            return [Estimated(value, unit, low, high) for value, low, high in zip(values, *bounds, strict=True)]
        found = classes or []
        told: Any = probabilities if probabilities is not None else [None] * len(found)
        if output.form == "classes":
            return [
                Classified(label, None if each is None else dict(zip(output.classes, each, strict=True)))
                for label, each in zip(found, told, strict=True)
            ]
        return [Prediction(each, code, self.words.get(code)) for code, each in zip(found, told, strict=True)]

    def table(self, rows: Sequence[Row]) -> dict[str, Sequence[Any]]:
        """Return what the model says of rows that the schema let through, by column of its output."""
        answers = self.answer(rows)
        names = [column.name for column in self.manifest.answers.columns]
        if answers.values is not None:
            numbers: list[Sequence[Any]] = [answers.values, *map(_plain, answers.bounds or ())]
            return dict(zip(names, numbers, strict=True))
        found: list[Sequence[Any]] = [answers.classes or []]
        if answers.probabilities is not None:
            many = self.manifest.answers.form == "classes"
            found += [*zip(*answers.probabilities, strict=True)] if many else [[*answers.probabilities]]
        return dict(zip(names, found, strict=False))  # a model may tell no probabilities


def open_release(folder: Path, manifest: Manifest, pointer: Pointer | None, *, allow_pickle: bool) -> Served:
    """Open a release and ask it about its golden rows.

    Args:
        folder: holds its files.
        manifest: verified.
        pointer: the one that names it; None if there is none.
        allow_pickle: whether the pickled form may be opened if there is no other; it runs any code that its bytes hold.

    Raises:
        Refused: no form may be opened, the versions here do not fit the pickles, or there is no input schema.
        Corrupt: a file differs from the manifest, does not open, or answers otherwise than in training.
    """
    version = manifest.version
    if not manifest.input_schema:
        raise Refused(
            f"{version} has no input schema, so that no request could be checked",
            where=str(folder),
            hint="publish it with one, or serve a version of the nightly run",
        )
    form = _form(folder, manifest, allow_pickle=allow_pickle)
    promised = Promised.read(manifest.to_bytes(), where=str(folder))
    wrong = misfits(promised) if form == "pickle" else []
    if wrong:
        raise Refused("; ".join(wrong), where=str(folder), hint="install those versions")
    reason = sandbox.why_not(form, folder, manifest)
    if reason is not None:
        raise Corrupt(f"the {form} form of {version} cannot serve: {reason}", where=str(folder))
    try:
        model = load_model(folder, manifest, form)
        check_answers(model, folder, manifest)
    except (Corrupt, Refused):
        raise
    except Exception as error:  # a broken model raises anything
        first = (str(error).strip().splitlines() or ["without a word"])[0][:300]
        raise Corrupt(f"the {form} form of {version} cannot serve: {first}", where=str(folder)) from error
    listed = {entry.path for entry in manifest.files}
    return Served(
        model=model,
        manifest=manifest,
        digest=manifest.sha256(),
        pointer=pointer,
        schema=InputSchema(manifest.input_schema),
        words=_words(manifest),
        golden=_golden(folder) if GOLDEN_FILE in listed else None,
        trained=promised.trained,
    )


def _golden(folder: Path) -> Golden:
    return Golden.read(limits.read_bounded(folder / GOLDEN_FILE, limits.GOLDEN), where=GOLDEN_FILE)


def _form(folder: Path, manifest: Manifest, *, allow_pickle: bool) -> Form:
    found = forms(manifest)
    if "onnx" in found:
        return "onnx"
    if "pickle" in found and allow_pickle:
        return "pickle"
    raise Refused(
        f"{manifest.version} has no ONNX form" + ("" if allow_pickle else ", and a pickle is opened only on request"),
        where=str(folder),
        hint="--allow-pickle opens the pickled pipeline, which runs code of the release's makers: trust them first"
        if "pickle" in found
        else "serve a version that has one",
    )


def _words(manifest: Manifest) -> dict[int, str]:
    """Return the meaning of the classes, if the release tells it by its output, or by its spec as older ones do."""
    if manifest.answers.form == "probability" and manifest.answers.classes:
        return dict(enumerate(manifest.answers.classes))
    dataset: Any = (manifest.spec or {}).get("dataset")
    target = dataset.get("target") if isinstance(dataset, dict) else None
    if not isinstance(target, dict):
        return {}
    positive, classes = target.get("positive"), target.get("classes")
    if isinstance(classes, dict):
        told = {int(label == positive): words for label, words in classes.items()} if positive is not None else {}
    else:
        told = {1: positive, 0: target.get("negative")}
    return {found: words for found, words in told.items() if isinstance(words, str)}


def _plain(values: Sequence[Any] | np.ndarray[Any, Any]) -> list[Any]:
    return values.tolist() if isinstance(values, np.ndarray) else list(values)
