"""What breaks a rule, and the reports of it that the store keeps. For `dataset` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_release.documents.base import JSON_TYPE, canonical_json, sha256_of
from model_release.errors import DataInvalid
from model_release.modelling.dataset.arrivals import Delivery
from model_release.stores.base import Store

REPORTED = 10_000
"""Findings that a report lists; it says how many there are."""

SHOWN = 5
"""Causes that a message names."""

_MEND = "mend the data at its source, or the rules in the spec"


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule.

    Attributes:
        row: the line in the file, counted from 1; None if the finding is about the file as a whole.
        value: the cell as the file has it; None if there is none.
    """

    file: str
    column: str | None
    rule: str
    row: int | None = None
    value: str | None = None

    def __str__(self) -> str:
        line = "" if self.row is None else f" line {self.row}"
        column = "" if self.column is None else f" {self.column}:"
        value = "" if self.value is None else f" {self.value!r}"
        return f"{self.file}{line}:{column}{value} {self.rule}"


def by_cause(findings: Sequence[Finding]) -> list[str]:
    """Return one line for each cause: the first breach of a rule in a column, and how many more there are.

    The last line says how many causes are not named.
    """
    causes: dict[tuple[str | None, str], list[Finding]] = {}
    for each in findings:
        causes.setdefault((each.column, each.rule), []).append(each)
    lines = [
        str(found[0]) if len(found) == 1 else f"{found[0]}, and {len(found) - 1:,} more"
        for found in [*causes.values()][:SHOWN]
    ]
    return lines if len(causes) <= SHOWN else [*lines, f"and {len(causes) - SHOWN} more causes"]


def keep_report(findings: Sequence[Finding], deliveries: Sequence[Delivery], data: Store, *, what: str) -> str:
    """Keep a report by its content, and return its key: `processed/<what>-<16 digits>/report.json`."""
    files = [{"path": each.path, "sha256": each.sha256} for each in deliveries]
    body = canonical_json({"format": 1, "files": files, "findings": len(findings), "listed": _listed(findings)})
    key = f"processed/{what}-{sha256_of(body)[:16]}/report.json"
    data.create(key, body, content_type=JSON_TYPE)
    return key


def rejected(
    findings: Sequence[Finding], deliveries: Sequence[Delivery], data: Store, *, source: str, hint: str = _MEND
) -> DataInvalid:
    """Keep the report, and return the error that names the source and the report."""
    key = keep_report(findings, deliveries, data, what="rejected")
    count = "one finding" if len(findings) == 1 else f"{len(findings):,} findings"
    lines = "".join(f"\n  - {line}" for line in by_cause(findings))
    return DataInvalid(
        f"the data breaks the spec's rules, {count}:{lines}",
        where=source,
        hint=f"all of them: {data.uri}/{key}; {hint}",
        report=_listed(findings),
    )


def _listed(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings[:REPORTED]]
