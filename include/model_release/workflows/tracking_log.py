"""What a night tells MLflow, from its first task to its last.

Until the gate, MLflow is part of the work: a candidate that cannot be logged is not trained, and the task is retried.
From the gate on it is a follower that nobody waits for: what it missed is told in the run's own results, and made good
by whatever settles a model's destinations next, the next run or doctor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from model_release.documents.manifest import Manifest, TrackedRun
from model_release.errors import ModelReleaseError
from model_release.modelling.trained import CARD_FILE, PREDICTIONS_FILE, Trained
from model_release.spec.model import Spec
from model_release.workflows.destinations import MLFLOW_LAGS

if TYPE_CHECKING:
    from model_release.modelling.dataset import Rows, Snapshot
    from model_release.workflows.run import Run

log = logging.getLogger(__name__)

T = TypeVar("T")


class TrackingLog:
    """One night, as MLflow is told of it. Where the spec tracks nothing, nothing is told.

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
        """Prepare MLflow and begin the night's parent run, before the candidates, which start at once.

        Returns:
            The address of its page; None where there are no pages.
        """
        if self.spec.tracking is None:
            return None
        from model_release import tracking

        tracking.prepare(self.spec.tracking)
        tags = {**self._links, "snapshot": snapshot, "fingerprint": fingerprint, "as_of": self.run.as_of.isoformat()}
        night = tracking.begin(self.spec.tracking, name=self.run.run_id, facts=self._facts, tags=tags)
        return tracking.page(self.spec.tracking, night)

    def candidate(
        self, trained: Trained, *, folder: Path, rows: Rows, snapshot: Snapshot, fingerprint: str
    ) -> tuple[Trained, str | None]:
        """Log a candidate that was just trained.

        Args:
            trained: what training gave.
            folder: the folder that training wrote into.
            rows: the snapshot's rows.
            snapshot: the snapshot's record.
            fingerprint: of the night.

        Returns:
            The same with its MLflow run, and the address of that run's page, None where there are no pages.
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
            folds=self.spec.validation.folds,
            folder=folder,
            frame=rows.frame.assign(**{self.spec.dataset.target.column: rows.target}),
            snapshot=snapshot,
            files=_figures(figures),
        )
        return trained.model_copy(update={"mlflow": tracked}), tracking.page(self.spec.tracking, tracked.run_id)

    def challenger(self, chosen: Trained, card: bytes) -> TrackedRun | None:
        """Register what the gate lets through, as challenger if it may become live, and keep its card with its run.

        Returns:
            What the manifest says of MLflow; without a registered version where MLflow did not answer.
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

    def verdict(self, words: Mapping[str, Any], trained: Iterable[Trained]) -> None:
        """Tag the night and its candidates with the gate's verdict, and end the night's parent run."""
        reasons = "; ".join(words["reasons"])
        said = "reproduced" if words["reproduced"] else "accepted" if words["accepted"] else "rejected"
        night = {"verdict": said, "verdict.reasons": reasons, "verdict.summary": words["summary"]}
        night |= {key: words[key] for key in ("chosen", "baseline", "decision") if words.get(key)}
        passed_over = {"verdict": "not chosen", "verdict.reasons": f"{words.get('chosen')} was chosen"}
        runs = {
            each.mlflow.run_id: night if words["reproduced"] or each.name == words["chosen"] else passed_over
            for each in trained
            if each.mlflow is not None
        }
        self._conclude(night, runs)

    def answer(self, draft: Manifest, words: str, *, approved: bool) -> None:
        """Tag the night and its challenger with a person's answer; what was not approved is challenger no longer."""
        self._conclude({"approval": words}, _of(draft, {"approval": words}))
        if not approved:
            self._dismiss(draft)

    def released(self, manifest: Manifest, *, folders: Sequence[str], refusal: str | None) -> None:
        """Tag the night, the candidate and the registered version with the release; nothing is judged any more.

        Args:
            manifest: of the published version.
            folders: the model's, at every destination.
            refusal: why it is not live; None where it is.
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

    def settled(self, lagging: Sequence[str]) -> None:
        """Take note of what settling the destinations has met with, which told MLflow too."""
        self.lagging += [each for each in lagging if each.startswith(MLFLOW_LAGS)]

    def page(self, tracked: TrackedRun | None) -> str | None:
        """Return the address of a run's page; None where there are no pages, or MLflow does not answer."""
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
        """What MLflow's own page shows of a run: by whom, from where; and the way there."""
        shown = {"mlflow.user": self.run.by, "mlflow.source.type": "JOB"}
        if self.run.dag_id:
            shown["mlflow.source.name"] = self.run.dag_id
        if self.run.url:
            shown |= {"airflow.url": self.run.url, "mlflow.note.content": f"[The run in Airflow]({self.run.url})"}
        return shown

    def _conclude(self, night: Mapping[str, str], candidates: Mapping[str, Mapping[str, str]]) -> None:
        where = self.spec.tracking
        if where is None:
            return
        from model_release import tracking

        self._softly(lambda: tracking.conclude(where, facts=self._facts, tags=night, candidates=candidates))

    def _dismiss(self, manifest: Manifest) -> None:
        where, tracked = self.spec.tracking, manifest.mlflow
        if where is None or tracked is None:
            return
        from model_release import tracking

        self._softly(lambda: tracking.dismiss(where, tracked))

    def _softly(self, tell: Callable[[], T]) -> T | None:
        """Tell MLflow something that nobody waits for. After a failure nothing more is tried: each may take minutes."""
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
