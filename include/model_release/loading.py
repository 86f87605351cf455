"""Whether a release opens: each of its forms is loaded in a process of its own and asked about one made-up row.

For a person's acts, which go nowhere that does not load. The process that asks imports no machine learning; the one
that loads has an interpreter of its own, no secret of the environment, no network and a limited time, since a pickle
runs what it says. ONNX is read from bytes alone: a graph whose weights lie in other files is refused.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_release.errors import Refused
from model_release.metadata import InputColumn, Manifest

ONNX_FILE = "model.onnx"
"""The form that runs no code of its own when it is loaded; every loader's first choice."""

SECONDS = 120.0
"""For one form. A forest of a gigabyte takes a tenth of it."""

_KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
_PACKAGES = Path(__file__).resolve().parent.parent
_NETWORK = {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}


def tries(folder: Path, manifest: Manifest) -> None:
    """Try that one of a release's forms loads here, ONNX first, then the pickled pipeline.

    Args:
        folder: holds the release's files, verified.
        manifest: of the release.

    Raises:
        Refused: none does; the message says why for each.
    """
    reasons = []
    for form, files in forms(manifest).items():
        reason = _why_not(form, folder, manifest)
        if reason is None:
            return
        reasons.append(f"{' with '.join(files)}: {reason}")
    made_with = ", ".join(f"{name} {version}" for name, version in manifest.dependencies.items())
    raise Refused(
        "\n  ".join([f"no form of {manifest.version} loads here", *(reasons or ["it has none that is known"])]),
        hint=f"it was made with Python {manifest.python_version or 'unknown'}, {made_with or 'unknown packages'}; "
        "choose another version, or overrule if those who serve it have what it needs",
    )


def forms(manifest: Manifest) -> dict[str, list[str]]:
    """Return the forms that a release has, in the order in which a loader should prefer them, with their files."""
    pipeline = [name for name in (manifest.model_file, manifest.preprocessor_file) if name is not None]
    known = {"onnx": [ONNX_FILE], "pickle": pipeline if manifest.model_file else []}
    listed = {entry.path for entry in manifest.files}
    return {form: files for form, files in known.items() if files and listed.issuperset(files)}


def made_up_row(columns: list[InputColumn]) -> dict[str, float | str]:
    """Return a row that the model must have an answer for: the middle of each range, the first of each list."""
    row: dict[str, float | str] = {}
    for column in columns:
        bounds = [each for each in (column.minimum, column.maximum) if each is not None]
        value = column.values[0] if column.values else sum(bounds) / len(bounds) if bounds else 0.0
        row[column.name] = value if isinstance(value, str) else float(value)
    return row


def _why_not(form: str, folder: Path, manifest: Manifest) -> str | None:
    """Return why a form does not load, in words; None when it does."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PACKAGES), kept.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="model-release-") as elsewhere:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "model_release.loading", form, str(folder.resolve())],
                input=manifest.to_bytes(),
                cwd=elsewhere,
                env=kept,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"not loaded within {SECONDS:.0f} s"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"its process was ended by signal {-done.returncode}"
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return said[-1][:300] if said else f"its process ended with {done.returncode}"


def _refuse_network(event: str, _: tuple[Any, ...]) -> None:
    if event in _NETWORK:
        raise PermissionError("a model that is loaded needs no network")


def _load_onnx(folder: Path, _: Manifest) -> Callable[[dict[str, float | str]], Any]:
    import numpy as np
    import onnxruntime

    body = (folder / ONNX_FILE).read_bytes()
    session = onnxruntime.InferenceSession(body, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda row: session.run(None, {given.name: np.array([list(row.values())], dtype=np.float64)})[0]


def _load_pickle(folder: Path, manifest: Manifest) -> Callable[[dict[str, float | str]], Any]:
    steps = [
        pickle.loads((folder / name).read_bytes())  # noqa: S301 - what this process is for; its bytes were verified
        for name in (manifest.preprocessor_file, manifest.model_file)
        if name is not None
    ]

    def answer(row: dict[str, float | str]) -> Any:
        import pandas as pd

        features: Any = pd.DataFrame([row])
        for step in steps[:-1]:
            features = step.transform(features)
        return steps[-1].predict(features)

    return answer


_LOADERS = {"onnx": _load_onnx, "pickle": _load_pickle}


def _ask(form: str, folder: Path, manifest: Manifest) -> None:
    answer = _LOADERS[form](folder, manifest)
    if manifest.input_schema and len(answer(made_up_row(manifest.input_schema))) != 1:
        raise ValueError("one row was asked about, and not one answer came")


def _main(form: str, folder: str) -> None:
    """Load one form from a folder and ask it; the manifest comes from stdin."""
    manifest = Manifest.read(sys.stdin.buffer.read(), where="stdin")
    sys.addaudithook(_refuse_network)
    try:
        _ask(form, Path(folder), manifest)
    except Exception as error:  # noqa: BLE001 - a broken model raises anything; the asker tells a person
        lines = str(error).strip().splitlines()
        sys.exit(f"{type(error).__name__}: {lines[0] if lines else 'without a word'}")


if __name__ == "__main__":
    _main(*sys.argv[1:])
