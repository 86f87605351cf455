"""Whether a release opens: real forms, broken ones, and pickles that try what a model has no business to do."""

from __future__ import annotations

import contextlib
import os
import pickle
import platform
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from model_release.documents.base import sha256_of
from model_release.documents.golden import Golden
from model_release.documents.manifest import FileEntry, InputColumn, Manifest
from model_release.errors import Refused
from model_release.model_files import isolation, opening, sandbox
from support.release_builder import make

PICKLES = ["best_model.pkl", "preprocessor.pkl", "golden.json"]


def release(folder: Path, manifest: Manifest, **bodies: bytes | None) -> tuple[Path, Manifest]:
    """The files of a release elsewhere, some of them others or left out; `_` stands for a dot in their names."""
    for entry in manifest.files:
        body: bytes | None = bodies.get(entry.path.replace(".", "_"), b"")
        if body is not None:
            (folder / entry.path).write_bytes(body)
    left = [promised(folder / entry.path) for entry in manifest.files if (folder / entry.path).exists()]
    return folder, manifest.model_copy(update={"files": left})


def promised(path: Path) -> FileEntry:
    """What a manifest says of this file."""
    body = path.read_bytes()
    return FileEntry(path=path.name, size=len(body), sha256=sha256_of(body))


class Says:
    """Pickled, it is an expression that is evaluated when it is loaded."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (self.expression,)


def pipeline(folder: Path, expression: str) -> tuple[Path, Manifest]:
    manifest = make(folder, "made-up").draft
    return release(folder, manifest, best_model_pkl=pickle.dumps(Says(expression)), preprocessor_pkl=pickle.dumps(None))


def test_a_real_release_loads_and_the_asker_stays_light(trained: tuple[Path, Manifest], tmp_path: Path) -> None:
    folder, manifest = trained
    (tmp_path / "metadata.json").write_bytes(manifest.to_bytes())
    program = (
        "import sys; from pathlib import Path; from model_release.documents.manifest import Manifest; "
        "from model_release.model_files import sandbox; "
        f"body = Path({str(tmp_path)!r}, 'metadata.json').read_bytes(); "
        f"sandbox.tries(Path({str(folder)!r}), Manifest.read(body, where='')); "
        "print([name for name in ('sklearn', 'onnxruntime', 'numpy', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_pickled_pipeline_is_tried_where_there_is_no_onnx_or_a_broken_one(
    trained: tuple[Path, Manifest], tmp_path: Path
) -> None:
    folder, manifest = trained
    assert list(opening.forms(manifest)) == ["onnx", "pickle"]
    good = {name.replace(".", "_"): (folder / name).read_bytes() for name in PICKLES}
    broken, without = tmp_path / "broken", tmp_path / "without"
    for each in (broken, without):
        each.mkdir()
    sandbox.tries(*release(broken, manifest, model_onnx=b"no graph", **good))
    pair = release(without, manifest, model_onnx=None, **good)
    assert list(opening.forms(pair[1])) == ["pickle"]
    sandbox.tries(*pair)


def test_where_no_form_loads_each_one_is_named_with_its_reason(trained: tuple[Path, Manifest], tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        sandbox.tries(*release(tmp_path, trained[1], model_onnx=b"no graph", best_model_pkl=b"\x80\x05N."))
    said = str(caught.value)
    assert "no form of v1.0.0 loads here\n  model.onnx: Corrupt: " in said
    assert "\n  best_model.pkl with preprocessor.pkl: EOFError: " in said
    assert f"made with Python {platform.python_version()}, scikit-learn 1.9.1" in said


def test_a_release_without_any_known_form_is_refused(tmp_path: Path) -> None:
    manifest = make(tmp_path, "a").draft.model_copy(update={"files": []})
    with pytest.raises(Refused, match="it has none that is known"):
        sandbox.tries(tmp_path, manifest)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("__import__('socket').create_connection(('127.0.0.1', 9))", "a model that is loaded needs no network"),
        ("__import__('os').environ['AWS_SECRET_ACCESS_KEY']", "KeyError: 'AWS_SECRET_ACCESS_KEY'"),
        ("__import__('os').kill(__import__('os').getpid(), 11)", "ended by signal 11"),
        ("__import__('time').sleep(60)", "not loaded within 3 s"),
        ("__import__('no_such_package')", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("__import__('airflow.sdk')", "No module named 'airflow' where this form is served"),
        ("__import__('mlflow')", "No module named 'mlflow' where this form is served"),
    ],
)
@pytest.mark.refuses("what a model does when it is opened")
def test_what_a_model_may_not_do(expression: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(sandbox, "SECONDS", 3.0)
    with pytest.raises(Refused, match=reason):
        sandbox.tries(*pipeline(tmp_path, expression))
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "secret"


def test_every_form_must_open_and_answer_as_it_did_in_training(trained: tuple[Path, Manifest], tmp_path: Path) -> None:
    folder, manifest = trained
    whole = {entry.path.replace(".", "_"): (folder / entry.path).read_bytes() for entry in manifest.files}
    sandbox.check(folder, manifest)
    sandbox.check(*release(tmp_path, manifest, **{**whole, "model_onnx": None}))
    golden = Golden.read(whole["golden_json"], where="")
    other = golden.model_copy(update={"probabilities": [each + 2e-5 for each in golden.probabilities]})
    with pytest.raises(Refused) as caught:
        sandbox.check(*release(tmp_path, manifest, **{**whole, "golden_json": other.to_bytes()}))
    for form in ("model.onnx", "best_model.pkl with preprocessor.pkl"):
        assert f"{form.split()[-1]}: ValueError: golden row 1 gets " in str(caught.value)


def test_one_form_that_answers_otherwise_is_enough_to_refuse(trained: tuple[Path, Manifest], tmp_path: Path) -> None:
    folder, manifest = trained
    whole = {entry.path.replace(".", "_"): (folder / entry.path).read_bytes() for entry in manifest.files}
    model = pickle.loads(whole["best_model_pkl"])  # noqa: S301 - trained a moment ago
    model.intercept_ += 0.01
    pair = release(tmp_path, manifest, **{**whole, "best_model_pkl": pickle.dumps(model)})
    sandbox.tries(*pair)  # a person may go to what one form can serve
    with pytest.raises(
        Refused, match=r"serve this model\n  best_model\.pkl with preprocessor\.pkl: ValueError: golden row"
    ):
        sandbox.check(*pair)


@pytest.mark.parametrize("package", ["airflow", "mlflow", "sklearn", "pandas", "onnx"])
def test_what_a_consumer_of_onnx_has_not_installed_is_not_there(package: str) -> None:
    program = (
        "import sys; from model_release.model_files import sandbox; "
        "sys.meta_path.insert(0, sandbox._NotInstalled(sandbox._ABSENT['onnx'])); import " + package
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert f"ModuleNotFoundError: No module named {package!r} where this form is served" in done.stderr


def test_a_graph_with_weights_in_other_files_is_refused(tmp_path: Path, trained: tuple[Path, Manifest]) -> None:
    graph = onnx.load(str(trained[0] / opening.ONNX_FILE))
    path = tmp_path / opening.ONNX_FILE
    onnx.save(graph, str(path), save_as_external_data=True, location="weights", size_threshold=0)
    manifest = trained[1].model_copy(update={"files": [promised(path)]})
    with pytest.raises(Refused, match=r"model\.onnx: Refused: .*is in another file"):
        sandbox.tries(tmp_path, manifest)


def test_the_made_up_row_lies_within_what_the_model_knows() -> None:
    columns = [
        InputColumn(name="age", kind="numeric", nullable=False, minimum=18, maximum=110),
        InputColumn(name="low", kind="numeric", nullable=False, minimum=3),
        InputColumn(name="free", kind="numeric", nullable=True),
        InputColumn(name="sex", kind="categorical", nullable=False, values=[0, 1]),
        InputColumn(name="site", kind="categorical", nullable=False, values=["va", "cleveland"]),
    ]
    assert opening.made_up_row(columns) == {
        "age": [64.0],
        "low": [3.0],
        "free": [0.0],
        "sex": [0.0],
        "site": ["va"],
    }


def unless(found: str) -> str:
    """Return an expression that fails in one way if another one is true, and otherwise in another."""
    return f"__import__('it_was_found' if {found} else 'it_was_not_found')"


ENVIRONMENTS = "b''.join(open(each, 'rb').read() for each in __import__('glob').glob('/proc/[0-9]*/environ'))"
NO_AUDIT = "__import__('ctypes').CDLL(None)"


@pytest.mark.parametrize(
    "expression",
    [
        f"b'MARK_OF_A_TEST' in {ENVIRONMENTS}",
        f"({NO_AUDIT}.umount2(b'/proc', 2), b'MARK_OF_A_TEST' in {ENVIRONMENTS})[1]",
        f"({NO_AUDIT}.unshare(0x10020000), {NO_AUDIT}.umount2(b'/proc', 2), b'MARK_OF_A_TEST' in {ENVIRONMENTS})[2]",
        "len([*filter(str.isdigit, __import__('os').listdir('/proc'))]) > 3",
    ],
)
@pytest.mark.refuses("what a model does when it is opened")
def test_the_environments_of_other_processes_are_out_of_sight(expression: str, tmp_path: Path) -> None:
    with subprocess.Popen(["/bin/sleep", "60"], env={"MARK_OF_A_TEST": "of-no-use"}) as other:
        try:
            with pytest.raises(Refused) as caught:
                sandbox.tries(*pipeline(tmp_path, unless(expression)))
        finally:
            other.kill()
    kept = isolation.Wall.PROCESSES in isolation.available()
    assert not (kept and "it_was_found" in str(caught.value))
    assert (isolation.Wall.PROCESSES in isolation.in_words().partition("; this machine")[0]) == kept


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
@pytest.mark.refuses("what a model does when it is opened")
def test_no_listener_is_reached_by_what_python_does_not_see(family: socket.AddressFamily, tmp_path: Path) -> None:
    with socket.socket(family) as listener:
        listener.bind(("127.0.0.1", 0) if family is socket.AF_INET else f"\0model-release-{os.getpid()}")
        listener.listen()
        if family is socket.AF_INET:
            address = struct.pack("=HH4s8x", family, socket.htons(listener.getsockname()[1]), b"\x7f\0\0\1")
        else:
            address = struct.pack("=H", family) + f"\0model-release-{os.getpid()}".encode()
        made = f"{NO_AUDIT}.socket({int(family)}, 1, 0)"
        reached = f"{NO_AUDIT}.connect({made}, {address!r}, {len(address)}) == 0"
        with pytest.raises(Refused) as caught:
            sandbox.tries(*pipeline(tmp_path, unless(reached)))
    kept = isolation.Wall.NETWORK in isolation.available()
    assert ("it_was_not_found" if kept else "it_was_found") in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        (unless("__import__('os').listdir(__import__('os').path.expanduser('~'))"), "it_was_not_found"),
        (unless("__import__('os').environ['HOME'] in ('/root', '/')"), "it_was_not_found"),
        ("len(b'x' * (1 << 40))", "MemoryError"),
        ("__import__('os')._exit(0)", "its process ended before it answered"),
        ("print('answered') or __import__('os')._exit(3)", "its process ended with 3"),
        ("open('file', 'wb').write(b'x' * (1 << 27))", "File too large"),
        ("__import__('os').abort()", "ended by signal 6"),
    ],
)
@pytest.mark.refuses("what a model does when it is opened")
def test_a_model_has_an_empty_home_and_limits(expression: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=reason):
        sandbox.tries(*pipeline(tmp_path, expression))


def running(command: str) -> list[int]:
    """Return the processes that were started by a command."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if each.read_bytes().replace(b"\0", b" ").strip() == command.encode():
                found.append(int(each.parent.name))
    return found


def stays(command: str) -> str:
    """Return an expression that starts a command in a session of its own, and does not end."""
    started = f"__import__('subprocess').Popen({command.split()!r}, start_new_session=True)"
    return f"({started}, __import__('time').sleep(60))"


@pytest.mark.refuses("what a model does when it is opened")
def test_what_a_model_starts_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 4.0)
    with pytest.raises(Refused, match="not loaded within 4 s"):
        sandbox.tries(*pipeline(tmp_path, stays("sleep 91.1")))
    check_ended("sleep 91.1")


@pytest.mark.refuses("what a model does when it is opened")
def test_what_a_model_starts_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    folder, manifest = pipeline(tmp_path, stays("sleep 91.2"))
    (tmp_path / "metadata.json").write_bytes(manifest.to_bytes())
    program = (
        "import sys; from pathlib import Path; from model_release.documents.manifest import Manifest; "
        "from model_release.model_files import sandbox; "
        f"body = Path({str(tmp_path)!r}, 'metadata.json').read_bytes(); "
        f"sandbox.tries(Path({str(folder)!r}), Manifest.read(body, where=''))"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as asker:
        wait_until(lambda: running("sleep 91.2"))
        asker.kill()
    check_ended("sleep 91.2")


def check_ended(command: str) -> None:
    """Check that a command has ended, if the machine gives a list of processes of its own; else end it."""
    if isolation.Wall.PROCESSES in isolation.available():
        wait_until(lambda: not running(command))
    for process in running(command):
        os.kill(process, signal.SIGKILL)


def wait_until(happened: Callable[[], object]) -> None:
    for _ in range(400):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def test_a_machine_that_gives_less_than_before_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "available", lambda: frozenset({"a moat"}))
    with pytest.raises(Refused, match="gave it no process with a moat, and did so before"):
        sandbox.tries(*pipeline(tmp_path, "None"))


def test_what_a_machine_does_not_give_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "available", frozenset)
    said = isolation.in_words()
    assert "no secret of the environment, an empty home, at most 120 s and 8 GiB" in said
    assert "this machine does not give it a network of its own or a list of processes of its own or no way" in said
