"""What the card's tables of slices and of drift say, line by line. For `report`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from model_release.documents.evaluation import ColumnDrift, Drift, Interval, Scores
from model_release.documents.metric import Metric
from model_release.modelling.gate import drifted
from model_release.spec.gate import Floors, GatePolicy
from model_release.spec.tasks import TaskKind


@dataclass(frozen=True)
class Group:
    """One group of the rows.

    Attributes:
        judged: whether it has rows enough for its floors.
        floors: of its column; of an error, the highest acceptable figure.
        kind: of the task.
    """

    name: str
    rows: int
    least_rows: int
    judged: bool
    figures: dict[Metric, Interval | None]
    floors: Floors
    kind: TaskKind

    def passed(self, metric: Metric) -> bool | None:
        """Whether a figure keeps to its floor; None if it has none, or is not judged."""
        floor, figure = self.floors.get(metric), self.figures.get(metric)
        if floor is None or not self.judged:
            return None
        if figure is None:
            return False
        return figure.mean <= floor if self.kind.less_is_better(metric) else figure.mean >= floor


@dataclass(frozen=True)
class Line:
    """One column of the data against the champion's; `changes` are empty if it has not drifted."""

    column: str
    changes: str
    figures: ColumnDrift


def groups(scores: Scores, policy: GatePolicy, kind: TaskKind) -> list[Group]:
    """Return the groups that the policy asks for, in its order."""
    asked = {each.column: each for each in policy.slices}
    found = []
    for each in scores.slices:
        wanted = asked.get(each.column)
        found.append(
            Group(
                name=each.group,
                rows=each.rows,
                least_rows=wanted.min_rows if wanted else 0,
                judged=wanted is not None and each.rows >= wanted.min_rows,
                figures=each.figures,
                floors=wanted.floors if wanted else {},
                kind=kind,
            )
        )
    return found


def measured(found: list[Group], kind: TaskKind) -> list[Metric]:
    """Return the figures that any of the groups has, in their usual order."""
    return kind.sorted(metric for each in found for metric in each.figures)


def drift_lines(found: Drift | None, policy: GatePolicy) -> list[Line]:
    """Return the columns, target included: those that have drifted first, then by how much they changed."""
    if found is None or found.unmeasured is not None:
        return []
    moved = drifted(found, policy.drift)
    columns = [*found.columns, *([found.target] if found.target else [])]
    lines = [Line(each.column, moved.get(each.column, ""), each) for each in columns]
    return sorted(lines, key=lambda line: (not line.changes, -_size(line.figures)))


def _size(column: ColumnDrift) -> float:
    return math.inf if column.psi is None else column.psi
