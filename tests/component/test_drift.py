"""Drift: nothing where nothing changed, whatever was changed on purpose, and words for what cannot be compared."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_release.documents.evaluation import Drift
from model_release.documents.version import Version
from model_release.modelling import dataset
from model_release.modelling.dataset import Rows
from model_release.modelling.drift import compare, holm, stability_index
from model_release.modelling.gate import drifted
from model_release.spec.gate import DriftPolicy
from model_release.spec.load import load_spec
from model_release.stores.local import LocalStore
from support import reference_model

LIVE = Version(1, 2, 0)
counts = st.lists(st.integers(0, 500), min_size=2, max_size=12)


def since(before: Rows, now: Rows) -> Drift:
    return compare(LIVE, before, now, reference_model.spec())


def moved(before: Rows, now: Rows) -> dict[str, str]:
    return drifted(since(before, now), DriftPolicy())


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.9, 0.8], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([], []),
    ],
)
def test_holm_s_correction_is_what_a_hand_computes(p_values: list[float], corrected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(corrected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_a_correction_only_raises_and_keeps_the_order(p_values: list[float]) -> None:
    found = holm(p_values)

    assert all(before <= after <= 1 for before, after in zip(p_values, found, strict=True))
    assert min(found) == pytest.approx(min(1.0, min(p_values) * len(p_values)))
    by_before, by_after = (sorted(range(len(p_values)), key=lambda place: each[place]) for each in (p_values, found))
    assert [p_values[place] for place in by_before] == sorted(p_values[place] for place in by_after)


def test_one_hole_stays_a_hole_and_spoils_no_other() -> None:
    assert holm([0.01, math.nan])[0] == 0.02
    assert math.isnan(holm([0.01, math.nan])[1])


def test_the_stability_index_is_what_a_hand_computes() -> None:
    # shares 100.5/201 and 100.5/201 against 150.5/201 and 50.5/201
    p, q = 0.5, 150.5 / 201
    operate_run = (q - p) * math.log(q / p) + (p - q) * math.log((1 - q) / p)
    assert stability_index([100, 100], [150, 50]) == pytest.approx(operate_run)


@given(counts, st.randoms())
def test_the_stability_index_is_a_distance(before: list[int], chance: object) -> None:
    now = list(reversed(before))

    assert stability_index(before, before) == pytest.approx(0)
    assert stability_index(before, now) >= 0
    assert stability_index(before, now) == pytest.approx(stability_index(now, before))
    assert math.isfinite(stability_index([0, 5], [5, 0]))


def test_the_same_rows_have_not_drifted() -> None:
    rows, _ = reference_model.rows()

    found = since(rows, rows)

    assert drifted(found, DriftPolicy()) == {}
    assert [each.column for each in found.columns] == list(reference_model.spec().dataset.inputs)
    assert found.target is not None
    assert (found.target.column, found.target_before, found.rows_now) == ("num", found.target_now, 303)
    for each in [*found.columns, found.target]:
        assert each.psi == pytest.approx(0, abs=1e-9)
        assert each.p_value == pytest.approx(1)
    assert Drift.model_validate_json(found.model_dump_json()) == found


def test_halves_of_the_same_rows_have_not_drifted() -> None:
    rows, _ = reference_model.rows()

    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(rows))
        assert moved(rows.take(order[:150]), rows.take(order[150:])) == {}


def test_what_was_changed_on_purpose_is_found_and_nothing_else() -> None:
    rows, _ = reference_model.rows()
    frame = rows.frame
    older = replace(rows, frame=frame.assign(age=frame["age"] + 15))
    unmeasured = replace(rows, frame=frame.assign(chol=frame["chol"].where(frame.index % 3 > 0)))
    sicker = rows.take(np.flatnonzero((rows.target == 1) | (frame.index % 3 == 0)))
    angina = replace(rows, frame=frame.assign(cp=frame["cp"].where(frame["cp"] > 1, 2)))

    assert set(moved(rows, older)) == {"age"}
    assert moved(rows, unmeasured)["chol"] == "PSI 1.88, missing 0.0% before, 33.3% now"
    assert moved(rows, sicker)["num"].endswith("positive 45.9% before, 71.6% now")
    assert moved(angina, rows) == {"cp": "PSI 0.32, new: 1"}


def test_a_column_without_a_single_value_is_compared_all_the_same() -> None:
    rows, _ = reference_model.rows()
    nothing = replace(rows, frame=rows.frame.assign(ca=np.nan))

    assert moved(nothing, nothing) == {}
    assert "missing 100.0% before, 1.3% now" in moved(nothing, rows)["ca"]
    assert "missing 1.3% before, 100.0% now" in moved(rows, nothing)["ca"]


def test_a_new_hospital_is_drift_in_what_it_measures(tmp_path: Path) -> None:
    spec = load_spec(reference_model.MODELS / "heart_disease_four_sites.yaml")
    source = LocalStore(Path(spec.source_uri().removeprefix("file://")))
    data = LocalStore(tmp_path)
    one, two = (
        dataset.load(spec, dataset.ingest(spec, source=source, data=data, as_of=date(2026, 10, day)), data=data)
        for day in (1, 8)
    )

    found = drifted(compare(LIVE, one, two, spec), spec.gate.drift)

    assert {"slope", "ca", "thal"} <= set(found)
    assert "missing" in found["ca"]
    assert "site" not in found  # no input


def test_categories_in_words_are_compared_by_their_names() -> None:
    rows, _ = reference_model.rows()
    plain = reference_model.spec().dataset
    words = plain.columns["sex"].model_copy(update={"values": ["female", "male", "other"]})
    named = rows.frame.assign(sex=rows.frame["sex"].map({0.0: "female", 1.0: "male"}))
    later = named.assign(sex=named["sex"].where(named.index % 3 > 0, "other"))
    before, now = (replace(rows, frame=each) for each in (named, later))

    worded = plain.model_copy(update={"columns": {**plain.columns, "sex": words}})

    found = compare(LIVE, before, now, reference_model.spec(dataset=worded))

    assert drifted(found, DriftPolicy()) == {"sex": "PSI 1.90, new: other"}
