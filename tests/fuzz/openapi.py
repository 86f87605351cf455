"""Requests that Schemathesis makes from the service's own OpenAPI document, and its checks of the answers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from model_release.serving.application import application
from model_release.serving.live import Live
from model_release.serving.served import open_release
from support.servable_releases import version_folder


def requests_by_schema(folder: Path, *, inputs: int, seed: int) -> tuple[int, list[str]]:
    """Ask each operation of the document that many times; return the requests sent, and each failure in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import schemathesis

        served = open_release(*version_folder(folder, 0.1), None, allow_pickle=False)
        schema = schemathesis.openapi.from_asgi("/openapi.json", application(Live(served), limit=100_000))
        operations: Iterable[Any] = schema.get_all_operations()
        asked = [_ask(found.ok(), inputs, seed) for found in operations]
    return sum(sent for sent, _ in asked), [words for _, failures in asked for words in failures]


def _ask(operation: Any, inputs: int, seed: int) -> tuple[int, list[str]]:
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    # A schema cannot say that a table has the model's columns in each of the forms that MLflow's server takes.
    beyond = [positive_data_acceptance] if operation.path == "/invocations" else []
    sent, failures = 0, list[str]()

    @seeded(seed)
    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        nonlocal sent
        sent += 1
        case.validate_response(case.call(), excluded_checks=beyond)

    try:
        ask()
    except Exception as error:  # noqa: BLE001 - groups of failures, too
        failures.append(f"{operation.label}: {type(error).__name__}: {str(error)[:800]}")
    return sent, failures
