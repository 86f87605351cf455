"""The messages between the tasks of a run, and what its tasks report to people: frozen, typed values.

A message names its `kind`. It becomes JSON at the Airflow door alone (`to_json`), and is parsed there (`parse`),
strictly: an unknown kind or key is an error, so that no task misreads in silence what another one wrote. Bytes go
through the object store; a message holds digests and names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from model_release.documents.base import Sha256, Strict, VersionText
from model_release.documents.verdict import Check
from model_release.errors import Corrupt


class Message(Strict):
    """A message. Its `kind` tells what it is."""

    def to_json(self) -> dict[str, Any]:
        """Return the message as a JSON value."""
        return self.model_dump(mode="json")

    def facts(self) -> dict[str, Any]:
        """Return the message as a JSON value without its kind, as a part of another one."""
        return self.model_dump(mode="json", exclude={"kind"})


class OfSpec(Message):
    """A message that a later task of a retrain run acts on.

    Attributes:
        spec: SHA-256 of the spec by which the run began. A task that reads another spec stops.
    """

    spec: Sha256


# ── what a task hands on ────────────────────────────────────────────────────────────────────────────────────────────


class Work(OfSpec):
    """One candidate to be trained.

    Attributes:
        snapshot: fingerprint of the data snapshot.
        fingerprint: of the run.
    """

    kind: Literal["work"] = "work"
    candidate: str
    snapshot: str
    fingerprint: str


class TrainedCandidate(OfSpec):
    """One candidate that was trained.

    Attributes:
        trained: digest of its `Trained` document in staging.
        mlflow: address of its MLflow run's page.
    """

    kind: Literal["trained"] = "trained"
    candidate: str
    snapshot: str
    fingerprint: str
    trained: Sha256
    mlflow: str | None = None


class ArtifactsOfRun(Message):
    """Where the artifacts of a run are.

    Attributes:
        staging: the run's staging folder.
        snapshot: fingerprint of the data snapshot.
        trained: by candidate, the digest of its `Trained` document in staging.
    """

    kind: Literal["artifacts"] = "artifacts"
    staging: str
    snapshot: str
    trained: dict[str, Sha256]


class Evaluated(OfSpec):
    """The candidates of a run, measured.

    Attributes:
        fingerprint: of the run.
        evaluation: digest of the `Evaluation` document in staging.
    """

    kind: Literal["evaluated"] = "evaluated"
    fingerprint: str
    artifacts: ArtifactsOfRun
    evaluation: Sha256


class Proposal(OfSpec):
    """An accepted candidate, for a person to approve.

    Attributes:
        draft: digest of the manifest of the version to be, in staging.
        decision: key of the decision record.
        subject: the question in one line.
        body: the evidence, in Markdown.
    """

    kind: Literal["proposal"] = "proposal"
    draft: Sha256
    decision: str
    subject: str
    body: str


class Approval(Message):
    """A person's approval. It holds against one baseline (rule 6).

    Attributes:
        words: by whom and when.
        since: the epoch at which that baseline became live; None if nothing was live.
    """

    kind: Literal["approval"] = "approval"
    words: str
    since: int | None


class UploadOrder(OfSpec):
    """One version to be put at one destination.

    Attributes:
        basis: what the promotion rests upon: a person's approval, or the artifacts, by which the gate can judge again.
    """

    kind: Literal["upload_order"] = "upload_order"
    destination: str
    version: VersionText
    basis: Annotated[ArtifactsOfRun | Approval, Field(discriminator="kind")]


class Uploaded(OfSpec):
    """One order that was carried out.

    Attributes:
        sent: the files that were sent by this call; the others were there.
        lagging: why the destination lags behind, if it does and is not required.
    """

    kind: Literal["uploaded"] = "uploaded"
    order: UploadOrder
    sent: list[str]
    lagging: str | None = None


# ── what a task reports ─────────────────────────────────────────────────────────────────────────────────────────────


class AtDestinations(Message):
    """How a model's destinations stand after they were reconciled.

    Attributes:
        live: the version that home's pointer names; None if nothing was released yet.
        epoch: of home's pointer; None if there is none.
        mended: what was made good, in words.
        lagging: the destinations that could not be brought up to date, in words.
        complete: whether home and every required destination are up to date.
    """

    live: VersionText | None
    epoch: int | None
    mended: list[str]
    lagging: list[str]
    complete: bool = True


class ReconcileOutcome(AtDestinations):
    """What *Reconcile* found and did."""

    kind: Literal["reconcile"] = "reconcile"


class IngestOutcome(Message):
    """What *Ingest* found.

    Attributes:
        new: whether there is anything to do that was not done before.
        reason: what the run would repeat, in words; None if it is new.
        rows: of the snapshot.
        as_of: only data that had arrived by this date is in it.
        snapshot: its fingerprint.
        fingerprint: of the run.
        data: what became of rows and files that arrived and are not in the snapshot, in words.
        mlflow: address of the page of the run's MLflow run.
    """

    kind: Literal["ingest"] = "ingest"
    new: bool
    reason: str | None
    rows: int
    as_of: date
    snapshot: str
    fingerprint: str
    data: list[str] = []
    mlflow: str | None = None


class Verdict(Message):
    """What *Gate* decided.

    Attributes:
        accepted: whether the chosen candidate may be released.
        reproduced: whether the run made the bytes of an earlier version, so that nothing was to be decided.
        summary: the verdict in one sentence.
        version: the version that was claimed or reproduced; None if there is none, or not yet.
        chosen: name of the candidate.
        baseline: the live version that it was compared with.
        reasons: why, in words.
        checks: each question that the gate asked, with its answer.
        decision: key of the decision record.
        overruled: who has overruled a rejection.
        mlflow: address of the page of the candidate's MLflow run.
        lagging: what MLflow missed, in words.
        opened_in: in what process the candidate's files were opened, in words; None if they were not.
    """

    kind: Literal["verdict"] = "verdict"
    accepted: bool
    reproduced: bool = False
    summary: str
    version: VersionText | None = None
    chosen: str | None = None
    baseline: VersionText | None = None
    reasons: list[str]
    checks: list[Check] = []
    decision: str | None = None
    overruled: str | None = None
    mlflow: str | None = None
    lagging: list[str] = []
    opened_in: str | None = None


class ConsentOutcome(Message):
    """What *Consent* made of a person's answer.

    Attributes:
        asked: whether a person was asked.
        approved: whether they approved.
        by: who answered; None if no person did in time.
        summary: the answer in one sentence.
        version: the version that was claimed.
        lagging: what MLflow missed, in words.
    """

    kind: Literal["consent"] = "consent"
    asked: bool
    approved: bool = False
    by: str | None = None
    summary: str
    version: VersionText | None = None
    lagging: list[str] = []


class ReleaseOutcome(AtDestinations):
    """What *Update latest* did.

    Attributes:
        version: the published version.
        promoted: whether it became live.
        reason: why it did not.
        mlflow: address of the page of the version's MLflow run.
    """

    kind: Literal["release"] = "release"
    version: VersionText
    promoted: bool
    reason: str | None
    mlflow: str | None = None


class Standing(Message):
    """How a model's `latest` stands at its destinations, for metrics.

    Attributes:
        since: when the live version became live; None if nothing is, or the log has lost it.
        data_as_of: the day of the live version's data; None if nothing is live, or the day is not known.
        holds: how many keep `latest` where it is.
        epochs: of the pointer at each destination, by the spec's name of it; 0 where there is no pointer. A destination
            that could not be read is left out.
    """

    kind: Literal["standing"] = "standing"
    since: datetime | None
    data_as_of: date | None
    holds: int
    epochs: dict[str, int]


class Failure(Message):
    """Why a task of a run has failed.

    Attributes:
        task: its id, and the name of its map index if it has one: `train [forest]`.
        error: the kind of the error; None if the task ended without a word, as a killed process does.
        what: the event, in words.
        hint: the next step, in words.
        log: address of the task's page, which has its log; None if Airflow's own address is not configured.
    """

    kind: Literal["failure"] = "failure"
    task: str
    error: str | None
    what: str
    hint: str
    log: str | None


# ── a person's act ──────────────────────────────────────────────────────────────────────────────────────────────────


class Looked(Message):
    """What `latest` said when a person acted.

    Attributes:
        live: the live version.
        epoch: of the pointer now.
        held: each hold, in words.
        seen: the epoch that the person saw; 0 if nothing was live then; None if they act on what is read first.
    """

    kind: Literal["look"] = "look"
    live: VersionText | None
    epoch: int
    held: list[str]
    seen: int | None


class ActOutcome(Message):
    """What *Act* did at home.

    Attributes:
        summary: in one sentence.
        repeated: whether an earlier attempt of the same act had done it.
        epoch: of home's pointer as the act left it.
    """

    kind: Literal["act"] = "act"
    summary: str
    repeated: bool
    epoch: int


class OperateOutcome(AtDestinations):
    """The result of a person's act, after the other destinations followed.

    Attributes:
        summary: what was done at home, in one sentence.
    """

    kind: Literal["operate"] = "operate"
    summary: str


HandedOn = Work | TrainedCandidate | Evaluated | Proposal | UploadOrder | Uploaded | Looked | ActOutcome
"""What a later task acts on."""

RetrainOutcome = ReconcileOutcome | IngestOutcome | Verdict | ConsentOutcome | Uploaded | ReleaseOutcome | Failure
"""What the result of a retrain run is assembled from."""

_BY_KIND: TypeAdapter[HandedOn | RetrainOutcome] = TypeAdapter(
    Annotated[HandedOn | RetrainOutcome, Field(discriminator="kind")]
)


def parse(value: object) -> HandedOn | RetrainOutcome:
    """Return the message that a JSON value holds.

    Raises:
        Corrupt: its kind is unknown, a key is unknown or missing, or a value is of another type.
    """
    try:
        return _BY_KIND.validate_json(json.dumps(value))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'the message'}: {each['msg']}" for each in faults[:5])
        raise Corrupt(
            f"not a message of this version of model-release: {wrong}",
            hint="clear the whole run, so that this version runs every task of it",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalResponse:
    """What a person answered to a proposal.

    Attributes:
        by: who; None if no person answered in time.
    """

    approved: bool
    by: str | None
    comment: str = ""
