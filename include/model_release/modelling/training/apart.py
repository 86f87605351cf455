"""Fits by the code that a release brought, in a process of its own: its modules may have the names of today's.

The process has the walls of the one that opens a model, since the code comes out of a store. It takes the rows from
here by a pipe and answers in JSON.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from model_release.documents.evaluation import Scores
from model_release.documents.limits import SMALL, read_bounded
from model_release.errors import Refused
from model_release.model_files import confined
from model_release.model_files.own_code import unpack
from model_release.modelling.dataset import Positions, Rows
from model_release.modelling.imports import PACKAGES_VARIABLE
from model_release.modelling.training.fitting import cross_validate, remade
from model_release.spec.candidate import Candidate
from model_release.spec.model import Spec

_CALLS: Final[Mapping[str, Callable[..., bytes]]] = {
    "scores": lambda *arguments: cross_validate(*arguments).scores.model_dump_json().encode(),
    "remade": lambda *arguments: json.dumps(remade(*arguments)).encode(),
}
_ANSWER = "answer.json"


def scores_by(
    wheels: Sequence[bytes], candidate: Candidate, spec: Spec, rows: Rows, training_rows: Positions
) -> Scores:
    """Return the scores that `cross_validate` gives of a recipe with the code of a release.

    Args:
        wheels: of the release, verified.
        candidate: the recipe.
        spec: the model's spec.
        rows: the snapshot.
        training_rows: positions of the rows outside the holdout.

    Raises:
        Refused: the recipe cannot be fitted by that code; the message says why.
    """
    return Scores.model_validate_json(_called("scores", wheels, candidate, spec, rows, training_rows))


def remade_by(
    wheels: Sequence[bytes], candidate: Candidate, spec: Spec, rows: Rows, training_rows: Positions
) -> dict[str, str]:
    """Return what `remade` gives of a recipe with the code of a release; arguments and errors as above."""
    found: dict[str, str] = json.loads(_called("remade", wheels, candidate, spec, rows, training_rows))
    return found


def _called(name: str, wheels: Sequence[bytes], *arguments: object) -> bytes:
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        home, said = Path(scratch, "home"), Path(scratch, "said")
        home.mkdir()
        unpack(wheels, home / "code", where="the release's code")
        with said.open("wb") as stderr:
            process = confined.start(__name__, name, home=home, stdout=stderr, stderr=stderr, kept=(PACKAGES_VARIABLE,))
            try:
                process.communicate(pickle.dumps(arguments, protocol=5))
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
        if process.returncode == 0:
            return read_bounded(home / _ANSWER, SMALL)
        words = confined.last_words(said.read_bytes()) or f"its process ended with {process.returncode}"
        raise Refused(f"the recipe cannot be fitted by its own code: {words}", hint="its packages must be allowed here")


def _main(name: str, walls: str) -> None:
    confined.enter(walls)
    sys.path.insert(0, str(Path.home() / "code"))
    arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 - the process that started this one wrote it
    try:
        answer = _CALLS[name](*arguments)
    except Exception as error:  # noqa: BLE001 - anybody's code raises anything; the asker tells a person
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    (Path.home() / _ANSWER).write_bytes(answer)


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
