"""How one task of a run stands, in a real Airflow or in a run without one."""

from __future__ import annotations

from dataclasses import dataclass

TASK_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass(frozen=True)
class TaskState:
    """One task of a run, or one index of a mapped task.

    Attributes:
        map_index: -1 where the task is not mapped.
        name: of the mapped index, where the DAG gives it one.
        state: as Airflow has it; `none` before it is scheduled.
        seconds: from its start to its end, or until now; None before it starts.
    """

    task_id: str
    map_index: int
    name: str | None
    state: str
    seconds: float | None
    try_number: int

    @property
    def label(self) -> str:
        """`train [logistic]`, or `train [0]` where the index has no name."""
        if self.map_index < 0:
            return self.task_id
        return f"{self.task_id} [{self.name or self.map_index}]"
