"""Asking a person before a version is made: the question with its evidence, and the answer that is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from model_release.documents import layout
from model_release.documents.evaluation import Interval
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer
from model_release.errors import Refused
from model_release.modelling.gate import intervals_of
from model_release.modelling.trained import CARD_FILE
from model_release.releases.decisions import ApprovalAnswer, DecisionRecord, answered, decided
from model_release.releases.publish import recall
from model_release.releases.store import ReleaseStore
from model_release.spec.model import Approvers
from model_release.workflows.messages import ApprovalResponse, Proposal
from model_release.workflows.result import in_words
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


def check_respondent(approvers: Approvers, response: ApprovalResponse) -> None:
    """Check that the person who has answered is one of those whom the spec names.

    Airflow compares ids, which under some of its auth managers are no names. So the name is compared here.

    Raises:
        Refused: it is another person. Nothing is kept of the answer.
    """
    if approvers.users and response.by is not None and response.by not in approvers.users:
        raise Refused(
            f"{response.by} has answered, and the spec's approvers.users names {', '.join(approvers.users)}",
            hint="clear the task Approve with those after it: then the question is asked again",
        )


def question(verdict: DecisionRecord, draft: Manifest, releases: ReleaseStore, *, hours: float) -> tuple[str, str]:
    """Return the subject of what a person is asked, and its body in Markdown: what speaks against it first.

    Args:
        verdict: the gate's, with its evidence.
        draft: the manifest of the version to be.
        releases: of the model, with what is live; the card is staged at home.
        hours: after so many without an answer, the question lapses.
    """
    found = releases.pointer()
    pointer = found.pointer if found else None
    accuracy = f", accuracy {draft.accuracy:.4f}" if draft.accuracy is not None else ""
    card = layout.staged(verdict.staging, draft.file(CARD_FILE).sha256)
    live = f"{pointer.version}, {_live_since(releases, pointer)}" if pointer else "nothing"
    lapses = datetime.now(UTC) + timedelta(hours=hours)
    forced = draft.gate.overruled if draft.gate is not None else None
    failed = [each.words for each in verdict.decision.checks if not each.passed and not each.warning]
    against = [f"**the gate has rejected it, and {forced} has forced this run**"] * bool(forced)
    against += [f"✗ {each}" for each in failed]
    changes = [f"`latest` goes from {live} to a new version"]
    if draft.dataset is not None:
        changes.append(f"data as of {draft.data_as_of}, {draft.dataset.rows or 0:,} rows")
    if pointer is not None and draft.schema_revision != pointer.schema_revision:
        changes.append(f"schema revision {pointer.schema_revision} becomes {draft.schema_revision}")
    lines = [
        *(["#### What speaks against it", *(f"- {each}" for each in against), ""] if against else []),
        "#### What would change",
        *(f"- {each}" for each in changes),
        "",
        "#### What was measured",
        *_table(verdict),
        "",
        "#### What the gate says",
        *(
            f"- {'!' if check.warning else '✓' if check.passed else '✗'} {check.words}"
            for check in sorted(verdict.decision.checks, key=lambda check: (check.passed, not check.warning))
        ),
        "",
        f"No answer by about {lapses:%Y-%m-%d %H:%M} UTC, {hours:g} hours from now, is a rejection.",
        "",
        f"Model card: `{releases.uri}/{card}`",
    ]
    against_the_gate = " against the gate" if forced else ""
    return f"Release {draft.model_name}{against_the_gate}: {verdict.decision.chosen}{accuracy}?", "\n".join(lines)


def _live_since(releases: ReleaseStore, pointer: Pointer) -> str:
    began = releases.still_logged(pointer.since)
    return f"live since {in_words(began.change.at if began else None, pointer.since)}"


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
