"""Counts the schedules that a test plays, for the table of proofs."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from support.proof_tally import PROOFS, PROPERTY
from support.schedule_player import PLAYED

_ROWS = {Path(each.file).name: each.name for each in PROOFS if each.kind == "raced"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Record how many schedules a test has played."""
    before = PLAYED.copy()
    try:
        return (yield)
    finally:
        counts = {each: PLAYED[each] - before[each] for each in ("schedules", "rules broken")}
        if counts["schedules"] and item.path.name in _ROWS:
            item.user_properties.append((PROPERTY, [_ROWS[item.path.name], counts]))
