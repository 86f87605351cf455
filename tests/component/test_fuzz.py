"""A short round of the fuzzer at every door: no crash, no unclear error, no file outside. `make fuzz` runs it long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz.campaign import attack, watched
from fuzz.doors import Door, Unclear, check_words, doors
from fuzz.openapi import requests_by_schema
from model_release.errors import UsageError

INPUTS = 150
NAMES = [
    "spec YAML", "CSV", "Parquet", "metadata.json", "claim.json", "latest.json", "model.sig", "/predict",
    "/invocations", "/invocations, CSV", "/v2", "arguments",
]  # fmt: skip


@pytest.fixture(scope="module")
def all_doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Door]]:
    with watched(tmp_path_factory.mktemp("fuzz").resolve()) as outside, doors(Path.cwd()) as found:
        yield found
    assert outside == []


@pytest.mark.parametrize("name", NAMES)
def test_a_door_takes_or_refuses_in_words(all_doors: dict[str, Door], name: str) -> None:
    assert [*all_doors] == NAMES
    tally = attack(all_doors[name], name, inputs=INPUTS, seed=7)
    assert (tally.crashes, tally.unclear) == ([], [])
    assert tally.refused > 0


@pytest.mark.parametrize(("part", "damaged"), [(b"length", b"len\xf9th"), (b"north", b"n\xf9rth")])
def test_text_of_a_parquet_file_that_is_not_utf_8_is_refused(
    all_doors: dict[str, Door], part: bytes, damaged: bytes
) -> None:
    door = all_doors["Parquet"]
    assert not door.enter(door.samples[0].replace(part, damaged))


def test_what_goes_wrong_is_counted() -> None:
    def enter(body: bytes) -> bool:
        if body.startswith(b"a"):
            raise ValueError("boom")
        check_words("Traceback" if body.startswith(b"b") else "said")
        return False

    tally = attack(Door([b"a", b"b", b"c"], enter), "made up", inputs=1, seed=0)
    assert len(tally.crashes) >= 1
    assert len(tally.unclear) >= 1
    assert tally.tried == 4
    with pytest.raises(Unclear):
        check_words(" ")
    assert not isinstance(Unclear("x"), UsageError)


def test_the_service_answers_as_its_own_document_says(tmp_path: Path) -> None:
    sent, failures = requests_by_schema(tmp_path / "release", inputs=10, seed=7)
    assert failures == []
    assert sent >= 60
