"""What became of a retrain run, in one sentence and the facts behind it, from what its tasks have reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from model_release.documents.pointer import Pointer
from model_release.workflows.messages import (
    ConsentOutcome,
    IngestOutcome,
    ReleaseOutcome,
    RetrainOutcome,
    RunResult,
    Uploaded,
    Verdict,
)


def run_result(outcomes: Sequence[RetrainOutcome], pointer: Pointer | None) -> RunResult:
    """Assemble the result of a run.

    Args:
        outcomes: what the tasks have reported, in any order; a task that was skipped reported nothing.
        pointer: home's, after the run; None if nothing is live.
    """
    verdict = next((each for each in outcomes if isinstance(each, Verdict)), None)
    release = next((each for each in outcomes if isinstance(each, ReleaseOutcome)), None)
    return RunResult(
        summary=_summary(outcomes, verdict, release),
        version=release.version if release else None,
        live=pointer.version if pointer else None,
        reasons=verdict.reasons if verdict else [],
        held=holds_in_words(pointer),
        lagging=[*dict.fromkeys(_lagging(outcomes))],
        data=[words for each in outcomes if isinstance(each, IngestOutcome) for words in each.data],
    )


def holds_in_words(pointer: Pointer | None) -> list[str]:
    """Return each hold that keeps `latest` where it is, in words."""
    return [f"by {each.by}: {each.reason}" for each in pointer.holds] if pointer else []


def _summary(outcomes: Sequence[RetrainOutcome], verdict: Verdict | None, release: ReleaseOutcome | None) -> str:
    if release is not None:
        forced = f", forced by {verdict.overruled} against the verdict," if verdict and verdict.overruled else ""
        live = "live" if release.promoted else f"not live: {release.reason}"
        return f"{release.version}{forced} is published and {live}"
    consent = next((each for each in outcomes if isinstance(each, ConsentOutcome) and each.asked), None)
    if consent is not None:
        return consent.summary
    if verdict is not None:
        return verdict.summary if verdict.accepted else f"{verdict.summary}: {'; '.join(verdict.reasons)}"
    found = next((each for each in outcomes if isinstance(each, IngestOutcome)), None)
    return f"nothing is new: {found.reason}" if found else "nothing was done"


def _lagging(outcomes: Iterable[RetrainOutcome]) -> Iterable[str]:
    for each in outcomes:
        match each:
            case Uploaded():
                if each.lagging:
                    yield f"{each.order.destination} lags behind: {each.lagging}"
            case IngestOutcome():
                pass
            case _:
                yield from each.lagging
