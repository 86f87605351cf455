"""What the proofs have tried and found: counted while they run, printed as the table of docs/reliability.md at the end.

Two ways to count. A test that tries many moments keeps a `Tally`. A test whose every case is one attempt to abuse
something is marked `refuses("…")`, and counts as refused if it passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PROPERTY = "proof"

Record = Callable[[str, object], None]
"""pytest's `record_property`, which takes what is counted to where it is printed."""


class Proof(NamedTuple):
    """A row of the table.

    Attributes:
        kind: what is done to the releases.
        name: of what is tried, and where.
        file: whose tests count it.
    """

    kind: str
    name: str
    file: str

    @property
    def command(self) -> str:
        """The command that prints the row."""
        return "make e2e" if "/e2e/" in self.file else f"make proofs ARGS={self.file}"


PROOFS = (
    Proof("killed", "a release, in memory", "tests/schedules/test_release_crash.py"),
    Proof("killed", "crash matrix, folder", "tests/proofs/test_folder.py"),
    Proof("killed", "crash matrix, seaweedfs", "tests/proofs/test_seaweedfs.py"),
    Proof("killed", "crash matrix, azurite", "tests/proofs/test_azurite.py"),
    Proof("killed", "crash matrix, fake_gcs", "tests/proofs/test_fake_gcs.py"),
    Proof("killed", "repairs, in memory", "tests/schedules/test_doctor_repair.py"),
    Proof("killed", "nights on two Celery workers", "tests/e2e/test_team.py"),
    Proof("stopped", "zombie, folder", "tests/proofs/test_folder.py"),
    Proof("stopped", "zombie, seaweedfs", "tests/proofs/test_seaweedfs.py"),
    Proof("cut off", "lost-response matrix, seaweedfs", "tests/proofs/test_seaweedfs.py"),
    Proof("cut off", "lost-response matrix, seaweedfs without the SDK's retries", "tests/proofs/test_seaweedfs.py"),
    Proof("cut off", "lost-response matrix, azurite", "tests/proofs/test_azurite.py"),
    Proof("cut off", "lost-response matrix, fake_gcs", "tests/proofs/test_fake_gcs.py"),
    Proof("raced", "runs, in memory", "tests/schedules/test_schedules.py"),
    Proof("raced", "acts of people, in memory", "tests/schedules/test_schedules_of_acts.py"),
    Proof("raced", "16 promoters, folder", "tests/proofs/test_races.py"),
    Proof("raced", "16 promoters, s3", "tests/proofs/test_races.py"),
    Proof("raced", "50 publishers, folder", "tests/proofs/test_races.py"),
    Proof("raced", "50 publishers, s3", "tests/proofs/test_races.py"),
    Proof("raced", "50 publishers, 10 killed, folder", "tests/proofs/test_races.py"),
    Proof("damaged", "two stores, in memory", "tests/unit/test_doctor.py"),
    Proof("abused", "documents beyond their bounds", "tests/unit/test_bounds.py"),
    Proof("abused", "keys that lead elsewhere", "tests/unit/test_layout.py"),
    Proof("abused", "URIs of specs", "tests/unit/test_uris.py"),
    Proof("abused", "ONNX files", "tests/unit/test_onnx_bytes.py"),
    Proof("abused", "signatures", "tests/unit/test_signing.py"),
    Proof("abused", "folders of a client", "tests/component/test_client_folder.py"),
    Proof("abused", "what a model does when it is opened", "tests/component/test_loading.py"),
    Proof("abused", "requests to the service", "tests/component/test_serving_protocols.py"),
)
"""The rows, in the order in which they are printed."""


@dataclass(slots=True)
class Tally:
    """The counts of one proof.

    Attributes:
        counts: of what was tried, and of each fault that was looked for, found or not.
        findings: the faults, in words.
    """

    counts: Counter[str]
    findings: list[str] = field(default_factory=list)

    def expect(self, fault: str, check: Callable[[], object], moment: object) -> bool:
        """Count a fault where a check raises; return whether it did not."""
        try:
            check()
        except Exception as error:  # every kind of failure is a finding
            self.counts[fault] += 1
            self.findings.append(f"{moment}: {fault}: {type(error).__name__}: {error}")
            return False
        return True


@contextmanager
def proof(record: Record, name: str, *counted: str) -> Iterator[Tally]:
    """Count for one proof, and fail if it has found a fault.

    Args:
        record: takes the counts.
        name: of a row; the counts of equal names are added up.
        counted: what is counted, in the order in which it is printed.
    """
    tally = Tally(Counter(dict.fromkeys(counted, 0)))
    try:
        yield tally
    finally:
        record(PROPERTY, [name, dict(tally.counts)])
    assert not tally.findings, "\n".join(tally.findings)


def refused(marks: Iterable[Any], *, passed: bool) -> list[tuple[str, object]]:
    """Return the counts of a test that is marked `refuses`: it was tried, and refused if the test has passed."""
    return [(PROPERTY, [mark.args[0], {"tried": 1, "refused": int(passed)}]) for mark in marks]


def table(properties: Iterable[tuple[str, object]]) -> list[str]:
    """Return the lines of the table, from the properties of all tests; a proof that did not run has none.

    Raises:
        KeyError: a proof is no row of `PROOFS`.
    """
    totals: dict[str, dict[str, int]] = {}
    for name, value in properties:
        if name == PROPERTY and isinstance(value, list):
            proof, counts = value
            total = totals.setdefault(proof, dict.fromkeys(counts, 0))
            for each, count in counts.items():
                total[each] = total.get(each, 0) + count
    if unknown := totals.keys() - {each.name for each in PROOFS}:
        raise KeyError(f"no row of PROOFS: {', '.join(sorted(unknown))}")
    rows = [
        f"| {each.kind} | {each.name} | {', '.join(f'{n:,} {what}' for what, n in totals[each.name].items())} "
        f"| `{each.command}` |"
        for each in PROOFS
        if each.name in totals
    ]
    return ["| done to it | where | counted | printed by |", "|---|---|---|---|", *rows] if rows else []
