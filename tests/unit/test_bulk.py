from __future__ import annotations

import time

import pytest

from model_release.errors import StoreUnavailable
from model_release.stores.bulk import as_done


def test_every_item_is_done_and_told_as_it_is_done() -> None:
    def work(number: int) -> int:
        time.sleep(0.2 if number == 0 else 0)
        return number

    told = list(as_done(work, range(50)))
    assert sorted(told) == [*range(50)]
    assert told[0] != 0, "nobody waits for the slow one"
    assert list(as_done(work, [])) == []


def test_the_first_failure_ends_it() -> None:
    begun = []

    def refuse(number: int) -> None:
        begun.append(number)
        raise StoreUnavailable("down")

    with pytest.raises(StoreUnavailable):
        list(as_done(refuse, range(500), workers=2))
    assert len(begun) < 500


def test_who_stops_asking_ends_it() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.005)

    for _ in as_done(work, range(500), workers=2):
        break
    done = len(begun)
    time.sleep(0.05)
    assert len(begun) == done < 500
