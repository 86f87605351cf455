"""A model's spec: the one YAML file that describes what is trained, how it is judged and where it is released.

Strict and frozen. Whatever is wrong with a file is one `SpecError` that names the file, the line, the key and the
nearest right spelling. Nothing here imports scikit-learn, so that DAG files can read specs at every parse.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator, model_validator

from model_release.documents.base import Strict
from model_release.documents.evaluation import SplitMethod, ValidationMethod
from model_release.documents.layout import join
from model_release.documents.readings import part_name
from model_release.documents.suggest import did_you_mean
from model_release.errors import SpecError, UsageError
from model_release.spec import tracking_uri
from model_release.spec.allowed_stores import check_allowed
from model_release.spec.candidate import Candidate
from model_release.spec.dataset import Dataset
from model_release.spec.forms import Forms
from model_release.spec.gate import Choice, GatePolicy
from model_release.spec.retention import Retention
from model_release.spec.source import Query
from model_release.spec.split import Split, Validation
from model_release.spec.tasks import BINARY, MULTICLASS, REGRESSION, TASKS, TaskKind
from model_release.spec.tracking_uri import Access
from model_release.spec.transfer import TransferSettings

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,60}[a-z0-9]$")]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,60}$")]


class Destination(Strict):
    """A place that releases go to. The spec's first one is home: its pointer decides.

    Attributes:
        name: how the DAG's tasks and the result call it.
        uri: `file:///folder`, `s3://conn_id@bucket/prefix`, `gs://…` or `wasb://conn_id@container/prefix`.
        required: whether a release waits for it; one that is not lags behind loudly when it fails.
        transfer: time-outs, encryption, tags and storage class there.
    """

    name: Identifier
    uri: str
    required: bool = True
    transfer: TransferSettings = TransferSettings()


class Tracking(Strict):
    """Where MLflow keeps the history. Without this section, nothing is tracked.

    Attributes:
        experiment: the experiment that has the nights' runs.
        registered_model: the model in the registry that has the versions.
        uri: `sqlite:////folder/mlflow.db`, a database, a server's `https://…`, `databricks`, or `airflow://conn_id`,
            what an Airflow connection leads to.
        registry_uri: where registered models are, if not there: `databricks-uc`.
        pages: where people see MLflow's pages, if tasks know the server by another address.
    """

    uri: str
    registry_uri: str | None = None
    pages: str | None = None
    experiment: str
    registered_model: str

    _look_up: Callable[[str], Access] | None = PrivateAttr(default=None)

    @field_validator("uri")
    @classmethod
    def _known_address(cls, uri: str) -> str:
        filled_in = Template(uri).safe_substitute(os.environ)
        if "${" not in filled_in:  # a variable that this process lacks is missed where it is needed
            tracking_uri.check(filled_in)
        return uri

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        self._check_names(Template(self.uri).safe_substitute(os.environ))
        return self

    @field_validator("pages")
    @classmethod
    def _web_page(cls, pages: str | None) -> str | None:
        if pages is not None and "${" not in pages and not pages.startswith(("https://", "http://")):
            raise ValueError("begins with https:// or http://")
        return pages

    def reached_by(self, look_up: Callable[[str], Access]) -> Tracking:
        """Return the same, with what finds address and credentials by the id of an Airflow connection."""
        found = self.model_copy()
        found._look_up = look_up
        return found

    @property
    def has_pages(self) -> bool:
        """Whether people can open a run's page, as far as can be told without looking anything up."""
        uri = Template(self.uri).safe_substitute(os.environ)
        return self.pages is not None or uri.startswith(("http", "airflow:"))

    def pages_address(self) -> str | None:
        """Return what the address of each of MLflow's pages begins with; None where there are none.

        That is where MLflow is a database, and the spec names no pages.
        """
        if self.pages is not None:
            return expand(self.pages, where="tracking.pages").rstrip("/") + "/#"
        access = self.access()
        if tracking_uri.is_databricks(access.uri):
            workspace = access.environment.get("DATABRICKS_HOST")
            return f"{workspace.rstrip('/')}/ml" if workspace else None
        uri = access.uri
        return tracking_uri.without_credentials(uri).rstrip("/") + "/#" if uri.startswith("http") else None

    def access(self) -> Access:
        """Return how MLflow is reached; the environment's values are filled in, a connection is looked up.

        Raises:
            SpecError: the environment lacks a variable.
            UsageError: MLflow cannot keep its history there, or only Airflow knows where that is.
        """
        where = "tracking.uri"
        found = Access(expand(self.uri, where=where))
        connection = tracking_uri.connection_id(found.uri)
        if connection is not None:
            if self._look_up is None:
                raise UsageError(
                    f"only Airflow's tasks know the connection {connection}",
                    where=where,
                    hint="write ${MLFLOW_TRACKING_URI} into the spec: airflow://… in Airflow, and in a terminal the "
                    "server's own address, with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD beside it",
                )
            found = self._look_up(connection)
        try:
            tracking_uri.check(found.uri)
            self._check_names(found.uri)
        except ValueError as error:
            raise UsageError(str(error), where=where) from error
        return found

    def _check_names(self, uri: str) -> None:
        names = {"experiment": self.experiment, "registered_model": self.registered_model}
        tracking_uri.check_names(uri, registry_uri=self.registry_uri, **names)


class Signing(Strict):
    """Whose key signs the releases: that of an Airflow connection. The key itself has no place in a spec.

    Attributes:
        connection: its id.
    """

    connection: str = Field(pattern=r"^[\w.-]+$")


class Approvers(Strict):
    """Who is asked before a version is made, where the spec says `approval: required`.

    Attributes:
        users: the names by which those who may answer log in to Airflow; empty: each user who may answer there.
        hours: unanswered for so long, it is a rejection. Less than a day: what a run has staged is kept no longer.
    """

    users: list[str] = []
    hours: float = Field(20, gt=0, le=22)


class Schedule(Strict):
    """When a DAG's runs start: five cron fields in a time zone, and the span of one data interval.

    Attributes:
        cron: minute, hour, day, month, weekday.
        timezone: in which they are read, by its IANA name.
        interval_hours: the span of one data interval, which ends when the run begins.
    """

    cron: str = "0 2 * * *"
    timezone: str = "UTC"
    interval_hours: int = Field(24, ge=1, le=24 * 366)

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, cron: str) -> str:
        if len(cron.split()) != 5:
            raise ValueError(f"{cron!r} has {len(cron.split())} fields; write minute hour day month weekday")
        return cron

    @property
    def interval(self) -> timedelta:
        """The span of one data interval."""
        return timedelta(hours=self.interval_hours)


class Spec(Strict):
    """The whole of a model's YAML file. The candidates stand in order of simplicity, simplest first.

    Attributes:
        name: of the model, in lower case with dashes: `heart-disease`. DAGs, folders and the registry have it.
        title: for people.
        description: one sentence about what it predicts, for the card.
        owner: the team that answers for it.
        schema_revision: raised by hand if consumers must change with the model: the next release is a major one.
        choose: which candidate is judged: the simplest that is not worse than the best, or the one with the best
            accuracy on the holdout.
        destinations: the stores that releases go to; the first one is home, whose pointer decides.
        task: `classification`, whose classes the target tells, `regression`, or the name of another task.
        schedule: when it is retrained; None: only by hand.
        housekeeping: when what `retention` does not keep, and what dead runs have left, goes; None: only by hand.
        forms: which forms a release must have.
        retention: how long releases are kept.
        signing: whose key signs the releases; None: they are not signed.
        approval: whether a person is asked before an accepted candidate becomes a version that may go live.
    """

    name: Slug
    title: str
    description: str = ""
    owner: str
    schedule: Schedule | None = Schedule()
    schema_revision: int = Field(1, ge=1)
    task: str = "classification"
    dataset: Dataset
    split: Split = Field(Split(), validate_default=True)
    validation: Validation = Field(Validation(), validate_default=True)
    candidates: dict[Identifier, Candidate] = Field(min_length=1)
    choose: Choice = Choice.SIMPLEST_NOT_WORSE
    gate: GatePolicy
    forms: Forms = Forms()
    destinations: list[Destination] = Field(min_length=1)
    retention: Retention = Retention()
    signing: Signing | None = None
    approval: Literal["required", "never"] = "never"
    approvers: Approvers = Approvers()
    housekeeping: Schedule | None = Schedule(cron="0 4 * * 0")
    tracking: Tracking | None = None

    _path: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _one_name_each(self) -> Self:
        names = [destination.name for destination in self.destinations]
        if len(set(names)) != len(names):
            raise ValueError(f"two destinations have the same name: {', '.join(names)}")
        if not self.destinations[0].required:
            raise ValueError(f"destination {names[0]!r} is home, since it comes first, and home is always required")
        return self

    @field_validator("dataset")
    @classmethod
    def _target_of_task(cls, dataset: Dataset, info: ValidationInfo) -> Dataset:
        task, classes = info.data.get("task"), len(dataset.target.words)
        if task == "classification" and not classes:
            raise ValueError("target: a classification needs classes, or positive_above; else say task: regression")
        if task == REGRESSION.name and classes:
            raise ValueError("target: a regression predicts a number, which has no classes and no positive_above")
        return dataset

    @field_validator("task")
    @classmethod
    def _known_task(cls, task: str) -> str:
        known = ["classification", *(name for name in TASKS if name not in (BINARY.name, MULTICLASS.name))]
        if task not in known:
            raise ValueError(f"no such task{did_you_mean(task, known)}; the tasks are {', '.join(known)}")
        return task

    @field_validator("split")
    @classmethod
    def _split_of_dataset(cls, split: Split, info: ValidationInfo) -> Split:
        if "dataset" not in info.data:
            return split
        if fault := split.fault(info.data["dataset"]):
            raise ValueError(fault)
        return split.model_copy(update={"method": split.method_for(info.data["dataset"])})

    @field_validator("validation")
    @classmethod
    def _validation_of_dataset(cls, validation: Validation, info: ValidationInfo) -> Validation:
        if not {"dataset", "split"} <= {*info.data}:
            return validation
        by = info.data["dataset"], info.data["split"]
        if fault := validation.fault(*by):
            raise ValueError(fault)
        return validation.model_copy(update={"method": validation.method_for(*by)})

    @field_validator("candidates")
    @classmethod
    def _text_is_prepared(cls, candidates: dict[str, Candidate], info: ValidationInfo) -> dict[str, Candidate]:
        inputs = info.data["dataset"].inputs if "dataset" in info.data else {}
        texts = [name for name, column in inputs.items() if column.kind == "text"]
        if texts and (without := [name for name, each in candidates.items() if not each.prepares_itself]):
            raise ValueError(
                f"{', '.join(texts)} is text, which {', '.join(without)} cannot take: write input: false, or another "
                "kind, or give the candidate a preprocessing of its own"
            )
        return candidates

    @field_validator("choose")
    @classmethod
    def _choice_of_task(cls, choose: Choice, info: ValidationInfo) -> Choice:
        if choose is Choice.BEST_HOLDOUT_ACCURACY and "dataset" in info.data and "task" in info.data:
            kind = _kind(info.data["task"], info.data["dataset"])
            if kind.measure("accuracy") is None:
                raise ValueError(f"a {kind.name} model has no accuracy to choose by")
        return choose

    @field_validator("gate")
    @classmethod
    def _figures_of_task(cls, gate: GatePolicy, info: ValidationInfo) -> GatePolicy:
        if "dataset" in info.data and "task" in info.data:
            kind = gate.extended(_kind(info.data["task"], info.data["dataset"]))
            faults = [*gate.faults(kind, info.data["dataset"].target.words)]
            if faults:
                raise ValidationError.from_exception_data("gate", faults)
        return gate

    @field_validator("gate")
    @classmethod
    def _slices_of_columns(cls, gate: GatePolicy, info: ValidationInfo) -> GatePolicy:
        columns = info.data["dataset"].table if "dataset" in info.data else {}
        for each in gate.slices if columns else []:
            column = columns.get(each.column)
            if column is None:
                raise ValueError(f"slices: the data has no column {each.column!r}{did_you_mean(each.column, columns)}")
            if column.kind == "datetime":
                parts = ", ".join(part_name(each.column, part) for part in column.parts)
                raise ValueError(f"slices: {each.column} is a datetime: name one of its parts, {parts}")
            if column.kind == "text":
                raise ValueError(f"slices: {each.column} is text, which has no groups")
            if column.role == "numeric" and each.bins is None:
                raise ValueError(f"slices: {each.column} is numeric and needs bins, the borders between its groups")
            if column.role == "categorical" and each.bins is not None:
                raise ValueError(f"slices: {each.column} is categorical: its values are its groups, and bins are none")
        return gate

    @field_validator("gate")
    @classmethod
    def _loss_of_validation(cls, gate: GatePolicy, info: ValidationInfo) -> GatePolicy:
        if not {"dataset", "split", "validation"} <= {*info.data}:
            return gate
        method = info.data["validation"].method_for(info.data["dataset"], info.data["split"])
        if method == "single" and gate.loss in gate.own:
            raise ValueError(
                f"loss: {gate.loss} is a figure of one's own, which is compared over folds, and validation.method: "
                "single has one: name a method with several, or a loss of the task"
            )
        return gate

    @property
    def task_kind(self) -> TaskKind:
        """What kind of task it is, with the figures that the gate brings."""
        return self.gate.extended(_kind(self.task, self.dataset))

    @property
    def split_method(self) -> SplitMethod:
        """How the holdout is set apart."""
        return self.split.method_for(self.dataset)

    @property
    def validation_method(self) -> ValidationMethod:
        """How recipes are measured."""
        return self.validation.method_for(self.dataset, self.split)

    @property
    def loss(self) -> str:
        """The figure by which candidates are chosen and compared."""
        return self.gate.loss or self.task_kind.losses[0]

    @property
    def path(self) -> Path:
        """The file that this spec was read from."""
        return self._path

    @property
    def identifier(self) -> str:
        """The name as it stands in DAG ids: `heart_disease`."""
        return self.name.replace("-", "_")

    @property
    def home(self) -> Destination:
        """The destination whose pointer decides."""
        return self.destinations[0]

    def destination(self, name: str) -> Destination:
        """Return the destination of that name.

        Raises:
            SpecError: there is none.
        """
        for destination in self.destinations:
            if destination.name == name:
                return destination
        raise SpecError(f"no destination is called {name!r}", where=str(self.path))

    def model_uri(self, destination: Destination) -> str:
        """Return where the releases lie at a destination: `<root>/<name>-models`."""
        return join(self._root(destination), f"{self.name}-models")

    def dataset_uri(self) -> str:
        """Return where the data lies at home: `<root>/datasets/<name>`."""
        return join(self._root(self.home), "datasets", self.name)

    def mlruns_uri(self) -> str:
        """Return where the MLflow data is mirrored, of all models together: `<root>/mlruns` at home."""
        return join(self._root(self.home), "mlruns")

    def source_uri(self) -> str:
        """Return where raw partitions come from: of a query `sql://<connection>`, else a URI.

        A plain path is taken from the spec's own folder.
        """
        if isinstance(self.dataset.source, Query):
            uri = f"sql://{self.dataset.source.sql}"
        else:
            source = expand(self.dataset.source, where=f"{self.path}: dataset.source")
            uri = source if "://" in source else (self.path.parent / source).resolve().as_uri()
        return check_allowed(uri, key="dataset.source", where=self.path)

    def _root(self, destination: Destination) -> str:
        """Return a destination's URI, which the deployment must allow."""
        uri = expand(destination.uri, where=f"{self.path}: destination {destination.name}")
        return check_allowed(uri, key=f"destinations: {destination.name}", where=self.path)


def _kind(task: str, dataset: Dataset) -> TaskKind:
    if task == "classification":
        return BINARY if len(dataset.target.words) == 2 else MULTICLASS
    kind = TASKS[task]
    return kind if dataset.target.interval else kind.without("coverage")


def expand(text: str, *, where: str) -> str:
    """Replace `${NAME}` by the environment's value.

    Raises:
        SpecError: the environment has no such variable.
    """
    try:
        return Template(text).substitute(os.environ)
    except (KeyError, ValueError) as error:
        missing = re.sub(r"^'|'$", "", str(error))
        raise SpecError(
            f"{text!r} needs the environment variable {missing}, which is not set",
            where=where,
            hint=f"set {missing} for every Airflow component, or write the value into the spec",
        ) from error
