"""MLflow's old file store, `mlruns/` with a meta.yaml in each folder, read by MLflow's own migration."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.store.fs2db import migrate

from model_release.errors import Corrupt
from model_release.spec.tracking_uri import folder_of
from model_release.tracking.connection import quiet


def import_file_store(mlruns: Path, database: Path) -> list[str]:
    """Write the history of a file store into a new SQLite database; the store itself is only read.

    Args:
        mlruns: the store.
        database: does not exist yet.

    Returns:
        The folders by which its experiments name it, since it may have been moved.

    Raises:
        Corrupt: MLflow cannot read it.
    """
    uri = f"sqlite:///{database}"
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        quiet("alembic", "mlflow.store.db.utils"),
    ):
        warnings.simplefilter("ignore")
        try:
            migrate(mlruns, uri, progress=False)
        except Exception as error:  # a broken file makes MLflow, yaml or SQLAlchemy raise any error
            raise Corrupt(
                f"MLflow's migration of it failed: {str(error).splitlines()[0][:200]}", where=str(mlruns)
            ) from error
        experiments = MlflowClient(uri).search_experiments(view_type=ViewType.ALL)
    folders = {folder_of(each.artifact_location): each.experiment_id for each in experiments}
    return sorted({str(path.parent) for path, number in folders.items() if path is not None and path.name == number})
