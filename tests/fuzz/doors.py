"""The doors of the package, each as a function of bytes that returns whether they were taken.

A door refuses by an error of the package, or a status of HTTP or of the command, with words. Any other exception is a
crash, and words without a meaning are an unclear error.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from model_release import cli
from model_release.client.promises import Promised, Resolved
from model_release.documents import layout
from model_release.documents.manifest import Claim, read_manifest
from model_release.documents.pointer import Pointer
from model_release.documents.version import FIRST
from model_release.errors import ModelReleaseError
from model_release.serving.application import application
from model_release.serving.live import Live
from model_release.serving.served import open_release
from model_release.signing import SigningKey, sign, verify
from model_release.spec.load import load_spec
from support.release_builder import make
from support.servable_releases import ROW, version_folder
from support.signing_keys import pem_of, private_key
from support.tiny_dataset import BEETLES, HEADER, ROWS, Farm

GOLDEN = Path(__file__).parents[1] / "golden"
SPECS = Path(__file__).parents[2] / "include/models"

_MODEL = "heart-disease-models"

_UNCLEAR = ("Traceback", " object at 0x", "NoneType", "codec can't", "unexpected keyword")


class Unclear(Exception):
    """An error whose words say nothing to a person."""


@dataclass(frozen=True)
class Door:
    """One door: samples that it takes, or nearly, and what takes them.

    Attributes:
        samples: bodies to change.
        enter: returns whether a body was taken.
        slow: how many times fewer inputs it gets than a quick one.
    """

    samples: Sequence[bytes]
    enter: Callable[[bytes], bool]
    slow: int = 1


def check_words(words: str) -> None:
    """Check that an error says something.

    Raises:
        Unclear: it does not.
    """
    if not words.strip() or any(each in words for each in _UNCLEAR):
        raise Unclear(words[:300])


def _by_errors(take: Callable[[bytes], object]) -> Callable[[bytes], bool]:
    def enter(body: bytes) -> bool:
        try:
            take(body)
        except ModelReleaseError as error:
            check_words(error.what)
            return False
        return True

    return enter


@contextmanager
def doors(scratch: Path) -> Iterator[dict[str, Door]]:
    """Give each door by its name; files are written below `scratch` alone."""
    with _service(scratch / "release") as routes:
        yield {
            "spec YAML": _spec(scratch / "spec.yaml"),
            "CSV": _table(scratch / "csv", "dt=2026-10-01/beetles.csv", (HEADER + ROWS).encode()),
            "Parquet": _table(scratch / "parquet", "dt=2026-10-01/beetles.parquet", _parquet()),
            "metadata.json": _documents("v*/metadata.json", read_manifest, Promised.read),
            "claim.json": _documents("v*/claim.json", Claim.read),
            "latest.json": _documents("latest.json", Pointer.read, Resolved.read),
            "model.sig": _signature(scratch / "signed"),
            **routes,
            "arguments": _arguments(scratch),
        }


def _spec(path: Path) -> Door:
    def read(body: bytes) -> None:
        path.write_bytes(body)
        load_spec(path)

    return Door([each.read_bytes() for each in sorted(SPECS.rglob("*.yaml"))], _by_errors(read))


def _parquet() -> bytes:
    table = pa.table(
        {"length": [1.0, 2.0], "weight": [2, 3], "colour": ["red", "blue"], "spots": [1, 2], "garden": ["north"] * 2}
        | {"pest": [0, 1]}
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


def _table(folder: Path, name: str, sample: bytes) -> Door:
    def ingest(body: bytes) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        farm = Farm(folder)
        if name.endswith(".parquet"):
            farm.with_spec(BEETLES.replace("  source: beetles\n", "  source: beetles\n  format: parquet\n"))
        farm.deliver(name, body)
        farm.load(farm.ingest())

    return Door([sample], _by_errors(ingest), slow=10)


def _documents(pattern: str, *readers: Callable[..., object]) -> Door:
    """A stored document: its readers all take it, or the first one refuses it."""

    def read(body: bytes) -> None:
        for each in readers:
            each(body, where="there")

    return Door([each.read_bytes() for each in sorted(GOLDEN.glob(f"*/{pattern}"))], _by_errors(read))


def _signature(folder: Path) -> Door:
    key = SigningKey.read(pem_of(private_key()), where="the fuzzer")
    folder.mkdir()
    made = make(folder, "signed")
    place = made.folder.rename(folder / _MODEL)
    (place / layout.MANIFEST).write_bytes(made.draft.to_bytes())
    trust = folder / "trust.pem"
    trust.write_bytes(key.trust)

    def check(body: bytes) -> None:
        (place / layout.SIGNATURE).write_bytes(body)
        verify(place, trust, model=_MODEL, version=FIRST)

    return Door([sign(place, key)], _by_errors(check), slow=5)


@contextmanager
def _service(folder: Path) -> Iterator[dict[str, Door]]:
    served = open_release(*version_folder(folder, 0.1), None, allow_pickle=False)
    with TestClient(application(Live(served), limit=100_000), raise_server_exceptions=True) as asking:

        def door(path: str, kind: str, *samples: Any) -> Door:
            def enter(body: bytes) -> bool:
                answer = asking.post(path, content=body, headers={"Content-Type": kind})
                if answer.status_code != 200:
                    check_words(answer.json()["error"])
                if answer.status_code >= 500:
                    raise AssertionError(f"status {answer.status_code}")
                return answer.status_code == 200

            return Door([each if isinstance(each, bytes) else json.dumps(each).encode() for each in samples], enter)

        tensors = [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in ROW.items()]
        split = {"columns": [*ROW], "data": [[*ROW.values()]]}
        table = "\n".join([",".join(ROW), ",".join(map(str, ROW.values()))]).encode()
        yield {
            "/predict": door("/predict", "application/json", ROW, [ROW, ROW]),
            "/invocations": door("/invocations", "application/json", {"dataframe_split": split}, {"inputs": [ROW]}),
            "/invocations, CSV": door("/invocations", "text/csv; header=present", table),
            "/v2": door("/v2/models/heart-disease/infer", "application/json", {"id": "1", "inputs": tensors}),
        }


def _arguments(scratch: Path) -> Door:
    """Commands with one model, which is not there: what they read of their arguments is what is tried."""
    there = (scratch / "nowhere").as_uri()
    lines = [
        f"status {there}", f"show {there} v1.0.0 --json", f"verify {there} --all", f"history {there} --at 2026-01-01",
        f"pull {there} --to {scratch / 'to'} --version v1.0.0 --max-age 3d --min-epoch 4",
        f"rollback {there} --reason why --to v1.0.0 --epoch 3", f"list {there} -q", f"diff {there} v1.0.0 v1.1.0",
        f"lint {SPECS / 'heart_disease.yaml'} --no-data", f"prune {there} --keep-last 3 --dry-run",
    ]  # fmt: skip

    def enter(body: bytes) -> bool:
        try:
            words = shlex.split(body.decode(errors="replace").replace("\0", " "))
        except ValueError:
            return False
        if words[:1] in (["serve"], ["watch"]):
            return False  # they run until they are stopped
        ended = CliRunner().invoke(cli.app, words)
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        if ended.exit_code:
            check_words(ended.output)
        return ended.exit_code == 0

    return Door([each.encode() for each in lines], enter, slow=5)
