"""The model card: the same bytes for the same facts, nothing that runs, nothing that escapes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from model_release.documents.evaluation import Champion, ColumnDrift, Drift, Evaluation, Interval, SliceScores
from model_release.documents.metric import Metric
from model_release.documents.version import Version
from model_release.modelling import report, training
from model_release.modelling.gate import choose, judge
from model_release.modelling.trained import PREDICTIONS_FILE, Trained
from model_release.modelling.training.effects import SHOWN
from model_release.spec.gate import Ceilings, Floors, SlicePolicy
from model_release.spec.model import Spec
from support import reference_model

HOSTILE = "</title><script>alert('x')</script><img src=x onerror=alert(1)>"
RECIPES = {
    "logistic_regression": reference_model.candidate("LogisticRegression", C=0.1),
    "tree": reference_model.candidate("DecisionTreeClassifier", max_depth=3),
}


def plain_spec(**changes: Any) -> Spec:
    """The reference's spec without slices and ceilings."""
    spec = reference_model.spec(candidates=RECIPES, **changes)
    return spec.model_copy(update={"gate": spec.gate.model_copy(update={"slices": [], "ceilings": Ceilings()})})


@cache
def trained() -> dict[str, tuple[Trained, pd.DataFrame]]:
    rows, _ = reference_model.rows()
    found = {}
    with TemporaryDirectory() as folder:
        for name, recipe in RECIPES.items():
            made = training.train(plain_spec(), name, recipe, rows, Path(folder))
            found[name] = (made, pd.read_parquet(Path(folder) / PREDICTIONS_FILE))
    return found


def card(spec: Spec | None = None, **changes: Any) -> str:
    return made_of(*facts(spec, **changes))


def facts(
    spec: Spec | None = None,
    *,
    champion: str | None = None,
    chosen: str | None = None,
    slices: list[SliceScores] | None = None,
    drift: Drift | None = None,
) -> tuple[Spec, Evaluation, Trained, pd.DataFrame]:
    the_spec = spec or plain_spec()
    live = None
    if champion:
        scores = trained()[champion][0].scores
        live = Champion(version=Version(1, 2, 0), since=4, recipe="?", same_data=False, scores=scores)
    found = {name: made.scores for name, (made, _) in trained().items()}
    evaluation = Evaluation(
        candidates={name: scores.model_copy(update={"slices": slices or []}) for name, scores in found.items()},
        champion=live,
        rows=242,
        holdout_rows=61,
        folds=5,
        repeats=2,
        dummy_brier=0.248,
        drift=drift,
        costs={name: made.costs for name, (made, _) in trained().items() if made.costs is not None},
    )
    return the_spec, evaluation, *trained()[chosen or choose(evaluation, the_spec.choose)]


def made_of(spec: Spec, evaluation: Evaluation, made: Trained, predictions: pd.DataFrame, *news: str) -> str:
    rows, snapshot = reference_model.rows()
    return report.model_card(
        spec,
        evaluation=evaluation,
        decision=judge(evaluation, spec.gate, chosen=made.name),
        trained=made,
        predictions=predictions,
        rows=rows,
        snapshot_fingerprint=snapshot.fingerprint,
        news=news,
        as_of=date(2026, 11, 21),
        opened_in="a process of its own",
    ).decode()


def sliced(*, floor: float = 0.75) -> tuple[Spec, list[SliceScores]]:
    """A spec that slices by sex and age, and figures of four groups: good, poor, small and one without an AUC."""
    asked = [
        SlicePolicy(column="sex", floors=Floors(accuracy=floor, recall=0.6)),
        SlicePolicy(column="age", bins=[40.0, 60.0]),
    ]
    plain = plain_spec()
    spec = plain.model_copy(update={"gate": plain.gate.model_copy(update={"slices": asked})})
    figures = [("sex", "sex = 0", 78, 0.9), ("sex", "sex = 1", 164, 0.7), ("age", "age < 40", 11, 0.95)]
    return spec, [
        SliceScores(column=column, group=group, rows=rows, figures=around(mean))
        for column, group, rows, mean in figures
    ] + [SliceScores(column="age", group="60 ≤ age", rows=70, figures={"accuracy": around(0.8)["accuracy"]})]


def everything() -> str:
    spec, slices = sliced()
    return card(spec, champion="tree", chosen="logistic_regression", slices=slices, drift=drifted())


def around(mean: float) -> dict[Metric, Interval | None]:
    interval = Interval(mean=mean, low=mean - 0.1, high=mean + 0.1)
    return dict.fromkeys(("accuracy", "recall", "roc_auc", "brier"), interval)


def drifted() -> Drift:
    calm = {"missing_before": 0.0, "missing_now": 0.0, "new_values": []}
    return Drift(
        champion=Version(1, 2, 0),
        unmeasured=None,
        rows_before=280,
        rows_now=303,
        columns=[
            ColumnDrift(column="age", test="kolmogorov-smirnov", psi=0.01, p_value=1.0, **calm),
            ColumnDrift(column="chol", test="kolmogorov-smirnov", psi=0.41, p_value=0.0004, **calm),
        ],
        target=ColumnDrift(column="num", test="chi-square", psi=0.02, p_value=0.7, **calm),
        target_before=0.44,
        target_now=0.459,
    )


class Page(HTMLParser):
    """Every tag with its attributes, and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("small", "th", "td"):  # apart from what stands before it
            self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data


def names(page: Page) -> set[str]:
    return {tag for tag, _ in page.tags}


def test_a_card_has_the_sections_that_readers_of_model_cards_know() -> None:
    html = card()

    for section in (
        "Model Details",
        "Uses",
        "Bias, Risks, and Limitations",
        "Evaluation",
        "Model Examination",
        "Training Details",
        "How to Get Started with the Model",
    ):
        assert f"<h2>{section}</h2>" in html


def test_a_card_tells_data_licence_limits_and_every_check() -> None:
    spec = plain_spec()
    text = " ".join(Page(card()).text.split())

    dataset = spec.dataset
    for each in (dataset.title, dataset.licence, dataset.attribution, *dataset.limits, spec.owner):
        assert each in text
    assert reference_model.rows()[1].fingerprint in text
    assert "2026-11-21" in text
    assert "accuracy on cross-validation is" in text
    assert "better than the 0.2480 of guessing the share" in text
    assert "242 for training and cross-validation, 61 set apart" in text


def test_nothing_in_a_card_runs_or_is_fetched() -> None:
    page = Page(everything())

    assert not names(page) & {"script", "img", "iframe", "object", "embed", "link", "form", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            address = attributes.get(name) or "#"
            assert address.startswith("#") or tag == "a"


def test_ids_are_unique_and_what_is_referred_to_is_there() -> None:
    html = everything()
    ids = [attributes["id"] for _, attributes in Page(html).tags if attributes.get("id")]

    assert len(ids) == len(set(ids))
    used = {part.split(")")[0].strip('"') for part in html.split("url(#")[1:]}
    assert used <= set(ids)


@pytest.mark.parametrize("place", ["title", "description", "owner"])
def test_a_hostile_spec_is_shown_and_not_obeyed(place: str) -> None:
    page = Page(card(plain_spec(**{place: HOSTILE})))

    assert not names(page) & {"script", "img"}
    assert HOSTILE in page.text


def test_a_hostile_dataset_is_shown_and_not_obeyed() -> None:
    plain = reference_model.spec().dataset
    changes: dict[str, Any] = {
        "title": HOSTILE,
        "attribution": HOSTILE,
        "licence": HOSTILE,
        "limits": [HOSTILE],
        "url": "javascript:alert(1)",
        "target": plain.target.model_copy(update={"positive": HOSTILE, "negative": HOSTILE}),
    }
    page = Page(card(plain_spec(dataset=plain.model_copy(update=changes))))

    assert not names(page) & {"script", "img"}
    assert "a" not in names(page)
    assert "javascript:alert(1)" in page.text


def test_the_first_plot_is_the_difference_to_the_champion() -> None:
    page = Page(card(champion="tree", chosen="logistic_regression"))

    plots = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    assert plots[0] == "Difference in Brier score to v1.2.0"
    assert len(plots) == 5 + 1 + SHOWN
    assert "Against the live v1.2.0" in page.text


def test_without_a_champion_nothing_is_compared() -> None:
    html = card()

    assert "Nothing was compared" in html
    assert html.count("<svg ") == 4 + 1 + SHOWN


def test_a_rejected_candidate_s_card_says_so() -> None:
    html = card(champion="logistic_regression", chosen="tree")

    assert "✗ rejected by the gate" in html
    assert "✓ accepted by the gate" in card()


def test_the_same_facts_give_the_same_bytes_in_every_process() -> None:
    code = "import test_report as t, hashlib; print(hashlib.sha256(t.everything().encode()).hexdigest())"
    path = [str(Path(__file__).parent), *filter(None, sys.path)]
    digests = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(digests) == 1
    assert everything() == everything()


def test_slices_are_shown_with_size_interval_and_floor() -> None:
    page = Page(everything())
    text = " ".join(page.text.split())

    assert "sex = 0 78 0.900 0.800 to 1.000 ✓ at least 0.75" in text
    assert "sex = 1 164 0.700 0.600 to 0.800 ✗ at least 0.75" in text
    assert "age < 40 11 of 30 needed" in text
    plots = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    assert [words for words in plots if words and "group" in words] == [
        "accuracy on each group of the rows, with intervals",
        "recall on each group of the rows, with intervals",
    ]


def test_columns_that_drifted_stand_first() -> None:
    page = Page(card(champion="tree", chosen="logistic_regression", drift=drifted()))
    text = " ".join(page.text.split("Drift of the data")[1].split())

    assert text.index("chol PSI 0.41") < text.index("num no") < text.index("age no")
    assert "303 rows now, 280 when v1.2.0 was trained" in text


def test_what_was_not_measured_is_said() -> None:
    unmeasured = Drift(champion=Version(1, 2, 0), unmeasured="its snapshot is gone")

    assert "Not measured: its snapshot is gone." in Page(card(champion="tree", drift=unmeasured)).text
    assert "Not measured: nothing was live before" in Page(card()).text
    assert "asks for no groups of rows" in Page(card()).text


def test_a_model_is_examined_on_the_holdout() -> None:
    made, _ = trained()["logistic_regression"]
    page = Page(card(chosen="logistic_regression"))
    plots = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]

    assert plots[-SHOWN - 1] == "Rise of the Brier score when a column is shuffled, with intervals"
    assert plots[-SHOWN:] == [f"Mean predicted probability over {each.column}" for each in made.effects[:SHOWN]]


def test_a_card_without_holdout_predictions_or_rivals_is_still_a_card() -> None:
    spec, evaluation, made, predictions = facts(chosen="tree")
    scores = made.scores.model_copy(update={"holdout": {}, "slices": []})
    lonely = evaluation.model_copy(update={"candidates": {"tree": scores}, "holdout_rows": 0})
    page = Page(made_of(spec, lonely, made.model_copy(update={"effects": []}), predictions * float("nan")))

    assert "Not examined: no rows were set apart" in page.text
    assert "1 candidates" not in page.text
    assert [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"] == [
        "Brier score of each candidate, with its interval"
    ]


def test_long_and_strange_names_stay_in_their_place() -> None:
    long = "a_group_whose_name_goes_on_" * 8
    strange = "$x^2$ < & > \\frac{"
    spec, slices = sliced()
    slices = [each.model_copy(update={"group": name}) for each, name in zip(slices, (long, strange) * 2, strict=True)]
    html = card(spec, slices=slices)

    assert long in html
    assert f"{long[:19]}… (78)" in html
    assert "$x^2$ &lt; &amp; &gt; \\frac{ (164)" in html


def test_the_plots_of_a_card_stand_alone_as_files() -> None:
    html = everything()
    found = report.figures(html.encode())

    assert len(found) == html.count("<svg ")
    assert {"difference.svg", "candidates.svg", "roc.svg", "slices-accuracy.svg", "effect-0.svg"} <= found.keys()
    for body in found.values():
        drawn = ElementTree.fromstring(body)  # noqa: S314 - written by this very process
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"


def test_what_became_of_rows_that_are_not_in_the_snapshot_is_said() -> None:
    words = "2 of 305 rows are equal to an earlier one and dropped"

    assert words in made_of(*facts(), words)
    assert "Of what arrived" not in made_of(*facts())
