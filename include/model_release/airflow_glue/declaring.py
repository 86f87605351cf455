"""What a DAG file declares from a spec: the readable specs, the form of a manual run, the asset, the retry policy.

Runs at every parse, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from airflow.sdk import Param
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


def readable_specs(dag_file: str) -> Iterator[Spec]:
    """Yield the spec of each model that can be read; `refuse_unreadable_specs` speaks of the others.

    Args:
        dag_file: the caller's `__file__`; specs lie beside its bundle unless `MODEL_RELEASE_SPECS` says otherwise.
    """
    for path in find_specs(Path(dag_file)):
        with suppress(SpecError):
            yield load_spec(path)


def refuse_unreadable_specs(dag_file: str) -> None:
    """Fail for the specs that cannot be read, each with its faults.

    Raises:
        SpecError: there are such specs.
    """
    faults = []
    for path in find_specs(Path(dag_file)):
        try:
            load_spec(path)
        except SpecError as error:
            faults.append(str(error))
    if faults:
        raise SpecError("\n".join(faults))


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
            description="Train on what had arrived by this day. Empty: the end of the data interval, or today.",
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
