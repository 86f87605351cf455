"""How long the Releases page takes to open in a browser, and how many requests to the store, as the versions grow.

Beside it, in the same Chromium: the page of a registered model in MLflow's own UI, on a server with as many versions.
Both servers run here, with their data on this disk. A page is open once it shows the newest version's number. Each look
is made by a browser that has nothing in its cache; the first one also finds the memory of Airflow's API server empty.

    PYTHONPATH=include:tests python -m benchmarks.page
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser

from benchmarks import reporting
from emulators.mlflow_server import mlflow_server
from model_release.documents import layout
from model_release.documents.version import FIRST, Bump
from model_release.releases.overview import Overview
from model_release.releases.store import ReleaseStore
from model_release.spec.summary import SPECS_VARIABLE
from model_release.stores.local import LocalStore
from scripts.airflow_home import USER, AirflowHome
from scripts.local_airflow import LocalAirflow
from support.airflow_homes import SPARING
from support.browser import browser, logged_in
from support.quick_specs import quick_spec
from support.release_builder import Chain, make

SIZES = (10, 100, 1_000, 10_000)


def main() -> None:
    """Measure and print the table."""
    parser = reporting.parser("page", __doc__, quick="ten versions, one look")
    parser.add_argument("--looks", type=int, default=7, help="at each page, after the first")
    options = parser.parse_args()
    sizes, looks = (SIZES[:1], 1) if options.quick else (SIZES, options.looks)
    with tempfile.TemporaryDirectory(prefix="benchmark-page-") as name:
        folder = Path(name)
        ours, theirs = _airflow(folder, sizes, looks), _mlflow(folder, sizes, looks)
    heads = ("versions", "releases page, first, s", "again, s", "requests first", "again", "MLflow, s", "times")
    table = reporting.table("opening the page of a model", *heads, words=0)
    for size in sizes:
        mine, other = ours[size], theirs[size]
        figures = f"{mine['first']:.2f}", f"{mine['again']:.2f}", f"{mine['requests']}", f"{mine['later']}"
        table.add_row(f"{size:,}", *figures, f"{other:.2f}", f"{other / mine['again']:.1f}")
    reporting.console().print(table)
    reporting.keep(options, {"ours": ours, "mlflow": theirs})


def _model(size: int) -> str:
    return f"model-{size}"


def grown(home: LocalStore, size: int, folder: Path) -> None:
    """Fill a folder with so many releases, each live for a while: one real one, and its copies under other numbers."""
    Chain(home).release(make(folder, "first"))
    pointer = json.loads((home.root / layout.POINTER).read_bytes())
    manifest, claim = ((home.root / f"v1.0.0/{name}").read_bytes() for name in (layout.MANIFEST, layout.CLAIM))
    for number in range(1, size):
        version = str(FIRST.next(Bump.MINOR, number))
        at = home.root / version
        at.mkdir()
        (at / layout.CLAIM).write_bytes(claim)
        (at / layout.MANIFEST).write_bytes(manifest.replace(b'"1.0.0"', f'"{version[1:]}"'.encode()))
        change = pointer["change"] | {"from": pointer["version"], "to": version, "kind": "promote"}
        pointer |= {"epoch": number + 1, "since": number + 1, "version": version, "previous": pointer["version"]}
        pointer["change"] = change
        (home.root / layout.log_entry(number + 1)).write_text(json.dumps(pointer))
    (home.root / layout.POINTER).write_text(json.dumps(pointer))


def _airflow(folder: Path, sizes: tuple[int, ...], looks: int) -> dict[int, dict[str, Any]]:
    specs = folder / "specs"
    specs.mkdir()
    home = AirflowHome(var=folder / "var", extra={SPECS_VARIABLE: str(specs), **SPARING})
    home.prepare()
    found: dict[int, dict[str, Any]] = {}
    for size in sizes:
        path = quick_spec(specs, "heart_disease", name=_model(size), schedule=None, tracking=None)
        path.rename(specs / f"{_model(size)}.yaml")
        store = LocalStore(home.store / f"{_model(size)}-models")
        grown(store, size, folder / f"made-{size}")
        overview = Overview(ReleaseStore(store))
        _look(overview)
        first = overview.memory.requests
        _look(overview)
        found[size] = {"requests": first, "later": overview.memory.requests - first}
    with LocalAirflow(home) as airflow, browser() as running:
        for size in sizes:
            airflow.wait_for_dag(f"retrain_model_{size}")
        page = logged_in(running, airflow.rest.url, USER, home.password)
        state: Any = page.context.storage_state()
        for size in sizes:
            url = f"{airflow.rest.url}/model-releases/retrain_model_{size}/"
            opened = _opened(running, url, f"v1.{size - 1}.0 is live", looks + 1, storage_state=state)
            found[size] |= {"first": opened[0], "again": median(opened[1:])}
    return found


def _look(overview: Overview) -> None:
    """Read what the page of a model shows first."""
    pointer = overview.glance().pointer
    if pointer is not None:
        overview.back(pointer)


def _mlflow(folder: Path, sizes: tuple[int, ...], looks: int) -> dict[int, float]:
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    database = f"sqlite:///{folder}/mlflow.db"
    store = SqlAlchemyStore(database)
    for size in sizes:
        store.create_registered_model(_model(size))
        store.create_model_version(_model(size), source="mlflow-artifacts:/models/m-0/artifacts")
        _copied(folder / "mlflow.db", _model(size), size)
    found = {}
    with mlflow_server(database, str(folder / "artifacts")) as server, browser() as running:
        for size in sizes:
            url = f"{server.url}/#/models/{_model(size)}"
            found[size] = median(_opened(running, url, f"Version {size}", looks + 1)[1:])
    return found


def _copied(database: Path, model: str, size: int) -> None:
    """Give a registered model so many versions: copies of its first, since MLflow's own calls take minutes."""
    with closing(sqlite3.connect(database)) as connection, connection:
        found = connection.execute("SELECT * FROM model_versions WHERE name = ?", [model])
        place = [each[0] for each in found.description].index("version")
        first = found.fetchone()
        rows = [(*first[:place], number, *first[place + 1 :]) for number in range(2, size + 1)]
        marks = ", ".join("?" * len(first))
        connection.executemany(f"INSERT INTO model_versions VALUES ({marks})", rows)  # noqa: S608


def _opened(running: Browser, url: str, words: str, looks: int, **context: Any) -> list[float]:
    """Return the seconds until a page shows its words, for each look."""
    seconds = []
    for _ in range(looks):
        with running.new_context(**context) as empty:
            page = empty.new_page()
            began = time.perf_counter()
            page.goto(url, wait_until="commit")
            page.wait_for_function(_SHOWS, arg=words, polling=10, timeout=120_000)
            seconds.append(time.perf_counter() - began)
    return seconds


_SHOWS = "words => document.body && document.body.innerText.replace(/\\s+/g, ' ').includes(words)"

if __name__ == "__main__":
    main()
