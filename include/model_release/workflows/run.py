"""The facts of one run, which every task of it shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from model_release.documents.layout import run_token
from model_release.documents.version import Bump


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The facts of one run.

    Attributes:
        run_id: unique among the model's runs; names the staging folder.
        as_of: only data that had arrived by this date is used.
        by: who or what started it.
        url: of its page in Airflow.
        promote: whether the pointer may move: by the rules, not at all, or even against the gate's verdict.
        force: train although nothing is new.
        bump: which number of the version grows; None leaves it to the rules.
    """

    run_id: str
    as_of: date
    by: str
    dag_id: str | None = None
    run_type: str | None = None
    promote: Literal["auto", "never", "force"] = "auto"
    force: bool = False
    bump: Bump | None = None
    bundle_version: str | None = None
    url: str | None = None

    @property
    def staging(self) -> str:
        """The run's folder below `staging/`."""
        return run_token(self.run_id)
