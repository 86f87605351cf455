"""The spec's `dataset`: where the rows come from, what each column may hold, and what is predicted."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from model_release.documents.base import Sha256, Strict
from model_release.documents.suggest import did_you_mean


def _label(value: Any) -> Any:
    """Return the one spelling of a label that YAML read as text, a number or a boolean: `yes`, `1`, `true`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:.17g}"
    return value.strip() if isinstance(value, str) else value


Label = Annotated[str, BeforeValidator(_label)]
"""A class as the data spells it."""


class Column(Strict):
    """One column of the data.

    Attributes:
        kind: `numeric` or `categorical`.
        min, max: allowed range of a numeric column, both ends included.
        values: allowed values of a categorical column.
        missing_values: readings that mean "not measured" in this column, beside the dataset's own marks.
        nullable: whether a row may lack it.
        input: whether the model sees it; a column that it does not see may still define slices.
    """

    kind: Literal["numeric", "categorical"]
    min: float | None = None
    max: float | None = None
    values: list[int | float | str] | None = None
    missing_values: list[int | float | str] = []
    nullable: bool = False
    input: bool = True
    unit: str = ""
    description: str = ""

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if self.kind == "numeric" and self.values is not None:
            raise ValueError("a numeric column has min and max, not values")
        if self.kind == "categorical" and (self.min is not None or self.max is not None):
            raise ValueError("a categorical column has values, not min and max")
        if self.kind == "categorical" and not self.values:
            raise ValueError("a categorical column lists its values")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class Target(Strict):
    """The column that is predicted: classes by label, two classes by a threshold, or a number.

    Attributes:
        classes: by label (text, number or boolean, as the data spells it), the class in words.
        positive: with two `classes`, the label of the positive one; with `positive_above`, the positive class in words.
        positive_above: the positive class is every row above this.
        negative: with `positive_above`, the other class in words.
        min, max: allowed range of a number, both ends included.
        unit: of a number, in words.
    """

    column: str
    classes: dict[Label, str] | None = None
    positive: Label | None = None
    positive_above: float | None = None
    negative: str | None = None
    min: float | None = None
    max: float | None = None
    unit: str = ""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.classes is not None and self.positive_above is not None:
            raise ValueError("classes and positive_above exclude each other: labels, or a threshold on a number")
        if self.classes is not None:
            self._check_classes(self.classes)
        elif self.positive_above is not None and (self.positive is None or self.negative is None):
            raise ValueError("positive_above needs positive and negative: the two classes in words")
        elif self.positive_above is None and (self.positive is not None or self.negative is not None):
            raise ValueError("positive and negative name the two classes of positive_above, which is missing")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self

    def _check_classes(self, classes: dict[str, str]) -> None:
        if len(classes) < 2:
            raise ValueError(f"classes lists {len(classes)} class; a classifier needs two or more")
        if len(set(classes.values())) < len(classes):
            raise ValueError("two classes have the same words")
        if self.min is not None or self.max is not None or self.negative is not None:
            raise ValueError("with classes, neither min nor max nor negative applies: classes lists every label")
        if len(classes) == 2 and self.positive is None:
            raise ValueError(f"say which class is the positive one: positive: {next(iter(classes))!r}")
        if len(classes) > 2 and self.positive is not None:
            raise ValueError("positive is for two classes; of more, none is the positive one")
        if self.positive is not None and self.positive not in classes:
            raise ValueError(f"positive: no class is labelled {self.positive!r}{did_you_mean(self.positive, classes)}")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order of the class codes: the positive one of two is 1; empty without `classes`."""
        labels = tuple(self.classes or ())
        return labels[::-1] if labels and labels[0] == self.positive else labels

    @property
    def words(self) -> tuple[str, ...]:
        """The classes in words in the order of their codes; empty if the target is a number."""
        if self.classes is not None:
            return tuple(self.classes[label] for label in self.labels)
        return (self.negative, self.positive) if self.negative is not None and self.positive is not None else ()


class RowRules(Strict):
    """What is done to the rows that arrive. By default nothing is changed, and what is wrong stops the run.

    Attributes:
        duplicates: rows that are equal to an earlier one in every column.
        key: columns that say which thing a row is about: of the rows with one key, the newest one counts.
        overlap: what a new partition does that largely repeats an older one, row by row or by a column of ids.
    """

    duplicates: Literal["keep", "drop"] = "keep"
    key: str | list[str] | None = None
    overlap: Literal["stop", "allow"] = "stop"

    @property
    def key_columns(self) -> list[str]:
        """The columns of the key; empty if there is none."""
        return [self.key] if isinstance(self.key, str) else self.key or []


class Dataset(Strict):
    """Where the rows come from and what they must look like.

    Attributes:
        source: a URI, or a folder beside the spec, that holds partitions `dt=YYYY-MM-DD/`.
        file: pattern of the CSV files inside a partition.
        partitions: `increments`: each partition adds rows; `snapshots`: each one is the whole table, the newest counts.
        window_days: only partitions of the last so many days count, that of the run's day included; None: all.
        leave_out: files that take no part though they were delivered, by path below the source, each with the reason.
        sha256: known digests, by path below the source; a file that is listed must match.
        missing: marks that mean "not measured" in every column.
    """

    source: str
    file: str = "*.csv"
    partitions: Literal["increments", "snapshots"]
    window_days: int | None = Field(None, ge=1)
    rows: RowRules = RowRules()
    leave_out: dict[str, str] = {}
    sha256: dict[str, Sha256] = {}
    missing: list[str] = ["", "?"]
    columns: dict[str, Column] = Field(min_length=1)
    target: Target
    title: str
    description: str = ""
    url: str = ""
    licence: str = ""
    attribution: str = ""
    limits: list[str] = []

    @model_validator(mode="after")
    def _target_apart(self) -> Self:
        if self.target.column in self.columns:
            raise ValueError(f"target column {self.target.column!r} is listed among the columns as well")
        for name in self.rows.key_columns:
            if name not in self.columns:
                raise ValueError(f"rows.key: there is no column {name!r}{did_you_mean(name, self.columns)}")
            if self.columns[name].nullable:
                raise ValueError(f"rows.key: {name} is nullable, and a row without a key cannot be told from others")
        if not any(column.input for column in self.columns.values()):
            raise ValueError("no column has input: true")
        return self

    @property
    def inputs(self) -> dict[str, Column]:
        """The columns that the model sees, in order."""
        return {name: column for name, column in self.columns.items() if column.input}
