"""A spec names only stores that the deployment allows, however it spells them; a run asks as well as `lint`."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from model_release.errors import SpecError
from model_release.spec.allowed_stores import STORES_VARIABLE, check_allowed
from model_release.spec.load import load_spec
from model_release.spec.transfer import TransferSettings
from model_release.stores import Store
from model_release.workflows.destinations import Destinations
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from support.quick_specs import quick_spec


def allowed(uri: str) -> bool:
    try:
        return check_allowed(uri, key="dataset.source", where=Path("churn.yaml")) == uri
    except SpecError:
        return False


@pytest.mark.parametrize(
    ("roots", "uri", "expected"),
    [
        ("", "s3://any", True),
        ("  ", "s3://any", True),
        ("s3://bucket", "s3://bucket/ml/raw", True),
        ("s3://bucket/ml", "s3://conn@bucket/ml", True),
        ("s3://bucket/ml/", "s3://conn@bucket/ml/raw?region=eu-west-1", True),
        ("s3://bucket/ml", "s3://bucket/mlops", False),
        ("s3://bucket/ml", "s3://bucket", False),
        ("s3://bucket/ml", "s3://bucket/ml/../secret", False),
        ("s3://bucket/ml", "s3://bucket/ml/%2e%2e/secret", False),
        ("s3://bucket", "gs://bucket", False),
        ("s3://bucket", "s3://bucket2", False),
        ("s3://conn@bucket", "s3://conn@bucket/ml", True),
        ("s3://conn@bucket", "s3://other@bucket/ml", False),
        ("s3://conn@bucket", "s3://bucket/ml", False),
        ("wasb://models@team.blob.core.windows.net", "wasb://conn@models@team.blob.core.windows.net/ml", True),
        ("wasb://models@team.blob.core.windows.net", "wasb://models@other.blob.core.windows.net/ml", False),
        ("wasb://models", "wasb://conn@models/ml", True),
        ("https://data.example.org/heart", "https://data.example.org/heart/v1", True),
        ("https://data.example.org/heart", "http://data.example.org/heart", False),
        ("https://data.example.org", "https://data.example.org.evil.example/heart", False),
        ("https://data.example.org", "https://data.example.org@evil.example/heart", False),
        ("gs://a s3://b", "s3://b/x", True),
        ("file:///srv/models", "file:///srv/models/a", True),
        ("file:///srv/models", "file://localhost/srv/models/a", True),
        ("file:///srv/models", "/srv/models/a", True),
        ("/srv/models", "file:///srv/models/a", True),
        ("file:///srv/models", "file:///srv/models/../../etc", False),
        ("file:///", "file:///srv", True),
        ("s3://bucket sql://warehouse", "sql://warehouse", True),
        ("s3://bucket", "sql://warehouse", False),
    ],
)
def test_a_uri_is_compared_by_scheme_container_and_whole_names_of_its_path(
    roots: str, uri: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORES_VARIABLE, roots)
    assert allowed(uri) is expected


def test_a_link_out_of_an_allowed_folder_is_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "out").symlink_to(tmp_path)
    monkeypatch.setenv(STORES_VARIABLE, (tmp_path / "allowed").as_uri())
    assert allowed(f"file://{tmp_path}/allowed/data")
    assert not allowed(f"file://{tmp_path}/allowed/out/data")


def test_the_message_repeats_no_connection_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORES_VARIABLE, "s3://bucket")
    with pytest.raises(SpecError) as caught:
        check_allowed("https://ann:secret@host/x", key="dataset.source", where=Path("churn.yaml"))
    assert "secret" not in str(caught.value)
    assert str(caught.value).startswith("churn.yaml: dataset.source: https://host/x lies in no store")


def test_a_run_opens_no_store_that_is_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_spec(quick_spec(tmp_path, "heart_disease", destinations=[{"name": "home", "uri": "s3://theirs/ml"}]))
    opened: list[str] = []

    def opener(uri: str, _: TransferSettings) -> Store:
        opened.append(uri)
        raise AssertionError(uri)

    monkeypatch.setenv(STORES_VARIABLE, "s3://ours")
    run = RetrainRun(spec, Run(run_id="night", as_of=date(2026, 11, 30), by="airflow"), opener=opener)
    for act in (run.reconcile, run.ingest, lambda: Destinations.of(spec, opener)):
        with pytest.raises(SpecError, match="lies in no store that this deployment allows"):
            act()
    for address in (spec.source_uri, spec.dataset_uri, spec.mlruns_uri):
        with pytest.raises(SpecError, match="MODEL_RELEASE_ALLOWED_STORES"):
            address()
    assert opened == []
