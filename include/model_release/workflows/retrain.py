"""The retrain run, one method a task: what Airflow schedules, without Airflow.

Between two methods travels a small message; bytes go through the stores. Every method may be killed anywhere and called
again: it finds what it did before and goes on from there.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from model_release.documents.base import canonical_json, sha256_of
from model_release.documents.manifest import Claim, Manifest
from model_release.documents.version import Version
from model_release.errors import Corrupt, ModelReleaseError, Refused
from model_release.model_files import sandbox
from model_release.modelling import provenance
from model_release.releases.claims import take_number
from model_release.releases.decisions import nothing_new
from model_release.releases.promote import Promotion
from model_release.releases.publish import keep, place, seal, stage
from model_release.releases.store import Follower, ReleaseStore
from model_release.signing import KeySource, SigningKey, needed_key
from model_release.spec.model import Spec
from model_release.stores import Store, open_store
from model_release.stores.conditions import check_conditions
from model_release.workflows.destinations import Announcement, Destinations, Opener
from model_release.workflows.messages import (
    Approval,
    ApprovalResponse,
    ArtifactsOfRun,
    ConsentOutcome,
    Evaluated,
    IngestOutcome,
    OfSpec,
    Proposal,
    ReconcileOutcome,
    ReleaseOutcome,
    RetrainOutcome,
    TrainedCandidate,
    Uploaded,
    UploadOrder,
    Verdict,
    Work,
)
from model_release.workflows.result import RunResult, run_result, say
from model_release.workflows.run import Run
from model_release.workflows.sources import Databases, database_here, open_source
from model_release.workflows.tracking_log import TrackingLog

log = logging.getLogger(__name__)


class RetrainRun:
    """One run of one model's chain.

    Args:
        spec: the model, as this run was asked to train it.
        run: the facts of the run.
        opener: from a URI and its settings to the store; Airflow's goes through the provider hooks.
        keys: from the name in the spec to the key that signs; Airflow's reads the connection.
        databases: from the id of a connection to its database; Airflow's goes through the provider hook.
    """

    def __init__(
        self,
        spec: Spec,
        run: Run,
        *,
        opener: Opener = open_store,
        keys: KeySource = needed_key,
        databases: Databases = database_here,
    ) -> None:
        self.spec = spec
        self.run = run
        self._open = opener
        self._keys = keys
        self._databases = databases

    @cached_property
    def tracking_log(self) -> TrackingLog:
        """The log of this run in MLflow."""
        return TrackingLog(self.spec, self.run)

    @cached_property
    def destinations(self) -> Destinations:
        """The model's folder at every destination."""
        return Destinations.of(self.spec, self._open)

    @property
    def releases(self) -> ReleaseStore:
        """The model's releases."""
        return self.destinations.releases

    @property
    def home(self) -> Store:
        """The model's folder at home, whose pointer decides."""
        return self.releases.home

    def reconcile(self) -> ReconcileOutcome:
        """Check that every destination keeps to conditions, and make good whatever an earlier run left undone.

        A signing key that is missing fails here as well, before anything is trained.
        """
        if self._key is not None:
            log.info("releases are signed; to be trusted: \n%s", self._key.trust.decode())
        for each in [Follower(self.home), *self.releases.followers]:
            try:
                check_conditions(each.store)
            except ModelReleaseError as error:
                if each.required:
                    raise
                log.warning("%s", error)
        return self.destinations.reconcile()

    def ingest(self) -> tuple[IngestOutcome, list[Work]]:
        """Take the snapshot that this run trains on.

        Returns:
            What was found, and one piece of work per candidate: none if nothing is new.
        """
        from model_release.modelling import dataset

        snapshot = dataset.ingest(
            self.spec,
            source=open_source(
                self.spec, opener=self._open, databases=self._databases, data=self._data, as_of=self.run.as_of
            ),
            data=self._data,
            as_of=self.run.as_of,
        )
        log.info("%d rows as of %s, snapshot %s", snapshot.rows, self.run.as_of, snapshot.fingerprint)
        for words in snapshot.news:
            log.warning("%s", words)
        fingerprint = provenance.fingerprint(
            snapshot=snapshot.fingerprint, spec=self.spec, candidates=list(self.spec.candidates)
        )
        live = self.releases.pointer()
        repeats = nothing_new(
            self.releases,
            live.pointer if live else None,
            fingerprint,
            may_promote=self.run.promote != "never",
            overrule=self.run.promote == "force",
            asks=self._asks,
        )
        if repeats is not None:
            log.info("nothing is new: %s", repeats)
        idle = repeats is not None and not self.run.force
        outcome = IngestOutcome(
            new=repeats is None,
            reason=repeats,
            rows=snapshot.rows,
            as_of=self.run.as_of,
            snapshot=snapshot.fingerprint,
            fingerprint=fingerprint,
            data=snapshot.news,
            mlflow=None if idle else self.tracking_log.begin(snapshot=snapshot.fingerprint, fingerprint=fingerprint),
        )
        work = [
            Work(spec=self._spec_digest, candidate=name, snapshot=snapshot.fingerprint, fingerprint=fingerprint)
            for name in self.spec.candidates
        ]
        return outcome, [] if idle else work

    def train(self, work: Work) -> TrainedCandidate:
        """Fit one candidate and keep what it made in staging."""
        from model_release.modelling import dataset, training

        self._check_spec(work)
        name = work.candidate
        snapshot = dataset.read_snapshot(self._data, work.snapshot)
        rows = dataset.load(self.spec, snapshot, data=self._data)
        with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
            folder = Path(scratch)
            trained = training.train(self.spec, name, self.spec.candidates[name], rows, folder)
            stage(self.releases, self.run.staging, folder, trained.made)
            trained, page = self.tracking_log.candidate(
                trained, folder=folder, rows=rows, snapshot=snapshot, fingerprint=work.fingerprint
            )
        return TrainedCandidate(**work.facts(), trained=keep(self.releases, self.run.staging, trained), mlflow=page)

    def evaluate(self, trained: Sequence[TrainedCandidate]) -> Evaluated:
        """Measure the candidates and the live champion on the same rows and folds."""
        from model_release.workflows.artifacts import RunArtifacts

        self._check_spec(*trained)
        first = trained[0]
        where = ArtifactsOfRun(
            staging=self.run.staging,
            snapshot=first.snapshot,
            trained={each.candidate: each.trained for each in trained},
        )
        live = self.releases.pointer()
        artifacts = RunArtifacts(self.spec, where, releases=self.releases, data=self._data)
        evaluation = artifacts.evaluate(live.pointer if live else None)
        return Evaluated(
            spec=self._spec_digest,
            fingerprint=first.fingerprint,
            artifacts=where,
            evaluation=keep(self.releases, self.run.staging, evaluation),
        )

    def gate(self, evaluated: Evaluated) -> tuple[Verdict, list[UploadOrder] | list[Proposal]]:
        """Judge, and claim a version for what is accepted; if a person is to be asked, propose it to them.

        Returns:
            The verdict, and one upload per destination, or one proposal: none if nothing is released.
        """
        from model_release.workflows import approval
        from model_release.workflows.artifacts import RunArtifacts
        from model_release.workflows.judging import judge_run

        self._check_spec(evaluated)
        artifacts = RunArtifacts(self.spec, evaluated.artifacts, releases=self.releases, data=self._data)
        judged = judge_run(
            artifacts, self.run, evaluated.fingerprint, evaluated.evaluation, register=self.tracking_log.challenger
        )
        for line in [*judged.verdict.reasons, judged.verdict.summary]:
            log.info("%s", line)
        self.tracking_log.verdict(judged.verdict, artifacts.trained.values())
        chosen = artifacts.trained.get(judged.verdict.chosen or "")
        facts: dict[str, Any] = {
            "mlflow": self.tracking_log.page(chosen.mlflow if chosen else None),
            "lagging": [*self.tracking_log.lagging],
        }
        if judged.draft is None or judged.record is None:
            return judged.verdict.model_copy(update=facts), []
        if not self._asks:
            claim = take_number(self.releases, judged.draft, run=self.run.staging, bump=self.run.bump)
            verdict = judged.verdict.model_copy(update={**facts, "version": claim.metadata.version})
            return verdict, self._orders(claim, evaluated.artifacts)
        subject, body = approval.question(judged.record, judged.draft, self.releases, hours=self.spec.approvers.hours)
        proposal = Proposal(
            spec=self._spec_digest,
            draft=keep(self.releases, self.run.staging, judged.draft),
            decision=judged.record.key,
            subject=subject,
            body=body,
        )
        return judged.verdict.model_copy(update=facts), [proposal]

    def consent(
        self, gated: Sequence[UploadOrder | Proposal], response: ApprovalResponse
    ) -> tuple[ConsentOutcome, list[UploadOrder]]:
        """Act on a person's answer to what the gate proposed: claim a version, or let it be.

        The answer holds against the baseline that it was asked about, like the gate's own verdict (rule 6).

        Args:
            gated: what `gate` returned beside the verdict.
            response: the person's.

        Returns:
            The answer in words, and one upload per destination: none if nothing is released.
        """
        from model_release.workflows import approval

        self._check_spec(*gated)
        proposals = [each for each in gated if isinstance(each, Proposal)]
        if not proposals:
            orders = [each for each in gated if isinstance(each, UploadOrder)]
            return ConsentOutcome(asked=False, summary="nobody was to be asked"), orders
        [proposal] = proposals
        approval.check_respondent(self.spec.approvers, response)
        answer, draft = approval.answer(self.releases, self.run, proposal, response)
        log.info("%s", answer.words)
        self.tracking_log.answer(draft, answer.words, approved=answer.approved)
        outcome = ConsentOutcome(
            asked=True,
            approved=answer.approved,
            by=answer.by,
            summary=answer.words,
            lagging=[*self.tracking_log.lagging],
        )
        live = self.releases.pointer()
        if answer.approved and (live.pointer.since if live else None) != answer.since:
            words = f"{answer.words}; another version became live meanwhile: a new run asks again"
            log.warning("%s", words)
            return outcome.model_copy(update={"summary": words}), []
        if not answer.approved or draft.gate is None:
            return outcome, []
        gate = draft.gate.model_copy(update={"approved": answer.words})
        draft = draft.model_copy(update={"gate": gate})
        claim = take_number(self.releases, draft, run=self.run.staging, bump=self.run.bump)
        orders = self._orders(claim, Approval(words=answer.words, since=answer.since))
        return outcome.model_copy(update={"version": claim.metadata.version}), orders

    def upload(self, order: UploadOrder, *, opened: bool = False) -> Uploaded:
        """Put the version at one destination, read it back, and check that what came back answers as in training.

        Args:
            order: what `gate` or `consent` returned.
            opened: whether this process has opened the same bytes in `gate`; then only their digests are checked.
        """
        self._check_spec(order)
        destination = self.spec.destination(order.destination)
        claim = self._claim(order.version)
        try:
            target = self._open(self.spec.model_uri(destination), destination.transfer)
            sent = place(
                self.releases,
                claim,
                target,
                inspect=(lambda _: None) if opened else partial(sandbox.check, manifest=claim.metadata),
                key=self._key,
            )
        except ModelReleaseError as error:
            if destination.required:
                raise
            log.warning("%s lags behind, and no task waits for it: %s", destination.name, error)
            return Uploaded(spec=order.spec, order=order, sent=[], lagging=str(error))
        files = claim.metadata.files
        size = sum(entry.size for entry in files)
        log.info(
            "%s holds %s: %d files, %d bytes, %d sent now", destination.name, order.version, len(files), size, len(sent)
        )
        return Uploaded(spec=order.spec, order=order, sent=sent)

    def update_latest(self, uploaded: Sequence[Uploaded]) -> ReleaseOutcome:
        """Publish the version, and make it live if the rules allow it."""
        self._check_spec(*uploaded)
        order = uploaded[0].order
        manifest = seal(self.releases, self._claim(order.version))
        log.info("%s is published", manifest.version)
        promotion = self._promote(manifest, order.basis)
        reconciled = self.destinations.reconcile()
        if promotion.refusal is not None:
            log.warning("latest stays where it is: %s", promotion.refusal)
        folders = [each.uri for each in self.releases.stores]
        self.tracking_log.reconciled(reconciled.lagging)
        self.tracking_log.released(manifest, folders=folders, refusal=promotion.refusal)
        return ReleaseOutcome(
            version=manifest.version,
            promoted=promotion.refusal is None,
            reason=promotion.refusal,
            live=reconciled.live,
            epoch=reconciled.epoch,
            mended=reconciled.mended,
            lagging=[*dict.fromkeys([*reconciled.lagging, *self.tracking_log.lagging])],
            mlflow=self.tracking_log.page(manifest.mlflow),
        )

    def announcement(self, last: Mapping[str, Any] | None) -> Announcement | None:
        """Return the announcement, as `Destinations.announcement` does; None if this run may not promote."""
        return None if self.run.promote == "never" else self.destinations.announcement(last)

    def report(self, outcomes: Sequence[RetrainOutcome]) -> RunResult:
        """Say what became of the run, from what its tasks have reported and what is live now."""
        live = self.releases.pointer()
        began = self.releases.still_logged(live.pointer.since) if live else None
        result = run_result(outcomes, live.pointer if live else None, began.change.at if began else None)
        say(result)
        return result

    @cached_property
    def _data(self) -> Store:
        return self._open(self.spec.dataset_uri(), self.spec.home.transfer)

    @cached_property
    def _key(self) -> SigningKey | None:
        return self._keys(self.spec.signing.connection) if self.spec.signing else None

    @cached_property
    def _spec_digest(self) -> str:
        return sha256_of(canonical_json(self.spec.model_dump(mode="json")))

    def _check_spec(self, *messages: OfSpec) -> None:
        """Stop if the spec is another one than that by which the run began: it must be judged by one spec.

        Raises:
            Refused: it is.
        """
        if any(each.spec != self._spec_digest for each in messages):
            raise Refused(
                "the spec was changed after this run began, and a run is trained and judged by one spec",
                where=str(self.spec.path),
                hint="start a new run, or clear the whole run from Ingest on; it then goes by the changed spec",
            )

    def _claim(self, version: Version) -> Claim:
        claim = self.releases.claim(version)
        if claim is None:
            raise Corrupt("the claim of this run's version is missing", where=f"{self.home.uri}/{version}/claim.json")
        return claim

    @property
    def _asks(self) -> bool:
        """Whether a person is asked: not about a version that cannot become live by this run."""
        return self.spec.approval == "required" and self.run.promote != "never"

    def _orders(self, claim: Claim, basis: ArtifactsOfRun | Approval) -> list[UploadOrder]:
        version = claim.metadata.version
        return [
            UploadOrder(spec=self._spec_digest, destination=each.name, version=version, basis=basis)
            for each in self.spec.destinations
        ]

    def _promote(self, manifest: Manifest, basis: ArtifactsOfRun | Approval) -> Promotion:
        from model_release.workflows.artifacts import RunArtifacts
        from model_release.workflows.judging import promote_approved, promote_judged

        if self.run.promote == "never":
            live = self.releases.pointer()
            return Promotion(live.pointer if live else None, "this run publishes only")
        if isinstance(basis, Approval):
            return promote_approved(self.releases, self.run, manifest, since=basis.since, approved=basis.words)
        artifacts = RunArtifacts(self.spec, basis, releases=self.releases, data=self._data)
        return promote_judged(artifacts, self.run, manifest)
