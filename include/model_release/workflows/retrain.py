"""The nightly chain, one method a task: what Airflow schedules, without Airflow.

Between two methods travels a small JSON value; bytes go through the stores. Every method may be killed anywhere and
called again: it finds what it did before and goes on from there.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from model_release.documents import layout
from model_release.documents.manifest import Claim, Manifest
from model_release.documents.version import Version
from model_release.errors import Corrupt, ModelReleaseError
from model_release.model_files import sandbox
from model_release.modelling import provenance
from model_release.releases.claims import take_number
from model_release.releases.decisions import Answer, answered, decided, nothing_new
from model_release.releases.promote import Promotion
from model_release.releases.publish import keep, place, recall, seal, stage
from model_release.releases.store import Follower
from model_release.signing import KeySource, SigningKey, needed_key
from model_release.spec.model import Spec
from model_release.stores import Store, open_store
from model_release.stores.conditions import check_conditions
from model_release.workflows.destinations import Destinations, Opener
from model_release.workflows.run import Run
from model_release.workflows.tracking_log import TrackingLog

log = logging.getLogger(__name__)

Json = dict[str, Any]


def report(found: Json | None, verdict: Json | None, answer: Json | None, done: Json | None) -> Json:
    """Return what became of a run, and why, in one sentence and the facts behind it.

    Args:
        found: what `Nightly.ingest` found.
        verdict: of `Nightly.gate`; None where it was skipped.
        answer: of `Nightly.consent`; None where it was skipped or nobody is asked.
        done: what `Nightly.update_latest` did; None where it was skipped.
    """
    lagging = [each for told in (verdict, answer, done) if told for each in told.get("lagging", [])]
    facts: Json = {"version": None, "live": None, "reasons": (verdict or {}).get("reasons", []), "lagging": lagging}
    if done is not None:
        facts |= {"version": done["version"], "live": done["live"]}
        why = f" and not live: {done['reason']}" if not done["promoted"] else " and live"
        words = f"{done['version']} is published{why}"
    elif answer is not None and answer["asked"]:
        words = answer["summary"]
    elif verdict is not None:
        words = verdict["summary"]
        if not verdict["accepted"]:
            words += f": {'; '.join(verdict['reasons'])}"
    else:
        words = f"nothing is new: {(found or {}).get('reason')}"
    return {"summary": words, **facts}


class Nightly:
    """One run of one model's chain.

    Args:
        spec: the model, as this run was asked to train it.
        run: the facts of the run.
        opener: from a URI and its settings to the store; Airflow's goes through the provider hooks.
        keys: from the name in the spec to the key that signs; Airflow's reads the connection.
    """

    def __init__(self, spec: Spec, run: Run, *, opener: Opener = open_store, keys: KeySource = needed_key) -> None:
        self.spec = spec
        self.run = run
        self._open = opener
        self._keys = keys

    @cached_property
    def tracking_log(self) -> TrackingLog:
        """What MLflow is told of this run."""
        return TrackingLog(self.spec, self.run)

    @cached_property
    def destinations(self) -> Destinations:
        """The model's folder at every destination."""
        return Destinations.of(self.spec, self._open)

    @property
    def home(self) -> Store:
        """The model's folder at home, whose pointer decides."""
        return self.destinations.home

    def reconcile(self) -> Json:
        """Check that every destination keeps to conditions, and make good whatever an earlier run left undone.

        A key that is missing, or none, shows here as well, before anything is trained.
        """
        if self._key is not None:
            log.info("releases are signed; to be trusted: \n%s", self._key.trust.decode())
        for each in [Follower(self.home), *self.destinations.releases.followers]:
            try:
                check_conditions(each.store)
            except ModelReleaseError as error:
                if each.required:
                    raise
                log.warning("%s", error)
        return self.destinations.settle()

    def ingest(self) -> tuple[Json, list[Json]]:
        """Take the snapshot that this run trains on.

        Returns:
            What was found, and one piece of work per candidate: none where nothing is new.
        """
        from model_release.modelling import dataset

        snapshot = dataset.ingest(
            self.spec,
            source=self._open(self.spec.source_uri(), self.spec.home.transfer.for_reading()),
            data=self._data,
            as_of=self.run.as_of,
        )
        log.info("%d rows as of %s, snapshot %s", snapshot.rows, self.run.as_of, snapshot.fingerprint)
        fingerprint = provenance.fingerprint(
            snapshot=snapshot.fingerprint, spec=self.spec, candidates=list(self.spec.candidates)
        )
        live = self.destinations.releases.pointer()
        repeats = nothing_new(
            self.destinations.releases,
            live.pointer if live else None,
            fingerprint,
            may_promote=self.run.promote != "never",
            overrule=self.run.promote == "force",
            asks=self._asks,
        )
        if repeats is not None:
            log.info("nothing is new: %s", repeats)
        outcome: Json = {
            "new": repeats is None,
            "reason": repeats,
            "rows": snapshot.rows,
            "as_of": self.run.as_of.isoformat(),
            "snapshot": snapshot.fingerprint,
            "fingerprint": fingerprint,
        }
        idle = repeats is not None and not self.run.force
        work = {"snapshot": snapshot.fingerprint, "fingerprint": fingerprint}
        if not idle:
            outcome["mlflow"] = self.tracking_log.begin(**work)
        return outcome, [] if idle else [{"candidate": name, **work} for name in self.spec.candidates]

    def train(self, work: Json) -> Json:
        """Fit one candidate and keep what it made in staging."""
        from model_release.modelling import dataset, training

        name = work["candidate"]
        snapshot = dataset.read_snapshot(self._data, work["snapshot"])
        rows = dataset.load(self.spec, snapshot, data=self._data)
        with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
            folder = Path(scratch)
            trained = training.train(self.spec, name, self.spec.candidates[name], rows, folder)
            stage(self.destinations.releases, self.run.staging, folder, trained.made)
            trained, page = self.tracking_log.candidate(
                trained, folder=folder, rows=rows, snapshot=snapshot, fingerprint=work["fingerprint"]
            )
        return {**work, "trained": keep(self.destinations.releases, self.run.staging, trained), "mlflow": page}

    def evaluate(self, trained: Sequence[Json]) -> Json:
        """Measure the candidates and the live champion on the same rows and folds."""
        from model_release.workflows.judging import RunArtifacts

        first = trained[0]
        artifacts = RunArtifacts(
            self.spec,
            releases=self.destinations.releases,
            data=self._data,
            staging=self.run.staging,
            snapshot=first["snapshot"],
            trained={each["candidate"]: each["trained"] for each in trained},
        )
        live = self.destinations.releases.pointer()
        evaluation = artifacts.evaluate(live.pointer if live else None)
        return {
            "fingerprint": first["fingerprint"],
            "artifacts": artifacts.facts,
            "evaluation": keep(self.destinations.releases, self.run.staging, evaluation),
        }

    def gate(self, evaluated: Json) -> tuple[Json, list[Json]]:
        """Judge, and claim a version for what is accepted; where a person is to be asked, propose it to them.

        Returns:
            The verdict, and one upload per destination, or one proposal: none where nothing is released.
        """
        from model_release.workflows import approval
        from model_release.workflows.judging import RunArtifacts, judge_run

        artifacts = RunArtifacts(
            self.spec, releases=self.destinations.releases, data=self._data, **evaluated["artifacts"]
        )
        fingerprint, evaluation = evaluated["fingerprint"], evaluated["evaluation"]
        judged = judge_run(artifacts, self.run, fingerprint, evaluation, tracking_log=self.tracking_log)
        verdict = judged.words
        for line in verdict["reasons"]:
            log.info("%s", line)
        log.info("%s", verdict["summary"])
        self.tracking_log.verdict(verdict, artifacts.trained.values())
        chosen = artifacts.trained.get(verdict.get("chosen", ""))
        verdict |= {
            "mlflow": self.tracking_log.page(chosen.mlflow if chosen else None),
            "lagging": [*self.tracking_log.lagging],
        }
        if judged.draft is None or judged.record is None:
            return verdict, []
        if not self._asks:
            claim = take_number(self.destinations.releases, judged.draft, run=self.run.staging, bump=self.run.bump)
            return {**verdict, "version": str(claim.metadata.version)}, self._orders(claim, artifacts=artifacts.facts)
        live = self.destinations.releases.pointer()
        proposal = {
            "draft": keep(self.destinations.releases, self.run.staging, judged.draft),
            "decision": judged.record.key,
            **approval.question(judged.record, judged.draft, live.pointer if live else None, home=self.home.uri),
        }
        return verdict, [proposal]

    def consent(self, proposed: Sequence[Json], said: Json) -> tuple[Json, list[Json]]:
        """Act on a person's answer to what the gate proposed: claim a version, or let it be.

        The answer holds against the baseline that it was asked about, like the gate's own word (rule 6).

        Args:
            proposed: what `gate` returned.
            said: whether it is `approved`, `by` whom (None: nobody answered in time), and a `comment`.

        Returns:
            The answer in words, and one upload per destination: none where nothing is released.
        """
        if not proposed or "draft" not in proposed[0]:
            return {"asked": False, "summary": "nobody was to be asked"}, list(proposed)
        proposal = proposed[0]
        where = f"{self.home.uri}/{layout.STAGING}/{self.run.staging}"
        draft = Manifest.read(recall(self.destinations.releases, self.run.staging, proposal["draft"]), where=where)
        verdict = decided(self.destinations.releases, proposal["decision"])
        answer = Answer(
            fingerprint=verdict.fingerprint,
            since=verdict.since,
            run=self.run.run_id,
            draft_sha256=draft.sha256(),
            at=datetime.now(UTC),
            **said,
        )
        answer = answered(self.destinations.releases, answer)
        log.info("%s", answer.words)
        self.tracking_log.answer(draft, answer.words, approved=answer.approved)
        told: Json = {"asked": True, "approved": answer.approved, "by": answer.by, "summary": answer.words}
        told |= {"lagging": [*self.tracking_log.lagging]}
        live = self.destinations.releases.pointer()
        if answer.approved and (live.pointer.since if live else None) != answer.since:
            told |= {"summary": f"{answer.words}; another version became live meanwhile: a new run asks again"}
            log.warning("%s", told["summary"])
            return told, []
        if not answer.approved or draft.gate is None:
            return told, []
        gate = draft.gate.model_copy(update={"approved": answer.words})
        draft = draft.model_copy(update={"gate": gate})
        claim = take_number(self.destinations.releases, draft, run=self.run.staging, bump=self.run.bump)
        told |= {"version": str(claim.metadata.version)}
        return told, self._orders(claim, approved=answer.words, since=answer.since)

    def upload(self, order: Json) -> Json:
        """Put the version at one destination, read it back, and check that what came back answers as in training."""
        destination = self.spec.destination(order["destination"])
        claim = self._claim(order["version"])
        try:
            target = self._open(self.spec.model_uri(destination), destination.transfer)
            sent = place(
                self.destinations.releases,
                claim,
                target,
                inspect=partial(sandbox.check, manifest=claim.metadata),
                key=self._key,
            )
        except ModelReleaseError as error:
            if destination.required:
                raise
            log.warning("%s lags behind, and nobody waits for it: %s", destination.name, error)
            return {**order, "sent": [], "lagging": str(error)}
        files = claim.metadata.files
        size = sum(entry.size for entry in files)
        log.info(
            "%s holds %s: %d files, %d bytes, %d sent now",
            destination.name,
            order["version"],
            len(files),
            size,
            len(sent),
        )
        return {**order, "sent": sent}

    def update_latest(self, uploaded: Sequence[Json]) -> Json:
        """Publish the version, and make it live where the rules allow it."""
        order = uploaded[0]
        manifest = seal(self.destinations.releases, self._claim(order["version"]))
        log.info("%s is published", manifest.version)
        promotion = self._promote(manifest, order)
        settled = self.destinations.settle()
        if promotion.refusal is not None:
            log.warning("latest stays where it is: %s", promotion.refusal)
        folders = [each.uri for each in self.destinations.releases.stores]
        self.tracking_log.settled(settled["lagging"])
        self.tracking_log.released(manifest, folders=folders, refusal=promotion.refusal)
        return {
            "version": str(manifest.version),
            "promoted": promotion.refusal is None,
            "reason": promotion.refusal,
            **settled,
            "lagging": [*dict.fromkeys([*settled["lagging"], *self.tracking_log.lagging])],
            "mlflow": self.tracking_log.page(manifest.mlflow),
        }

    def announcement(self, last: Json | None) -> Json | None:
        """Return what consumers are to be told, as `Places.announcement`; nothing by a run that may not promote."""
        return None if self.run.promote == "never" else self.destinations.announcement(last)

    @cached_property
    def _data(self) -> Store:
        return self._open(self.spec.dataset_uri(), self.spec.home.transfer)

    @cached_property
    def _key(self) -> SigningKey | None:
        return self._keys(self.spec.signing.connection) if self.spec.signing else None

    def _claim(self, version: str) -> Claim:
        claim = self.destinations.releases.claim(Version.parse(version))
        if claim is None:
            raise Corrupt("the claim of this run's version is missing", where=f"{self.home.uri}/{version}/claim.json")
        return claim

    @property
    def _asks(self) -> bool:
        """Whether a person is asked: not about a version that cannot become live by this run."""
        return self.spec.approval == "required" and self.run.promote != "never"

    def _orders(self, claim: Claim, **facts: Any) -> list[Json]:
        version = str(claim.metadata.version)
        return [{"destination": each.name, "version": version, **facts} for each in self.spec.destinations]

    def _promote(self, manifest: Manifest, order: Json) -> Promotion:
        from model_release.workflows.judging import RunArtifacts, promote_approved, promote_judged

        if self.run.promote == "never":
            live = self.destinations.releases.pointer()
            return Promotion(live.pointer if live else None, "this run publishes only")
        if "approved" in order:
            return promote_approved(
                self.destinations.releases, self.run, manifest, since=order["since"], approved=order["approved"]
            )
        artifacts = RunArtifacts(self.spec, releases=self.destinations.releases, data=self._data, **order["artifacts"])
        return promote_judged(artifacts, self.run, manifest)
