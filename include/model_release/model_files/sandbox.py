"""Whether a release opens: each of its forms is loaded in a process of its own and asked about its golden rows.

The nightly run releases a model only if each of its forms opens and answers as in training. A person's act makes a
version live only if a form loads. The service opens a model in its own process only after it answered here. The process
that asks imports no machine learning; the one that loads has an interpreter of its own, the packages of a consumer, no
secret of the environment, an empty home, limits of memory and time, and the walls that `isolation` can put up on this
machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import IO, Any, cast

from model_release.documents.manifest import Manifest
from model_release.errors import Refused
from model_release.model_files import confined, isolation
from model_release.model_files.opening import Form, check_answers, forms, open_model
from model_release.model_files.own_code import on_path

SECONDS = isolation.SECONDS

_ANSWERED = "answered\n"
"""The last output of the process; a model that ends the process by itself writes none."""

_ABSENT = {
    "onnx": {"airflow", "mlflow", "sklearn", "scipy", "joblib", "pandas", "onnx", "skl2onnx"},
    "pickle": {"airflow", "mlflow", "onnx", "onnxruntime", "skl2onnx"},
}
"""Packages that a consumer of a form need not have, so that they may not be imported: the extra `serve` is enough for
ONNX, the packages that the manifest names are enough for the pickles."""

_SAID = 64 * 1024
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
        reason = why_not(form, folder, manifest)
        if reason is None:
            return
        reasons.append(f"{' with '.join(files)}: {reason}")
    made_with = ", ".join(f"{name} {version}" for name, version in manifest.requirements.items())
    raise Refused(
        "\n  ".join([f"no form of {manifest.version} loads here", *(reasons or ["it has none that is known"])]),
        hint=f"it was made with Python {manifest.python_version or 'unknown'}, {made_with or 'unknown packages'}; "
        "choose another version, or overrule if its consumers have these packages",
    )


def check(folder: Path, manifest: Manifest) -> None:
    """Check that every one of a release's forms loads, and gives the golden rows the answers that it gave in training.

    Args:
        folder: holds the release's files, verified.
        manifest: of the release.

    Raises:
        Refused: a form does not; the message says why for each.
    """
    found = forms(manifest)
    with ThreadPoolExecutor() as pool:
        reasons = list(pool.map(lambda form: why_not(form, folder, manifest), found))
    failures = [f"{' with '.join(files)}: {why}" for files, why in zip(found.values(), reasons, strict=True) if why]
    if failures or not found:
        raise Refused(
            "\n  ".join(["a clean process cannot serve this model", *(failures or ["it has no form that is known"])]),
            where=str(folder),
            hint="nothing was promoted; look for a package that training uses and the manifest does not name",
        )


def why_not(form: Form, folder: Path, manifest: Manifest) -> str | None:
    """Return why a form does not load and answer in a process of its own, in words; None if it does."""
    with tempfile.TemporaryDirectory(prefix="model-release-") as name:
        home = Path(name, "home")
        home.mkdir()
        with Path(name, "said").open("w+b") as said:
            status = _run(form, folder, manifest, home, said)
            said.seek(max(0, said.seek(0, os.SEEK_END) - _SAID))
            lines = said.read().decode(errors="replace").splitlines(keepends=True)
    if status is None:
        return f"not loaded within {SECONDS:.0f} s"
    ended_by = -status if status < 0 else status - isolation.SIGNALLED
    if ended_by > 0:
        return f"its process was ended by signal {ended_by}"
    if status == 0 and lines and lines[-1] == _ANSWERED:
        return None
    if status == 0:
        return "its process ended before it answered"
    words = [line.strip() for line in lines if line.strip()]
    return words[-1][:300] if words else f"its process ended with {status}"


def _run(form: Form, folder: Path, manifest: Manifest, home: Path, said: IO[bytes]) -> int | None:
    """Run the process; return its status, None if it took too long and was ended."""
    with confined.start(__name__, form, str(folder.resolve()), home=home, stdout=said, stderr=said) as process:
        try:
            process.communicate(manifest.to_bytes(), timeout=SECONDS)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return None
            raise
    return process.returncode


def _refuse_network(event: str, _: tuple[Any, ...]) -> None:
    if event in _NETWORK:
        raise PermissionError("a model that is loaded needs no network")


class _NotInstalled(MetaPathFinder):
    """Makes an import fail as if the package were not installed."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r} where this form is served", name=name)


def _main(form: Form, folder: str, walls: str) -> None:
    """Load one form from a folder and ask it; the manifest comes from stdin."""
    confined.enter(walls)
    manifest = Manifest.read(sys.stdin.buffer.read(), where="stdin")
    isolation.limit(sum(entry.size for entry in manifest.files))
    sys.meta_path.insert(0, _NotInstalled(_ABSENT[form]))
    sys.addaudithook(_refuse_network)
    try:
        if form == "pickle":
            on_path(Path(folder), manifest, Path.home() / "code")
        check_answers(open_model(Path(folder), manifest, form), Path(folder), manifest)
    except Exception as error:  # noqa: BLE001 - a broken model raises anything; the asker tells a person
        lines = str(error).strip().splitlines()
        sys.exit(f"{type(error).__name__}: {lines[0] if lines else 'without a word'}")
    sys.stdout.write(f"\n{_ANSWERED}")


if __name__ == "__main__":
    _main(cast("Form", sys.argv[1]), sys.argv[2], sys.argv[3])
