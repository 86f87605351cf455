"""Asking a person before a version is made: the question with its evidence, and the answer that is kept."""

from __future__ import annotations

from datetime import UTC, datetime

from model_release.documents import layout
from model_release.documents.evaluation import Interval
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer
from model_release.modelling.gate import intervals_of
from model_release.modelling.trained import CARD_FILE
from model_release.releases.decisions import ApprovalAnswer, DecisionRecord, answered, decided
from model_release.releases.publish import recall
from model_release.releases.store import ReleaseStore
from model_release.workflows.messages import ApprovalResponse, Proposal
from model_release.workflows.run import Run


def answer(
    releases: ReleaseStore, run: Run, proposal: Proposal, response: ApprovalResponse
) -> tuple[ApprovalAnswer, Manifest]:
    """Keep a person's answer to a proposal; the first one of a run stands.

    Returns:
        The answer that stands, and the draft that it is about.

    Raises:
        NotFound: the draft or the decision record is gone.
    """
    where = f"{releases.uri}/{layout.STAGING}/{run.staging}"
    draft = Manifest.read(recall(releases, run.staging, proposal.draft), where=where)
    record = decided(releases, proposal.decision)
    given = ApprovalAnswer(
        fingerprint=record.fingerprint,
        since=record.since,
        run=run.run_id,
        draft_sha256=draft.sha256(),
        approved=response.approved,
        by=response.by,
        comment=response.comment,
        at=datetime.now(UTC),
    )
    return answered(releases, given), draft


def question(verdict: DecisionRecord, draft: Manifest, pointer: Pointer | None, *, home: str) -> tuple[str, str]:
    """Return the subject of what a person is asked, and its body in Markdown.

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
    return f"Release {draft.model_name}: {verdict.decision.chosen}{accuracy}?", "\n".join(lines)


def _table(verdict: DecisionRecord) -> list[str]:
    """A figure a row: the candidate's and the champion's mean with its interval."""
    champion, overlap = verdict.evaluation.champion, verdict.evaluation.test_over_train
    theirs = intervals_of(champion.scores, overlap) if champion is not None else {}
    other = f"live {champion.version}" if champion else "live"
    rows = [
        f"| {metric} | {_words(mine)} | {_words(theirs.get(metric))} |"
        for metric, mine in verdict.decision.intervals.items()
    ]
    return [f"| mean over the folds | {verdict.decision.chosen} | {other} |", "|---|---|---|", *rows]


def _words(interval: Interval | None) -> str:
    return f"{interval.mean:.4f} ({interval.low:.4f} to {interval.high:.4f})" if interval else "–"
