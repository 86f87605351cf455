"""Whether the data is still what the champion was trained on. Pure: two frames in, figures out, and `gate` judges them.

Snapshots grow, so the two may share rows. Two-sample tests take them for strangers, and find less for it, never more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from model_release.documents.evaluation import ColumnDrift, Drift
from model_release.documents.version import Version
from model_release.modelling.dataset import Rows
from model_release.modelling.tasks import task_of
from model_release.spec.dataset import Column
from model_release.spec.model import Spec

_BINS = 10


def compare(champion: Version, before: Rows, now: Rows, spec: Spec) -> Drift:
    """Compare the model's inputs and the target of two snapshots, as `dataset.load` returns them.

    Args:
        champion: the version that was trained on `before`.
        before: the champion's rows.
        now: the rows of this run.
        spec: the model's.
    """
    dataset, task = spec.dataset, task_of(spec)
    found = [
        _column(name, *(_comparable(side, name, column) for side in (before, now)), numeric=column.role == "numeric")
        for name, column in dataset.features.items()
    ]
    targets = (pd.Series(side.target) for side in (before, now))
    found.append(_column(dataset.target.column, *targets, numeric=not task.classes))
    corrected = holm([each.p_value if each.p_value is not None else math.nan for each in found])
    columns = [
        each.model_copy(update={"p_value": _finite(p_value)}) for each, p_value in zip(found, corrected, strict=True)
    ]
    return Drift(
        champion=champion,
        unmeasured=None,
        rows_before=len(before),
        rows_now=len(now),
        columns=columns[:-1],
        target=columns[-1],
        target_before=task.summary(before.target),
        target_now=task.summary(now.target),
    )


def stability_index(before: Sequence[int], now: Sequence[int]) -> float:
    """Return the population stability index of two histograms over the same bins.

    `sum((q - p) * ln(q / p))` over the shares p before and q now (Siddiqi, *Credit Risk Scorecards*, 2006, 369). Half a
    row is added to every bin, so that an empty one has a logarithm; bins that are empty on both sides do not count.
    """
    counts = np.array([before, now], dtype=np.float64)
    counts = counts[:, counts.any(axis=0)] + 0.5
    p, q = counts / counts.sum(axis=1, keepdims=True)
    return float(((q - p) * np.log(q / p)).sum())


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number; one that is not a number spoils no other.

    In ascending order the i-th of m is multiplied by m - i + 1, and none may fall below the one before it (Holm, *A
    simple sequentially rejective multiple test procedure*, Scandinavian Journal of Statistics 6, 1979).
    """
    corrected, least = [math.nan] * len(p_values), 0.0
    numbers = [place for place, p_value in enumerate(p_values) if not math.isnan(p_value)]
    for rank, place in enumerate(sorted(numbers, key=lambda place: p_values[place])):
        least = max(least, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = least
    return corrected


def _comparable(rows: Rows, name: str, column: Column) -> pd.Series:
    """Return the cells that are compared: of text, only whether there is any; of categories, unknown ones as one."""
    cells = rows.known(name, column)
    return cells.mask(cells.notna(), "text") if column.role == "text" else cells


def _column(name: str, before: pd.Series, now: pd.Series, *, numeric: bool) -> ColumnDrift:
    missing = {"missing_before": float(before.isna().mean()), "missing_now": float(now.isna().mean())}
    if numeric:
        return ColumnDrift(
            column=name,
            test="kolmogorov-smirnov",
            psi=_finite(stability_index(*_binned(before, now))),
            p_value=_finite(_kolmogorov_smirnov(before, now)),
            **missing,
            new_values=[],
        )
    values = sorted({*before.dropna(), *now.dropna()})
    counts = [[*(int((side == value).sum()) for value in values), int(side.isna().sum())] for side in (before, now)]
    return ColumnDrift(
        column=name,
        test="chi-square",
        psi=_finite(stability_index(*counts)),
        p_value=_finite(_chi_square(counts)),
        **missing,
        new_values=[
            f"{value:g}" if isinstance(value, float) else str(value)
            for value in sorted({*now.dropna()} - {*before.dropna()})
        ],
    )


def _binned(before: pd.Series, now: pd.Series) -> list[list[int]]:
    """Count both sides in the tenths of what was there before; what is missing is a bin of its own."""
    known = before.dropna().to_numpy()
    inner = np.linspace(0, 1, _BINS + 1)[1:-1]
    borders = np.unique(np.quantile(known, inner)) if len(known) else np.array([])
    return [
        [
            *np.bincount(np.searchsorted(borders, side.dropna()), minlength=len(borders) + 1).tolist(),
            int(side.isna().sum()),
        ]
        for side in (before, now)
    ]


def _kolmogorov_smirnov(before: pd.Series, now: pd.Series) -> float:
    """Test both sides with what is missing as the least value, so that a change of its share counts as well."""
    lowest = [side.fillna(-math.inf).to_numpy() for side in (before, now)]
    return float(stats.ks_2samp(*lowest, method="asymp").pvalue)


def _chi_square(counts: list[list[int]]) -> float:
    """Test a table of two rows; where all rows have the same value, there is nothing that could differ."""
    table = np.array(counts)
    table = table[:, table.any(axis=0)]
    return float(stats.chi2_contingency(table).pvalue) if table.shape[1] > 1 else 1.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
