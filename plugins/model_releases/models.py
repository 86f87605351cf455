"""From the id of a DAG to the releases of its model, as this server has its spec. They are kept between requests."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import NamedTuple

from airflow.configuration import conf

from model_release.airflow_glue import open_through_hooks
from model_release.errors import NotFound, SpecError
from model_release.releases.overview import Overview
from model_release.releases.store import ReleaseStore
from model_release.spec.load import load_spec
from model_release.spec.summary import Summary, summaries
from model_release.workflows.destinations import Destinations

BEGINS = "retrain_"
VERBS = ("retrain", "operate", "housekeeping")
"""How the ids of a model's DAGs begin, before its identifier."""


class Model(NamedTuple):
    """A model whose releases are shown.

    Attributes:
        summary: of its spec.
        releases: opened through the provider hooks.
        overview: what was read of them, and what is remembered.
    """

    summary: Summary
    releases: ReleaseStore
    overview: Overview

    @property
    def retrain(self) -> str:
        """The id of the DAG that trains it; who may read that may read the page."""
        return f"{BEGINS}{self.summary.identifier}"

    @property
    def housekeeping(self) -> str:
        """The id of the DAG whose doctor looks for damage."""
        return f"housekeeping_{self.summary.identifier}"

    @property
    def operate(self) -> str:
        """The id of the DAG that carries out a person's acts."""
        return f"operate_{self.summary.identifier}"


_OPENED: dict[Path, tuple[bytes, Model]] = {}
_LOCK = Lock()


def known() -> dict[str, Summary]:
    """Return the summaries of the specs that can be read here, by the id of the DAG that trains the model."""
    beside = Path(conf.get_mandatory_value("core", "dags_folder")) / "retrain.py"
    found = [each for each in summaries(beside) if not isinstance(each, SpecError)]
    return {f"{BEGINS}{each.identifier}": each for each in found}


def model_of(dag_id: str) -> Model:
    """Return the model of a DAG.

    Raises:
        NotFound: no spec here has that DAG.
        ModelReleaseError: a required destination cannot be opened.
    """
    summary = known().get(dag_id)
    if summary is None:
        raise NotFound(
            "no spec that this API server can read has such a DAG",
            where=dag_id,
            hint="set MODEL_RELEASE_SPECS for the API server as for the other components",
        )
    content = summary.path.read_bytes()
    with _LOCK:
        kept = _OPENED.get(summary.path)
        if kept is None or kept[0] != content or kept[1].summary != summary:
            spec = load_spec(summary.path)
            releases = Destinations.of(spec, open_through_hooks).releases
            uri = spec.consumers_uri()
            reports = open_through_hooks(uri, spec.home.transfer) if uri else None
            kept = _OPENED[summary.path] = (content, Model(summary, releases, Overview(releases, reports)))
        return kept[1]
