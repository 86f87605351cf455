"""`make consumer`: what a consumer of releases installs, measured in environments of their own. Needs a package index.

Builds the wheel, installs its extras `s3,serve` at the locked versions into a clean environment, and prints the size
and the seconds of an import. With a release's folder, installs its requirements.txt into another one, opens the pickles
there and lets them answer the golden rows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS = "s3,serve"
IMPORTS = ("model_release.client", "model_release.serving.application")

OPEN = """
import json, pickle, sys
from pathlib import Path
import numpy as np, pandas as pd
folder = Path(sys.argv[1])
golden = json.loads((folder / "golden.json").read_text())
rows = pd.DataFrame({name: pd.Series([np.nan if cell is None else cell for cell in cells]) for name, cells in
                     golden["rows"].items()})
manifest = json.loads((folder / "metadata.json").read_text())
step, model = [pickle.loads((folder / manifest[name]).read_bytes()) for name in ("preprocessor_file", "model_file")]
predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
print(json.dumps(predict(step.transform(rows)).tolist()))
"""
"""Opens the pickles of a release's folder as any program would, without this package, and prints their answers."""


def main() -> None:
    """Print the figures, a line each."""
    parser = argparse.ArgumentParser(prog="consumer.py", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--release", type=Path, help="a version's folder, such as var/store/heart-disease-models/v1.0.0"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="model-release-consumer-") as scratch:
        wheel = build(Path(scratch) / "dist")
        print(f"{wheel.name}: {wheel.stat().st_size:,} bytes")
        _measure(wheel, Path(scratch) / "serve")
        if options.release is not None:
            _unpickle(options.release, Path(scratch) / "pickles")


def build(folder: Path) -> Path:
    """Build the wheel of this checkout with the installed builder, and return it."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _measure(wheel: Path, place: Path) -> None:
    python = _installed(place, f"{wheel}[{EXTRAS}]", "--constraint", str(ROOT / "requirements.txt"))
    site = next(place.glob("lib/python*/site-packages"))
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    count = len({each.name for each in metadata.distributions(path=[str(site)])})
    print(f"[{EXTRAS}]: {count} distributions, {size / 1e6:,.0f} MB")
    for name in IMPORTS:
        print(f"import {name}: {min(_seconds(python, name) for _ in range(3)):.2f} s")


def _unpickle(release: Path, place: Path) -> None:
    pins = [line for line in (release / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    python = _installed(place, "--requirements", str(release / "requirements.txt"))
    done = subprocess.run([python, "-c", OPEN, release], check=True, capture_output=True, text=True, env=_bare())
    print(f"requirements.txt of {release.name}: {len(pins)} pins, {len(json.loads(done.stdout))} golden rows answered")


def _installed(place: Path, *asked: str) -> Path:
    """Return the interpreter of a new environment with what is asked for."""
    uv = Path(sys.executable).with_name("uv")
    python = place / "bin/python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *asked], check=True)
    return python


def _seconds(python: Path, name: str) -> float:
    began = time.perf_counter()
    subprocess.run([python, "-c", f"import {name}"], check=True, env=_bare())
    return time.perf_counter() - began


def _bare() -> dict[str, str]:
    """Return this environment without the path that would bring this checkout's packages along."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


if __name__ == "__main__":
    main()
