"""The dashboard and the alerts: sound, of metrics that the code sends, and answered by Prometheus's own evaluator."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from model_release.airflow_glue.metrics import METRICS, Metric, Sample, of_run, of_standing, of_tasks
from model_release.workflows.messages import Standing

DASHBOARD = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "model-release.json"
BOARD: dict[str, Any] = json.loads(DASHBOARD.read_text())
PANELS: dict[str, dict[str, Any]] = {each["title"]: each for each in BOARD["panels"]}

SOURCE = {"const": {"type": "prometheus", "uid": "${datasource}"}}
WHOLE = {"type": "integer", "minimum": 0}
STEP = {"type": "object", "required": ["color", "value"], "properties": {"value": {"type": ["number", "null"]}}}
TARGET = {
    "type": "object",
    "required": ["refId", "datasource", "expr", "legendFormat", "instant", "range"],
    "properties": {
        "refId": {"pattern": "^[A-Z]$"},
        "datasource": SOURCE,
        "expr": {"type": "string", "minLength": 1},
        "legendFormat": {"type": "string", "minLength": 1},
        "instant": {"type": "boolean"},
        "range": {"type": "boolean"},
    },
}
PANEL = {
    "type": "object",
    "required": ["id", "title", "description", "type", "datasource", "gridPos", "targets", "fieldConfig", "options"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "title": {"type": "string", "minLength": 1},
        "description": {"type": "string", "minLength": 1},
        "type": {"enum": ["stat", "timeseries"]},
        "datasource": SOURCE,
        "gridPos": {
            "required": ["x", "y", "w", "h"],
            "properties": {"x": WHOLE, "y": WHOLE, "w": {**WHOLE, "maximum": 24}, "h": WHOLE},
            "additionalProperties": False,
        },
        "targets": {"type": "array", "minItems": 1, "items": TARGET},
        "fieldConfig": {
            "required": ["defaults", "overrides"],
            "properties": {
                "defaults": {
                    "required": ["unit", "thresholds"],
                    "properties": {
                        "unit": {"enum": ["s", "short"]},
                        "thresholds": {
                            "required": ["mode", "steps"],
                            "properties": {"mode": {"const": "absolute"}, "steps": {"minItems": 1, "items": STEP}},
                        },
                    },
                },
                "overrides": {"type": "array"},
            },
        },
    },
}
SCHEMA = {
    "type": "object",
    "required": ["title", "uid", "schemaVersion", "panels", "templating", "time", "refresh", "annotations"],
    "properties": {
        "uid": {"pattern": "^[a-zA-Z0-9_-]{1,40}$"},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "panels": {"type": "array", "items": PANEL},
        "templating": {
            "properties": {"list": {"items": {"required": ["name", "type", "query"]}}},
        },
    },
}
"""The parts of Grafana's model of a dashboard that this one uses."""

MIDNIGHT = datetime.fromtimestamp(0, UTC)
HOUR = 3600
NIGHTS = (
    (1 * HOUR, 60, "released", Standing(since=MIDNIGHT, data_as_of=MIDNIGHT.date(), holds=0, epochs={"a": 1, "b": 1})),
    (
        25 * HOUR,
        90,
        "failed",
        Standing(since=MIDNIGHT, data_as_of=date(1970, 1, 2), holds=1, epochs={"a": 3, "b": 1}),
    ),
)
"""When a night ended in seconds, how long it took, how it ended, and how `latest` stood then."""

LOOKED = 26 * HOUR
ANSWERS: dict[str, dict[tuple[str, ...], float]] = {
    "Live version became live": {("churn",): LOOKED},
    "Day of the live version's data": {("churn",): LOOKED - 24 * HOUR},
    "Last run": {("churn",): 1 * HOUR},
    "Runs by ending": {("churn", "failed"): 1},
    "Destinations that lag behind": {("churn", "a"): 0, ("churn", "b"): 2},
    "Seconds of a run": {("churn",): 90},
    "Seconds of a task": {("churn", "train"): 45},
    "Holds": {("churn",): 1},
    "Last run that ended so": {("churn", "released"): 25 * HOUR, ("churn", "failed"): 1 * HOUR},
}
"""What each panel must say an hour after the second night, by its labels."""

PAGE = DASHBOARD.parents[2] / "docs" / "metrics.md"
CHURN = {"model": "churn"}
ALERTS: dict[str, tuple[list[dict[str, str]], list[dict[str, str]]]] = {
    "LatestIsOld": ([], [CHURN]),
    "NoRunHasEnded": ([], [CHURN]),
    "LastRunFailed": ([CHURN], [CHURN]),
    "DestinationLags": ([], [{**CHURN, "destination": "b"}]),
}
"""What each alert of the page says an hour after the second night, and what a week after it."""


def test_the_dashboard_is_sound() -> None:
    assert [each.message for each in Draft202012Validator(SCHEMA).iter_errors(BOARD)] == []
    assert len({each["id"] for each in BOARD["panels"]}) == len(PANELS) == len(BOARD["panels"])
    cells = [cell for each in BOARD["panels"] for cell in _cells(each["gridPos"])]
    assert len(cells) == len({*cells}), "two panels lie on one another"
    assert all(x < 24 for x, _ in cells)


def test_it_shows_every_metric_that_is_sent_and_no_other() -> None:
    text = DASHBOARD.read_text()
    assert {*re.findall(r"airflow_[a-z_]+", text)} == {_prometheus(each) for each in METRICS}


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_names_its_lines_by_labels_that_its_metric_has(title: str) -> None:
    (target,) = PANELS[title]["targets"]
    (metric,) = [each for each in METRICS if _prometheus(each) in target["expr"]]
    labels = {*re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])}
    assert "model" in labels <= {*metric.labels}
    assert f"by ({', '.join(each for each in metric.labels if each in labels)})" in target["expr"]


@pytest.mark.parametrize("counter", ["", "_total"], ids=["statsd", "opentelemetry"])
def test_prometheus_answers_each_panel_from_what_two_nights_have_sent(counter: str, tmp_path: Path) -> None:
    assert {*ANSWERS} == {*PANELS}
    questions = [
        {
            "expr": PANELS[title]["targets"][0]["expr"].replace("$model", ".*"),
            "eval_time": f"{LOOKED}s",
            "exp_samples": [{"labels": _labels(title, names), "value": value} for names, value in answers.items()],
        }
        for title, answers in ANSWERS.items()
    ]
    _evaluate(tmp_path, {"input_series": _series(counter), "promql_expr_test": questions})


def test_the_alerts_of_the_page_are_rules_of_prometheus(tmp_path: Path) -> None:
    (rules,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert {*re.findall(r"airflow_[a-z_]+", rules)} <= {_prometheus(each) for each in METRICS}
    assert {*re.findall(r"alert: (\w+)", rules)} == {*ALERTS}
    (tmp_path / "rules.yaml").write_text(rules)
    questions = [
        {"alertname": name, "eval_time": f"{hour}h", "exp_alerts": [{"exp_labels": each} for each in alerts]}
        for name, said in ALERTS.items()
        for hour, alerts in zip((LOOKED // HOUR, 8 * 24), said, strict=True)
    ]
    held = [{**each, "values": f"{each['values']} {each['values'].split()[-1]}x200"} for each in _series("")]
    _evaluate(tmp_path, {"input_series": held, "alert_rule_test": questions}, rules=["rules.yaml"])


def _evaluate(folder: Path, test: dict[str, Any], *, rules: Sequence[str] = ()) -> None:
    """Ask Prometheus's own evaluator; fail with its words if an answer is another one."""
    promtool = shutil.which("promtool")
    assert promtool is not None
    file = folder / "test.yaml"
    tests = [{"interval": "1h", **test}]
    file.write_text(yaml.safe_dump({"rule_files": [*rules], "evaluation_interval": "1h", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _cells(at: dict[str, int]) -> Iterable[tuple[int, int]]:
    return ((at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"]))


def _prometheus(metric: Metric) -> str:
    """A metric's name as Prometheus has it, without what OpenTelemetry adds to a counter's."""
    return f"airflow.{metric.name}".replace(".", "_")


def _labels(title: str, values: tuple[str, ...]) -> str:
    names = re.findall(r"\{\{(\w+)\}\}", PANELS[title]["targets"][0]["legendFormat"])
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(names, values, strict=True)) + "}"


def _series(counter: str) -> list[dict[str, str]]:
    """What Prometheus has collected each hour, of what the code sends after each night."""
    values: dict[str, list[float | None]] = {}
    for hour in range(LOOKED // HOUR + 1):
        known = {key: past[-1] for key, past in values.items()}
        for sample in (each for night in NIGHTS if night[0] == hour * HOUR for each in _sent(*night)):
            key = _key(sample, counter)
            known[key] = sample.value + ((known.get(key) or 0) if sample.metric.kind == "counter" else 0)
        for key, value in known.items():
            values.setdefault(key, [None] * hour).append(value)
    return [
        {"series": key, "values": " ".join("_" if each is None else f"{each:g}" for each in past)}
        for key, past in values.items()
    ]


def _sent(ended: int, took: int, ending: str, standing: Standing) -> list[Sample]:
    end = MIDNIGHT + timedelta(seconds=ended)
    run = of_run("churn", ending, end - timedelta(seconds=took), end)
    return [*run, *of_tasks("churn", {"train": took / 2}), *of_standing("churn", standing.to_json())]


def _key(sample: Sample, counter: str) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in zip(sample.metric.labels, sample.labels, strict=True))
    return f"{_prometheus(sample.metric)}{counter if sample.metric.kind == 'counter' else ''}{{{labels}}}"
