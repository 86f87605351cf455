"""The question that a person is asked before a version is made: the evidence, and what would change, in words."""

from __future__ import annotations

from model_release.documents import layout
from model_release.documents.evaluation import Interval
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer
from model_release.modelling.gate import corrected_interval
from model_release.modelling.trained import CARD_FILE
from model_release.releases.decisions import DecisionRecord


def question(verdict: DecisionRecord, draft: Manifest, pointer: Pointer | None, *, home: str) -> dict[str, str]:
    """Return the subject and the body, in Markdown, of what a person is asked.

    Args:
        verdict: the gate's, with its evidence.
        draft: the manifest of the version to be.
        pointer: what is live.
        home: URI of the model's folder, where the card is staged.
    """
    accuracy = f", accuracy {draft.accuracy:.4f}" if draft.accuracy is not None else ""
    card = layout.staged(verdict.staging, draft.file(CARD_FILE).sha256)
    live = f"{pointer.version}, live since epoch {pointer.since}" if pointer else "nothing"
    changes = [f"`latest` goes from {live} to a new version"]
    if draft.dataset is not None:
        changes.append(f"data as of {draft.data_as_of}, {draft.dataset.rows or 0:,} rows")
    if pointer is not None and draft.schema_revision != pointer.schema_revision:
        changes.append(f"schema revision {pointer.schema_revision} becomes {draft.schema_revision}")
    lines = [
        "#### What would change",
        *(f"- {each}" for each in changes),
        "",
        "#### What was measured",
        *_table(verdict),
        "",
        "#### What the gate says",
        *(
            f"- {'!' if check.warning else '✓' if check.passed else '✗'} {check.words}"
            for check in verdict.decision.checks
        ),
        "",
        f"Model card: `{home}/{card}`",
    ]
    return {"subject": f"Release {draft.model_name}: {verdict.decision.chosen}{accuracy}?", "body": "\n".join(lines)}


def _table(verdict: DecisionRecord) -> list[str]:
    """A figure a row: the candidate's and the champion's mean with its interval."""
    champion, overlap = verdict.evaluation.champion, verdict.evaluation.test_over_train
    theirs: dict[str, Interval] = {}
    if champion is not None:
        for metric, values in champion.scores.folds.items():
            finite = [value for value in values if value is not None]
            if len(finite) > 1:
                theirs[metric] = corrected_interval(finite, overlap)
    other = f"live {champion.version}" if champion else "live"
    rows = [
        f"| {metric} | {_words(mine)} | {_words(theirs.get(metric))} |"
        for metric, mine in verdict.decision.intervals.items()
    ]
    return [f"| mean over the folds | {verdict.decision.chosen} | {other} |", "|---|---|---|", *rows]


def _words(interval: Interval | None) -> str:
    return f"{interval.mean:.4f} ({interval.low:.4f} to {interval.high:.4f})" if interval else "–"
