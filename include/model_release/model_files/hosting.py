"""A pickled model with code of its own, opened in a process of its own that answers for as long as it is asked.

Two releases may bring modules of the same name and different code, and one process can hold one of them alone. So each
has its process, with its own code first on the path, behind the walls of `isolation`. Both sides write JSON: nothing
that comes from that process is unpickled here.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

from model_release.documents.golden import Cell
from model_release.documents.manifest import Manifest
from model_release.errors import Corrupt
from model_release.model_files import confined, isolation
from model_release.model_files.opening import Door, Form, Model, ModelOutputs, open_model
from model_release.model_files.own_code import on_path, wheels
from model_release.model_files.rows import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIZE = struct.Struct("!Q")
_SECONDS_TO_END = 5.0


def load_model(folder: Path, manifest: Manifest, form: Form) -> Model:
    """Return the model of a release as `open_model` does, in a process of its own if its pickles need its own code."""
    if form == "pickle" and wheels(manifest.files):
        return HostedModel(folder, manifest)
    return open_model(folder, manifest, form)


class HostedModel:
    """The pickled form of a release, in a process of its own. A process that has ended is started again when asked.

    Args:
        folder: holds the release's files.
        manifest: of the release, verified.

    Raises:
        Corrupt: the model does not open there; the message says why.
    """

    form: Form = "pickle"

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._door = Door(manifest, ())
        self.columns, self.features = self._door.columns, self._door.features
        self._folder = folder.resolve()
        self._manifest = manifest
        self._lock = Lock()
        self._process = self._started()

    def predict(self, rows: Table, *, day: date | None = None) -> ModelOutputs:
        """Return the answers to rows, as every model takes them.

        Raises:
            UsageError: as every model.
            Corrupt: the process ended, or the model failed.
        """
        return self.predict_features(self._door.encode(rows, day))

    def predict_features(self, features: Mapping[str, Sequence[Cell]]) -> ModelOutputs:
        """Return the answers to the model's own inputs by name."""
        return self._ask({"features": {name: list(cells) for name, cells in features.items()}})

    def predict_matrix(self, matrix: NDArray[np.float64]) -> ModelOutputs:
        """Return the answers to `float64[rows, features]`, NaN for a missing value."""
        return self._ask({"matrix": matrix.tolist()})

    def _ask(self, question: dict[str, Any]) -> ModelOutputs:
        with self._lock:
            if self._process.poll() is not None:
                self._end()
                self._process = self._started()
            answer = _exchanged(self._process, question)
        match answer:
            case {"outputs": list() as outputs}:
                return ModelOutputs(*(_as_array(each) for each in outputs))
            case {"error": str() as words}:
                raise Corrupt(f"the model failed: {words}", where=str(self._folder))
            case _:
                raise Corrupt("the process of the model ended before it answered", where=str(self._folder))

    def _started(self) -> subprocess.Popen[bytes]:
        scratch = tempfile.TemporaryDirectory(prefix="model-release-")
        home, said = Path(scratch.name, "home"), Path(scratch.name, "said")
        home.mkdir()
        with said.open("wb") as stderr:
            process = confined.start(__name__, str(self._folder), home=home, stdout=subprocess.PIPE, stderr=stderr)
        self._end = weakref.finalize(self, _end, process, scratch)
        ready = _exchanged(process, json.loads(self._manifest.to_bytes()))
        if ready != {}:
            words = str(ready["error"]) if ready else confined.last_words(said.read_bytes())
            self._end()
            raise Corrupt(words or "its process ended before it answered", where=str(self._folder))
        return process


def _exchanged(process: subprocess.Popen[bytes], question: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer of a process; None if it has ended, or answers what no model answers."""
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both are pipes
    try:
        _write(process.stdin, question)
        answer = _read(process.stdout)
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _end(process: subprocess.Popen[bytes], scratch: tempfile.TemporaryDirectory[str]) -> None:
    """End a process that nothing asks any more: it reads the end of its questions."""
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    scratch.cleanup()


def _as_array(values: list[Any] | None) -> Any:
    import numpy as np

    return None if values is None else np.array(values)


def _write(file: IO[bytes], message: dict[str, Any]) -> None:
    body = json.dumps(message, default=lambda value: value.item()).encode()
    file.write(_SIZE.pack(len(body)) + body)
    file.flush()


def _read(file: IO[bytes]) -> Any:
    """Return the next message; None if there are no more."""
    head = file.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    (size,) = _SIZE.unpack(head)
    body = file.read(size)
    return json.loads(body) if len(body) == size else None


def _main(folder: str, walls: str) -> None:
    """Open the model and answer until there are no more questions; the first message is the manifest."""
    confined.enter(walls)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the model's own code prints is no answer
    manifest = Manifest.read(json.dumps(_read(sys.stdin.buffer)).encode(), where="stdin")
    isolation.limit(sum(entry.size for entry in manifest.files), seconds=None)
    try:
        on_path(Path(folder), manifest, Path.home() / "code")
        model = open_model(Path(folder), manifest, "pickle")
    except Exception as error:  # noqa: BLE001 - a broken model raises anything
        _write(answers, {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})
        return
    _write(answers, {})
    while (question := _read(sys.stdin.buffer)) is not None:
        _write(answers, _answer(model, question))


def _answer(model: Model, question: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    try:
        outputs = (
            model.predict_features(question["features"])
            if "features" in question
            else model.predict_matrix(np.array(question["matrix"], dtype=np.float64))
        )
        return {"outputs": [None if each is None else np.asarray(each).tolist() for each in outputs]}
    except Exception as error:  # noqa: BLE001 - the model's own code raises anything
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
