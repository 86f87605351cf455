"""What tracking costs a candidate, beyond imports, in a process of its own as in a task.

Embedded MLflow: a SQLite file, migrated before. Beside ours, the calls of MLflow's own tutorial on the same model.

    PYTHONPATH=include:tests python -m benchmarks.tracking
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import reporting

if TYPE_CHECKING:
    from model_release.spec.tracking import Tracking

WAYS = ("figures drawn", "ours", "MLflow's tutorial")


def main() -> None:
    """Measure and print the table."""
    parser = reporting.parser("tracking", __doc__)
    parser.add_argument("--rounds", type=int, default=7, help="processes for each way")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-tracking-") as name:
        folder = Path(name)
        _train(folder)
        measured = [_in_a_process(folder, number) for number in range(options.rounds)]
    title = f"one candidate, {options.rounds} processes"
    table = reporting.table(title, "way", "clock, s", "least", "most", "processor, s")
    for way in WAYS:
        clock, processor = zip(*(each[way] for each in measured), strict=True)
        figures = median(clock), min(clock), max(clock), median(processor)
        table.add_row(way, *(f"{figure:.2f}" for figure in figures))
    reporting.console().print(table)
    reporting.keep(options, measured)


def _train(folder: Path) -> None:
    from model_release import tracking
    from model_release.modelling import training
    from model_release.spec.split import Validation
    from support import reference_model

    spec = reference_model.spec(validation=Validation())
    trained = training.train(
        spec, "any", reference_model.candidate("LogisticRegression"), reference_model.rows()[0], folder
    )
    (folder / "trained.json").write_bytes(trained.to_bytes())
    tracking.prepare(_where(folder))


def _where(folder: Path) -> Tracking:
    from model_release.spec.tracking import Tracking

    return Tracking(uri=f"sqlite:///{folder}/mlflow/mlflow.db", experiment="any", registered_model="any")


def _in_a_process(folder: Path, number: int) -> dict[str, list[float]]:
    command = [sys.executable, "-m", "benchmarks.tracking", "--one", str(folder), str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this very program
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def _one(folder: Path, number: int) -> dict[str, list[float]]:
    import mlflow
    import pandas as pd

    from model_release import tracking
    from model_release.modelling import report
    from model_release.modelling.trained import PREDICTIONS_FILE, Trained
    from support import reference_model

    os.chdir(folder)  # the tutorial's artifacts go to wherever a process happens to be
    where, (frame, snapshot) = _where(folder), reference_model.rows()
    trained = Trained.read((folder / "trained.json").read_bytes(), where="trained.json")
    predictions = pd.read_parquet(folder / PREDICTIONS_FILE)
    drawn: dict[str, bytes] = {}
    facts = {"airflow.run_id": str(number)}
    tracking.begin(where, name="night", facts=facts, tags={})

    def draw() -> None:
        drawn.update(report.candidate_figures(trained, predictions, frame))

    def ours() -> None:
        tracking.log_candidate(
            where,
            facts=facts,
            tags={},
            trained=trained,
            folds=5,
            folder=folder,
            frame=frame,
            snapshot=snapshot,
            files=drawn,
        )

    def tutorial() -> None:
        import pickle

        from mlflow.models import infer_signature

        steps = [pickle.loads((folder / name).read_bytes()) for name in ("preprocessor.pkl", "best_model.pkl")]  # noqa: S301
        inputs = steps[0].transform(frame)
        mlflow.set_tracking_uri(where.uri)
        mlflow.set_experiment("tutorial")
        with mlflow.start_run():
            mlflow.log_params(steps[1].get_params())
            mlflow.log_metric("accuracy", 0.85)
            signature = infer_signature(inputs, steps[1].predict(inputs))
            mlflow.sklearn.log_model(steps[1], name="model", signature=signature, input_example=inputs[:5])

    return {way: _timed(call) for way, call in zip(WAYS, (draw, ours, tutorial), strict=True)}


def _timed(call: Callable[[], None]) -> list[float]:
    """Seconds on the clock, and of the processor: what is left of a busy machine's clock without the others' work."""
    began = time.perf_counter(), time.process_time()
    call()
    return [time.perf_counter() - began[0], time.process_time() - began[1]]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(_one(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
