"""How often each rule promotes a challenger whose true worth is known: our gate, and what else people use.

Every night draws new rows, fits champion and challenger to them, and asks every rule. Our gate is the package's own,
with the policy of the shipped spec. The true figures beside it are those of the models that would be released, over
the whole population. Worlds of other problems come first: three classes, a number, one positive in a hundred, groups,
days.

    PYTHONPATH=include:tests python -m benchmarks.gate --rows 303 --nights 300
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from rich.progress import Progress
from rich.table import Table
from scipy.stats import binomtest
from threadpoolctl import threadpool_limits

from benchmarks import reporting, worlds
from benchmarks.populations import POPULATIONS, Fitted, Night, night
from model_release.documents.evaluation import Champion, Evaluation
from model_release.documents.version import Version
from model_release.modelling.gate import choose, judge
from model_release.spec.gate import Ceilings, GatePolicy
from model_release.spec.load import load_spec
from model_release.spec.model import Spec

SHIPPED = Path(__file__).parents[1] / "include" / "models" / "heart_disease.yaml"

TRUTH = {"brier": ("Brier score", "{:+.4f}"), "accuracy": ("accuracy", "{:+.4f}"), "apart": ("apart", "{:.3f}")}
"""Expected figures of the models that would be released; `apart` is how far their probabilities differ (rms)."""

OURS = "ours"
GOALS = {
    "same recipe": (0.95, 1.0),
    "equal": (0.95, 1.0),
    "slightly worse": (0.0, 0.07),
    "much worse": (0.0, 0.0),
    "slightly better": (0.75, 1.0),
    "much better": (0.95, 1.0),
}
"""Least and greatest share of the nights on which our gate may promote."""


def ours(night: Night, champion: Fitted, challenger: Fitted) -> bool:
    """Judge as the nightly chain does, on newer data than the champion's."""
    spec = _spec()
    live = Champion(version=Version(1, 0, 0), since=1, recipe="", same_data=False, scores=champion.scores)
    evaluation = Evaluation(
        candidates={"challenger": challenger.scores},
        champion=live,
        rows=night.rows,
        holdout_rows=night.holdout_rows,
        folds=spec.validation.folds,
        repeats=spec.validation.repeats,
        dummy_brier=night.dummy_brier,
    )
    return judge(evaluation, _policy(), chosen=choose(evaluation, spec.choose)).accepted


def threshold(_night: Night, _champion: Fitted, challenger: Fitted) -> bool:
    """Accuracy on one split, against a number."""
    return _accuracy(challenger) >= 0.85


def not_below(_night: Night, champion: Fitted, challenger: Fitted) -> bool:
    """Accuracy on one split, against the champion's."""
    return _accuracy(challenger) >= _accuracy(champion)


def metric_threshold(change: dict[str, float]) -> Callable[[Night, Fitted, Fitted], bool]:
    """MLflow's own validation of a candidate against a baseline; its documentation asks for .8 and a rise of .05."""

    def rule(_night: Night, champion: Fitted, challenger: Fitted) -> bool:
        import mlflow
        from mlflow.exceptions import MlflowException
        from mlflow.models import EvaluationResult, MetricThreshold

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        limit = MetricThreshold(threshold=0.8, greater_is_better=True, **change)
        theirs, mine = (
            EvaluationResult(metrics={"accuracy_score": _accuracy(each)}, artifacts={})
            for each in (champion, challenger)
        )
        try:
            mlflow.validate_evaluation_results({"accuracy_score": limit}, mine, theirs)
        except MlflowException:
            return False
        return True

    return rule


def mcnemar(_night: Night, champion: Fitted, challenger: Fitted) -> bool:
    """The exact test on the rows of one split that only one of the two got right (McNemar, Psychometrika 12, 1947)."""
    won = int((challenger.right & ~champion.right).sum())
    lost = int((champion.right & ~challenger.right).sum())
    return won > lost and binomtest(won, won + lost).pvalue < 0.05


RULES: dict[str, Callable[[Night, Fitted, Fitted], bool]] = {
    OURS: ours,
    "accuracy ≥ .85, one split": threshold,
    "accuracy ≥ champion's, one split": not_below,
    "MetricThreshold, ≥ .8 and not below": metric_threshold({"min_relative_change": 0.0}),
    "MetricThreshold, ≥ .8 and +.05": metric_threshold({"min_absolute_change": 0.05, "min_relative_change": 0.05}),
    "McNemar, p < .05, one split": mcnemar,
}


def _accuracy(fitted: Fitted) -> float:
    return float(fitted.right.mean())


@cache
def _spec() -> Spec:
    return load_spec(SHIPPED)


def _policy() -> GatePolicy:
    """The shipped policy, without what a population does not have: columns to slice by, files to weigh."""
    return _spec().gate.model_copy(update={"slices": [], "ceilings": Ceilings()})


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    threadpool_limits(limits=1)


def _work(number: int, rows: int) -> dict[str, dict[str, Any]]:
    """What every rule says of every population on one night, and the truth of it."""
    drawn = night(number, rows, _spec().validation)
    found: dict[str, dict[str, Any]] = {}
    for each in POPULATIONS:
        champion, challenger = drawn.recipes[each.champion], drawn.recipes[each.challenger]
        promoted = {name: rule(drawn, champion, challenger) for name, rule in RULES.items()}
        found[each.name] = {
            "promoted": promoted,
            "brier": challenger.brier - champion.brier,
            "accuracy": challenger.accuracy - champion.accuracy,
            "apart": float(np.sqrt(((challenger.said - champion.said) ** 2).mean())),
        }
    return found


def measure(rows: int, nights: int, pool: ProcessPoolExecutor, progress: Progress) -> dict[str, dict[str, Any]]:
    """Return by population the share of the nights on which each rule promoted, and the mean true figures."""
    task = progress.add_task(f"{rows:,} rows", total=nights)
    told = []
    for one in pool.map(_work, range(nights), [rows] * nights):
        told.append(one)
        progress.advance(task)
    return {
        each.name: {
            "promoted": {name: fmean(one[each.name]["promoted"][name] for one in told) for name in RULES},
            **{figure: fmean(one[each.name][figure] for one in told) for figure in TRUTH},
        }
        for each in POPULATIONS
    }


def table_of(rows: int, nights: int, found: dict[str, dict[str, Any]]) -> Table:
    """Return the truth, and the share that each rule promotes, by population."""
    title = f"{rows:,} rows, {nights} nights: challenger − champion in truth, and share promoted by each rule"
    table = reporting.table(title, "", *(each.name for each in POPULATIONS))
    for figure, (words, form) in TRUTH.items():
        table.add_row(words, *(form.format(found[each.name][figure]) for each in POPULATIONS))
    for rule in RULES:
        table.add_row(rule, *(f"{found[each.name]['promoted'][rule]:.2f}" for each in POPULATIONS))
    return table


def verdicts(found: dict[str, dict[str, Any]]) -> list[tuple[bool, str]]:
    """Return each goal, with whether it is reached."""
    told = []
    for name, (least, most) in GOALS.items():
        share = found[name]["promoted"][OURS]
        wanted = f"at least {least:.2f}" if most == 1 else f"at most {most:.2f}"
        told.append((least <= share <= most, f"{name}: {share:.3f} promoted, {wanted} wanted"))
    mine = _directions(found, OURS)
    for rule in (name for name in RULES if name != OURS):
        good, bad = _directions(found, rule)
        beaten = good >= mine[0] and bad <= mine[1] and (good, bad) != mine
        words = f"promotes {good:.3f} of what is equal or better and {bad:.3f} of what is worse"
        told.append((not beaten, f"{rule}: {words}; ours {mine[0]:.3f} and {mine[1]:.3f}"))
    return told


def _directions(found: dict[str, dict[str, Any]], rule: str) -> tuple[float, float]:
    """Mean share promoted of what ought to be, and of what ought not to be."""
    good, bad = (
        fmean(found[each.name]["promoted"][rule] for each in POPULATIONS if each.good is wanted)
        for wanted in (True, False)
    )
    return good, bad


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    parser = reporting.parser("gate", __doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[303, 1000, 5000], help="rows that a night has")
    parser.add_argument(
        "--worlds",
        nargs="*",
        choices=[*worlds.WORLDS],
        default=[*worlds.WORLDS],
        help="other problems, before those rows",
    )
    parser.add_argument("--nights", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, of one thread each")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console, kept = reporting.console(), {}
    context = multiprocessing.get_context("spawn")  # a fork would copy the progress bar's thread
    with (
        reporting.progress() as progress,
        ProcessPoolExecutor(options.jobs, mp_context=context, initializer=_begin) as pool,
    ):
        for name in options.worlds:
            told = worlds.measure(name, options.nights, pool.map)
            console.print(worlds.table_of(name, options.nights, told))
            for reached, words in worlds.verdicts(name, told):
                console.print(f"{'✓' if reached else '✗'} {words}")
            kept[name] = told
        for rows in options.rows:
            found = measure(rows, options.nights, pool, progress)
            console.print(table_of(rows, options.nights, found))
            for reached, words in verdicts(found):
                console.print(f"{'✓' if reached else '✗'} {words}")
            kept[str(rows)] = found
    reporting.keep(options, kept)


if __name__ == "__main__":
    main()
