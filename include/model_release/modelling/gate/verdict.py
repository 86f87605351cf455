"""The decision: which candidate is chosen, what was asked of it, and how it stands against the champion. For `gate`."""

from __future__ import annotations

from statistics import fmean
from typing import Literal

from model_release.documents.evaluation import Champion, Evaluation
from model_release.documents.verdict import Check, Comparison, Decision
from model_release.modelling.gate import checks as ask
from model_release.modelling.gate.checks import finite, unsound, unsound_beside
from model_release.modelling.gate.collapse import collapse
from model_release.modelling.gate.statistics import corrected_error, corrected_interval, t_quantile
from model_release.spec.gate import Choice, GatePolicy
from model_release.spec.tasks import kind_of

_ACCURACY = "accuracy"


def choose(evaluation: Evaluation, how: Choice) -> str:
    """Return the name of the candidate to release. A candidate with a loss that is not finite is passed over.

    `simplest_not_worse` is the one-standard-error rule (Breiman et al., *Classification and Regression Trees*, 1984,
    3.4.3) on the loss with the corrected standard error: the simplest candidate whose mean lies within one standard
    error of the best mean. `best_holdout_accuracy` takes the highest accuracy on the holdout, the simplest on a tie.
    """
    needed = {_ACCURACY: 0.0} if how is Choice.BEST_HOLDOUT_ACCURACY else {}
    sound = {
        name: scores
        for name, scores in evaluation.candidates.items()
        if not unsound(scores, evaluation.loss, floors={}, holdout=needed)
    }
    if not sound:
        return next(iter(evaluation.candidates))
    if how is Choice.BEST_HOLDOUT_ACCURACY:
        return max(sound, key=lambda name: sound[name].holdout.get(_ACCURACY) or 0.0)
    losses = {name: finite(scores.folds[evaluation.loss]) for name, scores in sound.items()}
    best = min(losses, key=lambda name: fmean(losses[name]))
    bound = fmean(losses[best]) + corrected_error(losses[best], evaluation.test_over_train)
    return next(name for name, values in losses.items() if fmean(values) <= bound)


def judge(evaluation: Evaluation, policy: GatePolicy, *, chosen: str) -> Decision:
    """Decide whether the chosen candidate may be released."""
    scores = evaluation.candidates[chosen]
    holes = [
        *unsound(scores, evaluation.loss, floors=policy.cross_validation, holdout=policy.holdout),
        *unsound_beside(evaluation, chosen, policy),
    ]
    if holes:
        words = f"{chosen}: not a finite number: {', '.join(holes)}"
        check = Check(name="finite", passed=False, words=words)
        return Decision(accepted=False, chosen=chosen, reasons=[words], checks=[check], intervals={}, comparison=None)
    intervals = {
        metric: corrected_interval(finite(values), evaluation.test_over_train)
        for metric, values in scores.folds.items()
        if len(finite(values)) == len(values) > 1
    }
    checks = [
        *ask.floors(policy, intervals, scores, evaluation),
        *ask.slices(policy.slices, scores, kind_of(evaluation.task)),
        *ask.ceilings(policy.ceilings, evaluation.costs.get(chosen)),
        *ask.dummy(policy, intervals, evaluation),
        *ask.undefined(scores),
        *ask.drift(policy.drift, evaluation.drift),
        *collapse(scores, evaluation),
    ]
    comparison = None
    if policy.compare == "always" and evaluation.champion is not None:
        comparison, check = _against_champion(evaluation, evaluation.champion, chosen, policy)
        checks.append(check)
    accepted = all(check.passed for check in checks)
    return Decision(
        accepted=accepted,
        chosen=chosen,
        reasons=[check.words for check in checks if accepted or check.warning or not check.passed],
        checks=checks,
        intervals=intervals,
        comparison=comparison,
    )


def _against_champion(
    evaluation: Evaluation, champion: Champion, chosen: str, policy: GatePolicy
) -> tuple[Comparison | None, Check]:
    rule: Literal["superior", "non_inferior"] = "superior" if champion.same_data else "non_inferior"
    name = f"{rule.replace('_', '-')} to {champion.version}"
    if champion.quarantined is not None:
        words = f"the live {champion.version} is no baseline, and there is no other: {champion.quarantined}"
        return None, Check(name=name, passed=False, words=words)
    by_force = "a run that is told to move latest by force replaces it by a person's word"
    if champion.task != evaluation.task:
        words = f"the live {champion.version} is a {champion.task} model, no baseline of a {evaluation.task} one"
        return None, Check(name=name, passed=False, words=f"{words}; {by_force}")
    loss = evaluation.loss
    theirs, mine = champion.scores.folds.get(loss, []), evaluation.candidates[chosen].folds[loss]
    if unsound(champion.scores, loss, floors={}, holdout={}) or len(theirs) != len(mine):
        words = f"the live {champion.version} could not be measured on the same folds ({champion.recipe}); {by_force}"
        return None, Check(name=name, passed=False, words=words)
    differences = [their - my for their, my in zip(finite(theirs), finite(mine), strict=True)]
    interval = corrected_interval(differences, evaluation.test_over_train)
    error = corrected_error(differences, evaluation.test_over_train)
    bound = interval.mean - t_quantile(policy.confidence, len(differences) - 1) * error
    needed = 0.0 if rule == "superior" else -_margin(policy, evaluation.task, fmean(finite(theirs)))
    if champion.candidate == chosen:
        passed = not champion.same_data
        words = f"the recipe is that of the live {champion.version}, " + (
            "and so is the data: there is nothing that could be better" if champion.same_data else "on newer data"
        )
    else:
        passed = bound > needed
        words = (
            f"against the live {champion.version} on the same folds, {loss} improves by {interval.mean:+.4f}, "
            f"with {policy.confidence:.0%} confidence by more than {bound:+.4f}; "
            f"{'more than' if passed else 'it should be more than'} {needed:+.4f} "
            f"{'is needed' if passed else ''}".rstrip()
            + (", since the data is the same" if champion.same_data else "")
        )
    comparison = Comparison(
        champion=champion.version, rule=rule, difference=interval, lower_bound=bound, needed=needed, loss=loss
    )
    return comparison, Check(name=name, passed=passed, words=words, value=bound, threshold=needed)


def _margin(policy: GatePolicy, task: str, champions: float) -> float:
    """Return the margin in the loss's unit.

    Args:
        policy: the spec's.
        task: whose margin holds if the policy sets none.
        champions: the champion's loss, of which a margin in per cent is a share.
    """
    margin = policy.margin if policy.margin is not None else kind_of(task).margin
    return margin if isinstance(margin, float | int) else float(margin.rstrip(" %")) / 100 * abs(champions)
