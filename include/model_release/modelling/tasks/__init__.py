"""Tasks: what a problem of one kind is measured by, how a model of it answers, and what shows how well it does.

`base` says what a task must know; each other module is one task. `spec.tasks` lists them with their figures.
"""

from __future__ import annotations

from importlib import import_module

from model_release.modelling.tasks.base import Predictions, Task
from model_release.spec.model import Spec

__all__ = ["Predictions", "Task", "task_of"]


def task_of(spec: Spec) -> Task:
    """Return the task that a spec sets."""
    module, _, name = spec.task_kind.room.partition(":")
    room: type[Task] = getattr(import_module(module), name)
    asked = [spec.loss, *spec.gate.cross_validation, *spec.gate.holdout]
    asked += [metric for each in spec.gate.slices for metric in each.floors]
    task = room(
        kind=spec.task_kind,
        loss=spec.loss,
        asked=tuple(dict.fromkeys(asked)),
        classes=spec.dataset.target.words,
        unit=spec.dataset.target.unit,
    )
    return task.under(spec)
