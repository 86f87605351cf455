"""docs/reliability.md has a row for each proof, with numbers, and a command that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.proof_tally import PROOFS, PROPERTY, proof, table

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \| `(.+?)` \|$", re.MULTILINE)
PAGE = ROW.findall((ROOT / "docs/reliability.md").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")


def test_the_rows_of_the_page_are_those_that_are_printed() -> None:
    assert [(kind, name, command) for kind, name, _, command in PAGE] == [
        (each.kind, each.name, each.command) for each in PROOFS
    ]


def test_each_row_has_numbers_and_no_fault() -> None:
    faults = ("torn", "lost", "wrong", "second moves", "overwritten", "broken", "missed", "other ends")
    for _, name, counted, _ in PAGE:
        counts = {what: int(number.replace(",", "")) for number, what in re.findall(r"(\d[\d,]*) ([^,|]+)", counted)}
        assert max(counts.values()) > 0, name
        assert {what: n for what, n in counts.items() if n and any(each in what for each in faults)} == {}, name
        assert counts.get("tried") == counts.get("refused"), name


@pytest.mark.parametrize("command", sorted({each.command for each in PROOFS}))
def test_the_command_of_a_row_exists_and_make_proofs_runs_its_file(command: str) -> None:
    target, _, file = command.removeprefix("make ").partition(" ARGS=")
    assert re.search(rf"^{target}: .*## ", MAKEFILE, re.MULTILINE)
    if file:
        assert (ROOT / file).is_file()
        (files,) = re.findall(r"^PROOFS := (.*)$", MAKEFILE, re.MULTILINE)
        assert any(file == each or file.startswith(f"{each}/") for each in files.split())


def test_a_proof_without_a_row_is_an_error_and_equal_names_are_added_up() -> None:
    counted: list[tuple[str, object]] = []
    for _ in range(2):
        with proof(lambda name, value: counted.append((name, value)), "zombie, folder", "stops") as tally:
            tally.counts["stops"] += 700
    assert table(counted)[-1] == (
        "| stopped | zombie, folder | 1,400 stops | `make proofs ARGS=tests/proofs/test_folder.py` |"
    )
    assert table([]) == []
    with pytest.raises(KeyError, match="a new one"):
        table([(PROPERTY, ["a new one", {}])])


def test_a_fault_that_a_proof_finds_fails_it() -> None:
    def torn() -> None:
        raise AssertionError("half a model")

    with (
        pytest.raises(AssertionError, match="call 3: torn reads: AssertionError: half a model"),
        proof(lambda *_: None, "zombie, folder", "stops") as tally,
    ):
        assert tally.expect("torn reads", torn, "call 3") is False
