"""What differs between two releases, part by part: for people who ask why one is better, or why bytes changed.

What differs between any two, as number, run and time of training do, says nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from model_release.documents.manifest import Manifest

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that differs.

    Attributes:
        fact: which one.
        a, b: what either side has, as JSON; None where it has none. A figure has its interval beside its `value`.
    """

    fact: str
    a: Any
    b: Any

    @property
    def change(self) -> float | None:
        """How much `b` is above `a`; None where they are not both numbers."""
        values = [each.get("value") if isinstance(each, dict) else each for each in (self.a, self.b)]
        numbers = [each for each in values if isinstance(each, int | float) and not isinstance(each, bool)]
        return numbers[1] - numbers[0] if len(numbers) == 2 else None


def compare(a: Manifest, b: Manifest) -> dict[str, list[Difference]]:
    """Return what differs, by part; nothing for parts that are equal."""
    found = {name: differences(facts_of(a), facts_of(b)) for name, facts_of in _PARTS.items()}
    return {name: each for name, each in found.items() if each}


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Return the facts that differ, in the order in which they stand."""
    return [Difference(name, a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)]


def environment(manifest: Manifest) -> Facts:
    """Return what a fit depends on besides code, data and recipe: Python, packages and the machine."""
    machine = manifest.machine.model_dump(mode="json") if manifest.machine else {}
    return {"Python": manifest.python_version, **manifest.environment, **machine}


def code(manifest: Manifest) -> Facts:
    """Return which code made the model."""
    return manifest.code.model_dump(mode="json") if manifest.code else {}


def _metrics(manifest: Manifest) -> Facts:
    headline = {"headline accuracy": manifest.accuracy, "headline measured on": manifest.accuracy_measured_on}
    return headline | {name: figure.model_dump(mode="json") for name, figure in manifest.metrics.items()}


def _dataset(manifest: Manifest) -> Facts:
    return manifest.dataset.model_dump(mode="json", exclude={"uri"}) if manifest.dataset else {}


def _recipe(manifest: Manifest) -> Facts:
    return {**_flat(manifest.parameters or {}), "seed": manifest.seed}


def _schema(manifest: Manifest) -> Facts:
    columns = {each.name: each.model_dump(mode="json", exclude={"name"}) for each in manifest.input_schema or []}
    return {"revision": manifest.schema_revision, **_flat(columns)}


def _files(manifest: Manifest) -> Facts:
    facts: Facts = {}
    for entry in manifest.files:
        facts |= {f"{entry.path}, bytes": entry.size, f"{entry.path}, SHA-256": entry.sha256}
    return facts


def _gate(manifest: Manifest) -> Facts:
    return manifest.gate.model_dump(mode="json", exclude={"decision", "since"}) if manifest.gate else {}


def _words(manifest: Manifest) -> Facts:
    names = ("model_name", "model_file", "preprocessor_file", "framework", "requirements", "training_data", "told")
    return _flat({name: getattr(manifest, name) for name in names})


def _flat(facts: Mapping[str, Any], above: str = "") -> Facts:
    """Return nested names as one: `split.seed`."""
    flat: Facts = {}
    for name, value in facts.items():
        flat |= _flat(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return flat


_PARTS: dict[str, Callable[[Manifest], Facts]] = {
    "metrics": _metrics,
    "dataset": _dataset,
    "parameters": _recipe,
    "schema": _schema,
    "gate": _gate,
    "environment": environment,
    "code": code,
    "facts": _words,
    "spec": lambda manifest: _flat(manifest.spec or {}),
    "files": _files,
}
