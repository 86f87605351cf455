"""What a retrain run logs to MLflow, from its first task to its last.

Until the gate, MLflow is part of the work: a candidate that cannot be logged is not trained, and the task is retried.
From the gate on it is a follower, and no task waits for it: the run's results say what it missed, and the next
reconciliation of the model's destinations, by a run or by doctor, makes that good.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from model_release.documents.manifest import Manifest, TrackedRun
from model_release.errors import ModelReleaseError
from model_release.modelling.trained import CARD_FILE, PREDICTIONS_FILE, Trained
from model_release.spec.model import Spec
from model_release.workflows.destinations import MLFLOW_LAGS
from model_release.workflows.messages import Verdict

if TYPE_CHECKING:
    from model_release.modelling.dataset import Rows, Snapshot
    from model_release.workflows.run import Run

log = logging.getLogger(__name__)

T = TypeVar("T")


class TrackingLog:
    """The log of one run in MLflow. If the spec tracks nothing, nothing is logged.

    Args:
        spec: the model.
        run: the facts of the run.

    Attributes:
        lagging: what MLflow missed, in words.
    """

    def __init__(self, spec: Spec, run: Run) -> None:
        self.spec = spec
        self.run = run
        self.lagging: list[str] = []

    def begin(self, *, snapshot: str, fingerprint: str) -> str | None:
        """Prepare MLflow and begin the parent run there, before the candidates, which start at the same time.

        Returns:
            The address of its page; None if there are no pages.
        """
        if self.spec.tracking is None:
            return None
        from model_release import tracking

        tracking.prepare(self.spec.tracking)
        tags = {**self._links, "snapshot": snapshot, "fingerprint": fingerprint, "as_of": self.run.as_of.isoformat()}
        parent = tracking.begin(self.spec.tracking, name=self.run.run_id, facts=self._facts, tags=tags)
        return tracking.page(self.spec.tracking, parent)

    def candidate(
        self, trained: Trained, *, folder: Path, rows: Rows, snapshot: Snapshot, fingerprint: str
    ) -> tuple[Trained, str | None]:
        """Log a candidate that was just trained.

        Args:
            trained: what training gave.
            folder: the folder that training wrote into.
            rows: the snapshot's rows.
            snapshot: the snapshot's record.
            fingerprint: of the run.

        Returns:
            The same with its MLflow run, and the address of that run's page; None if there are no pages.
        """
        if self.spec.tracking is None:
            return trained, None
        import pandas as pd

        from model_release import tracking
        from model_release.modelling import report

        figures = report.candidate_figures(self.spec, trained, pd.read_parquet(folder / PREDICTIONS_FILE), rows)
        tracked = tracking.log_candidate(
            self.spec.tracking,
            facts=self._facts,
            tags={**self._links, "fingerprint": fingerprint},
            trained=trained,
            folder=folder,
            frame=rows.frame.assign(**{self.spec.dataset.target.column: rows.target}),
            inputs=[*self.spec.dataset.inputs],
            snapshot=snapshot,
            files=_figures(figures),
        )
        return trained.model_copy(update={"mlflow": tracked}), tracking.page(self.spec.tracking, tracked.run_id)

    def challenger(self, chosen: Trained, card: bytes) -> TrackedRun | None:
        """Register what the gate lets through, as challenger if it may become live, and keep its card with its run.

        Returns:
            What the manifest says of MLflow; without a registered version if MLflow did not answer.
        """
        where, tracked = self.spec.tracking, chosen.mlflow
        if where is None or tracked is None:
            return None
        from model_release import tracking
        from model_release.modelling import report

        files = {CARD_FILE: card, **_figures(report.figures(card))}
        self._softly(lambda: tracking.attach(where, tracked, files))
        judged = self.run.promote != "never"
        return self._softly(lambda: tracking.challenge(where, tracked, tags=self._facts, judged=judged)) or tracked

    def verdict(self, verdict: Verdict, trained: Iterable[Trained]) -> None:
        """Tag the run and its candidates with the gate's verdict, and end the MLflow run that is their parent."""
        reasons = "; ".join(verdict.reasons)
        word = "reproduced" if verdict.reproduced else "accepted" if verdict.accepted else "rejected"
        tags = {"verdict": word, "verdict.reasons": reasons, "verdict.summary": verdict.summary}
        facts = {"chosen": verdict.chosen, "baseline": verdict.baseline, "decision": verdict.decision}
        tags |= {key: str(value) for key, value in facts.items() if value is not None}
        passed_over = {"verdict": "not chosen", "verdict.reasons": f"{verdict.chosen} was chosen"}
        runs = {
            each.mlflow.run_id: tags if verdict.reproduced or each.name == verdict.chosen else passed_over
            for each in trained
            if each.mlflow is not None
        }
        self._conclude(tags, runs)

    def answer(self, draft: Manifest, words: str, *, approved: bool) -> None:
        """Tag the run and its challenger with a person's answer; what was not approved is challenger no longer."""
        self._conclude({"approval": words}, _of(draft, {"approval": words}))
        if not approved:
            self._dismiss(draft)

    def released(self, manifest: Manifest, *, folders: Sequence[str], refusal: str | None) -> None:
        """Tag the run, the candidate and the registered version with the release; nothing is judged any more.

        Args:
            manifest: of the published version.
            folders: the model's, at every destination.
            refusal: why it is not live; None if it is.
        """
        where = self.spec.tracking
        if where is None or manifest.mlflow is None:
            return
        from model_release import tracking

        tags = {**tracking.release_tags(manifest, folders), "release.live": refusal or "yes"}
        self._conclude(tags, _of(manifest, tags))
        if refusal is not None:  # what is live was enrolled when it became champion
            self._softly(lambda: tracking.enrol(where, manifest, folders=folders))
        self._dismiss(manifest)

    def reconciled(self, lagging: Sequence[str]) -> None:
        """Take note of what lagged behind while the destinations were reconciled: that step updates MLflow too."""
        self.lagging += [each for each in lagging if each.startswith(MLFLOW_LAGS)]

    def page(self, tracked: TrackedRun | None) -> str | None:
        """Return the address of a run's page; None if there are no pages, or MLflow does not answer."""
        where = self.spec.tracking
        if where is None or tracked is None:
            return None
        from model_release import tracking

        return self._softly(lambda: tracking.page(where, tracked.run_id))

    @property
    def _facts(self) -> dict[str, str]:
        facts = {
            "airflow.dag_id": self.run.dag_id,
            "airflow.run_id": self.run.run_id,
            "airflow.run_type": self.run.run_type,
        }
        return {name: value for name, value in facts.items() if value is not None}

    @property
    def _links(self) -> dict[str, str]:
        """What MLflow's own page shows of a run: who started it, where, and the address of that page."""
        shown = {"mlflow.user": self.run.by, "mlflow.source.type": "JOB"}
        if self.run.dag_id:
            shown["mlflow.source.name"] = self.run.dag_id
        if self.run.url:
            shown |= {"airflow.url": self.run.url, "mlflow.note.content": f"[The run in Airflow]({self.run.url})"}
        return shown

    def _conclude(self, tags: Mapping[str, str], candidates: Mapping[str, Mapping[str, str]]) -> None:
        where = self.spec.tracking
        if where is None:
            return
        from model_release import tracking

        self._softly(lambda: tracking.conclude(where, facts=self._facts, tags=tags, candidates=candidates))

    def _dismiss(self, manifest: Manifest) -> None:
        where, tracked = self.spec.tracking, manifest.mlflow
        if where is None or tracked is None:
            return
        from model_release import tracking

        self._softly(lambda: tracking.dismiss(where, tracked))

    def _softly(self, tell: Callable[[], T]) -> T | None:
        """Tell MLflow what no task waits for. After a failure nothing more is tried: each attempt may take minutes."""
        if self.lagging:
            return None
        try:
            return tell()
        except ModelReleaseError as error:
            log.warning("%s: %s", MLFLOW_LAGS, error)
            self.lagging.append(f"{MLFLOW_LAGS}: {error}")
            return None


def _of(manifest: Manifest, tags: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    return {manifest.mlflow.run_id: tags} if manifest.mlflow else {}


def _figures(plots: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"figures/{name}": plot for name, plot in plots.items()}
