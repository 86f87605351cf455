"""Nothing is unpickled whose digest was not checked: the unpickler itself tells each look-up of a name in a pickle.

Python raises the audit event `pickle.find_class` for every name, whichever unpickler reads it. A pickle that was
changed must be refused before the first one.
"""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_release import client
from model_release.documents.manifest import Manifest
from model_release.errors import Corrupt, Refused
from model_release.model_files.opening import open_model
from model_release.modelling.trained import MODEL_FILE, PREPROCESSOR_FILE
from model_release.serving.served import open_release
from model_release.tracking import runs
from support.servable_releases import version_folder

PACKAGE = Path(client.__file__).parents[1]
REFUSALS = (Corrupt, Refused)
"""The service tries a release in a process of its own, whose refusal it repeats."""

_listening: list[list[str]] = []
"""Where the one hook of this process, which cannot be taken away, writes while a test listens."""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class":
        for each in _listening:
            each.append(".".join(map(str, arguments)))


sys.addaudithook(_hook)


class Bomb:
    """A pickle of it does something when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("opened",))


@pytest.fixture
def looked_up() -> Iterator[list[str]]:
    """The names that unpicklers have looked up since the test began."""
    names: list[str] = []
    _listening.append(names)
    yield names
    _listening.remove(names)


@pytest.fixture
def folder(tmp_path: Path) -> tuple[Path, Manifest]:
    """A release without an ONNX form, so that each way opens the pickles."""
    return version_folder(tmp_path / "v1.0.0", 0.1, without=("model.onnx", "MLmodel"))


def by_the_service(folder: Path, manifest: Manifest) -> object:
    return open_release(folder, manifest, None, allow_pickle=True)


def by_the_client(folder: Path, _: Manifest) -> object:
    return client.open_folder(folder, allow_pickle=True)


def by_the_sandbox(folder: Path, manifest: Manifest) -> object:
    """What the process of its own calls in which a release is tried."""
    return open_model(folder, manifest, "pickle")


def by_tracking(folder: Path, manifest: Manifest) -> object:
    return runs.pipeline_of(folder, manifest.files)


WAYS: list[Callable[[Path, Manifest], object]] = [by_the_service, by_the_client, by_the_sandbox, by_tracking]


@pytest.mark.parametrize("way", [by_the_client, by_the_sandbox, by_tracking])
def test_the_promised_bytes_are_opened(
    folder: tuple[Path, Manifest], looked_up: list[str], way: Callable[[Path, Manifest], object]
) -> None:
    way(*folder)
    assert any(name.startswith("sklearn.") for name in looked_up)


@pytest.mark.parametrize("name", [PREPROCESSOR_FILE, MODEL_FILE])
@pytest.mark.parametrize("way", WAYS)
def test_other_bytes_are_refused_before_the_unpickler_sees_them(
    folder: tuple[Path, Manifest],
    looked_up: list[str],
    capsys: pytest.CaptureFixture[str],
    way: Callable[[Path, Manifest], object],
    name: str,
) -> None:
    place, manifest = folder
    size = (place / name).stat().st_size
    for body in (pickle.dumps(Bomb()), pickle.dumps(Bomb()).ljust(size, b".")):
        (place / name).write_bytes(body)
        with pytest.raises(REFUSALS):
            way(place, manifest)
    assert [each for each in looked_up if each.endswith(".print")] == []
    assert "opened" not in capsys.readouterr().out


def test_every_unpickler_of_the_package_is_known_here() -> None:
    """Another call of an unpickler is a way of its own, and gets its line above."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"pickle\.loads?\(|Unpickler|joblib\.load\(|read_pickle|allow_pickle=True\)", path.read_text())
    }
    ours = {
        "modelling/requirements.py",  # reads what `fitting` has pickled in memory a moment before
        "modelling/training/apart.py",  # reads from a pipe what the process that started it has pickled
    }
    assert found - ours == {"model_files/opening.py", "tracking/runs.py"}
