"""MLflow's data as far as the mirror looks at it, made in no time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mlruns_mirror.local import Source


class Local:
    """A folder with a small database of MLflow's tables, and files; a run has one."""

    def __init__(self, folder: Path, files: int = 0) -> None:
        self.source = Source(folder / "mlflow.db", folder / "mlruns")
        self.root = folder / "mlruns"
        self.root.mkdir(parents=True)
        self._do("CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('abc')")
        self._do(
            "CREATE TABLE experiments (experiment_id INTEGER, artifact_location TEXT)",
            f"INSERT INTO experiments VALUES (1, '{(self.root / '1').as_uri()}')",  # noqa: S608
            "CREATE TABLE runs (run_uuid TEXT, artifact_uri TEXT)",
        )
        for number in range(files):
            self.run(f"run{number:04d}")

    def run(self, name: str, text: str = "") -> None:
        """Log a run with one artifact."""
        self.write(f"1/{name}/artifacts/model.pkl", text or name)
        place = (self.root / "1" / name / "artifacts").as_uri()
        self._do(f"INSERT INTO runs VALUES ('{name}', '{place}')")  # noqa: S608

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def _do(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.source.database or "")) as opened, opened:
            for each in statements:
                opened.execute(each)
