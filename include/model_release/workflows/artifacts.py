"""The artifacts of one retrain run, read from the stores by the tasks that compare, judge and describe them.

Data and models are imported where they are needed: the task that moves the pointer reads none on most nights.
"""

from __future__ import annotations

import tempfile
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from model_release.documents.evaluation import Drift, Evaluation
from model_release.documents.layout import staged
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer, why_barred
from model_release.errors import Corrupt, NotFound
from model_release.model_files import sandbox
from model_release.modelling.trained import Trained
from model_release.releases.catalog import fetch
from model_release.releases.publish import recall
from model_release.spec.model import Spec
from model_release.workflows.messages import ArtifactsOfRun
from model_release.workflows.own_code import own_code

if TYPE_CHECKING:
    import pandas as pd

    from model_release.modelling import dataset
    from model_release.releases.store import ReleaseStore
    from model_release.stores import Store


class RunArtifacts:
    """The artifacts of one run: its snapshot, and what the training of each candidate left in staging.

    Args:
        spec: the model, as the run was asked to train it.
        releases: of the model.
        data: the dataset's folder at home.
        where: where they are.
    """

    def __init__(self, spec: Spec, where: ArtifactsOfRun, *, releases: ReleaseStore, data: Store) -> None:
        self.spec = spec
        self.where = where
        self.releases = releases
        self.data = data

    @property
    def staging(self) -> str:
        """The run's folder below `staging/`."""
        return self.where.staging

    @cached_property
    def snapshot(self) -> dataset.Snapshot:
        """The snapshot's own record."""
        from model_release.modelling import dataset

        return dataset.read_snapshot(self.data, self.where.snapshot)

    @cached_property
    def rows(self) -> dataset.Rows:
        """The snapshot's rows."""
        from model_release.modelling import dataset

        return dataset.load(self.spec, self.snapshot, data=self.data)

    @cached_property
    def trained(self) -> dict[str, Trained]:
        """What the training of each candidate left, in the spec's order."""
        digests = self.where.trained
        return {
            name: Trained.read(recall(self.releases, self.staging, digests[name]), where=f"staging of {name}")
            for name in self.spec.candidates
        }

    def evaluate(self, pointer: Pointer | None) -> Evaluation:
        """Measure the candidates and the champion that `pointer` names on the same rows and folds."""
        from model_release.modelling import evaluation

        live = self.releases.live_manifest(pointer) if pointer else None
        anchor = live.gate.anchor if live and live.gate else None
        return evaluation.evaluate(
            self.spec,
            list(self.trained.values()),
            self.rows,
            snapshot_fingerprint=self.snapshot.fingerprint,
            champion=(live, pointer.since) if live and pointer else None,
            quarantined=why_barred(pointer, pointer.version) if pointer else None,
            anchor=(self.releases.manifest(anchor), why_barred(pointer, anchor)) if anchor and pointer else None,
            drift=self._drift_since(live) if live else None,
            own_code=partial(own_code, self.releases.home),
        )

    def _drift_since(self, live: Manifest) -> Drift | None:
        """Compare the rows with those that the live version was trained on, if their snapshot can still be read."""
        trained_on = live.dataset.fingerprint if live.dataset else None
        if self.spec.gate.drift.policy == "ignore" or trained_on == self.snapshot.fingerprint:
            return None
        if trained_on is None:
            return Drift(champion=live.version, unmeasured="its manifest names no snapshot")
        from model_release.modelling import dataset, drift

        try:
            before = dataset.load(self.spec, dataset.read_snapshot(self.data, trained_on), data=self.data)
        except (NotFound, Corrupt) as error:  # old snapshots may be removed, and columns may have changed since
            return Drift(champion=live.version, unmeasured=f"its snapshot cannot be read: {error.what}")
        return drift.compare(live.version, before, self.rows, self.spec)

    def predictions(self, trained: Trained) -> pd.DataFrame:
        """Read a candidate's out-of-fold probabilities."""
        if trained.predictions is None:
            raise Corrupt(f"the training of {trained.name} left no out-of-fold predictions")
        import pandas as pd

        with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
            path = Path(scratch) / "predictions.parquet"
            fetch(self.releases.home, staged(self.staging, trained.predictions.sha256), trained.predictions, path)
            return pd.read_parquet(path)

    def check(self, draft: Manifest) -> None:
        """Check that the files of a draft open, and answer, as a consumer would open them.

        Raises:
            Refused: a form does not open, or answers otherwise than in training.
        """
        with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
            folder = Path(scratch)
            for entry in draft.files:
                fetch(self.releases.home, staged(self.staging, entry.sha256), entry, folder / entry.path)
            sandbox.check(folder, draft)
