"""A model's spec: the one YAML file that describes what is trained, how it is judged and where it is released.

Strict and frozen. Whatever is wrong with a file is one `SpecError` that names the file, the line, the key and the
nearest right spelling. Nothing here imports scikit-learn, so that DAG files can read specs at every parse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator, model_validator

from model_release.documents.base import Strict
from model_release.documents.evaluation import SplitMethod, ValidationMethod
from model_release.documents.layout import join
from model_release.documents.readings import part_name
from model_release.documents.suggest import did_you_mean
from model_release.errors import SpecError
from model_release.spec.allowed_stores import check_allowed
from model_release.spec.candidate import Candidate
from model_release.spec.dataset import Dataset
from model_release.spec.environment import expand
from model_release.spec.forms import Forms
from model_release.spec.gate import Choice, GatePolicy
from model_release.spec.notify import Channel
from model_release.spec.retention import Retention
from model_release.spec.schedule import RetrainSchedule, Schedule
from model_release.spec.source import Query
from model_release.spec.split import Split, Validation
from model_release.spec.tasks import BINARY, MULTICLASS, REGRESSION, TASKS, TaskKind
from model_release.spec.tracking import Tracking
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
        notify: the channels through which people are told of a run's end.
        consumers: URI of the folder in which consumers report what they serve; None: `consumers/` at home.
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
    schedule: RetrainSchedule | None = RetrainSchedule()
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
    notify: list[Channel] = []
    consumers: str | None = None
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

    @model_validator(mode="after")
    def _source_can_be_watched(self) -> Self:
        if self.watches_source and isinstance(self.dataset.source, Query):
            raise ValueError(
                "schedule: on_new_data is watched, and the results of a query cannot be looked at before it is run: "
                "write announced, and let what fills the table announce it"
            )
        return self

    @model_validator(mode="after")
    def _someone_hears_of_late_runs(self) -> Self:
        listens = [each for each in self.notify if "late" in each.on]
        if self.deadline_hours is not None and not listens:
            raise ValueError("schedule: deadline_hours is set, and no channel of notify has `late` among its events")
        if self.deadline_hours is None and (said := [each for each in listens if "on" in each.model_fields_set]):
            raise ValueError(f"notify: {said[0].name} is to tell of late runs, and schedule.deadline_hours is not set")
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
    def deadline_hours(self) -> float | None:
        """After so many hours a run that has not ended is late; None: no run is."""
        return self.schedule.deadline_hours if self.schedule else None

    @property
    def watches_source(self) -> bool:
        """Whether Airflow's triggerer looks for new data at the source."""
        return self.schedule is not None and self.schedule.on_new_data == "watched"

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

    def consumers_uri(self) -> str | None:
        """Return where consumers report what they serve, if that is not the model's folder at home."""
        if self.consumers is None:
            return None
        return check_allowed(expand(self.consumers, where=f"{self.path}: consumers"), key="consumers", where=self.path)

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
