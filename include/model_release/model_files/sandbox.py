"""Whether a release opens: each of its forms is loaded in a process of its own and asked about its golden rows.

For the nightly chain, which releases nothing of which a form does not open and answer as it did when it was trained,
and for a person's acts, which go nowhere that does not load. The process that asks imports no machine learning; the one
that loads has an interpreter of its own, the packages of a consumer, no secret of the environment, no network and a
limited time, since a pickle runs what it says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any, cast

from model_release.documents.manifest import Manifest
from model_release.errors import Refused
from model_release.model_files.opening import Form, check_answers, forms, open_model

SECONDS = 120.0
"""For one form. A forest of a gigabyte takes a tenth of it."""

_ABSENT = {
    "onnx": {"airflow", "mlflow", "sklearn", "scipy", "joblib", "pandas", "onnx", "skl2onnx"},
    "pickle": {"airflow", "mlflow", "onnx", "onnxruntime", "skl2onnx"},
}
"""What a consumer of a form need not have installed, and what therefore may not be imported: `model-release[serve]` is
enough for ONNX, and the packages that the manifest names for the pickles."""

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
        reasons = list(pool.map(lambda form: _why_not(form, folder, manifest), found))
    failures = [f"{' with '.join(files)}: {why}" for files, why in zip(found.values(), reasons, strict=True) if why]
    if failures or not found:
        raise Refused(
            "\n  ".join(["a clean process cannot serve this model", *(failures or ["it has no form that is known"])]),
            where=str(folder),
            hint="nothing was promoted; look for a package that training has and consumers have not",
        )


def _why_not(form: Form, folder: Path, manifest: Manifest) -> str | None:
    """Return why a form does not load, in words; None when it does."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PACKAGES), kept.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="model-release-") as elsewhere:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "model_release.model_files.sandbox", form, str(folder.resolve())],
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


class _NotInstalled(MetaPathFinder):
    """Lets an import fail as it would where the package is not installed."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r} where this form is served", name=name)


def _main(form: Form, folder: str) -> None:
    """Load one form from a folder and ask it; the manifest comes from stdin."""
    manifest = Manifest.read(sys.stdin.buffer.read(), where="stdin")
    sys.meta_path.insert(0, _NotInstalled(_ABSENT[form]))
    sys.addaudithook(_refuse_network)
    try:
        check_answers(open_model(Path(folder), manifest, form), Path(folder), manifest)
    except Exception as error:  # noqa: BLE001 - a broken model raises anything; the asker tells a person
        lines = str(error).strip().splitlines()
        sys.exit(f"{type(error).__name__}: {lines[0] if lines else 'without a word'}")


if __name__ == "__main__":
    _main(cast("Form", sys.argv[1]), sys.argv[2])
