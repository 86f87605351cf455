"""Judging one run: its candidates against the live champion, the record of the verdict, and the manifest that follows.

The verdict and the pointer share one token, the baseline's `since`: whenever another version has become live,
the same candidates are judged again against that one (rule 6). Judging knows no MLflow: it is given a function that
registers what may become a release. Data and plots are imported where they are needed, since the task that moves the
pointer has nothing to judge on most nights.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from model_release.documents.base import sha256_of
from model_release.documents.evaluation import Evaluation
from model_release.documents.golden import GOLDEN_FILE
from model_release.documents.manifest import (
    REQUIREMENTS,
    DatasetFacts,
    FileEntry,
    GateVerdict,
    Manifest,
    RunFacts,
    TrackedRun,
    model_bytes,
)
from model_release.documents.pointer import Pointer
from model_release.documents.version import FIRST
from model_release.errors import BaselineMoved, Contended, Corrupt
from model_release.model_files import isolation
from model_release.model_files.opening import ONNX_FILE
from model_release.modelling import provenance
from model_release.modelling.gate import choose, judge
from model_release.modelling.packages import packages_of
from model_release.modelling.trained import CARD_FILE, MODEL_FILE, PREPROCESSOR_FILE, Trained
from model_release.releases.catalog import promotion_target_of
from model_release.releases.claims import became
from model_release.releases.decisions import DecisionRecord, judged, record
from model_release.releases.promote import Promotion, is_live, promote
from model_release.releases.publish import recall, stage
from model_release.workflows.messages import Verdict

if TYPE_CHECKING:
    from model_release.releases.store import ReleaseStore
    from model_release.workflows.artifacts import RunArtifacts
    from model_release.workflows.run import Run

JUDGEMENTS = 5
"""How often one run is judged again because another version became live meanwhile."""

Register = Callable[[Trained, bytes], TrackedRun | None]
"""Registers a candidate that may become a release, with its model card; returns what the manifest says of it."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How a run was judged.

    Attributes:
        verdict: for people.
        record: the verdict with its evidence; None if the run made the bytes of an earlier version.
        draft: the manifest of the version to be, whose number is settled by its claim; None if nothing is released.
    """

    verdict: Verdict
    record: DecisionRecord | None = None
    draft: Manifest | None = None


def judge_run(artifacts: RunArtifacts, run: Run, fingerprint: str, evaluated: str, *, register: Register) -> Judged:
    """Judge a run's candidates, and draft the manifest of what is accepted.

    Args:
        artifacts: the candidates.
        run: the facts of the run.
        fingerprint: of the run.
        evaluated: digest of the run's `Evaluation` in staging.
        register: registers what is accepted.

    Raises:
        Corrupt: this fingerprint was released before, and made other bytes then.
        Refused: what is accepted does not open in a clean process, or answers otherwise there.
    """
    live = artifacts.releases.pointer()
    pointer = live.pointer if live else None
    version = became(artifacts.releases, fingerprint)
    earlier = artifacts.releases.decided(version) if version else None
    if isinstance(earlier, Manifest):
        reproduced = _reproduced(earlier, artifacts)
        if run.promote == "never" or (pointer is not None and is_live(pointer, promotion_target_of(earlier))):
            return Judged(reproduced)
    first = Evaluation.read(recall(artifacts.releases, artifacts.staging, evaluated), where="the run's evaluation")
    decided = _reach_verdict(artifacts, run, fingerprint, pointer, first)
    overruled = run.by if run.promote == "force" and not decided.decision.accepted else None
    if not decided.decision.accepted and overruled is None:
        return Judged(_verdict(decided), decided)
    draft = _draft(artifacts, run, decided, overruled)
    with ThreadPoolExecutor(1) as meanwhile:  # its files are opened while people's are made
        opened = meanwhile.submit(artifacts.check, draft)
        chosen = artifacts.trained[decided.decision.chosen]
        card = _card(artifacts, decided, chosen)
        files = sorted([*draft.files, _staged_card(artifacts, card)], key=lambda entry: entry.path)
        mlflow = register(chosen, card)
        opened.result()
    draft = draft.model_copy(update={"files": files, "mlflow": mlflow})
    told = _verdict(decided, overruled=overruled)
    caveats = [] if ONNX_FILE in {entry.path for entry in chosen.files} else [f"the ONNX form is {chosen.onnx}"]
    caveats += [words for words in (chosen.varies, chosen.searched) if words]
    verdict = told.model_copy(update={"opened_in": isolation.in_words(), "reasons": [*told.reasons, *caveats]})
    return Judged(verdict, decided, draft)


def promote_approved(
    releases: ReleaseStore, run: Run, manifest: Manifest, *, since: int | None, approved: str
) -> Promotion:
    """Make a version live that a person approved. The approval holds against the baseline that they were asked about.

    Args:
        releases: of the model.
        run: the facts of the run.
        manifest: of the version.
        since: the epoch at which that baseline became live.
        approved: by whom and when, for the log.
    """
    try:
        return promote(releases, manifest, judged_since=since, by=run.by, reason=approved, operation=run.staging)
    except BaselineMoved as error:
        live = releases.pointer()
        words = f"{error.what}; it was {approved}, and the next run judges and asks again"
        return Promotion(live.pointer if live else None, words)


def promote_judged(artifacts: RunArtifacts, run: Run, manifest: Manifest) -> Promotion:
    """Make a published version live; if another one has become live since it was judged, judge it again first."""
    since = manifest.gate.since if manifest.gate else None
    reason = f"{run.run_type or 'manual'} run {run.run_id}"
    for _ in range(JUDGEMENTS):
        try:
            return promote(
                artifacts.releases, manifest, judged_since=since, by=run.by, reason=reason, operation=run.staging
            )
        except BaselineMoved:
            live = artifacts.releases.pointer()
            pointer = live.pointer if live else None
            verdict = _reach_verdict(artifacts, run, manifest.fingerprint, pointer, None)
            if not verdict.decision.accepted and run.promote != "force":
                return Promotion(pointer, f"judged again and rejected: {'; '.join(verdict.decision.reasons)}")
            since = verdict.since
    raise Contended(
        f"{JUDGEMENTS} other versions became live while this one was judged",
        where=artifacts.releases.uri,
        hint="try again later",
    )


def _reach_verdict(
    artifacts: RunArtifacts, run: Run, fingerprint: str, pointer: Pointer | None, evaluated: Evaluation | None
) -> DecisionRecord:
    since = pointer.since if pointer else None
    known = judged(artifacts.releases, fingerprint, since)
    if known is not None and (not run.force or known.run == run.run_id):
        return known
    current = evaluated is not None and since == (evaluated.champion.since if evaluated.champion else None)
    measured = evaluated if evaluated is not None and current else artifacts.evaluate(pointer)
    decision = judge(measured, artifacts.spec.gate, chosen=choose(measured, artifacts.spec.choose))
    return record(
        artifacts.releases,
        DecisionRecord(
            fingerprint=fingerprint,
            baseline=pointer.version if pointer else None,
            since=since,
            run=run.run_id,
            staging=artifacts.staging,
            as_of=run.as_of,
            judged_at=datetime.now(UTC),
            decision=decision,
            evaluation=measured,
            policy=artifacts.spec.model_dump(mode="json", include={"choose", "gate", "forms"}),
        ),
    )


def _reproduced(earlier: Manifest, artifacts: RunArtifacts) -> Verdict:
    """Return how a run has made an earlier version again.

    Raises:
        Corrupt: it made other bytes, and two fits of that version were the same.
    """
    name = str((earlier.parameters or {}).get("candidate"))
    trained = artifacts.trained.get(name)
    made = {entry.path: entry.sha256 for entry in trained.files} if trained else {}
    if earlier.varies:
        same = made.get(GOLDEN_FILE) == earlier.file(GOLDEN_FILE).sha256
        how = "gives the same answers to every golden row" if same else "gives other answers to the golden rows"
        summary = f"{earlier.version} stays: it was made again, and {how}; {earlier.varies}"
        return Verdict(accepted=True, reproduced=True, summary=summary, version=earlier.version, reasons=[summary])
    for path, sha256 in model_bytes(earlier).items():
        if made.get(path) != sha256:
            raise Corrupt(
                f"the same data, code, packages and parameters made {earlier.version} before, and {path} differs now",
                where=artifacts.releases.uri,
                hint="look for a source of chance that no seed controls, or a package that the lock does not name",
            )
    summary = f"reproduced {earlier.version} byte for byte"
    return Verdict(accepted=True, reproduced=True, summary=summary, version=earlier.version, reasons=[summary])


def _draft(artifacts: RunArtifacts, run: Run, verdict: DecisionRecord, overruled: str | None) -> Manifest:
    """Return the manifest of the release to be, without its card; its number is settled by the claim."""
    from model_release.modelling import dataset, evaluation

    spec, decision = artifacts.spec, verdict.decision
    chosen = artifacts.trained[decision.chosen]
    accuracy, measured_on = evaluation.headline(decision, verdict.evaluation, spec)
    trained_at = datetime.now(UTC).replace(microsecond=0)
    packages = provenance.package_versions(*packages_of([chosen.recipe]).versions)
    return Manifest(
        model_name=spec.name,
        version=FIRST,
        trained_date=trained_at.date(),
        accuracy=accuracy,
        model_file=MODEL_FILE,
        preprocessor_file=PREPROCESSOR_FILE,
        framework="scikit-learn",
        python_version=provenance.python_version(),
        dependencies=REQUIREMENTS if chosen.requirements else None,
        training_data=spec.dataset.title,
        trained_at=trained_at,
        requirements=chosen.requirements,
        fingerprint=verdict.fingerprint,
        accuracy_measured_on=measured_on,
        files=chosen.files,
        metrics=evaluation.measured(decision, verdict.evaluation, spec),
        gate=GateVerdict(
            accepted=decision.accepted,
            reasons=decision.reasons,
            decision=verdict.key,
            baseline=verdict.baseline,
            since=verdict.since,
            overruled=overruled,
            anchor=None if overruled else decision.anchor,
        ),
        dataset=DatasetFacts(
            uri=f"{artifacts.data.uri}/{artifacts.snapshot.key}",
            fingerprint=artifacts.snapshot.fingerprint,
            rows=artifacts.snapshot.rows,
            as_of=run.as_of,
        ),
        schema_revision=spec.schema_revision,
        input_schema=dataset.input_schema(spec.dataset, artifacts.rows.learned),
        parameters={
            "candidate": chosen.name,
            **chosen.recipe.model_dump(mode="json"),
            **({"searched": chosen.searched} if chosen.searched else {}),
        },
        seed=chosen.recipe.seed,
        environment=packages,
        code=provenance.code_facts(bundle_version=run.bundle_version),
        run=RunFacts(dag_id=run.dag_id, run_id=run.run_id, run_type=run.run_type),
        machine=chosen.machine,
        spec=provenance.spec_facts(spec),
        output=chosen.output,
        onnx=chosen.onnx,
        varies=chosen.varies,
    )


def _card(artifacts: RunArtifacts, verdict: DecisionRecord, chosen: Trained) -> bytes:
    from model_release.modelling import report

    return report.model_card(
        artifacts.spec,
        evaluation=verdict.evaluation,
        decision=verdict.decision,
        trained=chosen,
        predictions=artifacts.predictions(chosen),
        rows=artifacts.rows,
        snapshot_fingerprint=artifacts.snapshot.fingerprint,
        news=artifacts.snapshot.news,
        as_of=verdict.as_of,
        opened_in=isolation.in_words(),
    )


def _staged_card(artifacts: RunArtifacts, card: bytes) -> FileEntry:
    entry = FileEntry(path=CARD_FILE, size=len(card), sha256=sha256_of(card))
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        (Path(scratch) / CARD_FILE).write_bytes(card)
        stage(artifacts.releases, artifacts.staging, Path(scratch), [entry])
    return entry


def _verdict(decided: DecisionRecord, *, overruled: str | None = None) -> Verdict:
    decision = decided.decision
    against = f"against {decided.baseline}" if decided.baseline else "nothing was live before"
    outcome = (
        "accepted" if decision.accepted else f"rejected, and overruled by {overruled}" if overruled else "rejected"
    )
    return Verdict(
        accepted=decision.accepted,
        summary=f"{decision.chosen}: {outcome} ({against})",
        chosen=decision.chosen,
        baseline=decided.baseline,
        reasons=decision.reasons,
        checks=decision.checks,
        decision=decided.key,
        overruled=overruled,
    )
