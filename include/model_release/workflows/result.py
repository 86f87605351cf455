"""What became of a retrain run: one sentence and the facts behind it, from what its tasks have reported."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal

from model_release.documents.base import VersionText
from model_release.documents.pointer import Pointer
from model_release.workflows.messages import (
    ConsentOutcome,
    Failure,
    IngestOutcome,
    Message,
    ReleaseOutcome,
    RetrainOutcome,
    Uploaded,
    Verdict,
)

log = logging.getLogger(__name__)

Ending = Literal["released", "published", "reproduced", "rejected", "refused", "nothing new", "failed"]
"""How a run may end. `published`: a version that is not live. `refused`: by a person."""

MOST_OF_A_NOTE = 1000
"""Characters that Airflow keeps of a run's note."""


class RunResult(Message):
    """What became of a retrain run: its result, as *Report* says it.

    Attributes:
        ending: in one word.
        summary: in one sentence.
        version: the published version; None if there is none.
        live: the version that is live after the run; None if nothing is, or it could not be read.
        epoch: at which that version became live.
        since: when it did.
        forced: who has overruled the gate's rejection.
        reasons: of the verdict.
        held: each hold that keeps `latest` where it is, in words.
        lagging: what any task of the run found to lag behind, in words.
        data: what became of rows and files that arrived and were not trained on, in words.
        failures: why tasks have failed.
        mlflow: address of the page of the version's MLflow run, or of the candidate's.
    """

    kind: Literal["result"] = "result"
    ending: Ending
    summary: str
    version: VersionText | None
    live: VersionText | None
    epoch: int | None
    since: datetime | None
    forced: str | None
    reasons: list[str]
    held: list[str]
    lagging: list[str]
    data: list[str] = []
    failures: list[Failure] = []
    mlflow: str | None = None

    def lines(self) -> Iterator[str]:
        """Yield the result in words: the summary, then a fact a line."""
        yield self.summary
        for each in self.failures:
            yield f"{each.task}: {each.hint}" + (f" ({each.log})" if each.log else "")
        yield from (f"reason: {each}" for each in self.reasons)
        if self.live is not None:
            yield f"live: {self.live}" + (f", since {in_words(self.since, self.epoch)}" if self.epoch else "")
        yield from (f"latest is held {each}" for each in self.held)
        yield from (f"data: {each}" for each in self.data)

    def note(self) -> str:
        """Return the result as a run's note, in Markdown, not longer than Airflow keeps."""
        bullets = [f"{each.task}: {each.hint}" for each in self.failures]
        bullets += [f"lags behind: {each}" for each in self.lagging]
        bullets += [f"held {each}" for each in self.held]
        bullets += self.reasons if self.ending == "rejected" else []
        if self.live is not None:
            bullets.append(f"live: {self.live}" + (f", since {in_words(self.since, self.epoch)}" if self.epoch else ""))
        marks = ["forced"] * bool(self.forced) + ["lagging"] * bool(self.lagging) + ["held"] * bool(self.held)
        return noted(", ".join([self.ending, *marks]), self.summary, bullets)


def run_result(outcomes: Sequence[RetrainOutcome], pointer: Pointer | None, since: datetime | None = None) -> RunResult:
    """Assemble the result of a run.

    Args:
        outcomes: what the tasks have reported, in any order; a task that was skipped reported nothing.
        pointer: home's, after the run; None if nothing is live.
        since: when the live version became live.
    """
    verdict = next((each for each in outcomes if isinstance(each, Verdict)), None)
    release = next((each for each in outcomes if isinstance(each, ReleaseOutcome)), None)
    ending, summary = _ending(outcomes, verdict, release)
    return RunResult(
        ending=ending,
        summary=summary,
        version=release.version if release else None,
        live=pointer.version if pointer else None,
        epoch=pointer.since if pointer else None,
        since=since,
        forced=verdict.overruled if verdict else None,
        reasons=verdict.reasons if verdict else [],
        held=holds_in_words(pointer),
        lagging=[*dict.fromkeys(_lagging(outcomes))],
        data=[words for each in outcomes if isinstance(each, IngestOutcome) for words in each.data],
        failures=[each for each in outcomes if isinstance(each, Failure)],
        mlflow=next((each.mlflow for each in (release, verdict) if each and each.mlflow), None),
    )


def say(result: RunResult) -> None:
    """Log a result: the summary, then a fact a line."""
    for line in result.lines():
        log.info("%s", line)
    for line in result.lagging:
        log.warning("%s", line)


def holds_in_words(pointer: Pointer | None) -> list[str]:
    """Return each hold that keeps `latest` where it is, in words."""
    return [f"by {each.by}: {each.reason}" for each in pointer.holds] if pointer else []


def in_words(moment: datetime | None, epoch: int | None) -> str:
    """Return when something became live: `2026-11-30 20:47 UTC (epoch 1)`."""
    return f"{moment:%Y-%m-%d %H:%M} UTC (epoch {epoch})" if moment else f"epoch {epoch}"


def noted(headline: str, summary: str, bullets: Iterable[str]) -> str:
    """Return a run's note in Markdown: the headline in bold, the summary, a line for each fact; cut at the end."""
    lines = [f"**Report: {headline}**", "", _plain(summary), "", *(f"- {_plain(each)}" for each in bullets)]
    text = "\n".join(lines).rstrip()
    return text if len(text) <= MOST_OF_A_NOTE else f"{text[: MOST_OF_A_NOTE - 1]}…"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _ending(
    outcomes: Sequence[RetrainOutcome], verdict: Verdict | None, release: ReleaseOutcome | None
) -> tuple[Ending, str]:
    failed = [each for each in outcomes if isinstance(each, Failure)]
    if failed:
        first = failed[0]
        more = f" ({len(failed) - 1} more failed: {', '.join(each.task for each in failed[1:])})" if failed[1:] else ""
        done = f"{_released(release, verdict)}, but " if release else ""
        return "failed", f"{done}{first.task} failed: {first.what}{more}"
    if release is not None:
        return "released" if release.promoted else "published", _released(release, verdict)
    consent = next((each for each in outcomes if isinstance(each, ConsentOutcome) and each.asked), None)
    if consent is not None:
        return "refused", consent.summary
    if verdict is not None and verdict.accepted:
        return "reproduced", verdict.summary
    if verdict is not None:
        return "rejected", f"{verdict.summary}: {'; '.join(verdict.reasons)}"
    found = next((each for each in outcomes if isinstance(each, IngestOutcome)), None)
    return "nothing new", f"nothing is new: {found.reason}" if found else "nothing was done"


def _released(release: ReleaseOutcome, verdict: Verdict | None) -> str:
    forced = f", forced by {verdict.overruled} against the verdict," if verdict and verdict.overruled else ""
    live = "live" if release.promoted else f"not live: {release.reason}"
    return f"{release.version}{forced} is published and {live}"


def _lagging(outcomes: Iterable[RetrainOutcome]) -> Iterable[str]:
    for each in outcomes:
        match each:
            case Uploaded():
                if each.lagging:
                    yield f"{each.order.destination} lags behind: {each.lagging}"
            case IngestOutcome() | Failure():
                pass
            case _:
                yield from each.lagging
