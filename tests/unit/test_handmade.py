"""What people make by hand: what is taken of it, what is refused at the door, and what its manifest says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.errors import Corrupt, ModelReleaseError, NotFound, Refused, Retry, UnsafeKey, UsageError
from model_release.releases.manual import collect, describe
from model_release.releases.manual.collect import Collected, from_folder, from_store
from model_release.stores.local import LocalStore
from support.memory_store import MemoryStore


def write(folder: Path, files: dict[str, bytes | str], **told: Any) -> Path:
    """Write a team's folder; `told` makes its `metadata.json`."""
    if told:
        files = {**files, "metadata.json": json.dumps(told)}
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return folder


PAIR: dict[str, bytes | str] = {"best_model.pkl": b"model", "preprocessor.pkl": b"preprocessor"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder of a team."""
    return write(tmp_path / "models", PAIR)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where copies go."""
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def draft_of(folder: Path, scratch: Path, **options: str) -> Manifest:
    return describe.draft(from_folder(folder, scratch), options, called="heart")


def test_a_folder_is_copied_whole(models: Path, scratch: Path) -> None:
    write(models, {"onnx/model.onnx": b"graph", ".gitkeep": b"", ".cache/x": b"x", "metadata.json": "{}"})
    (models / "alias.pkl").symlink_to("best_model.pkl")
    collected = from_folder(models, scratch)
    assert [entry.path for entry in collected.files] == [
        "alias.pkl",
        "best_model.pkl",
        "onnx/model.onnx",
        "preprocessor.pkl",
    ]
    assert collected.left_out == [".cache", ".gitkeep"]
    assert (scratch / "alias.pkl").read_bytes() == b"model"
    assert not (scratch / "alias.pkl").is_symlink()
    assert {path.name for path in scratch.iterdir()} == {
        "alias.pkl",
        "best_model.pkl",
        "metadata.json",
        "onnx",
        "preprocessor.pkl",
    }


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def a_link_out(folder: Path) -> None:
    (folder.parent / "secret").write_text("x")
    (folder / "link.pkl").symlink_to(folder.parent / "secret")


def a_folder_link_out(folder: Path) -> None:
    (folder / "more").symlink_to(folder.parent)


def a_folder_link(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "more").symlink_to("sub")


def a_link_to_nothing(folder: Path) -> None:
    (folder / "link.pkl").symlink_to("gone.pkl")


def names(*each: str) -> Callable[[Path], object]:
    return lambda folder: write(folder, dict.fromkeys(each, b"x"))


def nothing_but_facts(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    write(folder, {".gitkeep": b""}, accuracy=0.5)


@pytest.mark.parametrize(
    ("spoil", "kind", "said"),
    [
        (names("my model.pkl", "modèle.pkl"), UnsafeKey, "'modèle.pkl', 'my model.pkl' cannot be released"),
        (names("sub/-x"), UnsafeKey, "'sub/-x'"),
        (names("claim.json/x"), UnsafeKey, "'claim.json' is a folder here and a file in a release"),
        (names("claim.json"), Refused, "so it is a version that model-release has made"),
        (a_pipe, UsageError, "pipe: is not a file"),
        (a_link_out, Refused, "link.pkl: is a link that leads out of the folder"),
        (a_folder_link_out, Refused, "more: is a link that leads out of the folder"),
        (a_folder_link, Refused, "more: is a link to a folder"),
        (a_link_to_nothing, UsageError, "link.pkl: cannot be read: No such file"),
        (nothing_but_facts, UsageError, "holds no files to release"),
    ],
)
def test_what_cannot_be_released_is_refused(
    models: Path, scratch: Path, spoil: Callable[[Path], object], kind: type[ModelReleaseError], said: str
) -> None:
    spoil(models)
    with pytest.raises(kind) as caught:
        from_folder(models, scratch)
    assert said in str(caught.value)


def test_no_folder(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(NotFound, match="there is no such folder"):
        from_folder(tmp_path / "nothing", scratch)


@pytest.mark.parametrize("change", ["written", "added", "removed"])
def test_a_folder_that_changes_while_it_is_read(
    models: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    copy = collect._copy

    def meanwhile(source: Path, target: Path) -> None:
        copy(source, target)
        if change == "removed":
            (models / "best_model.pkl").unlink(missing_ok=True)
        else:
            (models / ("best_model.pkl" if change == "written" else "new.pkl")).write_bytes(b"longer than before")

    monkeypatch.setattr(collect, "_copy", meanwhile)
    with pytest.raises(Retry, match="changed while they were read"):
        from_folder(models, scratch)


def test_a_store_is_read_whole(memory: MemoryStore, scratch: Path) -> None:
    for key, body in {"best_model.pkl": b"model", "sub/x": b"", "metadata.json": b"{}"}.items():
        memory.create(key, body)
    memory._put(".hidden/x", b"")  # what no key of ours can be, a bucket may hold
    memory._put("sub/", b"")
    seen: list[str] = []
    collected = from_store(memory, scratch, about=lambda entry: seen.append(entry.key))
    assert [(entry.path, entry.size) for entry in collected.files] == [("best_model.pkl", 5), ("sub/x", 0)]
    assert collected.left_out == [".hidden/x"]
    assert seen == ["best_model.pkl", "metadata.json", "sub/x"]


def test_a_folder_store_is_read_as_a_folder(models: Path, scratch: Path) -> None:
    write(models, {"my model.pkl": b"x"})
    with pytest.raises(UnsafeKey):
        from_store(LocalStore(models), scratch)


def test_stores_that_cannot_be_released(memory: MemoryStore, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="there are no files here"):
        from_store(memory, scratch)
    memory.create("best_model.pkl", b"model")
    memory._put("best_model.pkl/x", b"")
    with pytest.raises(UnsafeKey, match="'best_model.pkl' is a folder here and a file in a release"):
        from_store(memory, scratch)
    memory.delete("best_model.pkl/x")
    with pytest.raises(Retry, match="changed while they were read"):
        from_store(memory, scratch, about=lambda entry: memory._put("other.pkl", b""))
    monkeypatch.setattr(memory, "download", lambda key, path: path.write_bytes(b"mod"))
    with pytest.raises(Corrupt, match="came with 3 bytes and is listed with"):
        from_store(memory, scratch)


CLASSIC = {
    "model_name": "Heart Disease",
    "version": "7",
    "trained_date": "2024-05-01 12:00:00",
    "accuracy": 0.8852,
    "model_file": "best_model.pkl",
    "preprocessor_file": "preprocessor.pkl",
    "framework": "scikit-learn",
    "python_version": "3.11",
    "dependencies": {"scikit-learn": "1.5.0", "numpy": None},
    "training_data": {"rows": 303},
}


def test_the_classic_fields_are_kept_and_nothing_is_invented(models: Path, scratch: Path) -> None:
    write(models, {}, **CLASSIC, author="ann", gate={"accepted": True})
    made = draft_of(models, scratch)
    assert made.model_name == "Heart Disease"
    assert str(made.version) == "v1.0.0"
    assert (made.trained_date, made.trained_at) == (date(2024, 5, 1), datetime(2024, 5, 1, 12, tzinfo=UTC))
    assert (made.accuracy, made.framework, made.python_version) == (0.8852, "scikit-learn", "3.11")
    assert (made.dependencies, made.requirements) == (None, {"scikit-learn": "1.5.0", "numpy": ""})
    assert made.training_data == '{"rows": 303}'
    assert (made.gate, made.dataset, made.code, made.mlflow, made.parameters) == (None, None, None, None, None)
    assert (made.metrics, made.environment, made.schema_revision) == ({}, {}, 1)
    assert made.told == {**CLASSIC, "author": "ann", "gate": {"accepted": True}}
    assert Manifest.read(made.to_bytes(), where="here") == made


def test_what_nobody_told_is_null(models: Path, scratch: Path) -> None:
    (models / "preprocessor.pkl").unlink()
    made = draft_of(models, scratch)
    nulls = (
        "trained_date", "accuracy", "preprocessor_file", "framework", "python_version", "dependencies", "training_data",
        "trained_at", "told",
    )  # fmt: skip
    assert {name: getattr(made, name) for name in nulls} == dict.fromkeys(nulls)
    assert (made.model_name, made.model_file, made.requirements) == ("heart", "best_model.pkl", {})


def test_a_day_is_no_instant(models: Path, scratch: Path) -> None:
    write(models, {}, trained_date="2024-05-01")
    made = draft_of(models, scratch)
    assert (made.trained_date, made.trained_at) == (date(2024, 5, 1), None)
    assert made.trained == datetime(2024, 5, 1, tzinfo=UTC)


def test_the_day_is_that_of_utc(models: Path, scratch: Path) -> None:
    write(models, {}, trained_date="2024-05-01T23:30:00-05:00")
    made = draft_of(models, scratch)
    assert made.trained_date == date(2024, 5, 2)


PINNED = (
    b"# made with pip freeze\nscikit-learn==1.5.0\nnumpy == 1.26.4 ; python_version > '3.9'\npandas>=2\n-r other.txt\n"
)


@pytest.mark.parametrize("told", [{}, {"dependencies": "requirements.txt"}, {"dependencies": None}])
def test_a_file_of_requirements_is_named_and_its_pins_are_read(
    models: Path, scratch: Path, told: dict[str, Any]
) -> None:
    write(models, {"requirements.txt": PINNED}, **told)
    made = draft_of(models, scratch)
    assert made.dependencies == "requirements.txt"
    assert made.requirements == {"scikit-learn": "1.5.0", "numpy": "1.26.4"}


def test_packages_that_are_told_win_over_the_files_pins(models: Path, scratch: Path) -> None:
    write(models, {"requirements.txt": PINNED}, dependencies={"numpy": "2.0"})
    made = draft_of(models, scratch)
    assert (made.dependencies, made.requirements) == ("requirements.txt", {"numpy": "2.0"})


def test_a_file_of_requirements_that_is_not_there_is_refused(models: Path, scratch: Path) -> None:
    write(models, {}, dependencies="requirements.txt")
    with pytest.raises(UsageError, match=r"there is no file of requirements 'requirements\.txt' among best_model"):
        draft_of(models, scratch)


def test_options_win(models: Path, scratch: Path) -> None:
    write(models, {"other.pkl": b"o"}, **{**CLASSIC, "accuracy": 88.52, "model_file": "gone.pkl"})
    made = draft_of(
        models,
        scratch,
        accuracy="0.8852",
        model_file="other.pkl",
        data_as_of="2024-04-30",
        schema_revision="2",
        dependencies="scikit-learn == 1.5.0\n# why\nnumpy>=1,<2\npandas[all]",
    )
    assert (made.accuracy, made.model_file, made.schema_revision) == (0.8852, "other.pkl", 2)
    assert made.data_as_of == date(2024, 4, 30)
    assert made.requirements == {"scikit-learn": "1.5.0", "numpy": ">=1,<2", "pandas[all]": ""}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            {"accuracy": 88.52},
            "accuracy: 88.52 is not a fraction between 0 and 1; if that is a percentage, write 0.8852",
        ),
        ({"accuracy": -1}, "-1 is not a fraction between 0 and 1\n"),
        ({"accuracy": "good"}, "'good' is not a fraction"),
        ({"accuracy": True}, "True is not a fraction"),
        ({"accuracy": 10**400}, "is not a fraction"),
        ({"accuracy": [0.9]}, "[0.9] is not a fraction"),
        ({"python_version": 3.1}, "python_version: 3.1 is not text; write it in quotes"),
        ({"trained_date": "last week"}, "trained_date: 'last week' is not a time"),
        ({"trained_date": 1714557600}, "1714557600 is not a time"),
        ({"dependencies": {"numpy": 1.1}}, "dependencies: 1.1 is not text"),
        ({"dependencies": ["=1"]}, "'=1' is not a requirement"),
        ({"dependencies": [1]}, "1 is not a requirement"),
        ({"dependencies": 1}, "1 is neither names with versions nor a list"),
        ({"model_file": "model.pkl"}, "there is no model file 'model.pkl' among best_model.pkl, preprocessor.pkl"),
        ({"preprocessor_file": "p"}, "there is no preprocessor file 'p' among"),
        ({"schema_revision": 0}, "schema_revision: "),
        ({"data_as_of": "soon"}, "data_as_of: "),
    ],
)
def test_facts_that_cannot_be_right(models: Path, scratch: Path, told: dict[str, Any], said: str) -> None:
    write(models, {}, **told)
    with pytest.raises(UsageError) as caught:
        draft_of(models, scratch)
    assert said in str(caught.value)
    assert str(models) in str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"accuracy": NaN}', "NaN is no number in JSON"),
        ('{"x": 1e999}', "is not JSON"),
        ('{"x": "\\ud800"}', "is not JSON"),
        ("{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a JSON object"),
    ],
)
def test_a_hand_made_file_that_cannot_be_read(models: Path, scratch: Path, body: bytes | str, said: str) -> None:
    write(models, {"metadata.json": body})
    with pytest.raises(UsageError, match=said) as caught:
        draft_of(models, scratch)
    assert "metadata.json" in str(caught.value)


def test_a_fact_that_has_no_such_name(models: Path, scratch: Path) -> None:
    with pytest.raises(UsageError, match="no fact is called 'acuracy'; did you mean 'accuracy'"):
        draft_of(models, scratch, acuracy="1")


def test_the_fingerprint_goes_by_the_files_and_by_what_was_told(models: Path, tmp_path: Path) -> None:
    def fingerprint(**options: str) -> str:
        with_facts = from_folder(models, new_folder(tmp_path))
        return describe.draft(with_facts, options, called="heart").fingerprint

    first = fingerprint()
    assert first == fingerprint(schema_revision="1")
    write(models, {}, author="ann")
    told = fingerprint()
    accurate = fingerprint(accuracy="0.9")
    (models / "preprocessor.pkl").rename(models / "prep.pkl")
    assert len({first, told, accurate, fingerprint()}) == 4


def new_folder(parent: Path) -> Path:
    folder = parent / f"scratch-{len(list(parent.iterdir()))}"
    folder.mkdir()
    return folder


def test_the_files_are_those_of_the_manifest(models: Path, scratch: Path) -> None:
    collected: Collected = from_folder(models, scratch)
    assert layout.MANIFEST not in {entry.path for entry in collected.files}
    assert describe.draft(collected, {}, called="heart").files == collected.files
