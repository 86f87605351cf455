"""What a proof has tried and found: counted while it runs, printed when all tests have ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PROPERTY = "proof"

Record = Callable[[str, object], None]
"""pytest's `record_property`, which takes what is counted to where it is printed."""


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
        name: of the proof; the counts of equal names are added up.
        counted: what is counted, in the order in which it is printed.
    """
    tally = Tally(Counter(dict.fromkeys(counted, 0)))
    try:
        yield tally
    finally:
        record(PROPERTY, [name, dict(tally.counts)])
    assert not tally.findings, "\n".join(tally.findings)


def lines(properties: Iterable[tuple[str, object]]) -> list[str]:
    """Return one line for each proof, from the properties of all tests."""
    totals: dict[str, dict[str, int]] = {}
    for name, value in properties:
        if name == PROPERTY and isinstance(value, list):
            proof, counts = value
            total = totals.setdefault(proof, dict.fromkeys(counts, 0))
            for each, count in counts.items():
                total[each] = total.get(each, 0) + count
    return [
        f"{name}: {', '.join(f'{n} {each}' for each, n in counts.items())}" for name, counts in sorted(totals.items())
    ]
