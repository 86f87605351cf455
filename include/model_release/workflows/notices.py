"""What people are told of a model: one notice an event, and its words for a chat, a mail and a machine.

Words that came from data, stores and people are escaped for each of them.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from model_release.documents.base import VersionText, canonical_json, sha256_of
from model_release.releases.request import Action
from model_release.spec.notify import Event
from model_release.workflows.messages import Failure, Message, OperateOutcome
from model_release.workflows.result import Ending, RunResult, in_words

MOST_DETAILS: Final = 12
"""Details that a notice lists; the run's page has them all."""

_LONGEST: Final = 500

_OF_ENDING: Final[dict[Ending, Event]] = {
    "released": "released",
    "published": "published",
    "rejected": "rejected",
    "refused": "rejected",
    "failed": "failed",
}
"""The event of an ending. Where nothing is new, or an earlier version was reproduced, nobody is told."""

_OF_ACT: Final[dict[Action, Event]] = {Action.ROLLBACK: "rolled back", Action.PROMOTE: "released"}
"""The event of a person's act. Others leave what is live as it is."""


class Notice(Message):
    """One event of a model, as people are told of it.

    Attributes:
        model: its name; `title` is for people.
        event: what happened.
        summary: in one sentence.
        version: which it is about; None if there is none.
        live: the version that is live after it.
        details: more about it, in words.
        links: pages about it, by name.
        run: of Airflow: `<DAG id>/<run id>`.
    """

    kind: Literal["notice"] = "notice"
    model: str
    title: str
    event: Event
    summary: str
    version: VersionText | None = None
    live: VersionText | None = None
    details: list[str] = []
    links: dict[str, str] = {}
    run: str

    @property
    def digest(self) -> str:
        """SHA-256 of the notice: a cleared run that ends as before makes an equal one."""
        return sha256_of(canonical_json(self.to_json()))

    @property
    def subject(self) -> str:
        """The notice in one short line."""
        version = f" {self.version}" if self.version else ""
        return _plain(f"{self.title} · {self.event}{version}")

    @property
    def slack(self) -> str:
        """The notice as Slack's markup."""
        bullets = "".join(f"\n• {_for_slack(each)}" for each in self._shown())
        links = " · ".join(f"<{address}|{name}>" for name, address in self.links.items())
        return f"*{_for_slack(self.subject)}*\n{_for_slack(_cut(self.summary))}{bullets}" + (
            f"\n{links}" if links else ""
        )

    @property
    def mail(self) -> str:
        """The notice as the HTML of a mail."""
        bullets = "".join(f"<li>{html.escape(each)}</li>" for each in self._shown())
        links = " · ".join(
            f'<a href="{html.escape(address)}">{html.escape(name)}</a>' for name, address in self.links.items()
        )
        parts = [f"<p><b>{html.escape(self.subject)}</b></p>", f"<p>{html.escape(_cut(self.summary))}</p>"]
        return "".join([*parts, *([f"<ul>{bullets}</ul>"] if bullets else []), *([f"<p>{links}</p>"] if links else [])])

    def _shown(self) -> list[str]:
        more = len(self.details) - MOST_DETAILS
        return [_cut(each) for each in self.details[:MOST_DETAILS]] + ([f"and {more} more"] if more > 0 else [])


class Told(Message):
    """Whose notices they are, and of which run.

    Attributes:
        model: its name; `title` is for people.
        run: `<DAG id>/<run id>`.
        links: pages about the run, by name.
    """

    kind: Literal["told"] = "told"
    model: str
    title: str
    run: str
    links: dict[str, str] = {}

    def notice(self, event: Event, summary: str, **others: object) -> Notice:
        """Return a notice."""
        whole = self.facts() | {"event": event, "summary": summary} | others
        return Notice.model_validate(whole | {"links": self.links | dict(whole["links"])})


def of_result(told: Told, result: RunResult) -> Iterator[Notice]:
    """Yield what people are told of the end of a retrain run."""
    links = {"MLflow": result.mlflow} if result.mlflow else {}
    event = _OF_ENDING.get(result.ending)
    if event is not None:
        live = f"live: {result.live}" + (f", since {in_words(result.since, result.epoch)}" if result.epoch else "")
        details = [
            *_failures(result.failures),
            *(result.reasons if event != "failed" else []),
            *([f"forced by {result.forced}"] if result.forced else []),
            *([live] if result.live else []),
            *(f"latest is held {each}" for each in result.held),
            *(f"data: {each}" for each in result.data),
        ]
        version = result.version if event in ("released", "published") else None
        yield told.notice(event, result.summary, version=version, live=result.live, details=details, links=links)
    yield from _lagging(told, result.lagging, result.live)


def of_act(told: Told, action: Action, outcome: OperateOutcome, *, by: str, reason: str) -> Iterator[Notice]:
    """Yield what people are told of a person's act."""
    event = _OF_ACT.get(action)
    if event is not None:
        details = [f"by {by}: {reason}"]
        yield told.notice(event, outcome.summary, version=outcome.live, live=outcome.live, details=details)
    yield from _lagging(told, outcome.lagging, outcome.live)


def of_failures(told: Told, failures: Sequence[Failure], *, doctor: str | None = None) -> Iterator[Notice]:
    """Yield what people are told of tasks that have failed.

    Args:
        told: of which run.
        failures: of its tasks.
        doctor: the task whose failure is what doctor found.
    """
    found = [each for each in failures if each.task == doctor and each.error == "Corrupt"]
    for each in found:
        yield told.notice("findings", _plain(each.what), details=[*each.what.splitlines()[1:], each.hint])
    if others := [each for each in failures if each not in found]:
        summary = f"{others[0].task} failed: {others[0].what}"
        yield told.notice("failed", summary, details=[*_failures(others)])


def of_deadline(told: Told, hours: float) -> Notice:
    """Return what people are told of a run that has not ended in time."""
    return told.notice(
        "late", f"{told.run} has not ended {hours:g} hours after it was queued", details=["what is live stays live"]
    )


def _lagging(told: Told, lagging: Sequence[str], live: VersionText | None) -> Iterator[Notice]:
    if lagging:
        yield told.notice("lagging", "a destination, or MLflow, is behind what is live", live=live, details=[*lagging])


def _failures(failures: Iterable[Failure]) -> Iterator[str]:
    for each in failures:
        yield f"{each.task}: {each.hint}" + (f" ({each.log})" if each.log else "")


def _plain(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str) -> str:
    text = _plain(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
