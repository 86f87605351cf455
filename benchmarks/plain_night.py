"""A night's learning in one plain script: `python -m benchmarks.plain_night SPEC FOLDER`; JSON: seconds of each step.

Rows are read and checked, every candidate is fitted, cross-validated and exported, they are compared and judged, the
best one gets its card, and its files go to a folder. What MLflow is told of them, by the same calls as in a night, is a
step of its own. No Airflow, and nothing that makes a release safe: no staging, no claim, no clean process, no second
reading, no pointer.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

BEGAN = time.monotonic()
MLFLOW = "MLflow"


def night(spec_file: Path, target: Path) -> dict[str, float]:
    """Do it all; return the seconds of each step."""
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        seconds[step] = seconds.get(step, 0) + time.monotonic() - began

    with timed("imports"):
        import pandas as pd

        from model_release.modelling import dataset, evaluation, report, training
        from model_release.modelling.gate import choose, judge
        from model_release.modelling.trained import CARD_FILE, PREDICTIONS_FILE
        from model_release.spec.load import load_spec
        from model_release.stores import open_store
        from model_release.workflows.run import Run
        from model_release.workflows.tracking_log import TrackingLog
    today = datetime.now(UTC).date()
    with timed("ingest"):
        spec = load_spec(spec_file)
        data = open_store((target / "data").as_uri())
        snapshot = dataset.ingest(spec, source=open_store(spec.source_uri()), data=data, as_of=today)
        rows = dataset.load(spec, snapshot, data=data)
    tracking_log = TrackingLog(spec, Run(run_id=target.name, as_of=today, by="the script"))
    with timed(MLFLOW):
        tracking_log.begin(snapshot=snapshot.fingerprint, fingerprint=target.name)
    with tempfile.TemporaryDirectory() as scratch:
        folders = {name: Path(scratch, name) for name in spec.candidates}
        trained = []
        for name, candidate in spec.candidates.items():
            folders[name].mkdir()
            with timed(f"train [{name}]"):
                made = training.train(spec, name, candidate, rows, folders[name])
            with timed(MLFLOW):
                made, _ = tracking_log.candidate(
                    made, folder=folders[name], rows=rows, snapshot=snapshot, fingerprint=target.name
                )
            trained.append(made)
        with timed("evaluate"):
            measured = evaluation.evaluate(
                spec, trained, rows, snapshot_fingerprint=snapshot.fingerprint, champion=None
            )
        with timed("gate"):
            decision = judge(measured, spec.gate, chosen=choose(measured, spec.choose))
            best = next(each for each in trained if each.name == decision.chosen)
            folder = folders[decision.chosen]
            card = report.model_card(
                spec,
                evaluation=measured,
                decision=decision,
                trained=best,
                predictions=pd.read_parquet(folder / PREDICTIONS_FILE),
                rows=rows,
                snapshot_fingerprint=snapshot.fingerprint,
                news=snapshot.news,
                as_of=today,
            )
            (folder / CARD_FILE).write_bytes(card)
        with timed(MLFLOW):
            tracking_log.challenger(best, card)
        with timed("upload"):
            shutil.copytree(folder, target / "v1.0.0")
    return {**seconds, "all": time.monotonic() - BEGAN}


if __name__ == "__main__":
    print(json.dumps(night(Path(sys.argv[1]), Path(sys.argv[2]))))
