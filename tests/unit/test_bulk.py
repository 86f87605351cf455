from __future__ import annotations

from pathlib import Path

import pytest

from interposed import Interposed, Request
from memory_store import MemoryStore
from model_release.errors import NotFound, StoreUnavailable
from model_release.stores.bulk import download_many, upload_many


def files(folder: Path, count: int) -> list[tuple[str, Path]]:
    folder.mkdir()
    made = [(f"many/{number:03d}", folder / f"{number:03d}") for number in range(count)]
    for key, path in made:
        path.write_bytes(key.encode())
    return made


def test_many_files_go_and_come_back(memory: MemoryStore, tmp_path: Path) -> None:
    sources = files(tmp_path / "here", 50)
    assert upload_many(memory, sources) == 50
    assert [entry.key for entry in memory.list()] == [key for key, _ in sources]
    targets = [(key, tmp_path / "there" / key) for key, _ in sources]
    assert download_many(memory, targets) == 50
    assert all(path.read_bytes() == key.encode() for key, path in targets)
    with pytest.raises(NotFound, match="missing"):
        download_many(memory, [("missing", tmp_path / "target")])


def test_the_first_failure_ends_it(memory: MemoryStore, tmp_path: Path) -> None:
    begun = []

    def refuse(request: Request) -> None:
        begun.append(request.key)
        raise StoreUnavailable("down", where=request.key)

    with pytest.raises(StoreUnavailable):
        upload_many(Interposed(memory, refuse), files(tmp_path / "here", 500), workers=2)
    assert len(begun) < 500
