"""The gate: figures and a policy in, a decision out. Pure; it reads no store, no clock and no model.

Accuracy on one small holdout is a coin toss, so the gate goes by repeated cross-validation: floors on its means, and
a paired comparison with the live champion on the same rows and folds. Whatever is not a finite number rejects, and so
does a policy without floors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import fmean, variance
from typing import Annotated, Literal

from pydantic import Field

from model_release.documents import Document, Strict, Value, VersionText

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Metric(StrEnum):
    """The figures that candidates are measured by; `brier` is the one where less is better."""

    ACCURACY = "accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    ROC_AUC = "roc_auc"
    BRIER = "brier"


class Floors(Strict):
    """Least acceptable figures; for `brier`, the highest acceptable one."""

    accuracy: Fraction | None = None
    precision: Fraction | None = None
    recall: Fraction | None = None
    f1: Fraction | None = None
    roc_auc: Fraction | None = None
    brier: Fraction | None = None

    def configured(self) -> dict[Metric, float]:
        """Return the floors that are set."""
        return {Metric(name): value for name, value in self if value is not None}


class GatePolicy(Strict):
    """What a candidate must show before it may be released.

    Attributes:
        cross_validation: floors on the means over all folds.
        holdout: floors on the rows that were set apart.
        margin: how much worse in Brier score than the champion still counts as not worse.
        confidence: of the one-sided comparison with the champion.
        compare: whether the champion is compared at all; `never` is for specs that repeat a published procedure.
        beat_dummy: the candidate's Brier score must be below that of always answering the class's share.
    """

    cross_validation: Floors = Floors()
    holdout: Floors = Floors()
    margin: float = Field(0.005, ge=0, le=0.1)
    confidence: Fraction = 0.95
    compare: Literal["always", "never"] = "always"
    beat_dummy: bool = True


class Choice(StrEnum):
    """How one candidate is chosen."""

    SIMPLEST_NOT_WORSE = "simplest_not_worse"
    BEST_HOLDOUT_ACCURACY = "best_holdout_accuracy"


class Scores(Value):
    """One recipe's figures; None stands for whatever was not a finite number.

    Attributes:
        folds: by metric, one value per fold, in the order of the folds (repeats x folds values).
        holdout: by metric, on the rows that were set apart; empty for a recipe that was not fitted for release.
    """

    folds: dict[Metric, list[float | None]]
    holdout: dict[Metric, float | None] = {}


class Champion(Value):
    """The live version's recipe, fitted on the same rows and folds as the candidates.

    Attributes:
        since: the epoch at which it became live; a verdict holds against that baseline only.
        same_data: whether it was trained on the very snapshot of this run.
    """

    version: VersionText
    since: int
    recipe: str
    same_data: bool
    scores: Scores


class Evaluation(Document):
    """What the gate judges. The candidates stand in order of simplicity, simplest first."""

    candidates: dict[str, Scores] = Field(min_length=1)
    champion: Champion | None
    rows: int = Field(description="rows in cross-validation")
    holdout_rows: int
    folds: int
    repeats: int
    dummy_brier: float | None = Field(description="Brier score of always answering the positive class's share")

    @property
    def test_over_train(self) -> float:
        """Rows in a test fold over rows that the fold's model was fitted on."""
        return 1 / (self.folds - 1)


class Interval(Value):
    """A mean with its two-sided confidence interval."""

    mean: float
    low: float
    high: float


class Check(Value):
    """One question that the gate asked."""

    name: str
    passed: bool
    words: str
    value: float | None = None
    threshold: float | None = None


class Comparison(Value):
    """The paired comparison with the champion: champion's Brier score minus the candidate's, over the folds."""

    champion: VersionText
    rule: Literal["superior", "non_inferior"]
    difference: Interval
    lower_bound: float
    needed: float


class Decision(Document):
    """The verdict, with every question that led to it."""

    accepted: bool
    chosen: str
    reasons: list[str]
    checks: list[Check]
    intervals: dict[Metric, Interval]
    comparison: Comparison | None


def corrected_interval(values: Sequence[float], test_over_train: float, *, confidence: float = 0.95) -> Interval:
    """Return the mean of per-fold values with an interval that allows for the folds' overlap.

    The variance of the mean is `(1/k + n_test/n_train) * var(values)` with k-1 degrees of freedom (Nadeau & Bengio,
    *Inference for the generalization error*, Machine Learning 52, 2003; the factor for repeated cross-validation as in
    Bouckaert & Frank, *Evaluating the replicability of significance tests*, PAKDD 2004).
    """
    error = corrected_error(values, test_over_train)
    mean = fmean(values)
    reach = _t_quantile((1 + confidence) / 2, len(values) - 1) * error
    return Interval(mean=mean, low=mean - reach, high=mean + reach)


def corrected_error(values: Sequence[float], test_over_train: float) -> float:
    """Return the corrected standard error of the mean of per-fold values; see `corrected_interval`."""
    return math.sqrt((1 / len(values) + test_over_train) * variance(values))


def _t_quantile(probability: float, degrees: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(probability, degrees))


def choose(evaluation: Evaluation, how: Choice) -> str:
    """Return the name of the candidate to release. A candidate with a value that is not finite is passed over.

    `simplest_not_worse` is the one-standard-error rule (Breiman et al., *Classification and Regression Trees*, 1984,
    3.4.3) on the Brier score with the corrected standard error: the simplest candidate whose mean lies within one
    standard error of the best mean. `best_holdout_accuracy` takes the highest accuracy on the holdout, the simplest on
    a tie.
    """
    sound = {name: scores for name, scores in evaluation.candidates.items() if not _unsound(scores)}
    if not sound:
        return next(iter(evaluation.candidates))
    if how is Choice.BEST_HOLDOUT_ACCURACY:
        return max(sound, key=lambda name: sound[name].holdout[Metric.ACCURACY] or 0.0)
    brier = {name: _finite(scores.folds[Metric.BRIER]) for name, scores in sound.items()}
    best = min(brier, key=lambda name: fmean(brier[name]))
    bound = fmean(brier[best]) + corrected_error(brier[best], evaluation.test_over_train)
    return next(name for name, values in brier.items() if fmean(values) <= bound)


def judge(evaluation: Evaluation, policy: GatePolicy, *, chosen: str) -> Decision:
    """Decide whether the chosen candidate may be released."""
    scores = evaluation.candidates[chosen]
    unsound = _unsound(scores)
    if unsound:
        words = f"{chosen}: not a finite number: {', '.join(unsound)}"
        check = Check(name="finite", passed=False, words=words)
        return Decision(accepted=False, chosen=chosen, reasons=[words], checks=[check], intervals={}, comparison=None)
    intervals = {
        metric: corrected_interval(_finite(values), evaluation.test_over_train)
        for metric, values in scores.folds.items()
    }
    checks = [
        *_floor_checks(policy, intervals, scores, evaluation),
        *_dummy_check(policy, intervals, evaluation),
    ]
    comparison = None
    if policy.compare == "always" and evaluation.champion is not None:
        comparison, check = _against_champion(evaluation.champion, scores, policy, evaluation.test_over_train)
        checks.append(check)
    failed = [check.words for check in checks if not check.passed]
    return Decision(
        accepted=not failed,
        chosen=chosen,
        reasons=failed or [check.words for check in checks],
        checks=checks,
        intervals=intervals,
        comparison=comparison,
    )


def _floor_checks(
    policy: GatePolicy, intervals: dict[Metric, Interval], scores: Scores, evaluation: Evaluation
) -> list[Check]:
    measured: list[tuple[str, Floors, Mapping[Metric, float | None]]] = [
        (
            "cross-validation",
            policy.cross_validation,
            {metric: each.mean for metric, each in intervals.items()},
        ),
        (f"holdout of {evaluation.holdout_rows} rows", policy.holdout, scores.holdout),
    ]
    checks = [
        _floor_check(place, metric, floor, figures.get(metric))
        for place, floors, figures in measured
        for metric, floor in floors.configured().items()
    ]
    return checks or [
        Check(
            name="floors",
            passed=False,
            words="the spec sets no floor, and a gate without a floor accepts nothing",
        )
    ]


def _floor_check(place: str, metric: Metric, floor: float, value: float | None) -> Check:
    if value is None or not math.isfinite(value):
        passed, words = False, f"{metric} on {place} was not measured"
    elif metric is Metric.BRIER:
        passed = value <= floor
        words = f"{metric} on {place} is {value:.4f}, {'at most' if passed else 'above'} the {floor:.4f} allowed"
    else:
        passed = value >= floor
        words = f"{metric} on {place} is {value:.4f}, {'at least' if passed else 'below'} the {floor:.4f} required"
    return Check(name=f"{metric} on {place}", passed=passed, words=words, value=value, threshold=floor)


def _dummy_check(policy: GatePolicy, intervals: dict[Metric, Interval], evaluation: Evaluation) -> list[Check]:
    if not policy.beat_dummy:
        return []
    dummy, mine = evaluation.dummy_brier, intervals[Metric.BRIER].mean
    if dummy is None:
        return [Check(name="better than a dummy", passed=False, words="the dummy's Brier score was not measured")]
    passed = mine < dummy
    words = f"brier is {mine:.4f}, {'better' if passed else 'no better'} than the {dummy:.4f} of guessing the share"
    return [Check(name="better than a dummy", passed=passed, words=words, value=mine, threshold=dummy)]


def _against_champion(
    champion: Champion, scores: Scores, policy: GatePolicy, test_over_train: float
) -> tuple[Comparison | None, Check]:
    rule: Literal["superior", "non_inferior"] = "superior" if champion.same_data else "non_inferior"
    name = f"{rule.replace('_', '-')} to {champion.version}"
    theirs, mine = champion.scores.folds.get(Metric.BRIER, []), scores.folds[Metric.BRIER]
    if _unsound(champion.scores) or len(theirs) != len(mine):
        words = f"the live {champion.version} could not be measured on the same folds"
        return None, Check(name=name, passed=False, words=words)
    differences = [their - my for their, my in zip(_finite(theirs), _finite(mine), strict=True)]
    interval = corrected_interval(differences, test_over_train)
    error = corrected_error(differences, test_over_train)
    bound = interval.mean - _t_quantile(policy.confidence, len(differences) - 1) * error
    needed = 0.0 if rule == "superior" else -policy.margin
    passed = bound > needed
    words = (
        f"against the live {champion.version} on the same folds, brier improves by {interval.mean:+.4f}, "
        f"with {policy.confidence:.0%} confidence by more than {bound:+.4f}; "
        f"{'more than' if passed else 'it should be more than'} {needed:+.4f} "
        f"{'is needed' if passed else ''}".rstrip()
        + (", since the data is the same" if champion.same_data else "")
    )
    comparison = Comparison(champion=champion.version, rule=rule, difference=interval, lower_bound=bound, needed=needed)
    return comparison, Check(name=name, passed=passed, words=words, value=bound, threshold=needed)


def _unsound(scores: Scores) -> list[str]:
    """The names of the figures that are not finite numbers, or not there at all."""
    folds = [f"{metric} in cross-validation" for metric, each in scores.folds.items() if _has_hole(each)]
    holdout = [f"{metric} on the holdout" for metric, each in scores.holdout.items() if _has_hole([each])]
    missing = [] if len(scores.folds.get(Metric.BRIER, [])) > 1 else ["brier in cross-validation"]
    return folds + holdout + missing


def _has_hole(values: Sequence[float | None]) -> bool:
    return any(value is None or not math.isfinite(value) for value in values)


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
