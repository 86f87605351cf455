"""The tasks by name: by what figures each is measured, and which way is better. For specs, the gate and the card.

Facts alone, since DAG files read specs at every parse; how a task measures, predicts and draws is in its room. A new
task is its room and a line in `TASKS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from model_release.documents.metric import Metric
from model_release.documents.suggest import did_you_mean


@dataclass(frozen=True)
class Measure:
    """A kind of figure.

    Attributes:
        name: of the figure; of a parametrised one, what comes before the slash.
        called: what people call it.
        less_is_better: an error, where the others are scores.
        share: lies between 0 and 1.
        of: what a parametrised figure is of: each `class`, or a `quantile`.
        asked: measured only if a floor or the compared loss asks for it.
        own: a spec's, measured with all columns of the rows.
        root: the square root of a mean over the rows.
        folds: is measured on each fold; else on the holdout and on slices alone.
    """

    name: str
    called: str = ""
    less_is_better: bool = False
    share: bool = True
    of: str = ""
    asked: bool = False
    own: bool = False
    root: bool = False
    folds: bool = True

    @property
    def words(self) -> str:
        """What people call it."""
        return self.called or self.name.replace("_", " ")


@dataclass(frozen=True)
class TaskKind:
    """A kind of problem.

    Attributes:
        name: what documents call it.
        room: import path of its `Task`.
        measures: the figures, in the order in which tables show them.
        losses: the proper ones among them, which the gate may compare by; the first is the default.
        margin: how much worse in that default loss still counts as not worse, unless the spec says: absolute, or `2 %`.
        margin_of_dummy: the most that an absolute `margin` may be, as a share of what the best constant answer loses:
            where one row in a hundred is positive, all models lie within an absolute margin. None: no such limit.
        headline: the figures that the card shows large.
        constant: what the simplest model of all answers, in words.
        folds: how the rows of cross-validation are dealt out, in words.
        tunes: the figures that a decision threshold may be tuned for; none if the task has no threshold.
    """

    name: str
    room: str
    measures: tuple[Measure, ...]
    losses: tuple[str, ...]
    margin: float | str
    headline: tuple[str, ...]
    constant: str
    folds: str
    tunes: tuple[str, ...] = ()
    margin_of_dummy: float | None = None

    def measure(self, metric: Metric) -> Measure | None:
        """Return the kind of a figure; None if this task has no such figure."""
        name, _, parameter = metric.partition("/")
        found = next((each for each in self.measures if each.name == name), None)
        return found if found is not None and bool(found.of) == bool(parameter) else None

    def less_is_better(self, metric: Metric) -> bool:
        """Return whether a figure is an error, of which less is better."""
        found = self.measure(metric)
        return found is not None and found.less_is_better

    def called(self, metric: Metric) -> str:
        """Return what people call a figure."""
        found, parameter = self.measure(metric), metric.partition("/")[2]
        words = found.words if found else metric
        return f"{words} of {parameter}" if parameter else words

    def without(self, name: str) -> TaskKind:
        """Return the same without one measure."""
        return replace(self, measures=tuple(each for each in self.measures if each.name != name))

    def sorted(self, metrics: Iterable[Metric]) -> list[Metric]:
        """Return figures in the order of the measures; those of one measure keep their order."""
        order = [each.name for each in self.measures]
        return sorted(dict.fromkeys(metrics), key=lambda metric: order.index(metric.partition("/")[0]))

    def fault(self, metric: Metric, classes: Sequence[str], floor: float | None = None) -> str | None:
        """Return why a figure, or a floor of it, cannot be asked for, in words; None if it can.

        Args:
            metric: the figure.
            classes: of the target, in words.
            floor: what it must reach.
        """
        measure, parameter = self.measure(metric), metric.partition("/")[2]
        if measure is None:
            known = [f"{each.name}/<{each.of}>" if each.of else each.name for each in self.measures]
            return f"no figure of a {self.name} model{did_you_mean(metric, known)}; those are {', '.join(known)}"
        if measure.share and floor is not None and not 0 < floor < 1:
            return "must lie between 0 and 1"
        if measure.of == "quantile" and not _is_fraction(parameter):
            return "names no quantile between 0 and 1, such as 0.9"
        if measure.of == "class" and parameter not in classes:
            return f"no class is called {parameter!r}{did_you_mean(parameter, classes)}"
        return None


_ROOMS = "model_release.modelling.tasks"

_LOG_LOSS = Measure("log_loss", less_is_better=True, share=False)
_BRIER = Measure("brier", called="Brier score", less_is_better=True)
_ERROR = Measure("", less_is_better=True, share=False)

BINARY = TaskKind(
    "binary",
    room=f"{_ROOMS}.binary:Binary",
    measures=(
        Measure("accuracy"),
        Measure("balanced_accuracy"),
        Measure("precision"),
        Measure("recall"),
        Measure("f1", called="F1"),
        Measure("roc_auc", called="ROC AUC"),
        Measure("average_precision"),
        _BRIER,
        _LOG_LOSS,
    ),
    losses=("brier", "log_loss"),
    margin=0.005,
    margin_of_dummy=0.025,
    headline=("accuracy", "recall", "roc_auc", "brier"),
    constant="guessing the share",
    folds="stratified cross-validation",
    tunes=("accuracy", "balanced_accuracy", "f1"),
)
MULTICLASS = TaskKind(
    "multiclass",
    room=f"{_ROOMS}.multiclass:Multiclass",
    measures=(
        Measure("accuracy"),
        Measure("balanced_accuracy"),
        Measure("macro_f1", called="macro F1"),
        Measure("weighted_f1", called="weighted F1"),
        Measure("roc_auc", called="ROC AUC"),
        Measure("precision", of="class"),
        Measure("recall", of="class"),
        replace(_BRIER, share=False),  # over several classes it reaches 2
        _LOG_LOSS,
    ),
    losses=("log_loss", "brier"),
    margin="2 %",
    headline=("accuracy", "macro_f1", "roc_auc", "log_loss"),
    constant="guessing the shares",
    folds="stratified cross-validation",
)
REGRESSION = TaskKind(
    "regression",
    room=f"{_ROOMS}.regression:Regression",
    measures=(
        replace(_ERROR, name="rmse", called="RMSE", root=True),
        replace(_ERROR, name="mae", called="MAE"),
        replace(_ERROR, name="median_absolute_error"),
        Measure("r2", called="R²", share=False),
        replace(_ERROR, name="poisson_deviance", called="Poisson deviance", asked=True),
        replace(_ERROR, name="gamma_deviance", asked=True),
        replace(_ERROR, name="pinball", called="pinball loss", of="quantile", asked=True),
        Measure("coverage", called="coverage of the interval", folds=False),
    ),
    losses=("rmse", "mae", "poisson_deviance", "gamma_deviance", "pinball"),
    margin="3 %",
    headline=("rmse", "mae", "median_absolute_error", "r2"),
    constant="the best constant",
    folds="cross-validation",
)

TASKS: Final = {each.name: each for each in (BINARY, MULTICLASS, REGRESSION)}


def kind_of(task: str) -> TaskKind:
    """Return the task of that name, as documents have it.

    Raises:
        KeyError: this version of the package has no such task.
    """
    return TASKS[task]


def _is_fraction(text: str) -> bool:
    try:
        return 0 < float(text) < 1
    except ValueError:
        return False
