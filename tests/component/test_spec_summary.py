"""What DAG files know of specs: the same from the cache as from the spec, whatever happens to cache, spec or code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import model_release
from model_release.errors import SpecError
from model_release.local_cache import CACHE_VARIABLE
from model_release.spec import summary as module
from model_release.spec.load import load_spec
from model_release.spec.summary import SPECS_VARIABLE, Summary, find_specs, summaries

PACKAGE = Path(model_release.__file__).parent
MODELS = PACKAGE.parent / "models"
SHIPPED = (MODELS / "heart_disease.yaml").read_text()

TELL = """
import json, sys
from pathlib import Path
from model_release.spec.summary import summaries
told = [str(each) if isinstance(each, Exception) else each._asdict() for each in summaries(Path())]
print(json.dumps([told, [*sys.modules]], default=str))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where summaries are kept."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////srv/mlflow.db")
    return tmp_path / "cache" / "summaries"


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one spec, which is the one that summaries are made of."""
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "heart_disease.yaml").write_text(SHIPPED)
    monkeypatch.setenv(SPECS_VARIABLE, str(folder))
    return folder


def only() -> Summary:
    (told,) = summaries(Path())
    assert isinstance(told, Summary), told
    return told


def in_a_process(program: str = TELL, package: Path = PACKAGE) -> Any:
    env = {**os.environ, "PYTHONPATH": str(package.parent)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
    return json.loads(done.stdout)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_shipped_specs_are_found_next_to_the_dags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SPECS_VARIABLE, raising=False)
    found = find_specs(MODELS.parent.parent / "dags" / "retrain.py")
    assert [path.name for path in found] == ["heart_disease.yaml", "heart_disease_four_sites.yaml"]


def test_named_specs_are_found(specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = specs / "heart_disease.yaml"
    assert find_specs(Path()) == [path]
    monkeypatch.setenv(SPECS_VARIABLE, str(path))
    assert find_specs(Path()) == [path]
    monkeypatch.setenv(SPECS_VARIABLE, str(specs / "elsewhere"))
    with pytest.raises(SpecError, match="elsewhere"):
        find_specs(Path())


def test_an_outline_says_what_the_spec_says_at_first_and_from_the_cache(specs: Path, cache: Path) -> None:
    edit(specs / "heart_disease.yaml", "approval: never", "approval: required")
    edit(specs / "heart_disease.yaml", "users: []", "users: [ann]")
    spec, first = load_spec(specs / "heart_disease.yaml"), only()
    assert first == only() and len([*cache.iterdir()]) == 1
    assert (first.path, first.name, first.identifier) == (spec.path, spec.name, spec.identifier)
    assert (first.title, first.owner, first.candidates) == (spec.title, spec.owner, [*spec.candidates])
    assert (first.approval, first.approvers, first.hours_to_answer) == ("required", ["ann"], 20)
    for starts, schedule in ((first.schedule, spec.schedule), (first.housekeeping, spec.housekeeping)):
        assert starts and schedule
        assert (starts.cron, starts.timezone, starts.interval) == (schedule.cron, schedule.timezone, schedule.interval)


def test_what_was_kept_costs_neither_yaml_nor_pydantic(specs: Path) -> None:
    costly = {
        "yaml",
        "pydantic.main",
        "model_release.spec.model",
        "model_release.spec.load",
        "model_release.documents.base",
    }
    cold, imported = in_a_process()
    assert costly <= {*imported}
    warm, imported = in_a_process()
    assert warm == cold and not costly & {*imported}


def test_an_edited_spec_is_read_anew(specs: Path) -> None:
    assert only().title == "Heart disease"
    edit(specs / "heart_disease.yaml", "title: Heart disease", "title: Hearts")
    assert only().title == "Hearts"


@pytest.mark.parametrize("written", ["${MLFLOW_TRACKING_URI}", r"\x24{MLFLOW_TRACKING_URI}"])
def test_another_environment_is_another_answer_and_its_values_are_kept_nowhere(
    written: str, specs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(specs / "heart_disease.yaml", '"${MLFLOW_TRACKING_URI}"', f'"{written}"')
    assert not only().has_mlflow_pages
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann:hunter2@mlflow.example.org")
    assert only().has_mlflow_pages
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "s3://bucket/mlruns")
    (refused,) = summaries(Path())
    assert isinstance(refused, SpecError) and "not in a bucket" in str(refused)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert not only().has_mlflow_pages
    assert not any("hunter2" in kept.read_text() for kept in cache.iterdir())


def test_every_module_that_reads_specs_counts_as_its_code(specs: Path) -> None:
    _, imported = in_a_process("import model_release.spec.load\n" + TELL)
    places = [name.split(".")[1:] for name in imported if name.partition(".")[0] == "model_release"]
    ours = {"/".join([*place, "__init__"] if PACKAGE.joinpath(*place).is_dir() else place) for place in places}
    assert ours - {"local_cache"} == {*module._CODE}


def test_another_code_is_another_answer(specs: Path, tmp_path: Path) -> None:
    package = tmp_path / "checkout" / "model_release"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    ((told,), _) = in_a_process(package=package)
    assert told["hours_to_answer"] == 20
    edit(specs / "heart_disease.yaml", "  hours: 20", "  # hours: 20")
    ((told,), _) = in_a_process(package=package)
    assert told["hours_to_answer"] == 20
    edit(package / "spec" / "model.py", "hours: float = Field(20", "hours: float = Field(7.5")
    ((told,), _) = in_a_process(package=package)
    assert told["hours_to_answer"] == 7.5


def test_a_process_whose_code_was_changed_under_it_keeps_nothing(
    specs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOADED", "older")
    assert only().title == "Heart disease"
    assert [*cache.iterdir()] == []


def test_code_that_changes_while_it_is_loaded_leaves_nothing_behind(
    specs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter([module._LOADED, "newer"])
    monkeypatch.setattr(module, "_code_on_disk", lambda: next(states))
    assert only().title == "Heart disease"
    assert [*cache.iterdir()] == []


def empty(kept: Path) -> None:
    kept.write_bytes(b"")


def torn(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes()[:-20])


def altered(kept: Path) -> None:
    kept.write_bytes(kept.read_bytes().replace(b"Heart disease", b"Hurt disease!"))


@pytest.mark.parametrize("damage", [empty, torn, altered])
def test_what_is_damaged_counts_as_not_there_and_is_made_good(
    damage: Callable[[Path], None], specs: Path, cache: Path
) -> None:
    first = only()
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    damage(kept)
    assert only() == first
    assert kept.read_bytes() == whole


def test_what_was_kept_for_one_spec_says_nothing_of_another(specs: Path, cache: Path) -> None:
    (specs / "other.yaml").write_text(SHIPPED.replace("name: heart-disease ", "name: other ", 1))
    first = [*summaries(Path())]
    one, two = cache.iterdir()
    ones = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(ones)
    assert [*summaries(Path())] == first


def open_to_others(cache: Path) -> None:
    cache.chmod(0o770)


def of_another_user(cache: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    os.chown(cache, 1, 1)


def elsewhere(cache: Path) -> None:
    cache.rename(cache.with_name("moved"))
    cache.symlink_to("moved")


@pytest.mark.parametrize("spoil", [open_to_others, of_another_user, elsewhere])
def test_a_folder_that_others_could_write_to_is_neither_read_nor_written(
    spoil: Callable[[Path], None], specs: Path, cache: Path
) -> None:
    first = only()
    (kept,) = cache.iterdir()
    kept.write_bytes(b"whatever")
    spoil(cache)
    assert only() == first
    assert [each.read_bytes() for each in cache.iterdir()] == [b"whatever"]


@pytest.mark.parametrize("root", ["/proc/nothing/can/be/made/here", "/dev/null", "relative"])
def test_without_a_folder_that_can_be_used_specs_are_read(
    root: str, specs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, root)
    monkeypatch.chdir(tmp_path)
    assert only() == only()
    assert {each.name for each in tmp_path.iterdir()} == {"specs"}


def test_a_full_disk_keeps_nothing_and_leaves_nothing(
    specs: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert only().title == "Heart disease"
    assert [*cache.iterdir()] == []


def test_processes_at_once_agree(specs: Path, cache: Path) -> None:
    for number in range(40):
        (specs / f"model_{number}.yaml").write_text(
            SHIPPED.replace("name: heart-disease ", f"name: model-{number} ", 1)
        )
    env = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    started = [
        subprocess.Popen([sys.executable, "-c", TELL], stdout=subprocess.PIPE, text=True, env=env) for _ in range(4)
    ]
    told = [json.loads(each.communicate()[0])[0] for each in started]
    assert [each.returncode for each in started] == [0] * 4
    assert all(each == told[0] for each in told) and len(told[0]) == 41
    assert len([*cache.iterdir()]) == 41 and all(len(each.name) == 64 for each in cache.iterdir())


def test_a_broken_spec_is_explained_each_time_and_hurts_no_other(specs: Path, cache: Path) -> None:
    broken = specs / "broken.yaml"
    broken.write_text(SHIPPED.replace("cross_validation:", "cross_validaton:", 1))
    line = SHIPPED[: SHIPPED.index("cross_validation: #")].count("\n") + 1
    for _ in range(2):
        refused, told = summaries(Path())
        assert isinstance(refused, SpecError) and isinstance(told, Summary)
        assert refused.where == str(broken)
        assert f"line {line}: gate.cross_validaton: unknown key; did you mean 'cross_validation'?" in str(refused)
    assert len([*cache.iterdir()]) == 1


def test_what_nobody_asks_for_goes_and_what_is_asked_for_stays(specs: Path, cache: Path) -> None:
    gone, stays, new = (specs / f"{name}.yaml" for name in ("gone", "heart_disease", "new"))
    gone.write_text(SHIPPED.replace("name: heart-disease ", "name: gone ", 1))
    assert len([*summaries(Path())]) == 2
    kept = {*cache.iterdir()}
    (cache / ".unfinished").write_bytes(b"")
    long_ago = time.time() - 8 * 24 * 60 * 60
    for each in cache.iterdir():
        os.utime(each, (long_ago, long_ago))
    gone.unlink()
    assert only().path == stays.resolve()
    assert len([*cache.iterdir()]) == 3, "nothing is removed at a parse that keeps nothing"
    new.write_text(SHIPPED.replace("name: heart-disease ", "name: new ", 1))
    assert len([*summaries(Path())]) == 2
    assert len([*cache.iterdir()]) == 2 and len(kept & {*cache.iterdir()}) == 1


HEAVY = ("sklearn", "pandas", "numpy", "scipy", "pyarrow", "mlflow")


def test_reading_a_spec_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pathlib import Path; from model_release.spec.load import load_spec;"
        f"load_spec(Path({str(MODELS / 'heart_disease.yaml')!r}));"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
