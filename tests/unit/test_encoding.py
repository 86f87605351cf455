"""How rows are spelled for fingerprints and splits: the same bytes for ever."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from model_release.modelling.dataset.encoding import canonical, fingerprint_of

FLOATS = st.one_of(st.just(math.nan), st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0))
TEXTS = st.one_of(st.just(math.nan), st.text(max_size=5))


@given(st.lists(st.tuples(FLOATS, TEXTS, FLOATS), max_size=30))
def test_a_row_is_the_json_of_its_values_whatever_stands_beside_it(
    rows: list[tuple[float, str | float, float]],
) -> None:
    names = ["a", "b", "c"]
    columns: list[Any] = [[row[place] for row in rows] for place in range(3)]
    kinds = ("float64", "object", "float64")
    frame = pd.DataFrame({name: pd.Series(c, dtype=k) for name, c, k in zip(names, columns, kinds, strict=True)})
    wanted = [json.dumps([None if value != value else value for value in row]).encode() for row in rows]
    assert [*canonical(frame)] == wanted
    whole = b"\n".join([json.dumps(names).encode(), *wanted])
    assert fingerprint_of(frame) == hashlib.sha256(whole).hexdigest()
