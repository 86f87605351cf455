"""Each file of the source is validated once: later runs take what is kept, and get the rows that a first run gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_release.errors import DataInvalid
from model_release.modelling import dataset
from model_release.modelling.dataset import Snapshot, reading, validated
from model_release.stores.base import Entry
from model_release.stores.local import LocalStore
from support.tiny_dataset import BEETLES, FIRST, HEADER, LATE, ROWS, SECOND, Farm

LENIENT = BEETLES.replace(
    "  partitions: increments\n", "  partitions: increments\n  rows: {invalid: drop, max_invalid: 2}\n"
)
MORE = HEADER + "4,5,blue,1,north,0\n5,,,2,south,3\n"


class Killed(BaseException):
    """What no handler catches, as a kill."""


class KilledStore(LocalStore):
    """A folder whose user is killed before the store's n-th call, or after it."""

    def __init__(self, root: Path, call: int, *, after: bool) -> None:
        super().__init__(root)
        self.left, self.after = call, after

    def _counted(self, call: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        answer = call()
        if self.left == 0:
            raise Killed
        return answer

    def list(self, prefix: str = "") -> Iterator[Entry]:
        found: list[Entry] = self._counted(lambda: [*super(KilledStore, self).list(prefix)])
        return iter(found)

    def get(self, *args: Any, **more: Any) -> Any:
        return self._counted(lambda: super(KilledStore, self).get(*args, **more))

    def create(self, *args: Any, **more: Any) -> Any:
        return self._counted(lambda: super(KilledStore, self).create(*args, **more))

    def upload(self, *args: Any, **more: Any) -> Any:
        return self._counted(lambda: super(KilledStore, self).upload(*args, **more))

    def download(self, *args: Any, **more: Any) -> Any:
        return self._counted(lambda: super(KilledStore, self).download(*args, **more))


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    made = Farm(tmp_path)
    made.deliver(FIRST, HEADER + ROWS)
    made.deliver(SECOND, MORE)
    return made


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read, in order."""
    seen: list[str] = []
    real = reading.read_texts

    def noted(*args: Any, file: str, **more: Any) -> Any:
        seen.append(file)
        return real(*args, file=file, **more)

    monkeypatch.setattr(validated, "read_texts", noted)
    return seen


def fresh(farm: Farm, folder: str) -> Snapshot:
    """Return the snapshot of a run that finds nothing kept."""
    return dataset.ingest(farm.spec, source=farm.source, data=LocalStore(farm.folder / folder), as_of=LATE)


def test_a_night_reads_the_new_file_only_and_gets_what_a_first_run_gets(farm: Farm, read: list[str]) -> None:
    farm.ingest()
    farm.deliver("dt=2026-10-09/beetles.csv", HEADER + "6,7,red,7,south,4\n")
    read.clear()
    snapshot = farm.ingest()
    assert read == ["dt=2026-10-09/beetles.csv"]
    assert snapshot == fresh(farm, "fresh")


def test_other_content_and_other_rules_are_read_again_and_words_are_not(farm: Farm, read: list[str]) -> None:
    farm.ingest()
    read.clear()
    farm.with_spec(BEETLES.replace("  title: Beetles\n", "  title: Beetles of a garden\n"))
    farm.ingest()
    assert read == []
    farm.deliver(SECOND, MORE + "7,7,red,7,south,4\n")
    farm.ingest()
    assert read == [SECOND]
    farm.with_spec(BEETLES.replace("max: 9", "max: 8"))
    farm.ingest()
    assert read == [SECOND, FIRST, SECOND]


def test_what_was_set_aside_is_said_every_night(farm: Farm, read: list[str]) -> None:
    farm.with_spec(LENIENT)
    farm.deliver(SECOND, MORE + "ten,1,red,1,north,0\n1,2\n")
    first = farm.ingest()
    read.clear()
    assert farm.ingest() == first
    assert read == []
    assert (first.rows_read, first.rows, first.set_aside) == (7, 5, 2)
    farm.with_spec(LENIENT.replace("max_invalid: 2", "max_invalid: 1"))
    with pytest.raises(DataInvalid, match="line 4: length: 'ten' is not a number"):
        farm.ingest()
    assert read == [], "how many rows may be set aside is no rule of a cell"


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_what_is_kept_and_damaged_is_read_again_and_mended(farm: Farm, read: list[str], damage: str) -> None:
    first = farm.ingest()
    bodies = {key: (farm.data.root / key).read_bytes() for key in farm.keys("partitions/")}
    assert len(bodies) == 2
    for key, body in bodies.items():
        path = farm.data.root / key
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(
                body[: len(body) // 2] if damage == "cut" else body[:60] + bytes([body[60] ^ 1]) + body[61:]
            )
    read.clear()
    assert farm.ingest() == first
    assert read == [FIRST, SECOND]
    assert {key: (farm.data.root / key).read_bytes() for key in bodies} == bodies, "the same bytes every time"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_an_ingest_resumes_and_reads_no_kept_file(farm: Farm, read: list[str], after: bool) -> None:
    whole = fresh(farm, "whole")
    for call in range(1, 100):
        folder = farm.folder / f"killed-{call}"
        store = KilledStore(folder, call, after=after)
        try:
            dataset.ingest(farm.spec, source=farm.source, data=store, as_of=LATE)
        except Killed:
            pass
        else:
            break
        kept = len([*LocalStore(folder).list("partitions/")])
        read.clear()
        assert dataset.ingest(farm.spec, source=farm.source, data=LocalStore(folder), as_of=LATE) == whole
        assert len(read) == 2 - kept
    assert call > 6, "the listings, the raw files, both validated files, the rows and the record were met"
