"""Verdicts, kept for ever, and what they mean for a run that comes later (rule 9)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import JsonValue

from model_release.documents import layout, limits
from model_release.documents.base import Day, Document, Epoch, Instant, Sha256, VersionText
from model_release.documents.evaluation import Evaluation
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer, why_not
from model_release.documents.verdict import Decision
from model_release.errors import NotFound
from model_release.releases.catalog import promotion_target_of
from model_release.releases.claims import became
from model_release.releases.store import ReleaseStore
from model_release.stores.create_once import create_once


class DecisionRecord(Document):
    """`decisions/<fingerprint>/<baseline>-<run>.json`: one verdict with all its evidence, accepted or not.

    Attributes:
        since: the epoch at which the baseline became live; None when nothing was live.
        staging: the staging folder of the run that was judged.
        policy: the spec's `gate` with every threshold, and its `choose`, as they were.
    """

    most_bytes: ClassVar[int] = limits.VERDICT

    format: Literal[1] = 1
    fingerprint: str
    baseline: VersionText | None
    since: Epoch | None
    run: str
    staging: str
    as_of: Day
    judged_at: Instant
    decision: Decision
    evaluation: Evaluation
    policy: dict[str, JsonValue] | None = None

    @property
    def key(self) -> str:
        """Where it lies."""
        return layout.decision(self.fingerprint, self.since, self.staging)


class ApprovalAnswer(Document):
    """`decisions/<fingerprint>/answers/<baseline>-<run>.json`: what a person said to an accepted verdict.

    Attributes:
        draft_sha256: of the manifest that they were asked about; it names the digests of every file.
        by: who answered; None where nobody did in time, which is a rejection of that run alone.
    """

    most_bytes: ClassVar[int] = limits.ANSWER

    format: Literal[1] = 1
    fingerprint: str
    since: Epoch | None
    run: str
    draft_sha256: Sha256
    approved: bool
    by: str | None
    comment: str
    at: Instant

    @property
    def key(self) -> str:
        """Where it lies."""
        return layout.answer(self.fingerprint, self.since, layout.run_token(self.run))

    @property
    def words(self) -> str:
        """Return the answer in words."""
        if self.by is None:
            return "nobody answered in time, which is a rejection"
        comment = f": {self.comment}" if self.comment else ""
        return f"{'approved' if self.approved else 'rejected'} by {self.by}, {self.at:%Y-%m-%d %H:%M} UTC{comment}"


def answered(releases: ReleaseStore, answer: ApprovalAnswer) -> ApprovalAnswer:
    """Keep an answer; the first one of a run stands."""
    return ApprovalAnswer.read(
        create_once(releases.home, answer.key, answer.to_bytes()), where=f"{releases.uri}/{answer.key}"
    )


def turned_down(releases: ReleaseStore, fingerprint: str, since: int | None) -> ApprovalAnswer | None:
    """Return a person's rejection of a fingerprint against a baseline, whichever run they were asked by."""
    for entry in releases.home.list(layout.answers_of(fingerprint, since)):
        stored = releases.home.get(entry.key)
        if stored is not None:
            answer = ApprovalAnswer.read(stored.body, where=f"{releases.uri}/{entry.key}")
            if not answer.approved and answer.by is not None:
                return answer
    return None


def record(releases: ReleaseStore, verdict: DecisionRecord) -> DecisionRecord:
    """Keep a verdict; the one that the same run reached before stands."""
    body = create_once(releases.home, verdict.key, verdict.to_bytes())
    return DecisionRecord.read(body, where=f"{releases.uri}/{verdict.key}")


def decided(releases: ReleaseStore, key: str) -> DecisionRecord:
    """Read a verdict.

    Raises:
        NotFound: there is none under this key.
    """
    stored = releases.home.get(key)
    if stored is None:
        raise NotFound("this verdict is gone", where=f"{releases.uri}/{key}")
    return DecisionRecord.read(stored.body, where=f"{releases.uri}/{key}")


def judged(releases: ReleaseStore, fingerprint: str, since: int | None) -> DecisionRecord | None:
    """Return the first verdict on a fingerprint against a baseline, whichever run reached it."""
    prefix = f"{layout.decisions_of(fingerprint)}/{layout.baseline_token(since)}-"
    for entry in releases.home.list(prefix):
        stored = releases.home.get(entry.key)
        if stored is not None:
            return DecisionRecord.read(stored.body, where=f"{releases.uri}/{entry.key}")
    return None


def nothing_new(
    releases: ReleaseStore,
    pointer: Pointer | None,
    fingerprint: str,
    *,
    may_promote: bool,
    overrule: bool = False,
    asks: bool = False,
) -> str | None:
    """Return why a run of this fingerprint has nothing to do, in words; None when it has.

    Args:
        releases: of the model.
        pointer: what is live.
        fingerprint: of the run.
        may_promote: whether the run may move the pointer at all.
        overrule: whether a person has asked to release even what was rejected.
        asks: whether a person is asked about what the gate accepts.
    """
    since = pointer.since if pointer else None
    version = became(releases, fingerprint)
    manifest = releases.decided(version) if version else None
    verdict = judged(releases, fingerprint, since)
    if isinstance(manifest, Manifest):
        if pointer is not None and pointer.version == version:
            return f"the same data, code, packages and parameters made {version}, live since epoch {pointer.since}"
        if not may_promote:
            return f"the same data, code, packages and parameters made {version}, which is published"
        refusal = why_not(pointer, promotion_target_of(manifest)) if pointer else None
        if refusal is not None:
            return f"the same data, code, packages and parameters made {version}, which is not live: {refusal}"
    if verdict is not None and not verdict.decision.accepted and not overrule:
        against = f"against {verdict.baseline}" if verdict.baseline else "before anything was live"
        return f"rejected {against} already ({verdict.key}): {'; '.join(verdict.decision.reasons)}"
    said = turned_down(releases, fingerprint, since) if asks else None
    return f"{said.words} already" if said else None
