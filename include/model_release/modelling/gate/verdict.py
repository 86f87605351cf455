"""The decision: which candidate is chosen, what was asked of it, and how it stands against the champion. For `gate`."""

from __future__ import annotations

from typing import Literal

from model_release.documents.evaluation import Champion, Evaluation
from model_release.documents.verdict import Check, Comparison, Decision
from model_release.documents.version import Version
from model_release.modelling.gate import checks as ask
from model_release.modelling.gate.checks import unsound, unsound_beside
from model_release.modelling.gate.collapse import collapse
from model_release.modelling.gate.paired import difference, loss_of
from model_release.modelling.gate.statistics import intervals_of
from model_release.spec.gate import Choice, GatePolicy
from model_release.spec.tasks import kind_of

_ACCURACY = "accuracy"


def choose(evaluation: Evaluation, how: Choice) -> str:
    """Return the name of the candidate to release.

    A candidate is passed over if its loss is not finite, or if it lacks a form that a release must have and another one
    has it.

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
    if evaluation.needs_onnx is not None:
        sound = {name: each for name, each in sound.items() if name not in evaluation.without_onnx} or sound
    if not sound:
        return next(iter(evaluation.candidates))
    if how is Choice.BEST_HOLDOUT_ACCURACY:
        return max(sound, key=lambda name: sound[name].holdout.get(_ACCURACY) or 0.0)
    losses = {name: loss_of(scores, evaluation) for name, scores in sound.items()}
    best = min(losses.values(), key=lambda loss: loss.mean)
    return next(name for name, loss in losses.items() if loss.mean <= best.mean + best.error)


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
    intervals = intervals_of(scores, evaluation.test_over_train)
    checks = [
        *ask.floors(policy, intervals, scores, evaluation),
        *ask.slices(policy.slices, scores, policy.extended(kind_of(evaluation.task))),
        *ask.ceilings(policy.ceilings, evaluation.costs.get(chosen)),
        *ask.dummy(policy, intervals, evaluation),
        *ask.undefined(scores),
        *ask.forms(evaluation, chosen),
        *ask.columns(evaluation),
        *ask.threshold(policy, evaluation.outputs.get(chosen)),
        *ask.interval(evaluation.outputs.get(chosen), scores),
        *ask.drift(policy.drift, evaluation.drift),
        *collapse(scores, evaluation),
    ]
    comparison = beside = None
    if policy.compare == "always" and evaluation.champion is not None:
        comparison, check = _against_champion(evaluation, evaluation.champion, chosen, policy)
        checks.append(check)
        if evaluation.anchor is not None and comparison is not None:
            beside, check = _against_anchor(evaluation, evaluation.anchor, chosen, policy)
            checks.append(check)
    accepted = all(check.passed for check in checks)
    return Decision(
        accepted=accepted,
        chosen=chosen,
        reasons=[check.words for check in checks if accepted or check.warning or not check.passed],
        checks=checks,
        intervals=intervals,
        comparison=comparison,
        anchor=_next_anchor(comparison, beside),
        anchor_comparison=beside,
    )


def _next_anchor(comparison: Comparison | None, beside: Comparison | None) -> Version | None:
    """Return the version that the chosen candidate's successors are compared with beside it; None: itself.

    Each night's loss of less than the margin would add up if each version were compared with the one before it alone.
    So the baseline stays the last version that was shown to be superior to the one before (or the first), and the
    margin holds for the whole distance from it.
    """
    farthest = beside or comparison
    return None if farthest is None or farthest.lower_bound > 0 else farthest.champion


def _against_anchor(
    evaluation: Evaluation, anchor: Champion, chosen: str, policy: GatePolicy
) -> tuple[Comparison | None, Check]:
    """Compare with the version from which the distance counts; one that is no baseline is passed over, and said so."""
    name, loss = f"distance from {anchor.version}", evaluation.loss
    why = anchor.quarantined
    if why is None and (anchor.task != evaluation.task or unsound(anchor.scores, loss, floors={}, holdout={})):
        why = "it could not be measured on the same folds"
    if why is not None:
        words = f"the distance counts from the live version, no longer from {anchor.version}: {why}"
        return None, Check(name=name, passed=True, words=words)
    comparison = _compared(evaluation, anchor, chosen, policy, "non_inferior")
    unchanged = evaluation.champion is not None and evaluation.champion.candidate == chosen
    passed = unchanged or anchor.candidate == chosen or comparison.lower_bound > comparison.needed
    words = (
        f"from {anchor.version}, the last that was better than the one before, {loss} changed for the better by "
        f"{comparison.difference.mean:+.4f}, with {policy.confidence:.0%} confidence{_over(comparison)} by more than "
        f"{comparison.lower_bound:+.4f}; "
        + (
            "the recipe is that of the live version"
            if unchanged
            else f"{'more than' if passed else 'it should be more than'} {comparison.needed:+.4f} is the whole margin"
        )
    )
    return comparison, Check(
        name=name, passed=passed, words=words, value=comparison.lower_bound, threshold=comparison.needed
    )


def _compared(
    evaluation: Evaluation,
    rival: Champion,
    chosen: str,
    policy: GatePolicy,
    rule: Literal["superior", "non_inferior"],
) -> Comparison:
    """Compare two recipes on the same rows; the bound is one-sided."""
    found = difference(rival.scores, evaluation.candidates[chosen], evaluation)
    theirs = loss_of(rival.scores, evaluation).mean
    return Comparison(
        champion=rival.version,
        rule=rule,
        difference=found.interval(),
        lower_bound=found.bound(policy.confidence),
        needed=0.0 if rule == "superior" else -_margin(policy, evaluation, theirs),
        loss=evaluation.loss,
        independent=[*found.independent],
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
    comparison = _compared(evaluation, champion, chosen, policy, rule)
    bound, needed = comparison.lower_bound, comparison.needed
    if champion.candidate == chosen:
        passed = not champion.same_data
        words = f"the recipe is that of the live {champion.version}, " + (
            "and so is the data: there is nothing that could be better" if champion.same_data else "on newer data"
        )
    else:
        passed = bound > needed
        words = (
            f"against the live {champion.version} on the same folds, {loss} improves by "
            f"{comparison.difference.mean:+.4f}, with {policy.confidence:.0%} confidence{_over(comparison)} by more "
            f"than {bound:+.4f}; "
            f"{'more than' if passed else 'it should be more than'} {needed:+.4f} "
            f"{'is needed' if passed else ''}".rstrip()
            + (", since the data is the same" if champion.same_data else "")
        )
    if champion.released_by is not None:
        words += f"; it was released by {champion.released_by}, and is measured here as the candidates are"
    return comparison, Check(name=name, passed=passed, words=words, value=bound, threshold=needed)


def _over(comparison: Comparison) -> str:
    return f" over {' and '.join(comparison.independent)}" if comparison.independent else ""


def _margin(policy: GatePolicy, evaluation: Evaluation, champions: float) -> float:
    """Return the margin in the loss's unit.

    Args:
        policy: the spec's.
        evaluation: of the task whose margin holds if the policy sets none.
        champions: the champion's loss, of which a margin in per cent is a share.
    """
    kind, dummy = policy.extended(kind_of(evaluation.task)), evaluation.dummy
    margin = policy.margin if policy.margin is not None else kind.margin
    if policy.margin is None and kind.margin_of_dummy is not None and dummy is not None:
        return min(float(kind.margin), kind.margin_of_dummy * dummy)
    return margin if isinstance(margin, float | int) else float(margin.rstrip(" %")) / 100 * abs(champions)
