"""A consumer as a DAG of its own: it runs when `latest` moves, pulls the release, verifies it, and tries it on rows.

Copy the file beside your DAGs, and name the model and its folder in the environment of Airflow's components:

    CONSUMED_MODEL=heart-disease  CONSUMED_URI=s3://models/heart-disease-models

The asset's event only wakes it. Whoever may create events can forge one, so what is live is read from the store, once:
each later task is told version and digest, and takes exactly that release, on whichever worker it runs.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.definitions.asset import Model

MODEL = os.environ.get("CONSUMED_MODEL", "heart-disease")
URI = os.environ.get("CONSUMED_URI", "")
LATEST = Model(name=MODEL, uri=f"x-model://{MODEL}/latest")


@dag(dag_id=f"consume_{MODEL.replace('-', '_')}", schedule=[LATEST], is_paused_upon_creation=True, tags=["consumer"])
def consume_release() -> None:
    """Follow a model's `latest`."""

    @task
    def resolve() -> dict[str, Any]:
        """Pull what is live, every byte verified; say which version it is, and whether the event spoke of it."""
        from model_release import client

        told = [dict(each.extra or {}) for each in get_current_context()["triggering_asset_events"].get(LATEST, [])]
        with tempfile.TemporaryDirectory() as folder:
            pulled = client.pull(URI, to=folder, strict=True)
        found = {"version": str(pulled.version), "sha256": pulled.promised.sha256}
        if told and told[-1].get("metadata_sha256") != found["sha256"]:
            print(f"the event spoke of {told[-1].get('version')!r}, and {found['version']} is live: latest moved on")
        return found

    @task
    def smoke_predict(found: dict[str, Any]) -> dict[str, Any]:
        """Open that very release and ask it about its golden rows; fail if it answers otherwise than in training."""
        from model_release import client
        from model_release.documents.golden import GOLDEN_DAY, GOLDEN_FILE, Golden

        with tempfile.TemporaryDirectory() as folder:
            pulled = client.pull(URI, to=folder, version=found["version"], sha256=found["sha256"], strict=True)
            golden = Golden.read((pulled.folder / GOLDEN_FILE).read_bytes(), where=GOLDEN_FILE)
            model = client.open_folder(Path(pulled.folder))
            answered = model.predict(golden.rows, day=GOLDEN_DAY)
        if wrong := golden.disagreement(answered.classes, answered.numbers):
            raise ValueError(f"{found['version']} answers otherwise than in training: {wrong}")
        return {"version": found["version"], "rows": len(golden.numbers)}

    smoke_predict(resolve())


consume_release()
