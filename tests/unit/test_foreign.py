"""Files of joblib and skops under the name of a pickle are recognised, and a person is told what to do."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression

from model_release.model_files.foreign import named

MODEL = LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1])


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (0, "is a file of joblib"),
        (3, "compressed by zlib"),
        (("gzip", 3), "compressed by gzip"),
        (("bz2", 3), "compressed by bz2"),
        (("xz", 3), "compressed by xz"),
        (("lzma", 3), "compressed by lzma"),
    ],
    ids=str,
)
def test_a_file_of_joblib_is_named_with_what_to_do(tmp_path: Path, how: Any, words: str) -> None:
    path = tmp_path / "best_model.pkl"
    joblib.dump(MODEL, path, compress=how)

    found = named(path)

    assert found is not None
    assert words in found
    assert "load it with joblib.load, and write the object with pickle.dump" in found


def test_a_file_of_skops_is_named(tmp_path: Path) -> None:
    path = tmp_path / "best_model.pkl"
    skops.io.dump(MODEL, path)

    assert "a file of skops" in (named(path) or "")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_any_protocol_is_none_of_them(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "best_model.pkl"
    path.write_bytes(pickle.dumps(MODEL, protocol=protocol))

    assert named(path) is None
