"""What serving costs: the form that loaders prefer comes first, and the slow calls count, not the cold ones."""

from __future__ import annotations

import time

import pytest

from model_release.documents.golden import made_up_rows, table
from model_release.modelling.dataset import input_schema
from model_release.modelling.tasks import task_of
from model_release.modelling.training import costs, onnx_export
from model_release.modelling.training.recipes import build
from support import reference_model

SPEC, ROWS = reference_model.spec(), reference_model.rows()[0]
TASK = task_of(SPEC)


@pytest.mark.parametrize("with_graph", [True, False])
def test_every_form_of_a_release_is_timed_in_the_order_of_loaders(with_graph: bool) -> None:
    columns = list(SPEC.dataset.inputs)
    preprocessor, classifier = build(TASK, reference_model.candidate("LogisticRegression"), SPEC.dataset)
    classifier.fit(preprocessor.fit_transform(ROWS.frame[columns]), ROWS.target)
    graph = onnx_export.export(preprocessor, classifier, columns, TASK.output()) if with_graph else None

    found = costs.latencies(TASK, preprocessor, classifier, graph, table(made_up_rows(input_schema(SPEC.dataset))))

    assert list(found) == (["onnx", "pickle"] if with_graph else ["pickle"])
    assert all(each is not None and each > 0 for each in found.values())


def test_the_figure_is_the_slow_calls_without_the_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def ask(row: int) -> None:
        asked.append(row)
        number = len(asked)
        clock[0] += 100.0 if number <= costs.WARM_UP else 0.004 if number % 10 == 0 else 0.001

    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(costs, "SECONDS", 5000.0)

    assert costs._p95([1, 2, 3], ask) == pytest.approx(4.0)
    assert asked[:4] == [1, 2, 3, 1]
    assert len(asked) == costs.WARM_UP + costs.CALLS


def test_a_slow_form_is_not_called_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def ask(_: int) -> None:
        clock[0] += 10.0

    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    assert costs._p95([1], ask) == pytest.approx(10_000.0)
    assert clock[0] == 10.0 * 2 * costs.WARM_UP
