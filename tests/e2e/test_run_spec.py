"""`make run SPEC=…`: a spec of `init` with a team's own package, through a real Airflow; and specs that it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from model_release import cli, client, errors
from model_release.documents.manifest import Manifest
from support import own_package, tickets
from support.quick_specs import quick_spec

INCLUDE = Path(cli.__file__).resolve().parents[2]


def run(spec: Path, var: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(INCLUDE), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "scripts.run", "--spec", str(spec), "--var", str(var)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)


@pytest.mark.live(minutes=1)
def test_a_first_spec_with_a_team_s_own_package_is_released_by_a_real_airflow_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets.allowed(monkeypatch)
    result = run(tickets.spec_in(tmp_path / "specs"), tmp_path / "var")
    assert result.returncode == errors.EXIT_DONE, result.stdout
    assert "released v1.0.0" in result.stdout
    store = tmp_path / "var/store/tickets-models"
    manifest = Manifest.read((store / "v1.0.0/metadata.json").read_bytes(), where="")
    [wheel] = [each.path for each in manifest.files if each.path.startswith("code/")]
    assert wheel.startswith("code/ticket_model-0.")
    assert str((manifest.parameters or {})["pipeline"]).startswith("ticket_model.recipes:")
    own_package.forget("ticket_model")

    model = client.load(store.as_uri(), to=tmp_path / "copy", allow_pickle=True)
    asked = pd.read_csv(tickets.CHECKOUT / "include/examples/tickets.csv").drop(columns="urgent")
    found = model.predict(asked[[*model.columns]])
    assert found.probabilities is not None
    assert len({*found.probabilities}) > 100
    assert found.classes is not None and {*found.classes} == {0, 1}


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "another home": (
        {"destinations": [{"name": "cloud", "uri": "s3://bucket"}]},
        "the first destination is s3://bucket",
    ),
    "a person": ({"approval": "required"}, "the spec asks a person for approval"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_spec_that_this_airflow_cannot_run_to_its_end_is_refused_at_once(tmp_path: Path, case: str) -> None:
    changes, words = UNFIT[case]
    result = run(quick_spec(tmp_path, "heart_disease", **changes), tmp_path / "var")
    assert result.returncode == errors.EXIT_USAGE
    assert words in " ".join(result.stdout.split())
    assert not (tmp_path / "var").exists()
