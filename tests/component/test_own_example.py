"""The worked example of a team's own package: every command of the page, from the file to a prediction over HTTP."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_release import cli, errors
from support import own_package, tickets
from support.service_process import serving


def test_a_pipeline_of_one_s_own_goes_from_the_file_to_a_prediction_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, init, lint, trial, serve, ask = tickets.commands()
    assert init == "model-release init include/examples/tickets.csv --target urgent --to include/models"
    tickets.allowed(monkeypatch)
    tickets.spec_in(tmp_path / "include" / "models")
    monkeypatch.chdir(tmp_path)
    for each in (lint, trial):
        result = CliRunner().invoke(cli.app, shlex.split(each)[1:])
        assert result.exit_code == errors.EXIT_DONE, result.output
    [wheel] = (tmp_path / "try/tickets-models/v1.0.0/code").iterdir()
    assert wheel.name.startswith("ticket_model-0.")
    own_package.forget("ticket_model")

    arguments = shlex.split(serve.removesuffix(" &"))[2:]
    with serving(tmp_path, *arguments) as service:
        found = service.client.post("/predict", content=shlex.split(ask)[4]).json()
    [prediction] = found["predictions"]
    assert (found["version"], prediction["label"]) == ("v1.0.0", "urgent")
    assert 0.5 < prediction["probability"] < 1
