"""Files as teams have them: one table of customers who stay or leave, delivered in the ways that go wrong elsewhere."""

from __future__ import annotations

import csv
import io
import math
import random
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from model_release.errors import DataInvalid
from model_release.modelling import dataset
from model_release.modelling.dataset import Rows, Snapshot
from model_release.spec.load import parse_spec
from model_release.spec.model import Spec
from model_release.spec.transfer import TransferSettings
from model_release.stores import open_store
from model_release.stores.local import LocalStore

HEADER = ["tenure", "spend", "plan", "gone"]
DAYS = [f"dt=2026-11-0{day}" for day in range(1, 6)]
ID = "{kind: integer, input: false}"
WORDS = '{column: gone, classes: {"1": leaves, "0": stays}, positive: "1"}'

Cells = list[list[object]]


def customers(count: int = 300) -> Cells:
    """Rows of tenure, spend, plan and whether the customer left; the shorter the tenure, the likelier."""
    chance = random.Random(7)  # noqa: S311 - made-up rows, no secret
    rows: Cells = []
    for _ in range(count):
        tenure = chance.randint(0, 90)
        left = int(chance.random() < 1 / (1 + math.exp(0.06 * (tenure - 30))))
        rows.append([tenure, round(chance.uniform(5, 120), 2), chance.choice(["basic", "plus", "pro"]), left])
    return rows


class Source:
    """A source of churn data on a disk, and the dataset's store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "source"
        self.data = LocalStore(folder / "data")

    def deliver(self, path: str, rows: Cells, header: Sequence[str] = HEADER) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([header, *rows])
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.getvalue(), encoding="utf-8")

    def spec(self, *, target: str = WORDS, columns: dict[str, str] | None = None, keys: str = "") -> Spec:
        kinds = {
            "tenure": "{kind: numeric}",
            "spend": "{kind: numeric}",
            "plan": "{kind: categorical, values: [basic, plus, pro]}",
            **(columns or {}),
        }
        keys = keys if "partitions" in keys else f"partitions: increments, {keys}"
        listed = ", ".join(f"{name}: {kind}" for name, kind in kinds.items())
        text = f"""\
name: churn
title: Churn
owner: team
dataset: {{title: Churn, source: "{self.folder}", {keys} columns: {{{listed}}}, target: {target}}}
candidates: {{simple: {{estimator: LogisticRegression}}}}
gate: {{cross_validation: {{accuracy: 0.5}}}}
destinations: [{{name: local, uri: "file:///nowhere"}}]
"""
        return parse_spec(text.encode(), self.folder / "churn.yaml")

    def ingest(self, spec: Spec) -> tuple[Snapshot, Rows]:
        source = open_store(self.folder.as_uri(), TransferSettings().for_reading())
        snapshot = dataset.ingest(spec, source=source, data=self.data, as_of=date(2026, 11, 30))
        return snapshot, dataset.load(spec, snapshot, data=self.data)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """An empty source."""
    return Source(tmp_path)


def test_coarse_rows_are_kept_and_the_holdout_is_like_the_rest(source: Source) -> None:
    """Few distinct rows, each with both labels: a split that saw the label would set one of them apart."""
    chance = random.Random(3)  # noqa: S311 - made-up rows, no secret
    plans = [("basic", 0.7), ("pro", 0.2)]
    drawn = [(chance.choice([1, 2, 3]), *chance.choice(plans)) for _ in range(1300)]
    source.deliver(f"{DAYS[0]}/a.csv", [[n, 0, plan, int(chance.random() < leaves)] for n, plan, leaves in drawn])
    spec = source.spec()

    snapshot, rows = source.ingest(spec)
    training, holdout = dataset.rows_apart(spec, rows)

    assert snapshot.rows == 1300
    assert len(holdout) / 1300 == pytest.approx(0.2, abs=0.03)
    assert rows.target[holdout].mean() == pytest.approx(rows.target[training].mean(), abs=0.1)


def full_exports(source: Source) -> None:
    people = customers(400)
    for day, name in enumerate(DAYS, 1):
        rows = [
            [n, tenure, float(str(spend)) * (1 + 0.002 * day), *rest] for n, (tenure, spend, *rest) in enumerate(people)
        ]
        source.deliver(f"{name}/a.csv", rows, ["customer", *HEADER])


def test_daily_exports_of_the_whole_table_stop_and_ask(source: Source) -> None:
    full_exports(source)

    with pytest.raises(DataInvalid, match="repeats dt=2026-11-01: 100% of its values of customer are there already"):
        source.ingest(source.spec(columns={"customer": ID}))


@pytest.mark.parametrize("keys", ["partitions: snapshots,", "rows: {key: customer},"])
def test_daily_exports_of_the_whole_table_count_once_where_the_spec_says_what_they_are(
    source: Source, keys: str
) -> None:
    full_exports(source)

    snapshot, rows = source.ingest(source.spec(columns={"customer": ID}, keys=keys))

    assert snapshot.rows == 400
    assert rows.frame["spend"].sum() == pytest.approx(sum(float(str(row[1])) * 1.01 for row in customers(400)))


def test_neighbouring_ids_beyond_2_to_the_53_are_two_customers(source: Source) -> None:
    rows: Cells = [[2**53 + n, *row] for n, row in enumerate(customers())]
    source.deliver(f"{DAYS[0]}/a.csv", rows, ["account", *HEADER])

    snapshot, found = source.ingest(source.spec(columns={"account": ID}, keys="rows: {key: account},"))

    assert (snapshot.rows, snapshot.superseded) == (300, 0)
    assert found.frame["account"].tolist() == [str(row[0]) for row in rows]


def test_values_that_overflow_are_findings_by_line(source: Source) -> None:
    source.deliver(f"{DAYS[0]}/a.csv", [*customers(), [1e160, 10, "basic", 0], [3, 1e300, "pro", 1]])

    with pytest.raises(DataInvalid) as caught:
        source.ingest(source.spec())

    assert [(each["row"], each["column"]) for each in caught.value.report] == [(302, "tenure"), (303, "spend")]


@pytest.mark.parametrize(
    ("labels", "target"),
    [
        (("no", "yes"), '{column: gone, classes: {"yes": leaves, "no": stays}, positive: "yes"}'),
        ((False, True), "{column: gone, classes: {true: leaves, false: stays}, positive: true}"),
    ],
)
def test_labels_in_words_and_booleans_are_the_same_classes(
    source: Source, labels: tuple[object, object], target: str
) -> None:
    source.deliver(f"{DAYS[0]}/a.csv", [[*row[:3], labels[int(str(row[3]))]] for row in customers()])

    _, rows = source.ingest(source.spec(target=target))

    assert rows.target.tolist() == [row[3] for row in customers()]


def test_an_index_an_id_and_a_date_that_nobody_declared_are_ignored(source: Source) -> None:
    rows: Cells = [[n, f"C-{n:05}", "2026-10-30", *row] for n, row in enumerate(customers())]
    source.deliver(f"{DAYS[0]}/a.csv", rows, ["", "customer", "signup", *HEADER])

    snapshot, found = source.ingest(source.spec(keys="others: ignore,"))

    assert snapshot.rows == 300
    assert list(found.frame.columns) == HEADER[:3]


def bad_cell(source: Source) -> None:
    source.deliver(f"{DAYS[0]}/a.csv", customers())
    source.deliver(f"{DAYS[1]}/a.csv", [*customers(340)[300:], ["oops", 10, "basic", 0]])
    source.deliver(f"{DAYS[2]}/a.csv", customers(380)[340:])


def test_one_bad_cell_costs_one_row_of_that_night_and_of_all_that_follow(source: Source) -> None:
    bad_cell(source)

    snapshot, _ = source.ingest(source.spec(keys="rows: {invalid: drop},"))

    assert (snapshot.rows_read, snapshot.rows, snapshot.set_aside) == (381, 380, 1)
    assert snapshot.news[0].startswith("1 of 381 rows break a rule and are set aside: processed/set-aside-")


def test_a_file_that_is_left_out_does_not_end_the_nights_after_it(source: Source) -> None:
    bad_cell(source)

    snapshot, _ = source.ingest(source.spec(keys=f"leave_out: {{{DAYS[1]}/a.csv: a broken export}},"))

    assert snapshot.rows == 340
    assert f"{DAYS[1]}/a.csv left out: the spec leaves it out: a broken export" in snapshot.news
