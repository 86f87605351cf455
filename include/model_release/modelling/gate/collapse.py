"""Whether the holdout tells of another model than cross-validation does. For `verdict`."""

from __future__ import annotations

import math
from statistics import fmean, stdev

from model_release.documents.evaluation import Evaluation, Scores
from model_release.documents.verdict import Check

_DEVIATIONS = 4


def collapse(scores: Scores, evaluation: Evaluation) -> list[Check]:
    """Reject a candidate whose loss on the holdout is far above its loss in cross-validation, floors or not.

    Each fold tests `rows / folds` rows, so that the mean loss of as many other rows varies like the folds do. The
    holdout collapses if its loss lies more than four such standard deviations, scaled to its own number of rows, above
    the mean of the folds, and if its own 95 % interval does not reach down to that mean: folds that keep the shares of
    the classes vary less than other rows do if a class is rare. Then the folds share with the rows that they are tested
    on what new rows do not have: rows that stand twice, one person's rows on both sides, or a split that depends on the
    label.

    Args:
        scores: the candidate's.
        evaluation: says how many rows the folds and the holdout have, and by which loss candidates are compared.
    """
    loss = evaluation.loss
    held = scores.holdout.get(loss)
    folds = [each for each in scores.folds.get(loss, []) if each is not None]
    if held is None or len(folds) < 2 or not evaluation.holdout_rows:
        return []
    design = evaluation.design
    scale = math.sqrt((design.measured if design else evaluation.rows) / evaluation.folds / evaluation.holdout_rows)
    if design is not None and design.batches:  # more rows of the same groups and days vary no less
        scale = max(scale, 1.0)
    expected, bound = fmean(folds), fmean(folds) + _DEVIATIONS * stdev(folds) * scale
    interval = scores.holdout_intervals.get(loss)
    if held <= bound or (interval is not None and interval.low <= expected):
        return []
    words = (
        f"{loss} on the holdout of {evaluation.holdout_rows} rows is {held:.4f}, and {expected:.4f} in "
        "cross-validation: on rows that were set apart the model is another one"
    )
    return [Check(name="holdout collapses", passed=False, words=words, value=held, threshold=bound)]
