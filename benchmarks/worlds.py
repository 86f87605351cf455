"""Nights of other problems with a known truth: three classes, a number, one positive in a hundred, groups, days.

In each world recipes differ in the columns that they may see: two that lack different columns of the same weight are
exactly as good as each other. Where rows belong together or come one after another, one recipe *remembers*: it adds
what it has seen of the nearest group or day, which is of use only if that one is among the rows that it is fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from rich.table import Table
from scipy.special import softmax
from scipy.stats import ttest_1samp
from sklearn.linear_model import LogisticRegression

from benchmarks import reporting
from model_release.documents.evaluation import Champion, Evaluation, Scores
from model_release.documents.version import Version
from model_release.modelling.dataset import Positions, Rows, rows_apart
from model_release.modelling.folds import Folds, design_of, folds_of, sums
from model_release.modelling.gate import judge
from model_release.modelling.tasks import Task, task_of
from model_release.spec.gate import GatePolicy
from model_release.spec.load import parse_spec
from model_release.spec.model import Spec

Floats = NDArray[np.float64]
Predict = Callable[["Drawn"], Floats]

PAIRS = {
    "same recipe": ("everything", "everything"),
    "equal": ("without weak", "without other weak"),
    "slightly worse": ("everything", "without middling"),
    "much worse": ("everything", "without strong"),
    "slightly better": ("without middling", "everything"),
    "much better": ("without strong", "everything"),
    "remembers": ("everything", "remembering"),
}
"""Champion and challenger. `remembers` is worse, and only in worlds of groups or days."""

LACKING = {
    "everything": [],
    "without weak": [3],
    "without other weak": [4],
    "without middling": [1],
    "without strong": [0],
    "remembering": [],
}

OURS, SHUFFLED, SPLIT, STUDENT = "ours", "ours, rows shuffled", "loss ≤ champion's, one split", "t test over folds"
RULES = (OURS, SHUFFLED, SPLIT, STUDENT)


@dataclass(frozen=True)
class Drawn:
    """Rows of a world: columns, target, and the number of the group or day that each is of."""

    columns: Floats
    target: NDArray[Any]
    unit: NDArray[np.intp]

    def take(self, positions: Positions) -> Drawn:
        """Return the rows at these positions."""
        return Drawn(self.columns[positions], self.target[positions], self.unit[positions])


@dataclass(frozen=True)
class World:
    """A population and how a spec describes it.

    Attributes:
        weights: of the columns: one strong, one middling, one that all recipes see, two weak ones of equal weight.
        role: the key of the dataset that names the units, `group` or `time`; none if rows are independent.
        size: rows of a unit; `shock`, standard deviation of what all rows of a unit share.
        shift: of the log odds of the positive class.
        loss: by which the gate compares.
    """

    name: str
    weights: tuple[float, ...]
    classes: int = 0
    role: str = ""
    size: int = 1
    shock: float = 0.0
    shift: float = 0.0
    loss: str = "rmse"

    @property
    def pairs(self) -> list[str]:
        """The names of the pairs that this world has."""
        return [name for name in PAIRS if name != "remembers" or self.role]

    def draw(self, chance: np.random.Generator, rows: int, first: int = 0) -> Drawn:
        """Return rows of new units, numbered from `first`; half of each column's variance is what its unit shares."""
        unit = np.arange(rows) // self.size
        columns = chance.standard_normal((rows, len(self.weights)))
        if self.role:
            shared = chance.standard_normal((unit[-1] + 1, len(self.weights)))
            columns = np.sqrt(0.5) * (columns + shared[unit])
        signal = columns @ np.array(self.weights) + self.shock * chance.standard_normal(unit[-1] + 1)[unit]
        if not self.classes:
            return Drawn(columns, signal + chance.standard_normal(rows), unit + first)
        if self.classes == 2:
            return Drawn(columns, (chance.random(rows) < 1 / (1 + np.exp(-signal - self.shift))).astype(np.int64), unit)
        turned = columns @ (np.array(self.weights) * [-1.0, 1.0, 0.5, 1.0, 1.0])  # the weak ones stay equal
        odds = softmax(np.stack([signal, turned, np.zeros(rows)], axis=1), axis=1)
        return Drawn(columns, (chance.random((rows, 1)) > odds.cumsum(axis=1)[:, :-1]).sum(axis=1), unit)


WORLDS = {
    each.name: each
    for each in (
        World("three classes", (1.8, 0.6, 0.8, 0.1, 0.1), classes=3, loss="log_loss"),
        World("a number", (0.9, 0.3, 0.5, 0.05, 0.05)),
        World("1 % positive", (1.8, 0.8, 0.8, 0.15, 0.15), classes=2, shift=-6.2, loss="brier"),
        World("groups", (0.9, 0.35, 0.5, 0.05, 0.05), role="group", size=5, shock=0.6),
        World("days", (0.9, 0.35, 0.5, 0.05, 0.05), role="time", size=5, shock=0.6),
    )
}


ROWS = {"1 % positive": 20_000}
"""Rows of a night where 1,000 have too few of a class; there, two repeats stand for ten."""

GOALS = {
    "same recipe": (0.95, 1.0),
    "equal": (0.95, 1.0),
    "slightly worse": (0.0, 0.07),
    "much worse": (0.0, 0.0),
    "slightly better": (0.95, 1.0),
    "much better": (0.95, 1.0),
    "remembers": (0.0, 0.0),
}
"""Least and greatest share of the nights on which our gate may promote."""


def measure(name: str, nights: int, run: Callable[..., Iterator[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Return by pair of a world the share of the nights on which each rule promoted, and how much worse it is in truth.

    Args:
        name: of the world.
        nights: how many.
        run: maps a function over sequences, such as `map`.
    """
    told = [*run(asked, [name] * nights, [ROWS.get(name, 1000)] * nights, range(nights))]
    return {
        pair: {
            "worse": fmean(one[pair]["worse"] for one in told),
            "promoted": {
                rule: fmean(one[pair]["promoted"][rule] for one in told) for rule in told[0][pair]["promoted"]
            },
        }
        for pair in WORLDS[name].pairs
    }


def table_of(name: str, nights: int, found: dict[str, dict[str, Any]]) -> Table:
    """Return the shares by pair, the truth first."""
    world = WORLDS[name]
    title = f"{name}, {ROWS.get(name, 1000):,} rows, {nights} nights: {world.loss}, and share promoted by each rule"
    table = reporting.table(title, "population", "challenger's loss, in truth", *RULES)
    for pair, each in found.items():
        shares = (f"{each['promoted'][rule]:.2f}" if rule in each["promoted"] else "" for rule in RULES)
        table.add_row(pair, f"{each['worse']:+.1%}", *shares)
    return table


def verdicts(name: str, found: dict[str, dict[str, Any]]) -> list[tuple[bool, str]]:
    """Return each goal, with whether it is reached."""
    told = []
    for pair, each in found.items():
        (least, most), share = GOALS[pair], each["promoted"][OURS]
        wanted = f"at least {least:.2f}" if most == 1 else f"at most {most:.2f}"
        told.append((least <= share <= most, f"{name}, {pair}: {share:.3f} promoted, {wanted} wanted"))
    return told


def asked(name: str, rows: int, number: int) -> dict[str, dict[str, Any]]:
    """Return what each rule says of each pair of a world on one night, and by how much the challenger's loss is higher.

    Args:
        name: of the world.
        rows: of the night.
        number: of the night; it decides all that is left to chance.
    """
    world, chance = WORLDS[name], np.random.default_rng(number)
    drawn, unseen = world.draw(chance, rows), world.draw(chance, 20_000, first=rows)
    spec = _spec(name)
    frame = pd.DataFrame({"x": drawn.columns[:, 0], "unit": drawn.unit.astype(np.float64)})
    both = Rows(frame, drawn.target)
    training, holdout = rows_apart(spec, both)
    task, seen, held = task_of(spec), drawn.take(training), drawn.take(holdout)
    plans = {OURS: folds_of(spec, both, training)}
    if world.role:
        plans[SHUFFLED] = folds_of(_plain(name), both, training)
    needed = {each for pair in world.pairs for each in PAIRS[pair]}
    scores = {rule: {each: _scores(world, task, each, seen, plan) for each in needed} for rule, plan in plans.items()}
    released = {each: _fit(world, each, seen) for each in needed}
    truth = {each: _loss(task, unseen.target, model(unseen)) for each, model in released.items()}
    apart = {each: _loss(task, held.target, model(held)) for each, model in released.items()}
    found = {}
    for pair in world.pairs:
        champion, challenger = PAIRS[pair]
        promoted = {
            rule: _promoted(task, spec, plans[rule], both, training, holdout, by[champion], by[challenger])
            for rule, by in scores.items()
        }
        promoted[SPLIT] = apart[challenger] <= apart[champion]
        promoted[STUDENT] = _not_significantly_worse(scores[OURS][champion], scores[OURS][challenger], task.loss)
        found[pair] = {"promoted": promoted, "worse": truth[challenger] / truth[champion] - 1}
    return found


@cache
def _spec(name: str) -> Spec:
    """The spec of a world: the task's own margin, and a floor that everything passes."""
    world = WORLDS[name]
    labels = {str(code): f"class {code}" for code in range(world.classes)}
    target: dict[str, Any] = {"column": "y", **({"classes": labels} if labels else {})}
    document = {
        "name": "world",
        "title": name,
        "owner": "nobody",
        "task": "classification" if world.classes else "regression",
        "dataset": {
            "title": name,
            "source": "nowhere",
            "partitions": "increments",
            "columns": {"x": {"kind": "numeric"}, "unit": {"kind": "numeric", "input": False}},
            "target": target | ({"positive": "1"} if world.classes == 2 else {}),
            **({world.role: "unit"} if world.role else {}),
        },
        "validation": {"folds": 5, "repeats": 2 if name in ROWS else 10},
        "candidates": {"linear": {"estimator": "LogisticRegression" if world.classes else "Ridge"}},
        "gate": {"cross_validation": {world.loss: 0.99}, "loss": world.loss, "beat_dummy": False},
        "destinations": [{"name": "home", "uri": "file:///nowhere"}],
    }
    return parse_spec(yaml.safe_dump(document).encode(), Path("world.yaml"))


@cache
def _plain(name: str) -> Spec:
    """The same without groups and days."""
    spec = _spec(name)
    dataset = spec.dataset.model_copy(update={"group": None, "time": None})
    how = spec.validation.model_copy(update={"method": "repeated_stratified"})
    split = spec.split.model_copy(update={"method": "content_hash"})
    return spec.model_copy(update={"dataset": dataset, "validation": how, "split": split})


def _scores(world: World, task: Task, recipe: str, seen: Drawn, plan: Folds) -> Scores:
    losses: list[float | None] = []
    predictions = np.full((len(seen.target), plan.repeats, *task.shape), np.nan)
    for number, (fit, test) in enumerate(plan.pairs):
        predictions[test, number // plan.folds] = said = _fit(world, recipe, seen.take(fit))(seen.take(test))
        losses.append(_loss(task, seen.target[test], said))
    measured, batches = plan.measured, {}
    if plan.batches:
        rows = [task.losses(seen.target[measured], predictions[measured, each]) for each in range(plan.repeats)]
        mean = np.mean([each for each in rows if each is not None], axis=0)
        batches = {kind: sums(of, mean) for kind, of in plan.batches.items()}
    return Scores(folds={world.loss: losses}, losses=batches)


def _fit(world: World, recipe: str, seen: Drawn) -> Predict:
    sees = np.delete(np.arange(len(world.weights)), LACKING[recipe])
    if world.classes:
        model = LogisticRegression(max_iter=200).fit(seen.columns[:, sees], seen.target)

        def probabilities(rows: Drawn) -> Floats:
            found: Floats = model.predict_proba(rows.columns[:, sees])
            return found[:, 1] if world.classes == 2 else found

        return probabilities
    design = np.column_stack([np.ones(len(seen.target)), seen.columns[:, sees]])
    coefficients = np.linalg.lstsq(design, seen.target, rcond=None)[0]

    def linear(rows: Drawn) -> Floats:
        found: Floats = coefficients[0] + rows.columns[:, sees] @ coefficients[1:]
        return found

    if recipe != "remembering":
        return linear
    known, numbers = np.unique(seen.unit, return_inverse=True)
    shocks = np.bincount(numbers, seen.target - linear(seen)) / np.bincount(numbers)

    def remembering(rows: Drawn) -> Floats:
        above = np.clip(np.searchsorted(known, rows.unit), 1, len(known) - 1)
        nearest = above - (rows.unit - known[above - 1] < known[above] - rows.unit)
        return linear(rows) + shocks[nearest]

    return remembering


def _loss(task: Task, target: NDArray[Any], predictions: Floats) -> float:
    rows = task.losses(target, predictions)
    mean = float(np.mean(rows)) if rows is not None else np.nan
    return float(np.sqrt(mean)) if task.loss == "rmse" else mean


def _promoted(
    task: Task,
    spec: Spec,
    plan: Folds,
    rows: Rows,
    training: Positions,
    holdout: Positions,
    champion: Scores,
    challenger: Scores,
) -> bool:
    """Judge as the nightly chain does, on newer data than the champion's."""
    evaluation = Evaluation(
        candidates={"challenger": challenger},
        champion=Champion(
            version=Version(1, 0, 0), since=1, recipe="", same_data=False, scores=champion, task=task.kind.name
        ),
        rows=len(training),
        holdout_rows=len(holdout),
        folds=plan.folds,
        repeats=plan.repeats,
        task=task.kind.name,
        loss=task.loss,
        design=design_of(spec, plan, rows=len(rows), training=len(training), holdout=len(holdout)),
        **_dummy(task, rows.target[training]),
    )
    return judge(evaluation, _floored(spec), chosen="challenger").accepted


def _dummy(task: Task, target: NDArray[Any]) -> Mapping[str, Any]:
    key = "dummy_brier" if task.kind.name == "binary" and task.loss == "brier" else "dummy_loss"
    return {key: task.dummy(target)}


def _floored(spec: Spec) -> GatePolicy:
    return spec.gate.model_copy(update={"cross_validation": {spec.loss: 1e6}})


def _not_significantly_worse(champion: Scores, challenger: Scores, loss: str) -> bool:
    """Promote unless Student's paired test, which takes folds for independent, finds the challenger worse: p < .05."""
    differences = np.subtract(challenger.folds[loss], champion.folds[loss])  # type: ignore[arg-type]
    if not differences.any():
        return True
    return not (differences.mean() > 0 and ttest_1samp(differences, 0).pvalue < 0.05)
