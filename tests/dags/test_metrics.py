"""Metrics, as Airflow sends them when a run ends: StatsD's datagrams on a socket of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from model_release.airflow_glue import metrics
from model_release.stores.local import LocalStore
from support.dag_runs import note, run
from support.release_builder import Chain, make
from support.statsd import Receiver

Listen = Callable[..., Receiver]


@pytest.mark.usefixtures("airflow_database")
def test_an_act_says_how_latest_stands_at_each_destination_and_counts_as_no_run(
    listen: Listen, specs: Callable[..., Path], tmp_path: Path
) -> None:
    mirror = {"name": "mirror", "uri": (tmp_path / "mirror").as_uri()}
    specs(tracking=None, destinations=[{"name": "home", "uri": "${MODEL_RELEASE_STORE}"}, mirror])
    Chain(LocalStore(tmp_path / "store" / "heart-disease-models")).release(make(tmp_path, "a"))
    receiver = listen(tags=True)
    done = run("operate_heart_disease", action="hold", reason="look")
    note(done)
    said = receiver.read()
    model = "model=heart-disease"
    assert {*said} == {
        f"latest.since_timestamp_seconds,{model}",
        f"latest.data_timestamp_seconds,{model}",
        f"latest.holds,{model}",
        f"destination.epoch,{model},destination=home",
        f"destination.epoch,{model},destination=mirror",
    }
    assert said[f"latest.holds,{model}"] == 1
    assert said[f"destination.epoch,{model},destination=home"] == 2
    assert said[f"destination.epoch,{model},destination=mirror"] == 2


@pytest.mark.usefixtures("airflow_database")
def test_plain_statsd_has_the_labels_in_the_names_and_a_failed_night_counts_as_failed(
    listen: Listen, specs: Callable[..., Path]
) -> None:
    specs(tracking=None)
    receiver = listen(tags=False)
    note(run("retrain_heart_disease", as_of="1900-02-01"))
    said = receiver.read()
    assert said["runs.heart-disease.failed"] == 1
    assert said["runs.heart-disease.nothing_new"] == 0
    assert "run.ended_timestamp_seconds.heart-disease.failed" in said
    assert said["destination.epoch.heart-disease.local"] == 0


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize(("tag", "counted"), [("model-release", {"unreported"}), ("of-others", set())])
def test_a_run_without_a_result_counts_and_one_of_another_package_does_not(
    tag: str, counted: set[str], listen: Listen, tmp_path: Path
) -> None:
    (tmp_path / "retrain_silent.py").write_text(SILENT.replace("TAG", tag))
    receiver = listen(tags=True)
    note(run("retrain_silent", folder=tmp_path))
    said = {name: value for name, value in receiver.read().items() if name.startswith("runs,")}
    assert {name.partition("ending=")[2] for name, value in said.items() if value == 1} == counted
    assert all(",model=silent," in name for name in said)


SILENT = """
from airflow.sdk import dag, task


@dag(dag_id="retrain_silent", schedule=None, tags=["TAG"])
def silent():
    @task
    def report():
        pass

    report()


silent()
"""


def test_opentelemetry_has_the_labels_and_counts_within_the_process() -> None:
    """In a process of its own: OpenTelemetry's provider is set once in each, for ever."""
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }
        subprocess.run([sys.executable, "-c", TWO_NIGHTS], env={**os.environ, **settings}, check=True)
        server.shutdown()
    (resource,) = ExportMetricsServiceRequest.FromString(bodies[-1]).resource_metrics
    sent = {each.name: each for scope in resource.scope_metrics for each in scope.metrics}
    assert {*sent} >= {f"airflow.{metrics.RUNS.name}", f"airflow.{metrics.RUN_SECONDS.name}"}
    counted = {
        tuple(label.value.string_value for label in point.attributes): point.as_int
        for point in sent[f"airflow.{metrics.RUNS.name}"].sum.data_points
    }
    assert counted["churn", "nothing_new"] == 2
    assert len(counted) == len(metrics.ENDINGS)


TWO_NIGHTS = """
from datetime import UTC, datetime

from airflow._shared.observability.metrics import stats
from airflow.observability.metrics.stats_utils import get_stats_factory
from model_release.airflow_glue import metrics

stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
now = datetime.now(UTC)
for _ in range(2):
    metrics.send(metrics.of_run("churn", "nothing new", now, now))
"""
