"""The release manifest, `metadata.json`: the files and facts of a version, its origin, and why it was accepted.

The first ten fields are those of hand-made releases, with the same names, types and meanings.
The manifest is written once, last, and decides its version for ever: a release, or an abandoned number.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from model_release.documents import format1, limits
from model_release.documents.base import (
    BareVersion,
    Day,
    Document,
    Epoch,
    Instant,
    Rows,
    Sha256,
    Size,
    Value,
    VersionText,
)
from model_release.documents.layout import check_key, check_paths
from model_release.documents.output import POSITIVE, Output
from model_release.documents.readings import Part, part_name
from model_release.errors import Corrupt

FORMAT: Final = 2

REQUIREMENTS: Final = "requirements.txt"
"""The file of a release that pins what its pickles need, for `pip install -r`."""


class FileEntry(Value):
    """One file of a release: path inside the version's folder, size in bytes, SHA-256 in hexadecimal."""

    path: str
    size: Size
    sha256: Sha256

    @field_validator("path")
    @classmethod
    def _safe(cls, path: str) -> str:
        return check_key(path)


class Measured(Value):
    """A figure with its interval and the rows that it was measured on.

    `low` and `high` bound a 95 % confidence interval; None if it cannot be computed.
    """

    value: float
    low: float | None = None
    high: float | None = None
    on: str = Field(description="what it was measured on, in words")


class GateVerdict(Value):
    """Why this version was accepted, and against which baseline."""

    accepted: bool
    reasons: list[str]
    decision: str | None = Field(description="key of the decision record")
    baseline: VersionText | None = Field(description="the champion it was compared with")
    since: Epoch | None = Field(description="the epoch at which that champion became live")
    overruled: str | None = Field(default=None, description="who promoted it against the verdict")
    approved: str | None = Field(default=None, description="who approved it and when, if the spec asks a person")
    anchor: VersionText | None = Field(
        default=None, description="the version that its successors are compared with beside it; null: itself"
    )


class DatasetFacts(Value):
    """The exact snapshot that the model was trained on."""

    uri: str | None
    fingerprint: str | None = Field(description="SHA-256 over the snapshot's rows and columns")
    rows: Rows | None = None
    as_of: Day | None = None


class InputColumn(Value):
    """One column that the model takes, and how its readings are understood."""

    name: str
    kind: Literal["numeric", "integer", "boolean", "categorical", "datetime", "text"]
    nullable: bool
    minimum: float | None = None
    maximum: float | None = None
    values: list[float | int | str] | None = None
    description: str = ""
    missing_values: list[float | int | str] = Field(
        default=[], description="readings that mean that nothing was measured: a model is given nothing in their place"
    )
    unknown: Literal["refuse", "allow"] = Field(
        default="refuse", description="what becomes of a category that is none of the values"
    )
    learned: bool = Field(default=False, description="whether the values are those of the training rows")
    parts: list[Part] = Field(
        default=[], description="of a datetime, what the model is given in its place, in the order of its inputs"
    )
    form: str | None = Field(default=None, description="of a datetime, as strptime takes it; null: ISO 8601")
    timezone: str | None = Field(
        default=None, description="of a datetime: the zone of times that name none, and of the calendar"
    )

    @property
    def features(self) -> list[str]:
        """The names of the model's inputs that are made of this column."""
        return [part_name(self.name, part) for part in self.parts] if self.kind == "datetime" else [self.name]


class CodeFacts(Value):
    """Which code made the model."""

    package: str
    digest: str | None = Field(default=None, description="SHA-256 over the package's source files")
    revision: str | None = Field(default=None, description="revision of the checkout or bundle, if known")
    bundle_version: str | None = None


class MachineFacts(Value):
    """The machine that fitted a model: processors and their arithmetic libraries round sums differently."""

    system: str
    processor: str | None = None
    blas: str | None = Field(default=None, description="the linear algebra in use, and the processor it is tuned for")


class RunFacts(Value):
    """Which run made the model."""

    dag_id: str | None
    run_id: str
    run_type: str | None


class TrackedRun(Value):
    """Where MLflow keeps the history of this model."""

    run_id: str
    model_uri: str | None = None
    registered_model: str | None = None
    registered_version: str | None = None


class _EitherFormat(Document):
    """A document of format 1 or 2; one of format 1 is written back to the same bytes.

    Attributes:
        inside: the field that holds the manifest; None if the document is one.
    """

    inside: ClassVar[str | None] = None

    @classmethod
    def as_current(cls, body: bytes) -> bytes:
        """Return a document of either format with the names and types of format 2."""
        return format1.as_current(body, inside=cls.inside)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that is stored, in the document's own format."""
        document = super().to_json()
        return format1.as_written(document) if document["format"] == format1.FORMAT else document


class Manifest(_EitherFormat):
    """`metadata.json` of a published version. Null means that the fact is not known; no value is made up for it."""

    most_bytes: ClassVar[int] = limits.MANIFEST

    model_name: str = Field(description="as its folder, the DAGs and the registry have it")
    version: BareVersion = Field(description="1.4.0; the folder is v1.4.0")
    trained_date: Day | None = Field(description="the day, in UTC")
    accuracy: float | None = Field(description="null for a model that has none, such as a regression")
    model_file: str | None = Field(description="path of the pickled model")
    preprocessor_file: str | None = Field(description="path of what prepares its inputs; null: the model does")
    framework: str | None = Field(description="`scikit-learn`")
    python_version: str | None = Field(description="by which the pickles were written")
    dependencies: str | None = Field(description="the file of the release that pins what its pickles need")
    training_data: str | None = Field(description="URI of the snapshot that it was trained on")

    format: Literal[1, 2] = Field(default=FORMAT, description="number of this document's format")
    trained_at: Instant | None = Field(default=None, description="the instant, if it is known")
    requirements: dict[str, str] = Field(
        default_factory=dict, description="the packages that the pickles need, each with its version"
    )
    fingerprint: str = Field(description="SHA-256 of data, code, packages, parameters and gate policy")
    accuracy_measured_on: str | None = Field(default=None, description="in words")
    files: list[FileEntry]
    metrics: dict[str, Measured] = Field(default_factory=dict)
    gate: GateVerdict | None = None
    dataset: DatasetFacts | None = None
    schema_revision: int = Field(ge=1, description="as the spec had it")
    input_schema: list[InputColumn] | None = Field(
        default=None, description="the columns that it takes, in their order"
    )
    parameters: dict[str, JsonValue] | None = Field(default=None, description="of the estimator, as fitted")
    seed: int | None = Field(default=None, description="of everything in the fit that is drawn")
    environment: dict[str, str] = Field(default_factory=dict, description="packages of the run, each with its version")
    code: CodeFacts | None = None
    run: RunFacts
    mlflow: TrackedRun | None = None
    told: dict[str, JsonValue] | None = Field(
        default=None, description="the hand-made metadata.json that a person's files came with, whole"
    )
    machine: MachineFacts | None = None
    spec: dict[str, JsonValue] | None = Field(
        default=None, description="the model's spec as the run was asked to train it, without addresses of tracking"
    )

    output: Output | None = Field(default=None, description="what the model answers; null: a binary model's answers")
    onnx: str | None = Field(default=None, description="how well the ONNX form agrees, or why there is none")
    varies: str | None = Field(
        default=None,
        description="how two fits to the same rows differ; null: not at all. A reproduction is compared by golden.json",
    )

    @property
    def answers(self) -> Output:
        """What the model answers."""
        return self.output or POSITIVE

    @model_validator(mode="after")
    def _files_that_fit_on_any_disk(self) -> Self:
        check_paths(entry.path for entry in self.files)
        return self

    @property
    def trained(self) -> datetime | None:
        """When the model was trained: the instant, or the first moment of the day if only that is known."""
        if self.trained_at is not None or self.trained_date is None:
            return self.trained_at
        return datetime.combine(self.trained_date, time(), UTC)

    @property
    def data_as_of(self) -> date | None:
        """The date that orders this version among others."""
        return self.dataset.as_of if self.dataset else None

    def file(self, path: str) -> FileEntry:
        """Return the entry of `path`.

        Raises:
            Corrupt: the manifest does not list it.
        """
        for entry in self.files:
            if entry.path == path:
                return entry
        raise Corrupt(f"the manifest of {self.version} lists no {path}", where=f"{self.version}/metadata.json")


class Abandoned(Value):
    """Why a number was given up."""

    by: str
    reason: str
    at: Instant


class AbandonedManifest(_EitherFormat):
    """`metadata.json` of a number that was given up: it is never used again."""

    most_bytes: ClassVar[int] = limits.MANIFEST

    format: Literal[1, 2] = FORMAT
    version: BareVersion
    abandoned: Abandoned


class Claim(_EitherFormat):
    """`claim.json`: which run took this number, and the manifest that its number is to get.

    The whole manifest is here, so that each process that continues this version writes the same bytes.
    """

    most_bytes: ClassVar[int] = limits.CLAIM
    inside: ClassVar[str | None] = "metadata"

    format: Literal[1, 2] = FORMAT
    run: str = Field(description="the staging folder that holds the files")
    metadata: Manifest

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that is stored, the manifest in its own format."""
        return {**self.model_dump(mode="json", exclude_unset=True), "metadata": self.metadata.to_json()}

    def same_release(self, other: Claim) -> bool:
        """Whether both claims are for the same fingerprint and the same model bytes."""
        mine, theirs = self.metadata, other.metadata
        return mine.fingerprint == theirs.fingerprint and model_bytes(mine) == model_bytes(theirs)


def model_bytes(manifest: Manifest) -> dict[str, str]:
    """Return path to SHA-256 of the files that must be reproducible: the pickled model and its preprocessor."""
    names = {manifest.model_file, manifest.preprocessor_file}
    return {entry.path: entry.sha256 for entry in manifest.files if entry.path in names}


def read_manifest(body: bytes, *, where: str) -> Manifest | AbandonedManifest:
    """Read `metadata.json`, of a published version or of an abandoned number.

    Raises:
        Corrupt: it is neither.
    """
    if b'"abandoned"' in body:
        try:
            return AbandonedManifest.read(body, where=where)
        except Corrupt:  # the word may stand in a reason; then it is a manifest, or its own error is the clearer one
            return Manifest.read(body, where=where)
    return Manifest.read(body, where=where)
