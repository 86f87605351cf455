"""What a person says of a model that was made elsewhere: what it takes and answers, in the words of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from model_release.documents.base import Strict
from model_release.documents.output import Output
from model_release.spec.dataset import Column, Dataset, Target
from model_release.spec.file import read_spec
from model_release.spec.load import parse
from model_release.spec.tasks import BINARY, MULTICLASS, REGRESSION


class DeclaredModel(Strict):
    """A model that was made elsewhere.

    Attributes:
        task: what it predicts.
        columns: what it takes, in the order in which it takes it.
        target: what it answers. The labels of `classes` are those that the model was fitted to.
        missing: marks that mean "not measured" in every column.
    """

    task: Literal["classification", "regression"] = "classification"
    columns: dict[str, Column] = Field(min_length=1)
    target: Target
    missing: list[str] = ["", "?"]

    @model_validator(mode="after")
    def _of_a_finished_model(self) -> Self:
        if learned := [name for name, column in self.columns.items() if column.is_learned]:
            raise ValueError(f"columns: {learned[0]} says values: learn, and this model has learned: list its values")
        if (self.task == "regression") != (self.target.classes is None):
            raise ValueError("target: a classification has classes, by label; a regression has none")
        if self.target.transform or self.target.interval:
            raise ValueError("target: transform and interval are of models that are trained here")
        if self.target.positive is not None and self.target.positive != self._labels[-1]:
            raise ValueError(
                "target: a classifier puts its labels into order, and tells the probability of the second: "
                f"positive: {self._labels[-1]!r}"
            )
        return self

    @property
    def _labels(self) -> list[str]:
        """The labels in the order in which scikit-learn's classifiers have them: numbers by size, text by letter."""
        labels = [*(self.target.classes or {})]
        numbers = all(each.lstrip("-").isdecimal() for each in labels)
        return sorted(labels, key=int) if numbers else sorted(labels)

    @property
    def dataset(self) -> Dataset:
        """The columns and the target as a spec has them."""
        return Dataset(
            source="file:///",
            partitions="increments",
            columns=self.columns,
            target=self.target,
            missing=self.missing,
            title="",
        )

    @property
    def output(self) -> Output:
        """What the model answers."""
        words = [(self.target.classes or {})[label] for label in self._labels]
        match len(words):
            case 0:
                return Output(task=REGRESSION.name, form="value", unit=self.target.unit)
            case 2:
                return Output(task=BINARY.name, form="probability", classes=words)
            case _:
                return Output(task=MULTICLASS.name, form="classes", classes=words)


def read_declared(path: Path) -> DeclaredModel:
    """Read what a person says of a model.

    Raises:
        SpecError: one clear error with every fault of the file, each with its line and key.
    """
    return parse(DeclaredModel, read_spec(path), path)
