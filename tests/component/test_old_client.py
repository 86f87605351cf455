"""The last client that knows format 1 alone, kept as an archive of its modules, against releases of either format."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PULL = """
import sys
from model_release import client, errors
try:
    print(client.pull(sys.argv[1], to=sys.argv[2]).version)
except errors.UnknownFormat as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("format_number", "said"), [(1, "v1.4.0\n"), (2, "has a format that this version of model-release does not know")]
)
def test_a_client_that_knows_format_1_alone_says_so(format_number: int, said: str, tmp_path: Path) -> None:
    archive = TESTS / "support/client_of_format_1.zip"
    where = (TESTS / f"golden/v{format_number}").as_uri()
    pulled = subprocess.run(
        [sys.executable, "-c", PULL, where, tmp_path / "models"],
        env={**os.environ, "PYTHONPATH": str(archive)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said in pulled.stdout
    assert ("use a newer version" in pulled.stdout) == (format_number == 2)
