"""A broken spec is one clear error: file, line, key and the nearest right spelling."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import model_release
from model_release.errors import EXIT_USAGE, SpecError
from model_release.spec.gate import Choice
from model_release.spec.load import load_spec
from model_release.spec.model import Spec
from model_release.spec.retention import Retention

MODELS = Path(model_release.__file__).parent.parent / "models"
SHIPPED = sorted(MODELS.rglob("*.yaml"))

SOUND = """\
name: iris-beetle
title: Iris beetle
owner: garden
dataset:
  title: Beetles
  source: beetles
  partitions: increments
  columns:
    length: {kind: numeric, min: 0, max: 9}
    colour: {kind: categorical, values: [1, 2]}
  target: {column: pest, positive_above: 0, positive: pest, negative: guest}
candidates:
  simple:
    estimator: LogisticRegression
    parameters: {C: 0.1}
gate:
  cross_validation: {accuracy: 0.8}
destinations:
  - {name: local, uri: "${STORE}"}
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_spec(text: str) -> Path:
        path = tmp_path / "beetle.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_spec


def refusal(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.exit_code == EXIT_USAGE
    assert caught.value.where == str(path)
    return str(caught.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_spec_is_sound(path: Path) -> None:
    spec = load_spec(path)
    assert spec.path == path.resolve()
    assert spec.identifier == path.stem
    assert spec.home.name in {"local", "aws", "google", "azure"}
    assert all(column.description for column in spec.dataset.columns.values())
    assert Path(spec.source_uri().removeprefix("file://")).is_dir()
    assert spec.gate.cross_validation | spec.gate.holdout


def test_defaults(write: Write) -> None:
    spec = load_spec(write(SOUND))
    assert spec.candidates["simple"].estimator == "LogisticRegression"
    assert spec.choose is Choice.SIMPLEST_NOT_WORSE
    assert spec.schedule is not None
    assert spec.schedule.cron == "0 2 * * *"
    assert spec.housekeeping is not None
    assert spec.housekeeping.cron == "0 4 * * 0"
    assert spec.retention == Retention(live_versions=10, days=30, other_versions=5, grace_hours=24)
    assert (spec.split_method, spec.split.holdout) == ("content_hash", 0.2)
    assert spec.validation_method == "repeated_stratified"
    assert spec.dataset.missing == ["", "?"]
    assert spec.tracking is None
    assert spec.path.name == "beetle.yaml"


BROKEN = {
    "unknown key at the top": ("title: Iris", "titel: Iris", 2, "titel", "did you mean 'title'?"),
    "partitions of an unknown kind": (
        "  partitions: increments\n",
        "",
        4,
        "dataset.partitions",
        "write increments if each partition adds rows to those before it, snapshots if each one is the whole table",
    ),
    "key of no column": (
        "partitions: increments",
        "partitions: increments\n  rows: {key: lenght}",
        4,
        "dataset",
        "rows.key: there is no column 'lenght'; did you mean 'length'?",
    ),
    "missing key": ("owner: garden\n", "", 1, "owner", "is missing"),
    "unknown key of a column": (
        "min: 0, max: 9",
        "min: 0, maks: 9",
        9,
        "dataset.columns.length.maks",
        "'max'",
    ),
    "unknown key of the dataset": ("  source: beetles", "  sorce: beetles", 6, "dataset.sorce", "'source'"),
    "unknown key of a candidate": (
        "parameters:",
        "paramters:",
        15,
        "candidates.simple.paramters",
        "'parameters'",
    ),
    "unknown floor": ("accuracy: 0.8", "acuracy: 0.8", 17, "gate.cross_validation.acuracy", "'accuracy'"),
    "unknown key of a destination": ("uri: ", "url: ", 19, "destinations.0.url", "did you mean 'uri'?"),
    "unknown estimator": (
        "LogisticRegression",
        "LogisticRegresion",
        14,
        "candidates.simple.estimator",
        "scikit-learn has no such estimator; did you mean 'LogisticRegression'?",
    ),
    "unknown kind": (
        "kind: numeric",
        "kind: number",
        9,
        "dataset.columns.length.kind",
        "did you mean 'numeric'?",
    ),
    "range upside down": (
        "min: 0, max: 9",
        "min: 10, max: 9",
        9,
        "dataset.columns.length",
        "min 10 is above max 9",
    ),
    "range of a category": (
        "values: [1, 2]",
        "min: 0",
        10,
        "dataset.columns.colour",
        "a categorical column has no min; its keys: limit and unknown and values",
    ),
    "category without values": (", values: [1, 2]", "", 10, "dataset.columns.colour", "lists its values"),
    "values of a number": (
        "min: 0, max: 9",
        "values: [1]",
        9,
        "dataset.columns.length",
        "a numeric column has no values; its keys: max and min",
    ),
    "floor out of range": (
        "accuracy: 0.8",
        "accuracy: 80",
        17,
        "gate.cross_validation.accuracy",
        "it says 80",
    ),
    "floor as text": ("accuracy: 0.8", 'accuracy: "0.8"', 17, "gate.cross_validation.accuracy", "number"),
    "not a finite floor": ("accuracy: 0.8", "accuracy: .nan", 17, "gate.cross_validation.accuracy", "finite"),
    "name with capitals": ("name: iris-beetle", "name: Iris_Beetle", 1, "name", "Iris_Beetle"),
    "target among the columns": ("column: pest", "column: length", 4, "dataset", "listed among the columns"),
    "nothing for the model to see": (
        "    colour: {kind: categorical, values: [1, 2]}",
        "",
        4,
        "dataset",
        "no column has input: true",
    ),
    "home is optional": (
        "{name: local,",
        "{name: local, required: false,",
        1,
        "the file",
        "home is always required",
    ),
    "unknown key of the retention": (
        "owner: garden",
        "owner: garden\nretention: {live_version: 3}",
        4,
        "retention.live_version",
        "did you mean 'live_versions'?",
    ),
    "nothing kept": ("owner: garden", "owner: garden\nretention: {days: 0}", 4, "retention.days", "greater than"),
    "unknown key of a slice": (
        "  cross_validation: {accuracy: 0.8}",
        "  cross_validation: {accuracy: 0.8}\n  slices: [{column: colour, flors: {accuracy: 0.7}}]",
        18,
        "gate.slices.0.flors",
        "did you mean 'floors'?",
    ),
    "slices of no column": (
        "  cross_validation: {accuracy: 0.8}",
        "  cross_validation: {accuracy: 0.8}\n  slices: [{column: color}]",
        16,
        "gate",
        "slices: the data has no column 'color'; did you mean 'colour'?",
    ),
    "slices of numbers without bins": (
        "  cross_validation: {accuracy: 0.8}",
        "  cross_validation: {accuracy: 0.8}\n  slices: [{column: length}]",
        16,
        "gate",
        "slices: length is numeric and needs bins",
    ),
    "bins of categories": (
        "  cross_validation: {accuracy: 0.8}",
        "  cross_validation: {accuracy: 0.8}\n  slices: [{column: colour, bins: [1]}]",
        16,
        "gate",
        "slices: colour is categorical",
    ),
    "bins that do not ascend": (
        "  cross_validation: {accuracy: 0.8}",
        "  cross_validation: {accuracy: 0.8}\n  slices: [{column: length, bins: [5, 5]}]",
        18,
        "gate.slices.0",
        "the bins of length do not ascend",
    ),
    "slices twice": (
        "  cross_validation: {accuracy: 0.8}",
        "  cross_validation: {accuracy: 0.8}\n  slices: [{column: colour}, {column: colour}]",
        16,
        "gate",
        "two slices have the same column: colour, colour",
    ),
    "no ceiling": (
        "  cross_validation: {accuracy: 0.8}",
        "  cross_validation: {accuracy: 0.8}\n  ceilings: {latency_p95_ms: 0}",
        18,
        "gate.ceilings.latency_p95_ms",
        "greater than 0",
    ),
    "unknown drift policy": (
        "  cross_validation: {accuracy: 0.8}",
        "  cross_validation: {accuracy: 0.8}\n  drift: {policy: warm}",
        18,
        "gate.drift.policy",
        "did you mean 'warn'?",
    ),
    "bad cron": ("owner: garden", "owner: garden\nschedule: {cron: hourly}", 4, "schedule.cron", "1 fields"),
    "destinations are no list": (
        '  - {name: local, uri: "${STORE}"}',
        "  local: file:///srv",
        18,
        "destinations",
        "array",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_spec_names_line_key_and_remedy(case: str, write: Write) -> None:
    old, new, line, key, words = BROKEN[case]
    assert SOUND.count(old) == 1
    text = SOUND.replace(old, new)
    if case == "nothing for the model to see":
        text = text.replace("max: 9", "max: 9, input: false")
    said = refusal(write(text))
    assert f"line {line}: {key}: " in said
    assert words in said


def test_every_fault_is_told_at_once(write: Write) -> None:
    said = refusal(write(SOUND.replace("title: Iris", "titel: Iris").replace("accuracy: 0.8", "accuracy: 80")))
    assert "3 faults" in said
    assert all(words in said for words in ("title: is missing", "titel: unknown key", "accuracy: "))


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("owner: garden\n", "owner: garden\nowner: kitchen\n", 4, "owner"),
        (
            "    colour: {kind: categorical, values: [1, 2]}",
            "    length: {kind: numeric}",
            10,
            "dataset.columns.length",
        ),
        ("{name: local,", "{name: local, name: far,", 19, "destinations.0.name"),
    ],
)
def test_key_that_stands_twice_is_refused(old: str, new: str, line: int, key: str, write: Write) -> None:
    assert f"line {line}: {key}: stands twice" in refusal(write(SOUND.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a mapping"),
        ("- one\n- two\n", "is not a mapping"),
        ("name: [", "is not YAML"),
        ("name: !!python/object:os.system {}\n", "is not YAML"),
        ("name: a\x00b\n", "is not YAML"),
        ("name: 2026-13-45\n", "month must be in 1..12"),
        ("name: &again [*again]\n", "is not YAML"),
    ],
)
def test_what_is_no_spec_at_all_is_refused(text: str, words: str, write: Write) -> None:
    assert words in refusal(write(text))


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    assert "is not text in UTF-8, from byte" in refusal(tmp_path / "latin.yaml")


def test_places_come_from_the_environment(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = load_spec(write(SOUND))
    monkeypatch.delenv("STORE", raising=False)
    with pytest.raises(SpecError, match="STORE, which is not set") as caught:
        spec.model_uri(spec.home)
    assert "beetle.yaml: destination local" in str(caught.value)
    monkeypatch.setenv("STORE", "file:///srv/store?allow_network=true")
    assert spec.model_uri(spec.home) == "file:///srv/store/iris-beetle-models?allow_network=true"
    assert spec.dataset_uri() == "file:///srv/store/datasets/iris-beetle?allow_network=true"
    assert spec.source_uri() == (tmp_path / "beetles").as_uri()
    monkeypatch.setenv("SOURCE", "s3://raw/beetles")
    remote = load_spec(write(SOUND.replace("source: beetles", 'source: "${SOURCE}"')))
    assert remote.source_uri() == "s3://raw/beetles"


def test_two_destinations_of_one_name_are_refused(write: Write) -> None:
    assert "two destinations have the same name" in refusal(write(SOUND + '  - {name: local, uri: "s3://b"}\n'))


def test_unknown_destination_is_refused(write: Write) -> None:
    with pytest.raises(SpecError, match="'moon'"):
        load_spec(write(SOUND)).destination("moon")


def test_spec_is_frozen_and_survives_json(write: Write) -> None:
    spec = load_spec(write(SOUND))
    with pytest.raises(ValueError, match="frozen"):
        spec.owner = "kitchen"  # type: ignore[misc]
    described = spec.model_dump(mode="json")
    assert Spec.model_validate_json(json.dumps(described)).model_dump(mode="json") == described
