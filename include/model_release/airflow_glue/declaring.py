"""What a DAG file declares from a spec: the readable specs, the form of a manual run, the asset, the retry policy.

Runs at every parse, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param
from airflow.sdk.definitions.asset import Model
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from model_release.errors import SpecError, Stop
from model_release.spec import Spec
from model_release.specfile import find_specs, load_spec
from model_release.version import Bump

FOLLOW_THE_ERRORS = ExceptionRetryPolicy(
    rules=[RetryRule(exception=Stop, action=RetryAction.FAIL, reason="the same call will fail for ever")]
)
"""Stops at once on what will never pass; everything else is retried as the DAG says."""


class UnreadableSpec(DAG):
    """Stands in for the DAG of a broken spec, and shows as an import error of that spec's file alone.

    Airflow records a failure to serialize a DAG under the DAG's own file, and leaves the file's other DAGs in peace;
    an exception at import would take them all along.
    """

    def __init__(self, path: str, error: SpecError) -> None:
        super().__init__(dag_id=f"unreadable_{Path(path).stem}", schedule=None)
        self.spec_path = path
        self.error = error

    @property
    def relative_fileloc(self) -> str:
        """The spec's file instead of the Python file that read it."""
        return self.spec_path

    @relative_fileloc.setter
    def relative_fileloc(self, value: str | None) -> None:
        """Keep the spec's file, whatever the importer says."""

    @property
    def edge_info(self) -> Any:
        """Refuse to be serialized, for the reason that counts."""
        if "error" in self.__dict__:
            raise self.error
        return {}

    @edge_info.setter
    def edge_info(self, value: Any) -> None:
        """Have no edges."""


def readable_specs(dag_file: str) -> Iterator[Spec]:
    """Yield the spec of each model; a file that cannot be read becomes an import error of its own.

    Args:
        dag_file: the caller's `__file__`; specs lie beside its bundle unless `MODEL_RELEASE_SPECS` says otherwise.
    """
    bundle = Path(dag_file).resolve().parent.parent
    for path in find_specs(Path(dag_file)):
        try:
            yield load_spec(path)
        except SpecError as error:
            shown = path.relative_to(bundle) if path.is_relative_to(bundle) else path
            with UnreadableSpec(str(shown), SpecError(error.what, where=error.where, hint=error.hint)):
                pass  # entering a DAG registers it


def latest_asset(spec: Spec) -> Model:
    """Return the asset that stands for a model's `latest`. Its events carry version, epoch and digest."""
    return Model(name=spec.name, uri=f"x-model://{spec.name}/latest")


def retrain_params(spec: Spec) -> dict[str, Param]:
    """Return the form of a manual run."""
    names = list(spec.candidates)
    return {
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Data as of",
            description="Train on what had arrived by this day. Empty: the end of the run's data interval.",
        ),
        "candidates": Param(
            names,
            type="array",
            items={"type": "string", "enum": names},
            examples=names,
            minItems=1,
            uniqueItems=True,
            title="Candidates",
            description="Which recipes of the spec are trained and compared.",
        ),
        "accuracy_floor": Param(
            None,
            type=["null", "number"],
            exclusiveMinimum=0,
            exclusiveMaximum=1,
            title="Accuracy floor",
            description="Least mean accuracy in cross-validation, such as 0.82. Empty: what the spec says.",
        ),
        "promote": Param(
            "auto",
            type="string",
            enum=["auto", "never", "force"],
            values_display={
                "auto": "auto: by the rules",
                "never": "never: publish a version, leave latest alone",
                "force": "force: even if the gate rejects",
            },
            title="Move latest",
            description="Holds, quarantine and the order of data stand in any case. Backfills never move latest "
            "unless their own conf says auto.",
        ),
        "bump": Param(
            "auto",
            type="string",
            enum=["auto", *Bump],
            title="Version",
            description="Which number grows. Auto: minor, or major when the spec's schema_revision has risen.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Train although nothing is new",
            description="A run that makes the same bytes says which version it reproduced.",
        ),
    }
