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

import pandas as pd
import pytest

import cleveland
from model_release import report, training
from model_release.gate import Champion, Evaluation, choose, judge
from model_release.spec import Spec
from model_release.training import Trained
from model_release.version import Version

HOSTILE = "</title><script>alert('x')</script><img src=x onerror=alert(1)>"
RECIPES = {
    "logistic_regression": cleveland.candidate("LogisticRegression", C=0.1),
    "tree": cleveland.candidate("DecisionTreeClassifier", max_depth=3),
}


@cache
def trained() -> dict[str, tuple[Trained, pd.DataFrame]]:
    frame, _ = cleveland.rows()
    found = {}
    with TemporaryDirectory() as folder:
        for name, recipe in RECIPES.items():
            made = training.train(cleveland.spec(candidates=RECIPES), name, recipe, frame, Path(folder))
            found[name] = (made, pd.read_parquet(Path(folder) / training.PREDICTIONS_FILE))
    return found


def card(spec: Spec | None = None, *, champion: str | None = None, chosen: str | None = None) -> str:
    the_spec = spec or cleveland.spec(candidates=RECIPES)
    live = None
    if champion:
        scores = trained()[champion][0].scores
        live = Champion(version=Version(1, 2, 0), since=4, recipe="?", same_data=False, scores=scores)
    evaluation = Evaluation(
        candidates={name: made.scores for name, (made, _) in trained().items()},
        champion=live,
        rows=242,
        holdout_rows=61,
        folds=5,
        repeats=2,
        dummy_brier=0.248,
    )
    name = chosen or choose(evaluation, the_spec.choose)
    made, predictions = trained()[name]
    frame, snapshot = cleveland.rows()
    return report.model_card(
        the_spec,
        evaluation=evaluation,
        decision=judge(evaluation, the_spec.gate, chosen=name),
        trained=made,
        predictions=predictions,
        frame=frame,
        snapshot_fingerprint=snapshot.fingerprint,
        as_of=date(2026, 11, 21),
    ).decode()


class Page(HTMLParser):
    """Every tag with its attributes, and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

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
        "Training Details",
        "Evaluation",
        "How to Get Started with the Model",
    ):
        assert f"<h2>{section}</h2>" in html


def test_a_card_tells_data_licence_limits_and_every_check() -> None:
    spec = cleveland.spec(candidates=RECIPES)
    text = " ".join(Page(card()).text.split())

    dataset = spec.dataset
    for each in (dataset.title, dataset.licence, dataset.attribution, *dataset.limits, spec.owner):
        assert each in text
    assert cleveland.rows()[1].fingerprint in text
    assert "2026-11-21" in text
    assert "accuracy on cross-validation is" in text
    assert "better than the 0.2480 of guessing the share" in text
    assert "242 for training and cross-validation, 61 set apart" in text


def test_nothing_in_a_card_runs_or_is_fetched() -> None:
    page = Page(card(champion="tree"))

    assert not names(page) & {"script", "img", "iframe", "object", "embed", "link", "form", "base"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            address = attributes.get(name) or "#"
            assert address.startswith("#") or tag == "a"


def test_ids_are_unique_and_what_is_referred_to_is_there() -> None:
    html = card(champion="tree")
    ids = [attributes["id"] for _, attributes in Page(html).tags if attributes.get("id")]

    assert len(ids) == len(set(ids))
    used = {part.split(")")[0].strip('"') for part in html.split("url(#")[1:]}
    assert used <= set(ids)


@pytest.mark.parametrize("place", ["title", "description", "owner"])
def test_a_hostile_spec_is_shown_and_not_obeyed(place: str) -> None:
    page = Page(card(cleveland.spec(candidates=RECIPES, **{place: HOSTILE})))

    assert not names(page) & {"script", "img"}
    assert HOSTILE in page.text


def test_a_hostile_dataset_is_shown_and_not_obeyed() -> None:
    plain = cleveland.spec().dataset
    changes: dict[str, Any] = {
        "title": HOSTILE,
        "attribution": HOSTILE,
        "licence": HOSTILE,
        "limits": [HOSTILE],
        "url": "javascript:alert(1)",
        "target": plain.target.model_copy(update={"positive": HOSTILE, "negative": HOSTILE}),
    }
    page = Page(card(cleveland.spec(candidates=RECIPES, dataset=plain.model_copy(update=changes))))

    assert not names(page) & {"script", "img"}
    assert "a" not in names(page)
    assert "javascript:alert(1)" in page.text


def test_the_first_plot_is_the_difference_to_the_champion() -> None:
    page = Page(card(champion="tree", chosen="logistic_regression"))

    plots = [attributes["aria-label"] for tag, attributes in page.tags if tag == "svg"]
    assert plots[0] == "Difference in Brier score to v1.2.0"
    assert len(plots) == 5
    assert "Against the live v1.2.0" in page.text


def test_without_a_champion_nothing_is_compared() -> None:
    html = card()

    assert "Nothing was compared" in html
    assert html.count("<svg ") == 4


def test_a_rejected_candidate_s_card_says_so() -> None:
    html = card(champion="logistic_regression", chosen="tree")

    assert "✗ rejected by the gate" in html
    assert "✓ accepted by the gate" in card()


def test_the_same_facts_give_the_same_bytes_in_every_process() -> None:
    code = "import test_report, hashlib; print(hashlib.sha256(test_report.card(champion='tree').encode()).hexdigest())"
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
    assert card() == card()
