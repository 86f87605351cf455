"""Rows as people hand them over, and what each kind becomes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from model_release.errors import UsageError
from model_release.model_files.rows import by_column

COLUMNS = ["age", "job"]
WANTED = {"age": [30, None], "job": ["poet", None]}
PLAIN = {"age": [30, None], "job": ["poet", None]}


@pytest.mark.parametrize(
    "rows",
    [
        PLAIN,
        pd.DataFrame({"age": pd.Series([30, None], dtype="Int64"), "job": ["poet", pd.NA]}),
        pd.DataFrame({"job": pd.Series(["poet", None], dtype="category"), "age": [30, np.nan]}),
        pl.DataFrame(PLAIN),
        pl.DataFrame(PLAIN, schema={"age": pl.Int8, "job": pl.Categorical}),
        [{"age": 30, "job": "poet"}, {"job": None, "age": None}],
        [[30, "poet"], (None, None)],
        {"age": np.array([30, np.nan]), "job": pd.Series(["poet", None], dtype=object)},
    ],
    ids=str,
)
def test_a_frame_a_dictionary_and_rows_become_the_same(rows: Any) -> None:
    found = by_column(rows, COLUMNS)

    cells = {name: [None if cell is None or cell != cell else cell for cell in found[name]] for name in COLUMNS}
    assert cells == WANTED


def test_one_row_may_be_a_dictionary_of_its_values() -> None:
    found = by_column({"age": np.int64(30), "job": "poet", "paid": Decimal("1.5"), "well": True}, COLUMNS)

    assert found == {"age": [30.0], "job": ["poet"], "paid": [1.5], "well": [1.0]}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("poet", "not str"),
        (30, "not int"),
        ([], "2 values in the order age, job"),
        ([[30]], "2 values in the order age, job"),
        ([{"age": 30, "job": "poet"}, {"age": 30}], "row 2 lacks job"),
        ({"age": [30, 31], "job": ["poet"]}, "age 2, job 1"),
        ({"age": [Ellipsis], "job": ["poet"]}, "of the type ellipsis"),
        (pd.DataFrame([[1, 2]], columns=["age", "age"]), "two columns that are called age"),
    ],
    ids=str,
)
def test_what_is_no_rows_is_refused_in_words(rows: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        by_column(rows, COLUMNS)
