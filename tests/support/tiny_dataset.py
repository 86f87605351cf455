"""A dataset in miniature: a source and a store on a disk, and a spec that joins them. Tests of `dataset` begin here."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from model_release.modelling import dataset
from model_release.modelling.dataset import Rows, Snapshot
from model_release.spec.load import load_spec
from model_release.spec.model import Spec
from model_release.stores.local import LocalStore

BEETLES = """\
name: beetles
title: Beetles
owner: garden
dataset:
  title: Beetles
  source: beetles
  partitions: increments
  columns:
    length: {kind: numeric, min: 0, max: 9, missing_values: [-1]}
    weight: {kind: numeric, nullable: true, missing_values: [0]}
    colour: {kind: categorical, input: false, values: [red, blue], nullable: true}
    spots: {kind: categorical, values: [1, 2, 7]}
    garden: {kind: categorical, values: [north, south], input: false}
  target: {column: pest, positive_above: 0, positive: pest, negative: guest, min: 0, max: 4}
candidates:
  simple: {estimator: LogisticRegression}
gate:
  cross_validation: {accuracy: 0.8}
destinations:
  - {name: local, uri: "${STORE}"}
"""
HEADER = "length,weight,colour,spots,garden,pest\n"
ROWS = "1.0,2,red,1,north,0\n2,3,blue,2,south,1\n3,?,red,7,north,2\n"
FIRST, SECOND = "dt=2026-10-01/beetles.csv", "dt=2026-10-08/beetles.csv"
LATE = date(2026, 12, 31)


class Farm:
    """A source and a dataset folder on a disk, and the spec that joins them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = LocalStore(folder / "beetles")
        self.data = LocalStore(folder / "datasets")
        self.spec = self.with_spec(BEETLES)

    def with_spec(self, text: str) -> Spec:
        path = self.folder / "beetles.yaml"
        path.write_text(text)
        self.spec = load_spec(path)
        return self.spec

    def deliver(self, path: str, content: str | bytes) -> None:
        target = self.source.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def ingest(self, as_of: date = LATE) -> Snapshot:
        return dataset.ingest(self.spec, source=self.source, data=self.data, as_of=as_of)

    def load(self, snapshot: Snapshot) -> Rows:
        return dataset.load(self.spec, snapshot, data=self.data)

    def keys(self, prefix: str = "") -> list[str]:
        return [entry.key for entry in self.data.list(prefix)]
