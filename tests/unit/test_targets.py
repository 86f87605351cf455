"""What is predicted: classes by label, or by a threshold on a number, from the cells of a file to class codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_release.errors import DataInvalid, SpecError
from model_release.spec.dataset import Target
from model_release.spec.load import load_spec
from support.tiny_dataset import BEETLES, FIRST, HEADER, ROWS, Farm

THRESHOLD = "target: {column: pest, positive_above: 0, positive: pest, negative: guest, min: 0, max: 4}"


def with_target(farm: Farm, target: str) -> Farm:
    assert THRESHOLD in BEETLES
    farm.with_spec(BEETLES.replace(THRESHOLD, f"target: {target}"))
    return farm


LABELS = {
    "words": ('{"yes": leaves, "no": stays}', '"yes"', ["yes", "no", "yes"]),
    "words, the positive one last": ('{"no": stays, "yes": leaves}', '"yes"', ["yes", "no", "yes"]),
    "booleans, as Python writes them": ("{true: leaves, false: stays}", "true", ["True", "False", "True"]),
    "booleans, as SQL writes them": ("{true: leaves, false: stays}", "true", ["TRUE", "false", "true"]),
    "numbers": ("{1: leaves, 0: stays}", "1", ["1", "0", "1.0"]),
    "numbers that are not whole": ("{0.5: leaves, 2: stays}", "0.5", [".50", "2", "5e-1"]),
    "labels with a space": ('{"> 50K": leaves, "<= 50K": stays}', '"> 50K"', [" > 50K ", "<= 50K", "> 50K"]),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_become_class_codes_and_the_positive_one_is_1(farm: Farm, case: str) -> None:
    classes, positive, cells = LABELS[case]
    with_target(farm, f"{{column: pest, classes: {classes}, positive: {positive}}}")
    farm.deliver(FIRST, HEADER + "".join(f"1,{n},red,1,north,{cell}\n" for n, cell in enumerate(cells, 1)))

    snapshot = farm.ingest()

    assert farm.load(snapshot).target.tolist() == [1, 0, 1]
    assert farm.spec.dataset.target.words == ("stays", "leaves")
    assert (snapshot.positives, snapshot.classes) == (2, {"stays": 1, "leaves": 2})


def test_a_label_that_the_spec_does_not_list_is_a_finding(farm: Farm) -> None:
    with_target(farm, '{column: pest, classes: {"yes": leaves, "no": stays}, positive: "yes"}')
    farm.deliver(FIRST, HEADER + "1,1,red,1,north,yes\n1,2,red,1,north,no\n1,3,red,1,north,Yes\n1,4,red,1,north,?\n")

    with pytest.raises(DataInvalid) as caught:
        farm.ingest()

    assert [(each["row"], each["rule"], each["value"]) for each in caught.value.report] == [
        (4, "is none of yes, no", "Yes"),
        (5, "is missing", None),
    ]


def test_a_class_without_rows_is_named(farm: Farm) -> None:
    with_target(farm, '{column: pest, classes: {"yes": leaves, "no": stays}, positive: "yes"}')
    farm.deliver(FIRST, HEADER + "1,1,red,1,north,no\n")

    with pytest.raises(DataInvalid, match="of 1 rows, none is of class leaves: a model needs rows of every class"):
        farm.ingest()


def test_a_column_may_be_called_target(farm: Farm) -> None:
    farm.with_spec(BEETLES.replace("    length:", "    target:"))
    farm.deliver(FIRST, HEADER.replace("length", "target") + ROWS)

    rows = farm.load(farm.ingest())

    assert rows.frame["target"].tolist() == [1, 2, 3]
    assert rows.target.tolist() == [0, 1, 1]


REFUSED = {
    "{column: pest, classes: {1: a}, positive: 1}": "classes lists 1 class",
    "{column: pest, classes: {1: a, 2: a}, positive: 1}": "two classes have the same words",
    "{column: pest, classes: {1: a, 2: b}}": "say which class is the positive one: positive: '1'",
    "{column: pest, classes: {1: a, 2: b}, positive: 3}": "positive: no class is labelled '3'",
    "{column: pest, classes: {1: a, 2: b}, positive: 1, max: 4}": "neither min nor max nor negative applies",
    "{column: pest, classes: {1: a, 2: b, 3: c}, positive: 1}": "positive is for two classes",
    "{column: pest, classes: {1: a, 2: b}, positive: 1, positive_above: 0}": "exclude each other",
    "{column: pest, positive_above: 0, positive: a}": "positive_above needs positive and negative",
    "{column: pest, positive: a, negative: b}": "positive_above, which is missing",
    "{column: pest}": "a classification needs classes, or positive_above",
    "{column: pest, classes: {2026-01-01: a, 2: b}, positive: 2}": "is not YAML",
}


@pytest.mark.parametrize("target", REFUSED)
def test_a_target_that_says_too_little_or_too_much_is_refused(tmp_path: Path, target: str) -> None:
    path = tmp_path / "beetles.yaml"
    path.write_text(BEETLES.replace(THRESHOLD, f"target: {target}"))

    with pytest.raises(SpecError) as caught:
        load_spec(path)

    assert REFUSED[target] in str(caught.value)


def test_a_target_survives_as_a_manifest_keeps_it() -> None:
    target = Target.model_validate_json('{"column": "gone", "classes": {"true": "a", "false": "b"}, "positive": true}')

    kept = json.dumps(target.model_dump(mode="json"))

    assert Target.model_validate_json(kept) == target
    assert target.labels == ("false", "true")


def test_more_classes_keep_the_order_of_the_spec() -> None:
    target = Target(column="gone", classes={"stays": "stays", "pauses": "takes a pause", "leaves": "leaves"})

    assert target.words == ("stays", "takes a pause", "leaves")
