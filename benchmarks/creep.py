"""How far a model may get worse though each version is not much worse than the one before it.

Each night draws new rows. The challenger is always a little worse than what is live: its columns are blurred a little
more. The gate judges it as the nightly chain does, once with the anchor that the live version has and once without. The
distance is that of the true Brier scores, over a population of its own.

    PYTHONPATH=include:tests python -m benchmarks.creep --rows 8000 --nights 100
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold

from benchmarks import reporting
from model_release.documents.evaluation import Champion, Evaluation, Scores
from model_release.documents.version import Version
from model_release.modelling.gate import judge
from model_release.spec.gate import GatePolicy

Floats = NDArray[np.float64]

MARGIN = 0.005
STEP = 0.001
"""How much worse in Brier score each challenger is than what is live."""

POLICY = GatePolicy(cross_validation={"brier": 0.3}, margin=MARGIN)
_WEIGHTS = np.array([1.6, -1.2, 0.9, 0.6])
_BLURS = np.linspace(0.0, 1.5, 16)


@dataclass(frozen=True)
class Sample:
    """Rows as they are, what blurs them, and their classes."""

    columns: Floats
    noise: Floats
    target: NDArray[np.int64]

    def blurred(self, blur: float) -> Floats:
        """Return the columns as a recipe sees them."""
        return self.columns + blur * self.noise


@dataclass(frozen=True)
class Drifted:
    """What became of the live model.

    Attributes:
        promoted: how many challengers.
        worse: by how much the live model's true Brier score is above the first one's at the end.
    """

    promoted: int
    worse: float


def sample(rows: int, seed: int) -> Sample:
    """Draw rows of a logistic model."""
    chance = np.random.default_rng(seed)
    columns = chance.normal(size=(rows, len(_WEIGHTS)))
    probability = 1 / (1 + np.exp(-columns @ _WEIGHTS))
    return Sample(columns, chance.normal(size=columns.shape), (chance.random(rows) < probability).astype(np.int64))


@cache
def true_scores() -> Floats:
    """Return the Brier score of each blur over a population."""
    seen, unseen = sample(20_000, 1), sample(100_000, 2)
    found = []
    for blur in _BLURS:
        model = LogisticRegression().fit(seen.blurred(blur), seen.target)
        found.append(np.mean((model.predict_proba(unseen.blurred(blur))[:, 1] - unseen.target) ** 2))
    return np.array(found)


def blur_of(worse: float) -> float:
    """Return the blur whose true Brier score is so much above that of none."""
    scores = true_scores()
    return float(np.interp(scores[0] + worse, scores, _BLURS))


def nights(rows: int, count: int, *, anchored: bool, folds: int = 5, repeats: int = 2) -> Drifted:
    """Let the gate judge a challenger each night that is a step worse than what is live.

    Args:
        rows: of each night.
        count: of nights.
        anchored: whether the gate knows the live version's anchor.
        folds: of cross-validation.
        repeats: of the same.
    """
    live, anchor, promoted = 0.0, 0.0, 0
    for number in range(count):
        drawn = sample(rows, 100 + number)
        plan = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=0)
        cuts = [*plan.split(drawn.columns, drawn.target)]
        champion, first, challenger = (_scores(drawn, cuts, each) for each in (live, anchor, live + STEP))
        decision = judge(
            Evaluation(
                candidates={"challenger": challenger},
                champion=_rival(2, champion),
                anchor=_rival(1, first) if anchored and anchor != live else None,
                rows=rows,
                holdout_rows=0,
                folds=folds,
                repeats=repeats,
                dummy_brier=0.25,
            ),
            POLICY,
            chosen="challenger",
        )
        if decision.accepted:
            before, live, promoted = live, live + STEP, promoted + 1
            if decision.anchor is None:
                anchor = live
            elif decision.anchor == Version(2, 0, 0):
                anchor = before
    return Drifted(promoted, live)


def _scores(drawn: Sample, cuts: list[tuple[NDArray[np.int64], NDArray[np.int64]]], worse: float) -> Scores:
    columns, briers = drawn.blurred(blur_of(worse)), []
    for fit_rows, test_rows in cuts:
        model = LogisticRegression().fit(columns[fit_rows], drawn.target[fit_rows])
        probability = model.predict_proba(columns[test_rows])[:, 1]
        briers.append(float(np.mean((probability - drawn.target[test_rows]) ** 2)))
    return Scores(folds={"brier": [*briers]})


def _rival(major: int, scores: Scores) -> Champion:
    return Champion(version=Version(major, 0, 0), since=1, recipe="", same_data=False, scores=scores)


def main() -> None:
    """Print the table."""
    arguments = reporting.parser("creep", __doc__)
    arguments.add_argument("--rows", type=int, default=8000)
    arguments.add_argument("--nights", type=int, default=100)
    arguments.add_argument("--repeats", type=int, default=2, help="of five-fold cross-validation")
    told = arguments.parse_args()
    title = f"{told.nights} nights of {told.rows:,} rows, each challenger {STEP} worse than what is live"
    table = reporting.table(title, "compared with", "promoted", "live model worse by", "margins")
    kept = {}
    for words, anchored in (("the live version alone", False), ("the anchor as well", True)):
        found = nights(told.rows, told.nights, anchored=anchored, repeats=told.repeats)
        kept[words] = asdict(found)
        table.add_row(words, str(found.promoted), f"{found.worse:.4f}", f"{found.worse / MARGIN:.1f}")
    reporting.console().print(table)
    reporting.keep(told, kept)


if __name__ == "__main__":
    main()
