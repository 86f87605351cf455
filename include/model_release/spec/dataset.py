"""The spec's `dataset`: where the rows come from, what each column may hold, and what is predicted."""

from __future__ import annotations

import codecs
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, field_validator, model_validator

from model_release.documents.base import Sha256, Strict
from model_release.documents.readings import EXACT, PART_VALUES, Part, label, moment, part_name
from model_release.documents.suggest import did_you_mean
from model_release.spec.rows import RowRules
from model_release.spec.source import Query, Source

Label = Annotated[str, BeforeValidator(label)]
"""A class as the data spells it."""


LEARN: Final = "learn"

_OF_KIND: Final[dict[str, frozenset[str]]] = {
    "numeric": frozenset({"min", "max"}),
    "integer": frozenset({"min", "max"}),
    "boolean": frozenset(),
    "categorical": frozenset({"values", "limit", "unknown"}),
    "datetime": frozenset({"min", "max", "parts", "form", "timezone"}),
    "text": frozenset(),
}
"""The keys of a column that only some kinds have."""


class Column(Strict):
    """One column of the data.

    Attributes:
        unit, description: for people, on the card and in the service's documentation.
        kind: `numeric`: a decimal number; `integer`: a whole one, exact where the model does not see it; `boolean`:
            true or false, 1 and 0 to the model; `categorical`: one of its values; `datetime`: a day, or a time, which
            becomes numbers; `text`: anything, for a candidate with a preprocessing of its own.
        min, max: allowed range of a number, both ends included; of a datetime, of its age in days at the partition's
            day, so that `min: 0` refuses days after it.
        values: allowed values of a categorical column, or `learn`: those of the training rows.
        limit: how many different values are learned at most. More stop the run; with `unknown: allow`, the most
            frequent ones are learned.
        unknown: what becomes of a value that is not among `values`: `refuse` it, or `allow` it as an unknown one.
        parts: what the model gets of a datetime.
        form: of a datetime's text, as `datetime.strptime` takes it; None: ISO 8601.
        timezone: of a datetime: the zone of times that name none, in which its day and its parts are taken.
        missing_values: readings that mean "not measured" in this column, beside the dataset's own marks.
        nullable: whether a row may lack it.
        input: whether the model sees it; a column that it does not see may still define slices.
    """

    kind: Literal["numeric", "integer", "boolean", "categorical", "datetime", "text"]
    min: float | None = None
    max: float | None = None
    values: list[int | float | str] | Literal["learn"] | None = None
    limit: int = Field(100, ge=2, le=10_000)
    unknown: Literal["refuse", "allow"] = "refuse"
    parts: list[Part] = Field(["age_days"], min_length=1)
    form: str | None = None
    timezone: str = "UTC"
    missing_values: list[int | float | str] = []
    nullable: bool = False
    input: bool = True
    unit: str = ""
    description: str = ""

    @model_validator(mode="after")
    def _keys_of_kind(self) -> Self:
        article = "an" if self.kind == "integer" else "a"
        others = {key for kind in _OF_KIND.values() for key in kind} - _OF_KIND[self.kind]
        fields = type(self).model_fields
        if wrong := [key for key in fields if key in others and getattr(self, key) != fields[key].default]:
            has = " and ".join(sorted(_OF_KIND[self.kind])) or "none of its own"
            raise ValueError(f"{article} {self.kind} column has no {' and no '.join(wrong)}; its keys: {has}")
        if self.kind == "categorical" and not self.values:
            raise ValueError("a categorical column lists its values, or says values: learn")
        if self.limit != type(self).model_fields["limit"].default and self.values != LEARN:
            raise ValueError("limit is for values: learn")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        if len(set(self.parts)) < len(self.parts):
            raise ValueError("parts names a part twice")
        return self

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (ValueError, OSError, KeyError):
            raise ValueError(
                f"no time zone is called {timezone!r}; write its IANA name, such as Europe/Zurich"
            ) from None
        return timezone

    @field_validator("form")
    @classmethod
    def _form_has_a_day(cls, form: str | None) -> str | None:
        if form is not None:
            known = datetime(2026, 11, 30, 13, 45, tzinfo=UTC)
            found = moment(known.strftime(form), form, "UTC")
            if found is None or found.date() != known.date():
                raise ValueError(f"{form!r} does not tell a day; write it like '%d.%m.%Y'")
        return form

    @property
    def role(self) -> Literal["numeric", "categorical", "text"]:
        """What it is to a model: an amount, a mark that is one of several, or text. Truth is an amount of 0 or 1."""
        match self.kind:
            case "categorical" | "text":
                return self.kind
            case _:
                return "numeric"

    @property
    def is_learned(self) -> bool:
        """Whether its values are those of the training rows."""
        return self.values == LEARN

    @property
    def has_unknown(self) -> bool:
        """Whether a row may have a category that is not among the listed or learned ones."""
        return self.kind == "categorical" and (self.is_learned or self.unknown == "allow")

    @property
    def listed(self) -> list[int | float | str]:
        """The values that the spec lists."""
        return self.values if isinstance(self.values, list) else []

    @property
    def is_coded(self) -> bool:
        """Whether each categorical value is a number that a float holds exactly, and no other value is allowed."""
        numbers = all(not isinstance(value, str) and abs(value) <= EXACT for value in self.listed)
        return bool(self.listed) and numbers and self.unknown == "refuse"

    @property
    def labels(self) -> tuple[str, ...]:
        """The values that the spec lists as text, each in one spelling."""
        return tuple(label(value) for value in self.listed)


class Target(Strict):
    """The column that is predicted: classes by label, two classes by a threshold, or a number.

    Attributes:
        column: its name in the files.
        classes: by label (text, number or boolean, as the data spells it), the class in words.
        positive: with two `classes`, the label of the positive one; with `positive_above`, the positive class in words.
        positive_above: the positive class is every row above this.
        negative: with `positive_above`, the other class in words.
        min, max: allowed range of a number, both ends included.
        unit: of a number, in words.
        transform: of a number: `log` or `log1p`, which estimators are fitted to; answers are in the target's own unit.
        interval: of a number: the share of new rows whose target shall lie between the two bounds that each answer has.
    """

    column: str
    classes: dict[Label, str] | None = None
    positive: Label | None = None
    positive_above: float | None = None
    negative: str | None = None
    min: float | None = None
    max: float | None = None
    unit: str = ""
    transform: Literal["log", "log1p"] | None = None
    interval: float | None = Field(None, ge=0.5, le=0.99)

    @model_validator(mode="after")
    def _of_numbers(self) -> Self:
        said = [key for key in ("transform", "interval") if getattr(self, key) is not None]
        if said and (self.classes is not None or self.positive_above is not None):
            raise ValueError(f"{said[0]} is for a target that is a number, and this one has classes")
        return self

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


_ROLES: Final = {"group": (), "time": ("numeric", "integer", "datetime", "text"), "weight": ("numeric", "integer")}
"""The keys that name a column for what its rows are, each with the kinds that it may have; none: any."""


class Dataset(Strict):
    """Where the rows come from and what they must look like.

    Attributes:
        columns: what each column of the files holds, the target apart.
        target: what is predicted.
        title, description, url, licence, attribution, limits: of the data, for the card; `limits` says what the model
            is not for.
        delimiter, decimal, encoding: of CSV files.
        compression: of the files; `infer`: by the end of a file's name.
        source: a URI, or a folder beside the spec, that holds partitions `dt=YYYY-MM-DD/`; or a query of a database.
        partition: the key of the partitions' folders.
        format: of the files. `delimiter`, `decimal` (mark) and `encoding` are those of CSV; `compression` goes by the
            end of a file's name unless it is said.
        skip_lines: lines above the header of a CSV file, such as a title, or above its rows if there is no header.
        header: names of the columns of CSV files without a header line, in their order.
        file: pattern of the names of the files inside a partition, at any depth; by default, all of the format.
        others: what is done with a file's columns that the spec does not list.
        partitions: `increments`: each partition adds rows; `snapshots`: each one is the whole table, the newest counts.
        window_days: only partitions of the last so many days count, that of the run's day included; None: all.
        leave_out: files that take no part though they were delivered, by path below the source, each with the reason.
        sha256: known digests, by path below the source; a file that is listed must match.
        missing: marks that mean "not measured" in every column.
        group: column that says which rows belong together, such as a customer's; they are on one side of every split.
        time: column that says when a row is from: an ISO 8601 date or time, or a number such as a year.
        weight: column that says how much a row counts, in every fit and every figure.
    """

    source: Source
    partition: str = Field("dt", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    format: Literal["csv", "parquet"] = "csv"
    delimiter: str = Field(",", min_length=1, max_length=1)
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8"
    compression: Literal["infer", "none", "gzip", "bz2", "xz", "zstd"] = "infer"
    skip_lines: int = Field(0, ge=0, le=1000)
    header: list[str] | None = None
    file: str | None = None
    others: Literal["refuse", "ignore"] = "refuse"
    partitions: Literal["increments", "snapshots"]
    window_days: int | None = Field(None, ge=1)
    rows: RowRules = RowRules()
    leave_out: dict[str, str] = {}
    sha256: dict[str, Sha256] = {}
    missing: list[str] = ["", "?"]
    columns: dict[str, Column] = Field(min_length=1)
    group: str | None = None
    time: str | None = None
    weight: str | None = None
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

    @model_validator(mode="after")
    def _roles_of_columns(self) -> Self:
        for role, kinds in _ROLES.items():
            name = getattr(self, role)
            if name is None:
                continue
            if name not in self.columns:
                raise ValueError(f"{role}: there is no column {name!r}{did_you_mean(name, self.columns)}")
            column = self.columns[name]
            if column.nullable:
                raise ValueError(f"{role}: {name} is nullable, and no row can be without a {role}")
            if kinds and column.kind not in kinds:
                raise ValueError(f"{role}: {name} is {column.kind}; a {role} is {' or '.join(kinds)}")
        return self

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            raise ValueError(f"no encoding is called {encoding!r}; common ones: utf-8, utf-16, cp1252") from None

    @model_validator(mode="after")
    def _form_of_files(self) -> Self:
        if self.format == "parquet" and (self.delimiter, self.decimal, self.encoding) != (",", ".", "utf-8"):
            raise ValueError("delimiter, decimal and encoding are of CSV files, and format is parquet")
        if self.format == "parquet" and (self.skip_lines or self.header):
            raise ValueError("skip_lines and header are of CSV files, and format is parquet")
        if self.delimiter == self.decimal:
            raise ValueError(f"delimiter and decimal are both {self.decimal!r}")
        if self.header is not None:
            self._check_header(self.header)
        return self

    def _check_header(self, header: list[str]) -> None:
        if twice := [name for name in dict.fromkeys(header) if header.count(name) > 1]:
            raise ValueError(f"header names {twice[0]!r} twice")
        names = [*self.columns, self.target.column]
        if absent := [name for name in names if name not in header]:
            raise ValueError(f"header does not name {absent[0]!r}{did_you_mean(absent[0], header)}")
        if self.others == "refuse" and (unknown := [name for name in header if name not in names]):
            raise ValueError(f"header names {unknown[0]!r}, which is no column; describe it, or write others: ignore")

    @model_validator(mode="after")
    def _days_of_query(self) -> Self:
        if not isinstance(self.source, Query):
            return self
        of_files = ("format", "delimiter", "decimal", "encoding", "compression", "skip_lines", "header", "file")
        if said := [name for name in of_files if getattr(self, name) != type(self).model_fields[name].default]:
            raise ValueError(f"{said[0]} describes files, and the source is a query")
        if self.partitions == "increments" and self.source.since is None and self.window_days is None:
            raise ValueError("source.since is missing: write the first day that has rows, or write window_days")
        return self

    @property
    def file_format(self) -> Literal["csv", "parquet"]:
        """The format of the files that are read; the rows of a query are kept as Parquet."""
        return "parquet" if isinstance(self.source, Query) else self.format

    @model_validator(mode="after")
    def _parts_apart(self) -> Self:
        for name, column in self.columns.items():
            taken = [each for each in _parts(name, column) if each in self.columns or each == self.target.column]
            if taken:
                raise ValueError(f"the parts of {name} need the name {taken[0]}, which another column has")
        return self

    @property
    def pattern(self) -> str:
        """The pattern of the files' names."""
        return self.file or f"*.{self.file_format}"

    @property
    def inputs(self) -> dict[str, Column]:
        """The columns that the model sees, in order."""
        return {name: column for name, column in self.columns.items() if column.input}

    @property
    def parts(self) -> dict[str, Column]:
        """The columns that are made of datetimes, in order."""
        return {part: made for name, column in self.columns.items() for part, made in _parts(name, column).items()}

    @property
    def table(self) -> dict[str, Column]:
        """The columns of a snapshot, the target apart: those of the files, then what is made of datetimes."""
        return {**self.columns, **self.parts}

    @property
    def features(self) -> dict[str, Column]:
        """The columns of the model's table, in order: its inputs, with its parts in the place of each datetime."""
        return {
            part: made
            for name, column in self.inputs.items()
            for part, made in (_parts(name, column) or {name: column}).items()
        }


def _parts(name: str, column: Column) -> dict[str, Column]:
    """Return the columns that are made of a datetime, by name; none of another column."""
    return {
        part_name(name, part): Column(
            kind="categorical" if part in PART_VALUES else "numeric",
            nullable=column.nullable,
            input=column.input,
            unit="days" if part == "age_days" else "",
            description=column.description,
            values=[*PART_VALUES[part]] if part in PART_VALUES else None,
        )
        for part in (column.parts if column.kind == "datetime" else [])
    }
